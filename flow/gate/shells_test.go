package gate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/fact"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/core/restrict"
	"ringfence/flow/book"
	"ringfence/flow/play"
	"ringfence/state/store"
	"ringfence/state/store/memory"
)

// bandedCSV has prices that change by the hour, increments, minima and fees.
const bandedCSV = `Destination,Prefix,Peak,Off-peak,Weekend,Connection charge,Minimum charge,First Interval,Sub Interval
UK geographic,442,0.012,0.004,0,0,0,1,1
UK mobile,447,0.06,0.11,0.03,0.01,0.02,1,1
UK freephone,44800,0,0,0,0,0,1,1
UK premium,449,1.50,1.50,1.50,0,0,60,60
France,33,0.015,0.015,0.015,0,0,60,60
Latvia,371,0.30,0.10,0.07,0.10,0,30,6
UK by the call,44845,0,0,0,0.10,0,1,1
`

// shellRuns is how often TestTheTwoShellsAgree plays, shellEvents how many calls and locks each time.
const shellRuns, shellEvents = 44, 250

// shellRings is how long a call may ring in TestTheTwoShellsAgree.
const shellRings = 10 * time.Minute

// nights are when it begins: before a month and a year end, and on the nights on which clocks are set.
var nights = []time.Time{
	time.Date(2000, 1, 31, 0, 0, 0, 0, time.UTC), time.Date(2000, 3, 25, 12, 0, 0, 0, time.UTC),
	time.Date(2000, 10, 28, 12, 0, 0, 0, time.UTC), time.Date(2000, 12, 31, 0, 0, 0, 0, time.UTC),
}

// TestTheTwoShellsAgree: 10,000 random calls through the gate, in a bubble of virtual time, and through the shell that only plays: what was
// decided, why, what it cost, the instant at which it ended and what the journal was told of it are the same.
func TestTheTwoShellsAgree(t *testing.T) {
	reasons, kinds := map[policy.Reason]int{}, map[string]int{}
	var calls, inbound, tooLong int
	for seed := range uint64(shellRuns) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			b := newBook(t)
			_, err := b.Import(t.Context(), "test", []byte(bandedCSV), book.ImportOptions{Name: "retail", Kind: rating.Retail, Yes: true})
			must(t, err)
			narrow(t, b, r)
			night := nights[int(seed)%len(nights)].Add(time.Duration(r.IntN(24*60)) * time.Minute)
			events := randomEvents(r, night, shellEvents)
			live, told := liveEvents(t, b, events)
			played, plays := playEvents(b, events)
			if len(told) != len(plays) {
				t.Errorf("%d facts, played: %d", len(told), len(plays))
			}
			for i, line := range told[:min(len(told), len(plays))] {
				if kinds[strings.Fields(line)[1]]++; line != plays[i] {
					t.Fatalf("the gate: %s\n  played: %s", line, plays[i])
				}
			}
			for i := range events {
				if events[i].lock != none {
					continue
				}
				c, want := &events[i].Call, live[i]
				got := played[c.At]
				calls++
				reasons[want.Reason]++
				if c.Inbound {
					if inbound++; want.Reason == policy.TooLong {
						tooLong++
					}
				}
				if got.Refused != want.Refused || got.Reason != want.Reason || got.Cost != want.Cost || got.Talk != want.Talk || !got.Ended.Equal(want.Ended) {
					t.Errorf("%+v\n the gate: %+v\n   played: %+v", c, want, got)
				}
			}
		})
	}
	for _, why := range []policy.Reason{
		policy.Hangup, policy.TooLong, policy.LineDaySpent, policy.LineMonthSpent, policy.AccountDaySpent, policy.AccountMonthSpent,
		policy.DestinationClosed, policy.CutRestricted, policy.TooManyPerMinute, policy.TooManyCalls, policy.TooManyInternational, policy.TooManyRestricted, policy.PremiumBarred, policy.NumberInvalid, policy.Unpriced,
		policy.LineLocked, policy.CutLocked, policy.NoAnswer, policy.Cancelled, policy.SentToEmergency,
	} {
		if reasons[why] == 0 {
			t.Errorf("no call ended with %v: the test says nothing about it", why.Code())
		}
	}
	for _, kind := range append(fact.EachCall[:], fact.KindCallCut, fact.KindSettingsSeen) {
		if kinds[kind] == 0 {
			t.Errorf("no fact is %s: the test says nothing about it", kind)
		}
	}
	if calls < 10_000 || inbound == 0 || tooLong == 0 {
		t.Errorf("%d calls, %d inbound, %d of those too long: the test says too little", calls, inbound, tooLong)
	}
	t.Log(calls, reasons, kinds, inbound, tooLong)
}

// event is a call, or a lock of its line.
type event struct {
	play.Call
	lock locking
}

type locking int

const (
	none   locking = -2
	unlock locking = -1 // from 0 on an account.LockCalls
)

// liveEvents plays events through a gate, and gives what came of each and what the journal was told.
func liveEvents(t *testing.T, b *book.Book, events []event) (results []play.Result, told []string) {
	results = make([]play.Result, len(events))
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(events[0].At.Add(-time.Minute)))
		m := memory.New()
		h := openTo(t, b, m, func(h *house) Edge { return Edge{Cut: h.cut} })
		b.OnChange(h.gate.Follow)
		var wg sync.WaitGroup
		for i := range events {
			wg.Go(func() { results[i] = h.live(&events[i]) })
		}
		wg.Wait()
		h.square(0)
		h.close()
		facts, err := m.Facts(t.Context(), store.FactFilter{Limit: 100_000})
		must(t, err)
		told = lines(facts)
		for _, line := range []string{"2001", "2002"} { // the player receives the locks
			_, err := b.Unlock(context.Background(), "test", line)
			must(t, err)
		}
	})
	slices.Sort(told)
	return results, told
}

// playEvents plays them through the other shell.
func playEvents(b *book.Book, events []event) (results map[time.Time]play.Result, told []string) {
	results = map[time.Time]play.Result{}
	p := play.New(play.Options{
		Rules: b.Rules(), Terms: engine.Terms{Slice: time.Minute, Ahead: 10 * time.Second}, RingTime: shellRings,
		Done:  func(_ int, x *play.Result) { results[x.Call.At] = *x },
		Facts: func(_ int, _ *play.Call, facts []fact.Row) { told = append(told, lines(facts)...) },
	})
	for i := range events {
		switch e := &events[i]; e.lock {
		case none:
			p.Play(&e.Call)
		case unlock:
			p.Unlock(e.Line, e.At)
		default:
			p.Lock(e.Line, account.LockCalls(e.lock), e.At)
		}
	}
	p.End()
	slices.Sort(told)
	return results, told
}

// lines are facts as text, whose order does not matter. A refused call is named by its record, which only the gate writes.
func lines(facts []fact.Row) (all []string) {
	for _, f := range facts {
		if f.Encode(); f.Kind == fact.KindCallRefused {
			f.Call = ""
		}
		all = append(all, fmt.Sprint(f.At.UTC().Format(time.RFC3339Nano), " ", f.Kind, " ", f.Line, f.Account, f.Call, string(f.Body)))
	}
	return all
}

// quarters is the second quarter of every hour, so that many calls are up when it begins.
var quarters = func() string {
	var spans []string
	for h := range 24 {
		spans = append(spans, fmt.Sprintf("%02d:15-%02d:30", h, h))
	}
	return strings.Join(spans, ", ")
}()

// narrow gives the lines limits that the calls meet.
func narrow(t *testing.T, b *book.Book, r *rand.Rand) {
	set := func(level account.Level, owner string, f account.Field, n int) {
		must(t, b.Set(context.Background(), "test", level, owner, book.Setting{Field: f, N: int64(n), Grant: true}))
	}
	for _, line := range []string{"2001", "2002"} {
		set(account.LevelLine, line, account.LineDayCap, 1+r.IntN(3_000_000))
		set(account.LevelLine, line, account.LineMonthCap, 1+r.IntN(6_000_000))
		set(account.LevelLine, line, account.LongestCall, 60+r.IntN(7200))
		set(account.LevelLine, line, account.MaxCalls, 1+r.IntN(6))
		set(account.LevelLine, line, account.MaxInternational, 1+r.IntN(3))
		set(account.LevelLine, line, account.CallsPerMinute, 2+r.IntN(8))
		set(account.LevelLine, line, account.InternationalCeiling, 1_000_000_000)
	}
	for i, names := range []string{"LV", "mobile", "+4420, above 1p", "paid"} {
		if r.IntN(3) > 0 {
			continue
		}
		s, err := restrict.ParseSet(names)
		must(t, err)
		hours, err := restrict.ParseHours([]string{"", quarters, "22:00-06:00"}[r.IntN(3)])
		must(t, err)
		x := &restrict.Restriction{Names: s, Only: i == 2, Hours: hours, Since: time.Unix(0, 0), Ends: r.IntN(2) == 0}
		if i == 3 && !hours.Limited() { // everything closed says little
			continue
		}
		if i == 0 {
			_, err = b.EditCustomer(context.Background(), "test", "acme", book.CustomerEdit{Restrict: x})
		} else {
			_, err = b.EditLine(context.Background(), "test", "2001", book.LineEdit{Restrict: x})
		}
		must(t, err)
	}
	if names := []string{"", "abroad", "paid"}[(len(t.Name())+int(t.Name()[len(t.Name())-1]))%3]; names != "" {
		s, err := restrict.ParseSet(names)
		must(t, err)
		_, err = b.EditLine(context.Background(), "test", "2002", book.LineEdit{Restrict: &restrict.Restriction{Names: s, AtOnce: 1, Since: time.Unix(0, 0)}})
		must(t, err)
	}
	if r.IntN(2) == 0 {
		l := restrict.Listed{List: "desk", Range: restrict.Range{Prefix: 3314, Digits: 4}, Way: restrict.Both}
		if r.IntN(2) == 0 {
			l.Until = time.Now().Add(time.Duration(r.IntN(72)) * time.Hour)
		}
		_, err := b.AddHot(context.Background(), "test", l)
		must(t, err)
	}
	set(account.LevelCustomer, "acme", account.AccountDayCap, 1+r.IntN(5_000_000))
	set(account.LevelCustomer, "acme", account.AccountMonthCap, 1+r.IntN(9_000_000))
}

// randomEvents come in bursts. Each has its own fraction of a second, so that no two things come at one instant: the meter looks at a
// call after whole seconds, and after halves, quarters and eighths where a purse has refused.
func randomEvents(r *rand.Rand, now time.Time, n int) []event {
	numbers := []string{"02079460000", "07700900123", "0037167123456", "0033142685300", "08001111", "09098790123", "999", "02079460102", "981046500729221", "0049301234567", "08451234567"}
	own := r.Perm(1250)
	events := make([]event, n)
	for i := range events {
		now = now.Truncate(time.Second).Add(time.Duration(1+r.IntN(40)) * time.Second)
		if r.IntN(20) == 0 {
			now = now.Add(time.Duration(r.IntN(4*3600)) * time.Second)
		}
		e := &events[i]
		*e = event{lock: none, Call: play.Call{
			At: now.Add(time.Duration(own[i]) * 100 * time.Microsecond), Line: []string{"2001", "2002"}[r.IntN(2)], Dialled: numbers[r.IntN(len(numbers))],
			Wants: time.Duration(r.IntN(1+r.IntN(4000)))*time.Second + 50*time.Microsecond,
		}}
		if r.IntN(3) == 0 {
			e.Rings, e.Unanswered = time.Duration(1+r.IntN(900))*time.Second+25*time.Microsecond, r.IntN(3) == 0
		}
		if r.IntN(6) == 0 {
			e.Cause = []call.Cause{call.ForwardAlways, call.ForwardBusy, call.Redirected, call.Transferred}[r.IntN(4)]
		}
		switch r.IntN(10) {
		case 0:
			e.Cause, e.Inbound, e.Dialled = "", true, "02079460000"
		case 1, 2, 3, 4:
			e.Dialled = numbers[r.IntN(4)]
		case 5:
			if r.IntN(8) == 0 {
				e.lock = locking(r.IntN(int(account.NumLockCalls)))
			} else if r.IntN(2) == 0 {
				e.lock = unlock
			}
		}
	}
	slices.SortFunc(events, func(a, b event) int { return a.At.Compare(b.At) })
	return events
}

// live does what an event is of: a lock, or a call as an edge would make it.
func (h *house) live(e *event) play.Result {
	time.Sleep(time.Until(e.At))
	switch e.lock {
	case none:
		return h.call(&e.Call)
	case unlock:
		_, err := h.book.Unlock(h.t.Context(), "test", e.Line)
		must(h.t, err)
	default:
		_, err := h.book.Lock(h.t.Context(), "test", e.Line, "test", account.LockCalls(e.lock))
		must(h.t, err)
	}
	return play.Result{}
}

func (h *house) call(c *play.Call) play.Result {
	a := Attempt{Line: c.Line, Dialled: c.Dialled, Sent: engine.Sent{Cause: c.Cause}}
	if c.Inbound {
		line, _ := h.book.Line(c.Line)
		a = Attempt{Trunk: play.Carrier, Dialled: "+" + line.Number(), Caller: c.Dialled}
	}
	return h.attempt(c, a)
}

func (h *house) attempt(c *play.Call, a Attempt) play.Result {
	p, err := h.gate.Admit(h.t.Context(), a)
	var r *Refusal
	if errors.As(err, &r) {
		return play.Result{Refused: true, Reason: r.Reason, Ended: time.Now()}
	}
	must(h.t, err)
	c.ID = p.ID
	end := End{By: call.Caller, Reason: policy.Cancelled, Status: 487}
	if c.Rings > 0 {
		h.gate.Ringing(p.ID)
		time.Sleep(min(c.Rings, shellRings))
	}
	switch {
	case c.Rings > shellRings:
		end = End{By: call.Callee, Reason: policy.NoAnswer, Status: 480}
	case !c.Unanswered:
		end = h.talk(p.ID, c.Wants)
	}
	end.At = time.Now()
	h.end(p.ID, end)
	record := h.record(p.ID)
	why, err := policy.ParseReason(record.Reason)
	must(h.t, err)
	return play.Result{Reason: why, Ended: record.Ended, Talk: record.Talk, Cost: record.Retail}
}

// cut is an edge that obeys at once, and answers a caller that hears no answer with the status of the reason.
func (h *house) cut(id call.ID, why policy.Reason, _ policy.Figures) {
	end := End{By: call.System, Reason: policy.Hangup, Status: 200, At: time.Now()}
	if l := h.gate.get(id); l != nil {
		l.mu.Lock()
		if l.Open.State == call.Setup {
			end.Status = why.SIPStatus()
		}
		l.mu.Unlock()
	}
	h.end(id, end)
}

// talk answers a call, if it is still there, and hangs up after so long.
func (h *house) talk(id call.ID, wants time.Duration) End {
	var r *Refusal
	switch err := h.gate.Answered(h.t.Context(), id, Route{}, nil); {
	case errors.As(err, &r):
		return End{By: call.System, Reason: r.Reason, Status: 503}
	case !errors.Is(err, ErrGone):
		must(h.t, err)
		time.Sleep(wants)
	}
	return End{By: call.Caller, Reason: policy.Hangup, Status: 200}
}
