package counters

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// ErrInvalid says that an argument is outside the bounds; nothing was counted, put or dropped.
var ErrInvalid = errors.New("counters: out of bounds")

// More bounds, the same in every engine.
const (
	MaxTable = 64                   // bytes of a table's name: lower-case letters, digits, '.', '_' and '-'
	MaxHits  = 256                  // hits of one Add
	MinSpan  = time.Millisecond     // windows are kept to the millisecond
	MaxSpan  = 400 * 24 * time.Hour //
	MaxCount = math.MaxUint32       // of one half of a window: where it stops
	Skew     = time.Second          // how far apart the clocks of two nodes may be
	latest   = int64(1) << 53       // what a float64, the only number of Lua, holds exactly
	lastYear = latest / 1000 / 1000 // in seconds: the year 2255
)

// CheckHits says what is wrong with the hits of an Add.
func CheckHits(hits []Hit) error {
	if len(hits) > MaxHits {
		return fmt.Errorf("%w: %d hits at once, want at most %d", ErrInvalid, len(hits), MaxHits)
	}
	for i := range hits {
		h := &hits[i]
		if err := checkKey(h.Key); err != nil {
			return err
		}
		if h.N < 0 {
			return fmt.Errorf("%w: %d hits of a key", ErrInvalid, h.N)
		}
		if h.Span < MinSpan || h.Span > MaxSpan {
			return fmt.Errorf("%w: a window of %v, want %v to %v", ErrInvalid, h.Span, MinSpan, MaxSpan)
		}
	}
	return nil
}

// CheckMarks says what is wrong with the marks of a Put.
func CheckMarks(marks []Mark) error {
	for i := range marks {
		m := &marks[i]
		if err := CheckKeys(m.Table, m.Key); err != nil {
			return err
		}
		if len(m.Value) > MaxValue {
			return fmt.Errorf("%w: a value of %d bytes, want at most %d", ErrInvalid, len(m.Value), MaxValue)
		}
	}
	return nil
}

// CheckKeys says what is wrong with the name of a table or with keys of it.
func CheckKeys(table string, keys ...string) error {
	if len(table) == 0 || len(table) > MaxTable {
		return fmt.Errorf("%w: the name of a table has %d bytes, want 1 to %d", ErrInvalid, len(table), MaxTable)
	}
	for _, c := range []byte(table) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return fmt.Errorf("%w: table %q", ErrInvalid, table)
		}
	}
	for _, k := range keys {
		if err := checkKey(k); err != nil {
			return err
		}
	}
	return nil
}

// checkKey does not show the key: it may be 8 KB from an unknown source.
func checkKey(key string) error {
	if len(key) == 0 || len(key) > MaxKey {
		return fmt.Errorf("%w: a key of %d bytes, want 1 to %d", ErrInvalid, len(key), MaxKey)
	}
	return nil
}

// Millis is an instant as windows keep it: ms since 1970 UTC, held within ±285 years of it.
func Millis(t time.Time) int64 {
	return min(max(t.Unix(), -lastYear), lastYear)*1000 + int64(t.Nanosecond())/1e6
}

// Micros is an instant as ends of marks are kept: µs since 1970 UTC, held within ±285 years of it. "For ever" is 2255.
func Micros(t time.Time) int64 {
	return min(max(t.Unix(), -lastYear), lastYear-1)*1e6 + int64(t.Nanosecond())/1e3
}
