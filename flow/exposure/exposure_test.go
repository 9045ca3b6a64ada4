package exposure

import (
	"testing"
	"time"
)

// TestPeriods: tonight lasts until somebody is at work again, which at a weekend is Monday, and after a change of the clocks still nine.
func TestPeriods(t *testing.T) {
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		now  string
		p    Period
		want string
	}{
		{"2027-05-12 18:00", Tonight, "2027-05-13 09:00"},
		{"2027-05-12 02:00", Tonight, "2027-05-12 09:00"},
		{"2027-05-12 09:00", Tonight, "2027-05-13 09:00"},
		{"2027-05-14 18:00", Tonight, "2027-05-17 09:00"},
		{"2027-03-27 18:00", Tonight, "2027-03-29 09:00"},
		{"2027-05-12 18:00", Caps, "2027-05-13 00:00"},
		{"2027-12-12 18:00", Month, "2028-01-01 00:00"},
	} {
		now, _ := time.ParseInLocation("2006-01-02 15:04", c.now, zone)
		if got := c.p.End(now, zone).Format("2006-01-02 15:04"); got != c.want {
			t.Errorf("%s of %s ends %s, want %s", c.p, c.now, got, c.want)
		}
	}
}
