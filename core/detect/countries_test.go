package detect

import (
	"bufio"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ringfence/core/phone"
)

// Every country that a number can belong to must be known, or logins from it would never be judged.
func TestEveryCountryOfTelephoneNumbersHasAPlace(t *testing.T) {
	seen := map[string]bool{}
	for prefix := uint64(1); prefix < 100_000; prefix++ {
		country, _ := phone.OfPrefix(prefix)
		if code := country.String(); code != "" && code != "001" && !seen[code] {
			seen[code] = true
			if byCode[code] == nil {
				t.Errorf("%s (+%d) has no place", code, prefix)
			}
		}
	}
	if len(seen) < 200 {
		t.Fatalf("only %d countries looked at", len(seen))
	}
}

func TestCountriesAreInOrderAndOnTheGlobe(t *testing.T) {
	if !slices.IsSortedFunc(countries, func(a, b disc) int { return strings.Compare(a.code, b.code) }) {
		t.Error("the table is out of order: discs of one country must lie together")
	}
	for _, d := range countries {
		if len(d.code) != 2 || math.Abs(d.lat) > 90 || math.Abs(d.lon) > 180 || d.km < 5 || d.km > 3000 {
			t.Errorf("%+v", d)
		}
	}
	if len(byCode) != 252 { // ISO 3166-1 has 249 codes; AC, TA, XK
		t.Errorf("%d codes", len(byCode))
	}
}

// The time zone database gives a town for each zone of each country: each must lie in one of its country's discs.
func TestTownsLieInTheirCountries(t *testing.T) {
	f, err := os.Open("/usr/share/zoneinfo/zone.tab")
	if err != nil {
		t.Skip("no time zone table on this machine:", err)
	}
	defer f.Close()
	towns := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		cols := strings.Split(lines.Text(), "\t")
		if strings.HasPrefix(cols[0], "#") || len(cols) < 3 {
			continue
		}
		towns++
		split := 1 + strings.IndexAny(cols[1][1:], "+-")
		town, nearest := disc{lat: degrees(t, cols[1][:split]), lon: degrees(t, cols[1][split:])}, math.Inf(1)
		for _, d := range byCode[cols[0]] {
			nearest = min(nearest, greatCircle(town, d)-d.km)
		}
		if nearest > 0 {
			t.Errorf("%s, %s (%.1f %.1f) lies %.0f km outside", cols[2], cols[0], town.lat, town.lon, nearest)
		}
	}
	if towns < 300 {
		t.Fatalf("only %d towns in the table", towns)
	}
}

// degrees reads ±DDMM, ±DDDMM and the same with seconds.
func degrees(t *testing.T, text string) float64 {
	t.Helper()
	digits := text[1:]
	whole := 2
	if len(digits) == 5 || len(digits) == 7 {
		whole = 3
	}
	d, err := strconv.Atoi(digits[:whole])
	m, err2 := strconv.Atoi(digits[whole : whole+2])
	if err != nil || err2 != nil {
		t.Fatalf("not a coordinate: %q", text)
	}
	v := float64(d) + float64(m)/60
	if text[0] == '-' {
		return -v
	}
	return v
}

func TestApart(t *testing.T) {
	for _, c := range []struct {
		a, b        string
		least, most float64
	}{
		{"GB", "GB", 0, 0},
		{"GB", "IE", 0, 0},
		{"GB", "FR", 0, 100},
		{"US", "CA", 0, 0},
		{"US", "MX", 0, 0},
		{"US", "RU", 0, 300}, // across the Bering Strait
		{"US", "CU", 0, 200},
		{"FR", "DE", 0, 0},
		{"ES", "MA", 0, 0},
		{"ES", "PT", 0, 0},
		{"NO", "RU", 0, 0},
		{"CN", "VN", 0, 0},
		{"ID", "AU", 0, 500},
		{"AR", "CL", 0, 0},
		{"GB", "RO", 900, 1600},
		{"GB", "UA", 900, 1700},
		{"GB", "EG", 2000, 3300},
		{"GB", "US", 3200, 5300}, // Boston to Scotland
		{"GB", "CU", 5500, 7300},
		{"GB", "PS", 2500, 3400},
		{"GB", "SO", 4200, 6200},
		{"GB", "CN", 4500, 6000},
		{"GB", "AU", 11000, 13800},
		{"GB", "NZ", 15000, 18500},
		{"NZ", "FJ", 1000, 2200}, // over the date line is near
		{"FJ", "TO", 0, 400},
		{"US", "JP", 2000, 4000}, // the Aleutians reach far
	} {
		km, ok := Apart(c.a, c.b)
		back, _ := Apart(c.b, c.a)
		if !ok || km < c.least || km > c.most || math.Abs(km-back) > 1e-6 {
			t.Errorf("%s–%s: %.0f km (back %.0f), want %.0f to %.0f", c.a, c.b, km, back, c.least, c.most)
		}
	}
	for _, pair := range [][2]string{{"", "GB"}, {"GB", ""}, {"ZZ", "GB"}, {"EU", "US"}, {"gb", "GB"}} {
		if _, ok := Apart(pair[0], pair[1]); ok {
			t.Errorf("%q–%q is not known", pair[0], pair[1])
		}
	}
}
