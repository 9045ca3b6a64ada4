package sqlstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/core/restrict"
	"ringfence/state/store"
)

// table describes once how one kind of row is stored: every statement that writes or reads it is made of its columns.
type table[T any] struct {
	name    string
	plural  string // as errors call several
	keys    int    // how many columns, from the first, are its key
	columns string // their names
	// row points to the fields that are in the columns, in the same order: numbers, texts, times, bytes, and codecs.
	row func(*T) []any
}

// codec is a field that is stored as a text of its own.
type codec interface {
	text() (string, error)
	read(text string) error
}

func (t table[T]) names() []string { return strings.Split(t.columns, ", ") }

// insert adds a row whose values are those of the columns after the first skip: a serial number comes from the engine.
func (t table[T]) insert(skip int) string {
	names := t.names()[skip:]
	return "INSERT INTO " + t.name + " (" + strings.Join(names, ", ") + ") VALUES (" + numbered(len(names)) + ")"
}

// update overwrites the row that has the key.
func (t table[T]) update() string {
	names := t.names()
	for i := range names {
		names[i] += " = $" + strconv.Itoa(i+1)
	}
	return "UPDATE " + t.name + " SET " + strings.Join(names[t.keys:], ", ") + " WHERE " + strings.Join(names[:t.keys], " AND ")
}

// remove deletes the row that has the key.
func (t table[T]) remove() string {
	names := t.names()[:t.keys]
	for i := range names {
		names[i] += " = $" + strconv.Itoa(i+1)
	}
	return "DELETE FROM " + t.name + " WHERE " + strings.Join(names, " AND ")
}

// upsert inserts a row, or overwrites the one that has its key.
func (t table[T]) upsert() string {
	names := t.names()
	key := strings.Join(names[:t.keys], ", ")
	for i, name := range names {
		names[i] = name + " = excluded." + name
	}
	return t.insert(0) + " ON CONFLICT (" + key + ") DO UPDATE SET " + strings.Join(names[t.keys:], ", ")
}

// numbered are the placeholders $1 to $n.
func numbered(n int) string {
	marks := make([]string, n)
	for i := range marks {
		marks[i] = "$" + strconv.Itoa(i+1)
	}
	return strings.Join(marks, ", ")
}

// values are what is stored of x, in the order of the columns.
func (t table[T]) values(x T) ([]any, error) {
	out, err := values(t.row(&x))
	if err != nil {
		return nil, fmt.Errorf("%s %v: %w", t.name, out[0], err)
	}
	return out, nil
}

func values(row []any) (out []any, err error) {
	out = make([]any, len(row))
	for i, at := range row {
		if out[i], err = stored(at); err != nil {
			break
		}
	}
	return out, err
}

// many runs one statement over the values of each of xs.
func (t table[T]) many(ctx context.Context, tx Tx, sql string, xs []T) error {
	values := make([][]any, len(xs))
	for i := range xs {
		var err error
		if values[i], err = t.values(xs[i]); err != nil {
			return err
		}
	}
	_, err := tx.ExecMany(ctx, sql, len(xs), func(i int) []any { return values[i] })
	return err
}

// put inserts a new row, or overwrites the one that is there.
func (t table[T]) put(ctx context.Context, s *Queries, what string, x T, isNew bool, facts []store.Fact) error {
	values, err := t.values(x)
	if err != nil {
		return err
	}
	sql := t.update()
	if isNew {
		sql = t.insert(0)
	}
	return s.put(ctx, what, facts, sql, values...)
}

// putNew inserts rows, all or none; handle names one that cannot be.
func (t table[T]) putNew(ctx context.Context, s *Queries, xs []T, handle func(T) string, facts []store.Fact) error {
	return s.db.Write(ctx, func(tx Tx) error {
		if err := t.many(ctx, tx, t.insert(0), xs); err != nil {
			what := t.plural
			if row := (*RowError)(nil); errors.As(err, &row) {
				what = t.name + " " + handle(xs[row.Row])
			}
			return translate(err, what)
		}
		return note(ctx, tx, facts)
	})
}

// save first drops, then puts rows by the statement upsert.
func (t table[T]) save(ctx context.Context, tx Tx, upsert string, put, drop []T) error {
	gone := make([][]any, len(drop))
	for i := range drop {
		var err error
		if gone[i], err = t.values(drop[i]); err != nil {
			return err
		}
	}
	if _, err := tx.ExecMany(ctx, t.remove(), len(drop), func(i int) []any { return gone[i][:t.keys] }); err != nil {
		return err
	}
	return t.many(ctx, tx, upsert, put)
}

// all reads the rows that rest, the end of a SELECT, selects.
func (t table[T]) all(ctx context.Context, q Querier, rest string, args ...any) (out []T, err error) {
	out, err = list(ctx, q, "SELECT "+t.columns+" FROM "+t.name+rest, args, t.scan)
	return out, about("reading "+t.plural, err)
}

// one reads the first of those rows, or is ErrNotFound.
func (t table[T]) one(ctx context.Context, q Querier, what, rest string, args ...any) (x T, err error) {
	out, err := list(ctx, q, "SELECT "+t.columns+" FROM "+t.name+rest, args, t.scan)
	if err == nil && len(out) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return x, fmt.Errorf("%s: %w", what, err)
	}
	return out[0], nil
}

// stream reads like all, but one row at a time.
func (t table[T]) stream(ctx context.Context, q Querier, rest string, args []any, yield func(T) error) error {
	return each(ctx, q, "SELECT "+t.columns+" FROM "+t.name+rest, args, func(r Rows) error {
		x, err := t.scan(r)
		if err != nil {
			return fmt.Errorf("reading %s: %w", t.plural, err)
		}
		return yield(x)
	})
}

// scan reads a row of all columns.
func (t table[T]) scan(r Rows) (x T, err error) {
	row := t.row(&x)
	dest, then := make([]any, len(row)), make([]func() error, len(row))
	for i, at := range row {
		dest[i], then[i] = reading(at)
	}
	if err := r.Scan(dest...); err != nil {
		return x, err
	}
	for _, read := range then {
		if read == nil {
			continue
		}
		if err := read(); err != nil {
			key, _ := stored(row[0]) // it was just read
			return x, fmt.Errorf("%s %v: %w", t.name, key, err)
		}
	}
	return x, nil
}

// stored is the value of a field: an int64, a string, or bytes.
func stored(at any) (any, error) {
	switch p := at.(type) {
	case *string:
		return store.Clean(*p), nil
	case *int64:
		return *p, nil
	case *[]byte:
		return blob(*p), nil
	case *time.Time:
		return Micros(*p), nil
	case *time.Duration:
		return int64(*p), nil
	case *money.Micro:
		return int64(*p), nil
	case codec:
		return p.text()
	}
	switch v := reflect.ValueOf(at).Elem(); v.Kind() {
	case reflect.String:
		return store.Clean(v.String()), nil
	case reflect.Bool:
		return flag(v.Bool()), nil
	case reflect.Uint8, reflect.Uint16, reflect.Uint64:
		return int64(v.Uint()), nil
	default:
		return v.Int(), nil
	}
}

// reading is where a column is scanned to, and what then brings it into the field; nil where it is in it already.
func reading(at any) (dest any, then func() error) {
	var n int64
	switch p := at.(type) {
	case *string, *int64, *[]byte:
		return p, nil
	case *time.Time:
		return &n, func() error { *p = instant(n); return nil }
	case codec:
		var text string
		return &text, func() error { return p.read(text) }
	}
	v := reflect.ValueOf(at).Elem()
	if v.Kind() == reflect.String {
		return v.Addr().Convert(reflect.TypeFor[*string]()).Interface(), nil
	}
	return &n, func() error {
		switch v.Kind() {
		case reflect.Bool:
			v.SetBool(n != 0)
		case reflect.Uint8, reflect.Uint16, reflect.Uint64:
			v.SetUint(uint64(n))
		default:
			v.SetInt(n)
		}
		return nil
	}
}

// short is a text that comes partly from unknown sources, cut to what can be indexed.
type short string

func (c *short) text() (string, error) { return store.Short(string(*c)), nil }

func (c *short) read(text string) error {
	*c = short(text)
	return nil
}

// listed is a list as JSON, "" when nothing is in it; nullable is "null" then.
type (
	listed[T any]   []T
	nullable[T any] []T
)

func (c *listed[T]) text() (string, error) {
	if len(*c) == 0 {
		return "", nil
	}
	return (*nullable[T])(c).text()
}

func (c *listed[T]) read(text string) error {
	if text == "" {
		return nil
	}
	return (*nullable[T])(c).read(text)
}

func (c *nullable[T]) text() (string, error) {
	text, err := json.Marshal(append([]T(nil), *c...))
	return string(text), err
}

func (c *nullable[T]) read(text string) error { return json.Unmarshal([]byte(text), (*[]T)(c)) }

// former are a line's former passwords as JSON, their instants as exact as all others.
type former []account.Former

func (c *former) text() (string, error) {
	all := slices.Clone(*c)
	for i := range all {
		all[i].Until = instant(Micros(all[i].Until))
	}
	return (*listed[account.Former])(&all).text()
}

func (c *former) read(text string) error { return (*listed[account.Former])(c).read(text) }

// settings are a link's as JSON; "" for those that say nothing, which is most lines.
type settings account.Settings

func (c *settings) text() (string, error) {
	text, err := json.Marshal((*account.Settings)(c))
	if string(text) == "{}" {
		return "", err
	}
	return string(text), err
}

func (c *settings) read(text string) error {
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), (*account.Settings)(c))
}

// field is a setting by its name.
type field account.Field

func (c *field) text() (string, error) { return account.Field(*c).String(), nil }

func (c *field) read(text string) error {
	f, err := account.ParseField(text)
	*c = field(f)
	return err
}

// network is a masked prefix.
type network netip.Prefix

func (c *network) text() (string, error) { return netip.Prefix(*c).Masked().String(), nil }

func (c *network) read(text string) error { return (*netip.Prefix)(c).UnmarshalText([]byte(text)) }

// numbers is a range of numbers as people write it.
type numbers restrict.Range

func (c *numbers) text() (string, error) { return restrict.Range(*c).String(), nil }

func (c *numbers) read(text string) (err error) {
	*(*restrict.Range)(c), err = restrict.ParseNumbers(text)
	return err
}

// notes are a line of JSON for each. NoteFinding adds them; a finding that is new has none.
type notes []store.Note

func (c *notes) text() (string, error) { return "", nil }

func (c *notes) read(text string) error {
	for line := range strings.Lines(text) {
		var n store.Note
		if err := json.Unmarshal([]byte(line), &n); err != nil {
			return fmt.Errorf("a note: %w", err)
		}
		*c = append(*c, n)
	}
	return nil
}
