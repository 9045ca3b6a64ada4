package rating_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

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
	d, err := Build([]Price{row(4479, "mobile"), row(44, "uk"), row(1, "nanp"), row(1876, "jamaica"), short, exact, row(442079460000, "one number")})
	if err != nil {
		t.Fatal(err)
	}
	for digits, want := range map[uint64]string{
		447911123456: "mobile", 447811123456: "uk", 442079460000: "one number", 442079460001: "uk", 18765551234: "jamaica", 12125551234: "nanp", 33142685300: "", 1185001234: "nanp",
	} {
		p, ok := d.Find(number(t, digits))
		if ok != (want != "") || ok && p.Name != want {
			t.Errorf("%d: %v, want %q", digits, p, want)
		}
	}
	for text, want := range map[string]string{"118500": "that directory", "118501": "directory", "999": "", "1": ""} {
		n, _ := phone.FromString(text)
		if p, ok := d.Find(n); ok != (want != "") || ok && p.Name != want {
			t.Errorf("short %s: %v, want %q", text, p, want)
		}
	}
	if _, ok := d.Find(phone.Number{}); ok {
		t.Error("no number has a price")
	}
	empty, err := Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := empty.Find(number(t, 442079460000)); ok {
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
		if _, err := Build([]Price{row(44, ""), bad}); err == nil || !strings.Contains(err.Error(), "row 2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Build([]Price{row(44, ""), row(33, ""), row(44, "")}); err == nil || !strings.Contains(err.Error(), "row 3") {
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
		d, err := Build(rows)
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
			if p, ok := d.Find(n); ok != (want != "") || ok && p.Name != want {
				t.Fatalf("%d: %v, want %q", digits, p, want)
			}
		}
	})
}

// deck200k has 200,000 prefixes spread over the world as a large carrier's are.
func deck200k(t testing.TB) (*Deck, []phone.Number) {
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
		rows = append(rows, Price{Prefix: prefix, First: 1, Step: 1, Rates: [NumBands]money.Rate{1, 2, 3}})
		whole, _ := strconv.ParseUint((string(digits) + "0123456789")[:11], 10, 64)
		if n, ok := phone.FromDigits(whole); ok {
			numbers = append(numbers, n)
		}
	}
	d, err := Build(rows)
	if err != nil {
		t.Fatal(err)
	}
	return d, numbers
}

func TestIndexOf200kPrefixesIsSmall(t *testing.T) {
	d, numbers := deck200k(t)
	if got := d.IndexBytes(); got > 8<<20 {
		t.Errorf("%d bytes for %d prefixes, want at most 8 MiB", got, d.Len())
	}
	if n := testing.AllocsPerRun(100, func() { d.Find(numbers[0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	t.Logf("%.2f MiB", float64(d.IndexBytes())/(1<<20))
}

func BenchmarkFind200k(b *testing.B) {
	d, numbers := deck200k(b)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		d.Find(numbers[i%len(numbers)])
		i += 7919
	}
	b.ReportMetric(float64(d.IndexBytes())/(1<<20), "MiB")
}
