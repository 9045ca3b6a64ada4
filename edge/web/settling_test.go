package web

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ringfence/core/books"
	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/money"
	"ringfence/core/person"
	"ringfence/core/rating"
	"ringfence/flow/billing"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/flow/desk"
	"ringfence/flow/records"
	"ringfence/flow/settle"
	"ringfence/flow/watch"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
)

// affair is a house whose cases are settled: case 1 of acme has three calls through a carrier, each charged £2.00, at a cost of 20p.
type affair struct {
	*desks
	cases *desk.Cases
	desk  *settle.Desk
	deps  Deps
	calls []desk.CallID
	kept  *sqlite.Engine
}

// night is when they were made.
var night = time.Date(2026, 7, 12, 22, 41, 7, 0, time.UTC)

func newAffair(t *testing.T) *affair {
	t.Helper()
	ctx := t.Context()
	a := &affair{desks: newDesks(t)}
	db, err := sqlitetest.Open(ctx, filepath.Join(t.TempDir(), "s.db"), sqlite.Options{})
	fatal(t, err)
	t.Cleanup(func() { _ = db.Close() })
	pence := money.Rate(200_000_000)
	prices := []rating.Price{{Prefix: 371, Name: "Latvia", Rates: [rating.NumBands]money.Rate{pence, pence, pence}, First: 1, Step: 1}}
	_, err = db.PutDeck(ctx, store.Deck{Name: "north", Kind: rating.Cost, Imported: night.AddDate(0, 0, -5), Currency: "GBP"}, prices)
	fatal(t, err)
	_, err = a.book.PutDeck(ctx, "t", book.DeckHead{Name: "north", Kind: rating.Cost}, prices)
	fatal(t, err)
	north := "north"
	_, err = a.book.AddTrunk(ctx, "t", "carrier-north", book.TrunkEdit{Addresses: &[]string{"192.0.2.1:5060"}, Deck: &north})
	fatal(t, err)
	trunk, _ := a.book.TrunkCalled("carrier-north")
	for i := range 3 {
		begun := night.Add(time.Duration(i) * time.Hour)
		raw := call.NewID(begun, fmt.Appendf(nil, "%010d", i))
		id, number := call.ID(raw[:]), fmt.Sprintf("+3716000011%d", i)
		r := &call.CDR{
			ID: id, Direction: call.Out, Line: a.line, Account: a.acme, Trunk: trunk.Name, Number: number, Begun: begun, AnsweredAt: begun.Add(9 * time.Second), Ended: begun.Add(69 * time.Second),
			Talk: time.Minute, CarrierTalk: time.Minute, Retail: 2_000_000, Cost: 200_000, BLeg: fmt.Sprint("leg-", i), Reason: "hangup",
		}
		_, err := db.Apply(ctx, []store.Op{
			{Kind: store.OpOpen, ID: id, Amount: r.Retail, Holds: []store.Hold{{Purse: "p", Cap: money.Max}}, Call: &call.Open{ID: id, Node: "a", Direction: call.Out, Line: a.line, Account: a.acme, Number: number, Begun: begun}},
			{Kind: store.OpSettle, ID: id, CDR: r},
		})
		fatal(t, err)
		_, err = a.records.Apply(ctx, []store.Op{{Kind: store.OpRecord, ID: id, CDR: r}})
		fatal(t, err)
		a.calls = append(a.calls, id)
	}
	a.serve(db)
	who := desk.Who{Actor: "acme/ana", Customer: a.acme}
	x, err := a.cases.Open(ctx, who, desk.NewCase{Customer: a.acme, Line: a.line, Title: nasty, Text: "x", Origin: casework.FromReport})
	fatal(t, err)
	_, err = a.cases.Dispute(ctx, who, x.ID, desk.Pick{Calls: a.calls}, "not ours")
	fatal(t, err)
	return a
}

// serve makes the stages that settle, and pages that ask them.
func (a *affair) serve(db *sqlite.Engine) {
	a.t.Helper()
	d := a.Server.d
	d.Billing = billing.New(billing.Options{Store: db, Book: a.book, Provider: "Test", VAT: books.Rates{{Rate: 20_000}}})
	var err error
	alone := func() money.Micro { return 3 * money.Pound }
	d.Settle, err = settle.New(settle.Options{Store: db, Book: a.book, Billing: d.Billing, SecondAbove: alone, Provider: "Test"})
	fatal(a.t, err)
	d.Cases, err = desk.NewCases(desk.CasesOptions{
		Store: struct {
			*booktest.Store
			kept
		}{a.db, db}, Records: a.records, Book: a.book, Watch: func() *watch.Watch { return d.Watch }, Credit: d.Settle.Refund, Settle: d.Settle.CarryOut, Left: d.Settle.Left, SecondAbove: alone,
	})
	fatal(a.t, err)
	d.Records, err = records.New(records.Options{Store: db, Book: a.book})
	fatal(a.t, err)
	a.Server, err = New(d, a.Server.o)
	fatal(a.t, err)
	a.cases, a.desk, a.deps, a.kept = d.Cases, d.Settle, d, db
}

// decide decides calls of the case.
func (a *affair) decide(what casework.Dispute, calls ...desk.CallID) {
	a.t.Helper()
	_, err := a.cases.Decide(a.t.Context(), desk.Who{Actor: "staff/tom"}, 1, desk.Ruling{What: string(what), Pick: desk.Pick{Calls: calls}, Why: "seen"})
	fatal(a.t, err)
}

// falls reads the list of a page: the amounts of its steps, the last of them what is to pay.
func (a *affair) falls(what string, d doc) (out []string) {
	a.t.Helper()
	for _, li := range d.all("ul.falling li b.num") {
		out = append(out, text(li))
	}
	if len(out) < 2 {
		a.t.Fatalf("%s: the list has %q", what, out)
	}
	return out
}

// asAPI is the same as the API answers with, added up.
func (a *affair) asAPI(cost bool) (out []string) {
	a.t.Helper()
	x, err := a.desk.Look(a.t.Context(), "", 1, cost)
	fatal(a.t, err)
	l := &x.List
	left := l.Charged.Amount
	out = append(out, money.Billing().Amount(left))
	for _, s := range []money.Micro{l.Ours.Amount, l.ToCost.Amount, l.Credit.Amount, l.Refund.Amount} {
		if left -= s; s != 0 { // a step that takes nothing off does not stand on the page
			out = append(out, signed(money.Billing().Amount(-s)))
		}
	}
	if left != l.ToPay.Amount {
		a.t.Errorf("to pay %d, and %d is left", l.ToPay.Amount, left)
	}
	return append(out, money.Billing().Amount(left))
}

// same wants the list of a page to be that of the API.
func (a *affair) same(what string, d doc, cost bool, want ...string) {
	a.t.Helper()
	page, api := a.falls(what, d), a.asAPI(cost)
	if !slices.Equal(page, api) || !slices.Equal(page, want) {
		a.t.Errorf("%s: the page has %q, the API %q, and it is %q", what, page, api, want)
	}
}

// TestSettlePages walks a case from its calls to a plan, on the pages.
func TestSettlePages(t *testing.T) {
	a := newAffair(t)
	tom := a.staff(person.Fraud)
	_, cara := a.enter(a.acme, "cara", person.Owner)
	_, eve := a.enter(a.bravo, "eve", person.Owner)
	const ours, theirs = "/staff/cases/1", "/cases/1"
	a.same("in dispute", checkStaff(t, cara.get(theirs)), false, "£6.00", "£6.00")
	want(t, "nothing to decide", tom.post(ours, "do", "settle"), 409, "nothing is to be given")
	want(t, "too early", tom.post(ours, "do", "plan", "count", "3", "first", "2099-01-01"), 409, "still in dispute")
	a.decide(casework.Upheld, a.calls[2])
	a.decide(casework.Owed, a.calls[:2]...)
	want(t, "which number", tom.get(ours), 200, "+371 6000 0110")

	a.same("decided", checkStaff(t, tom.get(ours)), false, "£6.00", "−£2.00", "£4.00")
	trial := tom.get(ours + "?cost=1")
	a.same("at cost price", checkStaff(t, trial), true, "£6.00", "−£2.00", "−£3.60", "£0.40")
	want(t, "it says so", trial, 200, "Nothing is decided")
	if w := cara.get(theirs + "?cost=1"); strings.Contains(w.Body.String(), "Nothing is decided") || strings.Contains(w.Body.String(), "At cost price?") {
		t.Error("a customer sees what cost price would make of it")
	}
	want(t, "no reason", tom.post(ours, "do", "settle", "cost", "1"), 409, "why")
	want(t, "settled", tom.post(ours, "do", "settle", "cost", "1", "settle-why", nasty[:200]), 303, "did=settle")
	want(t, "above what one gives away", tom.get(ours), 200, "Waits for a second person")
	if w := cara.get(theirs); strings.Contains(w.Body.String(), "Waits for a second person") {
		t.Error("a customer reads of a settlement that nobody agreed to")
	}
	f, err := a.cases.Case(t.Context(), desk.Who{Actor: "t"}, 1)
	fatal(t, err)
	fatal(t, a.cases.Second(t.Context(), desk.Who{Actor: "staff/maya"}, 1, f.Items[len(f.Items)-1].N, true, "seen"))
	a.same("in force", checkStaff(t, cara.get(theirs)), false, "£6.00", "−£2.00", "−£3.60", "£0.40")

	want(t, "a wrong day", tom.post(ours, "do", "plan", "count", "2", "first", nasty[:60]), 409, "2026-12-24")
	want(t, "a wrong sum", tom.post(ours, "do", "plan", "count", "2", "first", "2099-01-01", "plan-amount", "x"), 409, "an amount such as")
	want(t, "too much", tom.post(ours, "do", "plan", "count", "2", "first", "2099-01-01", "plan-amount", "9"), 409, "at most what is to pay")
	want(t, "none yet", cara.get("/money/plans"), 200, "There is no plan to pay in instalments")
	want(t, "a plan", tom.post(ours, "do", "plan", "count", "2", "first", "2099-01-01"), 303, "did=plan")
	want(t, "hers", cara.get("/money/plans"), 200, "£0.24 is due on")
	checkStaff(t, cara.get("/money/plans"))
	want(t, "on the case", cara.get(theirs), 200, "£0.48 in instalments")
	want(t, "staff's list", tom.get("/staff/plans"), 200, "One plan is being paid; £0.48 is left to pay.")
	checkStaff(t, tom.get("/staff/plans"))
	want(t, "no such payment", tom.post(ours, "do", "pay-plan", "reference", nasty[:60]), 409, "book it first")
	for _, reference := range []string{"BACS 1", "BACS 2"} {
		_, err := a.deps.Billing.Pay(t.Context(), billing.Payment{Customer: a.acme, Amount: 240_000, Reference: reference, By: "bank"})
		fatal(t, err)
	}
	want(t, "what could count", tom.get(ours), 200, "BACS 2 · £0.24")
	want(t, "an instalment", tom.post(ours, "do", "pay-plan", "reference", "BACS 1"), 303, "did=pay-plan")
	if checkStaff(t, tom.get(ours)); strings.Contains(tom.get(ours).Body.String(), "BACS 1 ·") {
		t.Error("a payment that counts is offered again")
	}
	want(t, "twice", tom.post(ours, "do", "pay-plan", "reference", "BACS 1"), 409, "BACS 1")
	want(t, "the rest, early", tom.post(ours, "do", "pay-plan", "reference", "BACS 2"), 303, "did=pay-plan")
	want(t, "all is paid", cara.get("/money/plans"), 200, "Everything agreed is paid")
	want(t, "no plan is left", tom.get("/staff/plans"), 200, "No plan in instalments is being paid")
	want(t, "but on the list of all", tom.get("/staff/plans?all=1"), 200, "Plan 1")
	want(t, "nothing is left to pay", tom.post(ours, "do", "pay-plan", "reference", "BACS 2"), 409, "a case with a plan")
	want(t, "another customer has none", eve.get("/money/plans"), 200, "There is no plan to pay in instalments")
	for _, path := range []string{theirs, theirs + "?cost=1"} {
		want(t, path, eve.get(path), 404, "")
	}
	for _, do := range []string{"settle", "claim", "plan", "pay-plan"} {
		want(t, "a customer's own "+do, cara.post(theirs, "do", do, "count", "2", "first", "2099-01-01"), 403, "")
		want(t, "another customer's "+do, eve.post(theirs, "do", do), 403, "")
	}
	for _, path := range []string{"/money/plans", "/staff/plans", "/staff/claims", "/staff/claims/1"} {
		want(t, path, a.browser().get(path), 401, "Sign in first")
	}
}

// TestClaimPages: a claim is drawn up, put beside an invoice, sent and answered; a carrier's texts are shown harmlessly.
func TestClaimPages(t *testing.T) {
	a := newAffair(t)
	tom := a.staff(person.Fraud)
	_, cara := a.enter(a.acme, "cara", person.Owner)
	a.decide(casework.Owed, a.calls...)
	checkStaff(t, tom.get("/staff/claims"))
	want(t, "none yet", tom.get("/staff/claims"), 200, "No claim is open")
	want(t, "drawn up", tom.post("/staff/cases/1", "do", "claim"), 303, "did=claim")
	want(t, "twice", tom.post("/staff/cases/1", "do", "claim"), 409, "has a claim to each of its carriers")
	want(t, "the list", tom.get("/staff/claims"), 200, "One claim is open, £0.60 asked for.")
	const at = "/staff/claims/1"
	want(t, "not sent", tom.post(at, "do", "answer", "granted", "1"), 409, "was not sent")
	head := "start,from,to,seconds,cost,call id\n"
	file := func(name, rows string) (int, string) {
		body, kind := formWith(t, name, []byte(head+rows), "zone", "UTC")
		w := tom.send(at+"/invoice", body, kind)
		return w.Code, w.Body.String()
	}
	if code, text := file("x.csv", "2026-07-12 22:41:16,,+37160000110,x,0.20,leg-0\n"); code != 422 || !strings.Contains(text, "Line 2") {
		t.Errorf("a wrong row: %d %s", code, text)
	}
	other := strings.NewReplacer("start", "Wann", "to", "Ziel", "cost", "Preis").Replace(head) + "2026-07-12 22:41:08,,+37160000110,68,0.2266,leg-0\n"
	body, kind := formWith(t, "x.csv", []byte(other), "zone", "UTC")
	if w := tom.send(at+"/invoice", body, kind); w.Code != 422 || strings.Contains(w.Body.String(), "--map") || !strings.Contains(w.Body.String(), "below, such as") {
		t.Errorf("columns of other names: %d %s", w.Code, w.Body)
	}
	body, kind = formWith(t, "x.csv", []byte(other), "zone", "UTC", "columns", "Wann=start, Ziel=called\r\nPreis=cost")
	want(t, "columns that are named", tom.send(at+"/invoice", body, kind), 200, "The invoice beside our metering")
	foreign := strings.ReplaceAll(nasty[:90], `"`, "'")
	body, kind = formWith(t, "a\u202e<b>mobile.csv", []byte(head+"2026-07-12 22:41:08,,+37160000110,68,0.2266,leg-0\n2026-07-12 23:41:16,,+37160000111,60,0.20,leg-1\n2026-07-13 05:00:00,,+3719999999,60,0.20,leg-9\n"), "zone", "UTC")
	seen := tom.send(at+"/invoice", body, kind)
	checkStaff(t, seen)
	for _, part := range []string{"The invoice beside our metering", "charged although we made no such call", "charged from before the called phone answered", "One call of ours is not on it"} {
		want(t, part, seen, 200, part)
	}
	none, noneKind := formWith(t, "", nil, "zone", "UTC")
	want(t, "no file", tom.send(at+"/invoice", none, noneKind), 422, "No file came")
	body, kind = formWith(t, "x.csv", []byte(head), "zone", foreign)
	want(t, "no such zone", tom.send(at+"/invoice", body, kind), 422, "time zone")
	want(t, "sent", tom.post(at, "do", "send"), 303, "did=send")
	want(t, "sent twice", tom.post(at, "do", "send"), 409, "was sent")
	want(t, "no amount", tom.post(at, "do", "answer", "granted", nasty[:60]), 409, "Type an amount")
	want(t, "answered", tom.post(at, "do", "answer", "granted", "0.10", "text", nasty[:900]), 303, "did=answer")
	checkStaff(t, tom.get(at))
	checkStaff(t, tom.get("/staff/claims?all=1"))
	for end, part := range map[string]string{"letter": "Claim 1, case 1", "sheet": "+37160000110", "letter?format=pdf": "%PDF"} {
		w := tom.get(at + "/" + end)
		want(t, end, w, 200, part)
		if !strings.HasPrefix(w.Header().Get("Content-Disposition"), `attachment; filename="claim-1.`) || strings.Contains(w.Body.String(), "acme") {
			t.Errorf("%s: %v names the customer, or is shown", end, w.Header())
		}
	}
	// Its part for calls of the case is passed on, and what was asked of the carrier is nothing to the customer.
	a.same("passed on", checkStaff(t, cara.get("/cases/1")), false, "£6.00", "−£0.068082", "£5.931918")
	if text := cara.get("/cases/1").Body.String(); strings.Contains(text, "claimed") || strings.Contains(text, "carrier-north") {
		t.Error("a customer reads of the claim")
	}
	want(t, "staff see it", tom.get("/staff/cases/1"), 200, "claimed")
	for _, path := range []string{"/staff/claims/9", "/staff/claims/x", "/staff/claims/9/letter", "/staff/claims/9/sheet"} {
		want(t, path, tom.get(path), 404, "")
	}
	want(t, "no such act", tom.post(at, "do", "x"), 404, "")
}

// TestSettleRoutesAskTheirRole: each is asked by every role of the staff, and by a customer.
func TestSettleRoutesAskTheirRole(t *testing.T) {
	a := newAffair(t)
	a.decide(casework.Owed, a.calls...)
	_, err := a.desk.OpenClaims(t.Context(), "t", 1, "")
	fatal(t, err)
	body, kind := formWith(t, "", nil)
	rows := map[string]asked{
		"GET /staff/claims":                   {"/staff/claims", nil, []string{"list-claims"}},
		"GET /staff/plans":                    {"/staff/plans?all=1", nil, []string{"list-plans"}},
		"GET /staff/claims/{claim}":           {"/staff/claims/1", nil, []string{"get-claim"}},
		"POST /staff/claims/{claim}":          {"/staff/claims/1", []string{"do", "answer"}, []string{"answer-claim"}},
		"POST /staff/claims/{claim}/invoice":  {"/staff/claims/1/invoice", nil, []string{"import-invoice"}},
		"GET /staff/claims/{claim}/letter":    {"/staff/claims/1/letter", nil, []string{"get-claim-letter"}},
		"GET /staff/claims/{claim}/sheet":     {"/staff/claims/1/sheet", nil, []string{"get-claim-sheet"}},
		"POST /staff/claims/{claim} send":     {"/staff/claims/1", []string{"do", "send"}, []string{"send-claim"}},
		"POST /staff/cases/{case} settle":     {"/staff/cases/1", []string{"do", "settle"}, []string{"settle-case"}},
		"POST /staff/cases/{case} claim":      {"/staff/cases/1", []string{"do", "claim"}, []string{"claim-case"}},
		"POST /staff/cases/{case} plan":       {"/staff/cases/1", []string{"do", "plan"}, []string{"add-plan"}},
		"POST /staff/cases/{case} pay-plan":   {"/staff/cases/1", []string{"do", "pay-plan"}, []string{"pay-plan"}},
		"GET /staff/cases/{case} and its sum": {"/staff/cases/1?cost=1", nil, []string{"get-case"}},
	}
	for pattern, area := range a.areas {
		if _, ok := rows[pattern]; area == staff && !ok && (strings.Contains(pattern, "/staff/claims") || strings.Contains(pattern, "/staff/plans")) {
			t.Errorf("%s has no row", pattern)
		}
	}
	_, cara := a.enter(a.acme, "cara", person.Owner)
	for i, role := range person.Of(true) {
		b := a.staff(role)
		b.from = fmt.Sprintf("192.0.2.%d:40000", i+1)
		for _, pattern := range slices.Sorted(maps.Keys(rows)) {
			r := rows[pattern]
			may := slices.Contains(person.For(r.operations[0]), role)
			w := b.get(r.path)
			switch {
			case strings.HasSuffix(r.path, "/invoice"):
				w = b.send(r.path, body, kind)
			case strings.HasPrefix(pattern, "POST"):
				w = b.post(r.path, r.post...)
			}
			if (w.Code == 403) == may || w.Code >= 500 || w.Code == 404 {
				t.Errorf("%s as %s: %d, and the table says %v", pattern, role, w.Code, may)
			}
			if role == person.Auditor && w.Code == 200 && strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
				for _, form := range checkStaff(t, w).all("main form") {
					if attr(form, "method") == "post" {
						t.Errorf("%s has a button for the auditor", pattern)
					}
				}
			}
			if strings.Contains(r.path, "/staff/claims") && role == person.Auditor {
				method, _, _ := strings.Cut(pattern, " ")
				want(t, pattern+" by a customer", cara.do(method, r.path, nil), 404, "")
			}
		}
	}
}
