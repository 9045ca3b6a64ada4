package settle_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/books"
	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/money"
	core "ringfence/core/settle"
	"ringfence/flow/billing"
	"ringfence/flow/settle"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
)

// dying is a store of which one write fails: it was not made, or (lost) it was made and nobody heard of it.
type dying struct {
	*sqlite.Engine
	left *int
	lost *bool
}

var errDied = errors.New("died")

func (d dying) write(f func() error) error {
	if *d.left--; *d.left != 0 {
		return f()
	}
	if *d.lost {
		return errors.Join(errDied, f())
	}
	return errDied
}

func (d dying) Book(ctx context.Context, entries []books.Entry, facts ...store.Fact) (n []int64, err error) {
	err = d.write(func() error { n, err = d.Engine.Book(ctx, entries, facts...); return err })
	return n, err
}

func (d dying) BookCredit(ctx context.Context, e books.Entry, seen int64, facts ...store.Fact) (n int64, err error) {
	err = d.write(func() error { n, err = d.Engine.BookCredit(ctx, e, seen, facts...); return err })
	return n, err
}

func (d dying) WriteSettle(ctx context.Context, w store.SettleWrite, facts ...store.Fact) error {
	return d.write(func() error { return d.Engine.WriteSettle(ctx, w, facts...) })
}

// play is a case on which random steps are played.
type play struct {
	*scene
	rt     *rapid.T
	left   int
	lost   bool
	paid   int
	byHand int
	purses string
}

// inBooks adds up all that is in the books: it comes to nothing, and each credit is there once.
func (p *play) inBooks() (credited money.Micro) {
	var sum money.Micro
	must(p.t, p.db.EachBalance(p.t.Context(), "", func(_ string, balance money.Micro) error {
		sum += balance
		return nil
	}))
	if sum != 0 {
		p.rt.Fatalf("the books come to %s", sum)
	}
	seen := map[string]bool{}
	for _, e := range p.credits() {
		if seen[e.Reference] {
			p.rt.Fatalf("%s was credited twice", e.Reference)
		}
		seen[e.Reference] = true
		credited += e.Net
	}
	return credited
}

// holds checks what must hold after every step, whatever died in it.
func (p *play) holds(step string) {
	if credited := p.inBooks(); credited > 10*money.Pound {
		p.rt.Fatalf("%s: %s credited of £10.00 charged", step, credited)
	}
	p.eachOnce(step)
	if now := fmt.Sprintf("%+v", p.spent()); now != p.purses {
		p.rt.Fatalf("%s: a purse was touched: %s, before %s", step, now, p.purses)
	}
	l := p.list()
	if l.Charged.Amount-l.Ours.Amount-l.ToCost.Amount-l.Credit.Amount-l.Refund.Amount != l.ToPay.Amount {
		p.rt.Fatalf("%s: %+v", step, l)
	}
	granted := p.grants()
	if got := l.Credit.Amount + l.Kept + l.Held; got != granted {
		p.rt.Fatalf("%s: %s of the carrier's %s: %+v", step, got, granted, l)
	}
	if owes, err := p.db.Balances(p.t.Context(), books.Carrier(p.trunk)); err != nil || owes[0] != granted {
		p.rt.Fatalf("%s: the carrier owes %s in the books, and granted %s (%v)", step, owes, granted, err)
	}
}

// eachOnce wants no call to be credited beyond its price by the case and by hand together.
func (p *play) eachOnce(step string) {
	byHand, _, err := p.bills.ByHand(p.t.Context(), p.customer)
	must(p.t, err)
	inCases, err := p.desk.InCases(p.t.Context(), p.customer, p.calls)
	must(p.t, err)
	for _, id := range p.calls {
		if byHand[id]+inCases[id] > 2*money.Pound {
			p.rt.Fatalf("%s: call %s of £2.00 was credited %s by hand and %s in its case", step, id, byHand[id], inCases[id])
		}
	}
}

// grants are what the carrier granted, as it is stored.
func (p *play) grants() (sum money.Micro) {
	claims, err := p.db.CarrierClaims(p.t.Context(), store.ClaimFilter{Case: 1})
	must(p.t, err)
	for i := range claims {
		sum += claims[i].Granted
	}
	return sum
}

// TestNothingIsCreditedTwice plays random settlements, decisions, claims, answers, refunds, plans and payments, in which writes die or are lost,
// and each of which is asked for again: the books come to nothing, no purse changes, and no more is credited than was charged.
func TestNothingIsCreditedTwice(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := &play{scene: open(t), rt: rt}
		db := dying{p.db, &p.left, &p.lost}
		var err error
		p.desk, err = settle.New(settle.Options{Store: db, Book: p.book, Billing: p.vat(db), SecondAbove: func() money.Micro { return 3 * money.Pound }})
		must(t, err)
		p.make(4)
		p.purses = fmt.Sprintf("%+v", p.spent())
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			step := rapid.SampledFrom([]string{"settle", "cost", "second", "decide", "claim", "send", "answer", "refund", "plan", "pay", "due", "hand", "dispute", "withdraw"}).Draw(rt, "step")
			p.left, p.lost = rapid.IntRange(0, 4).Draw(rt, "dies at"), rapid.Bool().Draw(rt, "lost")
			amount := money.Micro(rapid.Int64Range(1, 3_000_000).Draw(rt, "amount"))
			n := rapid.IntRange(0, 4).Draw(rt, "call")
			for range 2 { // again, as who got an error would
				p.step(step, amount, n)
				p.left = 0
				p.holds(step)
			}
		}
		must(t, p.desk.Due(t.Context(), time.Now()))
		p.holds("the end")
	})
}

// TestAnAnswerIsPassedOnWhateverDies guards that what a carrier granted reaches the customer by itself once its answer is stored: also when the program dies
// before the credit, and when the answer came while a settlement waited for a second person.
func TestAnAnswerIsPassedOnWhateverDies(t *testing.T) {
	for _, waiting := range []bool{false, true} {
		for n := range 10 {
			p := &play{scene: open(t)}
			ctx, db := t.Context(), dying{p.db, &p.left, &p.lost}
			d, err := settle.New(settle.Options{Store: db, Book: p.book, Billing: p.vat(db), SecondAbove: func() money.Micro { return 100 * money.Pound }})
			must(t, err)
			if waiting {
				d, err = settle.New(settle.Options{Store: db, Book: p.book, Billing: p.vat(db), SecondAbove: func() money.Micro { return money.Pound }})
				must(t, err)
			}
			p.desk = d
			_, err = d.Settle(ctx, "staff/tom", 1, true, "Proven fraud.")
			must(t, err)
			_, err = d.OpenClaims(ctx, "staff/tom", 1, "")
			must(t, err)
			_, err = d.Send(ctx, "staff/tom", 1)
			must(t, err)
			die := func() { p.left, p.lost = n/2+1, n%2 == 1 }
			if waiting { // the answer is stored whole, and what dies is the end of the settlement
				_, err = d.Answer(ctx, "staff/tom", 1, 77_777, "")
				must(t, err)
				p.second(true)
				die()
				err = d.Due(ctx, time.Now())
			} else {
				die()
				_, err = d.Answer(ctx, "staff/tom", 1, 77_777, "")
			}
			died := err != nil
			p.left = 0
			must(t, d.Due(ctx, time.Now()))
			want := p.list().Credit.Amount
			if (want > 0) != (p.grants() > 0) || want == 0 && n > 0 {
				t.Errorf("waiting %v, write %d, lost %v: %s granted, %s for the customer", waiting, n/2+1, p.lost, p.grants(), want)
			}
			past, err := p.db.Settlements(ctx, 1)
			must(t, err)
			last := past[len(past)-1]
			if last.State != core.Made || last.List.Credit.Amount != want {
				t.Errorf("waiting %v, write %d, lost %v (died %v): the last settlement is %s and passes on %s of %s", waiting, n/2+1, p.lost, died, last.State, last.List.Credit.Amount, want)
			}
		}
	}
}

// vat is a billing with a rate that does not divide.
func (s *scene) vat(db billing.Store) *billing.Billing {
	s.bills = billing.New(billing.Options{
		Store: db, Book: s.book, Provider: "Example Telecom", VAT: books.Rates{{Rate: 17_500}},
		InCases: func(ctx context.Context, customer string, ids []call.ID) (map[call.ID]money.Micro, error) {
			return s.desk.InCases(ctx, customer, ids)
		},
	})
	return s.bills
}

// step does one thing. What may not be done now is no fault.
func (p *play) step(step string, amount money.Micro, n int) {
	ctx, err := p.t.Context(), error(nil)
	switch step {
	case "settle", "cost":
		_, err = p.desk.Settle(ctx, "staff/tom", 1, step == "cost", "Proven fraud.")
	case "second":
		p.second(n != 0)
		err = p.desk.CarryOut(ctx, 1)
	case "decide":
		p.decide(n)
	case "claim":
		_, err = p.desk.OpenClaims(ctx, "staff/tom", 1, "")
	case "send":
		_, err = p.desk.Send(ctx, "staff/tom", 1)
	case "answer":
		_, err = p.desk.Answer(ctx, "staff/tom", 1, amount/10, "")
	case "refund":
		err = p.refund(amount)
	case "plan":
		_, err = p.desk.MakePlan(ctx, "staff/tom", settle.NewPlan{Case: 1, Count: n + 1, First: time.Now().AddDate(0, 0, 10)})
	case "pay":
		p.paid++
		reference := fmt.Sprint("BACS ", p.paid/2)
		if _, err = p.bills.Pay(ctx, billing.Payment{Customer: p.customer, Amount: amount/10_000*10_000 + 10_000, Reference: reference}); err == nil {
			_, err = p.desk.PayPlan(ctx, "staff/tom", 1, reference)
		}
	case "due":
		err = p.desk.Due(ctx, time.Now())
	case "hand":
		p.byHand++
		_, err = p.bills.CreditByHand(ctx, billing.Credit{Customer: p.customer, Net: amount, Reason: "for the trouble", Reference: fmt.Sprint("HAND ", p.byHand/2), Calls: p.calls[n:min(n+2, 5)], By: "staff/tom"})
	case "dispute", "withdraw":
		p.dispute(n, step == "dispute")
	}
	for _, may := range []error{nil, errDied, settle.ErrStep, store.ErrNotFound, billing.ErrBooked} {
		if errors.Is(err, may) {
			return
		}
	}
	if _, ok := errors.AsType[*billing.Invalid](err); !ok && !isInvalid(err) {
		p.rt.Fatalf("%s: %v", step, err)
	}
}

// dispute puts a call into the case, or takes it out of it, where that may be done.
func (p *play) dispute(n int, in bool) {
	ctx := p.t.Context()
	all, err := p.db.CaseCalls(ctx, store.CaseCallFilter{Case: 1, Calls: p.calls[n : n+1]})
	must(p.t, err)
	if len(all) == 0 && in {
		all = []casework.CaseCall{{Case: 1, Call: p.calls[n], Customer: p.customer, Line: p.line, Begun: night, Retail: 2_000_000, State: casework.Disputed}}
	} else if len(all) == 0 || all[0].Move(map[bool]casework.Dispute{true: casework.Disputed, false: casework.Withdrawn}[in], "staff/tom", "", time.Now()) != nil {
		return
	}
	must(p.t, p.db.WriteCase(ctx, store.CaseWrite{Calls: all}))
}

// second ends what waits for a second person.
func (p *play) second(agree bool) {
	items, err := p.db.CaseItems(p.t.Context(), 1)
	must(p.t, err)
	for i := range items {
		if items[i].Waits() && items[i].Kind == casework.Decision {
			must(p.t, items[i].Second(agree, "", "staff/maya", time.Now()))
			must(p.t, p.db.WriteCase(p.t.Context(), store.CaseWrite{Items: items[i : i+1]}))
		}
	}
}

// decide finds for the customer, or against, where that is still open.
func (p *play) decide(n int) {
	all, err := p.db.CaseCalls(p.t.Context(), store.CaseCallFilter{Case: 1, Calls: p.calls[n : n+1]})
	must(p.t, err)
	if len(all) == 0 {
		return
	}
	if all[0].Move([]casework.Dispute{casework.Upheld, casework.Goodwill, casework.Owed}[n%3], "staff/tom", "", time.Now()) == nil {
		must(p.t, p.db.WriteCase(p.t.Context(), store.CaseWrite{Calls: all}))
	}
}

// refund decides to give back, as the desk does, and carries out every refund that is in force, again.
func (p *play) refund(amount money.Micro) error {
	ctx := p.t.Context()
	left, err := p.desk.Left(ctx, 1)
	must(p.t, err)
	items, err := p.db.CaseItems(ctx, 1)
	must(p.t, err)
	x, err := p.db.Case(ctx, 1)
	must(p.t, err)
	if amount <= left {
		i := casework.Item{Case: 1, N: int64(len(items)) + 1, Kind: casework.Decision, At: time.Now(), By: "staff/tom", Text: "for the trouble", What: casework.Refund, Amount: amount}
		must(p.t, i.End(casework.Made, "", "staff/tom", time.Now()))
		must(p.t, p.db.WriteCase(ctx, store.CaseWrite{Case: &x, Items: []casework.Item{i}}))
		items = append(items, i)
	}
	for i := range items {
		if items[i].What == casework.Refund {
			if err := p.desk.Refund(ctx, &x, &items[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestSumsAgreeToThePenny guards that charge, credits and rest, each rounded as a bill is, leave no penny over.
func TestSumsAgreeToThePenny(t *testing.T) {
	s := open(t)
	ctx := t.Context()
	d, err := settle.New(settle.Options{Store: s.db, Book: s.book, Billing: s.vat(s.db), SecondAbove: func() money.Micro { return 100 * money.Pound }})
	must(t, err)
	s.desk = d
	p := &play{scene: s}
	check := func(step string) {
		t.Helper()
		x, err := s.desk.Look(ctx, "", 1, false)
		must(t, err)
		var credited money.Micro
		for _, e := range s.credits() {
			credited -= e.Amount(books.Customer(s.customer))
		}
		if x.Charged-credited != x.ToPay {
			t.Errorf("%s: %s charged less %s credited is not %s", step, x.Charged, credited, x.ToPay)
		}
	}
	must(t, p.refund(333_333))
	_, err = d.Settle(ctx, "staff/tom", 1, true, "Proven fraud.")
	must(t, err)
	check("a refund, and cost price")
	must(t, p.refund(1_234))
	check("another refund")
	_, err = d.OpenClaims(ctx, "staff/tom", 1, "")
	must(t, err)
	_, err = d.Send(ctx, "staff/tom", 1)
	must(t, err)
	_, err = d.Answer(ctx, "staff/tom", 1, 77_777, "")
	must(t, err)
	check("a grant")
	s.move(3, casework.Owed)
	_, err = d.Settle(ctx, "staff/tom", 1, false, "")
	must(t, err)
	check("the last call")
	plan, err := d.MakePlan(ctx, "staff/tom", settle.NewPlan{Case: 1, Count: 2, First: time.Now().AddDate(0, 0, 10)})
	must(t, err)
	must(t, p.refund(20_000))
	check("a refund after the plan was made")
	if plan, err = d.Plan(ctx, "", plan.ID); err != nil || len(plan.Payments) != 1 || !plan.Payments[0].Credit {
		t.Errorf("a credit leaves less to pay than the plan is over: %+v %v", plan, err)
	}
	x, err := d.Look(ctx, "", 1, false)
	must(t, err)
	if st := plan.Standing(time.Now()); st.Rest != x.ToPay || plan.State != core.PlanRunning {
		t.Errorf("%s of the plan, %s of the case", st.Rest, x.ToPay)
	}
}
