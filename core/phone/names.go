package phone

import (
	"fmt"
	"slices"
)

// classNames are the stable names of classes: in the API, in configuration, in records.
var classNames = [NumClasses]string{
	ClassUnknown:  "unknown",
	Emergency:     "emergency",
	Freephone:     "freephone",
	Geographic:    "geographic",
	UKWide:        "uk-wide",
	Mobile:        "mobile",
	Personal:      "personal",
	Pager:         "pager",
	VoIP:          "voip",
	Revenue084:    "revenue-084",
	Revenue087:    "revenue-087",
	Premium:       "premium",
	Directory:     "directory",
	Service:       "service",
	IntlFixed:     "intl-fixed",
	IntlMobile:    "intl-mobile",
	IntlFreephone: "intl-freephone",
	IntlShared:    "intl-shared",
	IntlPremium:   "intl-premium",
	Satellite:     "satellite",
	OnNet:         "on-net",
}

// String is the stable name of the class: "mobile", "intl-premium".
func (c Class) String() string {
	if c < NumClasses {
		return classNames[c]
	}
	return fmt.Sprintf("class-%d", uint8(c))
}

// ParseClass is the class of a name that String gives. "unknown" is one of them.
func ParseClass(name string) (Class, bool) {
	c := slices.Index(classNames[:], name)
	return Class(max(c, 0)), c >= 0
}

// MarshalText gives the stable name, so that JSON and TOML hold it.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a stable name.
func (c *Class) UnmarshalText(text []byte) error {
	parsed, ok := ParseClass(string(text))
	if !ok {
		return fmt.Errorf("no such class of number: %.40q", text)
	}
	*c = parsed
	return nil
}

var problemTexts = [NumProblems]string{
	NoProblem:    "this is not a valid telephone number", // the fault is not known
	Empty:        "no number was dialled",
	BadCharacter: "this is not a telephone number: it contains something other than digits",
	TooLong:      "this number is too long: at most 15 digits with the country code",
	TooShort:     "this number is too short for its range",
	NoCountry:    "this number does not begin with an existing country code",
	NoRange:      "the country called has no such number range",
	NoService:    "this service is not available",
	NoPrefix:     "this number is not complete: dial 0 before a national number, 00 or + before an international one",
}

// String is a plain sentence without its full stop, fit for a phone's display.
func (p Problem) String() string {
	if p >= NumProblems {
		p = NoProblem // of a problem that is none of these
	}
	return problemTexts[p]
}
