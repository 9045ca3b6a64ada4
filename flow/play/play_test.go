package play

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/account"
	"ringfence/core/engine"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
)

const deckCSV = `Destination,Prefix,Peak,Off-peak,Weekend,Connection charge,First Interval,Sub Interval
UK geographic,442,0.012,0.012,0.012,0,1,1
UK mobile,447,0.06,0.06,0.06,0,1,1
France,33,0.015,0.015,0.015,0,1,1
Latvia,371,0.30,0.20,0.10,0.10,30,6
`

// newBook has so many lines "b0000", "b0001" …, three to a customer, which may spend so much in a day and a month.
func newBook(t testing.TB, lines int, spend money.Micro, set ...book.Setting) *book.Book {
	t.Helper()
	ctx := context.Background()
	key, err := secret.NewKey()
	must(t, err)
	box, err := secret.NewBox([]secret.Key{key})
	must(t, err)
	b, err := book.Open(ctx, &booktest.Store{}, book.Options{Plan: phone.UK(), Provider: account.Settings{}, Zone: "Europe/London", Tariff: "retail", Box: box, Realm: "test", Identify: booktest.Plain})
	must(t, err)
	var all []book.NewLine
	for i := range lines {
		id, customer := fmt.Sprintf("b%04d", i), fmt.Sprintf("c%04d", i/3)
		if i%3 == 0 {
			_, err := b.AddCustomer(ctx, "test", customer, book.CustomerEdit{Set: []book.Setting{
				{Field: account.AccountDayCap, N: int64(spend), Grant: true}, {Field: account.AccountMonthCap, N: int64(spend), Grant: true},
			}})
			must(t, err)
		}
		all = append(all, book.NewLine{ID: id, Customer: customer, NoPassword: true, Edit: book.LineEdit{Set: set}})
	}
	_, err = b.AddLines(ctx, "test", all)
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

var terms = engine.Terms{Slice: time.Minute, Ahead: 10 * time.Second}

// began is a Friday, some hours before a month ends.
var began = time.Date(2027, 4, 30, 20, 0, 0, 0, time.UTC)

// stream is n calls of random lines, so many a second: most of three minutes or less, some of much more.
func stream(seed uint64, lines, n, perSecond int) iter.Seq[Call] {
	numbers := []string{"02079460000", "02079460000", "07700900123", "0033142685300", "0037167123456"}
	ids := make([]string, lines)
	for i := range ids {
		ids[i] = fmt.Sprintf("b%04d", i)
	}
	return func(yield func(Call) bool) {
		r, at := rand.New(rand.NewPCG(seed, 2)), began
		for range n {
			at = at.Add(time.Duration(r.Int64N(int64(2 * time.Second / time.Duration(perSecond)))))
			wants := time.Duration(r.ExpFloat64() * float64(3*time.Minute))
			if !yield(Call{At: at, Line: ids[r.IntN(lines)], Dialled: numbers[r.IntN(len(numbers))], Wants: wants}) {
				return
			}
		}
	}
}

func each(calls []Call) iter.Seq[*Call] {
	return func(yield func(*Call) bool) {
		for i := range calls {
			if c := calls[i]; !yield(&c) {
				return
			}
		}
	}
}

// TestWorkersDoNotMatter: what is said of a call is the same with one worker and with several, and no account spends beyond its cap.
func TestWorkersDoNotMatter(t *testing.T) {
	b := newBook(t, 30, 50_000_000, book.Setting{Field: account.LineDayCap, N: 700_000}, book.Setting{Field: account.MaxCalls, N: 3})
	calls := slices.Collect(stream(1, 30, 3000, 1))
	for i := range calls { // many at one instant, so that it matters which of them comes first
		calls[i].Seq, calls[i].At, calls[i].Wants = int64(i), calls[i].At.Truncate(time.Minute), calls[i].Wants.Round(time.Minute)
	}
	run := func(workers int) (all []Result) {
		of := make([][]Result, workers)
		Run(workers, each(calls), Options{Rules: b.Rules(), Terms: terms, Done: func(w int, r *Result) { of[w] = append(of[w], *r) }})
		all = slices.Concat(of...)
		slices.SortFunc(all, func(a, b Result) int { return int(a.Call.Seq - b.Call.Seq) })
		return all
	}
	one := run(1)
	spent, reasons := map[string]money.Micro{}, map[policy.Reason]int{}
	for _, r := range one {
		reasons[r.Reason]++
		day := r.Call.At.In(time.FixedZone("BST", 3600)).Format(time.DateOnly)
		if spent[r.Call.Line+day] += r.Cost; spent[r.Call.Line+day] > 700_000 {
			t.Errorf("%s spent %v on %s", r.Call.Line, spent[r.Call.Line+day], day)
		}
	}
	if len(one) != 3000 || reasons[policy.Hangup] == 0 || reasons[policy.LineDaySpent] == 0 || reasons[policy.TooManyCalls] == 0 {
		t.Errorf("%d calls, %v", len(one), reasons)
	}
	for workers := range 4 {
		if got := run(workers + 1); !slices.Equal(got, one) {
			t.Errorf("%d workers say something else", workers+1)
		}
	}
}

// TestPeriodsAreOfTheZone: an hour that comes twice belongs to one day, also where the day begins twice with it, and a purse is new
// at midnight, local time.
func TestPeriodsAreOfTheZone(t *testing.T) {
	for _, name := range []string{"Europe/London", "America/Havana", "Asia/Beirut", "Pacific/Apia", "UTC"} {
		zone, err := time.LoadLocation(name)
		must(t, err)
		u, days, months := &purses{}, map[string]*engine.Purse{}, map[string]*engine.Purse{}
		for at := time.Date(2011, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2012; at = at.Add(10 * time.Minute) {
			got, local := u.at(at, zone), at.In(zone)
			for key, of := range map[string]map[string]*engine.Purse{time.DateOnly: days, "2006-01": months} {
				is := got.day
				if key == "2006-01" {
					is = got.month
				}
				if key = local.Format(key); of[key] == nil {
					of[key] = is
				}
				if of[key] != is {
					t.Fatalf("%s, %v: another purse of %s", name, local, key)
				}
			}
		}
		if n := len(days); n < 365 || n > 366 {
			t.Errorf("%s: %d days", name, n)
		}
	}
}

// TestQueue: the queue gives back what it was given by time, and at one time in the order in which calls were let out.
func TestQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var want [][2]int64
		expect := func() {
			slices.SortFunc(want, func(a, b [2]int64) int { return slices.Compare(a[:], b[:]) })
			if d := q.pop(); d.at != want[0][0] || d.call.nth != want[0][1] {
				t.Fatalf("%d of %d, want %v", d.call.nth, d.at, want[0])
			}
			want = want[1:]
		}
		for nth, at := range rapid.SliceOf(rapid.Int64Range(-1, 9)).Draw(t, "times") {
			if at < 0 && len(q) > 0 {
				expect()
				continue
			}
			q.push(due{at, &live{nth: int64(nth)}})
			want = append(want, [2]int64{at, int64(nth)})
		}
		for len(want) > 0 {
			expect()
		}
	})
}

// BenchmarkPlay is calls with money, caps and limits on: judged, held slice by slice, cut or hung up, and charged, on as many workers
// as there are processors. calls/s is what the clock on the wall says, cpu-ns/op what a call costs one processor.
func BenchmarkPlay(b *testing.B) {
	wide := []book.Setting{
		{Field: account.MaxCalls, N: 1000, Grant: true},
		{Field: account.CallsPerMinute, N: 1000, Grant: true},
		{Field: account.LineDayCap, N: 500_000_000, Grant: true},
		{Field: account.LineMonthCap, N: 9_000_000_000, Grant: true},
		{Field: account.InternationalCeiling, N: 1_000_000_000, Grant: true},
		{Field: account.MaxInternational, N: 1000, Grant: true},
	}
	const lines = 3000
	bk := newBook(b, lines, 5_000_000_000, wide...)
	all := slices.Collect(stream(1, lines, 1_000_000, 30))
	b.ReportAllocs()
	var cost [8][2]int64 // by worker: let out, and charged
	cpu, n := cpuTime(b), 0
	o := Options{Rules: bk.Rules(), Terms: terms, Done: func(w int, r *Result) {
		if !r.Refused {
			cost[w][0]++
			cost[w][1] += int64(r.Cost)
		}
	}}
	for b.Loop() {
		Run(2, each(all), o)
		n += len(all)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "calls/s")
	b.ReportMetric(float64(cpuTime(b)-cpu)/float64(n), "cpu-ns/call")
	b.ReportMetric(100*float64(cost[0][0]+cost[1][0])/float64(n), "%let-out")
}

// cpuTime is what this process has used of all processors.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
