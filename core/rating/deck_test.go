package rating_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/money"
	"ringfence/core/phone"
	. "ringfence/core/rating"
)

func row(prefix uint64, name string) Price {
	return Price{Prefix: prefix, Name: name, First: 1, Step: 1}
}

func number(t interface{ Fatalf(string, ...any) }, digits uint64) phone.Number {
	n, ok := phone.FromDigits(digits)
	if !ok {
		t.Fatalf("%d is no number", digits)
	}
	return n
}

func TestLongestPrefixWins(t *testing.T) {
	short := row(118, "directory")
	short.Short = true
	exact := row(118500, "that directory")
	exact.Short = true
	d, err := Build([]Price{row(4479, "mobile"), row(44, "uk"), row(1, "nanp"), row(1876, "jamaica"), short, exact, row(442079460000, "one number")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for digits, want := range map[uint64]string{
		447911123456: "mobile", 447811123456: "uk", 442079460000: "one number", 442079460001: "uk", 18765551234: "jamaica", 12125551234: "nanp", 33142685300: "", 1185001234: "nanp",
	} {
		p, ok := d.Find(number(t, digits), noon)
		if ok != (want != "") || ok && p.Name != want {
			t.Errorf("%d: %v, want %q", digits, p, want)
		}
	}
	for text, want := range map[string]string{"118500": "that directory", "118501": "directory", "999": "", "1": ""} {
		n, _ := phone.FromString(text)
		if p, ok := d.Find(n, noon); ok != (want != "") || ok && p.Name != want {
			t.Errorf("short %s: %v, want %q", text, p, want)
		}
	}
	if _, ok := d.Find(phone.Number{}, noon); ok {
		t.Error("no number has a price")
	}
	empty, err := Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := empty.Find(number(t, 442079460000), noon); ok {
		t.Error("an empty deck has a price")
	}
}

func TestUnsoundPricesAreRefused(t *testing.T) {
	for name, change := range map[string]func(*Price){
		"no prefix": func(p *Price) { p.Prefix = 0 }, "16 digits": func(p *Price) { p.Prefix = 1e15 }, "first": func(p *Price) { p.First = 0 },
		"step": func(p *Price) { p.Step = 0 }, "rate": func(p *Price) { p.Rates[Weekend] = -1 }, "connect": func(p *Price) { p.Connect = -1 }, "minimum": func(p *Price) { p.Minimum = -1 },
	} {
		bad := row(33, "")
		change(&bad)
		if _, err := Build([]Price{row(44, ""), bad}, nil); err == nil || !strings.Contains(err.Error(), "row 2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Build([]Price{row(44, ""), row(33, ""), row(44, "")}, nil); err == nil || !strings.Contains(err.Error(), "row 3") {
		t.Errorf("twice: %v", err)
	}
}

// The trie finds what looking through all rows finds.
func TestFindIsLookingThroughAllRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefixes := rapid.SliceOfNDistinct(rapid.OneOf(rapid.Uint64Range(1, 99), rapid.Uint64Range(440, 4499), rapid.Uint64Range(1, 999_999_999_999_999)), 0, 60, rapid.ID[uint64]).Draw(t, "prefixes")
		rows := make([]Price, len(prefixes))
		for i, p := range prefixes {
			rows[i] = row(p, strconv.FormatUint(p, 10))
		}
		d, err := Build(rows, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			digits := rapid.OneOf(rapid.Uint64Range(44_000_000, 449_999_999_999), rapid.Uint64Range(1_000_000, 999_999_999_999_999)).Draw(t, "digits")
			n, ok := phone.FromDigits(digits)
			if !ok {
				continue
			}
			want, text := "", strconv.FormatUint(digits, 10)
			for _, r := range rows {
				if strings.HasPrefix(text, r.Name) && len(r.Name) > len(want) {
					want = r.Name
				}
			}
			if p, ok := d.Find(n, noon); ok != (want != "") || ok && p.Name != want {
				t.Fatalf("%d: %v, want %q", digits, p, want)
			}
		}
	})
}

// A row begins and ends; what a prefix does not price at an instant, the longest shorter one does, unless the row says that
// there is no price.
func TestRowsBeginAndEnd(t *testing.T) {
	at := func(days int) time.Time { return noon.AddDate(0, 0, days) }
	window := func(p Price, from, until int) Price {
		p.From, p.Until = MomentOf(at(from)), MomentOf(at(until))
		return p
	}
	forever := func(p Price) Price { p.Until = 0; return p }
	none := window(row(447, "none"), 20, 30)
	none.NoPrice = true
	d, err := Build([]Price{
		row(44, "uk"), window(row(447, "old"), 0, 10), forever(window(row(447, "new"), 30, 0)), none, window(row(4477, "offer"), 5, 12), window(row(336, "france"), 0, 10),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		digits uint64
		days   int
		want   string
	}{
		{447700900123, -1, "uk"},
		{447700900123, 0, "old"},
		{447700900123, 5, "offer"},
		{447700900123, 11, "offer"},
		{447700900123, 12, "uk"},
		{447700900123, 20, ""},
		{447700900123, 30, "new"},
		{447700900123, 3000, "new"},
		{447911123456, 9, "old"},
		{447911123456, 10, "uk"},
		{33612345678, 9, "france"},
		{33612345678, 10, ""},
		{33612345678, -1, ""},
	} {
		p, ok := d.Find(number(t, c.digits), at(c.days))
		if ok != (c.want != "") || ok && p.Name != c.want {
			t.Errorf("%d on day %d: %v, want %q", c.digits, c.days, p, c.want)
		}
	}
	if _, err := Build([]Price{window(row(44, "a"), 0, 10), window(row(44, "b"), 9, 20)}, nil); err == nil || !strings.Contains(err.Error(), "row 2") {
		t.Errorf("two prices at a time: %v", err)
	}
}

// What is added has the price from where it begins; what was there keeps it until then.
func TestMerge(t *testing.T) {
	dec := MomentOf(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC))
	later := row(33, "new")
	later.From = dec
	gone := row(34, "replaced later")
	gone.From = dec
	got := Merge([]Price{row(30, "kept"), row(33, "old"), gone, row(35, "old")}, []Price{later, row(34, "now"), row(36, "added"), row(35, "new")})
	var text []string
	for _, p := range got {
		text = append(text, line(p))
	}
	want := "30 kept 0p 1/1|33 old 0p 1/1 [, 2026-12-01)|33 new 0p 1/1 [2026-12-01, )|34 now 0p 1/1|35 new 0p 1/1|36 added 0p 1/1"
	if strings.Join(text, "|") != want {
		t.Errorf("%q", text)
	}
}

// The trie with windows finds what looking through all rows finds.
func TestFindWithDatesIsLookingThroughAllRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefixes := rapid.SliceOfNDistinct(rapid.OneOf(rapid.Uint64Range(44, 44), rapid.Uint64Range(440, 4499)), 0, 40, rapid.ID[uint64]).Draw(t, "prefixes")
		var rows []Price
		for _, prefix := range prefixes {
			edges := rapid.SliceOfNDistinct(rapid.Int64Range(1, 20), 0, 4, rapid.ID[int64]).Draw(t, "edges")
			slices.Sort(edges)
			for i, from := range append([]int64{0}, edges...) {
				p := row(prefix, strconv.FormatUint(prefix, 10))
				p.From, p.NoPrice = Moment(from), rapid.Bool().Draw(t, "none")
				if i < len(edges) {
					p.Until = Moment(edges[i])
				}
				if rapid.Bool().Draw(t, "there") {
					rows = append(rows, p)
				}
			}
		}
		d, err := Build(rows, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			digits := rapid.Uint64Range(440_000_000, 449_999_999).Draw(t, "digits")
			at := Moment(rapid.Int64Range(1, 22).Draw(t, "at"))
			var want *Price
			for i, r := range rows {
				if r.InForce(at) && strings.HasPrefix(strconv.FormatUint(digits, 10), r.Name) && (want == nil || len(r.Name) > len(want.Name)) {
					want = &rows[i]
				}
			}
			if want != nil && want.NoPrice {
				want = nil
			}
			if p, ok := d.Find(number(t, digits), at.Time()); ok != (want != nil) || ok && *p != *want {
				t.Fatalf("%d at %d: %v, want %v", digits, at, p, want)
			}
		}
	})
}

// deck200k has 200,000 rows spread over the world as a large carrier's are. With dates, each prefix has a price until today and
// another from then on.
func deck200k(t testing.TB, dated bool) (*Deck, []phone.Number) {
	random := rand.New(rand.NewPCG(1, 2))
	seen := map[uint64]bool{}
	var rows []Price
	var numbers []phone.Number
	for len(rows) < 200_000 {
		digits := []byte(strconv.FormatUint(100+random.Uint64N(900), 10))
		for range 1 + random.IntN(6) {
			digits = append(digits, byte('0'+random.IntN(10)))
		}
		prefix, _ := strconv.ParseUint(string(digits), 10, 64)
		if seen[prefix] {
			continue
		}
		seen[prefix] = true
		p := Price{Prefix: prefix, First: 1, Step: 1, Rates: [NumBands]money.Rate{1, 2, 3}}
		if dated {
			old := p
			old.Until, p.From = MomentOf(noon), MomentOf(noon)
			rows = append(rows, old)
		}
		rows = append(rows, p)
		whole, _ := strconv.ParseUint((string(digits) + "0123456789")[:11], 10, 64)
		if n, ok := phone.FromDigits(whole); ok {
			numbers = append(numbers, n)
		}
	}
	d, err := Build(rows, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d, numbers
}

func TestIndexOf200kPrefixesIsSmall(t *testing.T) {
	d, numbers := deck200k(t, false)
	if got := d.IndexBytes(); got > 8<<20 {
		t.Errorf("%d bytes for %d prefixes, want at most 8 MiB", got, d.Len())
	}
	if n := testing.AllocsPerRun(100, func() { d.Find(numbers[0], noon) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	t.Logf("%.2f MiB", float64(d.IndexBytes())/(1<<20))
}

func BenchmarkFind200k(b *testing.B) { benchmarkFind(b, false) }

func BenchmarkFind200kWithDates(b *testing.B) { benchmarkFind(b, true) }

func benchmarkFind(b *testing.B, dated bool) {
	d, numbers := deck200k(b, dated)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		d.Find(numbers[i%len(numbers)], noon)
		i += 7919
	}
	b.ReportMetric(float64(d.IndexBytes())/(1<<20), "MiB")
}
