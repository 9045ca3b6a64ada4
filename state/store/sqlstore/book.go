package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"ringfence/core/account"
	"ringfence/state/store"
)

var customers = table[account.Customer]{
	"customer", "customers", 1,
	"id, name, zone, tariff, settings, created, contacts, courtesy, cooling, reseller, resale, numbers, asked",
	func(c *account.Customer) []any {
		return []any{
			&c.ID, &c.Name, &c.Zone, &c.Tariff, (*settings)(&c.Settings), &c.Created, (*listed[account.Contact])(&c.Contacts), &c.Courtesy, inJSON(&c.Cooling),
			&c.Reseller, inJSON(&c.Resale), (*listed[account.Proven])(&c.Numbers), (*listed[account.Asked])(&c.Asked),
		}
	},
}

var lines = table[account.Line]{
	"line", "lines", 1,
	"id, customer, number, name, sealed, locked, lock_why, settings, created, former, honeypot, courtesy, lock_calls, " +
		"strength, forwards, reach",
	func(l *account.Line) []any {
		return []any{
			&l.ID, &l.Customer, &l.Number, &l.Name, &l.Sealed, &l.Locked, &l.LockWhy, (*settings)(&l.Settings), &l.Created,
			(*former)(&l.Former), &l.Honeypot, &l.Courtesy, &l.LockCalls, &l.Strength, inJSON(&l.Forwards), inJSON(&l.Reach),
		}
	},
}

var trunks = table[account.Trunk]{
	"trunk", "trunks", 1,
	"name, addresses, transport, login, sealed, sources, priority, deck, format, withheld, emergency, disabled, registrar, expiry, headers, privacy, abroad, max_calls, max_rate",
	func(t *account.Trunk) []any {
		return []any{
			&t.Name, (*nullable[string])(&t.Addresses), &t.Transport, &t.User, &t.Sealed, (*nullable[netip.Prefix])(&t.Sources),
			&t.Priority, &t.Deck, &t.Format, &t.Withheld, &t.Emergency, &t.Disabled, &t.Registrar, &t.Expiry, &t.Headers, &t.Privacy, &t.Abroad, &t.MaxCalls, &t.MaxRate,
		}
	},
}

// Customers reads all customers by id.
func (s *Queries) Customers(ctx context.Context) ([]account.Customer, error) {
	return customers.all(ctx, s.db, " ORDER BY id")
}

// PutCustomer inserts a new customer, or overwrites one that is there.
func (s *Queries) PutCustomer(ctx context.Context, c account.Customer, isNew bool, facts ...store.Fact) error {
	return customers.put(ctx, s, "customer "+account.Handle(c.ID), c, isNew, facts)
}

// PutCustomers adds many, all or none.
func (s *Queries) PutCustomers(ctx context.Context, cs []account.Customer, facts ...store.Fact) error {
	return customers.putNew(ctx, s, cs, func(c account.Customer) string { return account.Handle(c.ID) }, facts)
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

// DeleteCustomer removes a customer without lines or customers of its own, and its people.
func (s *Queries) DeleteCustomer(ctx context.Context, id string, facts ...store.Fact) error {
	return s.db.Write(ctx, func(tx Tx) error {
		if err := dropPeople(ctx, tx, id); err != nil {
			return err
		}
		resold, err := customers.all(ctx, tx, " WHERE reseller = $1 LIMIT 1", id)
		if err != nil {
			return err
		}
		if len(resold) > 0 {
			return fmt.Errorf("reseller %s has customers: %w", account.Handle(id), store.ErrInUse)
		}
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

// EachLine streams all lines by id, or those of ids. A way in which only a later version's lock treats calls is read as unknown.
func (s *Queries) EachLine(ctx context.Context, yield func(account.Line) error, ids ...string) error {
	known := func(l account.Line) error {
		l.LockCalls = min(l.LockCalls, account.NumLockCalls)
		return yield(l)
	}
	if len(ids) == 0 {
		return lines.stream(ctx, s.db, " ORDER BY id", nil, known)
	}
	return chunked(ids, func(marks string, args []any) error {
		return lines.stream(ctx, s.db, " WHERE id IN ("+marks+") ORDER BY id", args, known)
	})
}

// PutLine inserts a new line, or overwrites one that is there.
func (s *Queries) PutLine(ctx context.Context, l account.Line, isNew bool, facts ...store.Fact) error {
	return lines.put(ctx, s, "line "+account.Handle(l.ID), l, isNew, facts)
}

// PutLines inserts new lines, all or none.
func (s *Queries) PutLines(ctx context.Context, ls []account.Line, facts ...store.Fact) error {
	return lines.putNew(ctx, s, ls, func(l account.Line) string { return account.Handle(l.ID) }, facts)
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
	return trunks.all(ctx, s.db, " ORDER BY priority, name")
}

// PutTrunk inserts a new trunk, or overwrites one that is there.
func (s *Queries) PutTrunk(ctx context.Context, t account.Trunk, isNew bool, facts ...store.Fact) error {
	return trunks.put(ctx, s, "trunk "+account.Handle(t.Name), t, isNew, facts)
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
		if err == nil {
			_, err = rekey(ctx, tx, "person", "id", reseal)
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

// rekeyFormer seals the former passwords of lines again, and returns how many they were.
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
		var all []account.Former
		err := (*former)(&all).read(text)
		for j := range all {
			if err == nil && len(all[j].Sealed) > 0 {
				all[j].Sealed, err = reseal(all[j].Sealed)
			}
		}
		if err == nil {
			text, err = (*former)(&all).text()
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
