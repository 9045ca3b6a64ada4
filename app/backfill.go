package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"ringfence/app/config"
	"ringfence/core/account"
	"ringfence/core/carrier"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/rating"
	"ringfence/flow/backfill"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// CarrierRecords are a carrier's records of the time that a restored store has forgotten.
type CarrierRecords struct {
	File  string
	Trunk string   // whose they are; "" is not said
	Map   []string // columns named by hand
	Dates string   // "dmy", "mdy" or "": the file shows it
	Zone  string   // of times without one; "" is the provider's
	By    string   // who books them
	Yes   bool     // book them; else only say what would be booked
	More  bool     // another file follows: the gap stays open
}

// Backfilled is what BookRecords did, or would do. A row of the file is counted once.
type Backfilled struct {
	Done       bool      `json:"done"`
	Open       bool      `json:"open"` // paid calls are still refused
	File       string    `json:"file"`
	Trunk      string    `json:"trunk,omitempty"`
	From       time.Time `json:"from"` // the gap
	Until      time.Time `json:"until"`
	Columns    []string  `json:"columns"`
	Booked     int       `json:"booked"`
	Known      int       `json:"known"`      // in the books before
	Same       int       `json:"same"`       // twice in the file
	Unanswered int       `json:"unanswered"` // without talk time
	Outside    int       `json:"outside"`    // began before or after the gap
	Left       int       `json:"left"`       // cannot be read, attributed or priced
	Why        []string  `json:"why"`        // of the first of those, by line
	Retail     string    `json:"retail"`
	Cost       string    `json:"cost"`
}

// maxWhy bounds the rows that are named.
const maxWhy = 50

// BookRecords books a carrier's records of the gap, and then has paid calls taken again. It can be repeated: what is in the books is not booked again.
func BookRecords(ctx context.Context, cfg config.Config, o CarrierRecords) (out Backfilled, err error) {
	file, err := readRecords(&cfg, &o)
	if err != nil {
		return out, err
	}
	s, err := beside(ctx, &cfg)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	marks, err := s.Marks(ctx)
	if err != nil {
		return out, err
	}
	gap, open := store.ReadGap(marks)
	switch {
	case !open:
		return out, errors.New("no records are lost: there is nothing to book")
	case gap.From.IsZero() || gap.Until.IsZero():
		return out, errors.New("it is not known from when to when records are lost, so they cannot be booked: compare them by hand, then say: ringfence restore --accept-gap")
	}
	plan, trunk, err := planOf(ctx, &cfg, s, gap, &o, file.Rows)
	if err != nil {
		return out, err
	}
	out = Backfilled{
		Open: true, File: o.File, Trunk: trunk, From: gap.From, Until: gap.Until, Columns: file.Columns, Booked: plan.Booked, Known: plan.Known, Same: plan.Same,
		Unanswered: file.Unanswered, Outside: plan.Outside, Left: file.FaultCount + len(plan.Left), Why: whyOf(file, plan),
		Retail: money.Billing().Amount(plan.Retail), Cost: money.Billing().Amount(plan.Cost),
	}
	if plan.Booked+plan.Known == 0 {
		return out, out.useless()
	}
	if !o.Yes {
		return out, nil
	}
	if err := plan.Book(ctx); err != nil {
		return out, err
	}
	out.Done, out.Open = true, o.More
	return out, out.close(ctx, s, marks[store.MarkGap].Value, o.By, plan)
}

// readRecords reads the file.
func readRecords(cfg *config.Config, o *CarrierRecords) (*carrier.File, error) {
	currency, err := money.CurrencyOf(cfg.Provider.Currency)
	if err != nil {
		return nil, err
	}
	money.SetBilling(currency)
	name := o.Zone
	if name == "" {
		name = cfg.Provider.Zone
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("the time zone %q: %w", name, err)
	}
	f, err := os.Open(o.File)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, carrier.MaxBytes+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	file, err := carrier.Read(data, carrier.Options{Zone: zone, Dates: rating.DateOrder(o.Dates), Map: o.Map})
	var unread *carrier.Unread
	switch {
	case errors.As(err, &unread) && unread.Question != nil:
		return nil, fmt.Errorf("%s: %w\nSay which: --dates dmy (the day first) or --dates mdy", o.File, err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", o.File, err)
	}
	return file, nil
}

// planOf judges the rows by the book of the store.
func planOf(ctx context.Context, cfg *config.Config, s store.Store, gap store.Gap, o *CarrierRecords, rows []carrier.Record) (p *backfill.Plan, trunk string, err error) {
	options, err := bookOptions(cfg)
	if err != nil {
		return nil, "", err
	}
	if options.Box, err = presentKeys(cfg); err != nil {
		return nil, "", err
	}
	b, err := book.Open(ctx, s, options)
	if err != nil {
		return nil, "", err
	}
	to := backfill.Options{Book: b, Store: s, Gap: gap, File: filepath.Base(o.File)}
	if o.Trunk != "" {
		t, ok := b.TrunkCalled(o.Trunk)
		if !ok {
			return nil, "", fmt.Errorf("there is no trunk %q: ringfence trunk list", o.Trunk)
		}
		to.Trunk, trunk = t, account.Handle(t.Name)
	}
	p, err = backfill.Judge(ctx, to, rows)
	return p, trunk, err
}

// whyOf names rows that cannot be booked.
func whyOf(file *carrier.File, p *backfill.Plan) (all []string) {
	for _, f := range file.Faults {
		all = append(all, f.String())
	}
	for _, l := range p.Left {
		all = append(all, fmt.Sprintf("line %d: %s", l.Line, l.Why))
	}
	return all[:min(len(all), maxWhy)]
}

// useless says that a file fills no gap.
func (b *Backfilled) useless() error {
	text := fmt.Sprintf("%s has no call from %s to %s that can be booked (%d outside that time, %d unanswered, %d that cannot be read, attributed or priced)",
		b.File, stamp(b.From), stamp(b.Until), b.Outside, b.Unanswered, b.Left)
	for _, why := range b.Why {
		text += "\n  " + why
	}
	return errors.New(text + "\nIf nothing was carried then, say: ringfence restore --accept-gap")
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// close ends the gap, unless another file follows, and journals what was booked.
func (b *Backfilled) close(ctx context.Context, s store.Store, was, by string, p *backfill.Plan) error {
	mark := store.Mark{Name: store.MarkGap}
	if b.Open {
		mark.Value = was
	}
	f := fact.StoreGapBooked{
		By: by, From: b.From, Until: b.Until, File: filepath.Base(b.File), Trunk: b.Trunk, Booked: int64(b.Booked), InBooks: int64(b.Known), LeftRows: int64(b.Left),
		Outside: int64(b.Outside), Unanswered: int64(b.Unanswered), Retail: p.Retail, Cost: p.Cost, MoreFiles: b.Open,
	}
	return s.PutMark(ctx, mark, was, f.Row(time.Now().UTC(), fact.Subject{}))
}
