package restrict

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/phone"
)

func numberOf(t testing.TB, text string) phone.Number {
	t.Helper()
	d, problem := phone.UK().Parse(text)
	if problem != phone.NoProblem {
		t.Fatalf("%s: %v", text, problem)
	}
	return d.Number
}

func listed(t testing.TB, list, digits string, way Way, until time.Time) Listed {
	t.Helper()
	r, err := ParseNumbers(digits)
	must(t, err)
	l := Listed{List: list, Range: r, Way: way, Until: until, By: "t"}
	must(t, l.Check())
	return l
}

// TestHot: the entry with the longest range decides, by direction and end, and a list replaces its own entry of a range only.
func TestHot(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	h := HotOf([]Listed{
		listed(t, "a", "+25261", Out, time.Time{}), listed(t, "b", "2526112", Both, now.Add(time.Hour)), listed(t, "a", "+37167123456", In, time.Time{}),
		listed(t, "c", "+25261", In, now), // has ended
	})
	if h.Len() != 4 || len(h.All()) != 4 {
		t.Errorf("%d entries: %v", h.Len(), h.All())
	}
	for _, c := range []struct {
		number string
		way    Way
		at     time.Time
		want   string
	}{
		{"+252611234567", Out, now, "b +2526112"},
		{"+252611234567", Out, now.Add(time.Hour), "a +25261"},
		{"+252611234567", In, now, "b +2526112"},
		{"+252611234567", In, now.Add(time.Hour), ""},
		{"+252617234567", Out, now, "a +25261"},
		{"+252621234567", Out, now, ""},
		{"+37167123456", In, now, "a +37167123456"},
		{"+37167123456", Out, now, ""},
		{"+37167123457", In, now, ""},
		{"999", Out, now, ""},
	} {
		got := ""
		if l := h.Find(numberOf(t, c.number), c.way, c.at); l != nil {
			got = l.List + " " + l.Range.String()
		}
		if got != c.want {
			t.Errorf("%s %s at %s: %q, want %q", c.way, c.number, c.at.Format(time.TimeOnly), got, c.want)
		}
	}
	next := h.With([]Listed{listed(t, "b", "+25261", Out, time.Time{})}, []Listed{listed(t, "a", "+25261", Out, time.Time{}), listed(t, "z", "+25261", Out, time.Time{})})
	if l := next.Find(numberOf(t, "+252617234567"), Out, now); l == nil || l.List != "b" || next.Len() != 4 {
		t.Errorf("%+v of %d", l, next.Len())
	}
	if l := h.Find(numberOf(t, "+252617234567"), Out, now); l == nil || l.List != "a" || h.Len() != 4 {
		t.Errorf("the lists before were changed: %+v of %d", l, h.Len())
	}
	if (*Hot)(nil).Find(numberOf(t, "+252617234567"), Out, now) != nil || (*Hot)(nil).Len() != 0 {
		t.Error("no lists name a number")
	}
	for _, bad := range []string{"", "+", "44", "0252", "+25261x", "+1234567890123456"} {
		if r, err := ParseNumbers(bad); err == nil {
			t.Errorf("%q was read as %s", bad, r)
		}
	}
}

// TestRangesAreFound: the searches of sets and hot lists find what comparing the digits of every range finds.
func TestRangesAreFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.StringMatching(`3[71][0-2]{1,5}`)
		texts := rapid.SliceOfN(digits, 0, 30).Draw(t, "ranges")
		var set Set
		var lists []Listed
		for i, text := range texts {
			r, ok := ParseRange("+" + text)
			if !ok {
				t.Fatal(text)
			}
			set.Ranges = append(set.Ranges, r)
			lists = append(lists, Listed{List: "l" + strconv.Itoa(i%3), Range: r, Way: Out})
		}
		set.spans = spansOf(set.Ranges)
		hot := HotOf(lists)
		for range 20 {
			text := rapid.StringMatching(`3[71][0-3]{5,9}`).Draw(t, "number")
			n, ok := phone.FromString("+" + text)
			if !ok {
				t.Fatal(text)
			}
			want := false
			for _, r := range texts {
				want = want || len(r) <= len(text) && text[:len(r)] == r
			}
			if set.spans.has(n) != want || (hot.Find(n, Out, time.Time{}) != nil) != want || hot.Find(n, In, time.Time{}) != nil {
				t.Fatalf("%s in %v: want %v", text, texts, want)
			}
		}
	})
}

// BenchmarkHot: a decision asks 100,000 ranges.
func BenchmarkHot(b *testing.B) {
	var all []Listed
	for i := range 100_000 {
		r, _ := ParseRange(fmt.Sprintf("+%d%0*d", 250+i%10, 3+i%5, i/10))
		all = append(all, Listed{List: "l", Range: r, Way: Out})
	}
	h := HotOf(all)
	numbers := make([]phone.Number, 1024)
	for i := range numbers {
		numbers[i], _ = phone.FromDigits(uint64(250+i%10)*1_000_000_000 + uint64(i)*977_777)
	}
	i := 0
	for b.Loop() {
		h.Find(numbers[i&1023], Out, time.Time{})
		i++
	}
}

// BenchmarkManyRanges: a line with 100 restrictions of 1,000 ranges each, none of which names the number.
func BenchmarkManyRanges(b *testing.B) {
	var list []Restriction
	for i := range 100 {
		text := ""
		for j := range MaxParts {
			text += fmt.Sprintf("+25%d%05d,", i%10, j)
		}
		s, err := ParseSet(text)
		must(b, err)
		list = append(list, Restriction{ID: int64(i), Names: s})
	}
	c := callTo(b, "0037167123456", 1)
	now := time.Now()
	for b.Loop() {
		if Closing([][]Restriction{list}, c, now, nil, false) != nil {
			b.Fatal("closed")
		}
	}
}

// TestNear: a number is near a list that names another one of its thousand, or a part of it, for as long as it does; not near one that names callers.
func TestNear(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	h := HotOf([]Listed{
		listed(t, "a", "+252611234567", Out, time.Time{}), listed(t, "a", "+25261555", Both, now.Add(time.Hour)), listed(t, "b", "+3716712345", Out, time.Time{}),
		listed(t, "a", "+37167199456", In, time.Time{}), listed(t, "c", "+252619000111", Out, now),
	})
	for number, want := range map[string]bool{
		"+252611234567": true, "+252611234999": true, "+252611234000": true, "+252611235000": false, "+252611233999": false,
		"+252615551234": true, "+252615561234": false, "+37167123999": true, "+37167124000": false, "+37167199457": false, "+252619000112": false, "999": false,
	} {
		if h.Near(numberOf(t, number), now) != want {
			t.Errorf("%s: near is %v", number, !want)
		}
	}
	if h.Near(numberOf(t, "+252615551234"), now.Add(time.Hour)) || (*Hot)(nil).Near(numberOf(t, "+252615551234"), now) {
		t.Error("what has ended, or no list, is near")
	}
	rapid.Check(t, func(r *rapid.T) {
		draw := rapid.Uint64Range(252_610_000_000, 252_610_009_999)
		var all []Listed
		for range rapid.IntRange(0, 20).Draw(r, "entries") {
			all = append(all, listed(t, "a", "+"+strconv.FormatUint(draw.Draw(r, "listed"), 10), Out, time.Time{}))
		}
		n, want := draw.Draw(r, "number"), false
		for i := range all {
			want = want || all[i].Range.Prefix/1000 == n/1000
		}
		if got := HotOf(all).Near(numberOf(t, "+"+strconv.FormatUint(n, 10)), now); got != want {
			r.Fatalf("%d near %v: %v", n, all, got)
		}
	})
}
