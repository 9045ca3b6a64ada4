package web

import (
	"testing"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/person"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// refusedCall is a call that the line made and that was refused, as it is in the records.
func (d *desks) refusedCall(number string) {
	d.t.Helper()
	c := call.CDR{
		ID: call.ID("01jd8z6q4n8t7r5v3x1b9c7d5f"), Direction: call.Out, Line: d.line, Account: d.acme, Dialled: nasty[:60], Number: number, Country: "CU", Rate: "Cuba", UserAgent: nasty[:60],
		Begun: now(), Ended: now(), Refused: true, Reason: "over-international-ceiling", Text: "the international ceiling is 12p a minute and this call costs 71.4p", Status: 403,
	}
	out, err := d.records.Apply(d.t.Context(), []store.Op{{Kind: store.OpRecord, ID: c.ID, CDR: &c}})
	fatal(d.t, err)
	if len(out) != 1 {
		d.t.Fatal(out)
	}
}

func TestSearchTriesEverything(t *testing.T) {
	d := newDesks(t)
	b := d.staff(person.Support)
	_, err := d.book.EditCustomer(t.Context(), "t", d.acme, book.CustomerEdit{Name: ptr(`Baker <b>mobile & "Sons"`)})
	fatal(t, err)
	fatal(t, d.book.PutContact(t.Context(), "t", d.acme, account.Contact{ID: "ana", Name: "Ana Baker", Channel: account.Mail, Address: "ana@example.com"}))
	d.refusedCall("+5350000147")
	id := d.found(d.login("hosting-login/1", "203.0.113.9"))
	for text, part := range map[string]string{
		"2003": "/staff/lines/2003", "200": "/staff/lines/2003", "020 7946 0031": "/staff/lines/2003", "0031": "/staff/lines/2003", "mobile": "/staff/lines/2003", "baker": "/staff/customers/acme",
		"ana@example.com": "/staff/customers/acme", "acme": "/staff/customers/acme", "203.0.113.9": "not banned", "203.0.113.0/24": "/staff/queue/", "+53 5 000 0147": "71.4p",
		"01jd8z6q4n8t7r5v3x1b9c7d5f": "71.4p", "1": "/staff/queue/1", "nobody at all": "Nothing found for",
	} {
		w := b.get("/staff/search?q=" + urlOf(text))
		checkStaff(t, w)
		want(t, text, w, 200, part)
	}
	if id != 1 {
		t.Errorf("the finding is %d", id)
	}
	checkStaff(t, b.get("/staff/search?q="+urlOf(nasty[:180])))
}

// TestSupportReadsAloud: the last refused calls come first, each with a sentence, and there is no password to see or to set.
func TestSupportReadsAloud(t *testing.T) {
	d := newDesks(t)
	b := d.staff(person.Support)
	d.refusedCall("+5350000147")
	line := b.get("/staff/lines/2003")
	checkStaff(t, line)
	want(t, "the sentence", line, 200, "We refused the call to")
	want(t, "its reason", line, 200, "the international ceiling is 12p a minute and this call costs 71.4p.")
	for _, in := range parsePage(t, line.Body).all("main input") {
		if attr(in, "type") != "hidden" {
			t.Errorf("there is a field %q", attr(in, "name"))
		}
	}
	want(t, "locking", b.post("/staff/lines/2003", "do", "lock"), 303, "?did=lock")
	want(t, "locked", b.get("/staff/lines/2003?did=lock"), 200, "Line 2003 is locked")
	want(t, "opening", b.post("/staff/lines/2003", "do", "unlock"), 303, "?did=unlock")
	want(t, "no notice to send", b.post("/staff/lines/2003", "do", "send"), 200, "There is nothing here")
	want(t, "a password", b.post("/staff/lines/2003", "do", "password"), 404, "There is no such page")
	customer := b.get("/staff/customers/acme")
	checkStaff(t, customer)
	want(t, "their refused calls", customer, 200, "We refused the call to")
	for _, path := range []string{"/staff/lines/nobody", "/staff/customers/nobody", "/staff/lines/" + urlOf(nasty[:300])} {
		want(t, path, b.get(path), 404, "There is no such page")
	}
}

// TestAsTheCustomerSeesIt shows the customer's first page without anything that changes it.
func TestAsTheCustomerSeesIt(t *testing.T) {
	d := newDesks(t)
	w := d.staff(person.Admin).get("/staff/customers/acme?as=customer")
	page := checkStaff(t, w)
	want(t, "it", w, 200, "as they see it, read only")
	if forms := page.all("main form"); len(forms) != 0 {
		t.Errorf("%d forms: %s", len(forms), w.Body)
	}
}
