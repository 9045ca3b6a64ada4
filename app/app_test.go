package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringfence/app"
	"ringfence/app/config"
	"ringfence/edge/phone"
	"ringfence/edge/rest/api"
	"ringfence/edge/rest/client"
)

// program is the sample provider on free ports, with everything it writes to its log.
type program struct {
	t   testing.TB
	cfg config.Config
	app *app.App
	log *lockedBuffer
	api *client.Client
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func demoConfig(t testing.TB) config.Config {
	t.Helper()
	return configIn(app.DemoFolder(t))
}

// emptyConfig is for a store that is not in the data folder: its first start makes the sample provider.
func emptyConfig(t testing.TB) config.Config {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o700))
	return configIn(dir)
}

func configIn(dir string) config.Config {
	cfg := config.Demo(dir)
	local := netip.MustParseAddrPort("127.0.0.1:0")
	cfg.SIP.UDP, cfg.SIP.TCP = []netip.AddrPort{local}, []netip.AddrPort{local}
	cfg.Metrics.Listen, cfg.Web.Listen = netip.AddrPort{}, local
	cfg.Shield.Kernel = "off"
	return cfg
}

func start(t testing.TB, cfg config.Config) *program {
	t.Helper()
	return startTo(t, cfg, app.Options{})
}

// startTo is start with options beside the log.
func startTo(t testing.TB, cfg config.Config, o app.Options) *program {
	t.Helper()
	p := &program{t: t, cfg: cfg, log: &lockedBuffer{}}
	o.Log = slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	p.app, err = app.New(context.Background(), cfg, o)
	must(t, err)
	must(t, p.app.Start(context.Background()))
	p.api = client.Unix(cfg.Admin.Socket)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.log.String())
		}
	})
	return p
}

func (p *program) stop() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	must(p.t, p.app.Stop(ctx))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (p *program) password(line string) string {
	p.t.Helper()
	text, err := phone.ReadPassword(filepath.Join(p.cfg.Data, app.PasswordsFile), line)
	must(p.t, err)
	return text
}

func (p *program) phone(line string) *phone.Phone {
	p.t.Helper()
	ph, err := phone.Dial(context.Background(), phone.Account{Server: p.app.SIPAddr().String(), Transport: "udp", Line: line, Password: p.password(line)})
	must(p.t, err)
	p.t.Cleanup(func() { ph.Close() })
	return ph
}

func (p *program) get(path string, out any) {
	p.t.Helper()
	must(p.t, p.api.Do(context.Background(), "GET", path, nil, out))
}

// cdrs waits until a line has n records of calls that were let out.
func (p *program) cdrs(line string, n int) []api.CDR {
	p.t.Helper()
	var l api.List[api.CDR]
	look, late := time.NewTicker(20*time.Millisecond), time.After(45*time.Second) // a carrier that says nothing is waited for: its answer may cross
	defer look.Stop()
	for waiting := true; waiting; {
		p.get("/v1/cdrs?line="+line, &l)
		l.Items = slices.DeleteFunc(l.Items, func(c api.CDR) bool { return c.Refused })
		if len(l.Items) >= n {
			return l.Items
		}
		select {
		case <-look.C:
		case <-late:
			waiting = false
		}
	}
	p.t.Fatalf("line %s has %d records, want %d", line, len(l.Items), n)
	return nil
}

func call(t testing.TB, ph *phone.Phone, to string) *phone.Call {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, a, err := ph.Invite(ctx, to, phone.Dialling{})
	must(t, err)
	if c == nil {
		t.Fatalf("%s: %d %s (%s)", to, a.Status, a.Phrase, a.Why)
	}
	return c
}

func hangup(t testing.TB, c *phone.Call) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	must(t, c.Hangup(ctx))
}

func TestAGuardedCall(t *testing.T) {
	p := start(t, demoConfig(t))
	defer p.stop()
	ph := p.phone("2001")
	a, err := ph.Register(context.Background(), 300)
	must(t, err)
	if a.Status != 200 {
		t.Fatalf("REGISTER: %d %s", a.Status, a.Why)
	}
	c := call(t, ph, "02079460000")
	var live api.List[api.Call]
	p.get("/v1/calls", &live)
	if len(live.Items) != 1 || live.Items[0].Line != "2001" {
		t.Fatalf("calls in progress: %+v", live.Items)
	}
	hangup(t, c)
	r := p.cdrs("2001", 1)[0]
	if r.Number != "+442079460000" || r.Reason != "hangup" || string(r.By) != "caller" || r.Retail <= 0 || r.Cost <= 0 || r.Trunk != "demo-carrier" {
		t.Errorf("record %+v", r)
	}

	for to, why := range map[string]string{
		"09098790123": "premium-barred", "005371234567": "over-international-ceiling", "981046500729221": "number-invalid",
	} {
		c, a, err := ph.Invite(context.Background(), to, phone.Dialling{})
		must(t, err)
		if c != nil || !strings.Contains(strings.Join(a.Reason, " "), why) || len(a.Warning) == 0 {
			t.Errorf("%s: %d %s, Reason %q, Warning %q; want %s", to, a.Status, a.Phrase, a.Reason, a.Warning, why)
		}
	}
	var check api.Check
	p.get("/v1/check", &check)
	if !check.OK {
		t.Errorf("check: %+v", check.Items)
	}
}

func TestTheOtherCarrierIsTried(t *testing.T) {
	t.Parallel()
	p := start(t, demoConfig(t))
	defer p.stop()
	ph := p.phone("2001")
	for _, to := range []string{"02079460503", "02079460408"} { // refuses with 503; says nothing
		hangup(t, call(t, ph, to))
	}
	for _, r := range p.cdrs("2001", 2) {
		if r.Trunk != "demo-backup" {
			t.Errorf("%s went by %s", r.Number, r.Trunk)
		}
	}
}

func TestLinesCallEachOther(t *testing.T) {
	p := start(t, demoConfig(t))
	defer p.stop()
	a, b := p.phone("2001"), p.phone("2011")
	if r, err := b.Register(context.Background(), 300); err != nil || r.Status != 200 {
		t.Fatalf("%+v %v", r, err)
	}
	in := make(chan *phone.Call, 1)
	go func() {
		if ring := <-b.Inbox(); ring.Accept(context.Background()) == nil {
			in <- ring.Call
		}
	}()
	c := call(t, a, "02079460111")
	hangup(t, <-in)
	<-c.Done()
	if r := p.cdrs("2001", 1)[0]; r.Direction != "between" || r.Peer != "2011" || r.Retail != 0 || string(r.By) != "callee" {
		t.Errorf("record %+v", r)
	}
}

// TestCallsSurviveAGracefulRestart: the call stays up while the program is away; the BYE is handled by the next one.
func TestCallsSurviveAGracefulRestart(t *testing.T) {
	t.Parallel()
	cfg := demoConfig(t)
	p := start(t, cfg)
	at := p.app.SIPAddr()
	ph := p.phone("2001")
	c := call(t, ph, "02079460000")
	cfg.SIP.UDP = []netip.AddrPort{at}
	p.stopButCarrier()
	p = start(t, cfg)
	defer p.stop()
	hangup(t, c)
	if r := p.cdrs("2001", 1)[0]; r.Reason != "hangup" || r.Retail <= 0 {
		t.Errorf("record %+v", r)
	}
}

func (p *program) stopButCarrier() { p.stop() }

// TestSecretsStaySecret greps everything that the program wrote for the passwords it knows.
func TestSecretsStaySecret(t *testing.T) {
	p := start(t, demoConfig(t))
	ph := p.phone("2001")
	if _, err := ph.Register(context.Background(), 300); err != nil {
		t.Fatal(err)
	}
	hangup(t, call(t, ph, "02079460000"))
	own := api.SetPassword{Password: "Violet.Anvil.Quarry.Teapot.Mosaic.7319"}
	must(t, p.api.Do(context.Background(), "POST", "/v1/lines/2012/password", own, nil))
	weak := api.SetPassword{Password: "hunter2hunter2"}
	err := p.api.Do(context.Background(), "POST", "/v1/lines/2012/password", weak, nil)
	var problem *api.Problem
	if !errors.As(err, &problem) {
		t.Fatalf("a weak password: %v", err)
	}
	secrets := []string{own.Password, weak.Password, p.password("2001"), p.password("2021")}
	said := p.log.String() + err.Error()
	for _, path := range []string{"/v1/lines", "/v1/lines/2001", "/v1/journal", "/v1/cdrs", "/v1/trunks", "/v1/status", "/v1/check"} {
		var raw json.RawMessage
		p.get(path, &raw)
		said += string(raw)
	}
	p.stop()
	for _, s := range secrets {
		if strings.Contains(said, s) {
			t.Errorf("%q was said", s[:3]+"…")
		}
	}
	must(t, filepath.WalkDir(p.cfg.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == app.PasswordsFile || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, s := range secrets {
			if bytes.Contains(data, []byte(s)) {
				t.Errorf("%s holds a password in clear", d.Name())
			}
		}
		return err
	}))
}
