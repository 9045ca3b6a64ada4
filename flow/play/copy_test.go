package play

import (
	"errors"
	"slices"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/habit"
	"ringfence/flow/book"
)

// generous lets a line call Latvia.
func generous() []book.Setting {
	return []book.Setting{
		{Field: account.LineDayCap, N: 300_000_000, Grant: true},
		{Field: account.InternationalCeiling, N: 1_000_000_000, Grant: true},
		{Field: account.MaxInternational, N: 1000, Grant: true},
	}
}

// TestCopy: a copy plays on exactly as its original would have, and neither sees what the other plays.
func TestCopy(t *testing.T) {
	b := newBook(t, 6, 500_000_000, generous()...)
	rules := habit.Default()
	rules.Learning = 0
	calls := slices.Collect(stream(3, 6, 4000, 1))
	for i := range calls {
		calls[i].Seq, calls[i].Place = int64(i), uint32(1+i%3)
		if i >= 2000 {
			calls[i].At = calls[i].At.Add(12 * time.Hour)
		}
	}
	var got []Result
	found := 0
	p := New(Options{Rules: b.Rules(), Terms: terms, Habits: rules, Done: func(_ int, r *Result) { got = append(got, *r) }, Finding: func(int, *Found) { found++ }})
	for i := range calls[:2000] {
		c := calls[i]
		p.Play(&c)
	}
	if _, err := p.Copy(nil, nil); !errors.Is(err, ErrBusy) {
		t.Fatalf("a copy in the middle of calls: %v", err)
	}
	p.Until(calls[2000].At.Add(-time.Second))
	if !p.Idle() {
		t.Fatal("a call lasts for twelve hours")
	}
	got = nil
	again := func() (all []Result) {
		c, err := p.Copy(func(_ int, r *Result) { all = append(all, *r) }, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range calls[2000:] {
			x := calls[2000+i]
			c.Play(&x)
		}
		c.End()
		return all
	}
	first, second := again(), again()
	for i := range calls[2000:] {
		c := calls[2000+i]
		p.Play(&c)
	}
	p.End()
	if found == 0 {
		t.Error("nothing was found: the test says nothing of habits")
	}
	if !slices.Equal(first, second) {
		t.Error("two copies of one Player differ")
	}
	if !slices.Equal(first, got) {
		t.Error("a copy and its original differ")
	}
}

// TestChange: a line's new settings hold from then on.
func TestChange(t *testing.T) {
	b := newBook(t, 1, 50_000_000, generous()...)
	var got []Result
	p := New(Options{Rules: b.Rules(), Terms: terms, Done: func(_ int, r *Result) { got = append(got, *r) }})
	call := func(at time.Time) *Call {
		return &Call{At: at, Line: "b0000", Dialled: "0037167123456", Wants: time.Minute}
	}
	p.Play(call(began))
	p.Until(began.Add(time.Hour))
	line, _ := b.Rules().Line("b0000", began)
	tight := *line.Settings
	tight.Values[account.InternationalCeiling] = 0
	p.Change("b0000", &tight, began.Add(time.Hour))
	p.Play(call(began.Add(2 * time.Hour)))
	if len(got) != 2 || got[0].Refused || !got[1].Refused {
		t.Errorf("%+v", got)
	}
}
