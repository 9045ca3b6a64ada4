package engine

import (
	"strings"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/restrict"
)

// What the called party is shown of the caller. A line may present its own number, those of its customer's other lines, and those that its customer has
// verified; what else its phone claims is replaced by its own number. Carriers are told the line's own number in any case (Network).

// identity decides what a line's call presents. An emergency call carries the line's own number whatever the phone claims.
func (r *Rules) identity(s *Subject, own uint64) {
	s.Present, s.Network = own, own
	if s.Problem == phone.NoProblem && s.Dest.Class == phone.Emergency {
		return
	}
	n, claimed := r.claimed(s)
	switch {
	case !claimed || n.Digits() == own:
	case s.sentOn() && s.Withheld: // a code before the number that the line forwards to must not reveal it
	case s.sentOn(): // the caller's number, which the line did not choose: it was called from there
		s.Present = n.Digits()
	case r.Shows != nil && r.Shows(s.Account, n.Digits()):
		s.Present = n.Digits()
	default:
		s.Unverified = r.Strict != nil && r.Strict()
		s.Barred = r.listed(n, restrict.Presented, s.Now)
	}
	if n, ok := phone.FromDigits(s.Present); ok && s.Barred == nil {
		s.Barred = r.listed(n, restrict.Presented, s.Now)
	}
	if s.Network == 0 && !s.sentOn() { // a line without a number of its own answers for the one that it presents
		s.Network = s.Present
	}
}

// sentOn says that a call goes on which others made to the line. A transfer is not among them: it is made by a person at the line's phone.
func (s *Subject) sentOn() bool {
	return s.Parent != "" && (s.Cause.Forwards() || s.Cause == call.Redirected)
}

// claimed is the number that a phone asks to present. The name of its login is none, though it may look like one.
func (r *Rules) claimed(s *Subject) (phone.Number, bool) {
	if s.Caller == account.Handle(s.Attempt.Line) && !s.sentOn() {
		return phone.Number{}, false
	}
	d, ok := r.callerNumber(s.Caller)
	return d.Number, ok
}

// callerNumber reads a caller's number. Carriers and exchanges write numbers with the international prefix, with a plus, or bare.
func (r *Rules) callerNumber(text string) (d phone.Destination, ok bool) {
	if len(text) < 7 || text[0] != '+' && (text[0] < '0' || text[0] > '9') {
		return d, false
	}
	if text[0] >= '1' && text[0] <= '9' { // bare; +1 410 must not be read as the code 141
		text = "+" + text
	}
	d, problem := r.Plan.Parse(text)
	return d, problem == phone.NoProblem && !d.Number.Short() && d.Show == phone.AsSet && d.Relay == 0
}

// callerListed is the entry of a hot list that refuses calls from a caller, or nil.
func (r *Rules) callerListed(s *Subject, caller string) *restrict.Listed {
	if caller == "" || r.Hot == nil || r.Hot().Len() == 0 {
		return nil
	}
	d, ok := r.callerNumber(caller)
	if !ok {
		return nil
	}
	return r.listed(d.Number, restrict.In, s.Now)
}

// calledFrom judges the numbers of an inbound call: the caller's as the network gives it, and the one that the called party would be shown.
func (r *Rules) calledFrom(s *Subject) {
	abroad := account.HomeCalls
	if r.Abroad != nil {
		abroad = r.Abroad(s.Trunk)
	}
	for _, number := range [...]string{s.Caller, s.Shown} {
		if s.Listed == nil {
			s.Listed = r.callerListed(s, number)
		}
		if abroad == account.HomeCalls || abroad == "" {
			continue
		}
		switch home, mobile := r.home(number); {
		case home && !mobile:
			s.Spoofed = true
		case home && abroad != account.CheckedCalls:
			s.Hide = true
		}
	}
}

// home says that a caller's number is one of the home country, or pretends to be, and whether it is a mobile's. Home numbers have exceptions where
// their phones roam: Ofcom's guidance on calling line identification of 2025 has calls from abroad with UK numbers blocked, and those of mobiles withheld
// unless it was checked that they roam.
func (r *Rules) home(text string) (home, mobile bool) {
	if d, ok := r.callerNumber(text); ok {
		return d.National, d.Class == phone.Mobile
	}
	code := r.Plan.Home()
	for _, prefix := range [...]string{code, code[1:], "00" + code[1:]} { // +44 and then nothing that is a number
		if len(text) > len(code)+4 && strings.HasPrefix(text, prefix) {
			return true, false
		}
	}
	return len(text) > 6 && text[0] == '0' && text[1] != '0', false // as it would be dialled here
}

// judgeCaller refuses an inbound call for the number that it comes from.
func (s *Subject) judgeCaller() *Refusal {
	switch {
	case s.Listed != nil:
		return &Refusal{Reason: policy.CallerListed, Figures: policy.ListedBy(s.Listed)}
	case s.Spoofed:
		return &Refusal{Reason: policy.SpoofedHome}
	}
	return nil
}
