package gate

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/engine"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/flow/book"
	"ringfence/state/store/memory"
)

// TestDecideAsksThePurses: what a line has left is asked as Admit asks it; emergency calls and lines that are not there are decided without.
func TestDecideAsksThePurses(t *testing.T) {
	b := newBook(t)
	set(t, b, account.LineDayCap, int64(money.Pound/10), false)
	synctest.Test(t, func(t *testing.T) {
		h := open(t, b, memory.New())
		defer h.close()
		decide := func(line, to string) *Explanation {
			x, err := h.gate.Decide(t.Context(), Question{Line: line, Dialled: to, Source: netip.MustParseAddr("192.0.2.7"), At: time.Now()})
			must(t, err)
			return x
		}
		if x := decide("2001", "07700 900123"); !x.Verdict.Allowed() {
			t.Errorf("with an empty purse: %v", x.Verdict.Reason)
		}
		var open []*Plan
		for {
			p, why := h.admit("2001", "07700 900123")
			if why != policy.OK {
				if x := decide("2001", "07700 900123"); x.Verdict.Reason != why || x.Verdict.Figures.Limit != int64(money.Pound/10) || x.Verdict.Figures.Value == 0 {
					t.Errorf("Decide says %v of %+v, Admit %v", x.Verdict.Reason, x.Verdict.Figures, why)
				}
				break
			}
			open = append(open, p)
		}
		if x := decide("2001", "999"); !x.Verdict.Allowed() {
			t.Errorf("an emergency call: %v", x.Verdict.Reason)
		}
		if _, err := h.gate.Decide(t.Context(), Question{Line: "gone", Dialled: "07700 900123", Source: netip.Addr{}, At: time.Now()}); !errors.Is(err, book.ErrNotFound) {
			t.Errorf("a line that is gone: %v", err)
		}
		for _, p := range open {
			h.end(p.ID, End{Reason: policy.Cancelled, Status: 487, At: time.Now()})
		}
	})
}

// TestDecideSaysWhatIsPresented: a number that the phone asks to present is judged as Admit judges it.
func TestDecideSaysWhatIsPresented(t *testing.T) {
	b := newBook(t)
	synctest.Test(t, func(t *testing.T) {
		h := open(t, b, memory.New())
		defer h.close()
		own := func(line string) string { l, _ := b.Line(line); return strings.TrimPrefix(l.Number(), "+") }
		for _, c := range []struct {
			caller, present string
			strict          bool
			want            policy.Reason
		}{
			{"", own("2001"), false, policy.OK},
			{"2001", own("2001"), true, policy.OK},
			{"+" + own("2002"), own("2002"), true, policy.OK},
			{"+447700900999", own("2001"), false, policy.OK},
			{"+447700900999", own("2001"), true, policy.NumberNotVerified},
		} {
			must(t, b.SetProvider(book.Options{Plan: phone.UK(), Zone: "Europe/London", Tariff: "retail", Strict: c.strict}))
			x, err := h.gate.Decide(t.Context(), Question{Line: "2001", Dialled: "07700 900123", Caller: c.caller, At: time.Now()})
			must(t, err)
			if x.Verdict.Reason != c.want || x.Present != c.present || x.Network != own("2001") {
				t.Errorf("%+v: %v, %s beside %s", c, x.Verdict.Reason, x.Present, x.Network)
			}
		}
	})
}

// TestPursesAreThoseOfNow: four of a line and two of a customer, each with its cap and what is spent and held.
func TestPursesAreThoseOfNow(t *testing.T) {
	b := newBook(t)
	set(t, b, account.LineDayCap, int64(money.Pound), false)
	synctest.Test(t, func(t *testing.T) {
		h := open(t, b, memory.New())
		defer h.close()
		line, _ := b.Line("2001")
		p, why := h.admit("2001", "07700 900123")
		if why != policy.OK {
			t.Fatal(why)
		}
		held := h.gate.Calls()[0].Held
		for owner, first := range map[string]policy.Purse{"2001": policy.LineDay, "": policy.AccountDay} {
			got, err := h.gate.Purses(t.Context(), line.Customer(), owner, time.Now())
			must(t, err)
			if len(got) != int(policy.Probation-first) {
				t.Fatalf("%q: %+v", owner, got)
			}
			for i, x := range got {
				kind := first + policy.Purse(i)
				if x.Kind != kind || engine.PurseOf(x.ID) != kind || x.Cap != engine.Cap(line.Effective(time.Now()), kind) || x.Held != held || x.Spent != 0 {
					t.Errorf("%q: %+v", owner, x)
				}
			}
		}
		h.end(p.ID, End{Reason: policy.Cancelled, Status: 487, At: time.Now()})
	})
}

// TestCallsInProgressAreThoseOfEveryNode: a call that is cut says so, and another node's is listed apart.
func TestCallsInProgressAreThoseOfEveryNode(t *testing.T) {
	b := newBook(t)
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		h, other := open(t, b, m), open(t, b, m, func(o *Options) { o.Node = "n2" })
		defer h.close()
		p, _ := h.admit("2001", "07700 900123")
		h.answer(p)
		synctest.Wait()
		if all := h.gate.InProgress(); len(all) != 1 || all[0].ID != p.ID || all[0].Cutting || all[0].Priced {
			t.Errorf("%+v", all)
		}
		if all, err := h.gate.Others(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("%+v %v", all, err)
		}
		if all, err := other.gate.Others(t.Context()); err != nil || len(all) != 1 || all[0].ID != p.ID {
			t.Errorf("%+v %v", all, err)
		}
		other.close()
		h.end(p.ID, End{Reason: policy.Hangup, At: time.Now()})
	})
}
