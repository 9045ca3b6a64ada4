package detect

import "fmt"

// numberBody is the body of the fact about a call to a number of a block that nobody has.
type numberBody struct {
	Number words  `json:"number"`
	Class  words  `json:"class"`
	Source source `json:"source"`
}

// judgeUnallocated: a line calls a number that nobody should have. All such calls of its day are one finding.
func judgeUnallocated(e *Event) ([]Finding, error) {
	var b numberBody
	if err := decode(e, &b); err != nil {
		return nil, err
	}
	if b.Number == "" || e.Line == "" {
		return nil, fmt.Errorf("%w: %s without a number or a line", ErrBody, e.Kind)
	}
	text := fmt.Sprintf("Line %s called %s, of a block of numbers that nobody has by the regulator's table.", e.handle(), b.Number)
	v := evidence{"number": b.Number, "class": b.Class, "call_id": e.Call}
	return []Finding{e.finding(Unallocated, e.Line, b.Source.String(), text, v, e.day())}, nil
}
