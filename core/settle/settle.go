// Package settle works out what a customer pays for the calls of a case: what is ours to bear, cost price, what carriers grant,
// and instalments. It must not know storage, cases or bills.
package settle

import (
	"ringfence/core/call"
	"ringfence/core/money"
)

// Verdict is what was found of a call.
type Verdict string

// Verdicts.
const (
	Undecided Verdict = "undecided" // in dispute: nothing is asked for it until it is decided
	Owed      Verdict = "owed"
	Free      Verdict = "free" // ours to bear
)

// Call is one call of a case, with all that its settlement needs. Amounts are without tax.
type Call struct {
	ID      call.ID
	Verdict Verdict
	Charged money.Micro // what the customer was charged
	Cost    money.Micro // cost price, if Priced
	Priced  bool        // it is to be brought down to cost price
	Granted money.Micro // what its carrier has granted for it
	Claimed money.Micro // what its carrier was asked for it
}

// Share is how the charge of one call is divided: Ours, ToCost, Credit, Refund and ToPay add up to Charged, and none is below 0.
type Share struct {
	ID      call.ID     `json:"call"`
	Verdict Verdict     `json:"verdict"`
	Charged money.Micro `json:"charged_micro"`
	Ours    money.Micro `json:"ours_micro"`
	ToCost  money.Micro `json:"to_cost_micro"`
	Credit  money.Micro `json:"credit_micro"` // of the carrier, passed on
	Refund  money.Micro `json:"refund_micro"` // its part of the sums that were given back in the case
	ToPay   money.Micro `json:"to_pay_micro"`
	Kept    money.Micro `json:"kept_micro"` // granted by the carrier and not passed on: the customer neither paid nor owes it
	Held    money.Micro `json:"held_micro"` // granted by the carrier, until it is decided who bears the call
}

// Divide divides the charge of a call. A carrier's grant is passed on as far as something is left to pay, and never beyond.
func Divide(c Call) Share {
	s := Share{ID: c.ID, Verdict: c.Verdict, Charged: max(c.Charged, 0)}
	rest := s.Charged
	switch c.Verdict {
	case Free:
		s.Ours = rest
	case Owed:
		if c.Priced {
			s.ToCost = max(0, rest-max(c.Cost, 0))
		}
	}
	rest -= s.Ours + s.ToCost
	granted := max(c.Granted, 0)
	if c.Verdict == Undecided {
		s.Held = granted
	} else {
		s.Credit = min(granted, rest)
		s.Kept = granted - s.Credit
	}
	s.ToPay = rest - s.Credit
	return s
}

// Step is one step of the list: how many calls it is about, and its amount.
type Step struct {
	Calls  int         `json:"calls"`
	Amount money.Micro `json:"amount_micro"`
}

func (s *Step) add(a money.Micro) {
	if a != 0 {
		s.Calls++
		s.Amount = s.Amount.Add(a)
	}
}

// List is what is owed, falling from what was charged to what is to pay. Charged less the four steps is ToPay, exactly.
type List struct {
	Charged  Step        `json:"charged"`
	Ours     Step        `json:"ours"`
	ToCost   Step        `json:"to_cost"`
	Credit   Step        `json:"credit"`
	Refund   Step        `json:"refund"`
	ToPay    Step        `json:"to_pay"`
	Disputed Step        `json:"disputed"` // the part of ToPay that is not asked for until it is decided
	Claimed  money.Micro `json:"claimed_micro"`
	Kept     money.Micro `json:"kept_micro"` // of the carriers' grants, stays with us
	Held     money.Micro `json:"held_micro"` // of the carriers' grants, until it is decided who bears their calls
}

// Fall divides the calls of a case and adds them up. refunded is what was given back in the case besides: it is divided over what is left of
// each call.
func Fall(calls []Call, refunded money.Micro) (List, []Share) {
	shares, rests := make([]Share, 0, len(calls)), make([]money.Micro, 0, len(calls))
	for i := range calls {
		s := Divide(calls[i])
		shares, rests = append(shares, s), append(rests, s.ToPay)
	}
	parts, _, err := Spread(max(refunded, 0), rests)
	var l List
	for i := range shares {
		s := &shares[i]
		if err == nil { // nothing of it is below zero
			s.Refund, s.ToPay = parts[i], s.ToPay-parts[i]
		}
		l.Charged.Calls++
		l.Charged.Amount = l.Charged.Amount.Add(s.Charged)
		l.Ours.add(s.Ours)
		l.ToCost.add(s.ToCost)
		l.Credit.add(s.Credit)
		l.Refund.add(s.Refund)
		l.ToPay.add(s.ToPay)
		if s.Verdict == Undecided {
			l.Disputed.add(s.ToPay)
		}
		l.Claimed = l.Claimed.Add(max(calls[i].Claimed, 0))
		l.Kept, l.Held = l.Kept.Add(s.Kept), l.Held.Add(s.Held)
	}
	return l, shares
}

// Settled is what settlements give of a list, in which refunded was given back besides: never both more than the charge.
func (l *List) Settled(refunded money.Micro) money.Micro {
	return max(0, min(l.Ours.Amount.Add(l.ToCost.Amount).Add(l.Credit.Amount), l.Charged.Amount-refunded))
}

// Given is what the steps of a share take off the charge.
func (s *Share) Given() money.Micro { return s.Ours + s.ToCost + s.Credit + s.Refund }
