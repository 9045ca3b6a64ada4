package sqlstore

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"ringfence/core/money"
	"ringfence/state/store"
)

// Cursor is how far a stage has come; 0 at first.
func (s *Queries) Cursor(ctx context.Context, stage string) (seq int64, err error) {
	seq, err = Returned(ctx, s.db, "SELECT seq FROM stage_cursor WHERE stage = $1", store.Short(stage))
	return seq, about("reading the cursor of "+store.Clean(stage), err)
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
	if err := remember(ctx, tx, step); err != nil {
		return err
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
	if err := addTallies(ctx, tx, step.Tallies); err != nil {
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

// appendTrimmed cuts names from unknown sources to what can be indexed.
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

// note writes facts with a change that is made even if they are already there.
func note(ctx context.Context, tx Tx, facts []store.Fact) error {
	_, err := tx.Append(ctx, facts)
	return err
}

var findings = table[store.Finding]{
	"finding", "findings", 1,
	"id, key, kind, severity, line, account, source, words, at, last_at, times, evidence, closed, closed_by, notes",
	func(f *store.Finding) []any {
		return []any{
			&f.ID, (*short)(&f.Key), &f.Kind, &f.Severity, (*short)(&f.Line), (*short)(&f.Account), &f.Source, &f.Text, &f.At, &f.Last,
			&f.Count, &f.Evidence, &f.ClosedAt, &f.ClosedBy, (*notes)(&f.Notes),
		}
	},
}

const repeatFinding = `UPDATE finding SET last_at = CASE WHEN last_at < $2 THEN $2 ELSE last_at END, times = times + 1, evidence = $3
	WHERE key = $1 RETURNING id`

// raiseFinding inserts a finding, or counts it once more if its key is there. Only findings that were closed
// long ago are deleted, so one of the two statements finds it, even if another node writes it at the same time; else the step is taken again.
func raiseFinding(ctx context.Context, tx Tx, f *store.Finding) (store.Raised, error) {
	x := *f
	x.Count = max(x.Count, 1)
	if x.Last.Before(x.At) {
		x.Last = x.At
	}
	values, err := findings.values(x)
	if err != nil {
		return store.Raised{}, err
	}
	id, err := Returned(ctx, tx, findings.insert(1)+" ON CONFLICT (key) DO NOTHING RETURNING id", values[1:]...)
	if err != nil || id != 0 {
		return store.Raised{ID: id, New: true}, err
	}
	key := store.Short(f.Key)
	id, err = Returned(ctx, tx, repeatFinding, key, Micros(x.Last), blob(f.Evidence))
	if err == nil && id == 0 {
		err = fmt.Errorf("finding %s is neither new nor there", key)
	}
	return store.Raised{ID: id}, err
}

// addUsage never passes money.Max: an addition that overflows would fail each time and block the stage for ever.
func addUsage(ctx context.Context, tx Tx, u *store.UsageChange) (money.Micro, error) {
	sum, err := Returned(ctx, tx, fmt.Sprintf(`INSERT INTO unbilled (subject, amount, told) VALUES ($1, $2, $3)
		ON CONFLICT (subject) DO UPDATE SET
		amount = CASE WHEN excluded.amount <= 0 THEN unbilled.amount + excluded.amount
			WHEN unbilled.amount > %[1]d - excluded.amount THEN %[1]d ELSE unbilled.amount + excluded.amount END,
		told = CASE WHEN unbilled.told < excluded.told THEN excluded.told ELSE unbilled.told END RETURNING amount`, int64(money.Max)),
		store.Short(u.Subject), int64(u.Add), max(u.Told, 0))
	return money.Micro(sum), err
}

var usage = table[store.Usage]{
	"unbilled", "usage", 1,
	"subject, amount, told",
	func(u *store.Usage) []any {
		return []any{&u.Subject, &u.Unbilled, &u.Told}
	},
}

// Usage streams the usage of all subjects by subject.
func (s *Queries) Usage(ctx context.Context, yield func(store.Usage) error) error {
	return usage.stream(ctx, s.db, " ORDER BY subject", nil, yield)
}

// Findings reads findings, newest first.
func (s *Queries) Findings(ctx context.Context, f store.FindingFilter) ([]store.Finding, error) {
	w := ofWhom(f.Line, f.Account, f.Kind, f.Before)
	if f.Open {
		w.plain("closed = 0") // the condition of an index, in its own words
	}
	return findings.all(ctx, s.db, w.sql.String()+" ORDER BY id DESC"+w.limit(f.Limit, 100), w.args...)
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
	return findings.one(ctx, s.db, fmt.Sprintf("finding %d", id), " WHERE id = $1", id)
}

// CloseFinding closes an open finding.
func (s *Queries) CloseFinding(ctx context.Context, id int64, at time.Time, actor string, facts ...store.Fact) error {
	row := named{fmt.Sprintf("finding %d", id), "SELECT id FROM finding WHERE id = $1", []any{id}}
	sql := "UPDATE finding SET closed = $2, closed_by = $3 WHERE id = $1 AND closed = 0"
	return s.change(ctx, row, store.ErrInUse, facts, sql, id, stamp(at), actor)
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
			if is, err := there(ctx, tx, row.sql, row.key...); err != nil || is {
				return cmp.Or(err, otherwise)
			}
			return store.ErrNotFound
		}
		return appendFacts(ctx, tx, facts)
	})
	return about(row.what, err)
}
