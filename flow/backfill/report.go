package backfill

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ringfence/core/account"
	"ringfence/core/carrier"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/state/store"
)

// Report is what booking a file did, or would do. A row of the file is counted once.
type Report struct {
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

// OpenGap is the time whose records are lost, and its mark as it stands.
func OpenGap(ctx context.Context, s store.Store) (gap store.Gap, mark string, err error) {
	marks, err := s.Marks(ctx)
	if err != nil {
		return gap, "", err
	}
	gap, open := store.ReadGap(marks)
	switch {
	case !open:
		return gap, "", errors.New("no records are lost: there is nothing to book")
	case gap.From.IsZero() || gap.Until.IsZero():
		return gap, "", errors.New("it is not known from when to when records are lost, so they cannot be booked: compare them by hand, then say: ringfence restore --accept-gap")
	}
	return gap, marks[store.MarkGap].Value, nil
}

// Report says what is to be booked of a file. An error says that the file fills no gap.
func (p *Plan) Report(file *carrier.File, name string) (Report, error) {
	out := Report{
		Open: true, File: name, From: p.o.Gap.From, Until: p.o.Gap.Until, Columns: file.Columns, Booked: p.Booked, Known: p.Known, Same: p.Same,
		Unanswered: file.Unanswered, Outside: p.Outside, Left: file.FaultCount + len(p.Left), Why: whyOf(file, p),
		Retail: money.Billing().Amount(p.Retail), Cost: money.Billing().Amount(p.Cost),
	}
	if p.o.Trunk != nil {
		out.Trunk = account.Handle(p.o.Trunk.Name)
	}
	if p.Booked+p.Known == 0 {
		return out, out.useless()
	}
	return out, nil
}

// whyOf names rows that cannot be booked.
func whyOf(file *carrier.File, p *Plan) (all []string) {
	for _, f := range file.Faults {
		all = append(all, f.String())
	}
	for _, l := range p.Left {
		all = append(all, fmt.Sprintf("line %d: %s", l.Line, l.Why))
	}
	return all[:min(len(all), maxWhy)]
}

// useless says that a file fills no gap.
func (b *Report) useless() error {
	text := fmt.Sprintf("%s has no call from %s to %s that can be booked (%d outside that time, %d unanswered, %d that cannot be read, attributed or priced)",
		b.File, stamp(b.From), stamp(b.Until), b.Outside, b.Unanswered, b.Left)
	for _, why := range b.Why {
		text += "\n  " + why
	}
	return errors.New(text + "\nIf nothing was carried then, say: ringfence restore --accept-gap")
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// Book books what the plan says, and ends the gap unless another file follows. mark is the gap's mark as OpenGap read it.
func (b *Report) Book(ctx context.Context, p *Plan, mark, actor string, more bool) error {
	if err := p.Book(ctx); err != nil {
		return err
	}
	b.Done, b.Open = true, more
	next := store.Mark{Name: store.MarkGap}
	if more {
		next.Value = mark
	}
	f := fact.StoreGapBooked{
		By: actor, From: b.From, Until: b.Until, File: p.o.File, Trunk: b.Trunk, Booked: int64(b.Booked), InBooks: int64(b.Known), LeftRows: int64(b.Left),
		Outside: int64(b.Outside), Unanswered: int64(b.Unanswered), Retail: p.Retail, Cost: p.Cost, MoreFiles: more,
	}
	return p.o.Store.PutMark(ctx, next, mark, f.Row(time.Now().UTC(), fact.Subject{}))
}
