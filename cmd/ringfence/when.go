package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// when is a point in time as people give it. A date is its first instant; all is in this machine's time zone unless said.
type when struct{ time.Time }

const whenForms = `"2026-12-01", "2026-12-01 18:00", "2026-12-01T18:00:00Z", "today", "tomorrow", "yesterday", "+3d", "+2h", "-1h30m"`

// UnmarshalText is what kong calls.
func (w *when) UnmarshalText(text []byte) error {
	t, err := parseWhen(string(text), time.Now())
	w.Time = t
	return err
}

func parseWhen(text string, now time.Time) (time.Time, error) {
	text = strings.TrimSpace(text)
	day := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	switch strings.ToLower(text) {
	case "now":
		return now, nil
	case "today":
		return day, nil
	case "tomorrow":
		return day.AddDate(0, 0, 1), nil
	case "yesterday":
		return day.AddDate(0, 0, -1), nil
	}
	if strings.HasPrefix(text, "+") || strings.HasPrefix(text, "-") {
		return parseOffset(text, now)
	}
	for _, form := range []string{time.RFC3339, "2006-01-02", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02 15:04:05"} {
		if t, err := time.ParseInLocation(form, text, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%.40q is no time; want one of %s", text, whenForms)
}

// parseOffset reads "+3d", "-90m": days are days of the calendar, so that three days from noon is noon.
func parseOffset(text string, now time.Time) (time.Time, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= -36_500 && n <= 36_500 {
			return now.AddDate(0, 0, n), nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%.40q is no time; want one of %s", text, whenForms)
	}
	return now.Add(d), nil
}

// span is a length of time as people give it: "90m", "24h", "7d", "2w".
type span struct{ time.Duration }

// UnmarshalText is what kong calls.
func (d *span) UnmarshalText(text []byte) error {
	unit := time.Duration(0)
	number := string(text)
	if n, ok := strings.CutSuffix(number, "d"); ok {
		number, unit = n, 24*time.Hour
	} else if n, ok := strings.CutSuffix(number, "w"); ok {
		number, unit = n, 7*24*time.Hour
	}
	bad := fmt.Errorf("%.40q is no length of time; want one such as \"90m\", \"24h\", \"7d\", \"2w\"", text)
	if unit == 0 {
		v, err := time.ParseDuration(number)
		if err != nil || v < time.Second {
			return bad
		}
		d.Duration = v
		return nil
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > 5000 {
		return bad
	}
	d.Duration = time.Duration(n) * unit
	return nil
}

// param is the time for a query string, "" for none.
func (w when) param() string {
	if w.IsZero() {
		return ""
	}
	return w.UTC().Format(time.RFC3339Nano)
}

// moment writes an instant for people, in this machine's zone; "" for none.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

// until writes when something ends, with the zone, because it is a promise.
func until(t time.Time) string { return t.Local().Format("2006-01-02 15:04 MST") }

// talk writes a length as people read it beside others: "1:02:03", "2:05".
func talk(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}
