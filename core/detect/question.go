package detect

import (
	"fmt"

	"ringfence/core/fact"
)

// judgeQuestioned: callers of a line failed as many questions as it may, so that it is asked no more for a while. All of a day are one finding.
func judgeQuestioned(e *Event, b *fact.CallQuestioned) ([]Finding, error) {
	switch {
	case !b.NoMore:
		return nil, nil
	case b.Failures <= 0:
		return nil, fmt.Errorf("%w: %s without failures", ErrBody, e.Kind)
	}
	text := fmt.Sprintf("%d calls of line %s that must be confirmed were not, the last of them to %s. Further ones are refused for an hour.", b.Failures, e.handle(), said(b.Number))
	v := evidence{"number": said(b.Number), "unconfirmed": b.Failures, "wrong_answers": b.WrongKeys, "call_id": e.Call}
	if b.HastyKeys > 0 {
		v["early_keys"] = b.HastyKeys
	}
	return []Finding{e.finding(Unconfirmed, e.Line, "", text, v, e.day())}, nil
}
