package sip

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
)

// ending says how a call ends: what each phone is sent, and what the gate is told.
type ending struct {
	by     call.Party
	why    policy.Reason
	f      policy.Figures
	status int    // of the final answer to an INVITE that has none; 0: the reason's own
	lines  []byte // header lines that give the reason; nil: those of why
	phrase string
	silent bool           // nothing answered at all
	from   netip.AddrPort // where the end came from, when its party is not expected there
	doubt  time.Duration  // as gate.End.Doubt
}

// fill completes an ending from its reason.
func (e *Edge) fill(end *ending) {
	if end.status == 0 {
		end.status = end.why.SIPStatus()
	}
	if end.status < 300 { // "hangup" before there was an answer
		end.status = 487
	}
	if len(end.lines) == 0 {
		end.lines = reasonLines(end.why, end.f)
	}
	if end.status == 503 {
		end.lines = append(end.lines[:len(end.lines):len(end.lines)], retryAfter...)
	}
}

var retryAfter = []byte("Retry-After: 10\r\n")

// reasonLines are the header lines that give a reason (RFC 3326, RFC 3261 20.43), in the sentence that mail, page and API also use.
func reasonLines(reason policy.Reason, f policy.Figures) []byte {
	text := reason.Text(f)
	b := make([]byte, 0, 2*len(text)+128)
	b = append(b, "Reason: Q.850;cause="...)
	b = strconv.AppendInt(b, int64(reason.Cause()), 10)
	b = append(b, ";text="...)
	b = message.AppendQuoted(b, reason.Code()+": "+text)
	return appendWarning(append(b, "\r\n"...), text)
}

// appendWarning writes a Warning, for phones that show it and not the Reason.
func appendWarning(b []byte, text string) []byte {
	b = append(b, "Warning: 399 ringfence "...)
	b = message.AppendQuoted(b, text)
	return append(b, "\r\n"...)
}

// passReason copies every cause that a peer gave, because phones decide by them whether a call was missed.
//
// Where a party withholds its number, the texts are left out, because they may contain names.
func (b *bridge) passReason(m *message.Message) []byte {
	if m == nil {
		return nil
	}
	hidden := slices.ContainsFunc(b.all, func(l *leg) bool { return l.hidden })
	var w message.Writer
	w.Begin(nil)
	for r := range m.Reasons() {
		if hidden {
			r = message.BareReason(r)
		}
		if len(w.Bytes())+len(r) > maxReasons {
			break
		}
		w.Add(message.HReason, r)
	}
	return w.Bytes()
}

// maxReasons bounds the bytes of Reason that are passed on.
const maxReasons = 1024

// elsewhere is what phones are sent when another one has answered (RFC 3326 section 2).
var elsewhere = []byte("Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n")

// verdictOf is what a final answer means for the call's record. Only routeFailed says that no carrier took the call.
func verdictOf(status int) (call.Party, policy.Reason) {
	switch status {
	case 486, 600, 603, 607, 608:
		return call.Callee, policy.Busy
	case 408, 480, 487:
		return call.Callee, policy.NoAnswer
	case 404, 410, 604:
		return call.Callee, policy.Unknown
	case 484:
		return call.Callee, policy.Incomplete
	case 415, 488, 606:
		return call.Callee, policy.Incompatible
	}
	if status < 400 {
		return call.Callee, policy.Redirected
	}
	return call.Callee, policy.FarRefused
}

// outranks says whether the caller is sent this refusal rather than another, of phones that rang together: what a person did ranks before what
// a phone said.
func (end *ending) outranks(other *ending) bool {
	rank := func(e *ending) int {
		switch e.why {
		case policy.Busy:
			return 3
		case policy.NoAnswer:
			return 2
		case policy.TrunksFailed, policy.FarRefused:
			return 0
		}
		return 1
	}
	return other == nil || rank(end) >= rank(other)
}
