package rating

import (
	"strconv"
	"strings"
	"time"
)

// dateReader tries the form that fitted last first: files keep to one or two.
type dateReader struct{ last int }

// dateForm is a layout; whole says that it has no time of day.
type dateForm struct {
	layout string
	whole  bool
}

// Fractions of a second are read whether a layout has them or not.
var isoForms = []dateForm{
	{"2006-01-02 15:04:05", false},
	{"2006-01-02", true},
	{"2006-01-02T15:04:05", false},
	{"2006-01-02T15:04:05Z07:00", false},
	{"2006-01-02 15:04:05Z07:00", false},
	{"2006-01-02 15:04", false},
	{"2006-01-02T15:04", false},
	{"2006/01/02", true},
	{"2006/01/02 15:04:05", false},
	{"2006/01/02 15:04", false},
	{"20060102", true},
	{"2-Jan-2006", true},
	{"2-Jan-06", true},
	{"2 Jan 2006", true},
	{"2 January 2006", true},
	{"2-Jan-2006 15:04", false},
	{"2-Jan-2006 15:04:05", false},
	{"2 Jan 2006 15:04", false},
	{"Jan 2, 2006", true},
	{"January 2, 2006", true},
	{"2.1.2006", true},
	{"2.1.2006 15:04", false},
	{"2.1.2006 15:04:05", false},
}

var dayFirstForms = append(isoForms[:len(isoForms):len(isoForms)],
	dateForm{"2/1/2006", true}, dateForm{"2/1/2006 15:04", false}, dateForm{"2/1/2006 15:04:05", false}, dateForm{"2-1-2006", true}, dateForm{"2/1/06", true})

var monthFirstForms = append(isoForms[:len(isoForms):len(isoForms)],
	dateForm{"1/2/2006", true}, dateForm{"1/2/2006 15:04", false}, dateForm{"1/2/2006 15:04:05", false}, dateForm{"1-2-2006", true}, dateForm{"1/2/06", true},
	dateForm{"1/2/2006 3:04:05 PM", false}, dateForm{"1/2/2006 3:04 PM", false})

// Spreadsheet serial days that are believed: 1954 to 2119.
const (
	leastSerial = 20_000
	mostSerial  = 80_000
)

// parse reads a date; whole says that it names a day without a time.
func (d *dateReader) parse(text string, zone *time.Location, monthFirst bool) (at time.Time, whole, ok bool) {
	forms := dayFirstForms
	if monthFirst {
		forms = monthFirstForms
	}
	if d.last < len(forms) {
		if at, err := time.ParseInLocation(forms[d.last].layout, text, zone); err == nil {
			return at, forms[d.last].whole, true
		}
	}
	if len(text) <= 18 && strings.Trim(text, "0123456789.") == "" && !strings.HasPrefix(text, "0") {
		if serial, err := strconv.ParseFloat(text, 64); err == nil && serial >= leastSerial && serial < mostSerial {
			return fromSerial(serial, zone), serial == float64(int64(serial)), true
		}
	}
	for i, form := range forms {
		if at, err := time.ParseInLocation(form.layout, text, zone); err == nil && at.Year() >= 1900 {
			d.last = i
			return at, form.whole, true
		}
	}
	return time.Time{}, false, false
}

// fromSerial is a spreadsheet's day number: days since 30 December 1899, to the second.
func fromSerial(serial float64, zone *time.Location) time.Time {
	seconds := int64((serial-float64(int64(serial)))*86400 + 0.5)
	return time.Date(1899, time.December, 30+int(serial), 0, 0, int(seconds), 0, zone)
}
