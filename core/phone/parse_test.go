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
		{"020794600٠0", BadCharacter},
		{"tel:999", BadCharacter},
		{"020\t7946", BadCharacter},
		{"020,7946", BadCharacter},
		{strings.Repeat("0", 25), TooLong},
		{strings.Repeat(" ", 65), TooLong},
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
	for _, dialled := range []string{"020 7946 0000", "00 33 6 12 34 56 78", "118500", "00046500729221"} {
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
		if p.Error() == "" || seen[p.Error()] {
			t.Errorf("problem %d: %q", p, p)
		}
		seen[p.Error()] = true
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
	for _, s := range []string{"020 7946 0000", "+44 (0)20 7946 0000", "00046500729221", "999", "+979123456789", "((((0", "+390669883511"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, dialled string) {
		d, problem := UK().Parse(dialled)
		if problem != NoProblem {
			if d != (Destination{}) || problem >= NumProblems {
				t.Fatalf("%q: refused (%d) with %v", dialled, problem, d)
			}
			return
		}
		if d.Class == ClassUnknown || d.Class >= NumClasses || d.Number.IsZero() || len(d.Country.String()) < 2 {
			t.Fatalf("%q: %+v", dialled, d)
		}
		if again, p := UK().Parse(d.Number.String()); p != NoProblem || again != d {
			t.Fatalf("%q is %v, which is %v (%s) when dialled", dialled, d, again, p)
		}
		if back, ok := FromString(d.Number.String()); !ok || back != d.Number {
			t.Fatalf("%q: %v does not come back from its text", dialled, d.Number)
		}
		var digits strings.Builder
		for _, c := range dialled {
			if c >= '0' && c <= '9' {
				digits.WriteRune(c)
			}
		}
		kept := strings.TrimPrefix(strings.TrimPrefix(d.Number.String(), "+"), "44")
		if !strings.HasSuffix(digits.String(), kept) {
			t.Fatalf("%q became %v: digits were cut off", dialled, d.Number)
		}
	})
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
