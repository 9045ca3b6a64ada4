package notify

import (
	"fmt"
	"strings"

	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/state/store"
)

// readInstalment is of what a case says about an instalment: it is coming, it is late, or the plan has ended.
func (n *Notifier) readInstalment(f *store.Fact) (draft, bool) {
	var b fact.CaseNoted
	if b.Decode(f.Body) != nil || b.What != fact.AboutInstalment || f.Account == "" {
		return draft{}, false
	}
	d := n.drafted(f, Instalment)
	d.line, d.Text = "", strange(fmt.Sprintf("Case %d: %s", b.Case, b.Text), maxText)
	return d, true
}

// readCredit is of a credit note for a case. One that finance books by hand is in the account.
func (n *Notifier) readCredit(f *store.Fact) (draft, bool) {
	var b fact.CreditBooked
	if b.Decode(f.Body) != nil || !strings.HasPrefix(b.Reference, "CASE ") || f.Account == "" {
		return draft{}, false
	}
	d := n.drafted(f, CaseCredit)
	d.Text = strange(fmt.Sprintf("You owe %s less, VAT included. %s", money.Billing().Amount(b.Gross), b.Why), maxText)
	return d, true
}
