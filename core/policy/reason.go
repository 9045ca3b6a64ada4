package policy

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
	NumberInvalid // number-invalid: digits that do not normalise
	NoSuchLine    // no-such-line: inbound to a number that is nobody's
	NotRegistered // not-registered: the called line has no phone registered

	// the rules
	LineLocked        // line-locked
	Unpriced          // unpriced: no retail price
	PremiumBarred     // premium-barred
	ClassBarred       // class-barred
	OverNational      // over-national-ceiling (rate)
	OverInternational // over-international-ceiling (rate)

	// the conditions
	TooManyCalls         // too-many-calls (count)
	TooManyInternational // too-many-international (count)
	TooManyPerMinute     // too-many-per-minute (count)
	LineDaySpent         // line-day-cap (amount)
	LineMonthSpent       // line-month-cap (amount)
	AccountDaySpent      // account-day-cap (amount)
	AccountMonthSpent    // account-month-cap (amount)

	// the way out
	NoTrunk          // no-trunk
	TrunksFailed     // trunks-failed: every way out was tried
	StoreUnavailable // store-unavailable: nothing can be made durable
	Stopping         // stopping: this node takes no new calls

	// how a call ended
	Hangup     // hangup: a party hung up
	Busy       // busy, declined: the callee's own answer
	NoAnswer   // no-answer
	Cancelled  // cancelled by the caller
	TooLong    // longest-call (seconds)
	CutByStaff // cut-by-staff
	CutByOwner // cut-by-owner
	CutLocked  // cut-line-locked
	NoAck      // no-ack: the caller's phone never confirmed
	PeerGone   // peer-gone: a phone or carrier stopped answering
	NodeLost   // node-lost: the node died and the call could not be taken over
	Fault      // fault: a panic ended this call only
	NumReasons
)

// Each Reason has (in a table in this package): Code() string; Unit() Unit; SIPStatus() int; Cause() int (Q.850);
// Text(Figures) string: one plain sentence with the figures and what would pass; ParseReason(code).

// Text is a plain sentence with the figures and what would pass.
func (r Reason) Text(f Figures) string { return "" }
