package gate

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/flow/book"
	"ringfence/state/store/memory"
)

// TestGroups: a call to a group goes to the phones of its members that are there, together or in turn, and to nobody they forward to; the caller pays nothing
// for it, and a short number of the customer's own is a call to a line. Another customer's short number, and what the plan reads, are not.
func TestGroups(t *testing.T) {
	b := newBook(t)
	ctx := context.Background()
	short, group, turn, each := "21", "22", true, 15*time.Second
	for _, id := range []string{"2003", "sales"} {
		_, _, err := b.AddLine(ctx, "test", book.NewLine{ID: id, Customer: "acme", NoPassword: id == "sales"})
		must(t, err)
	}
	edit := func(id string, e book.LineEdit) { _, err := b.EditLine(ctx, "test", id, e); must(t, err) }
	must(t, func() error { _, err := b.AddCustomer(ctx, "test", "other", book.CustomerEdit{}); return err }())
	_, _, err := b.AddLine(ctx, "test", book.NewLine{ID: "9001", Customer: "other"})
	must(t, err)
	edit("2002", book.LineEdit{Reach: book.Reach{Short: &short}, Forward: []book.Forward{{Cause: call.ForwardAlways, To: "07700900123"}}})
	edit("sales", book.LineEdit{Reach: book.Reach{Short: &group, Numbers: &[]string{"020 7946 0200-0299"}, Members: &[]string{"2002", "2003", "2001"}}})
	there := map[string]bool{"2002": true, "2003": true}
	synctest.Test(t, func(t *testing.T) {
		h := open(t, b, memory.New(), func(o *Options) { o.Registered = func(line string, _ time.Time) bool { return there[line] } })
		defer h.close()
		ask := func(a Attempt) *Plan {
			t.Helper()
			p, err := h.gate.Admit(ctx, a)
			must(t, err)
			return p
		}
		p := ask(Attempt{Line: "2001", Dialled: "22"})
		if len(p.Routes) != 2 || p.Routes[0] != (Route{Line: "2002"}) || p.Routes[1] != (Route{Line: "2003", With: true}) || p.Called != "sales" || p.Now != "" || p.Number != "22" {
			t.Errorf("together: %+v", p)
		}
		edit("sales", book.LineEdit{Reach: book.Reach{InTurn: &turn, Each: &each}, Forward: []book.Forward{{Cause: call.ForwardUnreachable, To: "21"}}})
		p = ask(Attempt{Trunk: "carrier", Dialled: "+442079460250"})
		if len(p.Routes) != 2 || p.Routes[0] != (Route{Line: "2002", Rings: each}) || p.Routes[1] != (Route{Line: "2003", Rings: each}) || p.Called != "sales" || p.Forward.Unreachable != "21" {
			t.Errorf("in turn: %+v", p)
		}
		for _, c := range []struct { // whose calls a line may take (Replaces)
			from Attempt
			own  bool
		}{
			{Attempt{Line: "2001", Dialled: "22"}, true},
			{Attempt{Line: "2001", Dialled: "+442079460250"}, true},
			{Attempt{Line: "9001", Dialled: "+442079460250"}, false},
			{Attempt{Trunk: "carrier", Dialled: "+442079460250"}, false},
		} {
			if p := ask(c.from); p.Called != "sales" || p.Own != c.own {
				t.Errorf("%+v: %+v", c.from, p)
			}
		}
		there = nil
		if p = ask(Attempt{Line: "2001", Dialled: "22#"}); len(p.Routes) != 0 || p.Now != call.ForwardUnreachable {
			t.Errorf("nobody is there: %+v", p)
		}
		if p = ask(Attempt{Line: "2001", Dialled: "21"}); p.Called != "2002" || p.Now != call.ForwardAlways {
			t.Errorf("a line: %+v", p)
		}
		for dialled, want := range map[string]policy.Reason{"23": policy.NumberInvalid, "999": policy.OK} {
			_, err := h.gate.Admit(ctx, Attempt{Line: "2001", Dialled: dialled})
			got := policy.OK
			if r := (*Refusal)(nil); errors.As(err, &r) {
				got = r.Reason
			}
			if got != want {
				t.Errorf("%s: %v", dialled, got)
			}
		}
		if _, err := h.gate.Admit(ctx, Attempt{Trunk: "carrier", Dialled: "22"}); err == nil {
			t.Error("a carrier calls by a short number")
		}
		for _, c := range h.gate.Calls() {
			if c.Held != 0 && c.Number != "999" {
				t.Errorf("%+v", c)
			}
		}
	})
	if l, _ := b.Line("sales"); l.Forwards() != (account.Forwards{Unreachable: "21"}) {
		t.Errorf("%+v", l.Forwards())
	}
}
