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

// Requests reads customers' requests in a state, or all, newest first.
func (s *Queries) Requests(ctx context.Context, state string) ([]account.Request, error) {
	var w where
	if state != "" {
		w.and("state = ?", state)
	}
	sql := "SELECT id, line, field, n, until, why, state, made, decided, decided_by, note FROM request" + w.sql.String() + " ORDER BY id DESC"
	var out []account.Request
	err := each(ctx, s.db, sql, w.args, func(r Rows) error {
		var q account.Request
		var field string
		var until, made, decided int64
		err := r.Scan(&q.ID, &q.Line, &field, &q.N, &until, &q.Why, &q.State, &made, &decided, &q.DecidedBy, &q.Note)
		if err != nil {
			return err
		}
		q.Until, q.Made, q.Decided = instant(until), instant(made), instant(decided)
		q.Field, err = account.ParseField(field)
		out = append(out, q)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading requests: %w", err)
	}
	return out, nil
}

// PutRequest inserts a request with ID 0 and says which id it got, or overwrites one that is there.
func (s *Queries) PutRequest(ctx context.Context, q account.Request, facts ...store.Fact) (int64, error) {
	args := []any{q.Line, q.Field.String(), q.N, Micros(q.Until), q.Why, q.State, Micros(q.Made), Micros(q.Decided), q.DecidedBy, q.Note}
	if q.ID != 0 {
		sql := `UPDATE request SET line = $1, field = $2, n = $3, until = $4, why = $5, state = $6, made = $7, decided = $8,
			decided_by = $9, note = $10 WHERE id = $11`
		return q.ID, s.put(ctx, fmt.Sprintf("request %d", q.ID), facts, sql, append(args, q.ID)...)
	}
	var id int64
	err := s.db.Write(ctx, func(tx Tx) error {
		sql := `INSERT INTO request (line, field, n, until, why, state, made, decided, decided_by, note)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id`
		err := each(ctx, tx, sql, args, func(r Rows) error { return r.Scan(&id) })
		if err != nil {
			return err
		}
		return note(ctx, tx, facts)
	})
	return id, err
}

// Decks reads the heads of all decks, newest first.
func (s *Queries) Decks(ctx context.Context) ([]store.Deck, error) {
	sql := "SELECT name, kind, version, rows, imported, imported_by, source, covers, currency, exchange, mapping FROM deck ORDER BY imported DESC, name, version DESC"
	var out []store.Deck
	err := each(ctx, s.db, sql, nil, func(r Rows) error {
		var d store.Deck
		var kind string
		var imported int64
		err := r.Scan(&d.Name, &kind, &d.Version, &d.Rows, &imported, &d.By, &d.Source, &d.Covers, &d.Currency, &d.Exchange, &d.Mapping)
		d.Kind, d.Imported = rating.Kind(kind), instant(imported)
		out = append(out, d)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading decks: %w", err)
	}
	return out, nil
}

// deckChunk is how many rows of a deck are written in one transaction, so that calls never wait long behind an import.
const deckChunk = 4000

// PutDeck stores a new version of a deck, all or nothing, and says which. Rows and Version of d are not looked at. Rows are
// written ahead in short transactions; a version without its head is not there, so a crash leaves nothing but rows that
// the next import of the name clears away.
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

// nextDeck finds the version to come and clears what a failed import left of it.
func (s *Queries) nextDeck(ctx context.Context, name string) (version int64, err error) {
	err = s.db.Write(ctx, func(tx Tx) error {
		version = 1
		last := "SELECT version FROM deck WHERE name = $1 ORDER BY version DESC LIMIT 1"
		err := each(ctx, tx, last, []any{name}, func(r Rows) error {
			err := r.Scan(&version)
			version++
			return err
		})
		if err != nil {
			return err
		}
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

// putHead makes the version one that is there.
func (s *Queries) putHead(ctx context.Context, d store.Deck, version int64, rows int, facts []store.Fact) error {
	return s.db.Write(ctx, func(tx Tx) error {
		sql := `INSERT INTO deck (name, version, kind, rows, imported, imported_by, source, covers, currency, exchange, mapping)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`
		_, err := tx.Exec(ctx, sql, d.Name, version, string(d.Kind), int64(rows), Micros(d.Imported), d.By, d.Source, d.Covers, d.Currency, d.Exchange, d.Mapping)
		if err != nil {
			return translate(err, fmt.Sprintf("deck %s version %d", d.Name, version))
		}
		return note(ctx, tx, facts)
	})
}

// DeleteDeck removes every version at once; their rows, which nobody sees any more, go after that in short transactions.
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

// Called streams the destinations of calls out since an instant.
func (s *Queries) Called(ctx context.Context, since time.Time, yield func(store.Called) error) error {
	sql := `SELECT account, number, class, country, MAX(destination), COUNT(*), MAX(begun) FROM cdr WHERE begun >= $1 AND direction = 'out' AND prefix <> ''
		GROUP BY account, number, class, country ORDER BY number, account`
	return each(ctx, s.db, sql, []any{Micros(since)}, func(r Rows) error {
		var c store.Called
		var last int64
		if err := r.Scan(&c.Account, &c.Number, &c.Class, &c.Country, &c.Name, &c.Calls, &last); err != nil {
			return fmt.Errorf("reading what was called: %w", err)
		}
		c.Last = instant(last)
		return yield(c)
	})
}

// Registrations streams all contacts by line.
func (s *Queries) Registrations(ctx context.Context, yield func(store.Registration) error) error {
	sql := `SELECT line, contact, received, transport, call_id, cseq, user_agent, expires, since, "key", instance, listener, heard
		FROM registration ORDER BY line, "key"`
	return each(ctx, s.db, sql, nil, func(r Rows) error {
		var g store.Registration
		var expires, since, heard int64
		err := r.Scan(&g.Line, &g.Contact, &g.Received, &g.Transport, &g.CallID, &g.CSeq, &g.UserAgent, &expires, &since, &g.Key, &g.Instance,
			&g.Listener, &heard)
		if err != nil {
			return fmt.Errorf("reading registrations: %w", err)
		}
		g.Expires, g.Since, g.Heard = instant(expires), instant(since), instant(heard)
		return yield(g)
	})
}

// SaveRegistrations first drops, then puts contacts, by line and key.
func (s *Queries) SaveRegistrations(ctx context.Context, put, drop []store.Registration, facts ...store.Fact) error {
	err := s.db.Write(ctx, func(tx Tx) error {
		_, err := tx.ExecMany(ctx, `DELETE FROM registration WHERE line = $1 AND "key" = $2`, len(drop), func(i int) []any {
			return []any{drop[i].Line, drop[i].Key}
		})
		if err != nil {
			return err
		}
		sql := `INSERT INTO registration (line, contact, received, transport, call_id, cseq, user_agent, expires, since, "key", instance,
			listener, heard)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
			ON CONFLICT (line, "key") DO UPDATE SET contact = excluded.contact, received = excluded.received,
			transport = excluded.transport, call_id = excluded.call_id, cseq = excluded.cseq, user_agent = excluded.user_agent,
			expires = excluded.expires, since = excluded.since, instance = excluded.instance, listener = excluded.listener,
			heard = excluded.heard`
		_, err = tx.ExecMany(ctx, sql, len(put), func(i int) []any {
			g := &put[i]
			return []any{
				g.Line, g.Contact, g.Received, g.Transport, g.CallID, g.CSeq, g.UserAgent, Micros(g.Expires), Micros(g.Since), g.Key, g.Instance,
				g.Listener, Micros(g.Heard),
			}
		})
		if err != nil {
			return err
		}
		return note(ctx, tx, facts)
	})
	if err != nil {
		return fmt.Errorf("saving registrations: %w", err)
	}
	return nil
}
