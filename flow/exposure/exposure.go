// Package exposure says what a thief could cost a line, a customer or everybody until some instant, from the book and what is spent and held now,
// and what each setting would change. It must not know protocols or SQL; the arithmetic is core/exposure's.
package exposure

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/exposure"
	"ringfence/core/money"
	"ringfence/core/rating"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// Options of a Desk. Book and Money are needed.
type Options struct {
	Book *book.Book
	// Money says what is spent and held, and which calls are in progress on any node.
	Money interface {
		Purses(ctx context.Context, ids []string) ([]store.Purse, error)
		OpenCalls(ctx context.Context, node string) ([]call.Open, error)
	}
	Eyes  Eyes
	Ring  time.Duration // for which a call may ring
	Nodes bool          // several servers may share the lines
	Log   *slog.Logger
}

// Desk answers what a thief could cost. Safe for concurrent use.
type Desk struct {
	o Options

	mu        sync.Mutex // owns what follows
	tariffs   map[string]*exposure.Tariff
	habits    map[string]habits // by line
	countries map[*rating.Deck]priced
}

// New makes a desk.
func New(o Options) (*Desk, error) {
	if o.Book == nil || o.Money == nil {
		return nil, errors.New("exposure: a book and a store are needed")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Desk{o: o, tariffs: map[string]*exposure.Tariff{}, habits: map[string]habits{}, countries: map[*rating.Deck]priced{}}, nil
}

// Period is for which time a figure is wanted.
type Period string

// Periods.
const (
	Tonight Period = "tonight" // until 09:00 of the next working day
	Caps    Period = "caps"    // until the day caps renew, at midnight
	Month   Period = "month"   // until the month caps renew
)

// workBegins is when somebody is there again, on Monday to Friday.
const workBegins = 9

// End is when a period ends, by the clocks of a zone.
func (p Period) End(now time.Time, zone *time.Location) time.Time {
	local := now.In(zone)
	year, month, day := local.Date()
	switch p {
	case Caps:
		return time.Date(year, month, day+1, 0, 0, 0, 0, zone)
	case Month:
		return time.Date(year, month+1, 1, 0, 0, 0, 0, zone)
	}
	for n := 0; ; n++ {
		at := time.Date(year, month, day+n, workBegins, 0, 0, 0, zone)
		if d := at.Weekday(); at.After(now) && d != time.Saturday && d != time.Sunday {
			return at
		}
	}
}

// tariff is what lines of a customer can call. It is made anew when a price list or a trunk has changed.
func (d *Desk) tariff(deck *rating.Deck) *exposure.Tariff {
	var carriers []exposure.Carrier
	var key strings.Builder
	fmt.Fprintf(&key, "%p", deck)
	trunks := d.o.Book.Trunks()
	for i := range trunks {
		cost, _ := d.o.Book.Cost(&trunks[i])
		carriers = append(carriers, exposure.Carrier{Name: account.Handle(trunks[i].Name), Deck: cost})
		fmt.Fprintf(&key, " %s %p", trunks[i].Name, cost)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.tariffs[key.String()]
	if t == nil {
		if len(d.tariffs) >= mostTariffs {
			clear(d.tariffs)
		}
		t = exposure.NewTariff(d.o.Book.Plan(), deck, carriers)
		d.tariffs[key.String()] = t
	}
	return t
}

// mostTariffs bounds what is kept: price lists that are no longer in force are among them.
const mostTariffs = 16

// reading is everything that figures of one instant have in common.
type reading struct {
	at     time.Time
	memo   *exposure.Memo
	calls  map[string][]exposure.Running // by customer
	beyond map[string]bool               // customers with a call that began outside their reseller's caps
}

// look reads which calls are in progress.
func (d *Desk) look(ctx context.Context) (*reading, error) {
	n := &reading{at: time.Now(), memo: exposure.NewMemo(), calls: map[string][]exposure.Running{}, beyond: map[string]bool{}}
	open, err := d.o.Money.OpenCalls(ctx, "")
	if err != nil {
		return nil, err
	}
	for i := range open {
		o := &open[i]
		if o.Direction != call.Out || o.Held == 0 {
			continue
		}
		if beyondPool(d.o.Book, o.Account, o.Purses) {
			n.beyond[o.Account] = true
		}
		dest, _ := d.o.Book.Plan().Parse(o.Number)
		r := exposure.Running{Line: o.Line, Abroad: !dest.National, Begun: o.Begun, Quote: o.Quote, Cost: o.Cost, Limit: o.Longest, Held: o.Held}
		if !o.AnsweredAt.IsZero() {
			r.Talk = max(n.at.Sub(o.AnsweredAt), 0)
		}
		n.calls[o.Account] = append(n.calls[o.Account], r)
	}
	return n, nil
}

// account is a customer's lines, or one of them, with what is spent and held.
func (d *Desk) account(ctx context.Context, n *reading, customer string, lines []*book.Line) (*exposure.Account, error) {
	a := &exposure.Account{ID: customer, Zone: d.o.Book.Zone(customer), Purses: map[string]engine.Purse{}}
	for _, l := range lines {
		a.Lines = append(a.Lines, exposure.Line{ID: l.ID(), Settings: l.Effective, Locked: l.Locked() || l.Honeypot(), Forwards: l.Forwards() != account.Forwards{}})
		if a.Tariff == nil {
			deck, calendar := l.Retail()
			a.Tariff, a.Calendar = d.tariff(deck), calendar
		}
		for _, c := range n.calls[customer] {
			if c.Line == l.ID() {
				a.Calls = append(a.Calls, c)
			}
		}
	}
	ids := a.PurseIDs(n.at)
	for len(ids) > 0 {
		some := ids[:min(len(ids), pursesAtOnce)]
		ids = ids[len(some):]
		purses, err := d.o.Money.Purses(ctx, some)
		if err != nil {
			return nil, err
		}
		for _, p := range purses {
			a.Purses[p.ID] = engine.Purse{Spent: p.Spent, Held: p.Held}
		}
	}
	return a, nil
}

const pursesAtOnce = 500

func (d *Desk) question(n *reading, until time.Time) exposure.Question {
	return exposure.Question{From: n.at, Until: until, Ring: d.o.Ring, Nodes: d.o.Nodes, Hot: d.o.Book.Hot(), Memo: n.memo}
}

// Line is what a thief could cost with one line.
func (d *Desk) Line(ctx context.Context, l *book.Line, p Period, with []Change) (*Answer, error) {
	return d.answer(ctx, l.Customer(), []*book.Line{l}, p, with)
}

// Customer is what a thief could cost with all lines of a customer, of which each has a figure too.
func (d *Desk) Customer(ctx context.Context, customer string, p Period, with []Change) (*Answer, error) {
	return d.answer(ctx, customer, d.o.Book.Lines(customer, "", math.MaxInt), p, with)
}

// Answer is a figure, and what settings would change of it.
type Answer struct {
	exposure.Figure
	Zone  *time.Location
	Lines []*book.Line
	With  []Changed
}

func (d *Desk) answer(ctx context.Context, customer string, lines []*book.Line, p Period, with []Change) (*Answer, error) {
	n, err := d.look(ctx)
	if err != nil {
		return nil, err
	}
	a, err := d.account(ctx, n, customer, lines)
	if err != nil {
		return nil, err
	}
	q := d.question(n, p.End(n.at, a.Zone))
	out := &Answer{Figure: q.Of(a), Zone: a.Zone, Lines: lines}
	out.With = changes(&q, a, &out.Figure, with)
	return out, nil
}

// Total is what thieves could cost with every line of every customer.
type Total struct {
	At              time.Time
	Retail, Carrier money.Micro
	Elsewhere       money.Micro
	NoLimit         string // of Carrier
	Customers       []Share
}

// Share is a customer's part of a total.
type Share struct {
	Customer                   string
	Until                      time.Time
	Retail, Elsewhere, Carrier money.Micro
	NoLimit                    string
}

// Each is what a thief could cost with each of several sets of lines, of which each is of one customer. An empty set costs nothing.
func (d *Desk) Each(ctx context.Context, p Period, sets [][]*book.Line) ([]exposure.Figure, error) {
	n, err := d.look(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]exposure.Figure, len(sets))
	for i, lines := range sets {
		if len(lines) == 0 {
			continue
		}
		a, err := d.account(ctx, n, lines[0].Customer(), lines)
		if err != nil {
			return nil, err
		}
		q := d.question(n, p.End(n.at, a.Zone))
		out[i] = q.Of(a)
	}
	return out, nil
}

// Everybody adds up all customers, each until the end of the period by their own clocks.
func (d *Desk) Everybody(ctx context.Context, p Period) (*Total, error) {
	n, err := d.look(ctx)
	if err != nil {
		return nil, err
	}
	t := &Total{At: n.at}
	for _, c := range d.o.Book.Customers("", math.MaxInt) {
		s, err := d.share(ctx, n, c.ID, p)
		if err != nil {
			return nil, err
		}
		t.add(s)
	}
	return t, nil
}

func (d *Desk) share(ctx context.Context, n *reading, customer string, p Period) (Share, error) {
	a, err := d.account(ctx, n, customer, d.o.Book.Lines(customer, "", math.MaxInt))
	if err != nil {
		return Share{}, err
	}
	q := d.question(n, p.End(n.at, a.Zone))
	f := q.Of(a)
	return Share{Customer: customer, Until: q.Until, Retail: f.Retail, Elsewhere: f.Elsewhere, Carrier: f.Carrier, NoLimit: f.NoLimit}, nil
}

func (t *Total) add(s Share) {
	t.Customers = append(t.Customers, s)
	t.Retail, t.Elsewhere, t.Carrier = t.Retail.Add(s.Retail), t.Elsewhere.Add(s.Elsewhere), t.Carrier.Add(s.Carrier)
	if t.NoLimit == "" && s.NoLimit != "" {
		t.NoLimit = "customer " + account.Handle(s.Customer) + ": " + s.NoLimit
	}
}
