package phone_test

import (
	"strconv"
	"testing"

	"ringfence/core/phone"
)

// TestSpare: short numbers of customers collide with nothing that means something, also while it is being dialled.
func TestSpare(t *testing.T) {
	p := phone.UK()
	for digits, want := range map[string]bool{
		"21": true, "200": true, "2001": true, "98": true, "911": true, "13": true, "44": true, "4420": true,
		"99": false, "999": false, "9990": false, "9": false, "11": false, "112": false, "1120": false, "101": false, "111": false, "10": false, "18": false, "1800": false,
		"14": false, "141": false, "147": false, "1471": false, "128": false, "1280": false, "116": false, "1181": false, "15": false, "123": false,
		"0": false, "00": false, "020": false, "20010": false, "": false, "2a": false, "*21": false, "٢١": false,
	} {
		if got := p.Spare(digits); got != want {
			t.Errorf("%s: %v", digits, got)
		}
	}
	c := phone.UKConfig()
	c.Trunk, c.Codes, c.International = "", nil, "011"
	other, err := phone.NewPlan(c)
	if err != nil {
		t.Fatal(err)
	}
	if other.Spare("011") || other.Spare("01") || !other.Spare("21") {
		t.Error("a plan without a trunk prefix")
	}
	for n := range 10_000 { // what is spare means nothing else, and can be called
		digits := strconv.Itoa(n)
		if _, problem := p.Parse(digits); p.Spare(digits) && problem == phone.NoProblem {
			t.Errorf("%s is a number already", digits)
		}
		if d, ok := p.Internal(digits); p.Spare(digits) && (!ok || d.Class != phone.OnNet || d.Number.String() != digits) {
			t.Errorf("%s: %+v", digits, d)
		}
	}
}
