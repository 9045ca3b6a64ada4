package gate

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/flow/ledger"
	"ringfence/state/store"
	"ringfence/state/store/memory"
)

// deckCSV prices what the tests call. Per second throughout, so that figures can be worked out by hand.
const deckCSV = `Destination,Prefix,Peak,Off-peak,Weekend,Connection charge,First Interval,Sub Interval
UK geographic,442,0.012,0.012,0.012,0,1,1
UK mobile,447,0.06,0.06,0.06,0,1,1
UK freephone,44800,0,0,0,0,1,1
UK premium,449,1.50,1.50,1.50,0,60,60
France,33,0.015,0.015,0.015,0,1,1
Cuba,53,0.90,0.90,0.90,0,60,60
Latvia,371,0.30,0.30,0.30,0.10,30,6
`

// house is a gate over a real book and an in-memory purse.
type house struct {
	wrote func() // called when the ledger has written; nil: nobody wants to know
	t     testing.TB
	book  *book.Book
	money store.Money
	led   *ledger.Ledger
	gate  *Gate
	cuts  chan call.ID
}

func newBook(t testing.TB) *book.Book {
	t.Helper()
	ctx := context.Background()
	key, err := secret.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	box, err := secret.NewBox([]secret.Key{key})
	if err != nil {
		t.Fatal(err)
	}
	b, err := book.Open(ctx, &booktest.Store{}, book.Options{Plan: phone.UK(), Provider: account.Settings{}, Zone: "Europe/London", Tariff: "retail", Box: box, Realm: "test", Identify: booktest.Plain})
	if err != nil {
		t.Fatal(err)
	}
	must(t, func() error { _, err := b.AddCustomer(ctx, "test", "acme", book.CustomerEdit{}); return err }())
	for i, id := range []string{"2001", "2002"} {
		number := fmt.Sprintf("0207946010%d", i+1)
		_, _, err := b.AddLine(ctx, "test", book.NewLine{ID: id, Customer: "acme", Edit: book.LineEdit{Number: &number}})
		must(t, err)
	}
	addr, emergency := []string{"127.0.0.1:5090"}, true
	_, err = b.AddTrunk(ctx, "test", "carrier", book.TrunkEdit{Addresses: &addr})
	must(t, err)
	_, err = b.AddTrunk(ctx, "test", "lifeline", book.TrunkEdit{Addresses: &addr, Emergency: &emergency})
	must(t, err)
	_, err = b.Import(ctx, "test", []byte(deckCSV), book.ImportOptions{Name: "retail", Kind: rating.Retail})
	must(t, err)
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open builds the stages over a book; call it inside the bubble when time is virtual.
func open(t testing.TB, b *book.Book, m store.Money, change ...func(*Options)) *house {
	t.Helper()
	return openTo(t, b, m, nil, change...)
}

// openTo is open with an edge of the test's own.
func openTo(t testing.TB, b *book.Book, m store.Money, edge func(h *house) Edge, change ...func(*Options)) *house {
	t.Helper()
	h := &house{t: t, book: b, money: m, cuts: make(chan call.ID, 1000)}
	o := Options{Node: "n1", Plan: b.Plan(), Book: b}
	for _, f := range change {
		f(&o)
	}
	h.led = ledger.New(m, ledger.Options{Node: o.Node, Gather: -1, Linger: -1, Wrote: func() {
		if h.wrote != nil {
			h.wrote()
		}
	}}) // figures to the second
	h.led.Start()
	o.Ledger = h.led
	var err error
	h.gate, err = New(o)
	must(t, err)
	if edge == nil {
		edge = func(h *house) Edge { return Edge{Cut: h.hangUp} }
	}
	h.gate.Serve(edge(h))
	must(t, h.gate.Start(context.Background(), m))
	h.gate.Run()
	return h
}

// hangUp is an edge that obeys at once.
func (h *house) hangUp(id call.ID, _ policy.Reason, _ policy.Figures) {
	h.end(id, End{By: call.System, Reason: policy.Hangup, Status: 200, At: time.Now()})
	h.cuts <- id
}

// end is what an edge says of a call whose legs confirm their end at once.
func (h *house) end(id call.ID, e End, legs ...Leg) {
	h.gate.Ended(id, e)
	h.gate.Over(id, legs)
}

func (h *house) close() {
	h.gate.Stop()
	must(h.t, h.led.Stop(context.Background()))
}

func (h *house) admit(line, to string) (*Plan, policy.Reason) {
	h.t.Helper()
	p, err := h.gate.Admit(context.Background(), Attempt{Line: line, Dialled: to, Source: phoneAt, ALeg: "a-leg"})
	var r *Refusal
	switch {
	case err == nil:
		return p, policy.OK
	case errors.As(err, &r):
		return nil, r.Reason
	}
	h.t.Fatalf("Admit: %v is no refusal", err)
	return nil, 0
}

func (h *house) answer(p *Plan) {
	h.t.Helper()
	h.gate.Trying(p.ID, p.Routes[0], "b-leg")
	h.gate.Ringing(p.ID)
	must(h.t, h.gate.Answered(context.Background(), p.ID, p.Routes[0], []byte("dialogs")))
}

// record waits for the call's one record.
func (h *house) record(id call.ID) call.CDR {
	h.t.Helper()
	for wait := time.Millisecond; wait < 9*time.Second; wait += wait / 8 { // some 70 s: a call of another node waits for a lease
		if r, err := h.money.CDR(context.Background(), id); err == nil {
			return r
		}
		time.Sleep(wait)
	}
	h.t.Fatalf("call %s left no record", id)
	return call.CDR{}
}

// square fails unless the money adds up and nothing is held.
func (h *house) square(held money.Micro) {
	h.t.Helper()
	faults, err := h.money.Check(context.Background())
	must(h.t, err)
	if len(faults) > 0 {
		h.t.Fatalf("the money does not add up: %v", faults)
	}
	for _, p := range h.purses() {
		if p.Held != held {
			h.t.Fatalf("%s holds %v, want %v", p.ID, p.Held, held)
		}
	}
}

func (h *house) purses() []store.Purse {
	h.t.Helper()
	l, _ := h.book.Line("2001")
	ids := engine.PurseIDs("2001", "acme", l.Zone(), time.Now())
	p, err := h.money.Purses(context.Background(), ids[:])
	must(h.t, err)
	return p
}

var phoneAt = netip.MustParseAddrPort("192.0.2.7:5060")

func set(t testing.TB, b *book.Book, f account.Field, n int64, grant bool) {
	t.Helper()
	must(t, b.Set(context.Background(), "test", account.LevelLine, "2001", book.Setting{Field: f, N: n, Grant: grant}))
}

func TestEveryRefusalHasItsReason(t *testing.T) {
	for _, c := range []struct {
		name, to string
		prepare  func(*testing.T, *book.Book)
		want     policy.Reason
	}{
		{"a plain call", "020 7946 0000", nil, policy.OK},
		{"freephone", "0800 1111", nil, policy.OK},
		{"a hidden prefix", "981046500729221", nil, policy.NumberInvalid},
		{"premium", "0909 879 0123", nil, policy.PremiumBarred},
		{"dear abroad", "00 53 7 1234567", nil, policy.OverInternational},
		{"cheap abroad", "0033 1 42 68 53 00", nil, policy.OK},
		{"no price", "0049 30 123456", nil, policy.Unpriced},
		{"national over a lowered ceiling", "07700 900123", func(t *testing.T, b *book.Book) {
			set(t, b, account.NationalCeiling, int64(5*money.PencePerMinute), false)
		}, policy.OverNational},
		{"free only, freephone", "0800 1111", func(t *testing.T, b *book.Book) { set(t, b, account.NationalCeiling, 0, false) }, policy.OK},
		{"free only, geographic", "02079460000", func(t *testing.T, b *book.Book) { set(t, b, account.NationalCeiling, 0, false) }, policy.OverNational},
		{"locked", "02079460000", lock, policy.LineLocked},
		{"locked, emergency", "999", lock, policy.OK},
		{"no money at all", "02079460000", func(t *testing.T, b *book.Book) { set(t, b, account.LineDayCap, 0, false) }, policy.LineDaySpent},
		{"no money, freephone", "0800 1111", func(t *testing.T, b *book.Book) { set(t, b, account.LineDayCap, 0, false) }, policy.OK},
		{"no money, emergency", "112", func(t *testing.T, b *book.Book) { set(t, b, account.LineDayCap, 0, false) }, policy.OK},
		{"no calls", "02079460000", func(t *testing.T, b *book.Book) { set(t, b, account.MaxCalls, 0, false) }, policy.TooManyCalls},
		{"none abroad", "0033 1 42 68 53 00", func(t *testing.T, b *book.Book) { set(t, b, account.MaxInternational, 0, false) }, policy.TooManyInternational},
		{"a wrong address", "02079460000", nets, policy.AddressLocked},
		{"another line", "020 7946 0102", nil, policy.OK},
		{"withheld", "141 020 7946 0000", nil, policy.OK},
		{"withheld, premium", "141 0909 879 0123", nil, policy.PremiumBarred},
		{"text relay, dear abroad", "18001 00 53 7 1234567", nil, policy.OverInternational},
		{"by another carrier, no price", "1280 0049 30 123456", nil, policy.Unpriced},
		{"withheld, locked, emergency", "141999#", lock, policy.OK},
		{"text relay, locked, emergency", "18001 112", lock, policy.OK},
		{"a service that there is not", "1471", nil, policy.NoService},
		{"a service that there is not, locked", "1477", lock, policy.LineLocked},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBook(t)
			if c.prepare != nil {
				c.prepare(t, b)
			}
			h := open(t, b, memory.New())
			defer h.close()
			p, got := h.admit("2001", c.to)
			if got != c.want {
				t.Fatalf("%s: %v, want %v", c.to, got, c.want)
			}
			x := h.gate.Explain(Question{Line: "2001", Dialled: c.to, Source: phoneAt.Addr(), At: time.Now()})
			if got == policy.OK && !x.Verdict.Allowed() {
				t.Errorf("Explain refuses with %v what Admit allowed", x.Verdict.Reason)
			}
			if p != nil {
				h.end(p.ID, End{By: call.Caller, Reason: policy.Cancelled, Status: 487})
				h.record(p.ID)
			}
			h.square(0)
		})
	}
}

func lock(t *testing.T, b *book.Book) {
	_, err := b.Lock(context.Background(), "test", "2001", "stolen", account.CallsEnd)
	must(t, err)
}

func nets(t *testing.T, b *book.Book) {
	only := []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	_, err := b.EditLine(context.Background(), "test", "2001", book.LineEdit{Nets: &only})
	must(t, err)
}

func TestACallIsBilledToTheMicroUnit(t *testing.T) {
	b := newBook(t)
	synctest.Test(t, func(t *testing.T) {
		h := open(t, b, memory.New())
		defer h.close()
		p, why := h.admit("2001", "020 7946 0000")
		if why != policy.OK || p.Present != "442079460101" || len(p.Routes) != 2 {
			t.Fatalf("plan %+v, %v", p, why)
		}
		h.square(12_000) // a slice of 60 s at 1.2p a minute
		time.Sleep(3 * time.Second)
		h.answer(p)
		time.Sleep(95*time.Second + 500*time.Millisecond)
		h.end(p.ID, End{By: call.Callee, Reason: policy.Hangup, Status: 200, At: time.Now()})
		r := h.record(p.ID)
		// 95.5 s are 96 begun seconds: 96 × 1.2p / 60 = 1.92p.
		if r.Retail != 19_200 || r.Talk != 95*time.Second+500*time.Millisecond || r.By != call.Callee || r.Reason != "hangup" || r.BLeg != "b-leg" {
			t.Fatalf("record %+v", r)
		}
		h.square(0)
		for _, p := range h.purses() {
			if p.Spent != 19_200 {
				t.Errorf("%s spent %v", p.ID, p.Spent)
			}
		}
	})
}

func TestACallIsCutWhereItsMoneyEnds(t *testing.T) {
	b := newBook(t)
	set(t, b, account.LineDayCap, 100_000, false) // 10p at 6p a minute: 100 seconds
	synctest.Test(t, func(t *testing.T) {
		h := open(t, b, memory.New())
		defer h.close()
		p, _ := h.admit("2001", "07700 900123")
		h.answer(p)
		began := time.Now()
		if id := <-h.cuts; id != p.ID {
			t.Fatal("another call was cut")
		}
		if d := time.Since(began); d != 100*time.Second {
			t.Errorf("cut after %v, want 100s", d)
		}
		r := h.record(p.ID)
		if r.Retail != 100_000 || r.Reason != "line-day-cap" || r.By != call.System {
			t.Errorf("record %+v", r)
		}
		h.square(0)
		if _, why := h.admit("2001", "07700 900123"); why != policy.LineDaySpent {
			t.Errorf("after the cap: %v", why)
		}
	})
}

// TestMoneyThatComesBackIsUsed: a call that was told "no more" goes on when another call gives money back before the end.
func TestMoneyThatComesBackIsUsed(t *testing.T) {
	b := newBook(t)
	set(t, b, account.LineDayCap, 100_000, false)
	synctest.Test(t, func(t *testing.T) {
		h := open(t, b, memory.New())
		defer h.close()
		first, _ := h.admit("2001", "07700 900123")  // holds 60 s: 6p
		second, _ := h.admit("2001", "07700 900124") // holds what is left: 4p, 40 s
		h.answer(first)
		h.answer(second)
		time.Sleep(35 * time.Second)
		h.end(first.ID, End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: time.Now()}) // 3.5p: 2.5p come back
		began := time.Now()
		<-h.cuts
		if d := time.Since(began); d != 30*time.Second {
			t.Errorf("the second call went on for %v, want 30s: 65 s are 6.5p", d)
		}
		if r := h.record(second.ID); r.Retail != 65_000 {
			t.Errorf("retail %v", r.Retail)
		}
		h.square(0)
	})
}

func TestTheLongestCallIsCut(t *testing.T) {
	b := newBook(t)
	set(t, b, account.LongestCall, 600, false)
	synctest.Test(t, func(t *testing.T) {
		h := open(t, b, memory.New())
		defer h.close()
		for _, to := range []string{"0800 1111", "02079460000"} {
			p, _ := h.admit("2001", to)
			h.answer(p)
			began := time.Now()
			<-h.cuts
			if d := time.Since(began); d != 10*time.Minute {
				t.Errorf("%s: cut after %v", to, d)
			}
			if r := h.record(p.ID); r.Reason != "longest-call" {
				t.Errorf("%s: reason %s", to, r.Reason)
			}
		}
		h.square(0)
	})
}

func TestALockCutsItsCallsButNotTheEmergency(t *testing.T) {
	b := newBook(t)
	h := open(t, b, memory.New())
	defer h.close()
	paid, _ := h.admit("2001", "02079460000")
	help, _ := h.admit("2001", "999")
	h.answer(paid)
	h.answer(help)
	if r := h.gate.Running(); len(r) != 1 || r[0].ID != paid.ID || r[0].Snapshot != nil {
		t.Errorf("running and costing: %+v", r)
	}
	if n := h.gate.CutLine("2001", policy.CutLocked); n != 1 {
		t.Fatalf("%d calls cut", n)
	}
	if r := h.record(paid.ID); r.Reason != "cut-line-locked" {
		t.Errorf("reason %s", r.Reason)
	}
	if h.gate.OpenCalls() != 1 {
		t.Errorf("%d calls open, want the emergency call", h.gate.OpenCalls())
	}
}

// lockMeanwhile is a purse that takes its time: the line is locked while it writes.
type lockMeanwhile struct {
	store.Money
	lock func()
}

func (m *lockMeanwhile) Apply(ctx context.Context, ops []store.Op) ([]store.Outcome, error) {
	out, err := m.Money.Apply(ctx, ops)
	m.lock()
	return out, err
}

// TestALockDuringAdmission: a call that was judged before its line was locked, and let through after, is cut like those
// that were up. An emergency call is not.
func TestALockDuringAdmission(t *testing.T) {
	for to, cut := range map[string]bool{"02079460000": true, "999": false} {
		b := newBook(t)
		var once sync.Once
		m := &lockMeanwhile{memory.New(), func() { once.Do(func() { lock(t, b) }) }}
		h := open(t, b, m)
		b.OnChange(h.gate.Follow)
		p, _ := h.admit("2001", to)
		if left := h.gate.get(p.ID) != nil; left == cut {
			t.Errorf("%s: up %t", to, left)
		}
		h.close()
	}
}

// TestRacingAttemptsNeverPassACap: cgrates granted five calls on the money of one; two engines lost a third of debits.
func TestRacingAttemptsNeverPassACap(t *testing.T) {
	b := newBook(t)
	set(t, b, account.LineDayCap, 1_000_000, false)
	set(t, b, account.MaxCalls, 10_000, true)
	set(t, b, account.CallsPerMinute, 10_000, true)
	h := open(t, b, memory.New())
	defer h.close()
	var let atomic.Int64
	var plans sync.Map
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 20 {
				if p, why := h.admit("2001", "07700 900123"); why == policy.OK {
					let.Add(1)
					plans.Store(p.ID, p)
				}
			}
		})
	}
	wg.Wait()
	for _, p := range h.purses() {
		if p.Spent+p.Held > 1_000_000 {
			t.Fatalf("%s: %v passes the cap", p.ID, p.Spent+p.Held)
		}
	}
	// £1 at 6p for a slice: sixteen whole slices, and one call with the 4p that are left.
	if let.Load() < 16 {
		t.Errorf("only %d calls let out", let.Load())
	}
	plans.Range(func(id, _ any) bool {
		wg.Go(func() { h.end(id.(call.ID), End{By: call.Caller, Reason: policy.Cancelled, Status: 487}) })
		wg.Go(func() { h.end(id.(call.ID), End{By: call.Caller, Reason: policy.Cancelled, Status: 487}) })
		return true
	})
	wg.Wait()
	plans.Range(func(id, _ any) bool { h.record(id.(call.ID)); return true })
	h.square(0)
}

func TestTheSliceIsCutToTheMoneyLeft(t *testing.T) {
	b := newBook(t)
	set(t, b, account.InternationalCeiling, int64(100*money.PencePerMinute), true)
	set(t, b, account.LineDayCap, 250_000, false)
	synctest.Test(t, func(t *testing.T) {
		h := open(t, b, memory.New())
		defer h.close()
		// Latvia: 10p to connect, 30p a minute, 30/6. 25p pay for 30 s: 10 + 15.
		p, why := h.admit("2001", "00371 67 123456")
		if why != policy.OK {
			t.Fatal(why)
		}
		h.answer(p)
		began := time.Now()
		<-h.cuts
		if d := time.Since(began); d != 30*time.Second {
			t.Errorf("cut after %v", d)
		}
		if r := h.record(p.ID); r.Retail != 250_000 {
			t.Errorf("retail %v", r.Retail)
		}
		// Cuba is 90p for its first minute: more than there ever was.
		if _, why := h.admit("2001", "0053 7 1234567"); why != policy.LineDaySpent {
			t.Error(why)
		}
		h.square(0)
	})
}

func TestCallsOutliveARestart(t *testing.T) {
	b := newBook(t)
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		h := open(t, b, m)
		up, _ := h.admit("2001", "07700 900123")
		h.answer(up)
		ringing, _ := h.admit("2001", "07700 900124")
		time.Sleep(20 * time.Second)
		h.close() // what was not said to the store is lost from here on

		h = open(t, b, m)
		defer h.close()
		back := h.gate.Recovered()
		if len(back) != 2 {
			t.Fatalf("recovered %+v", back)
		}
		for _, r := range back {
			if r.ID == up.ID && (r.State != call.Answered || string(r.Snapshot) != "dialogs") || r.ID == ringing.ID && r.State != call.Setup {
				t.Errorf("recovered %+v", r)
			}
		}
		h.gate.Over(ringing.ID, nil) // the edge has seen its transactions out
		if n := h.gate.counts.Open(openKey("2001")); n != 1 {
			t.Errorf("%d calls counted open", n)
		}
		time.Sleep(70 * time.Second) // past the first slice: the meter goes on
		h.end(up.ID, End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: time.Now()})
		if r := h.record(up.ID); r.Retail != 90_000 || r.Talk != 90*time.Second {
			t.Errorf("90 s at 6p are 9p: %v for %v", r.Retail, r.Talk)
		}
		if r := h.record(ringing.ID); r.Reason != "node-lost" || r.Retail != 0 {
			t.Errorf("the call in setup: %+v", r)
		}
		h.square(0)
	})
}

// TestALateEndCostsNoMoreThanWasHeld: the paid time ended while the server was away. With no more money the call is cut at
// once, and costs what was held. A call whose ends are found gone costs no more either, although the purses have room.
func TestALateEndCostsNoMoreThanWasHeld(t *testing.T) {
	for _, room := range []bool{false, true} {
		b := newBook(t)
		if !room {
			set(t, b, account.LineDayCap, 60_000, false)
		}
		synctest.Test(t, func(t *testing.T) {
			m := memory.New()
			h := open(t, b, m)
			p, _ := h.admit("2001", "07700 900123")
			h.answer(p)
			h.close()
			time.Sleep(time.Hour)
			h = open(t, b, m)
			defer h.close()
			want := "line-day-cap"
			if room {
				time.Sleep(10 * time.Second)
				h.end(p.ID, End{By: call.System, Reason: policy.PeerGone, Status: 200, At: time.Now()})
				want = "peer-gone"
			} else {
				<-h.cuts
			}
			if r := h.record(p.ID); r.Retail != 60_000 || r.Reason != want {
				t.Errorf("room %t: %v, %s, want the slice of 6p, %s", room, r.Retail, r.Reason, want)
			}
			h.square(0)
		})
	}
}

// TestATalkPastThePaidTimeIsPaidAsFarAsThePursesGo: the program stood still while the call talked on. It was charged what was held
// before although the purses had room for more.
func TestATalkPastThePaidTimeIsPaidAsFarAsThePursesGo(t *testing.T) {
	b := newBook(t)
	set(t, b, account.LineDayCap, 90_000, false)
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		h := open(t, b, m)
		p, _ := h.admit("2001", "07700 900123")
		h.answer(p)
		h.close()
		time.Sleep(time.Hour)
		h = open(t, b, m)
		defer h.close()
		<-h.cuts
		if r := h.record(p.ID); r.Retail != 90_000 || r.Talk != 90*time.Second || r.Reason != "line-day-cap" {
			t.Errorf("%v for %v, %s, want the cap of 9p for 90 s", r.Retail, r.Talk, r.Reason)
		}
		h.square(0)
	})
}

func TestInboundRingsTheLineOfTheNumber(t *testing.T) {
	b := newBook(t)
	h := open(t, b, memory.New())
	defer h.close()
	in := func(to string) (*Plan, error) {
		return h.gate.Admit(context.Background(), Attempt{Trunk: "carrier", Dialled: to, Source: phoneAt})
	}
	lock(t, b) // a lock closes the way out, never the way in
	p, err := in("+442079460101")
	if err != nil || p.Routes[0].Line != "2001" {
		t.Fatalf("%+v %v", p, err)
	}
	h.answer(p)
	h.end(p.ID, End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: time.Now()})
	if r := h.record(p.ID); r.Direction != call.In || r.Retail != 0 || r.Line != "2001" || r.Peer != "carrier" {
		t.Errorf("record %+v", r)
	}
	// A code is a line's to dial: a carrier's caller who withholds the number is not presented by one.
	if p, err := in("1470+442079460101"); err != nil || p.Show != phone.AsSet || p.Number != "+442079460101" {
		t.Errorf("behind 1470: %+v %v", p, err)
	}
	var r *Refusal
	if _, err := in("+442079469999"); !errors.As(err, &r) || r.Reason != policy.NoSuchLine {
		t.Errorf("a number of nobody: %v", err)
	}
}

func TestOnlyEmergencyPassesFromAWrongAddressOrWhileStopping(t *testing.T) {
	b := newBook(t)
	h := open(t, b, memory.New())
	defer h.close()
	try := func(to string, restricted bool) policy.Reason {
		p, err := h.gate.Admit(context.Background(), Attempt{Line: "2001", Dialled: to, Source: phoneAt, Restricted: restricted})
		if r := (*Refusal)(nil); errors.As(err, &r) {
			return r.Reason
		}
		if p.Routes[0].Trunk != "lifeline" {
			t.Errorf("%s goes by %s first", to, p.Routes[0].Trunk)
		}
		return policy.OK
	}
	if why := try("02079460000", true); why != policy.AddressLocked {
		t.Error(why)
	}
	if why := try("999", true); why != policy.OK {
		t.Error(why)
	}
	h.gate.Drain()
	if why := try("02079460000", false); why != policy.Stopping {
		t.Error(why)
	}
	if why := try("112", false); why != policy.OK {
		t.Error(why)
	}
}

// TestANumberLocalToElsewhereIsNotGuessed: digits with another country's phone-context (RFC 3966) are no UK number.
func TestANumberLocalToElsewhereIsNotGuessed(t *testing.T) {
	h := open(t, newBook(t), memory.New())
	defer h.close()
	for _, c := range []struct {
		digits, context string
		want            policy.Reason
	}{
		{"07700900123", "+44", policy.OK},
		{"7700900123", "+44", policy.OK},
		{"2079460000", "+44", policy.OK},
		{"79460000", "+4420", policy.OK},
		{"460000", "+44", policy.NumberInvalid},
		{"02079460000", "+4420", policy.NumberInvalid},
		{"07700900123", "+1", policy.NumberInvalid},
		{"07700900123", "example.com", policy.NumberInvalid},
		{"999", "+1", policy.OK},
	} {
		p, err := h.gate.Admit(context.Background(), Attempt{Line: "2001", Dialled: c.digits, Context: c.context, Source: phoneAt})
		got := policy.OK
		if r := (*Refusal)(nil); errors.As(err, &r) {
			got = r.Reason
		}
		if got != c.want {
			t.Errorf("%s in %s: %v, want %v", c.digits, c.context, got, c.want)
		}
		if p != nil {
			h.end(p.ID, End{By: call.Caller, Reason: policy.Cancelled, Status: 487})
		}
	}
}

// Codes before a number say how it is called; the books, prices and limits know the number alone.
func TestCodesBeforeANumber(t *testing.T) {
	h := open(t, newBook(t), memory.New())
	defer h.close()
	for _, c := range []struct {
		to, number string
		show       phone.Show
		user, line string
	}{
		{"141 020 7946 0000", "+442079460000", phone.Withhold, "+442079460000", ""},
		{"1470 0800 1111", "+448001111", phone.Present, "+448001111", ""},
		{"1280 07700 900123", "+447700900123", phone.AsSet, "+447700900123", ""},
		{"18001 020 7946 0000", "+442079460000", phone.AsSet, "1800102079460000", ""},
		{"141 18002 +33 1 42 68 53 00", "+33142685300", phone.Withhold, "180020033142685300", ""},
		{"18001 999", "999", phone.AsSet, "18000", ""},
		{"141112#", "112", phone.AsSet, "112", ""},
		{"141 020 7946 0102", "+442079460102", phone.Withhold, "", "2002"},
		{"18001 020 7946 0102", "+442079460102", phone.AsSet, "1800102079460102", ""}, // the relay is the carrier's
	} {
		p, why := h.admit("2001", c.to)
		if why != policy.OK {
			t.Errorf("%s: %v", c.to, why)
			continue
		}
		if w := p.Routes[0]; p.Number != c.number || p.Show != c.show || w.User != c.user || account.Handle(w.Line) != c.line {
			t.Errorf("%s: %+v", c.to, p)
		}
		for _, open := range h.gate.Calls() {
			if open.ID == p.ID && (open.Number != c.number || open.Dialled != c.to) {
				t.Errorf("%s: %+v", c.to, open)
			}
		}
		h.end(p.ID, End{By: call.Caller, Reason: policy.Cancelled, Status: 487})
	}
}

// A number that nobody has been given: refused where its holder would earn by the call, and connected with a word about it
// elsewhere. The table is asked as it is at the time of the call.
func TestNumbersThatNobodyHas(t *testing.T) {
	m := memory.New()
	fresh := true
	h := open(t, newBook(t), m, func(o *Options) {
		o.Block = func(n phone.Number, _ time.Time) phone.Block {
			if !fresh {
				return phone.BlockUnknown
			}
			return phone.BlockFree
		}
	})
	for _, c := range []struct {
		to   string
		want policy.Reason
	}{
		{"0871 123 4567", policy.NumberUnallocated},
		{"141 0871 123 4567", policy.NumberUnallocated},
		{"0909 879 0123", policy.NumberUnallocated},
		{"07700 900123", policy.OK},
		{"020 7946 0000", policy.OK},
		{"0800 1111", policy.OK},
		{"020 7946 0102", policy.OK}, // a line of ours: somebody has it
		{"999", policy.OK},
		{"0033 1 42 68 53 00", policy.OK}, // the table is of numbers at home
	} {
		p, why := h.admit("2001", c.to)
		if why != c.want {
			t.Errorf("%s: %v, want %v", c.to, why, c.want)
		}
		if p != nil {
			h.end(p.ID, End{By: call.Caller, Reason: policy.Cancelled, Status: 487})
		}
		if x := h.gate.Explain(Question{Line: "2001", Dialled: c.to, Source: phoneAt.Addr(), At: time.Now()}); x.Verdict.Reason != c.want {
			t.Errorf("%s: explained as %v, want %v", c.to, x.Verdict.Reason, c.want)
		}
	}
	fresh = false
	if _, why := h.admit("2001", "0909 879 0123"); why != policy.PremiumBarred {
		t.Errorf("without a table: %v", why)
	}
	h.close() // and everything is written
	facts, err := m.Facts(t.Context(), store.FactFilter{Kind: "call.unallocated", Limit: 100})
	must(t, err)
	var told []string
	for _, f := range facts {
		told = append(told, string(f.Body))
	}
	if len(told) != 3 || !strings.Contains(told[0], "+447700900123") {
		t.Errorf("told of %q", told)
	}
}

// A withheld number is shown to nobody, and the journal keeps it: that of a nuisance call is evidence.
func TestTheJournalKeepsAWithheldNumber(t *testing.T) {
	m := memory.New()
	h := open(t, newBook(t), m)
	a := Attempt{Line: "2001", Dialled: "07700 900123", Source: phoneAt, Caller: "+442079460001", Withheld: true}
	p, err := h.gate.Admit(t.Context(), a)
	must(t, err)
	h.end(p.ID, End{By: call.Caller, Reason: policy.Cancelled, Status: 487})
	h.close()
	facts, err := m.Facts(t.Context(), store.FactFilter{Kind: "call.admitted", Limit: 10})
	must(t, err)
	if len(facts) != 1 || !strings.Contains(string(facts[0].Body), `"caller":"+442079460001","withheld":true`) {
		t.Errorf("%+v", facts)
	}
}

// TestFiguresAfterACapWasLowered: the refusal says what is really used, not the cap.
func TestFiguresAfterACapWasLowered(t *testing.T) {
	b := newBook(t)
	h := open(t, b, memory.New())
	defer h.close()
	p, _ := h.admit("2001", "07700 900123") // holds 6p
	set(t, b, account.LineDayCap, 10_000, false)
	_, err := h.gate.Admit(context.Background(), Attempt{Line: "2001", Dialled: "07700900124", Source: phoneAt})
	var r *Refusal
	if !errors.As(err, &r) || r.Reason != policy.LineDaySpent || r.Figures.Limit != 10_000 || r.Figures.Value != 60_000 {
		t.Fatalf("%v", err)
	}
	h.end(p.ID, End{By: call.Caller, Reason: policy.Cancelled, Status: 487})
}

// broken is a store that fails while told to; writes may have happened or not.
type broken struct {
	*memory.Engine
	fail atomic.Bool
	late bool // fail after the write, not before it
}

func (b *broken) Apply(ctx context.Context, ops []store.Op) ([]store.Outcome, error) {
	if !b.fail.Load() {
		return b.Engine.Apply(ctx, ops)
	}
	if b.late {
		if _, err := b.Engine.Apply(ctx, ops); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("no space left on device")
}

func TestAFailingStoreRefusesPaidAndConnectsEmergency(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("persisted=%v", late), func(t *testing.T) {
			b := newBook(t)
			synctest.Test(t, func(t *testing.T) {
				m := &broken{Engine: memory.New(), late: late}
				h := open(t, b, m)
				defer h.close()
				m.fail.Store(true)
				if _, why := h.admit("2001", "02079460000"); why != policy.StoreUnavailable {
					t.Fatal(why)
				}
				help, why := h.admit("2001", "999")
				if why != policy.OK {
					t.Fatal(why)
				}
				h.answer(help)
				time.Sleep(10 * time.Second)
				h.end(help.ID, End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: time.Now()})
				m.fail.Store(false)
				time.Sleep(time.Minute)
				if r := h.record(help.ID); r.Class != "emergency" || r.Talk != 10*time.Second {
					t.Errorf("the emergency call is written down when the store is back: %+v", r)
				}
				if _, why := h.admit("2001", "02079460000"); why != policy.OK {
					t.Errorf("after recovery: %v", why)
				}
				faults, err := m.Check(context.Background())
				if err != nil || len(faults) > 0 {
					t.Errorf("%v %v", faults, err)
				}
				h.square(12_000) // the one call that is open; nothing leaked from the refused one
			})
		})
	}
}

// TestACallThatRangIntoADearerBand: it was opened on a Sunday, when talk is free, with an hour's time, and answered just before the week begins. Its slices
// were then taken for repeats of what it held for that hour: no purse was asked, and the record, dearer than what was held, was refused.
func TestACallThatRangIntoADearerBand(t *testing.T) {
	for name, change := range map[string]func(*Options){"usual slices": nil, "short ones": func(o *Options) { o.Slice, o.Ahead = 7*time.Second, 2*time.Second }} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sunday := time.Date(2000, 10, 29, 23, 50, 0, 0, time.UTC)
				time.Sleep(time.Until(sunday.Add(-time.Hour)))
				b, m := newBook(t), memory.New()
				_, err := b.Import(t.Context(), "test", []byte(bandedCSV), book.ImportOptions{Name: "retail", Kind: rating.Retail, Yes: true})
				must(t, err)
				set(t, b, account.LineDayCap, 100_000, true)
				var changes []func(*Options)
				if change != nil {
					changes = append(changes, change)
				}
				h := openTo(t, b, m, func(h *house) Edge { return Edge{Cut: h.cut} }, changes...)
				defer h.close()
				time.Sleep(time.Until(sunday))
				p, why := h.admit("2001", "02079460000")
				if why != policy.OK {
					t.Fatal(why)
				}
				h.gate.Ringing(p.ID)
				time.Sleep(9*time.Minute + 46*time.Second)
				h.end(p.ID, h.talk(p.ID, 30*time.Minute)) // 10p at 1.2p a minute are some 8 minutes
				r := h.record(p.ID)
				if r.Retail > 100_000 || r.Retail < 90_000 || r.Reason != policy.LineDaySpent.Code() || r.Talk > 9*time.Minute {
					t.Errorf("%+v", r)
				}
				h.square(0)
			})
		})
	}
}

// TestAnAdmissionAllocatesLittle guards that an attempt comes to the heap, as it did when one more rule took a pointer to it: 1 KB a call.
func TestAnAdmissionAllocatesLittle(t *testing.T) {
	bk, m := newBook(t), memory.New()
	set(t, bk, account.MaxCalls, 1000, true)
	set(t, bk, account.CallsPerMinute, 1000, true)
	led := ledger.New(m, ledger.Options{Node: "n1", Direct: true})
	g, err := New(Options{Node: "n1", Plan: bk.Plan(), Book: bk, Ledger: led})
	must(t, err)
	must(t, g.Start(t.Context(), m))
	defer g.Stop()
	const runs = 200
	var ids [runs + 1]call.ID
	n := 0
	admit := func() {
		p, err := g.Admit(t.Context(), Attempt{Line: "2001", Dialled: "07700 900123", Source: phoneAt, ALeg: "a"})
		must(t, err)
		ids[n] = p.ID
		n++
	}
	for range ids {
		admit()
	}
	for _, id := range ids { // the store keeps their memory for the next
		g.Ended(id, End{By: call.Caller, Reason: policy.Cancelled, Status: 487})
		g.Over(id, nil)
	}
	n = 0
	if n := testing.AllocsPerRun(runs, admit); n > 7 {
		t.Errorf("%.0f allocations", n)
	}
}

// BenchmarkAuthorise is the whole of Admit on purses in memory (parse, decide, price, count, hold, journal), for a slice of a minute and one of three hours: the length asked must not matter.
// Garbage is collected as in ringfence serve with a live heap of this size (app/heap.go), unless GOGC says otherwise.
func BenchmarkAuthorise(b *testing.B) {
	if os.Getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(220))
	}
	bk := newBook(b)
	const lines = 1000
	var all []book.NewLine
	wide := []book.Setting{{Field: account.MaxCalls, N: 10_000, Grant: true}, {Field: account.CallsPerMinute, N: 10_000, Grant: true}}
	for i := range lines {
		id := fmt.Sprintf("b%04d", i)
		_, err := bk.AddCustomer(context.Background(), "test", id, book.CustomerEdit{})
		must(b, err)
		all = append(all, book.NewLine{ID: id, Customer: id, NoPassword: true, Edit: book.LineEdit{Set: wide}})
	}
	_, err := bk.AddLines(context.Background(), "test", all)
	must(b, err)
	for _, slice := range []time.Duration{time.Minute, 3 * time.Hour} {
		b.Run(slice.String(), func(b *testing.B) {
			m := memory.New()
			led := ledger.New(m, ledger.Options{Node: "n1", Direct: true}) // as app does with money = "memory"
			led.Start()
			g, err := New(Options{Node: "n1", Plan: bk.Plan(), Book: bk, Ledger: led, Slice: slice})
			must(b, err)
			must(b, g.Start(b.Context(), m))
			defer g.Stop()
			b.ReportAllocs()
			var cpu time.Duration
			ids := make([]call.ID, 0, lines)
			for n := 0; n < b.N; {
				began := cpuTime(b)
				for ; len(ids) < lines && n < b.N; n++ {
					p, err := g.Admit(b.Context(), Attempt{Line: all[n%lines].ID, Dialled: "02079460000", Source: phoneAt, ALeg: "a"})
					must(b, err)
					ids = append(ids, p.ID)
				}
				cpu += cpuTime(b) - began
				b.StopTimer()
				for _, id := range ids {
					g.Ended(id, End{By: call.Caller, Reason: policy.Cancelled, Status: 487})
					g.Over(id, nil)
				}
				ids = ids[:0]
				b.StartTimer()
			}
			b.ReportMetric(float64(cpu)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpuTime is what this process has used of all processors.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
