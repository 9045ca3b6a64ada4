package demo_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/nyaruka/phonenumbers"

	"ringfence/app/demo"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func deck(t *testing.T, data []byte) *rating.Deck {
	t.Helper()
	im := rating.ReadCSV(data, rating.ReadOptions{At: now})
	for _, f := range im.Faults {
		t.Error(f)
	}
	for _, q := range im.Questions {
		t.Errorf("an import asks: %s %v", q.Text, q.Examples)
	}
	d, err := rating.Build(im.Prices, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range im.Warnings {
		if w.Kind == rating.WarnIgnored || w.Kind == rating.WarnNowhere {
			t.Errorf("%+v", w)
		}
	}
	t.Logf("%d prices, %d countries, cheapest %s %s, dearest %s %s, %d warnings", im.Summary.Prices, im.Summary.Countries,
		im.Summary.Cheapest.Name, im.Summary.Cheapest.Dearest(), im.Summary.Dearest.Name, im.Summary.Dearest.Dearest(), len(im.Warnings))
	return d
}

func find(t *testing.T, d *rating.Deck, dialled string) *rating.Price {
	t.Helper()
	dest, problem := phone.UK().Parse(dialled)
	if problem != phone.NoProblem {
		t.Fatalf("%s: %s", dialled, problem)
	}
	p, silence := d.Price(dest, now)
	if silence != rating.Priced {
		t.Fatalf("%s has no price (%d)", dialled, silence)
	}
	return p
}

// The prices that make the default ceilings of 20p and 2p mean something.
func TestRetailAsCustomersSeeIt(t *testing.T) {
	retail := deck(t, demo.Retail)
	for _, c := range []struct{ dialled, name, pence string }{
		{"020 7946 0000", "UK geographic", "1.2"},
		{"0345 123 4567", "UK-wide 03", "1.2"},
		{"07700 900123", "UK mobile", "6"},
		{"07797 712345", "Jersey - mobile", "12"},
		{"01534 712345", "Jersey", "2.5"},
		{"07624 312345", "Isle of Man - mobile", "12"},
		{"0800 123 4567", "UK freephone", "0"},
		{"070 1234 5678", "UK personal numbers 070", "45"},
		{"0844 123 4567", "UK basic rate 084", "9"},
		{"0871 123 4567", "UK higher rate 087", "16"},
		{"0905 123 4567", "UK premium 0905 and 0906", "155"},
		{"0911 123 4567", "UK premium 0911 to 0913", "360"},
		{"118500", "Directory enquiries 11850", "195"},
		{"999", "Emergency", "0"},
		{"101", "Police non-emergency 101", "0"},
		{"00 1 212 555 1234", "United States", "1.2"},
		{"00 33 1 42 68 53 00", "France", "1.4"},
		{"00 33 6 12 34 56 78", "France - mobile", "4.2"},
		{"00 353 1 234 5678", "Ireland", "1.4"},
		{"00 49 30 123456", "Germany", "1.4"},
		{"00 53 7 123 4567", "Cuba", "78"},
		{"00 371 63 123456", "Latvia", "38"},
		{"+1 876 926 1234", "Jamaica", "9"},
		{"+881 6 1234 5678", "Satellite - Iridium and Globalstar", "590"},
		{"+870 773 123456", "Satellite - Inmarsat", "650"},
		{"+979 123 456 789", "International premium rate", "320"},
		{"+800 1234 5678", "International freephone", "12"},
	} {
		if p := find(t, retail, c.dialled); p.Name != c.name || p.Dearest().Pence() != c.pence {
			t.Errorf("%s: %s at %sp, want %s at %sp", c.dialled, p.Name, p.Dearest().Pence(), c.name, c.pence)
		}
	}
}

// Every number that libphonenumber gives as an example, of every kind and region, is understood and has both prices.
func TestEveryExampleNumberHasAPrice(t *testing.T) {
	retail, cost := deck(t, demo.Retail), deck(t, demo.Cost)
	looked := 0
	each := func(n *phonenumbers.PhoneNumber) {
		if n == nil || !phonenumbers.IsValidNumber(n) {
			return
		}
		e164 := phonenumbers.Format(n, phonenumbers.E164)
		looked++
		dest, problem := phone.UK().Parse(e164)
		if problem != phone.NoProblem {
			t.Errorf("%s: %s", e164, problem)
			return
		}
		p, silence := retail.Price(dest, now)
		if _, atCost := cost.Price(dest, now); silence != rating.Priced || atCost != rating.Priced {
			t.Errorf("%s (%s %s) has no price: %d, at cost %d; %+v", e164, dest.Country, dest.Class, silence, atCost, p)
			return
		}
		if dear := p.Dearest() >= 100*money.PencePerMinute; !dear && (dest.Class == phone.IntlPremium || dest.Class == phone.Satellite && p.Dearest() < 25*money.PencePerMinute || dest.Class == phone.Premium && p.Dearest() < 60*money.PencePerMinute) {
			t.Errorf("%s (%s %s) costs only %sp: %s", e164, dest.Country, dest.Class, p.Dearest().Pence(), p.Name)
		}
	}
	for region := range phonenumbers.GetSupportedRegions() {
		for kind := phonenumbers.FIXED_LINE; kind <= phonenumbers.VOICEMAIL; kind++ {
			each(phonenumbers.GetExampleNumberForType(region, kind))
		}
	}
	for code := range phonenumbers.GetSupportedGlobalNetworkCallingCodes() {
		each(phonenumbers.GetExampleNumberForNonGeoEntity(code))
	}
	if looked < 900 {
		t.Errorf("only %d examples looked at", looked)
	}
	t.Logf("%d examples", looked)
}

// No call of any length costs the provider more than it brings.
func TestCostStaysBelowRetail(t *testing.T) {
	retail, cost := deck(t, demo.Retail), deck(t, demo.Cost)
	starts := []time.Time{
		time.Date(2026, 11, 23, 7, 59, 50, 0, time.UTC), time.Date(2026, 11, 23, 17, 59, 30, 0, time.UTC), time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC),
	}
	calendar := rating.Calendar{PeakFrom: 8 * time.Hour, PeakTill: 18 * time.Hour}
	for i := range retail.Prices() {
		sold := &retail.Prices()[i]
		bought := &cost.Prices()[i]
		if bought.Prefix != sold.Prefix || bought.Short != sold.Short {
			t.Fatalf("prefix %s has no cost", sold.Digits())
		}
		for _, start := range starts {
			for _, talk := range []time.Duration{0, time.Second, 7 * time.Second, 31 * time.Second, 61 * time.Second, time.Hour} {
				brings, takes := rating.Quote{Price: *sold, Calendar: calendar, Start: start}, rating.Quote{Price: *bought, Calendar: calendar, Start: start}
				if takes.Cost(talk) > brings.Cost(talk) {
					t.Fatalf("%s %s, %s: costs %s, brings %s", sold.Name, sold.Digits(), talk, takes.Cost(talk), brings.Cost(talk))
				}
			}
		}
	}
}

// Carriers' decks have rows of all three common increments, so that the demonstration shows them.
func TestIncrements(t *testing.T) {
	seen := map[string]bool{}
	d := deck(t, demo.Cost)
	for i := range d.Prices() {
		p := &d.Prices()[i]
		seen[strconv.Itoa(int(p.First))+"/"+strconv.Itoa(int(p.Step))] = true
	}
	for _, want := range []string{"1/1", "30/6", "60/60"} {
		if !seen[want] {
			t.Errorf("no row of %s", want)
		}
	}
}
