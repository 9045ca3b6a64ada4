package book_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/account"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
)

// TestNothingIsInheritedUnderANameUsedAgain guards that money, records or devices of what was removed pass to what is
// added under its name: customers, lines, contacts and trunks come and go under few names, and no identity comes twice.
func TestNothingIsInheritedUnderANameUsedAgain(t *testing.T) {
	o := options(t)
	o.Identify = nil
	rapid.Check(t, func(t *rapid.T) {
		b, err := book.Open(ctx, &booktest.Store{}, o)
		must1(t, err)
		w := &comings{b: b, used: map[string]bool{}, removed: map[string]bool{}}
		names := rapid.SampledFrom([]string{"a", "b", "c-1"})
		t.Repeat(map[string]func(*rapid.T){
			"add customer":    func(t *rapid.T) { w.addCustomer(t, names.Draw(t, "customer")) },
			"add line":        func(t *rapid.T) { w.addLine(t, names.Draw(t, "customer"), names.Draw(t, "line")) },
			"add contact":     func(t *rapid.T) { w.addContact(t, names.Draw(t, "customer"), names.Draw(t, "contact")) },
			"add trunk":       func(t *rapid.T) { w.addTrunk(t, names.Draw(t, "trunk")) },
			"remove customer": func(t *rapid.T) { w.removeCustomer(t, names.Draw(t, "customer")) },
			"remove line":     func(t *rapid.T) { w.removeLine(t, names.Draw(t, "line")) },
			"remove contact": func(t *rapid.T) {
				if c, ok := w.b.CustomerCalled(names.Draw(t, "customer")); ok && len(c.Contacts) > 0 {
					must1(t, w.b.DeleteContact(ctx, "t", c.ID, c.Contacts[0].ID))
				}
			},
			"remove trunk": func(t *rapid.T) {
				if x, ok := w.b.TrunkCalled(names.Draw(t, "trunk")); ok {
					must1(t, w.b.DeleteTrunk(ctx, "t", x.Name))
				}
			},
			"": w.check,
		})
	})
}

// comings is a book in which things come and go, with every identity that it ever gave.
type comings struct {
	b             *book.Book
	used, removed map[string]bool
}

func must1(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fresh wants an identity that was never given, for a handle.
func (w *comings) fresh(t *rapid.T, what, id, handle string) {
	t.Helper()
	if key := what + "/" + id; w.used[key] || account.Handle(id) != handle || id == handle {
		t.Fatalf("%s %s got the identity %s, which was used before: %v", what, handle, id, w.used[key])
	}
	w.used[what+"/"+id] = true
}

func (w *comings) addCustomer(t *rapid.T, handle string) {
	_, there := w.b.CustomerCalled(handle)
	c, err := w.b.AddCustomer(ctx, "t", handle, book.CustomerEdit{})
	if there != errors.Is(err, book.ErrExists) || !there && err != nil {
		t.Fatalf("customer %s, there %v: %v", handle, there, err)
	}
	if err == nil {
		w.fresh(t, "customer", c.ID, handle)
	}
}

func (w *comings) addLine(t *rapid.T, customer, handle string) {
	c, ok := w.b.CustomerCalled(customer)
	if !ok {
		return
	}
	_, there := w.b.LineCalled(handle)
	l, password, err := w.b.AddLine(ctx, "t", book.NewLine{ID: handle, Customer: c.ID})
	if there != errors.Is(err, book.ErrExists) || !there && err != nil {
		t.Fatalf("line %s, there %v: %v", handle, there, err)
	}
	if err != nil {
		return
	}
	w.fresh(t, "line", l.ID(), handle)
	ha1, _ := w.b.HA1(l)
	if *ha1 != secret.NewHA1(handle, "sip.test", secret.NewPassword(password)) {
		t.Fatal("a phone that is given the handle and the password cannot log in")
	}
}

func (w *comings) addContact(t *rapid.T, customer, handle string) {
	c, ok := w.b.CustomerCalled(customer)
	if !ok {
		return
	}
	before := len(c.Contacts)
	err := w.b.PutContact(ctx, "t", c.ID, account.Contact{ID: handle, Channel: account.Mail, Address: "a@example.com"})
	c, _ = w.b.Customer(c.ID)
	if err == nil {
		w.fresh(t, "contact", c.Contacts[len(c.Contacts)-1].ID, handle)
	} else if !errors.Is(err, book.ErrExists) || len(c.Contacts) != before {
		t.Fatalf("contact %s: %v", handle, err)
	}
}

func (w *comings) addTrunk(t *rapid.T, handle string) {
	_, there := w.b.TrunkCalled(handle)
	x, err := w.b.AddTrunk(ctx, "t", handle, book.TrunkEdit{Addresses: &[]string{"192.0.2.9"}})
	if there != errors.Is(err, book.ErrExists) || !there && err != nil {
		t.Fatalf("trunk %s, there %v: %v", handle, there, err)
	}
	if err == nil {
		w.fresh(t, "trunk", x.Name, handle)
	}
}

func (w *comings) removeCustomer(t *rapid.T, handle string) {
	c, ok := w.b.CustomerCalled(handle)
	if ok && c.Lines == 0 {
		must1(t, w.b.DeleteCustomer(ctx, "t", c.ID))
		w.removed["customer/"+c.ID] = true
	}
}

func (w *comings) removeLine(t *rapid.T, handle string) {
	if l, ok := w.b.LineCalled(handle); ok {
		must1(t, w.b.DeleteLine(ctx, "t", l.ID()))
		w.removed["line/"+l.ID()] = true
	}
}

// check wants what was removed to be found by its identity only, and named to who asks by its handle.
func (w *comings) check(t *rapid.T) {
	for key := range w.removed {
		what, id, _ := strings.Cut(key, "/")
		find, handle := w.b.LineID, account.Handle(id)
		_, there := w.b.Line(id)
		if what == "customer" {
			find = w.b.CustomerID
			_, there = w.b.Customer(id)
		}
		if got, err := find(ctx, id); there || got != id || err != nil {
			t.Fatalf("removed %s: there %v, %s, %v", key, there, got, err)
		}
		now, err := find(ctx, handle)
		var gone *book.Gone
		switch {
		case err == nil && (now == id || account.Handle(now) != handle):
			t.Fatalf("%s %s means the removed %s", what, handle, now)
		case err != nil && !errors.As(err, &gone):
			t.Fatal(err)
		case gone != nil && len(gone.Removed) < maxNamed && !slices.ContainsFunc(gone.Removed, func(r book.Removed) bool { return r.ID == id }):
			t.Fatalf("%v does not name %s", err, id)
		}
	}
}

// maxNamed is how many removed ones a message names.
const maxNamed = 5

// TestWhatWasThereKeepsItsName: what was added before there were identities is found by its name, and a line that comes after it under
// the same name is another one.
func TestWhatWasThereKeepsItsName(t *testing.T) {
	db, o := &booktest.Store{}, options(t)
	b := open(t, db, o) // as a version without identities left it
	must(t, second(b.AddCustomer(ctx, "t", "acme", book.CustomerEdit{})))
	_, _, err := b.AddLine(ctx, "t", book.NewLine{ID: "3001", Customer: "acme", NoPassword: true})
	must(t, err)

	o.Identify = nil
	b = open(t, db, o)
	if l, ok := b.LineCalled("3001"); !ok || l.ID() != "3001" || l.Handle() != "3001" {
		t.Fatal("the line is not found by its name")
	}
	must(t, b.DeleteLine(ctx, "t", "3001"))
	if _, err := b.LineID(ctx, "3001"); err == nil || !strings.Contains(err.Error(), "3001~ until ") {
		t.Errorf("who asks for it is told: %v", err)
	}
	l, _, err := b.AddLine(ctx, "t", book.NewLine{ID: "3001", Customer: "acme", NoPassword: true})
	must(t, err)
	if l.ID() == "3001" {
		t.Error("the new line has the old one's identity")
	}
	for text, want := range map[string]string{"3001": l.ID(), l.ID(): l.ID(), "3001~": "3001"} {
		if id, err := b.LineID(ctx, text); id != want || err != nil {
			t.Errorf("%s means %s, %v; want %s", text, id, err, want)
		}
	}
}

// TestAnotherNodeFollowsANameUsedAgain guards that a node keeps the old line under a name that another node gave to a new one.
func TestAnotherNodeFollowsANameUsedAgain(t *testing.T) {
	db, o := &booktest.Store{}, options(t)
	o.Identify = nil
	a := open(t, db, o)
	c, err := a.AddCustomer(ctx, "t", "acme", book.CustomerEdit{})
	must(t, err)
	number := "+442079460000"
	n := book.NewLine{ID: "3001", Customer: c.ID, NoPassword: true, Edit: book.LineEdit{Number: &number}}
	old, _, err := a.AddLine(ctx, "t", n)
	must(t, err)
	b := open(t, db, o)
	told := map[string]book.ChangeKind{}
	b.OnChange(func(c book.Change) { told[c.Line] = c.Kind })

	must(t, a.DeleteLine(ctx, "t", old.ID()))
	must(t, a.DeleteCustomer(ctx, "t", c.ID))
	c, err = a.AddCustomer(ctx, "t", "acme", book.CustomerEdit{})
	must(t, err)
	n.Customer = c.ID
	l, _, err := a.AddLine(ctx, "t", n)
	must(t, err)
	must(t, b.Reload(ctx))
	got, ok := b.LineCalled("3001")
	if _, there := b.Line(old.ID()); there || !ok || got.ID() != l.ID() || got.Customer() != c.ID {
		t.Fatalf("the other node has line %+v, and the old one: %v", got, there)
	}
	if id, ok := b.ByNumber(442079460000); !ok || id != l.ID() {
		t.Errorf("the number is line %s's", id)
	}
	if _, there := told[l.ID()]; !there || told[old.ID()] != book.LineDeleted {
		t.Errorf("told of %v", told)
	}
	if v, ok := b.CustomerCalled("acme"); !ok || v.ID != c.ID || v.Lines != 1 {
		t.Errorf("customer %+v", v)
	}
	if len(b.Lines("", "", 9)) != 1 || len(b.Customers("", 9)) != 1 {
		t.Error("the old ones are listed too")
	}
}

// A number that a line of another customer is given, at once or in a range, is taken from the customer who proved it, and does not come back with
// the end of that line.
func TestAProvenNumberThatALineGetsMustBeProvedAgain(t *testing.T) {
	const number, kept = "442079460150", "442079460300"
	for name, edit := range map[string]book.LineEdit{
		"as its number": {Number: ptr("+" + number)},
		"in a range":    {Reach: book.Reach{Numbers: &[]string{"020 7946 0100-0199"}}},
	} {
		for _, isNew := range []bool{true, false} {
			b, db, _ := sample(t)
			must(t, second(b.AddCustomer(ctx, "test", "other", book.CustomerEdit{})))
			for _, n := range []string{number, kept} {
				must(t, second(b.EditCustomer(ctx, "test", "acme", book.CustomerEdit{Prove: &account.Proven{Number: n, How: account.ByStaff, By: "test", Why: "a bill", Since: time.Now()}})))
			}
			add := book.NewLine{ID: "other-1", Customer: "other"}
			if isNew {
				add.Edit = edit
			}
			_, _, err := b.AddLine(ctx, "staff/tom", add)
			must(t, err)
			if !isNew {
				must(t, second(b.EditLine(ctx, "staff/tom", "other-1", edit)))
			}
			n, _ := strconv.ParseUint(number, 10, 64)
			c, _ := b.Customer("acme")
			if len(c.Numbers) != 1 || c.Numbers[0].Number != kept || b.Shows("acme", n) {
				t.Errorf("%s, new %t: acme still has %+v", name, isNew, c.Numbers)
			}
			all := db.AllFacts()
			if f := all[len(all)-1]; f.Kind != "customer.changed" || f.Account != "acme" || !strings.Contains(string(f.Body), number) || strings.Contains(string(f.Body), "tom") {
				t.Errorf("%s, new %t: the journal ends with %s of %s: %s", name, isNew, f.Kind, f.Account, f.Body)
			}
			must(t, b.DeleteLine(ctx, "staff/tom", "other-1"))
			if b.Shows("acme", n) {
				t.Errorf("%s, new %t: with the end of the line the number came back", name, isNew)
			}
		}
	}
}

// A number of a line of the customer's own stays proven.
func TestAProvenNumberOfAnOwnLineStays(t *testing.T) {
	b, _, _ := sample(t)
	must(t, second(b.EditCustomer(ctx, "test", "acme", book.CustomerEdit{Prove: &account.Proven{Number: "442079460150", How: account.ByStaff, By: "test", Why: "a bill", Since: time.Now()}})))
	must(t, second(b.EditLine(ctx, "test", "acme-1", book.LineEdit{Number: ptr("+442079460150")})))
	if c, _ := b.Customer("acme"); len(c.Numbers) != 1 {
		t.Errorf("%+v", c.Numbers)
	}
}
