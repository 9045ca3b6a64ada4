package detect

import (
	"fmt"
	"time"

	"ringfence/core/account"
)

// legBody is the body of the fact about a leg whose end was never confirmed.
type legBody struct {
	Trunk  words `json:"trunk"` // identity; "" is a phone
	Dir    words `json:"direction"`
	CallID words `json:"b_call_id"`
	Status int64 `json:"sip_status"` // of the last answer to a BYE; 408: none came
	Beyond int64 `json:"beyond_ms"`  // from our BYE until we gave up
}

// Statuses that are not the answer to a BYE: there was none; or the leg was answered when its call was in the books no more.
const (
	noAnswer      = 408
	answeredAfter = 200
)

// mostBeyond bounds a duration of a body, in milliseconds, so that it fits a time.Duration.
const mostBeyond = int64(365 * 24 * time.Hour / time.Millisecond)

// judgeUnconfirmed: a carrier did not confirm the end of a call. A phone that vanished is ordinary.
func judgeUnconfirmed(e *Event) ([]Finding, error) {
	var b legBody
	if err := decode(e, &b); err != nil {
		return nil, err
	}
	if b.Status <= 0 {
		return nil, fmt.Errorf("%w: %s without a SIP status", ErrBody, e.Kind)
	}
	if b.Trunk == "" {
		return nil, nil
	}
	trunk, call, answer := account.Handle(string(b.Trunk)), "a call", fmt.Sprintf("it answered %d", b.Status)
	if e.Line != "" {
		call = "a call of line " + e.handle()
	}
	if b.Status == noAnswer {
		answer = "it did not answer"
	}
	beyond := (time.Duration(min(max(b.Beyond, 0), mostBeyond)) * time.Millisecond).Round(time.Second)
	text := fmt.Sprintf("Carrier %s did not confirm the end of %s: %s. Its cost is recorded up to when we gave up, %s after the call had ended.", trunk, call, answer, beyond)
	if b.Dir == "in" { // costs us nothing as a rule
		text = fmt.Sprintf("Carrier %s did not confirm the end of %s, which had come in from it: %s. We gave up %s after the call had ended.", trunk, call, answer, beyond)
	}
	if b.Status == answeredAfter {
		text = fmt.Sprintf("Carrier %s answered %s after its record was closed. We hung up once; what the carrier charges for it is in no record.", trunk, call)
	}
	// No line and no source: all of a carrier's day is one finding.
	v := evidence{"carrier": trunk, "trunk": b.Trunk, "line": e.Line, "call_id": e.Call, "leg_call_id": b.CallID, "sip_status": b.Status, "beyond_ms": b.Beyond}
	return []Finding{e.finding(LegUnconfirmed, "", "", text, v, "trunk", string(b.Trunk), e.day())}, nil
}
