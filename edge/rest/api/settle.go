package api

import (
	"strconv"
	"time"

	"ringfence/core/money"
)

// CaseSettlement is what is owed for the calls of a case. Amounts are without VAT where their names do not say otherwise.
type CaseSettlement struct {
	Case     int64         `json:"case"`
	Cost     bool          `json:"cost" doc:"calls that are owed are at cost price; with cost=true: as if they were"`
	Steps    []SettleStep  `json:"steps" doc:"from what was charged to what is to pay; they add up exactly"`
	Charged  int64         `json:"charged_with_vat_micro" doc:"rounded as bills are"`
	ToPay    int64         `json:"to_pay_with_vat_micro" doc:"rounded as bills are: what lies between the two is credited to the coin"`
	Disputed int64         `json:"disputed_micro" doc:"the part of what is to pay that is not asked for until it is decided"`
	Claimed  int64         `json:"claimed_micro,omitempty" doc:"asked of carriers; for staff"`
	Kept     int64         `json:"kept_micro,omitempty" doc:"granted by carriers for calls that are free: it stays with the provider; for staff"`
	Held     int64         `json:"held_micro,omitempty" doc:"granted by carriers for calls in dispute; for staff"`
	Past     []Settlement  `json:"settlements"`
	Plans    []Plan        `json:"plans"`
	Unpriced []NoCostPrice `json:"unpriced,omitempty" doc:"why calls that are owed keep their price when the others come down to cost price"`
	Calls    []SettledCall `json:"calls,omitempty" doc:"with calls=true"`
}

// NoCostPrice is a reason why calls have no cost price.
type NoCostPrice struct {
	Why   string `json:"why"`
	Calls int    `json:"calls"`
}

// Resource describes reasons.
func (NoCostPrice) Resource() Resource[NoCostPrice] {
	return Resource[NoCostPrice]{Columns: "calls, why~"}
}

// Resource describes what is owed for a case.
func (CaseSettlement) Resource() Resource[CaseSettlement] {
	return Resource[CaseSettlement]{
		Name: "settlement", Path: "cases/{id}/settlement", Tag: "cases",
		Get:    "Show what is owed for the calls of a case: the sum before and after each step",
		Fields: "case: case!, with VAT: vat, in dispute: disputed_micro?, asked of carriers: claimed_micro?, kept: kept_micro?, held: held_micro?",
		Cells: map[string]func(*CaseSettlement) Cell{
			"vat": func(c *CaseSettlement) Cell {
				return Cell{Text: Amount(money.Micro(c.ToPay)) + " of " + Amount(money.Micro(c.Charged))}
			},
			"disputed_micro": someOf(func(c *CaseSettlement) int64 { return c.Disputed }),
			"claimed_micro":  someOf(func(c *CaseSettlement) int64 { return c.Claimed }),
			"kept_micro":     someOf(func(c *CaseSettlement) int64 { return c.Kept }),
			"held_micro":     someOf(func(c *CaseSettlement) int64 { return c.Held }),
		},
	}
}

// someOf is an amount that is left out when it is nothing.
func someOf[V any](amount func(*V) int64) func(*V) Cell {
	return func(v *V) Cell {
		if n := amount(v); n != 0 {
			return Cell{Text: Amount(money.Micro(n))}
		}
		return Cell{}
	}
}

// SettleStep is one step of what is owed.
type SettleStep struct {
	Step   string `json:"step" enum:"charged,ours,to-cost,credit,refund,to-pay"`
	Calls  int    `json:"calls" doc:"how many it is about"`
	Amount int64  `json:"amount_micro" doc:"what it takes off; of charged and to-pay the sum itself"`
	Left   int64  `json:"left_micro" doc:"what is left after it"`
}

var stepNames = map[string]string{
	"charged": "Charged", "ours": "Ours to bear", "to-cost": "Down to cost price", "credit": "Carrier's credit", "refund": "Given back", "to-pay": "To pay",
}

// Resource describes steps.
func (SettleStep) Resource() Resource[SettleStep] {
	return Resource[SettleStep]{Columns: "step, calls, amount: amount_micro>, left: left_micro>", Cells: map[string]func(*SettleStep) Cell{
		"step": func(s *SettleStep) Cell { return Cell{Text: stepNames[s.Step]} },
		"amount_micro": func(s *SettleStep) Cell {
			a := money.Micro(s.Amount)
			if s.Step != "charged" && s.Step != "to-pay" {
				a = -a
			}
			return Cell{Text: Amount(a)}
		},
		"left_micro": func(s *SettleStep) Cell { return Cell{Text: Amount(money.Micro(s.Left))} },
	}}
}

// Settlement is one decision about what is owed for a case. It is followed by another, never changed.
type Settlement struct {
	Case      int64     `json:"case"`
	N         int64     `json:"n" doc:"number within the case"`
	State     string    `json:"state" enum:"waiting,made,refused" doc:"waiting: for a second person"`
	By        string    `json:"by"`
	At        time.Time `json:"at"`
	Ended     time.Time `json:"ended,omitzero"`
	EndedBy   string    `json:"ended_by,omitempty"`
	Item      int64     `json:"item,omitempty" doc:"the decision in the case that it is; absent: it needed none"`
	Cost      bool      `json:"cost" doc:"calls that are owed come down to cost price"`
	Given     int64     `json:"given_micro" doc:"what it credits, without VAT"`
	ToPay     int64     `json:"to_pay_micro" doc:"what is left, without VAT"`
	Reference string    `json:"reference" doc:"of its credit note"`
}

// Resource describes settlements.
func (Settlement) Resource() Resource[Settlement] {
	return Resource[Settlement]{Columns: "n, at, by~, state, cost price: cost, given: given_micro>, to pay: to_pay_micro>", Cells: map[string]func(*Settlement) Cell{
		"state": func(s *Settlement) Cell {
			return Cell{s.State, map[string]string{"waiting": "warn", "refused": "dim"}[s.State]}
		},
		"given_micro":  func(s *Settlement) Cell { return Cell{Text: Amount(money.Micro(s.Given))} },
		"to_pay_micro": func(s *Settlement) Cell { return Cell{Text: Amount(money.Micro(s.ToPay))} },
	}}
}

// SettledCall is how the charge of one call is divided. Ours, to_cost, credit, refund and to_pay add up to charged.
type SettledCall struct {
	Call    string `json:"call"`
	Verdict string `json:"verdict" enum:"undecided,owed,free"`
	Charged int64  `json:"charged_micro"`
	Ours    int64  `json:"ours_micro"`
	ToCost  int64  `json:"to_cost_micro"`
	Credit  int64  `json:"credit_micro"`
	Refund  int64  `json:"refund_micro"`
	ToPay   int64  `json:"to_pay_micro"`
	Priced  bool   `json:"priced" doc:"it has a cost price"`
	CostIs  int64  `json:"cost_micro" doc:"its cost price, if it has one"`
	Rate    int64  `json:"per_minute_nano,omitempty" doc:"by which it was priced"`
	Place   string `json:"destination,omitempty" doc:"as the price list names it"`
	Deck    string `json:"deck,omitempty" doc:"for staff"`
	Version int64  `json:"version,omitempty" doc:"of the deck: the one that was in force when the call began; for staff"`
	Why     string `json:"why,omitempty" doc:"it has no cost price"`
}

// Resource describes settled calls.
func (SettledCall) Resource() Resource[SettledCall] {
	text := func(amount func(*SettledCall) int64) func(*SettledCall) Cell {
		return func(c *SettledCall) Cell { return Cell{Text: Amount(money.Micro(amount(c)))} }
	}
	return Resource[SettledCall]{Columns: "call#, verdict, charged: charged_micro>, cost: cost_micro>, to pay: to_pay_micro>, why~?", Cells: map[string]func(*SettledCall) Cell{
		"charged_micro": text(func(c *SettledCall) int64 { return c.Charged }),
		"to_pay_micro":  text(func(c *SettledCall) int64 { return c.ToPay }),
		"cost_micro": func(c *SettledCall) Cell {
			if !c.Priced {
				return Cell{"none", "dim"}
			}
			return Cell{Text: Amount(money.Micro(c.CostIs))}
		},
	}}
}

// SettlementQuery says of which case, and how.
type SettlementQuery struct {
	CaseID
	Cost  bool `query:"cost" doc:"what cost price would make of it" help:"Show what cost price would make of it."`
	Calls bool `query:"calls" doc:"each call too" help:"Show each call too."`
}

// SettlementNew decides what is owed for a case.
type SettlementNew struct {
	CaseID
	Body NewSettlement `embed:""`
}

// NewSettlement is the decision.
type NewSettlement struct {
	Cost bool   `json:"cost,omitempty" doc:"calls that are owed come down to cost price: what that gives away beyond what one person may waits for a second one" help:"Bring calls that are owed down to cost price."`
	Why  string `json:"why,omitempty" maxLength:"4000" doc:"the reason, which the customer reads; cost needs one" arg:"" optional:"" help:"The reason, which the customer reads. --cost needs one."`
}

// Claim asks one carrier for money back for calls of a case.
type Claim struct {
	ID        int64         `json:"id"`
	Case      int64         `json:"case"`
	Customer  string        `json:"customer"`
	Trunk     string        `json:"trunk" doc:"the carrier's"`
	State     string        `json:"state" enum:"draft,sent,answered"`
	Calls     int64         `json:"calls"`
	Claimed   int64         `json:"claimed_micro"`
	Granted   int64         `json:"granted_micro" doc:"all answers together"`
	Beyond    int64         `json:"beyond_micro,omitempty" doc:"the part of it that is for no call of the case: it stays with the provider"`
	By        string        `json:"by"`
	Made      time.Time     `json:"made"`
	Sent      time.Time     `json:"sent,omitzero"`
	AnswerBy  time.Time     `json:"answer_by,omitzero"`
	Late      bool          `json:"late,omitempty" doc:"the carrier has not answered in time"`
	Reminders int64         `json:"reminders,omitempty"`
	Invoice   string        `json:"invoice,omitempty" doc:"file of the carrier's that it was compared with"`
	Answers   []ClaimAnswer `json:"answers,omitempty"`
	List      []ClaimCall   `json:"list,omitempty" doc:"its calls; in a single one, not in lists"`
}

// Resource describes claims.
func (Claim) Resource() Resource[Claim] {
	return Resource[Claim]{
		Name: "claim", Path: "claims", Next: "before", List: "List claims to carriers, newest first", Get: "Show a claim with its calls and answers",
		Columns: "claim: id, case, trunk~, state, answer by: answer_by-, calls, claimed: claimed_micro>, granted: granted_micro>",
		Fields:  "claim: id!, case, customer, trunk, state, made, sent?, answer by: answer_by?, reminders?, invoice?, calls, claimed: claimed_micro, granted: granted_micro, for no call of the case: beyond_micro?",
		Empty:   "No claims. One is made with: ringfence case claim",
		Cells: map[string]func(*Claim) Cell{
			"state":         func(c *Claim) Cell { return Cell{c.State, map[string]string{"draft": "warn"}[c.State]} },
			"answer_by":     func(c *Claim) Cell { return Cell{Look: map[bool]string{true: "bad"}[c.Late]} },
			"claimed_micro": func(c *Claim) Cell { return Cell{Text: Amount(money.Micro(c.Claimed))} },
			"granted_micro": func(c *Claim) Cell { return Cell{Text: Amount(money.Micro(c.Granted))} },
			"beyond_micro":  someOf(func(c *Claim) int64 { return c.Beyond }),
			"reminders": func(c *Claim) Cell {
				if c.Reminders == 0 {
					return Cell{}
				}
				return Cell{Text: strconv.FormatInt(c.Reminders, 10)}
			},
		},
		Named: func(c *Claim) (string, string) {
			return strconv.FormatInt(c.ID, 10), c.Trunk + ", case " + strconv.FormatInt(c.Case, 10)
		},
	}
}

// ClaimAnswer is one answer of a carrier.
type ClaimAnswer struct {
	At      time.Time `json:"at"`
	By      string    `json:"by" doc:"who wrote it down"`
	Granted int64     `json:"granted_micro"`
	Text    string    `json:"text,omitempty"`
}

// Resource describes answers.
func (ClaimAnswer) Resource() Resource[ClaimAnswer] {
	return Resource[ClaimAnswer]{Columns: "at, by~, granted: granted_micro>, text=", Cells: map[string]func(*ClaimAnswer) Cell{
		"granted_micro": func(a *ClaimAnswer) Cell { return Cell{Text: Amount(money.Micro(a.Granted))} },
	}}
}

// ClaimCall is one call of a claim, or a row of the invoice that is no call of the provider's.
type ClaimCall struct {
	N           int64        `json:"n"`
	Call        string       `json:"call,omitempty" doc:"absent: the provider knows of no such call"`
	Called      string       `json:"called"`
	Begun       time.Time    `json:"begun"`
	Talk        int64        `json:"talk_ns" doc:"as the carrier charges"`
	Metered     int64        `json:"metered_ns" doc:"as the provider knows it"`
	Claimed     int64        `json:"claimed_micro"`
	Granted     int64        `json:"granted_micro"`
	Line        int64        `json:"line,omitempty" doc:"of the invoice"`
	Differences []Difference `json:"differences,omitempty"`
}

// Resource describes calls of claims.
func (ClaimCall) Resource() Resource[ClaimCall] {
	length := func(ns int64) Cell { return Cell{Text: Length(time.Duration(ns))} }
	return Resource[ClaimCall]{
		Columns: "n, called, begun, charged: talk_ns>, metered: metered_ns>, claimed: claimed_micro>, granted: granted_micro>, differs~?",
		Cells: map[string]func(*ClaimCall) Cell{
			"talk_ns":       func(c *ClaimCall) Cell { return length(c.Talk) },
			"metered_ns":    func(c *ClaimCall) Cell { return length(c.Metered) },
			"claimed_micro": func(c *ClaimCall) Cell { return Cell{Text: Amount(money.Micro(c.Claimed))} },
			"granted_micro": func(c *ClaimCall) Cell { return Cell{Text: Amount(money.Micro(c.Granted))} },
			"differs": func(c *ClaimCall) Cell {
				text := ""
				for i, d := range c.Differences {
					if i > 0 {
						text += ", "
					}
					text += d.Kind
				}
				return Cell{text, "warn"}
			},
		},
	}
}

// Difference is in what an invoice and the provider's metering differ, with the money of it.
type Difference struct {
	Kind   string `json:"kind" enum:"early,ran-on,never-carried,never-seen,twice,dearer"`
	Said   string `json:"said" doc:"the same in words"`
	Calls  int    `json:"calls,omitempty" doc:"how many; of a sum"`
	Time   int64  `json:"time_ns,omitempty" doc:"charged and not metered"`
	Amount int64  `json:"amount_micro"`
}

// Resource describes differences.
func (Difference) Resource() Resource[Difference] {
	return Resource[Difference]{Columns: "calls, what: said~, amount: amount_micro>", Cells: map[string]func(*Difference) Cell{
		"amount_micro": func(d *Difference) Cell { return Cell{Text: Amount(money.Micro(d.Amount))} },
	}}
}

// ClaimFilter selects claims.
type ClaimFilter struct {
	State string `query:"state" enum:"draft,sent,answered" kong:"enum=',draft,sent,answered',default=''" doc:"only those in this state" help:"Only those in this state: draft, sent or answered." placeholder:"STATE"`
	Trunk string `query:"trunk" maxLength:"80" doc:"only those to this carrier" help:"Only those to this carrier." placeholder:"TRUNK" predict:"trunk"`
}

// ClaimID says which.
type ClaimID struct {
	ID int64 `path:"id" minimum:"1" arg:"" help:"Claim." predict:"claim"`
}

// CaseClaims draws up claims for a case.
type CaseClaims struct {
	CaseID
	Body NewCaseClaims `embed:""`
}

// NewCaseClaims says to whom.
type NewCaseClaims struct {
	Trunk string `json:"trunk,omitempty" maxLength:"80" doc:"absent: every carrier that carried calls of the case and has no claim of it" help:"To this carrier alone (default: every carrier of the case's calls)." placeholder:"TRUNK" predict:"trunk"`
}

// ClaimGrant is an answer to note.
type ClaimGrant struct {
	ClaimID
	Body NewClaimGrant `embed:""`
}

// NewClaimGrant is what a carrier answers.
type NewClaimGrant struct {
	Granted string `json:"granted" maxLength:"30" doc:"as people write it, in the billing currency: 12.50; 0 is a refusal" arg:"" help:"What it grants, in the billing currency (12.50); 0 is a refusal."`
	Text    string `json:"text,omitempty" maxLength:"4000" arg:"" optional:"" help:"What it says."`
}

// InvoiceOptions say how a carrier's invoice is read.
type InvoiceOptions struct {
	File  string   `query:"file" maxLength:"200" doc:"its name" help:"Name of the file (default: as it is called here)." placeholder:"NAME"`
	Zone  string   `query:"zone" maxLength:"60" doc:"time zone of its times, where they have none; absent: UTC" help:"Time zone of its times, where they have none (default: UTC)." placeholder:"ZONE"`
	Dates string   `query:"dates" enum:"dmy,mdy" kong:"enum=',dmy,mdy',default=''" doc:"whether 01/02 is 1 February (dmy) or 2 January (mdy)" help:"Whether 01/02 is 1 February (dmy) or 2 January (mdy)." placeholder:"ORDER"`
	Map   []string `query:"map,explode" maxItems:"20" sep:"none" doc:"COLUMN=MEANING, such as Betrag=cost or 3=seconds: what a column is, where its head does not say it: start, date, time, caller, called, seconds, minutes, cost, cost (p), id or ignore" help:"What a column is, where its head does not say it: \"Betrag=cost\", \"3=seconds\", \"Notes=ignore\". May be repeated. Meanings: start, date, time, caller, called, seconds, minutes, cost, cost (p), id, ignore." placeholder:"COLUMN=MEANING"`
}

// InvoiceCompared is a carrier's invoice beside the provider's metering.
type InvoiceCompared struct {
	Claim    Claim        `json:"claim" doc:"as it is now: what the invoice charges for its calls is claimed"`
	Rows     int          `json:"rows"`
	Charged  int64        `json:"charged_micro"`
	Expected int64        `json:"expected_micro" doc:"for the time that was metered, by the carrier's price list"`
	Over     int64        `json:"over_micro" doc:"what it charges too much"`
	Missing  []string     `json:"missing" doc:"calls that were answered and are not on it"`
	Sums     []Difference `json:"differences" doc:"by kind"`
}

// Plan is the rest of a case in instalments.
type Plan struct {
	ID          int64         `json:"id"`
	Case        int64         `json:"case"`
	Customer    string        `json:"customer"`
	State       string        `json:"state" enum:"running,paid,broken,replaced" doc:"broken: an instalment was missed, and the whole rest is due"`
	Amount      int64         `json:"amount_micro" doc:"with VAT"`
	Paid        int64         `json:"paid_micro"`
	Rest        int64         `json:"rest_micro" doc:"still to pay"`
	Due         int64         `json:"due_micro" doc:"the part of the rest that is due"`
	By          string        `json:"by"`
	Made        time.Time     `json:"made"`
	Ended       time.Time     `json:"ended,omitzero"`
	Instalments []Instalment  `json:"instalments"`
	Payments    []PlanPayment `json:"payments"`
}

// Resource describes plans.
func (Plan) Resource() Resource[Plan] {
	text := func(amount func(*Plan) int64) func(*Plan) Cell {
		return func(p *Plan) Cell { return Cell{Text: Amount(money.Micro(amount(p)))} }
	}
	return Resource[Plan]{
		Name: "plan", Path: "plans", Next: "before", List: "List plans, newest first", Get: "Show a plan: what is due when, and what was paid", Add: "Let the rest of a case be paid in instalments",
		Columns: "plan: id, case, customer~, state, amount: amount_micro>, paid: paid_micro>, rest: rest_micro>, due: due_micro>",
		Fields:  "plan: id!, case, customer, state, made, ended?, amount: amount_micro, paid: paid_micro, rest: rest_micro, due now: due_micro",
		Empty:   "No plans. One is made with: ringfence plan make",
		Cells: map[string]func(*Plan) Cell{
			"state": func(p *Plan) Cell {
				return Cell{p.State, map[string]string{"broken": "bad", "paid": "good", "replaced": "dim"}[p.State]}
			},
			"amount_micro": text(func(p *Plan) int64 { return p.Amount }), "paid_micro": text(func(p *Plan) int64 { return p.Paid }),
			"rest_micro": text(func(p *Plan) int64 { return p.Rest }), "due_micro": text(func(p *Plan) int64 { return p.Due }),
		},
		Named: func(p *Plan) (string, string) {
			return strconv.FormatInt(p.ID, 10), p.Customer + " " + Amount(money.Micro(p.Amount))
		},
	}
}

// Instalment is one payment of a plan.
type Instalment struct {
	N      int       `json:"n"`
	Due    time.Time `json:"due"`
	Until  time.Time `json:"until" doc:"when it is missed, and the plan ends"`
	Amount int64     `json:"amount_micro"`
	Paid   int64     `json:"paid_micro"`
}

// Resource describes instalments.
func (Instalment) Resource() Resource[Instalment] {
	return Resource[Instalment]{Columns: "n, due, amount: amount_micro>, paid: paid_micro>", Cells: map[string]func(*Instalment) Cell{
		"due":          func(i *Instalment) Cell { return Cell{Text: i.Due.Format("Mon 2 Jan 2006")} },
		"amount_micro": func(i *Instalment) Cell { return Cell{Text: Amount(money.Micro(i.Amount))} },
		"paid_micro":   func(i *Instalment) Cell { return Cell{Text: Amount(money.Micro(i.Paid))} },
	}}
}

// PlanPayment is a payment that counts towards a plan.
type PlanPayment struct {
	Reference string    `json:"reference"`
	At        time.Time `json:"at"`
	Amount    int64     `json:"amount_micro"`
	Credit    bool      `json:"credit,omitempty" doc:"a credit note, which left less to pay than the plan is over"`
}

// Resource describes payments of a plan.
func (PlanPayment) Resource() Resource[PlanPayment] {
	return Resource[PlanPayment]{Columns: "at, reference~, amount: amount_micro>, what", Cells: map[string]func(*PlanPayment) Cell{
		"amount_micro": func(p *PlanPayment) Cell { return Cell{Text: Amount(money.Micro(p.Amount))} },
		"what": func(p *PlanPayment) Cell {
			return Cell{Text: map[bool]string{true: "credit note", false: "payment"}[p.Credit]}
		},
	}}
}

// PlanFilter selects plans.
type PlanFilter struct {
	Customer string `query:"customer" maxLength:"64" help:"Of this customer." placeholder:"CUSTOMER" predict:"customer"`
	Case     int64  `query:"case" minimum:"0" doc:"of this case" help:"Of this case." placeholder:"CASE" predict:"case"`
	State    string `query:"state" enum:"running,paid,broken,replaced" kong:"enum=',running,paid,broken,replaced',default=''" doc:"only those in this state" help:"Only those in this state: running, paid, broken or replaced." placeholder:"STATE"`
}

// PlanID says which.
type PlanID struct {
	ID int64 `path:"id" minimum:"1" arg:"" help:"Plan." predict:"plan"`
}

// PlanNew is a plan to make.
type PlanNew struct {
	Body NewPlan `embed:""`
}

// NewPlan says over what.
type NewPlan struct {
	Case   int64  `json:"case" minimum:"1" arg:"" help:"Case." predict:"case"`
	Count  int    `json:"count" minimum:"1" maximum:"36" doc:"how many monthly instalments" arg:"" help:"How many monthly instalments, 1 to 36."`
	First  string `json:"first" maxLength:"40" doc:"the day on which the first is due, in the customer's zone: 2026-12-31, or +30d" type:"when" required:"" help:"Day on which the first is due." placeholder:"DAY"`
	Amount string `json:"amount,omitempty" maxLength:"30" doc:"with VAT, as people write it: 120.50; absent: what is to pay of the case" help:"Amount with VAT (default: what is to pay of the case)." placeholder:"AMOUNT"`
}

// PlanPaid counts a payment towards a plan.
type PlanPaid struct {
	PlanID
	Body NewPlanPayment `embed:""`
}

// NewPlanPayment names a payment.
type NewPlanPayment struct {
	Reference string `json:"reference" maxLength:"100" doc:"of a payment in the books; it counts towards one plan, once" arg:"" help:"Reference of a payment that is booked."`
}
