package billing

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"ringfence/flow/keep"
	"ringfence/state/store"
)

// Who is at a month's bills says so in the store, so that one node makes them, and another goes on when that one has died.
const (
	lease      = 2 * time.Minute
	look       = time.Minute
	remindEach = time.Hour
	nextZone   = time.Hour      // until the customers of a zone further west are looked at
	lastZone   = 12 * time.Hour // after the month has begun in UTC it has begun everywhere
	ByItself   = "auto"         // who made a bill that nobody asked for
	monthForm  = "2006-01"
)

// turn is what the store has of the monthly run.
type turn struct {
	Done  string    `json:"done,omitempty"` // the last month that is billed: "2026-11"
	By    string    `json:"by,omitempty"`   // the node that is at it
	Until time.Time `json:"until,omitzero"` // nobody else is, nor looks, before that
}

func (t *turn) text() string {
	b, err := json.Marshal(t)
	if err != nil {
		return "" // a year beyond 9999
	}
	return string(b)
}

// Follow makes each month's bills by itself, on the day that the options name, and sends the reminders that are due, until ctx ends.
func (b *Billing) Follow(ctx context.Context) {
	outage := keep.Outage{Log: b.o.Log, Failed: "bills cannot be made; they wait", Again: "bills are made again"}
	reminded := time.Time{}
	keep.Every(ctx, look, func(time.Time) {
		now, err := b.o.Store.Clock(ctx)
		if err == nil {
			_, err = b.Month(ctx, now)
		}
		if err == nil && !now.Before(reminded.Add(remindEach)) {
			if _, err = b.Remind(ctx, now); err == nil {
				reminded = now
			}
		}
		if ctx.Err() == nil {
			outage.Note(err)
		}
	})
}

// due is the month that ought to be billed by now: the one before that of the provider's clock, once the day has come.
func (b *Billing) due(now time.Time) (month string, everywhere bool) {
	here := now.In(b.o.Book.Zone(""))
	begun := time.Date(here.Year(), here.Month(), b.o.Day, 0, 0, 0, 0, here.Location())
	if here.Before(begun) {
		begun = begun.AddDate(0, -1, 0)
	}
	utc := time.Date(begun.Year(), begun.Month(), 1, 0, 0, 0, 0, time.UTC)
	return utc.AddDate(0, -1, 0).Format(monthForm), !now.Before(utc.Add(lastZone))
}

// Month bills the last month, if its day has come and nobody else is at it. The month is done when it is over in the zone of every customer.
func (b *Billing) Month(ctx context.Context, now time.Time) (r Report, err error) {
	if b.o.Day == 0 {
		return r, nil
	}
	marks, err := b.o.Store.Marks(ctx)
	if err != nil {
		return r, err
	}
	t, was := turn{}, marks[store.MarkBillRun].Value
	if was != "" {
		if err := json.Unmarshal([]byte(was), &t); err != nil {
			return r, err
		}
	}
	month, everywhere := b.due(now)
	if t.Done >= month || now.Before(t.Until) {
		return r, nil
	}
	put := func(next turn) error {
		text := next.text()
		err := b.o.Store.PutMark(ctx, store.Mark{Name: store.MarkBillRun, Value: text}, was)
		if err == nil {
			was = text
		}
		return err
	}
	begun := time.Now()
	mine := turn{Done: t.Done, By: b.o.Node, Until: now.Add(lease)}
	if err := put(mine); errors.Is(err, store.ErrMoved) {
		return r, nil // another node is at it
	} else if err != nil {
		return r, err
	}
	r, err = b.Run(ctx, Run{By: ByItself, held: func() error {
		at := now.Add(time.Since(begun))
		if mine.Until.Sub(at) > lease/2 {
			return nil
		}
		mine.Until = at.Add(lease)
		return put(mine)
	}}, now)
	if err != nil {
		return r, err
	}
	end := turn{Done: month}
	if !everywhere {
		end = turn{Done: t.Done, Until: now.Add(nextZone)}
	}
	if r.Bills > 0 {
		b.o.Log.Info("the bills of a month were made", "month", month, "bills", r.Bills, "calls", r.Calls, "seconds", time.Since(begun).Seconds())
	}
	return r, put(end)
}
