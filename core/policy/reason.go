package policy

import (
	"errors"
	"fmt"

	"ringfence/core/account"
	"ringfence/core/rating"
)

//go:generate go run ./gen

// Reason is why: the one enum behind the SIP answer, mail, page, API, metrics and tests.
// Codes are part of the API and never change; numbers are not stored.
type Reason uint8

// ErrReason says that a text is no reason's code.
var ErrReason = errors.New("no such reason")

// told is how a reason is told.
type told struct {
	code   string
	unit   account.Unit
	status int
	cause  int
	text   func(Figures) string
}

// unknown is how a number that is no reason is told.
var unknown = told{"unknown", account.UnitNone, 500, causeTemporary, plain("the call failed for an unknown reason")}

func (r Reason) told() *told {
	if r >= NumReasons {
		return &unknown
	}
	return &reasons[r]
}

// Code is the stable name that the API, records and metrics use: "over-international-ceiling".
func (r Reason) Code() string { return r.told().code }

// String is the code.
func (r Reason) String() string { return r.Code() }

// OfDestination says that a call was refused for where it went: another destination might have been let through.
func (r Reason) OfDestination() bool {
	return r == NumberInvalid || r == NumberUnallocated || r >= Unpriced && r <= OverInternational
}

// Unit says what the figures of this reason count.
func (r Reason) Unit() account.Unit { return r.told().unit }

// SIPStatus is the final answer to an INVITE refused or ended before its answer for this reason.
func (r Reason) SIPStatus() int { return r.told().status }

// Cause is the Q.850 cause for Reason headers (RFC 3326).
func (r Reason) Cause() int { return r.told().cause }

// Text is a plain sentence with the rule, the figures and what would pass, without a full stop. It is printable ASCII
// without quotes or backslashes and at most 200 bytes, so that it fits a SIP reason phrase or quoted string as it is.
func (r Reason) Text(f Figures) string { return r.told().text(f) }

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
		return "the tariff has no price for this country: the row that matches its first digits is for another country, so it needs a row of its own"
	case rating.OtherKind:
		return "the tariff has no price for this kind of number: the row that matches its first digits is for other kinds, so it needs a row of its own"
	}
	return "the tariff has no price for this destination, so it cannot be called"
}
