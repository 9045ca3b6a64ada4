package api

import (
	"strconv"
	"strings"
	"time"

	"ringfence/core/liability"
)

// CallVerdict says who bears the cost of a call.
type CallVerdict struct {
	liability.Verdict
	RetailText string `json:"retail"`
	Summary    string `json:"summary" doc:"the promises that were broken, or what is missing"`
}

// Resource describes verdicts.
func (CallVerdict) Resource() Resource[CallVerdict] {
	return Resource[CallVerdict]{
		Name: "verdict", Path: "verdicts", Tag: "records",
		Columns: "call#, begun: at, line~, : outcome, price>: retail, why: summary~",
		Empty:   "No calls.",
		Cells: map[string]func(*CallVerdict) Cell{
			"outcome": func(v *CallVerdict) Cell {
				return Cell{v.Words(), map[liability.Outcome]string{liability.Free: "bad", liability.Undetermined: "warn"}[v.Outcome]}
			},
			"at": func(v *CallVerdict) Cell { return Cell{Text: Clock(v.At)} },
		},
	}
}

// Promise is what became of one promise with a call.
type Promise struct {
	Promise string `json:"promise"`
	Kind    string `json:"kind"`
	Honour  string `json:"honour"`
	Why     string `json:"why"`
	Facts   string `json:"facts"`
}

// Resource describes promises.
func (Promise) Resource() Resource[Promise] {
	return Resource[Promise]{
		Name: "promise", Path: "promises", Tag: "records", Columns: "promise, : kind, honour, why=, facts~",
		Cells: map[string]func(*Promise) Cell{"honour": func(p *Promise) Cell {
			return Cell{p.Honour, map[string]string{"broken": "bad", "missed": "warn", "cannot-tell": "warn"}[p.Honour]}
		}},
	}
}

// Promises are those of a verdict.
func (v *CallVerdict) Promises() (out []Promise) {
	for i := range v.Findings {
		f := &v.Findings[i]
		p := Promise{Promise: string(f.Promise), Kind: string(f.Kind), Honour: string(f.Honour), Why: strings.Join(f.Evidence, "; ")}
		if f.Kind == liability.Aimed && f.Honour == liability.Broken {
			p.Honour = "missed"
		}
		var facts []string
		for _, n := range f.Facts {
			facts = append(facts, strconv.FormatInt(n, 10))
		}
		p.Facts = strings.Join(facts, " ")
		out = append(out, p)
	}
	return out
}

// NewCallVerdict adds what people read.
func NewCallVerdict(v liability.Verdict, why string) CallVerdict {
	return CallVerdict{Verdict: v, RetailText: Amount(v.Retail), Summary: why}
}

// VerdictRequest asks for judgement of calls.
type VerdictRequest struct {
	Body struct {
		Calls []string `json:"calls" minItems:"1" maxItems:"20000" arg:"" help:"Calls."`
	} `embed:""`
}

// CaseNumber says which case.
type CaseNumber struct {
	ID int64 `path:"id" minimum:"1" arg:"" help:"Case."`
}

// CaseExport says which case is written to a file.
type CaseExport struct {
	CaseNumber
	Checkpoint []int64 `query:"checkpoint" maxItems:"100" help:"Put this checkpoint into the proofs, which a notice named. May be repeated." placeholder:"NUMBER"`
}

// Judgement is what calls came to.
type Judgement struct {
	liability.Sum
	At       time.Time     `json:"at"`
	Verdicts []CallVerdict `json:"verdicts"`
}
