package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"ringfence/core/seal"
	"ringfence/state/store"
	"ringfence/state/store/sqlstore"
)

// Statements of the money path, prepared once on the writer. Where possible, placeholders have no numbers, because
// the driver finds those fastest.
const (
	begin = iota
	commit
	rollback
	readOpen
	readDone
	readPurse
	upsertPurse
	updatePurse
	insertOpen
	extendOpen
	updateOpen
	deleteOpen
	insertCDR
	fact
	leaves
	statements
)

var insertFact = "INSERT INTO fact (" + sqlstore.FactColumns + ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)" + sqlstore.OnceFacts

// insertLeaves puts the leaves of one transaction at the end of the tree.
const insertLeaves = "INSERT INTO seal_leaf (seq, tree, first, seqs, hashes) SELECT $1, $2, " + leafPlace + ", $3, $4"

// tree is the name of the one tree of a file: one process owns it.
const tree = "main"

// sealed gathers the leaves of a transaction.
type sealed struct {
	sqlstore.Sealing
	first, last  int64 // seqs of the first, 0 when there is none, and of the last
	seqs, hashes []byte
	rows         []sealedRow
}

// packed is the first seq alone when the others follow it one by one, as they nearly always do.
func (s *sealed) packed() []byte {
	if s.last-s.first+1 == int64(len(s.seqs)/8) {
		return s.seqs[:8]
	}
	return s.seqs
}

// sealedRow is a fact as it is written, and its leaf.
type sealedRow struct {
	values []any
	leaf   seal.Hash
}

// manyFacts are enough that another processor seals them while the purses and calls of their transaction are written.
const manyFacts = 8

// ahead seals facts, and gives them once they are ready. Its function must be called before the next transaction.
func (s *sealed) ahead(facts []store.Fact) func() []sealedRow {
	s.rows = slices.Grow(s.rows[:0], len(facts))[:len(facts)]
	work := func() []sealedRow {
		for i := range facts {
			s.rows[i].values, s.rows[i].leaf = s.Row(&facts[i])
		}
		return s.rows
	}
	if len(facts) < manyFacts {
		return work
	}
	ready := make(chan []sealedRow, 1)
	go func() { ready <- work() }()
	return func() []sealedRow { return <-ready }
}

func (s *sealed) reset() { s.first, s.seqs, s.hashes = 0, s.seqs[:0], s.hashes[:0] }

func (s *sealed) add(seq int64, leaf seal.Hash) {
	if s.first == 0 {
		s.first = seq
	}
	s.last = seq
	s.seqs, s.hashes = binary.BigEndian.AppendUint64(s.seqs, uint64(seq)), append(s.hashes, leaf[:]...)
}

var hotSQL = [statements]string{
	begin:     "BEGIN IMMEDIATE",
	commit:    "COMMIT",
	rollback:  "ROLLBACK",
	readOpen:  "SELECT node, purses, held, paid_for FROM open_call WHERE id = ?",
	readDone:  "SELECT 1 FROM cdr WHERE id = ?",
	readPurse: "SELECT spent, held FROM purse WHERE id = ?",
	upsertPurse: `INSERT INTO purse (id, spent, held) SELECT ?1, ?2, ?3 WHERE ?4 >= 0
		ON CONFLICT (id) DO UPDATE SET spent = purse.spent + excluded.spent, held = purse.held + excluded.held
		WHERE purse.spent + purse.held <= ?4`,
	updatePurse: "UPDATE purse SET spent = spent + ?, held = held + ? WHERE id = ? AND spent + held <= ?",
	insertOpen: "INSERT INTO open_call (" + sqlstore.OpenColumns + ") SELECT " + marks(sqlstore.OpenColumns) +
		" WHERE NOT EXISTS (SELECT 1 FROM cdr WHERE id = ?)",
	extendOpen: "UPDATE open_call SET held = ?4, paid_for = ?5, lease = ?6 WHERE id = ?1 AND held = ?2 AND paid_for = ?3 AND node = ?7",
	updateOpen: `UPDATE open_call SET state = ?2, trunk = ?3, b_leg = ?4, cost = ?5, ringing = ?6, answered = ?7, anchor = ?8, ending = ?9,
		snapshot = COALESCE(?10, snapshot), unproven = ?11 WHERE id = ?1 AND node = ?12`,
	deleteOpen: "DELETE FROM open_call WHERE id = ?1 AND held = ?2 AND paid_for = ?3 AND node = ?4",
	insertCDR:  "INSERT INTO cdr (" + sqlstore.CDRColumns + ") VALUES (" + marks(sqlstore.CDRColumns) + ")",
	fact:       "INSERT INTO fact (" + sqlstore.FactColumns + ") VALUES (" + marks(sqlstore.FactColumns) + ")" + sqlstore.OnceFacts,
	leaves:     insertLeaves,
}

// marks is one placeholder for each of the columns.
func marks(columns string) string {
	return "?" + strings.Repeat(", ?", strings.Count(columns, ","))
}

// hot holds the prepared statements. The holder of the writer's turn owns it.
type hot struct {
	st     [statements]driver.Stmt
	args   []driver.NamedValue
	sealed sealed
}

func prepare(dc any) (*hot, error) {
	c, ok := dc.(driver.Conn)
	if !ok {
		return nil, fmt.Errorf("a driver connection of type %T", dc)
	}
	h := &hot{}
	for i, text := range hotSQL {
		st, err := c.Prepare(text)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("preparing %q: %w", text, err), h.close())
		}
		h.st[i] = st
	}
	return h, nil
}

func (h *hot) close() error {
	if h == nil {
		return nil
	}
	var errs []error
	for _, st := range h.st {
		if st != nil {
			errs = append(errs, st.Close())
		}
	}
	return errors.Join(errs...)
}

func (h *hot) bind(args []any) []driver.NamedValue {
	h.args = h.args[:0]
	for i, a := range args {
		h.args = append(h.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return h.args
}

// exec runs a statement and says how many rows it changed.
func (h *hot) exec(which int, args ...any) (int64, error) {
	r, err := h.run(which, args)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (h *hot) run(which int, args []any) (driver.Result, error) {
	return h.st[which].(driver.StmtExecContext).ExecContext(context.Background(), h.bind(args))
}

// fact writes a sealed fact, if its key is not there.
func (h *hot) fact(f *sealedRow) (wrote bool, err error) {
	r, err := h.run(fact, f.values)
	if err != nil {
		return false, err
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	seq, err := r.LastInsertId()
	h.sealed.add(seq, f.leaf)
	return true, err
}

// seal writes the leaves of the facts of a transaction.
func (h *hot) seal() error {
	s := &h.sealed
	if s.first == 0 {
		return nil
	}
	return h.one(leaves, s.first, tree, s.packed(), s.hashes)
}

// one runs a statement that must change one row: its condition is the plan's.
func (h *hot) one(which int, args ...any) error {
	n, err := h.exec(which, args...)
	if err == nil && n != 1 {
		return errStale
	}
	return err
}

// row reads the first row, or nil.
func (h *hot) row(which int, args ...any) (row []driver.Value, err error) {
	rows, err := h.st[which].(driver.StmtQueryContext).QueryContext(context.Background(), h.bind(args))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row = make([]driver.Value, len(rows.Columns()))
	if err := rows.Next(row); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, err
	}
	return row, nil
}

func text(v driver.Value) string {
	switch s := v.(type) {
	case string:
		return s
	case []byte:
		return string(s)
	}
	return ""
}
