package rating_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ringfence/core/money"
	. "ringfence/core/rating"
)

// Prices that would be dear in pounds and name no unit are asked about; those of any file that says what it is in are not.
func TestPenceAreNotTakenForPounds(t *testing.T) {
	rows := "44,1.5\n33,2\n39,12\n34,0.9\n"
	asks := func(file string, opt ReadOptions) string {
		im := ReadCSV([]byte(file), opt)
		if !im.OK() {
			t.Fatal(im.Faults)
		}
		for _, q := range im.Questions {
			if q.Code == AskUnit {
				return q.Flag + " " + strings.Join(q.Choices, "|")
			}
		}
		return ""
	}
	for _, c := range []struct {
		name, file string
		opt        ReadOptions
		asked      bool
	}{
		{"nothing said", "Prefix,Rate\n" + rows, ReadOptions{}, true},
		{"pence in the header", "Prefix,Rate (p)\n" + rows, ReadOptions{}, false},
		{"pounds in the header", "Prefix,Rate (GBP)\n" + rows, ReadOptions{}, false},
		{"a sign in the rows", "Prefix,Rate\n44,£1.5\n33,£2\n39,£12\n", ReadOptions{}, false},
		{"said to be pence", "Prefix,Rate\n" + rows, ReadOptions{Pence: true}, false},
		{"said to be whole", "Prefix,Rate\n" + rows, ReadOptions{Whole: true}, false},
		{"prices of pounds", "Prefix,Rate\n44,0.015\n33,0.02\n39,0.12\n881,5\n", ReadOptions{}, false},
		{"yen have no hundredths", "Prefix,Rate\n" + rows, ReadOptions{Billing: currency(t, "JPY")}, false},
	} {
		if got := asks(c.file, c.opt); (got == "unit whole|hundredths") != c.asked {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

// Lists that name no unit are judged by what calls cost where they go.
func TestPenceListsAreFoundWhateverTheirLevel(t *testing.T) {
	const (
		wholesale = "44,0.12\n447,0.45\n1,0.35\n49,0.5\n4915,1.2\n33,0.4\n1876,9\n234,8\n"
		retail    = "44,1\n447,7\n33,2\n"
		mobiles   = "336,1.2\n447,2\n346,1\n"
		premium   = "449,150\n449098,100\n"
		far       = "500,130\n290,110\n53,80\n"
	)
	pounds := func(pence string) string { // the same prices in pounds
		var b strings.Builder
		for row := range strings.Lines(pence) {
			prefix, price, _ := strings.Cut(strings.TrimSpace(row), ",")
			r, err := money.Sterling.ParseRate(price + "p")
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%s,%s\n", prefix, strings.TrimPrefix(r.String(), "£"))
		}
		return b.String()
	}
	for _, c := range []struct {
		name, header, rows string
		kind               Kind
		billing            string
		asked              string
	}{
		{"wholesale pence", "", wholesale, Cost, "GBP", AskUnit},
		{"wholesale pence, sold", "", wholesale, Retail, "GBP", AskUnit},
		{"wholesale pounds", "", pounds(wholesale), Cost, "GBP", ""},
		{"wholesale pounds, sold", "", pounds(wholesale), Retail, "GBP", ""},
		{"retail pence", "", retail, Retail, "GBP", AskUnit},
		{"retail pounds", "", pounds(retail), Retail, "GBP", ""},
		{"retail pounds, dear", "", "44,0.24\n447,0.24\n1,0.4\n33,0.4\n234,0.9\n252,1.8\n", Retail, "GBP", ""},
		{"less than a penny", "", "44,0.0004\n447,0.004\n1,0.0009\n", Cost, "GBP", ""},
		{"mobiles in pence", "", mobiles, Cost, "GBP", AskUnit},
		{"mobiles in pounds", "", pounds(mobiles), Cost, "GBP", ""},
		{"mobiles as of 2010", "", "336,0.12\n491,0.15\n346,0.22\n447,0.1\n", Cost, "GBP", ""},
		{"one row of pence", "", "33,0.8\n", Retail, "GBP", AskUnit},
		{"one row of pounds", "", "33,0.05\n", Retail, "GBP", ""},
		{"one row of pounds, cost", "", "33,0.05\n", Cost, "GBP", ""},
		{"one dear row", "", "53,0.85\n", Retail, "GBP", ""},
		{"premium in pence", "", premium, Retail, "GBP", AskUnit},
		{"premium in pounds", "", pounds(premium) + "44909,3.6\n", Retail, "GBP", ""},
		{"084 and 087 in pence", "", "44844,7\n44871,13\n", Retail, "GBP", AskUnit},
		{"084 and 087 in pounds", "", "44844,0.07\n44871,0.13\n", Retail, "GBP", ""},
		{"islands in pence", "", far, Cost, "GBP", AskUnit},
		{"islands in pounds", "", pounds(far), Cost, "GBP", ""},
		{"satellites in pounds", "", "8816,5.5\n88216,1.5\n", Retail, "GBP", ""},
		{"satellites in pence", "", "8816,550\n88216,150\n", Retail, "GBP", AskUnit},
		{"free calls", "", "4480,0\n4416,0\n", Retail, "GBP", ""},
		{"short numbers", "Short", "118,3.5,yes\n", Retail, "GBP", ""},
		{"some rows are pence", "", "44,0.01\n447,0.07\n33,0.02\n34,0.02\n39,2\n", Retail, "GBP", ""},

		{"cents", "", "1,1.5\n33,2.1\n", Retail, "USD", AskUnit},
		{"dollars", "", "1,0.015\n33,0.021\n", Retail, "USD", ""},
		{"yen", "", "81,8\n8190,16\n1,9\n", Retail, "JPY", ""},
		{"dollars, taken for yen", "", "1,0.009\n33,0.01\n", Retail, "JPY", AskScaled},
		{"dinars", "", "965,0.05\n1,0.02\n44,0.02\n", Retail, "KWD", ""},
		{"fils", "", "965,50\n1,20\n44,20\n", Retail, "KWD", AskUnit},
		{"rupees", "", "91,1.2\n1,2\n44,2.5\n", Retail, "INR", ""},
		{"naira", "", "234,25\n1,18\n", Retail, "NGN", ""},
		{"nothing is known of the leone", "", "232,500\n", Retail, "SLE", ""},

		{"says pounds", "Rate (GBP)", retail, Retail, "GBP", ""},
		{"says pence", "Rate (p)", retail, Retail, "GBP", ""},
		{"says pence, for carriers", "Rate (p)", wholesale, Cost, "GBP", ""},
		{"says pence and means pounds", "Rate (p)", pounds(retail), Retail, "GBP", AskScaled},
		{"says pence and means pounds, for carriers", "Rate (p)", pounds(wholesale), Cost, "GBP", AskScaled},
		{"for a second", "", "44,0.000002\n33,0.000003\n", Cost, "GBP", AskScaled},
	} {
		header := "Prefix,Rate\n"
		switch {
		case c.header == "Short":
			header = "Prefix,Rate,Short\n"
		case c.header != "":
			header = "Prefix," + c.header + "\n"
		}
		im := ReadCSV([]byte(header+c.rows), ReadOptions{Kind: c.kind, Billing: currency(t, c.billing)})
		if !im.OK() {
			t.Errorf("%s: %v", c.name, im.Faults)
		}
		var asked []string
		for _, q := range im.Questions {
			if q.Code == AskUnit || q.Code == AskScaled {
				asked = append(asked, q.Code)
			}
		}
		if got := strings.Join(asked, " "); got != c.asked {
			t.Errorf("%s: asked %q, want %q", c.name, got, c.asked)
		}
	}
}

// A carrier's list and a tariff, or two of a kind, show which of them has the wrong unit.
func TestDecksOfOneProviderAreComparedByUnit(t *testing.T) {
	deck := func(rates ...float64) (prices []Price) {
		for i, prefix := range []uint64{44, 447, 1, 33, 234} {
			if i < len(rates) {
				r := money.Rate(rates[i] * 1e9)
				prices = append(prices, Price{Prefix: prefix, First: 1, Step: 1, Rates: [NumBands]money.Rate{r, r, r}})
			}
		}
		return prices
	}
	sold, bought := deck(0.02, 0.08, 0.02, 0.03, 0.15), deck(0.001, 0.005, 0.004, 0.004, 0.08)
	for _, c := range []struct {
		name   string
		now    []Price
		kind   Kind
		others []Price
		other  Kind
		want   string
	}{
		{"a tariff above its cost", sold, Retail, bought, Cost, ""},
		{"a cost below its tariff", bought, Cost, sold, Retail, ""},
		{"a tariff in pence", deck(2, 8, 2, 3, 15), Retail, bought, Cost, "about 750 times those of deck other (cost)"},
		{"a tariff at hundredths", deck(0.0002, 0.0008, 0.0002, 0.0003, 0.0015), Retail, bought, Cost, "Most prices of deck other (cost) are about 13 times these"},
		{"a cost in pence", deck(0.1, 0.5, 0.4, 0.4, 8), Cost, sold, Retail, "about 13 times those of deck other (retail)"},
		{"a loss", deck(0.02, 0.08, 0.02, 0.03, 0.15), Cost, sold, Retail, ""},
		{"another carrier in pence", deck(0.1, 0.5, 0.4, 0.4, 8), Cost, bought, Cost, "about 100 times those of deck other (cost)"},
		{"a carrier at five times", deck(0.005, 0.025, 0.02, 0.02, 0.4), Cost, bought, Cost, ""},
		{"nothing in common", deck(0.02)[:0], Retail, bought, Cost, ""},
	} {
		q, asks := AskOther(c.now, c.kind, "other", c.others, c.other)
		if asks != (c.want != "") || !strings.Contains(q.Text, c.want) {
			t.Errorf("%s: %v %q", c.name, asks, q.Text)
		}
	}
	if !SameScale(sold, deck(0.03, 0.1, 0.03, 0.04, 0.5)) || SameScale(sold, deck(2, 8, 2, 3, 15)) {
		t.Error("one scale is not told from another")
	}
}

func TestAVersionAHundredTimesTheOneBeforeIsAskedAbout(t *testing.T) {
	deck := func(first int, rates ...money.Rate) (prices []Price) {
		for i, r := range rates {
			prices = append(prices, Price{Prefix: uint64(first + i), Name: fmt.Sprint("d", i), First: 1, Step: 1, Rates: [NumBands]money.Rate{r, r, r}})
		}
		return prices
	}
	old := deck(30, 1_000_000, 2_000_000, 3_000_000, 0)
	for _, c := range []struct {
		name string
		now  []Price
		want string
	}{
		{"a hundred times", deck(30, 100_000_000, 200_000_000, 300_000_000, 0), "a hundred times dearer"},
		{"and some more", deck(30, 90_000_000, 250_000_000, 3_000_000, 7), "a hundred times dearer"},
		{"a hundredth", deck(30, 10_000, 20_000, 30_000), "a hundred times cheaper"},
		{"one row of three", deck(30, 100_000_000, 2_000_000, 3_000_000), ""},
		{"twice", deck(30, 2_000_000, 4_000_000, 6_000_000), ""},
		{"other prefixes", deck(40, 100_000_000, 200_000_000), "a hundred times dearer"},
		{"other prefixes, the same prices", deck(40, 1_000_000, 2_000_000), ""},
		{"nothing but free", deck(30, 0, 0), ""},
		{"empty", nil, ""},
	} {
		q, asks := AskScale(old, c.now)
		if asks != (c.want != "") || !strings.Contains(q.Text, c.want) {
			t.Errorf("%s: %v %q", c.name, asks, q.Text)
		}
	}
	if _, asks := AskScale(nil, old); asks {
		t.Error("the first version is no hundred times of anything")
	}
}

// A connection charge can be in pence beside rates in pounds.
func TestConnectionChargesAreNotTakenForPounds(t *testing.T) {
	for _, c := range []struct {
		name, file string
		asked      bool
	}{
		{"pence", "Prefix,Rate (GBP),Connection charge\n33,0.01,5\n44,0.01,3\n449,0.5,6\n", true},
		{"pounds", "Prefix,Rate (GBP),Connection charge\n33,0.01,0.05\n44,0.01,0.03\n449,0.5,6\n", false},
		{"nothing", "Prefix,Rate (GBP),Connection charge\n33,0.01,0\n44,0.01,\n", false},
		{"premium numbers", "Prefix,Rate (GBP),Connection charge\n449,0.5,6\n44908,0.5,3\n33,0.01,0\n", false},
		{"said", "Prefix,Rate (GBP),Connection charge (GBP)\n33,0.01,1.5\n", false},
		{"said to be pence", "Prefix,Rate (GBP),Connection charge (p)\n33,0.01,5\n", false},
	} {
		im := ReadCSV([]byte(c.file), ReadOptions{})
		if !im.OK() {
			t.Errorf("%s: %v", c.name, im.Faults)
		}
		asked := slices.ContainsFunc(im.Questions, func(q Question) bool { return q.Code == AskScaled })
		if asked != c.asked {
			t.Errorf("%s: asked %t, want %t: %v", c.name, asked, c.asked, im.Questions)
		}
	}
}

// Currencies with three decimals have lists in thousandths.
func TestFilsAreThousandths(t *testing.T) {
	im := ReadCSV([]byte("Prefix,Rate,Connection charge\n965,50,0.005 KWD\n44,25,10\n"), ReadOptions{Billing: currency(t, "KWD"), Thousandths: true})
	if !im.OK() || len(im.Questions) > 0 || im.Prices[0].Rates[Peak] != 50_000_000 || im.Prices[0].Connect != 5000 || im.Prices[1].Connect != 10_000 {
		t.Fatalf("%v %v %v", im.Faults, im.Questions, im.Prices)
	}
}
