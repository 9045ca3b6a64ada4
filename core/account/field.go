package account

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/money"
)

// ErrField says that a name is not a setting's; ErrValue that a text or figure is not a value of the field.
var (
	ErrField = errors.New("no such setting")
	ErrValue = errors.New("not a value of this setting")
)

// Unit is what a field, or a figure of a decision, counts.
type Unit uint8

// Units.
const (
	UnitNone    Unit = iota // nothing
	UnitCount               // plain number
	UnitRate                // money.Rate
	UnitAmount              // money.Micro
	UnitSeconds             // seconds
	UnitSwitch              // 0 or 1
	UnitChoice              // one of few words, numbered from 0
)

// fields holds what is known about each field. Smaller is tighter for every one that is not free. Amounts and rates are for
// currencies with decimals: see inCurrency.
var fields = [NumFields]struct {
	name     string
	unit     Unit
	builtin  int64 // the default when no link says anything
	min, max int64 // what may be set
}{
	NationalCeiling:      {"national-ceiling", UnitRate, int64(20 * money.PencePerMinute), 0, int64(10_000 * money.PencePerMinute)},
	InternationalCeiling: {"international-ceiling", UnitRate, int64(2 * money.PencePerMinute), 0, int64(10_000 * money.PencePerMinute)},
	Premium:              {"premium", UnitSwitch, 0, 0, 1},
	Satellite:            {"satellite", UnitSwitch, 0, 0, 1},
	Personal:             {"personal", UnitSwitch, 1, 0, 1},
	Pager:                {"pager", UnitSwitch, 1, 0, 1},
	MaxCalls:             {"max-calls", UnitCount, 10, 0, 10_000},
	MaxInternational:     {"max-international", UnitCount, 2, 0, 10_000},
	CallsPerMinute:       {"calls-per-minute", UnitCount, 30, 0, 60_000},
	CallsPerSecond:       {"calls-per-second", UnitCount, NoCallsPerSecond, 0, NoCallsPerSecond},
	LongestCall:          {"longest-call", UnitSeconds, 4 * 3600, 1, 24 * 3600},
	LineDayCap:           {"line-day-cap", UnitAmount, int64(50 * money.Pound), 0, int64(10_000_000 * money.Pound)},
	LineMonthCap:         {"line-month-cap", UnitAmount, int64(150 * money.Pound), 0, int64(10_000_000 * money.Pound)},
	AccountDayCap:        {"account-day-cap", UnitAmount, int64(50 * money.Pound), 0, int64(10_000_000 * money.Pound)},
	AccountMonthCap:      {"account-month-cap", UnitAmount, int64(150 * money.Pound), 0, int64(10_000_000 * money.Pound)},
	LineWarning:          {"line-warning", UnitAmount, int64(10 * money.Pound), 0, int64(10_000_000 * money.Pound)},
	AccountWarning:       {"account-warning", UnitAmount, int64(10 * money.Pound), 0, int64(10_000_000 * money.Pound)},
	Watch:                {"watch", UnitSwitch, Watched, Watched, Unwatched},
	Questions:            {"questions", UnitChoice, QuestionsAnswer, QuestionsRefuse, QuestionsPass},
}

// String is the name by which the CLI, the API and the pages know the field: "national-ceiling".
func (f Field) String() string {
	if f >= NumFields {
		return "field-" + strconv.Itoa(int(f))
	}
	return fields[f].name
}

// words are the fields as pages and documents call them.
var words = [NumFields]string{
	NationalCeiling:      "National calls, up to",
	InternationalCeiling: "International calls, up to",
	Premium:              "Premium-rate numbers",
	Satellite:            "Satellites",
	Personal:             "Personal numbers (070)",
	Pager:                "Pagers (076)",
	MaxCalls:             "Concurrent calls",
	MaxInternational:     "Concurrent calls abroad",
	CallsPerMinute:       "New calls in a minute",
	CallsPerSecond:       "New calls in a second",
	LongestCall:          "Longest duration of a call",
	LineDayCap:           "Most in a day",
	LineMonthCap:         "Most in a month",
	AccountDayCap:        "Most in a day, all lines",
	AccountMonthCap:      "Most in a month, all lines",
	LineWarning:          "We warn you at",
	AccountWarning:       "We warn you at, all lines",
	Watch:                "Watch for unusual calls",
	Questions:            "When a call must be confirmed",
}

// choices are the values of the fields that are words.
var choices = [NumFields][]string{
	Questions: {QuestionsRefuse: "refuse", QuestionsEarly: "early", QuestionsAnswer: "answer", QuestionsPass: "pass"},
}

// Choices are the words that a field of UnitChoice has as values, by their numbers; nil for any other.
func (f Field) Choices() []string { return choices[f] }

// Words is what the pages call the field: "National calls, up to".
func (f Field) Words() string {
	if f >= NumFields {
		return f.String()
	}
	return words[f]
}

// Unit says what the field counts.
func (f Field) Unit() Unit { return fields[f].unit }

// Range is the least and the greatest value that may be set.
func (f Field) Range() (least, most int64) { return fields[f].min, f.inCurrency(fields[f].max) }

// builtin is the default when no link of the chain says anything.
func (f Field) builtin() int64 { return f.inCurrency(fields[f].builtin) }

// inCurrency is a built-in amount in the billing currency. A unit of one without decimals, such as the yen, is worth about a
// hundredth of those of the others.
func (f Field) inCurrency(n int64) int64 {
	if u := fields[f].unit; u != UnitRate && u != UnitAmount {
		return n
	}
	return n * int64(money.Billing().Sum(1)/money.Pound)
}

// OfAccount says that the field is about the whole customer, so that a line has no word on it.
func (f Field) OfAccount() bool {
	return f == AccountDayCap || f == AccountMonthCap || f == AccountWarning
}

// Free says that the field limits nothing: it says when people are told. The nearest link's word holds, up or down, and
// no grant is needed.
func (f Field) Free() bool { return f == LineWarning || f == AccountWarning }

// Loosens says that n allows more than above: a customer may not set it alone, staff may grant it. Never of a free field.
func (f Field) Loosens(n, above int64) bool { return n > above && !f.Free() }

// ParseField finds a field by its name. ErrField names the fields there are.
func ParseField(name string) (Field, error) {
	names := make([]string, 0, NumFields)
	for f := range NumFields {
		if fields[f].name == name {
			return f, nil
		}
		names = append(names, fields[f].name)
	}
	return 0, fmt.Errorf("%w: %.40q; there are %s", ErrField, name, strings.Join(names, ", "))
}

// ParseValue reads a value as people write it: ceilings ("20p", "£0.20", "free") and caps ("50", "£12.50") in the billing
// currency, warnings the same or "off", durations with units ("4h", "1h30m"), "on" or "off" for switches, plain counts.
func ParseValue(f Field, text string) (int64, error) { return ParseValueIn(money.Billing(), f, text) }

// ParseValueIn is ParseValue for amounts of another currency.
func ParseValueIn(c money.Currency, f Field, text string) (int64, error) {
	if f >= NumFields {
		return 0, fmt.Errorf("%w: %s", ErrField, f)
	}
	text = strings.ToLower(strings.TrimSpace(text))
	if len(text) > 40 {
		return 0, fmt.Errorf("%w: %s is too long", ErrValue, f)
	}
	if text == off && f.Free() {
		return 0, nil
	}
	n, err := parseUnit(c, f, text)
	if err != nil {
		return 0, fmt.Errorf("%w: %s %q: want %s", ErrValue, f, text, f.wanted(c))
	}
	if f == Watch { // on is the tighter
		n = Unwatched - n
	}
	return n, checkRange(c, f, n)
}

func parseUnit(c money.Currency, f Field, text string) (int64, error) {
	switch fields[f].unit {
	case UnitChoice:
		if n := slices.Index(choices[f], text); n >= 0 {
			return int64(n), nil
		}
		return 0, ErrValue
	case UnitRate:
		return parseCeiling(c, text)
	case UnitAmount:
		n, err := c.ParseAmount(text)
		return int64(n), err
	case UnitSeconds:
		d, err := time.ParseDuration(text)
		if err == nil && d%time.Second != 0 {
			err = ErrValue
		}
		return int64(d / time.Second), err
	case UnitSwitch:
		return parseSwitch(text)
	default:
		return strconv.ParseInt(text, 10, 64)
	}
}

func parseCeiling(c money.Currency, text string) (int64, error) {
	if text == "free" || text == "free only" {
		return 0, nil
	}
	r, err := c.ParseRate(text)
	return int64(r), err
}

func parseSwitch(text string) (int64, error) {
	switch text {
	case "on", "yes", "true", "1", "allowed":
		return 1, nil
	case "off", "no", "false", "0", "barred":
		return 0, nil
	}
	return 0, ErrValue
}

// off is how a warning that never comes is written.
const off = "off"

func (f Field) wanted(c money.Currency) string {
	amount := fmt.Sprintf("an amount such as %q or %q", "50", c.Amount(50*money.Pound))
	if f.Free() {
		return amount + `, or "off"`
	}
	switch fields[f].unit {
	case UnitRate:
		return fmt.Sprintf(`a price a minute such as %q or %q, or "free" for free calls only`, c.Rate(20*money.PencePerMinute), c.Amount(money.Pound/5))
	case UnitAmount:
		return amount
	case UnitSeconds:
		return `a time with its unit such as "4h" or "90m", in whole seconds`
	case UnitSwitch:
		return `"on" or "off"`
	case UnitChoice:
		return `one of "` + strings.Join(choices[f], `", "`) + `"`
	default:
		return "a whole number"
	}
}

// Format writes a value as ParseValue reads it: "20p", "free only", "£50.00", "4h", "on", "10"; a warning of 0 is "off".
func Format(f Field, n int64) string { return formatIn(money.Billing(), f, n) }

func formatIn(c money.Currency, f Field, n int64) string {
	if f >= NumFields {
		return strconv.FormatInt(n, 10)
	}
	switch fields[f].unit {
	case UnitRate:
		if n == 0 {
			return "free only"
		}
		return c.Rate(money.Rate(n))
	case UnitAmount:
		if n == 0 && f.Free() {
			return off
		}
		return c.Amount(money.Micro(n))
	case UnitSeconds:
		return formatSeconds(n)
	case UnitSwitch:
		if (n == 0) != (f == Watch) {
			return off
		}
		return "on"
	case UnitChoice:
		if n >= 0 && n < int64(len(choices[f])) {
			return choices[f][n]
		}
		return strconv.FormatInt(n, 10)
	default:
		return strconv.FormatInt(n, 10)
	}
}

// formatSeconds leaves out the zero parts that time.Duration writes: "4h", not "4h0m0s".
func formatSeconds(n int64) string {
	if n > math.MaxInt64/int64(time.Second) || n < math.MinInt64/int64(time.Second) {
		return strconv.FormatInt(n, 10) + "s"
	}
	s := (time.Duration(n) * time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func checkRange(c money.Currency, f Field, n int64) error {
	least, most := f.Range()
	if n < least || n > most {
		return fmt.Errorf("%w: %s may be from %s to %s, not %s", ErrValue, f, formatIn(c, f, least), formatIn(c, f, most), formatIn(c, f, n))
	}
	return nil
}
