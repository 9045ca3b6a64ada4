package sip

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/flow/location"
)

// contacts are the URIs that a 200 to REGISTER lists, with their expiry.
func contacts(m *message.Message) (all []string) {
	for a := range m.Addrs(message.HContact) {
		secs, _ := a.Expires()
		all = append(all, string(a.URI)+" "+itoa(int(secs)))
	}
	slices.Sort(all)
	return all
}

// transport=UDP is udp: the parameters of a URI compare without regard to case (RFC 3261 19.1.4), so that a phone has one binding.
func TestATransportInEitherCase(t *testing.T) {
	inWorld(t, func(w *world) {
		for i, contact := range []string{"sip:alice@192.168.7.7:5060;transport=UDP", "sip:alice@192.168.7.7:5060;Transport=udp", "sip:alice@192.168.7.7:5060;transport=Udp"} {
			w.phone.register("alice", "r1", i+1, "Contact: <"+contact+">")
			if got := contacts(w.phone.expect("200 REGISTER")); len(got) != 1 {
				t.Errorf("bound to %q", got)
			}
		}
	}, func(w *world) { w.where = location.New(location.Options{Same: message.SameURI}) })
}

func TestRegister(t *testing.T) {
	const one, two = "sip:alice@192.168.7.7:5060", "sip:alice@192.168.7.8:5061"
	inWorld(t, func(w *world) {
		for _, step := range []struct {
			name, callID string
			seq          int
			lines        []string
			want         string
			contacts     []string
		}{
			{"bind", "r1", 1, []string{"Contact: <" + one + ">", "Expires: 600"}, "200 REGISTER", []string{one + " 600"}},
			{"a second phone, own expiry", "r2", 1, []string{"Contact: <" + two + ">;expires=120"}, "200 REGISTER", []string{one + " 600", two + " 120"}},
			{"ask", "r3", 1, nil, "200 REGISTER", []string{one + " 600", two + " 120"}},
			{"too long is shortened", "r1", 2, []string{"Contact: <" + one + ">", "Expires: 999999"}, "200 REGISTER", []string{one + " 3600", two + " 120"}},
			{"too brief", "r1", 3, []string{"Contact: <" + one + ">;expires=30"}, "423 REGISTER", nil},
			{"an older one", "r1", 1, []string{"Contact: <" + one + ">;expires=120", "X-Other: 1"}, "500 REGISTER", nil},
			{"star with an expiry", "r1", 4, []string{"Contact: *", "Expires: 60"}, "400 REGISTER", nil},
			{"unbind one", "r1", 5, []string{"Contact: <" + one + ">;expires=0"}, "200 REGISTER", []string{two + " 120"}},
			{"no telephone number", "r1", 6, []string{"Contact: <mailto:a@b>"}, "400 REGISTER", nil},
			{"unbind all", "r2", 7, []string{"Contact: *", "Expires: 0"}, "200 REGISTER", nil},
		} {
			w.phone.register("alice", step.callID, step.seq, step.lines...)
			m := w.phone.expect(step.want)
			if got := contacts(m); !slices.Equal(got, step.contacts) {
				t.Errorf("%s: %v", step.name, got)
			}
			if m.Status() == 423 && string(m.Get(message.HMinExpires)) != "60" {
				t.Errorf("%s: Min-Expires %s", step.name, m.Get(message.HMinExpires))
			}
		}
	})
}

// Answers go to where the packet came from, and bindings remember it: phones behind NAT.
func TestRegisterBehindNAT(t *testing.T) {
	inWorld(t, func(w *world) {
		w.phone.register("alice", "r1", 1, "Contact: <sip:alice@192.168.7.7:5060>")
		m := w.phone.expect("200 REGISTER")
		if v := m.Via(); string(v.Received) != "10.0.1.1" || !v.HasRPort {
			t.Errorf("%s", m.Bytes())
		}
		if b := w.where.Lookup("alice", time.Now()); len(b) != 1 || b[0].Received.String() != phoneAt || b[0].Contact != "sip:alice@192.168.7.7:5060" {
			t.Errorf("%+v", b)
		}
	})
}

// A repeated REGISTER cannot log in again with the same nonce count: it gets the same answer without a login.
func TestRegisterRepeated(t *testing.T) {
	inWorld(t, func(w *world) {
		var first string
		for range 3 {
			w.phone.register("alice", "r1", 1, "Contact: <sip:alice@192.168.7.7>")
			m := w.phone.expect("200 REGISTER")
			if first == "" {
				first = string(m.Bytes())
			} else if first != string(m.Bytes()) {
				t.Errorf("another answer\n%s", m.Bytes())
			}
		}
		if n := w.checks.Load(); n != 1 {
			t.Errorf("%d logins", n)
		}
	})
}

func TestRegisterLogins(t *testing.T) {
	inWorld(t, func(w *world) {
		w.phone.send("REGISTER sip:x SIP/2.0\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\nFrom: <sip:alice@x>;tag=1\nTo: <sip:alice@x>\nCall-ID: a\nCSeq: 1 REGISTER")
		if m := w.phone.expect("401 REGISTER"); !m.Has(message.HWWWAuthenticate) {
			t.Errorf("%s", m.Bytes())
		}
		send := func(response, to string) {
			w.phone.send("REGISTER sip:x SIP/2.0\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\nFrom: <sip:alice@x>;tag=1\nTo: <sip:" + to + "@x>\nCall-ID: " +
				response + to + "\nCSeq: 1 REGISTER\nContact: <sip:alice@1.2.3.4>\n" + strings.Replace(goodLogin, "good", response, 1))
		}
		send("bad", "alice")
		w.phone.expect("401 REGISTER")
		send("old", "alice")
		if m := w.phone.expect("401 REGISTER"); !strings.Contains(string(m.Get(message.HWWWAuthenticate)), "stale=true") {
			t.Errorf("%s", m.Bytes())
		}
		send("elsewhere", "alice")
		m := w.phone.expect("403 REGISTER")
		if why(m) != "address-not-allowed: "+policy.AddressLocked.Text(policy.Figures{}) || !m.Has(message.HWarning) {
			t.Errorf("%s", m.Bytes())
		}
		send("good", "bob") // another line's address of record
		w.phone.expect("403 REGISTER")
		if n := w.where.Lookup("bob", time.Now()); len(n) != 0 {
			t.Errorf("%+v", n)
		}
	})
}

// wantAllowed fails when a refusal does not say what is allowed instead (RFC 3261 section 8.2.1, RFC 6665 section 8.3.2).
func wantAllowed(t *testing.T, m *message.Message) {
	t.Helper()
	text := string(m.Bytes())
	if m.Status() == 489 && !strings.Contains(text, "\r\nAllow-Events: refer\r\n") || m.Status() == 405 && !m.HasToken(message.HAllow, "INVITE") {
		t.Errorf("the refusal does not say what is allowed\n%s", text)
	}
}

// Strangers are answered without a trace.
func TestStrangers(t *testing.T) {
	inWorld(t, func(w *world) {
		for _, c := range []struct{ method, want string }{
			{"INVITE", "407 INVITE"},
			{"OPTIONS", "200 OPTIONS"},
			{"BYE", "481 BYE"},
			{"SUBSCRIBE", "489 SUBSCRIBE"},
			{"MESSAGE", "405 MESSAGE"},
			{"CANCEL", "481 CANCEL"},
			{"INFO", "481 INFO"},
			{"PUBLISH", "405 PUBLISH"},
		} {
			w.phone.send(c.method + " sip:x@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\nFrom: <sip:alice@x>;tag=1\nTo: <sip:x@x>\nCall-ID: " + c.method + "\nCSeq: 1 " + c.method)
			m := w.phone.expect(c.want)
			if m.To().Tag() == nil {
				t.Errorf("no tag\n%s", m.Bytes())
			}
			wantAllowed(t, m)
		}
		w.phone.send("ACK sip:x@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\nFrom: <sip:alice@x>;tag=1\nTo: <sip:x@x>\nCall-ID: ACK\nCSeq: 1 ACK")
		w.phone.send("SIP/2.0 200 OK\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\nFrom: <sip:alice@x>;tag=1\nTo: <sip:x@x>;tag=2\nCall-ID: rf-0\nCSeq: 1 INVITE")
		w.phone.send("GARBAGE")
		w.phone.quiet(time.Second)
	})
}
