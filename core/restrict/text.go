package restrict

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"ringfence/core/money"
	"ringfence/core/phone"
)

// ErrSet says that a text names no set of destinations; the error names the part.
var ErrSet = errors.New("not a set of destinations")

// MaxParts bounds how many countries and ranges a set names.
const MaxParts = 1000

// Forms is what may be written, for people.
const Forms = `"paid", "abroad", "above 10p" (abroad, by the price of a first minute), a class such as "intl-mobile" or "premium", a country such as "LV", or a range such as "+44843"`

// ParseSet reads destinations as people write them, separated by commas: "abroad", "LV, CU, +44843", "intl-premium, above 10p".
func ParseSet(text string) (Set, error) { return ParseSetIn(money.Billing(), text) }

// ParseSetIn is ParseSet for prices in another currency.
func ParseSetIn(currency money.Currency, text string) (s Set, err error) {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if err := s.part(currency, part); err != nil {
			return Set{}, err
		}
	}
	if s.IsZero() {
		return s, fmt.Errorf("%w: it names nothing; want %s", ErrSet, Forms)
	}
	s.spans = spansOf(s.Ranges)
	return s, s.Check()
}

func (s *Set) part(currency money.Currency, text string) error {
	switch low := strings.ToLower(text); {
	case low == "paid":
		s.Paid = true
		return nil
	case low == "abroad":
		s.Abroad = true
		return nil
	case strings.HasPrefix(low, "above "):
		rate, err := rateOf(currency, strings.TrimSpace(low[len("above "):]))
		if err == nil && rate > 0 {
			s.Above = rate
			return nil
		}
	case strings.HasPrefix(text, "+"):
		if r, ok := ParseRange(text); ok {
			s.Ranges = append(s.Ranges, r)
			return nil
		}
	case len(text) == 2:
		s.Countries = append(s.Countries, phone.Country([]byte(strings.ToUpper(text) + "\x00")[:3]))
		return nil
	default:
		if class, ok := phone.ParseClass(low); ok && class != phone.Emergency && class != phone.ClassUnknown {
			s.Classes |= 1 << class
			return nil
		}
	}
	return fmt.Errorf("%w: %.40q; want %s", ErrSet, text, Forms)
}

func rateOf(currency money.Currency, text string) (money.Rate, error) {
	if digits, ok := strings.CutPrefix(text, numbered); ok {
		n, err := strconv.ParseInt(digits, 10, 64)
		return money.Rate(n), err
	}
	return currency.ParseRate(text)
}

// ParseRange reads "+44843", with spaces between digits.
func ParseRange(text string) (r Range, ok bool) {
	digits := strings.ReplaceAll(strings.TrimPrefix(text, "+"), " ", "")
	n, err := strconv.ParseUint(digits, 10, 64)
	return Range{n, len(digits)}, err == nil && len(digits) <= 15 && digits[0] != '0'
}

// Idle is the first range that no number can begin with, "" for none: its country code does not exist, or it has the 0 that is dialled only within the
// country (+440843). Who closes it believes in vain that something is closed.
func (s *Set) Idle() string {
	for _, r := range s.Ranges {
		if r.Idle() {
			return r.String()
		}
	}
	return ""
}

// Idle says that no number can begin with these digits.
func (r Range) Idle() bool {
	if len(phone.Under(r.Prefix)) > 0 {
		return false
	}
	digits, code := strconv.FormatUint(r.Prefix, 10), phone.CodeOf(r.Prefix)
	return code == 0 && len(digits) >= 3 || code != 0 && strings.HasPrefix(digits, strconv.Itoa(code)+"0")
}

// Check says what is wrong with a set that was not read from a text.
func (s *Set) Check() error {
	if len(s.Countries)+len(s.Ranges) > MaxParts {
		return fmt.Errorf("%w: it names more than %d countries and ranges", ErrSet, MaxParts)
	}
	if s.Classes&(1<<phone.Emergency) != 0 || s.Classes>>phone.NumClasses != 0 {
		return fmt.Errorf("%w: emergency numbers are never closed", ErrSet)
	}
	for _, c := range s.Countries {
		if phone.CountryCode(c) == 0 {
			return fmt.Errorf("%w: %q is no country; want a code of ISO 3166 such as LV", ErrSet, c)
		}
	}
	return nil
}

// String writes the set as ParseSet reads it.
func (s Set) String() string {
	var parts []string
	if s.Paid {
		parts = append(parts, "paid")
	}
	if s.Abroad {
		parts = append(parts, "abroad")
	}
	if s.Above != 0 {
		parts = append(parts, "above "+money.Billing().Rate(s.Above))
	}
	for c := phone.Class(0); c < phone.NumClasses; c++ {
		if s.Classes&(1<<c) != 0 {
			parts = append(parts, c.String())
		}
	}
	for _, c := range s.Countries {
		parts = append(parts, c.String())
	}
	for _, r := range s.Ranges {
		parts = append(parts, r.String())
	}
	return strings.Join(parts, ", ")
}

// String writes a range: "+44843".
func (r Range) String() string { return "+" + strconv.FormatUint(r.Prefix, 10) }

// MarshalText is String, but for the price: it is written as a number, so that what is stored can be read also when the provider bills in another
// currency.
func (s Set) MarshalText() ([]byte, error) {
	text, rate := s, s.Above
	if text.Above = 0; rate == 0 {
		return []byte(s.String()), nil
	}
	return []byte(strings.TrimSuffix("above "+numbered+strconv.FormatInt(int64(rate), 10)+", "+text.String(), ", ")), nil
}

// numbered stands before a rate that is written as a number.
const numbered = "="

// UnmarshalText is ParseSet.
func (s *Set) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSet(string(text))
	return err
}

// Does says what the restriction does, for people who know how destinations are named. names are those of its destinations, and open of what stays open.
func (r *Restriction) Does(names, open string) string {
	var text string
	switch {
	case r.Login:
		return "logins are refused from phones and networks that are not long known"
	case r.AtOnce == 1:
		text = "no more than 1 concurrent call to: " + names
	case r.AtOnce > 0:
		text = "no more than " + strconv.Itoa(r.AtOnce) + " concurrent calls to: " + names
	case r.Only:
		text = "all paid calls are closed but those to: " + names
	default:
		text = "closed: " + names
	}
	if r.Ask != "" {
		text = r.asks() + strings.TrimPrefix(strings.TrimPrefix(text, "closed: "), "all paid calls are closed but those to: ")
	}
	if len(r.Known) > 0 {
		text += ", for calls from networks that are new to the customer"
	}
	if open != "" {
		text += "; open stay: " + open
	}
	return text
}

// asks is what a restriction that asks says before its destinations.
func (r *Restriction) asks() string {
	which := "the caller hears the price and confirms calls to: "
	if r.Only {
		which = "the caller hears the price and confirms all paid calls but those to: "
	}
	if r.Ask == AskDigits {
		return strings.Replace(which, "confirms", "confirms with three spoken digits", 1)
	}
	return strings.Replace(which, "confirms", "confirms with a key", 1)
}

// String is Does with destinations as ParseSet reads them.
func (r *Restriction) String() string { return r.Does(r.Names.String(), "") }
