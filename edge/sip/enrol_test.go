package sip

import (
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/edge/sip/message"
	"ringfence/flow/gate"
)

// answerTo answers REGISTER as a carrier does.
func answerTo(p *peer, m *message.Message, status string, lines ...string) {
	p.t.Helper()
	v := string(m.Get(message.HVia))
	head := "SIP/2.0 " + status + "\nVia: " + v + "\nFrom: " + string(m.Get(message.HFrom)) + "\nTo: " + string(m.Get(message.HTo)) + ";tag=c\nCall-ID: " +
		string(m.CallID()) + fmt.Sprintf("\nCSeq: %d REGISTER\n", m.CSeq())
	p.send(head + strings.Join(lines, "\n"))
}

const asksDigest = `WWW-Authenticate: Digest realm="c", nonce="n", algorithm=MD5, qop="auth"`

// enrolling is a world whose trunk "one" has a registrar: its carrier.
func enrolling(t *testing.T, test func(w *world, listed *atomic.Pointer[account.Trunk])) {
	var listed atomic.Pointer[account.Trunk]
	inWorld(t, func(w *world) {
		test(w, &listed)
		listed.Store(new(account.Trunk)) // it leaves, and nobody answers
		w.carrier.drain()
	}, func(w *world) {
		one := account.Trunk{Name: "one", Addresses: []string{carrierAt}, Transport: "udp", User: "us", Registrar: carrierAt, Expiry: 600, Sealed: []byte{1}}
		w.trunks["one"] = one
		listed.Store(&one)
		w.opts.Trunks = func() []account.Trunk { return []account.Trunk{*listed.Load(), {Name: "two"}} }
		w.change = func(d *fakes) { d.trunkOf = func(netip.AddrPort) (string, bool) { return "", false } }
	})
}

// grant answers the challenge's round and grants a registration.
func grant(t *testing.T, w *world, seconds int) *message.Message {
	t.Helper()
	m := w.carrier.expect("REGISTER")
	if !m.Has(message.HAuthorization) {
		answerTo(w.carrier, m, "401 Unauthorized", asksDigest)
		m = w.carrier.expect("REGISTER")
	}
	if got := string(m.Get(message.HAuthorization)); !strings.Contains(got, `username="us"`) || !strings.Contains(got, `uri="sip:`+carrierAt+`"`) {
		t.Fatalf("credentials %s", got)
	}
	answerTo(w.carrier, m, "200 OK", fmt.Sprintf("Contact: <sip:other@192.0.2.9>;expires=30, %s;expires=%d", m.Get(message.HContact), seconds))
	return m
}

func TestATrunkIsRegisteredAndRenewed(t *testing.T) {
	enrolling(t, func(w *world, listed *atomic.Pointer[account.Trunk]) {
		m := grant(t, w, 300)
		if c := string(m.Get(message.HContact)); c != "<sip:us@"+edgeAt+">" {
			t.Errorf("Contact %s", c)
		}
		if n, _ := m.Expires(); n != 600 {
			t.Errorf("asks for %d s", n)
		}
		began := time.Now()
		time.Sleep(time.Second)
		is := w.edge.Enrolments()["one"]
		if is.State != Enrolled || is.Until.Sub(began) != 300*time.Second || is.Fault != "" {
			t.Errorf("%+v", is)
		}
		// What the carrier granted counts, and not what was asked for: another REGISTER comes at four fifths of it.
		if m, err := w.carrier.next(235 * time.Second); err == nil {
			t.Errorf("too early: %s", what(m))
		}
		time.Sleep(4 * time.Second)
		grant(t, w, 300)
		if waited := time.Since(began); waited < 240*time.Second || waited > 250*time.Second {
			t.Errorf("renewed after %s", waited)
		}
	})
}

// A wrong password is said, and not sent again and again: a carrier would ban us.
func TestAWrongPasswordOfATrunkIsSaidAndNotHammered(t *testing.T) {
	enrolling(t, func(w *world, listed *atomic.Pointer[account.Trunk]) {
		sent := 0
		for began := time.Now(); time.Since(began) < 3*time.Hour; {
			m, err := w.carrier.next(10 * time.Minute)
			if err != nil {
				continue
			}
			if m.Has(message.HAuthorization) {
				sent++
			}
			answerTo(w.carrier, m, "401 Unauthorized", asksDigest)
		}
		is := w.edge.Enrolments()["one"]
		if is.State != Refused || !strings.Contains(is.Fault, "the carrier does not accept the user or the password: it answers 401 Unauthorized") {
			t.Errorf("%+v", is)
		}
		if sent < 4 || sent > 7 { // after 0, 5, 15, 35, 75, 135 minutes
			t.Errorf("the password was sent %d times in three hours", sent)
		}
		// Who mends it is not kept waiting.
		mended := *listed.Load()
		mended.Sealed = []byte{2}
		listed.Store(&mended)
		at := time.Now()
		grant(t, w, 600)
		if time.Since(at) > 5*time.Second {
			t.Errorf("tried after %s", time.Since(at))
		}
	})
}

func TestARegistrarThatIsSilentOrBusy(t *testing.T) {
	enrolling(t, func(w *world, listed *atomic.Pointer[account.Trunk]) {
		m, n := w.carrier.expect("REGISTER"), 1
		for began := time.Now(); time.Since(began) < 33*time.Second; {
			if again, err := w.carrier.next(5 * time.Second); err == nil {
				if string(again.Via().Branch) != string(m.Via().Branch) {
					t.Error("another request, and no repeat")
				}
				n++
			}
		}
		if is := w.edge.Enrolments()["one"]; n != 11 || is.State != Failed || is.Fault != "the carrier does not answer" {
			t.Errorf("sent %d times: %+v", n, is)
		}
		m = w.carrier.expect("REGISTER")
		answerTo(w.carrier, m, "503 Service Unavailable", "Retry-After: 900")
		if m, err := w.carrier.next(899 * time.Second); err == nil {
			t.Errorf("%s before Retry-After", what(m))
		}
		m, err := w.carrier.next(5 * time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		answerTo(w.carrier, m, "423 Interval Too Brief", "Min-Expires: 3600")
		m = w.carrier.expect("REGISTER")
		if n, _ := m.Expires(); n != 3600 {
			t.Errorf("asks for %d s", n)
		}
		answerTo(w.carrier, m, "200 OK", "Expires: 3600")
		time.Sleep(time.Second)
		if is := w.edge.Enrolments()["one"]; is.State != Enrolled || time.Until(is.Until) != 3599*time.Second {
			t.Errorf("%+v", is)
		}
	})
}

// A carrier that is in no list may call where it has registered us; To says whom, when it calls our Contact. Without a registration it may not.
func TestCallsComeInByARegistration(t *testing.T) {
	enrolling(t, func(w *world, listed *atomic.Pointer[account.Trunk]) {
		invite := func(id string) {
			w.carrier.send("INVITE sip:us@" + edgeAt + " SIP/2.0\nVia: SIP/2.0/UDP " + carrierAt + ";branch=z9hG4bK" + id + "\nMax-Forwards: 70\nFrom: <sip:+15551234@" + carrierAt +
				">;tag=1\nTo: <sip:+442079460001@carrier.example>\nCall-ID: " + id + "\nCSeq: 1 INVITE\nContact: <sip:" + carrierAt + ">\n\n" + "v=0\n")
		}
		w.gate.plan = func(a gate.Attempt) (*gate.Plan, error) { return nil, &gate.Refusal{} }
		w.carrier.expect("REGISTER")
		invite("before")
		w.carrier.expect("407 INVITE")
		grant(t, w, 600)
		time.Sleep(time.Second)
		invite("after")
		until(t, "the call to be asked about", func() bool {
			w.gate.mu.Lock()
			defer w.gate.mu.Unlock()
			return len(w.gate.attempts) == 1
		})
		if a := w.gate.attempts[0]; a.Trunk != "one" || a.Dialled != "+442079460001" {
			t.Errorf("%+v", a)
		}
		w.carrier.drain()
	})
}

// A trunk that is disabled leaves its carrier.
func TestATrunkThatIsDisabledLeaves(t *testing.T) {
	enrolling(t, func(w *world, listed *atomic.Pointer[account.Trunk]) {
		grant(t, w, 600)
		time.Sleep(time.Second)
		listed.Store(&account.Trunk{Name: "one"})
		m := w.carrier.expect("REGISTER")
		if n, ok := m.Expires(); !ok || n != 0 {
			t.Errorf("expires %d", n)
		}
		answerTo(w.carrier, m, "200 OK")
		if got := w.edge.Enrolments(); len(got) != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// A carrier that grants no time has not registered us, and one that grants more than we asked for is asked again when we wanted to.
func TestWhatACarrierGrants(t *testing.T) {
	for _, c := range []struct {
		name, lines string
		state       EnrolmentState
		asked       int // in ten minutes
		until       time.Duration
	}{
		{"none", "Expires: 0", Failed, 5, 0},
		{"none for us", "Contact: <sip:other@192.0.2.9>;expires=30, OURS;expires=0\nExpires: 600", Failed, 5, 0},
		{"a moment", "Expires: 1", Enrolled, 38, 20 * time.Second},
		{"what we asked for", "X: y", Enrolled, 2, 600 * time.Second},
		{"a century", "Expires: 4294967295", Enrolled, 2, 600 * time.Second},
		{"no number", "Expires: 99999999999999999999", Enrolled, 2, 600 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			enrolling(t, func(w *world, _ *atomic.Pointer[account.Trunk]) {
				asked, last := 0, time.Time{}
				for began := time.Now(); time.Since(began) < 10*time.Minute; {
					if m, err := w.carrier.next(time.Second); err == nil {
						asked, last = asked+1, time.Now()
						answerTo(w.carrier, m, "200 OK", strings.ReplaceAll(c.lines, "OURS", string(m.Get(message.HContact))))
					}
				}
				is := w.edge.Enrolments()["one"]
				if is.State != c.state || asked != c.asked || c.until > 0 && is.Until.Sub(last) > c.until || c.until == 0 && !is.Until.IsZero() {
					t.Errorf("asked %d times, until %s: %+v", asked, is.Until.Sub(last), is)
				}
			})
		})
	}
}
