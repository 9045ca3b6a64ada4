package web

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringfence/core/books"
	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/core/person"
	"ringfence/flow/billing"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
)

// TestABillOpensByLineCountryAndCall: its sums, its files, another customer's, and names that attack.
func TestABillOpensByLineCountryAndCall(t *testing.T) {
	p := newPast(t)
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "s.db"), sqlite.Options{})
	fatal(t, err)
	t.Cleanup(func() { _ = db.Close() })
	desk := billing.New(billing.Options{Store: db, Book: p.book, Provider: "Test", VAT: books.Rates{{Rate: 20_000}}})
	p.serveAgain(func(d *Deps) { d.Billing = desk })
	b := p.prove("ana", person.Reader)
	p.shows("nothing yet", b.get("/money"), "Nothing is owed", "No bill yet.")
	line, ok := p.book.LineCalled("2001")
	if !ok {
		t.Fatal("no line 2001")
	}
	for i, who := range []string{line.Customer(), line.Customer(), "other"} {
		raw := call.NewID(time.Now().Add(-time.Hour), fmt.Appendf(nil, "%010d", i))
		id := call.ID(raw[:])
		_, err := db.Apply(t.Context(), []store.Op{
			{Kind: store.OpOpen, ID: id, Amount: 65_162_550, Holds: []store.Hold{{Purse: "p", Cap: money.Max}}, Call: &call.Open{ID: id, Node: "a", Line: line.ID(), Account: who}},
			{Kind: store.OpSettle, ID: id, CDR: &call.CDR{ID: id, Line: line.ID(), Account: who, Country: "CU", Number: "+5350000147", Begun: time.Now(), Talk: time.Minute, Retail: 65_162_550}},
		})
		fatal(t, err)
	}
	_, err = desk.Run(t.Context(), billing.Run{Now: true, By: "t"}, time.Now())
	fatal(t, err)
	_, err = desk.Pay(t.Context(), billing.Payment{Customer: line.Customer(), Amount: 100 * money.Pound, Reference: hostileName[:60], Text: hostileName, By: "t"})
	fatal(t, err)
	mine, err := desk.Bills(t.Context(), billing.Filter{Customer: line.Customer()})
	fatal(t, err)
	others, err := desk.Bills(t.Context(), billing.Filter{Customer: "other"})
	fatal(t, err)
	if len(mine) != 1 || len(others) != 1 {
		t.Fatalf("%+v %+v", mine, others)
	}
	p.shows("money", b.get("/money"), "You owe", "£56.39", "£156.39", "Payment")
	at := billPath(mine[0].Number)
	p.shows("bill", b.get(at), "£156.39 by", "£130.3251", "£26.06502", "rounded down by £0.00012", "Cuba")
	if w := b.get(at + "?line=2001&country=CU"); w.Code != 200 {
		t.Fatalf("opened: %d %v %s", w.Code, w.Header(), w.Body)
	}
	d := p.shows("opened", b.get(at+"?line=2001&country=CU"), "Line 2001, Cuba", "£65.16255")
	if n := len(d.all("section ul.rows li")); n != 2 {
		t.Errorf("%d calls", n)
	}
	for _, format := range []string{"pdf", "csv", "xml"} {
		if w := b.get(at + "/file?format=" + format); w.Code != 200 || !strings.Contains(w.Header().Get("Content-Disposition"), "bill-") {
			t.Errorf("%s: %d", format, w.Code)
		}
	}
	for _, path := range []string{billPath(others[0].Number), billPath(others[0].Number) + "/file?format=pdf", "/money/bills/x", "/money/bills/99", at + "/file?format=exe"} {
		if w := b.get(path); w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w := b.post("/hooks/payments"); w.Code != 403 {
		t.Errorf("an unsigned payment: %d", w.Code)
	}
	want(t, "a bill of nobody", p.browser().get(at), 401, "Sign in first")
}
