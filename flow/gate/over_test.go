package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/flow/book"
	"ringfence/state/store"
	"ringfence/state/store/memory"
)

// costDeck is what the carrier charges: a minute at least, and 50p to connect to Cuba.
const costDeck = `Destination,Prefix,Peak,Off-peak,Weekend,Connection charge,First Interval,Sub Interval
UK mobile,447,0.03,0.03,0.03,0,60,60
Latvia,371,0.20,0.20,0.20,0.50,60,60
`

// withCost gives the carrier a deck.
func withCost(t *testing.T, b *book.Book) {
	_, err := b.Import(t.Context(), "test", []byte(costDeck), book.ImportOptions{Name: "cost", Kind: rating.Cost})
	must(t, err)
	deck := "cost"
	for _, name := range []string{"carrier", "lifeline"} {
		_, err = b.EditTrunk(t.Context(), "test", name, book.TrunkEdit{Deck: &deck})
		must(t, err)
	}
	set(t, b, account.InternationalCeiling, int64(100*money.PencePerMinute), true)
}

// An answer that crosses the caller's hanging up was booked as nothing, and what was held for it given back: thirty such
// calls a minute cost what no cap saw.
func TestAnAnswerThatCrossesIsBooked(t *testing.T) {
	for _, waive := range []bool{false, true} {
		b := newBook(t)
		withCost(t, b)
		set(t, b, account.LineDayCap, 300_000, false)
		synctest.Test(t, func(t *testing.T) {
			h := open(t, b, memory.New(), func(o *Options) { o.WaiveLate = waive })
			defer h.close()
			p, why := h.admit("2001", "00371 67 123456") // 10p to connect, 30p a minute, 30/6
			if why != policy.OK {
				t.Fatal(why)
			}
			h.gate.Trying(p.ID, p.Routes[0], "b-leg")
			time.Sleep(3 * time.Second)
			h.gate.Ended(p.ID, End{By: call.Caller, Reason: policy.Cancelled, Status: 487, At: time.Now()})
			if _, why := h.admit("2001", "00371 67 123457"); why != policy.LineDaySpent {
				t.Errorf("what the call held was given back before its leg was over: %v", why)
			}
			answered := time.Now()
			time.Sleep(2 * time.Second)
			h.gate.Over(p.ID, []Leg{{Trunk: "carrier", CallID: "b-leg", Answered: answered, Beyond: 2 * time.Second}})
			r := h.record(p.ID)
			want := money.Micro(250_000) // the connection and the first 30 s
			if waive {
				want = 0
			}
			if r.Retail != want || r.Talk <= 0 || !r.AnsweredAt.Equal(answered) || r.Reason != "answered-late" || r.Status != 487 {
				t.Errorf("waive %t: record %+v", waive, r)
			}
			if r.Cost != 700_000 || r.CarrierTalk != 2*time.Second {
				t.Errorf("the carrier's part: %v for %v, want 50p and a minute", r.Cost, r.CarrierTalk)
			}
			h.square(0)
		})
	}
}

// The store failed between the answer and its commit: the caller heard 503, the carrier charges.
func TestAnAnswerThatCouldNotBeWrittenIsBooked(t *testing.T) {
	b := newBook(t)
	withCost(t, b)
	synctest.Test(t, func(t *testing.T) {
		m := &broken{Engine: memory.New()}
		h := open(t, b, m)
		defer h.close()
		p, _ := h.admit("2001", "07700 900123")
		h.gate.Trying(p.ID, p.Routes[0], "b-leg")
		answered := time.Now()
		m.fail.Store(true)
		if err := h.gate.Answered(t.Context(), p.ID, p.Routes[0], nil); err == nil {
			t.Fatal("the store failed")
		}
		time.Sleep(time.Second)
		h.end(p.ID, End{By: call.System, Reason: policy.StoreUnavailable, Status: 503, At: time.Now()},
			Leg{Trunk: "carrier", CallID: "b-leg", Answered: answered, Talk: time.Second})
		m.fail.Store(false)
		time.Sleep(time.Minute)
		if r := h.record(p.ID); r.Retail != 1000 || r.Talk != time.Second || r.Cost != 30_000 || r.Reason != "store-unavailable" {
			t.Errorf("1 s at 6p a minute is 0.1p, and a minute at 3p: %+v", r)
		}
		h.square(0)
	})
}

// TestCrossingAnswersNeverPassACap: whatever is answered when, spent and held stay within the cap.
func TestCrossingAnswersNeverPassACap(t *testing.T) {
	b := newBook(t)
	const limit = 1_000_000
	set(t, b, account.LineDayCap, limit, false)
	set(t, b, account.MaxCalls, 10_000, true)
	set(t, b, account.CallsPerMinute, 10_000, true)
	h := open(t, b, memory.New())
	defer h.close()
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			for range 20 {
				p, why := h.admit("2001", "07700 900123")
				if why != policy.OK {
					continue
				}
				h.gate.Ended(p.ID, End{By: call.Caller, Reason: policy.Cancelled, Status: 487, At: time.Now()})
				var legs []Leg
				if i%2 == 0 {
					legs = []Leg{{Trunk: "carrier", Answered: time.Now(), Talk: time.Duration(i) * time.Second}}
				}
				h.gate.Over(p.ID, legs)
				for _, p := range h.purses() {
					if p.Spent+p.Held > limit {
						t.Errorf("%s: %v passes the cap", p.ID, p.Spent+p.Held)
					}
				}
			}
		})
	}
	wg.Wait()
}

// The customer pays until the first BYE; what the carrier may charge until it confirms, and for a way out that was answered
// beside the call, is cost. A leg that never confirmed is written down with the carrier's name.
func TestWhatTheCarrierMayChargeIsCost(t *testing.T) {
	b := newBook(t)
	withCost(t, b)
	synctest.Test(t, func(t *testing.T) {
		h := open(t, b, memory.New())
		defer h.close()
		p, _ := h.admit("2001", "07700 900123")
		h.answer(p)
		answered := time.Now()
		time.Sleep(50 * time.Second)
		h.gate.Ended(p.ID, End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: time.Now()})
		time.Sleep(32 * time.Second)
		h.gate.Over(p.ID, []Leg{
			{Trunk: "lifeline", CallID: "beside", Answered: answered, Talk: time.Second},
			{Trunk: "carrier", CallID: "b-leg", Answered: answered, Talk: 50 * time.Second, Beyond: 32 * time.Second, Joined: true, Refused: 500},
		})
		r := h.record(p.ID)
		if r.Retail != 50_000 || r.Talk != 50*time.Second {
			t.Errorf("50 s at 6p are 5p: %v for %v", r.Retail, r.Talk)
		}
		if r.Cost != 30_000+60_000 || r.CarrierTalk != 83*time.Second {
			t.Errorf("a minute beside it and two minutes at 3p: %v for %v", r.Cost, r.CarrierTalk)
		}
		facts, err := h.money.Facts(t.Context(), store.FactFilter{Call: p.ID, Kind: "leg.unconfirmed"})
		must(t, err)
		if len(facts) != 1 || h.gate.Counts().Unconfirmed["carrier"] != 1 {
			t.Errorf("facts %v, counted %v", facts, h.gate.Counts().Unconfirmed)
		}
		h.square(0)
	})
}

// A cut is repeated until the edge says that the call ended: one that came while the edge did not know the call was lost, and
// the call stayed up for ever.
func TestACutIsRepeated(t *testing.T) {
	b := newBook(t)
	set(t, b, account.LineDayCap, 60_000, false)
	synctest.Test(t, func(t *testing.T) {
		deaf := 5
		h := openTo(t, b, memory.New(), func(h *house) Edge {
			return Edge{Cut: func(id call.ID, why policy.Reason, f policy.Figures) {
				if deaf--; deaf < 0 {
					h.hangUp(id, why, f)
				}
			}}
		})
		defer h.close()
		p, _ := h.admit("2001", "07700 900123")
		h.answer(p)
		time.Sleep(2 * time.Minute)
		if r := h.record(p.ID); r.Reason != "line-day-cap" || r.Retail != 60_000 || h.gate.OpenCalls() != 0 {
			t.Errorf("record %+v", r)
		}
		if n := h.gate.Counts().Cut; n != 1 {
			t.Errorf("counted as %d cuts", n)
		}
	})
}

// clocks are those of a machine and of a store, for a gate in a test.
type clocks struct {
	boot  string
	began time.Time
	skew  time.Duration // of the store's clock against this one
	none  bool
}

func (c *clocks) anchor() call.Anchor {
	if c.none {
		return call.Anchor{}
	}
	return call.Anchor{Boot: c.boot, Uptime: time.Since(c.began), Store: time.Now().Add(c.skew)}
}

// TestTheClockIsSetAcrossARestart: set back, talk time was negative until the clock caught up; set forward, the call was cut.
func TestTheClockIsSetAcrossARestart(t *testing.T) {
	for _, c := range []struct {
		name  string
		shift time.Duration // of the wall clock, while the server is down
		after func(*clocks)
		want  time.Duration // of talk, at the restart after 80 s
	}{
		{"back, same boot", -time.Hour, func(*clocks) {}, 80 * time.Second},
		{"forward, same boot", time.Hour, func(*clocks) {}, 80 * time.Second},
		{"days forward, same boot", 72 * time.Hour, func(*clocks) {}, 80 * time.Second},
		{"back, another machine", -time.Hour, func(c *clocks) { c.boot, c.began = "other", time.Now() }, 80 * time.Second},
		{"forward, another machine", time.Hour, func(c *clocks) { c.boot, c.began = "other", time.Now() }, 80 * time.Second},
		{"back, no other clock", -time.Hour, func(c *clocks) { c.none = true }, 49 * time.Second}, // what the last slice proves
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBook(t)
			synctest.Test(t, func(t *testing.T) {
				m, k := memory.New(), &clocks{boot: "one", began: time.Now()}
				anchored := func(o *Options) { o.Anchor = k.anchor }
				h := open(t, b, m, anchored)
				p, _ := h.admit("2001", "07700 900123")
				h.answer(p)
				time.Sleep(70 * time.Second)
				h.close()
				// The wall clock cannot be set in here: what it said at the answer is moved the other way.
				stored, err := m.OpenCalls(t.Context(), "n1")
				must(t, err)
				was := stored[0]
				was.AnsweredAt, was.Snapshot = was.AnsweredAt.Add(-c.shift), nil
				_, err = m.Apply(t.Context(), []store.Op{{Kind: store.OpUpdate, ID: was.ID, Call: &was}})
				must(t, err)
				time.Sleep(10 * time.Second)
				c.after(k)
				h = open(t, b, m, anchored)
				defer h.close()
				if got := time.Since(h.gate.get(p.ID).Since); got != c.want {
					t.Errorf("it has talked for %v, want %v", got, c.want)
				}
				if got := time.Since(h.gate.Calls()[0].AnsweredAt); got != c.want { // what staff see
					t.Errorf("listed with %v of talk, want %v", got, c.want)
				}
				time.Sleep(time.Minute)
				h.end(p.ID, End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: time.Now()})
				if r := h.record(p.ID); r.Talk != c.want+time.Minute || r.Retail != money.Micro((c.want+time.Minute)/time.Second)*1000 {
					t.Errorf("record: %v for %v", r.Retail, r.Talk)
				}
				h.square(0)
			})
		})
	}
}

// TestACallOfADeadNode: another node meters it on; the node that had it lets go when it returns.
func TestACallOfADeadNode(t *testing.T) {
	b := newBook(t)
	synctest.Test(t, func(t *testing.T) {
		m, k := memory.New(), &clocks{boot: "one", began: time.Now()}
		var mu sync.Mutex
		var forgotten []call.ID
		a := openTo(t, b, m, func(*house) Edge {
			return Edge{Forget: func(ids []call.ID) { mu.Lock(); forgotten = append(forgotten, ids...); mu.Unlock() }}
		}, func(o *Options) { o.Anchor = k.anchor })
		defer a.close()
		p, _ := a.admit("2001", "07700 900123")
		a.answer(p)
		ended, _ := a.admit("2001", "07700 900124")
		a.answer(ended)
		time.Sleep(20 * time.Second)

		other := clocks{boot: "two", began: time.Now(), skew: 0}
		var taken []Recovered
		n := openTo(t, b, m, func(h *house) Edge {
			return Edge{TakeOver: func(calls []Recovered) { taken = calls }, Cut: h.hangUp}
		}, func(o *Options) { o.Node, o.Anchor = "n2", other.anchor })
		defer n.close()
		must(t, m.Renew(t.Context(), "n1", -time.Second)) // its lease is over
		for _, id := range []call.ID{p.ID, ended.ID} {
			expire(t, m, id)
		}
		claimed, err := m.Claim(t.Context(), "n2", time.Minute)
		must(t, err)
		n.gate.Adopt(claimed)
		if len(taken) != 2 || !taken[0].Moved || taken[0].State != call.Answered || string(taken[0].Snapshot) != "dialogs" {
			t.Fatalf("taken over %+v", taken)
		}
		n.end(ended.ID, End{By: call.Callee, Reason: policy.Hangup, Status: 200, At: time.Now()})

		time.Sleep(time.Second)
		must(t, a.gate.Returned(t.Context()))
		mu.Lock()
		lost := slices.Clone(forgotten)
		mu.Unlock()
		if len(lost) != 2 || a.gate.get(p.ID) != nil || a.gate.get(ended.ID) != nil { // one is the other node's, one it has settled
			t.Errorf("the node that returned let go of %v", lost)
		}
		time.Sleep(69 * time.Second) // past the first slice: the new node holds the next
		n.end(p.ID, End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: time.Now()})
		if r := n.record(p.ID); r.Talk != 90*time.Second || r.Retail != 90_000 {
			t.Errorf("record: %v for %v", r.Retail, r.Talk)
		}
		facts, err := m.Facts(t.Context(), store.FactFilter{Call: p.ID, Kind: "call.taken-over"})
		must(t, err)
		if len(facts) != 1 {
			t.Errorf("%d facts say that it was taken over", len(facts))
		}
	})
}

// expire ends the lease of a call, which its node would otherwise have held for a minute.
func expire(t *testing.T, m *memory.Engine, id call.ID) {
	t.Helper()
	open, err := m.OpenCalls(t.Context(), "n1")
	must(t, err)
	for _, c := range open {
		if c.ID == id {
			holds := make([]store.Hold, len(c.Purses))
			for i, p := range c.Purses {
				holds[i] = store.Hold{Purse: p, Cap: money.Max}
			}
			next := call.Open{ID: id, PaidFor: c.PaidFor + 1}
			_, err := m.Apply(t.Context(), []store.Op{{Kind: store.OpExtend, ID: id, Holds: holds, Call: &next, Lease: -time.Second}})
			must(t, err)
		}
	}
}

// TestANodeThatWasAwayBuysNothing: its call is another's; its next slice is refused, and it lets go.
func TestANodeThatWasAwayBuysNothing(t *testing.T) {
	b := newBook(t)
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		forgotten := make(chan call.ID, 1)
		h := openTo(t, b, m, func(*house) Edge { return Edge{Forget: func(ids []call.ID) { forgotten <- ids[0] }} })
		defer h.close()
		p, _ := h.admit("2001", "07700 900123")
		h.answer(p)
		must(t, m.Renew(t.Context(), "n1", -time.Second))
		expire(t, m, p.ID)
		if got, err := m.Claim(t.Context(), "n2", time.Hour); err != nil || len(got) != 1 {
			t.Fatal(got, err)
		}
		if id := <-forgotten; id != p.ID {
			t.Error(id)
		}
		if open, err := m.OpenCalls(t.Context(), "n2"); err != nil || len(open) != 1 || open[0].Held != 60_000 {
			t.Errorf("%+v %v", open, err)
		}
	})
}

// TestTheAuditGivesBackWhatTheEdgeLost: every call in the books has a leg at the edge, or gets it back, or is settled.
func TestTheAuditGivesBackWhatTheEdgeLost(t *testing.T) {
	b := newBook(t)
	synctest.Test(t, func(t *testing.T) {
		lost := map[call.ID]bool{}
		var mu sync.Mutex
		var back []Recovered
		h := openTo(t, b, memory.New(), func(*house) Edge {
			return Edge{
				Audit: func(ids []call.ID, known func(call.ID) bool) (missing []call.ID) {
					mu.Lock()
					defer mu.Unlock()
					for _, id := range ids {
						if !known(id) {
							t.Errorf("%s is not known", id)
						}
						if lost[id] {
							missing = append(missing, id)
						}
					}
					return missing
				},
				TakeOver: func(calls []Recovered) {
					mu.Lock()
					defer mu.Unlock()
					back = append(back, calls...)
					for _, c := range calls {
						delete(lost, c.ID)
					}
				},
			}
		})
		defer h.close()
		kept, _ := h.admit("2001", "07700 900123")
		h.answer(kept)
		gone, _ := h.admit("2001", "07700 900124")
		h.answer(gone)
		ringing, _ := h.admit("2001", "07700 900125") // nothing of it is stored
		mu.Lock()
		lost[gone.ID], lost[ringing.ID] = true, true
		mu.Unlock()
		time.Sleep(45 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if len(back) != 1 || back[0].ID != gone.ID || string(back[0].Snapshot) != "dialogs" {
			t.Errorf("given back: %+v", back)
		}
		if r := h.record(ringing.ID); r.Reason != "fault" || r.Retail != 0 {
			t.Errorf("record %+v", r)
		}
		if h.gate.get(kept.ID) == nil || h.gate.get(gone.ID) == nil {
			t.Error("a call was lost")
		}
	})
}

// TestTalkWhileTheProcessStoodStillIsPaid: the caller's BYE and the meter's look came at once when the process went on. The
// talk beyond what had been paid for was lost although the purses had room for it.
func TestTalkWhileTheProcessStoodStillIsPaid(t *testing.T) {
	for _, c := range []struct {
		name   string
		cap    int64 // µ£
		locked bool
		by     call.Party
		want   time.Duration
	}{
		{"with room", 1_000_000, false, call.Caller, 65 * time.Second},
		{"as far as the purse goes", 62_000, false, call.Callee, 62 * time.Second},
		{"not after a lock", 1_000_000, true, call.Caller, time.Minute},
		{"not when the system ends it", 1_000_000, false, call.System, time.Minute},
	} {
		b := newBook(t)
		set(t, b, account.LineDayCap, c.cap, true)
		synctest.Test(t, func(t *testing.T) {
			h := open(t, b, memory.New())
			defer h.close()
			p, _ := h.admit("2001", "07700 900123")
			h.answer(p)
			time.Sleep(45 * time.Second)
			if c.locked {
				h.lockAs(account.CallsEnd)
			}
			h.end(p.ID, End{By: c.by, Reason: policy.Hangup, Status: 200, At: time.Now().Add(20 * time.Second)})
			if r := h.record(p.ID); r.Talk != c.want || r.Retail != money.Micro(c.want/time.Millisecond) {
				t.Errorf("%s: %v for %v, want %v", c.name, r.Retail, r.Talk, c.want)
			}
			h.square(0)
		})
	}
}

// TestTwoRestartsWithoutAWord: what is charged of a call whose ends have left without a word grew by a slice with each restart.
func TestTwoRestartsWithoutAWord(t *testing.T) {
	for _, heard := range []bool{false, true} {
		b := newBook(t)
		synctest.Test(t, func(t *testing.T) {
			m, k := memory.New(), &clocks{boot: "one", began: time.Now()}
			anchored := func(o *Options) { o.Anchor = k.anchor }
			h := open(t, b, m, anchored)
			p, _ := h.admit("2001", "07700 900123")
			h.answer(p)
			time.Sleep(10 * time.Second)
			h.close()
			time.Sleep(time.Second)
			h = open(t, b, m, anchored)
			if heard {
				time.Sleep(70 * time.Second)
				h.gate.Proved(p.ID)
			} else {
				time.Sleep(70 * time.Second) // the second slice is held, and nobody has said anything
			}
			time.Sleep(time.Second)
			h.close()
			h = open(t, b, m, anchored)
			defer h.close()
			time.Sleep(10 * time.Second)
			h.end(p.ID, End{By: call.System, Reason: policy.PeerGone, Status: 200, At: time.Now()})
			want := 11 * time.Second // how long it was up when it was first taken back
			if heard {
				want = 82 * time.Second // both were there in the second slice, and it was up when it was taken back again
			}
			if r := h.record(p.ID); r.Talk != want {
				t.Errorf("heard %t: charged for %v, want %v", heard, r.Talk, want)
			}
			h.square(0)
		})
	}
}

// TestAByeThatWasRepeatedWhileNobodyWasThere: a phone hung up while the server was away, and its BYE was heard when the server was back. All of
// the time between was charged: in the soak test twelve seconds that were paid for became twenty-five.
func TestAByeThatWasRepeatedWhileNobodyWasThere(t *testing.T) {
	for _, c := range []struct {
		name   string
		away   time.Duration
		doubt  time.Duration
		proved bool
		want   time.Duration
	}{
		{"and the server was away again", 70 * time.Second, 32 * time.Second, false, time.Minute},
		{"it may have been said before", 70 * time.Second, 32 * time.Second, false, time.Minute},
		{"but not as long ago as that", 110 * time.Second, 32 * time.Second, false, 110*time.Second + 20*time.Second - 32*time.Second},
		{"it was said now", 70 * time.Second, 0, false, 90 * time.Second},
		{"both were there since", 70 * time.Second, 0, true, 90 * time.Second},
		{"then the process stood still", 70 * time.Second, 26 * time.Second, true, 64 * time.Second},
		{"within what was paid", 20 * time.Second, 32 * time.Second, false, 30 * time.Second},
		{"within what was paid, and then the process stood still", 20 * time.Second, 8 * time.Second, false, 32 * time.Second},
		{"within what was paid, by one who was there", 20 * time.Second, 0, true, 40 * time.Second},
	} {
		b := newBook(t)
		synctest.Test(t, func(t *testing.T) {
			m, k := memory.New(), &clocks{boot: "one", began: time.Now()}
			anchored := func(o *Options) { o.Anchor = k.anchor }
			h := open(t, b, m, anchored)
			p, _ := h.admit("2001", "07700 900123")
			h.answer(p)
			time.Sleep(10 * time.Second)
			h.close()
			time.Sleep(c.away)
			h = open(t, b, m, anchored)
			defer func() { h.close() }()
			time.Sleep(10 * time.Second)
			if c.proved {
				h.gate.Proved(p.ID)
			}
			end, leg := End{By: call.Callee, Reason: policy.Hangup, Status: 200, At: time.Now(), Doubt: c.doubt}, Leg{Joined: true, Trunk: "carrier", OverAt: time.Now()}
			if strings.Contains(c.name, "away again") {
				h.gate.Ended(p.ID, end)
				time.Sleep(time.Second)
				h.close()
				time.Sleep(10 * time.Second)
				h = open(t, b, m, anchored)
				h.gate.Over(p.ID, []Leg{leg})
			} else {
				h.end(p.ID, end, leg)
			}
			if r := h.record(p.ID); r.Talk != c.want || r.CarrierTalk != c.away+20*time.Second {
				t.Errorf("%s: charged for %v, want %v; the carrier charges for %v", c.name, r.Talk, c.want, r.CarrierTalk)
			}
			h.square(0)
		})
	}
}

// TestTheEndIsWrittenByTheNodeThatHeardIt: while a node stood still another took its calls over. The first one heard the
// caller hang up, or the destination answer and the caller give up, and what it knew was thrown away since the calls were no
// longer its own.
func TestTheEndIsWrittenByTheNodeThatHeardIt(t *testing.T) {
	b := newBook(t)
	synctest.Test(t, func(t *testing.T) {
		m, k := memory.New(), &clocks{boot: "one", began: time.Now()}
		a := open(t, b, m, func(o *Options) { o.Anchor = k.anchor })
		defer a.close()
		p, _ := a.admit("2001", "07700 900123")
		a.answer(p)
		late, _ := a.admit("2001", "07700 900124")
		a.gate.Trying(late.ID, late.Routes[0], "late-leg")
		a.gate.Snapshot(late.ID, []byte("dialogs"))
		time.Sleep(20 * time.Second)
		other := clocks{boot: "two", began: time.Now()}
		var mu sync.Mutex
		var forgotten []call.ID
		n := openTo(t, b, m, func(h *house) Edge {
			return Edge{TakeOver: func([]Recovered) {}, Cut: h.hangUp, Forget: func(ids []call.ID) { mu.Lock(); forgotten = append(forgotten, ids...); mu.Unlock() }}
		}, func(o *Options) { o.Node, o.Anchor = "n2", other.anchor })
		defer n.close()
		for _, id := range []call.ID{p.ID, late.ID} {
			taken, err := m.Take(t.Context(), "n2", time.Minute, id, "", false)
			must(t, err)
			n.gate.Adopt(taken)
		}
		a.end(p.ID, End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: time.Now()}, Leg{Trunk: "carrier", CallID: "b-leg", Joined: true, Answered: time.Now().Add(-20 * time.Second), Talk: 20 * time.Second})
		if err := a.gate.Answered(t.Context(), late.ID, late.Routes[0], []byte("dialogs")); err == nil {
			t.Error("a call of another node was answered")
		}
		a.end(late.ID, End{By: call.System, Reason: policy.StoreUnavailable, Status: 503, At: time.Now()}, Leg{Trunk: "carrier", CallID: "late-leg", Answered: time.Now(), Talk: 3 * time.Second})
		if r := a.record(p.ID); r.Talk != 20*time.Second || r.By != call.Caller || r.Reason != "hangup" {
			t.Errorf("the end is lost: %v by %s, %s", r.Talk, r.By, r.Reason)
		}
		if r := a.record(late.ID); r.Talk != 3*time.Second || r.Retail == 0 {
			t.Errorf("the late answer is lost: %v, %v, %s", r.Talk, r.Retail, r.Reason)
		}
		// That a call was being set up when a node died is no news: what the node that has the call hears is not overwritten.
		asked, _ := a.admit("2001", "07700 900125")
		a.gate.Snapshot(asked.ID, []byte("dialogs"))
		time.Sleep(time.Second)
		taken, err := m.Take(t.Context(), "n2", time.Minute, asked.ID, "", false)
		must(t, err)
		n.gate.Adopt(taken)
		a.end(asked.ID, End{By: call.System, Reason: policy.NodeLost, Status: 500, At: time.Now()})
		time.Sleep(5 * time.Second)
		n.gate.Over(asked.ID, []Leg{{Trunk: "carrier", CallID: "b-leg", Answered: time.Now(), Talk: 7 * time.Second}})
		if r := n.record(asked.ID); r.Talk != 7*time.Second {
			t.Errorf("the node that heard the answer: %v, %s", r.Talk, r.Reason)
		}
		time.Sleep(2 * time.Minute)
		if mu.Lock(); n.gate.get(p.ID) != nil || len(forgotten) == 0 {
			t.Errorf("the other node still has the call: %v", forgotten)
		}
		mu.Unlock()
		a.square(0)
	})
}

// TestAnAnswerAfterTheRecord: the leg is hung up, and its cost is in no record: staff are notified, a bounded number of times a second.
func TestAnAnswerAfterTheRecord(t *testing.T) {
	b := newBook(t)
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		h := open(t, b, m)
		defer h.close()
		for range 100 {
			h.gate.AnsweredAfter("06h2a7m16bewhaefvpens9k1s8", "carrier", "b-leg")
		}
		time.Sleep(time.Second)
		facts, err := m.Facts(t.Context(), store.FactFilter{Call: "06h2a7m16bewhaefvpens9k1s8", Kind: "leg.unconfirmed"})
		must(t, err)
		if len(facts) != eachSecond || h.gate.Counts().Unconfirmed["carrier"] != 100 {
			t.Errorf("%d facts, %v", len(facts), h.gate.Counts().Unconfirmed)
		}
	})
}

// TestTheEarlierEndStands: a node that stood still hung up when it went on; the node that had taken the call over did not know,
// and hung up later. The later end was charged.
func TestTheEarlierEndStands(t *testing.T) {
	b := newBook(t)
	synctest.Test(t, func(t *testing.T) {
		m, k := memory.New(), &clocks{boot: "one", began: time.Now()}
		a := open(t, b, m, func(o *Options) { o.Anchor = k.anchor })
		defer a.close()
		p, _ := a.admit("2001", "07700 900123")
		a.answer(p)
		other := clocks{boot: "two", began: time.Now()}
		n := open(t, b, m, func(o *Options) { o.Node, o.Anchor = "n2", other.anchor })
		defer n.close()
		taken, err := m.Take(t.Context(), "n2", time.Minute, p.ID, "", false)
		must(t, err)
		n.gate.Adopt(taken)
		time.Sleep(20 * time.Second)
		a.gate.Ended(p.ID, End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: time.Now()})
		time.Sleep(10 * time.Second) // the carrier does not confirm
		n.end(p.ID, End{By: call.System, Reason: policy.TooLong, Status: 200, At: time.Now()})
		a.gate.Over(p.ID, nil)
		if r := n.record(p.ID); r.Talk != 20*time.Second || r.Reason != "hangup" || r.Retail != 20_000 {
			t.Errorf("%v for %v, %s", r.Retail, r.Talk, r.Reason)
		}
		time.Sleep(time.Minute)
		n.square(0)
	})
}

// TestANodeThatWakesChangesNoRecord: another node had taken its call over, and was ending it or had ended it, when the first one went on and read
// what waited in its sockets. The instants of its own legs got into the record, which charged for seconds that nobody talked.
func TestANodeThatWakesChangesNoRecord(t *testing.T) {
	b := newBook(t)
	withCost(t, b)
	for _, c := range []struct {
		name    string
		wakes   End
		settled bool // the other node had
		adopted bool // it has noticed that the call is another's, and hears of the end by its Call-ID
	}{
		{name: "the carrier's BYE", wakes: End{By: call.Callee, Reason: policy.Hangup, Status: 200}},
		{name: "the caller's BYE", wakes: End{By: call.Caller, Reason: policy.Hangup, Status: 200}},
		{name: "a cut", wakes: End{By: call.System, Reason: policy.LineDaySpent, Status: 200}},
		{name: "a refresh without an answer", wakes: End{By: call.System, Reason: policy.PeerGone, Status: 200}},
		{name: "a BYE after the record", wakes: End{By: call.Callee, Reason: policy.Hangup, Status: 200}, settled: true},
		{name: "a BYE of a call that is let go", adopted: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, k := memory.New(), &clocks{boot: "one", began: time.Now()}
				a := open(t, b, m, func(o *Options) { o.Anchor = k.anchor })
				defer a.close()
				p, _ := a.admit("2001", "07700 900123")
				a.answer(p)
				answered := time.Now()
				other := clocks{boot: "two", began: time.Now()}
				n := open(t, b, m, func(o *Options) { o.Node, o.Anchor = "n2", other.anchor })
				defer n.close()
				taken, err := m.Take(t.Context(), "n2", time.Minute, p.ID, "", false)
				must(t, err)
				n.gate.Adopt(taken)
				time.Sleep(20 * time.Second)
				leg := Leg{Trunk: "carrier", CallID: "b-leg", Joined: true}
				n.gate.Ended(p.ID, End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: time.Now()})
				leg.OverAt = time.Now().Add(time.Second)
				time.Sleep(3 * time.Second)
				if c.settled {
					n.gate.Over(p.ID, []Leg{leg})
					time.Sleep(time.Second)
				}
				if c.adopted {
					must(t, a.gate.Returned(t.Context()))
					if found, err := a.gate.Seek(p.ID, "", false); found || err == nil {
						t.Errorf("found %t, %v", found, err)
					}
				} else {
					c.wakes.At = time.Now()
					a.gate.Ended(p.ID, c.wakes)
					time.Sleep(time.Second)
					late := Leg{Trunk: "carrier", CallID: "b-leg", Joined: true, Answered: answered, Talk: 23 * time.Second, Beyond: time.Second, OverAt: time.Now()}
					a.gate.Over(p.ID, []Leg{late})
				}
				time.Sleep(5 * time.Second)
				n.gate.Over(p.ID, []Leg{leg})
				if r := n.record(p.ID); r.Talk != 20*time.Second || r.CarrierTalk != 21*time.Second || r.By != call.Caller || r.Reason != "hangup" {
					t.Errorf("talk %v, carrier %v, by %s: %s", r.Talk, r.CarrierTalk, r.By, r.Reason)
				}
				n.square(0)
			})
		})
	}
}

// TestWhatAnotherNodeHeardIsInTheRecord: a node that had stood still heard the answer or the end of a leg of a call that another one was ending, and died
// before all was over. The record had no talk and no cost of the answer, and the carrier's cost of seconds after the end.
func TestWhatAnotherNodeHeardIsInTheRecord(t *testing.T) {
	b := newBook(t)
	withCost(t, b)
	const s = time.Second
	for _, c := range []struct {
		name          string
		cancelled     bool          // the caller had given up before the answer
		away          bool          // the store is, when the node that dies hears it
		talk, carrier time.Duration // in the record
	}{
		{name: "the end of a leg", talk: 20 * s, carrier: 21 * s},
		{name: "while the store is away", away: true, talk: 20 * s, carrier: 21 * s},
		{name: "an answer", cancelled: true, talk: 3 * s, carrier: 4 * s},
		{name: "an answer while the store is away", cancelled: true, away: true, talk: 3 * s, carrier: 4 * s},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, k := &absent{Engine: memory.New()}, &clocks{boot: "one", began: time.Now()}
				a := open(t, b, m, func(o *Options) { o.Anchor = k.anchor })
				p, _ := a.admit("2001", "07700 900123")
				cancelled := End{By: call.Caller, Reason: policy.Cancelled, Status: 487, At: time.Now()}
				if c.cancelled {
					a.gate.Trying(p.ID, p.Routes[0], "b-leg")
					a.gate.Ended(p.ID, cancelled)
				} else {
					a.answer(p)
				}
				answered := time.Now()
				time.Sleep(s)
				other := clocks{boot: "two", began: time.Now()}
				n := open(t, b, m, func(o *Options) { o.Node, o.Anchor = "n2", other.anchor })
				defer n.close()
				taken, err := m.Take(t.Context(), "n2", time.Minute, p.ID, "", true)
				must(t, err)
				n.gate.Adopt(taken)
				time.Sleep(19 * s)
				m.away.Store(c.away)
				leg := Leg{Trunk: "carrier", CallID: "b-leg", Tag: "b"}
				if c.cancelled {
					leg.Answered, leg.Talk = time.Now(), 3*s
					time.Sleep(4 * s)
					leg.OverAt, leg.Beyond = time.Now(), s
				} else {
					n.gate.Ended(p.ID, End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: time.Now()})
					synctest.Wait()
					a.gate.Ended(p.ID, End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: time.Now()})
					leg.Joined, leg.Answered, leg.Talk = true, answered, 20*s
					time.Sleep(s)
					leg.OverAt, leg.Beyond = time.Now(), s
				}
				a.gate.Heard(p.ID, []Leg{leg})
				a.gate.Snapshot(p.ID, []byte("a leg is over"))
				time.Sleep(2 * s)
				m.away.Store(false)
				time.Sleep(2 * s)
				a.close() // it dies
				var legs []Leg
				if !c.cancelled {
					legs = []Leg{{Trunk: "carrier", CallID: "b-leg", Tag: "b", Joined: true, OverAt: time.Now()}}
				}
				n.gate.Over(p.ID, legs)
				if r := n.record(p.ID); r.Talk != c.talk || r.CarrierTalk != c.carrier || r.Retail == 0 || r.Cost == 0 {
					t.Errorf("talk %v for %v, carrier %v for %v: %s", r.Talk, r.Retail, r.CarrierTalk, r.Cost, r.Reason)
				}
				n.square(0)
			})
		})
	}
}

// absent is a store that cannot be asked whose a call is now and then.
type absent struct {
	*memory.Engine
	away atomic.Bool
}

func (m *absent) Take(ctx context.Context, node string, lease time.Duration, id call.ID, leg string, ending bool) ([]call.Open, error) {
	if m.away.Load() {
		return nil, errors.New("the store is away")
	}
	return m.Engine.Take(ctx, node, lease, id, leg, ending)
}

// TestAnAnswerOutlivesTheNodeThatTookItsCallBack: a node that had stood still took its call back for an answer, and died before the leg was over. What it
// knew of the leg had been written for a row that was not its own then, and was in no row.
func TestAnAnswerOutlivesTheNodeThatTookItsCallBack(t *testing.T) {
	b := newBook(t)
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		a, n := open(t, b, m), open(t, b, m, func(o *Options) { o.Node = "n2" })
		defer n.close()
		defer a.close()
		p, _ := a.admit("2001", "07700 900123")
		a.gate.Snapshot(p.ID, []byte("ringing"))
		time.Sleep(time.Second)
		taken, err := m.Take(t.Context(), "n2", time.Minute, p.ID, "", false)
		must(t, err)
		n.gate.Adopt(taken)
		time.Sleep(time.Second)
		a.gate.Ended(p.ID, End{By: call.System, Reason: policy.StoreUnavailable, Status: 503, At: time.Now()})
		a.gate.Snapshot(p.ID, []byte("answered"))
		time.Sleep(time.Second)
		open, err := m.OpenCalls(t.Context(), "")
		must(t, err)
		if len(open) != 1 || open[0].Node != "n1" || string(open[0].Snapshot) != "answered" {
			t.Errorf("%+v", open)
		}
		a.gate.Over(p.ID, nil)
		a.record(p.ID)
	})
}

// TestWhatARowSaidOutlivesWhoTakesItBack: a node that ended a call had stored that the carrier's leg was over, and died. The node that had the call
// before it took it back, stored its own legs in their place, and the record had the carrier's cost of the seconds until that one woke.
func TestWhatARowSaidOutlivesWhoTakesItBack(t *testing.T) {
	b := newBook(t)
	withCost(t, b)
	const s = time.Second
	for _, c := range []struct {
		name  string
		dies  bool // it dies too, before all is over
		claim bool // it finds the call by its lease
	}{
		{name: "it settles the call"},
		{name: "the next node settles it", dies: true},
		{name: "it claims the call", claim: true},
		{name: "it claims the call, and the next node settles it", claim: true, dies: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, k := memory.New(), &clocks{boot: "one", began: time.Now()}
				var answered time.Time
				joined := func(talk time.Duration) []Leg {
					return []Leg{{Trunk: "carrier", CallID: "b-leg", Tag: "b", Joined: true, Answered: answered, Talk: talk, OverAt: answered.Add(talk)}}
				}
				a := openTo(t, b, m, func(*house) Edge {
					return Edge{Legs: func(snapshot []byte) []Leg {
						if string(snapshot) != "of the other node" {
							return nil
						}
						return joined(20 * s)
					}}
				}, func(o *Options) { o.Anchor = k.anchor })
				p, _ := a.admit("2001", "07700 900123")
				a.answer(p)
				answered = time.Now()
				other := clocks{boot: "two", began: time.Now()}
				n := open(t, b, m, func(o *Options) { o.Node, o.Anchor = "n2", other.anchor })
				taken, err := m.Take(t.Context(), "n2", -s, p.ID, "", false)
				must(t, err)
				n.gate.Adopt(taken)
				n.gate.Proved(p.ID)
				time.Sleep(20 * s)
				n.gate.Ended(p.ID, End{By: call.System, Reason: policy.PeerGone, Status: 200, At: time.Now()})
				n.gate.Snapshot(p.ID, []byte("of the other node"))
				time.Sleep(s)
				n.close() // it dies
				must(t, m.Renew(t.Context(), "n2", -s))
				time.Sleep(19 * s)
				end := End{By: call.Callee, Reason: policy.Hangup, Status: 200, At: time.Now()}
				a.gate.Ended(p.ID, end)
				if c.claim {
					claimed, err := m.Claim(t.Context(), "n1", -s)
					must(t, err)
					a.gate.Claimed(claimed, nil)
				}
				a.gate.Snapshot(p.ID, []byte("its own"))
				settles := a
				if c.dies {
					time.Sleep(s)
					a.close()
					must(t, m.Renew(t.Context(), "n1", -s))
					settles = open(t, b, m, func(o *Options) { o.Node, o.Anchor = "n3", other.anchor })
					taken, err := m.Take(t.Context(), "n3", time.Minute, p.ID, "", true)
					must(t, err)
					if len(taken) != 1 || string(taken[0].Snapshot) != "its own" {
						t.Fatalf("%+v", taken)
					}
					settles.gate.Adopt(taken)
				}
				settles.gate.Over(p.ID, joined(40*s))
				if r := settles.record(p.ID); r.Talk != 20*s || r.CarrierTalk != 20*s || r.Reason != "peer-gone" {
					t.Errorf("talk %v, carrier %v: %s", r.Talk, r.CarrierTalk, r.Reason)
				}
				settles.square(0)
				settles.close()
			})
		})
	}
}

// TestANodeThatEndedACallIsHeardOut: it hung up while the store did not answer. Another node took the call over, was told 481 a few seconds later and
// settled the call at once: the record had the carrier's cost of those seconds.
func TestANodeThatEndedACallIsHeardOut(t *testing.T) {
	b := newBook(t)
	withCost(t, b)
	const s = time.Second
	for _, stops := range []bool{false, true} { // the other node does, before it settles the call
		synctest.Test(t, func(t *testing.T) {
			m, k := memory.New(), &clocks{boot: "one", began: time.Now()}
			first := &frozen{Engine: m, goes: make(chan struct{})}
			a := open(t, b, first, func(o *Options) { o.Anchor = k.anchor })
			defer a.close()
			p, _ := a.admit("2001", "07700 900123")
			a.answer(p)
			answered := time.Now()
			joined := func(talk time.Duration) []Leg {
				return []Leg{{Trunk: "carrier", CallID: "b-leg", Tag: "b", Joined: true, Answered: answered, Talk: talk, OverAt: answered.Add(talk)}}
			}
			time.Sleep(20 * s)
			first.stands.Store(true)
			a.end(p.ID, End{By: call.System, Reason: policy.TooLong, Status: 200, At: time.Now()}, joined(20*s)...)
			time.Sleep(2 * s)
			other := clocks{boot: "two", began: time.Now()}
			second := func() *house {
				return open(t, b, m, func(o *Options) { o.Node, o.Anchor, o.Lease = "n2", other.anchor, 5*s })
			}
			n := second()
			defer func() { n.close() }()
			taken, err := m.Take(t.Context(), "n2", time.Minute, p.ID, "", false)
			must(t, err)
			n.gate.Adopt(taken)
			n.end(p.ID, End{By: call.System, Reason: policy.TooLong, Status: 200, At: time.Now()}, joined(22*s)...)
			time.Sleep(s)
			close(first.goes)
			time.Sleep(s)
			if stops {
				n.close()
				n = second()
				n.gate.Over(p.ID, joined(30*s)) // its legs are asked again
			}
			if r := n.record(p.ID); r.Talk != 20*s || r.CarrierTalk != 20*s {
				t.Errorf("talk %v, carrier %v: %s", r.Talk, r.CarrierTalk, r.Reason)
			}
			n.square(0)
		})
	}
}

// TestANodeThatWakesLooksAtNoCall: its timers were due while it stood still, and it cut a call that another node had bought more time for.
func TestANodeThatWakesLooksAtNoCall(t *testing.T) {
	b := newBook(t)
	set(t, b, account.LongestCall, 90, true)
	synctest.Test(t, func(t *testing.T) {
		m := &still{Engine: memory.New(), goes: make(chan struct{})}
		forgotten := make(chan call.ID, 1)
		h := openTo(t, b, m, func(h *house) Edge {
			return Edge{Cut: h.hangUp, Forget: func(ids []call.ID) { forgotten <- ids[0] }}
		})
		defer h.close()
		ctx, end := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { h.led.Leases(ctx, h.gate.Claimed, h.gate.Returned) })
		p, _ := h.admit("2001", "07700 900123")
		h.answer(p)
		time.Sleep(30 * time.Second)
		m.stands.Store(true)
		time.Sleep(21 * time.Second)
		taken, err := m.Take(t.Context(), "n2", time.Hour, p.ID, "", false)
		must(t, err)
		if len(taken) != 1 {
			t.Fatal(taken)
		}
		time.Sleep(44 * time.Second) // it is to be cut for its length now, by the node that has it
		m.stands.Store(false)
		close(m.goes)
		time.Sleep(time.Second)
		if len(forgotten) != 1 || len(h.cuts) != 0 {
			t.Errorf("%d calls were let go, and %d cut", len(forgotten), len(h.cuts))
		}
		end()
		wg.Wait()
	})
}

// TestAProcessThatKnowsLessHidesNothing: the process that had ended a call was killed before it could settle it. A later one of the same node got
// the call again, and what it was told by then took the place of what the first one had stored.
func TestAProcessThatKnowsLessHidesNothing(t *testing.T) {
	b := newBook(t)
	withCost(t, b)
	const s = time.Second
	synctest.Test(t, func(t *testing.T) {
		m, k := memory.New(), &clocks{boot: "one", began: time.Now()}
		anchored := func(o *Options) { o.Anchor = k.anchor }
		first := open(t, b, m, anchored)
		p, _ := first.admit("2001", "07700 900123")
		first.answer(p)
		answered := time.Now()
		time.Sleep(20 * s)
		first.close()
		var last *house
		for i, node := range []string{"n2", "n3", "n2"} {
			last = open(t, b, m, anchored, func(o *Options) { o.Node, o.Lease = node, 5*s })
			taken, err := m.Take(t.Context(), node, -s, p.ID, "", true)
			must(t, err)
			last.gate.Adopt(taken)
			talk := time.Duration(20+10*i) * s
			last.end(p.ID, End{By: call.System, Reason: policy.TooLong, Status: 200, At: answered.Add(talk)},
				Leg{Trunk: "carrier", CallID: "b-leg", Tag: "b", Joined: true, Answered: answered, Talk: talk, OverAt: answered.Add(talk)})
			if i < 2 {
				time.Sleep(s)
				last.close()
				time.Sleep(9 * s)
			}
		}
		defer last.close()
		if r := last.record(p.ID); r.Talk != 20*s || r.CarrierTalk != 20*s {
			t.Errorf("talk %v, carrier %v: %s", r.Talk, r.CarrierTalk, r.Reason)
		}
	})
}

// frozen is a store that does not answer a process that writes to it.
type frozen struct {
	*memory.Engine
	stands atomic.Bool
	goes   chan struct{}
}

func (m *frozen) Apply(ctx context.Context, ops []store.Op) ([]store.Outcome, error) {
	if m.stands.Load() {
		<-m.goes
	}
	return m.Engine.Apply(ctx, ops)
}

// still is a store whose clock does not answer a process that stands still.
type still struct {
	*memory.Engine
	stands atomic.Bool
	goes   chan struct{}
}

func (m *still) Clock(ctx context.Context) (time.Time, error) {
	if m.stands.Load() {
		<-m.goes
	}
	return m.Engine.Clock(ctx)
}

// TestACallThatComesBackIsAsTheOtherNodeLeftIt: a node lost a call without noticing, and claimed it again when the other one had
// died. What it remembered took the place of what the other one had heard.
func TestACallThatComesBackIsAsTheOtherNodeLeftIt(t *testing.T) {
	b := newBook(t)
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		var mu sync.Mutex
		var back []Recovered
		h := openTo(t, b, m, func(*house) Edge {
			return Edge{TakeOver: func(r []Recovered) { mu.Lock(); back = append(back, r...); mu.Unlock() }}
		})
		defer h.close()
		p, _ := h.admit("2001", "07700 900123")
		h.gate.Snapshot(p.ID, []byte("ringing"))
		time.Sleep(time.Second)
		taken, err := m.Take(t.Context(), "n2", -time.Second, p.ID, "", false)
		must(t, err)
		taken[0].Snapshot = []byte("answered elsewhere")
		_, err = m.Apply(t.Context(), []store.Op{{Kind: store.OpUpdate, ID: p.ID, Node: "n2", Call: &taken[0]}})
		must(t, err)
		claimed, err := m.Claim(t.Context(), "n1", time.Minute)
		must(t, err)
		h.gate.Claimed(claimed, nil)
		mu.Lock()
		if len(back) != 1 || string(back[0].Snapshot) != "answered elsewhere" {
			t.Errorf("taken over %+v", back)
		}
		mu.Unlock()
		h.gate.Over(p.ID, nil)
		h.record(p.ID)
	})
}

// deaf is a store whose answers to Take are lost.
type deaf struct{ *memory.Engine }

func (d deaf) Take(ctx context.Context, node string, lease time.Duration, id call.ID, leg string, ending bool) ([]call.Open, error) {
	_, _ = d.Engine.Take(ctx, node, lease, id, leg, ending)
	return nil, errors.New("the connection was lost")
}

// TestACallThatBecameOursUnnoticed: the store gave it to this node, and its answer was lost. Nobody metered it.
func TestACallThatBecameOursUnnoticed(t *testing.T) {
	b := newBook(t)
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		taken := make(chan Recovered, 10)
		h := openTo(t, b, deaf{m}, func(*house) Edge {
			return Edge{TakeOver: func(all []Recovered) {
				for _, r := range all {
					taken <- r
				}
			}}
		})
		defer h.close()
		other := open(t, b, m, func(o *Options) { o.Node = "n2" })
		defer other.close()
		p, _ := other.admit("2001", "07700 900123")
		other.answer(p)
		if found, err := h.gate.Seek(p.ID, "", false); found || err == nil {
			t.Fatal(found, err)
		}
		if r := <-taken; r.ID != p.ID || !r.Moved {
			t.Errorf("%+v", r)
		}
		h.end(p.ID, End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: time.Now()})
		h.record(p.ID)
		h.square(0)
	})
}

// A phone that does not confirm its end holds back no record: it is to be seen as soon as nothing of the call costs any more, with
// the figures that are stored later. What may still change shows none.
func TestARecordIsSeenBeforeThePhoneConfirms(t *testing.T) {
	b := newBook(t)
	withCost(t, b)
	synctest.Test(t, func(t *testing.T) {
		h := open(t, b, memory.New())
		defer h.close()
		p, _ := h.admit("2001", "07700 900123")
		h.answer(p)
		legs := []Leg{{Trunk: "carrier", CallID: "b-leg", Answered: time.Now(), Joined: true, Talk: 20 * time.Second, OverAt: time.Now().Add(20 * time.Second)}}
		h.gate.Priced(p.ID, legs)
		if all := h.gate.Records(); len(all) != 0 {
			t.Errorf("a call that is up has a record: %+v", all)
		}
		time.Sleep(20 * time.Second)
		h.gate.Ended(p.ID, End{By: call.Callee, Reason: policy.Hangup, Status: 200, At: time.Now()})
		if all := h.gate.Records(); len(all) != 0 {
			t.Errorf("a call whose legs may cost yet has a record: %+v", all)
		}
		h.gate.Priced(p.ID, legs)
		h.gate.Priced(p.ID, nil) // a repeat
		all := h.gate.Records()
		if len(all) != 1 || !all[0].Unconfirmed || all[0].Talk != 20*time.Second || all[0].Retail != 20_000 {
			t.Fatalf("%+v", all)
		}
		time.Sleep(30 * time.Second)
		h.gate.Over(p.ID, legs)
		h.gate.Over(p.ID, legs) // a repeat
		r := h.record(p.ID)
		if all[0].Unconfirmed = false; fmt.Sprint(r) != fmt.Sprint(all[0]) {
			t.Errorf("stored\n%+v, seen before\n%+v", r, all[0])
		}
		if all := h.gate.Records(); len(all) != 0 {
			t.Errorf("left: %+v", all)
		}
		h.square(0)
	})
}

// A call is cut while a slice is being bought for what it has talked already. What is bought pays for that, whether it comes before the
// record is seen, before the call is over or after that: the record was seen with a minute and stored with more, or charged for less.
func TestASliceThatComesWhileACutCallEnds(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	for _, c := range []struct {
		name         string
		priced, over time.Duration // after the cut; the slice comes after half a second
		seen         int
	}{
		{"before the record is seen", 600 * ms, 900 * ms, 1},
		{"between that and the end", 200 * ms, 900 * ms, 0},
		{"after the end", 200 * ms, 300 * ms, 0},
	} {
		b := newBook(t)
		synctest.Test(t, func(t *testing.T) {
			m, k := memory.New(), &clocks{boot: "one", began: time.Now()}
			anchored := func(o *Options) { o.Anchor = k.anchor }
			h := open(t, b, m, anchored)
			p, _ := h.admit("2001", "07700 900123")
			h.answer(p)
			time.Sleep(10 * s)
			h.close()
			time.Sleep(60 * s)
			h = openTo(t, b, &slow{m, func() { time.Sleep(1500 * ms) }}, func(*house) Edge { return Edge{Cut: func(call.ID, policy.Reason, policy.Figures) {}} }, anchored)
			defer func() { h.close() }()
			time.Sleep(s)
			h.gate.Cut(p.ID, policy.CutByStaff, policy.Figures{}, "")
			h.gate.Ended(p.ID, End{By: call.System, Reason: policy.CutByStaff, Status: 200, At: time.Now()})
			time.Sleep(c.priced)
			h.gate.Priced(p.ID, nil)
			early := h.gate.Records()
			time.Sleep(c.over - c.priced)
			h.gate.Over(p.ID, nil)
			r := h.record(p.ID)
			if len(early) != c.seen || r.Talk != 71*s || c.seen == 1 && (early[0].Talk != r.Talk || early[0].Retail != r.Retail) {
				t.Errorf("%s: stored %v, %v, seen before %+v", c.name, r.Talk, r.Retail, early)
			}
			h.square(0)
		})
	}
}

// settling is a store that does something before each settlement is written.
type settling struct {
	store.Money
	meanwhile func(call.ID)
}

func (m *settling) Apply(ctx context.Context, ops []store.Op) ([]store.Outcome, error) {
	for _, op := range ops {
		if op.Kind == store.OpSettle {
			m.meanwhile(op.ID)
		}
	}
	return m.Money.Apply(ctx, ops)
}

// A record that was seen early is not lost from sight while it waits for the store, however long that takes.
func TestARecordIsSeenWhileTheStoreIsAway(t *testing.T) {
	b := newBook(t)
	synctest.Test(t, func(t *testing.T) {
		away := make(chan struct{})
		h := open(t, b, &settling{memory.New(), func(call.ID) { <-away }})
		defer h.close()
		p, _ := h.admit("2001", "07700 900123")
		h.answer(p)
		time.Sleep(20 * time.Second)
		h.gate.Ended(p.ID, End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: time.Now()})
		h.gate.Priced(p.ID, nil)
		for _, step := range []func(){func() {}, func() { h.gate.Over(p.ID, nil) }, func() { time.Sleep(time.Minute) }} {
			step()
			if all := h.gate.Records(); len(all) != 1 || all[0].ID != p.ID || all[0].Retail != 20_000 {
				t.Errorf("%+v", all)
			}
		}
		close(away)
		h.record(p.ID)
		if all := h.gate.Records(); len(all) != 0 {
			t.Errorf("stored, and left: %+v", all)
		}
		h.square(0)
	})
}

// Only a carrier can charge: the legs of phones add nothing to what it may charge for.
func TestPhonesAreNoCarriers(t *testing.T) {
	b := newBook(t)
	synctest.Test(t, func(t *testing.T) {
		h := open(t, b, memory.New())
		defer h.close()
		p, _ := h.admit("2001", "020 7946 0102")
		h.answer(p)
		answered := time.Now()
		time.Sleep(20 * time.Second)
		h.end(p.ID, End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: time.Now()},
			Leg{CallID: "b-leg", Answered: answered, Joined: true, Talk: 20 * time.Second, Beyond: 32 * time.Second})
		if r := h.record(p.ID); r.Talk != 20*time.Second || r.CarrierTalk != 0 || r.Cost != 0 {
			t.Errorf("%+v", r)
		}
	})
}
