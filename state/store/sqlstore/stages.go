package sqlstore

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ringfence/core/money"
	"ringfence/state/store"
)

// Cursor is how far a stage has come; 0 at first.
func (s *Queries) Cursor(ctx context.Context, stage string) (seq int64, err error) {
	err = each(ctx, s.db, "SELECT seq FROM stage_cursor WHERE stage = $1", []any{store.Short(stage)}, func(r Rows) error {
		return r.Scan(&seq)
	})
	if err != nil {
		return 0, fmt.Errorf("reading the cursor of %s: %w", store.Clean(stage), err)
	}
	return seq, nil
}

// Advance takes one step of a stage, all of it or nothing.
func (s *Queries) Advance(ctx context.Context, step store.Step) (store.Stepped, error) {
	var out store.Stepped
	err := step.Check()
	if err == nil {
		err = s.db.Write(ctx, func(tx Tx) error {
			out = store.Stepped{}
			return advance(ctx, tx, &step, &out)
		})
	}
	if err != nil {
		return store.Stepped{}, fmt.Errorf("stage %s, step from %d to %d: %w", store.Short(step.Stage), step.From, step.To, err)
	}
	return out, nil
}

// advance writes the cursor first and the journal last: the one orders the steps of a stage among nodes, the other is
// locked by every transaction that appends, so nothing may be waited for while holding it.
func advance(ctx context.Context, tx Tx, step *store.Step, out *store.Stepped) error {
	if err := moveCursor(ctx, tx, step); err != nil {
		return err
	}
	var facts []store.Fact
	for i := range step.Findings {
		f := &step.Findings[i]
		raised, err := raiseFinding(ctx, tx, f)
		if err != nil {
			return err
		}
		out.Findings = append(out.Findings, raised)
		if raised.New && f.RaiseFact.Kind != "" {
			facts = append(facts, f.RaiseFact)
		}
	}
	for i := range step.Usage {
		sum, err := addUsage(ctx, tx, &step.Usage[i])
		if err != nil {
			return err
		}
		out.Usage = append(out.Usage, sum)
	}
	for i := range step.Notices {
		raised, err := raiseNotice(ctx, tx, &step.Notices[i])
		if err != nil {
			return err
		}
		out.Notices = append(out.Notices, raised)
	}
	if err := bundle(ctx, tx, step.Bundled); err != nil {
		return err
	}
	facts = append(facts, step.Facts...)
	wrote, err := appendTrimmed(ctx, tx, facts)
	out.Repeated = len(facts) - int(wrote)
	return err
}

// moveCursor locks the row of the stage in any case, so that its steps follow one another, and moves it if it is where
// the step begins.
func moveCursor(ctx context.Context, tx Tx, step *store.Step) error {
	stage := store.Short(step.Stage)
	lock := "INSERT INTO stage_cursor (stage, seq) VALUES ($1, 0) ON CONFLICT (stage) DO UPDATE SET seq = stage_cursor.seq"
	if _, err := tx.Exec(ctx, lock, stage); err != nil || step.From == step.To {
		return err
	}
	n, err := tx.Exec(ctx, "UPDATE stage_cursor SET seq = $3 WHERE stage = $1 AND seq = $2", stage, step.From, step.To)
	if err == nil && n == 0 {
		err = store.ErrMoved
	}
	return err
}

func appendFacts(ctx context.Context, tx Tx, facts []store.Fact) error {
	_, err := appendTrimmed(ctx, tx, facts)
	return err
}

// appendTrimmed cuts names of strangers to what can be indexed.
func appendTrimmed(ctx context.Context, tx Tx, facts []store.Fact) (wrote int64, err error) {
	cut := make([]store.Fact, len(facts))
	for i := range facts {
		cut[i] = facts[i]
		if !cut[i].Trim() {
			return 0, fmt.Errorf("fact %s too long: %w", cut[i].Kind, store.ErrInvalid)
		}
	}
	return tx.Append(ctx, cut)
}

// note writes facts beside a change that is made whether they are there already or not.
func note(ctx context.Context, tx Tx, facts []store.Fact) error {
	_, err := tx.Append(ctx, facts)
	return err
}

const (
	findingColumns = "key, kind, severity, line, account, source, words, at, last_at, times, evidence, closed, closed_by"
	insertFinding  = "INSERT INTO finding (" + findingColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (key) DO NOTHING RETURNING id`
	repeatFinding = `UPDATE finding SET last_at = CASE WHEN last_at < $2 THEN $2 ELSE last_at END, times = times + 1, evidence = $3
		WHERE key = $1 RETURNING id`
)

// raiseFinding inserts a finding, or counts it once more if its key is there. Findings are never deleted, so one of the
// two statements meets it, whoever else writes it at the moment.
func raiseFinding(ctx context.Context, tx Tx, f *store.Finding) (store.Raised, error) {
	key := store.Short(f.Key)
	id, err := returned(ctx, tx, insertFinding, key, f.Kind, f.Severity, store.Short(f.Line), store.Short(f.Account), f.Source, f.Text,
		Micros(f.At), max(Micros(f.At), Micros(f.Last)), max(f.Count, 1), blob(f.Evidence), Micros(f.ClosedAt), f.ClosedBy)
	if err != nil || id != 0 {
		return store.Raised{ID: id, New: true}, err
	}
	id, err = returned(ctx, tx, repeatFinding, key, max(Micros(f.At), Micros(f.Last)), blob(f.Evidence))
	if err == nil && id == 0 {
		err = fmt.Errorf("finding %s is neither new nor there", key)
	}
	return store.Raised{ID: id}, err
}

// returned runs a statement and gives the integer of the row that it returns, or 0 when there is none.
func returned(ctx context.Context, q Querier, sql string, args ...any) (n int64, err error) {
	err = each(ctx, q, sql, args, func(r Rows) error { return r.Scan(&n) })
	return n, err
}

// addUsage never passes money.Max: an addition that overflows would fail each time and hold up the stage for ever.
func addUsage(ctx context.Context, tx Tx, u *store.UsageChange) (money.Micro, error) {
	sum, err := returned(ctx, tx, fmt.Sprintf(`INSERT INTO unbilled (subject, amount, told) VALUES ($1, $2, $3)
		ON CONFLICT (subject) DO UPDATE SET
		amount = CASE WHEN excluded.amount <= 0 THEN unbilled.amount + excluded.amount
			WHEN unbilled.amount > %[1]d - excluded.amount THEN %[1]d ELSE unbilled.amount + excluded.amount END,
		told = CASE WHEN unbilled.told < excluded.told THEN excluded.told ELSE unbilled.told END RETURNING amount`, int64(money.Max)),
		store.Short(u.Subject), int64(u.Add), max(u.Told, 0))
	return money.Micro(sum), err
}

// Usage streams the usage of all subjects by subject.
func (s *Queries) Usage(ctx context.Context, yield func(store.Usage) error) error {
	return each(ctx, s.db, "SELECT subject, amount, told FROM unbilled ORDER BY subject", nil, func(r Rows) error {
		var u store.Usage
		var amount int64
		if err := r.Scan(&u.Subject, &amount, &u.Told); err != nil {
			return fmt.Errorf("reading usage: %w", err)
		}
		u.Unbilled = money.Micro(amount)
		return yield(u)
	})
}

// Findings reads findings, newest first.
func (s *Queries) Findings(ctx context.Context, f store.FindingFilter) ([]store.Finding, error) {
	w := ofWhom(f.Line, f.Account, f.Kind, f.Before)
	if f.Open {
		w.plain("closed = 0") // the condition of an index, in its own words
	}
	sql := "SELECT id, " + findingColumns + ", notes FROM finding" + w.sql.String() + " ORDER BY id DESC" + w.limit(f.Limit, 100)
	var out []store.Finding
	err := each(ctx, s.db, sql, w.args, func(r Rows) error {
		x, err := scanFinding(r)
		out = append(out, x)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading findings: %w", err)
	}
	return out, nil
}

// ofWhom restricts findings and notices. Without "<> ”" SQLite would not see that its partial indexes apply.
func ofWhom(line, account, kind string, before int64) *where {
	w := &where{}
	if line != "" {
		w.and("line = ? AND line <> ''", store.Short(line))
	}
	if account != "" {
		w.and("account = ? AND account <> ''", store.Short(account))
	}
	if kind != "" {
		w.and("kind = ?", kind)
	}
	if before != 0 {
		w.and("id < ?", before)
	}
	return w
}

func scanFinding(r Rows) (store.Finding, error) {
	var f store.Finding
	var at, last, closed int64
	var noted string
	err := r.Scan(&f.ID, &f.Key, &f.Kind, &f.Severity, &f.Line, &f.Account, &f.Source, &f.Text, &at, &last, &f.Count, &f.Evidence,
		&closed, &f.ClosedBy, &noted)
	if err != nil {
		return f, err
	}
	f.At, f.Last, f.ClosedAt = instant(at), instant(last), instant(closed)
	f.Notes, err = notes(noted)
	return f, err
}

// notes reads the column of that name: a line of JSON for each.
func notes(text string) (out []store.Note, err error) {
	for line := range strings.Lines(text) {
		var n store.Note
		if err := json.Unmarshal([]byte(line), &n); err != nil {
			return nil, fmt.Errorf("a note: %w", err)
		}
		out = append(out, n)
	}
	return out, nil
}

// NoteFinding adds a note.
func (s *Queries) NoteFinding(ctx context.Context, id int64, note store.Note, facts ...store.Fact) error {
	note.At = note.At.UTC().Truncate(time.Microsecond)
	note.By, note.Text = store.Clean(note.By), store.Clean(note.Text)
	line, err := json.Marshal(note)
	if err != nil {
		return err
	}
	row := named{fmt.Sprintf("finding %d", id), "SELECT id FROM finding WHERE id = $1", []any{id}}
	sql := "UPDATE finding SET notes = notes || $2 WHERE id = $1 AND length(notes) < $3"
	return s.change(ctx, row, store.ErrInUse, facts, sql, id, string(line)+"\n", int64(store.MaxNotes-len(line)))
}

// Finding reads one finding, or ErrNotFound.
func (s *Queries) Finding(ctx context.Context, id int64) (store.Finding, error) {
	var out store.Finding
	err := first(ctx, s.db, "SELECT id, "+findingColumns+", notes FROM finding WHERE id = $1", []any{id}, func(r Rows) (err error) {
		out, err = scanFinding(r)
		return err
	})
	if err != nil {
		return store.Finding{}, fmt.Errorf("finding %d: %w", id, err)
	}
	return out, nil
}

// first reads the first row, or is ErrNotFound.
func first(ctx context.Context, q Querier, sql string, args []any, row func(Rows) error) error {
	found := false
	err := each(ctx, q, sql, args, func(r Rows) error {
		if found {
			return nil
		}
		found = true
		return row(r)
	})
	if err == nil && !found {
		err = store.ErrNotFound
	}
	return err
}

// CloseFinding closes an open finding.
func (s *Queries) CloseFinding(ctx context.Context, id int64, at time.Time, by string, facts ...store.Fact) error {
	row := named{fmt.Sprintf("finding %d", id), "SELECT id FROM finding WHERE id = $1", []any{id}}
	sql := "UPDATE finding SET closed = $2, closed_by = $3 WHERE id = $1 AND closed = 0"
	return s.change(ctx, row, store.ErrInUse, facts, sql, id, stamp(at), by)
}

// stamp is an instant at which something was done: it must not be stored as none.
func stamp(t time.Time) int64 { return cmp.Or(Micros(t), 1) }

// named is a row that a write is about, and how to see whether it is there.
type named struct {
	what string
	sql  string
	key  []any
}

// change runs one conditional write and appends the facts. If it changed nothing the row is not there, or its condition
// does not hold: otherwise.
func (s *Queries) change(ctx context.Context, row named, otherwise error, facts []store.Fact, sql string, args ...any) error {
	err := s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, sql, args...)
		if err != nil {
			return err
		}
		if n == 0 {
			if err := first(ctx, tx, row.sql, row.key, func(Rows) error { return nil }); err != nil {
				return err
			}
			return otherwise
		}
		return appendFacts(ctx, tx, facts)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", row.what, err)
	}
	return nil
}
