package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/state/store"
)

// object is a value as JSON, "" when nothing is in it.
type object[T any] struct{ of *T }

func inJSON[T any](of *T) *object[T] { return &object[T]{of} }

func (c *object[T]) text() (string, error) {
	text, err := json.Marshal(c.of)
	if string(text) == "{}" {
		return "", err
	}
	return string(text), err
}

func (c *object[T]) read(text string) error {
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), c.of)
}

var persons = table[store.Person]{
	"person", "people", 1,
	"id, customer, login, name, mail, role, password, sealed, factors, made, version",
	func(p *store.Person) []any {
		return []any{
			&p.ID, &p.Customer, &p.Login, &p.Name, &p.Mail, &p.Role, &p.Password, &p.Sealed, inJSON(&p.Factors), &p.Made, &p.Version,
		}
	},
}

var passes = table[store.Pass]{
	"pass", "passes", 1,
	"hash, kind, person, name, scopes, made, expires, seen, source, agent, proved, data",
	func(p *store.Pass) []any {
		return []any{
			&p.Hash, &p.Kind, &p.Person, &p.Name, &p.Scopes, &p.Made, &p.Expires, &p.Seen, &p.From, (*short)(&p.Agent), &p.Proved, &p.Data,
		}
	},
}

// People reads those of a customer, or of staff.
func (s *Queries) People(ctx context.Context, customer string) ([]store.Person, error) {
	return persons.all(ctx, s.db, " WHERE customer = $1 ORDER BY login", customer)
}

// Person reads one.
func (s *Queries) Person(ctx context.Context, id string) (store.Person, error) {
	return persons.one(ctx, s.db, "person", " WHERE id = $1", store.Clean(id))
}

// PeopleCalled reads those whom a name may mean.
func (s *Queries) PeopleCalled(ctx context.Context, name string) ([]store.Person, error) {
	return persons.all(ctx, s.db, " WHERE login = $1 OR (mail = $1 AND mail <> '') ORDER BY login", store.Clean(name))
}

// PutPerson writes a new person, or one whose version is the stored one.
func (s *Queries) PutPerson(ctx context.Context, p store.Person, facts ...store.Fact) error {
	was := p.Version
	p.Version++
	row, err := persons.values(p)
	if err != nil {
		return err
	}
	what := "person " + account.Handle(p.ID)
	if was == 0 {
		return s.put(ctx, what, facts, persons.insert(0), row...)
	}
	sql := fmt.Sprintf("%s AND version = $%d", persons.update(), len(row)+1)
	return s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, sql, append(row, was)...)
		if err != nil {
			return translate(err, what)
		}
		if n == 0 {
			return fmt.Errorf("%s: %w", what, store.ErrMoved)
		}
		return note(ctx, tx, facts)
	})
}

// DeletePerson removes a person and what lets them in.
func (s *Queries) DeletePerson(ctx context.Context, id string, facts ...store.Fact) error {
	return s.db.Write(ctx, func(tx Tx) error {
		if _, err := tx.Exec(ctx, "DELETE FROM pass WHERE person = $1", id); err != nil {
			return err
		}
		n, err := tx.Exec(ctx, persons.remove(), id)
		if err := one(n, err, "person "+account.Handle(id)); err != nil {
			return err
		}
		return note(ctx, tx, facts)
	})
}

// dropPeople removes all people of a customer that is deleted.
func dropPeople(ctx context.Context, tx Tx, customer string) error {
	if _, err := tx.Exec(ctx, "DELETE FROM pass WHERE person IN (SELECT id FROM person WHERE customer = $1)", customer); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "DELETE FROM person WHERE customer = $1", customer)
	return err
}

// Passes reads those of a person and a kind.
func (s *Queries) Passes(ctx context.Context, person, kind string) ([]store.Pass, error) {
	return passes.all(ctx, s.db, " WHERE person = $1 AND kind = $2 ORDER BY seen DESC, hash", person, kind)
}

// Pass reads one.
func (s *Queries) Pass(ctx context.Context, hash string) (store.Pass, error) {
	return passes.one(ctx, s.db, "pass", " WHERE hash = $1", hash)
}

// newPass inserts a pass, if its person exists.
func newPass(ctx context.Context, tx Tx, p store.Pass) error {
	row, err := passes.values(p)
	if err != nil {
		return err
	}
	sql := strings.Replace(passes.insert(0), "VALUES (", "SELECT ", 1)
	sql = strings.TrimSuffix(sql, ")") + " WHERE $3 = '' OR EXISTS (SELECT 1 FROM person WHERE id = $3)"
	n, err := tx.Exec(ctx, sql, row...)
	return one(n, err, "pass of a person")
}

// PutPass writes a new pass.
func (s *Queries) PutPass(ctx context.Context, p store.Pass, facts ...store.Fact) error {
	return s.db.Write(ctx, func(tx Tx) error {
		if err := newPass(ctx, tx, p); err != nil {
			return err
		}
		return note(ctx, tx, facts)
	})
}

// SeePass records a use.
func (s *Queries) SeePass(ctx context.Context, p store.Pass, facts ...store.Fact) error {
	return s.put(ctx, "pass", facts, "UPDATE pass SET seen = $2, source = $3, agent = $4, proved = CASE WHEN proved > $5 THEN proved ELSE $5 END WHERE hash = $1",
		p.Hash, Micros(p.Seen), store.Clean(p.From), store.Short(p.Agent), Micros(p.Proved))
}

// UsePass takes one away and gives the next.
func (s *Queries) UsePass(ctx context.Context, hash, kind string, now time.Time, next store.Pass, facts ...store.Fact) error {
	return s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, "DELETE FROM pass WHERE hash = $1 AND kind = $2 AND expires > $3", hash, kind, Micros(now))
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("pass: %w", store.ErrInUse)
		}
		if next.Hash != "" {
			if err := newPass(ctx, tx, next); err != nil {
				return err
			}
		}
		return note(ctx, tx, facts)
	})
}

// DropPasses takes passes of a person away.
func (s *Queries) DropPasses(ctx context.Context, person, kind, hash, keep string, facts ...store.Fact) (n int64, err error) {
	err = s.db.Write(ctx, func(tx Tx) error {
		n, err = tx.Exec(ctx, "DELETE FROM pass WHERE person = $1 AND (kind = $2 OR $2 = '') AND (hash = $3 OR $3 = '') AND hash <> $4", person, kind, hash, keep)
		if err != nil || n == 0 {
			return err
		}
		return note(ctx, tx, facts)
	})
	return n, err
}

// ClearPasses takes away what expired long ago.
func (s *Queries) ClearPasses(ctx context.Context, before time.Time) (n int64, err error) {
	err = s.db.Write(ctx, func(tx Tx) error {
		n, err = tx.Exec(ctx, "DELETE FROM pass WHERE expires < $1", Micros(before))
		return err
	})
	return n, err
}
