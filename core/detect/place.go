package detect

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"ringfence/core/fact"
)

// Limits of what can be told from countries. An address's country is wrong for some, so that near countries tell nothing.
const (
	farKM     = 2000 // nearest edges of two countries that count as far
	fastestKM = 1000 // an hour: more than airliners make from door to door
)

// newPlace says that the line was never used from there.
func newPlace(b *fact.DeviceNew) bool { return b.New == "address" || b.New == "both" }

// evidence is what every judgement of a login shows.
func deviceEvidence(b *fact.DeviceNew) evidence {
	return evidence{
		"address": from(b.Source), "agent": said(b.Agent), "family": said(b.Family), "country": said(b.Country), "asn": b.ASN, "network": said(b.Network),
		"hosting": b.Hosting, "new": said(b.New), "first": b.First, "failures": b.Failures, "after_lock": b.AfterLock, "call": b.Call,
	}
}

// where is "203.0.113.9 (Example Hosting, DE)".
func where(b *fact.DeviceNew) string {
	text, in, country := from(b.Source).or("an unknown address"), string(said(b.Network)), string(said(b.Country))
	switch {
	case in == "":
		in = country
	case country != "":
		in += ", " + country
	}
	if in != "" {
		text += " (" + in + ")"
	}
	return text
}

// judgeDevice judges a right login from a place or phone that is new, or has come to another country.
func judgeDevice(e *Event, b *fact.DeviceNew) ([]Finding, error) {
	var all []Finding
	if f, ok := afterLockout(e, b); ok {
		all = append(all, f)
	}
	if f, ok := hostingLogin(e, b); ok {
		all = append(all, f)
	}
	// A login in use in two places has also travelled too fast: the stronger finding is enough.
	if f, ok := twoPlaces(e, b); ok {
		all = append(all, f)
	} else if f, ok := travel(e, b); ok {
		all = append(all, f)
	}
	slices.SortStableFunc(all, func(a, b Finding) int { return cmp.Compare(b.Severity, a.Severity) })
	return all, nil
}

// afterLockout: the right password came from a new place within a day of a lock-out. The very first phone of a line may
// well belong to its owner, who mistyped: a warning.
func afterLockout(e *Event, b *fact.DeviceNew) (Finding, bool) {
	if !b.AfterLock || !newPlace(b) {
		return Finding{}, false
	}
	text := "Line " + e.handle() + " was used with the right password from " + where(b) + ", a new place, within a day of a lock-out for guessing"
	if b.Failures > 0 {
		text += "; the same address had sent " + some(b.Failures, "wrong login", "wrong logins")
	}
	f := e.finding(AfterLockout, e.Line, from(b.Source).String(), text+".", deviceEvidence(b), from(b.Source).place(), e.day())
	if b.First {
		f.Severity = Warning
	}
	return f, true
}

// hostingLogin: a guesser fails at times, and a customer who sets up a line is its first login. A login from a rented server
// that is neither looks like a password that was stolen or cracked elsewhere.
func hostingLogin(e *Event, b *fact.DeviceNew) (Finding, bool) {
	if !b.Hosting || b.Failures != 0 || b.First || !newPlace(b) {
		return Finding{}, false
	}
	text := "Line " + e.handle() + " was used with the right password, at the first attempt, from " + where(b) + ", a hosting network that it has never used."
	return e.finding(HostingLogin, e.Line, from(b.Source).String(), text, deviceEvidence(b), "as"+strconv.FormatInt(b.ASN, 10), e.day()), true
}

// twoPlaces: registered at this moment in a country far from the one of this login.
func twoPlaces(e *Event, b *fact.DeviceNew) (Finding, bool) {
	far, at, other := -1.0, "", ""
	for _, x := range b.Elsewhere {
		if km, ok := Apart(b.Country, x.Country); ok && km >= farKM && km > far {
			far, at, other = km, from(x.Source).or("another address"), string(said(x.Country))
		}
	}
	if far < 0 {
		return Finding{}, false
	}
	text := "Line " + e.handle() + " was used from " + where(b) + " while a phone was registered with it at " + at + " (" + other + "), at least " +
		kilometres(far) + " away."
	v := deviceEvidence(b)
	v["elsewhere"] = map[string]any{"address": at, "country": other}
	v["km_at_least"], v["km_limit"] = hundreds(far), farKM
	v["weak"] = weak
	return e.finding(TwoPlaces, e.Line, from(b.Source).String(), text, v, string(said(b.Country)), e.day()), true
}

// weak is said in the evidence of everything that rests on countries.
const weak = "the country of an address is looked up and sometimes wrong; the distance is that of the nearest edges of the countries"

// travel: from the line's latest other place to this one faster than anyone flies.
func travel(e *Event, b *fact.DeviceNew) (Finding, bool) {
	if b.Last == nil || b.Last.At.IsZero() {
		return Finding{}, false
	}
	km, ok := Apart(b.Country, b.Last.Country)
	between := e.At.Sub(b.Last.At)
	hours := max(between.Hours(), 0) // nodes' clocks differ a little
	if !ok || km < farKM || km <= fastestKM*hours {
		return Finding{}, false
	}
	text := "Line " + e.handle() + " was used from " + where(b) + " " + long(between) + " after " + from(b.Last.Source).or("another address") + " (" + string(said(b.Last.Country)) +
		"), at least " + kilometres(km) + " away: nobody travels so fast."
	v := deviceEvidence(b)
	v["last"] = map[string]any{
		"address": from(b.Last.Source).String(), "country": said(b.Last.Country), "asn": b.Last.ASN, "network": said(b.Last.Network), "at": b.Last.At,
	}
	v["km_at_least"], v["km_limit"] = hundreds(km), farKM
	v["minutes_between"], v["kmh_limit"] = math.Round(hours*60*10)/10, fastestKM
	if hours >= 1.0/3600 {
		v["kmh_at_least"] = math.Round(km / hours)
	}
	v["hours_needed"] = math.Round(km/fastestKM*10) / 10
	v["weak"] = weak
	return e.finding(Travel, e.Line, from(b.Source).String(), text, v, string(said(b.Country)), e.day()), true
}

// hundreds rounds down to what such a figure is worth.
func hundreds(km float64) int64 { return int64(km/100) * 100 }

// kilometres writes it: "5,300 km".
func kilometres(km float64) string {
	n := hundreds(km)
	text := strconv.FormatInt(n, 10)
	if len(text) > 3 {
		text = text[:len(text)-3] + "," + text[len(text)-3:]
	}
	return text + " km"
}

// disc is a circle on the globe that a country, or a part of it, lies in.
type disc struct {
	code     string
	lat, lon float64 // degrees, north and east
	km       float64 // radius
}

// byCode is made once, at first use; several discs of one country lie together in countries.
var byCode = func() map[string][]disc {
	m := make(map[string][]disc, len(countries))
	for i := 0; i < len(countries); {
		j := i
		for j < len(countries) && countries[j].code == countries[i].code {
			j++
		}
		m[countries[i].code] = countries[i:j]
		i = j
	}
	return m
}()

// Apart is how far the nearest edges of two countries are from each other, by ISO 3166-1 alpha-2 code, in km and rather
// too little than too much; 0 for neighbours and for one and the same. False when either is not known.
func Apart(a, b string) (km float64, ok bool) {
	from, to := byCode[a], byCode[b]
	if from == nil || to == nil {
		return 0, false
	}
	if a == b {
		return 0, true
	}
	km = math.Inf(1)
	for _, x := range from {
		for _, y := range to {
			km = min(km, max(0, greatCircle(x, y)-x.km-y.km))
		}
	}
	return km, true
}

// greatCircle is the haversine formula over a globe of the mean radius.
func greatCircle(x, y disc) float64 {
	const radius, rad = 6371.0, math.Pi / 180
	lat, lon := (y.lat-x.lat)*rad, (y.lon-x.lon)*rad
	h := math.Pow(math.Sin(lat/2), 2) + math.Cos(x.lat*rad)*math.Cos(y.lat*rad)*math.Pow(math.Sin(lon/2), 2)
	return 2 * radius * math.Asin(math.Sqrt(min(1, h)))
}
