package sqlstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ringfence/state/store"
)

var tallies = table[store.Tally]{
	"tally", "tallies", 2, "what, at, n",
	func(t *store.Tally) []any { return []any{&t.What, &t.At, &t.N} },
}

var incidents = table[store.Incident]{
	"incident", "incidents", 1, "id, component, node, kind, title, began, ended, updates, version",
	func(i *store.Incident) []any {
		return []any{&i.ID, &i.Component, &i.Node, &i.Kind, &i.Title, &i.Began, &i.Ended, (*listed[store.IncidentUpdate])(&i.Updates), &i.Version}
	},
}

var subscribers = table[store.Subscriber]{
	"subscriber", "subscribers", 1, "hash, mail, made, confirmed, told",
	func(s *store.Subscriber) []any { return []any{&s.Hash, &s.Mail, &s.Made, &s.Confirmed, &s.Told} },
}

// Tallies streams what begins with a text: a range of the key.
func (s *Queries) Tallies(ctx context.Context, under string, from time.Time, yield func(store.Tally) error) error {
	return tallies.stream(ctx, s.db, " WHERE what >= $1 AND what < $2 AND at >= $3 ORDER BY what, at", []any{under, under + "\U0010ffff", Micros(from)}, yield)
}

// AddTallies adds to what is there.
func (s *Queries) AddTallies(ctx context.Context, add []store.Tally) error {
	return about("adding tallies", s.db.Write(ctx, func(tx Tx) error {
		return addTallies(ctx, tx, add)
	}))
}

func addTallies(ctx context.Context, tx Tx, add []store.Tally) error {
	if len(add) == 0 {
		return nil
	}
	return tallies.many(ctx, tx, tallies.insert(0)+" ON CONFLICT (what, at) DO UPDATE SET n = tally.n + excluded.n", add)
}

// ClearTallies removes old ones.
func (s *Queries) ClearTallies(ctx context.Context, before time.Time) (int64, error) {
	return s.clear(ctx, "DELETE FROM tally WHERE at < $1", before)
}

func (s *Queries) clear(ctx context.Context, sql string, before time.Time) (n int64, err error) {
	err = s.db.Write(ctx, func(tx Tx) error {
		n, err = tx.Exec(ctx, sql, Micros(before))
		return err
	})
	return n, err
}

// Incidents reads a page of them.
func (s *Queries) Incidents(ctx context.Context, before int64, limit int) ([]store.Incident, error) {
	return incidents.all(ctx, s.db, " WHERE (id < $1 OR $1 = 0) ORDER BY id DESC LIMIT $2", before, limit)
}

// Incident reads one.
func (s *Queries) Incident(ctx context.Context, id int64) (store.Incident, error) {
	return incidents.one(ctx, s.db, fmt.Sprintf("incident %d", id), " WHERE id = $1", id)
}

// PutIncident writes a new one, or one whose version is the stored one. That one component has one open measured incident on a node is
// an index.
func (s *Queries) PutIncident(ctx context.Context, i store.Incident, facts ...store.Fact) (id int64, err error) {
	was := i.Version
	i.Version++
	row, err := incidents.values(i)
	if err != nil {
		return 0, err
	}
	id = i.ID
	err = s.db.Write(ctx, func(tx Tx) error {
		if i.ID == 0 {
			if id, err = Returned(ctx, tx, incidents.insert(1)+" RETURNING id", row[1:]...); err != nil {
				return translate(err, "incident of "+i.Component)
			}
			return note(ctx, tx, facts)
		}
		n, err := tx.Exec(ctx, fmt.Sprintf("%s AND version = $%d", incidents.update(), len(row)+1), append(row, was)...)
		if err != nil {
			return translate(err, "incident")
		}
		if n == 0 {
			return fmt.Errorf("incident %d: %w", i.ID, store.ErrMoved)
		}
		return note(ctx, tx, facts)
	})
	return id, err
}

// Subscribers reads all.
func (s *Queries) Subscribers(ctx context.Context) ([]store.Subscriber, error) {
	return subscribers.all(ctx, s.db, " ORDER BY mail")
}

// PutSubscriber writes one in place of one that was never confirmed.
func (s *Queries) PutSubscriber(ctx context.Context, x store.Subscriber) error {
	row, err := subscribers.values(x)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM subscriber WHERE mail = $1 AND confirmed = 0", store.Clean(x.Mail)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, subscribers.insert(0), row...)
		return translate(err, "subscriber")
	})
}

// ConfirmSubscriber says that the mail arrived.
func (s *Queries) ConfirmSubscriber(ctx context.Context, hash string, now time.Time) (x store.Subscriber, err error) {
	err = s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, "UPDATE subscriber SET confirmed = CASE WHEN confirmed = 0 THEN $2 ELSE confirmed END, told = CASE WHEN told = 0 THEN $2 ELSE told END WHERE hash = $1", hash, Micros(now))
		return one(n, err, "subscriber")
	})
	if err != nil {
		return x, err
	}
	return subscribers.one(ctx, s.db, "subscriber", " WHERE hash = $1", hash)
}

// TellSubscriber moves how far one was told.
func (s *Queries) TellSubscriber(ctx context.Context, hash string, was, told time.Time) error {
	return s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, "UPDATE subscriber SET told = $3 WHERE hash = $1 AND told = $2", hash, Micros(was), Micros(told))
		if err == nil && n == 0 {
			err = fmt.Errorf("subscriber: %w", store.ErrMoved)
		}
		return err
	})
}

// DropSubscriber removes one.
func (s *Queries) DropSubscriber(ctx context.Context, hash string) error {
	return s.put(ctx, "subscriber", nil, strings.TrimSpace(subscribers.remove()), hash)
}

// ClearSubscribers removes those that were never confirmed.
func (s *Queries) ClearSubscribers(ctx context.Context, before time.Time) (int64, error) {
	return s.clear(ctx, "DELETE FROM subscriber WHERE confirmed = 0 AND made < $1", before)
}
