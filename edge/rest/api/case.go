package api

import (
	"strconv"
	"time"

	"ringfence/core/money"
)

// Case is a matter of fraud between the provider and a customer. Items and sums are in a single one, not in lists.
type Case struct {
	ID       int64      `json:"id"`
	Customer string     `json:"customer"`
	Account  string     `json:"customer_identity,omitempty"`
	Line     string     `json:"line,omitempty" doc:"absent: it is about all of the customer's"`
	Title    string     `json:"title"`
	Erased   bool       `json:"erased,omitempty" doc:"its customer was erased, and nothing is left of it but its number"`
	State    string     `json:"state" enum:"open,asked,settling,closed" doc:"asked: it waits for the customer's answer"`
	Outcome  string     `json:"outcome,omitempty" enum:"fraud,honest,ours,unclear,"`
	Why      string     `json:"why,omitempty" doc:"of the outcome"`
	Origin   string     `json:"origin,omitempty" enum:"finding,report,hand,"`
	Finding  int64      `json:"finding,omitempty" doc:"that it was opened from"`
	Owner    string     `json:"owner,omitempty" doc:"member of staff who works on it"`
	By       string     `json:"by,omitempty" doc:"who opened it; a customer reads staff where a member of staff did something"`
	Opened   time.Time  `json:"opened"`
	Deadline time.Time  `json:"deadline,omitzero" doc:"by which the customer has an answer"`
	Late     bool       `json:"late,omitempty"`
	Closed   time.Time  `json:"closed,omitzero"`
	Hold     bool       `json:"hold,omitempty" doc:"nothing of it may be deleted"`
	Disputed int64      `json:"disputed_micro,omitempty" doc:"price of its calls in dispute, which is not collected"`
	Risk     int64      `json:"risk_micro,omitempty" doc:"what thieves could still cost tonight with what it is about; for staff, of a case that is not closed; absent: nothing"`
	Sums     []CaseSum  `json:"calls,omitempty" doc:"its calls by state"`
	Items    []CaseItem `json:"items,omitempty"`
}

// CaseSum is what the calls in one state come to.
type CaseSum struct {
	State  string `json:"state"`
	Calls  int64  `json:"calls"`
	Retail int64  `json:"retail_micro"`
}

// Resource describes sums.
func (CaseSum) Resource() Resource[CaseSum] {
	return Resource[CaseSum]{Columns: "state, calls, charged: retail_micro>", Cells: map[string]func(*CaseSum) Cell{
		"retail_micro": func(x *CaseSum) Cell { return Cell{Text: Amount(money.Micro(x.Retail))} },
	}}
}

// CaseItem is one thing in a case.
type CaseItem struct {
	N       int64     `json:"n" doc:"number within the case"`
	Kind    string    `json:"kind" enum:"note,message,task,evidence,decision"`
	At      time.Time `json:"at"`
	By      string    `json:"by"`
	Theirs  bool      `json:"theirs,omitempty" doc:"the customer wrote it"`
	Text    string    `json:"text,omitempty"`
	Due     time.Time `json:"due,omitzero"`
	Owner   string    `json:"owner,omitempty" doc:"of a task"`
	File    string    `json:"file,omitempty" doc:"name of the file that came with it"`
	Size    int64     `json:"size,omitempty" doc:"of the file, in bytes"`
	SHA256  string    `json:"sha256,omitempty" doc:"of the file"`
	What    string    `json:"what,omitempty" doc:"of a decision: upheld, goodwill or owed of calls, or refund"`
	Amount  int64     `json:"amount_micro,omitempty" doc:"of a decision: what it gives to the customer"`
	Calls   int       `json:"calls,omitempty" doc:"of a decision: how many it is about"`
	Waits   bool      `json:"waits,omitempty" doc:"it has not ended; a decision waits for a second person"`
	Ended   time.Time `json:"ended,omitzero"`
	EndedBy string    `json:"ended_by,omitempty"`
	How     string    `json:"how,omitempty" enum:"done,dropped,accepted,rejected,made,refused,"`
	Answer  string    `json:"answer,omitempty"`
}

// Resource describes items.
func (CaseItem) Resource() Resource[CaseItem] {
	return Resource[CaseItem]{Columns: "n, at, kind, by~, state, text=", Cells: map[string]func(*CaseItem) Cell{
		"state": func(i *CaseItem) Cell {
			if i.Waits {
				return Cell{"waits", "warn"}
			}
			return Cell{i.How, "dim"}
		},
		"text": func(i *CaseItem) Cell {
			text := i.Text
			if i.What != "" {
				text = i.What + " " + Amount(money.Micro(i.Amount)) + ", " + Count(i.Calls, "call", "calls") + ": " + text
			}
			if i.File != "" {
				text += " [" + i.File + "]"
			}
			if i.Answer != "" {
				text += " → " + i.Answer
			}
			return Cell{Text: text}
		},
	}}
}

// Resource describes cases.
func (Case) Resource() Resource[Case] {
	return Resource[Case]{
		Name: "case", Path: "cases", Next: "before",
		List: "List cases, newest first", Get: "Show a case: its calls by state, what was written, asked and decided", Add: "Open a case",
		Change:  "Change the state, owner, deadline or title of a case",
		Columns: "case: id, customer~, line~?, state, owner~?, deadline, in dispute: disputed_micro>?, tonight: risk_micro>?, what: title~",
		Fields:  "case: id, customer, line?, state, outcome?, why?, origin?, finding?, owner?, opened, deadline?, closed?, hold?, in dispute: disputed_micro?, could be lost tonight: risk_micro?, what: title",
		Empty:   "No cases. A customer's report opens one, and: ringfence case open",
		Cells: map[string]func(*Case) Cell{
			"state": func(c *Case) Cell {
				return Cell{c.State, map[string]string{"open": "warn", "closed": "dim"}[c.State]}
			},
			"deadline": func(c *Case) Cell {
				if c.Late {
					return Cell{"", "bad"}
				}
				return Cell{}
			},
			"title": func(c *Case) Cell {
				if c.Erased {
					return Cell{"erased", "dim"}
				}
				return Cell{Text: c.Title}
			},
			"disputed_micro": func(c *Case) Cell {
				if c.Disputed == 0 {
					return Cell{}
				}
				return Cell{Text: Amount(money.Micro(c.Disputed))}
			},
			"risk_micro": func(c *Case) Cell {
				if c.Risk == 0 {
					return Cell{}
				}
				return Cell{Text: Amount(money.Micro(c.Risk))}
			},
		},
		Named: func(c *Case) (string, string) { return strconv.FormatInt(c.ID, 10), c.Title },
	}
}

// CaseFilter selects cases.
type CaseFilter struct {
	Open     bool   `query:"open" doc:"only those that are not closed" help:"Only those that are not closed."`
	ByRisk   bool   `query:"by_risk" doc:"those that are not closed, by the money at risk: what is in dispute, and what could still be lost tonight; for staff, all of the provider on one page" help:"Those that are not closed, by the money at risk: what is in dispute, and what could still be lost tonight."`
	Customer string `query:"customer" maxLength:"60" help:"Only this customer." placeholder:"CUSTOMER" predict:"customer"`
	Owner    string `query:"owner" maxLength:"100" doc:"only those that this member of staff works on, as the journal names them: staff/priya" help:"Only those of this member of staff, as the journal names them (staff/priya)." placeholder:"WHO"`
}

// CaseID says which.
type CaseID struct {
	ID int64 `path:"id" minimum:"1" arg:"" help:"Case." predict:"case"`
}

// CaseNew is a case to open.
type CaseNew struct {
	Body NewCase `embed:""`
}

// NewCase is what a case is opened with.
type NewCase struct {
	Title    string `json:"title,omitempty" maxLength:"200" doc:"absent: as the finding says" arg:"" optional:"" help:"What it is about, in a few words (default: as the finding says)."`
	Finding  int64  `json:"finding,omitempty" minimum:"0" help:"Finding that it is opened from." placeholder:"FINDING" predict:"finding"`
	Customer string `json:"customer,omitempty" maxLength:"60" help:"Customer whom it is about, without --finding and --line." placeholder:"CUSTOMER" predict:"customer"`
	Line     string `json:"line,omitempty" maxLength:"80" help:"Line that it is about." placeholder:"LINE" predict:"line"`
	Text     string `json:"text,omitempty" maxLength:"4000" help:"First note, for staff." placeholder:"TEXT"`
}

// CaseChange is a change and what it is of.
type CaseChange struct {
	CaseID
	Body PatchCase `embed:""`
}

// PatchCase changes a case; what is absent stays.
type PatchCase struct {
	State    string  `json:"state,omitempty" maxLength:"20" help:"State: open, asked or settling." placeholder:"STATE"`
	Owner    *string `json:"owner,omitempty" maxLength:"100" help:"Member of staff who works on it (staff/priya)." placeholder:"WHO"`
	Deadline string  `json:"deadline,omitempty" maxLength:"40" doc:"by which the customer has an answer; a time, or as people write it in the provider's zone" type:"when" help:"By when the customer has an answer." placeholder:"WHEN"`
	Title    string  `json:"title,omitempty" maxLength:"200" help:"What it is about." placeholder:"TEXT"`
	Link     string  `json:"link,omitempty" maxLength:"80" doc:"a line that staff link to the case: its timeline shows what happened on it" help:"Link this line to the case: the timeline shows what happened on it." placeholder:"LINE" predict:"line"`
	Unlink   string  `json:"unlink,omitempty" maxLength:"80" doc:"a line that is not linked any more" help:"Link this line no longer." placeholder:"LINE" predict:"line"`
	Hold     *bool   `json:"hold,omitempty" doc:"nothing of it may be deleted, whatever its age" help:"Keep all of it, whatever its age." negatable:""`
}

// CasePick says which calls.
type CasePick struct {
	Calls []string `json:"calls,omitempty" maxItems:"1000" doc:"ids of calls" help:"Ids of calls." placeholder:"CALL" predict:"cdr"`
	Line  string   `json:"line,omitempty" maxLength:"80" doc:"or those of a line in a time" help:"Calls of this line, with --from and --until (default: the case's line, or all)." placeholder:"LINE" predict:"line"`
	From  string   `json:"from,omitempty" maxLength:"40" type:"when" help:"Calls from then on." placeholder:"WHEN"`
	Until string   `json:"until,omitempty" maxLength:"40" type:"when" help:"Calls before then." placeholder:"WHEN"`
}

// CaseDispute puts calls into a case.
type CaseDispute struct {
	CaseID
	Body NewDispute `embed:""`
}

// NewDispute are calls in dispute, and why.
type NewDispute struct {
	CasePick
	Why string `json:"why,omitempty" maxLength:"200" help:"Why the customer should not pay for them." placeholder:"TEXT"`
}

// DisputeNew disputes calls in a case of its own, or in the one that is open.
type DisputeNew struct {
	Body struct {
		Calls    []string `json:"calls" minItems:"1" maxItems:"1000" arg:"" name:"call" help:"Ids of calls."`
		Customer string   `json:"customer,omitempty" maxLength:"60" doc:"whose they are; yours, if you are one of its people" help:"Customer whose calls they are; yours, if you are one of its people." placeholder:"CUSTOMER" predict:"customer"`
		Why      string   `json:"why,omitempty" maxLength:"200" help:"Why you should not pay for them." placeholder:"TEXT"`
	} `embed:""`
}

// CaseChanged is how many calls changed.
type CaseChanged struct {
	Case  int64 `json:"case"`
	Calls int   `json:"calls" doc:"how many calls changed; those that were in a case before, or cost nothing, did not"`
}

// CaseCall is a call of a case, with the state of its dispute.
type CaseCall struct {
	Call     string     `json:"call"`
	Line     string     `json:"line"`
	Begun    time.Time  `json:"begun"`
	Number   string     `json:"number,omitempty" doc:"that was called; absent: the record of the call is gone"`
	TalkMS   int64      `json:"talk_ms"`
	Retail   int64      `json:"retail_micro"`
	State    string     `json:"state" enum:"disputed,judged,upheld,owed,goodwill,withdrawn"`
	Verdict  string     `json:"verdict,omitempty" enum:"owed,free,undetermined,"`
	Why      string     `json:"why,omitempty" doc:"of the verdict"`
	Decision int64      `json:"decision,omitempty" doc:"the item that waits to decide it"`
	Steps    []CaseStep `json:"steps"`
}

// CaseStep is one change of a dispute.
type CaseStep struct {
	At    time.Time `json:"at"`
	State string    `json:"state"`
	By    string    `json:"by"`
	Why   string    `json:"why,omitempty"`
}

// Resource describes calls of cases.
func (CaseCall) Resource() Resource[CaseCall] {
	return Resource[CaseCall]{
		Name: "case-call", Path: "cases/{id}/calls", Tag: "cases", Next: "after", List: "List the calls of a case, each with the state of its dispute",
		Columns: "call#, line~, begun, number~?, talk: talk_ms>, charged: retail_micro>, state, verdict?, why~?", Empty: "No calls are in this case.",
		Cells: map[string]func(*CaseCall) Cell{
			"retail_micro": func(c *CaseCall) Cell { return Cell{Text: Amount(money.Micro(c.Retail))} },
			"talk_ms": func(c *CaseCall) Cell {
				return Cell{Text: (time.Duration(c.TalkMS) * time.Millisecond).Round(time.Second).String()}
			},
			"state": func(c *CaseCall) Cell {
				return Cell{c.State, map[string]string{"disputed": "warn", "judged": "warn", "upheld": "good", "goodwill": "good"}[c.State]}
			},
		},
	}
}

// CaseCallFilter selects calls of a case.
type CaseCallFilter struct {
	CaseID
	State  string `query:"state" maxLength:"20" doc:"only those in this state: disputed, judged, upheld, owed, goodwill or withdrawn" help:"Only those in this state." placeholder:"STATE"`
	Number string `query:"number" maxLength:"64" doc:"only those to this number, as the list of numbers has it" help:"Only those to this number, as \"ringfence case numbers\" lists it." placeholder:"NUMBER"`
}

// CaseCalled is what the calls of a case to one number come to.
type CaseCalled struct {
	Number  string    `json:"number,omitempty" doc:"in international form; absent: of calls whose records are gone"`
	Country string    `json:"country,omitempty"`
	Calls   int64     `json:"calls"`
	Retail  int64     `json:"retail_micro"`
	Pending int64     `json:"pending" doc:"calls that are still to be decided"`
	Free    int64     `json:"free" doc:"calls that were found free"`
	First   time.Time `json:"first" doc:"when the first began"`
	Last    time.Time `json:"last"`
}

// Resource describes numbers that the calls of a case went to.
func (CaseCalled) Resource() Resource[CaseCalled] {
	return Resource[CaseCalled]{
		Name: "case-called", Path: "cases/{id}/numbers", Tag: "cases", Next: "after", List: "List the numbers that the calls of a case went to, the dearest first",
		Columns: "number, country?, calls, charged: retail_micro>, undecided: pending, free, first, last~", Empty: "No calls are in this case.",
		Cells: map[string]func(*CaseCalled) Cell{
			"number": func(c *CaseCalled) Cell {
				if c.Number == "" {
					return Cell{Text: "record deleted", Look: "dim"}
				}
				return Cell{}
			},
			"retail_micro": func(c *CaseCalled) Cell { return Cell{Text: Amount(money.Micro(c.Retail))} },
		},
	}
}

// CaseWriting is an item to write.
type CaseWriting struct {
	CaseID
	Body NewCaseItem `embed:""`
}

// NewCaseItem is what somebody writes.
type NewCaseItem struct {
	Text  string `json:"text" maxLength:"4000" arg:"" help:"Text, at most 4,000 bytes."`
	Kind  string `json:"kind,omitempty" maxLength:"20" doc:"note, message, task or evidence: a note or task is for staff alone; absent: a note, and of the customer's people evidence" help:"note or task (for staff alone), message (the customer reads it) or evidence; default: note, and of the customer's people evidence." placeholder:"KIND"`
	Due   string `json:"due,omitempty" maxLength:"40" type:"when" help:"Of a task: by when." placeholder:"WHEN"`
	Owner string `json:"owner,omitempty" maxLength:"100" help:"Of a task: who is to do it." placeholder:"WHO"`
}

// CaseItemID says which item of which case.
type CaseItemID struct {
	CaseID
	N int64 `path:"n" minimum:"1" arg:"" help:"Item, by its number within the case."`
}

// CaseAnswer ends an item.
type CaseAnswer struct {
	CaseItemID
	Body NewCaseAnswer `embed:""`
}

// NewCaseAnswer is how an item ends.
type NewCaseAnswer struct {
	How    string `json:"how" enum:"done,dropped,accepted,rejected" arg:"" help:"Of a task: done or dropped. Of evidence: accepted or rejected."`
	Answer string `json:"answer,omitempty" maxLength:"4000" doc:"the reason; evidence needs one, which the customer reads" arg:"" optional:"" help:"The reason. Evidence needs one, which the customer reads."`
}

// CaseRuling is a decision to make.
type CaseRuling struct {
	CaseID
	Body NewCaseRuling `embed:""`
}

// NewCaseRuling is a decision.
type NewCaseRuling struct {
	What    string `json:"what" enum:"upheld,goodwill,owed,refund" arg:"" help:"upheld (the calls are free), goodwill (they are given away), owed (the customer pays) or refund (--amount)."`
	Why     string `json:"why" maxLength:"4000" arg:"" help:"The reason, which the customer reads."`
	All     bool   `json:"all,omitempty" doc:"all calls in dispute" help:"All calls in dispute."`
	Verdict string `json:"verdict,omitempty" maxLength:"20" doc:"with all: those with this verdict: owed, free or undetermined" help:"With --all: calls with this verdict (owed, free, undetermined)." placeholder:"VERDICT"`
	Amount  string `json:"amount,omitempty" maxLength:"30" doc:"of a refund, as people write it: 12.50" help:"Of a refund: how much, in the billing currency (12.50)." placeholder:"AMOUNT"`
	CasePick
}

// CaseSecond agrees to a decision, or refuses it.
type CaseSecond struct {
	CaseItemID
	Body NewCaseSecond `embed:""`
}

// NewCaseSecond is what the second person says.
type NewCaseSecond struct {
	Refuse bool   `json:"refuse,omitempty" doc:"absent: agree" help:"Refuse it (default: agree)."`
	Why    string `json:"why,omitempty" maxLength:"4000" arg:"" optional:"" help:"The reason."`
}

// CaseEnd closes a case.
type CaseEnd struct {
	CaseID
	Body NewCaseEnd `embed:""`
}

// NewCaseEnd is what came of it.
type NewCaseEnd struct {
	Outcome string `json:"outcome" enum:"fraud,honest,ours,unclear" arg:"" help:"fraud (somebody else made the calls), honest (a false alarm), ours (a promise of ours was broken) or unclear."`
	Why     string `json:"why" maxLength:"4000" arg:"" help:"The reason, which the customer reads."`
}

// CaseLink is a line that has something in common with a case.
type CaseLink struct {
	Line     string    `json:"line"`
	Customer string    `json:"customer"`
	Why      string    `json:"why" enum:"hand,address,number,range,network,device" doc:"what they share"`
	What     string    `json:"what"`
	At       time.Time `json:"at"`
}

// Resource describes links.
func (CaseLink) Resource() Resource[CaseLink] {
	return Resource[CaseLink]{
		Name: "case-link", Path: "cases/{id}/links", Tag: "cases", List: "List lines that share an address, a number, a network or a phone with a case",
		Columns: "line~, customer~, shares: why, which: what~, at", Empty: "No other line shares anything with this case.",
	}
}

// CaseMoment is an event of a case's timeline.
type CaseMoment struct {
	At   time.Time `json:"at"`
	Line string    `json:"line"`
	Kind string    `json:"kind" doc:"as in the journal"`
	By   string    `json:"by,omitempty"`
	What string    `json:"what,omitempty" doc:"the address, phone, number and text that the fact has"`
	More int       `json:"more,omitempty" doc:"further ones like it that are left out"`
}

// Resource describes moments.
func (CaseMoment) Resource() Resource[CaseMoment] {
	return Resource[CaseMoment]{
		Name: "case-moment", Path: "cases/{id}/timeline", Tag: "cases", List: "List what happened on the lines of a case around its calls",
		Columns: "at, line~, kind, by~?, what=", Empty: "The journal has nothing about these lines then.",
	}
}
