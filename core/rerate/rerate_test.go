package rerate

import (
	"flag"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"ringfence/core/money"
	"ringfence/core/rating"
)

var calls = flag.Int("calls", 20_000, "how many random calls both raters price")

// TestNothingIsShared: the second rater imports nothing of the first, nor what it rounds with.
func TestNothingIsShared(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "rerate.go", nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range f.Imports {
		if strings.Contains(i.Path.Value, "ringfence/") {
			t.Errorf("it imports %s", i.Path.Value)
		}
	}
}

// TestBothRatersAgree prices random calls twice: with every sort of increment, charge, band and zone, across changes of the clocks. make rerate does ten million.
func TestBothRatersAgree(t *testing.T) {
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(w)))
			for range *calls / workers {
				if !agree(t, r) {
					return
				}
			}
		})
	}
	wg.Wait()
}

func agree(t *testing.T, r *rand.Rand) bool {
	q, c := randomCall(r)
	first, second := q.Cost(c.Talk), Cost(&c)
	if !second.IsInt64() || int64(first) != second.Int64() {
		t.Errorf("%v of talk from %v at %+v, peak %v to %v: the first rater says %d, the second %v", c.Talk, c.Start, c.Price, c.Week.PeakFrom, c.Week.PeakUntil, first, second)
		return false
	}
	return true
}

var zones = func() (all []*time.Location) {
	for _, name := range []string{"Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "UTC"} {
		if z, err := time.LoadLocation(name); err == nil {
			all = append(all, z)
		}
	}
	return append(all, nil)
}()

// randomCall is the same call for both raters.
func randomCall(r *rand.Rand) (rating.Quote, Call) {
	rate := func() int64 { return r.Int64N([]int64{1, 1000, 100_000_000, 5_000_000_000}[r.IntN(4)]) }
	charge := func() int64 { return r.Int64N([]int64{1, 1, 100, 5_000_000}[r.IntN(4)]) }
	steps := []int64{1, 1, 6, 30, 60, 60}
	if r.IntN(100) == 0 {
		steps = []int64{600, 3600}
	}
	p := Price{Connect: charge(), Minimum: charge(), Peak: rate(), OffPeak: rate(), Weekend: rate(), First: steps[r.IntN(len(steps))], Step: steps[r.IntN(len(steps))]}
	if r.IntN(4) == 0 {
		p.OffPeak, p.Weekend = p.Peak, p.Peak
	}
	half := func() time.Duration { return time.Duration(r.IntN(48)) * 30 * time.Minute }
	c := Call{
		Price: p, Week: Week{zones[r.IntN(len(zones))], half(), half()}, Start: randomStart(r),
		Talk: time.Duration(r.Int64N(int64(longest(r)))),
	}
	if r.IntN(3) > 0 {
		c.Talk = c.Talk.Truncate(time.Second)
	}
	q := rating.Quote{
		Price: rating.Price{
			Prefix: 1, Connect: money.Micro(p.Connect), Minimum: money.Micro(p.Minimum),
			Rates: [rating.NumBands]money.Rate{money.Rate(p.Peak), money.Rate(p.OffPeak), money.Rate(p.Weekend)}, First: uint16(p.First), Step: uint16(p.Step),
		},
		Calendar: rating.Calendar{Zone: c.Week.Zone, PeakFrom: c.Week.PeakFrom, PeakTill: c.Week.PeakUntil}, Start: c.Start,
	}
	return q, c
}

// longest bounds a call's talk: a few go over days.
func longest(r *rand.Rand) time.Duration {
	switch n := r.IntN(1000); {
	case n < 2:
		return 26 * time.Hour
	case n < 20:
		return time.Hour
	}
	return []time.Duration{time.Second, time.Minute, 10 * time.Minute}[r.IntN(3)]
}

// randomStart is often shortly before an hour at which something changes.
func randomStart(r *rand.Rand) time.Time {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.Int64N(int64(2 * 365 * 24 * time.Hour))))
	if r.IntN(2) == 0 {
		at = at.Truncate(30 * time.Minute).Add(-time.Duration(r.IntN(90)) * time.Second)
	}
	if r.IntN(10) == 0 { // the clocks of London go forward, or back
		at = time.Date(2026, time.Month(3+7*r.IntN(2)), 29-4*r.IntN(2), 0, r.IntN(120), r.IntN(60), 0, time.UTC)
	}
	return at
}

// FuzzBothRatersAgree looks for a call on which the raters differ.
func FuzzBothRatersAgree(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) { agree(t, rand.New(rand.NewPCG(a, b))) })
}
