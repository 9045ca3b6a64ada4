package sqlstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ringfence/core/account"
	"ringfence/state/store"
)

// settingsText is a link's settings as JSON; "" for those that say nothing, which is most lines.
func settingsText(s *account.Settings) (string, error) {
	if len(s.Nets) == 0 && s.Values == (account.Settings{}).Values {
		return "", nil
	}
	text, err := json.Marshal(s)
	return string(text), err
}

func settings(text string) (s account.Settings, err error) {
	if text == "" {
		return s, nil
	}
	err = json.Unmarshal([]byte(text), &s)
	return s, err
}

// Customers reads all customers by id.
func (s *Queries) Customers(ctx context.Context) ([]account.Customer, error) {
	var out []account.Customer
	err := each(ctx, s.db, "SELECT "+customerColumns+" FROM customer ORDER BY id", nil, func(r Rows) error {
		var c account.Customer
		var set, contacts, courtesy string
		var created int64
		err := r.Scan(&c.ID, &c.Name, &c.Zone, &c.Tariff, &set, &created, &contacts, &courtesy)
		if err != nil {
			return err
		}
		c.Created, c.Courtesy = instant(created), account.Courtesy(courtesy)
		if c.Settings, err = settings(set); err == nil {
			c.Contacts, err = list[account.Contact](contacts)
		}
		if err != nil {
			return fmt.Errorf("customer %s: %w", c.ID, err)
		}
		out = append(out, c)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading customers: %w", err)
	}
	return out, nil
}

// PutCustomer inserts a new customer, or overwrites one that is there.
func (s *Queries) PutCustomer(ctx context.Context, c account.Customer, isNew bool, facts ...store.Fact) error {
	set, err := settingsText(&c.Settings)
	if err != nil {
		return fmt.Errorf("customer %s: %w", c.ID, err)
	}
	contacts, err := listText(c.Contacts)
	if err != nil {
		return fmt.Errorf("customer %s: %w", c.ID, err)
	}
	sql := `UPDATE customer SET name = $2, zone = $3, tariff = $4, settings = $5, created = $6, contacts = $7, courtesy = $8
		WHERE id = $1`
	if isNew {
		sql = insertCustomer
	}
	return s.put(ctx, "customer "+account.Handle(c.ID), facts, sql, c.ID, c.Name, c.Zone, c.Tariff, set, Micros(c.Created), contacts, string(c.Courtesy))
}

// PutCustomers adds many, all or none.
func (s *Queries) PutCustomers(ctx context.Context, cs []account.Customer, facts ...store.Fact) error {
	values := make([][]any, len(cs))
	for i := range cs {
		c := &cs[i]
		set, err := settingsText(&c.Settings)
		if err != nil {
			return fmt.Errorf("customer %s: %w", c.ID, err)
		}
		contacts, err := listText(c.Contacts)
		if err != nil {
			return fmt.Errorf("customer %s: %w", c.ID, err)
		}
		values[i] = []any{c.ID, c.Name, c.Zone, c.Tariff, set, Micros(c.Created), contacts, string(c.Courtesy)}
	}
	return s.db.Write(ctx, func(tx Tx) error {
		_, err := tx.ExecMany(ctx, insertCustomer, len(cs), func(i int) []any { return values[i] })
		if err != nil {
			what := "customers"
			if row := (*RowError)(nil); errors.As(err, &row) {
				what = "customer " + account.Handle(cs[row.Row].ID)
			}
			return translate(err, what)
		}
		return note(ctx, tx, facts)
	})
}

const insertCustomer = "INSERT INTO customer (" + customerColumns + ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"

const customerColumns = "id, name, zone, tariff, settings, created, contacts, courtesy"

// listText is a list as JSON; "" for an empty one.
func listText[T any](all []T) (string, error) {
	if len(all) == 0 {
		return "", nil
	}
	text, err := json.Marshal(all)
	return string(text), err
}

func list[T any](text string) (all []T, err error) {
	if text == "" {
		return nil, nil
	}
	err = json.Unmarshal([]byte(text), &all)
	return all, err
}

// formerText is a line's former passwords as JSON, their instants as exact as all others.
func formerText(all []account.Former) (string, error) {
	all = slices.Clone(all)
	for i := range all {
		all[i].Until = instant(Micros(all[i].Until))
	}
	return listText(all)
}

// put runs one statement that must change a row, and appends the facts.
func (s *Queries) put(ctx context.Context, what string, facts []store.Fact, sql string, args ...any) error {
	return s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, sql, args...)
		if err := one(n, err, what); err != nil {
			return err
		}
		return note(ctx, tx, facts)
	})
}

// DeleteCustomer removes a customer without lines.
func (s *Queries) DeleteCustomer(ctx context.Context, id string, facts ...store.Fact) error {
	return s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, "DELETE FROM customer WHERE id = $1", id)
		if errors.Is(err, ErrForeign) {
			return fmt.Errorf("customer %s has lines: %w", account.Handle(id), store.ErrInUse)
		}
		if err := one(n, err, "customer "+account.Handle(id)); err != nil {
			return err
		}
		return note(ctx, tx, facts)
	})
}

// EachLine streams all lines by id, or those of ids.
func (s *Queries) EachLine(ctx context.Context, yield func(account.Line) error, ids ...string) error {
	for part := range slices.Chunk(ids, 500) {
		args, marks := make([]any, len(part)), make([]string, len(part))
		for i, id := range part {
			args[i], marks[i] = store.Clean(id), "$"+strconv.Itoa(i+1)
		}
		if err := s.eachLine(ctx, " WHERE id IN ("+strings.Join(marks, ", ")+")", args, yield); err != nil {
			return err
		}
	}
	if len(ids) > 0 {
		return nil
	}
	return s.eachLine(ctx, "", nil, yield)
}

func (s *Queries) eachLine(ctx context.Context, which string, args []any, yield func(account.Line) error) error {
	return each(ctx, s.db, "SELECT "+lineColumns+" FROM line"+which+" ORDER BY id", args, func(r Rows) error {
		var l account.Line
		var set, former, courtesy string
		var locked, created, honeypot, calls, strength int64
		err := r.Scan(&l.ID, &l.Customer, &l.Number, &l.Name, &l.Sealed, &locked, &l.LockWhy, &set, &created, &former, &honeypot, &courtesy, &calls, &strength)
		if err != nil {
			return fmt.Errorf("reading lines: %w", err)
		}
		l.Locked, l.Created = locked != 0, instant(created)
		l.Honeypot, l.Courtesy, l.Strength = honeypot != 0, account.Courtesy(courtesy), account.Strength(strength)
		l.LockCalls = account.LockCalls(min(max(calls, 0), int64(account.NumLockCalls)))
		if l.Settings, err = settings(set); err == nil {
			l.Former, err = list[account.Former](former)
		}
		if err != nil {
			return fmt.Errorf("line %s: %w", l.ID, err)
		}
		return yield(l)
	})
}

const (
	lineColumns = "id, customer, number, name, sealed, locked, lock_why, settings, created, former, honeypot, courtesy, lock_calls, strength"
	insertLine  = "INSERT INTO line (" + lineColumns + ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
)

func lineValues(l *account.Line) ([]any, error) {
	set, err := settingsText(&l.Settings)
	if err != nil {
		return nil, fmt.Errorf("line %s: %w", l.ID, err)
	}
	former, err := formerText(l.Former)
	if err != nil {
		return nil, fmt.Errorf("line %s: %w", l.ID, err)
	}
	return []any{
		l.ID, l.Customer, l.Number, l.Name, blob(l.Sealed), flag(l.Locked), l.LockWhy, set, Micros(l.Created), former,
		flag(l.Honeypot), string(l.Courtesy), int64(l.LockCalls), int64(l.Strength),
	}, nil
}

// PutLine inserts a new line, or overwrites one that is there.
func (s *Queries) PutLine(ctx context.Context, l account.Line, isNew bool, facts ...store.Fact) error {
	args, err := lineValues(&l)
	if err != nil {
		return err
	}
	sql := `UPDATE line SET customer = $2, number = $3, name = $4, sealed = $5, locked = $6, lock_why = $7, settings = $8,
		created = $9, former = $10, honeypot = $11, courtesy = $12, lock_calls = $13, strength = $14 WHERE id = $1`
	if isNew {
		sql = insertLine
	}
	return s.put(ctx, "line "+account.Handle(l.ID), facts, sql, args...)
}

// PutLines inserts new lines, all or none.
func (s *Queries) PutLines(ctx context.Context, ls []account.Line, facts ...store.Fact) error {
	values := make([][]any, len(ls))
	for i := range ls {
		var err error
		if values[i], err = lineValues(&ls[i]); err != nil {
			return err
		}
	}
	return s.db.Write(ctx, func(tx Tx) error {
		_, err := tx.ExecMany(ctx, insertLine, len(ls), func(i int) []any { return values[i] })
		if err != nil {
			what := "lines"
			if row := (*RowError)(nil); errors.As(err, &row) {
				what = "line " + account.Handle(ls[row.Row].ID)
			}
			return translate(err, what)
		}
		return note(ctx, tx, facts)
	})
}

// DeleteLine removes a line, its registrations and its devices. Its calls, records, findings, usage and facts stay under its
// identity.
func (s *Queries) DeleteLine(ctx context.Context, id string, facts ...store.Fact) error {
	return s.db.Write(ctx, func(tx Tx) error {
		n, err := tx.Exec(ctx, "DELETE FROM line WHERE id = $1", id)
		if err := one(n, err, "line "+account.Handle(id)); err != nil {
			return err
		}
		for _, table := range []string{"registration", "device"} {
			if _, err := tx.Exec(ctx, "DELETE FROM "+table+" WHERE line = $1", id); err != nil {
				return err
			}
		}
		return note(ctx, tx, facts)
	})
}

// Trunks reads all trunks in the order in which they are tried.
func (s *Queries) Trunks(ctx context.Context) ([]account.Trunk, error) {
	sql := `SELECT name, addresses, transport, login, sealed, sources, priority, deck, format, withheld, emergency, disabled
		FROM trunk ORDER BY priority, name`
	var out []account.Trunk
	err := each(ctx, s.db, sql, nil, func(r Rows) error {
		t, err := scanTrunk(r)
		out = append(out, t)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading trunks: %w", err)
	}
	return out, nil
}

func scanTrunk(r Rows) (t account.Trunk, err error) {
	var addresses, sources string
	var priority, emergency, disabled int64
	err = r.Scan(&t.Name, &addresses, &t.Transport, &t.User, &t.Sealed, &sources, &priority, &t.Deck, &t.Format, &t.Withheld, &emergency, &disabled)
	if err != nil {
		return t, err
	}
	t.Priority, t.Emergency, t.Disabled = int(priority), emergency != 0, disabled != 0
	if err = json.Unmarshal([]byte(addresses), &t.Addresses); err == nil {
		err = json.Unmarshal([]byte(sources), &t.Sources)
	}
	if err != nil {
		return t, fmt.Errorf("trunk %s: %w", t.Name, err)
	}
	return t, nil
}

// PutTrunk inserts a new trunk, or overwrites one that is there.
func (s *Queries) PutTrunk(ctx context.Context, t account.Trunk, isNew bool, facts ...store.Fact) error {
	addresses, err := json.Marshal(append([]string(nil), t.Addresses...))
	if err != nil {
		return fmt.Errorf("trunk %s: %w", t.Name, err)
	}
	sources, err := json.Marshal(append([]netip.Prefix(nil), t.Sources...))
	if err != nil {
		return fmt.Errorf("trunk %s: %w", t.Name, err)
	}
	sql := `UPDATE trunk SET addresses = $2, transport = $3, login = $4, sealed = $5, sources = $6, priority = $7, deck = $8,
		format = $9, withheld = $10, emergency = $11, disabled = $12 WHERE name = $1`
	if isNew {
		sql = `INSERT INTO trunk (name, addresses, transport, login, sealed, sources, priority, deck, format, withheld, emergency, disabled)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
	}
	return s.put(ctx, "trunk "+account.Handle(t.Name), facts, sql, t.Name, string(addresses), t.Transport, t.User, blob(t.Sealed),
		string(sources), int64(t.Priority), t.Deck, t.Format, t.Withheld, flag(t.Emergency), flag(t.Disabled))
}

// DeleteTrunk removes a trunk.
func (s *Queries) DeleteTrunk(ctx context.Context, name string, facts ...store.Fact) error {
	return s.put(ctx, "trunk "+account.Handle(name), facts, "DELETE FROM trunk WHERE name = $1", name)
}

// Rekey gives every sealed secret to reseal and stores what it returns, all or none.
func (s *Queries) Rekey(ctx context.Context, reseal func(sealed []byte) ([]byte, error), facts ...store.Fact) (n int, err error) {
	err = s.db.Write(ctx, func(tx Tx) error {
		lines, err := rekey(ctx, tx, "line", "id", reseal)
		if err != nil {
			return err
		}
		former, err := rekeyFormer(ctx, tx, reseal)
		if err != nil {
			return err
		}
		trunks, err := rekey(ctx, tx, "trunk", "name", reseal)
		n = lines + former + trunks
		if err == nil {
			_, err = rekey(ctx, tx, "mark", "name", reseal)
		}
		if err != nil {
			return err
		}
		return note(ctx, tx, facts)
	})
	if err != nil {
		return 0, fmt.Errorf("sealing secrets anew: %w", err)
	}
	return n, nil
}

func rekey(ctx context.Context, tx Tx, table, key string, reseal func([]byte) ([]byte, error)) (int, error) {
	var ids []string
	var sealed [][]byte
	// FOR UPDATE would be PostgreSQL's; a secret changed meanwhile is kept by comparing it in the write.
	err := each(ctx, tx, "SELECT "+key+", sealed FROM "+table+" WHERE sealed IS NOT NULL ORDER BY 1", nil, func(r Rows) error {
		var id string
		var old []byte
		err := r.Scan(&id, &old)
		ids, sealed = append(ids, id), append(sealed, old)
		return err
	})
	if err != nil {
		return 0, err
	}
	fresh := make([][]byte, len(ids))
	for i, old := range sealed {
		if fresh[i], err = reseal(old); err != nil {
			return 0, fmt.Errorf("%s %s: %w", table, ids[i], err)
		}
	}
	sql := "UPDATE " + table + " SET sealed = $2 WHERE " + key + " = $1 AND sealed = $3"
	n, err := tx.ExecMany(ctx, sql, len(ids), func(i int) []any { return []any{ids[i], blob(fresh[i]), sealed[i]} })
	if err == nil && n != int64(len(ids)) {
		err = fmt.Errorf("%d secrets of %ss changed meanwhile, nothing was written: try again", int64(len(ids))-n, table)
	}
	return int(n), err
}

// rekeyFormer seals the former passwords of lines anew and says how many they were.
func rekeyFormer(ctx context.Context, tx Tx, reseal func([]byte) ([]byte, error)) (n int, err error) {
	var ids, old, fresh []string
	err = each(ctx, tx, "SELECT id, former FROM line WHERE former <> '' ORDER BY 1", nil, func(r Rows) error {
		var id, text string
		err := r.Scan(&id, &text)
		ids, old = append(ids, id), append(old, text)
		return err
	})
	if err != nil {
		return 0, err
	}
	for i, text := range old {
		all, err := list[account.Former](text)
		for j := range all {
			if err == nil && len(all[j].Sealed) > 0 {
				all[j].Sealed, err = reseal(all[j].Sealed)
			}
		}
		if err == nil {
			text, err = formerText(all)
		}
		if err != nil {
			return 0, fmt.Errorf("former passwords of line %s: %w", ids[i], err)
		}
		fresh, n = append(fresh, text), n+len(all)
	}
	sql := "UPDATE line SET former = $2 WHERE id = $1 AND former = $3"
	rows, err := tx.ExecMany(ctx, sql, len(ids), func(i int) []any { return []any{ids[i], fresh[i], old[i]} })
	if err == nil && rows != int64(len(ids)) {
		err = fmt.Errorf("former passwords of %d lines changed meanwhile, nothing was written: try again", int64(len(ids))-rows)
	}
	return n, err
}
