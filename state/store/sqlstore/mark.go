package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pressly/goose/v3"

	"ringfence/state/store"
)

// Marks reads all marks by name.
func (s *Queries) Marks(ctx context.Context) (map[string]store.Mark, error) {
	out := map[string]store.Mark{}
	err := each(ctx, s.db, "SELECT name, value, sealed FROM mark", nil, func(r Rows) error {
		var m store.Mark
		err := r.Scan(&m.Name, &m.Value, &m.Sealed)
		out[m.Name] = m
		return err
	})
	return out, about("reading what the store says of itself", err)
}

// Last is the instant of the newest fact.
func (s *Queries) Last(ctx context.Context) (time.Time, error) {
	at, err := Returned(ctx, s.db, "SELECT at FROM fact ORDER BY seq DESC LIMIT 1")
	return instant(at), about("reading the end of the journal", err)
}

// PutMark writes a mark if it is as the caller believes.
func (s *Queries) PutMark(ctx context.Context, m store.Mark, was string, facts ...store.Fact) error {
	err := s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, `INSERT INTO mark (name, value, sealed) SELECT $1, $2, $3
			WHERE $4 = '' OR EXISTS (SELECT 1 FROM mark WHERE name = $1)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value, sealed = excluded.sealed WHERE mark.value = $4`,
			m.Name, m.Value, blob(m.Sealed), was)
		if err != nil {
			return err
		}
		if n == 0 {
			return store.ErrMoved
		}
		return note(ctx, tx, facts)
	})
	return about("mark "+m.Name+" of the store", err)
}

// Migrate brings tables up to date, and refuses those that a later version has changed, because this version would write what the
// later one misreads.
func Migrate(ctx context.Context, p *goose.Provider) error {
	if err := Current(ctx, p, true); err != nil {
		return err
	}
	_, err := p.Up(ctx)
	return err
}

// Current wants tables of this program's version, or (older) of an earlier one.
func Current(ctx context.Context, p *goose.Provider, older bool) error {
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	known := int64(0)
	for _, s := range p.ListSources() {
		known = max(known, s.Version)
	}
	switch {
	case have > known:
		return fmt.Errorf("%w (version %d, this program knows %d): start that version, or restore a backup made before it", store.ErrNewer, have, known)
	case have < known && !older:
		return fmt.Errorf("its tables are of version %d and this program's of %d: start the server once, which brings them up to date", have, known)
	case have == 0 && !older:
		return errors.New("it has no tables")
	}
	return nil
}
