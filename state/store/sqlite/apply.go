package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/state/store"
	"ringfence/state/store/sqlstore"
)

// errStale says that a condition of the plan did not hold when it was written.
var errStale = errors.New("the group was judged on what is no longer so")

// Apply writes a group in one transaction. At first it is judged blind, on the assumption that everything passes. Each purse is then
// written once, on the condition under which that is true. If it is not, or if the group before had refusals, purses and
// calls are read first. The conditions are written nevertheless.
func (e *Engine) Apply(ctx context.Context, ops []store.Op) ([]store.Outcome, error) {
	if err := store.Prepare(ops); err != nil {
		return nil, err
	}
	var out []store.Outcome
	err := e.w.with(ctx, func(c *sql.Conn) error {
		return c.Raw(func(dc any) (err error) {
			out, err = e.w.apply(dc, ops)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("writing a group of %d: %w", len(ops), err)
	}
	e.fold.look()
	return out, nil
}

func (w *writer) apply(dc any, ops []store.Op) ([]store.Outcome, error) {
	if w.hot == nil {
		h, err := prepare(dc)
		if err != nil {
			return nil, err
		}
		w.hot = h
	}
	blind := !w.careful
	for {
		plan, err := w.hot.group(ops, blind)
		if err == nil {
			w.careful = plan.Refused
			return plan.Outcomes, nil
		}
		if !blind || !again(err) {
			return nil, err
		}
		blind = false
	}
}

// again says whether reading first may help.
func again(err error) bool {
	var e *sqlite.Error
	return errors.Is(err, errStale) || errors.Is(err, sqlstore.ErrUnread) ||
		errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_CONSTRAINT
}

// group is one attempt in one transaction.
func (h *hot) group(ops []store.Op, blind bool) (*sqlstore.Plan, error) {
	if _, err := h.exec(begin); err != nil {
		return nil, err
	}
	plan, err := h.judge(ops, blind)
	if err == nil {
		err = h.write(plan)
	}
	if err == nil {
		_, err = h.exec(commit)
	}
	if err != nil {
		// After some failures SQLite has rolled back by itself, and this one fails too.
		_, _ = h.exec(rollback)
		return nil, err
	}
	return plan, nil
}

func (h *hot) judge(ops []store.Op, blind bool) (*sqlstore.Plan, error) {
	k := &sqlstore.Known{Now: time.Now(), Purses: map[string]sqlstore.Balance{}, Calls: map[call.ID]sqlstore.Held{}, Done: map[call.ID]bool{}}
	for i := range ops {
		op := &ops[i]
		if op.Kind == store.OpRecord && op.CDR == nil || op.Kind == store.OpOpen && blind {
			continue
		}
		if err := h.readCall(k, op.ID); err != nil {
			return nil, err
		}
	}
	if !blind {
		if err := h.readPurses(k, ops); err != nil {
			return nil, err
		}
	}
	return sqlstore.Judge(k, ops)
}

func (h *hot) readCall(k *sqlstore.Known, id call.ID) error {
	if _, ok := k.Calls[id]; ok || k.Done[id] {
		return nil
	}
	row, err := h.row(readOpen, string(id))
	if err != nil {
		return err
	}
	if row != nil {
		k.Calls[id] = sqlstore.HeldOf(text(row[0]), text(row[1]), row[2].(int64), row[3].(int64))
		return nil
	}
	row, err = h.row(readDone, string(id))
	k.Done[id] = row != nil
	return err
}

func (h *hot) readPurses(k *sqlstore.Known, ops []store.Op) error {
	read := func(id string) error {
		if _, ok := k.Purses[id]; ok {
			return nil
		}
		row, err := h.row(readPurse, id)
		if err != nil {
			return err
		}
		b := sqlstore.Balance{Missing: row == nil}
		if row != nil {
			b.Spent, b.Held = money.Micro(row[0].(int64)), money.Micro(row[1].(int64))
		}
		k.Purses[id] = b
		return nil
	}
	for i := range ops {
		for _, hold := range ops[i].Holds {
			if err := read(hold.Purse); err != nil {
				return err
			}
		}
	}
	for _, c := range k.Calls {
		for _, id := range c.Purses {
			if err := read(id); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h *hot) write(p *sqlstore.Plan) error {
	sealed := h.sealed.ahead(p.Facts)
	if err := h.writeMoney(p); err != nil {
		sealed()
		return err
	}
	var there []int // facts that are not new
	h.sealed.reset()
	for i, f := range sealed() {
		wrote, err := h.fact(&f)
		if err != nil {
			return err
		}
		if !wrote {
			there = append(there, i)
		}
	}
	if err := h.seal(); err != nil {
		return err
	}
	p.Wrote(func(i int) bool { return !slices.Contains(there, i) })
	return nil
}

// writeMoney writes the purses, calls and records of a plan.
func (h *hot) writeMoney(p *sqlstore.Plan) error {
	for _, q := range p.Purses {
		if err := h.writePurse(q); err != nil {
			return err
		}
	}
	for _, c := range p.Born {
		if err := h.one(insertOpen, append(sqlstore.OpenValues(c), string(c.ID))...); err != nil {
			return err
		}
	}
	for _, c := range p.Calls {
		if err := h.writeCall(c); err != nil {
			return err
		}
	}
	for _, c := range p.CDRs {
		if err := h.one(insertCDR, sqlstore.CDRValues(c)...); err != nil {
			return err
		}
	}
	return nil
}

// writePurse changes a purse under its condition. Most are there: an UPDATE looks for the row once, an upsert twice. A
// negative change can only be of a row that is there; INSERT would test it as if it were new.
func (h *hot) writePurse(q *sqlstore.PurseOp) error {
	if !q.Missing {
		n, err := h.exec(updatePurse, int64(q.Spent), int64(q.Held), q.ID, int64(q.Bound))
		if err != nil || n == 1 {
			return err
		}
	}
	if q.Held < 0 || q.Spent < 0 {
		return errStale
	}
	return h.one(upsertPurse, q.ID, int64(q.Spent), int64(q.Held), int64(q.Bound))
}

func (h *hot) writeCall(c *sqlstore.CallOp) error {
	id := string(c.ID)
	if c.Settled {
		return h.one(deleteOpen, id, int64(c.Was.Amount), int64(c.Was.PaidFor), c.Was.Node)
	}
	if c.Extended {
		err := h.one(extendOpen, id, int64(c.Was.Amount), int64(c.Was.PaidFor),
			int64(c.Now.Amount), int64(c.Now.PaidFor), sqlstore.Micros(c.Lease), c.Was.Node)
		if err != nil {
			return err
		}
	}
	if u := c.Update; u != nil {
		return h.one(updateOpen, append(append([]any{id}, sqlstore.UpdateValues(u)...), c.Was.Node)...)
	}
	return nil
}
