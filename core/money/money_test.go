package money_test

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	. "ringfence/core/money"
)

func TestAmountsReadAndWrite(t *testing.T) {
	for _, c := range []struct {
		text string
		want Micro
		back string
	}{
		{"12.5", 12_500_000, "12.50"},
		{"£0.0213", 21_300, "0.0213"},
		{" 7 ", 7_000_000, "7.00"},
		{".5", 500_000, "0.50"},
		{"-0.000001", -1, "-0.000001"},
		{"0", 0, "0.00"},
		{"9223372036854.775807", Max, "9223372036854.775807"},
	} {
		got, err := Parse(c.text)
		if err != nil || got != c.want || got.String() != c.back {
			t.Errorf("%q: %d %q %v, want %d %q", c.text, got, got, err, c.want, c.back)
		}
	}
	for _, bad := range []string{"", ".", "1.", "£", "-", "1.0000001", "1,5", "1e3", "0x1", "9223372036854.775808", "--1", "1-", "+1", "1 000", "NaN", "١"} {
		if got, err := Parse(bad); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %d %v", bad, got, err)
		}
	}
	if got := Micro(math.MinInt64).String(); got != "-9223372036854.775808" {
		t.Errorf("the least amount is %s", got)
	}
}

func TestRatesReadAndWrite(t *testing.T) {
	for _, c := range []struct {
		text  string
		want  Rate
		pence string
		whole string
	}{
		{"20", 20 * PencePerMinute, "20", "0.20"},
		{"2.5p", 25_000_000, "2.5", "0.025"},
		{"45.125", 451_250_000, "45.125", "0.45125"},
		{"0.0000001", 1, "0.0000001", "0.000000001"},
		{"0", 0, "0", "0.00"},
	} {
		got, err := ParsePence(c.text)
		if err != nil || got != c.want || got.Pence() != c.pence || got.String() != c.whole {
			t.Errorf("%q: %d %s %s %v", c.text, got, got.Pence(), got, err)
		}
		if back, err := ParseRate(got.String()); err != nil || back != got {
			t.Errorf("%s: %d %v", got, back, err)
		}
	}
	for _, bad := range []string{"", "p", "0.00000001", "pp"} {
		if _, err := ParsePence(bad); err == nil {
			t.Errorf("%q is no rate", bad)
		}
	}
}

func TestAddStopsAtTheEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64().Draw(t, "a"), rapid.Int64().Draw(t, "b")
		sum := new(big.Int).Add(big.NewInt(a), big.NewInt(b))
		want := Micro(0)
		switch {
		case sum.Cmp(big.NewInt(math.MaxInt64)) > 0:
			want = math.MaxInt64
		case sum.Cmp(big.NewInt(math.MinInt64)) < 0:
			want = math.MinInt64
		default:
			want = Micro(sum.Int64())
		}
		if got := Micro(a).Add(Micro(b)); got != want {
			t.Fatalf("%d, want %d", got, want)
		}
	})
}

// The sum of rate × seconds is exact and rounded once, halves up.
func TestWeightedIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w Weighted
		exact := new(big.Int)
		for range rapid.IntRange(1, 5).Draw(t, "bands") {
			rate := rapid.OneOf(rapid.Int64Range(0, 100_000), rapid.Int64Range(0, math.MaxInt64)).Draw(t, "rate")
			seconds := rapid.OneOf(rapid.Int64Range(0, 100_000), rapid.Int64Range(0, 1<<40)).Draw(t, "seconds")
			w = w.Plus(Rate(rate), seconds)
			exact.Add(exact, new(big.Int).Mul(big.NewInt(rate), big.NewInt(seconds)))
		}
		exact.Add(exact, big.NewInt(30_000)).Div(exact, big.NewInt(60_000))
		want := Max
		if exact.IsInt64() {
			want = Micro(exact.Int64())
		}
		if got := w.Amount(); got != want {
			t.Fatalf("%d, want %d", got, want)
		}
	})
}

// A budget is what rounds to the amount at most, to the last unit.
func TestBudgetIsTheInverseOfAmount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := Micro(rapid.OneOf(rapid.Int64Range(0, 1_000_000), rapid.Int64Range(0, math.MaxInt64-1)).Draw(t, "amount"))
		budget, ok := Budget(amount)
		if !ok || budget.Amount() != amount || budget.Plus(1, 1).Amount() <= amount {
			t.Fatalf("%d: %d, with one more %d", amount, budget.Amount(), budget.Plus(1, 1).Amount())
		}
		rate := Rate(rapid.Int64Range(0, math.MaxInt64).Draw(t, "rate"))
		most := rapid.Int64Range(0, 1<<40).Draw(t, "most")
		seconds := budget.Seconds(rate, most)
		if (Weighted{}).Plus(rate, seconds).Amount() > amount || seconds > most || seconds < most && (Weighted{}).Plus(rate, seconds+1).Amount() <= amount {
			t.Fatalf("%d seconds of %d at %d for %d", seconds, most, rate, amount)
		}
		if left := budget.Minus(rate, seconds).Plus(rate, seconds); left != budget {
			t.Fatal("what is taken and given back is not the same")
		}
	})
	if _, ok := Budget(-1); ok {
		t.Error("a budget of less than nothing")
	}
}

func BenchmarkWeighted(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if (Weighted{}).Plus(12_000_000, 60).Amount() != 12_000 {
			b.Fatal("wrong")
		}
	}
}
