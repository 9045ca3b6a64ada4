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
	"ringfence/state/store/sqlite/sqlitetest"
)

// TestABillOpensByLineCountryAndCall: its sums, its files, another customer's, and names that attack.
func TestABillOpensByLineCountryAndCall(t *testing.T) {
	p := newPast(t)
	db, err := sqlitetest.Open(t.Context(), filepath.Join(t.TempDir(), "s.db"), sqlite.Options{})
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
	p.shows("bill", b.get(at), "£156.39 by", "Left to pay", "£56.39", "£130.3251", "£26.06502", "rounded down by £0.00012", "Cuba")
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

// TestFinance: bills that are not paid, payments by hand and from a bank's file, a run of bills, credit notes; each by the roles that may.
func TestFinance(t *testing.T) {
	d := newDesks(t)
	db, err := sqlitetest.Open(t.Context(), filepath.Join(t.TempDir(), "s.db"), sqlite.Options{})
	fatal(t, err)
	t.Cleanup(func() { _ = db.Close() })
	deps := d.Server.d
	deps.Billing = billing.New(billing.Options{Store: db, Book: d.book, Provider: "Test", VAT: books.Rates{{Rate: 20_000}}})
	d.Server, err = New(deps, d.Server.o)
	fatal(t, err)
	begun := time.Now().AddDate(0, -1, -3)
	raw := call.NewID(begun, []byte("0123456789"))
	id := call.ID(raw[:])
	_, err = db.Apply(t.Context(), []store.Op{
		{Kind: store.OpOpen, ID: id, Amount: 65_162_550, Holds: []store.Hold{{Purse: "p", Cap: money.Max}}, Call: &call.Open{ID: id, Node: "a", Line: d.line, Account: d.acme}},
		{Kind: store.OpSettle, ID: id, CDR: &call.CDR{ID: id, Line: d.line, Account: d.acme, Country: "CU", Number: "+5350000147", Begun: begun, Talk: time.Minute, Retail: 65_162_550}},
	})
	fatal(t, err)
	desk, finance, auditor := d.staff(person.Fraud), d.staff(person.Finance), d.staff(person.Auditor)
	empty := finance.get("/staff/money")
	checkStaff(t, empty)
	want(t, "nothing yet", empty, 200, "No bill was made yet")
	want(t, "a run", finance.post("/staff/money", "do", "run"), 303, "run=1")
	want(t, "what came of it", finance.get("/staff/money?run=1&bills=1&left=0&after="), 200, "One bill was made")
	want(t, "what is left", finance.get("/staff/money?run=1&bills=7&left=40&after=x&seen=500"), 200, "40 customers are left")
	unpaid := finance.get("/staff/money")
	want(t, "unpaid", unpaid, 200, "£78.19 is unpaid, on one bill.")
	want(t, "what is asked for", unpaid, 200, "Asked for")
	want(t, "the bill", finance.get("/staff/money/bills/1"), 200, "£78.19")
	want(t, "its file", finance.get("/staff/money/bills/1/file?format=csv"), 200, "")
	pay := []string{"do", "pay", "customer", "acme", "amount", "8.19", "reference", "R1", "text", nasty[:40]}
	want(t, "a payment", finance.post("/staff/money", pay...), 303, "did=pay")
	again := append([]string{}, pay...)
	again[7] = "R2"
	want(t, "the same sum", finance.post("/staff/money", again...), 409, "Is this another payment?")
	want(t, "the same reference", finance.post("/staff/money", append(pay, "again", "1")...), 422, "booked before")
	want(t, "what is left", finance.get("/staff/money"), 200, "£70.00 is unpaid")
	for what, c := range map[string]struct {
		pairs []string
		part  string
	}{
		"nobody": {[]string{"do", "pay", "customer", "x", "amount", "1", "reference", "r"}, "no such customer"}, "no amount": {[]string{"do", "pay", "customer", "acme", "amount", "x", "reference", "r"}, "Type an amount"},
		"no reference": {[]string{"do", "pay", "customer", "acme", "amount", "1", "reference", ""}, "Type the reference"}, "no reason": {[]string{"do", "credit", "credit-customer", "acme", "net", "1", "credit-reference", "C"}, "Type why"},
	} {
		want(t, what, finance.post("/staff/money", c.pairs...), 422, c.part)
	}
	want(t, "a credit note", finance.post("/staff/money", "do", "credit", "credit-customer", "acme", "net", "10", "reason", nasty[:40], "credit-reference", "C1"), 303, "did=credit")
	body, kind := formWith(t, "bank.csv", []byte("customer,amount,reference\nacme,5.00,B1\nacme,x,B2\n"))
	want(t, "a wrong row", finance.send("/staff/money/payments", body, kind), 422, "Line 3, column 2")
	want(t, "nothing of it was booked", finance.get("/staff/money"), 200, "£58.00 is unpaid")
	body, kind = formWith(t, "bank.csv", []byte("customer,amount,reference\nnobody,5.00,B1\n"))
	want(t, "of nobody", finance.send("/staff/money/payments", body, kind), 422, "there is no customer")
	body, kind = formWith(t, "bank.csv", []byte("customer,amount,reference\nacme,5.00,B1\nacme,53.00,B2\n"))
	want(t, "a file", finance.send("/staff/money/payments", body, kind), 303, "did=import")
	given := finance.send("/staff/money/payments", body, kind)
	want(t, "the same file", given, 303, "passed=2%2C3")
	want(t, "which lines were passed over", finance.get(given.Header().Get("Location")), 200, "Lines passed over: 2, 3.")
	body2, kind2 := formWith(t, "bank.csv", []byte("customer,amount,reference,date\nacme,5.00,B1,2026-01-02\n"))
	want(t, "another day", finance.get(finance.send("/staff/money/payments", body2, kind2).Header().Get("Location")), 200, "The file has another day than the books, which stay as they are, in lines 2.")
	want(t, "a made-up list", finance.get("/staff/money?did=import&redated=%3Cb%3E,call+0900,2"), 200, "in lines 2.")
	body2, kind2 = formWith(t, "bank.csv", []byte("customer,amount,reference\nacme,5.01,B1\n"))
	want(t, "another sum", finance.send("/staff/money/payments", body2, kind2), 422, "Line 2, column 2")
	want(t, "all is paid", finance.get("/staff/money?did=import&number=2&skipped=0&sum=x"), 200, "Every bill is paid")
	checkStaff(t, finance.get("/staff/money"))
	for _, b := range []*browser{desk, auditor} {
		page := checkStaff(t, b.get("/staff/money"))
		for _, form := range page.all("main form") {
			if attr(form, "method") == "post" {
				t.Errorf("%s is for finance alone", attr(form, "action"))
			}
		}
		for _, do := range []string{"pay", "credit", "run"} {
			want(t, do, b.post("/staff/money", "do", do), 403, "")
		}
		want(t, "a file", b.send("/staff/money/payments", body, kind), 403, "")
	}
	_, ana := d.enter(d.acme, "cara", person.Owner)
	want(t, "a customer", ana.get("/staff/money"), 404, "")
}
