package retain

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Period is how long something is kept, by the calendar. The zero Period is for ever.
type Period struct{ Years, Months, Days int }

// ErrPeriod says that a text is no period.
var ErrPeriod = errors.New(`not a period of keeping (want "6 years 3 months", "400 days" or "for ever")`)

// maxYears is beyond what anything is kept for: a longer period is a slip.
const maxYears = 100

var periodPart = regexp.MustCompile(`^(\d{1,6})\s*(years?|y|months?|mo|days?|d)`)

// ParsePeriod reads a period as people write it: "6 years 3 months", "13mo", "90d", "for ever", "0".
func ParsePeriod(text string) (p Period, err error) {
	left := strings.ToLower(strings.TrimSpace(text))
	if left == "0" || left == "for ever" || left == "forever" {
		return p, nil
	}
	for left != "" {
		m := periodPart.FindStringSubmatch(left)
		if m == nil {
			return Period{}, fmt.Errorf("%.60q: %w", text, ErrPeriod)
		}
		n, _ := strconv.Atoi(m[1]) // six digits
		switch m[2][0] {
		case 'y':
			p.Years += n
		case 'm':
			p.Months += n
		case 'd':
			p.Days += n
		}
		left = strings.TrimSpace(left[len(m[0]):])
	}
	if p.days() == 0 || p.days() > maxYears*366 {
		return Period{}, fmt.Errorf("%.60q: %w", text, ErrPeriod)
	}
	return p, nil
}

// days is about how long it is, to compare periods.
func (p Period) days() int { return p.Years*365 + p.Years/4 + p.Months*30 + p.Months/2 + p.Days }

// ForEver says that nothing expires.
func (p Period) ForEver() bool { return p == Period{} }

// Shorter says that it ends before another one, about.
func (p Period) Shorter(than Period) bool {
	return !p.ForEver() && (than.ForEver() || p.days() < than.days())
}

// Before is the instant before which things have expired; zero when none has.
func (p Period) Before(now time.Time) time.Time {
	if p.ForEver() {
		return time.Time{}
	}
	return now.UTC().AddDate(-p.Years, -p.Months, -p.Days)
}

// End is when something of an instant expires; zero is never.
func (p Period) End(at time.Time) time.Time {
	if p.ForEver() {
		return time.Time{}
	}
	return at.UTC().AddDate(p.Years, p.Months, p.Days)
}

// String is as people write it.
func (p Period) String() string {
	var parts []string
	for _, part := range []struct {
		n    int
		unit string
	}{{p.Years, "year"}, {p.Months, "month"}, {p.Days, "day"}} {
		switch {
		case part.n == 1:
			parts = append(parts, "1 "+part.unit)
		case part.n > 1:
			parts = append(parts, strconv.Itoa(part.n)+" "+part.unit+"s")
		}
	}
	if len(parts) == 0 {
		return "for ever"
	}
	return strings.Join(parts, " ")
}
