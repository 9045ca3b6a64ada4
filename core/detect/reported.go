package detect

import (
	"fmt"

	"ringfence/core/fact"
)

// maxReport is how much of a report its finding has, in runes; all of it is in the journal.
const maxReport = 400

// judgeReported: what a customer reports is always looked at, each report by itself.
func judgeReported(e *Event, b *fact.FraudReported) ([]Finding, error) {
	if b.Code == "" || e.Account == "" {
		return nil, fmt.Errorf("%w: %s without a code or a customer", ErrBody, e.Kind)
	}
	what := "its lines"
	if e.Line != "" {
		what = "line " + e.handle()
	}
	text := fmt.Sprintf("%s reports a fraud with %s (number %s): %s", said(b.By), what, said(b.Code), said(b.Text))
	f := e.finding(Reported, e.Line, "", text, evidence{"by": said(b.By), "code": said(b.Code), "report": words(cleanTo(b.Text, maxReport))}, string(said(b.Code)))
	f.Account = e.Account
	return []Finding{f}, nil
}
