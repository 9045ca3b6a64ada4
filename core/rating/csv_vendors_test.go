package rating_test

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/text/encoding/unicode"

	"ringfence/core/money"
	. "ringfence/core/rating"
)

// what a row became: increments, charges and rate, as far as there are any.
func outcome(im *Import) string {
	if !im.OK() {
		var all []string
		for _, f := range im.Faults {
			all = append(all, f.String())
		}
		return strings.Join(all, "\n")
	}
	p := &im.Prices[0]
	text := fmt.Sprintf("%s %s %d/%d", p.Digits(), p.Rates[Peak], p.First, p.Step)
	if p.Connect > 0 {
		text += " +" + p.Connect.String()
	}
	if p.Minimum > 0 {
		text += " min " + p.Minimum.String()
	}
	return text
}

// Reading a column as another, or passing over one, billed the calls of half the vendors' lists wrong elsewhere, without a
// word. Each of these is read right, or refused with the column's name.
func TestColumnsOfVendorsAreReadAsTheyCome(t *testing.T) {
	for _, c := range []struct{ who, header, row, want string }{
		{"ASTPP", "Code,Destination,Connection Cost,Grace Time,Cost / Min,Initial Increment,Increment", "39,Italy,0.02,0,0.03,30,6", "39 0.03 30/6 +0.02"},
		{"ASTPP with grace", "Code,Destination,Grace Time,Cost / Min,Increment", "39,Italy,5,0.03,6", `column 3 "Grace Time": found "5", expected nothing: the column is time that is not charged`},
		{"ASTPP's table", "pattern,comment,connectcost,includedseconds,cost,init_inc,inc", "^39.*,Italy,0.02,0,0.03,30,6", "39 0.03 30/6 +0.02"},
		{"included seconds", "pattern,comment,includedseconds,cost", "39,Italy,10,0.03", `"includedseconds": found "10"`},
		{"ASTPP in dollars", "Code,Destination,Cost / Min (USD)", "39,Italy,0.03", `"Cost / Min (USD)": found "Cost / Min (USD)", expected currency GBP, which the provider bills in: --rate USD=`},
		{"A2Billing", "dialprefix,destination,buyrate,buyrateinitblock,buyrateincrement,rateinitial,initblock,billingblock,connectcharge,disconnectcharge", "39,Italy,0.02,1,1,0.03,30,6,0.02,0", "39 0.03 30/6 +0.02"},
		{"A2Billing, a charge at the end", "dialprefix,destination,rateinitial,disconnectcharge", "39,Italy,0.03,0.01", `"disconnectcharge": found "0.01", expected nothing: the column is a further charge`},
		{"MagnusBilling", "Prefix;Destination;Sell price;Initblock;Billingblock;Minimum time to charge", "39;Italy;0.03;30;6;0", "39 0.03 30/6"},
		{"ivozprovider", "Target Pattern Name,Prefix,Per minute charge,Connection charge,Charge period", "Italy,+39,0.03,0.02,6", "39 0.03 6/6 +0.02"},
		{"FusionPBX", "digits,description,connect_rate,connect_increment,talk_rate,talk_increment,currency,date_start,enabled", "39,Italy,0,30,0.03,6,GBP,2026-01-01,true", "39 0.03 30/6"},
		{"FusionPBX, the whole table", "lcr_uuid,carrier_uuid,origination_digits,digits,lcr_direction,rate,currency,connect_rate,connect_increment,talk_increment,intrastate_rate,intralata_rate,lead_strip,trail_strip,prefix,suffix,lcr_profile,date_start,date_end,quality,reliability,cid,enabled,description", "5a1e-1,5a1e-2,,39,outbound,0.03,GBP,0,30,6,,,2,0,00,,default,2026-01-01 00:00:00,,0,0,,true,Italy", "39 0.03 30/6"},
		{"mod_lcr", "digits,rate,carrier_id,lead_strip,trail_strip,prefix,suffix,lcr_profile,date_start,date_end,quality,reliability,cid,enabled", "39,0.03,4,2,0,00,,0,2026-01-01,2030-01-01,0,0,,1", "39 0.03 1/1"},
		{"mod_lcr, within a state", "digits,rate,intrastate_rate,carrier_id,lead_strip,prefix", "1212,0.003,0.009,4,0,", `"intrastate_rate": found "0.009", expected a column that is understood`},
		{"FusionPBX, connecting", "digits,description,connect_rate,connect_increment,talk_rate,talk_increment", "39,Italy,0.02,30,0.03,6", `"connect_rate": found "0.02", expected nothing: the column is either a charge for each call or`},
		{"Kazoo", "prefix,iso_country_code,description,surcharge,rate_cost,rate_increment,rate_minimum,pvt_rate_cost,rate_nocharge_time,weight", "39,IT,Italy,0.02,0.03,6,30,0.01,0,20", "39 0.03 30/6 +0.02"},
		{"CGRateS", "#Tag,Prefix,ConnectFee,Rate,RateUnit,RateIncrement,GroupIntervalStart", "IT,39,0.02,0.0005,1s,6s,0s", "39 0.03 6/6 +0.02"},
		{"CGRateS, a later group", "#Tag,Prefix,Rate,RateUnit,RateIncrement,GroupIntervalStart", "IT,39,0.03,60s,6s,60s", `"GroupIntervalStart": found "60s"`},
		{"JeraSoft", "Code;Code Name;Rate;Setup Fee;Min Time;Interval;Grace Time;Effective Date", "39;Italy;0.03;0.02;30;6;0;2026-01-31", "39 0.03 30/6 +0.02"},
		{"JeraSoft, no minimum", "Code;Code Name;Rate;Min Time;Interval", "39;Italy;0.03;0;6", "39 0.03 6/6"},
		{"PyFreeBilling", "destination,prefix,rate,block_min_duration,minimal_time,init_block", "Italy,39,0.03,6,30,0.02", "39 0.03 30/6 +0.02"},
		{"Twilio", "ISO,Country,Description,Price / min,Prefixes", `IT,Italy,Italy - fixed,0.0300,"39, 3906"`, "39 0.03 1/1"},
		{"Telnyx", "Country,Destination,Prefix,Rate,Billing Interval", "Italy,Italy,39,0.03,30/6", "39 0.03 30/6"},
		{"whole prefixes called city codes", "Country,Destination,City Code,Rate,Min. Dur.,Incr.", "Italy,Italy,39,0.03,30,6", `column 3 "City Code": found "City Code", expected a column for the country code beside it`},
		{"country and area", "Destination;CC;NDC;New Price;Min.;Incr.;Valid from", "Italy;39;06;0.03;30;6;2026-01-31", "3906 0.03 30/6"},
		{"first and next unit", "Code,Destination,Rate,First Unit,Next Unit", "39,Italy,0.03,30,6", "39 0.03 30/6"},
		{"interval 1 and N", "Code,Destination,Rate,Interval 1,Interval N", "39,Italy,0.03,30,6", "39 0.03 30/6"},
		{"bill first, bill next", "Code,Destination,Rate,Bill First,Bill Next", "39,Italy,0.03,30,6", "39 0.03 30/6"},
		{"increment 1 and 2", "Code,Destination,Rate,Increment 1,Increment 2", "39,Italy,0.03,30,6", "39 0.03 30/6"},
		{"minimum seconds", "Code,Destination,Rate,Min charge (sec),Increment (sec)", "39,Italy,0.03,30,6", "39 0.03 30/6"},
		{"minimum beside an increment", "Code,Destination,Rate,Minimum,Increment", "39,Italy,0.03,30,6", "39 0.03 30/6"},
		{"minimum of money", "Code,Destination,Rate,Minimum,Increment", "39,Italy,0.03,0.05,6", "39 0.03 6/6 min 0.05"},
		{"minimum of either", "Code,Destination,Rate,Minimum", "39,Italy,0.03,30", `"Minimum": found "30", expected a minimum that says what it is of: --map "Minimum=first interval"`},
		{"minimum charge in seconds?", "Code,Destination,Rate,Minimum charge", "39,Italy,0.03,30", `"Minimum charge": found "30", expected a minimum that says what it is of`},
		{"minimum charge in pence", "Code,Destination,Rate (GBP),Minimum charge (p)", "39,Italy,0.03,30", "39 0.03 1/1 min 0.30"},
		{"rounding rules", "Code,Destination,Rate,Rounding Rules", "39,Italy,0.03,30/6", "39 0.03 30/6"},
		{"billing terms", "Code,Destination,Rate,Billing Terms", "39,Italy,0.03,30+6", "39 0.03 30/6"},
		{"increments in words", "Code,Destination,Rate,Billing", "39,Italy,0.03,per minute", "39 0.03 60/60"},
		{"increments with units", "Code,Destination,Rate,Billing Increment", "39,Italy,0.03,1 min / 30 sec", "39 0.03 60/30"},
		{"increments that agree", "Code,Destination,Rate,Min Duration,Billing Increment", "39,Italy,0.03,30,30/6", "39 0.03 30/6"},
		{"increments that do not", "Code,Destination,Rate,Min Duration,Billing Increment", "39,Italy,0.03,60,30/6", `"Billing Increment": found "30/6", expected the first increment that its own column has`},
		{"increments in minutes", "Code,Destination,Rate,Increment (min)", "39,Italy,0.03,1", `"Increment (min)": found "1", expected a column that is understood`},
		{"floats of a spreadsheet", "Code,Destination,Rate,Min Time,Interval", "39.0,Italy,0.03,30.0,6.0", "39 0.03 30/6"},
		{"dear first interval", "Code,Destination,Interval 1 Rate,Interval N Rate,Interval 1,Interval N", "39,Italy,0.09,0.03,30,6", "39 0.03 30/6 +0.03"},
		{"cheap first interval", "Code,Destination,Interval 1 Rate,Interval N Rate,Interval 1,Interval N", "39,Italy,0.01,0.03,30,6", `"Interval 1 Rate": found "0.01"`},
		{"surcharge", "Code,Destination,Rate,Surcharge", "39,Italy,0.03,0.02", "39 0.03 1/1 +0.02"},
		{"fee per call", "Code,Destination,Rate,Per call fee", "39,Italy,0.03,0.02", "39 0.03 1/1 +0.02"},
		{"PPM and PPC", "Code,Destination,PPM,PPC", "39,Italy,3,2", "39 0.03 1/1 +0.02"},
		{"per second", "Code,Destination,Rate per second", "39,Italy,0.0005", "39 0.03 1/1"},
		{"per sixty seconds", "Code,Destination,Rate / 60s", "39,Italy,0.03", "39 0.03 1/1"},
		{"per hour", "Code,Destination,Rate per hour", "39,Italy,1.8", "39 0.03 1/1"},
		{"second?", "Code,Destination,Rate (sec)", "39,Italy,0.0005", `"Rate (sec)": found "Rate (sec)", expected a price that says what it is for`},
		{"access charge", "Code,Destination,Rate,Access Charge (ppm)", "39,Italy,0.03,5", `"Access Charge (ppm)": found "5"`},
		{"connection charge a minute", "Code,Destination,Rate,Connection charge per minute", "39,Italy,0.03,5", `"Connection charge per minute"`},
		{"by origin, two rates", "Code,Destination,Rate EEA,Rate ROW", "39,Italy,0.03,0.5", `"Rate EEA": found "Rate EEA", expected the rate of every call`},
		{"by origin, one row", "Code,Destination,Rate,Origin", "39,Italy,0.03,EEA", `"Origin": found "EEA"`},
		{"every origin", "Code,Destination,Rate,Origin", "39,Italy,0.03,All", "39 0.03 1/1"},
		{"unknown number", "Code,Destination,Rate,Zuschlag", "39,Italy,0.03,0.5", `"Zuschlag": found "0.5", expected a column that is understood`},
		{"unknown words", "Code,Destination,Rate,Region group", "39,Italy,0.03,South", "39 0.03 1/1"},
		{"unknown and empty", "Code,Destination,Rate,Peak surcharge", "39,Italy,0.03,", "39 0.03 1/1"},
		{"no name, but values", "Code,Destination,Rate,", "39,Italy,0.03,0.5", `column 4: found "0.5"`},
		{"taxed", "Code,Destination,Rate,VAT", "39,Italy,0.03,20%", `"VAT": found "20%"`},
		{"rates for all hours and for each", "Code,Destination,Rate,Peak,Off-peak,Weekend", "39,Italy,0.03,0.04,0.03,0.02", `"Rate": found "Rate", expected a rate for all hours or one for each part of the week`},
		{"three times increments", "Code,Destination,Rate,Increment,First,Next", "39,Italy,0.03,6,30,6", `"Increment": found "Increment", expected first and further increments once`},
		{"code, name and description", "Code,Destination,Description,Rate,ASR,Notes,Old rate", "39,Italy,all of it,0.03,55%,since 2020,0.02", "39 0.03 1/1"},
		{"German", "Ziel;Vorwahl;Preis;Takt", "Italien;39;0,03;30/6", "39 0.03 30/6"},
		{"only a price", "Code;Destination;£/min", "39;Italy;0.03", "39 0.03 1/1"},
	} {
		im := ReadCSV([]byte(c.header+"\n"+c.row+"\n"), ReadOptions{At: noon, Kind: Retail})
		if got := outcome(im); got != c.want && !(strings.Contains(c.want, `"`) || strings.HasPrefix(c.want, "column")) || !strings.Contains(got, c.want) {
			t.Errorf("%s: %s\nwant %s", c.who, got, c.want)
		}
	}
}

// In a deck of costs the buying side counts, and a charge that only customers pay does not.
func TestCostsAreTheBuyingSide(t *testing.T) {
	file := []byte("dialprefix,destination,buyrate,buyrateinitblock,buyrateincrement,rateinitial,initblock,billingblock,connectcharge\n39,Italy,0.02,12,3,0.03,30,6,0.02\n")
	im := ReadCSV(file, ReadOptions{Kind: Cost})
	if got := outcome(im); got != "39 0.02 12/3" {
		t.Error(got)
	}
	if got := outcome(ReadCSV([]byte("Prefix,Sell rate\n39,0.03\n"), ReadOptions{Kind: Cost})); got != "39 0.03 1/1" {
		t.Error("a carrier's selling rate is our cost:", got)
	}
}

// A column that is said to be used is used, and every other is named.
func TestEveryColumnIsUsedOrNamed(t *testing.T) {
	im := ReadCSV([]byte("Code,Destination,Tag,Rate,Grace time,Region group,Setup fee\n39,Italy,x,0.03,0,South,0.02\n"), ReadOptions{})
	columns, ignored := strings.Join(im.Format.Columns, ", "), strings.Join(im.Format.Ignored, ", ")
	if columns != "Destination → name, Code → prefix, Rate → rate, Setup fee → connection charge" || ignored != "Tag, Grace time, Region group" {
		t.Errorf("%s; %s", columns, ignored)
	}
}

func mapping(t *testing.T, list ...string) Mapping {
	t.Helper()
	m, err := ParseMapping(list)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Columns are named by their header, their number or their letter, and need no header at all.
func TestMappingNamesColumns(t *testing.T) {
	for _, c := range []struct {
		name, file string
		mapping    []string
		want       string
	}{
		{"by name", "Code,Foo,Bar\n39,0.03,Italy\n", []string{"foo=rate", "Bar=name"}, "39 0.03 1/1"},
		{"with a unit", "Code,Foo\n39,3\n", []string{"Foo=rate (p)"}, "39 0.03 1/1"},
		{"by number", "Code,Name,Foo\n39,Italy,0.03\n", []string{"3=rate"}, "39 0.03 1/1"},
		{"by letter", "Code,Name,Foo\n39,Italy,0.03\n", []string{"C=rate"}, "39 0.03 1/1"},
		{"without a header", "39,Italy,0.03\n", []string{"1=prefix", "2=name", "3=rate"}, "39 0.03 1/1"},
		{"without a header, below a title", "Prices of 2026\n\n39;Italy;0,03;30;6\n", []string{"1=prefix", "2=name", "3=rate", "4=first interval", "5=sub interval"}, "39 0.03 30/6"},
		{"left out", "Code,Rate,Grace time\n39,0.03,5\n", []string{"Grace time=ignore"}, "39 0.03 1/1"},
		{"one of two", "Code,Rate,Price\n39,0.03,5\n", []string{"Price=ignore"}, "39 0.03 1/1"},
		{"a minimum", "Code,Rate,Minimum\n39,0.03,30\n", []string{"Minimum=first interval"}, "39 0.03 30/30"},
		{"a minimum charge", "Code,Rate,Minimum\n39,0.03,2\n", []string{"Minimum=minimum charge"}, "39 0.03 1/1 min 2.00"},
		{"a column that is not there", "Code,Rate\n39,0.03\n", []string{"Price=ignore"}, "there is none called Price"},
		{"a column that is not mapped", "39,Italy,0.03,5\n", []string{"1=prefix", "2=name", "3=rate"}, `column 4: found "5"`},
	} {
		if got := outcome(ReadCSV([]byte(c.file), ReadOptions{Mapping: mapping(t, c.mapping...)})); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	for _, bad := range []string{"", "x", "=rate", "Foo=", "Foo=bar", "Foo=grace time"} {
		if _, err := ParseMapping([]string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, err := ParseMapping([]string{"a=rate", "A=name"}); err == nil {
		t.Error("a column is mapped twice")
	}
	m := mapping(t, "Preis=rate (p)", "3=ignore")
	if back := mapping(t, strings.Split(m.String(), "\n")...); back.String() != m.String() {
		t.Error(back)
	}
}

func currency(t *testing.T, code string) money.Currency {
	t.Helper()
	c, err := money.CurrencyOf(code)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A deck in another currency is refused or converted, signs do not mix, and pence are not pounds.
func TestCurrencies(t *testing.T) {
	usd, err := money.ParseExchange("USD=0.79")
	if err != nil {
		t.Fatal(err)
	}
	euro := ReadOptions{Billing: currency(t, "EUR")}
	for _, c := range []struct {
		name, file string
		opt        ReadOptions
		want       string
	}{
		{"nothing said", "Code,Rate\n39,0.03\n", ReadOptions{}, "39 0.03 1/1"},
		{"our sign", "Code,Rate\n39,£0.03\n40,0.04 GBP\n", ReadOptions{}, "39 0.03 1/1"},
		{"another sign", "Code,Rate\n39,$0.03\n", ReadOptions{}, `found "$0.03", expected currency GBP, which the provider bills in: --rate USD=1.23 converts`},
		{"another code", "Code,Rate\n39,0.03 EUR\n", ReadOptions{}, `found "0.03 EUR", expected currency GBP`},
		{"another in the header", "Code,Rate in US$\n39,0.03\n", ReadOptions{}, "expected currency GBP"},
		{"another in a column", "Code,Rate,Currency\n39,0.03,USD\n", ReadOptions{}, `"Currency": found "USD", expected currency GBP`},
		{"no such", "Code,Rate,Currency\n39,0.03,QQQ\n", ReadOptions{}, "a currency of three letters"},
		{"mixed signs", "Code,Rate\n39,£0.03\n40,€0.03\n", ReadOptions{}, `line 3, column 2 "Rate": found "€0.03"`},
		{"mixed columns", "Code,Rate (GBP),Setup fee (EUR)\n39,0.03,1\n", ReadOptions{}, `"Setup fee (EUR)"`},
		{"ours is the euro", "Code,Rate\n39,€0.03\n", euro, "39 0.03 1/1"},
		{"ours is the euro, pounds", "Code,Rate\n39,£0.03\n", euro, "expected currency EUR"},
		{"ours is the euro, pence", "Code,Rate (p/min)\n39,3\n", euro, "expected currency EUR"},
		{"ours is the euro, cents", "Code,Rate (cents/min)\n39,3\n", euro, "39 0.03 1/1"},
		{"converted", "Code,Rate (USD),Setup fee\n39,0.03,0.1\n", ReadOptions{Exchange: usd}, "39 0.0237 1/1 +0.079"},
		{"converted, not said", "Code,Rate\n39,0.03\n", ReadOptions{Exchange: usd}, "39 0.0237 1/1"},
		{"converted, but ours", "Code,Rate\n39,£0.03\n", ReadOptions{Exchange: usd}, "expected currency USD"},
		{"converted from our own", "Code,Rate\n39,0.03\n", ReadOptions{Exchange: money.Exchange{From: "GBP", Rate: 1}}, "no exchange rate"},
		{"said to be another", "Code,Rate\n39,0.03\n", ReadOptions{Currency: "USD"}, "expected currency USD, which the provider bills in"},
		{"pence in a cell", "Code,Rate\n39,3p\n", ReadOptions{}, "39 0.03 1/1"},
		{"pence in some cells", "Code,Rate\n39,3p\n40,0.04\n", ReadOptions{}, "one unit in the whole column"},
		{"pence in some columns", "Code,Rate (p),Setup fee\n39,3,2\n", ReadOptions{}, `"Setup fee": found "2", expected a unit`},
		{"pence in the header, a pound in a cell", "Code,Rate (p)\n39,£0.03\n", ReadOptions{}, "hundredths, as the header says"},
		{"GBX", "Code,Rate (GBX)\n39,3\n", ReadOptions{}, "39 0.03 1/1"},
	} {
		if got := outcome(ReadCSV([]byte(c.file), c.opt)); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// A spreadsheet that shows prefixes with thousands separators has made other prefixes of them.
func TestThousandsInPrefixesAreFaults(t *testing.T) {
	for _, prefix := range []string{"1,242", "1,242,357", "44,207", "447,448", "12,42,357", "+1,242", "44.20", "1 242", "1'242", "1.242.357", "4.4E+11", "1,242; 33"} {
		im := ReadCSV([]byte("Code;Destination;Rate\n\""+prefix+"\";x;0.03\n"), ReadOptions{})
		if im.OK() || !strings.Contains(outcome(im), prefix) {
			t.Errorf("%s: %s", prefix, outcome(im))
		}
	}
	for prefix, n := range map[string]int{"1242, 1268": 2, "7940,7941": 2, "33, 339": 2, "1242\n1268": 2, "1242;1268": 2, "44,7940-7943": 5} {
		im := ReadCSV([]byte("Code,Destination,Rate\n\""+prefix+"\",x,0.03\n"), ReadOptions{})
		if !im.OK() || len(im.Prices) != n {
			t.Errorf("%s: %v %d", prefix, im.Faults, len(im.Prices))
		}
	}
}

func TestUTF16IsRead(t *testing.T) {
	const text = "Code\tDestination\tRate\n262\tRéunion\t0.03\n"
	for name, enc := range map[string]unicode.BOMPolicy{"with a mark": unicode.UseBOM, "without": unicode.IgnoreBOM} {
		for _, end := range []unicode.Endianness{unicode.LittleEndian, unicode.BigEndian} {
			data, err := unicode.UTF16(end, enc).NewEncoder().Bytes([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			im := ReadCSV(data, ReadOptions{})
			if !im.OK() || im.Prices[0].Name != "Réunion" || len(im.Warnings) == 0 || !strings.Contains(im.Warnings[0].Text, "read as UTF-16") {
				t.Errorf("%s: %v", name, im.Faults)
			}
		}
	}
}
