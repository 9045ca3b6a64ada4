package rating_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/money"
	. "ringfence/core/rating"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// line writes a price as the tables below do.
func line(p Price) string {
	rates := p.Rates[Peak].Pence()
	if p.Rates[OffPeak] != p.Rates[Peak] || p.Rates[Weekend] != p.Rates[Peak] {
		rates += "|" + p.Rates[OffPeak].Pence() + "|" + p.Rates[Weekend].Pence()
	}
	s := fmt.Sprintf("%s %s %sp %d/%d", p.Digits(), p.Name, rates, p.First, p.Step)
	if p.Connect+p.Minimum > 0 {
		s += fmt.Sprintf(" +%s min %s", p.Connect, p.Minimum)
	}
	if p.Short {
		s += " short"
	}
	if p.NoPrice {
		s = p.Digits() + " " + p.Name + " unpriced"
	}
	if p.Dated() {
		s += " [" + moment(p.From) + ", " + moment(p.Until) + ")"
	}
	return s
}

// moment is without what is midnight, and empty for none.
func moment(m Moment) string {
	if m == 0 {
		return ""
	}
	return strings.TrimSuffix(m.Time().Format("2006-01-02T15:04:05.9"), "T00:00:00")
}

func TestFormsOfRealFiles(t *testing.T) {
	for _, c := range []struct {
		name, file string
		opt        ReadOptions
		want       []string
	}{
		{"plain", "Destination,Prefix,Rate\nFrance,33,0.014\nFrance mobile,336,0.042\n", ReadOptions{}, []string{"33 France 1.4p 1/1", "336 France mobile 4.2p 1/1"}},
		{"no line end, spaces, plus and 00", "Destination , Dial Code , Price \n France , +33 , 0.014 \nSpain,0034,.02", ReadOptions{}, []string{"33 France 1.4p 1/1", "34 Spain 2p 1/1"}},
		{"semicolons and decimal comma", "Beschreibung;Destination;Code;Price per minute\nx;Frankreich;33;0,0125\n", ReadOptions{}, []string{"33 Frankreich 1.25p 1/1"}},
		{"decimal comma with thousands", "Name;Prefix;Rate\nA;33;0,5\nB;34;1.234,5\n", ReadOptions{}, []string{"33 A 50p 1/1", "34 B 123450p 1/1"}},
		{"thousands and points", "Name,Prefix,Rate\nA,33,0.5\nB,34,\"1,234.5\"\n", ReadOptions{}, []string{"33 A 50p 1/1", "34 B 123450p 1/1"}},
		{"tabs and byte order mark", "\xef\xbb\xbfDestination\tPrefix\tRate\nFrance, Paris\t331\t0.01\n", ReadOptions{}, []string{"331 France, Paris 1p 1/1"}},
		{"bars and CRLF", "Destination|Prefix|Rate\r\nFrance|33|0.01\r\n\r\n", ReadOptions{}, []string{"33 France 1p 1/1"}},
		{"old Macintosh", "Destination,Prefix,Rate\rFrance,33,0.01\r", ReadOptions{}, []string{"33 France 1p 1/1"}},
		{"title lines above", "Acme Telecom\nRates of November,,\n\nDestination,Prefix,Rate\nFrance,33,0.01\n", ReadOptions{}, []string{"33 France 1p 1/1"}},
		{
			"country code and areas in one cell", "Country,Country code,Area code,Rate\nFrance,33,,0.01\nFrance - mobile,33,\"6,73-75\",0.04\n",
			ReadOptions{},
			[]string{"33 France 1p 1/1", "336 France - mobile 4p 1/1", "3373 France - mobile 4p 1/1", "3374 France - mobile 4p 1/1", "3375 France - mobile 4p 1/1"},
		},
		{
			"list of prefixes", "Destination,Prefix,Rate\nUK mobile,\"447940, 447941-447943\",0.05\n",
			ReadOptions{},
			[]string{"447940 UK mobile 5p 1/1", "447941 UK mobile 5p 1/1", "447942 UK mobile 5p 1/1", "447943 UK mobile 5p 1/1"},
		},
		{"country beside destination", "Country,Destination,Prefix,Rate\nFrance,Mobile,336,0.04\nFrance,France Paris,331,0.01\n", ReadOptions{}, []string{"336 France - Mobile 4p 1/1", "331 France Paris 1p 1/1"}},
		{"pence in the header", "Destination,Prefix,Rate (p/min),Connection charge (p)\nUK,44,1.2,5\n", ReadOptions{}, []string{"44 UK 1.2p 1/1 +0.05 min 0.00"}},
		{"ppm", "Destination,Prefix,PPM\nUK,44,1.2\n", ReadOptions{}, []string{"44 UK 1.2p 1/1"}},
		{"pence in the cell", "Destination,Prefix,Rate\nUK,44,1.2p\n", ReadOptions{}, []string{"44 UK 1.2p 1/1"}},
		{"pence by option", "Destination,Prefix,Rate\nUK,44,1.2\n", ReadOptions{Pence: true}, []string{"44 UK 1.2p 1/1"}},
		{"pounds in the header against the option", "Destination,Prefix,Rate GBP\nUK,44,£0.012\n", ReadOptions{Pence: true, Currency: "GBP"}, []string{"44 UK 1.2p 1/1"}},
		{"bands", "Destination,Prefix,Peak,Off-peak,Weekend\nUK,44,0.012,0.009,0.006\n", ReadOptions{}, []string{"44 UK 1.2|0.9|0.6p 1/1"}},
		{"two bands", "Destination,Prefix,Day rate,Evening rate\nUK,44,0.012,0.009\n", ReadOptions{}, []string{"44 UK 1.2|0.9|0.9p 1/1"}},
		{"one rate and a weekend", "Destination,Prefix,Rate,Weekend\nUK,44,0.012,0.009\n", ReadOptions{}, []string{"44 UK 1.2|1.2|0.9p 1/1"}},
		{"two intervals", "Destination,Prefix,Rate,First Interval,Sub Interval\nUK,44,0.01,30,6\n", ReadOptions{}, []string{"44 UK 1p 30/6"}},
		{"30/6 in a cell", "Destination,Prefix,Rate,Billing increment\nUK,44,0.01,30/6\nFR,33,0.01,60\nES,34,0.01,1 / 1 s\n", ReadOptions{}, []string{"44 UK 1p 30/6", "33 FR 1p 60/60", "34 ES 1p 1/1"}},
		{"first only", "Destination,Prefix,Rate,Minimum increment (sec)\nUK,44,0.01,60\n", ReadOptions{}, []string{"44 UK 1p 60/60"}},
		{"increments by option", "Destination,Prefix,Rate\nUK,44,0.01\n", ReadOptions{First: 30, Step: 6}, []string{"44 UK 1p 30/6"}},
		{"charges", "Destination,Prefix,Rate,Set-up fee,Minimum charge\nUK,44,0.01,0.05,0.10\nFR,33,0.01,,\n", ReadOptions{}, []string{"44 UK 1p 1/1 +0.05 min 0.10", "33 FR 1p 1/1"}},
		{"short numbers", "Destination,Prefix,Rate,Short\nEmergency,999,0,yes\nNobody,999,0.5,no\n", ReadOptions{}, []string{"999 Emergency 0p 1/1 short", "999 Nobody 50p 1/1"}},
		{"a billionth", "Destination,Prefix,Rate\nUK,44,0.123456789\n", ReadOptions{}, []string{"44 UK 12.3456789p 1/1"}},
		{"Windows letters", "Destination,Prefix,Rate\nR\xe9union,262,0.1\n", ReadOptions{}, []string{"262 Réunion 10p 1/1"}},
		{"blank has no price", "Destination,Prefix,Rate\nUK,44,\nFR,33,0.01\nES,34,n/a\n", ReadOptions{SkipBlank: true}, []string{"44 UK unpriced", "33 FR 1p 1/1", "34 ES unpriced"}},
		{"blocked has no price, deleted is left out, their rates unread", "Destination,Prefix,Rate,Status\nCuba,53,,Blocked\nSpain,34,,Deleted\nFR,33,0.01,Current\n", ReadOptions{}, []string{"53 Cuba unpriced", "33 FR 1p 1/1"}},
		{
			"dates", "Destination,Prefix,Rate,Effective from,End date\nnow,1,0.01,2026-11-22,\nlater,7,0.01,2026-11-22 12:00:00.5,\nnew year,20,0.01,13/01/2027,\n" +
				"gone,27,0.01,,21-Nov-2026\ntoday,30,0.01,22-Nov-26,22 Nov 2026\nserial,31,0.01,46348,46349.5\nserial over,32,0.01,46000,46348.25\n",
			ReadOptions{At: noon},
			[]string{
				"1 now 1p 1/1 [2026-11-22, )", "7 later 1p 1/1 [2026-11-22T12:00:00.5, )", "20 new year 1p 1/1 [2027-01-13, )", "27 gone 1p 1/1 [, 2026-11-22)",
				"30 today 1p 1/1 [2026-11-22, 2026-11-23)", "31 serial 1p 1/1 [2026-11-22, 2026-11-23T12:00:00)", "32 serial over 1p 1/1 [2025-12-09, 2026-11-22T06:00:00)",
			},
		},
		{
			"months first, as another row shows", "Destination,Prefix,Rate,Start\nA,33,0.01,11/22/2026\nB,34,0.01,12/01/2026\n",
			ReadOptions{At: noon},
			[]string{"33 A 1p 1/1 [2026-11-22, )", "34 B 1p 1/1 [2026-12-01, )"},
		},
		{
			"days first, as the other column shows", "Destination,Prefix,Rate,Start,End\nA,33,0.01,12/01/2026,30-06-26\n",
			ReadOptions{At: noon},
			[]string{"33 A 1p 1/1 [2026-01-12, 2026-07-01)"},
		},
		{
			"months first by option", "Destination,Prefix,Rate,Start\nA,33,0.01,12/01/2026 10:30\n",
			ReadOptions{At: noon, Dates: MonthFirst},
			[]string{"33 A 1p 1/1 [2026-12-01T10:30:00, )"},
		},
		{
			"days first by option", "Destination,Prefix,Rate,Start\nA,33,0.01,12-01-2026 10:30:00\n",
			ReadOptions{At: noon, Dates: DayFirst},
			[]string{"33 A 1p 1/1 [2026-01-12T10:30:00, )"},
		},
		{
			"one after the other", "Destination,Prefix,Rate,Start\nnew,33,0.02,2026-06-01\nold,33,0.01,2026-01-01\nnewest,33,0.03,2027-01-01\n",
			ReadOptions{At: noon},
			[]string{"33 old 1p 1/1 [2026-01-01, 2026-06-01)", "33 new 2p 1/1 [2026-06-01, 2027-01-01)", "33 newest 3p 1/1 [2027-01-01, )"},
		},
		{
			"an offer, and the price before it again", "Destination,Prefix,Rate,Start,End\nusual,33,0.02,,\noffer,33,0.01,2026-12-24,2026-12-26\n",
			ReadOptions{At: noon},
			[]string{"33 usual 2p 1/1 [, 2026-12-24)", "33 offer 1p 1/1 [2026-12-24, 2026-12-27)", "33 usual 2p 1/1 [2026-12-27, )"},
		},
		{
			"a gap", "Destination,Prefix,Rate,Start,End\nold,33,0.02,,2026-11-30\nnew,33,0.01,2026-12-02,\n",
			ReadOptions{At: noon},
			[]string{"33 old 2p 1/1 [, 2026-12-01)", "33 new 1p 1/1 [2026-12-02, )"},
		},
		{
			"blocked for a while", "Destination,Prefix,Rate,Start,Status\nCuba,53,0.5,,\nCuba,53,0.5,2026-12-01,Blocked\n",
			ReadOptions{At: noon},
			[]string{"53 Cuba 50p 1/1 [, 2026-12-01)", "53 Cuba unpriced [2026-12-01, )"},
		},
	} {
		im := ReadCSV([]byte(c.file), c.opt)
		for _, f := range im.Faults {
			t.Errorf("%s: %s", c.name, f)
		}
		var got []string
		for _, p := range im.Prices {
			got = append(got, line(p))
		}
		if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// Every fault is named with its place, and then nothing is imported.
func TestFaultsAreNamedWithTheirPlace(t *testing.T) {
	const head = "Destination,Prefix,Rate\n"
	for _, c := range []struct{ name, file, want string }{
		{"empty", "", `found "an empty file"`},
		{"header only", head, `found "no rows below the header"`},
		{"no header", "France,33,0.01\n", `line 1: found "France,33,0.01", expected a header`},
		{"half a letter of UTF-16", "\xff\xfeD\x00e\x00f", `found "damaged UTF-16 text"`},
		{"a zero byte", head + "A,33,0.01\nB,3\x004,0.02\n", `found "a zero byte in line 3`},
		{"workbook", "PK\x03\x04...", `found "a workbook or zip archive", expected a workbook as .xlsx`},
		{"old workbook", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", `(.xls) or one with a password", expected the same workbook saved as .xlsx`},
		{"PDF", "%PDF-1.7", `found "a PDF"`},
		{"gzip", "\x1f\x8b\x08", "zcat FILE | ringfence deck import"},
		{"web page", "\n <HTML><table>", `found "a web page`},
		{"rate", head + "A,33,abc\n", `line 2, column 3 "Rate": found "abc", expected a number`},
		{"blank rate", head + "A,33,\n", `line 2, column 3 "Rate": found "", expected a rate`},
		{"negative", head + "A,33,-0.1\n", `line 2, column 3 "Rate": found "-0.1"`},
		{"exponent", head + "A,33,1E-3\n", `found "1E-3", expected a number`},
		{"ten decimals", head + "A,33,0.1234567891\n", "at most 9 decimals"},
		{"too great", head + "A,33,99999999999999999999\n", "a smaller number"},
		{"two points", head + "A,33,1.2.3\n", "one decimal sign"},
		{"decimal comma in a comma file", head + "A,33,0,01\n", `line 2, column 4: found "01", expected 3 cells`},
		{"decimal comma among points", head + "A,33,0.01\nB,34,0.02\nC,35,\"0,03\"\n", `line 4, column 3 "Rate": found "0,03"`},
		{"ambiguous", head + "A,33,\"1,234\"\n", "one possible reading"},
		{"prefix of a spreadsheet", head + "A,4.4E+11,0.01\n", `column 2 "Prefix": found "4.4E+11", expected digits, or a list such as 7940, 7941-7949 (a spreadsheet`},
		{"prefix with a space", head + "A,44 20,0.01\n", `found "44 20"`},
		{"prefix 0", head + "A,0,0.01\n", `found "0"`},
		{"national prefix", head + "A,020,0.01\n", `found "020"`},
		{"long prefix", head + "A,1234567890123456,0.01\n", "at most 15 digits"},
		{"range upside down", head + "A,49-44,0.01\n", "the lower first"},
		{"range too wide", head + "A,100000-999999,0.01\n", "at most 10000 prefixes"},
		{"no prefix", head + "A,,0.01\n", `column 2 "Prefix": found ""`},
		{"twice", head + "A,33,0.01\nB,33,0.02\n", `line 3, column 2 "Prefix": found "33", expected each prefix once for one start: line 2`},
		{"quote", head + "\"A,33,0.01\nB,34,0.01\n", `line 2: found`},
		{"a quote closed rows later", head + "\"A,33,0.01\nB,34,0.02\nC\",35,0.03\n", "this cell has other rows in it"},
		{"a quote in a column that is not used", "Destination,Prefix,Rate,Notes\nA,33,0.01,\"x\nB,34,0.02,y\"\nC,35,0.03,\n", "this cell has other rows in it"},
		{"prices above the header", "A,33,0.01\n" + head + "B,34,0.02\n", "line 1: found \"A,33,0.01\", expected the header above all prices: it is in line 2"},
		{"two rates", "Destination,Prefix,Rate,Price\nA,33,1,2\n", `column 4 "Price": found "Price", expected one column`},
		{"currency of the header", "Destination,Prefix,Rate (USD)\nA,33,1\n", "expected currency GBP"},
		{"currency of a row", "Destination,Prefix,Rate,Currency\nA,33,1,EUR\n", `line 2, column 4 "Currency": found "EUR", expected currency GBP`},
		{"increment 0", "Destination,Prefix,Rate,Increment\nA,33,1,0/1\n", `found "0", expected seconds`},
		{"increment blank", "Destination,Prefix,Rate,Increment\nA,33,1,\n", `found "", expected seconds`},
		{"increment huge", "Destination,Prefix,Rate,Increment\nA,33,1,65536\n", "1 to 65535"},
		{"date", "Destination,Prefix,Rate,Start\nA,33,1,tomorrow\n", `found "tomorrow", expected a date`},
		{"13th month", "Destination,Prefix,Rate,Start\nA,33,1,13/13/2026\n", `found "13/13/2026", expected a date`},
		{"end before start", "Destination,Prefix,Rate,Start,End\nA,33,1,2026-02-01,2026-01-01\n", "an end after the start"},
		{"status", "Destination,Prefix,Rate,Status\nA,33,1,Perhaps\n", `found "Perhaps", expected a status`},
		{"formula", head + "\"=HYPERLINK(1)\",33,1\n", "not a spreadsheet formula"},
		{"control character", head + "A\x1b[2J,33,1\n", "without control characters"},
		{"long cell", head + strings.Repeat("A", 2000) + ",33,1\n", "at most 1024 bytes"},
		{"prefix of another country", "Country code,Prefix,Rate\n44,331,1\n", "begins with the country code 44"},
		{"ISO code as country code", "Country code,Rate\nGB,1\n", "a country code of digits"},
	} {
		im := ReadCSV([]byte(c.file), ReadOptions{At: noon, Currency: "GBP"})
		if im.OK() || len(im.Faults) == 0 || len(im.Prices) != 0 {
			t.Errorf("%s: no fault, %d prices", c.name, len(im.Prices))
			continue
		}
		var all []string
		for _, f := range im.Faults {
			all = append(all, f.String())
		}
		if text := strings.Join(all, "\n"); !strings.Contains(text, c.want) {
			t.Errorf("%s: %s\nwant %s", c.name, text, c.want)
		}
	}
}

func TestAllFaultsAreFoundAndCounted(t *testing.T) {
	im := ReadCSV([]byte("Destination,Prefix,Rate,Start\nA,x,y,z\nB,34,0.01,\n"), ReadOptions{})
	if im.FaultCount != 3 {
		t.Errorf("%d faults of one row, want 3: %v", im.FaultCount, im.Faults)
	}
	im = ReadCSV([]byte("Destination,Prefix,Rate\n"+strings.Repeat("A,x,1\n", 1500)), ReadOptions{})
	if im.FaultCount != 1500 || len(im.Faults) != MaxFaults {
		t.Errorf("%d faults, %d kept", im.FaultCount, len(im.Faults))
	}
}

// A small file must not make more work than a large one may.
func TestHostileFilesAreBounded(t *testing.T) {
	for name, file := range map[string]string{
		"ranges":       "Prefix,Rate\n" + strings.Repeat("330000-339999,0.01\n", 100_000),
		"columns":      "Prefix,Rate" + strings.Repeat(",x", 100_000) + "\n33,1\n",
		"open quotes":  "Prefix,Rate\n" + strings.Repeat("\"\n", 100_000),
		"header twice": "Prefix,Rate" + strings.Repeat(",Prefix", 150) + "\n33,1\n",
	} {
		if im := ReadCSV([]byte(file), ReadOptions{}); im.OK() || im.FaultCount > MaxRows+1 || len(im.Warnings) > MaxWarnings+2 {
			t.Errorf("%s: %d faults, %d warnings", name, im.FaultCount, len(im.Warnings))
		}
	}
	if im := ReadCSV(make([]byte, MaxFileBytes+1), ReadOptions{}); im.FaultCount != 1 || !strings.Contains(im.Faults[0].Expected, "at most") {
		t.Errorf("too many bytes: %v", im.Faults)
	}
}

func TestRowsThatAreNoPriceTodayAreCounted(t *testing.T) {
	im := ReadCSV([]byte("Destination,Prefix,Rate,Status,Start,End\na,30,1,Blocked,,\nb,31,,,,\nc,32,1,,2027-01-01,\nd,33,1,,,2026-01-01\ne,34,1,,2026-01-01,2026-02-01\nf,34,2,,2026-02-01,\ng,34,3,,2026-01-15,2026-02-01\nh,35,1,Deleted,,\ni,36,1,Future,,\n"),
		ReadOptions{At: noon, SkipBlank: true})
	s := im.Summary
	if !im.OK() || s.Rows != 9 || s.Blocked != 1 || s.Blank != 1 || s.NotYet != 1 || s.Expired != 3 || s.Gone != 1 || s.NoStart != 1 || s.Prices != 5 || len(im.Prices) != 7 || !s.First.Equal(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v %v %v", s, im.Faults, im.Prices)
	}
}

// A date that is two different days is asked about; it decides nothing, and neither does one that is the same day both ways.
func TestDatesThatCanBeReadInTwoWaysAreAskedAbout(t *testing.T) {
	const head = "Destination,Prefix,Rate,Start,End\n"
	for _, c := range []struct {
		name, file string
		dates      DateOrder
		want       []string // examples of the question, nil: it is not asked
	}{
		{"either", head + "A,33,1,12/01/2026,\nB,34,1,,01/12/2026\n", DatesAsked, []string{"line 2: 12/01/2026", "line 3: 01/12/2026"}},
		{"hyphens and two digits", head + "A,33,1,1-2-26,\n", DatesAsked, []string{"line 2: 1-2-26"}},
		{"with a time", head + "A,33,1,1/2/2026 3:04 PM,\n", DatesAsked, []string{"line 2: 1/2/2026 3:04 PM"}},
		{"the option decides", head + "A,33,1,12/01/2026,\n", MonthFirst, nil},
		{"another row decides", head + "A,33,1,12/01/2026,\nB,34,1,13/01/2026,\n", DatesAsked, nil},
		{"the same both ways", head + "A,33,1,11/11/2026,\n", DatesAsked, nil},
		{"year first", head + "A,33,1,2026-01-12,2026/02/03\n", DatesAsked, nil},
		{"month by name", head + "A,33,1,12-Jan-2026,\n", DatesAsked, nil},
	} {
		im := ReadCSV([]byte(c.file), ReadOptions{At: noon, Dates: c.dates})
		var got []string
		for _, q := range im.Questions {
			if q.Code == AskDates && q.Flag == "dates" && len(q.Choices) == 2 {
				got = append(got, q.Examples...)
			}
		}
		if !im.OK() || strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s: asked %q, want %q; %v", c.name, got, c.want, im.Faults)
		}
	}
	im := ReadCSV([]byte(head+"A,33,1,13/01/2026,\nB,34,1,01/14/2026,\nC,35,1,25/12/2026,\n"), ReadOptions{At: noon})
	if im.FaultCount != 1 || im.Faults[0].Line != 3 {
		t.Errorf("a column that contradicts itself: %v", im.Faults)
	}
}

// A lost decimal point may be in a charge or an increment as well as in a rate; the dearest is named first.
func TestTheWholePriceOfAFirstMinuteIsLookedAt(t *testing.T) {
	im := ReadCSV([]byte("Destination,Prefix,Rate,Connection charge,Minimum charge,First interval,Sub interval\nFrance,33,0.01,0,0,1,1\nFrance a,331,0.01,0,0,1,1\n"+
		"France b,332,0.01,0,0,1,1\nFrance c,333,0.01,0,0,1,1\nCharge,334,0.01,5.00,0,1,1\nMinimum,335,0.01,0,4.00,1,1\nIncrement,336,0.01,0,0,36000,1\nUsual,337,0.01,0.05,0.10,60,60\nFrance d,3371,0.01,0,0,1,1\nFrance e,3372,0.01,0,0,1,1\nFrance f,3373,0.01,0,0,1,1\n"), ReadOptions{})
	if !im.OK() || len(im.Questions) != 1 || im.Questions[0].Code != AskLostDecimal {
		t.Fatalf("%v %+v", im.Faults, im.Questions)
	}
	want := []string{"line 8, prefix 336 (Increment): 6.00 for a first minute", "line 6, prefix 334 (Charge): 5.01 for a first minute", "line 7, prefix 335 (Minimum): 4.00 for a first minute"}
	got := im.Questions[0].Examples
	for i := range want {
		if len(got) != len(want) || !strings.HasPrefix(got[i], want[i]) {
			t.Fatalf("asked about %q, want %q", got, want)
		}
	}
}

func TestSuspiciousPricesAreShown(t *testing.T) {
	file := "Destination,Prefix,Rate\nCuba,53,780\nFrance,33,0.014\nFrance a,331,0.014\nFrance b,332,0.014\nFrance lost,333,1.4\nFrance found,334,0.00001\nFrance free,335,0\n" +
		"France freephone,33800,0\nFrance premium,33899,0.014\nNowhere,210,0.1\nInmarsat,870,6.5\nUK 0844,44844,0.014\nGMSS,881,0.015\nUIFN,800,0\nFrance - special services,3359,1.5\n"
	im := ReadCSV([]byte(file), ReadOptions{First: 1})
	want := map[int]WarningKind{2: WarnDear, 6: WarnDear, 7: WarnCheap, 8: WarnFree, 10: WarnPremium, 11: WarnNowhere, 14: WarnPremium}
	for _, w := range im.Warnings {
		if want[w.Line] != w.Kind {
			t.Errorf("line %d: %s %s", w.Line, w.Kind, w.Text)
		}
		delete(want, w.Line)
	}
	if len(want) > 0 || !im.OK() {
		t.Errorf("not noticed: %v %v", want, im.Faults)
	}
	if s := im.Summary; s.Countries != 4 || s.Free != 3 || s.Cheapest.Name != "France found" || s.Dearest.Name != "Cuba" {
		t.Errorf("%+v", s)
	}
}

func TestDiff(t *testing.T) {
	price := func(prefix uint64, name string, rate money.Rate) Price {
		return Price{Prefix: prefix, Name: name, First: 1, Step: 1, Rates: [NumBands]money.Rate{rate, rate, rate}}
	}
	coarse := price(38, "coarse", 1)
	coarse.Step = 60
	d := Diff(
		[]Price{price(33, "same", 1), price(34, "up", 1), price(35, "down", 2), price(36, "old name", 1), price(37, "gone", 1), price(38, "coarse", 2)},
		[]Price{price(39, "new", 1), price(33, "same", 1), price(34, "up", 2), price(35, "down", 1), price(36, "new name", 1), coarse},
	)
	if d.Same != 1 || len(d.Added) != 1 || d.Added[0].Prefix != 39 || len(d.Removed) != 1 || d.Removed[0].Prefix != 37 ||
		len(d.Dearer) != 2 || d.Dearer[0].New.Prefix != 34 || d.Dearer[1].New.Prefix != 38 || len(d.Cheaper) != 1 || d.Cheaper[0].Old.Rates[0] != 2 || len(d.Renamed) != 1 {
		t.Errorf("%+v", d)
	}
}

// What is written is read back the same, whatever is in the names and whenever rows begin and end.
func TestFormatCSVComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefixes := rapid.SliceOfNDistinct(rapid.Uint64Range(1, 999_999_999_999_999), 1, 20, rapid.ID[uint64]).Draw(t, "prefixes")
		amount := rapid.Int64Range(0, 1<<62)
		var prices []Price
		for _, prefix := range prefixes {
			p := Price{
				Prefix: prefix, Short: rapid.Bool().Draw(t, "short"), Name: "Zone " + rapid.StringMatching(`[A-Za-z][A-Za-zé,;"' -]{0,20}[a-z"]`).Draw(t, "name"),
				Connect: money.Micro(amount.Draw(t, "connect")), Minimum: money.Micro(amount.Draw(t, "minimum")),
				First: uint16(rapid.IntRange(1, 65535).Draw(t, "first")), Step: uint16(rapid.IntRange(1, 65535).Draw(t, "step")),
			}
			p.Name = strings.Join(strings.Fields(p.Name), " ")
			for band := range p.Rates {
				p.Rates[band] = money.Rate(amount.Draw(t, "rate"))
			}
			for _, w := range drawWindows(t) {
				p.From, p.Until, p.NoPrice = w[0], w[1], rapid.Bool().Draw(t, "no price")
				if p.NoPrice {
					p.Connect, p.Minimum, p.Rates = 0, 0, [NumBands]money.Rate{}
				}
				prices = append(prices, p)
			}
		}
		im := ReadCSV(FormatCSV(prices, "GBP"), ReadOptions{})
		if d := Diff(prices, im.Prices); !im.OK() || d.Same != len(prices) || len(im.Prices) != len(prices) {
			t.Fatalf("%v\n%+v\n%s", im.Faults, d, FormatCSV(prices, "GBP"))
		}
	})
}

// drawWindows gives one to three windows that do not overlap, the first perhaps without a beginning and the last without an end.
func drawWindows(t *rapid.T) (windows [][2]Moment) {
	const century = 100 * 365 * 24 * 3600 * 1_000_000
	edges := rapid.SliceOfNDistinct(rapid.Int64Range(1, century), 2, 6, rapid.ID[int64]).Draw(t, "edges")
	slices.Sort(edges)
	for i := 0; i+1 < len(edges); i += 2 {
		windows = append(windows, [2]Moment{Moment(edges[i]), Moment(edges[i+1])})
	}
	if rapid.Bool().Draw(t, "from ever") {
		windows[0][0] = 0
	}
	if rapid.Bool().Draw(t, "for ever") {
		windows[len(windows)-1][1] = 0
	}
	if len(windows) > 1 && rapid.Bool().Draw(t, "one after the other") {
		windows[0][1] = windows[1][0]
	}
	return windows
}

func az2010(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "decks", "carrier-az-2010.csv"))
	if err != nil {
		t.Skip("no shared test data here: ", err)
	}
	return data
}

// A carrier's deck of 27,523 rows, nine of them without a rate: as it is, it names these; with SkipBlank it goes in.
func TestRealDeck(t *testing.T) {
	data := az2010(t)
	im := ReadCSV(data, ReadOptions{At: noon})
	lines := []int{583, 7151, 24073, 24127, 24128, 24129, 24130, 24131, 27393}
	if im.FaultCount != len(lines) || len(im.Prices) != 0 {
		t.Fatalf("%d faults, %d prices", im.FaultCount, len(im.Prices))
	}
	for i, f := range im.Faults {
		if f.Line != lines[i] || f.Column != 5 || f.Name != "Rate" || f.Found != "" {
			t.Errorf("%s, want line %d", f, lines[i])
		}
	}
	im = ReadCSV(data, ReadOptions{At: noon, SkipBlank: true})
	s := im.Summary
	if !im.OK() || s.Rows != 27_523 || s.Prices != 27_514 || s.Blank != 9 || s.Free != 5 || s.Countries < 230 || s.Dearest.Name != "INMARSAT-AERONAUTICAL" || s.Dearest.Dearest() != 7_870_500_000 {
		t.Errorf("%+v", s)
	}
	early := ReadCSV(data, ReadOptions{At: time.Date(2010, 7, 2, 11, 6, 58, 484052000, time.UTC), SkipBlank: true})
	if early.Summary.NotYet != 25_143+22+23+5+1+1+1+1 { // rows of each later start
		t.Errorf("%d rows begin later", early.Summary.NotYet)
	}
	if _, err := Build(im.Prices, nil); err != nil {
		t.Error(err)
	}
	at := time.Date(2010, 7, 2, 11, 6, 58, 484052000, time.UTC)
	if in := InForceAt(early.Prices, at); len(early.Prices) != len(im.Prices) || len(in) != len(im.Prices)-early.Summary.NotYet-early.Summary.Expired {
		t.Errorf("%d prices of %d, %d of them in force early", len(early.Prices), len(im.Prices), len(in))
	}
}

func FuzzReadCSV(f *testing.F) {
	f.Add([]byte("Destination,Prefix,Rate,Start,Increment\n\"A,b\",\"33,34-36\",0.01,2026-01-01,30/6\n"), true)
	f.Add([]byte("Name;Code;Peak;Off-peak;Weekend;Setup\nA;33;0,5;0,4;1.000,3;1p\n"), false)
	f.Add([]byte("Country code\tArea code\tppm\n44\t20\t1.2\n"), false)
	f.Add([]byte("\xef\xbb\xbfPrefix|Rate|End|Status|Currency\n0044|£1|45000.5|New|GBP\n"), true)
	f.Fuzz(func(t *testing.T, data []byte, skip bool) {
		im := ReadCSV(data, ReadOptions{At: noon, SkipBlank: skip})
		if im.OK() != (im.FaultCount == 0) || !im.OK() && len(im.Prices) > 0 || im.FaultCount > 0 && len(im.Faults) == 0 {
			t.Fatalf("%d faults, %d prices", im.FaultCount, len(im.Prices))
		}
		for _, fault := range im.Faults {
			if fault.Line < 0 || len(fault.String()) > 1000 {
				t.Fatal(fault)
			}
		}
		if _, err := Build(im.Prices, nil); err != nil {
			t.Fatalf("an import without faults is no deck: %v", err)
		}
		if len(im.Prices) > 0 {
			back := ReadCSV(FormatCSV(im.Prices, "GBP"), ReadOptions{})
			if d := Diff(im.Prices, back.Prices); d.Same != len(im.Prices) {
				t.Fatalf("does not come back: %v %+v", back.Faults, d)
			}
		}
	})
}

func BenchmarkReadAZ2010(b *testing.B) {
	data := az2010(b)
	b.ReportAllocs()
	for b.Loop() {
		ReadCSV(data, ReadOptions{At: noon, SkipBlank: true})
	}
}
