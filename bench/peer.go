package main

import (
	"cmp"
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"ringfence/edge/rest/api"
	"ringfence/edge/rest/client"
)

//go:embed kamailio.cfg
var kamailioConfig string

// banned is the address that both servers ban from the start.
const banned = "127.66.0.1"

// carrierAt is where the carrier of a call run listens.
var carrierAt = netip.MustParseAddrPort("127.0.0.1:25090")

// login is a line that the load uses.
type login struct{ line, password string }

// logins makes n lines with passwords that any policy takes.
func logins(n int) []login {
	l := make([]login, n)
	for i := range l {
		l[i] = login{fmt.Sprintf("%06d", 100_000+i), rand.Text()}
	}
	return l
}

// peer is a running server.
type peer struct {
	name   string
	binary string // of a Ringfence
	at     netip.AddrPort
	cmd    *exec.Cmd
	log    string
	dir    string
	gone   chan struct{}
}

// stop ends the server and waits for it.
func (p *peer) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.gone:
	case <-time.After(10 * time.Second):
		for _, pid := range tree(p.cmd.Process.Pid) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		<-p.gone
	}
}

func (p *peer) cpu() float64 { return cpuSeconds(p.cmd.Process.Pid) }

// launch starts a server and waits until its UDP port is taken.
func launch(ctx context.Context, p *peer, name string, args ...string) (*peer, error) {
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd = exec.CommandContext(ctx, name, args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.gone = make(chan struct{})
	go func() {
		_ = p.cmd.Wait()
		close(p.gone)
	}()
	ended := false
	err = waitFor(ctx, 60*time.Second, p.name+" listens", func() bool {
		select {
		case <-p.gone:
			ended = true
		default:
		}
		return ended || taken(p.at)
	})
	if err == nil && !ended {
		return p, nil
	}
	p.stop()
	if ended {
		err = fmt.Errorf("%s ended at once", p.name)
	}
	text, _ := os.ReadFile(p.log)
	return nil, fmt.Errorf("%w\n%s", err, tail(string(text), 2000))
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// taken says that somebody listens on a UDP address.
func taken(at netip.AddrPort) bool {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err == nil {
		c.Close()
		return false
	}
	return errors.Is(err, syscall.EADDRINUSE)
}

func waitFor(ctx context.Context, limit time.Duration, what string, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not within %v: %s", limit, what)
		}
	}
	return nil
}

// kamailio starts the peer with its fast allocator: Debian's default doubles its cost, and that would be no comparison.
// defines are those of its configuration.
func (b *bench) kamailio(ctx context.Context, users []login, defines ...string) (*peer, error) {
	dir, err := os.MkdirTemp(b.dir, "kamailio")
	if err != nil {
		return nil, err
	}
	modules, _ := filepath.Glob("/usr/lib/*/kamailio/modules")
	if len(modules) == 0 {
		return nil, errors.New("kamailio's modules are not in /usr/lib/*/kamailio/modules")
	}
	p := &peer{name: "Kamailio", at: netip.MustParseAddrPort("127.0.0.1:25080"), log: filepath.Join(dir, "log"), dir: dir}
	var rows strings.Builder
	for _, u := range users {
		fmt.Fprintf(&rows, "\t$sht(login=>%s) = %q;\n", u.line, u.password)
	}
	config := strings.NewReplacer("@CHILDREN@", fmt.Sprint(b.children), "@LISTEN@", p.at.String(), "@MODULES@", modules[0]+"/",
		"@LOGINS@", rows.String(), "@CARRIER@", carrierAt.String(), "@BANNED@", banned).Replace(kamailioConfig)
	file := filepath.Join(dir, "kamailio.cfg")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	args := []string{"-x", "fm", "-X", "fm", "-DD", "-E", "-f", file, "-m", "512", "-M", "16", "-b", "4194304", "-Y", dir, "-P", filepath.Join(dir, "pid")}
	for _, d := range defines {
		args = append(args, "-A", d)
	}
	return launch(ctx, p, "kamailio", args...)
}

// ringfenceConfig is a laboratory's: limits out of the way, one algorithm as the peer has one.
const ringfenceConfig = `data = %q
[sip]
udp = [%q]
tcp = []
algorithms = ["MD5"]
max-calls = 1000000
%s
[store]
money = %q
[provider]
tariff = "retail"
[provider.settings]
max-calls = "10000"
max-international = "10000"
calls-per-minute = "60000"
line-day-cap = "£1000000"
line-month-cap = "£1000000"
account-day-cap = "£10000000"
account-month-cap = "£10000000"
[shield]
kernel = %q
feeds = [%q]
[metrics]
listen = %q
[limits]
contacts = 100
connections = 100000
[log]
level = "warn"
`

// metrics is where a Ringfence tells its figures.
func (p *peer) metrics() netip.AddrPort { return netip.AddrPortFrom(p.at.Addr(), p.at.Port()+21) }

// setup is how the program is started.
type setup struct {
	binary string // "" is that of -binary
	money  string // "durable" or "memory"
	kernel string // whether it drops packets of the banned: "off", which "" is, or "required"
	port   uint16 // 0 is 25060
	sip    string // further lines of [sip]
}

// ringfence starts the program with a customer, a tariff, a trunk and lines.
func (b *bench) ringfence(ctx context.Context, users []login, s setup) (*peer, error) {
	dir, err := os.MkdirTemp(b.dir, "ringfence")
	if err != nil {
		return nil, err
	}
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), cmp.Or(s.port, 25060))
	p := &peer{name: "Ringfence, money " + s.money, binary: cmp.Or(s.binary, b.binary), at: at, log: filepath.Join(dir, "log"), dir: dir}
	list := filepath.Join(dir, "banned.txt")
	if err := os.WriteFile(list, []byte(banned+"\n"), 0o600); err != nil {
		return nil, err
	}
	config := fmt.Sprintf(ringfenceConfig, filepath.Join(dir, "data"), p.at, s.sip, s.money, cmp.Or(s.kernel, "off"), "bench="+list, p.metrics())
	if err := os.WriteFile(filepath.Join(dir, "ringfence.toml"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	if p, err = b.restart(ctx, p); err != nil {
		return nil, err
	}
	if err := b.furnish(ctx, p, users); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// restart starts the program on the folder of a peer.
func (b *bench) restart(ctx context.Context, p *peer) (*peer, error) {
	p, err := launch(ctx, p, p.binary, "serve", "--config", filepath.Join(p.dir, "ringfence.toml"))
	if err != nil {
		return nil, err
	}
	c := p.admin()
	return p, waitFor(ctx, 60*time.Second, "the admin socket answers", func() bool {
		return c.Do(ctx, "GET", "/v1/status", nil, nil) == nil
	})
}

func (p *peer) admin() *client.Client {
	return client.Unix(filepath.Join(p.dir, "data", "ringfence.sock"))
}

func (b *bench) furnish(ctx context.Context, p *peer, users []login) error {
	c := p.admin()
	deck := strings.NewReader("prefix,destination,rate,connection charge,first interval,sub interval\n4420,London,0.01,0.02,1,1\n")
	if err := c.Do(ctx, "POST", "/v1/decks/retail/import?kind=retail&source=bench", client.CSV{Reader: deck}, nil); err != nil {
		return err
	}
	if err := c.Do(ctx, "POST", "/v1/trunks", api.NewTrunk{Name: "carrier", Addresses: []string{carrierAt.String()}}, nil); err != nil {
		return err
	}
	return addLines(ctx, c, users)
}

// known is how many lines have the password of their login; the others' are the server's own, which is faster.
const known = 1000

// addLines adds the lines, several at once, with a customer for each hundred, as providers have: one customer's purses
// would be one row for all calls.
func addLines(ctx context.Context, c *client.Client, users []login) error {
	for i := 0; i < len(users); i += 100 {
		if err := c.Do(ctx, "POST", "/v1/customers", api.NewCustomer{ID: fmt.Sprintf("customer-%d", i/100)}, nil); err != nil {
			return err
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i, u := range users {
		in := api.NewLine{ID: u.line, Customer: fmt.Sprintf("customer-%d", i/100)}
		if i < known {
			in.Password = u.password
		}
		g.Go(func() error { return c.Do(ctx, "POST", "/v1/lines", in, nil) })
	}
	return g.Wait()
}
