package settle_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ringfence/core/books"
	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
	"ringfence/core/secret"
	core "ringfence/core/settle"
	"ringfence/flow/billing"
	"ringfence/flow/book"
	"ringfence/flow/settle"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// night is when the calls of case 1 were made: between two versions of the carrier's price list.
var night = time.Date(2026, 7, 12, 22, 41, 7, 0, time.UTC)

// scene is a provider with case 1 of customer acme: four calls of a minute to Latvia, each charged £2.00, that cost 20p by the list of that
// day and 90p by today's.
type scene struct {
	t        *testing.T
	db       *sqlite.Engine
	desk     *settle.Desk
	customer string
	trunk    string
	line     string
	calls    []call.ID
	book     *book.Book
	bills    *billing.Billing
	broken   error // of booking
}

func isInvalid(err error) bool {
	var field *book.Invalid
	return errors.As(err, &field)
}

// failing is a store whose books fail while there is an error.
type failing struct {
	*sqlite.Engine
	broken *error
}

func (f failing) Book(ctx context.Context, entries []books.Entry, facts ...store.Fact) ([]int64, error) {
	if *f.broken != nil {
		return nil, *f.broken
	}
	return f.Engine.Book(ctx, entries, facts...)
}

func price(rate money.Rate) []rating.Price {
	return []rating.Price{{Prefix: 371, Name: "Latvia", Rates: [rating.NumBands]money.Rate{rate, rate, rate}, First: 1, Step: 1}}
}

func open(t *testing.T) *scene {
	t.Helper()
	ctx := t.Context()
	db, err := sqlitetest.Open(ctx, filepath.Join(t.TempDir(), "x.db"), sqlite.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	for i, rate := range []money.Rate{200_000_000, 900_000_000} {
		_, err := db.PutDeck(ctx, store.Deck{Name: "north", Kind: rating.Cost, Imported: night.AddDate(0, 0, -5+10*i), Currency: "GBP"}, price(rate))
		must(t, err)
	}
	_, err = db.PutDeck(ctx, store.Deck{Name: "retail", Kind: rating.Retail, Imported: night.AddDate(0, 0, -9), Currency: "GBP"}, price(2_000_000_000))
	must(t, err)
	key, err := secret.NewKey()
	must(t, err)
	box, err := secret.NewBox([]secret.Key{key})
	must(t, err)
	b, err := book.Open(ctx, db, book.Options{Plan: phone.UK(), Zone: "Europe/London", Box: box, Realm: "sip.test", Tariff: "retail"})
	must(t, err)
	deck := "north"
	_, err = b.AddTrunk(ctx, "test", "carrier-north", book.TrunkEdit{Addresses: &[]string{"192.0.2.1:5060"}, Deck: &deck})
	must(t, err)
	trunk, _ := b.TrunkCalled("carrier-north")
	customer, err := b.AddCustomer(ctx, "test", "acme", book.CustomerEdit{})
	must(t, err)
	line, _, err := b.AddLine(ctx, "test", book.NewLine{ID: "2710", Customer: customer.ID})
	must(t, err)
	s := &scene{t: t, db: db, customer: customer.ID, trunk: trunk.Name, line: line.ID(), book: b}
	s.bills = billing.New(billing.Options{Store: failing{db, &s.broken}, Book: b, Provider: "Example Telecom", Alone: func() money.Micro { return 100 * money.Pound }})
	s.desk, err = settle.New(settle.Options{Store: db, Book: b, Billing: s.bills, SecondAbove: func() money.Micro { return 3 * money.Pound }})
	must(t, err)
	s.openCase()
	return s
}

func (s *scene) openCase() {
	ctx := s.t.Context()
	w := store.CaseWrite{Case: &casework.Case{ID: 1, Customer: s.customer, State: casework.Open, Opened: night}}
	for i, state := range []casework.Dispute{casework.Owed, casework.Owed, casework.Upheld, casework.Disputed} {
		id, begun := s.make(i)
		w.Calls = append(w.Calls, casework.CaseCall{Case: 1, Call: id, Customer: s.customer, Line: s.line, Begun: begun, Retail: 2_000_000, State: state})
	}
	must(s.t, s.db.WriteCase(ctx, w))
}

// make settles a call of the line.
func (s *scene) make(i int) (id call.ID, begun time.Time) {
	ctx := s.t.Context()
	begun = night.Add(time.Duration(i) * time.Hour)
	raw := call.NewID(begun, fmt.Appendf(nil, "%010d", i))
	id = call.ID(raw[:])
	number := fmt.Sprintf("+3716000011%d", i)
	o := call.Open{ID: id, Node: "a", Direction: call.Out, State: call.Setup, Line: s.line, Account: s.customer, Number: number, Begun: begun}
	r := call.CDR{
		ID: id, Direction: call.Out, Line: s.line, Account: s.customer, Trunk: s.trunk, Number: number, Begun: begun, AnsweredAt: begun.Add(9 * time.Second),
		Ended: begun.Add(69 * time.Second), Talk: time.Minute, CarrierTalk: time.Minute, Retail: 2_000_000, Cost: 200_000, BLeg: fmt.Sprint("leg-", i),
	}
	_, err := s.db.Apply(ctx, []store.Op{
		{Kind: store.OpOpen, ID: id, Amount: 2_000_000, Holds: []store.Hold{{Purse: "line/" + s.line, Cap: money.Max}}, Call: &o},
		{Kind: store.OpSettle, ID: id, CDR: &r},
	})
	must(s.t, err)
	s.calls = append(s.calls, id)
	return id, begun
}

// move brings a call of the case into another state.
func (s *scene) move(n int, state casework.Dispute) {
	s.t.Helper()
	all, err := s.db.CaseCalls(s.t.Context(), store.CaseCallFilter{Case: 1, Calls: s.calls[n : n+1]})
	must(s.t, err)
	must(s.t, all[0].Move(state, "staff/tom", "", time.Now()))
	must(s.t, s.db.WriteCase(s.t.Context(), store.CaseWrite{Calls: all}))
}

// agree ends a decision of the case, as the desk does.
func (s *scene) agree(n int64, agree bool) {
	s.t.Helper()
	items, err := s.db.CaseItems(s.t.Context(), 1)
	must(s.t, err)
	i := items[n-1]
	must(s.t, i.Second(agree, "", "staff/maya", time.Now()))
	must(s.t, s.db.WriteCase(s.t.Context(), store.CaseWrite{Items: []casework.Item{i}}))
}

func (s *scene) list() core.List {
	s.t.Helper()
	out, err := s.desk.Look(s.t.Context(), "", 1, false)
	must(s.t, err)
	return out.List
}

func (s *scene) credits() []billing.Entry {
	s.t.Helper()
	all, err := s.bills.Entries(s.t.Context(), s.customer, books.KindCredit, 0, 100)
	must(s.t, err)
	return all
}

func (s *scene) given() (sum money.Micro) {
	for _, c := range s.credits() {
		sum += c.Net
	}
	return sum
}

func (s *scene) spent() store.Purse {
	s.t.Helper()
	purses, err := s.db.Purses(s.t.Context(), []string{"line/" + s.line})
	must(s.t, err)
	return purses[0]
}

// The whole way: free calls, cost price with a second person, a claim, what the carrier grants, and instalments. At no step does the purse
// of the line have more room than before.
func TestACaseIsSettled(t *testing.T) {
	s := open(t)
	ctx := t.Context()
	before := s.spent()
	if before.Spent != 8_000_000 {
		t.Fatalf("%+v", before)
	}
	x, err := s.desk.Settle(ctx, "staff/tom", 1, false, "")
	must(t, err)
	if x.Given != 2_000_000 || x.Item != 0 || s.given() != 2_000_000 {
		t.Fatalf("the free call: %+v, %+v", x, s.credits())
	}
	if _, err := s.desk.Settle(ctx, "staff/tom", 1, false, ""); !errors.Is(err, settle.ErrStep) {
		t.Errorf("twice: %v", err)
	}

	x, err = s.desk.Settle(ctx, "staff/tom", 1, true, "Proven fraud.")
	must(t, err)
	if x.Given != 3_600_000 || x.State != core.Waiting || s.given() != 2_000_000 {
		t.Fatalf("above the limit: %+v", x)
	}
	if l := s.list(); l.ToCost.Amount != 0 {
		t.Errorf("cost price before anybody agreed: %+v", l)
	}
	s.agree(x.Item, true)
	s.broken = errors.New("the store is away")
	if err := s.desk.Due(ctx, time.Now()); !errors.Is(err, s.broken) {
		t.Error(err)
	}
	s.broken = nil
	must(t, s.desk.Due(ctx, time.Now()))
	must(t, s.desk.Due(ctx, time.Now()))
	want := core.List{
		Charged: core.Step{Calls: 4, Amount: 8_000_000}, Ours: core.Step{Calls: 1, Amount: 2_000_000}, ToCost: core.Step{Calls: 2, Amount: 3_600_000},
		ToPay: core.Step{Calls: 3, Amount: 2_400_000}, Disputed: core.Step{Calls: 1, Amount: 2_000_000},
	}
	if l := s.list(); l != want || s.given() != 5_600_000 || len(s.credits()) != 2 {
		t.Fatalf("%+v\n%+v", l, s.credits())
	}

	claims, err := s.desk.OpenClaims(ctx, "staff/tom", 1, "")
	must(t, err)
	if len(claims) != 1 || claims[0].Claimed != 800_000 {
		t.Fatalf("%+v", claims)
	}
	_, err = s.desk.Send(ctx, "staff/tom", 1)
	must(t, err)
	_, err = s.desk.Answer(ctx, "staff/tom", 1, 400_000, "half of it")
	must(t, err)
	l := s.list()
	if l.Credit.Amount != 200_000 || l.Kept != 100_000 || l.Held != 100_000 || l.ToPay.Amount != 2_200_000 || s.given() != 5_800_000 {
		t.Fatalf("half of each call: that of the free call is ours, that of the disputed one waits: %+v, %s", l, s.given())
	}

	tomorrow := time.Now().AddDate(0, 0, 1)
	if _, err := s.desk.MakePlan(ctx, "staff/tom", settle.NewPlan{Case: 1, Count: 3, First: tomorrow}); !errors.Is(err, settle.ErrStep) {
		t.Errorf("a plan with a call in dispute: %v", err)
	}
	s.move(3, casework.Owed)
	x, err = s.desk.Settle(ctx, "staff/tom", 1, false, "") // brought down with the others: 1.80, and 10p of the carrier's
	must(t, err)
	if l := s.list(); l.ToPay.Amount != 300_000 || x.Given != 1_900_000 || x.Item != 3 || s.given() != 7_700_000 {
		t.Fatalf("%+v: %+v, %s", x, l, s.given())
	}
	p, err := s.desk.MakePlan(ctx, "staff/tom", settle.NewPlan{Case: 1, Count: 3, First: tomorrow})
	must(t, err)
	if p.Amount != 300_000 || len(p.List) != 3 || p.List[2].Amount != 100_000 {
		t.Errorf("%+v", p)
	}
	if after := s.spent(); after != before {
		t.Errorf("a purse was touched: %+v, before %+v", after, before)
	}
	facts, err := s.db.Facts(ctx, store.FactFilter{Kind: "case.settled", Limit: 100})
	must(t, err)
	if len(facts) == 0 {
		t.Error("no fact says that a case was settled")
	}
}

// TestAGrantThatCameWhileADecisionWaited guards that it is passed on as soon as the decision is made, and that no call is brought down to cost
// price without staff.
func TestAGrantThatCameWhileADecisionWaited(t *testing.T) {
	s := open(t)
	ctx := t.Context()
	x, err := s.desk.Settle(ctx, "staff/tom", 1, true, "Proven fraud.")
	must(t, err)
	_, err = s.desk.OpenClaims(ctx, "staff/tom", 1, "")
	must(t, err)
	_, err = s.desk.Send(ctx, "staff/tom", 1)
	must(t, err)
	_, err = s.desk.Answer(ctx, "staff/tom", 1, 800_000, "all of it")
	must(t, err)
	if s.given() != 0 {
		t.Fatalf("before the decision: %+v", s.credits())
	}
	s.agree(x.Item, true)
	must(t, s.desk.Due(ctx, time.Now()))
	if l := s.list(); s.given() != 6_000_000 || l.Credit.Amount != 400_000 || l.Kept != 200_000 || l.Held != 200_000 {
		t.Fatalf("%+v, %s", l, s.given())
	}
	s.move(3, casework.Owed)
	must(t, s.desk.Due(ctx, time.Now()))
	if s.given() != 6_000_000 {
		t.Errorf("a call was brought down by itself: %s", s.given())
	}
}

// What decisions made free is credited once they are carried out, however often that is asked for.
func TestWhatIsFreeIsCreditedByItselfAndOnce(t *testing.T) {
	s := open(t)
	for range 3 {
		must(t, s.desk.CarryOut(t.Context(), 1))
	}
	if all := s.credits(); len(all) != 1 || all[0].Net != 2_000_000 || !slices.Equal(all[0].Calls, []string{string(s.calls[2])}) {
		t.Errorf("after one call was decided to be free: %+v", all)
	}
	s.move(3, casework.Upheld)
	must(t, s.desk.CarryOut(t.Context(), 1))
	if l := s.list(); s.given() != 4_000_000 || l.Ours.Amount != 4_000_000 || len(s.credits()) != 2 {
		t.Errorf("after another: %s, %+v", s.given(), l)
	}
}

func TestADecisionThatIsRefusedBringsNothingDown(t *testing.T) {
	s := open(t)
	x, err := s.desk.Settle(t.Context(), "staff/tom", 1, true, "Proven fraud.")
	must(t, err)
	s.agree(x.Item, false)
	must(t, s.desk.Due(t.Context(), time.Now()))
	past, err := s.db.Settlements(t.Context(), 1)
	must(t, err)
	if past[0].State != core.Refused || s.given() != 2_000_000 { // the free call alone, which needed no decision
		t.Errorf("%+v, %+v", past, s.credits())
	}
	out, err := s.desk.Look(t.Context(), s.customer, 1, true)
	must(t, err)
	if r := out.Calls[0].Rated; r.Cost != 200_000 || r.Version != 0 || r.Deck != "" {
		t.Errorf("a customer sees %+v", r)
	}
	out, err = s.desk.Look(t.Context(), "", 1, true)
	must(t, err)
	if r := out.Calls[0].Rated; r.Cost != 200_000 || r.Version != 1 {
		t.Errorf("not by the list of that day: %+v", r)
	}
	if _, err := s.desk.Look(t.Context(), "somebody else", 1, false); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another customer's: %v", err)
	}
}

func TestAnInvoiceBesideOurMetering(t *testing.T) {
	s := open(t)
	ctx := t.Context()
	_, err := s.desk.OpenClaims(ctx, "staff/tom", 1, s.trunk)
	must(t, err)
	if _, err := s.desk.OpenClaims(ctx, "staff/tom", 1, ""); !errors.Is(err, settle.ErrStep) {
		t.Errorf("twice: %v", err)
	}
	header := "start,from,to,seconds,cost,call id\n"
	_, err = s.desk.Invoice(ctx, "staff/tom", 1, []byte(header+"2026-07-12 22:41:16,,+37160000110,60,n/a,\n"), settle.InvoiceOptions{File: "north.csv"})
	if err == nil || err.Error() != "Line 2, column 5: 'n/a' is not a price. Nothing was booked." {
		t.Error(err)
	}
	rows := header +
		"2026-07-12 22:41:16,,37160000110,60,0.20,\n" + // as we metered it
		"2026-07-12 23:41:08,,0037160000111,98,0.33,leg-1\n" + // eight seconds early, half a minute long
		"2026-07-13 00:41:16,,+37160000112,60,0.20,\n" +
		"2026-07-13 05:00:00,,=1+1,60,0.20,\n" // never seen
	_, err = s.desk.Invoice(ctx, "staff/tom", 1, []byte("start,to,seconds,cost\n2026-07-12 22:41:16,37160000110,60,0.20\n2026-07-12 22:41:16,37160000110,60,0.20\n"), settle.InvoiceOptions{})
	must(t, err)
	_, calls, err := s.desk.Claim(ctx, 1)
	must(t, err)
	if c := calls[0]; c.Line != 2 || c.Talk != 2*time.Minute || c.Metered != time.Minute || c.Claimed != 400_000 {
		t.Errorf("a call that is charged twice: %+v", c)
	}
	for range 2 { // the second time replaces the first
		out, err := s.desk.Invoice(ctx, "staff/tom", 1, []byte(rows), settle.InvoiceOptions{File: "../no\u202erth.csv"})
		must(t, err)
		if len(out.Missing) != 1 || out.Kinds[core.Early].Calls != 1 || out.Kinds[core.RanOn].Calls != 1 || out.Kinds[core.NeverSeen].Amount != 200_000 {
			t.Errorf("%+v", out)
		}
		x, calls, err := s.desk.Claim(ctx, 1)
		must(t, err)
		if x.Invoice != "no_rth.csv" || x.Claimed != 930_000 || x.Calls != 5 || len(calls) != 5 || calls[3].Claimed != 0 {
			t.Errorf("%+v\n%+v", x, calls)
		}
	}
	_, err = s.desk.Send(ctx, "staff/tom", 1)
	must(t, err)
	if _, err := s.desk.Invoice(ctx, "staff/tom", 1, []byte(rows), settle.InvoiceOptions{}); !errors.Is(err, settle.ErrStep) {
		t.Errorf("after it was sent: %v", err)
	}
	letter, err := s.desk.Letter(ctx, 1, false)
	must(t, err)
	for _, want := range []string{"Claim 1, case 1", "£0.93 for 5 calls", "1: charged although we made no such call, £0.20", "1: charged beyond the end of the call, £0.10", "quote claim 1"} {
		if !strings.Contains(string(letter), want) {
			t.Errorf("no %q in\n%s", want, letter)
		}
	}
	if strings.Contains(string(letter), "acme") {
		t.Error("the letter names the customer")
	}
	sheet, err := s.desk.Sheet(ctx, 1)
	must(t, err)
	if !strings.Contains(string(sheet), "'=1+1") || strings.Count(string(sheet), "\n") != 6 {
		t.Errorf("%s", sheet)
	}
	late := time.Now().Add(core.AnswerTime + time.Hour)
	must(t, s.desk.Due(ctx, late))
	must(t, s.desk.Due(ctx, late))
	x, _, err := s.desk.Claim(ctx, 1)
	must(t, err)
	items, err := s.db.CaseItems(ctx, 1)
	must(t, err)
	if x.Reminders != 1 || len(items) != 1 || items[0].Kind != casework.Task || !strings.Contains(items[0].Text, "£0.93 open") {
		t.Errorf("%+v %+v", x, items)
	}
}

func TestAPlanIsRemindedOfAndEnds(t *testing.T) {
	s := open(t)
	ctx := t.Context()
	s.move(3, casework.Owed)
	first := time.Now().AddDate(0, 0, 10)
	_, err := s.desk.Settle(ctx, "staff/tom", 1, false, "")
	must(t, err)
	p, err := s.desk.MakePlan(ctx, "staff/tom", settle.NewPlan{Case: 1, Count: 3, First: first})
	must(t, err)
	texts := func() (all []string) {
		items, err := s.db.CaseItems(ctx, 1)
		must(t, err)
		for i := range items {
			if items[i].Kind == casework.Message {
				all = append(all, items[i].Text)
			}
		}
		return all
	}
	due := p.List[0].Due
	must(t, s.desk.Due(ctx, due.Add(-24*time.Hour)))
	must(t, s.desk.Due(ctx, due.Add(-time.Hour)))
	if got := texts(); len(got) != 1 || !strings.HasPrefix(got[0], "Instalment 1 of 3, £2.00, is due on ") {
		t.Fatalf("%q", got)
	}
	_, err = s.bills.Pay(ctx, billing.Payment{Customer: s.customer, Amount: 1_500_000, Reference: "bacs  7"})
	must(t, err)
	for range 2 {
		_, err = s.desk.PayPlan(ctx, "staff/tom", p.ID, "BACS 7")
	}
	if !errors.Is(err, settle.ErrStep) {
		t.Errorf("a payment that counts twice: %v", err)
	}
	if _, err := s.desk.PayPlan(ctx, "staff/tom", p.ID, "BACS 8"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a payment that is not in the books: %v", err)
	}
	must(t, s.desk.Due(ctx, due.AddDate(0, 0, 1)))
	if got := texts(); len(got) != 2 || !strings.Contains(got[1], "£0.50, was due on ") || !strings.Contains(got[1], "£4.50, is due") {
		t.Fatalf("%q", got)
	}
	must(t, s.desk.Due(ctx, p.List[0].GraceEnd()))
	must(t, s.desk.Due(ctx, p.List[0].GraceEnd().AddDate(0, 1, 0)))
	if got := texts(); len(got) != 3 || !strings.Contains(got[2], "has ended") {
		t.Fatalf("%q", got)
	}
	got, err := s.desk.Plan(ctx, s.customer, p.ID)
	must(t, err)
	if got.State != core.PlanBroken {
		t.Errorf("%+v", got)
	}
	if left, err := s.desk.NotDue(ctx, s.customer, due); err != nil || left != 0 {
		t.Errorf("%s of a broken plan is not due: %v", left, err)
	}
	next, err := s.desk.MakePlan(ctx, "staff/tom", settle.NewPlan{Case: 1, Count: 2, First: first})
	must(t, err)
	if got, err = s.desk.Plan(ctx, "", p.ID); err != nil || got.State != core.PlanReplaced || next.ID != 2 {
		t.Errorf("%+v %+v %v", got, next, err)
	}
	if _, err := s.desk.PayPlan(ctx, "staff/tom", next.ID, "BACS 7"); !errors.Is(err, settle.ErrStep) {
		t.Errorf("the plan that follows is over less by a payment, which counts again: %v", err)
	}
	if left, err := s.desk.NotDue(ctx, s.customer, time.Now()); err != nil || left != 4_500_000 {
		t.Errorf("%s is not due: %v", left, err)
	}
}

// A customer who took a dispute back may open it again. Meanwhile the plan asks for nothing, and does not end.
func TestAPlanAsksForNothingThatIsInDispute(t *testing.T) {
	s := open(t)
	ctx := t.Context()
	s.move(3, casework.Withdrawn)
	p, err := s.desk.MakePlan(ctx, "staff/tom", settle.NewPlan{Case: 1, Count: 3, First: time.Now().AddDate(0, 0, 10)})
	must(t, err)
	messages := func(at time.Time) int {
		must(t, s.desk.Due(ctx, at))
		items, err := s.db.CaseItems(ctx, 1)
		must(t, err)
		return len(items)
	}
	s.move(3, casework.Disputed)
	if n := messages(p.List[0].Due.Add(-24 * time.Hour)); n != 0 {
		t.Errorf("%d reminders of what is in dispute", n)
	}
	if n := messages(p.List[0].GraceEnd().AddDate(0, 1, 0)); n != 0 {
		t.Errorf("%d notices that the plan has ended", n)
	}
	if got, err := s.desk.Plan(ctx, "", p.ID); err != nil || got.State != core.PlanRunning {
		t.Errorf("%s: %v", got.State, err)
	}
	s.move(3, casework.Owed)
	if n := messages(p.List[0].Due.Add(-24 * time.Hour)); n != 1 {
		t.Errorf("%d reminders once it is decided", n)
	}
}

// TestNoPlanOverWhatIsPaid guards that instalments are of what is owed: calls that are on no bill count, and what the customer has paid ahead does not.
func TestNoPlanOverWhatIsPaid(t *testing.T) {
	s := open(t)
	ctx := t.Context()
	d, err := settle.New(settle.Options{Store: s.db, Book: s.book, Billing: s.vat(s.db), SecondAbove: func() money.Micro { return 100 * money.Pound }})
	must(t, err)
	s.move(3, casework.Owed) // the last that is in dispute
	x, err := d.Look(ctx, "", 1, false)
	must(t, err)
	most := x.ToPay
	pay := func(reference string, sum money.Micro) {
		t.Helper()
		_, err := s.bills.Pay(ctx, billing.Payment{Customer: s.customer, Amount: sum, Reference: reference})
		must(t, err)
	}
	plan := settle.NewPlan{Case: 1, Count: 2, First: time.Now().AddDate(0, 0, 10)}
	pay("BACS 1", 2*money.Pound)
	p, err := d.MakePlan(ctx, "staff/tom", plan)
	must(t, err)
	if p.Amount != most-2*money.Pound {
		t.Errorf("%s of %s is in a plan, and £2.00 is paid ahead", p.Amount, most)
	}
	pay("BACS 2", most)
	if _, err := d.MakePlan(ctx, "staff/tom", plan); !isInvalid(err) {
		t.Errorf("a plan over what is paid: %v", err)
	}
}

// TestAGrantAboveTheLimitNeedsASecondPerson guards that what a carrier granted is in the books at once, and reaches the customer beyond what one person gives away only when a second one
// agrees; and that a refusal is not asked for again by itself.
func TestAGrantAboveTheLimitNeedsASecondPerson(t *testing.T) {
	for _, agree := range []bool{true, false} {
		s := open(t)
		ctx, limit := t.Context(), 100*money.Pound
		var err error
		s.desk, err = settle.New(settle.Options{Store: s.db, Book: s.book, Billing: s.bills, SecondAbove: func() money.Micro { return limit }})
		must(t, err)
		_, err = s.desk.Settle(ctx, "staff/tom", 1, false, "")
		must(t, err)
		_, err = s.desk.OpenClaims(ctx, "staff/tom", 1, "")
		must(t, err)
		_, err = s.desk.Send(ctx, "staff/tom", 1)
		must(t, err)
		limit = 100_000
		before := s.given()
		_, err = s.desk.Answer(ctx, "staff/tom", 1, 400_000, "as goodwill")
		must(t, err)
		owes, err := s.db.Balances(ctx, books.Carrier(s.trunk), books.Granted)
		must(t, err)
		if owes[0] != 400_000 || owes[1] != -400_000 || s.given() != before {
			t.Errorf("the books have %v, and %s more was given", owes, s.given()-before)
		}
		items, err := s.db.CaseItems(ctx, 1)
		must(t, err)
		last := items[len(items)-1]
		if last.What != casework.Grant || !last.Waits() || last.Amount != 200_000 || last.By != "staff/tom" { // half of it is for calls that are free, or in dispute
			t.Fatalf("%+v", last)
		}
		s.agree(last.N, agree)
		must(t, s.desk.Due(ctx, time.Now()))
		must(t, s.desk.Due(ctx, time.Now()))
		if got := s.given() - before; agree && got != 200_000 || !agree && got != 0 {
			t.Errorf("agreed %v: %s was given", agree, got)
		}
		past, err := s.db.Settlements(ctx, 1)
		must(t, err)
		if len(past) != 2 {
			t.Errorf("agreed %v: %d settlements", agree, len(past))
		}
	}
}

// TestACreditByHandLowersWhatACaseHasLeft guards that a call that was credited by hand is not credited again by its case, and that a call in a case is credited there alone.
func TestACreditByHandLowersWhatACaseHasLeft(t *testing.T) {
	s := open(t)
	ctx := t.Context()
	s.make(4)
	hand := func(reference string, amount money.Micro, calls ...call.ID) error {
		_, err := s.bills.CreditByHand(ctx, billing.Credit{Customer: s.customer, Net: amount, Reason: "for the trouble", Reference: reference, Calls: calls, By: "staff/tom"})
		return err
	}
	wrong := (*billing.Invalid)(nil)
	if err := hand("H0", money.Pound, s.calls[0]); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "case 1") {
		t.Errorf("a call in a case: %v", err)
	}
	must(t, hand("H1", 1_500_000, s.calls[4]))
	if err := hand("H1", 1_500_000, s.calls[4]); !errors.Is(err, billing.ErrBooked) {
		t.Errorf("again: %v", err)
	}
	if err := hand("H2", 600_000, s.calls[4]); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "£0.50 is left") {
		t.Errorf("more than is left: %v", err)
	}
	must(t, s.db.WriteCase(ctx, store.CaseWrite{Calls: []casework.CaseCall{{Case: 1, Call: s.calls[4], Customer: s.customer, Line: s.line, Begun: night, Retail: 2_000_000, State: casework.Upheld}}}))
	if l := s.list(); l.Charged.Amount != 8_500_000 || l.Ours.Amount != 2_500_000 {
		t.Errorf("the case has %s of %s to bear", l.Ours.Amount, l.Charged.Amount)
	}
}

// TestARowIsClaimedOnce guards that a row of an invoice for which no case has a call is claimed in one claim alone: the first that is compared, or, of two at once, the first.
func TestARowIsClaimedOnce(t *testing.T) {
	s := open(t)
	ctx := t.Context()
	other, begun := s.make(4)
	must(t, s.db.WriteCase(ctx, store.CaseWrite{
		Case:  &casework.Case{ID: 2, Customer: s.customer, State: casework.Open, Opened: night},
		Calls: []casework.CaseCall{{Case: 2, Call: other, Customer: s.customer, Line: s.line, Begun: begun, Retail: 2_000_000, State: casework.Owed}},
	}))
	rows := []byte("start,from,to,seconds,cost,call id\n2026-07-12 22:41:16,,37160000110,60,0.20,\n2026-07-13 02:41:16,,37160000114,60,0.20,\n2026-07-13 05:00:00,,+37129999999,60,0.50,\n")
	for id, want := range []money.Micro{700_000, 200_000} {
		_, err := s.desk.OpenClaims(ctx, "staff/tom", int64(id+1), "")
		must(t, err)
		out, err := s.desk.Invoice(ctx, "staff/tom", int64(id+1), rows, settle.InvoiceOptions{File: "north.csv"})
		must(t, err)
		if x, _, err := s.desk.Claim(ctx, int64(id+1)); err != nil || x.Claimed != want || out.Kinds[core.NeverSeen].Calls != 1 {
			t.Errorf("claim %d asks for %s: %+v %v", id+1, x.Claimed, out.Kinds, err)
		}
	}
	stray := core.ClaimCall{Claim: 2, N: 9, Called: "+37129999999", Begun: time.Date(2026, 7, 13, 5, 0, 0, 0, time.UTC), Talk: time.Minute, Claimed: 500_000, Line: 4}
	must(t, s.db.WriteSettle(ctx, store.SettleWrite{Calls: []core.ClaimCall{stray}})) // as if both had been compared at once
	if _, err := s.desk.Send(ctx, "staff/tom", 2); !errors.Is(err, settle.ErrStep) || !strings.Contains(err.Error(), "row 4 of the invoice is in claim 1") {
		t.Errorf("the second: %v", err)
	}
	_, err := s.desk.Send(ctx, "staff/tom", 1)
	must(t, err)
}

// TestWhatOnlyOneBookHas guards that a call which the carrier billed and we never carried is claimed, one that we never put through too, and that a call which we carried and it did not
// bill is named and not claimed.
func TestWhatOnlyOneBookHas(t *testing.T) {
	s := open(t)
	ctx := t.Context()
	begun := night.Add(5 * time.Hour)
	raw := call.NewID(begun, []byte("0123456789"))
	unanswered := call.ID(raw[:])
	_, err := s.db.Apply(ctx, []store.Op{{Kind: store.OpRecord, ID: unanswered, CDR: &call.CDR{
		ID: unanswered, Direction: call.Out, Line: s.line, Account: s.customer, Trunk: s.trunk, Number: "+37160000119", Begun: begun, Ended: begun.Add(20 * time.Second), BLeg: "leg-9",
	}}})
	must(t, err)
	_, err = s.desk.OpenClaims(ctx, "staff/tom", 1, "")
	must(t, err)
	rows := "start,from,to,seconds,cost,call id\n" +
		"2026-07-12 22:41:16,,37160000110,60,0.20,leg-0\n2026-07-12 23:41:16,,37160000111,60,0.20,leg-1\n2026-07-13 00:41:16,,37160000112,60,0.20,leg-2\n" + // the fourth is missing
		"2026-07-13 03:41:20,,37160000119,30,0.10,leg-9\n2026-07-13 07:00:00,,37129999999,60,0.50,\n"
	out, err := s.desk.Invoice(ctx, "staff/tom", 1, []byte(rows), settle.InvoiceOptions{File: "north.csv"})
	must(t, err)
	if len(out.Missing) != 1 || out.Missing[0] != s.calls[3] || out.Kinds[core.NeverCarried].Amount != 100_000 || out.Kinds[core.NeverSeen].Amount != 500_000 {
		t.Errorf("%+v %+v", out.Missing, out.Kinds)
	}
	x, calls, err := s.desk.Claim(ctx, 1)
	must(t, err)
	if x.Claimed != 1_200_000 || len(calls) != 6 || calls[3].Claimed != 0 || calls[4].Call != unanswered || calls[5].Call != "" || calls[5].Claimed != 500_000 {
		t.Errorf("%+v\n%+v", x, calls)
	}
}

// TestAPaymentThatNamesItsPlanCounts guards that no instalment is missed because nobody counted it, and that nothing else is counted.
func TestAPaymentThatNamesItsPlanCounts(t *testing.T) {
	s := open(t)
	ctx := t.Context()
	s.move(3, casework.Owed)
	_, err := s.desk.Settle(ctx, "staff/tom", 1, false, "")
	must(t, err)
	p, err := s.desk.MakePlan(ctx, "staff/tom", settle.NewPlan{Case: 1, Count: 3, First: time.Now().AddDate(0, 0, 10)})
	must(t, err)
	for _, x := range []struct {
		reference, text string
		at              time.Time
		paid            money.Micro // of the plan, after it
	}{
		{reference: "BACS 1", text: "PLAN 2"},
		{reference: "BACS 2", text: "plan 1 and plan 2"},
		{reference: "BACS 3", text: "airplane 1"},
		{reference: "BACS 4", text: "PLAN 1", at: time.Now().AddDate(0, 0, -5)}, // the plan was not there
		{reference: "BACS 5", text: "thanks, plan-1", paid: 500_000},
		{reference: "FPS 6 PLAN1", paid: 1_000_000},
		{reference: "BACS 7", paid: 1_000_000},
	} {
		_, err = s.bills.Pay(ctx, billing.Payment{Customer: s.customer, Amount: 500_000, Reference: x.reference, Text: x.text, At: x.at})
		must(t, err)
		for range 2 {
			must(t, s.desk.Due(ctx, time.Now()))
		}
		got, err := s.desk.Plan(ctx, "", p.ID)
		must(t, err)
		if got.Banked() != x.paid {
			t.Errorf("%s %q: %s counts, not %s", x.reference, x.text, got.Banked(), x.paid)
		}
	}
	if _, err := s.bills.Pay(ctx, billing.Payment{Customer: s.customer, Amount: 500_000, Reference: "plan 1"}); !errors.As(err, new(*billing.Invalid)) {
		t.Errorf("a reference that comes with each instalment: %v", err)
	}
	_, err = s.bills.Pay(ctx, billing.Payment{Customer: s.customer, Amount: 9_000_000, Reference: "BACS 8", Text: "PLAN 1"}) // more than is owed
	must(t, err)
	_, err = s.bills.Pay(ctx, billing.Payment{Customer: s.customer, Amount: 500_000, Reference: "BACS 9", Text: "PLAN 1"})
	must(t, err)
	must(t, s.desk.Due(ctx, time.Now()))
	if got, err := s.desk.Plan(ctx, "", p.ID); err != nil || got.State != core.PlanPaid || len(got.Payments) != 3 {
		t.Errorf("%+v, %v", got, err)
	}
}
