package detect

import (
	"fmt"

	"ringfence/core/account"
)

// crowdBody is the body of facts about unusual numbers of calls at once.
type crowdBody struct {
	Source  source `json:"source"`
	Trunk   words  `json:"trunk"`
	Open    int64  `json:"open"`
	All     int64  `json:"all"`
	Most    int64  `json:"most"`
	Refused bool   `json:"refused"`
}

func (b *crowdBody) evidence() evidence {
	return evidence{"source": b.Source, "trunk": b.Trunk, "open": b.Open, "all": b.All, "most": b.Most, "refused": b.Refused}
}

// judgeEmergencies: a line, or an address that is not logged in, places unusually many emergency calls at once.
func judgeEmergencies(e *Event) ([]Finding, error) {
	var b crowdBody
	if err := decode(e, &b); err != nil {
		return nil, err
	}
	who, key := "Line "+e.handle(), "now"
	if e.Line == "" {
		who, key = b.Source.or("An unknown address"), b.Source.String()
	}
	text := fmt.Sprintf("%s has %s in progress; this node has %d, with room for %d.", who, some(b.Open, "emergency call", "emergency calls"), b.All, b.Most)
	if b.Refused {
		text = fmt.Sprintf("%s has %s in progress, and a further one was refused: this node has %d, with room for %d.", who, some(b.Open, "emergency call", "emergency calls"), b.All, b.Most)
	}
	f := e.finding(EmergencyCalls, e.Line, b.Source.String(), text, b.evidence(), key, e.day())
	if b.Refused {
		f.Key += "/refused"
		f.Severity = Critical
	}
	return []Finding{f}, nil
}

// judgeInbound: as many calls come in over a trunk, or ring a line, as may.
func judgeInbound(e *Event) ([]Finding, error) {
	var b crowdBody
	if err := decode(e, &b); err != nil {
		return nil, err
	}
	trunk := account.Handle(string(b.Trunk))
	text := fmt.Sprintf("As many calls came in over trunk %s as may: %d of %d.", trunk, b.Open, b.Most)
	if e.Line != "" {
		text = fmt.Sprintf("As many calls from trunk %s ring line %s as may: %d of %d; further ones get busy.", trunk, e.handle(), b.Open, b.Most)
	}
	return []Finding{e.finding(InboundCalls, e.Line, b.Source.String(), text, b.evidence(), "trunk", string(b.Trunk), e.day())}, nil
}
