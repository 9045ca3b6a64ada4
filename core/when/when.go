// Package when reads points in time as people write them, in the time zone of the one they are about. It must not know whose
// zone that is.
package when

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Forms is what may be written, for people.
const Forms = `"2026-12-01", "2026-12-01 18:00", "2026-12-01T18:00:00Z", "today", "tomorrow", "yesterday", "friday", "friday 18:00", "+3d", "+2h", "-1h30m"`

// MaxText bounds a text.
const MaxText = 40

// ErrForm says that a text is none of the forms; the error lists them.
var ErrForm = errors.New("not a form of time that is understood")

// at is a text understood: an instant, or a day.
type at struct {
	instant time.Time
	day     day // when instant is zero
}

// day is a day of the calendar, without a zone.
type day struct {
	y int
	m time.Month
	d int
}

// The direction in which a weekday is looked for.
const (
	coming = 1
	past   = -1
)

// At is the instant that is meant: of a day its first, of a weekday the coming one, today included.
func At(text string, now time.Time, zone *time.Location) (time.Time, error) {
	return read(text, now, zone, coming, 0)
}

// From is where a span begins that is meant to be looked back at: of a day its first instant, of a weekday the last one,
// today included.
func From(text string, now time.Time, zone *time.Location) (time.Time, error) {
	return read(text, now, zone, past, 0)
}

// Until is where a span ends, itself not of it: a day is of it to its last instant. Of a weekday it is the coming one, today
// included.
func Until(text string, now time.Time, zone *time.Location) (time.Time, error) {
	return read(text, now, zone, coming, 1)
}

// UntilPast is Until for a span that is looked back at: of a weekday it is the last one, today included.
func UntilPast(text string, now time.Time, zone *time.Location) (time.Time, error) {
	return read(text, now, zone, past, 1)
}

// read gives an instant as it is, and for a day the beginning of the day that is `days` days later.
func read(text string, now time.Time, zone *time.Location, direction, days int) (time.Time, error) {
	a, err := parse(text, now.In(zone), direction)
	if err != nil || !a.instant.IsZero() {
		return a.instant, err
	}
	return a.day.plus(days).begin(zone), nil
}

// parse reads a text; now is in the zone that is meant.
func parse(text string, now time.Time, direction int) (at, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if len(text) > MaxText {
		return at{}, wrong(text)
	}
	if text == "now" {
		return at{instant: now}, nil
	}
	if strings.HasPrefix(text, "+") || strings.HasPrefix(text, "-") {
		t, err := offset(text, now)
		return at{instant: t}, err
	}
	if t, err := time.Parse(time.RFC3339, strings.ToUpper(text)); err == nil {
		return at{instant: t}, nil
	}
	head, clock, timed := cut(text)
	d, weekday, ok := readDay(head, now, direction)
	if !ok {
		return at{}, wrong(text)
	}
	if !timed {
		return at{day: d}, nil
	}
	t, err := d.clock(clock, now.Location())
	if err != nil || !weekday {
		return at{instant: t}, err
	}
	// Today's weekday with an hour that is not of the side looked at is that of another week.
	if direction == coming && !t.After(now) || direction == past && t.After(now) {
		t, err = d.plus(7*direction).clock(clock, now.Location())
	}
	return at{instant: t}, err
}

func wrong(text string) error {
	return fmt.Errorf("%w: %.40q; want one of %s", ErrForm, text, Forms)
}

// cut takes the time of day off: "2026-12-01t18:00", "friday 18:00".
func cut(text string) (head, clock string, ok bool) {
	if i := strings.LastIndexByte(text, ' '); i > 0 {
		return strings.TrimSpace(text[:i]), text[i+1:], true
	}
	if len(text) > len(time.DateOnly) && text[len(time.DateOnly)] == 't' {
		return text[:len(time.DateOnly)], text[len(time.DateOnly)+1:], true
	}
	return text, "", false
}

// readDay reads a date, "today" and its neighbours, or a weekday's name.
func readDay(text string, now time.Time, direction int) (d day, weekday, ok bool) {
	today := dayOf(now)
	switch text {
	case "today":
		return today, false, true
	case "tomorrow":
		return today.plus(1), false, true
	case "yesterday":
		return today.plus(-1), false, true
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return dayOf(t), false, true
	}
	for w := time.Sunday; w <= time.Saturday; w++ {
		name := strings.ToLower(w.String())
		if text != name && text != name[:3] {
			continue
		}
		return today.plus(direction * ((direction*int(w-now.Weekday()) + 7) % 7)), true, true
	}
	return day{}, false, false
}

// offset reads "+3d", "-90m": days are days of the calendar, so that three days from noon is noon.
func offset(text string, now time.Time) (time.Time, error) {
	if number, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(number); err == nil && n >= -36_500 && n <= 36_500 {
			return now.AddDate(0, 0, n), nil
		}
		return time.Time{}, wrong(text)
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return time.Time{}, wrong(text)
	}
	return now.Add(d), nil
}

func dayOf(t time.Time) day {
	y, m, d := t.Date()
	return day{y, m, d}
}

func (d day) plus(n int) day { return dayOf(time.Date(d.y, d.m, d.d+n, 12, 0, 0, 0, time.UTC)) }

// begin is the first instant of the day. Where clocks go forward at midnight the day begins with another hour.
func (d day) begin(zone *time.Location) time.Time {
	t := d.first(0, 0, 0, zone)
	if dayOf(t) == d && t.Hour() == 0 && t.Minute() == 0 {
		return t
	}
	start, end := t.ZoneBounds()
	if y, m, n := t.Date(); time.Date(y, m, n, 0, 0, 0, 0, time.UTC).Before(time.Date(d.y, d.m, d.d, 0, 0, 0, 0, time.UTC)) {
		return end
	}
	return start
}

// clock is an instant of the day, by its clocks: "18:00", "18:00:30". Where clocks go back and show it twice it is the first.
func (d day) clock(text string, zone *time.Location) (time.Time, error) {
	for _, form := range []string{"15:04", "15:04:05"} {
		c, err := time.Parse(form, text)
		if err != nil {
			continue
		}
		t := d.first(c.Hour(), c.Minute(), c.Second(), zone)
		if dayOf(t) != d || t.Hour() != c.Hour() || t.Minute() != c.Minute() {
			return t, fmt.Errorf("%w: there is no %s on %04d-%02d-%02d in %s, because the clocks go forward; want another time", ErrForm, text, d.y, d.m, d.d, zone)
		}
		return t, nil
	}
	return time.Time{}, wrong(text)
}

// first is the first instant at which the clocks of a zone show a time of the day; near it, when they never do.
func (d day) first(hour, minute, second int, zone *time.Location) time.Time {
	t := time.Date(d.y, d.m, d.d, hour, minute, second, 0, zone)
	start, _ := t.ZoneBounds()
	if start.IsZero() {
		return t
	}
	_, seconds := start.Add(-1).Zone()
	earlier := time.Date(d.y, d.m, d.d, hour, minute, second, 0, time.FixedZone("", seconds))
	if earlier.Before(start) && earlier.Before(t) {
		return earlier.In(zone)
	}
	return t
}
