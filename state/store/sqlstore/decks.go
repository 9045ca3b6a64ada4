package sqlstore

import (
	"context"
	"fmt"
	"time"

	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/core/rating"
	"ringfence/state/store"
)

var requests = table[account.Request]{
	"request", "requests", 1,
	"id, line, field, n, until, why, state, made, decided, decided_by, note",
	func(q *account.Request) []any {
		return []any{&q.ID, &q.Line, (*field)(&q.Field), &q.N, &q.Until, &q.Why, &q.State, &q.Made, &q.Decided, &q.DecidedBy, &q.Note}
	},
}

var decks = table[store.Deck]{
	"deck", "decks", 2,
	"name, version, kind, rows, imported, imported_by, source, covers, currency, exchange, mapping",
	func(d *store.Deck) []any {
		return []any{&d.Name, &d.Version, &d.Kind, &d.Rows, &d.Imported, &d.By, &d.Source, &d.Covers, &d.Currency, &d.Exchange, &d.Mapping}
	},
}

// Requests reads customers' requests in a state, or all, newest first.
func (s *Queries) Requests(ctx context.Context, state string) ([]account.Request, error) {
	var w where
	w.text("state = ?", state)
	return requests.all(ctx, s.db, w.sql.String()+" ORDER BY id DESC", w.args...)
}

// PutRequest inserts a request with ID 0 and says which id it got, or overwrites one that is there.
func (s *Queries) PutRequest(ctx context.Context, q account.Request, facts ...store.Fact) (id int64, err error) {
	if q.ID != 0 {
		return q.ID, requests.put(ctx, s, fmt.Sprintf("request %d", q.ID), q, false, facts)
	}
	values, err := requests.values(q)
	if err != nil {
		return 0, err
	}
	err = s.db.Write(ctx, func(tx Tx) error {
		if id, err = Returned(ctx, tx, requests.insert(1)+" RETURNING id", values[1:]...); err != nil {
			return err
		}
		return note(ctx, tx, facts)
	})
	return id, err
}

// Decks reads the heads of all decks, newest first.
func (s *Queries) Decks(ctx context.Context) ([]store.Deck, error) {
	return decks.all(ctx, s.db, " ORDER BY imported DESC, name, version DESC")
}

// deckChunk is how many rows of a deck are written in one transaction, so that calls never wait long for an import.
const deckChunk = 4000

// PutDeck stores a new version of a deck, all or nothing, and says which. Rows and Version of d are not looked at. Rows are
// written first, in short transactions. A version without its head does not exist, so a crash leaves only rows that
// the next import of the name removes.
func (s *Queries) PutDeck(ctx context.Context, d store.Deck, rows []rating.Price, facts ...store.Fact) (version int64, err error) {
	if version, err = s.nextDeck(ctx, d.Name); err == nil {
		err = s.putRows(ctx, d.Name, version, rows)
	}
	if err == nil {
		err = s.putHead(ctx, d, version, len(rows), facts)
	}
	if err != nil {
		return 0, fmt.Errorf("storing deck %s: %w", d.Name, err)
	}
	return version, nil
}

// nextDeck finds the next version and removes what a failed import left of it.
func (s *Queries) nextDeck(ctx context.Context, name string) (version int64, err error) {
	err = s.db.Write(ctx, func(tx Tx) error {
		last, err := Returned(ctx, tx, "SELECT version FROM deck WHERE name = $1 ORDER BY version DESC LIMIT 1", name)
		if err != nil {
			return err
		}
		version = last + 1
		_, err = tx.Exec(ctx, "DELETE FROM deck_row WHERE deck = $1 AND version >= $2", name, version)
		return err
	})
	return version, err
}

func (s *Queries) putRows(ctx context.Context, name string, version int64, rows []rating.Price) error {
	sql := `INSERT INTO deck_row (deck, version, n, prefix, short, name, connect, minimum, first, step, peak, off_peak, weekend, begins, ends,
		no_price) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`
	for from := 0; from < len(rows); from += deckChunk {
		part := rows[from:min(from+deckChunk, len(rows))]
		err := s.db.Write(ctx, func(tx Tx) error {
			_, err := tx.ExecMany(ctx, sql, len(part), func(i int) []any {
				p := &part[i]
				return []any{
					name, version, int64(from + i), int64(p.Prefix), flag(p.Short), p.Name, int64(p.Connect), int64(p.Minimum),
					int64(p.First), int64(p.Step), int64(p.Rates[rating.Peak]), int64(p.Rates[rating.OffPeak]), int64(p.Rates[rating.Weekend]),
					int64(p.From), int64(p.Until), flag(p.NoPrice),
				}
			})
			return translate(err, fmt.Sprintf("deck %s version %d", name, version))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// putHead writes the head, with which the version exists.
func (s *Queries) putHead(ctx context.Context, d store.Deck, version int64, rows int, facts []store.Fact) error {
	d.Version, d.Rows = version, int64(rows)
	values, err := decks.values(d)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx Tx) error {
		if _, err := tx.Exec(ctx, decks.insert(0), values...); err != nil {
			return translate(err, fmt.Sprintf("deck %s version %d", d.Name, version))
		}
		return note(ctx, tx, facts)
	})
}

// DeleteDeck removes every version in one step. Their rows, which are then invisible, are deleted after that in short transactions.
func (s *Queries) DeleteDeck(ctx context.Context, name string, facts ...store.Fact) error {
	if err := s.put(ctx, "deck "+name, facts, "DELETE FROM deck WHERE name = $1", name); err != nil {
		return err
	}
	version, n := int64(0), int64(0)
	for more := true; more; {
		err := s.db.Write(ctx, func(tx Tx) error {
			more = false
			first := "SELECT version, n FROM deck_row WHERE deck = $1 ORDER BY version, n LIMIT 1"
			if err := each(ctx, tx, first, []any{name}, func(r Rows) error { more = true; return r.Scan(&version, &n) }); err != nil || !more {
				return err
			}
			_, err := tx.Exec(ctx, "DELETE FROM deck_row WHERE deck = $1 AND version = $2 AND n < $3", name, version, n+deckChunk)
			return err
		})
		if err != nil {
			return fmt.Errorf("removing the rows of deck %s: %w", name, err)
		}
	}
	return nil
}

// DeckRows reads the rows of a version in the order in which they were put; version 0 is the highest.
func (s *Queries) DeckRows(ctx context.Context, name string, version int64) ([]rating.Price, error) {
	out := []rating.Price(nil)
	err := s.db.Snapshot(ctx, func(q Querier) error {
		found := int64(-1)
		var w where
		w.and("name = ?", name)
		if version != 0 {
			w.and("version = ?", version)
		}
		var rows int64
		head := "SELECT version, rows FROM deck" + w.sql.String() + " ORDER BY version DESC LIMIT 1"
		if err := each(ctx, q, head, w.args, func(r Rows) error { return r.Scan(&found, &rows) }); err != nil {
			return err
		}
		if found < 0 {
			return store.ErrNotFound
		}
		out = make([]rating.Price, 0, rows)
		sql := `SELECT prefix, short, name, connect, minimum, first, step, peak, off_peak, weekend, begins, ends, no_price FROM deck_row
			WHERE deck = $1 AND version = $2 ORDER BY n`
		return each(ctx, q, sql, []any{name, found}, func(r Rows) error {
			p, err := scanPrice(r)
			out = append(out, p)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("deck %s version %d: %w", name, version, err)
	}
	return out, nil
}

func scanPrice(r Rows) (p rating.Price, err error) {
	var prefix, short, connect, minimum, first, step, peak, off, weekend, begins, ends, none int64
	err = r.Scan(&prefix, &short, &p.Name, &connect, &minimum, &first, &step, &peak, &off, &weekend, &begins, &ends, &none)
	p.Prefix, p.Short, p.Connect, p.Minimum = uint64(prefix), short != 0, money.Micro(connect), money.Micro(minimum)
	p.First, p.Step = uint16(first), uint16(step)
	p.Rates = [rating.NumBands]money.Rate{rating.Peak: money.Rate(peak), rating.OffPeak: money.Rate(off), rating.Weekend: money.Rate(weekend)}
	p.From, p.Until, p.NoPrice = rating.Moment(begins), rating.Moment(ends), none != 0
	return p, err
}

// outbound calls since an instant, by destination.
var called = table[store.Called]{
	"cdr", "what was called", 0,
	"account, number, class, country, MAX(destination), COUNT(*), MAX(begun)",
	func(c *store.Called) []any {
		return []any{&c.Account, &c.Number, &c.Class, &c.Country, &c.Name, &c.Calls, &c.Last}
	},
}

// Called streams the destinations of outbound calls since an instant.
func (s *Queries) Called(ctx context.Context, since time.Time, yield func(store.Called) error) error {
	rest := " WHERE begun >= $1 AND direction = 'out' AND prefix <> '' GROUP BY account, number, class, country ORDER BY number, account"
	return called.stream(ctx, s.db, rest, []any{Micros(since)}, yield)
}

var registrations = table[store.Registration]{
	"registration", "registrations", 2,
	`line, "key", contact, received, transport, call_id, cseq, user_agent, expires, since, instance, listener, heard`,
	func(g *store.Registration) []any {
		return []any{
			&g.Line, &g.Key, &g.Contact, &g.Received, &g.Transport, &g.CallID, &g.CSeq, &g.UserAgent, &g.Expires, &g.Since, &g.Instance,
			&g.Listener, &g.Heard,
		}
	},
}

// Registrations streams all contacts by line.
func (s *Queries) Registrations(ctx context.Context, yield func(store.Registration) error) error {
	return registrations.stream(ctx, s.db, ` ORDER BY line, "key"`, nil, yield)
}

// SaveRegistrations first drops, then puts contacts, by line and key.
func (s *Queries) SaveRegistrations(ctx context.Context, put, drop []store.Registration, facts ...store.Fact) error {
	return about("saving registrations", s.db.Write(ctx, func(tx Tx) error {
		if err := registrations.save(ctx, tx, registrations.upsert(), put, drop); err != nil {
			return err
		}
		return note(ctx, tx, facts)
	}))
}
