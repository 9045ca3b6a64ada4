package health

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/policy"
	"ringfence/core/secret"
	"ringfence/flow/book/booktest"
	"ringfence/state/store"
)

var errTaken = errors.New("another process has it")

// options are of a node with a key of its own and nothing sealed.
func options(t *testing.T, s store.Store) Options {
	t.Helper()
	key, err := secret.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Store: s, Box: func() (*secret.Box, error) { return secret.NewBox([]secret.Key{key}) }, Secrets: func() (int, int) { return 0, 0 },
		Ledger: func() error { return nil }, Taken: errTaken, Fail: func(error) {}, Log: slog.New(slog.DiscardHandler),
	}
}

func open(t *testing.T, o Options) *Health {
	t.Helper()
	h, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestAnotherKeyIsRefused: every right login would be a wrong password. A store without marks is asked what opens.
func TestAnotherKeyIsRefused(t *testing.T) {
	s := &booktest.Store{}
	o := options(t, s)
	o.Secrets = func() (int, int) { return 3, 1 }
	if _, err := Open(t.Context(), o); !errors.Is(err, errOtherKey) || !strings.Contains(err.Error(), "1 of 4") {
		t.Errorf("a store that the key does not open: %v", err)
	}
	o.Secrets = func() (int, int) { return 4, 0 }
	open(t, o)
	open(t, o) // the same key again
	if _, err := Open(t.Context(), options(t, s)); !errors.Is(err, errOtherKey) {
		t.Errorf("another key: %v", err)
	}
}

// TestAnotherStoreIsNoticed: calls must not be charged to a store that was put in the place of ours.
func TestAnotherStoreIsNoticed(t *testing.T) {
	s := &booktest.Store{}
	h := open(t, options(t, s))
	if fault := h.look(t.Context()); fault != "" || h.Paid() != policy.OK {
		t.Fatalf("%q, paid calls: %v", fault, h.Paid())
	}
	marks, err := s.Marks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutMark(t.Context(), store.Mark{Name: store.MarkIdentity, Value: "another"}, marks[store.MarkIdentity].Value); err != nil {
		t.Fatal(err)
	}
	if fault := h.look(t.Context()); !strings.Contains(fault, "another store") || h.Paid() != policy.StoreUnavailable {
		t.Errorf("%q, paid calls: %v", fault, h.Paid())
	}
}

// TestTheGapClosesPaidCalls: nobody spends beyond his caps by what a restored store has forgotten, until it is accepted.
func TestTheGapClosesPaidCalls(t *testing.T) {
	s := &booktest.Store{}
	o := options(t, s)
	open(t, o)
	box, _ := o.Box()
	out := Restored{}
	if err := out.prepare(t.Context(), s, box, "test"); err != nil {
		t.Fatal(err)
	}
	h := open(t, o)
	if h.Paid() != policy.RecordsLost || !strings.Contains(h.Fault(), "--accept-gap") {
		t.Errorf("paid calls: %v, %q", h.Paid(), h.Fault())
	}
	if gap, err := AcceptGap(t.Context(), s, "test"); err != nil || !gap.Until.Equal(out.Until) {
		t.Errorf("%+v, %v", gap, err)
	}
	if fault := h.look(t.Context()); fault != "" || h.Paid() != policy.OK {
		t.Errorf("%q, paid calls: %v", fault, h.Paid())
	}
	if _, err := AcceptGap(t.Context(), s, "test"); err == nil {
		t.Error("accepted what is not there")
	}
}

// TestTheNodeWasTaken: the process that is no longer the node stops, for the one that is meters its calls. Not to know closes paid
// calls and stops nothing.
func TestTheNodeWasTaken(t *testing.T) {
	var held, failed error
	o := options(t, &booktest.Store{})
	o.Held, o.Fail = func(context.Context) error { return held }, func(err error) { failed = err }
	h := open(t, o)
	held = errors.New("no connection")
	if h.look(t.Context()) == "" || failed != nil || h.Paid() != policy.StoreUnavailable {
		t.Errorf("not known: %v, paid calls: %v", failed, h.Paid())
	}
	held = errTaken
	if h.look(t.Context()) == "" || !errors.Is(failed, errTaken) {
		t.Errorf("taken: %v", failed)
	}
}

// frozen does not answer until it thaws.
type frozen struct {
	store.Store
	thaw chan struct{}
}

func (f *frozen) Ping(context.Context) error { <-f.thaw; return nil }

// TestAFrozenStoreIsNoticed within two seconds, although its call does not return; and so is that it answers again.
func TestAFrozenStoreIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &frozen{Store: &booktest.Store{}, thaw: make(chan struct{})}
		h := open(t, options(t, f))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { h.Run(ctx); close(done) }()
		<-time.After(2 * time.Second)
		if !strings.Contains(h.Fault(), "not answered") {
			t.Errorf("after two seconds: %q", h.Fault())
		}
		close(f.thaw)
		<-time.After(time.Second)
		if h.Fault() != "" {
			t.Errorf("after it answered: %q", h.Fault())
		}
		stop()
		<-done
	})
}

// TestCheckFindsWhatOperatorsMustKnow: a store that cannot be written, purses that do not add up, and money that a restart forgets.
func TestCheckFindsWhatOperatorsMustKnow(t *testing.T) {
	s := &ailing{}
	o := options(t, s)
	o.Engine, o.Money = "sqlite", s
	h := open(t, o)
	check := func(want ...string) {
		t.Helper()
		var got []string
		for _, f := range h.Check(t.Context()) {
			got = append(got, f.Level+" "+f.What+": "+f.Text)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	sound := "ok money: every purse holds exactly what its open calls hold"
	check("ok store: sqlite answers and can be written", sound)
	s.ping = errors.New("disk full")
	check("error store: cannot be written: disk full. Paid calls are refused until it can", sound)
	s.ping, s.faults = nil, []string{"purse a holds too much"}
	check("ok store: sqlite answers and can be written", "error money: purse a holds too much")
	s.faults, s.check = nil, errors.New("disk I/O error")
	check("ok store: sqlite answers and can be written", "error money: could not be checked: disk I/O error")
	o.Money = &ailing{}
	h = open(t, o)
	check("ok store: sqlite answers and can be written", sound, `warning configuration: store.money is "memory": caps and calls are forgotten when the program ends`)
}

// ailing is a store that says what the test wants.
type ailing struct {
	booktest.Store
	ping, check error
	faults      []string
}

func (a *ailing) Ping(context.Context) error              { return a.ping }
func (a *ailing) Check(context.Context) ([]string, error) { return a.faults, a.check }
