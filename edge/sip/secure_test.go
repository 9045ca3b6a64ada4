package sip

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/internal/certfile/certtest"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transport"
	"ringfence/flow/gate"
)

// wrapped is a connection as a phone uses it that speaks a protocol over it. It looks at no certificate: those are tested below the edge.
func wrapped(t testing.TB, proto transport.Proto, c net.Conn) net.Conn {
	t.Helper()
	switch proto {
	case transport.TLS:
		return tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	case transport.WSS:
		h := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return c, nil }, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
		ws, _, err := websocket.Dial(t.Context(), "wss://"+c.RemoteAddr().String(), &websocket.DialOptions{Subprotocols: []string{"sip"}, HTTPClient: &http.Client{Transport: h}})
		if err != nil {
			t.Fatal(err)
		}
		ws.SetReadLimit(1 << 17)
		return websocket.NetConn(context.Background(), ws, websocket.MessageText)
	}
	return c
}

// written is a log that a test reads.
type written struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (w *written) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(b)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// onSecure is a world that listens on TLS and WSS too. Its certificates are those of the authority.
func onSecure(t *testing.T, change func(w *world, d *fakes)) (w *world, a *certtest.Authority, log *written) {
	t.Helper()
	a, log = certtest.NewAuthority(t), &written{}
	cert, key := a.Sign(t, time.Hour, "us.test")
	s := new(transport.Security)
	if err := s.Use(transport.Files{Certs: []string{cert}, Keys: []string{key}, CA: a.File, ClientCA: a.File}); err != nil {
		t.Fatal(err)
	}
	w = onListeners(t, func(w *world, d *fakes) {
		w.opts.TLS, w.opts.WSS, w.opts.Security = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, s
		w.opts.TCP = nil
		w.opts.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		change(w, d)
	})
	return w, a, log
}

const (
	crypto    = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0LW9mLXRoZS1jYWxsLWJhc2U2NC10ZXh0|2^20\r\n"
	cryptoKey = "c2VjcmV0LW9mLXRoZS1jYWxs"
)

// Phones over TLS and in browsers register, are called and call. Every message names the listener and the protocol, and comes over the
// connection that the phone opened. Keys of media (RFC 4568) go to the other phone, and to no log and no trace.
func TestPhonesOverTLSAndWSS(t *testing.T) {
	for _, proto := range []transport.Proto{transport.TLS, transport.WSS} {
		t.Run(proto.String(), func(t *testing.T) {
			t.Parallel()
			w, _, log := onSecure(t, func(w *world, d *fakes) { w.gate.plan = toBob })
			here, over := w.edge.Addr(proto), map[transport.Proto]string{transport.TLS: "tls", transport.WSS: "ws"}[proto]
			var traced []string
			tracing, stop := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				_, _ = w.edge.Trace(tracing, TraceWhat{Users: []string{"alice", "bob"}, For: time.Minute, Most: 100}, func(m Traced) error {
					if m.Proto != proto.Small() {
						t.Errorf("a message of %s in the trace", m.Proto)
					}
					traced = append(traced, m.Text)
					return nil
				})
			}()
			until(t, "the trace", func() bool { return len(*w.edge.taps.Load()) == 1 })
			bob, alice := wireTo(t, proto, "127.0.0.1", here), wireTo(t, proto, "127.0.0.1", here)
			bob.register("bob", "reg", 1, "Contact: "+bob.contact())
			ok := bob.find("200 REGISTER")
			if v := ok.Via(); string(v.Transport) != proto.String() {
				t.Errorf("the Via of the answer is of %s", v.Transport)
			}
			if b := w.where.Lookup("bob", time.Now()); len(b) != 1 || b[0].Transport != proto.Small() || b[0].Flow == 0 || b[0].Received != bob.at {
				t.Errorf("registered %+v", b)
			}
			text := inviteText(alice, "call", "bob")
			alice.send(text + crypto)
			inv := bob.find("INVITE")
			names(t, "bob", inv, here, over)
			if v := inv.Via(); string(v.Transport) != proto.String() || !bytes.Contains(inv.Body(), []byte(cryptoKey)) {
				t.Errorf("%s\n%s", v.Transport, inv.Body())
			}
			bob.answer(inv, 200, sdpB+crypto)
			answered := alice.find("200 INVITE")
			names(t, "alice", answered, here, over)
			alice.inDialog("ACK", answered, 1)
			bob.find("ACK")
			bob.close() // and comes again, as after a change of network
			until(t, "the connection to be gone", func() bool { return w.edge.Transport().Conns == 1 })
			again := wireTo(t, proto, "127.0.0.1", here)
			again.register("bob", "reg", 2, "Contact: "+bob.contact())
			again.find("200 REGISTER")
			alice.inDialog("BYE", answered, 2)
			bye := again.find("BYE")
			again.answer(bye, 200, "")
			alice.find("200 BYE")
			stop()
			<-done
			if all := strings.Join(traced, "\n"); !strings.Contains(all, "a=crypto") || strings.Contains(all, cryptoKey) || len(traced) < 10 {
				t.Errorf("the trace of %d messages:\n%s", len(traced), all)
			}
			if strings.Contains(log.String(), cryptoKey) {
				t.Errorf("the log has the key:\n%s", log)
			}
			if st := w.edge.Transport().By[proto]; st.In < 6 || st.Out < 6 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// A phone that registered over TLS is not called in the clear, whatever its Contact says, and not at all when its connection is gone.
func TestATLSPhoneIsNotCalledInTheClear(t *testing.T) {
	t.Parallel()
	w, _, _ := onSecure(t, func(w *world, d *fakes) { w.gate.plan = toBob })
	port := wireTo(t, transport.UDP, "127.0.0.1", w.listener(transport.UDP, "127.0.0.1"))
	bob := wireTo(t, transport.TLS, "127.0.0.1", w.edge.Addr(transport.TLS))
	bob.register("bob", "reg", 1, "Contact: <sip:bob@"+port.at.String()+">")
	bob.find("200 REGISTER")
	bob.close()
	until(t, "the connection to be gone", func() bool { return w.edge.Transport().Conns == 0 })
	alice := wireTo(t, transport.UDP, "127.0.0.1", w.listener(transport.UDP, "127.0.0.1"))
	alice.invite("call", "bob")
	if m := alice.findAny("503 INVITE", "480 INVITE", "500 INVITE"); m == nil {
		t.Error("the call did not fail")
	}
	_ = port.pc.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	if n, _, err := port.pc.ReadFrom(make([]byte, 2000)); err == nil {
		t.Errorf("%d bytes came in the clear", n)
	}
}

// findAny is the next message with one of these names.
func (p *wired) findAny(names ...string) *message.Message {
	p.t.Helper()
	for range 20 {
		m := p.next()
		for _, name := range names {
			if what(m) == name {
				return m
			}
		}
	}
	return nil
}

// A phone with several flows rings once, on the one that it used last; when that has failed, or says so, on the next (RFC 5626).
func TestFlowsOfOnePhone(t *testing.T) {
	t.Parallel()
	w, _, _ := onSecure(t, func(w *world, d *fakes) { w.gate.plan = toBob })
	here := w.edge.Addr(transport.TLS)
	var flows [3]*wired
	for i := range flows {
		flows[i] = wireTo(t, transport.TLS, "127.0.0.1", here)
		flows[i].register("bob", fmt.Sprint("reg", i), 1, "Supported: outbound, path",
			fmt.Sprintf(`Contact: %s;+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>";reg-id=%d`, flows[i].contact(), i+1))
		ok := flows[i].find("200 REGISTER")
		if !ok.HasToken(message.HRequire, "outbound") || !bytes.Contains(ok.Bytes(), []byte("Flow-Timer: 120\r\n")) {
			t.Errorf("no outbound in\n%s", ok.Bytes())
		}
		if want := fmt.Sprintf(`;+sip.instance="<urn:uuid:00000000-0000-1000-8000-aabbccddeeff>";reg-id=%d;expires=`, i+1); !bytes.Contains(ok.Bytes(), []byte(want)) {
			t.Errorf("no %s in\n%s", want, ok.Bytes())
		}
	}
	flows[2].close()
	until(t, "the connection to be gone", func() bool { return w.edge.Transport().Conns == 2 })
	alice := wireTo(t, transport.TLS, "127.0.0.1", here)
	alice.invite("call", "bob")
	inv := flows[1].find("INVITE")
	flows[1].answer(inv, 430, "")
	inv = flows[0].find("INVITE")
	flows[0].answer(inv, 200, sdpB)
	ok := alice.find("200 INVITE")
	alice.inDialog("ACK", ok, 1)
	flows[0].find("ACK")
	alice.inDialog("BYE", ok, 2)
	bye := flows[0].find("BYE")
	flows[0].answer(bye, 200, "")
	alice.find("200 BYE")
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	if len(w.gate.tried) != 3 {
		t.Errorf("tried %v", w.gate.tried)
	}
}

// Behind a proxy that knows no flows the connection is the proxy's, and the phone is told (RFC 5626 section 6).
func TestOutboundBehindAProxy(t *testing.T) {
	inWorld(t, func(w *world) {
		contact := fmt.Sprintf(`Contact: <sip:bob@%s>;+sip.instance="<urn:uuid:1>";reg-id=1`, phoneAt)
		w.phone.register("bob", "reg", 1, "Via: SIP/2.0/UDP 10.0.7.7;branch=z9hG4bKother", "Supported: outbound", contact)
		w.phone.expect("439 REGISTER")
		w.phone.register("bob", "reg", 2, "Via: SIP/2.0/UDP 10.0.7.7;branch=z9hG4bKother", contact)
		if ok := w.phone.expect("200 REGISTER"); ok.HasToken(message.HRequire, "outbound") {
			t.Error("outbound, although it was not asked for")
		}
		w.phone.register("bob", "reg", 3, "Supported: outbound", contact)
		if ok := w.phone.expect("200 REGISTER"); !ok.HasToken(message.HRequire, "outbound") || bytes.Contains(ok.Bytes(), []byte("Flow-Timer")) {
			t.Errorf("%s", ok.Bytes())
		}
	})
}

// tlsCarrier is a carrier that listens on TLS with a certificate for a name.
func tlsCarrier(t *testing.T, a *certtest.Authority, ends time.Duration, name string) *wired {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(a.Sign(t, ends, name))
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	c := &lateConn{came: make(chan net.Conn, 10)}
	go func() {
		for one, err := l.Accept(); err == nil; one, err = l.Accept() {
			if one.(*tls.Conn).Handshake() == nil {
				c.came <- one
			}
		}
	}()
	t.Cleanup(func() { _ = l.Close(); _ = c.Close() })
	return &wired{t: t, proto: transport.TLS, at: l.Addr().(*net.TCPAddr).AddrPort(), c: c}
}

// A carrier whose certificate is expired or of another name gets no call: the next one gets it, and the log says why.
func TestTrunksOverTLS(t *testing.T) {
	t.Parallel()
	trunks := map[string]account.Trunk{}
	var mu sync.Mutex
	w, a, log := onSecure(t, func(w *world, d *fakes) {
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return out("expired", "wrong", "good"), nil }
		d.trunk = func(name string) (account.Trunk, bool) {
			mu.Lock()
			defer mu.Unlock()
			t, ok := trunks[name]
			return t, ok
		}
		d.trunkAt = func(_ netip.AddrPort, host string) (string, bool) { return "good", host == "carrier.test:5061" }
	})
	good := tlsCarrier(t, a, time.Hour, "127.0.0.1")
	for name, c := range map[string]*wired{"expired": tlsCarrier(t, a, -time.Hour, "127.0.0.1"), "wrong": tlsCarrier(t, a, time.Hour, "other.test"), "good": good} {
		mu.Lock()
		trunks[name] = account.Trunk{Name: name, Transport: "tls", Addresses: []string{c.at.String()}}
		mu.Unlock()
	}
	alice := wireTo(t, transport.UDP, "127.0.0.1", w.listener(transport.UDP, "127.0.0.1"))
	alice.invite("call", "02079460000")
	inv := good.find("INVITE")
	names(t, "the carrier", inv, w.edge.Addr(transport.TLS), "tls")
	if uri := string(inv.RequestURI()); uri != "sip:+442079460000@"+good.at.String()+";transport=tls" {
		t.Errorf("the Request-URI is %s", uri)
	}
	good.answer(inv, 200, sdpB)
	ok := alice.find("200 INVITE")
	alice.inDialog("ACK", ok, 1)
	good.find("ACK")
	good.hangUp(inv)
	bye := alice.find("BYE")
	alice.answer(bye, 200, "")
	good.find("200 BYE")
	for _, want := range []string{"the certificate for 127.0.0.1 expired on", "the certificate is for other.test, not for 127.0.0.1"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in the log:\n%s", want, log)
		}
	}
}

// A carrier is known by its certificate, wherever its connection comes from; without it, the same INVITE is a stranger's.
func TestACarrierProvesItselfByCertificate(t *testing.T) {
	t.Parallel()
	var disabled atomic.Bool
	w, a, _ := onSecure(t, func(w *world, d *fakes) {
		w.gate.plan = toBob
		d.trunk = func(name string) (account.Trunk, bool) {
			return account.Trunk{Name: name, Transport: "tls", Addresses: []string{"carrier.test:5061"}, Disabled: disabled.Load()}, name == "good"
		}
		d.trunkAt = func(_ netip.AddrPort, host string) (string, bool) { return "good", host == "carrier.test:5061" }
	})
	here := w.edge.Addr(transport.TLS)
	bob := wireTo(t, transport.TLS, "127.0.0.1", here)
	bob.register("bob", "reg", 1, "Contact: "+bob.contact())
	bob.find("200 REGISTER")
	stranger := wireTo(t, transport.TLS, "127.0.0.1", here)
	stranger.send(strings.Replace(inviteText(stranger, "c1", "bob"), goodLogin+"\n", "", 1))
	stranger.find("407 INVITE")
	pair, err := tls.LoadX509KeyPair(a.Sign(t, time.Hour, "carrier.test"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.Dial("tcp", here.String(), &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	carrier := &wired{t: t, proto: transport.TLS, c: c, at: c.LocalAddr().(*net.TCPAddr).AddrPort(), to: here}
	t.Cleanup(carrier.close)
	carrier.send(strings.Replace(inviteText(carrier, "c2", "bob"), goodLogin+"\n", "", 1))
	bob.answer(bob.find("INVITE"), 200, sdpB)
	ok := carrier.find("200 INVITE")
	carrier.inDialog("ACK", ok, 1)
	bob.find("ACK")
	w.gate.mu.Lock()
	if got := w.gate.attempts[0]; got.Trunk != "good" || got.Line != "" {
		t.Errorf("admitted as %+v", got)
	}
	w.gate.mu.Unlock()
	carrier.inDialog("BYE", ok, 2)
	bob.answer(bob.find("BYE"), 200, "")
	carrier.find("200 BYE")
	disabled.Store(true) // on the connection that it has
	carrier.send(strings.Replace(inviteText(carrier, "c3", "bob"), goodLogin+"\n", "", 1))
	carrier.find("407 INVITE")
}

// After a restart the carrier's leg is ended over a new connection, to the name that it had before, and the phone's over the one on which it
// has registered again. Who uses sips: is answered in it.
func TestTLSLegsAfterARestart(t *testing.T) {
	t.Parallel()
	var carrierAt netip.AddrPort
	w, a, _ := onSecure(t, func(w *world, d *fakes) {
		d.trunk = func(name string) (account.Trunk, bool) {
			return account.Trunk{Name: name, Transport: "tls", Addresses: []string{carrierAt.String()}}, true
		}
	})
	carrier := tlsCarrier(t, a, time.Hour, "127.0.0.1")
	carrierAt = carrier.at
	alice := wireTo(t, transport.TLS, "127.0.0.1", w.edge.Addr(transport.TLS))
	sips := "<sips:me@" + alice.at.String() + ">"
	alice.send(strings.Replace(inviteText(alice, "c1", "02079460000"), alice.contact(), sips, 1))
	carrier.answer(carrier.find("INVITE"), 200, sdpB)
	ok := alice.find("200 INVITE")
	if want := "Contact: <sips:" + w.edge.Addr(transport.TLS).String() + ">"; !bytes.Contains(ok.Bytes(), []byte(want)) {
		t.Errorf("no %s in\n%s", want, ok.Bytes())
	}
	alice.inDialog("ACK", ok, 1)
	carrier.find("ACK")
	for _, s := range w.edge.shards {
		s.close()
	}
	w.edge.net.Stop()
	w.edge.cancel()
	w.gate.mu.Lock()
	before := []gate.Recovered{{ID: "call-1", State: call.Answered, Snapshot: w.gate.answered["call-1"], Begun: time.Now(), ALeg: "c1"}}
	w.gate.mu.Unlock()
	var err error
	if w.edge, err = w.fakes.edge(w.opts); err != nil {
		t.Fatal(err)
	}
	if err := w.edge.Start(before); err != nil {
		t.Fatal(err)
	}
	again := wireTo(t, transport.TLS, "127.0.0.1", w.edge.Addr(transport.TLS))
	again.register("alice", "reg", 1, "Contact: "+sips)
	again.find("200 REGISTER")
	anew := &wired{t: t, proto: transport.TLS, at: carrier.at, c: &lateConn{came: carrier.c.(*lateConn).came}}
	w.gate.cut("call-1", policy.LineDaySpent, policy.Figures{})
	again.answer(again.find("BYE"), 200, "")
	anew.answer(anew.find("BYE"), 200, "")
}

// A call to sips: goes over TLS alone: past carriers, phones and forwards in the clear, or nowhere. Help goes over whatever there is.
func TestSIPSIsNotSentInTheClear(t *testing.T) {
	sips := func(w *world, callID string) {
		const target = "sips:02079460000@10.0.0.1"
		d := &dialog{p: w.phone, callID: callID, from: "<sips:alice@10.0.0.1>;tag=a" + callID, to: "<" + target + ">", target: target, seq: 1, inviteSeq: 1, branch: "z9hG4bK" + callID}
		d.sendInvite()
	}
	inWorld(t, func(w *world) {
		bob := w.bob()
		help := out("one")
		help.Always = true
		forward := &gate.Plan{Number: "+442079460101", Called: "bob", Forward: account.Forwards{Always: "07700900123"}, Now: call.ForwardAlways}
		for name, plan := range map[string]*gate.Plan{"carrier": out("one", "two"), "phone": {Number: "+442079460101", Called: "bob", Routes: []gate.Route{{Line: "bob"}}}, "forward": forward} {
			w.gate.plan = func(a gate.Attempt) (*gate.Plan, error) {
				if a.Cause != "" {
					return out("two"), nil
				}
				p := *plan
				return &p, nil
			}
			sips(w, name)
			m := w.phone.find("480 INVITE")
			if got := why(m); name != "forward" && !strings.Contains(got, "not-secure") {
				t.Errorf("%s: %q", name, got)
			}
			w.phone.send(ackOf(m))
			for _, p := range []*peer{w.carrier, w.spare, bob} {
				p.quiet(time.Minute)
			}
		}
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return help, nil }
		sips(w, "help")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 486, "h", "")
		w.carrier.expect("ACK")
		w.phone.send(ackOf(w.phone.find("486 INVITE")))
	})
}

// A carrier over TLS is sent a call to sips: as that, and the one before it over UDP is passed over.
func TestSIPSOverATrunk(t *testing.T) {
	t.Parallel()
	trunks := map[string]account.Trunk{}
	var mu sync.Mutex
	w, a, _ := onSecure(t, func(w *world, d *fakes) {
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return out("open", "good"), nil }
		d.trunk = func(name string) (account.Trunk, bool) {
			mu.Lock()
			defer mu.Unlock()
			t, ok := trunks[name]
			return t, ok
		}
	})
	good, open := tlsCarrier(t, a, time.Hour, "127.0.0.1"), wireTo(t, transport.UDP, "127.0.0.1", w.listener(transport.UDP, "127.0.0.1"))
	mu.Lock()
	trunks["good"] = account.Trunk{Name: "good", Transport: "tls", Addresses: []string{good.at.String()}}
	trunks["open"] = account.Trunk{Name: "open", Transport: "udp", Addresses: []string{open.at.String()}}
	mu.Unlock()
	alice := wireTo(t, transport.TLS, "127.0.0.1", w.edge.Addr(transport.TLS))
	text := inviteText(alice, "call", "02079460000")
	alice.send("INVITE sips:" + strings.TrimPrefix(text, "INVITE sip:"))
	inv := good.find("INVITE")
	if uri := string(inv.RequestURI()); uri != "sips:+442079460000@"+good.at.String()+";transport=tls" {
		t.Errorf("the Request-URI is %s", uri)
	}
	good.answer(inv, 200, sdpB)
	ok := alice.find("200 INVITE")
	alice.inDialog("ACK", ok, 1)
	good.find("ACK")
	alice.inDialog("BYE", ok, 2)
	bye := good.find("BYE")
	good.answer(bye, 200, "")
	alice.find("200 BYE")
	if n := w.edge.Transport().By[transport.UDP].Out; n != 0 {
		t.Errorf("%d messages went out over UDP", n)
	}
}
