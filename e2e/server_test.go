//go:build e2e

package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringfence/e2e/process"
	"ringfence/edge/phone"
)

var program string

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "4") // most of them wait for somebody most of the time
	os.Exit(func() int {
		if program = os.Getenv("RINGFENCE_BINARY"); program != "" {
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "ringfence-e2e")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "ringfence")
		build := exec.Command("go", "build", "-o", program, "ringfence/cmd/ringfence")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "building the binary:", err)
			return 1
		}
		return m.Run()
	}())
}

// retail is the tariff of every test, in pounds. Rates are the same all week, so that no test depends on the hour.
const retail = `prefix,destination,rate,connection charge,first interval,sub interval
4420,London,0.012345678,0.0213,30,6
442079469,London dear,0.18,0,1,1
447,UK mobile,0.09,0,1,1
44909,UK premium,1.50,0,60,60
44870,UK 0870,0.25,0,60,60
33,France,0.015,0,1,1
53,Cuba,0.85,0,1,1
`

// server is one Ringfence and what belongs to it.
type server struct {
	t      *testing.T
	dir    string // its data folder
	config string
	sip    netip.AddrPort
	cmd    *exec.Cmd
	log    *os.File
	gone   chan struct{} // closed when cmd has ended

	stopped bool   // it was told to end
	program string // that serves; "" is the one under test
}

// start runs a server with the tariff, one customer and a trunk to each carrier, in order.
func start(t *testing.T, carriers ...netip.AddrPort) *server {
	t.Helper()
	return startIn(t, t.TempDir(), "", carriers...)
}

// startIn is start in a folder, with further lines of the configuration's [sip] table.
func startIn(t *testing.T, dir, lines string, carriers ...netip.AddrPort) *server {
	t.Helper()
	return startWith(t, setup{dir: dir, sip: lines}, carriers...)
}

// setup is what a server's configuration has beyond the least.
type setup struct {
	dir      string           // for its data folder; "" is a new one
	top      string           // lines before the first table
	at       []netip.AddrPort // its listeners, each for UDP and TCP; none is one free port of 127.0.0.1
	sip      string           // lines of [sip]
	program  string           // that serves, if it is not the one under test
	sections string           // whole tables; without a [shield] the kernel's ban list is off, which a kill -9 would leave behind
}

// startWith is start with more in the configuration.
func startWith(t *testing.T, o setup, carriers ...netip.AddrPort) *server {
	t.Helper()
	if o.dir == "" {
		o.dir = t.TempDir()
	}
	if !strings.Contains(o.sections, "[shield]") {
		o.sections += "\n[shield]\nkernel = \"off\"\n"
	}
	if o.at == nil {
		o.at = []netip.AddrPort{freePort(t)}
	}
	s := &server{t: t, dir: filepath.Join(o.dir, "data"), sip: o.at[0], program: o.program}
	own := t.TempDir() // configuration and log stay writable when the data folder is full
	s.config = filepath.Join(own, "ringfence.toml")
	var at []string
	for _, l := range o.at {
		at = append(at, strconv.Quote(l.String()))
	}
	text := fmt.Sprintf("data = %q\n%s\n[sip]\nudp = [%[3]s]\ntcp = [%[3]s]\ntrunk-silence = \"1s\"\n%[4]s\n[provider]\ntariff = \"retail\"\n%[5]s",
		s.dir, o.top, strings.Join(at, ", "), o.sip, o.sections)
	must(t, os.WriteFile(s.config, []byte(text), 0o600))
	var err error
	s.log, err = os.Create(filepath.Join(own, "log"))
	must(t, err)
	t.Cleanup(s.end)
	s.run()
	deck := filepath.Join(own, "retail.csv")
	must(t, os.WriteFile(deck, []byte(retail), 0o600))
	s.cli("deck", "import", "retail", deck, "--kind", "retail")
	s.cli("customer", "add", "acme", "--name", "Acme Ltd")
	for i, at := range carriers {
		s.cli("trunk", "add", fmt.Sprintf("carrier-%d", i+1), at.String(), "--priority", fmt.Sprint(10*(i+1)), "--emergency")
	}
	return s
}

// output is what a program prints that dies with the tests.
func output(cmd *exec.Cmd) ([]byte, error) {
	var all bytes.Buffer
	cmd.Stdout, cmd.Stderr = &all, &all
	if err := process.Launch(cmd); err != nil {
		return nil, err
	}
	err := cmd.Wait()
	return all.Bytes(), err
}

// run starts the program and waits until it says that it is ready.
func (s *server) run() {
	s.t.Helper()
	s.cmd = exec.Command(cmp.Or(s.program, program), "serve", "--config", s.config)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	must(s.t, process.Launch(s.cmd))
	gone, cmd := make(chan struct{}), s.cmd
	s.gone, s.stopped = gone, false
	go func() {
		_ = cmd.Wait()
		close(gone)
	}()
	eventually(s.t, 20*time.Second, "the server is ready", func() bool {
		select {
		case <-gone:
			s.t.Fatalf("the server ended:\n%s", s.logText())
		default:
		}
		return s.get("/readyz") == http.StatusOK
	})
}

// get asks the admin socket and gives the HTTP status, 0 when it cannot be reached.
func (s *server) get(path string) int {
	status, _ := s.page(path)
	return status
}

// metric is a figure that monitoring reads, without the program's prefix.
func (s *server) metric(name string) (value float64) {
	s.t.Helper()
	_, text := s.page("/metrics")
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "ringfence_"+name+" "); ok {
			value, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			must(s.t, err)
			return value
		}
	}
	s.t.Fatalf("no %s among the metrics:\n%s", name, text)
	return 0
}

func (s *server) page(path string) (int, string) {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", filepath.Join(s.dir, "ringfence.sock"))
		},
	}}
	r, err := client.Get("http://localhost" + path)
	if err != nil {
		return 0, ""
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(r.Body)
	return r.StatusCode, string(text)
}

func (s *server) logText() string {
	b, _ := os.ReadFile(s.log.Name())
	return string(b)
}

// signal stops the program in the way named and waits for its end.
func (s *server) signal(sig os.Signal) {
	s.t.Helper()
	s.stopped = true
	must(s.t, s.cmd.Process.Signal(sig))
	select {
	case <-s.gone:
	case <-time.After(20 * time.Second):
		s.t.Fatalf("the server did not end on %v:\n%s", sig, s.logText())
	}
}

func (s *server) end() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	select {
	case <-s.gone:
		if !s.stopped {
			s.t.Error("the server ended by itself")
		}
	default:
		_ = s.cmd.Process.Kill()
		<-s.gone
	}
	text := s.logText()
	if s.t.Failed() {
		s.t.Logf("server log:\n%s", text)
	}
	if strings.Contains(text, "panic") || strings.Contains(text, "DATA RACE") {
		s.t.Errorf("the server's log speaks of a panic:\n%s", text)
	}
}

// cli runs a command of the binary against this server and gives what it printed.
func (s *server) cli(args ...string) string {
	s.t.Helper()
	out, errs, err := s.tryCLI(args...)
	if err != nil {
		s.t.Fatalf("ringfence %s: %v\n%s%s", strings.Join(args, " "), err, out, errs)
	}
	return out
}

func (s *server) tryCLI(args ...string) (out, errs string, err error) {
	cmd := exec.Command(program, append(args, "--socket", filepath.Join(s.dir, "ringfence.sock"))...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err = cmd.Run()
	return o.String(), e.String(), err
}

// line adds a line to the customer and gives its password. Settings are field=value arguments.
func (s *server) line(id string, args ...string) (password string) {
	s.t.Helper()
	var made struct {
		Password string `json:"password"`
	}
	decode(s.t, s.cli(append([]string{"line", "add", id, "--customer", "acme", "--json"}, args...)...), &made)
	if made.Password == "" {
		s.t.Fatal("line add gave no password")
	}
	return made.Password
}

// record is what the tests look at in a call record.
type record struct {
	Line, Trunk, Number, Class, Reason string
	Retail                             int64  `json:"retail_micro"`
	Talk                               int64  `json:"talk_ns"`
	CarrierTalk                        int64  `json:"carrier_talk_ns"`
	By                                 string `json:"ended_by"`
	Status                             int    `json:"sip_status"`
	A                                  string `json:"a_call_id"`
	Text                               string `json:"text"`
	Refused                            bool   `json:"refused"`
	ID, Cause, Parent                  string
}

// cdrs waits until a line has n records of calls that were connected, newest first.
func (s *server) cdrs(line string, n int) []record {
	s.t.Helper()
	var list []record
	eventually(s.t, 45*time.Second, fmt.Sprintf("%d call records of %s", n, line), func() bool {
		list = nil
		decode(s.t, s.cli("cdr", "list", "--line", line, "--json"), &list)
		list = slices.DeleteFunc(list, func(r record) bool { return r.Refused || r.Line != line })
		return len(list) >= n
	})
	if len(list) != n {
		s.t.Fatalf("%d call records of %s, want %d: %+v", len(list), line, n, list)
	}
	return list
}

type purse struct {
	Owner, Period string
	Cap           int64 `json:"cap_micro"`
	Spent         int64 `json:"spent_micro"`
	Held          int64 `json:"held_micro"`
}

// day is the line's purse of today.
func (s *server) day(line string) purse {
	s.t.Helper()
	var detail struct{ Purses []purse }
	decode(s.t, s.cli("line", "show", line, "--json"), &detail)
	for _, p := range detail.Purses {
		if p.Owner == "line" && p.Period == "day" {
			return p
		}
	}
	s.t.Fatalf("no purse of the day: %+v", detail)
	return purse{}
}

// openCalls counts the line's calls in progress.
func (s *server) openCalls(line string) int {
	s.t.Helper()
	var list []struct{ ID string }
	decode(s.t, s.cli("calls", "list", "--line", line, "--json"), &list)
	return len(list)
}

// carrier runs a test carrier for the length of a test; ended gives each call once it is over.
func carrier(t *testing.T, o phone.CarrierOptions) (c *phone.Carrier, ended <-chan phone.CallSeen) {
	t.Helper()
	seen := make(chan phone.CallSeen, 100)
	o.OnCall = func(s phone.CallSeen) { seen <- s }
	if o.Script == nil {
		o.Script = phone.Script{}
	}
	c, err := phone.NewCarrier(o)
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c, seen
}

// next waits for the end of a call at the carrier.
func next(t *testing.T, ended <-chan phone.CallSeen) phone.CallSeen {
	t.Helper()
	select {
	case seen := <-ended:
		return seen
	case <-time.After(15 * time.Second):
		t.Fatal("the carrier never saw the end of the call")
	}
	return phone.CallSeen{}
}

// dial opens a test phone for a line.
func (s *server) dial(line, password string) *phone.Phone {
	s.t.Helper()
	p, err := phone.Dial(s.t.Context(), phone.Account{Server: s.sip.String(), Line: line, Password: password})
	must(s.t, err)
	s.t.Cleanup(func() { p.Close() })
	return p
}

// call places a call that must be answered.
func call(t *testing.T, p *phone.Phone, to string) *phone.Call {
	t.Helper()
	c, a, err := p.Invite(t.Context(), to, phone.Dialling{})
	must(t, err)
	if c == nil {
		t.Fatalf("call to %s refused: %v", to, a)
	}
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, text)
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(limit)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// elapse lets real time pass: how long a call lasts is what is tested.
func elapse(d time.Duration) { <-time.After(d) }

// freePort finds a loopback port that is free on UDP and TCP.
func freePort(t *testing.T) netip.AddrPort {
	t.Helper()
	at, err := process.FreePort()
	must(t, err)
	return at
}

// lastMedia is where the search for media ports goes on: below the ports that the kernel gives to sockets of their own
// choice, so that nobody takes one between this look and SIPp's.
var lastMedia atomic.Uint32

// mediaPort is an even port with three free ones after it: SIPp binds sound and picture, two each.
func mediaPort(t *testing.T, host string) uint16 {
	t.Helper()
	for range 1000 {
		port := uint16(20_000 + (lastMedia.Add(8)+uint32(os.Getpid())*64)%10_000&^1)
		if freeUDP(host, port, 4) {
			return port
		}
	}
	t.Fatal("no free media ports")
	return 0
}

func freeUDP(host string, port, n uint16) bool {
	for i := range n {
		u, err := net.ListenPacket("udp", net.JoinHostPort(host, strconv.Itoa(int(port+i))))
		if err != nil {
			return false
		}
		u.Close()
	}
	return true
}
