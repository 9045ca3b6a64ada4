// Package sqlstore holds the queries of the store, written once for SQLite and PostgreSQL, and the check of a group
// of money operations. It must not know drivers: an engine gives it a DB and says which errors are constraints.
package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ringfence/state/store"
)

// What engines report of a failed constraint; queries turn them into the errors of the contract.
var (
	ErrUnique  = errors.New("unique constraint")
	ErrForeign = errors.New("foreign key constraint")
)

// Rows is a result being read. Scan takes *int64, *string and *[]byte.
type Rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close() error
}

// Querier reads. Arguments are int64, string and []byte (nil is NULL).
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (Rows, error)
}

// Tx is a read-write transaction.
type Tx interface {
	Querier
	Exec(ctx context.Context, sql string, args ...any) (rows int64, err error)
	// ExecMany runs one statement n times. A failure is a *RowError when it is known which row failed.
	ExecMany(ctx context.Context, sql string, n int, args func(i int) []any) (rows int64, err error)
	// Append writes facts at the end of the journal, in an order in which followers never miss one.
	Append(ctx context.Context, facts []store.Fact) (wrote int64, err error) // fewer than facts where keys are there
}

// DB is an engine as the queries see it: two implementations, over SQLite and over PostgreSQL.
type DB interface {
	Querier
	// Snapshot gives f a consistent view.
	Snapshot(ctx context.Context, f func(Querier) error) error
	// Clock is the engine's own clock, read by q.
	Clock(ctx context.Context, q Querier) (time.Time, error)
	// SkipLocked ends a SELECT, within Write, of rows that the first to lock them gets. It is "" where only one writes at a time.
	SkipLocked() string
	// Write runs f in one transaction, once or again from the start if the engine asks for that.
	Write(ctx context.Context, f func(Tx) error) error
}

// RowError says which of the rows of ExecMany failed.
type RowError struct {
	Row int
	Err error
}

// Error names the row from 0.
func (e *RowError) Error() string { return fmt.Sprintf("row %d: %v", e.Row, e.Err) }

// Unwrap gives the row's own error.
func (e *RowError) Unwrap() error { return e.Err }

// Queries is every method of store.Store but Apply, Ping and Close.
type Queries struct{ db DB }

// New makes the queries over an engine.
func New(db DB) *Queries { return &Queries{db: db} }

// each reads all rows of a query.
func each(ctx context.Context, q Querier, sql string, args []any, row func(Rows) error) (err error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// list reads all rows of a query into a slice.
func list[T any](ctx context.Context, q Querier, sql string, args []any, scan func(Rows) (T, error)) (out []T, err error) {
	err = each(ctx, q, sql, args, func(r Rows) error {
		x, err := scan(r)
		out = append(out, x)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Returned runs a statement and gives the integer of the row that it returns, or 0 when there is none.
func Returned(ctx context.Context, q Querier, sql string, args ...any) (n int64, err error) {
	err = each(ctx, q, sql, args, func(r Rows) error { return r.Scan(&n) })
	return n, err
}

// there says whether a query has a row.
func there(ctx context.Context, q Querier, sql string, args ...any) (is bool, err error) {
	err = each(ctx, q, sql, args, func(Rows) error {
		is = true
		return nil
	})
	return is, err
}

// chunked reads what has one of many ids, some hundred at a time; marks are their placeholders.
func chunked[T any](ids []T, read func(marks string, args []any) error) error {
	for part := range slices.Chunk(ids, 500) {
		args := make([]any, len(part))
		for i, id := range part {
			args[i] = id
		}
		if err := read(numbered(len(part)), args); err != nil {
			return err
		}
	}
	return nil
}

// about says what failed, if anything did.
func about(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// translate gives the contract's name to a failed constraint.
func translate(err error, what string) error {
	switch {
	case errors.Is(err, ErrUnique):
		return fmt.Errorf("%s: %w", what, store.ErrExists)
	case errors.Is(err, ErrForeign):
		return fmt.Errorf("%s: what it belongs to: %w", what, store.ErrNotFound)
	}
	return err
}

// one wants a write to have changed a row.
func one(rows int64, err error, what string) error {
	if err != nil {
		return translate(err, what)
	}
	if rows == 0 {
		return fmt.Errorf("%s: %w", what, store.ErrNotFound)
	}
	return nil
}
