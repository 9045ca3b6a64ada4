// Package gate is the one path of a call: identify → decide → reserve → connect → meter → settle. Edges ask it and obey
// it. It must not know SIP, HTTP or SQL.
package gate

import (
	"net/netip"
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
)

// Attempt is a call that an edge wants to let through.
type Attempt struct {
	Line      string // who calls, as auth said; "" when it comes in from Trunk
	Trunk     string // the trunk it comes in from
	Dialled   string // digits as dialled; percent-decoded user part
	Source    netip.AddrPort
	UserAgent string
	ALeg      string // SIP Call-ID
	// Restricted: the login was right but its address is not allowed. Only an emergency call passes.
	Restricted bool
}

// Plan is what an edge does with an allowed call.
type Plan struct {
	ID      call.ID
	Ways    []Way  // in the order to try; the lines' phones of one Way ring together
	Present string // E.164 digits to present as caller, "" for as received
	Number  string // the number called, E.164 with '+', or short
	Always  bool   // emergency
}

// Way is one way out: a trunk, or the registered phones of a line.
type Way struct {
	Trunk string
	User  string // Request-URI user part for this trunk
	Line  string // ring this line's phones instead
}

// Refusal is a decision against a call, ready to be told. It is an error.
type Refusal struct {
	Reason  policy.Reason
	Figures policy.Figures
}

// Error is the sentence of the reason.
func (r *Refusal) Error() string { return r.Reason.Text(r.Figures) }

// End is how a call ended, as the edge saw it.
type End struct {
	By     call.Party
	Reason policy.Reason
	Status int       // SIP status of the final answer when it was never answered, else 200
	At     time.Time // with its monotonic reading when the edge has one
}

// Recovered is a call of before a restart, for the edge to carry on with.
type Recovered struct {
	ID       call.ID
	State    call.State
	Snapshot []byte
}

// What edges use, on a *Gate (safe for concurrent use; calls may block for a durable write, a few milliseconds):
//
//	Admit(ctx, Attempt) (*Plan, error)                    // error is a *Refusal, always
//	Ringing(id)                                           // never blocks
//	Trying(id, way Way, bleg string)                      // the way now tried, its SIP Call-ID; never blocks
//	Answered(ctx, id, way Way, snapshot []byte) error     // call it before the 200 goes to the caller: on error hang up the
//	                                                      // callee and answer 503. Metering starts here
//	Snapshot(id, snapshot []byte)                         // dialogs changed (re-INVITE, UPDATE); never blocks
//	Ended(id, End)                                        // exactly one settlement, whatever repeats; never blocks
//	OnCut(func(id call.ID, why policy.Reason, f policy.Figures))  // set once before start: the edge hangs up both legs, then calls Ended
//	Recovered() []Recovered                               // answered calls of before the restart, asked once by the edge that owns them
