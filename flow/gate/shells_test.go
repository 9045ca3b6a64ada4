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

// TestTheTwoShellsAgree: random calls through the gate, in a bubble of virtual time, and through the shell that only plays: what was
// decided, why, what it cost, the instant at which it ended and what the journal was told of it are the same.
func TestTheTwoShellsAgree(t *testing.T) {
	reasons, kinds := map[policy.Reason]int{}, map[string]int{}
	for seed := range uint64(24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			b := newBook(t)
			_, err := b.Import(t.Context(), "test", []byte(bandedCSV), book.ImportOptions{Name: "retail", Kind: rating.Retail, Yes: true})
			must(t, err)
			narrow(t, b, r)
			var calls []play.Call
			var told []string
			live := make([]play.Result, 120)
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(time.Date(2000, 1, 31, r.IntN(24), r.IntN(60), 0, 0, time.UTC)))
				calls = randomCalls(r, time.Now(), len(live))
				m := memory.New()
				h := open(t, b, m)
				var wg sync.WaitGroup
				for i := range calls {
					wg.Go(func() { live[i] = h.live(&calls[i]) })
				}
				wg.Wait()
				h.square(0)
				h.close()
				facts, err := m.Facts(t.Context(), store.FactFilter{Limit: 10_000})
				must(t, err)
				told = lines(facts)
			})
			var plays []string
			played := map[time.Time]play.Result{}
			o := play.Options{
				Rules: b.Rules(), Terms: engine.Terms{Slice: time.Minute, Ahead: 10 * time.Second},
				Done:  func(_ int, x *play.Result) { played[x.Call.At] = *x },
				Facts: func(_ int, _ *play.Call, facts []fact.Row) { plays = append(plays, lines(facts)...) },
			}
			p := play.New(o)
			for i := range calls {
				p.Play(&calls[i])
			}
			p.End()
			slices.Sort(told)
			slices.Sort(plays)
			if len(told) != len(plays) {
				t.Errorf("%d facts, played: %d", len(told), len(plays))
			}
			for i, line := range told[:min(len(told), len(plays))] {
				if kinds[strings.Fields(line)[1]]++; line != plays[i] {
					t.Fatalf("the gate: %s\n  played: %s", line, plays[i])
				}
			}
			for i := range calls {
				want, got := live[i], played[calls[i].At]
				reasons[want.Reason]++
				if got.Refused != want.Refused || got.Reason != want.Reason || got.Cost != want.Cost || got.Talk != want.Talk || !got.Ended.Equal(want.Ended) {
					t.Errorf("%+v\n the gate: %+v\n   played: %+v", calls[i], want, got)
				}
			}
		})
	}
	for _, why := range []policy.Reason{
		policy.Hangup, policy.TooLong, policy.LineDaySpent, policy.LineMonthSpent, policy.AccountDaySpent, policy.AccountMonthSpent,
		policy.DestinationClosed, policy.CutRestricted, policy.TooManyPerMinute, policy.TooManyCalls, policy.TooManyInternational, policy.PremiumBarred, policy.NumberInvalid, policy.Unpriced,
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
	t.Log(reasons, kinds)
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
	set(account.LevelCustomer, "acme", account.AccountDayCap, 1+r.IntN(5_000_000))
	set(account.LevelCustomer, "acme", account.AccountMonthCap, 1+r.IntN(9_000_000))
}

// randomCalls come in bursts. Each has its own fraction of a second, so that no two events come at one instant: the meter looks at a
// call after whole seconds, and after halves, quarters and eighths where a purse has refused.
func randomCalls(r *rand.Rand, now time.Time, n int) []play.Call {
	numbers := []string{"02079460000", "07700900123", "0037167123456", "0033142685300", "08001111", "09098790123", "999", "02079460102", "981046500729221", "0049301234567", "08451234567"}
	own := r.Perm(125)
	calls := make([]play.Call, n)
	for i := range calls {
		now = now.Truncate(time.Second).Add(time.Duration(1+r.IntN(40)) * time.Second)
		if r.IntN(8) == 0 {
			now = now.Add(time.Duration(r.IntN(4*3600)) * time.Second)
		}
		calls[i] = play.Call{
			At: now.Add(time.Duration(own[i]) * time.Millisecond), Line: []string{"2001", "2002"}[r.IntN(2)], Dialled: numbers[r.IntN(len(numbers))],
			Wants: time.Duration(r.IntN(1+r.IntN(4000)))*time.Second + 500*time.Microsecond,
		}
		if r.IntN(3) == 0 {
			calls[i].Rings, calls[i].Unanswered = time.Duration(1+r.IntN(900))*time.Second+250*time.Microsecond, r.IntN(3) == 0
		}
		if r.IntN(2) == 0 {
			calls[i].Dialled = numbers[r.IntN(4)]
		}
	}
	slices.SortFunc(calls, func(a, b play.Call) int { return a.At.Compare(b.At) })
	return calls
}

// live makes a call as an edge would.
func (h *house) live(c *play.Call) play.Result {
	time.Sleep(time.Until(c.At))
	p, err := h.gate.Admit(h.t.Context(), Attempt{Line: c.Line, Dialled: c.Dialled})
	var r *Refusal
	if errors.As(err, &r) {
		return play.Result{Refused: true, Reason: r.Reason, Ended: time.Now()}
	}
	must(h.t, err)
	c.ID = p.ID
	if c.Rings > 0 {
		h.gate.Ringing(p.ID)
		time.Sleep(c.Rings)
	}
	end := End{By: call.Caller, Reason: policy.Cancelled, Status: 487}
	if !c.Unanswered {
		switch err := h.gate.Answered(h.t.Context(), p.ID, Route{}, nil); {
		case errors.As(err, &r):
			end = End{By: call.System, Reason: r.Reason, Status: 503}
		default:
			must(h.t, err)
			time.Sleep(c.Wants)
			end = End{By: call.Caller, Reason: policy.Hangup, Status: 200}
		}
	}
	end.At = time.Now()
	h.end(p.ID, end)
	record := h.record(p.ID)
	why, err := policy.ParseReason(record.Reason)
	must(h.t, err)
	return play.Result{Reason: why, Ended: record.Ended, Talk: record.Talk, Cost: record.Retail}
}
