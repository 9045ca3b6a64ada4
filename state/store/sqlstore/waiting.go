package sqlstore

import (
	"context"
	"fmt"

	"ringfence/core/account"
	"ringfence/state/store"
)

var waitings = table[store.Waiting]{
	"waiting", "waiting changes", 1,
	"code, customer, line, actor, words, body, made, due, hurried",
	func(w *store.Waiting) []any {
		return []any{&w.Code, &w.Customer, &w.Line, &w.By, &w.Text, &w.Body, &w.Made, &w.Due, &w.Hurried}
	},
}

// Waitings reads those of a customer, or all.
func (s *Queries) Waitings(ctx context.Context, customer string) ([]store.Waiting, error) {
	return waitings.all(ctx, s.db, " WHERE customer = $1 OR $1 = '' ORDER BY due, code", customer)
}

// PutWaiting adds one.
func (s *Queries) PutWaiting(ctx context.Context, w store.Waiting, facts ...store.Fact) error {
	return waitings.put(ctx, s, "change "+w.Code, w, true, facts)
}

// HurryWaiting records the first who wants one early.
func (s *Queries) HurryWaiting(ctx context.Context, code, by string, facts ...store.Fact) error {
	return s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, "UPDATE waiting SET hurried = $2 WHERE code = $1 AND hurried = ''", code, by)
		if err == nil && n == 0 {
			err = fmt.Errorf("change %s: %w", code, store.ErrInUse)
		}
		if err != nil {
			return err
		}
		return note(ctx, tx, facts)
	})
}

// DropWaiting takes one away.
func (s *Queries) DropWaiting(ctx context.Context, code string, facts ...store.Fact) error {
	return s.put(ctx, "change "+code, facts, waitings.remove(), code)
}

// MakeWaiting takes one away and writes what it changed.
func (s *Queries) MakeWaiting(ctx context.Context, code string, l *account.Line, c *account.Customer, facts ...store.Fact) error {
	return s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, waitings.remove(), code)
		if err := one(n, err, "change "+code); err != nil {
			return err
		}
		if l != nil {
			if err := overwrite(ctx, tx, lines, *l, "line "+account.Handle(l.ID)); err != nil {
				return err
			}
		}
		if c != nil {
			if err := overwrite(ctx, tx, customers, *c, "customer "+account.Handle(c.ID)); err != nil {
				return err
			}
		}
		return note(ctx, tx, facts)
	})
}

func overwrite[T any](ctx context.Context, tx Tx, t table[T], x T, what string) error {
	row, err := t.values(x)
	if err != nil {
		return err
	}
	n, err := tx.Exec(ctx, t.update(), row...)
	return one(n, err, what)
}
