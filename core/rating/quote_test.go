package rating_test

import (
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/money"
	. "ringfence/core/rating"
)

func london(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Skip("no zone data: ", err)
	}
	return zone
}

func flat(pence string, first, step uint16) Price {
	r, err := money.Billing().ParseRate(pence + "p")
	if err != nil {
		panic(err)
	}
	return Price{Prefix: 44, First: first, Step: step, Rates: [NumBands]money.Rate{r, r, r}}
}

func TestCostByHand(t *testing.T) {
	connect := flat("2", 60, 60)
	connect.Connect, connect.Minimum = 30_000, 55_000
	for _, c := range []struct {
		name  string
		price Price
		talk  time.Duration
		want  string
	}{
		{"ten minutes at 10p, where CGRateS said 1.0021", flat("10", 1, 1), 10 * time.Minute, "1.00"},
		{"per second", flat("1.2", 1, 1), 61 * time.Second, "0.0122"},
		{"answered and gone is the first increment", flat("6", 1, 1), 0, "0.001"},
		{"negative is nothing more", flat("6", 1, 1), -time.Hour, "0.001"},
		{"a part of a second is a second", flat("6", 1, 1), time.Millisecond, "0.001"},
		{"30/6 below the first", flat("6", 30, 6), 5 * time.Second, "0.03"},
		{"30/6 at the first", flat("6", 30, 6), 30 * time.Second, "0.03"},
		{"30/6 a breath after", flat("6", 30, 6), 30*time.Second + 1, "0.036"},
		{"30/6 at 37 s", flat("6", 30, 6), 37 * time.Second, "0.042"},
		{"60/60", flat("6", 60, 60), 61 * time.Second, "0.12"},
		{"rounded once, half up", flat("0.003", 1, 1), time.Second, "0.000001"}, // 0.5 millionths
		{"rounded once, down", flat("0.0029", 1, 1), time.Second, "0.00"},
		{"minimum above connection and minute", connect, 10 * time.Second, "0.055"},
		{"above the minimum", connect, 3 * time.Minute, "0.09"},
		{"no deck costs nothing", Price{}, time.Hour, "0.00"},
	} {
		q := Quote{Price: c.price, Start: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
		if got := q.Cost(c.talk).String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestBands(t *testing.T) {
	zone := london(t)
	day := Calendar{Zone: zone, PeakFrom: 8 * time.Hour, PeakTill: 18 * time.Hour}
	night := Calendar{Zone: zone, PeakFrom: 22 * time.Hour, PeakTill: 6 * time.Hour}
	for _, c := range []struct {
		calendar Calendar
		at       string
		want     Band
	}{
		{day, "2026-11-23T07:59:59Z", OffPeak},
		{day, "2026-11-23T08:00:00Z", Peak},
		{day, "2026-11-23T17:59:59Z", Peak},
		{day, "2026-11-23T18:00:00Z", OffPeak},
		{day, "2026-11-27T23:59:59Z", OffPeak},
		{day, "2026-11-28T00:00:00Z", Weekend},
		{day, "2026-11-29T23:59:59Z", Weekend},
		{day, "2026-11-30T00:00:00Z", OffPeak},
		{day, "2026-07-06T06:59:59Z", OffPeak},
		{day, "2026-07-06T07:00:00Z", Peak},    // summer time
		{day, "2026-07-03T23:00:00Z", Weekend}, // midnight of Friday in London
		{day, "1969-12-29T08:00:00Z", Peak},    // London was at +1 that winter
		{night, "2026-11-23T21:59:00Z", OffPeak},
		{night, "2026-11-23T22:00:00Z", Peak},
		{night, "2026-11-24T05:59:00Z", Peak},
		{night, "2026-11-24T06:00:00Z", OffPeak},
		{Calendar{}, "2026-11-23T03:00:00Z", Peak},
		{Calendar{}, "2026-11-28T03:00:00Z", Weekend},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.calendar.Band(at); got != c.want {
			t.Errorf("%s: band %d, want %d", c.at, got, c.want)
		}
	}
}

func TestCallsAcrossBands(t *testing.T) {
	zone := london(t)
	q := Quote{Calendar: Calendar{Zone: zone, PeakFrom: 8 * time.Hour, PeakTill: 18 * time.Hour}}
	q.Price = Price{Prefix: 44, First: 1, Step: 1, Rates: [NumBands]money.Rate{6 * money.PencePerMinute, 3 * money.PencePerMinute, money.PencePerMinute}}
	for _, c := range []struct {
		name  string
		start time.Time
		talk  time.Duration
		want  string
	}{
		{"peak into evening", time.Date(2026, 11, 23, 17, 59, 0, 0, zone), 2 * time.Minute, "0.09"},
		{"half a second belongs to the band it begins in", time.Date(2026, 11, 23, 17, 59, 59, 5e8, zone), 2 * time.Second, "0.0015"},
		{"Friday night into Saturday", time.Date(2026, 11, 27, 23, 59, 0, 0, zone), 2 * time.Minute, "0.04"},
		{"Sunday into Monday", time.Date(2026, 11, 29, 23, 59, 0, 0, zone), 2 * time.Minute, "0.04"},
		{"a Sunday of 25 hours", time.Date(2026, 10, 25, 0, 0, 0, 0, zone), 25 * time.Hour, "15.00"},
		{"a Sunday of 23 hours, and an hour of Monday", time.Date(2026, 3, 29, 0, 0, 0, 0, zone), 24 * time.Hour, "15.60"},
		{"a whole week", time.Date(2026, 11, 23, 0, 0, 0, 0, zone), 7 * 24 * time.Hour, "334.80"}, // 50 h peak, 70 h off, 48 h weekend
	} {
		q.Start = c.start
		if got := q.Cost(c.talk).String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// anyQuote draws quotes around the turns of bands and of summer time.
func anyQuote(t *rapid.T, zone *time.Location) Quote {
	rate := rapid.OneOf(rapid.Int64Range(0, 1000), rapid.Int64Range(0, 5_000_000_000))
	q := Quote{
		Price: Price{
			Prefix: 44, First: uint16(rapid.IntRange(1, 90).Draw(t, "first")), Step: uint16(rapid.IntRange(1, 90).Draw(t, "step")),
			Connect: money.Micro(rapid.Int64Range(0, 100_000).Draw(t, "connect")), Minimum: money.Micro(rapid.Int64Range(0, 200_000).Draw(t, "minimum")),
		},
		Calendar: Calendar{
			Zone:     zone,
			PeakFrom: time.Duration(rapid.IntRange(0, 86400).Draw(t, "from")) * time.Second,
			PeakTill: time.Duration(rapid.IntRange(0, 86400).Draw(t, "till")) * time.Second,
		},
	}
	for band := range q.Price.Rates {
		q.Price.Rates[band] = money.Rate(rate.Draw(t, "rate"))
	}
	day := rapid.SampledFrom([]time.Time{
		time.Date(2026, 3, 28, 22, 0, 0, 0, time.UTC), time.Date(2026, 10, 24, 22, 0, 0, 0, time.UTC), time.Date(2026, 11, 27, 22, 0, 0, 0, time.UTC), time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC),
	}).Draw(t, "day")
	q.Start = day.Add(time.Duration(rapid.Int64Range(0, int64(14*time.Hour)).Draw(t, "start")))
	return q
}

// naive adds up second by second in exact fractions, as a person with patience would.
func naive(q Quote, talk time.Duration) money.Micro {
	billed := int64(q.Price.First)
	for time.Duration(billed)*time.Second < talk {
		billed += int64(q.Price.Step)
	}
	sum := new(big.Rat)
	for s := range billed {
		local := q.Start.Add(time.Duration(s) * time.Second).In(q.Calendar.Zone)
		band := Weekend
		if wd := local.Weekday(); wd != time.Saturday && wd != time.Sunday {
			clock := time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute + time.Duration(local.Second())*time.Second + time.Duration(local.Nanosecond())
			from, till := q.Calendar.PeakFrom, q.Calendar.PeakTill
			band = OffPeak
			if from == till || from < till && clock >= from && clock < till || from > till && (clock >= from || clock < till) {
				band = Peak
			}
		}
		sum.Add(sum, big.NewRat(int64(q.Price.Rates[band]), 60_000))
	}
	sum.Add(sum, big.NewRat(1, 2))
	whole := new(big.Int).Div(sum.Num(), sum.Denom())
	return max(q.Price.Minimum, q.Price.Connect+money.Micro(whole.Int64()))
}

func TestCostIsWhatPatienceGives(t *testing.T) {
	zone := london(t)
	rapid.Check(t, func(t *rapid.T) {
		q := anyQuote(t, zone)
		talk := time.Duration(rapid.Int64Range(0, int64(2*time.Hour)).Draw(t, "talk"))
		if got, want := q.Cost(talk), naive(q, talk); got != want {
			t.Fatalf("%s for %s, patience gives %s", got, talk, want)
		}
	})
}

func TestCostNeverFallsAsTalkGrows(t *testing.T) {
	zone := london(t)
	rapid.Check(t, func(t *rapid.T) {
		q := anyQuote(t, zone)
		a := time.Duration(rapid.Int64Range(0, int64(30*time.Hour)).Draw(t, "a"))
		b := a + time.Duration(rapid.Int64Range(0, int64(2*time.Minute)).Draw(t, "more"))
		if q.Cost(a) > q.Cost(b) {
			t.Fatalf("%s costs %s, %s costs %s", a, q.Cost(a), b, q.Cost(b))
		}
	})
}

// Affords is the inverse of Cost: what it grants is paid, and one increment more is not.
func TestAffordsIsTheInverseOfCost(t *testing.T) {
	zone := london(t)
	rapid.Check(t, func(t *rapid.T) {
		q := anyQuote(t, zone)
		longest := time.Duration(rapid.Int64Range(1, int64(30*time.Hour)).Draw(t, "longest"))
		amount := money.Micro(rapid.OneOf(rapid.Int64Range(-10, 300_000), rapid.Int64Range(0, 200_000_000), rapid.Just(int64(money.Max))).Draw(t, "amount"))
		if rapid.Bool().Draw(t, "on the edge") {
			amount = q.Cost(time.Duration(rapid.Int64Range(0, int64(longest)).Draw(t, "paid"))) - money.Micro(rapid.Int64Range(0, 1).Draw(t, "less"))
		}
		d := q.Affords(amount, longest)
		first, step := time.Duration(q.Price.First)*time.Second, time.Duration(q.Price.Step)*time.Second
		switch {
		case d < 0 || d > longest:
			t.Fatalf("%s granted of %s", d, longest)
		case d == 0 && q.Cost(0) <= amount:
			t.Fatalf("nothing granted for %s, and the first increment costs %s", amount, q.Cost(0))
		case d == 0:
			return
		case q.Cost(d) > amount:
			t.Fatalf("%s granted costs %s, more than %s", d, q.Cost(d), amount)
		case d == longest:
			return
		case d < first || (d-first)%step != 0:
			t.Fatalf("%s is not whole increments of %s/%s", d, first, step)
		case q.Cost(d+step) <= amount:
			t.Fatalf("%s granted, but %s more costs %s, not more than %s", d, step, q.Cost(d+step), amount)
		}
	})
}

func TestAffordsAtTheEdges(t *testing.T) {
	q := Quote{Price: flat("6", 30, 6), Start: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	for _, c := range []struct {
		amount  money.Micro
		longest time.Duration
		want    time.Duration
	}{
		{29_999, time.Hour, 0},
		{30_000, time.Hour, 30 * time.Second},
		{35_999, time.Hour, 30 * time.Second},
		{36_000, time.Hour, 36 * time.Second},
		{30_000, time.Second, time.Second},
		{36_000, 31 * time.Second, 31 * time.Second},
		{30_000, 31 * time.Second, 30 * time.Second},
		{money.Max, 1<<63 - 1, 1<<63 - 1},
		{30_000, 0, 0},
		{30_000, -1, 0},
		{-1, time.Hour, 0},
		{0, time.Hour, 0},
	} {
		if got := q.Affords(c.amount, c.longest); got != c.want {
			t.Errorf("%s of %s: %s, want %s", c.amount, c.longest, got, c.want)
		}
	}
	free := Quote{}
	if got := free.Affords(0, time.Hour); got != time.Hour {
		t.Errorf("a free call of an hour: %s", got)
	}
	dear := Quote{Price: Price{First: 1, Step: 1, Rates: [NumBands]money.Rate{1<<63 - 1, 1<<63 - 1, 1<<63 - 1}}}
	if got := dear.Affords(money.Max-1, time.Hour); got < time.Second || dear.Cost(got) > money.Max-1 {
		t.Errorf("the dearest call there is: %s", got)
	}
	if dear.Cost(1<<63-1) != money.Max {
		t.Error("the dearest call there is does not stop at the largest amount")
	}
}

func TestQuotesAllocateNothing(t *testing.T) {
	q := Quote{Price: flat("6", 30, 6), Calendar: Calendar{Zone: london(t), PeakFrom: 8 * time.Hour, PeakTill: 18 * time.Hour}, Start: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	q.Price.Rates[OffPeak]++
	if n := testing.AllocsPerRun(100, func() { q.Cost(time.Hour); q.Affords(money.Pound, 4*time.Hour) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkQuoteAffords asks for lengths far apart: the work must not follow them.
func BenchmarkQuoteAffords(b *testing.B) {
	banded := Quote{Price: flat("6", 30, 6), Calendar: Calendar{Zone: london(b), PeakFrom: 8 * time.Hour, PeakTill: 18 * time.Hour}, Start: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	banded.Price.Rates[OffPeak]--
	same := banded
	same.Price.Rates[OffPeak]++
	for name, q := range map[string]*Quote{"bands": &banded, "one rate": &same} {
		for _, longest := range []time.Duration{10 * time.Minute, 4 * time.Hour, 24 * time.Hour} {
			b.Run(name+"/"+longest.String(), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					q.Affords(100*money.Pound, longest)
				}
			})
		}
	}
}
