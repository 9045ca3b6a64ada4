package gate

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/flow/book"
	"ringfence/state/store/memory"
)

// onProbation is an attempt of a login on probation.
func (h *house) onProbation(to string) (*Plan, *Refusal) {
	h.t.Helper()
	p, err := h.gate.Admit(context.Background(), Attempt{Line: "2001", Dialled: to, Source: phoneAt, ALeg: "a-leg", Tight: "192.0.2.9/2026-11-29"})
	r := &Refusal{}
	if err != nil && !errors.As(err, &r) {
		h.t.Fatalf("%v is no refusal", err)
	}
	return p, r
}

// A login at a new place while its line is guessed at makes cheap calls only, two at once and for two pounds in all,
// whatever the line itself may: its password may be stolen all the same.
func TestProbationLimits(t *testing.T) {
	m := memory.New()
	b := newBook(t)
	for f, n := range map[account.Field]int64{account.Premium: 1, account.InternationalCeiling: 10_000_000_000, account.NationalCeiling: 10_000_000_000} {
		set(t, b, f, n, true)
	}
	h := open(t, b, m)
	defer h.close()
	for to, want := range map[string]policy.Reason{
		"02079460999": policy.OK, "07912345678": policy.OK, "08001111111": policy.OK, "999": policy.OK,
		"09061234567": policy.ProbationClass, "0033123456789": policy.ProbationClass, "005351234567": policy.ProbationClass,
	} {
		p, r := h.onProbation(to)
		if r.Reason != want {
			t.Errorf("%s: %v, want %v", to, r.Reason, want)
		}
		if p != nil {
			h.end(p.ID, End{By: call.Caller, Reason: policy.Hangup, Status: 487, At: time.Now()})
		}
		if p, why := h.admit("2001", to); why == policy.ProbationClass {
			t.Errorf("%s from a usual place: %v", to, why)
		} else if p != nil {
			h.end(p.ID, End{By: call.Caller, Reason: policy.Hangup, Status: 487, At: time.Now()})
		}
	}
	first, _ := h.onProbation("02079460999")
	_, _ = h.onProbation("08001111111") // free calls count too
	if _, r := h.onProbation("02079460999"); r.Reason != policy.ProbationBusy || r.Figures != (policy.Figures{Limit: 2, Value: 2, Pass: 3}) {
		t.Errorf("the third at once: %v %+v", r.Reason, r.Figures)
	}
	if _, why := h.admit("2001", "02079460999"); why != policy.OK {
		t.Errorf("a phone at a usual place meanwhile: %v", why)
	}
	if p, r := h.onProbation("999"); p == nil {
		t.Errorf("999 as the third: %v", r.Reason)
	}
	h.end(first.ID, End{By: call.Caller, Reason: policy.Hangup, Status: 487, At: time.Now()})
	if p, r := h.onProbation("02079460999"); p == nil {
		t.Errorf("after one ended: %v", r.Reason)
	}
}

// The two pounds are a purse: exact to the micro-unit under a race of attempts and over a restart, and they come on top of
// the line's own caps.
func TestProbationPurseIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		b := newBook(t)
		set(t, b, account.NationalCeiling, 10_000_000_000, true)
		_, err := b.Import(context.Background(), "test", []byte(strings.Replace(deckCSV, "0.012,0.012,0.012", "0.90,0.90,0.90", 1)), book.ImportOptions{Name: "retail", Kind: rating.Retail, Yes: true, Read: rating.ReadOptions{Whole: true}})
		must(t, err)
		h := open(t, b, m)
		p, r := h.onProbation("02079460999")
		if p == nil {
			t.Fatal(r.Reason)
		}
		h.answer(p)
		time.Sleep(90 * time.Second)
		h.close()
		h = open(t, b, m) // its purse is known again
		defer h.close()
		if got := h.gate.Recovered(); len(got) != 1 {
			t.Fatalf("%d calls recovered", len(got))
		}
		second, _ := h.onProbation("02079460999")
		if second == nil {
			t.Fatal("there were 20p left")
		}
		if _, r := h.onProbation("02079460999"); r.Reason != policy.ProbationBusy {
			t.Errorf("a third beside the one of before the restart: %v", r.Reason)
		}
		h.end(second.ID, End{By: call.Caller, Reason: policy.Hangup, Status: 487, At: time.Now()})
		time.Sleep(time.Minute)
		rec := h.record(p.ID)
		if rec.Reason != policy.ProbationSpent.Code() || rec.Retail > policy.ProbationCap() || rec.Retail < policy.ProbationCap()-20_000 {
			t.Errorf("cut for %s after %v at %v", rec.Reason, rec.Talk, rec.Retail)
		}
		if _, r := h.onProbation("02079460999"); r.Reason != policy.ProbationSpent || r.Figures.Limit != int64(policy.ProbationCap()) || r.Figures.Value != int64(rec.Retail) {
			t.Errorf("once it is spent: %v %+v", r.Reason, r.Figures)
		}
		if free, r := h.onProbation("08001111111"); free == nil {
			t.Errorf("a free call then: %v", r.Reason)
		}
		if _, why := h.admit("2001", "02079460999"); why != policy.OK {
			t.Errorf("a phone at a usual place then: %v", why)
		}
		all, err := m.Purses(context.Background(), []string{"probation/2001/192.0.2.9/2026-11-29"})
		if must(t, err); all[0].Spent != rec.Retail {
			t.Errorf("%+v, want %v spent", all, rec.Retail)
		}
	})
}
