package billing_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringfence/core/books"
	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/secret"
	"ringfence/flow/billing"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
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

// provider is a store with a book of customers acme (London) and bell (Auckland).
type provider struct {
	db   *sqlite.Engine
	book *book.Book
	n    int

	gather bool // records are written in groups
	ops    []store.Op
}

func newProvider(t testing.TB) *provider {
	t.Helper()
	db, err := sqlitetest.Open(t.Context(), filepath.Join(t.TempDir(), "s.db"), sqlite.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	plan, err := phone.NewPlan(phone.UKConfig())
	must(t, err)
	key, err := secret.NewKey()
	must(t, err)
	box, err := secret.NewBox([]secret.Key{key})
	must(t, err)
	b, err := book.Open(t.Context(), db, book.Options{Plan: plan, Zone: "Europe/London", Box: box, Realm: "sip.test", Identify: booktest.Plain})
	must(t, err)
	for customer, zone := range map[string]string{"acme": "", "bell": "Pacific/Auckland"} {
		_, err := b.AddCustomer(t.Context(), "t", customer, book.CustomerEdit{Zone: &zone})
		must(t, err)
	}
	return &provider{db: db, book: b}
}

func (p *provider) billing(db billing.Store) *billing.Billing {
	return billing.New(billing.Options{Store: db, Book: p.book, Provider: "Example Telecom", VAT: books.Rates{{Rate: 20_000}}})
}

// settle writes the record of a call that began at an instant.
func (p *provider) settle(t testing.TB, customer, line string, begun time.Time, retail money.Micro) call.ID {
	t.Helper()
	p.n++
	raw := call.NewID(begun, fmt.Appendf(nil, "%010d", p.n))
	id := call.ID(raw[:])
	open := call.Open{ID: id, Node: "a", Direction: call.Out, State: call.Setup, Line: line, Account: customer, Number: "+3530000000", Country: "IE", Begun: begun}
	p.ops = append(p.ops, []store.Op{
		{Kind: store.OpOpen, ID: id, Amount: retail, Holds: []store.Hold{{Purse: "line/" + line, Cap: money.Max}}, Call: &open},
		{Kind: store.OpSettle, ID: id, CDR: &call.CDR{ID: id, Direction: call.Out, Line: line, Account: customer, Number: "+3530000000", Dialled: "003530000000", Country: "IE", Begun: begun, Ended: begun.Add(time.Minute), Talk: time.Minute, Retail: retail}},
	}...)
	if !p.gather || len(p.ops) == 1000 {
		p.flush(t)
	}
	return id
}

func (p *provider) flush(t testing.TB) {
	t.Helper()
	_, err := p.db.Apply(t.Context(), p.ops)
	must(t, err)
	p.ops = nil
}

var november = time.Date(2026, 11, 15, 12, 0, 0, 0, time.UTC)

// TestMonthsOfEachZone guards that a month is the customer's own, and that a call whose record comes late is on the next bill.
func TestMonthsOfEachZone(t *testing.T) {
	p := newProvider(t)
	b := p.billing(p.db)
	last := time.Date(2026, 10, 31, 23, 30, 0, 0, time.UTC) // November in Auckland
	p.settle(t, "acme", "a-1", last, 5_000_001)
	p.settle(t, "bell", "b-1", last, 7_000_000)
	r, err := b.Run(t.Context(), billing.Run{By: "auto"}, november)
	must(t, err)
	if r.Bills != 1 || r.Calls != 1 || r.Gross != 6_000_000 {
		t.Fatalf("%+v", r)
	}
	late := p.settle(t, "acme", "a-1", last.Add(-time.Minute), 1_000_000)
	if r, err = b.Run(t.Context(), billing.Run{By: "auto"}, november.AddDate(0, 1, 0)); err != nil || r.Bills != 2 || r.Net != 8_000_000 {
		t.Fatalf("%+v %v", r, err)
	}
	on, err := b.BillOf(t.Context(), late)
	must(t, err)
	if on.Customer != "acme" || on.Calls != 1 || on.From.In(time.UTC).Format(time.DateOnly) != "2026-11-01" {
		t.Errorf("the late call is on %+v", on)
	}
	if r, err = b.Run(t.Context(), billing.Run{By: "auto"}, november.AddDate(0, 1, 0)); err != nil || r.Bills != 0 {
		t.Errorf("once more: %+v %v", r, err)
	}
}

// dying fails after some writes; lost says that the last of them gets through nevertheless.
type dying struct {
	billing.Store
	left int
	lost bool
}

var errDied = errors.New("died")

func (d *dying) StepBill(ctx context.Context, s store.BillStep) (store.Bill, error) {
	if d.left == 0 {
		if d.lost {
			_, err := d.Store.StepBill(ctx, s)
			return store.Bill{}, errors.Join(errDied, err)
		}
		return store.Bill{}, errDied
	}
	d.left--
	return d.Store.StepBill(ctx, s)
}

// november writes records of 1100 calls: three steps of acme, one of bell.
func (p *provider) november(t *testing.T) (ids map[call.ID]money.Micro, net money.Micro) {
	t.Helper()
	p.gather, ids = true, map[call.ID]money.Micro{}
	for i := range 1100 {
		customer, line := "acme", fmt.Sprint("a-", i%3)
		if i%50 == 0 {
			customer, line = "bell", "b-1"
		}
		ids[p.settle(t, customer, line, november.Add(-time.Duration(i)*time.Minute), money.Micro(i+1))] = money.Micro(i + 1)
		net += money.Micro(i + 1)
	}
	p.flush(t)
	return ids, net
}

// TestARunThatDiesGoesOn kills a run at each of its writes, in both ways, and runs it again.
func TestARunThatDiesGoesOn(t *testing.T) {
	for step := range 4 {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d %v", step, lost), func(t *testing.T) {
				p := newProvider(t)
				ids, net := p.november(t)
				before, err := p.db.Purses(t.Context(), []string{"line/a-0", "line/b-1"})
				must(t, err)
				now := november.Add(time.Hour)
				_, err = p.billing(&dying{p.db, step, lost}).Run(t.Context(), billing.Run{Now: true, By: "tom"}, now)
				if !errors.Is(err, errDied) {
					t.Fatalf("step %d: %v", step, err)
				}
				_, err = p.billing(p.db).Run(t.Context(), billing.Run{Now: true, By: "tom"}, now)
				must(t, err)
				once(t, p, ids, net)
				after, err := p.db.Purses(t.Context(), []string{"line/a-0", "line/b-1"})
				must(t, err)
				if before[0] != after[0] || before[1] != after[1] {
					t.Errorf("purses changed: %v, %v", before, after)
				}
			})
		}
	}
}

// once wants each call on exactly one bill, every sum to be that of what is below it, and the books to come to nothing.
func once(t *testing.T, p *provider, ids map[call.ID]money.Micro, net money.Micro) {
	t.Helper()
	ctx, b := t.Context(), p.billing(p.db)
	bills, err := b.Bills(ctx, billing.Filter{})
	must(t, err)
	seen := map[call.ID]bool{}
	var total, owed money.Micro
	for _, bill := range bills {
		if bill.State != store.BillIssued {
			t.Errorf("bill %d is %s", bill.Number, bill.State)
		}
		sums, err := b.Sums(ctx, bill.Number)
		must(t, err)
		var ofBill money.Micro
		for _, s := range sums {
			var ofSum money.Micro
			for after := call.ID(""); ; {
				calls, err := b.Calls(ctx, bill.Number, s.Line, s.Country, after, 100)
				must(t, err)
				if len(calls) == 0 {
					break
				}
				for _, c := range calls {
					if after = c.Call; seen[c.Call] || ids[c.Call] != c.Net {
						t.Errorf("call %s: again, or %s instead of %s", c.Call, c.Net, ids[c.Call])
					}
					seen[c.Call], ofSum = true, ofSum+c.Net
				}
			}
			if ofBill += s.Net; ofSum != s.Net {
				t.Errorf("bill %d, %s to %s: %s, and its calls come to %s", bill.Number, s.Line, s.Country, s.Net, ofSum)
			}
		}
		if ofBill != bill.Net {
			t.Errorf("bill %d: %s, and its lines come to %s", bill.Number, bill.Net, ofBill)
		}
		total, owed = total+bill.Net, owed+bill.Gross
	}
	if len(seen) != len(ids) || total != net {
		t.Errorf("%d of %d calls are billed, %s of %s", len(seen), len(ids), total, net)
	}
	var sum, due money.Micro
	must(t, p.db.EachBalance(ctx, "", func(_ string, x money.Micro) error { sum += x; return nil }))
	must(t, p.db.EachBalance(ctx, "customer/", func(_ string, x money.Micro) error { due += x; return nil }))
	if sum != 0 || due != owed {
		t.Errorf("the books come to %s; owed %s, billed %s", sum, due, owed)
	}
}

// TestCallsFromBeforeTheBillsBegan guards that an upgraded provider does not bill what was billed before by other means, neither by the mark that
// the upgrade left nor by the configured day, and that its calls do not count as un-billed for ever.
func TestCallsFromBeforeTheBillsBegan(t *testing.T) {
	for name, configured := range map[string]time.Time{"by the upgrade": {}, "by configuration": november} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			ctx := t.Context()
			must(t, p.db.PutMark(ctx, store.Mark{Name: store.MarkBillingFrom, Value: november.Add(-time.Hour).Format(time.RFC3339)}, ""))
			b := billing.New(billing.Options{Store: p.db, Book: p.book, From: configured})
			p.gather = true
			for i := range 1200 {
				p.settle(t, "acme", "a-1", november.Add(-48*time.Hour), money.Micro(i+1))
			}
			p.flush(t)
			p.gather = false
			between := p.settle(t, "acme", "a-1", november.Add(-time.Minute), money.Pound)
			p.settle(t, "acme", "a-1", november.Add(time.Minute), 2*money.Pound)
			want := billing.Report{Bills: 1, Calls: 2, Net: 3 * money.Pound, Gross: 3 * money.Pound, Last: 1}
			if !configured.IsZero() {
				want.Calls, want.Net, want.Gross = 1, 2*money.Pound, 2*money.Pound
			}
			r, err := b.Run(ctx, billing.Run{Now: true, By: "tom"}, november.Add(time.Hour))
			must(t, err)
			if r != want {
				t.Errorf("%+v, want %+v", r, want)
			}
			if _, err := b.BillOf(ctx, between); (err == nil) != configured.IsZero() {
				t.Errorf("the call in between: %v", err)
			}
			used := map[string]money.Micro{}
			must(t, p.db.Usage(ctx, func(u store.Usage) error { used[u.Subject] = u.Unbilled; return nil }))
			if used["account/acme"] != -(1200*1201/2 + 3*money.Pound) { // nothing counted the calls up in this test
				t.Errorf("un-billed: %s", used["account/acme"])
			}
			p.settle(t, "acme", "a-1", november.Add(-72*time.Hour), money.Pound)
			if r, err := b.Run(ctx, billing.Run{Now: true, By: "tom"}, november.Add(2*time.Hour)); err != nil || r.Bills != 0 {
				t.Errorf("a record that came late: %+v %v", r, err)
			}
		})
	}
}

// faulty fails at one call of the store, whichever it is; lost says that a write gets through nevertheless.
type faulty struct {
	billing.Store
	at   int64
	n    atomic.Int64
	lost bool
}

func (f *faulty) fails() bool { return f.n.Add(1) == f.at }

func (f *faulty) write(do func() error) error {
	if !f.fails() {
		return do()
	}
	if f.lost {
		return errors.Join(errDied, do())
	}
	return errDied
}

func (f *faulty) Marks(ctx context.Context) (map[string]store.Mark, error) {
	if f.fails() {
		return nil, errDied
	}
	return f.Store.Marks(ctx)
}

func (f *faulty) DueCustomers(ctx context.Context, below call.ID, after string, limit int) ([]string, error) {
	if f.fails() {
		return nil, errDied
	}
	return f.Store.DueCustomers(ctx, below, after, limit)
}

func (f *faulty) DueCalls(ctx context.Context, customer string, from, below call.ID, limit int) ([]store.DueCall, error) {
	if f.fails() {
		return nil, errDied
	}
	return f.Store.DueCalls(ctx, customer, from, below, limit)
}

func (f *faulty) Bills(ctx context.Context, x store.BillFilter) ([]store.Bill, error) {
	if f.fails() {
		return nil, errDied
	}
	return f.Store.Bills(ctx, x)
}

func (f *faulty) CDR(ctx context.Context, id call.ID) (call.CDR, error) {
	if f.fails() {
		return call.CDR{}, errDied
	}
	return f.Store.CDR(ctx, id)
}

func (f *faulty) StepBill(ctx context.Context, s store.BillStep) (b store.Bill, err error) {
	return b, f.write(func() (err error) { b, err = f.Store.StepBill(ctx, s); return err })
}

func (f *faulty) LeaveCalls(ctx context.Context, customer string, calls []store.DueCall, facts ...store.Fact) error {
	return f.write(func() error { return f.Store.LeaveCalls(ctx, customer, calls, facts...) })
}

func (f *faulty) PutMark(ctx context.Context, m store.Mark, was string, facts ...store.Fact) error {
	return f.write(func() error { return f.Store.PutMark(ctx, m, was, facts...) })
}

// TestAMonthThatDiesAtAnyCallOfTheStore fails each call of the store in turn, in both ways, and lets another node go on.
func TestAMonthThatDiesAtAnyCallOfTheStore(t *testing.T) {
	for _, lost := range []bool{false, true} {
		for at := int64(1); ; at++ {
			p := newProvider(t)
			for range 3 { // from before the bills began
				p.settle(t, "acme", "a-0", november.AddDate(0, -2, 0), money.Pound)
			}
			must(t, p.db.PutMark(t.Context(), store.Mark{Name: store.MarkBillingFrom, Value: november.AddDate(0, -1, 0).Format(time.RFC3339)}, ""))
			ids, net := p.november(t)
			now := time.Date(2026, 12, 1, 13, 0, 0, 0, time.UTC)
			f := &faulty{Store: p.db, at: at, lost: lost}
			_, err := p.monthly(f, "a").Month(t.Context(), now)
			if f.n.Load() >= at && !errors.Is(err, errDied) {
				t.Fatalf("call %d: %v", at, err)
			}
			_, again := p.monthly(p.db, "b").Month(t.Context(), now.Add(5*time.Minute))
			must(t, again)
			once(t, p, ids, net)
			if err == nil {
				if at < 12 {
					t.Errorf("only %d calls of the store", at)
				}
				break
			}
		}
	}
}

// TestCreditsOfABill: a bill has the credit notes for its calls, whenever they were issued, and no others.
func TestCreditsOfABill(t *testing.T) {
	p := newProvider(t)
	b, ctx := p.billing(p.db), t.Context()
	now := time.Now()
	june := p.settle(t, "acme", "l", now.AddDate(0, -1, -3), 30_000_000)
	p.settle(t, "bell", "m", now.AddDate(0, -1, -3), 30_000_000)
	_, err := b.Run(ctx, billing.Run{Now: true, By: "t"}, now.AddDate(0, -1, 0))
	must(t, err)
	july := p.settle(t, "acme", "l", now.AddDate(0, 0, -3), 30_000_000)
	_, err = b.Run(ctx, billing.Run{Now: true, By: "t"}, now)
	must(t, err)
	later := p.settle(t, "acme", "l", now.Add(time.Minute), 30_000_000)
	credit := func(reference string, calls ...call.ID) {
		_, err := b.Credit(ctx, billing.Credit{Customer: "acme", Calls: calls, Net: 1_000_000, Reason: "goodwill", Reference: reference, By: "tom"})
		must(t, err)
	}
	credit("first", june)
	credit("both", july, june)
	credit("by hand")
	credit("not billed", later)
	credit("second", july, "01kb0000000000000000000001")
	bills, err := b.Bills(ctx, billing.Filter{Customer: "acme"})
	must(t, err)
	if len(bills) != 2 {
		t.Fatalf("%+v", bills)
	}
	for i, want := range []string{"[SECOND BOTH]", "[BOTH FIRST]"} { // the newer bill is the first; the books keep references in capitals
		all, err := b.Credits(ctx, &bills[i])
		must(t, err)
		got := []string{}
		for j := range all {
			got = append(got, all[j].Reference)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("bill %d: %v, want %s", bills[i].Number, got, want)
		}
	}
}

// TestPaymentsAndCreditsGiveNoFreshCap guards that the purses of a line are the same after whatever is booked.
func TestPaymentsAndCreditsGiveNoFreshCap(t *testing.T) {
	p := newProvider(t)
	ctx, b := t.Context(), p.billing(p.db)
	id := p.settle(t, "acme", "a-1", november, 130_325_100)
	before, err := p.db.Purses(ctx, []string{"line/a-1"})
	must(t, err)
	_, err = b.Run(ctx, billing.Run{Customer: "acme", Now: true, By: "tom"}, november.Add(time.Hour))
	must(t, err)
	_, err = b.Pay(ctx, billing.Payment{Customer: "acme", Amount: 100_000_000, Reference: "bacs  1", By: "tom"})
	must(t, err)
	if e, err := b.Pay(ctx, billing.Payment{Customer: "acme", Amount: 50_000, Reference: "BACS 1", By: "tom"}); !errors.Is(err, billing.ErrBooked) || e.Net != 100_000_000 {
		t.Errorf("a reference twice: %+v %v", e, err)
	}
	if _, ok, err := b.Twice(ctx, "acme", 100_000_000); err != nil || !ok {
		t.Errorf("the same amount within a day: %v %v", ok, err)
	}
	e, err := b.Credit(ctx, billing.Credit{Customer: "acme", Calls: []call.ID{id}, Net: 10_000_000, Reason: "goodwill", Reference: "case/1", By: "tom"})
	must(t, err)
	if e.VAT != 2_000_000 || e.Number != 1 {
		t.Errorf("%+v", e)
	}
	if owes, err := b.Balance(ctx, "acme"); err != nil || owes != 156_390_000-100_000_000-12_000_000 {
		t.Errorf("owes %s %v", owes, err)
	}
	after, err := p.db.Purses(ctx, []string{"line/a-1"})
	must(t, err)
	if before[0] != after[0] {
		t.Errorf("the purse changed: %v, %v", before, after)
	}
	for _, bad := range []billing.Payment{{Customer: "acme", Amount: -1, Reference: "x"}, {Customer: "acme", Amount: 5000, Reference: "half a penny"}, {Customer: "acme", Amount: 1}, {Customer: "nobody", Amount: 1, Reference: "x"}} {
		if _, err := b.Pay(ctx, bad); err == nil {
			t.Errorf("booked %+v", bad)
		}
	}
}

// TestCreditsByHand guards that a credit by hand takes no reference of a case, which would take it for its own, and no call of another customer.
func TestCreditsByHand(t *testing.T) {
	p := newProvider(t)
	ctx, b := t.Context(), p.billing(p.db)
	id := p.settle(t, "acme", "a-1", november, 130_325_100)
	for name, bad := range map[string]billing.Credit{
		"a case's reference":      {Customer: "acme", Reference: " case  7 decision 3", Calls: []call.ID{id}},
		"another customer's call": {Customer: "bell", Reference: "r", Calls: []call.ID{id}},
		"no call":                 {Customer: "acme", Reference: "r", Calls: []call.ID{id, "nothing"}},
	} {
		bad.Net, bad.Reason, bad.By = money.Pound, "goodwill", "tom"
		var wrong *billing.Invalid
		if _, err := b.CreditByHand(ctx, bad); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := b.CreditByHand(ctx, billing.Credit{Customer: "acme", Reference: "case/7", Calls: []call.ID{id}, Net: money.Pound, Reason: "goodwill", By: "tom"})
	must(t, err)
}

// TestCreditsByHandAreBounded guards that one member of staff cannot give by hand, in one credit or several, what needs a second person in a case.
func TestCreditsByHandAreBounded(t *testing.T) {
	p := newProvider(t)
	b := billing.New(billing.Options{Store: p.db, Book: p.book, Alone: func() money.Micro { return 100 * money.Pound }})
	give := func(by, customer, reference string, pounds int) error {
		_, err := b.CreditByHand(t.Context(), billing.Credit{Customer: customer, Reference: reference, Net: money.Micro(pounds) * money.Pound, Reason: "goodwill", By: by})
		return err
	}
	for _, c := range []struct {
		by, customer, reference string
		pounds                  int
		want                    error
	}{
		{"staff/tom", "acme", "1", 101, &billing.Invalid{}},
		{"staff/tom", "acme", "2", 60, nil},
		{"staff/tom", "acme", "2", 60, billing.ErrBooked}, // again, as after a broken connection
		{"staff/tom", "acme", "3", 41, &billing.Invalid{}},
		{"staff/tom (token backup)", "acme", "4", 41, &billing.Invalid{}},
		{"staff/tom", "acme", "5", 40, nil},
		{"staff/maya", "acme", "6", 100, nil},
		{"staff/tom", "bell", "7", 100, nil},
	} {
		err := give(c.by, c.customer, c.reference, c.pounds)
		var invalid *billing.Invalid
		if _, wants := c.want.(*billing.Invalid); wants != errors.As(err, &invalid) || !wants && !errors.Is(err, c.want) {
			t.Errorf("%s gives %s £%d as %s: %v", c.by, c.customer, c.pounds, c.reference, err)
		}
	}
	_, err := b.Credit(t.Context(), billing.Credit{Customer: "acme", Reference: billing.OfCases + "1 SETTLEMENT 1", Net: 1000 * money.Pound, Reason: "a case", By: "staff/tom"})
	must(t, err)
}

// TestCreditsAtOnceAreBounded: what one person gives at the same moment counts together.
func TestCreditsAtOnceAreBounded(t *testing.T) {
	p := newProvider(t)
	b := billing.New(billing.Options{Store: p.db, Book: p.book, Alone: func() money.Micro { return 100 * money.Pound }})
	var all sync.WaitGroup
	var given atomic.Int64
	for i := range 8 {
		all.Go(func() {
			_, err := b.CreditByHand(t.Context(), billing.Credit{Customer: "acme", Reference: fmt.Sprint(i), Net: 60 * money.Pound, Reason: "goodwill", By: "staff/tom"})
			if invalid := (*billing.Invalid)(nil); err == nil {
				given.Add(60)
			} else if !errors.As(err, &invalid) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if given.Load() != 60 {
		t.Errorf("£%d was given by one person, who may give £100", given.Load())
	}
}
