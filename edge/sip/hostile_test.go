package sip

import (
	"bytes"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"ringfence/core/policy"
	"ringfence/edge/sip/transport"
)

var policyFigures policy.Figures

func testLog(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(logTo{t}, &slog.HandlerOptions{Level: slog.LevelError}))
}

type logTo struct{ t testing.TB }

func (l logTo) Write(b []byte) (int, error) {
	l.t.Log(strings.ReplaceAll(string(b), `\n`, "\n"))
	return len(b), nil
}

// torture finds the RFC 4475 messages in sipgo's module.
func torture(t testing.TB) (all [][]byte) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/emiago/sipgo").Output()
	if err != nil {
		t.Skip("sipgo's module, which holds the RFC 4475 messages, is not there")
	}
	paths, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "sip", "testdata", "torture", "*", "*.dat"))
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	if len(all) == 0 {
		t.Skip("sipgo's module has no RFC 4475 messages")
	}
	return all
}

// variants are messages as they are, with a login, from a trunk's view, and inside a dialog that is up.
func variants(msg []byte, a *dialog) [][]byte {
	login := []byte("\r\n" + goodLogin + "\r\n")
	vs := [][]byte{msg, bytes.Replace(msg, []byte("\r\n"), login, 1)}
	if a != nil {
		_, tag, _ := strings.Cut(a.to, ";tag=")
		m := bytes.ReplaceAll(msg, []byte("Call-ID:"), []byte("Call-ID: "+a.callID+"\r\nX-Old:"))
		vs = append(vs, m, bytes.ReplaceAll(m, []byte("To:"), []byte("To: <sip:x@y>;tag="+tag+"\r\nX-To:")))
	}
	return vs
}

// The whole RFC 4475 set against a live edge, alone and aimed at a call that is up: no panic, and nothing stays.
func TestTorture(t *testing.T) {
	all := torture(t)
	inWorld(t, func(w *world) {
		a, _ := w.connect("c1")
		to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(edgeAt))
		for _, p := range []*peer{w.phone, w.carrier} {
			for _, msg := range all {
				for _, v := range variants(msg, a) {
					if _, err := p.sock.WriteTo(v, to); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		time.Sleep(time.Minute)
		for _, p := range []*peer{w.phone, w.carrier} {
			for len(p.sock.in) > 0 {
				<-p.sock.in
			}
		}
		if s := w.edge.Stats(); s.Panics != 0 || s.Malformed == 0 {
			t.Errorf("%+v", s)
		}
		w.gate.cut("call-1", policy.CutByStaff, policyFigures)
		time.Sleep(time.Hour)
	}, func(w *world) { w.opts.Log = testLog(t) })
}

// FuzzDispatch throws packets at a live edge with one call up.
func FuzzDispatch(f *testing.F) {
	if out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/emiago/sipgo").Output(); err == nil {
		paths, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "sip", "testdata", "torture", "*", "*.dat"))
		for _, p := range paths {
			b, _ := os.ReadFile(p)
			for _, v := range variants(b, nil) {
				f.Add(v)
			}
		}
	}
	w := outside(f)
	src := netip.MustParseAddrPort(phoneAt)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, from := range []netip.AddrPort{src, netip.MustParseAddrPort(carrierAt)} {
			p := &transport.Packet{Buf: bytes.Clone(b), Src: from}
			w.edge.handle(p)
		}
		s := w.edge.Stats()
		if s.Panics != 0 {
			t.Fatal("panic")
		}
		if s.Calls > int64(w.opts.MaxCalls)+int64(w.opts.MaxCalls)/10+2 {
			t.Fatalf("%d calls", s.Calls)
		}
	})
}

// outside is a world in real time, for fuzzing and measuring.
func outside(t testing.TB) *world {
	w := newWorld(t)
	w.opts = Options{Shards: 2, MaxCalls: 100, RingTimeout: time.Second, Log: testLog(t)}
	w.start()
	t.Cleanup(w.stop)
	return w
}

// A call that is up costs less than its share of memory, and a thousand calls that are over cost nothing.
func TestMemoryOfCalls(t *testing.T) {
	if testing.Short() {
		t.Skip("makes thousands of calls")
	}
	inWorld(t, func(w *world) {
		use := func() uint64 {
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		w.hangUp(first(w.connect("warm")))
		time.Sleep(5 * time.Minute)
		before := use()
		const n = 2000
		ends := make([]*dialog, n)
		for i := range n {
			ends[i], _ = w.connect("c" + itoa(i))
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(time.Minute) // transactions are over
		each := (use() - before) / n
		t.Logf("%d bytes a call, with this test's own", each)
		if each > 16<<10 {
			t.Errorf("%d bytes a call", each)
		}
		for _, a := range ends {
			w.hangUp(a)
			time.Sleep(10 * time.Millisecond)
		}
	}, func(w *world) { w.opts.PingInterval = time.Hour })
}

func first(a, _ *dialog) *dialog { return a }
