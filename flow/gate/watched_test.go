package gate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/detect"
	"ringfence/core/engine"
	"ringfence/core/habit"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/core/restrict"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/flow/play"
	"ringfence/flow/react"
	"ringfence/state/store"
	"ringfence/state/store/memory"
)

// watchedCSV has a dear country.
const watchedCSV = `Destination,Prefix,Peak,Off-peak,Weekend,Connection charge,First Interval,Sub Interval
UK geographic,442,0.012,0.012,0.012,0,1,1
UK mobile,447,0.06,0.06,0.06,0,1,1
France,33,0.015,0.015,0.015,0,1,1
Gambia,220,0.45,0.45,0.45,0,1,1
`

// office and thief are where calls come from.
var (
	office = netip.MustParseAddr("192.0.2.7")
	thief  = netip.MustParseAddr("203.0.113.9")
)

// journalOf is a store whose journal is that of calls.
type journalOf struct {
	*booktest.Store
	calls *memory.Engine
}

func (j journalOf) Facts(ctx context.Context, f store.FactFilter) ([]store.Fact, error) {
	return j.calls.Facts(ctx, f)
}

// TestWatchedCallsAgree: the same calls through the gate with the stage that watches them, and through the shell that plays them, are let out and refused
// alike, end at the same instant and cost the same.
func TestWatchedCallsAgree(t *testing.T) {
	stopped := 0
	for name, night := range map[string]func(*rand.Rand, time.Time) []play.Call{"gambia": gambia, "weekend": weekend} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				b := newBook(t)
				_, err := b.Import(t.Context(), "test", []byte(watchedCSV), book.ImportOptions{Name: "retail", Kind: rating.Retail, Yes: true})
				must(t, err)
				for f, n := range map[account.Field]int64{account.LineDayCap: 500_000_000, account.LineMonthCap: 900_000_000, account.MaxCalls: 300, account.MaxInternational: 300, account.CallsPerMinute: 500, account.InternationalCeiling: 1_000_000_000} {
					must(t, b.Set(t.Context(), "test", account.LevelLine, "2001", book.Setting{Field: f, N: n, Grant: true}))
				}
				for f, n := range map[account.Field]int64{account.AccountDayCap: 500_000_000, account.AccountMonthCap: 900_000_000} {
					must(t, b.Set(t.Context(), "test", account.LevelCustomer, "acme", book.Setting{Field: f, N: n, Grant: true}))
				}
				calls := night(rand.New(rand.NewPCG(seed, 7)), time.Date(2000, 2, 7, 9, 0, 0, 0, time.UTC))
				played := watchedPlayed(b, calls) // first: the other closes destinations in the book
				live := watchedLive(t, b, calls)
				for i := range calls {
					got, want := played[calls[i].At], live[i]
					if got.Refused != want.Refused || got.Reason != want.Reason || got.Cost != want.Cost || got.Talk != want.Talk || !got.Ended.Equal(want.Ended) {
						t.Errorf("call %d at %v to %s\n the gate: %+v\n   played: %+v", i, calls[i].At, calls[i].Dialled, want, got)
					}
					if want.Reason == policy.DestinationClosed || want.Reason == policy.CutRestricted {
						stopped++
					}
				}
			})
		}
	}
	if stopped < 100 {
		t.Errorf("%d calls were stopped: the test says too little", stopped)
	}
	t.Log(stopped, "calls were stopped")
}

// fortnight is an office at work.
func fortnight(r *rand.Rand, at time.Time) (calls []play.Call) {
	for day := range 12 {
		for hour := range 8 {
			calls = append(calls, play.Call{At: at.AddDate(0, 0, day).Add(time.Duration(hour)*time.Hour + time.Duration(r.IntN(3000))*time.Second), Dialled: "02079460000", Wants: 3 * time.Minute})
		}
	}
	return own(calls, office)
}

// gambia is 45 calls to one mobile, one after the other.
func gambia(r *rand.Rand, at time.Time) []play.Call {
	calls := fortnight(r, at)
	night := at.AddDate(0, 0, 12).Add(17 * time.Hour)
	for i := range 45 {
		calls = append(calls, own([]play.Call{{At: night.Add(time.Duration(i) * 8 * time.Minute), Dialled: "002203123456", Wants: time.Duration(60+r.IntN(360)) * time.Second}}, thief)...)
	}
	return number(calls)
}

// weekend is 167 concurrent calls into a range.
func weekend(r *rand.Rand, at time.Time) []play.Call {
	calls := fortnight(r, at)
	night := at.AddDate(0, 0, 12).Add(17 * time.Hour)
	for i := range 167 {
		calls = append(calls, own([]play.Call{{At: night.Add(time.Duration(3*i) * time.Second), Dialled: fmt.Sprintf("00220312%04d", r.IntN(1000)), Wants: time.Duration(600+r.IntN(3600)) * time.Second}}, thief)...)
	}
	return number(calls)
}

func own(calls []play.Call, from netip.Addr) []play.Call {
	for i := range calls {
		calls[i].Line, calls[i].Place = "2001", habit.Hash(detect.Place(from, 0))
		calls[i].Rings = 2*time.Second + 25*time.Microsecond
	}
	return calls
}

// number gives each call a fraction of a second of its own, so that no call asks for anything while another's answer is on its way.
func number(calls []play.Call) []play.Call {
	for i := range calls {
		calls[i].At = calls[i].At.Add(time.Duration(i%9) * 104 * time.Millisecond)
		calls[i].Wants += 50*time.Microsecond + time.Duration(i%13)*time.Millisecond
	}
	return calls
}

func watchedLive(t *testing.T, b *book.Book, calls []play.Call) []play.Result {
	results := make([]play.Result, len(calls))
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(calls[0].At.Add(-time.Minute)))
		m := memory.New()
		h := openTo(t, b, m, func(h *house) Edge { return Edge{Cut: h.cut} })
		s, err := react.New(react.Options{Store: journalOf{&booktest.Store{}, m}, Book: b, Rules: habit.Default(), Every: 10 * time.Second})
		must(t, err)
		h.wrote = s.Wake
		ctx, cancel := context.WithCancel(context.Background())
		var stage, wg sync.WaitGroup
		for i := range calls {
			wg.Go(func() {
				time.Sleep(time.Until(calls[i].At))
				results[i] = h.from(&calls[i])
			})
		}
		time.Sleep(time.Until(calls[96].At.Add(-time.Minute)))
		stage.Go(func() { s.Run(ctx) }) // it learns what was before
		wg.Wait()
		cancel()
		stage.Wait()
		h.close()
	})
	return results
}

// from makes a call from where it comes.
func (h *house) from(c *play.Call) play.Result {
	at := office
	if c.Place == habit.Hash(detect.Place(thief, 0)) {
		at = thief
	}
	return h.attempt(c, Attempt{Line: c.Line, Dialled: c.Dialled, Source: netip.AddrPortFrom(at, 5060)})
}

func watchedPlayed(b *book.Book, calls []play.Call) map[time.Time]play.Result {
	results := map[time.Time]play.Result{}
	o := play.Options{
		Rules: b.Rules(), Terms: engine.Terms{Slice: time.Minute, Ahead: 10 * time.Second}, RingTime: shellRings, Habits: habit.Default(),
		Done: func(_ int, x *play.Result) { results[x.Call.At] = *x },
	}
	play.Run(1, func(yield func(*play.Call) bool) {
		for i := range calls {
			if !yield(&calls[i]) {
				return
			}
		}
	}, o)
	return results
}

// TestLoginsAreRefusedAlike: what the last step of the ladder closes to a stranger, the gate and the other shell refuse alike. The owner's phone calls on.
func TestLoginsAreRefusedAlike(t *testing.T) {
	b := newBook(t)
	at := time.Date(2000, 2, 7, 9, 0, 0, 0, time.UTC)
	r := &restrict.Restriction{Login: true, Known: []uint32{habit.Place(office)}, Since: at, Ends: true}
	_, err := b.EditLine(t.Context(), "test", "2001", book.LineEdit{Restrict: r})
	must(t, err)
	calls := own([]play.Call{{At: at, Dialled: "08001111", Wants: time.Minute}, {At: at.Add(time.Hour), Dialled: "999", Wants: time.Minute}}, thief)
	calls = append(calls, own([]play.Call{{At: at.Add(2 * time.Hour), Dialled: "08001111", Wants: time.Minute}}, office)...)
	played := watchedPlayed(b, calls)
	want := []policy.Reason{policy.LoginClosed, policy.Hangup, policy.Hangup}
	synctest.Test(t, func(t *testing.T) {
		h := openTo(t, b, memory.New(), func(h *house) Edge { return Edge{Cut: h.cut} })
		for i := range calls {
			time.Sleep(time.Until(calls[i].At))
			if live := h.from(&calls[i]); live.Reason != want[i] || played[calls[i].At].Reason != want[i] {
				t.Errorf("%s: the gate says %v, played: %v", calls[i].Dialled, live.Reason, played[calls[i].At].Reason)
			}
		}
		h.close()
	})
}
