package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ringfence/core/books"
	"ringfence/core/call"
	"ringfence/core/retain"
	"ringfence/state/store"
)

var legalHolds = table[store.LegalHold]{
	"legal_hold", "holds", 1,
	"id, call, line, customer, begins, until, actor, why, made, lifted, lifted_by, lifted_why",
	func(h *store.LegalHold) []any {
		return []any{&h.ID, &h.Call, &h.Line, &h.Customer, &h.From, &h.Until, &h.By, &h.Why, &h.Made, &h.Lifted, &h.LiftedBy, &h.LiftedWhy}
	},
}

// tie is what every transaction does that ties something to a case or a hold, and every one that deletes: so one of them sees what the other wrote.
func tie(ctx context.Context, tx Tx) error {
	_, err := tx.Exec(ctx, "UPDATE counter SET n = n WHERE name = 'retention'")
	return err
}

// LegalHolds reads them.
func (s *Queries) LegalHolds(ctx context.Context, all bool) ([]store.LegalHold, error) {
	return holdsOf(ctx, s.db, all)
}

func holdsOf(ctx context.Context, q Querier, all bool) ([]store.LegalHold, error) {
	rest := " WHERE lifted = 0 ORDER BY id DESC"
	if all {
		rest = " ORDER BY id DESC"
	}
	return legalHolds.all(ctx, q, rest)
}

// LegalHold reads one.
func (s *Queries) LegalHold(ctx context.Context, id int64) (store.LegalHold, error) {
	return legalHolds.one(ctx, s.db, fmt.Sprintf("hold %d", id), " WHERE id = $1", id)
}

// PutLegalHold adds one.
func (s *Queries) PutLegalHold(ctx context.Context, h store.LegalHold, facts func(int64) []store.Fact) (id int64, err error) {
	row, err := legalHolds.values(h)
	if err != nil {
		return 0, err
	}
	err = s.db.Write(ctx, func(tx Tx) (err error) {
		if err = tie(ctx, tx); err != nil {
			return err
		}
		if id, err = Returned(ctx, tx, legalHolds.insert(1)+" RETURNING id", row[1:]...); err != nil {
			return err
		}
		return note(ctx, tx, facts(id))
	})
	return id, about("hold", err)
}

// LiftLegalHold ends one.
func (s *Queries) LiftLegalHold(ctx context.Context, h store.LegalHold, facts ...store.Fact) error {
	row := named{fmt.Sprintf("hold %d", h.ID), "SELECT id FROM legal_hold WHERE id = $1", []any{h.ID}}
	const sql = "UPDATE legal_hold SET lifted = $2, lifted_by = $3, lifted_why = $4 WHERE id = $1 AND lifted = 0"
	return s.change(ctx, row, store.ErrInUse, facts, sql, h.ID, stamp(h.Lifted), h.LiftedBy, h.LiftedWhy)
}

// live is the condition of a case f that is not over.
const live = `(f.finished = 0 OR EXISTS (SELECT 1 FROM plan p WHERE p.case_id = f.id AND p.state IN ('running', 'broken')) OR
	EXISTS (SELECT 1 FROM claim m WHERE m.case_id = f.id AND m.state IN ('draft', 'sent')) OR EXISTS (SELECT 1 FROM settlement s WHERE s.case_id = f.id AND s.state = 'waiting'))`

// LiveCases reads what they hold.
func (s *Queries) LiveCases(ctx context.Context) ([]retain.Hold, error) { return liveCases(ctx, s.db) }

// liveCases finds them by the indices of what is open.
func liveCases(ctx context.Context, q Querier) ([]retain.Hold, error) {
	const sql = `SELECT f.id, f.customer, f.line FROM fraud_case f WHERE f.id IN (
		SELECT id FROM fraud_case WHERE finished = 0 UNION SELECT case_id FROM plan WHERE state IN ('running', 'broken') UNION
		SELECT case_id FROM claim WHERE state IN ('draft', 'sent') UNION SELECT case_id FROM settlement WHERE state = 'waiting') ORDER BY f.id`
	out, err := list(ctx, q, sql, nil, func(r Rows) (retain.Hold, error) {
		h := retain.Hold{Case: true}
		return h, r.Scan(&h.ID, &h.Customer, &h.Line)
	})
	return out, about("reading live cases", err)
}

// held is all that keeps things beyond their time. A case of nobody holds only its calls.
func held(ctx context.Context, q Querier) ([]retain.Hold, error) {
	all, err := holdsOf(ctx, q, false)
	if err != nil {
		return nil, err
	}
	out, err := liveCases(ctx, q)
	kept := out[:0]
	for i := range out {
		if out[i].Line != "" || out[i].Customer != "" {
			kept = append(kept, out[i])
		}
	}
	for i := range all {
		kept = append(kept, all[i].Hold)
	}
	return kept, err
}

// caseOf is the live case that a call is in, or 0.
func caseOf(id string) string {
	return "COALESCE((SELECT MIN(f.id) FROM case_call k JOIN fraud_case f ON f.id = k.case_id WHERE k.call = " + id + " AND " + live + "), 0)"
}

func one01(cond string) string { return "CASE WHEN " + cond + " THEN 1 ELSE 0 END" }

// unread says that a stage has still to read a fact, by the seq.
func unread(f *store.OldFilter, seq string) string {
	if f.Unread == 0 {
		return "0"
	}
	return one01(seq + " >= " + strconv.FormatInt(f.Unread, 10))
}

// unreadOf says so of a call.
func unreadOf(f *store.OldFilter, id string) string {
	if f.Unread == 0 {
		return "0"
	}
	return one01("EXISTS (SELECT 1 FROM fact u WHERE u.call = " + id + " AND u.call <> '' AND u.seq >= " + strconv.FormatInt(f.Unread, 10) + ")")
}

// unit parts the columns of a key in one text.
const unit = "\x1f"

// aged says how the oldest things of a kind are read. Columns: key as number and text, when its period begins, since when it is, call, line, customer, un-billed, the bill
// that it is or is on, live case, not over. What has the highest number of its kind is not over, because numbers count on from it.
type aged struct {
	columns, from string
	where         string // what else is wanted of each
	order         string // with which keyset columns
	after         func(o *store.Old) []any
	before        string // column of which Before is the bound; "" is none: the reader stops by itself
	key           string // column of the key
}

func agedOf(f *store.OldFilter) (aged, error) {
	byNumber := func(o *store.Old) []any { return []any{Micros(o.At), o.Seq} }
	switch f.Kind {
	case retain.Calls:
		return agedCalls(f), nil
	case retain.Journal, retain.Audit:
		where := "j.kind = '" + strings.ReplaceAll(f.Part, "'", "''") + "'" + rare
		if f.Kind == retain.Journal {
			where += " AND j.call = ''" // the others go with their call
		}
		return aged{
			"j.seq, '', j.at, j.at, j.call, j.line, j.account, 0, 0, " + caseOf("j.call") + ", " + unread(f, "j.seq"), "fact j", where, "j.seq",
			func(o *store.Old) []any { return []any{o.Seq} }, "", "j.seq",
		}, nil
	case retain.Devices:
		return aged{
			"0, d.line || '" + unit + "' || d.place || '" + unit + "' || d.family, d.last_at, d.first_at, '', d.line, COALESCE((SELECT l.customer FROM line l WHERE l.id = d.line), ''), 0, 0, 0, 0",
			"device d", "", "d.last_at, d.line, d.place, d.family",
			func(o *store.Old) []any {
				out := []any{Micros(o.At), "", "", ""}
				for i, part := range strings.SplitN(o.Text, unit, 3) {
					out[i+1] = part
				}
				return out
			}, "d.last_at", "",
		}, nil
	case retain.Notices:
		return aged{
			"n.id, '', n.at, n.at, '', n.line, n.account, 0, 0, 0, " +
				one01("EXISTS (SELECT 1 FROM delivery d WHERE d.notice = n.id AND d.state IN ('queued', 'sending', 'digest')) OR n.id = (SELECT MAX(id) FROM notice)"),
			"notice n", "", "n.at, n.id", byNumber, "n.at", "n.id",
		}, nil
	case retain.Findings:
		return aged{
			"n.id, '', n.last_at, n.at, '', n.line, n.account, 0, 0, COALESCE((SELECT f.id FROM fraud_case f WHERE f.finding = n.id AND f.finding <> 0), 0), " +
				one01("n.id = (SELECT MAX(id) FROM finding)"),
			"finding n", "n.closed <> 0", "n.last_at, n.id", byNumber, "n.last_at", "n.id",
		}, nil
	case retain.Cases:
		last := func(of string) string {
			return " OR EXISTS (SELECT 1 FROM " + of + " x WHERE x.case_id = f.id AND x.id = (SELECT MAX(id) FROM " + of + "))"
		}
		return aged{
			"f.id, '', f.finished, f.opened, '', f.line, f.customer, 0, 0, CASE WHEN " + live + " THEN f.id ELSE 0 END, " + one01("f.id = (SELECT MAX(id) FROM fraud_case)"+last("claim")+last("plan")),
			"fraud_case f", "f.finished <> 0", "f.finished, f.id", byNumber, "f.finished", "f.id",
		}, nil
	case retain.Books:
		if f.Part == "bill" {
			return aged{"b.number, '', b.made, b.begins, '', '', b.customer, 0, b.number, 0, 0", "bill b", "b.state = 'issued'", "b.made, b.number", byNumber, "b.made", "b.number"}, nil
		}
		return aged{"e.id, '', e.at, e.at, '', '', e.customer, 0, 0, 0, " + one01("e.id = (SELECT MAX(id) FROM entry)"), "entry e", "", "e.at, e.id", byNumber, "e.at", "e.id"}, nil
	}
	return aged{}, fmt.Errorf("what is old of %q: %w", f.Kind, store.ErrInvalid)
}

func agedCalls(f *store.OldFilter) aged {
	byID := func(o *store.Old) []any { return []any{o.Text} }
	if f.Part == "facts" {
		return aged{
			"0, j.call, MAX(j.at), MIN(j.at), j.call, MAX(j.line), MAX(j.account), 0, 0, " + caseOf("j.call") + ", " + unread(f, "MAX(j.seq)"), "fact j",
			"j.call <> '' AND NOT EXISTS (SELECT 1 FROM cdr c WHERE c.id = j.call) AND NOT EXISTS (SELECT 1 FROM open_call c WHERE c.id = j.call)",
			"j.call", byID, "", "j.call",
		}
	}
	const on = "SELECT MAX(b.number) FROM bill b WHERE b.customer = c.account AND EXISTS (SELECT 1 FROM bill_call x WHERE x.bill = b.number AND x.line = c.line AND x.country = c.country AND x.call = c.id)"
	a := aged{
		"0, c.id, c.begun, c.begun, c.id, c.line, c.account, " + one01("EXISTS (SELECT 1 FROM due_call d WHERE d.account = c.account AND d.call = c.id)") + ", COALESCE((" + on + "), 0), " + caseOf("c.id") + ", " + unreadOf(f, "c.id"),
		"cdr c", "", "c.id", byID, "", "c.id",
	}
	if f.Archive != "" {
		a.from = "archive_call a JOIN cdr c ON c.id = a.call"
		a.where = "a.archive = '" + strings.ReplaceAll(store.Clean(f.Archive), "'", "''") + "'"
	}
	return a
}

// Old reads a page.
func (s *Queries) Old(ctx context.Context, f store.OldFilter) ([]store.Old, error) {
	sql, args, err := OldQuery(f)
	if err != nil {
		return nil, err
	}
	out, err := list(ctx, s.db, sql, args, scanOld(&f))
	if err == nil {
		err = unpaid(ctx, s.db, &f, out)
	}
	return out, about("reading what is old", err)
}

// OldQuery is the statement of Old, whose plan the tests of each engine look at.
func OldQuery(f store.OldFilter) (sql string, args []any, err error) {
	a, err := agedOf(&f)
	if err != nil {
		return "", nil, err
	}
	var w where
	if a.where != "" {
		w.plain(a.where)
	}
	if a.before != "" {
		w.and(a.before+" < ?", Micros(f.Before))
	}
	if f.Kind == retain.Calls && f.Archive == "" {
		w.and(a.key+" < ?", string(call.FirstID(f.Before)))
	}
	if f.After != (store.Old{}) {
		after := a.after(&f.After)
		first := len(w.args) + 1
		w.args = append(w.args, after...)
		marks := make([]string, len(after))
		for i := range marks {
			marks[i] = "$" + strconv.Itoa(first+i)
		}
		w.plain("(" + a.order + ") > (" + strings.Join(marks, ", ") + ")")
	}
	group := ""
	if f.Part == "facts" {
		group = " GROUP BY j.call"
	}
	sql = "SELECT " + a.columns + " FROM " + a.from + w.sql.String() + group + " ORDER BY " + a.order
	return sql + w.limit(f.Limit, 500), w.args, nil
}

func scanOld(f *store.OldFilter) func(Rows) (store.Old, error) {
	return func(r Rows) (o store.Old, err error) {
		var at, since, unbilled, open int64
		err = r.Scan(&o.Seq, &o.Text, &at, &since, (*string)(&o.Call), &o.Line, &o.Customer, &unbilled, &o.Unpaid, &o.Case, &open)
		o.Kind, o.At, o.Since, o.Unbilled, o.Open = f.Kind, instant(at), instant(since), unbilled != 0, open != 0
		return o, err
	}
}

// again reads things by their keys.
func again(ctx context.Context, q Querier, f *store.OldFilter, all []store.Old) (out []store.Old, err error) {
	a, err := agedOf(f)
	if err != nil {
		return nil, err
	}
	where := a.where
	if where != "" {
		where += " AND "
	}
	if a.key == "" { // a device
		for i := range all {
			some, err := list(ctx, q, "SELECT "+a.columns+" FROM "+a.from+" WHERE "+where+"d.line = $1 AND d.place = $2 AND d.family = $3", a.after(&all[i])[1:], scanOld(f))
			if err != nil {
				return nil, err
			}
			out = append(out, some...)
		}
		return out, nil
	}
	keys := make([]any, len(all))
	for i := range all {
		if keys[i] = all[i].Seq; f.Kind == retain.Calls {
			keys[i] = all[i].Text
		}
	}
	group := ""
	if f.Part == "facts" {
		group = " GROUP BY j.call"
	}
	err = chunked(keys, func(marks string, args []any) error {
		some, err := list(ctx, q, "SELECT "+a.columns+" FROM "+a.from+" WHERE "+where+a.key+" IN ("+marks+")"+group, args, scanOld(f))
		out = append(out, some...)
		return err
	})
	if err == nil {
		err = unpaid(ctx, q, f, out)
	}
	return out, err
}

// unpaid keeps the number of a bill only where it is not paid: payments count towards the oldest bill first, so the newest bills are those that a balance is left of.
func unpaid(ctx context.Context, q Querier, f *store.OldFilter, all []store.Old) error {
	if f.Kind != retain.Calls && f.Kind != retain.Books || f.Part == "facts" {
		return nil
	}
	first := map[string]store.Bill{}
	for i := range all {
		o := &all[i]
		if f.Kind == retain.Calls && o.Unpaid == 0 {
			continue
		}
		b, known := first[o.Customer]
		if !known {
			var err error
			if b, err = firstUnpaid(ctx, q, o.Customer); err != nil {
				return err
			}
			first[o.Customer] = b
		}
		switch {
		case b.Number == 0 || f.Part != "entry" && o.Unpaid < b.Number:
			o.Unpaid = 0
		case f.Part == "entry" && !o.At.Before(b.From): // what was booked since the bill began
			o.Unpaid = b.Number
		}
	}
	return nil
}

// firstUnpaid is the oldest bill of a customer that is not paid in full, or is being made; the zero Bill when there is none.
func firstUnpaid(ctx context.Context, q Querier, customer string) (first store.Bill, err error) {
	owed, err := Returned(ctx, q, "SELECT amount FROM balance WHERE account = $1", books.Customer(customer))
	if err != nil {
		return first, err
	}
	below := int64(1) << 62
	for {
		page, err := bills.all(ctx, q, " WHERE customer = $1 AND number < $2 ORDER BY number DESC LIMIT 50", customer, below)
		if err != nil || len(page) == 0 {
			return first, err
		}
		for i := range page {
			b := &page[i]
			if below = b.Number; b.State == store.BillMaking {
				first = *b
				continue
			}
			if owed <= 0 {
				return first, nil
			}
			first, owed = *b, owed-int64(b.Gross)
		}
	}
}

// FactKinds goes from kind to kind along the index.
func (s *Queries) FactKinds(ctx context.Context) (kinds []string, err error) {
	for after := ""; ; {
		next := ""
		err := each(ctx, s.db, "SELECT kind FROM fact WHERE kind > $1"+rare+" ORDER BY kind LIMIT 1", []any{after}, func(r Rows) error { return r.Scan(&next) })
		if err != nil || next == "" {
			return kinds, about("reading the kinds of facts", err)
		}
		kinds, after = append(kinds, next), next
	}
}

var archives = table[store.Archive]{
	"archive", "archives", 1, "name, node, state, made, first_id, last_id, last, calls, facts, bytes, calls_hash, facts_hash, cleared",
	func(a *store.Archive) []any {
		return []any{&a.Name, &a.Node, &a.State, &a.Made, &a.First, &a.Last, &a.LastAt, &a.Calls, &a.Facts, &a.Bytes, &a.CallsHash, &a.FactsHash, &a.Cleared}
	},
}

// PutArchive notes one with its calls.
func (s *Queries) PutArchive(ctx context.Context, a store.Archive, calls []call.ID, facts ...store.Fact) error {
	row, err := archives.values(a)
	if err != nil {
		return err
	}
	return about("archive "+a.Name, s.db.Write(ctx, func(tx Tx) error {
		if _, err := tx.Exec(ctx, archives.insert(0), row...); err != nil {
			return translate(err, a.Name)
		}
		if _, err := tx.ExecMany(ctx, "INSERT INTO archive_call (archive, call) VALUES ($1, $2)", len(calls), func(i int) []any { return []any{a.Name, string(calls[i])} }); err != nil {
			return translate(err, a.Name)
		}
		return note(ctx, tx, facts)
	}))
}

// Archives reads them.
func (s *Queries) Archives(ctx context.Context, state string) ([]store.Archive, error) {
	var w where
	w.text("state = ?", state)
	return archives.all(ctx, s.db, w.sql.String()+" ORDER BY last, name", w.args...)
}

// MoveArchive changes its state.
func (s *Queries) MoveArchive(ctx context.Context, name, was, state string, facts ...store.Fact) error {
	return about("archive "+name, s.db.Write(ctx, func(tx Tx) error {
		sql, args := "UPDATE archive SET state = $3 WHERE name = $1 AND state = $2", []any{name, was, state}
		if state == store.ArchiveGone {
			sql, args = "DELETE FROM archive WHERE name = $1 AND state = $2", args[:2]
		}
		n, err := tx.Exec(ctx, sql, args...)
		if err == nil && n == 0 {
			err = store.ErrMoved
		}
		if err == nil {
			_, err = tx.Exec(ctx, "DELETE FROM archive_call WHERE archive = $1", name)
		}
		if err != nil {
			return err
		}
		return note(ctx, tx, facts)
	}))
}

// Uploads are files that nobody named.
func (s *Queries) Uploads(ctx context.Context, before time.Time, limit int) ([]string, error) {
	const sql = "SELECT code FROM case_upload WHERE at < $1 ORDER BY at LIMIT $2"
	out, err := list(ctx, s.db, sql, []any{Micros(before), int64(cmp.Or(limit, 100))}, func(r Rows) (code string, err error) { return code, r.Scan(&code) })
	return out, about("reading what was uploaded", err)
}

// piecesAtOnce is 4 MiB.
const piecesAtOnce = 16

const dropPieces = "DELETE FROM case_piece WHERE code = $1 AND n IN (SELECT n FROM case_piece WHERE code = $1 ORDER BY n LIMIT 16)"

// DropUpload removes pieces, and with the last of them the note that they were there.
func (s *Queries) DropUpload(ctx context.Context, code string) (more bool, err error) {
	err = s.db.Write(ctx, func(tx Tx) error {
		is, err := there(ctx, tx, "SELECT code FROM case_upload WHERE code = $1", code)
		if more = false; err != nil || !is {
			return err
		}
		// The row is taken before anything goes: an item that names the file now fails.
		n, err := tx.Exec(ctx, "UPDATE case_upload SET at = 0 WHERE code = $1", code)
		if err != nil || n == 0 {
			return err
		}
		if n, err = tx.Exec(ctx, dropPieces, code); err != nil {
			return err
		}
		if more = n == piecesAtOnce; more {
			return nil
		}
		_, err = tx.Exec(ctx, "DELETE FROM case_upload WHERE code = $1", code)
		return err
	})
	return more, about("removing a file that nobody named", err)
}
