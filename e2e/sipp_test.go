//go:build e2e

package e2e

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringfence/e2e/process"
)

// sipp is one run of a scenario of scenarios/.
type sipp struct {
	scenario  string
	with      map[string]string // %NAME% in the file
	server    netip.AddrPort    // zero: it waits for calls
	from      string            // its address; "" is 127.0.0.1
	port      uint16            // 0 is a free one
	transport string            // "tcp"; "" is UDP
	line      string
	password  string
	to        string
	media     string // a further line of each SDP
	// Of a scenario that calls a number of a list in each call: all of them, so long after each other; it ends after limit. No list is one call.
	numbers []string
	every   time.Duration
	limit   time.Duration
}

// running is a SIPp that has been started.
type running struct {
	t        *testing.T
	cmd      *exec.Cmd
	scenario string
	dir      string
	at       netip.AddrPort
	ended    chan error
	cancel   context.CancelFunc
}

// begin starts the scenario; it ends by itself after its calls, or after 40 seconds if no limit is given.
func (s sipp) begin(t *testing.T) *running {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile(filepath.Join("scenarios", s.scenario))
	must(t, err)
	for name, value := range s.with {
		text = []byte(strings.ReplaceAll(string(text), "%"+name+"%", value))
	}
	if last := "a=rtpmap:0 PCMU/8000\n"; s.media != "" {
		text = []byte(strings.ReplaceAll(string(text), last, last+"      "+s.media+"\n"))
	}
	file := filepath.Join(dir, s.scenario)
	must(t, os.WriteFile(file, text, 0o600))
	if s.from == "" {
		s.from = "127.0.0.1"
	}
	if s.port == 0 {
		s.port = freePort(t).Port()
	}
	at := netip.AddrPortFrom(netip.MustParseAddr(s.from), s.port)
	s.limit = max(s.limit, 40*time.Second)
	args := []string{
		"-sf", file, "-i", s.from, "-p", itoa(at.Port()), "-mp", itoa(mediaPort(t, s.from)), "-m", strconv.Itoa(max(len(s.numbers), 1)), "-nostdin",
		"-timeout", strconv.Itoa(int(s.limit.Seconds())), "-timeout_error", "-trace_err", "-error_file", filepath.Join(dir, "errors"),
		"-trace_logs", "-log_file", filepath.Join(dir, "log"), "-trace_msg", "-message_file", filepath.Join(dir, "messages"),
	}
	if len(s.numbers) > 0 {
		list := filepath.Join(dir, "numbers.csv")
		must(t, os.WriteFile(list, []byte("SEQUENTIAL\n"+strings.Join(s.numbers, ";\n")+";\n"), 0o600))
		args = append(args, "-inf", list, "-l", strconv.Itoa(len(s.numbers)), "-r", "1", "-rp", strconv.Itoa(int(s.every.Milliseconds())))
	}
	if s.transport == "tcp" {
		args = append(args, "-t", "t1")
	}
	if s.line != "" {
		args = append(args, "-au", s.line, "-ap", s.password, "-key", "line", s.line, "-key", "to", s.to)
	}
	if s.server.IsValid() {
		args = append([]string{s.server.String()}, args...)
	}
	ctx, cancel := context.WithTimeout(t.Context(), s.limit+20*time.Second)
	r := &running{t: t, scenario: s.scenario, dir: dir, at: at, ended: make(chan error, 1), cancel: cancel}
	r.cmd = exec.CommandContext(ctx, "sipp", args...)
	r.cmd.Dir = dir
	r.cmd.Env = append(os.Environ(), "TERM=dumb")
	must(t, process.Launch(r.cmd))
	go func() { r.ended <- r.cmd.Wait() }()
	t.Cleanup(func() {
		cancel()
		r.tell()
	})
	return r
}

func itoa(port uint16) string {
	return netip.AddrPortFrom(netip.IPv4Unspecified(), port).String()[len("0.0.0.0:"):]
}

// tell shows what SIPp said and saw when the test has failed.
func (r *running) tell() {
	if !r.t.Failed() {
		return
	}
	for _, name := range []string{"errors", "log", "messages"} {
		text, _ := os.ReadFile(filepath.Join(r.dir, name))
		r.t.Logf("%s at %s, its %s:\n%s", r.scenario, r.at, name, text)
	}
}

// listening waits until the scenario has its port.
func (r *running) listening() *running {
	r.t.Helper()
	eventually(r.t, 10*time.Second, "SIPp has its port", func() bool {
		select {
		case err := <-r.ended:
			errs, _ := os.ReadFile(filepath.Join(r.dir, "errors"))
			r.t.Fatalf("SIPp ended before it listened at %s: %v\n%s", r.at, err, errs)
		default:
		}
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(r.at))
		if err == nil {
			c.Close()
			return false
		}
		return errors.Is(err, syscall.EADDRINUSE)
	})
	return r
}

// done waits for the scenario to succeed and gives its log.
func (r *running) done() string {
	r.t.Helper()
	err := <-r.ended
	r.cancel()
	log, _ := os.ReadFile(filepath.Join(r.dir, "log"))
	if err != nil {
		errs, _ := os.ReadFile(filepath.Join(r.dir, "errors"))
		messages, _ := os.ReadFile(filepath.Join(r.dir, "messages"))
		r.t.Fatalf("SIPp: %v\n%s\n%s", err, errs, messages)
	}
	return string(log)
}

// run is a scenario from its start to its success.
func (s sipp) run(t *testing.T) string {
	t.Helper()
	return s.begin(t).done()
}

// contains fails unless text has every part.
func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is not in:\n%s", p, text)
		}
	}
}
