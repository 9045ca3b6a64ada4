package notify

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringfence/core/restrict"
)

// Department is a part of the provider that customers reach.
type Department struct {
	Name, Mail, Phone, Text string
	Open                    restrict.Hours // in the provider's zone; none: no hours are said
}

// DepartmentForm is how a department is written.
const DepartmentForm = `"NAME; phone 020 7946 0999; text 07700 900999; mail help@example.net; open mon-fri 08:00-18:00", with what it has`

// ParseDepartment reads one.
func ParseDepartment(text string) (d Department, err error) {
	parts := strings.Split(text, ";")
	d.Name = strings.TrimSpace(parts[0])
	if d.Name == "" || len(d.Name) > 60 {
		return d, errors.New("a name of at most 60 characters comes first")
	}
	for _, part := range parts[1:] {
		key, value, _ := strings.Cut(strings.TrimSpace(part), " ")
		value = strings.TrimSpace(value)
		switch key {
		case "phone":
			d.Phone = value
		case "text":
			d.Text = value
		case "mail":
			d.Mail = value
		case "open":
			if d.Open, err = restrict.ParseHours(value); err != nil {
				return d, err
			}
		default:
			return d, fmt.Errorf("%.20q is not phone, text, mail or open", key)
		}
		if value == "" {
			return d, fmt.Errorf("%s says nothing", key)
		}
	}
	if d.Phone == "" && d.Text == "" && d.Mail == "" {
		return d, errors.New("it has neither phone nor text nor mail")
	}
	return d, nil
}

// far is how far ahead the next opening is looked for, in steps.
const (
	far  = 21 * 24 * time.Hour
	step = 5 * time.Minute
)

// OpenAt says whether a department is open, and when it opens next; zero is not within three weeks. On holidays ("2026-12-25") it is closed all day.
func (d *Department) OpenAt(now time.Time, zone *time.Location, holidays []string) (open bool, next time.Time) {
	is := func(at time.Time) bool {
		return d.Open.Has(at, zone) && !slices.Contains(holidays, at.In(zone).Format(time.DateOnly))
	}
	if d.Open.IsZero() || is(now) {
		return !d.Open.IsZero(), time.Time{}
	}
	for at := now.Truncate(step).Add(step); at.Before(now.Add(far)); at = at.Add(step) {
		if is(at) {
			return false, at
		}
	}
	return false, time.Time{}
}
