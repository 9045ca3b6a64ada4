package phone_test

import (
	"bufio"
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	. "ringfence/core/phone"
)

func TestDialledAsPeopleDial(t *testing.T) {
	checkDialled(t, []dialled{
		{"020 7946 0000", "+442079460000", Geographic, "GB", true},
		{"(020) 7946-0000", "+442079460000", Geographic, "GB", true},
		{"020.7946.0000", "+442079460000", Geographic, "GB", true},
		{"+44 (0)20 7946 0000", "+442079460000", Geographic, "GB", true},
		{"+44 20 7946 0000", "+442079460000", Geographic, "GB", true},
		{" +44-20-7946-0000 ", "+442079460000", Geographic, "GB", true},
		{"+4402079460000", "+442079460000", Geographic, "GB", true},
		{"0044 20 7946 0000", "+442079460000", Geographic, "GB", true},
		{"00440 20 7946 0000", "+442079460000", Geographic, "GB", true},
		{"442079460000", "+442079460000", Geographic, "GB", true},
		{"01697 73555", "+44169773555", Geographic, "GB", true}, // Brampton: nine national digits
		{"0345 123 4567", "+443451234567", UKWide, "GB", true},
		{"07700 900123", "+447700900123", Mobile, "GB", true},
		{"070 1234 5678", "+447012345678", Personal, "GB", true},
		{"076 1234 5678", "+447612345678", Pager, "GB", true},
		{"0555 512 3456", "+445555123456", VoIP, "GB", true},
		{"0560 123 4567", "+445601234567", VoIP, "GB", true},
		{"0800 123 4567", "+448001234567", Freephone, "GB", true},
		{"0800 123 456", "+44800123456", Freephone, "GB", true}, // nine national digits, closed ranges of BT
		{"0800 1111", "+448001111", Freephone, "GB", true},
		{"0808 157 0192", "+448081570192", Freephone, "GB", true},
		{"0844 123 4567", "+448441234567", Revenue084, "GB", true},
		{"0845 46 47", "+448454647", Revenue084, "GB", true},
		{"0871 123 4567", "+448711234567", Revenue087, "GB", true},
		{"0909 123 4567", "+449091234567", Premium, "GB", true},
		{"0982 123 4567", "+449821234567", Premium, "GB", true},
		{"118 500", "118500", Directory, "GB", true},
		{"116123", "116123", Freephone, "GB", true},
		{"101", "101", Service, "GB", true},
		{"111", "111", Service, "GB", true},
		{"999", "999", Emergency, "GB", true},
		{"020/7946/0000", "+442079460000", Geographic, "GB", true},
		{"[020] 7946_0000", "+442079460000", Geographic, "GB", true},
		{"020 7946 0000#", "+442079460000", Geographic, "GB", true},
		{"tel:020-7946-0000", "+442079460000", Geographic, "GB", true},
		{"TEL:+44(0)2079460000", "+442079460000", Geographic, "GB", true},
		{"0044(0)20 7946 0000", "+442079460000", Geographic, "GB", true},
		{"0044 (0) 20 7946 0000", "+442079460000", Geographic, "GB", true},
		{"０２０－７９４６－００００", "+442079460000", Geographic, "GB", true},
		{"＋44（0）20．7946．0000", "+442079460000", Geographic, "GB", true},
		{"٠٢٠ ٧٩٤٦ ٠٠٠٠", "+442079460000", Geographic, "GB", true},
		{"020\u00a07946\u20110000", "+442079460000", Geographic, "GB", true},
		{"\u202a+44 20 7946 0000\u202c", "+442079460000", Geographic, "GB", true},
		{"0800 111 111", "+44800111111", Freephone, "GB", true}, // begins like Childline's
		{"056 1234 5678", "+445612345678", VoIP, "GB", true},
		{"9 9 9", "999", Emergency, "GB", true},
		{"112", "112", Emergency, "GB", true},
		{"18000", "18000", Emergency, "GB", true},
		{"+44999", "999", Emergency, "GB", true}, // what a switch makes of 999 that rewrites all it is given
		{"+112", "112", Emergency, "GB", true},
		{"0044112", "112", Emergency, "GB", true},
		{"01534 712345", "+441534712345", Geographic, "JE", true},
		{"07797 712345", "+447797712345", Mobile, "JE", true},
		{"01481 712345", "+441481712345", Geographic, "GG", true},
		{"07781 123456", "+447781123456", Mobile, "GG", true},
		{"01624 712345", "+441624712345", Geographic, "IM", true},
		{"07624 312345", "+447624312345", Mobile, "IM", true},
	})
}

func TestDialledAbroad(t *testing.T) {
	checkDialled(t, []dialled{
		{"00 33 1 42 68 53 00", "+33142685300", IntlFixed, "FR", false},
		{"+33 (0)1 42 68 53 00", "+33142685300", IntlFixed, "FR", false},
		{"0033(0)142685300", "+33142685300", IntlFixed, "FR", false},
		{"+39 (0)6 1234 5678", "+390612345678", IntlFixed, "IT", false}, // keeps its zero
		{"+33 6 12 34 56 78", "+33612345678", IntlMobile, "FR", false},
		{"+1 212 555 1234", "+12125551234", IntlFixed, "US", false},
		{"+1 416 555 1234", "+14165551234", IntlFixed, "CA", false},
		{"+1 876 926 1234", "+18769261234", IntlFixed, "JM", false},
		{"+1 809 220 1111", "+18092201111", IntlFixed, "DO", false},
		{"+1 900 234 5678", "+19002345678", IntlPremium, "US", false},
		{"+1 800 234 5678", "+18002345678", IntlFreephone, "US", false},
		{"+7 916 123 4567", "+79161234567", IntlMobile, "RU", false},
		{"+7 701 234 5678", "+77012345678", IntlMobile, "KZ", false},
		{"+39 06 6988 3511", "+390669883511", IntlFixed, "VA", false},
		{"+39 06 1234 5678", "+390612345678", IntlFixed, "IT", false},
		{"+61 8 9164 1234", "+61891641234", IntlFixed, "CX", false},
		{"+61 2 9374 4000", "+61293744000", IntlFixed, "AU", false},
		{"+212 5 20 12 34 56", "+212520123456", IntlFixed, "MA", false},
		{"+262 262 12 34 56", "+262262123456", IntlFixed, "RE", false},
		{"+262 269 60 12 34", "+262269601234", IntlFixed, "YT", false},
		{"+358 18 12345", "+3581812345", IntlFixed, "AX", false},
		{"+590 590 20 12 34", "+590590201234", IntlFixed, "GP", false},
		{"+599 9 435 1234", "+59994351234", IntlFixed, "CW", false},
		{"+870 773 123456", "+870773123456", Satellite, "001", false},
		{"+881 6 1234 5678", "+881612345678", Satellite, "001", false},
		{"+883 5100 1234 5678", "+883510012345678", Satellite, "001", false},
		{"+979 123 456 789", "+979123456789", IntlPremium, "001", false},
		{"+800 1234 5678", "+80012345678", IntlFreephone, "001", false},
	})
}

// A switch that bars a kind of number is worth nothing if another way to dial the same number is of another kind.
func TestNumbersWithASwitchInEveryForm(t *testing.T) {
	world := func(number string, class Class, forms ...string) (all []dialled) {
		for _, f := range forms {
			all = append(all, dialled{f, number, class, "001", false})
		}
		return all
	}
	home := func(number string, class Class, forms ...string) (all []dialled) {
		for _, f := range forms {
			all = append(all, dialled{f, number, class, "GB", true})
		}
		return all
	}
	checkDialled(t, slices.Concat(
		world("+870773123456", Satellite, "00870773123456", "00 870 773 123456", "+870 (773) 123456", "+870-773.123456"),
		world("+881612345678", Satellite, "00881612345678", "00 8816 1234 5678", "+8816 12345678"),
		world("+88216123456", Satellite, "0088216123456", "00 882 16 123456", "+882 16 123456"),
		world("+883510012345678", Satellite, "00883510012345678", "+883 5100 1234 5678"),
		world("+878101234567890", Satellite, "00878101234567890", "+878 10 1234567890"),
		world("+88812345678901", Satellite, "0088812345678901", "+888 12345678901"),
		world("+979123456789", IntlPremium, "00979123456789", "+979 1 2345 6789"),
		world("+80812345678", IntlShared, "0080812345678", "+808 1234 5678"),
		world("+80012345678", IntlFreephone, "0080012345678", "+800 1234 5678"),
		home("+447012345678", Personal, "07012345678", "070 1234 5678", "00447012345678", "00 44 70 1234 5678", "+44 (0)70 1234 5678", "+4407012345678",
			"004407012345678", "447012345678"),
		home("+447640123456", Pager, "07640123456", "076 4012 3456", "00447640123456", "+44 (0)76 4012 3456", "+447640123456", "0044 0 7640 123456", "447640123456"),
	))
	for _, nobody := range []string{"00991 123 456 789", "+991123456789", "870773123456", "881612345678", "000870773123456", "0 00870773123456", "+00870773123456"} {
		if d, problem := UK().Parse(nobody); problem == NoProblem {
			t.Errorf("%s is %v", nobody, d)
		}
	}
}

// dialled is what somebody dials and what it must be understood as.
type dialled struct {
	dialled, number string
	class           Class
	country         string
	national        bool
}

func checkDialled(t *testing.T, table []dialled) {
	t.Helper()
	for _, c := range table {
		d, problem := UK().Parse(c.dialled)
		if problem != NoProblem || d.Number.String() != c.number || d.Class != c.class || d.Country.String() != c.country || d.National != c.national {
			t.Errorf("%s: %s %s %s national %t, %s; want %s %s %s %t", c.dialled, d.Number, d.Class, d.Country, d.National, problem,
				c.number, c.class, c.country, c.national)
		}
	}
}

func TestRefusedWithItsReason(t *testing.T) {
	for _, c := range []struct {
		dialled string
		want    Problem
	}{
		{"", Empty},
		{" ", Empty},
		{"+", Empty},
		{"()", Empty},
		{"02079460000x", BadCharacter},
		{"alice", BadCharacter},
		{"0207946000\x00", BadCharacter},
		{"*99#", BadCharacter},
		{"++442079460000", BadCharacter},
		{"0+2079460000", BadCharacter},
		{"020\t7946", BadCharacter},
		{"020,7946", BadCharacter},
		{strings.Repeat("0", 41), TooLong},
		{strings.Repeat(" ", 129), TooLong},
		{"+3314268530012345", TooLong},
		{"0" + strings.Repeat("2", 15), TooLong},
		{"020 7946 000", TooShort},
		{"0800 12345", TooShort},
		{"00 33 1 42", TooShort},
		{"+33", TooShort},
		{"00", TooShort},
		{"0", TooShort},
		{"+44", TooShort},
		{"00 0 46 8 121 185 32", NoCountry},
		{"+0", NoCountry},
		{"00 210 123", NoCountry},
		{"+999 123", NoCountry},
		{"020 7946 00000", NoRange},
		{"0300 12345678", NoRange},
		{"0808 12345678", NoRange},
		{"04 1234 5678", NoRange},
		{"0500 123456", NoRange},
		{"0600 123 4567", NoRange},
		{"0897 900 1234", NoRange},
		{"0301 123 4567", NoRange},
		{"+33 0 1 42 68 53 00", NoRange},
		{"+1 146 812 1185", NoRange},
		{"0442079460000", NoRange},
		{"+44 00 46 812 118 532", NoRange},
		{"4402079460000", NoRange},
		{"2079460000", NoPrefix},
		{"46812118532", NoPrefix},
		{"9020 7946 0000", NoPrefix},
		{"1234", NoPrefix},
		{"9999", NoPrefix},
		{"12125551234", NoPrefix},
		{"020\u20e37946", BadCharacter}, // a key cap's frame
		{"020794600\xa0", BadCharacter}, // no UTF-8
		{"tel:", BadCharacter},
		{"tel:tel:02079460000", BadCharacter},
		{"sip:02079460000", BadCharacter},
		{"02079460000*", BadCharacter},
		{"02079460000##", BadCharacter},
		{"020#79460000", BadCharacter},
		{"#02079460000", BadCharacter},
		{"*21*02079460000#", BadCharacter},
		{"#31#02079460000", BadCharacter},
		{"*67 02079460000", BadCharacter},
		{"02079460000p22", BadCharacter},
		{"02079460000,22", BadCharacter},
		{"02079460000;ext=1", BadCharacter},
		{"+33 (0)1 42 68 53 0", NoRange},
		{"+49 (0)0 30 123456", NoRange},
		{"+1 (0)212 555 1234 5", NoRange},
		{"1471", NoService},
		{"1477#", NoService},
		{"1 4 7 9", NoService},
		{"1571", NoService},
		{"141 1471", NoService},
		{"141", TooShort},
		{"1470", TooShort},
		{"18001", TooShort},
		{"1280 141", TooShort},
		{"141 2079460000", NoPrefix}, // without its 0
		{"14719", NoPrefix},
		{"141 141 020 7946 0000", NoPrefix},
		{"141 1470 020 7946 0000", NoPrefix},
		{"18001 18002 020 7946 0000", NoPrefix},
		{"1280 1280 020 7946 0000", NoPrefix},
		{"18000 020 7946 0000", NoPrefix},
		{"18003 020 7946 0000", NoPrefix},
		{"1+4120 7946 0000", BadCharacter},
		{"141 0+20 7946 0000", BadCharacter},
		{"+141 020 7946 0000", NoRange}, // of the United States
		{"00141 020 7946 0000", NoRange},
		{"0141 020 7946 0000", TooLong},
	} {
		if d, problem := UK().Parse(c.dialled); problem != c.want || d != (Destination{}) {
			t.Errorf("%q: %v (%s), want %s", c.dialled, d, problem, c.want)
		}
	}
}

// What attackers dialled, row by row. Two of them are no tricks: plain 00 and a valid number, for policy and price to judge.
func TestWhatAttackersDialled(t *testing.T) {
	verdicts := map[string]string{
		"0046812118532":     "+46812118532", // 00 and a valid Stockholm number
		"0034688886392":     "+34688886392", // 00 and a valid Spanish mobile
		"14500972598112101": "",             // junk, 00, number
		"00046500729221":    "",             // a third zero
		"981046500729221":   "",             // 9, Russian 810, number
		"81046500729221":    "",
		"8784946812410967":  "",
		"0075346850780296":  "", // 00 7 and 13 digits: Russia has 10
		"76000046850780294": "",
		"00034688886392":    "",
	}
	for dialled, want := range verdicts {
		checkAttack(t, dialled, want)
	}
	file := shared(t, "data/attack/dialled_strings.tsv")
	lines := bufio.NewScanner(strings.NewReader(string(file)))
	for lines.Scan() {
		dialled, _, _ := strings.Cut(lines.Text(), "\t")
		if dialled == "dialled" {
			continue
		}
		want, known := verdicts[dialled]
		if !known {
			t.Errorf("nobody has decided about %s", dialled)
			continue
		}
		checkAttack(t, dialled, want)
	}
}

func checkAttack(t *testing.T, dialled, want string) {
	t.Helper()
	d, problem := UK().Parse(dialled)
	if d.Number.String() != want || (problem == NoProblem) != (want != "") {
		t.Errorf("%s: %s (%s), want %q", dialled, d.Number, problem, want)
	}
}

// shared reads a file of the folder beside the module, which not everybody has.
func shared(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", filepath.FromSlash(path)))
	if err != nil {
		t.Skip("no shared test data here: ", err)
	}
	return data
}

// Every block that Ofcom has allocated is understood with its class and length; digits too few or too many are refused.
func TestOfcomBlocks(t *testing.T) {
	classes := []struct {
		prefix string
		class  Class
	}{ // the first that fits
		{"3", UKWide},
		{"5", VoIP},
		{"70", Personal},
		{"7624", Mobile},
		{"76", Pager},
		{"7", Mobile},
		{"80", Freephone},
		{"84", Revenue084},
		{"87", Revenue087},
		{"9", Premium},
	}
	blocks := 0
	for _, sheet := range []string{"S3", "S5", "S7", "S8", "S9"} {
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(shared(t, "data/numbering/ofcom/"+sheet+".csv")), "\ufeff"))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[1:] {
			block, status := strings.ReplaceAll(row[0], " ", ""), row[1]
			if !strings.HasPrefix(status, "Allocated") {
				continue
			}
			if strings.HasPrefix(block, "89") {
				continue // routing codes between networks: nobody dials them
			}
			blocks++
			length, _ := strconv.Atoi(strings.Fields(row[3])[0])
			var want Class
			for _, c := range classes {
				if strings.HasPrefix(block, c.prefix) {
					want = c.class
					break
				}
			}
			number := "0" + block + "0000000"[:length-len(block)]
			if d, problem := UK().Parse(number); problem != NoProblem || d.Class != want || !d.National {
				t.Errorf("%s of block %s: %s (%s), want %s", number, row[0], d.Class, problem, want)
			}
			if _, problem := UK().Parse(number + "0000"); problem == NoProblem {
				t.Errorf("%s0000 is too long for block %s", number, row[0])
			}
			if _, problem := UK().Parse(number[:6]); problem == NoProblem {
				t.Errorf("%s is too short for block %s", number[:6], row[0])
			}
		}
	}
	if blocks < 20_000 {
		t.Errorf("only %d blocks looked at", blocks)
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	for _, dialled := range []string{"020 7946 0000", "00 33 6 12 34 56 78", "118500", "00046500729221", "141 020 7946 0000", "+49 (0)30 123456", "０２０ 7946 0000", "141999#"} {
		if n := testing.AllocsPerRun(100, func() { UK().Parse(dialled) }); n != 0 {
			t.Errorf("%s: %v allocations", dialled, n)
		}
	}
}

// Plans of other countries come from configuration, and take their classes from the world table when they give no ranges.
func TestOtherHomePlans(t *testing.T) {
	us, err := NewPlan(PlanConfig{Country: "US", Together: []string{"PR"}, Code: 1, Trunk: "1", International: "011", Short: []Short{{Digits: "911", Class: Emergency}}})
	if err != nil {
		t.Fatal(err)
	}
	italy, err := NewPlan(PlanConfig{Country: "IT", Code: 39, International: "00", Short: []Short{{Digits: "112", Class: Emergency}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		plan            *Plan
		dialled, number string
		class           Class
		national        bool
	}{
		{us, "1 212 555 1234", "+12125551234", Geographic, true},
		{us, "+1 800 234 5678", "+18002345678", Freephone, true},
		{us, "1 876 926 1234", "+18769261234", IntlFixed, false}, // Jamaica is dialled like home and is not
		{us, "011 44 20 7946 0000", "+442079460000", IntlFixed, false},
		{us, "911", "911", Emergency, true},
		{us, "1911", "911", Emergency, true},
		{us, "+1 911", "911", Emergency, true},
		{us, "+911", "911", Emergency, true},
		{us, "011 1 911", "911", Emergency, true},
		{italy, "+112", "112", Emergency, true},
		{italy, "+39 112#", "112", Emergency, true},
		{italy, "0039112", "112", Emergency, true},
		{italy, "06 1234 5678", "+390612345678", Geographic, true}, // keeps its zero
		{italy, "347 123 4567", "+393471234567", Mobile, true},
		{italy, "+39 06 1234 5678", "+390612345678", Geographic, true},
		{italy, "00 44 7400 123456", "+447400123456", IntlMobile, false},
		{italy, "112", "112", Emergency, true},
	} {
		d, problem := c.plan.Parse(c.dialled)
		if problem != NoProblem || d.Number.String() != c.number || d.Class != c.class || d.National != c.national {
			t.Errorf("%s: %s %s %t (%s), want %s %s %t", c.dialled, d.Number, d.Class, d.National, problem, c.number, c.class, c.national)
		}
	}
	if _, problem := us.Parse("212 555 1234"); problem != NoPrefix {
		t.Errorf("without trunk prefix: %s", problem)
	}
}

func TestWrongPlansAreRefused(t *testing.T) {
	for name, c := range map[string]func(*PlanConfig){
		"country":            func(c *PlanConfig) { c.Country = "uk" },
		"code":               func(c *PlanConfig) { c.Code = 210 },
		"huge code":          func(c *PlanConfig) { c.Code = 65000 },
		"no international":   func(c *PlanConfig) { c.International = "" },
		"trunk":              func(c *PlanConfig) { c.Trunk = "o" },
		"no emergency":       func(c *PlanConfig) { c.Short = nil },
		"short with zero":    func(c *PlanConfig) { c.Short = append(c.Short, Short{Digits: "0999", Class: Service}) },
		"class from abroad":  func(c *PlanConfig) { c.Ranges[0].Class = IntlFixed },
		"range twice":        func(c *PlanConfig) { c.Ranges = append(c.Ranges, c.Ranges[0]) },
		"range of letters":   func(c *PlanConfig) { c.Ranges[0].Prefix = "1x" },
		"range without size": func(c *PlanConfig) { c.Ranges[0].Lengths = nil },
		"length too great":   func(c *PlanConfig) { c.Ranges[0].Lengths = []int{14} },
		"code like home":     func(c *PlanConfig) { c.Codes = append(c.Codes, Code{Digits: "44"}) },
		"code with zero":     func(c *PlanConfig) { c.Codes = append(c.Codes, Code{Digits: "0141"}) },
		"code within code":   func(c *PlanConfig) { c.Codes = append(c.Codes, Code{Digits: "1800"}) },
		"code, no trunk":     func(c *PlanConfig) { c.Trunk = "" },
		"absent and not":     func(c *PlanConfig) { c.Short = append(c.Short, Short{Digits: "1", Class: ClassUnknown}) },
		"negative length":    func(c *PlanConfig) { c.Ranges[0].Lengths = []int{-1} },
		"range's country":    func(c *PlanConfig) { c.Ranges[0].Country = "X" },
	} {
		config := UKConfig()
		c(&config)
		if _, err := NewPlan(config); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestStoredNumbers(t *testing.T) {
	for _, c := range []struct {
		text string
		ok   bool
	}{
		{"+442079460000", true},
		{"999", true},
		{"118500", true},
		{"+883510012345678", true},
		{"", false},
		{"+", false},
		{"+0442079460000", false},
		{"+2102345678", false},
		{"+1234567890123456", false},
		{"099", false},
		{"12345678", false},
		{"+44x", false},
	} {
		n, ok := FromString(c.text)
		if ok != c.ok || ok && n.String() != c.text {
			t.Errorf("%q: %q %t", c.text, n, ok)
		}
	}
	for _, digits := range []uint64{0, 1, 999, 2_102_345_678, 1e15} {
		if n, ok := FromDigits(digits); ok {
			t.Errorf("%d: %s", digits, n)
		}
	}
	if n, ok := FromDigits(442079460000); !ok || n.Short() || n.String() != "+442079460000" {
		t.Errorf("%s %t", n, ok)
	}
}

func TestNamesAreStableAndComplete(t *testing.T) {
	seen := map[string]bool{}
	for c := range NumClasses {
		text, _ := c.MarshalText()
		var back Class
		if err := back.UnmarshalText(text); err != nil || back != c || c.String() == "" || seen[c.String()] {
			t.Errorf("class %d: %q", c, text)
		}
		seen[c.String()] = true
	}
	for p := range NumProblems {
		if p.String() == "" || seen[p.String()] {
			t.Errorf("problem %d: %q", p, p)
		}
		seen[p.String()] = true
	}
	if _, ok := ParseClass(""); ok {
		t.Error("a class without a name")
	}
	for name, c := range map[string]Class{"emergency": Emergency, "mobile": Mobile, "intl-premium": IntlPremium} {
		if c.String() != name {
			t.Errorf("%s is called %s: names are kept in records", name, c)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"020 7946 0000", "+44 (0)20 7946 0000", "00046500729221", "999", "+979123456789", "((((0", "+390669883511", "141 020 7946 0000", "18001999#", "+49 (0)30 123456", "０２０ ٧٩٤٦", "1471"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, dialled string) {
		d, problem := UK().Parse(dialled)
		for _, code := range []string{"141", "1470", "1280", "18001", "18002"} {
			behind, p := UK().Parse(code + dialled)
			if p == NoProblem && (problem != NoProblem || behind.Number != d.Number || behind.Class != d.Class || behind.Country != d.Country) {
				t.Fatalf("%q is %v (%s), and behind %s it is %v", dialled, d, problem, code, behind)
			}
			if p != NoProblem && d.Class == Emergency && len(code+dialled) < 40 && !strings.EqualFold(dialled[:min(4, len(dialled))], "tel:") {
				t.Fatalf("%q is a call for help, and behind %s it is none: %s", dialled, code, p)
			}
		}
		if problem != NoProblem {
			if d != (Destination{}) || problem >= NumProblems {
				t.Fatalf("%q: refused (%d) with %v", dialled, problem, d)
			}
			return
		}
		if d.Class == ClassUnknown || d.Class >= NumClasses || d.Number.IsZero() || len(d.Country.String()) < 2 {
			t.Fatalf("%q: %+v", dialled, d)
		}
		d.Show, d.Relay = AsSet, 0 // of a code before the number
		if again, p := UK().Parse(d.Number.String()); p != NoProblem || again != d {
			t.Fatalf("%q is %v, which is %v (%s) when dialled", dialled, d, again, p)
		}
		if back, ok := FromString(d.Number.String()); !ok || back != d.Number {
			t.Fatalf("%q: %v does not come back from its text", dialled, d.Number)
		}
		var digits strings.Builder
		for _, c := range dialled {
			if unicode.IsDigit(c) {
				digits.WriteByte('0' + value(c))
			}
		}
		kept := strings.TrimPrefix(strings.TrimPrefix(d.Number.String(), "+"), "44")
		if zero := strings.Index(dialled, "(0)"); !strings.HasSuffix(digits.String(), kept) && zero < 0 {
			t.Fatalf("%q became %v: digits were cut off", dialled, d.Number)
		}
	})
}

// value finds the 0 of a digit's script, which stands at most nine before it, and only digits between.
func value(c rune) byte {
	if c >= 0x1d7ce && c <= 0x1d7ff { // five scripts in a row
		return byte((c - 0x1d7ce) % 10)
	}
	zero := c
	for unicode.IsDigit(zero - 1) {
		zero--
	}
	return byte((c - zero) % 10)
}

// Digits of every script, alone and among others, are what they are called.
func TestDigitsOfEveryScript(t *testing.T) {
	scripts := 0
	for c := rune(0x80); c <= unicode.MaxRune; c++ {
		if !unicode.Is(unicode.Nd, c) {
			continue
		}
		scripts++
		want := "+4420794600" + string('0'+rune(value(c))) + "0"
		if d, problem := UK().Parse("020 7946 00" + string(c) + "0"); d.Number.String() != want {
			t.Errorf("%c (%U): %s (%s), want %s", c, c, d.Number, problem, want)
		}
	}
	if scripts < 500 {
		t.Errorf("%d digits looked at", scripts)
	}
}

// Those who need help reach it however the number is written, and whatever is put before it out of habit.
func TestEmergencyInEveryForm(t *testing.T) {
	for number, forms := range map[string][]string{
		"999": {
			"999", "999#", "999*", "999##", "999*#", "9-9-9", "9.9.9", "(999)", "+999", "00999", "0999", "tel:999", "TEL:9-9-9", "+44999", "+44 (0)999", "+44(0)999",
			"+44 0999", "0044999", "0044(0)999", "0044 (0) 999#", "44999", "141999", "141 999", "1470999", "1280999", "141141999", "1411470999", "999 ",
			"18001 999", "18002999#", "141 18001 999", "141+44999", "９９９", "٩٩٩", "9\u00a09\u00a09", "\u202a999\u202c", "999＃", "+44\u2011999", "9/9/9", "tel:+44-(0)-999",
		},
		"112":   {"112", "112#", "112*", "+112", "00112", "0112", "+44 (0)112", "0044112", "141112", "1470112", "1280 112", "18001112", "１１２", "[112]", "1 1 2 #"},
		"18000": {"18000", "18000#", "+4418000", "018000", "14118000", "1 8000", "+44 (0)18000"},
	} {
		for _, dialled := range forms {
			if d, problem := UK().Parse(dialled); problem != NoProblem || d.Number.String() != number || d.Class != Emergency || !d.National || d.Show != AsSet || !UK().IsEmergency(dialled) {
				t.Errorf("%q: %+v (%s)", dialled, d, problem)
			}
		}
	}
}

// An emergency number with something behind it is none, and opens the way to nothing else.
func TestMoreThanAnEmergencyNumber(t *testing.T) {
	for _, other := range []string{"0141 999", "+44 141 999", "01280 999", "01470 112", "+1 470 999", "+1 800 1 999", "00 1 800 2 999", "00 1 412 112", "000999", "++999", "9+99", "14+1999"} {
		if d, problem := UK().Parse(other); problem == NoProblem {
			t.Errorf("%s is %v: it is the beginning of another number, or none", other, d)
		}
	}
	for _, help := range []string{"999", "112", "18000", "141999", "18001999", "+44999", "0044(0)112", "999#", "112*"} {
		for _, more := range []string{"0", "9", "00 33 1 42 68 53 00", "0909 879 0123", "+979123456789", "02079460000", "#0033142685300", ";0033142685300", "p0033142685300", "141"} {
			if d, problem := UK().Parse(help + more); problem == NoProblem || UK().IsEmergency(help+more) {
				t.Errorf("%s%s is %v", help, more, d)
			}
		}
	}
}

// Codes before a number change who sees the caller's, and what a carrier serves; never what is called and how dear it is.
func TestCodesBeforeNumbers(t *testing.T) {
	numbers := []string{
		"020 7946 0000", "+44 20 7946 0000", "0044(0)2079460000", "442079460000", "07700 900123", "0909 879 0123", "070 1234 5678", "0871 123 4567", "118500", "+1 800 234 5678", "0018002345678", "+1 412 234 5678",
		"101", "116123", "00 33 1 42 68 53 00", "+979 123 456 789", "00881612345678", "+1 900 234 5678", "0800 1111", "01534 712345",
	}
	for _, c := range []struct {
		codes string
		show  Show
		relay uint32
	}{
		{"141", Withhold, 0},
		{"141 ", Withhold, 0},
		{"1470", Present, 0},
		{"1280", AsSet, 0},
		{"18001", AsSet, 18001},
		{"18002 ", AsSet, 18002},
		{"141 18001", Withhold, 18001},
		{"18002 1470", Present, 18002},
		{"1280 141 18001", Withhold, 18001},
		{"1-4-1-", Withhold, 0},
	} {
		for _, number := range numbers {
			want, _ := UK().Parse(number)
			want.Show, want.Relay = c.show, c.relay
			if d, problem := UK().Parse(c.codes + number); problem != NoProblem || d != want {
				t.Errorf("%s%s: %+v (%s), want %+v", c.codes, number, d, problem, want)
			}
		}
	}
}

func TestRelayed(t *testing.T) {
	for dialled, want := range map[string]string{
		"020 7946 0000":          "",
		"141 020 7946 0000":      "",
		"18001 +44 20 7946 0000": "1800102079460000",
		"18002 141 0800 111 111": "180020800111111",
		"18001 101":              "18001101",
		"18002 +33 142685300":    "180020033142685300",
		"18001 999":              "18000",
		"18002 112#":             "18000",
		"999":                    "",
	} {
		if d, problem := UK().Parse(dialled); problem != NoProblem || UK().Relayed(d) != want {
			t.Errorf("%s: %q (%s), want %q", dialled, UK().Relayed(d), problem, want)
		}
	}
}

func TestOnlyShort(t *testing.T) {
	for prefix, want := range map[uint64]bool{
		101: true, 105: true, 111: true, 119: true, 100: true, 116: true, 116123: true, 1161: true, 118: true, 11850: true, 118500: true, 999: true, 112: true, 18000: true,
		0: false, 1: false, 11: false, 99: false, 1011: false, 123: false, 150: false, 1471: false, 1161234: false, 44: false, 441: false, 9990: false, 210: false, 18446744073709551615: false,
	} {
		if got := UK().OnlyShort(prefix); got != want {
			t.Errorf("%d: %t", prefix, got)
		}
	}
}

func BenchmarkParseBehindACode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		UK().Parse("141 18001 020 7946 0000")
	}
}

func BenchmarkParseUK(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		UK().Parse("020 7946 0000")
	}
}

func BenchmarkParseInternational(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		UK().Parse("00 46 8 121 185 32")
	}
}
