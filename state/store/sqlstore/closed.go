package sqlstore

import (
	"context"

	"ringfence/core/account"
	"ringfence/core/restrict"
	"ringfence/state/store"
)

// everybody is the one row of what is said of every line.
type everybody struct {
	one      int64
	settings account.Settings
}

var everybodies = table[everybody]{
	"everybody", "settings of everybody", 1,
	"one, settings",
	func(e *everybody) []any { return []any{&e.one, (*settings)(&e.settings)} },
}

var hotNumbers = table[restrict.Listed]{
	"hot_number", "hot lists", 2,
	"list, prefix, way, until, made, made_by, why",
	func(l *restrict.Listed) []any {
		return []any{&l.List, (*numbers)(&l.Range), (*string)(&l.Way), &l.Until, &l.Made, &l.By, &l.Why}
	},
}

// Everybody reads what is said of every line.
func (s *Queries) Everybody(ctx context.Context) (account.Settings, error) {
	all, err := everybodies.all(ctx, s.db, "")
	if err != nil || len(all) == 0 {
		return account.Settings{}, err
	}
	return all[0].settings, nil
}

// PutEverybody replaces what is said of every line.
func (s *Queries) PutEverybody(ctx context.Context, said account.Settings, facts ...store.Fact) error {
	return s.db.Write(ctx, func(tx Tx) error {
		if err := everybodies.save(ctx, tx, everybodies.upsert(), []everybody{{1, said}}, nil); err != nil {
			return err
		}
		return note(ctx, tx, facts)
	})
}

// HotNumbers streams hot lists by number and list.
func (s *Queries) HotNumbers(ctx context.Context, yield func(restrict.Listed) error) error {
	return hotNumbers.stream(ctx, s.db, " ORDER BY prefix, list", nil, yield)
}

// SaveHotNumbers first drops, then puts entries of hot lists.
func (s *Queries) SaveHotNumbers(ctx context.Context, put, drop []restrict.Listed, facts ...store.Fact) error {
	return about("saving hot lists", s.db.Write(ctx, func(tx Tx) error {
		if err := hotNumbers.save(ctx, tx, hotNumbers.upsert(), put, drop); err != nil {
			return err
		}
		return note(ctx, tx, facts)
	}))
}
