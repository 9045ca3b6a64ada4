package sip

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/flow/gate"
)

const bobAt = "10.0.2.1:5060"

// inbound is a call from the carrier to bob, over UDP, up to bob's 180. Its Contact is somebody else's.
func (w *world) inbound(bob *peer, callID string, lines ...string) (in *dialog, inv, ringing *message.Message) {
	w.t.Helper()
	in = &dialog{
		p: w.carrier, callID: callID, from: "<sip:+33123456789@carrier.example>;tag=c", to: "<sip:+442079460002@10.0.0.1>",
		target: "sip:+442079460002@10.0.0.1",
	}
	in.request("INVITE", sdp, lines...)
	in.branch = in.lastBranch
	inv = bob.expect("INVITE")
	bob.answer(inv, 180, "p"+callID, "")
	return in, inv, w.carrier.expect("180 INVITE")
}

// bobs is a world in which everything that comes in rings bob.
func bobs(t *testing.T, test func(w *world, bob *peer), change ...func(w *world)) {
	inWorld(t, func(w *world) {
		w.register("bob", bobAt)
		test(w, w.peer(bobAt))
	}, append(change, func(w *world) {
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) {
			return &gate.Plan{Called: "bob", Routes: []gate.Route{{Line: "bob"}}}, nil
		}
	})...)
}

// ends gives up an inbound call as its caller.
func (d *dialog) ends(t *testing.T, bob *peer, inv *message.Message) {
	t.Helper()
	d.request("CANCEL", "")
	d.p.find("200 CANCEL")
	d.p.find("487 INVITE")
	d.request("ACK", "")
	bob.answer(bob.expect("CANCEL"), 200, "p", "")
	bob.answer(inv, 487, "p", "")
	bob.expect("ACK")
}

func (w *world) proven(callID string) bool {
	synctest.Wait()
	l := w.edge.shardOf([]byte(callID)).uas[callID]
	return l != nil && l.b.proof != nil && l.b.proof.proven
}

// prove is the carrier's word for a call.
func (w *world) prove(callID string) {
	s := w.edge.shardOf([]byte(callID))
	s.post(func() { s.uas[callID].b.proves() })
	synctest.Wait()
}

// A carrier that knows reliable provisional answers proves a call by acknowledging ours (RFC 3262).
func TestACarrierProvesACallByPRACK(t *testing.T) {
	bobs(t, func(w *world, bob *peer) {
		in, inv, ringing := w.inbound(bob, "in1", "Supported: 100rel")
		rseq, ok := ringing.RSeq()
		if !ok || !ringing.HasToken(message.HRequire, "100rel") {
			t.Fatalf("not reliable:\n%s", ringing.Bytes())
		}
		if again := w.carrier.expect("180 INVITE"); string(again.Bytes()) != string(ringing.Bytes()) {
			t.Errorf("repeated as\n%s", again.Bytes())
		}
		in.take(ringing)
		in.request("PRACK", "", fmt.Sprintf("RAck: %d 1 INVITE", rseq+1))
		w.carrier.expect("481 PRACK")
		in.request("PRACK", "", fmt.Sprintf("RAck: %d 1 INVITE", rseq))
		w.carrier.expect("200 PRACK")
		if !w.proven("in1") {
			t.Error("the call is not proven")
		}
		w.carrier.quiet(10 * time.Second) // neither repeats nor OPTIONS
		bob.answer(inv, 200, "pin1", sdpB)
		bob.expect("ACK")
		in.take(w.carrier.expect("200 INVITE")).request("ACK", "")
		in.request("BYE", "")
		w.carrier.expect("200 BYE")
		bob.answer(bob.expect("BYE"), 200, "", "")
	})
}

// Any other carrier is asked in the early dialog within a second, at the address that the INVITE came from.
func TestACarrierIsAskedByOPTIONS(t *testing.T) {
	for _, supported := range []string{"Supported: timer", "Supported: 100rel"} { // which the forger, too, can write
		bobs(t, func(w *world, bob *peer) {
			in, inv, ringing := w.inbound(bob, "in1", supported, "Contact: <sip:x@203.0.113.66:5060>")
			rang := time.Now()
			ask := w.carrier.find("OPTIONS")
			if d := time.Since(rang); d > time.Second || string(ask.From().Tag()) != string(ringing.To().Tag()) || string(ask.To().Tag()) != "c" {
				t.Errorf("asked after %v:\n%s\nringing:\n%s", d, ask.Bytes(), ringing.Bytes())
			}
			w.carrier.answer(ask, 200, "", "")
			if !w.proven("in1") {
				t.Error("the call is not proven")
			}
			in.ends(t, bob, inv)
		})
	}
}

// Guards against issue 7, R8: one forged packet with a carrier's address rang a phone for three minutes.
func TestAForgedCallEnds(t *testing.T) {
	for _, supported := range []string{"Supported: timer", "Supported: 100rel"} {
		bobs(t, func(w *world, bob *peer) {
			_, inv, _ := w.inbound(bob, "in1", supported)
			began := time.Now()
			for range deniedOnce {
				w.carrier.answer(w.carrier.find("OPTIONS"), 481, "", "")
			}
			cancel := bob.expect("CANCEL")
			if d := time.Since(began); d > 2*time.Second {
				t.Errorf("rang for %v", d)
			}
			bob.answer(cancel, 200, "p", "")
			bob.answer(inv, 487, "p", "")
			bob.expect("ACK")
			if s := w.edge.Stats(); s.Forged != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// The answer that makes the dialog can be lost: then the carrier denies an honest call once, hears it again, and proves it.
func TestALostRingingIsNoForgery(t *testing.T) {
	bobs(t, func(w *world, bob *peer) {
		in, inv, _ := w.inbound(bob, "in1")
		w.carrier.answer(w.carrier.expect("OPTIONS"), 481, "", "")
		w.carrier.expect("180 INVITE")
		w.carrier.answer(w.carrier.expect("OPTIONS"), 200, "", "")
		if !w.proven("in1") {
			t.Error("the call is not proven")
		}
		in.ends(t, bob, inv)
	})
}

// A carrier that says nothing, or does not know OPTIONS, lets the phone ring on.
func TestASilentCarrierRingsOn(t *testing.T) {
	for _, status := range []int{0, 405, 501, 503} {
		bobs(t, func(w *world, bob *peer) {
			in, inv, _ := w.inbound(bob, "in1")
			if ask := w.carrier.expect("OPTIONS"); status != 0 {
				w.carrier.answer(ask, status, "", "")
			}
			bob.quiet(time.Minute)
			if w.proven("in1") {
				t.Error("the call counts as proven")
			}
			in.ends(t, bob, inv)
		})
	}
}

// Guards against issue 7, R8: forged calls filled the node. The longest-ringing unproven one gives way, a proven one never,
// and calls that go out keep their room.
func TestUnprovenCallsGiveWay(t *testing.T) {
	var crowds []gate.Crowd
	bobs(t, func(w *world, bob *peer) {
		proven, provenInv, _ := w.inbound(bob, "in0")
		w.carrier.answer(w.carrier.expect("OPTIONS"), 200, "", "")
		one, oneInv, _ := w.inbound(bob, "in1")
		w.carrier.expect("OPTIONS")
		two, twoInv, _ := w.inbound(bob, "in2")
		w.carrier.expect("OPTIONS")
		// The share of three is taken: the next one takes the place of in1.
		three := &dialog{p: w.carrier, callID: "in3", from: one.from, to: one.to, target: one.target}
		three.request("INVITE", sdp)
		three.branch = three.lastBranch
		gone := w.carrier.find("503 INVITE")
		if string(gone.CallID()) != "in1" {
			t.Errorf("%s gave way", gone.CallID())
		}
		one.request("ACK", "")
		var threeInv *message.Message
		for acked := false; threeInv == nil || !acked; {
			switch m, err := bob.next(time.Second); {
			case err != nil:
				t.Fatal(err)
			case what(m) == "INVITE":
				threeInv = m
				bob.answer(m, 180, "pin3", "")
			case what(m) == "CANCEL":
				bob.answer(m, 200, "p", "")
				bob.answer(oneInv, 487, "p", "")
			default:
				acked = true
			}
		}
		// All that are left stand by their calls: a further one is refused.
		w.prove("in2")
		w.prove("in3")
		four := &dialog{p: w.carrier, callID: "in4", from: one.from, to: "<sip:+442079460002@10.0.0.1>", target: one.target}
		four.request("INVITE", sdp)
		if no := w.carrier.find("503 INVITE"); string(no.CallID()) != "in4" {
			t.Errorf("%s was refused", no.CallID())
		}
		if len(crowds) != 2 || crowds[0].Trunk != "one" || crowds[0].Most != 3 {
			t.Errorf("told %+v", crowds)
		}
		// A call that goes out has room all the time.
		full, _ := w.edge.seats.full()
		if full {
			t.Error("no room for calls that go out")
		}
		proven.ends(t, bob, provenInv)
		two.ends(t, bob, twoInv)
		three.ends(t, bob, threeInv)
	}, func(w *world) {
		w.opts.MaxCalls, w.opts.MaxInbound = 8, 3
		w.change = func(d *fakes) {
			d.crowded = func(c gate.Crowd) { crowds = append(crowds, c) }
		}
	})
}

// A telephone system answers at once: a forged call that it answered holds its place no longer than one that rings.
func TestAnsweredWithoutAnACKGivesWay(t *testing.T) {
	bobs(t, func(w *world, bob *peer) {
		_, forged, _ := w.inbound(bob, "in1")
		bob.answer(forged, 200, "pin1", sdpB)
		bob.expect("ACK")
		w.carrier.find("200 INVITE")
		honest, inv := w.displaces(bob, "in2")
		bob.answer(inv, 200, "pin2", sdpB)
		for {
			if ok := w.carrier.find("200 INVITE"); string(ok.CallID()) == "in2" {
				honest.take(ok).request("ACK", "")
				break
			}
		}
		if !w.proven("in2") {
			t.Error("an acknowledged call does not count as proven")
		}
		third := &dialog{p: w.carrier, callID: "in3", from: honest.from, to: "<sip:+442079460002@10.0.0.1>", target: "sip:+442079460002@10.0.0.1"}
		third.request("INVITE", sdp)
		if no := w.carrier.find("503 INVITE"); string(no.CallID()) != "in3" {
			t.Errorf("%s gave way", no.CallID())
		}
		honest.request("BYE", "")
		w.carrier.find("200 BYE")
		bob.answer(bob.find("BYE"), 200, "", "")
	}, func(w *world) { w.opts.MaxCalls, w.opts.MaxInbound = 8, 1 })
}

// displaces is a call to bob, who also hears that one which he had answered gave way to it.
func (w *world) displaces(bob *peer, callID string) (in *dialog, inv *message.Message) {
	w.t.Helper()
	in = &dialog{
		p: w.carrier, callID: callID, from: "<sip:+33123456789@carrier.example>;tag=c", to: "<sip:+442079460002@10.0.0.1>",
		target: "sip:+442079460002@10.0.0.1",
	}
	in.request("INVITE", sdp)
	in.branch = in.lastBranch
	for said := false; inv == nil || !said; {
		m, err := bob.next(time.Second)
		switch {
		case err != nil:
			w.t.Fatal(err)
		case what(m) == "INVITE":
			inv = m
			bob.answer(m, 180, "p"+callID, "")
		case what(m) == "BYE":
			bob.answer(m, 200, "", "")
			said = true
		}
	}
	return in, inv
}

// As many calls ring a line as it may have; the next ones get busy, and one that ends makes room.
func TestALineRingsBusy(t *testing.T) {
	bobs(t, func(w *world, bob *peer) {
		one, oneInv, _ := w.inbound(bob, "in1")
		two, twoInv, _ := w.inbound(bob, "in2")
		more := &dialog{p: w.carrier, callID: "in3", from: one.from, to: one.to, target: one.target}
		more.request("INVITE", sdp)
		w.carrier.find("486 INVITE")
		more.request("ACK", "")
		one.ends(t, bob, oneInv)
		again, againInv, _ := w.inbound(bob, "in4")
		again.ends(t, bob, againInv)
		two.ends(t, bob, twoInv)
	}, func(w *world) {
		w.change = func(d *fakes) { d.lineCalls = func(string) int { return 2 } }
	})
}

// Our own program is a carrier to another one: it stands by the calls that it places, whichever fork asks.
func TestWeStandByOurCalls(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.phone.invite("c1", "02079460000")
		inv := w.carrier.expect("INVITE")
		w.carrier.answer(inv, 180, "b1", "")
		w.phone.expect("180 INVITE")
		b := w.carrier.accepted(inv, "b1")
		b.request("OPTIONS", "")
		w.carrier.expect("200 OPTIONS")
		b.to = "<sip:alice@10.0.0.1>;tag=forged"
		b.request("OPTIONS", "")
		w.carrier.expect("481 OPTIONS")
		a.request("CANCEL", "")
		w.phone.expect("200 CANCEL")
		w.phone.expect("487 INVITE")
		a.request("ACK", "")
		w.carrier.answer(w.carrier.expect("CANCEL"), 200, "b1", "")
		w.carrier.answer(inv, 487, "b1", "")
		w.carrier.expect("ACK")
	})
}

// help places emergency calls on the seats alone and says how many of n were taken.
func help(t *seats, n int, line, from string, most int) (taken int) {
	for range n {
		if t.takeHelp(&bridge{}, line, netip.MustParseAddr(from), most) {
			taken++
		}
	}
	return taken
}

// The rule of emergency calls: who is refused, and who never.
func TestSeatsOfEmergencyCalls(t *testing.T) {
	var told []gate.Crowd
	e := &Edge{o: Options{MaxCalls: 10, MaxEmergency: 100}}
	e.door = &fakes{crowded: func(c gate.Crowd) { told = append(told, c) }}
	s := newSeats(e)
	e.seats = s
	if n := help(s, 500, "stolen", "203.0.113.9", 3); n != 90 {
		t.Errorf("one line alone: %d of 500, want nine tenths", n)
	}
	if n := help(s, 30, "hotel", "198.51.100.1", 10); n != 30 {
		t.Errorf("another line beside it: %d of 30", n) // beyond all there is: it is below its even share
	}
	if n := help(s, 100, "hotel", "198.51.100.1", 10); n >= 100 {
		t.Error("a line takes more than its even share of what is full")
	}
	for i := range 50 { // a whole street, each with its own line behind one address
		if n := help(s, 2, fmt.Sprint("flat-", i), "192.0.2.1", 2); n != 2 {
			t.Fatalf("a line below its own max-calls: %d of 2", n)
		}
	}
	if n := help(s, 5, "", "203.0.113.77", 10); n != 3 {
		t.Errorf("an address that is not logged in: %d of 5, want 3", n)
	}
	if n := help(s, 2, "stolen", "192.0.2.99", 3); n != 2 {
		t.Errorf("the busiest line from a new address: %d of 2", n)
	}
	refused := 0
	for _, c := range told {
		if c.Refused {
			refused++
		}
	}
	if len(told) < 5 || told[0].Line != "stolen" || told[0].Open != unusual || refused == 0 {
		t.Errorf("told %d times, first %+v", len(told), told[0])
	}
	if full, _ := s.full(); full {
		t.Error("emergency calls took the room of others")
	}
}

// Guards against issue 7, R7: emergency calls of one locked line took every paid call's place.
func TestEmergencyCallsTakeNoOthersRoom(t *testing.T) {
	inWorld(t, func(w *world) {
		for i := range 20 {
			w.phone.invite(fmt.Sprint("help", i), "999")
			w.spareRings(t)
		}
		if s := w.edge.Stats(); s.Emergencies != 20 || s.Full != 0 {
			t.Errorf("%d emergency calls, %d refused", s.Emergencies, s.Full)
		}
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) { return out("two"), nil }
		w.phone.invite("paid", "02079460000")
		w.spareRings(t)
		w.phone.find("180 INVITE")
		if s := w.edge.Stats(); s.Full != 0 || s.Calls != 21 {
			t.Errorf("%+v", s)
		}
	}, func(w *world) {
		w.opts.MaxCalls = 5
		w.change = func(d *fakes) { d.emergency = func(dialled string) bool { return dialled == "999" } }
		w.gate.plan = func(gate.Attempt) (*gate.Plan, error) {
			p := out("two")
			p.Always = true
			return p, nil
		}
	})
}

func (w *world) spareRings(t *testing.T) {
	t.Helper()
	w.spare.answer(w.spare.expect("INVITE"), 180, "s", "")
	synctest.Wait()
}

// After a restart each call counts with its own kind again.
func TestSeatsAfterARestart(t *testing.T) {
	inWorld(t, func(w *world) {
		synctest.Wait()
		s := w.edge.Stats()
		if s.Calls != 3 || s.Emergencies != 1 || s.Inbound != 1 || w.edge.seats.helpBy["alice"] != 1 || w.edge.seats.calls != 2 {
			t.Errorf("%+v", s)
		}
		for i := range w.before {
			w.gate.cut(w.before[i].ID, policy.CutLocked, policy.Figures{})
		}
		time.Sleep(time.Minute)
	}, func(w *world) {
		for i, a := range []legRecord{
			{CallID: "a0", Trunk: "one"}, {CallID: "a1", Help: true, HelpLine: "alice"}, {CallID: "a2", Line: "alice"},
		} {
			a.LocalTag, a.RemoteTag, a.Addr, a.UAS = "0123456789abcdef", "r", netip.MustParseAddrPort(phoneAt), true
			a.Local, a.Remote, a.Target = "<sip:x@10.0.0.1>;tag=0123456789abcdef", "<sip:y@10.0.1.1>;tag=r", "sip:y@10.0.1.1"
			b := a
			b.CallID, b.UAS, b.Help, b.Trunk, b.Line = fmt.Sprint("b", i), false, false, "", "bob"
			snapshot, err := json.Marshal([2]legRecord{a, b})
			if err != nil {
				t.Fatal(err)
			}
			w.before = append(w.before, gate.Recovered{ID: call.ID(fmt.Sprint("call-", i)), State: call.Answered, Snapshot: snapshot})
		}
	})
}
