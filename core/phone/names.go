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
	NoProblem:    "the number is valid",
	Empty:        "nothing was dialled",
	BadCharacter: "the number has a character that is neither a digit nor a separator",
	TooLong:      "the number has more digits than any telephone number",
	TooShort:     "the number has too few digits for its range",
	NoCountry:    "no country has this code after the international prefix",
	NoRange:      "there is no such number range, or none of that length",
	NoService:    "this service is not available",
	NoPrefix:     "the number begins neither as a national, an international nor a short number",
}

// String is a plain sentence without its full stop, fit for a phone's display.
func (p Problem) String() string {
	if p < NumProblems {
		return problemTexts[p]
	}
	return fmt.Sprintf("problem %d", uint8(p))
}

// Error makes a Problem an error, for callers that want one; compare with NoProblem first.
func (p Problem) Error() string { return p.String() }
