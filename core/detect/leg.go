package detect

import (
	"fmt"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
)

// Statuses that are not the answer to a BYE: there was none; or the leg was answered when its call was in the books no more.
const (
	noAnswer      = 408
	answeredAfter = 200
)

// mostBeyond bounds a duration of a body to what a sentence may say.
const mostBeyond = 365 * 24 * time.Hour

// judgeUnconfirmed: a carrier did not confirm the end of a call. A phone that vanished is ordinary.
func judgeUnconfirmed(e *Event, b *fact.LegUnconfirmed) ([]Finding, error) {
	if b.Status <= 0 {
		return nil, fmt.Errorf("%w: %s without a SIP status", ErrBody, e.Kind)
	}
	if b.Trunk == "" {
		return nil, nil
	}
	trunk, call, answer := account.Handle(string(said(b.Trunk))), "a call", fmt.Sprintf("it answered %d", b.Status)
	if e.Line != "" {
		call = "a call of line " + e.handle()
	}
	if b.Status == noAnswer {
		answer = "it did not answer"
	}
	beyond := min(max(b.Beyond, 0), mostBeyond).Round(time.Second)
	text := fmt.Sprintf("Carrier %s did not confirm the end of %s: %s. Its cost is recorded up to when we gave up, %s after the call had ended.", trunk, call, answer, beyond)
	if b.Direction == "in" { // costs us nothing as a rule
		text = fmt.Sprintf("Carrier %s did not confirm the end of %s, which had come in from it: %s. We gave up %s after the call had ended.", trunk, call, answer, beyond)
	}
	if b.Status == answeredAfter {
		text = fmt.Sprintf("Carrier %s answered %s after its record was closed. We hung up once; what the carrier charges for it is in no record.", trunk, call)
	}
	// No line and no source: all of a carrier's day is one finding.
	v := evidence{"carrier": trunk, "trunk": said(b.Trunk), "line": e.Line, "call_id": e.Call, "leg_call_id": said(b.BLeg), "sip_status": b.Status, "beyond_ms": b.Beyond.Milliseconds()}
	return []Finding{e.finding(LegUnconfirmed, "", "", text, v, "trunk", string(said(b.Trunk)), e.day())}, nil
}
