// Package privacy hands out everything that is held about a customer and its people, and erases it. What the law or a claim keeps is named, and stays. It must not
// know SQL or protocols.
package privacy

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/habit"
	"ringfence/core/seal"
	"ringfence/flow/book"
	"ringfence/flow/journal"
	"ringfence/state/store"
)

// Options of New.
type Options struct {
	Store    store.Store
	Book     *book.Book
	Provider string
	// Habits are what is known of a line's usual calls; nil or false: nothing.
	Habits func(ctx context.Context, line, customer string, now time.Time) (habit.Summary, bool, error)
	// Readers are the stages that follow the journal: what one of them has still to read is not erased yet.
	Readers func() []journal.Reader
	// Wrote says what is wrong with a file of evidence that Clear is to have written.
	Wrote func(from io.Reader) error
	// Clear copies a file of evidence without what the rows that hide names say.
	Clear  func(to io.Writer, from io.Reader, hide func(*seal.Sealed) bool) (int64, error)
	Folder string        // of archives
	Node   string        // whose folder it is
	Settle time.Duration // facts younger than that wait until every node has read them; 0 is a minute
	Log    *slog.Logger
}

// Privacy is safe for concurrent use, and on several nodes.
type Privacy struct{ o Options }

// New makes it; nothing is read before it is asked.
func New(o Options) *Privacy {
	if o.Settle == 0 {
		o.Settle = time.Minute
	}
	if o.Readers == nil {
		o.Readers = func() []journal.Reader { return nil }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Privacy{o}
}

// ErrNotFound says that there is no such customer.
var ErrNotFound = store.ErrNotFound

// stage is under whose name facts are written.
const stage = "privacy"

// say writes a fact.
func (p *Privacy) say(ctx context.Context, b fact.Body, customer string) error {
	_, err := p.o.Store.Advance(ctx, store.Step{Stage: stage, Facts: []store.Fact{b.Row(time.Now().UTC(), fact.Subject{Account: customer})}})
	return err
}

// lines are those of a customer by identity, also those that are gone.
func (p *Privacy) lines(ctx context.Context, customer string) (ids []string, err error) {
	for _, l := range p.o.Book.Lines(customer, "", maxLines) {
		ids = append(ids, l.ID())
	}
	f := store.FactFilter{Kinds: []string{fact.KindLineDeleted}, Limit: pageSize}
	for {
		gone, err := p.o.Store.Facts(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range gone {
			if gone[i].Account == customer && gone[i].Line != "" && !slices.Contains(ids, gone[i].Line) {
				ids = append(ids, gone[i].Line)
			}
		}
		if len(gone) < f.Limit {
			slices.Sort(ids)
			return ids, nil
		}
		f.After = gone[len(gone)-1].Seq
	}
}

// Sizes of reads.
const (
	maxLines = 1 << 30
	pageSize = 1000
)

// facts streams those about a customer: of none of its lines, and then of one line after the other.
func (p *Privacy) facts(ctx context.Context, customer string, lines []string, yield func(*store.Fact) error) error {
	for _, f := range factFilters(customer, lines) {
		for f.Limit = pageSize; ; {
			all, err := p.o.Store.Facts(ctx, f)
			if err != nil {
				return err
			}
			for i := range all {
				if err := yield(&all[i]); err != nil {
					return err
				}
			}
			if len(all) < f.Limit {
				break
			}
			f.After = all[len(all)-1].Seq
		}
	}
	return nil
}

func factFilters(customer string, lines []string) []store.FactFilter {
	out := []store.FactFilter{{Loose: customer}}
	for _, l := range lines {
		out = append(out, store.FactFilter{Line: l})
	}
	return out
}

// called is a customer by identity.
func (p *Privacy) called(id string) (book.CustomerView, error) {
	v, ok := p.o.Book.Customer(id)
	if !ok {
		return v, fmt.Errorf("customer %s: %w", account.Handle(id), ErrNotFound)
	}
	return v, nil
}
