package rating_test

import (
	"fmt"
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
