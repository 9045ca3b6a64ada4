package rating_test

import (
	"strings"
	"testing"

	"ringfence/core/phone"
	. "ringfence/core/rating"
)

// A row prices the country and the kind of number that its prefix stands for, and what its name or the operator says besides.
func TestARowPricesWhatItStandsFor(t *testing.T) {
	thin := "USA,1,1|UK,44,1|UK Mobile,447,2|Russia,7,1|Italy,39,1|France,33,1|Australia,61,1|Norway,47,1|Germany,49,1|Germany - Mobile,4915,20|Finland,358,1|Reunion,262,1|Curacao,599,1|Cuba,53,80"
	for _, c := range []struct {
		deck, covers, dialled string
		want                  Silence
	}{
		{thin, "", "+12125551234", Priced},
		{thin, "", "+14165551234", Priced},
		{thin, "", "+18005551234", Priced},
		{thin, "", "+19005551234", OtherKind},
		{thin, "", "+18765551234", OtherCountry},
		{thin, "", "+17872345678", OtherCountry},
		{thin, "1=US,CA,PR", "+17872345678", Priced},
		{thin, "1=US,CA,PR", "+18765551234", OtherCountry},
		{thin, "1=US,premium", "+19005551234", Priced},
		{thin, "1=US", "+14165551234", OtherCountry},
		{thin, "", "+74951234567", Priced},
		{thin, "", "+79161234567", Priced},
		{thin, "", "+77011234567", OtherCountry},
		{thin, "", "07700900123", Priced},
		{thin, "", "02079460000", Priced},
		{thin, "", "03451234567", Priced},
		{thin, "", "08001234567", Priced},
		{thin, "", "07012345678", OtherKind},
		{thin, "", "07640123456", OtherKind},
		{thin, "", "09098790123", OtherKind},
		{thin, "", "08711234567", OtherKind},
		{thin, "", "07624312345", OtherCountry},
		{thin, "", "07797712345", OtherCountry},
		{thin, "", "01534712345", OtherCountry},
		{thin, "44=GB,JE", "01534712345", Priced},
		{thin, "", "+390612345678", Priced},
		{thin, "", "+393471234567", Priced},
		{thin, "", "+390669812345", OtherCountry},
		{thin, "", "+33142685300", Priced},
		{thin, "", "+33612345678", Priced},
		{thin, "", "+33912345678", Priced},
		{thin, "", "+33899123456", OtherKind},
		{thin, "", "+61891621234", OtherCountry},
		{thin, "", "+61212345678", Priced},
		{thin, "", "+4779123456", OtherCountry},
		{thin, "", "+358181234567", OtherCountry},
		{thin, "", "+262269601234", OtherCountry},
		{thin, "", "+5997151234", OtherCountry},
		{thin, "", "+493012345678", Priced},
		{thin, "", "+4915123456789", Priced},
		{thin, "", "+4917012345678", OtherKind}, // the deck has mobiles of its own, and not these
		{thin, "", "+5351234567", Priced},
		{thin, "", "+819012345678", NoRow},
		{"Russia and Kazakhstan,7,1", "", "+77011234567", Priced},
		{"UK incl. Jersey & Guernsey,44,1", "", "01534712345", Priced},
		{"UK incl. Jersey & Guernsey,44,1", "", "01624712345", OtherCountry},
		{"UK mobile - Isle of Man,447624,9", "", "07624312345", Priced},
		{"UK 08,448,9", "", "08711234567", Priced},
		{"UK personal,4470,45", "", "07012345678", Priced},
		{"Germany (all),49,1|Germany - Mobile,4915,20", "", "+4917012345678", Priced},
		{"Asia,9,1", "", "+919812345678", OtherCountry},
		{"Inmarsat,870,600", "", "+870773123456", Priced},
		{"USA,1,1|Jamaica,1876,9", "", "+18765551234", Priced},
		{"Jamaica,1,30", "", "+18765551234", Priced}, // what another country's name stands at is no price of the main one
		{"Jamaica,1,30", "", "+12125551234", OtherCountry},
		{"Kazakhstan,7,20", "", "+77011234567", Priced},
		{"Kazakhstan,7,20", "", "+74951234567", OtherCountry},
		{"Canada,1,1", "", "+12125551234", Priced},
		{"Jersey,44,9", "", "02079460000", OtherCountry},
	} {
		im := ReadCSV([]byte("Destination,Prefix,PPM\n"+strings.ReplaceAll(c.deck, "|", "\n")), ReadOptions{})
		covers, err := ParseCovers(c.covers)
		if err != nil || !im.OK() {
			t.Fatal(err, im.Faults)
		}
		d, err := Build(im.Prices, covers)
		if err != nil {
			t.Fatal(err)
		}
		to, problem := phone.UK().Parse(c.dialled)
		if problem != phone.NoProblem {
			t.Fatalf("%s: %s", c.dialled, problem)
		}
		if p, got := d.Price(to, noon); got != c.want {
			t.Errorf("%s (%s %s) with %q: %d, want %d; %+v", c.dialled, to.Country, to.Class, c.covers, got, c.want, p)
		}
	}
}

func TestCoversThatSayNothingAreRefused(t *testing.T) {
	for _, text := range []string{"1", "1=", "=US", "x=US", "01=US", "1=USA", "1=US,XX", "1=US,", "1234567890123456=US"} {
		if _, err := ParseCovers(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// A name that clearly is another country's than its prefix is a fault; one that nobody knows is not.
func TestNamesAreComparedWithPrefixes(t *testing.T) {
	for _, c := range []struct {
		name, prefix string
		fault        bool
	}{
		{"Cuba", "33", true},
		{"CUBA - Mobile", "336", true},
		{"Cuba Havana", "49", true},
		{"Germany", "44", true},
		{"Jamaica", "1868", true},
		{"Cuba", "1", true},
		{"France (Mobile)", "49", true},
		{"Ivory Coast", "33", true},
		{"Orange", "33", false},
		{"Zone 4", "33", false},
		{"France", "33", false},
		{"Côte d'Ivoire", "225", false},
		{"Korea, South", "82", false},
		{"Dem. Rep. of Congo (Mobile)", "243", false},
		{"St. Lucia", "1758", false},
		{"USA - Guam", "1671", false},
		{"USA", "1204", false},
		{"Jersey City", "1201", false},
		{"Georgia", "1404", false},
		{"Panama City", "1850", false},
		{"Puerto Rico", "1787", false},
		{"UK Mobile - Manx Telecom", "447624", false},
		{"Jersey", "441534", false},
		{"Kazakhstan", "7", false},
		{"Monaco - Kosovo mobile", "37744", false},
		{"Kosovo", "38128", false},
		{"Montenegro (Mobile)", "38167", false},
		{"Palestine Mobile", "97259", false},
		{"Vatican City", "3906698", false},
		{"San Marino", "390549", false},
		{"Netherlands Antilles", "5999", false},
		{"Saint Martin", "590", false},
		{"Virgin Islands", "1340", false},
		{"Cyprus North", "90392", false},
		{"Satellite Inmarsat", "870", false},
		{"France", "870", false},
		{"Guinea Republic", "224", false},
		{"Samoa", "685", false},
		{"Australia Antarctic", "6721", false},
		{"Nowhere", "210", false},
	} {
		im := ReadCSV([]byte("Destination,Prefix,PPM\n\""+c.name+"\","+c.prefix+",1\n"), ReadOptions{})
		if im.OK() == c.fault || c.fault && (im.Faults[0].Column != 1 || im.Faults[0].Found != c.name) {
			t.Errorf("%s, %s: %v", c.name, c.prefix, im.Faults)
		}
	}
}
