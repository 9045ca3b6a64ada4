package detect

import (
	"fmt"

	"ringfence/core/account"
	"ringfence/core/fact"
)

func crowdEvidence(b *fact.CallEmergencies) evidence {
	return evidence{"source": from(b.Source), "trunk": said(b.Trunk), "open": b.Open, "all": b.All, "most": b.Most, "refused": b.Refused}
}

// judgeEmergencies: a line, or an address that is not logged in, makes unusually many concurrent emergency calls.
func judgeEmergencies(e *Event, b *fact.CallEmergencies) ([]Finding, error) {
	src := from(b.Source)
	who, key := "Line "+e.handle(), "now"
	if e.Line == "" {
		who, key = src.or("An unknown address"), src.String()
	}
	text := fmt.Sprintf("%s has %s in progress; this node has %d, with room for %d.", who, some(b.Open, "emergency call", "emergency calls"), b.All, b.Most)
	if b.Refused {
		text = fmt.Sprintf("%s has %s in progress, and a further one was refused: this node has %d, with room for %d.", who, some(b.Open, "emergency call", "emergency calls"), b.All, b.Most)
	}
	f := e.finding(EmergencyCalls, e.Line, src.String(), text, crowdEvidence(b), key, e.day())
	if b.Refused {
		f.Key += "/refused"
		f.Severity = Critical
	}
	return []Finding{f}, nil
}

// judgeInbound: as many calls come in over a trunk, or ring a line, as may.
func judgeInbound(e *Event, b *fact.CallInboundFull) ([]Finding, error) {
	trunk := account.Handle(string(said(b.Trunk)))
	text := fmt.Sprintf("The maximum number of calls came in over trunk %s: %d of %d.", trunk, b.Open, b.Most)
	if e.Line != "" {
		text = fmt.Sprintf("The maximum number of calls from trunk %s is ringing line %s: %d of %d; further callers hear the busy tone.", trunk, e.handle(), b.Open, b.Most)
	}
	return []Finding{e.finding(InboundCalls, e.Line, from(b.Source).String(), text, crowdEvidence((*fact.CallEmergencies)(b)), "trunk", string(said(b.Trunk)), e.day())}, nil
}
