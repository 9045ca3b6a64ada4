package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringfence/core/books"
	"ringfence/core/casework"
	"ringfence/core/money"
	"ringfence/state/store"
)

func paid(reference string, amount money.Micro) books.Entry {
	return books.Entry{At: someday, Kind: books.KindPayment, Reference: reference, Customer: "acme", By: "tom", Text: "thanks", Postings: books.Payment("acme", amount)}
}

func theBooks(t *testing.T, s store.Store) {
	ctx := t.Context()
	numbers, err := s.Book(ctx, []books.Entry{paid("R1", 5), paid("R2", 7)}, store.Fact{Kind: "payment.booked"})
	ok(t, err)
	same(t, "numbers", numbers, []int64{1, 2})
	_, err = s.Book(ctx, []books.Entry{paid("R3", 5), paid("R1", 5)}, store.Fact{Kind: "payment.booked"})
	wantIs(t, "a reference twice", err, store.ErrExists)
	_, err = s.Book(ctx, []books.Entry{{Kind: books.KindPayment, Reference: "R4", Postings: []books.Posting{{Account: books.Bank, Amount: 5}}}})
	wantIs(t, "one side only", err, books.ErrUnbalanced)
	var all sync.WaitGroup
	var booked atomic.Int64
	for range 8 {
		all.Go(func() {
			if _, err := s.Book(ctx, []books.Entry{paid("R5", 1)}); err == nil {
				booked.Add(1)
			} else if !errors.Is(err, store.ErrExists) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	same(t, "booked at once", booked.Load(), int64(1))
	credit := books.Entry{At: someday, Kind: books.KindCredit, Reference: "case/1", Customer: "acme", Net: 10, VAT: 2, Rate: 20_000, Calls: []string{"a", "b"}, Postings: books.Credit("acme", books.Total{Net: 10, VAT: 2, Gross: 12})}
	numbers, err = s.Book(ctx, []books.Entry{credit})
	ok(t, err)
	same(t, "each kind has its own numbers", numbers, []int64{1})
	got, err := s.Balances(ctx, books.Customer("acme"), "nobody", books.Bank)
	ok(t, err)
	same(t, "balances", got, []money.Micro{-25, 0, 13})
	var sum money.Micro
	ok(t, s.EachBalance(ctx, "", func(_ string, b money.Micro) error { sum += b; return nil }))
	same(t, "the sum of all accounts", sum, money.Micro(0))
	e, err := s.NumberedEntry(ctx, books.KindCredit, 1)
	ok(t, err)
	credit.ID, credit.Number = e.ID, 1
	same(t, "an entry", e, credit)
	payments, err := s.Entries(ctx, store.EntryFilter{Kind: books.KindPayment, Before: 3, Limit: 1})
	ok(t, err)
	if len(payments) != 1 || payments[0].Reference != "R2" || len(payments[0].Postings) != 2 {
		t.Errorf("payments: %+v", payments)
	}
	_, err = s.Entry(ctx, books.KindPayment, "R3")
	wantIs(t, "of a group that was refused", err, store.ErrNotFound)
}

// creditsByHand wants a credit note for calls to be refused when another was booked meanwhile, or when a call is in a case.
func creditsByHand(t *testing.T, s store.Store) {
	ctx := t.Context()
	credit := func(reference string, calls ...string) books.Entry {
		return books.Entry{At: someday, Kind: books.KindCredit, Reference: reference, Customer: "acme", Net: 10, Calls: calls, Postings: books.Credit("acme", books.Total{Net: 10, Gross: 10})}
	}
	said := store.Fact{Kind: "credit.booked"}
	n, err := s.BookCredit(ctx, credit("C1", "a"), 0, said)
	ok(t, err)
	same(t, "its number", n, int64(1))
	_, err = s.BookCredit(ctx, credit("C2", "a"), 0, said)
	wantIs(t, "another was booked meanwhile", err, store.ErrMoved)
	first, err := s.Entry(ctx, books.KindCredit, "C1")
	ok(t, err)
	_, err = s.BookCredit(ctx, credit("C1"), first.ID, said)
	wantIs(t, "its reference again", err, store.ErrExists)
	in := func(state casework.Dispute, version int64) store.CaseWrite {
		return store.CaseWrite{Calls: []casework.CaseCall{{Case: 1, Call: ID(1), Customer: "acme", Line: "a", State: state, Retail: 10, Version: version}}}
	}
	w := in(casework.Disputed, 0)
	w.Case = &casework.Case{ID: 1, Customer: "acme", State: casework.Open, Opened: someday}
	ok(t, s.WriteCase(ctx, w))
	_, err = s.BookCredit(ctx, credit("C3", "b", string(ID(1))), first.ID, said)
	wantIs(t, "a call in a case", err, store.ErrMoved)
	ok(t, s.WriteCase(ctx, in(casework.Withdrawn, 1)))
	_, err = s.BookCredit(ctx, credit("C3", "b", string(ID(1))), first.ID, said)
	ok(t, err)
	facts, err := s.Facts(ctx, store.FactFilter{Kind: "credit.booked"})
	ok(t, err)
	same(t, "facts", len(facts), 2)
}

// due settles n calls of a line, of a pound each.
func due(t *testing.T, s store.Store, first, n int, line string) {
	t.Helper()
	for i := first; i < first+n; i++ {
		c := Call(i, line)
		apply(t, s, Open(c, money.Pound, In("p", 1000*money.Pound)), Settle(c, money.Pound))
	}
}

// theDue are read in their order and a page at a time, those with a bill in the making among them.
func theDue(t *testing.T, s store.Store) {
	ctx := t.Context()
	for i, account := range []string{"d", "b", "e", "b", "a", "c"} {
		c := Call(i+1, "a")
		c.Account = account
		apply(t, s, Open(c, money.Pound, In("p", 1000*money.Pound)), Settle(c, money.Pound))
	}
	begun, err := s.DueCalls(ctx, "c", "", ID(99), 1)
	ok(t, err)
	_, err = s.StepBill(ctx, store.BillStep{Bill: store.Bill{Customer: "c", From: someday, Until: someday.Add(time.Hour), By: "tom"}, Calls: begun})
	ok(t, err)
	for _, c := range []struct {
		below int
		after string
		limit int
		want  []string
	}{
		{99, "", 3, []string{"a", "b", "c"}},
		{99, "c", 3, []string{"d", "e"}},
		{99, "b", 1, []string{"c"}},
		{99, "e", 3, nil},
		{3, "", 9, []string{"b", "c", "d"}}, // the calls of the others are later
		{1, "", 9, []string{"c"}},
	} {
		who, err := s.DueCustomers(ctx, ID(c.below), c.after, c.limit)
		ok(t, err)
		same(t, fmt.Sprintf("%d below %d after %q", c.limit, c.below, c.after), who, c.want)
	}
}

func theBills(t *testing.T, s store.Store) {
	ctx := t.Context()
	due(t, s, 1, 3, "a")
	due(t, s, 4, 2, "b")
	free := Call(8, "a")
	apply(t, s, Open(free, 0, In("p", 1000)), Settle(free, 0))
	who, err := s.DueCustomers(ctx, ID(9), "", 5)
	ok(t, err)
	same(t, "due", who, []string{"acme"})
	who, err = s.DueCustomers(ctx, ID(1), "", 5)
	ok(t, err)
	same(t, "nothing so early", who, []string(nil))
	calls, err := s.DueCalls(ctx, "acme", "", ID(5), 10)
	ok(t, err)
	if len(calls) != 4 || calls[0].Call != ID(1) || calls[0].Net != money.Pound || calls[3].Line != "b" || calls[0].Talk == 0 || calls[0].Country != "GB" {
		t.Fatalf("due: %+v", calls)
	}
	b, err := s.StepBill(ctx, store.BillStep{Bill: store.Bill{Customer: "acme", From: someday, Until: someday.Add(time.Hour), By: "tom"}, Calls: calls[:3]})
	ok(t, err)
	_, err = s.StepBill(ctx, store.BillStep{Bill: store.Bill{Customer: "acme"}})
	wantIs(t, "two at a time", err, store.ErrExists)
	_, err = s.StepBill(ctx, store.BillStep{Bill: b, Calls: calls[2:4]})
	wantIs(t, "a call twice", err, store.ErrMoved)
	who, err = s.DueCustomers(ctx, ID(1), "", 5)
	ok(t, err)
	same(t, "one is being made", who, []string{"acme"})
	b.Calls, b.Net, b.Made, b.Due = 4, 4*money.Pound, someday, someday.AddDate(0, 0, 14)
	b.VAT, b.Gross, b.Rate = 800_000, 4_800_000, 20_000
	last := store.BillStep{Bill: b, Issue: true, Entry: books.Entry{
		Kind: books.KindBill, Customer: "acme", Postings: books.Bill("acme", books.Total{Net: b.Net, VAT: b.VAT, Gross: b.Gross}),
	}}
	_, err = s.StepBill(ctx, last)
	wantIs(t, "issued with a call missing", err, store.ErrMoved)
	last.Calls = calls[3:]
	last.Facts = func(b store.Bill) []store.Fact {
		return []store.Fact{{Kind: "bill.issued", Account: b.Customer, Body: []byte(fmt.Sprint(b.Number))}}
	}
	var all sync.WaitGroup
	var issued atomic.Int64
	for range 4 {
		all.Go(func() {
			step := last
			step.Calls = append([]store.DueCall(nil), last.Calls...)
			if _, err := s.StepBill(ctx, step); err == nil {
				issued.Add(1)
			} else if !errors.Is(err, store.ErrMoved) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	same(t, "issued", issued.Load(), int64(1))
	read, err := s.Bill(ctx, b.Number)
	ok(t, err)
	b.State = store.BillIssued
	same(t, "the bill", read, b)
	billsAreRead(t, s, b)
}

// callsAreLeft wants calls from before the bills began to be on none, and gone from the usage.
func callsAreLeft(t *testing.T, s store.Store) {
	ctx := t.Context()
	due(t, s, 1, 4, "a")
	old, err := s.DueCalls(ctx, "acme", "", ID(3), 9)
	ok(t, err)
	left := store.Fact{Kind: "bill.left", Account: "acme"}
	ok(t, s.LeaveCalls(ctx, "acme", old, left))
	wantIs(t, "left twice", s.LeaveCalls(ctx, "acme", old[:1], left), store.ErrMoved)
	rest, err := s.DueCalls(ctx, "acme", ID(4), ID(99), 9)
	ok(t, err)
	if len(old) != 2 || len(rest) != 1 || rest[0].Call != ID(4) {
		t.Errorf("left %+v, due from 4 on %+v", old, rest)
	}
	used := map[string]money.Micro{}
	ok(t, s.Usage(ctx, func(u store.Usage) error { used[u.Subject] = u.Unbilled; return nil }))
	same(t, "taken from usage", used, map[string]money.Micro{"line/a": -2 * money.Pound, "account/acme": -2 * money.Pound})
	facts, err := s.Facts(ctx, store.FactFilter{Kind: "bill.left"})
	ok(t, err)
	same(t, "facts", len(facts), 1)
}

func billsAreRead(t *testing.T, s store.Store, b store.Bill) {
	ctx := t.Context()
	sums, err := s.BillSums(ctx, b.Number)
	ok(t, err)
	talk := Record(Call(1, "a"), 0).Talk
	same(t, "sums", sums, []store.BillSum{
		{Bill: b.Number, Line: "a", Country: "GB", Calls: 3, Talk: 3 * talk, Net: 3 * money.Pound}, {Bill: b.Number, Line: "b", Country: "GB", Calls: 1, Talk: talk, Net: money.Pound},
	})
	some, err := s.BilledCalls(ctx, b.Number, "a", "GB", ID(1), 1)
	ok(t, err)
	same(t, "calls", some, []store.DueCall{{Bill: b.Number, Line: "a", Country: "GB", Call: ID(2), Talk: talk, Net: money.Pound}})
	on, err := s.BillOf(ctx, "acme", "a", "GB", ID(2))
	ok(t, err)
	same(t, "the bill of a call", on.Number, b.Number)
	_, err = s.BillOf(ctx, "acme", "b", "GB", ID(5))
	wantIs(t, "of one that is due", err, store.ErrNotFound)
	disputed := func(i int, line string, state casework.Dispute) casework.CaseCall {
		return casework.CaseCall{Case: 1, Call: ID(i), Customer: "acme", Line: line, Begun: b.Until.Add(-time.Second), State: state, Retail: money.Pound}
	}
	ok(t, s.WriteCase(ctx, store.CaseWrite{Case: &casework.Case{ID: 1, Customer: "acme", State: casework.Open, Opened: someday}, Calls: []casework.CaseCall{
		disputed(1, "a", casework.Disputed), disputed(2, "a", casework.Judged), disputed(3, "a", casework.Owed), disputed(5, "b", casework.Disputed), // the last is on no bill
	}}))
	for customer, want := range map[string]map[int64]money.Micro{"acme": {b.Number: 2 * money.Pound}, "bell": {}} {
		sums, err := s.DisputedOnBills(ctx, customer)
		ok(t, err)
		same(t, "in dispute of "+customer, sums, want)
	}
	rest, err := s.DueCalls(ctx, "acme", "", ID(99), 9)
	ok(t, err)
	if len(rest) != 1 || rest[0].Call != ID(5) {
		t.Errorf("still due: %+v", rest)
	}
	e, err := s.Entry(ctx, books.KindBill, fmt.Sprint(b.Number))
	ok(t, err)
	same(t, "booked", e.Amount(books.Customer("acme")), b.Gross)
	used := map[string]money.Micro{}
	ok(t, s.Usage(ctx, func(u store.Usage) error { used[u.Subject] = u.Unbilled; return nil }))
	same(t, "taken from usage", used, map[string]money.Micro{"line/a": -3 * money.Pound, "line/b": -money.Pound, "account/acme": -4 * money.Pound})
	late, err := s.BillsDue(ctx, store.Bill{Due: b.Due}, b.Due.Add(1000), 9)
	ok(t, err)
	same(t, "to be paid", late, []store.Bill{b})
	late, err = s.BillsDue(ctx, b, b.Due.Add(time.Hour), 9)
	ok(t, err)
	same(t, "after the bill itself", late, []store.Bill(nil))
	late, err = s.BillsDue(ctx, store.Bill{}, b.Due, 9)
	ok(t, err)
	same(t, "before its day", late, []store.Bill(nil))
	marked := b
	marked.Reminders, marked.Reminded = 1, someday
	ok(t, s.MarkBill(ctx, b, marked))
	wantIs(t, "marked twice", s.MarkBill(ctx, b, marked), store.ErrMoved)
	list, err := s.Bills(ctx, store.BillFilter{Customer: "acme", State: store.BillIssued})
	ok(t, err)
	same(t, "bills", list, []store.Bill{marked})
	none, err := s.Bills(ctx, store.BillFilter{Before: b.Number})
	ok(t, err)
	same(t, "below", none, []store.Bill(nil))
}
