package book

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"ringfence/core/fact"
	"ringfence/flow/journal"
	"ringfence/state/store"
)

// followEvery is how soon a node hears of what another changed in the book.
const followEvery = time.Second

// kinds are what the book writes.
var kinds = slices.DeleteFunc(slices.Clone(fact.Kinds[:]), func(kind string) bool { return !fact.OfBook(kind) })

// Follower puts in force what the journal says was changed in the book, by whatever node: several nodes share a PostgreSQL. A change of our
// own is read again too, which does no harm; so begin may give any fact before which everything is read already. then is called for each fact after it is in force.
func (b *Book) Follower(read func(context.Context, store.FactFilter) ([]store.Fact, error), begin func(context.Context) (int64, error),
	then func(*store.Fact), log *slog.Logger,
) *journal.Follower {
	take := func(ctx context.Context, at int64, facts []store.Fact, _ bool) (int64, error) {
		if len(facts) == 0 {
			return at, nil
		}
		if err := b.Follow(ctx, facts); err != nil {
			return at, err
		}
		for i := range facts {
			then(&facts[i])
		}
		return facts[len(facts)-1].Seq, nil
	}
	return &journal.Follower{Name: "book", Every: followEvery, Kinds: kinds, Read: read, Begin: begin, Take: take, Log: log}
}
