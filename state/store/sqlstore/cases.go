package sqlstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"ringfence/core/casework"
	"ringfence/state/store"
)

var cases = table[casework.Case]{
	"fraud_case", "cases", 1,
	"id, customer, line, title, state, outcome, origin, finding, owner, actor, opened, deadline, finished, why, hold, linked, version",
	func(c *casework.Case) []any {
		return []any{
			&c.ID, &c.Customer, &c.Line, &c.Title, &c.State, &c.Outcome, &c.Origin, &c.Finding, &c.Owner, &c.By, &c.Opened, &c.Deadline, &c.Finished, &c.Why, &c.Hold, (*listed[string])(&c.Linked), &c.Version,
		}
	},
}

var caseItems = table[casework.Item]{
	"case_item", "items of cases", 2,
	"case_id, n, kind, at, actor, theirs, words, due, owner, file, what, amount, calls, ended, ended_by, how, answer, version",
	func(i *casework.Item) []any {
		return []any{
			&i.Case, &i.N, &i.Kind, &i.At, &i.By, &i.Theirs, &i.Text, &i.Due, &i.Owner, inJSON(&i.File), &i.What, &i.Amount, &i.Calls, &i.Ended, &i.EndedBy, &i.How, &i.Answer, &i.Version,
		}
	},
}

var caseCalls = table[casework.CaseCall]{
	"case_call", "calls of cases", 2,
	"case_id, call, customer, line, begun, retail, state, verdict, why, decision, steps, version",
	func(c *casework.CaseCall) []any {
		return []any{
			&c.Case, &c.Call, &c.Customer, &c.Line, &c.Begun, &c.Retail, &c.State, &c.Verdict, &c.Why, &c.Decision, (*listed[casework.Step])(&c.Steps), &c.Version,
		}
	},
}

// number wants a column to be a number; 0 restricts nothing.
func (w *where) number(cond string, want int64) {
	if want != 0 {
		w.and(cond, want)
	}
}

// Cases reads a page of them.
func (s *Queries) Cases(ctx context.Context, f store.CaseFilter) ([]casework.Case, error) {
	var w where
	w.text("customer = ?", f.Customer)
	w.text("owner = ?", f.Owner)
	w.number("finding = ?", f.Finding)
	if f.Open {
		w.plain("finished = 0")
	}
	w.number("id < ?", f.Before)
	return cases.all(ctx, s.db, w.sql.String()+" ORDER BY id DESC"+w.limit(f.Limit, 100), w.args...)
}

// Case reads one.
func (s *Queries) Case(ctx context.Context, id int64) (casework.Case, error) {
	return cases.one(ctx, s.db, fmt.Sprintf("case %d", id), " WHERE id = $1", id)
}

// LastCase is the highest number.
func (s *Queries) LastCase(ctx context.Context) (int64, error) {
	return Returned(ctx, s.db, "SELECT COALESCE(MAX(id), 0) FROM fraud_case")
}

// CaseItems reads those of a case.
func (s *Queries) CaseItems(ctx context.Context, id int64) ([]casework.Item, error) {
	return caseItems.all(ctx, s.db, " WHERE case_id = $1 ORDER BY n", id)
}

// CaseCalls reads a page of them.
func (s *Queries) CaseCalls(ctx context.Context, f store.CaseCallFilter) ([]casework.CaseCall, error) {
	var w where
	w.number("case_id = ?", f.Case)
	w.text("customer = ?", f.Customer)
	w.number("decision = ?", f.Decision)
	w.text("verdict = ?", f.Verdict)
	w.text("EXISTS (SELECT 1 FROM cdr r WHERE r.id = case_call.call AND r.number = ?)", f.Number)
	w.text("call > ?", string(f.After))
	if len(f.Calls) > 0 {
		w.calls("call", f.Calls)
	}
	if len(f.States) > 0 {
		marks := make([]string, len(f.States))
		for i, state := range f.States {
			w.args = append(w.args, string(state))
			marks[i] = "$" + strconv.Itoa(len(w.args))
		}
		w.plain("state IN (" + strings.Join(marks, ", ") + ")")
	}
	return caseCalls.all(ctx, s.db, w.sql.String()+" ORDER BY call, case_id"+w.limit(f.Limit, 1000), w.args...)
}

// CaseSums sums up calls by state.
func (s *Queries) CaseSums(ctx context.Context, id int64, customer string) ([]casework.Sum, error) {
	var w where
	if w.number("case_id = ?", id); id == 0 {
		w.and("customer = ?", store.Clean(customer))
	}
	return list(ctx, s.db, "SELECT state, COUNT(*), CAST(SUM(retail) AS BIGINT) FROM case_call"+w.sql.String()+" GROUP BY state ORDER BY state", w.args, func(r Rows) (x casework.Sum, err error) {
		err = r.Scan((*string)(&x.State), &x.Calls, (*int64)(&x.Retail))
		return x, err
	})
}

// CaseVerdicts sums up the calls of a case by verdict.
func (s *Queries) CaseVerdicts(ctx context.Context, id int64) ([]casework.VerdictSum, error) {
	return list(ctx, s.db, "SELECT verdict, COUNT(*), CAST(SUM(retail) AS BIGINT) FROM case_call WHERE case_id = $1 GROUP BY verdict ORDER BY verdict", []any{id}, func(r Rows) (x casework.VerdictSum, err error) {
		err = r.Scan(&x.Verdict, &x.Calls, (*int64)(&x.Retail))
		return x, err
	})
}

// CaseNumbers sums up the calls of a case by number. All of a case are read for each page of it: casework.MaxCalls bounds them.
func (s *Queries) CaseNumbers(ctx context.Context, id int64, after casework.NumberSum, limit int) ([]casework.NumberSum, error) {
	const pending = "SUM(CASE WHEN k.state IN ('disputed', 'judged') THEN 1 ELSE 0 END)"
	const free = "SUM(CASE WHEN k.state IN ('upheld', 'goodwill') THEN 1 ELSE 0 END)"
	query := "SELECT COALESCE(r.number, ''), COALESCE(MAX(r.country), ''), COUNT(*), CAST(SUM(k.retail) AS BIGINT), CAST(" + pending + " AS BIGINT), CAST(" + free + " AS BIGINT), MIN(k.begun), MAX(k.begun)" +
		" FROM case_call k LEFT JOIN cdr r ON r.id = k.call WHERE k.case_id = $1 GROUP BY COALESCE(r.number, '')"
	args := []any{id}
	if after.Calls > 0 {
		query += " HAVING SUM(k.retail) < $2 OR SUM(k.retail) = $2 AND COALESCE(r.number, '') > $3"
		args = append(args, int64(after.Retail), store.Clean(after.Number))
	}
	query += " ORDER BY 4 DESC, 1 LIMIT " + strconv.Itoa(limit)
	return list(ctx, s.db, query, args, func(r Rows) (x casework.NumberSum, err error) {
		var first, last int64
		err = r.Scan(&x.Number, &x.Country, &x.Calls, (*int64)(&x.Retail), &x.Pending, &x.Free, &first, &last)
		x.First, x.Last = instant(first), instant(last)
		return x, err
	})
}

// WriteCase writes what has changed of a case.
func (s *Queries) WriteCase(ctx context.Context, w store.CaseWrite, facts ...store.Fact) error {
	return s.db.Write(ctx, func(tx Tx) error {
		if err := writeCase(ctx, tx, w); err != nil {
			return err
		}
		return note(ctx, tx, facts)
	})
}

func writeCase(ctx context.Context, tx Tx, w store.CaseWrite) error {
	if err := tie(ctx, tx); err != nil {
		return err
	}
	if err := uploaded(ctx, tx, w.Items); err != nil {
		return err
	}
	if c := w.Case; c != nil {
		if err := cases.versioned(ctx, tx, []casework.Case{*c}, func(c *casework.Case) *int64 { return &c.Version }, fmt.Sprintf("case %d", c.ID)); err != nil {
			return err
		}
	}
	if err := caseItems.versioned(ctx, tx, w.Items, func(i *casework.Item) *int64 { return &i.Version }, "item of a case"); err != nil {
		return err
	}
	return caseCalls.versioned(ctx, tx, w.Calls, func(c *casework.CaseCall) *int64 { return &c.Version }, "call of a case")
}

// versioned inserts the rows whose version is 0, and overwrites those whose version is the stored one.
func (t table[T]) versioned(ctx context.Context, tx Tx, xs []T, version func(*T) *int64, what string) error {
	var fresh, changed []T
	var was []int64
	for _, x := range xs {
		v := version(&x)
		if *v++; *v == 1 {
			fresh = append(fresh, x)
		} else {
			changed, was = append(changed, x), append(was, *v-1)
		}
	}
	if len(fresh) > 0 {
		if err := t.many(ctx, tx, t.insert(0), fresh); err != nil {
			return translate(err, what)
		}
	}
	values := make([][]any, len(changed))
	for i := range changed {
		row, err := t.values(changed[i])
		if err != nil {
			return err
		}
		values[i] = append(row, was[i])
	}
	if len(values) == 0 {
		return nil
	}
	n, err := tx.ExecMany(ctx, fmt.Sprintf("%s AND version = $%d", t.update(), len(t.names())+1), len(values), func(i int) []any { return values[i] })
	if err != nil {
		return translate(err, what)
	}
	if n != int64(len(values)) {
		return fmt.Errorf("%s: %w", what, store.ErrMoved)
	}
	return nil
}

// uploaded takes the files of new items from those that nobody names. One that is being removed, because nobody named it for long, is ErrNotFound.
func uploaded(ctx context.Context, tx Tx, items []casework.Item) error {
	for i := range items {
		code := items[i].File.Code
		if code == "" || items[i].Version != 0 {
			continue
		}
		n, err := tx.Exec(ctx, "DELETE FROM case_upload WHERE code = $1 AND at <> 0", code)
		if err := one(n, err, "file of a case"); err != nil {
			return err
		}
	}
	return nil
}

// PutPiece adds a piece of a file. With the first it is noted that no item names it yet.
func (s *Queries) PutPiece(ctx context.Context, code string, n int64, bytes []byte) error {
	return s.db.Write(ctx, func(tx Tx) error {
		if n == 0 {
			now, err := s.db.Clock(ctx, tx)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "INSERT INTO case_upload (code, at) VALUES ($1, $2) ON CONFLICT (code) DO NOTHING", code, Micros(now)); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, "INSERT INTO case_piece (code, n, bytes) VALUES ($1, $2, $3)", code, n, blob(bytes))
		return translate(err, "piece of a file")
	})
}

// Piece reads one.
func (s *Queries) Piece(ctx context.Context, code string, n int64) (bytes []byte, err error) {
	found := false
	err = each(ctx, s.db, "SELECT bytes FROM case_piece WHERE code = $1 AND n = $2", []any{code, n}, func(r Rows) error {
		found = true
		return r.Scan(&bytes)
	})
	if err == nil && !found {
		err = fmt.Errorf("piece of a file: %w", store.ErrNotFound)
	}
	return bytes, err
}

// DropPieces removes a file.
func (s *Queries) DropPieces(ctx context.Context, code string) error {
	return s.db.Write(ctx, func(tx Tx) error {
		_, err := tx.Exec(ctx, "DELETE FROM case_piece WHERE code = $1", code)
		if err == nil {
			_, err = tx.Exec(ctx, "DELETE FROM case_upload WHERE code = $1", code)
		}
		return err
	})
}
