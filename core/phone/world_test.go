package phone_test

import (
	"encoding/csv"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"

	. "ringfence/core/phone"
)

// The table says what phonenumbers says, of numbers that it gives as examples with one to three digits changed, and of
// numbers drawn blindly. It is made from the patterns themselves and so must agree on all of them.
func TestWorldAgreesWithPhonenumbers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	checked, valid := 0, 0
	check := func(e164 string) {
		n := asWritten(e164)
		ok := n != nil && phonenumbers.IsValidNumber(n)
		d, problem := UK().Parse(e164)
		checked++
		if ok != (problem == NoProblem) {
			t.Errorf("%s: %s, phonenumbers says valid %t", e164, problem, ok)
			return
		}
		if !ok {
			return
		}
		valid++
		if region := phonenumbers.GetRegionCodeForNumber(n); region != d.Country.String() {
			t.Errorf("%s: country %s, phonenumbers says %s", e164, d.Country, region)
		}
		if want := classOf(n); want != d.Class {
			t.Errorf("%s: class %s, want %s", e164, d.Class, want)
		}
	}
	for _, example := range examples() {
		check(example)
		for range 30 {
			digits := []byte(example)
			for range 1 + random.IntN(3) {
				digits[len(digits)-1-random.IntN(len(digits)-3)] = byte('0' + random.IntN(10))
			}
			if d := string(digits[1:]); d[0] != '0' && d[:2] != "44" {
				check(string(digits))
			}
		}
	}
	for range 20_000 {
		digits := "+" + strconv.FormatUint(1e6+random.Uint64N(1e14), 10)
		if digits[1:3] != "44" {
			check(digits)
		}
	}
	if valid < 10_000 || checked-valid < 10_000 {
		t.Errorf("%d valid of %d", valid, checked)
	}
	t.Logf("%d numbers, %d valid", checked, valid)
}

// asWritten is the number without what phonenumbers.Parse makes of it: Parse takes a trunk prefix off that Belarus has no
// place for in international form.
func asWritten(e164 string) *phonenumbers.PhoneNumber {
	for length := 1; length <= 3 && length+1 < len(e164); length++ {
		code, _ := strconv.Atoi(e164[1 : 1+length])
		if !phonenumbers.GetSupportedCallingCodes()[code] {
			continue
		}
		rest := e164[1+length:]
		national, _ := strconv.ParseUint(rest, 10, 64)
		zeros := int32(len(rest) - len(strings.TrimLeft(rest, "0")))
		n := &phonenumbers.PhoneNumber{CountryCode: ptr(int32(code)), NationalNumber: &national}
		if zeros > 0 {
			n.ItalianLeadingZero, n.NumberOfLeadingZeros = ptr(true), &zeros
		}
		return n
	}
	return nil
}

func ptr[T any](v T) *T { return &v }

// examples are the numbers abroad that phonenumbers gives for each region and type.
func examples() []string {
	var all []string
	add := func(n *phonenumbers.PhoneNumber) {
		if n != nil && n.GetCountryCode() != 44 {
			all = append(all, phonenumbers.Format(n, phonenumbers.E164))
		}
	}
	for region := range phonenumbers.GetSupportedRegions() {
		for kind := phonenumbers.FIXED_LINE; kind <= phonenumbers.VOICEMAIL; kind++ {
			add(phonenumbers.GetExampleNumberForType(region, kind))
		}
	}
	for code := range phonenumbers.GetSupportedGlobalNetworkCallingCodes() {
		add(phonenumbers.GetExampleNumberForNonGeoEntity(code))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func classOf(n *phonenumbers.PhoneNumber) Class {
	switch n.GetCountryCode() {
	case 870, 878, 881, 882, 883, 888:
		return Satellite
	case 979:
		return IntlPremium
	}
	switch phonenumbers.GetNumberType(n) {
	case phonenumbers.FIXED_LINE, phonenumbers.FIXED_LINE_OR_MOBILE:
		return IntlFixed
	case phonenumbers.MOBILE:
		return IntlMobile
	case phonenumbers.TOLL_FREE:
		return IntlFreephone
	case phonenumbers.PREMIUM_RATE:
		return IntlPremium
	}
	return IntlShared
}

func TestOfPrefix(t *testing.T) {
	for _, c := range []struct {
		prefix  uint64
		country string
		class   Class
	}{
		{1, "US", ClassUnknown},
		{1900, "US", IntlPremium},
		{1876, "JM", ClassUnknown},
		{44, "GB", ClassUnknown},
		{447797, "JE", IntlMobile},
		{3361, "FR", IntlMobile},
		{870, "001", Satellite},
		{979, "001", IntlPremium},
		{800, "001", IntlFreephone},
		{77, "KZ", ClassUnknown},
		{9, "", ClassUnknown},
		{999, "", ClassUnknown},
		{0, "", ClassUnknown},
		{18446744073709551615, "", ClassUnknown},
		{330, "", ClassUnknown},
	} {
		if country, class := OfPrefix(c.prefix); country.String() != c.country || class != c.class {
			t.Errorf("%d: %q %s, want %q %s", c.prefix, country, class, c.country, c.class)
		}
	}
	if _, classes := ClassesOfPrefix(33); classes&(1<<IntlFixed) == 0 || classes&(1<<IntlPremium) == 0 {
		t.Errorf("France has classes %b", classes)
	}
}

// The numbers of the islands are theirs, block by block, by number and by prefix.
func TestIslandsBlockByBlock(t *testing.T) {
	for country, blocks := range map[string]string{
		"IM": "16245, 74184, 74520, 74521, 74522, 74523, 74524, 74525, 74526, 74576, 7524, 7624, 7924, 3440406, 3440906, 345624, 370624, 372299, 560061, 560081, 560082, " +
			"808162, 8440406, 8440906, 845624, 870624, 872299, 900624, 901624, 906624, 907624",
		"GG": "14812, 7781, 7839, 79111, 79117, 800976, 870261, 906713",
		"JE": "15342, 7509, 77003, 77007, 77008, 7797, 7829, 7937, 701511, 300735, 300781, 344405, 344442, 344469, 344703, 345041, 345800, 370002, 371206, " +
			"800735, 800781, 808901, 844405, 844442, 844469, 844703, 845041, 845800, 870002, 870253, 871206, 900665, 900666, 900669, 901810, 905629, 905807, 907107, 907155",
		"GB": "207, 7400, 7417, 74183, 74185, 74519, 74527, 7453, 74575, 74577, 7525, 77009, 77002, 77004, 79110, 79112, 7923, 7925, 345623, 560062, 701512, 80000, 808161, " +
			"845623, 870625, 900623, 9091",
	} {
		for block := range strings.SplitSeq(blocks, ", ") {
			for _, rest := range []string{"0000000000", "1234567890", "9999999999"} {
				national := (block + rest)[:10]
				d, problem := UK().Parse("0" + national)
				if block[0] <= '2' && problem == NoRange {
					continue // a district that is not open
				}
				if problem != NoProblem || d.Country.String() != country || !d.National {
					t.Errorf("0%s of block %s: %s %s (%s), want %s", national, block, d.Class, d.Country, problem, country)
				}
			}
			if prefix, err := strconv.ParseUint("44"+block, 10, 64); err != nil {
				t.Error(err)
			} else if got, _ := OfPrefix(prefix); got.String() != country && got != (Country{}) {
				t.Errorf("prefix 44%s is of %s, want %s", block, got, country)
			}
		}
	}
}

// What phonenumbers gives to an island only, is the island's here, whatever Great Britain's patterns say of it.
func TestIslandsHaveWhatPhonenumbersGivesThem(t *testing.T) {
	collection, err := phonenumbers.MetadataCollection()
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 4))
	found := map[string]int{}
	for _, m := range collection.GetMetadata() {
		if m.GetCountryCode() != 44 || m.GetId() == "GB" {
			continue
		}
		var own []*regexp.Regexp
		for _, d := range []*phonenumbers.PhoneNumberDesc{m.GetFixedLine(), m.GetMobile()} {
			own = append(own, regexp.MustCompile("^(?:"+d.GetNationalNumberPattern()+")$"))
		}
		for range 400_000 {
			national := strconv.FormatUint([]uint64{1_000_000_000, 7_000_000_000}[random.IntN(2)]+random.Uint64N(1_000_000_000), 10)
			if !own[0].MatchString(national) && !own[1].MatchString(national) {
				continue
			}
			found[m.GetId()]++
			if d, problem := UK().Parse("0" + national); problem != NoProblem || d.Country.String() != m.GetId() {
				t.Fatalf("0%s: %s (%s), want %s", national, d.Country, problem, m.GetId())
			}
		}
	}
	if found["IM"] < 100 || found["GG"] < 100 || found["JE"] < 100 {
		t.Errorf("looked at %v", found)
	}
}

// Ofcom's own tables: what the islands' networks hold is theirs.
func TestIslandsByOfcom(t *testing.T) {
	holders := map[string]string{
		"MANX TELECOM TRADING LIMITED": "IM", "Sure (Isle of Man) Limited": "IM", "Sure (Guernsey) Limited": "GG", "JT (Guernsey) Limited": "GG",
		"Guernsey Airtel Limited": "GG", "Sure (Jersey) Limited": "JE", "JT (Jersey) Limited": "JE", "Jersey Airtel Limited": "JE", "Newtel Limited": "JE",
	}
	blocks := 0
	for _, sheet := range []string{"S3", "S5", "S7", "S8", "S9"} {
		r := csv.NewReader(strings.NewReader(string(shared(t, "data/numbering/ofcom/"+sheet+".csv"))))
		rows, err := r.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			block, want := strings.ReplaceAll(row[0], " ", ""), holders[row[2]]
			if want == "" || strings.HasPrefix(block, "89") { // routing codes between networks
				continue
			}
			blocks++
			if d, problem := UK().Parse("0" + (block + "0000000000")[:10]); problem != NoProblem || d.Country.String() != want {
				t.Errorf("%s of %s: %s (%s), want %s", row[0], row[2], d.Country, problem, want)
			}
		}
	}
	if blocks < 100 {
		t.Errorf("only %d blocks looked at", blocks)
	}
}

// kindsOfExamples is what an example number of a type may be here: at home, then abroad. A type whose calls may be dear is never
// a class that is cheap by nature.
var kindsOfExamples = map[phonenumbers.PhoneNumberType][]Class{
	phonenumbers.FIXED_LINE:      {Geographic, IntlFixed},
	phonenumbers.MOBILE:          {Mobile, IntlMobile, IntlFixed}, // where both share their numbers
	phonenumbers.TOLL_FREE:       {Freephone, IntlFreephone},
	phonenumbers.PREMIUM_RATE:    {Premium, Revenue084, Revenue087, IntlPremium},
	phonenumbers.SHARED_COST:     {IntlShared},
	phonenumbers.VOIP:            {VoIP, IntlShared},
	phonenumbers.PERSONAL_NUMBER: {Personal, IntlShared},
	phonenumbers.PAGER:           {Pager, IntlShared},
	phonenumbers.UAN:             {UKWide, VoIP, IntlShared}, // 055 is "corporate"
	phonenumbers.VOICEMAIL:       {IntlShared},
}

// Not one example number of any region and type is refused, however it is written, and none that may be dear counts as an
// ordinary or free one.
func TestExampleNumbersOfAllRegions(t *testing.T) {
	looked := 0
	for region := range phonenumbers.GetSupportedRegions() {
		for kind, want := range kindsOfExamples {
			n := phonenumbers.GetExampleNumberForType(region, kind)
			if n == nil {
				continue
			}
			looked++
			e164 := phonenumbers.Format(n, phonenumbers.E164)
			forms := []string{
				e164, "00" + e164[1:], phonenumbers.Format(n, phonenumbers.INTERNATIONAL), phonenumbers.Format(n, phonenumbers.RFC3966),
				phonenumbers.FormatOutOfCountryCallingNumber(n, "GB"),
				"141" + e164, "18001 00" + e164[1:], e164 + "#", "\u202a" + e164 + "\u202c",
			}
			if n.GetCountryCode() == 44 {
				forms = append(forms, phonenumbers.Format(n, phonenumbers.NATIONAL), e164[1:], "+44 (0)"+e164[3:])
			}
			for _, form := range forms {
				d, problem := UK().Parse(form)
				if problem != NoProblem || d.Number.String() != e164 {
					t.Errorf("%s of %s, type %d: %q (%s)", form, region, kind, d.Number, problem)
				} else if !slices.Contains(want, d.Class) {
					t.Errorf("%s of %s, type %d: %s, want one of %v", form, region, kind, d.Class, want)
				}
			}
		}
	}
	if looked < 1100 {
		t.Errorf("only %d examples", looked)
	}
}
