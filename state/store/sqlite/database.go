package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"ringfence/state/store"
	"ringfence/state/store/sqlstore"
)

// database is the engine as the shared queries see it.
type database struct{ e *Engine }

type querier interface {
	QueryContext(ctx context.Context, sql string, args ...any) (*sql.Rows, error)
}

func query(ctx context.Context, q querier, text string, args []any) (result, error) {
	rows, err := q.QueryContext(ctx, text, cleaned(args)...)
	if err != nil {
		return result{}, constraint(err)
	}
	return result{rows}, nil
}

// result names failed constraints, which a RETURNING may show only while it is read.
type result struct{ *sql.Rows }

// read is a result that has a reader's place until it is closed.
type read struct {
	result
	once *sync.Once
	end  func()
}

func (r read) Close() error {
	defer r.once.Do(r.end)
	return r.Rows.Close()
}

func (r result) Err() error { return constraint(r.Rows.Err()) }

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
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return fmt.Errorf("%w: %w", sqlstore.ErrUnique, err)
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return fmt.Errorf("%w: %w", sqlstore.ErrForeign, err)
	}
	return err
}

func (d *database) Query(ctx context.Context, text string, args ...any) (sqlstore.Rows, error) {
	if err := d.e.reading.begin(ctx); err != nil {
		return nil, err
	}
	rows, err := query(ctx, d.e.readers, text, args)
	if err != nil {
		d.e.reading.end()
		return nil, err
	}
	return read{rows, &sync.Once{}, d.e.reading.end}, nil
}

func (d *database) Snapshot(ctx context.Context, f func(sqlstore.Querier) error) error {
	if err := d.e.reading.begin(ctx); err != nil {
		return err
	}
	defer d.e.reading.end()
	c, err := d.e.readers.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.ExecContext(ctx, "BEGIN DEFERRED"); err != nil {
		return err
	}
	err = f(snapshot{c})
	_, end := c.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	return errors.Join(err, end)
}

type snapshot struct{ c *sql.Conn }

func (s snapshot) Query(ctx context.Context, text string, args ...any) (sqlstore.Rows, error) {
	return query(ctx, s.c, text, args)
}

// Clock is this machine's: one process owns the file.
func (d *database) Clock(context.Context, sqlstore.Querier) (time.Time, error) {
	return time.Now(), nil
}

// SkipLocked is nothing: transactions that write follow one another.
func (d *database) SkipLocked() string { return "" }

func (d *database) Write(ctx context.Context, f func(sqlstore.Tx) error) error {
	err := d.e.w.with(ctx, func(c *sql.Conn) error {
		return inTransaction(c, func() error { return f(transaction{c}) })
	})
	if err == nil {
		d.e.fold.look()
	}
	return err
}

// inTransaction runs f between BEGIN and COMMIT on the writer. Once begun it is not interrupted: it lasts milliseconds.
func inTransaction(c *sql.Conn, f func() error) error {
	ctx := context.Background()
	if _, err := c.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := f()
	if err == nil {
		if _, err = c.ExecContext(ctx, "COMMIT"); err == nil {
			return nil
		}
	}
	// SQLite has rolled back by itself after some failures (full disk); then there is nothing to roll back.
	if _, e := c.ExecContext(ctx, "ROLLBACK"); e != nil && !errors.As(e, new(*sqlite.Error)) {
		err = errors.Join(err, e)
	}
	return err
}

// transaction runs statements on the writer between BEGIN and COMMIT.
type transaction struct{ c *sql.Conn }

func (t transaction) Query(ctx context.Context, text string, args ...any) (sqlstore.Rows, error) {
	return query(context.WithoutCancel(ctx), t.c, text, args)
}

func (t transaction) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	r, err := t.c.ExecContext(context.WithoutCancel(ctx), text, cleaned(args)...)
	if err != nil {
		return 0, constraint(err)
	}
	return r.RowsAffected()
}

func (t transaction) ExecMany(ctx context.Context, text string, n int, args func(i int) []any) (int64, error) {
	if n == 0 {
		return 0, nil
	}
	ctx = context.WithoutCancel(ctx)
	st, err := t.c.PrepareContext(ctx, text)
	if err != nil {
		return 0, err
	}
	defer st.Close()
	sum := int64(0)
	for i := range n {
		r, err := st.ExecContext(ctx, cleaned(args(i))...)
		if err != nil {
			return sum, &sqlstore.RowError{Row: i, Err: constraint(err)}
		}
		rows, err := r.RowsAffected()
		if err != nil {
			return sum, err
		}
		sum += rows
	}
	return sum, nil
}

func (t transaction) Append(ctx context.Context, facts []store.Fact) (wrote int64, err error) {
	if len(facts) == 0 {
		return 0, nil
	}
	ctx = context.WithoutCancel(ctx)
	st, err := t.c.PrepareContext(ctx, insertFact)
	if err != nil {
		return 0, err
	}
	defer st.Close()
	var s sealed
	for i := range facts {
		values, leaf := s.Row(&facts[i])
		r, err := st.ExecContext(ctx, values...)
		if err != nil {
			return wrote, &sqlstore.RowError{Row: i, Err: constraint(err)}
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			if err != nil {
				return wrote, err
			}
			continue
		}
		seq, err := r.LastInsertId()
		if err != nil {
			return wrote, err
		}
		wrote++
		s.add(seq, leaf)
	}
	if s.first == 0 {
		return wrote, nil
	}
	_, err = t.Exec(ctx, insertLeaves, s.first, tree, s.packed(), s.hashes)
	return wrote, err
}
