package rating_test

import (
	"slices"
	"strings"
	"testing"

	"ringfence/core/money"
	. "ringfence/core/rating"
)

// What stands above the header, in columns of remarks, or as a sign is never passed over when it changes a bill.
func TestNothingThatIsSaidBesideThePricesIsPassedOver(t *testing.T) {
	const rows = "Destination,Prefix,Rate\nFrance,33,0.01\n"
	for _, c := range []struct {
		name, file string
		opt        ReadOptions
		want       string // a fault or a question that has this; "": none
	}{
		{"another currency", "All prices in USD\n\n" + rows, ReadOptions{}, "line 1: found \"All prices in USD\", expected currency GBP"},
		{"another sign", "Prices in $ per minute\n" + rows, ReadOptions{}, "expected currency GBP"},
		{"a cell of its own", "Currency,EUR\n" + rows, ReadOptions{}, "expected currency GBP"},
		{"not about the prices", "Deposit $500\n" + rows, ReadOptions{Currency: "GBP"}, ""},
		{"our currency", "All prices in GBP per minute\n" + rows, ReadOptions{}, ""},
		{"several, ours among them", "GBP price list (EUR on request)\n" + rows, ReadOptions{}, ""},
		{"converted", "All prices in USD\n" + rows, ReadOptions{Exchange: money.Exchange{From: "USD", Rate: 790_000_000}}, ""},
		{"pence", "Rates in pence per minute\n" + rows, ReadOptions{}, "The rows above the header contain \"Rates in pence per minute\""},
		{"pence, and the header says so", "Rates in pence\nDestination,Prefix,Rate (p)\nFrance,33,1\n", ReadOptions{}, ""},
		{"pence, and a person says so", "Rates in pence\nDestination,Prefix,Rate\nFrance,33,1\n", ReadOptions{Pence: true}, ""},
		{"a date", "Prices valid from 1 Jan 2027\n" + rows, ReadOptions{}, "line 1: Prices valid from 1 Jan 2027"},
		{"a date that a column has", "Effective 1 Jan 2027\nDestination,Prefix,Rate,Effective\nFrance,33,0.01,2027-01-01\n", ReadOptions{}, ""},
		{"increments", "Billing: 60/60\n" + rows, ReadOptions{}, "line 1: Billing: 60/60"},
		{"increments in words", "Increments per minute\n" + rows, ReadOptions{}, "line 1: Increments per minute"},
		{"increments that a person gave", "Billing: 60/60\n" + rows, ReadOptions{First: 60, Step: 60}, ""},
		{"increments that a column has", "Billing 60/60 unless said\nDestination,Prefix,Rate,Increment\nFrance,33,0.01,60/60\n", ReadOptions{}, ""},
		{"a surcharge", "A connection charge of 5p applies\n" + rows, ReadOptions{}, "A connection charge of 5p applies"},
		{"a title", "Example Telecom Ltd,,\nPrice list 12/2026,,\nTel 020 7946 0000,,\n" + rows, ReadOptions{}, ""},

		{"deleted, in a remark", "Destination,Prefix,Rate,Change\nFrance,33,0.01,Deleted\n", ReadOptions{}, "column 4 \"Change\": found \"Deleted\""},
		{"blocked, in a comment", "Destination,Prefix,Rate,Comments\nFrance,33,0.01,blocked\n", ReadOptions{}, "column 4 \"Comments\""},
		{"deleted, in a column of no name that is known", "Destination,Prefix,Rate,Xyz\nFrance,33,0.01,Discontinued\n", ReadOptions{}, "column 4 \"Xyz\""},
		{"other remarks", "Destination,Prefix,Rate,Change,Comments\nFrance,33,0.01,Increase,no\nSpain,34,0.01,0,false\n", ReadOptions{}, ""},
		{"deleted, and mapped away", "Destination,Prefix,Rate,Change\nFrance,33,0.01,Deleted\n", ReadOptions{Mapping: mapping(t, "Change=ignore")}, ""},

		{"increments in a remark", "Destination,Prefix,Rate,Remarks\nFrance,33,0.01,min 60s (60/60)\n", ReadOptions{}, "line 2: min 60s (60/60)"},
		{"a charge in a remark", "Destination,Prefix,Rate,Notes\nFrance,33,0.01,plus 2p connection\n", ReadOptions{}, "line 2: plus 2p connection"},
		{"a remark that is passed over", "Destination,Prefix,Rate,Notes\nFrance,33,0.01,plus 2p connection\n", ReadOptions{Mapping: mapping(t, "Notes=ignore")}, ""},
		{"a remark on a route", "Destination,Prefix,Rate,Notes\nFrance,33,0.01,CLI route 2 of 3\n", ReadOptions{}, ""},

		{"two signs", "Destination,Prefix,Rate\nFrance,33,£0.01p\n", ReadOptions{}, "one unit, not a sign of pounds and one of pence"},
		{"pence that are pounds", "Destination,Prefix,Rate\nFrance,33,0.01p\n", ReadOptions{}, "are they whole units, although the file says hundredths"},
		{"pounds in some rows", "Destination,Prefix,Rate\nFrance,33,£0.01\nSpain,34,1\nItaly,39,1.5\n", ReadOptions{}, "are they whole units of GBP or hundredths"},
		{"the unit of what", "Destination,Prefix,Rate,Unit\nFrance,33,0.01,minute\n", ReadOptions{}, "column 4 \"Unit\""},
		{"a trunk prefix", "Destination,Country code,Area code,Rate\nUK,44,020,0.01\n", ReadOptions{}, "an area code without the 0"},
		{"Italy has a 0", "Destination,Country code,Area code,Rate\nItaly,39,06,0.01\n", ReadOptions{}, ""},
	} {
		im := ReadCSV([]byte(c.file), c.opt)
		var said []string
		for _, f := range im.Faults {
			said = append(said, f.String())
		}
		for _, q := range im.Questions {
			said = append(said, q.Text+" "+strings.Join(q.Examples, " "))
		}
		if found := slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, c.want) }); c.want == "" && len(said) > 0 || c.want != "" && !found {
			t.Errorf("%s: %q, want %q", c.name, said, c.want)
		}
	}
}

// An end in the year 9999 is how some systems write none.
func TestTheLastYearComesBack(t *testing.T) {
	im := ReadCSV([]byte("Prefix,Rate,Start,End\n33,0.01,2026-01-01,9999-12-31\n"), ReadOptions{})
	if !im.OK() {
		t.Fatal(im.Faults)
	}
	back := ReadCSV(FormatCSV(im.Prices, "GBP"), ReadOptions{})
	if !back.OK() || len(back.Prices) != 1 || back.Prices[0].Until != 0 {
		t.Errorf("%v %v", back.Faults, back.Prices)
	}
}
