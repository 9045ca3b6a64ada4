package sip

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/secret"
	"ringfence/edge/sip/transport"
	"ringfence/flow/auth"
	"ringfence/flow/gate"
	"ringfence/flow/guard"
	"ringfence/flow/location"
)

// tap is a PacketConn that nothing is read from: what the edge sends comes out of sent, in order.
type tap struct {
	sent chan []byte
	idle chan []byte
	done chan struct{}
}

func newTap() *tap {
	return &tap{sent: make(chan []byte, 1024), idle: make(chan []byte, 1024), done: make(chan struct{})}
}

func (c *tap) ReadFrom([]byte) (int, net.Addr, error) { <-c.done; return 0, nil, net.ErrClosed }

func (c *tap) WriteTo(b []byte, _ net.Addr) (int, error) {
	var room []byte
	select {
	case room = <-c.idle:
	default:
	}
	select {
	case c.sent <- append(room[:0], b...):
	case <-c.done:
	}
	return len(b), nil
}

func (c *tap) Close() error                     { close(c.done); return nil }
func (c *tap) LocalAddr() net.Addr              { return net.UDPAddrFromAddrPort(netip.MustParseAddrPort(edgeAt)) }
func (c *tap) SetDeadline(time.Time) error      { return nil }
func (c *tap) SetReadDeadline(time.Time) error  { return nil }
func (c *tap) SetWriteDeadline(time.Time) error { return nil }

// bench drives an edge with packets of a phone and a carrier, written with as little effort as can be: what is measured
// is the edge with real logins and bindings, a gate that lets all out, and no kernel.
type bench struct {
	b     testing.TB
	e     *Edge
	tap   *tap
	ring  [1024]transport.Packet // the edge keeps one while it is busy
	room  []byte
	ha1   string
	ha2   map[string]string
	nonce []byte
	n     int // calls so far
	turn  int
	ids   atomic.Int64
	ended atomic.Int64
}

var benchPhone, benchCarrier = netip.MustParseAddrPort(phoneAt), netip.MustParseAddrPort(carrierAt)

func newBench(b testing.TB) *bench {
	x := &bench{b: b, tap: newTap(), ha2: map[string]string{}}
	h := secret.NewHA1("alice", "r", secret.NewPassword("correct horse"))
	a, err := guard.New(guard.Options{Options: auth.Options{Realm: "r"}, Line: func(user []byte, _ time.Time) (guard.Line, bool) {
		return guard.Line{ID: "alice", HA1: &h}, string(user) == "alice"
	}})
	if err != nil {
		b.Fatal(err)
	}
	x.ha1 = md5Hex("alice:r:correct horse")
	where := location.New(location.Options{})
	trunk := account.Trunk{Name: "one", Addresses: []string{carrierAt}}
	routes := []gate.Route{{Trunk: "one", User: "+442079460000"}}
	x.e, err = (&fakes{
		check: a.Check, challenge: a.AppendChallenge, register: where.Update, lookup: where.Lookup,
		trunk:         func(string) (account.Trunk, bool) { return trunk, true },
		trunkPassword: func(string) (string, bool) { return "", false },
		trunkOf:       func(src netip.AddrPort) (string, bool) { return "one", src == benchCarrier },
		admit: func(context.Context, gate.Attempt) (*gate.Plan, error) {
			return &gate.Plan{ID: call.ID(strconv.FormatInt(x.ids.Add(1), 10)), Routes: routes, Present: "442079460001"}, nil
		},
		answered: func(context.Context, call.ID, gate.Route, []byte) error { return nil },
		ringing:  func(call.ID) {}, trying: func(call.ID, gate.Route, string) {}, snapshot: func(call.ID, []byte) {},
		ended: func(call.ID, gate.End) { x.ended.Add(1) }, over: func(call.ID, []gate.Leg) {},
	}).edge(Options{PacketConn: x.tap, Realm: "r", Shards: 4})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = x.e.Stop(context.Background()) })
	return x
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// from hands the packet in x.room to the edge.
func (x *bench) from(src netip.AddrPort) {
	p := &x.ring[x.turn]
	x.turn = (x.turn + 1) % len(x.ring)
	buf := append(p.Buf[:0], x.room...)
	p.Buf, p.Src, p.Proto = buf, src, transport.UDP
	x.e.handle(p)
}

// next is what the edge sent next; it must begin with what is wanted. Give it back with done.
func (x *bench) next(want string) []byte {
	m := <-x.tap.sent
	if !bytes.HasPrefix(m, []byte(want)) {
		x.b.Fatalf("want %s, got\n%s", want, m)
	}
	return m
}

func (x *bench) done(m []byte) {
	select {
	case x.tap.idle <- m:
	default:
	}
}

// header is the first header line of that name, with its line end.
func header(m []byte, name string) []byte {
	i := bytes.Index(m, []byte("\n"+name+": ")) + 1
	return m[i : i+bytes.IndexByte(m[i:], '\n')+1]
}

func (x *bench) add(parts ...string) {
	for _, p := range parts {
		x.room = append(x.room, p...)
	}
}

// request begins a request of the phone in x.room; to is the To line, "" for the first.
func (x *bench) request(method, uri, to string, seq int) {
	id := strconv.Itoa(x.n)
	x.room = x.room[:0]
	x.add(method, " ", uri, " SIP/2.0\r\nVia: SIP/2.0/UDP "+phoneAt+";rport;branch=z9hG4bK", method, id, "-", strconv.Itoa(seq),
		"\r\nMax-Forwards: 70\r\nFrom: \"Al\" <sip:alice@10.0.0.1>;tag=a", id, "\r\n")
	switch {
	case to != "":
		x.add(to)
	case method == "REGISTER":
		x.add("To: <sip:alice@10.0.0.1>\r\n")
	default:
		x.add("To: <", uri, ">\r\n")
	}
	x.add("Call-ID: ", id, "@10.0.1.1\r\nCSeq: ", strconv.Itoa(seq), " ", method, "\r\nContact: <sip:alice@"+phoneAt+
		">\r\nAllow: INVITE, ACK, CANCEL, BYE, UPDATE, INFO\r\nSupported: replaces, timer\r\nUser-Agent: Desk Phone 1.0\r\n")
}

// login adds credentials for the challenge in m.
func (x *bench) login(m []byte, method, uri string) {
	i := bytes.Index(m, []byte(`nonce="`)) + len(`nonce="`)
	x.nonce = append(x.nonce[:0], m[i:i+bytes.IndexByte(m[i:], '"')]...)
	if x.ha2[method] == "" {
		x.ha2[method] = md5Hex(method + ":" + uri)
	}
	name := "Proxy-Authorization"
	if method == "REGISTER" {
		name = "Authorization"
	}
	x.add(name, `: Digest username="alice", realm="r", nonce="`, string(x.nonce), `", uri="`, uri, `", response="`,
		md5Hex(x.ha1+":"+string(x.nonce)+":00000001:abc:auth:"+x.ha2[method]), `", algorithm=MD5, cnonce="abc", nc=00000001, qop=auth`, "\r\n")
}

func (x *bench) end(body string) {
	if body != "" {
		x.add("Content-Type: application/sdp\r\n")
	}
	x.add("Content-Length: ", strconv.Itoa(len(body)), "\r\n\r\n", body)
}

// answer is the carrier's answer to a request of ours.
func (x *bench) answer(m []byte, status, body string) {
	x.room = append(append(x.room[:0], "SIP/2.0 "...), status...)
	x.add("\r\n")
	x.room = append(x.room, header(m, "Via")...)
	x.room = append(x.room, header(m, "From")...)
	to := header(m, "To")
	x.room = append(x.room, to[:len(to)-2]...)
	if !bytes.Contains(to, []byte(";tag=")) {
		x.add(";tag=b")
	}
	x.add("\r\n")
	x.room = append(x.room, header(m, "Call-ID")...)
	x.room = append(x.room, header(m, "CSeq")...)
	x.add("Contact: <sip:" + carrierAt + ">\r\nAllow: INVITE, ACK, CANCEL, BYE\r\nServer: Carrier\r\n")
	x.end(body)
}

const benchURI = "sip:02079460000@10.0.0.1"

// call makes one whole call with a login: 407, 100, 180, 200, ACK, BYE on both legs. Ten packets come in.
func (x *bench) call() {
	x.n++
	x.down(x.n, x.up())
}

// up makes call number x.n as far as the ACK and returns its To line.
func (x *bench) up() string {
	x.request("INVITE", benchURI, "", 1)
	x.end(sdp)
	x.from(benchPhone)
	m := x.next("SIP/2.0 407")
	x.request("ACK", benchURI, string(header(m, "To")), 1)
	x.end("")
	x.from(benchPhone)
	x.request("INVITE", benchURI, "", 2)
	x.login(m, "INVITE", benchURI)
	x.end(sdp)
	x.done(m)
	x.from(benchPhone)
	inv := x.next("INVITE")
	x.answer(inv, "100 Trying", "")
	x.from(benchCarrier)
	x.answer(inv, "180 Ringing", "")
	x.from(benchCarrier)
	x.done(x.next("SIP/2.0 180"))
	x.answer(inv, "200 OK", sdpB)
	x.from(benchCarrier)
	x.done(inv)
	x.done(x.next("ACK"))
	ok := x.next("SIP/2.0 200")
	to := string(header(ok, "To"))
	x.done(ok)
	x.request("ACK", "sip:"+edgeAt, to, 2)
	x.end("")
	x.from(benchPhone)
	return to
}

// down hangs call number n up.
func (x *bench) down(n int, to string) {
	x.n = n
	x.request("BYE", "sip:"+edgeAt, to, 3)
	x.end("")
	x.from(benchPhone)
	x.done(x.next("SIP/2.0 200"))
	bye := x.next("BYE")
	x.answer(bye, "200 OK", "")
	x.done(bye)
	x.from(benchCarrier)
}

func BenchmarkCall(b *testing.B) {
	x := newBench(b)
	b.ReportAllocs()
	for b.Loop() {
		x.call()
	}
	if n := x.ended.Load(); n != int64(x.n) || x.e.Stats().Panics != 0 {
		b.Fatalf("%d ends of %d calls, %+v", n, x.n, x.e.Stats())
	}
}

// BenchmarkRegister is a registration as phones make it: without a login, 401, with one, 200.
func BenchmarkRegister(b *testing.B) {
	x := newBench(b)
	b.ReportAllocs()
	for b.Loop() {
		x.n++
		x.request("REGISTER", "sip:10.0.0.1", "", 1)
		x.end("")
		x.from(benchPhone)
		m := x.next("SIP/2.0 401")
		x.request("REGISTER", "sip:10.0.0.1", "", 2)
		x.login(m, "REGISTER", "sip:10.0.0.1")
		x.end("")
		x.done(m)
		x.from(benchPhone)
		x.done(x.next("SIP/2.0 200"))
	}
}

// BenchmarkStranger is a request without a login, answered with a challenge and forgotten.
func BenchmarkStranger(b *testing.B) {
	x := newBench(b)
	x.n = 1
	x.request("INVITE", benchURI, "", 1)
	x.end(sdp)
	b.ReportAllocs()
	for b.Loop() {
		x.from(benchPhone)
		x.done(x.next("SIP/2.0 407"))
	}
}

// Ten thousand calls that are up hold no more than 16 KiB each, and nothing once they are over.
func TestTenThousandCalls(t *testing.T) {
	if testing.Short() {
		t.Skip("makes ten thousand calls")
	}
	synctest.Test(t, func(t *testing.T) {
		x := newBench(t)
		heap := func() int64 {
			time.Sleep(time.Minute) // all transactions are over
			var m runtime.MemStats
			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		const n = 10_000
		tos := make([]string, n)
		x.n = n + 1
		x.down(x.n, x.up()) // warm
		before, goroutines := heap(), runtime.NumGoroutine()
		for i := range tos {
			x.n = i
			tos[i] = x.up()
		}
		each := (heap() - before) / n
		t.Logf("%d bytes a call", each)
		if each > 16<<10 {
			t.Errorf("%d bytes a call", each)
		}
		for i, to := range tos {
			x.down(i, to)
		}
		left, more := heap()-before, runtime.NumGoroutine()-goroutines
		t.Logf("%d bytes and %d goroutines stay after %d calls", left, more, n)
		if s := x.e.Stats(); left > 4<<20 || more > maxSpare || x.ended.Load() != n+1 || s.Panics != 0 || s.Kept != 0 || s.Calls != 0 {
			t.Errorf("%d bytes and %d goroutines stay; %d ends; %+v", left, more, x.ended.Load(), s)
		}
	})
}
