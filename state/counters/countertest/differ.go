package countertest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/state/counters"
)

// Same plays random sequences on two engines, which must answer the same.
func Same(t *testing.T, a, b func() counters.Counters) {
	rapid.Check(t, func(rt *rapid.T) {
		x, y := a(), b()
		defer func() { x.Close(); y.Close() }()
		now := time.UnixMicro(rapid.Int64Range(-4e15, 6e15).Draw(rt, "start"))
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, 100).Draw(rt, "later")) * rapid.SampledFrom([]time.Duration{1, time.Microsecond, time.Millisecond, time.Second, time.Minute}).Draw(rt, "unit"))
			at := now.Add(-time.Duration(rapid.Int64Range(0, int64(counters.Skew)).Draw(rt, "behind")))
			do := step(rt, at)
			if one, two := do(x), do(y); one != two {
				rt.Fatalf("one engine says\n%s\nand the other\n%s", one, two)
			}
		}
	})
}

var (
	keys   = rapid.SampledFrom([]string{"a", "b", "c:d", "\x00\xff"})
	tables = rapid.SampledFrom([]string{"ban", "lockout"})
)

// step draws one call, to be made on each engine; it tells the result.
func step(rt *rapid.T, at time.Time) func(counters.Counters) string {
	switch rapid.IntRange(0, 4).Draw(rt, "call") {
	case 0, 1:
		hits := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) counters.Hit {
			span := rapid.SampledFrom([]time.Duration{time.Millisecond, 333 * time.Millisecond, time.Minute, 28 * 24 * time.Hour})
			n := rapid.OneOf(rapid.Int64Range(-1, 100), rapid.Int64Range(0, 1<<40))
			return counters.Hit{Key: keys.Draw(rt, "key"), N: n.Draw(rt, "n"), Span: span.Draw(rt, "span")}
		}), 0, 6).Draw(rt, "hits")
		return func(c counters.Counters) string {
			sums, err := c.Add(rt.Context(), at, hits...)
			return fmt.Sprintf("add %v: %v %v", hits, sums, err)
		}
	case 2:
		ms := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) counters.Mark {
			until := at.Add(time.Duration(rapid.Int64Range(-10, 1000).Draw(rt, "until")) * rapid.SampledFrom([]time.Duration{1, time.Millisecond, time.Minute}).Draw(rt, "unit"))
			return counters.Mark{Table: tables.Draw(rt, "table"), Key: keys.Draw(rt, "key"), Until: until, Value: rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(rt, "value")}
		}), 0, 6).Draw(rt, "marks")
		return func(c counters.Counters) string { return fmt.Sprint("put ", c.Put(rt.Context(), at, ms...)) }
	case 3:
		table, some := tables.Draw(rt, "table"), rapid.SliceOfN(keys, 0, 3).Draw(rt, "keys")
		return func(c counters.Counters) string { return fmt.Sprint("drop ", c.Drop(rt.Context(), table, some...)) }
	default:
		table := tables.Draw(rt, "table")
		return func(c counters.Counters) string {
			got, err := c.Marks(rt.Context(), table, at)
			slices.SortFunc(got, func(a, b counters.Mark) int { return strings.Compare(a.Key, b.Key) })
			return fmt.Sprintf("marks at %d: %s%v", at.UnixMicro(), show(got), err)
		}
	}
}
