package policy

import (
	"errors"
	"fmt"

	"ringfence/core/rating"
)

//go:generate go run ./gen

// Reason is why: the one enum behind the SIP answer, mail, page, API, metrics and tests.
// Codes are part of the API and never change; numbers are not stored.
type Reason uint8

// Unit is what the figures of a reason count.
type Unit uint8

// Units.
const (
	UnitNone Unit = iota
	UnitCount
	UnitRate    // money.Rate
	UnitAmount  // money.Micro
	UnitSeconds // seconds
	UnitSwitch  // 0 or 1
)

// String names the unit as the API does.
func (u Unit) String() string {
	if u > UnitSwitch {
		return "unknown"
	}
	return [...]string{"none", "count", "rate", "amount", "seconds", "switch"}[u]
}

// ErrReason says that a text is no reason's code.
var ErrReason = errors.New("no such reason")

// told is how a reason is told.
type told struct {
	code   string
	unit   Unit
	status int
	cause  int
	text   func(Figures) string
}

// Code is the stable name that the API, records and metrics use: "over-international-ceiling".
func (r Reason) Code() string {
	if r >= NumReasons {
		return "unknown"
	}
	return reasons[r].code
}

// String is the code.
func (r Reason) String() string { return r.Code() }

// Unit says what the figures of this reason count.
func (r Reason) Unit() Unit {
	if r >= NumReasons {
		return UnitNone
	}
	return reasons[r].unit
}

// SIPStatus is the final answer to an INVITE refused or ended before its answer for this reason.
func (r Reason) SIPStatus() int {
	if r >= NumReasons {
		return 500
	}
	return reasons[r].status
}

// Cause is the Q.850 cause for Reason headers (RFC 3326).
func (r Reason) Cause() int {
	if r >= NumReasons {
		return causeTemporary
	}
	return reasons[r].cause
}

// Text is a plain sentence with the rule, the figures and what would pass, without a full stop. It is printable ASCII
// without quotes or backslashes and at most 200 bytes, so that it fits a SIP reason phrase or quoted string as it is.
func (r Reason) Text(f Figures) string {
	if r >= NumReasons {
		return "the call failed for an unknown reason"
	}
	return reasons[r].text(f)
}

// MarshalText writes the code.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.Code()), nil }

// UnmarshalText reads a code.
func (r *Reason) UnmarshalText(text []byte) (err error) {
	*r, err = ParseReason(string(text))
	return err
}

// ParseReason finds a reason by its code; else ErrReason.
func ParseReason(code string) (Reason, error) {
	for r := range NumReasons {
		if reasons[r].code == code {
			return r, nil
		}
	}
	return Fault, fmt.Errorf("%w: %.40q", ErrReason, code)
}

// silenceText says why the tariff has no price.
func silenceText(f Figures) string {
	switch rating.Silence(f.Value) {
	case rating.OtherCountry:
		return "the tariff has no price for this country: the row that its digits begin with is for another country; a row of its own would price it"
	case rating.OtherKind:
		return "the tariff has no price for this kind of number: the row that its digits begin with is for other numbers; a row of its own would price it"
	}
	return "the tariff has no price for this destination: destinations with a price can be called"
}
