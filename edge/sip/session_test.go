package sip

import (
	"strings"
	"testing"
	"time"
)

// at90 is a world in which sessions are refreshed every 90 s.
func at90(w *world) { w.opts.SessionTime = 90 * time.Second }

const t38 = "v=0\r\no=- 1 2 IN IP4 10.0.1.1\r\ns=-\r\nc=IN IP4 10.0.1.1\r\nt=0 0\r\nm=image 4100 udptl t38\r\na=T38FaxVersion:0\r\n"

// refreshUs asks the edge to refresh the session.
var refreshUs = []string{"Supported: timer", "Session-Expires: 90;refresher=uas"}

// moved is a session description at another port and version.
func moved(sdp, port string) string {
	sdp = strings.Replace(strings.Replace(sdp, " 4000 ", " "+port+" ", 1), " 6000 ", " "+port+" ", 1)
	return strings.Replace(strings.Replace(sdp, "- 1 1 ", "- 1 7 ", 1), "- 2 2 ", "- 2 7 ", 1)
}

// timed is a call whose session the edge refreshes on both legs, with re-INVITEs: alice's phone first, then the carrier.
func (w *world) timed(callID string) (a, b *dialog) {
	w.t.Helper()
	a = w.phone.invite(callID, "020", refreshUs...)
	inv := w.carrier.expect("INVITE")
	w.carrier.answer(inv, 200, "b", sdpB, "Session-Expires: 90;refresher=uac", "Require: timer")
	a.take(w.phone.expect("200 INVITE"))
	w.carrier.expect("ACK")
	a.request("ACK", "")
	return a, w.carrier.accepted(inv, "b")
}

// refresh takes the edge's own re-INVITE, checks its session and answers it.
func (p *peer) refresh(t *testing.T, offer, answer string) {
	t.Helper()
	m, err := p.next(time.Minute)
	if err != nil || what(m) != "INVITE" {
		t.Fatalf("%s is not refreshed by re-INVITE: %v", p.at, err)
	}
	if string(m.Body()) != offer {
		t.Errorf("%s is refreshed with\n%swant\n%s", p.at, m.Body(), offer)
	}
	p.answer(m, 200, "", answer, "Session-Expires: 90;refresher=uac", "Require: timer")
	p.expect("ACK")
}

func (w *world) bye(d *dialog) {
	w.t.Helper()
	other := w.carrier
	if d.p == w.carrier {
		other = w.phone
	}
	d.request("BYE", "")
	d.p.expect("200 BYE")
	other.answer(other.expect("BYE"), 200, "", "")
}

// alter asks for another session and answers for the other side with a status; the answer of the other side is given when it accepts.
func (w *world) alter(t *testing.T, d *dialog, offer string, status int, answer string) {
	t.Helper()
	other := w.carrier
	if d.p == w.carrier {
		other = w.phone
	}
	d.request("INVITE", offer, refreshUs...)
	d.p.expect("100 INVITE")
	inv := other.expect("INVITE")
	other.answer(inv, status, "", answer, "Session-Expires: 90;refresher=uac")
	other.expect("ACK")
	d.p.expect(what200(status))
	d.request("ACK", "")
}

func what200(status int) string { return itoa(status) + " INVITE" }

// Guards against freeswitch#66: the refresh after a refused T.38 offered T.38 again. What is refused, from either side and however, is not in
// force; what was accepted is, until the next change is.
func TestARefreshCarriesTheSessionInForce(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, w *world, a, b *dialog)
		phone  string // what the phone is refreshed with
		far    string // and the carrier
	}{
		{"nothing", func(*testing.T, *world, *dialog, *dialog) {}, sdpB, sdp},
		{"T.38 refused", func(t *testing.T, w *world, a, _ *dialog) { w.alter(t, a, t38, 488, "") }, sdpB, sdp},
		{"T.38 refused by the phone", func(t *testing.T, w *world, _, b *dialog) { w.alter(t, b, t38, 606, "") }, sdpB, sdp},
		{"glare", func(t *testing.T, w *world, _, b *dialog) { w.alter(t, b, t38, 491, "") }, sdpB, sdp},
		{"T.38 accepted", func(t *testing.T, w *world, a, _ *dialog) { w.alter(t, a, t38, 200, moved(t38, "4200")) }, moved(t38, "4200"), t38},
		{"T.38, then audio refused", func(t *testing.T, w *world, a, b *dialog) {
			w.alter(t, a, t38, 200, moved(t38, "4200"))
			w.alter(t, b, moved(sdpB, "7000"), 488, "")
		}, moved(t38, "4200"), t38},
		{"hold from the carrier, then T.38 refused", func(t *testing.T, w *world, a, b *dialog) {
			w.alter(t, b, sdpB+"a=sendonly\r\n", 200, sdp+"a=recvonly\r\n")
			w.alter(t, a, t38, 415, "")
		}, sdpB + "a=sendonly\r\n", sdp + "a=recvonly\r\n"},
		{"accepted without a description", func(t *testing.T, w *world, a, _ *dialog) { w.alter(t, a, t38, 200, "") }, sdpB, sdp},
		{"offered in the 200", func(t *testing.T, w *world, a, _ *dialog) {
			a.request("INVITE", "", refreshUs...)
			w.phone.expect("100 INVITE")
			w.carrier.answer(w.carrier.expect("INVITE"), 200, "", moved(sdpB, "7000"), "Session-Expires: 90;refresher=uac")
			w.phone.expect("200 INVITE")
			a.request("ACK", moved(sdp, "4400"))
			w.carrier.expect("ACK")
		}, moved(sdpB, "7000"), moved(sdp, "4400")},
		{"offered by UPDATE", func(t *testing.T, w *world, _, b *dialog) {
			b.request("UPDATE", moved(sdpB, "7000"), refreshUs...)
			inv := w.phone.expect("INVITE") // it knows no UPDATE
			w.phone.answer(inv, 200, "", moved(sdp, "4400"), "Session-Expires: 90;refresher=uac")
			w.phone.expect("ACK")
			w.carrier.expect("200 UPDATE")
		}, moved(sdpB, "7000"), moved(sdp, "4400")},
		{"cancelled", func(t *testing.T, w *world, a, _ *dialog) {
			a.request("INVITE", t38)
			w.phone.expect("100 INVITE")
			inv := w.carrier.expect("INVITE")
			w.carrier.answer(inv, 100, "", "")
			a.branch = a.lastBranch
			a.request("CANCEL", "")
			w.phone.expect("200 CANCEL")
			w.carrier.answer(w.carrier.expect("CANCEL"), 200, "", "")
			w.carrier.answer(inv, 487, "", "")
			w.carrier.expect("ACK")
			w.phone.expect("487 INVITE")
			a.request("ACK", "")
		}, sdpB, sdp},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a, b := w.timed("c1")
				c.change(t, w, a, b)
				w.phone.refresh(t, c.phone, w.sessionOf("c1", false))
				w.carrier.refresh(t, c.far, w.sessionOf("c1", true))
				w.phone.quiet(10 * time.Second)
				w.carrier.quiet(10 * time.Second)
				w.bye(a)
			}, at90)
		})
	}
}

// sessionOf is the session description of the callee, or of the caller, as the other side has it now.
func (w *world) sessionOf(callID string, callee bool) string {
	found := make(chan string, 1)
	s := w.edge.shardOf([]byte(callID))
	s.post(func() {
		b := s.uas[callID].b
		l := b.peer
		if callee {
			l = b.a
		}
		found <- string(l.session.body)
	})
	return <-found
}

// The other side is offered what a refresh was answered with, if that is another session than before; what it answers comes back. A new
// version of the same session is none.
func TestAChangedAnswerToARefreshReachesTheOtherLeg(t *testing.T) {
	for _, c := range []struct {
		name, answer, offered string
	}{
		{"the same", sdp, ""},
		{"a new version of it", moved(sdp, "4000"), ""},
		{"another port", moved(sdp, "4400"), moved(sdp, "4400")},
		{"on hold", sdp + "a=inactive\r\n", sdp + "a=inactive\r\n"},
		{"another address", strings.ReplaceAll(sdp, "IP4 10.0.1.1", "IP4 10.0.1.9"), strings.ReplaceAll(sdp, "IP4 10.0.1.1", "IP4 10.0.1.9")},
		{"other keys", sdp + "a=crypto:1 x\r\n", sdp + "a=crypto:1 x\r\n"},
		{"none", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a := w.phone.invite("c1", "020", refreshUs...)
				inv := w.carrier.expect("INVITE")
				w.carrier.answer(inv, 200, "b", sdpB)
				a.take(w.phone.expect("200 INVITE"))
				w.carrier.expect("ACK")
				a.request("ACK", "")
				w.phone.refresh(t, sdpB, c.answer)
				if c.offered != "" {
					w.carrier.refresh(t, c.offered, moved(sdpB, "7000"))
					w.phone.refresh(t, moved(sdpB, "7000"), c.answer) // and back
				}
				w.carrier.quiet(10 * time.Second)
				w.phone.refresh(t, map[bool]string{true: sdpB, false: moved(sdpB, "7000")}[c.offered == ""], c.answer) // and when it is due again
				if c.offered != "" {
					w.carrier.refresh(t, c.offered, moved(sdpB, "7000"))
				}
				w.bye(a)
			}, at90)
		})
	}
}

// A phone that answers with other keys every time is not asked for ever.
func TestAnswersThatChangeEveryTime(t *testing.T) {
	inWorld(t, func(w *world) {
		a, _ := w.timed("c1")
		asked := 0
		for began := time.Now(); time.Since(began) < 80*time.Second; {
			for _, p := range []*peer{w.phone, w.carrier} {
				m, err := p.next(time.Second)
				if err == nil && what(m) == "INVITE" {
					asked++
					p.answer(m, 200, "", moved(sdp, itoa(4000+2*asked)), "Session-Expires: 90;refresher=uac")
				}
			}
		}
		if asked > 12 {
			t.Errorf("asked %d times within one interval", asked)
		}
		for _, p := range []*peer{w.phone, w.carrier} {
			for _, err := p.next(100 * time.Millisecond); err == nil; _, err = p.next(100 * time.Millisecond) {
				continue
			}
		}
		a.request("BYE", "")
		w.phone.find("200 BYE")
		w.carrier.answer(w.carrier.find("BYE"), 200, "", "")
	}, at90)
}

// A new session that the other side refuses leaves both with what they had; one that meets a change of its own is offered after that.
func TestAChangedAnswerThatIsRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "020", refreshUs...)
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 200, "b", sdpB)
		a.take(w.phone.expect("200 INVITE"))
		w.carrier.expect("ACK")
		a.request("ACK", "")
		w.phone.refresh(t, sdpB, moved(sdp, "4400"))
		offer := w.carrier.expect("INVITE")
		w.carrier.answer(offer, 491, "", "")
		w.carrier.expect("ACK")
		offer = w.carrier.expect("INVITE")
		if string(offer.Body()) != moved(sdp, "4400") {
			t.Errorf("%s", offer.Bytes())
		}
		w.carrier.answer(offer, 488, "", "")
		w.carrier.expect("ACK")
		w.carrier.quiet(20 * time.Second)
		w.bye(a)
	}, at90)
}

// A refresh by the peer is not in the way of a change, nor a change in the way of a refresh (RFC 3311 5.2).
func TestRefreshesBesideAChange(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.connect("c1")
		b.request("INVITE", sdpB)
		w.carrier.expect("100 INVITE")
		inv := w.phone.expect("INVITE")
		a.request("UPDATE", "")
		w.phone.expect("200 UPDATE")
		b.request("UPDATE", "")
		w.carrier.expect("200 UPDATE")
		a.request("UPDATE", sdp)
		w.phone.expect("491 UPDATE")
		w.phone.answer(inv, 200, "", sdp)
		w.phone.expect("ACK")
		w.carrier.expect("200 INVITE")
		b.inviteSeq = 101
		b.request("ACK", "")
		w.bye(a)
	})
}

func TestChanges(t *testing.T) {
	base := "v=0\r\no=- 1 1 IN IP4 10.0.1.1\r\ns=-\r\nc=IN IP4 10.0.1.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n"
	narrow := "v=0\r\no=- 9 9 IN IP4 10.0.9.1\r\ns=x\r\nc=IN IP4 10.0.9.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 8 101\r\n"
	replace := func(old, new string) string { return strings.ReplaceAll(base, old, new) }
	for _, c := range []struct {
		name, before, offer, answer string
		want                        bool
	}{
		{"the same", base, base, base, false},
		{"version and name", base, base, replace("o=- 1 1", "o=x 1 2"), false},
		{"formats that were not offered", base, narrow, replace("8 0 101", "101 8"), false},
		{"the same with sendrecv said", base, base, base + "a=sendrecv\r\n", false},
		{"a format less", base, base, replace("8 0 101", "8 101"), true},
		{"a format less than offered", base, narrow, replace("8 0 101", "101"), true},
		{"port", base, base, replace("4000", "4002"), true},
		{"address", base, base, replace("c=IN IP4 10.0.1.1", "c=IN IP4 10.0.1.2"), true},
		{"hold", base, base, base + "a=sendonly\r\n", true},
		{"ptime", base, base, replace("ptime:20", "ptime:30"), true},
		{"a medium more", base, base, base + "m=video 0 RTP/AVP 96\r\n", true},
		{"T.38", base, base, t38, true},
		{"what an offer says and an answer need not", base + "a=rtcp:4001\r\na=candidate:1 1 UDP 1 10.0.1.1 4000 typ host\r\na=crypto:1 AES x\r\na=crypto:2 AES y\r\n", base, base + "a=crypto:2 AES y\r\n", false},
		{"new keys", base + "a=crypto:1 AES x\r\n", base, base + "a=crypto:1 AES z\r\n", true},
		{"the address said for each medium", base, base, replace("c=IN IP4 10.0.1.1\r\n", "") + "c=IN IP4 10.0.1.1\r\n", false},
		{"hold said for all media", base, base, replace("t=0 0\r\n", "t=0 0\r\na=inactive\r\n"), true},
		{"refused in another place", replace("4000", "0"), base, strings.Replace(replace("4000", "0"), "c=IN IP4 10.0.1.1", "c=IN IP4 0.0.0.0", 1), false},
		{"LF alone", base, base, strings.ReplaceAll(base, "\r\n", "\n"), false},
	} {
		session := func(s string) content { return content{ctype: "application/sdp", body: []byte(s)} }
		if got := session(c.answer).changes(session(c.before), session(c.offer)); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
