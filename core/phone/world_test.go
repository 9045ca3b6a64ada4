package phone_test

import (
	"math/rand/v2"
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
