package backfill

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/carrier"
	"ringfence/core/engine"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// restored is a store with a gap of a day, and lines 2001 of acme and 2002 of bell.
type restored struct {
	t  *testing.T
	db *sqlite.Engine
	Options
}

// The gap goes over midnight and the end of a month in London, where the customers are.
var (
	from  = time.Date(2026, 6, 30, 12, 0, 0, 0, time.UTC)
	until = from.Add(24 * time.Hour)
)

const (
	retail = "Destination,Prefix,Peak,Off-peak,Weekend,Connection charge,First Interval,Sub Interval\nUK,44,0.06,0.06,0.06,0,1,1\nFrance,33,0.12,0.12,0.12,0.10,30,6\nFree,44800,0,0,0,0,1,1\n"
	cost   = "Destination,Prefix,Peak,Off-peak,Weekend\nUK,44,0.01,0.01,0.01\nFrance,33,0.02,0.02,0.02\n"
)

func open(t *testing.T) *restored {
	t.Helper()
	ctx := t.Context()
	db, err := sqlitetest.Open(ctx, filepath.Join(t.TempDir(), "x.db"), sqlite.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	key, err := secret.NewKey()
	must(t, err)
	box, err := secret.NewBox([]secret.Key{key})
	must(t, err)
	b, err := book.Open(ctx, db, book.Options{Plan: phone.UK(), Zone: "Europe/London", Box: box, Realm: "sip.test", Tariff: "retail"})
	must(t, err)
	for name, x := range map[string]struct {
		text string
		kind rating.Kind
	}{"retail": {retail, rating.Retail}, "cost": {cost, rating.Cost}} {
		_, err := b.Import(ctx, "test", []byte(x.text), book.ImportOptions{Name: name, Kind: x.kind})
		must(t, err)
	}
	deck := "cost"
	_, err = b.AddTrunk(ctx, "test", "carrier-a", book.TrunkEdit{Addresses: &[]string{"192.0.2.1:5060"}, Deck: &deck})
	must(t, err)
	trunk, _ := b.TrunkCalled("carrier-a")
	for line, number := range map[string]string{"2001": "020 7946 0101", "2002": "020 7946 0102"} {
		customer, err := b.AddCustomer(ctx, "test", map[string]string{"2001": "acme", "2002": "bell"}[line], book.CustomerEdit{})
		must(t, err)
		_, _, err = b.AddLine(ctx, "test", book.NewLine{ID: line, Customer: customer.ID, Edit: book.LineEdit{Number: &number}})
		must(t, err)
	}
	return &restored{t, db, Options{Book: b, Store: db, Gap: store.Gap{From: from, Until: until}, Trunk: trunk, File: "carrier.csv"}}
}

func (r *restored) book(rows ...carrier.Record) *Plan {
	r.t.Helper()
	for i := range rows {
		rows[i].Line = i + 2
	}
	p, err := Judge(context.Background(), r.Options, rows)
	must(r.t, err)
	must(r.t, p.Book(context.Background()))
	return p
}

// records are all call records, the newest first.
func (r *restored) records() []call.CDR {
	r.t.Helper()
	list, err := r.db.CDRs(context.Background(), store.CDRFilter{})
	must(r.t, err)
	return list
}

// row is a call of a minute from line 2001 to London.
func row(at time.Time) carrier.Record {
	return carrier.Record{Start: at, Talk: time.Minute, Caller: "442079460101", Called: "442079460000"}
}

func TestACallIsPricedAndBooked(t *testing.T) {
	r := open(t)
	at := time.Date(2026, 6, 30, 23, 30, 0, 0, time.UTC) // half past midnight of 1 July in London
	france := carrier.Record{Start: at, Talk: 31 * time.Second, Caller: "sip:+442079460101@192.0.2.1", Called: "0033140000000", ID: "x1"}
	p := r.book(france)
	if p.Booked != 1 || len(p.Left) != 0 || p.Retail != 172_000 {
		t.Fatalf("%+v", p)
	}
	got := r.records()[0]
	line, _ := r.Book.LineCalled("2001")
	if got.Line != line.ID() || got.Account != line.Customer() || got.Number != "+33140000000" || got.Country != "FR" || got.Rate != "France" || got.Trunk != r.Trunk.Name ||
		got.Retail != 172_000 || got.Cost != 10_333 || got.Talk != 31*time.Second || got.Source != Source || got.Reason != "carrier-record" || got.BLeg != "x1" || !got.Begun.Equal(at) {
		t.Errorf("%+v", got)
	}
	ids := engine.PurseIDs(line.ID(), line.Customer(), line.Zone(), at)
	purses, err := r.db.Purses(t.Context(), ids[:])
	must(t, err)
	for _, x := range purses {
		if x.Spent != 172_000 || x.Held != 0 || !strings.Contains(x.ID, "/2026-07") {
			t.Errorf("%+v", x)
		}
	}
	facts, err := r.db.Facts(t.Context(), store.FactFilter{Kind: "call.settled"})
	must(t, err)
	if len(facts) != 1 || facts[0].Call != got.ID || !strings.Contains(string(facts[0].Body), `"retail_micro":172000`) || !strings.Contains(string(facts[0].Body), `"file_line":2`) {
		t.Errorf("%+v", facts)
	}
	faults, err := r.db.Check(t.Context())
	must(t, err)
	if len(faults) != 0 {
		t.Errorf("%q", faults)
	}
}

// The price that a carrier states goes before that of its deck; calls that cost the line nothing take no money.
func TestCostsAndFreeCalls(t *testing.T) {
	r := open(t)
	stated := row(from.Add(time.Hour))
	stated.Cost, stated.Priced = 4_200, true
	free := row(from.Add(2 * time.Hour))
	free.Called = "448001111111"
	help := row(from.Add(3 * time.Hour))
	help.Called = "999"
	p := r.book(stated, free, help)
	if p.Booked != 3 || p.Retail != 60_000 {
		t.Fatalf("%+v", p)
	}
	for i, want := range []struct{ retail, cost money.Micro }{{0, 0}, {0, 10_000}, {60_000, 4_200}} {
		if got := r.records()[i]; got.Retail != want.retail || got.Cost != want.cost {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// Caps bound what may be spent, not what has been.
func TestWhatWasSpentIsBookedBeyondACap(t *testing.T) {
	r := open(t)
	line, _ := r.Book.LineCalled("2001")
	_, err := r.Book.EditLine(t.Context(), "test", line.ID(), book.LineEdit{Set: []book.Setting{{Field: account.LineDayCap, N: 50_000}}})
	must(t, err)
	if p := r.book(row(from.Add(time.Hour)), row(from.Add(2*time.Hour))); p.Booked != 2 || p.Retail != 120_000 {
		t.Errorf("%+v", p)
	}
}

func TestAFileTwice(t *testing.T) {
	r := open(t)
	at := from.Add(time.Hour)
	again := row(at.Add(3 * time.Second)) // two calls in a few seconds are two calls
	other := row(at)
	other.Caller = "02079460102"
	rows := []carrier.Record{row(at), again, other, row(at)}
	p := r.book(rows...)
	if p.Booked != 3 || p.Same != 1 || p.Retail != 180_000 {
		t.Fatalf("%+v", p)
	}
	for range 2 {
		if p := r.book(rows...); p.Booked != 0 || p.Known+p.Same != 4 {
			t.Errorf("again: %+v", p)
		}
	}
	part := append(rows[:2:2], row(at.Add(time.Minute))) // another file that overlaps
	if p := r.book(part...); p.Booked != 1 || p.Known != 2 {
		t.Errorf("overlapping: %+v", p)
	}
	if n := len(r.records()); n != 4 {
		t.Errorf("%d records", n)
	}
}

// What the books have already is not booked: calls that the backup has, and those that were in progress when it was made.
func TestCallsThatTheBooksHave(t *testing.T) {
	r := open(t)
	line, _ := r.Book.LineCalled("2001")
	at := from.Add(10 * time.Second)
	for i, ended := range []bool{true, false} {
		o := call.Open{
			ID: call.ID([]string{"a1", "a2"}[i]), Node: "n", Direction: call.Out, State: call.Answered, Line: line.ID(), Account: line.Customer(), Number: "+442079460000",
			BLeg: []string{"rf-1", "rf-2"}[i], Begun: at.Add(-20 * time.Second), AnsweredAt: at, Longest: time.Hour,
		}
		ops := []store.Op{{Kind: store.OpOpen, ID: o.ID, Call: &o, Lease: time.Minute}}
		if ended {
			cdr := call.CDR{ID: o.ID, Direction: call.Out, Line: o.Line, Account: o.Account, Number: o.Number, BLeg: o.BLeg, Begun: o.Begun, AnsweredAt: at, Ended: at.Add(time.Minute), Talk: time.Minute}
			ops = append(ops, store.Op{Kind: store.OpSettle, ID: o.ID, CDR: &cdr})
		}
		_, err := r.db.Apply(t.Context(), ops)
		must(t, err)
	}
	by := func(d time.Duration) carrier.Record { return row(at.Add(d)) }
	leg := row(from.Add(5 * time.Hour))
	leg.ID, leg.Caller = "rf-2", "anonymous" // known by its Call-ID, whatever the carrier says of the rest
	p := r.book(by(4*time.Second), by(-15*time.Second), by(3*time.Second), leg)
	if p.Known != 3 || p.Booked != 1 {
		t.Errorf("%+v", p) // two are known, and each record stands for one row
	}
}

func TestRowsThatCannotBeBooked(t *testing.T) {
	r := open(t)
	at := from.Add(time.Hour)
	bad := func(change func(*carrier.Record)) carrier.Record { x := row(at); change(&x); return x }
	p := r.book(
		bad(func(x *carrier.Record) { x.Caller = "anonymous" }),
		bad(func(x *carrier.Record) { x.Caller = "" }),
		bad(func(x *carrier.Record) { x.Caller = "+442079460999" }),
		bad(func(x *carrier.Record) { x.Called = "no number" }),
		bad(func(x *carrier.Record) { x.Called = "+353871234567" }), // the deck has no price
		bad(func(x *carrier.Record) { x.Start = from.Add(-6 * time.Second) }),
		bad(func(x *carrier.Record) { x.Start = until.Add(6 * time.Second) }),
		bad(func(x *carrier.Record) { x.Start = from.Add(-4 * time.Second) }),
	)
	if p.Booked != 1 || p.Outside != 2 || len(p.Left) != 5 {
		t.Fatalf("%+v", p)
	}
	for i, want := range []string{`"anonymous" is no number`, `"" is no number`, "no line has the number +442079460999", `"no number" is no number`, "no price for +353871234567"} {
		if l := p.Left[i]; l.Line != i+2 || !strings.Contains(l.Why, want) {
			t.Errorf("%+v, want %q", l, want)
		}
	}
}

// A file that was booked in part, since the process died, is booked to its end.
func TestBookingGoesOn(t *testing.T) {
	r := open(t)
	var rows []carrier.Record
	for i := range 2*group + 50 {
		rows = append(rows, row(from.Add(time.Duration(i)*time.Minute)))
	}
	p, err := Judge(t.Context(), r.Options, rows)
	must(t, err)
	var ops []store.Op
	for i := range group {
		ops = append(ops, p.ops(i)...)
	}
	_, err = r.db.Apply(t.Context(), ops)
	must(t, err)
	if p := r.book(rows...); p.Known != group || p.Booked != group+50 {
		t.Errorf("known %d, booked %d", p.Known, p.Booked)
	}
	line, _ := r.Book.LineCalled("2001")
	ids := engine.PurseIDs(line.ID(), line.Customer(), line.Zone(), from)
	purses, err := r.db.Purses(t.Context(), ids[:])
	must(t, err)
	if got := purses[0]; got.Spent != (2*group+50)*60_000 {
		t.Errorf("%+v", got)
	}
}
