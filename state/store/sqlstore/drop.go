package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ringfence/core/retain"
	"ringfence/state/store"
)

// rowsAtOnce bounds how many rows of one case or bill go in a transaction.
const rowsAtOnce = 500

// DropOld deletes what may go.
func (s *Queries) DropOld(ctx context.Context, f store.OldFilter, all []store.Old, may func(*retain.Item, []retain.Hold) bool, facts func(store.Dropped) []store.Fact) (out store.Dropped, err error) {
	err = s.db.Write(ctx, func(tx Tx) error {
		out = store.Dropped{}
		if err := tie(ctx, tx); err != nil {
			return err
		}
		holds, err := held(ctx, tx)
		if err != nil {
			return err
		}
		now, err := again(ctx, tx, &f, all)
		if err != nil {
			return err
		}
		now = slices.DeleteFunc(now, func(o store.Old) bool { return !may(&o.Item, holds) })
		if err := drop(ctx, tx, &f, now, &out); err != nil {
			return err
		}
		if f.Archive != "" {
			if _, err := tx.ExecMany(ctx, "DELETE FROM archive_call WHERE archive = $1 AND call = $2", len(all), func(i int) []any { return []any{f.Archive, all[i].Text} }); err != nil {
				return err
			}
		}
		if out.Items == 0 && out.Facts == 0 {
			return nil
		}
		return note(ctx, tx, facts(out))
	})
	return out, about("deleting what is old", err)
}

func drop(ctx context.Context, tx Tx, f *store.OldFilter, all []store.Old, out *store.Dropped) (err error) {
	one := func(sql string) (int64, error) {
		return tx.ExecMany(ctx, sql, len(all), func(i int) []any { return []any{all[i].Seq} })
	}
	switch f.Kind {
	case retain.Calls:
		return dropCalls(ctx, tx, f, all, out)
	case retain.Journal, retain.Audit:
		out.Facts, err = one("DELETE FROM fact WHERE seq = $1")
	case retain.Devices:
		out.Items, err = tx.ExecMany(ctx, devices.remove(), len(all), func(i int) []any {
			var key []any
			for part := range strings.SplitSeq(all[i].Text, unit) {
				key = append(key, part)
			}
			return key
		})
	case retain.Notices:
		for _, sql := range []string{"DELETE FROM link WHERE notice = $1", "DELETE FROM delivery WHERE notice = $1", "DELETE FROM notice WHERE id = $1"} {
			if out.Items, err = one(sql); err != nil {
				return err
			}
		}
	case retain.Findings:
		out.Items, err = one("DELETE FROM finding WHERE id = $1")
	case retain.Cases:
		return dropCases(ctx, tx, all, out)
	case retain.Books:
		if f.Part == "bill" {
			return dropBills(ctx, tx, all, out)
		}
		if _, err = one("DELETE FROM posting WHERE entry = $1"); err == nil {
			out.Items, err = one("DELETE FROM entry WHERE id = $1")
		}
	}
	return err
}

// dropCalls deletes records and the facts about their calls, but for those that say what people decided.
func dropCalls(ctx context.Context, tx Tx, f *store.OldFilter, all []store.Old, out *store.Dropped) error {
	var seqs []int64
	ids := make([]string, len(all))
	for i := range all {
		ids[i] = all[i].Text
	}
	err := chunked(ids, func(marks string, args []any) error {
		return each(ctx, tx, "SELECT seq, kind FROM fact WHERE call <> '' AND call IN ("+marks+")", args, func(r Rows) error {
			var seq int64
			var kind string
			err := r.Scan(&seq, &kind)
			if retain.OfFact(kind) == retain.Journal {
				seqs = append(seqs, seq)
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	if f.Part != "facts" {
		if out.Items, err = tx.ExecMany(ctx, "DELETE FROM cdr WHERE id = $1", len(ids), func(i int) []any { return []any{ids[i]} }); err != nil {
			return err
		}
	}
	out.Facts, err = tx.ExecMany(ctx, "DELETE FROM fact WHERE seq = $1", len(seqs), func(i int) []any { return []any{seqs[i]} })
	return err
}

// within deletes some of the rows of a table that belong to something; it is not done while it deleted as many as it may.
func within(ctx context.Context, tx Tx, table, key, owner string, of int64) (more bool, err error) {
	sql := fmt.Sprintf("DELETE FROM %[1]s WHERE %[3]s = $1 AND (%[2]s) IN (SELECT %[2]s FROM %[1]s WHERE %[3]s = $1 LIMIT %[4]d)", table, key, owner, rowsAtOnce)
	n, err := tx.Exec(ctx, sql, of)
	return n == rowsAtOnce, err
}

// dropCases deletes at most some hundred rows of each case, and the case itself when nothing else is left of it.
func dropCases(ctx context.Context, tx Tx, all []store.Old, out *store.Dropped) error {
	for i := range all {
		more, err := dropCase(ctx, tx, all[i].Seq)
		if err != nil {
			return err
		}
		if more {
			out.More = true
			return nil
		}
		out.Items++
	}
	return nil
}

// dropFiles deletes some pieces of the files of a case.
func dropFiles(ctx context.Context, tx Tx, id int64) (more bool, err error) {
	files, err := caseItems.all(ctx, tx, " WHERE case_id = $1 AND file <> '' ORDER BY n", id)
	if err != nil {
		return false, err
	}
	for i := range files {
		if code := files[i].File.Code; code != "" {
			if n, err := tx.Exec(ctx, dropPieces, code); err != nil || n == piecesAtOnce {
				return true, err
			}
		}
	}
	return false, nil
}

func dropCase(ctx context.Context, tx Tx, id int64) (more bool, err error) {
	if more, err := dropFiles(ctx, tx, id); err != nil || more {
		return more, err
	}
	claims, err := list(ctx, tx, "SELECT id FROM claim WHERE case_id = $1", []any{id}, func(r Rows) (n int64, err error) { return n, r.Scan(&n) })
	if err != nil {
		return false, err
	}
	for _, claim := range claims {
		if more, err := within(ctx, tx, "claim_call", "claim, n", "claim", claim); err != nil || more {
			return more, err
		}
	}
	if more, err := within(ctx, tx, "case_call", "case_id, call", "case_id", id); err != nil || more {
		return more, err
	}
	for _, table := range []string{"plan", "claim", "settlement", "case_item"} {
		if _, err := tx.Exec(ctx, "DELETE FROM "+table+" WHERE case_id = $1", id); err != nil {
			return false, err
		}
	}
	_, err = tx.Exec(ctx, "DELETE FROM fraud_case WHERE id = $1", id)
	return false, err
}

func dropBills(ctx context.Context, tx Tx, all []store.Old, out *store.Dropped) error {
	for i := range all {
		for _, t := range []struct{ table, key string }{{"bill_call", "bill, line, country, call"}, {"bill_sum", "bill, line, country"}} {
			more, err := within(ctx, tx, t.table, t.key, "bill", all[i].Seq)
			if err != nil {
				return err
			}
			if more {
				out.More = true
				return nil
			}
		}
		if _, err := tx.Exec(ctx, "DELETE FROM bill WHERE number = $1", all[i].Seq); err != nil {
			return err
		}
		out.Items++
	}
	return nil
}
