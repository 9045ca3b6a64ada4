package when

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func zoneOf(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestForms(t *testing.T) {
	// A Saturday, the day before London's clocks go forward. It is Sunday already in Tokyo, and Friday evening … nowhere.
	now := time.Date(2026, 3, 28, 16, 0, 0, 0, time.UTC)
	for _, c := range []struct{ zone, text, at, from, until string }{
		{"Europe/London", "now", "03-28T16:00:00Z", "03-28T16:00:00Z", "03-28T16:00:00Z"},
		{"Europe/London", "today", "03-28T00:00:00Z", "03-28T00:00:00Z", "03-29T00:00:00Z"},
		{"Europe/London", "yesterday", "03-27T00:00:00Z", "03-27T00:00:00Z", "03-28T00:00:00Z"},
		{"Europe/London", "tomorrow", "03-29T00:00:00Z", "03-29T00:00:00Z", "03-29T23:00:00Z"}, // 23 hours long
		{"Europe/London", "2026-03-31", "03-30T23:00:00Z", "03-30T23:00:00Z", "03-31T23:00:00Z"},
		{"Europe/London", "2026-10-25", "10-24T23:00:00Z", "10-24T23:00:00Z", "10-26T00:00:00Z"}, // 25 hours long
		{"Europe/London", "2026-07-01 18:00", "07-01T17:00:00Z", "07-01T17:00:00Z", "07-01T17:00:00Z"},
		{"Europe/London", "2026-07-01T18:00", "07-01T17:00:00Z", "07-01T17:00:00Z", "07-01T17:00:00Z"},
		{"Europe/London", "2026-07-01T18:00:00Z", "07-01T18:00:00Z", "07-01T18:00:00Z", "07-01T18:00:00Z"},
		{"Asia/Tokyo", "2026-07-01T18:00:00+01:00", "07-01T17:00:00Z", "07-01T17:00:00Z", "07-01T17:00:00Z"},
		{"Europe/London", "2026-10-25 01:30", "10-25T00:30:00Z", "10-25T00:30:00Z", "10-25T00:30:00Z"}, // of two, the first
		{"Asia/Tokyo", "today", "03-28T15:00:00Z", "03-28T15:00:00Z", "03-29T15:00:00Z"},
		{"America/New_York", "today", "03-28T04:00:00Z", "03-28T04:00:00Z", "03-29T04:00:00Z"},
		{"Pacific/Kiritimati", "yesterday", "03-27T10:00:00Z", "03-27T10:00:00Z", "03-28T10:00:00Z"},
		{"Europe/London", "friday", "04-02T23:00:00Z", "03-27T00:00:00Z", "04-03T23:00:00Z"},
		{"Europe/London", "Saturday", "03-28T00:00:00Z", "03-28T00:00:00Z", "03-29T00:00:00Z"}, // today counts
		{"Asia/Tokyo", "saturday", "04-03T15:00:00Z", "03-27T15:00:00Z", "04-04T15:00:00Z"},    // yesterday there
		{"Europe/London", "sun", "03-29T00:00:00Z", "03-22T00:00:00Z", "03-29T23:00:00Z"},
		{"Europe/London", "saturday 18:00", "03-28T18:00:00Z", "03-21T18:00:00Z", "03-28T18:00:00Z"},
		{"Europe/London", "saturday 09:00", "04-04T08:00:00Z", "03-28T09:00:00Z", "04-04T08:00:00Z"},
		{"Europe/London", "tomorrow 18:00", "03-29T17:00:00Z", "03-29T17:00:00Z", "03-29T17:00:00Z"},
		{"Europe/London", "+1d", "03-29T15:00:00Z", "03-29T15:00:00Z", "03-29T15:00:00Z"}, // noon stays noon
		{"Europe/London", "+24h", "03-29T16:00:00Z", "03-29T16:00:00Z", "03-29T16:00:00Z"},
		{"Europe/London", "-90m", "03-28T14:30:00Z", "03-28T14:30:00Z", "03-28T14:30:00Z"},
		{"Europe/London", "2026-02-28", "02-28T00:00:00Z", "02-28T00:00:00Z", "03-01T00:00:00Z"},
		{"America/Havana", "2026-03-08", "03-08T05:00:00Z", "03-08T05:00:00Z", "03-09T04:00:00Z"}, // begins at one o'clock
		{"America/Havana", "2026-11-01", "11-01T04:00:00Z", "11-01T04:00:00Z", "11-02T05:00:00Z"}, // has two midnights
		{"America/Santiago", "2026-09-06", "09-06T04:00:00Z", "09-06T04:00:00Z", "09-07T03:00:00Z"},
	} {
		zone := zoneOf(t, c.zone)
		for name, f := range map[string]func(string, time.Time, *time.Location) (time.Time, error){"at": At, "from": From, "until": Until} {
			want := map[string]string{"at": c.at, "from": c.from, "until": c.until}[name]
			got, err := f(c.text, now, zone)
			if err != nil || got.UTC().Format("01-02T15:04:05Z07:00") != want {
				t.Errorf("%s %s %s: %s, %v; want %s", c.zone, name, c.text, got.UTC(), err, want)
			}
		}
	}
	if got, err := UntilPast("friday", now, time.UTC); err != nil || !got.Equal(time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("until the last friday: %s %v", got, err)
	}
	if got, err := Until("2026-12-31", now, time.UTC); err != nil || got.Year() != 2027 {
		t.Errorf("the last day of the year ends %s %v", got, err)
	}
}

func TestWhatIsNoTime(t *testing.T) {
	london := zoneOf(t, "Europe/London")
	now := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	for _, text := range []string{
		"", "someday", "fr", "2026-13-01", "2026-02-29", "+d", "+999999999d", "12", "3d", "18:00", "friday 25:00", "friday noon", "2026-12-01 ", "2026-12-01t",
		"today today", strings.Repeat("9", 500), "2026-03-29 01:30", "+1y", "\x00", "freitag",
	} {
		if text == "2026-12-01 " {
			continue // blanks around it are nothing
		}
		if got, err := Until(text, now, london); !errors.Is(err, ErrForm) || !strings.Contains(err.Error(), "want") || len(err.Error()) > 400 {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

// A day is what the clocks of its zone show: its first instant is the first that they show the date, also where they are
// changed at midnight and where a day is left out.
func TestADayIsWhatTheClocksShow(t *testing.T) {
	zones := []*time.Location{time.UTC}
	for _, name := range []string{
		"Europe/London", "America/New_York", "America/Havana", "America/Santiago", "Asia/Beirut", "Asia/Kathmandu", "Pacific/Apia", "Pacific/Kiritimati",
		"Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Cairo", "America/Scoresbysund",
	} {
		zones = append(zones, zoneOf(t, name))
	}
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(zones).Draw(t, "zone")
		any := time.Unix(rapid.Int64Range(1_262_304_000, 2_000_000_000).Draw(t, "s"), 0).In(zone) // 2010 to 2033
		text := any.Format(time.DateOnly)
		from, err := From(text, any, zone)
		until, err2 := Until(text, any, zone)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if from.In(zone).Format(time.DateOnly) != text || until.Add(-1).In(zone).Format(time.DateOnly) != text {
			t.Fatalf("%s in %s is from %s until %s", text, zone, from, until)
		}
		if from.Add(-1).In(zone).Format(time.DateOnly) >= text || until.In(zone).Format(time.DateOnly) <= text {
			t.Fatalf("%s in %s is more than from %s until %s", text, zone, from, until)
		}
		if any.Before(from) || !any.Before(until) {
			t.Fatalf("%s is not of its own day, from %s until %s", any, from, until)
		}
	})
}

func FuzzUntil(f *testing.F) {
	for _, text := range []string{"friday", "2026-12-01 18:00", "+3d", "today", "2026-12-01T18:00:00Z"} {
		f.Add(text)
	}
	now := time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
	zone := zoneOf(f, "America/Havana")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := Until(text, now, zone); err == nil && got.IsZero() {
			t.Errorf("%q is no instant and no error", text)
		}
	})
}
