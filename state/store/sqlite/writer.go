package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// writer is the one connection that writes. The holder of turn owns every field. The connection is opened when it is
// needed and again after an I/O error, so that the engine recovers by itself.
type writer struct {
	dsn    string
	files  *files
	turn   chan struct{} // holds one token while the writer is free
	db     *sql.DB
	conn   *sql.Conn
	hot    *hot // prepared on conn
	closed bool
	// careful: the last group had refusals, so the next one is read before it is judged.
	careful bool
}

func newWriter(dsn string, f *files) *writer {
	w := &writer{dsn: dsn, files: f, turn: make(chan struct{}, 1)}
	w.turn <- struct{}{}
	return w
}

var errClosed = errors.New("the store is closed")

// with runs f with the connection, alone.
func (w *writer) with(ctx context.Context, f func(*sql.Conn) error) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.turn:
	}
	defer func() { w.turn <- struct{}{} }()
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.closed {
		return errClosed
	}
	if err := w.files.same(); err != nil {
		return err
	}
	if w.conn == nil {
		if err := w.connect(); err != nil {
			return fmt.Errorf("opening the store for writing: %w", err)
		}
	}
	err := f(w.conn)
	if broken(err) {
		err = errors.Join(err, w.disconnect())
	}
	return err
}

func (w *writer) connect() error {
	db, err := sql.Open("sqlite", w.dsn)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	c, err := db.Conn(context.Background())
	if err != nil {
		return errors.Join(err, db.Close())
	}
	w.db, w.conn = db, c
	return nil
}

func (w *writer) disconnect() error {
	if w.conn == nil {
		return nil
	}
	err := w.conn.Raw(func(any) error { return w.hot.close() })
	err = errors.Join(err, w.conn.Close(), w.db.Close())
	w.conn, w.db, w.hot = nil, nil, nil
	return err
}

func (w *writer) close() error {
	<-w.turn
	defer func() { w.turn <- struct{}{} }()
	w.closed = true
	return w.disconnect()
}

// broken says whether to open the connection again: after errors of the file itself SQLite's own state cannot be trusted.
func broken(err error) bool {
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		return true
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_ERROR:
		return true
	}
	return false
}
