package sip

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/edge/sip/message"
	"ringfence/edge/sip/transport"
	"ringfence/flow/gate"
)

// toBob lets every call go to bob's phones.
func toBob(gate.Attempt) (*gate.Plan, error) {
	return &gate.Plan{Present: "442079460001", Routes: []gate.Route{{Line: "bob"}}}, nil
}

// listening is a phone's own TCP port, and its connection to the edge.
type listening struct {
	*wired
	port *wired // what comes to the port
	at   netip.AddrPort
}

func phoneThatListens(t testing.TB, to netip.AddrPort) *listening {
	t.Helper()
	port := carrierAtIP(t, transport.TCP, "127.0.0.1")
	return &listening{wireTo(t, transport.TCP, "127.0.0.1", to), port, port.at}
}

func (p *listening) uri() string { return "<sip:bob@" + p.at.String() + ";transport=tcp>" }

// A phone whose connection is gone is reached where it says that it listens: a BYE went into the void, and a call to it failed
// (drachtio-server#384).
func TestATCPPhoneWhoseConnectionIsGone(t *testing.T) {
	t.Parallel()
	t.Run("is called", func(t *testing.T) {
		w := onListeners(t, func(w *world, d *fakes) { w.gate.plan = toBob })
		here := w.listener(transport.TCP, "127.0.0.1")
		bob := phoneThatListens(t, here)
		bob.register("bob", "reg", 1, "Contact: "+bob.uri())
		bob.find("200 REGISTER")
		bob.close()
		until(t, "the connection to be gone", func() bool { return w.edge.Transport().Conns == 0 })
		alice := wireTo(t, transport.UDP, "127.0.0.1", w.listener(transport.UDP, "127.0.0.1"))
		alice.invite("call", "bob")
		inv := bob.port.find("INVITE")
		names(t, "bob", inv, here, "tcp")
		bob.port.answer(inv, 486, "")
		alice.find("486 INVITE")
	})
	t.Run("is hung up", func(t *testing.T) {
		carrier := carrierAtIP(t, transport.UDP, "127.0.0.1")
		w := onListeners(t, func(w *world, d *fakes) {
			d.trunk = func(string) (account.Trunk, bool) {
				return account.Trunk{Name: "one", Addresses: []string{carrier.at.String()}}, true
			}
			d.trunkOf = func(src netip.AddrPort) (string, bool) { return "one", src == carrier.at }
		})
		carrier.to = w.listener(transport.UDP, "127.0.0.1")
		bob := phoneThatListens(t, w.listener(transport.TCP, "127.0.0.1"))
		bob.send(strings.Replace(inviteText(bob.wired, "call", "02079460000"), bob.contact(), bob.uri(), 1))
		inv := carrier.find("INVITE")
		carrier.answer(inv, 200, sdpB)
		ok := bob.find("200 INVITE")
		bob.inDialog("ACK", ok, 1)
		carrier.find("ACK")
		bob.close()
		until(t, "the connection to be gone", func() bool { return w.edge.Transport().Conns == 0 })
		carrier.hangUp(inv)
		bye := bob.port.find("BYE")
		bob.port.answer(bye, 200, "")
		carrier.find("200 BYE")
	})
	t.Run("hears the answer to what it asked", func(t *testing.T) {
		carrier := carrierAtIP(t, transport.UDP, "127.0.0.1")
		w := onListeners(t, func(w *world, d *fakes) {
			d.trunk = func(string) (account.Trunk, bool) {
				return account.Trunk{Name: "one", Addresses: []string{carrier.at.String()}}, true
			}
		})
		carrier.to = w.listener(transport.UDP, "127.0.0.1")
		bob := phoneThatListens(t, w.listener(transport.TCP, "127.0.0.1"))
		text := inviteText(bob.wired, "call", "02079460000")
		bob.send(strings.Replace(text, "Via: SIP/2.0/TCP "+bob.wired.at.String()+";", "Via: SIP/2.0/TCP "+bob.at.String()+";", 1))
		inv := carrier.find("INVITE")
		bob.close()
		until(t, "the connection to be gone", func() bool { return w.edge.Transport().Conns == 0 })
		carrier.answer(inv, 486, "")
		bob.port.find("486 INVITE")
	})
}

// What a phone says of where it is is believed of its own address only: a login must not make us open connections to others.
func TestAContactElsewhereIsNotDialled(t *testing.T) {
	e := &Edge{}
	for _, c := range []struct{ contact, last, want string }{
		{"sip:a@192.0.2.7:5062;transport=tcp", "192.0.2.7", "TCP 192.0.2.7:5062"},
		{"sip:a@192.0.2.7;transport=TCP", "192.0.2.7", "TCP 192.0.2.7:5060"},
		{"sip:a@192.0.2.7:5062", "192.0.2.7", "UDP 192.0.2.7:5062"},
		{"sip:a@[2001:db8::9]:5062;transport=tcp", "2001:db8::1", "TCP [2001:db8::9]:5062"}, // another of its addresses
		{"sip:a@127.0.0.3:5062;transport=tcp", "127.0.0.1", "TCP 127.0.0.3:5062"},
		{"sip:a@192.0.2.8:5062;transport=tcp", "192.0.2.7", ""},
		{"sip:a@192.168.1.10:5062;transport=tcp", "192.0.2.7", ""},
		{"sip:a@127.0.0.1:25;transport=tcp", "192.0.2.7", ""},
		{"sip:a@[2001:db8:1::9]:5062;transport=tcp", "2001:db8::1", ""},
		{"sip:a@[::ffff:192.0.2.7]:5062;transport=tcp", "192.0.2.7", "TCP 192.0.2.7:5062"},
		{"sip:a@phone.example:5062;transport=tcp", "192.0.2.7", ""},
		{"sips:a@192.0.2.7:5061", "192.0.2.7", ""},
	} {
		got := ""
		if d, ok := e.atContact(c.contact, netip.MustParseAddr(c.last)); ok {
			got = d.Proto.String() + " " + d.Addr.String()
		}
		if got != c.want {
			t.Errorf("%s of a phone at %s: %q, want %q", c.contact, c.last, got, c.want)
		}
	}
}

// A phone that sends from another port than it listens at, as some do that are not behind NAT, is called and hung up where its Via says.
func TestAPhoneThatSendsFromAnotherPort(t *testing.T) {
	const sends = "10.0.1.1:49152"
	inWorld(t, func(w *world) {
		out := w.peer(sends)
		via := "Via: SIP/2.0/UDP " + phoneAt + ";branch=z9hG4bK"
		out.send("REGISTER sip:x SIP/2.0\n" + via + "1\nFrom: <sip:bob@x>;tag=1\nTo: <sip:bob@x>\nCall-ID: r\nCSeq: 1 REGISTER\nContact: <sip:bob@" + phoneAt + ">\n" +
			strings.Replace(goodLogin, `"alice"`, `"bob"`, 1))
		w.phone.expect("200 REGISTER")
		w.gate.plan = toBob
		w.spare.invite("in", "bob")
		inv := w.phone.expect("INVITE")
		out.answer(inv, 180, "p", "") // its answers leave from the other port too
		out.answer(inv, 200, "p", sdpB)
		ok := w.spare.find("200 INVITE")
		w.phone.expect("ACK")
		d := (&dialog{p: w.spare, callID: "in", from: "\"Al\" <sip:alice@10.0.0.1>;tag=ain", seq: 1, inviteSeq: 1}).take(ok)
		d.request("ACK", "")
		d.request("BYE", "")
		w.phone.answer(w.phone.expect("BYE"), 200, "", "")
		w.spare.expect("200 BYE")
		out.quiet(time.Second)
	})
}

// A phone that is called and says nothing is the first to give way to a new one.
func TestASilentPhoneIsUnreachable(t *testing.T) {
	var mu sync.Mutex
	var told []string
	inWorld(t, func(w *world) {
		w.gate.plan = toBob
		w.register("bob", "10.0.3.1:5060")
		there := w.peer("10.0.3.2:5060")
		there.register("bob", "reg-there", 1, "Contact: <sip:bob@10.0.3.2>")
		there.expect("200 REGISTER")
		w.phone.invite("c", "bob")
		there.answer(there.expect("INVITE"), 180, "t", "")
		w.phone.find("480 INVITE")
	}, func(w *world) {
		w.change = func(d *fakes) {
			d.unreachable = func(line string, at netip.AddrPort, _ time.Time) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, fmt.Sprint(line, " ", at))
			}
		}
	})
	mu.Lock()
	defer mu.Unlock()
	if strings.Join(told, ",") != "bob 10.0.3.1:5060" {
		t.Errorf("unreachable: %v", told)
	}
}

// hangUp sends the carrier's BYE of a call that it answered with tag b.
func (p *wired) hangUp(inv *message.Message) {
	target := ""
	for a := range inv.Addrs(message.HContact) {
		target = string(a.URI)
	}
	p.send(fmt.Sprintf(`BYE %s SIP/2.0
		Via: SIP/2.0/%s %v;branch=z9hG4bKbye;rport
		Max-Forwards: 70
		From: %s;tag=b
		To: %s
		Call-ID: %s
		CSeq: 100 BYE`, target, p.proto, p.at, inv.Get(message.HTo), inv.Get(message.HFrom), inv.CallID()))
}

// A phone that is registered by several ways rings once, by the one it was heard on last.
func TestAPhoneWithTwoWaysRingsOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return &gate.Plan{Routes: []gate.Route{{Line: "bob"}}}, nil }
		first, second, other := w.peer("10.0.2.1:5060"), w.peer("10.0.2.2:5060"), w.peer("10.0.2.3:5060")
		for i, p := range []*peer{first, other, second} {
			id := []string{"1", "1", "2"}[i]
			p.register("bob", "reg"+p.at, 1, fmt.Sprintf("Contact: <sip:bob@%s>;reg-id=%s;+sip.instance=\"<urn:uuid:%d>\"", p.at, id, i%2))
			p.expect("200 REGISTER")
			time.Sleep(time.Second)
		}
		a := w.phone.invite("c1", "bob")
		for _, p := range []*peer{second, other} {
			p.answer(p.expect("INVITE"), 486, "b", "")
			p.expect("ACK")
		}
		w.phone.find("486 INVITE")
		a.request("ACK", "")
		first.quiet(time.Second)
	})
}
