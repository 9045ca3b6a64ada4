package sqlstore

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/state/store"
)

// where collects conditions, without those that restrict nothing.
type where struct {
	sql  strings.Builder
	args []any
}

// and adds a condition; its one placeholder is written "?".
func (w *where) and(cond string, arg any) {
	w.args = append(w.args, arg)
	w.plain(strings.ReplaceAll(cond, "?", "$"+strconv.Itoa(len(w.args))))
}

// plain adds a condition without a placeholder.
func (w *where) plain(cond string) {
	if w.sql.Len() == 0 {
		w.sql.WriteString(" WHERE ")
	} else {
		w.sql.WriteString(" AND ")
	}
	w.sql.WriteString(cond)
}

// text adds a condition on a text, time one on an instant; what is empty restricts nothing.
func (w *where) text(cond, want string) {
	if want != "" {
		w.and(cond, store.Clean(want))
	}
}

// calls wants one of several calls.
func (w *where) calls(column string, ids []call.ID) {
	marks := make([]string, len(ids))
	for i, id := range ids {
		w.args = append(w.args, store.Clean(string(id)))
		marks[i] = "$" + strconv.Itoa(len(w.args))
	}
	w.plain(column + " IN (" + strings.Join(marks, ", ") + ")")
}

func (w *where) time(cond string, want time.Time) {
	if !want.IsZero() {
		w.and(cond, Micros(want))
	}
}

// limit ends the query with the next placeholder.
func (w *where) limit(n, otherwise int) string {
	if n <= 0 {
		n = otherwise
	}
	w.args = append(w.args, int64(n))
	return " LIMIT $" + strconv.Itoa(len(w.args))
}

// Purses reads balances in the order of ids; missing ones are empty.
func (s *Queries) Purses(ctx context.Context, ids []string) ([]store.Purse, error) {
	out := make([]store.Purse, 0, len(ids))
	at := make(map[string][]int, len(ids))
	for i, id := range ids {
		out = append(out, store.Purse{ID: id})
		at[store.Clean(id)] = append(at[store.Clean(id)], i)
	}
	err := chunked(slices.Collect(maps.Keys(at)), func(marks string, args []any) error {
		return each(ctx, s.db, "SELECT id, spent, held FROM purse WHERE id IN ("+marks+")", args, func(r Rows) error {
			var id string
			var spent, held int64
			err := r.Scan(&id, &spent, &held)
			for _, i := range at[id] {
				out[i].Spent, out[i].Held = money.Micro(spent), money.Micro(held)
			}
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("reading purses: %w", err)
	}
	return out, nil
}

// The lease of a call is the later of its own and its node's: one write renews a node, however many calls it has.
const expired = "c.lease < $1 AND c.node <> $2 AND NOT EXISTS (SELECT 1 FROM node_lease n WHERE n.node = c.node AND n.until >= $1)"

var openColumnsOfC = "c." + strings.ReplaceAll(OpenColumns, ", ", ", c.")

// OpenCalls reads the calls in progress of a node, or of all, by id.
func (s *Queries) OpenCalls(ctx context.Context, node string) ([]call.Open, error) {
	leased := strings.Replace(openColumnsOfC, "c.lease",
		"CASE WHEN n.until > c.lease THEN n.until ELSE c.lease END", 1)
	sql := "SELECT " + leased + " FROM open_call c LEFT JOIN node_lease n ON n.node = c.node"
	var w where
	w.text("c.node = ?", node)
	out, err := list(ctx, s.db, sql+w.sql.String()+" ORDER BY c.id", w.args, opens.scan)
	return out, about("reading open calls", err)
}

// Clock is the engine's own clock.
func (s *Queries) Clock(ctx context.Context) (time.Time, error) {
	now, err := s.db.Clock(ctx, s.db)
	return now, about("reading the clock of the store", err)
}

// Claim takes over calls whose lease has ended. It looks for one first, so that healthy nodes write nothing.
func (s *Queries) Claim(ctx context.Context, node string, lease time.Duration) ([]call.Open, error) {
	now, err := s.db.Clock(ctx, s.db)
	found := false
	if err == nil {
		err = each(ctx, s.db, "SELECT c.id FROM open_call c WHERE "+expired+" LIMIT 1", []any{Micros(now), node}, func(Rows) error {
			found = true
			return nil
		})
	}
	var out []call.Open
	if err == nil && found {
		out, err = s.claim(ctx, node, lease, expired, "")
	}
	if err != nil {
		return nil, fmt.Errorf("claiming calls: %w", err)
	}
	slices.SortFunc(out, func(a, b call.Open) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return out, nil
}

// Take takes over calls by their id or the Call-ID of a leg.
func (s *Queries) Take(ctx context.Context, node string, lease time.Duration, id call.ID, leg string, ending bool) ([]call.Open, error) {
	const which = "CAST($1 AS BIGINT) >= 0 AND (c.id = $4 OR c.a_leg = $5 AND c.a_leg <> '' OR c.b_leg = $5 AND c.b_leg <> '') AND c.node <> $2"
	stays := "c.state = 'ending' AND NOT (" + expired + ")"
	if ending {
		stays = ""
	}
	out, err := s.claim(ctx, node, lease, which, stays, store.Clean(string(id)), store.Clean(leg))
	return out, about("taking a call over", err)
}

// claim makes calls node's own, except those for which stays holds; which has $1 for now, $2 for node and args from $4 on.
func (s *Queries) claim(ctx context.Context, node string, lease time.Duration, which, stays string, args ...any) (out []call.Open, err error) {
	set := "node = $2, lease = $3"
	if stays != "" {
		set = "node = CASE WHEN " + stays + " THEN c.node ELSE $2 END, lease = CASE WHEN " + stays + " THEN c.lease ELSE $3 END"
	}
	err = s.db.Write(ctx, func(tx Tx) error {
		now, err := s.db.Clock(ctx, tx)
		if err != nil {
			return err
		}
		sql := "UPDATE open_call AS c SET " + set + " WHERE " + which + " RETURNING " + OpenColumns
		out, err = list(ctx, tx, sql, append([]any{Micros(now), node, Micros(now.Add(lease))}, args...), opens.scan)
		return err
	})
	return out, err
}

// Hear keeps and reads what nodes have heard of a call. The first statement locks its row: of several nodes, each adds to what the others wrote.
func (s *Queries) Hear(ctx context.Context, node string, id call.ID, heard []byte) (all [][]byte, err error) {
	err = s.db.Write(ctx, func(tx Tx) error {
		all = nil
		got := map[string][]byte{}
		found, err := list(ctx, tx, "UPDATE open_call SET heard = heard WHERE id = $1 RETURNING heard", []any{string(id)}, func(r Rows) (text string, err error) {
			err = r.Scan(&text)
			return text, err
		})
		if err != nil || len(found) == 0 {
			return err
		}
		if found[0] != "" {
			err = json.Unmarshal([]byte(found[0]), &got)
		}
		if err == nil && heard != nil {
			got[store.Clean(node)] = heard
			var b []byte
			if b, err = json.Marshal(got); err == nil {
				_, err = tx.Exec(ctx, "UPDATE open_call SET heard = $2 WHERE id = $1", string(id), string(b))
			}
		}
		for _, node := range slices.Sorted(maps.Keys(got)) {
			all = append(all, got[node])
		}
		return err
	})
	return all, about("what was heard of a call", err)
}

// Renew sets the lease of a node's calls.
func (s *Queries) Renew(ctx context.Context, node string, lease time.Duration) error {
	err := s.db.Write(ctx, func(tx Tx) error {
		now, err := s.db.Clock(ctx, tx)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO node_lease (node, until) VALUES ($1, $2)
			ON CONFLICT (node) DO UPDATE SET until = excluded.until`, node, Micros(now.Add(lease)))
		return err
	})
	return about("renewing the lease of "+node, err)
}

// CDRs reads call records, newest first.
func (s *Queries) CDRs(ctx context.Context, f store.CDRFilter) ([]call.CDR, error) {
	out, err := s.cdrs(ctx, f)
	if err != nil || !f.Called || f.Line == "" {
		return out, err
	}
	// One query with OR would not read either index in the order of the ids.
	called, err := s.cdrs(ctx, f, callsTo...)
	out = append(out, called...)
	slices.SortFunc(out, func(a, b call.CDR) int { return cmp.Compare(b.ID, a.ID) })
	return out[:min(len(out), cmp.Or(max(f.Limit, 0), cdrLimit))], err
}

const cdrLimit = 100

// cdrs reads the records that fit the filter, with conditions on the line in the place of its own.
func (s *Queries) cdrs(ctx context.Context, f store.CDRFilter, ofLine ...string) ([]call.CDR, error) {
	w := cdrWhere(&f, ofLine)
	rest := w.sql.String() + " ORDER BY id DESC" + w.limit(f.Limit, cdrLimit)
	return cdrs.all(ctx, s.db, rest, w.args...)
}

// callsTo are calls of other lines to a line.
var callsTo = []string{"peer = ?", "direction = 'between' AND line <> ?"}

func cdrWhere(f *store.CDRFilter, ofLine []string) *where {
	var w where
	if len(ofLine) == 0 {
		ofLine = []string{"line = ?"}
	}
	for _, cond := range ofLine {
		w.text(cond, f.Line)
	}
	if f.Line == "" {
		w.text("account = ?", f.Account)
	} else { // the index of the line finds less than that of the account: neither engine is to choose
		w.text("account || '' = ?", f.Account)
	}
	w.text("country = ?", f.Country)
	if f.Exact { // the index of numbers has these in the order of the ids
		w.text("number = ?", f.Number)
	} else {
		w.text("(number = ? OR number = '' AND dialled = ?)", f.Number)
	}
	w.text("reason = ?", f.Reason)
	w.text("direction = ?", string(f.Direction))
	w.text("id < ?", string(f.Before))
	if len(f.Calls) > 0 {
		w.calls("id", f.Calls)
	}
	w.time("begun >= ?", f.From)
	w.time("begun < ?", f.Until)
	w.text("id >= ?", string(f.Since))
	w.text("replace(number || ' ' || dialled, ?, '') <> number || ' ' || dialled", f.Digits)
	switch f.Outcome {
	case "":
	case call.Refused: // as the index of refused calls has it
		w.plain("refused = 1")
	default:
		w.and(outcome+" = ?", string(f.Outcome))
	}
	if f.Least > 0 {
		w.and("retail >= ?", int64(f.Least))
	}
	if f.Below > 0 {
		w.and("retail < ?", int64(f.Below))
	}
	return &w
}

// outcome is CDR.Outcome.
const outcome = "CASE WHEN refused <> 0 THEN 'refused' WHEN talk > 0 THEN 'talked' ELSE 'missed' END"

// Sums sums up the newest records that fit the filter.
func (s *Queries) Sums(ctx context.Context, f store.CDRFilter, by store.SumBy) ([]store.CDRSum, error) {
	out, err := s.sums(ctx, &f, by)
	if err == nil && f.Called && f.Line != "" {
		var called []store.CDRSum
		called, err = s.sums(ctx, &f, by, callsTo...)
		out = store.MergeSums(append(out, called...))
	}
	return out, about("summing call records", err)
}

// summed are slot, line, country and reason of each way to sum.
var summed = map[store.SumBy]string{
	store.SumAll:         "0 AS slot, '' AS line, '' AS country, '' AS reason",
	store.SumQuarter:     "begun / 900000000 AS slot, '' AS line, '' AS country, '' AS reason",
	store.SumLineCountry: "0 AS slot, line, country, '' AS reason",
	store.SumReason:      "0 AS slot, '' AS line, '' AS country, reason",
}

func (s *Queries) sums(ctx context.Context, f *store.CDRFilter, by store.SumBy, ofLine ...string) ([]store.CDRSum, error) {
	w := cdrWhere(f, ofLine)
	sql := "SELECT slot, line, country, reason, COUNT(*), CAST(SUM(refused) AS BIGINT), CAST(SUM(CASE WHEN talk > 0 AND refused = 0 THEN 1 ELSE 0 END) AS BIGINT), CAST(SUM(talk) AS BIGINT), CAST(SUM(retail) AS BIGINT) FROM (SELECT " +
		summed[by] + ", refused, talk, retail FROM cdr" + w.sql.String()
	if f.Limit > 0 {
		sql += " ORDER BY id DESC" + w.limit(f.Limit, 0)
	}
	return list(ctx, s.db, sql+") AS x GROUP BY slot, line, country, reason ORDER BY slot, line, country, reason", w.args, func(r Rows) (c store.CDRSum, err error) {
		return c, r.Scan(&c.Slot, &c.Line, &c.Country, &c.Reason, &c.Calls, &c.Refused, &c.Answered, (*int64)(&c.Talk), (*int64)(&c.Retail))
	})
}

// CDR reads one call record, or ErrNotFound.
func (s *Queries) CDR(ctx context.Context, id call.ID) (call.CDR, error) {
	return cdrs.one(ctx, s.db, fmt.Sprintf("call record %q", store.Clean(string(id))), " WHERE id = $1", string(id))
}

// past are the facts of a history, as their index has them.
var past = "account <> '' AND kind IN ('" + strings.Join(fact.History[:], "', '") + "')"

// rare is the condition of the index by kind, as the migration has it: without it, neither engine sees that the index applies.
var rare = " AND kind <> '" + strings.Join(fact.EachCall[:], "' AND kind <> '") + "'"

// Facts reads the journal in the order in which it was written, or from the end.
func (s *Queries) Facts(ctx context.Context, f store.FactFilter) ([]store.Fact, error) {
	out, err := s.facts(ctx, &f)
	if !f.Proofs {
		for i := range out {
			out[i].Proof = nil
		}
	}
	return out, about("reading the journal", err)
}

func (s *Queries) facts(ctx context.Context, f *store.FactFilter) ([]store.Fact, error) {
	kinds, ok, err := s.rareKinds(ctx, f)
	if err != nil || ok && len(kinds) == 0 {
		return nil, err
	}
	if w, order := stretch(f); ok {
		return s.ofKinds(ctx, f, w, kinds, order)
	}
	query, args := FactQuery(f)
	return list(ctx, s.db, query, args, facts.scan)
}

// stretch is the part of the journal that a filter is about, and its order.
func stretch(f *store.FactFilter) (w *where, order string) {
	w, order = &where{}, " ORDER BY seq"
	w.and("seq > ?", f.After)
	if f.Before > 0 {
		w.and("seq < ?", f.Before)
		order += " DESC"
	}
	w.time("at >= ?", f.From)
	w.time("at < ?", f.Until)
	return w, order
}

// FactQuery reads facts of a filter that is not about rare kinds alone. Tests look at its plan.
func FactQuery(f *store.FactFilter) (query string, args []any) {
	w, order := stretch(f)
	w.text("line = ?", f.Line)
	w.text("call = ?", string(f.Call))
	if len(f.Calls) > 0 {
		w.calls("call", f.Calls)
	}
	if f.Kind != "" {
		kind := store.Clean(f.Kind)
		w.and("substr(kind, 1, "+strconv.Itoa(len([]rune(kind)))+") = ?", kind)
	}
	if len(f.Kinds) > 0 {
		w.plain("kind IN ('" + strings.Join(f.Kinds, "', '") + "')")
	}
	// Without these conditions, which follow from the others, SQLite would not see that its partial indexes apply.
	switch {
	case f.Past != "":
		w.and("account = ?", store.Clean(f.Past))
		w.plain(past)
	case f.Line != "":
		w.plain("line <> ''")
	}
	if f.Loose != "" {
		w.and("account = ?", store.Clean(f.Loose))
		w.plain("line = '' AND account <> ''")
	}
	if f.Call != "" || len(f.Calls) > 0 {
		w.plain("call <> ''")
	}
	query = "SELECT seq, " + FactColumns + " FROM fact" + w.sql.String() + order + w.limit(f.Limit, 1000)
	return query, w.args
}

// rareKinds are the kinds that a filter means, where the index by kind finds them: it is about no line and no call, whose own indexes
// find less, and about none of the kinds that every call writes.
func (s *Queries) rareKinds(ctx context.Context, f *store.FactFilter) (kinds []string, ok bool, err error) {
	if f.Line != "" || f.Loose != "" || f.Past != "" || f.Call != "" || len(f.Calls) > 0 || f.Kind == "" && len(f.Kinds) == 0 {
		return nil, false, nil
	}
	prefix := store.Clean(f.Kind)
	for _, often := range fact.EachCall {
		if prefix != "" && strings.HasPrefix(often, prefix) || slices.Contains(f.Kinds, often) {
			return nil, false, nil
		}
	}
	if len(f.Kinds) > 0 {
		for _, kind := range f.Kinds {
			if strings.HasPrefix(kind, prefix) {
				kinds = append(kinds, kind)
			}
		}
		return kinds, true, nil
	}
	// From kind to kind: each look finds the next in the index.
	for next, cond := prefix, "kind >= $1"; err == nil && next != ""; cond = "kind > $1" {
		after := next
		next = ""
		err = each(ctx, s.db, "SELECT kind FROM fact WHERE "+cond+rare+" ORDER BY kind LIMIT 1", []any{after}, func(r Rows) error { return r.Scan(&next) })
		if !strings.HasPrefix(next, prefix) {
			break
		}
		if next != "" {
			kinds = append(kinds, next)
		}
	}
	return kinds, true, err
}

// ofKinds reads rare kinds in one statement, each in its part of the index.
func (s *Queries) ofKinds(ctx context.Context, f *store.FactFilter, w *where, kinds []string, order string) ([]store.Fact, error) {
	limit := cmp.Or(max(f.Limit, 0), 1000)
	common := "SELECT seq, " + FactColumns + " FROM fact" + w.sql.String() + rare
	end := order + w.limit(limit, limit)
	parts := make([]string, len(kinds))
	for i, kind := range kinds {
		w.args = append(w.args, kind)
		parts[i] = "SELECT * FROM (" + common + " AND kind = $" + strconv.Itoa(len(w.args)) + end + ") AS of_kind"
	}
	out, err := list(ctx, s.db, strings.Join(parts, " UNION ALL "), w.args, facts.scan)
	slices.SortFunc(out, func(a, b store.Fact) int {
		if f.Before > 0 {
			a, b = b, a
		}
		return cmp.Compare(a.Seq, b.Seq)
	})
	return out[:min(len(out), limit)], err
}

// Removals are the facts of what was removed, newest first.
func (s *Queries) Removals(ctx context.Context, subject, handle string, limit int) ([]store.Fact, error) {
	column, kind := "line", fact.KindLineDeleted
	if subject == "customer" {
		column, kind = "account", fact.KindCustomerDeleted
	}
	// The kind stands in the text, or SQLite would not see that its partial index applies.
	sql := "SELECT seq, " + FactColumns + " FROM fact WHERE kind = '" + kind + "'"
	var args []any
	if handle != "" {
		sql += " AND (" + column + " = $1 OR " + column + " > $2 AND " + column + " < $3)"
		handle = store.Clean(handle)
		args = []any{handle, handle + account.Mark, handle + account.Mark + "\x7f"}
	}
	out, err := list(ctx, s.db, sql+" ORDER BY seq DESC LIMIT "+strconv.Itoa(limit), args, facts.scan)
	return out, about("reading what was removed", err)
}

// Check proves that every purse holds exactly what the open calls say, and that no call is both open and settled.
func (s *Queries) Check(ctx context.Context) ([]string, error) {
	var faults []string
	held := map[string]money.Micro{}
	err := s.db.Snapshot(ctx, func(q Querier) error {
		err := each(ctx, q, "SELECT purses, held FROM open_call", nil, func(r Rows) error {
			var purses string
			var n int64
			err := r.Scan(&purses, &n)
			for _, id := range splitPurses(purses) {
				held[id] = held[id].Add(money.Micro(n))
			}
			return err
		})
		if err != nil {
			return err
		}
		err = each(ctx, q, "SELECT id, spent, held FROM purse", nil, func(r Rows) error {
			var id string
			var spent, n int64
			if err := r.Scan(&id, &spent, &n); err != nil {
				return err
			}
			if spent < 0 || money.Micro(n) != held[id] {
				faults = append(faults, store.PurseFault(store.Purse{ID: id, Spent: money.Micro(spent), Held: money.Micro(n)}, held[id]))
			}
			delete(held, id)
			return nil
		})
		if err != nil {
			return err
		}
		return each(ctx, q, "SELECT id FROM open_call WHERE id IN (SELECT id FROM cdr)", nil, func(r Rows) error {
			var id string
			err := r.Scan(&id)
			faults = append(faults, "call "+id+" is open and has a record")
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("checking the store: %w", err)
	}
	for id, n := range held {
		if n != 0 {
			faults = append(faults, store.PurseFault(store.Purse{ID: id}, n))
		}
	}
	slices.Sort(faults)
	return faults, nil
}
