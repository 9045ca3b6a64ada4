package policy

import (
	"errors"
	"fmt"

	"ringfence/core/rating"
)

// Reason is why: the one enum behind the SIP answer, mail, page, API, metrics and tests.
// Codes are part of the API and never change; numbers are not stored.
type Reason uint8

// Reasons. The comment gives the code and the unit of the figures.
const (
	OK Reason = iota // ok

	// identity
	BadCredentials // bad-credentials
	AddressLocked  // address-not-allowed: the IP lock
	UnknownTrunk   // unknown-trunk: inbound from an address of no trunk

	// the number
	NumberInvalid // number-invalid: digits that do not normalise (Value is the phone.Problem)
	NoService     // no-service: a code of a service that there is not (1471)
	// number-unallocated: a number that earns money for who has it, in a block that nobody has
	NumberUnallocated
	NoSuchLine    // no-such-line: inbound to a number that is nobody's, or a line that was removed
	NotRegistered // not-registered: the called line has no phone registered

	// the rules
	LineLocked        // line-locked
	Unpriced          // unpriced: no retail price (Value is the rating.Silence)
	PremiumBarred     // premium-barred (switch)
	SatelliteBarred   // satellite-barred (switch)
	PersonalBarred    // personal-barred (switch)
	PagerBarred       // pager-barred (switch)
	ClassBarred       // class-barred
	OverNational      // over-national-ceiling (rate)
	OverInternational // over-international-ceiling (rate)

	// the conditions. Value is what there is already, without this call; Pass is the limit that would have let it go
	TooManyCalls         // too-many-calls (count)
	TooManyInternational // too-many-international (count)
	TooManyPerMinute     // too-many-per-minute (count)
	LineDaySpent         // line-day-cap (amount)
	LineMonthSpent       // line-month-cap (amount)
	AccountDaySpent      // account-day-cap (amount)
	AccountMonthSpent    // account-month-cap (amount)

	// a login on probation: at a new place, while strangers guess at its line
	ProbationClass // probation-class
	ProbationBusy  // probation-calls (count)
	ProbationSpent // probation-cap (amount)

	// what dialling the code for held logins did
	LoginAdmitted  // login-admitted
	NoLoginHeld    // no-login-held
	ManyLoginsHeld // many-logins-held (count)

	// the way out
	NoTrunk          // no-trunk
	TrunksFailed     // trunks-failed: every way out was tried (count)
	StoreUnavailable // store-unavailable: nothing can be made durable
	RecordsLost      // records-lost: an older copy of the store was put in place, and what was spent since is not known
	Stopping         // stopping: this node takes no new calls
	Overloaded       // overloaded: this node carries as many calls as it may

	// how a call ended
	Hangup   // hangup: a party hung up
	Busy     // busy: the callee's own answer, or that it declined
	NoAnswer // no-answer
	// What the far end answered: a phone, or a carrier of a call that it took.
	Unknown      // unknown-number: the far end does not know this number
	Incomplete   // incomplete-number: the far end wants more digits
	Incompatible // incompatible: the far end takes none of the media or codecs offered
	Redirected   // redirected: the far end wants the call forwarded
	FarRefused   // far-end-refused: the far end refused for a reason of its own
	NoTransfer   // no-transfer: a transfer inside a call
	Cancelled    // cancelled by the caller
	TooLong      // longest-call (seconds)
	CutByStaff   // cut-by-staff
	CutByOwner   // cut-by-owner
	CutLocked    // cut-line-locked
	CutRemoved   // cut-line-removed
	NoAck        // no-ack: the caller's phone never confirmed
	PeerGone     // peer-gone: a phone or carrier stopped answering
	NodeLost     // node-lost: the server was away, and the call could not go on
	// answered-late: the callee answered while the call was being given up
	AnsweredLate
	// carrier-record: the call is known from its carrier's records alone, for the store was restored from an older backup
	CarrierRecord
	Fault // fault: a panic ended this call only
	NumReasons
)

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

// Q.850 causes in use: telephones and exchanges act on these where they do not read texts.
const (
	causeUnallocated    = 1   // unallocated number
	causeNoRoute        = 3   // no route to destination
	causeNormal         = 16  // normal call clearing
	causeBusy           = 17  // user busy
	causeNoAnswer       = 19  // no answer from user
	causeAbsent         = 20  // subscriber absent
	causeRejected       = 21  // call rejected
	causeFormat         = 28  // invalid number format
	causeFacility       = 29  // facility rejected
	causeUnspecified    = 31  // normal, unspecified
	causeNetwork        = 38  // network out of order
	causeTemporary      = 41  // temporary failure
	causeNotImplemented = 79  // service or option not implemented
	causeIncompatible   = 88  // incompatible destination
	causeTimer          = 102 // recovery on timer expiry
)

// reasons says how each reason is told. About the SIP statuses:
//   - A refusal by a rule is 403: RFC 3261 21.4.4 says that the request should not be repeated, phones show our phrase,
//     and no PBX fails over on it. That goes for "too many" also: after 486 phones play "busy" as if the callee were, and
//     offer to redial by themselves; 503 sends a client to the next server (RFC 3263 4.3), where it would try again.
//   - 503 is kept for the faults that another node may not have: the store, a node that stops or is full.
//   - Digits that are no number are 404, not 484: after 484 gateways with overlap dialling (RFC 3578) go on sending digits.
var reasons = [NumReasons]struct {
	code   string
	unit   Unit
	status int
	cause  int
	text   func(Figures) string
}{
	OK:             {"ok", UnitNone, 200, causeNormal, plain("the call is allowed")},
	BadCredentials: {"bad-credentials", UnitNone, 403, causeRejected, plain("the user name or password is wrong")},
	AddressLocked: {
		"address-not-allowed", UnitNone, 403, causeRejected,
		plain("this line cannot be used from this address: use one that its IP lock allows"),
	},
	UnknownTrunk: {"unknown-trunk", UnitNone, 403, causeRejected, plain("calls from this address are not accepted: it is not the address of a trunk")},

	NumberInvalid: {"number-invalid", UnitNone, 404, causeFormat, problemText},
	NoService: {
		"no-service", UnitNone, 501, causeNotImplemented,
		plain("this service is not available yet: codes such as 1471 and 1477 do nothing"),
	},
	NumberUnallocated: {
		"number-unallocated", UnitNone, 404, causeUnallocated,
		plain("the regulator has not allocated this range of numbers, so calls to it are refused"),
	},
	NoSuchLine:    {"no-such-line", UnitNone, 404, causeUnallocated, plain("there is no such line")},
	NotRegistered: {"not-registered", UnitNone, 480, causeAbsent, plain("no phone of this line is registered")},

	LineLocked: {
		"line-locked", UnitNone, 403, causeRejected,
		plain("the line is locked: only emergency calls are possible until it is unlocked"),
	},
	Unpriced:      {"unpriced", UnitNone, 403, causeRejected, silenceText},
	PremiumBarred: {"premium-barred", UnitSwitch, 403, causeRejected, plain("premium-rate numbers are barred: switching premium on would allow them")},
	SatelliteBarred: {
		"satellite-barred", UnitSwitch, 403, causeRejected,
		plain("satellite numbers and networks without a country are barred: switching satellite on would allow them"),
	},
	PersonalBarred:    {"personal-barred", UnitSwitch, 403, causeRejected, plain("personal numbers (070) are barred: switching personal on would allow them")},
	PagerBarred:       {"pager-barred", UnitSwitch, 403, causeRejected, plain("pagers (076) are barred: switching pager on would allow them")},
	ClassBarred:       {"class-barred", UnitNone, 403, causeRejected, plain("numbers of this kind are barred: no setting allows them")},
	OverNational:      {"over-national-ceiling", UnitRate, 403, causeRejected, ceilingText("national")},
	OverInternational: {"over-international-ceiling", UnitRate, 403, causeRejected, ceilingText("international")},

	TooManyCalls:         {"too-many-calls", UnitCount, 403, causeRejected, openText("calls")},
	TooManyInternational: {"too-many-international", UnitCount, 403, causeRejected, openText("international calls")},
	TooManyPerMinute:     {"too-many-per-minute", UnitCount, 403, causeRejected, rateText},
	LineDaySpent:         {"line-day-cap", UnitAmount, 403, causeRejected, capText("the line's cap for today", "tomorrow")},
	LineMonthSpent:       {"line-month-cap", UnitAmount, 403, causeRejected, capText("the line's cap for this month", "next month")},
	AccountDaySpent:      {"account-day-cap", UnitAmount, 403, causeRejected, capText("the account's cap for today", "tomorrow")},
	AccountMonthSpent:    {"account-month-cap", UnitAmount, 403, causeRejected, capText("the account's cap for this month", "next month")},

	ProbationClass: {
		"probation-class", UnitNone, 403, causeRejected,
		plain("this login is from a new place and on probation for a day: only ordinary national, free and emergency numbers can be called"),
	},
	ProbationBusy:  {"probation-calls", UnitCount, 403, causeRejected, probationBusyText},
	ProbationSpent: {"probation-cap", UnitAmount, 403, causeRejected, probationSpentText},

	LoginAdmitted: {"login-admitted", UnitNone, 480, causeNormal, plain("done: the waiting phone can log in within the hour, with tight limits for a day")},
	NoLoginHeld: {
		"no-login-held", UnitNone, 404, causeNormal,
		plain("no login of this line is waiting: let the new phone log in with the right password, then dial this code again within the hour"),
	},
	ManyLoginsHeld: {"many-logins-held", UnitCount, 404, causeNormal, manyHeldText},

	NoTrunk:          {"no-trunk", UnitNone, 502, causeNoRoute, plain("no trunk is in service for this call")},
	TrunksFailed:     {"trunks-failed", UnitCount, 502, causeNetwork, trunksText},
	StoreUnavailable: {"store-unavailable", UnitNone, 503, causeTemporary, plain("the call cannot be recorded at the moment, so it cannot be charged: only emergency calls are possible")},
	RecordsLost: {
		"records-lost", UnitNone, 403, causeRejected,
		plain("the store was restored from a backup and what was spent since then is unknown: only emergency and free calls are possible until staff accept that"),
	},
	Stopping:   {"stopping", UnitNone, 503, causeTemporary, plain("this server is stopping and takes no new calls")},
	Overloaded: {"overloaded", UnitNone, 503, causeTemporary, plain("this server is carrying its maximum number of calls: only emergency calls are possible")},

	Hangup:     {"hangup", UnitNone, 200, causeNormal, plain("a party hung up")},
	Busy:       {"busy", UnitNone, 486, causeBusy, plain("the called party is busy or declined")},
	NoAnswer:   {"no-answer", UnitNone, 480, causeNoAnswer, plain("the called party did not answer")},
	Unknown:    {"unknown-number", UnitNone, 404, causeUnallocated, plain("the far end does not know this number")},
	Incomplete: {"incomplete-number", UnitNone, 484, causeFormat, plain("the far end says that the number is incomplete")},
	Incompatible: {
		"incompatible", UnitNone, 488, causeIncompatible,
		plain("the far end accepts none of the codecs or kinds of media that were offered"),
	},
	Redirected: {
		"redirected", UnitNone, 480, causeFacility,
		plain("the far end redirected the call (302), which this server does not follow yet"),
	},
	FarRefused: {"far-end-refused", UnitNone, 480, causeRejected, plain("the far end refused the call")},
	NoTransfer: {
		"no-transfer", UnitNone, 405, causeFacility,
		plain("this server does not transfer calls (REFER) yet: the call continues unchanged"),
	},
	Cancelled:  {"cancelled", UnitNone, 487, causeNormal, plain("the caller hung up before an answer")},
	TooLong:    {"longest-call", UnitSeconds, 480, causeUnspecified, longestText},
	CutByStaff: {"cut-by-staff", UnitNone, 403, causeRejected, plain("the provider ended this call")},
	CutByOwner: {"cut-by-owner", UnitNone, 403, causeRejected, plain("the owner of the line ended this call")},
	CutLocked:  {"cut-line-locked", UnitNone, 403, causeRejected, lockedText},
	CutRemoved: {"cut-line-removed", UnitNone, 403, causeRejected, plain("the line was removed during this call, which ended it")},
	NoAck:      {"no-ack", UnitNone, 408, causeTimer, plain("the caller's phone never confirmed the answer")},
	PeerGone:   {"peer-gone", UnitNone, 408, causeTimer, plain("a phone or the carrier stopped answering")},
	NodeLost:   {"node-lost", UnitNone, 500, causeTemporary, plain("the server that carried this call was unavailable and could not continue it")},
	AnsweredLate: {
		"answered-late", UnitNone, 487, causeNormal,
		plain("the called party answered while the call was being cancelled, which counts as an answered call"),
	},
	CarrierRecord: {"carrier-record", UnitNone, 200, causeNormal, plain("booked from the carrier's records after the store was restored from a backup")},
	Fault:         {"fault", UnitNone, 500, causeTemporary, plain("an internal fault ended this call")},
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
