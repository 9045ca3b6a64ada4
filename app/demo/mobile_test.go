package demo_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"ringfence/app/demo"
	"ringfence/core/phone"
)

// samples is how many numbers of each country are looked at, spread over its mobile ranges.
const samples = 120

// Guards: most Italian mobiles were priced as special services, because voice mail shares their prefixes. libphonenumber says which numbers
// are mobiles; each must have the price of its country's.
func TestMobilesHaveThePriceOfMobiles(t *testing.T) {
	retail := deck(t, demo.Retail)
	looked := 0
	for region := range phonenumbers.GetSupportedRegions() {
		if region == "GB" || region == "GG" || region == "JE" || region == "IM" {
			continue // 07 has prices of its own
		}
		random, seen, wrong := rand.New(rand.NewPCG(39, uint64(region[0])<<8|uint64(region[1]))), 0, 0
		for range samples {
			number, ok := mobile(region, random)
			if !ok {
				continue
			}
			dest, problem := phone.UK().Parse(number)
			if problem != phone.NoProblem {
				t.Errorf("%s: %s", number, problem)
				continue
			}
			p, ok := retail.Find(dest.Number, now)
			if seen++; ok && dest.Class == phone.IntlMobile && !strings.HasSuffix(p.Name, " - mobile") {
				if wrong++; wrong < 4 {
					t.Errorf("%s (%s) is a mobile of %s, priced as %s", number, dest.Country, region, p.Name)
				}
			}
		}
		looked += seen
		if seen < samples/10 && (region == "IT" || region == "DE" || region == "IN") {
			t.Errorf("%s: only %d mobiles", region, seen)
		}
	}
	if looked < 100*samples {
		t.Errorf("only %d mobiles", looked)
	}
}

// mobile is a number of a region that libphonenumber calls a mobile, made by changing digits of its example; false: it is none.
func mobile(region string, random *rand.Rand) (string, bool) {
	example := phonenumbers.GetExampleNumberForType(region, phonenumbers.MOBILE)
	if example == nil {
		return "", false
	}
	digits := []byte(phonenumbers.GetNationalSignificantNumber(example))
	for i := random.IntN(len(digits)); i < len(digits); i++ {
		digits[i] = byte('0' + random.IntN(10))
	}
	if digits[0] == '0' {
		return "", false // dialled at home only
	}
	number := "+" + strconv.Itoa(int(example.GetCountryCode())) + string(digits)
	n, err := phonenumbers.Parse(number, "ZZ")
	if err != nil || phonenumbers.GetNumberType(n) != phonenumbers.MOBILE || phonenumbers.GetRegionCodeForNumber(n) != region {
		return "", false
	}
	return number, true
}
