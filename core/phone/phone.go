// Package phone turns what people dial into numbers that cannot be wrong, and says of what class they are.
// It must not know prices, lines or policy.
package phone

import (
	"strconv"
	"strings"
)

// Number is a valid telephone number: either E.164 (up to 15 digits, never a leading zero) or a short number of
// the home plan (999, 112, 118500). The zero Number is none. Numbers compare with == and cost nothing to copy.
type Number struct {
	digits uint64
	short  bool
}

// Digits is the number as an integer, country code first for E.164: 442079460000. It is the key of a price look-up.
func (n Number) Digits() uint64 { return n.digits }

// Short says that the number has meaning in the home plan only.
func (n Number) Short() bool { return n.short }

// IsZero says that there is no number.
func (n Number) IsZero() bool { return n == Number{} }

// String is "+442079460000" for E.164, "999" for a short number, "" for none.
func (n Number) String() string { return string(n.Append(nil)) }

// Append writes the text of String after b.
func (n Number) Append(b []byte) []byte {
	if n.IsZero() {
		return b
	}
	if !n.short {
		b = append(b, '+')
	}
	return strconv.AppendUint(b, n.digits, 10)
}

// Class is what kind of number is called; policy and tariffs speak of classes.
type Class uint8

// Classes. National ones are of the home plan; Intl ones are everything else.
const (
	ClassUnknown Class = iota
	Emergency          // 999, 112, 18000
	Freephone          // 080, 116
	Geographic         // 01, 02
	UKWide             // 03
	Mobile             // 07 less 070 and 076
	Personal           // 070
	Pager              // 076
	VoIP               // 055, 056
	Revenue084         // 084
	Revenue087         // 087
	Premium            // 09
	Directory          // 118
	Service            // other short numbers: 101, 111, 123
	IntlFixed
	IntlMobile
	IntlFreephone // +800 and national freephone abroad
	IntlShared    // +808 and national shared cost, universal access, VoIP and unclassified abroad
	IntlPremium   // +979 and national premium abroad
	Satellite     // +870, +881, +882, +883, and likewise +878, +888
	OnNet         // another line of this provider
	NumClasses
)

// Country is an ISO 3166-1 alpha-2 code, "GB"; for non-geographic codes "001". Fixed size so that it is comparable and free.
type Country [3]byte

// String gives the letters. Those of a country are cut from one text, because every call and its facts name one.
func (c Country) String() string {
	if first, second := c[0]-'A', c[1]-'A'; first < letters && second < letters && c[2] == 0 {
		at := 2 * (letters*int(first) + int(second))
		return pairs[at : at+2]
	}
	return strings.TrimRight(string(c[:]), "\x00")
}

const letters = 26

// pairs are all pairs of capital letters, in order.
var pairs = func() string {
	var b strings.Builder
	for first := range byte(letters) {
		for second := range byte(letters) {
			b.Write([]byte{'A' + first, 'A' + second})
		}
	}
	return b.String()
}()

// Destination is a dialled number understood.
type Destination struct {
	Number   Number
	Class    Class
	Country  Country
	National bool // of the home plan: the national ceiling applies, else the international one
	Show     Show // what a code before the number says about the caller's own
	// Relay is a code that the carrier must be sent before the number, because the carrier serves it: 18001 of text relay.
	// 0 is none. Such a call goes out to a carrier even if the number is a line of ours.
	Relay uint32
}

// Show is what the caller wants the callee to see of the caller's number.
type Show uint8

// What a code can say.
const (
	AsSet    Show = iota // no code: as the phone, or the line, is set
	Withhold             // 141
	Present              // 1470
)

// Problem is why dialled digits are no number. Zero is none.
type Problem uint8

// Problems.
const (
	NoProblem    Problem = iota
	Empty                // nothing was dialled
	BadCharacter         // something else than digits, '+', and the separators people write
	TooLong              // more than 15 digits of E.164
	TooShort             // fewer digits than any number of that range
	NoCountry            // no such country code: 00 0 46…, hidden prefixes
	NoRange              // the country has no such range or length
	NoPrefix             // neither national (0…), international (00…, +) nor a short number
	NoService            // the code of a service that there is not (1471)
	NumProblems
)

// FromDigits makes a Number of stored E.164 digits, country code first. It checks their shape (7 to 15 digits, a country
// code that exists), not the range: digits that Parse has accepted once stay good when ranges change.
func FromDigits(digits uint64) (Number, bool) {
	if digits < 1_000_000 || digits > 999_999_999_999_999 {
		return Number{}, false
	}
	top := digits
	for top >= 1000 {
		top /= 10
	}
	if worldRoot(uint16(top)) == 0 && worldRoot(uint16(top/10)) == 0 && worldRoot(uint16(top/100)) == 0 {
		return Number{}, false
	}
	return Number{digits: digits}, true
}

// FromString reads what Number.String gives: "+442079460000" or a short number's digits.
func FromString(s string) (Number, bool) {
	if len(s) > 1 && s[0] == '+' && isDigits(s[1:], maxDigits) && s[1] != '0' {
		n, _ := strconv.ParseUint(s[1:], 10, 64)
		return FromDigits(n)
	}
	if !isDigits(s, 7) || s[0] == '0' {
		return Number{}, false
	}
	n, _ := strconv.ParseUint(s, 10, 64)
	return Number{digits: n, short: true}, true
}
