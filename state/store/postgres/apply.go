package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/state/store"
	"ringfence/state/store/sqlstore"
)

// errStale says that a condition of the plan did not hold when it was written.
var errStale = errors.New("the group was judged on what is no longer so")

// Apply writes a group in two round trips to the server: one reads purses and calls without a lock, the other writes all,
// each purse on the condition under which the plan is right, in one implicit transaction that the server ends itself
// when a condition does not hold. Then it is read and planned again; after a few times with the rows locked.
func (e *Engine) Apply(ctx context.Context, ops []store.Op) ([]store.Outcome, error) {
	if err := store.Prepare(ops); err != nil {
		return nil, err
	}
	if len(ops) == 0 {
		return nil, nil
	}
	var err error
	for try := range maxTries {
		var out []store.Outcome
		out, err = e.attempt(ctx, ops, try >= lockAfter)
		if err == nil {
			return out, nil
		}
		if !errors.Is(err, errStale) && !transient(err) {
			break
		}
	}
	return nil, fmt.Errorf("writing a group of %d: %w", len(ops), err)
}

// lockAfter is how often a group is tried without locks.
const lockAfter = 3

// sender is a pool or a transaction.
type sender interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

func (e *Engine) attempt(ctx context.Context, ops []store.Op, locked bool) (out []store.Outcome, err error) {
	try := func(s sender, suffix string) error {
		known, err := read(ctx, s, ops, suffix)
		if err != nil {
			return err
		}
		plan, err := sqlstore.Judge(known, ops)
		if err != nil {
			return err
		}
		out = plan.Outcomes
		return write(ctx, s, e.tree(), plan)
	}
	if locked {
		err = pgx.BeginFunc(ctx, e.money, func(tx pgx.Tx) error { return try(tx, " ORDER BY 1 FOR UPDATE") })
	} else {
		err = try(e.money, "")
	}
	return out, stale(err)
}

// stale finds the failures for which reading again may help: a count that was not as planned (division by zero, see counted),
// a row that came or went meanwhile.
func stale(err error) error {
	switch code(err) {
	case "22012", "23505", "23514":
		return fmt.Errorf("%w: %w", errStale, err)
	}
	return err
}

const (
	readCalls  = "SELECT id, node, purses, held, paid_for FROM open_call WHERE id = ANY($1)"
	readDone   = "SELECT id FROM cdr WHERE id = ANY($1)"
	readPurses = "SELECT id, spent, held FROM purse WHERE id = ANY($1)"
	// The purses of calls that end are known only to their rows.
	readTheirs = `SELECT p.id, p.spent, p.held FROM purse p WHERE p.id IN (SELECT unnest(string_to_array(c.purses, E'\n'))
		FROM open_call c WHERE c.id = ANY($1))`
)

func read(ctx context.Context, s sender, ops []store.Op, suffix string) (*sqlstore.Known, error) {
	k := &sqlstore.Known{Purses: map[string]sqlstore.Balance{}, Calls: map[call.ID]sqlstore.Held{}, Done: map[call.ID]bool{}}
	var ids, ends []string
	for i := range ops {
		op := &ops[i]
		if op.Kind != store.OpRecord || op.CDR != nil {
			ids = append(ids, string(op.ID))
		}
		if op.Kind == store.OpSettle {
			ends = append(ends, string(op.ID))
		}
		for _, h := range op.Holds {
			k.Purses[h.Purse] = sqlstore.Balance{Missing: true}
		}
	}
	if len(ids) == 0 {
		return k, nil
	}
	b := &pgx.Batch{}
	b.Queue(readClock).QueryRow(func(r pgx.Row) error {
		var us int64
		err := r.Scan(&us)
		k.Now = time.UnixMicro(us)
		return err
	})
	b.Queue(readCalls+suffix, ids).Query(func(r pgx.Rows) error {
		return scan(r, func() error {
			var id, node, purses string
			var held, paid int64
			err := r.Scan(&id, &node, &purses, &held, &paid)
			k.Calls[call.ID(id)] = sqlstore.HeldOf(node, purses, held, paid)
			return err
		})
	})
	b.Queue(readDone, ids).Query(func(r pgx.Rows) error {
		return scan(r, func() error {
			var id string
			err := r.Scan(&id)
			k.Done[call.ID(id)] = true
			return err
		})
	})
	balances := func(r pgx.Rows) error {
		return scan(r, func() error {
			var id string
			var spent, held int64
			err := r.Scan(&id, &spent, &held)
			k.Purses[id] = sqlstore.Balance{Spent: money.Micro(spent), Held: money.Micro(held)}
			return err
		})
	}
	if len(k.Purses) > 0 {
		b.Queue(readPurses+suffix, slices.Sorted(maps.Keys(k.Purses))).Query(balances)
	}
	if len(ends) > 0 {
		b.Queue(readTheirs+suffix, ends).Query(balances)
	}
	return k, s.SendBatch(ctx, b).Close()
}

func scan(r pgx.Rows, row func() error) error {
	for r.Next() {
		if err := row(); err != nil {
			return err
		}
	}
	return r.Err()
}

// leafPlace is the place of the next leaf of the tree that a parameter names.
func leafPlace(param string) string {
	return "COALESCE((SELECT first + length(hashes) / 32 FROM seal_leaf WHERE tree = " + param + " ORDER BY first DESC LIMIT 1), 0)"
}

// counted ends the transaction, by dividing by zero, unless exactly as many rows are written as the parameter says.
func counted(statement string, param int) string {
	return fmt.Sprintf("WITH w AS (%s RETURNING 1) SELECT 1 / (CASE WHEN (SELECT count(*) FROM w) = $%d THEN 1 ELSE 0 END)", statement, param)
}

var (
	insertPurses = counted(`INSERT INTO purse (id, spent, held)
		SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[]) ON CONFLICT (id) DO NOTHING`, 4)
	updatePurses = counted(`UPDATE purse p SET spent = p.spent + d.spent, held = p.held + d.held
		FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) AS d (id, spent, held, bound)
		WHERE p.id = d.id AND p.spent + p.held <= d.bound`, 5)
	extendOpens = counted(`UPDATE open_call c SET held = d.held, paid_for = d.paid_for, lease = d.lease
		FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[])
		AS d (id, was_held, was_paid, held, paid_for, lease, node)
		WHERE c.id = d.id AND c.held = d.was_held AND c.paid_for = d.was_paid AND c.node = d.node`, 8)
	updateOpens = counted(`UPDATE open_call c SET state = d.state, trunk = d.trunk, b_leg = d.b_leg, cost = d.cost,
		ringing = d.ringing, answered = d.answered, anchor = d.anchor, ending = d.ending,
		snapshot = COALESCE(d.snapshot, c.snapshot), unproven = d.unproven
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::text[], $9::text[],
		$10::bytea[], $11::bigint[], $12::text[])
		AS d (id, state, trunk, b_leg, cost, ringing, answered, anchor, ending, snapshot, unproven, node)
		WHERE c.id = d.id AND c.node = d.node`, 13)
	deleteOpens = counted(`DELETE FROM open_call c USING unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[])
		AS d (id, held, paid_for, node)
		WHERE c.id = d.id AND c.held = d.held AND c.paid_for = d.paid_for AND c.node = d.node`, 5)
	insertOpens = counted("INSERT INTO open_call ("+sqlstore.OpenColumns+") SELECT v.* FROM "+
		unnest(sqlstore.OpenValues(&call.Open{}))+" AS v ("+sqlstore.OpenColumns+
		") WHERE NOT EXISTS (SELECT 1 FROM cdr WHERE cdr.id = v.id)", len(sqlstore.OpenValues(&call.Open{}))+1)
	insertCDRs = "INSERT INTO cdr (" + sqlstore.CDRColumns + ") SELECT * FROM " + unnest(sqlstore.CDRValues(&call.CDR{}))
	// The order of a function's rows is the order in which they get their seq.
	insertFacts = "INSERT INTO fact (" + sqlstore.FactColumns + ") SELECT * FROM " + unnest(sqlstore.FactValues(&store.Fact{})) + sqlstore.OnceFacts

	// All facts are new: their hashes are in the order of their seqs.
	sealFacts = sealing("$11::bytea", "w")
	// Some facts may be there: the hash of each that was written is found by its proof.
	sealNewFacts = sealing("string_agg(h.hash, ''::bytea ORDER BY w.seq)", "w JOIN unnest($9::bytea[], $11::bytea[]) AS h (proof, hash) ON h.proof = w.proof")
)

// sealing writes facts, and the leaves of those that it wrote at the end of the tree of the node, and gives their keys. The journal is locked, so the facts
// of no other transaction stand between them.
func sealing(hashes, rows string) string {
	return "WITH w AS (" + insertFacts + " RETURNING seq, key, proof), l AS (INSERT INTO seal_leaf (seq, tree, first, seqs, hashes) SELECT min(w.seq), $10::text, " +
		leafPlace("$10::text") + ", string_agg(int8send(w.seq), ''::bytea ORDER BY w.seq), " + hashes + " FROM " + rows + " HAVING count(*) > 0) SELECT key FROM w"
}

// unnest is a table of one array for each value of a row, typed like it.
func unnest(row []any) string {
	out := make([]string, len(row))
	for i, v := range row {
		kind := "bytea"
		switch v.(type) {
		case string:
			kind = "text"
		case int64:
			kind = "bigint"
		}
		out[i] = fmt.Sprintf("$%d::%s[]", i+1, kind)
	}
	return "unnest(" + strings.Join(out, ", ") + ")"
}

// columns turns n rows into one array for each column.
func columns(n int, row func(i int) []any) []any {
	var out []any
	for i := range n {
		values := row(i)
		if out == nil {
			out = make([]any, len(values))
		}
		for j, v := range values {
			switch x := v.(type) {
			case string:
				col, _ := out[j].([]string)
				out[j] = append(col, x)
			case int64:
				col, _ := out[j].([]int64)
				out[j] = append(col, x)
			case []byte:
				col, _ := out[j].([][]byte)
				out[j] = append(col, x)
			default: // none
				col, _ := out[j].([][]byte)
				out[j] = append(col, nil)
			}
		}
	}
	return out
}

// sealed is the statement that writes and seals facts, with its parameters. Where all of them are new it costs no look for their hashes.
func sealed(tree string, facts []store.Fact) (string, []any) {
	var s sqlstore.Sealing
	hashes, keyed := make([][]byte, len(facts)), false
	args := columns(len(facts), func(i int) []any {
		row, leaf := s.Row(&facts[i])
		hashes[i], keyed = leaf[:], keyed || facts[i].Key != ""
		return row
	})
	if keyed {
		return sealNewFacts, append(args, tree, hashes)
	}
	return sealFacts, append(args, tree, slices.Concat(hashes...))
}

// write sends the whole plan at once. Without an explicit transaction the server makes one of it.
func write(ctx context.Context, s sender, tree string, p *sqlstore.Plan) error {
	b := &pgx.Batch{}
	queuePurses(b, p.Purses)
	queueCalls(b, p.Calls)
	queue(b, insertOpens, len(p.Born), true, func(i int) []any { return sqlstore.OpenValues(p.Born[i]) })
	queue(b, insertCDRs, len(p.CDRs), false, func(i int) []any { return sqlstore.CDRValues(p.CDRs[i]) })
	if len(p.Facts) > 0 {
		b.Queue(lockJournal)
		sql, args := sealed(tree, p.Facts)
		if q := b.Queue(sql, args...); p.Keyed() {
			q.Query(func(rows pgx.Rows) error { return told(p, rows) })
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return s.SendBatch(ctx, b).Close()
}

// told tells a plan the keys of the facts that were written.
func told(p *sqlstore.Plan, rows pgx.Rows) error {
	keys, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	p.Wrote(func(i int) bool {
		at := slices.Index(keys, store.Clean(p.Facts[i].Key))
		if at >= 0 {
			keys[at] = "" // the next with this key is a repeat
		}
		return at >= 0
	})
	return nil
}

// queue adds a statement over n rows, with their number as its last parameter if it is counted.
func queue(b *pgx.Batch, statement string, n int, counted bool, row func(i int) []any) {
	if n == 0 {
		return
	}
	args := columns(n, row)
	if counted {
		args = append(args, int64(n))
	}
	b.Queue(statement, args...)
}

func queuePurses(b *pgx.Batch, all []*sqlstore.PurseOp) {
	var fresh, there []*sqlstore.PurseOp
	for _, q := range all {
		if q.Missing {
			fresh = append(fresh, q)
		} else {
			there = append(there, q)
		}
	}
	queue(b, insertPurses, len(fresh), true, func(i int) []any {
		return []any{fresh[i].ID, int64(fresh[i].Spent), int64(fresh[i].Held)}
	})
	queue(b, updatePurses, len(there), true, func(i int) []any {
		return []any{there[i].ID, int64(there[i].Spent), int64(there[i].Held), int64(there[i].Bound)}
	})
}

func queueCalls(b *pgx.Batch, all []*sqlstore.CallOp) {
	var longer, changed, ended []*sqlstore.CallOp
	for _, c := range all {
		switch {
		case c.Settled:
			ended = append(ended, c)
			continue
		case c.Extended:
			longer = append(longer, c)
		}
		if c.Update != nil {
			changed = append(changed, c)
		}
	}
	queue(b, extendOpens, len(longer), true, func(i int) []any {
		c := longer[i]
		return []any{
			string(c.ID), int64(c.Was.Amount), int64(c.Was.PaidFor), int64(c.Now.Amount), int64(c.Now.PaidFor), sqlstore.Micros(c.Lease),
			c.Was.Node,
		}
	})
	queue(b, updateOpens, len(changed), true, func(i int) []any {
		return append(append([]any{string(changed[i].ID)}, sqlstore.UpdateValues(changed[i].Update)...), changed[i].Was.Node)
	})
	queue(b, deleteOpens, len(ended), true, func(i int) []any {
		return []any{string(ended[i].ID), int64(ended[i].Was.Amount), int64(ended[i].Was.PaidFor), ended[i].Was.Node}
	})
}
