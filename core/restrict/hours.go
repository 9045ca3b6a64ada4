package restrict

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Hours are times of the week, and of holidays. The zero Hours is always.
type Hours struct{ spans []span }

// span is a time of day on some days, by the clocks of the customer.
type span struct {
	days        uint8         // bits by time.Weekday
	date        string        // a day of its own, "2026-12-25"; "" is none
	from, until time.Duration // since midnight; until is not of it. from ≥ until: it lasts into the next day
}

const everyDay = 1<<7 - 1

// maxSpans bounds how many a restriction has.
const maxSpans = 40

// ErrHours says that a text is not times of the week.
var ErrHours = errors.New("not times of the week")

// ParseHours reads times of the week: "mon-fri 18:00-08:00, sat, sun, 2026-12-25". A day without times is all of it. A time that ends before it
// begins ends on the next day. "" is always.
func ParseHours(text string) (h Hours, err error) {
	if text = strings.ToLower(strings.TrimSpace(text)); text == "" {
		return h, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		s, ok := parseSpan(strings.Fields(part))
		if !ok || len(h.spans) == maxSpans {
			return Hours{}, fmt.Errorf(`%w: %.60q; want for example "mon-fri 18:00-08:00, sat, sun, 2026-12-25", at most %d parts`, ErrHours, strings.TrimSpace(part), maxSpans)
		}
		h.spans = append(h.spans, s)
	}
	return h, nil
}

func parseSpan(words []string) (s span, ok bool) {
	s.until = 24 * time.Hour
	switch len(words) {
	case 1:
		if strings.Contains(words[0], ":") { // every day
			s.days = everyDay
			return s, s.times(words[0])
		}
	case 2:
		if !s.times(words[1]) {
			return s, false
		}
	default:
		return s, false
	}
	return s, s.weekdays(words[0])
}

func (s *span) times(text string) bool {
	from, until, ok := strings.Cut(text, "-")
	if !ok {
		return false
	}
	s.from, ok = clock(from)
	if ok {
		s.until, ok = clock(until)
	}
	return ok && s.from < 24*time.Hour
}

// clock reads "18:00"; "24:00" is the end of the day.
func clock(text string) (time.Duration, bool) {
	if text == "24:00" {
		return 24 * time.Hour, true
	}
	t, err := time.Parse("15:04", text)
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err == nil
}

func (s *span) weekdays(text string) bool {
	if _, err := time.Parse(time.DateOnly, text); err == nil {
		s.date = text
		return true
	}
	first, last, several := strings.Cut(text, "-")
	a, ok := weekday(first)
	if !ok {
		return false
	}
	z := a
	if several {
		if z, ok = weekday(last); !ok {
			return false
		}
	}
	for d := a; ; d = (d + 1) % 7 {
		if s.days |= 1 << d; d == z {
			return true
		}
	}
}

func weekday(text string) (time.Weekday, bool) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if name := strings.ToLower(d.String()); len(text) >= 3 && strings.HasPrefix(name, text) {
			return d, true
		}
	}
	return 0, false
}

// String writes the hours as ParseHours reads them.
func (h Hours) String() string {
	parts := make([]string, len(h.spans))
	for i := range h.spans {
		parts[i] = h.spans[i].String()
	}
	return strings.Join(parts, ", ")
}

// String is always one part, so that hours which could be read can be read again.
func (s *span) String() string {
	times := ""
	if s.from != 0 || s.until != 24*time.Hour {
		times = fmt.Sprintf("%s-%s", stamp(s.from), stamp(s.until))
	}
	if s.days == everyDay && times != "" {
		return times
	}
	return strings.TrimSpace(s.dayText() + " " + times)
}

// dayText writes the days: a date, or a run of days of the week.
func (s *span) dayText() string {
	if s.date != "" {
		return s.date
	}
	has := func(d time.Weekday) bool { return s.days&(1<<((d+7)%7)) != 0 }
	name := func(d time.Weekday) string { return strings.ToLower((d % 7).String()[:3]) }
	first := time.Sunday
	for d := time.Sunday; d <= time.Saturday; d++ {
		if has(d) && !has(d-1) {
			first = d
		}
	}
	last := first
	for last < first+6 && has(last+1) {
		last++
	}
	if first == last {
		return name(first)
	}
	return name(first) + "-" + name(last)
}

func stamp(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", d/time.Hour, d%time.Hour/time.Minute)
}

// MarshalText and UnmarshalText are String and ParseHours.
func (h Hours) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (h *Hours) UnmarshalText(text []byte) (err error) {
	*h, err = ParseHours(string(text))
	return err
}

// Limited says that there are times outside the hours.
func (h *Hours) Limited() bool { return len(h.spans) > 0 }

// IsZero is for JSON: hours that are always are left out.
func (h Hours) IsZero() bool { return len(h.spans) == 0 }

// Has says that an instant is within the hours, by the clocks of a zone; nil is UTC.
func (h *Hours) Has(now time.Time, zone *time.Location) bool {
	if len(h.spans) == 0 {
		return true
	}
	if zone == nil {
		zone = time.UTC
	}
	local := now.In(zone)
	year, month, date := local.Date()
	today := time.Date(year, month, date, 12, 0, 0, 0, time.UTC) // days are counted where none lacks an hour
	hour, minute, second := local.Clock()
	at := time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second
	for i := range h.spans {
		s := &h.spans[i]
		if s.from < s.until {
			if at >= s.from && at < s.until && s.on(today) {
				return true
			}
			continue
		}
		if at >= s.from && s.on(today) || at < s.until && s.on(today.AddDate(0, 0, -1)) {
			return true
		}
	}
	return false
}

func (s *span) on(day time.Time) bool {
	return s.days&(1<<day.Weekday()) != 0 || s.date != "" && s.date == day.Format(time.DateOnly)
}
