package records_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/flow/records"
	"ringfence/state/store"
	"ringfence/state/store/memory"
)

// now is a Monday, at noon in London.
var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

type desk struct {
	*records.Records
	t           *testing.T
	db          *memory.Engine
	acme, bravo string
	n           byte
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	key, err := secret.NewKey()
	check(t, err)
	box, err := secret.NewBox([]secret.Key{key})
	check(t, err)
	b, err := book.Open(t.Context(), &booktest.Store{}, book.Options{Plan: phone.UK(), Zone: "Europe/London", Box: box, Realm: "sip.test", Identify: booktest.Plain})
	check(t, err)
	d := &desk{t: t, db: memory.New()}
	for _, c := range []string{"acme", "bravo"} {
		_, err := b.AddCustomer(t.Context(), "t", c, book.CustomerEdit{})
		check(t, err)
	}
	for line, customer := range map[string]string{"2001": "acme", "2002": "acme", "3001": "bravo"} {
		name := "Desk of " + line
		_, _, err := b.AddLine(t.Context(), "t", book.NewLine{ID: line, Customer: customer, Edit: book.LineEdit{Name: &name}})
		check(t, err)
	}
	d.acme, d.bravo = "acme", "bravo"
	d.Records, err = records.New(records.Options{Store: d.db, Book: b})
	check(t, err)
	return d
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// add writes a record of a call that began so long ago.
func (d *desk) add(ago time.Duration, change func(*call.CDR), facts ...fact.Body) call.ID {
	d.t.Helper()
	at := now.Add(-ago)
	d.n++
	text := call.NewID(at, []byte{d.n})
	c := &call.CDR{ID: call.ID(text[:]), Direction: call.Out, Line: "2001", Account: "acme", Number: "+442079460031", Dialled: "02079460031", Country: "GB", Begun: at, Ended: at.Add(time.Minute), Talk: time.Minute, Retail: 20_000, Reason: "hangup", Trunk: "secret", Cost: 7}
	if change != nil {
		change(c)
	}
	op := store.Op{Kind: store.OpRecord, ID: c.ID, CDR: c}
	for _, f := range facts {
		op.Facts = append(op.Facts, fact.Say(f, at, fact.Subject{Line: c.Line, Account: c.Account, Call: c.ID}))
	}
	_, err := d.db.Apply(context.Background(), []store.Op{op})
	check(d.t, err)
	return c.ID
}

func refused(c *call.CDR) {
	c.Refused, c.Talk, c.Retail, c.Reason, c.Country, c.Number, c.Dialled = true, 0, 0, "over-international-ceiling", "CU", "+5350000147", "005350000147"
}

func (d *desk) page(q records.Query) records.Page {
	d.t.Helper()
	q.Customer = d.acme
	p, err := d.Page(d.t.Context(), &q, now)
	check(d.t, err)
	return p
}

// TestRunsFold: the same refusal again is one row, across what is read at a time, until it is asked for.
func TestRunsFold(t *testing.T) {
	d := newDesk(t)
	d.add(time.Hour, nil)
	for i := range 230 {
		d.add(50*time.Minute+time.Duration(230-i)*time.Second, refused)
	}
	first := d.add(40*time.Minute, refused)
	d.add(30*time.Minute, nil)
	p := d.page(records.Query{})
	if len(p.Rows) != 3 || p.Rows[1].More != 230 || p.Rows[1].ID != first || !p.Rows[1].Until.Equal(now.Add(-50*time.Minute-230*time.Second)) || p.Next != "" {
		t.Fatalf("%d rows, %d folded, next %q", len(p.Rows), p.Rows[1].More, p.Next)
	}
	seen, before := 0, call.ID("")
	for range 10 {
		p := d.page(records.Query{Open: first, Before: before})
		for i, r := range p.Rows {
			seen += 1 + r.More
			if before == "" && r.More > 0 || r.Trunk != "" || r.Cost != 0 {
				t.Errorf("row %d of a run that is open: %+v", i, r)
			}
		}
		if before = p.Next; before == "" {
			break
		}
	}
	if seen != 233 {
		t.Errorf("%d of 233 calls on the pages of an open run", seen)
	}
}

// TestPagesAreWhole: fifty a page, each call once.
func TestPagesAreWhole(t *testing.T) {
	d := newDesk(t)
	for i := range 120 {
		d.add(time.Duration(i+1)*time.Minute, func(c *call.CDR) { c.Line = []string{"2001", "2002"}[i%2] })
	}
	d.add(time.Minute, func(c *call.CDR) { c.Line, c.Account = "3001", "bravo" })
	seen := map[call.ID]bool{}
	q := records.Query{}
	for n := 0; ; n++ {
		p := d.page(q)
		for _, r := range p.Rows {
			if seen[r.ID] || r.Account != "acme" {
				t.Errorf("call %s of %s again", r.ID, r.Account)
			}
			seen[r.ID] = true
		}
		if q.Before = p.Next; q.Before == "" {
			if n != 2 || len(seen) != 120 {
				t.Errorf("%d pages with %d calls", n+1, len(seen))
			}
			break
		}
	}
	newest := d.page(records.Query{}).Rows[9].ID
	if n, err := d.New(t.Context(), &records.Query{Customer: d.acme, Newest: newest}, now); n != 9 || err != nil {
		t.Errorf("%d new ones, %v", n, err)
	}
	if p := d.page(records.Query{Newest: newest}); p.Rows[0].ID != newest {
		t.Errorf("the page begins with %s, not where it was", p.Rows[0].ID)
	}
}

func TestWhatIsLookedFor(t *testing.T) {
	d := newDesk(t)
	day := 24 * time.Hour
	d.add(time.Hour, nil)                                                                                   // 0
	d.add(2*time.Hour, refused)                                                                             // 1
	d.add(2*day, func(c *call.CDR) { c.Talk, c.Retail, c.Reason = 0, 0, "no-answer" })                      // 2
	d.add(3*day, func(c *call.CDR) { c.Direction, c.Line, c.Retail, c.Peer = call.In, "2002", 0, "trunk" }) // 3
	d.add(10*day, func(c *call.CDR) {
		c.Country, c.Number, c.Dialled, c.Retail = "FR", "+33140000000", "0033140000000", 300_000
	})
	d.add(40*day, func(c *call.CDR) { c.Direction, c.Peer = call.Between, "2002" })
	for _, x := range []struct {
		name  string
		q     records.Query
		found int
	}{
		{"by default a week", records.Query{}, 4},
		{"today", records.Query{Period: records.Today}, 2},
		{"a month", records.Query{Period: records.Month}, 5},
		{"all", records.Query{Period: records.All}, 6},
		{"a line, and calls of others to it", records.Query{Period: records.All, Line: "2002"}, 2},
		{"out", records.Query{Result: records.Out, Period: records.All}, 2},
		{"in", records.Query{Result: records.In}, 1},
		{"internal", records.Query{Result: records.Internal, Period: records.All}, 1},
		{"missed", records.Query{Result: records.Missed}, 1},
		{"refused", records.Query{Result: records.Refused}, 1},
		{"a number as it is read", records.Query{Find: "020 7946 0031"}, 3},
		{"a part of a number", records.Query{Find: "0147"}, 1},
		{"with a plus", records.Query{Find: "+53"}, 1},
		{"a country", records.Query{Find: "cuba"}, 1},
		{"another country", records.Query{Find: "france", Period: records.All}, 1},
		{"a line's name", records.Query{Find: "desk of 2002"}, 1},
		{"another's line", records.Query{Find: "desk of 3001"}, 0},
		{"a line's handle", records.Query{Find: "2002"}, 1},
		{"an amount", records.Query{Find: "£0.30", Period: records.All}, 1},
		{"pence", records.Query{Find: "2p"}, 1},
		{"hostile", records.Query{Find: "'; DROP TABLE cdr; -- \xff\x00"}, 0},
	} {
		if p := d.page(x.q); len(p.Rows) != x.found {
			t.Errorf("%s: %d calls, want %d", x.name, len(p.Rows), x.found)
		}
		x.q.Customer = d.acme
		sums, err := d.Sums(t.Context(), &x.q, now)
		check(t, err)
		if int(sums.Calls) != x.found {
			t.Errorf("%s: a sum of %d calls, want %d", x.name, sums.Calls, x.found)
		}
	}
}

// TestSumsAddUp: that of all is the sum of its days, by the customer's clocks.
func TestSumsAddUp(t *testing.T) {
	d := newDesk(t)
	for i := range 100 {
		d.add(time.Duration(i)*97*time.Minute, func(c *call.CDR) {
			if c.Retail = money.Micro(i * 1000); i%7 == 0 {
				refused(c)
			}
		})
	}
	sums, err := d.Sums(t.Context(), &records.Query{Customer: d.acme, Period: records.Month}, now)
	check(t, err)
	var all records.Sum
	for i := range 9 {
		day, _ := sums.Day(now.AddDate(0, 0, -i))
		all.Calls, all.Refused, all.Talk, all.Retail = all.Calls+day.Calls, all.Refused+day.Refused, all.Talk+day.Talk, all.Retail+day.Retail
	}
	if sums.Sum != all || sums.Calls != 100 || sums.Refused != 15 || sums.Part {
		t.Errorf("%+v, its days %+v", sums.Sum, all)
	}
}

// TestHoursBesideUsualOnes: the same weekday of four weeks, in the customer's hours, also across a change of clocks.
func TestHoursBesideUsualOnes(t *testing.T) {
	d := newDesk(t)
	for week := range 6 {
		for range 2 {
			d.add(time.Duration(week)*7*24*time.Hour+2*time.Hour, nil) // 10:00
		}
	}
	for range 3 {
		d.add(9*time.Hour, refused)
	}
	h, err := d.Hours(t.Context(), &records.Query{Customer: d.acme}, now)
	check(t, err)
	if h.Now[10] != 2 || h.Usual[10] != 8 || h.Now[3] != 3 || h.Usual[3] != 0 || !h.Unusual(3) || h.Unusual(10) {
		t.Errorf("%+v", h)
	}
}

func TestOneCall(t *testing.T) {
	d := newDesk(t)
	id := d.add(time.Hour, refused, &fact.CallRefused{Reason: "over-international-ceiling", Limit: 120_000_000, Value: 714_000_000, Pass: 714_000_000})
	other := d.add(time.Hour, func(c *call.CDR) { c.Account, c.Line = "bravo", "3001" })
	in := d.add(50*time.Minute, func(c *call.CDR) { c.Direction, c.Peer = call.In, "carrier" }, &fact.CallAdmitted{Caller: "07700 900123"}, &fact.SliceHeld{Held: 5})
	s, err := d.Story(t.Context(), d.acme, id)
	check(t, err)
	f, value, ok := s.Asks()
	if s.Deciding != policy.OverInternational || s.Figures.Pass != 714_000_000 || !ok || f != account.InternationalCeiling || value != 714_000_000 || s.Row == 0 {
		t.Errorf("%+v", s)
	}
	if s, err = d.Story(t.Context(), d.acme, in); err != nil || s.Caller != "07700 900123" || s.Slices != 2 || s.Peer != "" || s.Trunk != "" || s.Cost != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	for _, id := range []call.ID{other, "none", "", "'"} {
		if _, err := d.Story(t.Context(), d.acme, id); !errors.Is(err, book.ErrNotFound) {
			t.Errorf("call %q: %v", id, err)
		}
	}
	around, err := d.Around(t.Context(), &s.CDR)
	if err != nil || len(around) != 1 && len(around) != 2 {
		t.Errorf("%d around, %v", len(around), err)
	}
}

// TestTheFileIsInert guards that a caller's text becomes no formula in a spreadsheet, and no row of its own.
func TestTheFileIsInert(t *testing.T) {
	d := newDesk(t)
	for i := range 1500 {
		d.add(time.Duration(i+1)*time.Second, func(c *call.CDR) {
			if i == 700 {
				c.Dialled, c.Number, c.Text = "=HYPERLINK(\"http://evil\")", "+44", "a\r\nb,\"c\""
			}
		})
	}
	var b bytes.Buffer
	check(t, d.File(t.Context(), &b, &records.Query{Customer: d.acme}, now))
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != 1501 || rows[701][4] != "'=HYPERLINK(\"http://evil\")" || rows[701][3] != "+44" || strings.Contains(fmt.Sprint(rows), "secret") {
		t.Errorf("%d rows, %v, %q", len(rows), err, rows[701])
	}
}
