package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/state/store"
)

var noticeTable = table[store.Notice]{
	"notice", "notices", 1,
	"id, key, kind, line, account, at, data",
	func(n *store.Notice) []any {
		return []any{&n.ID, (*short)(&n.Key), &n.Kind, (*short)(&n.Line), (*short)(&n.Account), &n.At, &n.Data}
	},
}

var deliveries = table[store.Delivery]{
	"delivery", "deliveries", 3,
	"notice, person, channel, address, state, tries, claim, next, sent, error, ref, checkpoint",
	func(d *store.Delivery) []any {
		return []any{
			&d.Notice, (*short)(&d.Person), (*short)(&d.Channel), &d.Address, &d.State, &d.Tries, &d.Claim, &d.Next, &d.Sent, &d.Error,
			&d.Ref, &d.Point,
		}
	},
}

var links = table[store.Link]{
	"link", "links", 1,
	"hash, notice, person, action, line, data, expires, used, result",
	func(l *store.Link) []any {
		return []any{(*short)(&l.Hash), &l.Notice, &l.Person, &l.Action, &l.Line, &l.Data, &l.Expires, &l.Used, &l.Result}
	},
}

// raiseNotice inserts a notice with its deliveries and links, unless its key is there. Only old notices are deleted.
func raiseNotice(ctx context.Context, tx Tx, n *store.Notice) (store.Raised, error) {
	key := store.Short(n.Key)
	values, err := noticeTable.values(*n)
	if err != nil {
		return store.Raised{}, err
	}
	id, err := Returned(ctx, tx, noticeTable.insert(1)+" ON CONFLICT (key) DO NOTHING RETURNING id", values[1:]...)
	if err != nil {
		return store.Raised{}, err
	}
	if id == 0 {
		id, err = Returned(ctx, tx, "SELECT id FROM notice WHERE key = $1", key)
		if err == nil && id == 0 {
			err = fmt.Errorf("notice %s is neither new nor there", key)
		}
		return store.Raised{ID: id}, err
	}
	ds, ls := slices.Clone(n.Deliveries), slices.Clone(n.Links)
	for i := range ds {
		ds[i].Notice, ds[i].Claim = id, 0
	}
	for i := range ls {
		ls[i].Notice = id
	}
	err = deliveries.many(ctx, tx, deliveries.insert(0)+" ON CONFLICT (notice, person, channel) DO NOTHING", ds)
	if err != nil {
		return store.Raised{}, err
	}
	err = links.many(ctx, tx, links.insert(0), ls)
	return store.Raised{ID: id, New: true}, translate(err, "a link of notice "+key)
}

// bundle marks deliveries that waited for a digest as sent in one.
func bundle(ctx context.Context, tx Tx, all []store.Delivery) error {
	sql := "UPDATE delivery SET state = $5, sent = $6, claim = claim + 1 WHERE " + deliveryKey + " AND claim = $4 AND state = $7"
	n, err := tx.ExecMany(ctx, sql, len(all), func(i int) []any {
		d := &all[i]
		return append(keyOf(d), d.Claim, string(store.Bundled), Micros(d.Sent), string(store.Digest))
	})
	if err == nil && n != int64(len(all)) {
		err = fmt.Errorf("%d of %d deliveries wait for a digest no more: %w", int64(len(all))-n, len(all), store.ErrMoved)
	}
	return err
}

const deliveryKey = "notice = $1 AND person = $2 AND channel = $3"

func keyOf(d *store.Delivery) []any {
	return []any{d.Notice, store.Short(d.Person), store.Short(d.Channel)}
}

// Notices reads notices with their deliveries, newest first.
func (s *Queries) Notices(ctx context.Context, f store.NoticeFilter) ([]store.Notice, error) {
	w := ofWhom(f.Line, f.Account, f.Kind, f.Before)
	switch state := store.DeliveryState(f.State); {
	case f.To != "":
		w.deliveredTo(f.To, f.State)
	case state == "":
	case state == store.Sent, state == store.Kept, state == store.Off, state == store.Bundled:
		// Most notices are in these states, so that the newest are found quickly one by one. SQLite follows this order.
		w.and("EXISTS (SELECT 1 FROM delivery d WHERE d.notice = notice.id AND d.state = ?)", f.State)
	default:
		w.and("id IN (SELECT notice FROM delivery WHERE state = ?)", f.State)
	}
	return s.notices(ctx, w.sql.String()+" ORDER BY id DESC"+w.limit(f.Limit, 100), w.args...)
}

// deliveredTo adds that some delivery is to people of to, and in a state: one of the same delivery, because how others fared is not theirs to know.
func (w *where) deliveredTo(to, state string) {
	cond := "EXISTS (SELECT 1 FROM delivery d WHERE d.notice = notice.id AND substr(d.person, 1, length(CAST(? AS text))) = ?"
	if state != "" {
		w.args = append(w.args, state)
		cond += " AND d.state = $" + strconv.Itoa(len(w.args))
	}
	w.and(cond+")", to+"/")
}

// Notice reads one notice with its deliveries, or is ErrNotFound.
func (s *Queries) Notice(ctx context.Context, id int64) (store.Notice, error) {
	out, err := s.notices(ctx, " WHERE id = $1", id)
	if err == nil && len(out) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Notice{}, fmt.Errorf("notice %d: %w", id, err)
	}
	return out[0], nil
}

func (s *Queries) notices(ctx context.Context, rest string, args ...any) (out []store.Notice, err error) {
	err = s.db.Snapshot(ctx, func(q Querier) error {
		if out, err = noticeTable.all(ctx, q, rest, args...); err != nil {
			return err
		}
		at := map[int64]*store.Notice{}
		for i := range out {
			at[out[i].ID] = &out[i]
		}
		return chunked(slices.Collect(maps.Keys(at)), func(marks string, args []any) error {
			rest := " WHERE notice IN (" + marks + ") ORDER BY notice, person, channel"
			return deliveries.stream(ctx, q, rest, args, func(d store.Delivery) error {
				at[d.Notice].Deliveries = append(at[d.Notice].Deliveries, d)
				return nil
			})
		})
	})
	return out, err
}

// ClaimDeliveries takes deliveries that are due. It looks for one first, so that an idle outbox writes nothing.
func (s *Queries) ClaimDeliveries(ctx context.Context, now, until time.Time, limit int) ([]store.DueDelivery, error) {
	sql := "SELECT notice FROM delivery WHERE state IN ('queued', 'sending') AND next <= $1 LIMIT 1"
	any, err := there(ctx, s.db, sql, Micros(now))
	if err == nil && !any || limit <= 0 {
		return nil, nil
	}
	var out []store.DueDelivery
	if err == nil {
		err = s.db.Write(ctx, func(tx Tx) error {
			due, err := due(ctx, tx, s.db.SkipLocked(), Micros(now), limit)
			if err == nil {
				out, err = claim(ctx, tx, due, until)
			}
			return err
		})
	}
	return out, about("claiming deliveries", err)
}

// due reads, and locks, what is due, oldest first. Each state is read by itself, so that an index gives the oldest of
// any backlog; surplus locks are released after a moment.
func due(ctx context.Context, tx Tx, skipLocked string, now int64, limit int) ([]store.DueDelivery, error) {
	var out []store.DueDelivery
	rest := " WHERE state = $1 AND next <= $2 ORDER BY next, notice, person, channel LIMIT $3" + skipLocked
	for _, state := range []store.DeliveryState{store.Queued, store.Sending} {
		err := deliveries.stream(ctx, tx, rest, []any{string(state), now, int64(limit)}, func(d store.Delivery) error {
			out = append(out, store.DueDelivery{Delivery: d})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b store.DueDelivery) int {
		return cmp.Or(a.Next.Compare(b.Next), cmp.Compare(a.Notice, b.Notice), strings.Compare(a.Person, b.Person), strings.Compare(a.Channel, b.Channel))
	})
	return out[:min(limit, len(out))], nil
}

// claim takes what due has locked, so that the write cannot miss. Its claim is checked nevertheless.
func claim(ctx context.Context, tx Tx, out []store.DueDelivery, until time.Time) ([]store.DueDelivery, error) {
	sql := "UPDATE delivery SET state = $5, tries = tries + 1, claim = claim + 1, next = $6 WHERE " + deliveryKey + " AND claim = $4"
	n, err := tx.ExecMany(ctx, sql, len(out), func(i int) []any {
		d := &out[i].Delivery
		return append(keyOf(d), d.Claim, string(store.Sending), Micros(until))
	})
	if err != nil {
		return nil, err
	}
	if n != int64(len(out)) {
		return nil, fmt.Errorf("%d of %d deliveries changed under a lock", int64(len(out))-n, len(out))
	}
	of := map[int64][]int{}
	for i := range out {
		d := &out[i].Delivery
		d.State, d.Next = store.Sending, instant(Micros(until))
		d.Tries++
		d.Claim++
		of[d.Notice] = append(of[d.Notice], i)
	}
	err = chunked(slices.Sorted(maps.Keys(of)), func(marks string, args []any) error {
		return noticeTable.stream(ctx, tx, " WHERE id IN ("+marks+")", args, func(n store.Notice) error {
			for _, i := range of[n.ID] {
				out[i].Of = n
			}
			return nil
		})
	})
	return out, err
}

// SettleDelivery records the result of a try.
func (s *Queries) SettleDelivery(ctx context.Context, d store.Delivery, facts ...store.Fact) error {
	from, or := store.Sending, store.Sending
	switch d.State {
	case store.Bundled:
		from, or = store.Digest, store.Digest
	case store.Off:
		or = store.Digest
	}
	sql := "UPDATE delivery SET state = $4, next = $5, error = $6, sent = $7, checkpoint = $11 WHERE " + deliveryKey + " AND claim = $8 AND state IN ($9, $10)"
	args := append(keyOf(&d), string(d.State), Micros(d.Next), d.Error, Micros(d.Sent), d.Claim, string(from), string(or), d.Point)
	return s.change(ctx, delivery(&d), store.ErrMoved, facts, sql, args...)
}

func delivery(d *store.Delivery) named {
	what := fmt.Sprintf("delivery of notice %d to %s by %s", d.Notice, store.Short(d.Person), store.Short(d.Channel))
	return named{what, "SELECT notice FROM delivery WHERE " + deliveryKey, keyOf(d)}
}

// Requeue sets a delivery to queued from any state.
func (s *Queries) Requeue(ctx context.Context, d store.Delivery, now time.Time, facts ...store.Fact) error {
	sql := `UPDATE delivery SET state = $4, tries = 0, claim = claim + 1, next = $5,
		address = CASE WHEN $6 = '' THEN address ELSE $6 END WHERE ` + deliveryKey
	return s.change(ctx, delivery(&d), store.ErrNotFound, facts, sql, append(keyOf(&d), string(store.Queued), Micros(now), d.Address)...)
}

// Link reads a link by the hash of its token, or is ErrNotFound.
func (s *Queries) Link(ctx context.Context, hash string) (store.Link, error) {
	return links.one(ctx, s.db, "a link", " WHERE hash = $1", store.Short(hash))
}

func link(hash string) named {
	return named{"a link", "SELECT notice FROM link WHERE hash = $1", []any{store.Short(hash)}}
}

// UseLink marks a link used, once.
func (s *Queries) UseLink(ctx context.Context, hash string, now time.Time, facts ...store.Fact) error {
	sql := "UPDATE link SET used = $2 WHERE hash = $1 AND used = 0 AND (expires = 0 OR expires > $2)"
	return s.change(ctx, link(hash), store.ErrInUse, facts, sql, store.Short(hash), stamp(now))
}

// LinkResult records the result of using a link.
func (s *Queries) LinkResult(ctx context.Context, hash, result string) error {
	return s.change(ctx, link(hash), store.ErrNotFound, nil, "UPDATE link SET result = $2 WHERE hash = $1", store.Short(hash), result)
}
