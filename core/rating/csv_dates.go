package rating

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
)

// dateReader tries the form that fitted last first: files keep to one or two.
type dateReader struct {
	forms []string // layouts
	last  int
}

// isoForms are unambiguous forms. Fractions of a second are read whether a layout has them or not.
var isoForms = []string{
	"2006-01-02 15:04:05", "2006-01-02", "2006-01-02T15:04:05", "2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04", "2006-01-02T15:04", "2006/01/02", "2006/01/02 15:04:05", "2006/01/02 15:04", "20060102", "2-Jan-2006",
	"2-Jan-06", "2 Jan 2006", "2 January 2006", "2-Jan-2006 15:04", "2-Jan-2006 15:04:05", "2 Jan 2006 15:04", "Jan 2, 2006",
	"January 2, 2006", "2.1.2006", "2.1.2006 15:04", "2.1.2006 15:04:05",
}

// slashForms are those in which the day or the month may come first; they are written day first here.
var slashForms = []string{
	"2/1/2006", "2/1/2006 15:04", "2/1/2006 15:04:05", "2-1-2006", "2-1-2006 15:04", "2-1-2006 15:04:05", "2/1/06", "2/1/06 15:04",
	"2-1-06", "2/1/2006 3:04:05 PM", "2/1/2006 3:04 PM",
}

// DateOrder says what comes first in 01/02/2006.
type DateOrder string

// Orders of dates.
const (
	DatesAsked DateOrder = ""    // the file must show it; a question if it does not
	DayFirst   DateOrder = "dmy" // the first of February
	MonthFirst DateOrder = "mdy" // the second of January
)

// forms are all forms, with the ambiguous ones in one order of day and month.
func forms(order DateOrder) []string {
	all := slices.Concat(isoForms, slashForms)
	if order == MonthFirst {
		for i := len(isoForms); i < len(all); i++ {
			all[i] = strings.NewReplacer("2/1/", "1/2/", "2-1-", "1-2-").Replace(all[i])
		}
	}
	return all
}

// learnDates looks for an unambiguous date in the file, unless the order is given. When there is none, and a date can be
// read as two days, a person is asked.
func (r *deckReader) learnDates() {
	order := r.opt.Dates
	if order == DatesAsked && (r.columns.has(fieldStart) || r.columns.has(fieldEnd)) {
		seen := r.seeDates()
		order = seen.order()
		if q := seen.question(); q != nil {
			r.ask(*q)
		}
	}
	r.dates.forms = forms(order)
}

// question is what a person must decide about the dates; nil: nothing.
func (e *dateEvidence) question() *Question {
	if e.order() != DatesAsked || e.either == 0 {
		return nil
	}
	q := Ask(AskDates, fmt.Sprintf("%s can be read in two ways: is the day first or the month?", plural(e.either, "date", "dates")), e.examples)
	if over := e.either - len(e.examples); over > 0 {
		q.Examples = append(q.Examples, fmt.Sprintf("and %d more", over))
	}
	q.Flag, q.Choices = "dates", []string{string(DayFirst), string(MonthFirst)}
	return &q
}

// Dates reads the dates of other files than price lists, in all forms of those.
type Dates struct{ reader dateReader }

// DatesOf looks at every date of a file, with its line, for the order of day and month, unless it is given. The question is nil when the file
// shows it, or no date can be read as two days.
func DatesOf(order DateOrder, cells iter.Seq2[int, string]) (*Dates, *Question) {
	var seen dateEvidence
	for line, cell := range cells {
		seen.see(line, cell)
	}
	if order != DatesAsked {
		return &Dates{dateReader{forms: forms(order)}}, nil
	}
	return &Dates{dateReader{forms: forms(seen.order())}}, seen.question()
}

// Parse reads a date; whole says that it names a day without a time.
func (d *Dates) Parse(text string, zone *time.Location) (at time.Time, whole, ok bool) {
	return d.reader.parse(text, zone)
}

// dateEvidence is what the dates of a file show.
type dateEvidence struct {
	day, month int      // how many can only be read with the day, the month first
	either     int      // those that are two different days
	examples   []string // the first of these, with their lines
}

// order is what most dates show; the others are then faults.
func (e *dateEvidence) order() DateOrder {
	switch {
	case e.day == 0 && e.month == 0:
		return DatesAsked
	case e.month > e.day:
		return MonthFirst
	}
	return DayFirst
}

func (r *deckReader) seeDates() *dateEvidence {
	seen := &dateEvidence{}
	r.body(func(line int, cells []string, err error) bool {
		if err == nil {
			seen.see(line, r.cell(cells, fieldStart))
			seen.see(line, r.cell(cells, fieldEnd))
		}
		return true
	})
	return seen
}

// see takes one cell as evidence.
func (e *dateEvidence) see(line int, cell string) {
	first, second, ok := twoNumbers(cell)
	switch {
	case !ok:
	case first > 12 && second <= 12:
		e.day++
	case second > 12 && first <= 12:
		e.month++
	case first != second && first <= 12:
		if e.either++; len(e.examples) < MaxExamples {
			e.examples = append(e.examples, fmt.Sprintf("line %d: %s", line, clip(cell)))
		}
	}
}

// twoNumbers are the first two numbers of 12/01/2026 or 12-01-26, each of one or two digits, before a year.
func twoNumbers(cell string) (first, second int, ok bool) {
	for _, sign := range []string{"/", "-"} {
		a, rest, _ := strings.Cut(cell, sign)
		b, year, both := strings.Cut(rest, sign)
		if !both || len(a) < 1 || len(a) > 2 || len(b) < 1 || len(b) > 2 || len(year) < 2 {
			continue
		}
		first, errA := strconv.Atoi(a)
		second, errB := strconv.Atoi(b)
		if errA == nil && errB == nil {
			return first, second, true
		}
	}
	return 0, 0, false
}

// Serial days of a spreadsheet that are accepted as dates: 1954 to 2119.
const (
	leastSerial = 20_000
	mostSerial  = 80_000
)

// parse reads a date; whole says that it names a day without a time.
func (d *dateReader) parse(text string, zone *time.Location) (at time.Time, whole, ok bool) {
	if d.last < len(d.forms) {
		if at, err := time.ParseInLocation(d.forms[d.last], text, zone); err == nil && at.Year() >= 1900 {
			return at, !strings.Contains(d.forms[d.last], ":"), true
		}
	}
	if len(text) <= 18 && strings.Trim(text, "0123456789.") == "" && !strings.HasPrefix(text, "0") {
		if serial, err := strconv.ParseFloat(text, 64); err == nil && serial >= leastSerial && serial < mostSerial {
			return fromSerial(serial, zone), serial == float64(int64(serial)), true
		}
	}
	for i, form := range d.forms {
		if at, err := time.ParseInLocation(form, text, zone); err == nil && at.Year() >= 1900 {
			d.last = i
			return at, !strings.Contains(form, ":"), true
		}
	}
	return time.Time{}, false, false
}

// fromSerial is a spreadsheet's day number: days since 30 December 1899, to the second.
func fromSerial(serial float64, zone *time.Location) time.Time {
	seconds := int64((serial-float64(int64(serial)))*86400 + 0.5)
	return time.Date(1899, time.December, 30+int(serial), 0, 0, int(seconds), 0, zone)
}
