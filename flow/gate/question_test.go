package gate

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/flow/book"
	"ringfence/state/store/memory"

	"pgregory.net/rapid"
)

// step is one thing that happens to both twins, or a question to the first of them.
type step struct {
	kind     string
	line, to string
	field    account.Field
	n        int64
	grant    bool
	account  bool
	span     time.Duration // how long to wait, when a grant ends, or how far from now the question is about
	at       time.Time     // asks about this instant instead
}

var stepGen = rapid.Custom(func(t *rapid.T) step {
	s := step{
		kind: rapid.SampledFrom([]string{"admit", "admit", "admit", "end", "set", "wait", "ask", "ask"}).Draw(t, "kind"),
		line: rapid.SampledFrom([]string{"2001", "2002"}).Draw(t, "line"),
		to: rapid.SampledFrom([]string{
			"02079460000", "07700900123", "08001111", "09098790123", "0033142685300", "005371234567", "02079460102", "999", "0087",
		}).Draw(t, "to"),
	}
	switch s.kind {
	case "set":
		s.field = rapid.SampledFrom([]account.Field{
			account.NationalCeiling, account.InternationalCeiling, account.Premium, account.MaxCalls, account.CallsPerMinute, account.LineDayCap,
		}).Draw(t, "field")
		_, most := s.field.Range()
		s.n = rapid.Int64Range(0, min(most, 400*int64(money.PencePerMinute))).Draw(t, "n")
		s.grant, s.account = rapid.IntRange(0, 3).Draw(t, "grant") > 0, rapid.IntRange(0, 2).Draw(t, "account") == 0
		s.span = time.Duration(rapid.Int64Range(0, 50).Draw(t, "hours")) * time.Hour
	case "wait":
		s.span = time.Duration(rapid.Int64Range(1, 40_000).Draw(t, "seconds")) * time.Second
	case "ask":
		s.span = time.Duration(rapid.Int64Range(-30*24*60, 30*24*60).Draw(t, "minutes")) * time.Minute
		if rapid.IntRange(0, 5).Draw(t, "far") == 0 {
			s.at = rapid.SampledFrom([]time.Time{time.Unix(0, 0), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)}).Draw(t, "at")
		}
	}
	return s
})

// twins are two gates that live through the same: the first is asked questions, the second never.
type twins struct {
	asked, silent *house
	up            [2][]call.ID
	bad           string // what they did not agree on
}

// TestQuestionsChangeNothing guards against decide for next week, which kept next week's settings and refused today's calls
// by them until the next edit. Between admissions, changes and the passing of hours one gate is asked random questions about
// random instants; every decision must be that of its twin, which nobody asked. The books live on from one bubble to the
// next, so that their clock is put back by days each time.
func TestQuestionsChangeNothing(t *testing.T) {
	books := [2]*book.Book{newBook(t), newBook(t)}
	rapid.Check(t, func(r *rapid.T) {
		steps := rapid.SliceOfN(stepGen, 1, 40).Draw(r, "steps")
		w := &twins{}
		synctest.Test(t, func(t *testing.T) {
			w.asked, w.silent = open(t, books[0], memory.New()), open(t, books[1], memory.New())
			defer w.asked.close()
			defer w.silent.close()
			for i := 0; i < len(steps) && w.bad == ""; i++ {
				w.play(&steps[i])
			}
			for len(w.up[0])+len(w.up[1]) > 0 {
				w.end()
			}
		})
		if w.bad != "" {
			r.Fatal(w.bad)
		}
	})
}

func (w *twins) play(s *step) {
	switch s.kind {
	case "admit":
		w.admit(s)
	case "end":
		w.end()
	case "set":
		w.set(s)
	case "wait":
		time.Sleep(s.span)
	case "ask":
		w.ask(s)
	}
}

func (w *twins) each(f func(i int, h *house)) {
	f(0, w.asked)
	f(1, w.silent)
}

// admit makes the same attempt on both and compares what they say of it, word for word.
func (w *twins) admit(s *step) {
	var said [2]string
	w.each(func(i int, h *house) {
		p, err := h.gate.Admit(context.Background(), Attempt{Line: s.line, Dialled: s.to, Source: phoneAt, ALeg: "a"})
		if err != nil {
			said[i] = err.Error()
			return
		}
		said[i] = fmt.Sprint("allowed by ", p.Routes)
		w.up[i] = append(w.up[i], p.ID)
	})
	if said[0] != said[1] {
		w.bad = fmt.Sprintf("%s to %s: the gate that was asked says %q, its twin %q", s.line, s.to, said[0], said[1])
	}
}

// end ends the oldest call.
func (w *twins) end() {
	w.each(func(i int, h *house) {
		if len(w.up[i]) == 0 {
			return
		}
		h.end(w.up[i][0], End{By: call.Caller, Reason: policy.Cancelled, Status: 487, At: time.Now()})
		w.up[i] = slices.Delete(w.up[i], 0, 1)
	})
}

// set changes the same on both: mostly a grant that ends by itself within hours.
func (w *twins) set(s *step) {
	set := book.Setting{Field: s.field, N: s.n, Grant: s.grant}
	if s.grant && s.span > 0 {
		set.Until = time.Now().Add(s.span)
	}
	level, id := account.LevelLine, s.line
	if s.account {
		level, id = account.LevelCustomer, "acme"
	}
	var errs [2]error
	w.each(func(i int, h *house) { errs[i] = h.book.Set(context.Background(), "test", level, id, set) })
	if (errs[0] == nil) != (errs[1] == nil) {
		w.bad = fmt.Sprintf("setting %+v: %v, its twin %v", set, errs[0], errs[1])
	}
}

// ask asks the first all that may be asked, about an instant that is mostly not now. The settings must be those of the instant.
func (w *twins) ask(s *step) {
	at, h := time.Now().Add(s.span), w.asked
	if !s.at.IsZero() {
		at = s.at
	}
	if x := h.gate.Explain(Question{Line: s.line, Dialled: s.to, Source: phoneAt.Addr(), At: at}); !x.Known {
		w.bad = "the line is not known"
	}
	l, _ := h.book.Line(s.line)
	c, _ := h.book.Customer("acme")
	own := l.Settings()
	if got, want := l.Effective(at), account.Resolve(at, h.book.Provider(), nil, &c.Settings, &own); got.Values != want.Values {
		w.bad = fmt.Sprintf("%s at %s: %v is in force, want %v", s.line, at, got.Values, want.Values)
	}
	h.gate.Calls()
	h.book.Counts()
	l.Retail()
	_, err := h.book.Requests(context.Background(), "")
	must(h.t, err)
	ids := engine.PurseIDs(s.line, "acme", l.Zone(), at)
	_, err = h.money.Purses(context.Background(), ids[:])
	must(h.t, err)
	_, err = h.money.Check(context.Background())
	must(h.t, err)
}
