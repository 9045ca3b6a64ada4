package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringfence/core/money"
	"ringfence/state/store"
)

// RaceStages has several followers take the steps of one stage, several senders the same outbox, and many people open one
// link, all at once and through each of stores, which are the same store opened by one or several nodes.
func RaceStages(t *testing.T, stores ...store.Store) {
	t.Helper()
	raceSteps(t, stores)
	raceKeys(t, stores)
	raceClaims(t, stores)
	raceLink(t, stores)
}

func racingStages(t *testing.T, s store.Store) { RaceStages(t, s) }

const (
	raceWriters = 4
	raceFacts   = 100 // of each writer
)

// raceSteps guards that a stage takes each fact exactly once, and misses none that is committed while it reads.
func raceSteps(t *testing.T, stores []store.Store) {
	t.Helper()
	var writers, followers sync.WaitGroup
	var written atomic.Bool
	for w := range raceWriters {
		s := stores[w%len(stores)]
		writers.Go(func() {
			for i := range raceFacts {
				f := store.Fact{At: T0, Kind: "source", Line: fmt.Sprintf("%d/%d", w, i)}
				if _, err := s.Advance(context.Background(), store.Step{Stage: fmt.Sprint("writer", w), Facts: []store.Fact{f}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	moved := atomic.Int64{}
	for w := range 4 {
		s := stores[w%len(stores)]
		followers.Go(func() {
			if err := follow(s, &written, &moved); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	written.Store(true)
	followers.Wait()
	s := stores[0]
	all, err := s.Findings(t.Context(), store.FindingFilter{Limit: 10_000, Kind: "race"})
	ok(t, err)
	if len(all) != raceWriters*raceFacts {
		t.Errorf("%d findings of %d facts", len(all), raceWriters*raceFacts)
	}
	for i := range all {
		if all[i].Count != 1 {
			t.Errorf("%s was raised %d times", all[i].Key, all[i].Count)
		}
	}
	if got := usages(t, s); len(got) != 1 || got[0].Unbilled != raceWriters*raceFacts {
		t.Errorf("usage %+v", got)
	}
	facts, err := s.Facts(t.Context(), store.FactFilter{Kind: "raised", Limit: 10_000})
	ok(t, err)
	if len(facts) != raceWriters*raceFacts {
		t.Errorf("%d facts were raised", len(facts))
	}
	t.Logf("%d steps were another's", moved.Load())
}

// follow is what a stage does, until everything is written and nothing is left to take.
func follow(s store.Store, written *atomic.Bool, moved *atomic.Int64) error {
	ctx := context.Background()
	for {
		last := written.Load()
		from, err := s.Cursor(ctx, "race")
		if err != nil {
			return err
		}
		facts, err := s.Facts(ctx, store.FactFilter{After: from, Limit: 7})
		if err != nil {
			return err
		}
		if len(facts) == 0 {
			if last {
				return nil
			}
			continue
		}
		step := store.Step{Stage: "race", From: from, To: facts[len(facts)-1].Seq}
		for _, f := range facts {
			if f.Kind == "source" {
				step.Findings = append(step.Findings, store.Finding{Key: "race/" + f.Line, Kind: "race", At: f.At, RaiseFact: store.Fact{Kind: "raised", Line: f.Line}})
				step.Usage = append(step.Usage, store.UsageChange{Subject: "line/race", Add: 1})
			}
		}
		out, err := s.Advance(ctx, step)
		if errors.Is(err, store.ErrMoved) {
			moved.Add(1)
			continue
		}
		if err != nil {
			return err
		}
		if slices.Contains(out.Usage, money.Micro(0)) {
			return errors.New("an addition came to nothing")
		}
	}
}

// raceKeys guards that a finding and a notice of one key are made once, no matter who makes them, when no cursor moves.
func raceKeys(t *testing.T, stores []store.Store) {
	t.Helper()
	const racers, keys = 8, 10
	var wg sync.WaitGroup
	var fresh atomic.Int64
	for w := range racers {
		s := stores[w%len(stores)]
		wg.Go(func() {
			var step store.Step
			step.Stage = "keys"
			for i := range keys {
				key := fmt.Sprint("key", (i+w)%keys)
				step.Findings = append(step.Findings, store.Finding{Key: key, Kind: "keys", RaiseFact: store.Fact{Kind: "key"}})
				step.Notices = append(step.Notices, store.Notice{Key: key, Kind: "keys", Links: []store.Link{{Hash: key}}})
			}
			out, err := s.Advance(context.Background(), step)
			if err != nil {
				t.Error(err)
			}
			for _, r := range append(out.Findings, out.Notices...) {
				if r.New {
					fresh.Add(1)
				}
			}
		})
	}
	wg.Wait()
	all, err := stores[0].Findings(t.Context(), store.FindingFilter{Kind: "keys"})
	ok(t, err)
	for i := range all {
		if all[i].Count != racers {
			t.Errorf("%s was counted %d times", all[i].Key, all[i].Count)
		}
	}
	if len(all) != keys || fresh.Load() != 2*keys || len(kinds(t, stores[0], store.FactFilter{Kind: "key"})) != keys {
		t.Errorf("%d findings, %d new", len(all), fresh.Load())
	}
}

// raceClaims guards that no two senders ever hold the same delivery.
func raceClaims(t *testing.T, stores []store.Store) {
	t.Helper()
	const n = 120
	var step store.Step
	step.Stage = "notify"
	for i := range n {
		step.Notices = append(step.Notices, store.Notice{Key: fmt.Sprint("race/", i), Kind: "race", Deliveries: []store.Delivery{
			{Person: "p", Channel: "mail", State: store.Queued, Next: T0}, {Person: "q", Channel: "mail", State: store.Sending, Next: T0},
		}})
	}
	advance(t, stores[0], step)
	var held sync.Map
	var got atomic.Int64
	var wg sync.WaitGroup
	for w := range 6 {
		s := stores[w%len(stores)]
		wg.Go(func() {
			ctx := context.Background()
			for {
				due, err := s.ClaimDeliveries(ctx, T0, T0.Add(time.Minute), 5)
				if err != nil {
					t.Error(err)
				}
				if len(due) == 0 {
					return
				}
				for _, d := range due {
					if _, twice := held.LoadOrStore(fmt.Sprint(d.Notice, d.Person), true); twice {
						t.Errorf("delivery %+v was given out twice", d.Delivery)
					}
					got.Add(1)
					d.State, d.Sent = store.Sent, T0
					if err := s.SettleDelivery(ctx, d.Delivery); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	// Who finds every row locked stops early; nobody is left then but those who hold them.
	if got.Load() != 2*n {
		t.Errorf("%d of %d deliveries were given out", got.Load(), 2*n)
	}
	all, err := stores[0].Notices(t.Context(), store.NoticeFilter{Kind: "race", Limit: n})
	ok(t, err)
	for _, x := range all {
		for _, d := range x.Deliveries {
			if d.State != store.Sent || d.Tries != 1 {
				t.Errorf("delivery %+v", d)
			}
		}
	}
}

// raceLink guards that a link does what it does once, however often it is opened at once.
func raceLink(t *testing.T, stores []store.Store) {
	t.Helper()
	advance(t, stores[0], store.Step{Stage: "notify", Notices: []store.Notice{{Key: "link", Links: []store.Link{{Hash: "once", Expires: T0.Add(time.Hour)}}}}})
	var used, late atomic.Int64
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for w := range 32 {
		s := stores[w%len(stores)]
		wg.Go(func() {
			<-begin
			switch err := s.UseLink(context.Background(), "once", T0, store.Fact{Kind: "link.used"}); {
			case err == nil:
				used.Add(1)
			case errors.Is(err, store.ErrInUse):
				late.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	close(begin)
	wg.Wait()
	if used.Load() != 1 || late.Load() != 31 || len(kinds(t, stores[0], store.FactFilter{Kind: "link.used"})) != 1 {
		t.Errorf("%d used it, %d came late", used.Load(), late.Load())
	}
}
