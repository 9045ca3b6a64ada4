package settle

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/call"
	"ringfence/core/money"
)

// ErrStep says that a claim, plan or settlement cannot go where somebody wants it. The text around it says why.
var ErrStep = errors.New("that is not the next step")

// State is how far a claim, a plan or a settlement is.
type State string

// States of claims.
const (
	ClaimDraft    State = "draft"
	ClaimSent     State = "sent"
	ClaimAnswered State = "answered" // in part or in whole, or refused; another answer may follow
)

// States of settlements.
const (
	Waiting State = "waiting" // for a second member of staff
	Made    State = "made"    // in force: it is not changed any more, only followed by another
	Refused State = "refused" // the second member of staff did not agree
)

// Carriers are asked to answer within AnswerTime of a claim, and reminded of it RemindEvery after that, MostReminders times.
const (
	AnswerTime    = 14 * 24 * time.Hour
	RemindEvery   = 7 * 24 * time.Hour
	MostReminders = 3
)

// Answer is one answer of a carrier to a claim.
type Answer struct {
	At      time.Time   `json:"at"`
	By      string      `json:"by"` // who wrote it down
	Granted money.Micro `json:"granted_micro"`
	Text    string      `json:"text,omitempty"`
}

// Claim asks one carrier for money back for calls of a case.
type Claim struct {
	ID        int64 // 1, 2, …
	Case      int64
	Customer  string
	Trunk     string // the carrier's, by identity
	State     State
	By        string
	Made      time.Time
	Sent      time.Time
	AnswerBy  time.Time
	Reminders int64
	Reminded  time.Time
	Calls     int64
	Claimed   money.Micro
	Granted   money.Micro // all answers together
	Beyond    money.Micro // the part of Granted that is for no call of the case: it stays with us
	Invoice   string      // file of the carrier's that the claim was compared with
	Answers   []Answer
	Version   int64 // the store's: counts the writes
}

// ClaimCall is one call of a claim, or a row of the invoice that we know no call of.
type ClaimCall struct {
	Claim   int64
	N       int64   // within the claim: 1, 2, …
	Call    call.ID // "" is none
	Called  string
	Begun   time.Time
	Talk    time.Duration // as the carrier charges
	Metered time.Duration // as we know it
	Claimed money.Micro
	Granted money.Micro
	Line    int64  // of the invoice, 0: not on it
	Parts   []Part // what differs from our metering; none: it is claimed as a call of a thief's
	Version int64  // the store's: counts the writes
}

// Send sends a claim: the days of its answer begin.
func (c *Claim) Send(now time.Time) error {
	switch {
	case c.State != ClaimDraft:
		return fmt.Errorf("claim %d was sent: %w", c.ID, ErrStep)
	case c.Claimed <= 0:
		return fmt.Errorf("claim %d asks for nothing: %w", c.ID, ErrStep)
	}
	c.State, c.Sent, c.AnswerBy = ClaimSent, now, now.Add(AnswerTime)
	return nil
}

// Late says that a carrier has not answered in time.
func (c *Claim) Late(now time.Time) bool { return c.State == ClaimSent && now.After(c.AnswerBy) }

// RemindDue says that the carrier is to be reminded.
func (c *Claim) RemindDue(now time.Time) bool {
	return c.Late(now) && c.Reminders < MostReminders && !now.Before(c.AnswerBy.Add(time.Duration(c.Reminders)*RemindEvery))
}

// Grant notes an answer and divides what it grants over the calls that are not yet granted in full. Zero refuses.
func (c *Claim) Grant(a Answer, calls []ClaimCall) error {
	switch {
	case c.State == ClaimDraft:
		return fmt.Errorf("claim %d was not sent: %w", c.ID, ErrStep)
	case a.Granted < 0:
		return fmt.Errorf("a carrier cannot grant less than nothing: %w", ErrStep)
	}
	open := make([]money.Micro, len(calls))
	for i := range calls {
		open[i] = calls[i].Claimed - calls[i].Granted
	}
	parts, left, err := Spread(a.Granted, open)
	if err != nil {
		return err
	}
	for i := range calls {
		calls[i].Granted += parts[i]
	}
	c.State, c.Granted, c.Beyond = ClaimAnswered, c.Granted.Add(a.Granted), c.Beyond.Add(left)
	c.Answers = append(slices.Clone(c.Answers), a)
	return nil
}

// Settlement is one decision about what is owed for the calls of a case. Once it is made it is never changed.
type Settlement struct {
	Case    int64
	N       int64 // within the case: 1, 2, …
	Item    int64 // the decision in the case that it is, 0: it passes a carrier's grant on and needed none
	State   State
	By      string
	At      time.Time
	Ended   time.Time // when it was made or refused
	EndedBy string
	Cost    bool // calls that are owed come down to cost price
	List    List
	Given   money.Micro // what this one gives beyond those before it: Net of its credit note
	Shares  []byte      // each call's, in the encoding of its stage
	Version int64       // the store's: counts the writes
}

// End makes a settlement, or refuses it.
func (s *Settlement) End(state State, by string, now time.Time) error {
	if s.State != Waiting {
		return fmt.Errorf("settlement %d of case %d is %s: %w", s.N, s.Case, s.State, ErrStep)
	}
	s.State, s.EndedBy, s.Ended = state, by, now
	return nil
}

// Plan is the rest of a case in instalments.
type Plan struct {
	ID       int64 // 1, 2, …
	Case     int64
	Customer string
	State    PlanState
	Amount   money.Micro // with tax, in whole coins
	List     []Instalment
	By       string
	Made     time.Time
	Ended    time.Time // when it was paid, broken or replaced
	Payments []Payment
	Sent     []string // the reminders that were sent: "coming 0"
	Version  int64    // the store's: counts the writes
}

// PlanReplaced is the state of a plan that another one follows.
const PlanReplaced PlanState = "replaced"

// Payment is a payment or a credit that counts towards a plan, by its reference in the books.
type Payment struct {
	Reference string      `json:"reference"`
	At        time.Time   `json:"at"`
	Amount    money.Micro `json:"amount_micro"`
	Credit    bool        `json:"credit,omitempty"` // a credit note, which left less to pay than the plan is over
}

// Standing is where the plan stands.
func (p *Plan) Standing(now time.Time) Standing {
	paid := make([]Paid, len(p.Payments))
	for i, x := range p.Payments {
		paid[i] = Paid{x.At, x.Amount}
	}
	return Stand(p.List, paid, now)
}

// Pay counts a payment towards the plan, once.
func (p *Plan) Pay(x Payment, now time.Time) error {
	switch {
	case p.State == PlanReplaced || p.State == PlanPaid:
		return fmt.Errorf("plan %d is %s: %w", p.ID, p.State, ErrStep)
	case x.Amount <= 0:
		return fmt.Errorf("payment %q is not above zero: %w", x.Reference, ErrStep)
	case slices.ContainsFunc(p.Payments, func(y Payment) bool { return y.Reference == x.Reference }):
		return fmt.Errorf("payment %q counts already: %w", x.Reference, ErrStep)
	}
	p.Payments = append(slices.Clone(p.Payments), x)
	slices.SortStableFunc(p.Payments, func(a, b Payment) int { return a.At.Compare(b.At) })
	p.Note(now)
	return nil
}

// Name is what a payment says, in its text or reference, to count towards the plan by itself.
func (p *Plan) Name() string { return fmt.Sprintf("PLAN %d", p.ID) }

// planned finds the plans that a text names: PLAN 2, plan-2, Plan2.
var planned = regexp.MustCompile(`(?i)\bplan[ -]*([0-9]{1,12})\b`)

// Named is the one plan that a text names; 0: none, or several.
func Named(text string) (id int64) {
	for _, m := range planned.FindAllStringSubmatch(text, -1) {
		n, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil || id != 0 && n != id {
			return 0
		}
		id = n
	}
	return id
}

// NamesOnly says that a text is nothing but the name of a plan. That is no reference of a payment: it comes again with each instalment.
func NamesOnly(text string) bool {
	text = strings.TrimSpace(text)
	return text != "" && planned.FindString(text) == text
}

// Banked is what was paid towards the plan, without credits.
func (p *Plan) Banked() (sum money.Micro) {
	for i := range p.Payments {
		if !p.Payments[i].Credit {
			sum = sum.Add(p.Payments[i].Amount)
		}
	}
	return sum
}

// Note brings State up to date, and says whether it changed. A plan that broke stays so until it is paid.
func (p *Plan) Note(now time.Time) (changed bool) {
	if p.State == PlanReplaced || p.State == PlanPaid {
		return false
	}
	s := p.Standing(now)
	if s.State == p.State || p.State == PlanBroken && s.State == PlanRunning {
		return false
	}
	p.State, p.Ended = s.State, now
	return true
}

// NotDue is the part of a plan that is not to be asked for yet: bills of it are not reminded of so far.
func (p *Plan) NotDue(now time.Time) money.Micro {
	if p.State != PlanRunning {
		return 0
	}
	s := p.Standing(now)
	return s.Rest - s.Due
}
