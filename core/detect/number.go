package detect

import (
	"fmt"

	"ringfence/core/fact"
)

// judgeUnallocated: a line calls a number in an unallocated block. All such calls of its day are one finding.
func judgeUnallocated(e *Event, b *fact.CallUnallocated) ([]Finding, error) {
	if b.Number == "" || e.Line == "" {
		return nil, fmt.Errorf("%w: %s without a number or a line", ErrBody, e.Kind)
	}
	text := fmt.Sprintf("Line %s called %s, in a block of numbers that the regulator has not allocated.", e.handle(), said(b.Number))
	v := evidence{"number": said(b.Number), "class": said(b.Class), "call_id": e.Call}
	return []Finding{e.finding(Unallocated, e.Line, from(b.Source).String(), text, v, e.day())}, nil
}
