package retention

import (
	"context"
	"time"

	"ringfence/core/fact"
	"ringfence/core/retain"
	"ringfence/state/store"
)

// Status is how long things are kept, and what has become of those whose time has come.
type Status struct {
	Kinds           []Kind
	Last            time.Time // when this node last looked; zero: not since it started
	Archive         bool
	Archives        int64
	Archived, Bytes int64 // calls and bytes in them
	Holds, Cases    int64 // in force; live
}

// Kind is one kind.
type Kind struct {
	Kind         retain.Kind
	Keep         retain.Period
	Oldest, Next time.Time // of the oldest; when it has been kept long enough
	Deleted      int64     // in the last seven days, by all nodes
	Held         map[retain.Why]int64
}

// lately is how far back Status counts what was deleted.
const lately = 7 * 24 * time.Hour

// Status reads it. Nothing that is kept is counted: each kind costs a look for its oldest.
func (r *Retention) Status(ctx context.Context) (out Status, err error) {
	p := r.o.Policy()
	last, _ := r.Last()
	deleted, err := r.deleted(ctx, time.Now().Add(-lately))
	if err != nil {
		return out, err
	}
	out.Last, out.Archive = last.At, p.Archive
	all, err := r.o.Store.Archives(ctx, "")
	if err != nil {
		return out, err
	}
	for i := range all {
		out.Archives, out.Archived, out.Bytes = out.Archives+1, out.Archived+all[i].Calls, out.Bytes+all[i].Bytes
	}
	holds, err := r.o.Store.LegalHolds(ctx, false)
	if err != nil {
		return out, err
	}
	live, err := r.o.Store.LiveCases(ctx)
	if err != nil {
		return out, err
	}
	out.Holds, out.Cases = int64(len(holds)), int64(len(live))
	for _, k := range retain.Kinds() {
		kind := Kind{Kind: k, Keep: p.Keep[k], Deleted: deleted[k], Held: last.Held[k]}
		if kind.Oldest, err = r.oldest(ctx, k, all); err != nil {
			return out, err
		}
		if !kind.Oldest.IsZero() {
			kind.Next = kind.Keep.End(kind.Oldest)
		}
		out.Kinds = append(out.Kinds, kind)
	}
	return out, nil
}

// deleted counts what all nodes deleted since an instant, by what the journal says of it.
func (r *Retention) deleted(ctx context.Context, since time.Time) (map[retain.Kind]int64, error) {
	out := map[retain.Kind]int64{}
	for f := (store.FactFilter{Kinds: []string{fact.KindRetentionDeleted}, From: since, Limit: 1000}); ; {
		all, err := r.o.Store.Facts(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range all {
			var said fact.RetentionDeleted
			if err := said.Decode(all[i].Body); err != nil {
				return nil, err
			}
			switch k := retain.Kind(said.Kept); {
			case k == retain.Journal || k == retain.Audit:
				out[k] += said.FactCount
			case k == retain.Calls && said.Count == 0: // facts of calls without a record
				out[retain.Journal] += said.FactCount
			default:
				out[k] += said.Count
			}
			f.After = all[i].Seq
		}
		if len(all) < f.Limit {
			return out, nil
		}
	}
}

// oldest is when the oldest thing of a kind was; zero: there is none.
func (r *Retention) oldest(ctx context.Context, k retain.Kind, archives []Archive) (at time.Time, err error) {
	parts := []string{""}
	switch k {
	case retain.Archives:
		if len(archives) > 0 {
			at = archives[0].LastAt
		}
		return at, nil
	case retain.Books:
		parts = []string{"bill", "entry"}
	case retain.Journal, retain.Audit:
		kinds, err := r.o.Store.FactKinds(ctx)
		if err != nil {
			return at, err
		}
		parts = nil
		for _, kind := range kinds {
			if retain.OfFact(kind) == k && kind != fact.KindNotifyBegan {
				parts = append(parts, kind)
			}
		}
	}
	for _, part := range parts {
		f := store.OldFilter{Kind: k, Part: part, Before: time.Now().AddDate(1, 0, 0), Limit: 1}
		some, err := r.o.Store.Old(ctx, f)
		if err != nil {
			return at, err
		}
		if len(some) > 0 && (at.IsZero() || some[0].At.Before(at)) {
			at = some[0].At
		}
	}
	return at, nil
}
