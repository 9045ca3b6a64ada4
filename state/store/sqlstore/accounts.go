package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"ringfence/core/books"
	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/state/store"
)

var entries = table[books.Entry]{
	"entry", "entries of the books", 1,
	"id, number, at, kind, reference, customer, actor, words, net, vat, rate, calls",
	func(e *books.Entry) []any {
		return []any{
			&e.ID, &e.Number, &e.At, &e.Kind, (*short)(&e.Reference), &e.Customer, &e.By, &e.Text, &e.Net, &e.VAT, &e.Rate, (*listed[string])(&e.Calls),
		}
	},
}

// posting is one of an entry, as it is stored.
type posting struct {
	entry, n int64
	books.Posting
}

var postings = table[posting]{
	"posting", "postings", 2, "entry, n, account, amount",
	func(p *posting) []any { return []any{&p.entry, &p.n, &p.Account, &p.Amount} },
}

// next counts without gaps: the row is locked until the transaction ends.
func next(ctx context.Context, tx Tx, name string) (int64, error) {
	return Returned(ctx, tx, "INSERT INTO counter (name, n) VALUES ($1, 1) ON CONFLICT (name) DO UPDATE SET n = counter.n + 1 RETURNING n", name)
}

// Book books entries, all or none.
func (s *Queries) Book(ctx context.Context, all []books.Entry, facts ...store.Fact) (numbers []int64, err error) {
	err = s.db.Write(ctx, func(tx Tx) error {
		numbers = nil
		for i := range all {
			n, err := book(ctx, tx, all[i])
			if err != nil {
				return err
			}
			numbers = append(numbers, n)
		}
		return note(ctx, tx, facts)
	})
	return numbers, about("booking", err)
}

// BookCredit books a credit note by hand.
func (s *Queries) BookCredit(ctx context.Context, e books.Entry, seen int64, facts ...store.Fact) (number int64, err error) {
	err = s.db.Write(ctx, func(tx Tx) error {
		if err := tie(ctx, tx); err != nil { // against who writes into a case
			return err
		}
		last, err := Returned(ctx, tx, "SELECT COALESCE(MAX(id), 0) FROM entry WHERE customer = $1 AND kind = 'credit'", store.Clean(e.Customer))
		if err != nil {
			return err
		}
		if last != seen {
			return store.ErrMoved
		}
		for part := range slices.Chunk(e.Calls, 400) {
			var w where
			w.plain("state <> 'withdrawn'")
			ids := make([]call.ID, len(part))
			for i := range part {
				ids[i] = call.ID(part[i])
			}
			w.calls("call", ids)
			if n, err := Returned(ctx, tx, "SELECT COUNT(*) FROM case_call"+w.sql.String(), w.args...); err != nil || n > 0 {
				return cmp.Or(err, error(store.ErrMoved))
			}
		}
		if number, err = book(ctx, tx, e); err != nil {
			return err
		}
		return note(ctx, tx, facts)
	})
	return number, about("booking", err)
}

func book(ctx context.Context, tx Tx, e books.Entry) (number int64, err error) {
	if err := e.Check(); err != nil {
		return 0, err
	}
	if e.Number, err = next(ctx, tx, "entry/"+string(e.Kind)); err != nil {
		return 0, err
	}
	row, err := entries.values(e)
	if err != nil {
		return 0, err
	}
	id, err := Returned(ctx, tx, entries.insert(1)+" RETURNING id", row[1:]...)
	if err != nil {
		return 0, translate(err, string(e.Kind)+" "+e.Reference)
	}
	all := make([]posting, len(e.Postings))
	for i, p := range e.Postings {
		all[i] = posting{id, int64(i), p}
	}
	if err := postings.many(ctx, tx, postings.insert(0), all); err != nil {
		return 0, err
	}
	const add = "INSERT INTO balance (account, amount) VALUES ($1, $2) ON CONFLICT (account) DO UPDATE SET amount = balance.amount + excluded.amount"
	_, err = tx.ExecMany(ctx, add, len(all), func(i int) []any { return []any{store.Clean(all[i].Account), int64(all[i].Amount)} })
	return e.Number, err
}

// Entries reads entries, newest first.
func (s *Queries) Entries(ctx context.Context, f store.EntryFilter) ([]books.Entry, error) {
	var w where
	order := "number"
	w.text("kind = ?", string(f.Kind))
	if f.Customer != "" || f.Kind == "" { // the customer's index has its entries in the order of the ids
		order = "id"
		w.text("customer = ?", f.Customer)
	}
	if f.Before > 0 {
		w.and(order+" < ?", f.Before)
	}
	out, err := entries.all(ctx, s.db, w.sql.String()+" ORDER BY "+order+" DESC"+w.limit(f.Limit, 100), w.args...)
	if err != nil {
		return nil, err
	}
	return out, s.postingsOf(ctx, out)
}

// Entry reads one by what it was booked for.
func (s *Queries) Entry(ctx context.Context, kind books.Kind, reference string) (books.Entry, error) {
	return s.entry(ctx, string(kind)+" "+reference, " WHERE kind = $1 AND reference = $2", string(kind), store.Short(reference))
}

// NumberedEntry reads one by its number.
func (s *Queries) NumberedEntry(ctx context.Context, kind books.Kind, number int64) (books.Entry, error) {
	return s.entry(ctx, fmt.Sprintf("%s %d", kind, number), " WHERE kind = $1 AND number = $2", string(kind), number)
}

func (s *Queries) entry(ctx context.Context, what, rest string, args ...any) (books.Entry, error) {
	e, err := entries.one(ctx, s.db, what, rest, args...)
	if err != nil {
		return e, err
	}
	all := []books.Entry{e}
	err = s.postingsOf(ctx, all)
	return all[0], err
}

func (s *Queries) postingsOf(ctx context.Context, all []books.Entry) error {
	at := map[int64]int{}
	ids := make([]int64, len(all))
	for i := range all {
		at[all[i].ID], ids[i] = i, all[i].ID
	}
	return chunked(ids, func(marks string, args []any) error {
		return postings.stream(ctx, s.db, " WHERE entry IN ("+marks+") ORDER BY entry, n", args, func(p posting) error {
			e := &all[at[p.entry]]
			e.Postings = append(e.Postings, p.Posting)
			return nil
		})
	})
}

// Balances reads what accounts stand at.
func (s *Queries) Balances(ctx context.Context, accounts ...string) ([]money.Micro, error) {
	got := map[string]money.Micro{}
	err := chunked(accounts, func(marks string, args []any) error {
		return each(ctx, s.db, "SELECT account, amount FROM balance WHERE account IN ("+marks+")", args, func(r Rows) error {
			var account string
			var n int64
			err := r.Scan(&account, &n)
			got[account] = money.Micro(n)
			return err
		})
	})
	out := make([]money.Micro, len(accounts))
	for i, a := range accounts {
		out[i] = got[a]
	}
	return out, about("reading balances", err)
}

// EachBalance streams the accounts whose names begin with a text, by name.
func (s *Queries) EachBalance(ctx context.Context, under string, yield func(string, money.Micro) error) error {
	err := each(ctx, s.db, "SELECT account, amount FROM balance WHERE account >= $1 AND account < $2 ORDER BY account", []any{under, under + "\x7f"}, func(r Rows) error {
		var account string
		var n int64
		if err := r.Scan(&account, &n); err != nil {
			return err
		}
		return yield(account, money.Micro(n))
	})
	return about("reading balances", err)
}

var bills = table[store.Bill]{
	"bill", "bills", 1,
	"number, customer, state, begins, until, made, due, calls, net, vat, gross, rate, actor, reminders, reminded",
	func(b *store.Bill) []any {
		return []any{
			&b.Number, &b.Customer, &b.State, &b.From, &b.Until, &b.Made, &b.Due, &b.Calls, &b.Net, &b.VAT, &b.Gross, &b.Rate, &b.By, &b.Reminders,
			&b.Reminded,
		}
	},
}

var billSums = table[store.BillSum]{
	"bill_sum", "sums of a bill", 3, "bill, line, country, calls, talk, net",
	func(b *store.BillSum) []any { return []any{&b.Bill, &b.Line, &b.Country, &b.Calls, &b.Talk, &b.Net} },
}

var billCalls = table[store.DueCall]{
	"bill_call", "calls of a bill", 4, "bill, line, country, call, talk, net",
	func(c *store.DueCall) []any { return []any{&c.Bill, &c.Line, &c.Country, &c.Call, &c.Talk, &c.Net} },
}

// DueCustomers are those whom a run has to look at. From customer to customer: each look finds the next in the index. Nothing is sorted and the looks end
// at the limit, because a run that reads for a tenth of a second takes a core away from the calls.
func (s *Queries) DueCustomers(ctx context.Context, below call.ID, after string, limit int) ([]string, error) {
	const due = `WITH RECURSIVE c (id) AS (
			SELECT MIN(account) FROM due_call WHERE account > $1
			UNION ALL SELECT (SELECT MIN(d.account) FROM due_call d WHERE d.account > c.id) FROM c WHERE c.id IS NOT NULL)
		SELECT id FROM c WHERE id IS NOT NULL AND EXISTS (SELECT 1 FROM due_call d WHERE d.account = c.id AND d.call < $2) LIMIT $3`
	const begun = "SELECT customer FROM bill WHERE state = 'making' AND customer > $1 ORDER BY customer LIMIT $2"
	name := func(r Rows) (id string, err error) { return id, r.Scan(&id) }
	out, err := list(ctx, s.db, due, []any{after, string(below), int64(limit)}, name)
	if err != nil {
		return nil, about("reading who is to be billed", err)
	}
	making, err := list(ctx, s.db, begun, []any{after, int64(limit)}, name)
	out = append(out, making...)
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(limit, len(out))], about("reading whose bills were begun", err)
}

// DueCalls are calls that are on no bill.
func (s *Queries) DueCalls(ctx context.Context, customer string, from, below call.ID, limit int) ([]store.DueCall, error) {
	const sql = "SELECT c.line, c.country, c.id, c.talk, c.retail FROM due_call d JOIN cdr c ON c.id = d.call WHERE d.account = $1 AND d.call >= $2 AND d.call < $3 ORDER BY d.call LIMIT $4"
	out, err := list(ctx, s.db, sql, []any{customer, string(from), string(below), int64(limit)}, func(r Rows) (c store.DueCall, err error) {
		err = r.Scan(&c.Line, &c.Country, (*string)(&c.Call), (*int64)(&c.Talk), (*int64)(&c.Net))
		return c, err
	})
	return out, about("reading calls to be billed", err)
}

// StepBill moves calls to a bill.
func (s *Queries) StepBill(ctx context.Context, step store.BillStep) (store.Bill, error) {
	b := step.Bill
	err := s.db.Write(ctx, func(tx Tx) (err error) {
		b = step.Bill
		if b.Number == 0 {
			err = beginBill(ctx, tx, &b)
		} else { // the row is locked first, so that two runs follow one another
			n, locked := tx.Exec(ctx, "UPDATE bill SET state = state WHERE number = $1 AND state = 'making'", b.Number)
			if err = locked; err == nil && n == 0 {
				err = store.ErrMoved
			}
		}
		if err == nil {
			err = moveCalls(ctx, tx, b, step.Calls)
		}
		if err == nil && step.Issue {
			err = issueBill(ctx, tx, &b, step)
		}
		return err
	})
	if err != nil {
		return store.Bill{}, fmt.Errorf("bill of %s: %w", b.Customer, err)
	}
	return b, nil
}

// beginBill gives it a number. Totals come later.
func beginBill(ctx context.Context, tx Tx, b *store.Bill) (err error) {
	if b.Number, err = next(ctx, tx, "bill"); err != nil {
		return err
	}
	begun := *b
	begun.State, begun.Calls, begun.Net, begun.VAT, begun.Gross = store.BillMaking, 0, 0, 0, 0
	row, err := bills.values(begun)
	if err == nil {
		_, err = tx.Exec(ctx, bills.insert(0), row...)
	}
	return translate(err, "bill")
}

// LeaveCalls takes calls off those that are due.
func (s *Queries) LeaveCalls(ctx context.Context, customer string, calls []store.DueCall, facts ...store.Fact) error {
	err := s.db.Write(ctx, func(tx Tx) error {
		if err := dropDue(ctx, tx, customer, calls); err != nil {
			return err
		}
		left := map[string]money.Micro{}
		for i := range calls {
			left["line/"+calls[i].Line] = left["line/"+calls[i].Line].Add(calls[i].Net)
			left["account/"+customer] = left["account/"+customer].Add(calls[i].Net)
		}
		if err := billUsage(ctx, tx, left); err != nil {
			return err
		}
		return note(ctx, tx, facts)
	})
	return about("leaving calls unbilled", err)
}

func dropDue(ctx context.Context, tx Tx, customer string, calls []store.DueCall) error {
	n, err := tx.ExecMany(ctx, "DELETE FROM due_call WHERE account = $1 AND call = $2", len(calls), func(i int) []any {
		return []any{customer, string(calls[i].Call)}
	})
	if err == nil && n != int64(len(calls)) {
		err = store.ErrMoved
	}
	return err
}

func moveCalls(ctx context.Context, tx Tx, b store.Bill, calls []store.DueCall) error {
	if len(calls) == 0 {
		return nil
	}
	if err := dropDue(ctx, tx, b.Customer, calls); err != nil {
		return err
	}
	type at struct{ line, country string }
	sums, index, lines := []store.BillSum{}, map[at]int{}, map[string]money.Micro{}
	var net money.Micro
	for i := range calls {
		c := &calls[i]
		c.Bill = b.Number
		k := at{c.Line, c.Country}
		j, ok := index[k]
		if !ok {
			j = len(sums)
			index[k], sums = j, append(sums, store.BillSum{Bill: b.Number, Line: c.Line, Country: c.Country})
		}
		sums[j].Calls, sums[j].Talk, sums[j].Net = sums[j].Calls+1, sums[j].Talk+c.Talk, sums[j].Net.Add(c.Net)
		lines["line/"+c.Line] = lines["line/"+c.Line].Add(c.Net)
		net = net.Add(c.Net)
	}
	if err := billCalls.many(ctx, tx, billCalls.insert(0), calls); err != nil {
		return err
	}
	const more = " ON CONFLICT (bill, line, country) DO UPDATE SET calls = bill_sum.calls + excluded.calls, talk = bill_sum.talk + excluded.talk, net = bill_sum.net + excluded.net"
	if err := billSums.many(ctx, tx, billSums.insert(0)+more, sums); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE bill SET calls = calls + $2, net = net + $3 WHERE number = $1", b.Number, int64(len(calls)), int64(net)); err != nil {
		return err
	}
	lines["account/"+b.Customer] = net
	return billUsage(ctx, tx, lines)
}

// billUsage takes what is billed from the un-billed usage, and as much from what was notified: levels count from the last bill.
func billUsage(ctx context.Context, tx Tx, billed map[string]money.Micro) error {
	names := slices.Sorted(maps.Keys(billed))
	_, err := tx.ExecMany(ctx, `INSERT INTO unbilled (subject, amount, told) VALUES ($1, -CAST($2 AS BIGINT), 0) ON CONFLICT (subject) DO UPDATE SET
		amount = unbilled.amount + excluded.amount, told = CASE WHEN unbilled.told + excluded.amount > 0 THEN unbilled.told + excluded.amount ELSE 0 END`,
		len(names), func(i int) []any { return []any{store.Short(names[i]), int64(billed[names[i]])} })
	return err
}

// issueBill ends the making, if what is on the bill is what its totals were computed from.
func issueBill(ctx context.Context, tx Tx, b *store.Bill, step store.BillStep) error {
	b.State = store.BillIssued
	row, err := bills.values(*b)
	if err != nil {
		return err
	}
	n, err := tx.Exec(ctx, "UPDATE bill SET state = 'issued', made = $4, due = $5, vat = $6, gross = $7, rate = $8 WHERE number = $1 AND state = 'making' AND calls = $2 AND net = $3",
		b.Number, b.Calls, int64(b.Net), row[5], row[6], row[9], row[10], row[11])
	if err == nil && n == 0 {
		err = store.ErrMoved
	}
	if err != nil {
		return err
	}
	e := step.Entry
	if e.Reference = strconv.FormatInt(b.Number, 10); len(e.Postings) > 0 { // less than a coin is nothing to book
		if _, err := book(ctx, tx, e); err != nil {
			return err
		}
	}
	if step.Facts == nil {
		return nil
	}
	return note(ctx, tx, step.Facts(*b))
}

// Bills reads bills, newest first.
func (s *Queries) Bills(ctx context.Context, f store.BillFilter) ([]store.Bill, error) {
	var w where
	w.text("customer = ?", f.Customer)
	w.text("state = ?", f.State)
	if f.Before > 0 {
		w.and("number < ?", f.Before)
	}
	return bills.all(ctx, s.db, w.sql.String()+" ORDER BY number DESC"+w.limit(f.Limit, 100), w.args...)
}

// Bill reads one.
func (s *Queries) Bill(ctx context.Context, number int64) (store.Bill, error) {
	return bills.one(ctx, s.db, fmt.Sprintf("bill %d", number), " WHERE number = $1", number)
}

// BillsDue reads bills in the order in which they are to be paid.
func (s *Queries) BillsDue(ctx context.Context, after store.Bill, until time.Time, limit int) ([]store.Bill, error) {
	return bills.all(ctx, s.db, " WHERE state = 'issued' AND (due, number) > ($1, $2) AND due < $3 ORDER BY due, number LIMIT $4",
		Micros(after.Due), after.Number, Micros(until), int64(limit))
}

// MarkBill records a reminder of a bill.
func (s *Queries) MarkBill(ctx context.Context, was, b store.Bill, facts ...store.Fact) error {
	return s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, "UPDATE bill SET reminders = $3, reminded = $4 WHERE number = $1 AND reminders = $2", b.Number, was.Reminders, b.Reminders, Micros(b.Reminded))
		if err == nil && n == 0 {
			err = store.ErrMoved
		}
		if err != nil {
			return fmt.Errorf("bill %d: %w", b.Number, err)
		}
		return note(ctx, tx, facts)
	})
}

// BillSums are the sums of a bill by line and country.
func (s *Queries) BillSums(ctx context.Context, number int64) ([]store.BillSum, error) {
	return billSums.all(ctx, s.db, " WHERE bill = $1 ORDER BY line, country", number)
}

// BilledCalls are calls of a bill.
func (s *Queries) BilledCalls(ctx context.Context, number int64, line, country string, after call.ID, limit int) ([]store.DueCall, error) {
	return billCalls.all(ctx, s.db, " WHERE bill = $1 AND line = $2 AND country = $3 AND call > $4 ORDER BY call LIMIT $5", number, line, country, string(after), int64(limit))
}

// BillOf is the bill that a call is on.
func (s *Queries) BillOf(ctx context.Context, customer, line, country string, id call.ID) (store.Bill, error) {
	const on = " WHERE customer = $1 AND EXISTS (SELECT 1 FROM bill_call c WHERE c.bill = bill.number AND c.line = $2 AND c.country = $3 AND c.call = $4)"
	return bills.one(ctx, s.db, "bill of call "+string(id), on, customer, line, country, string(id))
}

// DisputedOnBills sums up calls in dispute by bill. A call is on no bill that ended before it began.
func (s *Queries) DisputedOnBills(ctx context.Context, customer string) (map[int64]money.Micro, error) {
	const query = "SELECT b.number, CAST(SUM(k.retail) AS BIGINT) FROM case_call k JOIN cdr r ON r.id = k.call JOIN bill b ON b.customer = k.customer AND b.until > k.begun" +
		" JOIN bill_call c ON c.bill = b.number AND c.line = r.line AND c.country = r.country AND c.call = k.call" +
		" WHERE k.customer = $1 AND k.state IN ('disputed', 'judged') GROUP BY b.number"
	type sum struct {
		bill int64
		net  money.Micro
	}
	all, err := list(ctx, s.db, query, []any{store.Clean(customer)}, func(r Rows) (x sum, err error) {
		err = r.Scan(&x.bill, (*int64)(&x.net))
		return x, err
	})
	out := make(map[int64]money.Micro, len(all))
	for _, x := range all {
		out[x.bill] = x.net
	}
	return out, err
}
