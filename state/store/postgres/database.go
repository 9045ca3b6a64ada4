package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"ringfence/state/store"
	"ringfence/state/store/sqlstore"
)

// database is the engine as the shared queries see it.
type database struct{ e *Engine }

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// reader reads from the pool or within a transaction.
type reader struct{ q querier }

func (r reader) Query(ctx context.Context, text string, args ...any) (sqlstore.Rows, error) {
	rows, err := r.q.Query(ctx, text, cleaned(args)...)
	if err != nil {
		return nil, constraint(err)
	}
	return result{rows}, nil
}

// result names failed constraints, which pgx shows when rows are read.
type result struct{ pgx.Rows }

func (r result) Err() error { return constraint(r.Rows.Err()) }

func (r result) Close() error {
	r.Rows.Close()
	return nil
}

func cleaned(args []any) []any {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = store.Clean(s)
		}
	}
	return args
}

// constraint names failed constraints for sqlstore.
func constraint(err error) error {
	switch code(err) {
	case "23505":
		return fmt.Errorf("%w: %w", sqlstore.ErrUnique, err)
	case "23503":
		return fmt.Errorf("%w: %w", sqlstore.ErrForeign, err)
	}
	return err
}

// code is the SQLSTATE of an error, "" where the server gave none.
func code(err error) string {
	if e := (*pgconn.PgError)(nil); errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// transient says that the server ended a transaction in favour of another: serialization failure, deadlock.
func transient(err error) bool {
	return code(err) == "40001" || code(err) == "40P01"
}

func (d *database) Query(ctx context.Context, text string, args ...any) (sqlstore.Rows, error) {
	return reader{d.e.pool}.Query(ctx, text, args...)
}

func (d *database) Snapshot(ctx context.Context, f func(sqlstore.Querier) error) error {
	o := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, d.e.pool, o, func(tx pgx.Tx) error { return f(reader{tx}) })
}

const readClock = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

// Clock is the server's.
func (d *database) Clock(ctx context.Context, q sqlstore.Querier) (time.Time, error) {
	us, err := sqlstore.Returned(ctx, q, readClock)
	return time.UnixMicro(us).UTC(), err
}

// SkipLocked leaves rows that another node is taking to it.
func (d *database) SkipLocked() string { return " FOR UPDATE SKIP LOCKED" }

func (d *database) Write(ctx context.Context, f func(sqlstore.Tx) error) error {
	return inTransaction(ctx, d.e.pool, func(tx pgx.Tx) error { return f(transaction{reader{tx}, tx, d.e.tree()}) })
}

type transaction struct {
	reader
	tx   pgx.Tx
	tree string
}

func (t transaction) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	tag, err := t.tx.Exec(ctx, text, cleaned(args)...)
	return tag.RowsAffected(), constraint(err)
}

// batch limits how many statements are in flight.
const batch = 2000

func (t transaction) ExecMany(ctx context.Context, text string, n int, args func(i int) []any) (int64, error) {
	sum := int64(0)
	for from := 0; from < n; from += batch {
		b := &pgx.Batch{}
		for i := from; i < min(from+batch, n); i++ {
			b.Queue(text, cleaned(args(i))...)
		}
		r := t.tx.SendBatch(ctx, b)
		for i := range b.Len() {
			tag, err := r.Exec()
			if err != nil {
				return sum, errors.Join(&sqlstore.RowError{Row: from + i, Err: constraint(err)}, r.Close())
			}
			sum += tag.RowsAffected()
		}
		if err := r.Close(); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// lockJournal is held from the giving of a seq to the commit, so that facts become visible in the order of seq and a
// follower that has seen one never misses an earlier one.
const lockJournal = "SELECT pg_advisory_xact_lock('fact'::regclass::oid::bigint)"

func (t transaction) Append(ctx context.Context, facts []store.Fact) (wrote int64, err error) {
	if len(facts) == 0 {
		return 0, nil
	}
	if _, err := t.tx.Exec(ctx, lockJournal); err != nil {
		return 0, err
	}
	sql, args := sealed(t.tree, facts)
	tag, err := t.tx.Exec(ctx, sql, args...)
	return tag.RowsAffected(), err
}
