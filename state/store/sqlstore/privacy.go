package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"ringfence/core/books"
	"ringfence/core/retain"
	"ringfence/core/seal"
	"ringfence/state/store"
)

var erasures = table[store.Erasure]{
	"erasure", "erasures", 1, "id, customer, name, lines, actor, begun, done",
	func(e *store.Erasure) []any {
		return []any{&e.ID, &e.Customer, &e.Name, (*listed[string])(&e.Lines), &e.By, &e.Begun, &e.Done}
	},
}

// Ties reads what keeps a customer's data.
func (s *Queries) Ties(ctx context.Context, customer string, lines []string) (out []store.Tie, err error) {
	err = s.db.Snapshot(ctx, func(q Querier) error {
		out, err = ties(ctx, q, customer, lines)
		return err
	})
	return out, about("reading what keeps a customer's data", err)
}

func ties(ctx context.Context, q Querier, customer string, lines []string) (out []store.Tie, err error) {
	for _, x := range []struct {
		why retain.Why
		sql string
	}{
		{retain.Talking, "SELECT COUNT(*) FROM open_call WHERE account = $1"},
		{retain.Unbilled, "SELECT COUNT(*) FROM due_call WHERE account = $1"},
		{retain.Unpaid, "SELECT COALESCE(MIN(number), 0) FROM bill WHERE customer = $1 AND state = 'making'"},
		{retain.InCase, "SELECT COALESCE(MIN(f.id), 0) FROM fraud_case f WHERE f.customer = $1 AND " + live},
		{retain.InCase, "SELECT COALESCE(MIN(k.case_id), 0) FROM case_call k JOIN fraud_case f ON f.id = k.case_id WHERE k.customer = $1 AND " + live},
		{retain.Reselling, "SELECT COUNT(*) FROM customer WHERE reseller = $1 AND reseller <> ''"},
	} {
		n, err := Returned(ctx, q, x.sql, customer)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			out = append(out, store.Tie{Why: x.why, Number: n})
		}
	}
	first, err := firstUnpaid(ctx, q, customer)
	if err != nil {
		return nil, err
	}
	owed, err := Returned(ctx, q, "SELECT amount FROM balance WHERE account = $1", books.Customer(customer))
	switch {
	case err != nil:
		return nil, err
	case first.Number != 0 && first.State != store.BillMaking:
		out = append(out, store.Tie{Why: retain.Unpaid, Number: first.Number})
	case owed != 0:
		out = append(out, store.Tie{Why: retain.Balance, Number: owed})
	}
	holds, err := holdsOf(ctx, q, false)
	for i := range holds {
		if h := &holds[i]; h.Customer == "" && h.Line == "" || h.Customer == customer || h.Line != "" && slices.Contains(lines, h.Line) {
			out = append(out, store.Tie{Why: retain.Held, Number: h.ID})
		}
	}
	return out, err
}

// BeginErasure notes one.
func (s *Queries) BeginErasure(ctx context.Context, e store.Erasure, facts func(int64) []store.Fact) (id int64, err error) {
	row, err := erasures.values(e)
	if err != nil {
		return 0, err
	}
	err = s.db.Write(ctx, func(tx Tx) error {
		if err := tie(ctx, tx); err != nil {
			return err
		}
		kept, err := ties(ctx, tx, e.Customer, e.Lines)
		if err != nil {
			return err
		}
		if len(kept) > 0 {
			return fmt.Errorf("what is held of the customer is tied: %s: %w", kept[0].Why, store.ErrInUse)
		}
		if id, err = Returned(ctx, tx, erasures.insert(1)+" RETURNING id", row[1:]...); err != nil {
			return translate(err, "erasure")
		}
		return note(ctx, tx, facts(id))
	})
	return id, about("beginning an erasure", err)
}

// Erasures reads them.
func (s *Queries) Erasures(ctx context.Context, open bool) ([]store.Erasure, error) {
	rest := " ORDER BY id"
	if open {
		rest = " WHERE done = 0" + rest
	}
	return erasures.all(ctx, s.db, rest)
}

// ErasureOf reads the one of a customer.
func (s *Queries) ErasureOf(ctx context.Context, customer string) (store.Erasure, error) {
	return erasures.one(ctx, s.db, "erasure", " WHERE customer = $1", customer)
}

// EndErasure notes that one is done.
func (s *Queries) EndErasure(ctx context.Context, e store.Erasure, facts ...store.Fact) error {
	row := named{fmt.Sprintf("erasure %d", e.ID), "SELECT id FROM erasure WHERE id = $1", []any{e.ID}}
	return s.change(ctx, row, store.ErrMoved, facts, "UPDATE erasure SET done = $2, lines = '' WHERE id = $1 AND done = 0", e.ID, stamp(e.Done))
}

// ForgetErased forgets those that the books do not need.
func (s *Queries) ForgetErased(ctx context.Context) (n int64, err error) {
	err = s.db.Write(ctx, func(tx Tx) error {
		const sql = `DELETE FROM erasure WHERE done <> 0 AND NOT EXISTS (SELECT 1 FROM entry e WHERE e.customer = erasure.customer)
			AND NOT EXISTS (SELECT 1 FROM bill b WHERE b.customer = erasure.customer)`
		n, err = tx.Exec(ctx, sql)
		return err
	})
	return n, about("forgetting erasures", err)
}

// owned is where the rows of a part are: of the customer ($1), or of a line ($1).
type owned struct{ table, key, where string }

// erasable are parts whose rows are only deleted.
var erasable = map[store.ErasePart]struct{ customer, line []owned }{
	store.EraseWaiting:  {customer: []owned{{"waiting", "code", "customer = $1"}}},
	store.EraseRequests: {line: []owned{{"request", "id", "line = $1 AND id <> (SELECT MAX(id) FROM request)"}}},
	store.EraseUsage: {
		customer: []owned{{"unbilled", "subject", "subject = 'account/' || $1"}},
		line:     []owned{{"unbilled", "subject", "subject = 'line/' || $1"}},
	},
	store.EraseMemory: {
		customer: []owned{{"memory", "stage, subject", "subject IN ('account/' || $1, 'customer/' || $1)"}},
		line:     []owned{{"memory", "stage, subject", "subject = 'line/' || $1"}, {"registration", "line, \"key\"", "line = $1"}, {"device", "line, place, family", "line = $1"}},
	},
	store.ErasePurses: {
		customer: []owned{{"purse", "id", "id >= 'account/' || $1 || '/' AND id < 'account/' || $1 || '0' AND held = 0"}},
		line:     []owned{{"purse", "id", "id >= 'line/' || $1 || '/' AND id < 'line/' || $1 || '0' AND held = 0"}},
	},
	store.EraseHolds: {customer: []owned{{"legal_hold", "id", "customer = $1 AND lifted <> 0"}}, line: []owned{{"legal_hold", "id", "line = $1 AND lifted <> 0"}}},
}

// Erase deletes some rows of a part.
func (s *Queries) Erase(ctx context.Context, e *store.Erasure, part store.ErasePart, unread int64, limit int) (n int64, err error) {
	err = s.db.Write(ctx, func(tx Tx) (err error) {
		if err = tie(ctx, tx); err != nil {
			return err
		}
		switch part {
		case store.EraseCases:
			n, err = eraseCases(ctx, tx, e, limit)
		case store.EraseFindings:
			n, err = eraseRows(ctx, tx, e, limit, "finding", hollowFinding)
		case store.EraseNotices:
			n, err = eraseRows(ctx, tx, e, limit, "notice", hollowNotice, "DELETE FROM link WHERE notice = $1", "DELETE FROM delivery WHERE notice = $1")
		case store.EraseCalls:
			n, err = eraseCalls(ctx, tx, e, unread, limit)
		case store.EraseRequests:
			if n, err = eraseOwned(ctx, tx, e, part, limit); err == nil && n == 0 {
				err = hollowRequest(ctx, tx, e)
			}
		default:
			n, err = eraseOwned(ctx, tx, e, part, limit)
		}
		return err
	})
	return n, about("erasing "+string(part), err)
}

func eraseOwned(ctx context.Context, tx Tx, e *store.Erasure, part store.ErasePart, limit int) (n int64, err error) {
	drop := func(all []owned, id string) error {
		for _, t := range all {
			sql := fmt.Sprintf("DELETE FROM %[1]s WHERE (%[2]s) IN (SELECT %[2]s FROM %[1]s WHERE %[3]s LIMIT %[4]d)", t.table, t.key, t.where, limit)
			some, err := tx.Exec(ctx, sql, id)
			if n += some; err != nil || n >= int64(limit) {
				return err
			}
		}
		return nil
	}
	err = drop(erasable[part].customer, e.Customer)
	for _, line := range e.Lines {
		if err == nil && n < int64(limit) {
			err = drop(erasable[part].line, line)
		}
	}
	return n, err
}

// hollowRequest empties the request with the highest number.
func hollowRequest(ctx context.Context, tx Tx, e *store.Erasure) error {
	for _, line := range e.Lines {
		if _, err := tx.Exec(ctx, "UPDATE request SET line = '', why = '', note = '', state = 'refused' WHERE line = $1", line); err != nil {
			return err
		}
	}
	return nil
}

// What is left of the row with the highest number, from which numbers count on: nothing but that.
const (
	hollowFinding = "UPDATE finding SET key = 'erased/' || id, line = '', account = '', source = '', words = '', evidence = NULL, notes = '', closed = CASE WHEN closed = 0 THEN last_at ELSE closed END WHERE id = $1"
	hollowNotice  = "UPDATE notice SET key = 'erased/' || id, line = '', account = '', data = NULL WHERE id = $1"
	hollowCase    = "UPDATE fraud_case SET customer = '', line = '', title = '', owner = '', actor = '', why = '', linked = '' WHERE id = $1"
)

// eraseRows deletes findings or notices.
func eraseRows(ctx context.Context, tx Tx, e *store.Erasure, limit int, table, hollow string, first ...string) (int64, error) {
	top, err := Returned(ctx, tx, "SELECT COALESCE(MAX(id), 0) FROM "+table)
	if err != nil {
		return 0, err
	}
	var ids []int64
	find := func(column, id string) error {
		if id == "" || len(ids) >= limit {
			return nil
		}
		sql := fmt.Sprintf("SELECT id FROM %s WHERE %s = $1 AND %[2]s <> '' ORDER BY id LIMIT %d", table, column, limit-len(ids))
		some, err := list(ctx, tx, sql, []any{id}, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
		ids = append(ids, some...)
		return err
	}
	err = find("account", e.Customer)
	for _, line := range e.Lines {
		if err == nil && len(ids) == 0 {
			err = find("line", line)
		}
	}
	for _, sql := range append(first, "DELETE FROM "+table+" WHERE id = $1") {
		if err != nil {
			return 0, err
		}
		last := strings.HasPrefix(sql, "DELETE FROM "+table+" ")
		for _, id := range ids {
			stmt := sql
			if last && id == top {
				stmt = hollow
			}
			if _, err = tx.Exec(ctx, stmt, id); err != nil {
				return 0, err
			}
		}
	}
	return int64(len(ids)), nil
}

// eraseCases deletes some rows of a case that is over, or the last that is left of it.
func eraseCases(ctx context.Context, tx Tx, e *store.Erasure, _ int) (int64, error) {
	id, err := Returned(ctx, tx, "SELECT COALESCE(MIN(f.id), 0) FROM fraud_case f WHERE f.customer = $1 AND NOT "+live, e.Customer)
	if err != nil || id == 0 {
		return 0, err
	}
	top := int64(0)
	for _, sql := range []string{
		"SELECT CASE WHEN MAX(id) = $1 THEN 1 ELSE 0 END FROM fraud_case",
		"SELECT COUNT(*) FROM claim WHERE case_id = $1 AND id = (SELECT MAX(id) FROM claim)",
		"SELECT COUNT(*) FROM plan WHERE case_id = $1 AND id = (SELECT MAX(id) FROM plan)",
	} {
		n, err := Returned(ctx, tx, sql, id)
		if err != nil {
			return 0, err
		}
		top += n
	}
	if top == 0 {
		_, err = dropCase(ctx, tx, id)
		return 1, err
	}
	// Numbers count on from this one: the case, its claim or its plan stays as a number.
	more, err := dropFiles(ctx, tx, id)
	if err != nil || more {
		return 1, err
	}
	for _, sql := range []string{
		"DELETE FROM claim_call WHERE claim IN (SELECT id FROM claim WHERE case_id = $1)", "DELETE FROM case_call WHERE case_id = $1", "DELETE FROM settlement WHERE case_id = $1",
		"DELETE FROM case_item WHERE case_id = $1", "UPDATE claim SET customer = '', actor = '', invoice = '', answers = '' WHERE case_id = $1",
		"UPDATE plan SET customer = '', actor = '', list = '', payments = '', reminders = '' WHERE case_id = $1", hollowCase,
	} {
		if _, err := tx.Exec(ctx, sql, id); err != nil {
			return 0, err
		}
	}
	return 1, nil
}

// eraseCalls deletes records with the facts that count as Journal.
func eraseCalls(ctx context.Context, tx Tx, e *store.Erasure, unread int64, limit int) (int64, error) {
	if unread == 0 {
		unread = math.MaxInt64
	}
	sql := `SELECT c.id FROM cdr c WHERE c.account = $1 AND NOT EXISTS (SELECT 1 FROM due_call d WHERE d.account = c.account AND d.call = c.id)
		AND NOT EXISTS (SELECT 1 FROM fact u WHERE u.call = c.id AND u.call <> '' AND u.seq >= $2) AND ` + caseOf("c.id") + ` = 0 ORDER BY c.id LIMIT $3`
	ids, err := list(ctx, tx, sql, []any{e.Customer, unread, int64(limit)}, func(r Rows) (o store.Old, err error) { return o, r.Scan(&o.Text) })
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	var out store.Dropped
	err = dropCalls(ctx, tx, &store.OldFilter{Kind: retain.Calls}, ids, &out)
	return out.Items, err
}

// EraseFacts deletes facts, and hides what others say.
func (s *Queries) EraseFacts(ctx context.Context, drop, hide []store.Fact) error {
	values := make([][]any, 0, len(hide))
	for i := range hide {
		r := hide[i]
		err := seal.Erase(&r, func(*seal.Field) bool { return true })
		if errors.Is(err, seal.ErrProof) { // it is from the time before rows were sealed: nothing remains to be proven
			drop = append(drop, hide[i])
			continue
		}
		if err != nil {
			return fmt.Errorf("fact %d: %w", r.Seq, err)
		}
		values = append(values, []any{r.Seq, blob(r.Body), blob(r.Proof)})
	}
	return about("erasing facts", s.db.Write(ctx, func(tx Tx) error {
		if _, err := tx.ExecMany(ctx, "DELETE FROM fact WHERE seq = $1", len(drop), func(i int) []any { return []any{drop[i].Seq} }); err != nil {
			return err
		}
		const sql = "UPDATE fact SET key = '', line = '', account = '', call = '', body = $2, proof = $3 WHERE seq = $1"
		_, err := tx.ExecMany(ctx, sql, len(values), func(i int) []any { return values[i] })
		return err
	}))
}

// ClearArchive notes what became of the files of an archive.
func (s *Queries) ClearArchive(ctx context.Context, was, now store.Archive, facts ...store.Fact) error {
	row := named{"archive " + was.Name, "SELECT name FROM archive WHERE name = $1", []any{was.Name}}
	const sql = "UPDATE archive SET calls = $3, facts = $4, bytes = $5, calls_hash = $6, facts_hash = $7, cleared = $8 WHERE name = $1 AND cleared = $2"
	return s.change(ctx, row, store.ErrMoved, facts, sql, was.Name, was.Cleared, now.Calls, now.Facts, now.Bytes, now.CallsHash, now.FactsHash, now.Cleared)
}

// Cursors reads all of them.
func (s *Queries) Cursors(ctx context.Context) (map[string]int64, error) {
	out := map[string]int64{}
	err := each(ctx, s.db, "SELECT stage, seq FROM stage_cursor", nil, func(r Rows) error {
		var stage string
		var seq int64
		err := r.Scan(&stage, &seq)
		out[stage] = seq
		return err
	})
	return out, about("reading how far stages have come", err)
}

// period is what a purse's name ends with: a day, or "th/" and a month.
const period = "substr(id, length(id) - 9)"

// DropPurses deletes old ones.
func (s *Queries) DropPurses(ctx context.Context, day, month string, limit int) (n int64, err error) {
	err = s.db.Write(ctx, func(tx Tx) error {
		n = 0
		for _, x := range [][2]string{{"0", day}, {"th/", "th/" + month}} {
			const sql = "DELETE FROM purse WHERE held = 0 AND id IN (SELECT id FROM purse WHERE " + period + " >= $1 AND " + period + " < $2 AND held = 0 LIMIT $3)"
			some, err := tx.Exec(ctx, sql, x[0], x[1], int64(limit))
			if n += some; err != nil {
				return err
			}
		}
		return nil
	})
	return n, about("deleting old purses", err)
}
