package api

import (
	"encoding/json"
	"strconv"
	"time"
)

// Finding is something that was noticed. Meaning, advice and evidence are in a single one, not in lists.
type Finding struct {
	ID       int64           `json:"id"`
	Kind     string          `json:"kind" doc:"guessing, spray, impossible-travel, usage-level, …"`
	Title    string          `json:"title"`
	Severity string          `json:"severity" enum:"info,warning,critical"`
	Line     string          `json:"line,omitempty"`
	LineID   string          `json:"line_identity,omitempty"`
	Customer string          `json:"customer,omitempty"`
	Account  string          `json:"customer_identity,omitempty"`
	Source   string          `json:"source,omitempty" doc:"address or network"`
	Text     string          `json:"text" doc:"what happened, in a sentence"`
	At       time.Time       `json:"at"`
	Last     time.Time       `json:"last"`
	Count    int64           `json:"count"`
	Open     bool            `json:"open"`
	Closed   time.Time       `json:"closed,omitzero"`
	ClosedBy string          `json:"closed_by,omitempty"`
	Meaning  string          `json:"meaning,omitempty"`
	Advice   []string        `json:"advice,omitempty" doc:"what to do, the most urgent first"`
	Evidence json.RawMessage `json:"evidence,omitempty"`
	Notes    []Note          `json:"notes,omitempty" doc:"what staff have written to it, the oldest first"`
}

// Note is a note on a finding.
type Note struct {
	At   time.Time `json:"at"`
	By   string    `json:"by"`
	Text string    `json:"text"`
}

// Resource describes notes.
func (Note) Resource() Resource[Note] { return Resource[Note]{Columns: "at, by, note: text="} }

// NewNote is a note to write.
type NewNote struct {
	Text string `json:"text" maxLength:"2000" arg:"" help:"Text of the note, at most 2,000 bytes."`
}

// FindingID says which.
type FindingID struct {
	ID int64 `path:"id" minimum:"1" arg:"" help:"Finding." predict:"finding"`
}

// FindingNote is a note and what it is on.
type FindingNote struct {
	FindingID
	Body NewNote `embed:""`
}

// FraudReport is what somebody reports.
type FraudReport struct {
	Body NewReport `embed:""`
}

// NewReport is a report of a fraud.
type NewReport struct {
	Customer string `json:"customer,omitempty" maxLength:"60" help:"Customer whom it is about; yours, if you are one of its people." placeholder:"CUSTOMER" predict:"customer"`
	Line     string `json:"line,omitempty" maxLength:"80" help:"Line that it is about." placeholder:"LINE" predict:"line"`
	Text     string `json:"text" maxLength:"2000" arg:"" help:"What happened, at most 2,000 bytes."`
}

// Reported is what a report is known by.
type Reported struct {
	Code string `json:"code" doc:"to quote; the finding that comes of it has it too"`
	Case int64  `json:"case,omitempty" doc:"in which staff work on it, and answer"`
}

// FindingFilter selects findings.
type FindingFilter struct {
	Open     bool   `query:"open" doc:"only open findings" help:"Only open findings."`
	Line     string `query:"line" maxLength:"80" help:"Only this line." placeholder:"LINE" predict:"line"`
	Customer string `query:"customer" maxLength:"60" help:"Only this customer." placeholder:"CUSTOMER" predict:"customer"`
	Kind     string `query:"kind" maxLength:"40" help:"Only this kind." placeholder:"KIND" predict:"finding-kind"`
}

// Resource describes findings.
func (Finding) Resource() Resource[Finding] {
	return Resource[Finding]{
		Name: "finding", Path: "findings", Next: "before",
		List: "List findings, newest first", Get: "Show a finding: what it means, what to do, its evidence",
		Columns: "finding: id, at, : severity, kind~, line~, customer~?, source~, times: count?, state, what: text~",
		Fields:  "finding: id, kind, severity, line?, customer?, source?, at",
		Empty:   "No such findings. What Ringfence looks for: ringfence notice preview --list",
		Cells: map[string]func(*Finding) Cell{
			"severity": func(f *Finding) Cell {
				return Cell{f.Severity, map[string]string{"critical": "bad", "warning": "warn"}[f.Severity]}
			},
			"state": (*Finding).state,
		},
		Named: func(f *Finding) (string, string) { return strconv.FormatInt(f.ID, 10), f.Title },
	}
}

func (f *Finding) state() Cell {
	if f.Open {
		return Cell{"open", "warn"}
	}
	return Cell{"closed", "dim"}
}
