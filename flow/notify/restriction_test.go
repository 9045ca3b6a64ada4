package notify

import (
	"strings"
	"testing"
	"time"

	"ringfence/core/fact"
	"ringfence/core/restrict"
	"ringfence/flow/book"
)

// TestOwnersHearOfRestrictions: of those that others set on a line or an account, of their end, once each, and not of what they did themselves.
func TestOwnersHearOfRestrictions(t *testing.T) {
	w := newWorld(t, nil)
	ctx := t.Context()
	restriction := func(names string, until time.Time, only bool) *restrict.Restriction {
		s, err := restrict.ParseSet(names)
		w.must(err)
		return &restrict.Restriction{Names: s, Until: until, Only: only, Ends: true, Why: "a reason"}
	}
	line := func(by string, add *restrict.Restriction, lift int64) {
		_, err := w.book.EditLine(ctx, by, "2001", book.LineEdit{Restrict: add, Lift: lift})
		w.must(err)
	}
	read := func() (all []string) {
		w.follow()
		w.sendDue()
		for _, m := range w.got {
			text := unwrapped(m.Text)
			if checkHTML(t, "restriction", m.HTML); !strings.Contains(text, "a reason") {
				t.Errorf("no reason:\n%s", text)
			}
			all = append(all, text)
		}
		w.got = nil
		return all
	}
	want := func(when string, texts ...string) {
		t.Helper()
		all := read()
		if len(all) != 1 {
			t.Fatalf("%s: %d mails", when, len(all))
		}
		for _, text := range texts {
			if !strings.Contains(all[0], text) {
				t.Errorf("%s: no %q in\n%s", when, text, all[0])
			}
		}
	}
	first := restriction("abroad, LV, intl-mobile, +44843", time.Time{}, false)
	line("root@socket", first, 0)
	want("set", "Destinations were closed to line 2001.", "every call abroad, mobile numbers abroad, Latvia, numbers that begin with +44843", "our staff", "end with the time already paid for")
	line("root@socket", nil, first.ID)
	want("lifted", "A restriction of line 2001 was lifted.", "possible again")
	line(fact.ByAnswer, restriction("LV", time.Time{}, false), 0)
	if all := read(); len(all) != 0 {
		t.Errorf("the owner's own: %v", all)
	}
	l, _ := w.book.Line("2001")
	soon := restriction("FR", time.Now().Add(time.Hour), true)
	_, err := w.book.EditCustomer(ctx, "anna", l.Customer(), book.CustomerEdit{Restrict: soon})
	w.must(err)
	want("set on the account", "closed to all your lines.", "Open, and nothing else that costs: France", "except to the destinations named above")
	over := fact.CustomerChanged{By: "auto", Before: []byte(`{"restrictions":[{"id":7,"names":"FR","since":"2026-07-01T00:00:00Z","until":"2026-07-02T00:00:00Z"}]}`)}
	row := over.Row(time.Date(2026, 7, 2, 0, 0, 30, 0, time.UTC), fact.Subject{Account: l.Customer()})
	row.Encode()
	d, ok := w.n.read(&row)
	if !ok || d.Evidence["now"] != ended || d.By != "" || d.account != l.Customer() {
		t.Errorf("%v, %+v", ok, d)
	}
}
