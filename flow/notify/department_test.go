package notify

import (
	"testing"
	"time"
)

func TestDepartments(t *testing.T) {
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	d, err := ParseDepartment("Support; phone 020 7946 0999; mail help@example.net; open mon-fri 08:00-18:00")
	if err != nil || d.Name != "Support" || d.Phone != "020 7946 0999" || d.Mail != "help@example.net" || d.Text != "" {
		t.Fatalf("%+v %v", d, err)
	}
	for _, c := range []struct {
		now  string
		open bool
		next string
	}{
		{"2026-12-04 17:59", true, ""},
		{"2026-12-04 18:00", false, "2026-12-07 08:00"}, // a Friday
		{"2026-12-23 19:00", false, "2026-12-24 08:00"},
		{"2026-12-24 19:00", false, "2026-12-29 08:00"}, // Friday and Monday are holidays
	} {
		at, err := time.ParseInLocation("2006-01-02 15:04", c.now, zone)
		if err != nil {
			t.Fatal(err)
		}
		open, next := d.OpenAt(at, zone, []string{"2026-12-25", "2026-12-28"})
		text := ""
		if !next.IsZero() {
			text = next.In(zone).Format("2006-01-02 15:04")
		}
		if open != c.open || text != c.next {
			t.Errorf("%s: open %t, next %s", c.now, open, text)
		}
	}
	for _, bad := range []string{"", "; phone 1", "Support", "Support; fax 1", "Support; phone", "Support; phone 1; open never"} {
		if _, err := ParseDepartment(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
