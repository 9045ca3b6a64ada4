package valkey

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/state/counters"
)

const (
	grace   = 10 * counters.Skew // an ended mark is kept for it: nodes whose clocks differ must not take it from each other
	outlive = 24 * time.Hour     // how long after the end of its last mark a table goes that is not written to
)

func (e *Engine) keys(table string) []string {
	return []string{e.o.Prefix + "m:" + table, e.o.Prefix + "e:" + table}
}

func (e *Engine) channel(table string) string { return e.o.Prefix + "t:" + table }

// Put puts marks; see counters.Counters. More than 128 of one table go in several steps: an error may leave the first put.
func (e *Engine) Put(ctx context.Context, now time.Time, marks ...counters.Mark) error {
	if err := counters.CheckMarks(marks); err != nil {
		return err
	}
	at := counters.Micros(now)
	for len(marks) > 0 {
		// As many as follow each other in one table.
		n := slices.IndexFunc(marks, func(m counters.Mark) bool { return m.Table != marks[0].Table })
		if n < 0 {
			n = len(marks)
		}
		for some := range slices.Chunk(marks[:n], batch) {
			if err := e.put(ctx, at, some); err != nil {
				return err
			}
		}
		marks = marks[n:]
	}
	return nil
}

func (e *Engine) put(ctx context.Context, at int64, marks []counters.Mark) error {
	table, last := marks[0].Table, at
	args := make([]string, 4, 4+3*len(marks))
	for i := range marks {
		m := &marks[i]
		until := counters.Micros(m.Until)
		if until <= at {
			continue
		}
		last = max(last, until)
		args = append(args, strconv.FormatInt(until, 10), m.Key, string(m.Value))
	}
	if len(args) == 4 {
		return nil
	}
	args[0] = e.channel(table)
	args[1] = strconv.FormatInt(at-grace.Microseconds(), 10)
	args[2] = strconv.Itoa(e.o.MaxMarks)
	args[3] = strconv.FormatInt((last-at)/1000+outlive.Milliseconds(), 10)
	return unavailable(e.run(ctx, put, e.keys(table), args).Error())
}

// Drop drops marks; see counters.Counters.
func (e *Engine) Drop(ctx context.Context, table string, keys ...string) error {
	if err := counters.CheckKeys(table, keys...); err != nil {
		return err
	}
	for some := range slices.Chunk(keys, batch) {
		args := append([]string{e.channel(table)}, some...)
		if err := e.run(ctx, drop, e.keys(table), args).Error(); err != nil {
			return unavailable(err)
		}
	}
	return nil
}

// Marks lists marks; see counters.Counters. They are read in pages, so that the server is never blocked: a mark put or
// dropped meanwhile may be there or not.
func (e *Engine) Marks(ctx context.Context, table string, now time.Time) ([]counters.Mark, error) {
	if err := counters.CheckKeys(table); err != nil {
		return nil, err
	}
	at, found := counters.Micros(now), map[string]counters.Mark{}
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		next, pairs, err := e.scan(ctx, table, cursor)
		if err != nil {
			return nil, unavailable(err)
		}
		cursor = next
		for i := 0; i+1 < len(pairs); i += 2 {
			until, value, err := cutEnd(pairs[i+1])
			if err != nil {
				return nil, fmt.Errorf("%w: table %s: %w", counters.ErrUnavailable, table, err)
			}
			if until > at {
				found[pairs[i]] = mark(table, pairs[i], until, value)
			}
		}
	}
	out := make([]counters.Mark, 0, len(found))
	for _, m := range found {
		out = append(out, m)
	}
	return out, nil
}

func (e *Engine) scan(ctx context.Context, table string, cursor uint64) (next uint64, pairs []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.o.Timeout)
	defer cancel()
	got, err := e.c.Do(ctx, e.c.B().Hscan().Key(e.keys(table)[0]).Cursor(cursor).Count(page).Build()).AsScanEntry()
	return got.Cursor, got.Elements, err
}

func mark(table, key string, until int64, value string) counters.Mark {
	m := counters.Mark{Table: table, Key: key, Until: time.UnixMicro(until).UTC()}
	if value != "" {
		m.Value = []byte(value)
	}
	return m
}

var errForeign = errors.New("something there is not ours")

// cutEnd takes "end:value" apart.
func cutEnd(s string) (until int64, value string, err error) {
	end, value, ok := strings.Cut(s, ":")
	until, err = strconv.ParseInt(end, 10, 64)
	if !ok || err != nil {
		return 0, "", errForeign
	}
	return until, value, nil
}

// change reads what the scripts publish.
func change(table, s string) (counters.Change, error) {
	switch {
	case strings.HasPrefix(s, "d"):
		return counters.Change{Mark: counters.Mark{Table: table, Key: s[1:]}, Dropped: true}, nil
	case strings.HasPrefix(s, "p"):
		until, rest, err := cutEnd(s[1:])
		if err != nil {
			return counters.Change{}, err
		}
		size, rest, err := cutEnd(rest)
		if err != nil || size < 1 || size > int64(len(rest)) {
			return counters.Change{}, errForeign
		}
		return counters.Change{Mark: mark(table, rest[:size], until, rest[size:])}, nil
	}
	return counters.Change{}, errForeign
}
