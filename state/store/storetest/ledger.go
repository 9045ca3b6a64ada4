package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"ringfence/core/books"
	"ringfence/core/money"
	"ringfence/state/store"
)

// ledger is what the books ought to say.
type ledger struct {
	s        store.Store
	r        *rand.Rand
	balances map[string]money.Micro
	booked   []books.Entry
	calls    int
}

// yearsOfBooks plays years of bills, payments, credits, refunds of what was paid ahead, and carriers' grants, at random amounts and rates of VAT, some of
// them twice, and some that do not balance. At every step each account is what its postings come to, and all accounts come to nothing.
func yearsOfBooks(t *testing.T, s store.Store) {
	l := &ledger{s: s, r: rand.New(rand.NewPCG(7, 15)), balances: map[string]money.Micro{}}
	rates := []books.Rate{0, 5_000, 17_500, 20_000, 33_333}
	for month := range 36 {
		rate := rates[l.r.IntN(len(rates))]
		l.bill(t, rate)
		for range 1 + l.r.IntN(4) {
			l.entry(t, month, rate)
		}
		l.refused(t)
	}
}

func (l *ledger) amount() money.Micro { return 1 + money.Micro(l.r.Int64N(int64(200*money.Pound))) }

func (l *ledger) bill(t *testing.T, rate books.Rate) {
	t.Helper()
	ctx, net := t.Context(), money.Micro(0)
	for range 1 + l.r.IntN(3) {
		l.calls++
		c, a := Call(l.calls, fmt.Sprint("a", l.r.IntN(2))), l.amount()
		apply(t, l.s, Open(c, a, In("p", 1e15)), Settle(c, a))
	}
	due, err := l.s.DueCalls(ctx, "acme", "", ID(l.calls+1), 100)
	ok(t, err)
	for i := range due {
		net += due[i].Net
	}
	total := books.Add(net, rate, money.Sterling)
	e := books.Entry{At: someday, Kind: books.KindBill, Customer: "acme", Net: total.Net, VAT: total.VAT, Rate: rate, Postings: books.Bill("acme", total)}
	b := store.Bill{Customer: "acme", From: someday, Until: someday, Calls: int64(len(due)), Net: net, VAT: total.VAT, Gross: total.Gross, Rate: rate}
	_, err = l.s.StepBill(ctx, store.BillStep{Bill: b, Calls: due, Issue: true, Entry: e})
	ok(t, err)
	l.took(t, e)
}

func (l *ledger) entry(t *testing.T, month int, rate books.Rate) {
	t.Helper()
	e := books.Entry{At: someday, Kind: books.KindPayment, Reference: fmt.Sprintf("%d/%d", month, len(l.booked)), Customer: "acme", Postings: books.Payment("acme", l.amount())}
	switch total := books.Add(l.amount(), rate, money.Sterling); l.r.IntN(4) {
	case 0:
		e.Kind, e.Net, e.VAT, e.Rate, e.Postings = books.KindCredit, total.Net, total.VAT, rate, books.Credit("acme", total)
	case 1: // what a carrier granted
		a := l.amount()
		e.Kind, e.Customer, e.Postings = books.KindCarrier, "", []books.Posting{{Account: books.Carrier("k"), Amount: a}, {Account: books.Credits, Amount: -a}}
	case 2: // what was paid ahead goes back
		if ahead := -l.balances[books.Customer("acme")]; ahead > 0 {
			e.Postings = []books.Posting{{Account: books.Customer("acme"), Amount: ahead}, {Account: books.Bank, Amount: -ahead}}
		}
	}
	if len(e.Postings) < 2 { // a credit of less than a coin, without VAT
		return
	}
	_, err := l.s.Book(t.Context(), []books.Entry{e})
	ok(t, err)
	l.booked = append(l.booked, e)
	l.took(t, e)
}

// refused tries what must change nothing.
func (l *ledger) refused(t *testing.T) {
	t.Helper()
	lame := books.Entry{Kind: books.KindPayment, Reference: fmt.Sprint("lame ", l.calls), Customer: "acme", Postings: books.Payment("acme", l.amount())}
	lame.Postings[0].Amount++
	_, err := l.s.Book(t.Context(), []books.Entry{lame})
	wantIs(t, "one that does not balance", err, books.ErrUnbalanced)
	if len(l.booked) > 0 {
		fresh := books.Entry{Kind: books.KindPayment, Reference: fmt.Sprint("fresh ", l.calls), Customer: "acme", Postings: books.Payment("acme", l.amount())}
		_, err = l.s.Book(t.Context(), []books.Entry{fresh, l.booked[l.r.IntN(len(l.booked))]})
		wantIs(t, "one that was booked before, with another", err, store.ErrExists)
	}
	l.took(t, books.Entry{})
}

// took adds an entry to what the books ought to say, and compares.
func (l *ledger) took(t *testing.T, e books.Entry) {
	t.Helper()
	for _, p := range e.Postings {
		l.balances[p.Account] += p.Amount
	}
	got, sum := map[string]money.Micro{}, money.Micro(0)
	ok(t, l.s.EachBalance(t.Context(), "", func(account string, b money.Micro) error {
		got[account], sum = b, sum+b
		return nil
	}))
	if same(t, "balances", got, l.balances); sum != 0 {
		t.Fatalf("the books come to %s", sum)
	}
}
