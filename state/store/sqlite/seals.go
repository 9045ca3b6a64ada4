package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"ringfence/state/store"
	"ringfence/state/store/sqlstore"
)

// A file has one tree, which one process writes, so its leaves have the order of their seqs. They need no index by place, whose upkeep was the dearest part
// of sealing a call: these two queries go by seq instead of those of sqlstore.

// leafPlace is the place of the next leaf.
const leafPlace = "COALESCE((SELECT first + length(hashes) / 32 FROM seal_leaf ORDER BY seq DESC LIMIT 1), 0)"

// Trees counts the leaves of the one tree.
func (e *Engine) Trees(ctx context.Context) (map[string]int64, error) {
	size, err := e.number(ctx, "SELECT "+leafPlace)
	if size == 0 {
		return map[string]int64{}, err
	}
	return map[string]int64{tree: size}, err
}

// errPast ends a stream of leaves.
var errPast = errors.New("past the last leaf that was asked for")

// Leaves streams those of the tree from a place on and before another one, in whole transactions.
func (e *Engine) Leaves(ctx context.Context, name string, from, until int64, yield func(store.Leaves) error) error {
	if name != tree {
		return nil
	}
	seq, err := e.leafAfter(ctx, from)
	if err != nil {
		return err
	}
	const where = "WHERE seq >= COALESCE((SELECT max(seq) FROM seal_leaf WHERE seq < $1), 0) ORDER BY seq"
	err = sqlstore.ReadLeaves(ctx, &database{e}, where, []any{seq}, func(l store.Leaves) error {
		if l.First >= until {
			return errPast
		}
		return yield(l)
	})
	if errors.Is(err, errPast) {
		return nil
	}
	return err
}

// leafAfter finds, by halves, a seq that separates the leaves up to a place from the later ones.
func (e *Engine) leafAfter(ctx context.Context, place int64) (int64, error) {
	last, err := e.number(ctx, "SELECT COALESCE(max(seq), 0) FROM seal_leaf")
	if err != nil {
		return 0, err
	}
	seq := sort.Search(int(last)+1, func(seq int) bool {
		first, failed := e.number(ctx, "SELECT COALESCE((SELECT first FROM seal_leaf WHERE seq >= $1 ORDER BY seq LIMIT 1), $2)", int64(seq), place+1)
		err = errors.Join(err, failed)
		return first > place
	})
	return int64(seq), err
}

// number reads one number.
func (e *Engine) number(ctx context.Context, query string, args ...any) (n int64, err error) {
	rows, err := (&database{e}).Query(ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("reading leaves: %w", err)
	}
	for rows.Next() {
		err = errors.Join(err, rows.Scan(&n))
	}
	return n, errors.Join(err, rows.Err(), rows.Close())
}
