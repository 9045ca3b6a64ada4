// Package records reads call records as people look at them: pages of a list, what they come to, the hours of a day beside those of usual ones, one call with
// what the journal says of it, and a file for a spreadsheet. It decides nothing.
package records

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/flow/book"
	"ringfence/flow/gate"
	"ringfence/state/store"
)

// Options of New.
type Options struct {
	Gate  *gate.Gate
	Store store.Money
	Book  *book.Book
}

// Records reads them. Safe for concurrent use.
type Records struct {
	o     Options
	calls func(ctx context.Context, f *store.CDRFilter) ([]call.CDR, error) // with those that are not stored yet

	mu    sync.Mutex // owns usual
	usual map[usualKey]*[24]int64
}

// New checks the options. Without a gate there are only stored records.
func New(o Options) (*Records, error) {
	if o.Store == nil || o.Book == nil {
		return nil, errors.New("records: a store and a book are needed")
	}
	r := &Records{o: o, usual: map[usualKey]*[24]int64{}}
	r.calls = func(ctx context.Context, f *store.CDRFilter) ([]call.CDR, error) { return o.Store.CDRs(ctx, *f) }
	if o.Gate != nil {
		r.calls = o.Gate.CDRs
	}
	return r, nil
}

// Period is what time a list is about.
type Period string

// Periods.
const (
	Today Period = "today"
	Week  Period = "week"  // seven days, and today
	Month Period = "month" // thirty
	All   Period = "all"
)

// Result is what sort of call a list is about.
type Result string

// Results; "" is every one.
const (
	Out      Result = "out"      // to the network, and answered
	In       Result = "in"       // from it
	Internal Result = "internal" // between lines here
	Missed   Result = "missed"
	Refused  Result = "refused"
)

// Query is what somebody looks for among the calls of a customer.
type Query struct {
	Customer string // identity
	Line     string // identity; "" is all
	Period   Period
	Result   Result
	Find     string // a number or a part of one, a country, a line, an amount: as it was typed
	Newest   call.ID
	Before   call.ID // continue below it
	Open     call.ID // the run that begins with this call is not folded
}

// since is the first instant of a query, in a zone; zero is none.
func (q *Query) since(now time.Time, zone *time.Location) time.Time {
	day := dayOf(now, zone)
	switch q.Period {
	case Today:
		return day
	case Month:
		return day.AddDate(0, 0, -30)
	case All:
		return time.Time{}
	}
	return day.AddDate(0, 0, -7)
}

func dayOf(t time.Time, zone *time.Location) time.Time {
	t = t.In(zone)
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, zone)
}

// filter is a query for the store. Its period is one of ids, which an index finds.
func (r *Records) filter(q *Query, now time.Time) store.CDRFilter {
	zone := r.o.Book.Zone(q.Customer)
	f := store.CDRFilter{Account: q.Customer, Line: q.Line, Called: q.Line != "", Before: q.Before}
	if since := q.since(now, zone); !since.IsZero() {
		f.Since = call.FirstID(since)
	}
	if q.Newest != "" && (f.Before == "" || f.Before > q.Newest) {
		f.Before = after(q.Newest)
	}
	switch q.Result {
	case Out:
		f.Direction, f.Outcome = call.Out, call.Talked
	case In:
		f.Direction, f.Outcome = call.In, call.Talked
	case Internal:
		f.Direction = call.Between
	case Missed:
		f.Outcome = call.Missed
	case Refused:
		f.Outcome = call.Refused
	}
	r.find(q, &f)
	return f
}

// after is above an id, and below the next.
func after(id call.ID) call.ID { return id + "0" }

// mine takes out of a record what is between the provider and its carriers.
func mine(c *call.CDR) {
	c.Trunk, c.Cost, c.CarrierTalk, c.BLeg = "", 0, 0, ""
	if c.Direction == call.In {
		c.Peer = ""
	}
}

// Row is a call of a list, with those that are folded into it.
type Row struct {
	call.CDR
	Caller string    // the number that an inbound caller gave; "" is withheld
	More   int       // refused calls like it, just before it, that are not shown
	Until  time.Time // when the first of those was
}

// Page is a part of a list, newest first.
type Page struct {
	Rows []Row
	Next call.ID // Before of the next page; "" when there is none
}

// Limits of a page.
const (
	pageRows = 50
	pageRead = 100 // records at a time, after the first, which fill a page unless some are folded
	pageMost = 1000
)

// Page reads a page. Runs of the same refusal are folded into their latest call.
func (r *Records) Page(ctx context.Context, q *Query, now time.Time) (Page, error) {
	p, err := r.page(ctx, q, now)
	if err == nil {
		err = r.callers(ctx, p.Rows)
	}
	return p, err
}

// callers fills in who called, which the journal has and records do not.
func (r *Records) callers(ctx context.Context, rows []Row) error {
	in := map[call.ID]*Row{}
	f := store.FactFilter{Kind: fact.KindCallAdmitted}
	for i := range rows {
		if rows[i].Direction == call.In {
			in[rows[i].ID] = &rows[i]
			f.Calls = append(f.Calls, rows[i].ID)
		}
	}
	if len(in) == 0 {
		return nil
	}
	facts, err := r.o.Store.Facts(ctx, f)
	for i := range facts {
		var f fact.CallAdmitted
		if row := in[facts[i].Call]; row != nil && f.Decode(facts[i].Body) == nil && !f.Withheld {
			row.Caller = f.Caller
		}
	}
	return err
}

func (r *Records) page(ctx context.Context, q *Query, now time.Time) (p Page, err error) {
	f := r.filter(q, now)
	f.Limit = pageRows + 1
	open := false // the run that the last row is of was asked for
	for read := 0; read < pageMost; read += pageRead {
		all, err := r.calls(ctx, &f)
		if err != nil {
			return p, err
		}
		for i := range all {
			c := &all[i]
			n := len(p.Rows)
			same := n > 0 && p.Rows[n-1].same(c)
			if open = same && open || c.ID == q.Open; same && !open {
				p.Rows[n-1].More++
				p.Rows[n-1].Until = c.Begun
			} else {
				if n == pageRows {
					return p, nil
				}
				mine(c)
				p.Rows = append(p.Rows, Row{CDR: *c})
			}
			p.Next = c.ID
		}
		if len(all) < f.Limit {
			p.Next = ""
			return p, nil
		}
		f.Before, f.Limit = p.Next, pageRead
	}
	return p, nil
}

// same says that a call is one more of the run of refusals that a row stands for.
func (r *Row) same(c *call.CDR) bool {
	return r.Refused && c.Refused && r.Line == c.Line && r.Reason == c.Reason && r.Country == c.Country
}

// New counts the calls that fit and are newer than the newest that is shown, up to a hundred.
func (r *Records) New(ctx context.Context, q *Query, now time.Time) (int, error) {
	f := r.filter(&Query{Customer: q.Customer, Line: q.Line, Period: q.Period, Result: q.Result, Find: q.Find}, now)
	f.Since, f.Limit = max(f.Since, after(q.Newest)), 100
	all, err := r.calls(ctx, &f)
	return len(all), err
}

// Latest is the id of the newest record of a customer: it is cheap to ask whether there are others.
func (r *Records) Latest(ctx context.Context, customer string) (call.ID, error) {
	all, err := r.calls(ctx, &store.CDRFilter{Account: customer, Limit: 1})
	if err != nil || len(all) == 0 {
		return "", err
	}
	return all[0].ID, nil
}

// Sum is what calls come to.
type Sum struct {
	Calls, Refused int64
	Talk           time.Duration
	Retail         money.Micro
}

func (s *Sum) add(c *store.CDRSum) {
	s.Calls, s.Refused, s.Talk, s.Retail = s.Calls+c.Calls, s.Refused+c.Refused, s.Talk+c.Talk, s.Retail.Add(c.Retail)
}

// Plus adds another sum.
func (s *Sum) Plus(o *Sum) {
	s.Calls, s.Refused, s.Talk, s.Retail = s.Calls+o.Calls, s.Refused+o.Refused, s.Talk+o.Talk, s.Retail.Add(o.Retail)
}

// Part is what the calls of a line to a country come to.
type Part struct {
	Line, Country string
	Sum
}

// ByLine sums up all calls of a customer in a period, by line and country, in that order. Incoming calls are of the country called.
func (r *Records) ByLine(ctx context.Context, q *Query, now time.Time) ([]Part, error) {
	f := r.filter(&Query{Customer: q.Customer, Period: q.Period}, now)
	sums, err := r.o.Store.Sums(ctx, f, store.SumLineCountry)
	out := make([]Part, 0, len(sums))
	for i := range sums {
		p := Part{Line: sums[i].Line, Country: sums[i].Country}
		p.add(&sums[i])
		out = append(out, p)
	}
	return out, err
}

// Why is how many calls were refused for a reason.
type Why struct {
	Reason string // a code, as a record has it
	Calls  int64
}

// Refused counts the refused calls of a customer in a period by reason, the most frequent first; part: there are more, only the newest were counted.
func (r *Records) Refused(ctx context.Context, customer string, p Period, now time.Time) (all []Why, part bool, err error) {
	f := r.filter(&Query{Customer: customer, Period: p, Result: Refused}, now)
	f.Limit = mostSummed
	sums, err := r.o.Store.Sums(ctx, f, store.SumReason)
	n := int64(0)
	for i := range sums {
		n += sums[i].Calls
		all = append(all, Why{sums[i].Reason, sums[i].Calls})
	}
	slices.SortStableFunc(all, func(a, b Why) int { return cmp.Compare(b.Calls, a.Calls) })
	return all, n >= mostSummed, err
}

// Sums are those of all that fits a query, and of each day.
type Sums struct {
	Sum
	Part bool // there are more: only the newest were summed up
	days map[string]Sum
}

// Day is the sum of the day of an instant; false: not all of its calls were summed up.
func (s *Sums) Day(at time.Time) (Sum, bool) {
	d, ok := s.days[at.Format(time.DateOnly)]
	return d, ok
}

// mostSummed bounds what one page may cost.
const mostSummed = 10_000

// Sums sums up all that fits a query, whatever its page. Hours are those of today, when the sum is of all calls of today.
func (r *Records) Sums(ctx context.Context, q *Query, now time.Time) (*Sums, error) {
	x := *q
	x.Before, x.Newest = "", ""
	f := r.filter(&x, now)
	f.Limit = mostSummed
	slots, err := r.o.Store.Sums(ctx, f, store.SumQuarter)
	if err != nil {
		return nil, err
	}
	zone := r.o.Book.Zone(q.Customer)
	out := &Sums{days: map[string]Sum{}}
	oldest := ""
	for i := range slots {
		out.add(&slots[i])
		day := slotTime(slots[i].Slot).In(zone).Format(time.DateOnly)
		sum := out.days[day]
		sum.add(&slots[i])
		out.days[day] = sum
		if oldest == "" {
			oldest = day
		}
	}
	if out.Part = out.Calls >= mostSummed; out.Part {
		delete(out.days, oldest)
	}
	return out, nil
}

func slotTime(slot int64) time.Time {
	return time.UnixMicro(slot * int64(store.Quarter/time.Microsecond))
}

// Hours are calls by the hour of a customer's day, or a line's, and those of a usual day: the mean of the same weekday of the last four weeks.
type Hours struct {
	Now   [24]int64
	Usual [24]int64 // of four weeks together: four times the usual
}

// Weeks is how many a usual day is the mean of.
const Weeks = 4

// Unusual says that an hour has many more calls than the usual one.
func (h *Hours) Unusual(i int) bool { return h.Now[i] >= 3 && h.Now[i] > h.Usual[i] }

type usualKey struct{ customer, line, day string }

// maxUsual bounds what is remembered of usual days.
const maxUsual = 1000

// Hours reads them for the day of now.
func (r *Records) Hours(ctx context.Context, q *Query, now time.Time) (h Hours, err error) {
	day := dayOf(now, r.o.Book.Zone(q.Customer))
	if h.Now, err = r.hours(ctx, q, day); err != nil {
		return h, err
	}
	key := usualKey{q.Customer, q.Line, day.Format(time.DateOnly)}
	r.mu.Lock()
	usual := r.usual[key]
	r.mu.Unlock()
	if usual == nil {
		usual = &[24]int64{}
		for week := 1; week <= Weeks; week++ {
			hours, err := r.hours(ctx, q, day.AddDate(0, 0, -7*week))
			if err != nil {
				return h, err
			}
			for i, n := range hours {
				usual[i] += n
			}
		}
		r.mu.Lock()
		if len(r.usual) >= maxUsual {
			clear(r.usual)
		}
		r.usual[key] = usual
		r.mu.Unlock()
	}
	h.Usual = *usual
	return h, nil
}

func (r *Records) hours(ctx context.Context, q *Query, day time.Time) (out [24]int64, err error) {
	f := store.CDRFilter{Account: q.Customer, Line: q.Line, Called: q.Line != "", Since: call.FirstID(day), Before: call.FirstID(day.AddDate(0, 0, 1)), Limit: mostSummed}
	slots, err := r.o.Store.Sums(ctx, f, store.SumQuarter)
	for i := range slots {
		out[slotTime(slots[i].Slot).In(day.Location()).Hour()] += slots[i].Calls
	}
	return out, err
}

// Each gives every record that fits a query to yield, newest first.
func (r *Records) Each(ctx context.Context, q *Query, now time.Time, yield func(*call.CDR) error) error {
	f := r.filter(q, now)
	for f.Limit = 1000; ; {
		all, err := r.calls(ctx, &f)
		if err != nil {
			return err
		}
		for i := range all {
			mine(&all[i])
			if err := yield(&all[i]); err != nil {
				return err
			}
		}
		if len(all) < f.Limit {
			return nil
		}
		f.Before = all[len(all)-1].ID
	}
}

// Lines are those of a customer, for choosing one, up to a limit.
func (r *Records) Lines(customer string, most int) []*book.Line {
	return slices.DeleteFunc(r.o.Book.Lines(customer, "", most), func(l *book.Line) bool { return l.Honeypot() })
}
