package book_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// A line may have a short number, further numbers and lines that ring with it: checked, kept, in the journal, and gone with the line.
func TestReach(t *testing.T) {
	b, db, _ := sample(t)
	_, err := b.AddCustomer(ctx, "test", "other", book.CustomerEdit{})
	must(t, err)
	for id, customer := range map[string]string{"acme-2": "acme", "acme-3": "acme", "other-1": "other"} {
		_, _, err := b.AddLine(ctx, "test", book.NewLine{ID: id, Customer: customer, NoPassword: true})
		must(t, err)
	}
	edit := func(id string, r book.Reach) error {
		_, err := b.EditLine(ctx, "test", id, book.LineEdit{Reach: r})
		return err
	}
	for name, r := range map[string]book.Reach{
		"an emergency number":               {Short: ptr("99")},
		"a long short number":               {Short: ptr("20011")},
		"no number":                         {Numbers: &[]string{"21"}},
		"a range that ends early":           {Numbers: &[]string{"020 7946 0199-0100"}},
		"a range of what is none":           {Numbers: &[]string{"0909 879 0100-0199", "02-04"}},
		"more than a thousand":              {Numbers: &[]string{"020 7946 0000-1000"}},
		"a number twice":                    {Numbers: &[]string{"020 7946 0100-0199", "020 7946 0150"}},
		"a number or a range":               {Numbers: &[]string{"+49 30 1234567-69"}},
		"one of five digits or two of four": {Numbers: &[]string{"016977 2345-6"}},
		"itself":                            {Members: &[]string{"acme-1"}},
		"another's line":                    {Members: &[]string{"other-1"}},
		"a line twice":                      {Members: &[]string{"acme-2", "acme-2"}},
		"no line":                           {Members: &[]string{"acme-9"}},
		"a moment":                          {Each: ptr(time.Second)},
	} {
		if invalid := (*book.Invalid)(nil); !errors.As(edit("acme-1", r), &invalid) {
			t.Errorf("%s is taken", name)
		}
	}
	must(t, edit("acme-1", book.Reach{Short: ptr("21"), Numbers: &[]string{"020 7946 0100-0199", "+44 20 7946 0300"}, Members: &[]string{"acme-3", "acme-2"}, InTurn: ptr(true), Each: ptr(15 * time.Second)}))
	must(t, edit("other-1", book.Reach{Short: ptr("21")})) // of another customer
	if invalid := (*book.Invalid)(nil); !errors.As(edit("acme-2", book.Reach{Short: ptr("21")}), &invalid) || !strings.Contains(invalid.Error(), "acme-1") {
		t.Error("a short number is given twice")
	}
	for _, taken := range []string{"020 7946 0150", "020 7946 0000", "020 7946 0190-0210"} {
		if err := edit("acme-2", book.Reach{Numbers: &[]string{taken}}); !errors.Is(err, store.ErrExists) {
			t.Errorf("%s: %v", taken, err)
		}
	}
	if _, err := b.EditLine(ctx, "test", "acme-2", book.LineEdit{Number: ptr("020 7946 0150")}); !errors.Is(err, store.ErrExists) {
		t.Errorf("a number of a range: %v", err)
	}
	for name, b := range map[string]*book.Book{"written": b, "read again": open(t, db, options(t))} {
		l := line(t, b, "acme-1")
		if got := l.NumberTexts(); !slices.Equal(got, []string{"+442079460100-0199", "+442079460300"}) || !l.Owns(442079460150) || !l.Owns(442079460000) || l.Owns(442079460200) {
			t.Errorf("%s: %q", name, got)
		}
		var members []string
		for _, m := range b.Members(l) {
			members = append(members, m.ID())
		}
		if r := l.Reach(); !slices.Equal(members, []string{"acme-3", "acme-2"}) || !r.InTurn || r.Rings() != 15*time.Second {
			t.Errorf("%s: %q, %+v", name, members, r)
		}
		id, _ := b.ByNumber(442079460199)
		short, _ := b.Short("acme", "21")
		theirs, _ := b.Short("other", "21")
		if id != "acme-1" || short != "acme-1" || theirs != "other-1" {
			t.Errorf("%s: found %q, %q and %q", name, id, short, theirs)
		}
	}
	_, err = b.EditLine(ctx, "test", "acme-2", book.LineEdit{Forward: []book.Forward{{Cause: call.ForwardBusy, To: "21"}}, Careful: true})
	must(t, err)
	if b.Dear("acme", "21") || !b.Dear("acme", "22") {
		t.Error("a short number of the customer's own is dear, or what is none is not")
	}

	must(t, edit("acme-1", book.Reach{Short: ptr("22"), Numbers: &[]string{"020 7946 0000", "020 7946 0300"}}))
	if _, ok := b.Short("acme", "21"); ok {
		t.Error("the former short number still leads there")
	}
	if _, ok := b.ByNumber(442079460150); ok {
		t.Error("a former number still leads there")
	}
	must(t, edit("acme-1", book.Reach{Numbers: &[]string{}}))
	if id, _ := b.ByNumber(442079460000); id != "acme-1" {
		t.Error("its own number went with the others")
	}
	must(t, b.DeleteLine(ctx, "test", "acme-3"))
	if got := b.Members(line(t, b, "acme-1")); len(got) != 1 || got[0].ID() != "acme-2" {
		t.Errorf("members: %v", got)
	}
	must(t, b.DeleteLine(ctx, "test", "acme-1"))
	if _, ok := b.Short("acme", "22"); ok {
		t.Error("the short number of a line that is gone")
	}
	facts, err := db.Facts(ctx, store.FactFilter{Kind: fact.KindLineChanged, Limit: 100})
	must(t, err)
	if !slices.ContainsFunc(facts, func(f store.Fact) bool {
		return strings.Contains(string(f.Body), `"numbers":["+442079460100-0199","+442079460300"]`) && strings.Contains(string(f.Body), `"rings":["acme-3","acme-2"]`)
	}) {
		t.Error("no fact says how the line is reached")
	}
}

// A line has no more members than may ring for one call.
func TestFanOutIsBounded(t *testing.T) {
	b, _, _ := sample(t)
	var all []string
	for n := range account.MaxMembers + 1 {
		id := "m" + string(rune('a'+n))
		_, _, err := b.AddLine(ctx, "test", book.NewLine{ID: id, Customer: "acme", NoPassword: true})
		must(t, err)
		all = append(all, id)
	}
	_, err := b.EditLine(ctx, "test", "acme-1", book.LineEdit{Reach: book.Reach{Members: &all}})
	if invalid := (*book.Invalid)(nil); !errors.As(err, &invalid) {
		t.Errorf("%d members: %v", len(all), err)
	}
}
