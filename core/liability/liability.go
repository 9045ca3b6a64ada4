package liability

import (
	"cmp"
	"slices"
	"time"

	"ringfence/core/call"
	"ringfence/core/money"
)

// Honour is what became of a promise with one call.
type Honour string

// Honours.
const (
	Honoured   Honour = "honoured"
	Broken     Honour = "broken" // of an aim: missed
	NotInForce Honour = "not-in-force"
	CannotTell Honour = "cannot-tell" // the facts do not decide
)

// Outcome says who bears the cost of a call.
type Outcome string

// Outcomes.
const (
	Owed         Outcome = "owed"
	Free         Outcome = "free"         // a promise was broken that would have stopped it
	Undetermined Outcome = "undetermined" // the facts do not decide
)

// Ruling is what is said of one protection.
type Ruling struct {
	Promise  Promise  `json:"promise"`
	Kind     Kind     `json:"kind"`
	Wording  string   `json:"wording"`
	Honour   Honour   `json:"honour"`
	Evidence []string `json:"evidence"`        // in words
	Facts    []int64  `json:"facts,omitempty"` // numbers of journal rows
	Missing  string   `json:"missing,omitempty"`
}

// Verdict is what is said of one call.
type Verdict struct {
	Call     call.ID     `json:"call"`
	Line     string      `json:"line"`
	Account  string      `json:"account"`
	At       time.Time   `json:"at"`
	Outcome  Outcome     `json:"outcome"`
	Retail   money.Micro `json:"retail_micro"` // as charged
	Stated   time.Time   `json:"stated,omitzero"`
	Dated    bool        `json:"dated"` // a fact says that these were the words on that day; else they are the first that are known
	Refused  bool        `json:"refused,omitempty"`
	Findings []Ruling    `json:"findings"`
	Missing  []string    `json:"missing,omitempty"`
}

// Words are the outcome as people read it: a call that was charged nothing owes nothing, also where no promise was broken.
func (v *Verdict) Words() string {
	if v.Retail == 0 && v.Outcome == Owed {
		return "nothing to pay"
	}
	return string(v.Outcome)
}

// Broken are the promises that were broken.
func (v *Verdict) Broken() []Promise { return v.failed(Promised) }

// Missed are the aims that were missed.
func (v *Verdict) Missed() []Promise { return v.failed(Aimed) }

func (v *Verdict) failed(kind Kind) (all []Promise) {
	for i := range v.Findings {
		if f := &v.Findings[i]; f.Kind == kind && f.Honour == Broken {
			all = append(all, f.Promise)
		}
	}
	return all
}

// Finding is what a verdict says of a protection; nil: nothing.
func (v *Verdict) Finding(p Promise) *Ruling {
	for i := range v.Findings {
		if v.Findings[i].Promise == p {
			return &v.Findings[i]
		}
	}
	return nil
}

// Sum is what verdicts come to.
type Sum struct {
	Calls             int64       `json:"calls"`
	Owed              int64       `json:"owed"`
	Free              int64       `json:"free"`
	Undetermined      int64       `json:"undetermined"`
	OwedMicro         money.Micro `json:"owed_micro"`
	FreeMicro         money.Micro `json:"free_micro"`
	UndeterminedMicro money.Micro `json:"undetermined_micro"`
}

// Total sums verdicts up.
func Total(all []Verdict) (s Sum) {
	for i := range all {
		v := &all[i]
		s.Calls++
		switch v.Outcome {
		case Owed:
			s.Owed, s.OwedMicro = s.Owed+1, s.OwedMicro.Add(v.Retail)
		case Free:
			s.Free, s.FreeMicro = s.Free+1, s.FreeMicro.Add(v.Retail)
		default:
			s.Undetermined, s.UndeterminedMicro = s.Undetermined+1, s.UndeterminedMicro.Add(v.Retail)
		}
	}
	return s
}

// Judge says who bears the cost of a call of which the history has read. retail is what its record says was charged. Ids that the history does not know are
// undetermined: the journal has nothing of them.
func (h *History) Judge(r *call.CDR) Verdict {
	v := Verdict{Call: r.ID, Line: r.Line, Account: r.Account, At: r.Begun, Retail: r.Retail}
	st := h.statement(r.Begun)
	v.Stated, v.Dated = st.Since, st.Seq != 0 && !st.Since.After(r.Begun)
	s := h.calls[r.ID]
	for i := range st.Wordings {
		w := &st.Wordings[i]
		f := h.find(w.ID, s, r)
		f.Promise, f.Kind, f.Wording = w.ID, w.Kind, w.Text
		slices.Sort(f.Facts)
		f.Facts = slices.Compact(f.Facts)
		if f.Honour == CannotTell && w.Kind == Promised && f.Missing != "" && !slices.Contains(v.Missing, f.Missing) {
			v.Missing = append(v.Missing, f.Missing)
		}
		v.Findings = append(v.Findings, f)
	}
	if s != nil && s.settled != nil && s.settled.Retail != r.Retail {
		v.Missing = append(v.Missing, "the record and the journal agree on what was charged: the journal says "+money.Billing().Amount(s.settled.Retail))
	}
	if s != nil && s.settled == nil && r.Retail != 0 {
		v.Missing = append(v.Missing, "the fact call.settled, which says how the price came about")
	}
	v.Refused = s != nil && s.refused != nil && s.admitted == nil
	v.Outcome = v.outcome()
	return v
}

// outcome follows from the findings: a broken promise makes the call free whatever else is unknown, and a call without a charge owes nothing.
func (v *Verdict) outcome() Outcome {
	switch {
	case len(v.Broken()) > 0:
		return Free
	case len(v.Missing) > 0 && v.Retail != 0:
		return Undetermined
	}
	return Owed
}

// statement is the one in force at an instant; before the first it is that one, else the default.
func (h *History) statement(at time.Time) Statement {
	if len(h.stated) == 0 {
		return Statement{Wordings: All[:]}
	}
	i, found := slices.BinarySearchFunc(h.stated, at, func(s Statement, at time.Time) int { return cmp.Compare(s.Since.UnixNano(), at.UnixNano()) })
	if !found && i > 0 {
		i--
	}
	return h.stated[i]
}
