package api

import (
	"strconv"
	"strings"

	"ringfence/core/money"
)

// Rule is a rule that watches calls, with what it did in each of its lives.
type Rule struct {
	Name   string      `json:"name"`
	Life   string      `json:"life" enum:"off,shadow,canary,live" doc:"as far as it is trusted"`
	Set    string      `json:"set" enum:"off,shadow,canary,live" doc:"as the configuration has it"`
	Why    string      `json:"why,omitempty" enum:"went-back,too-wide" doc:"why it is trusted less than the configuration says. went-back: three of its last ten findings were honest calls; too-wide: as a shadow it would have stopped more than 1 % of last month's calls, and nobody has agreed"`
	Stages []RuleStage `json:"stages" doc:"lives in which it found something"`
}

// RuleStage is what a rule did while it had one life. Of a shadow it is what it would have done.
type RuleStage struct {
	Life    string `json:"life" enum:"shadow,canary,live"`
	Fired   int64  `json:"fired" doc:"findings that closed something"`
	True    int64  `json:"fired_true" doc:"of these: a case found that it was a fraud"`
	Honest  int64  `json:"fired_honest" doc:"of these: the owner or staff said that the calls were honest"`
	Stopped int64  `json:"stopped" doc:"calls refused or cut"`
	Wrong   int64  `json:"stopped_honest" doc:"of these: stopped by a finding that was of honest calls"`
	Saved   int64  `json:"saved_micro" doc:"of a shadow what its calls cost beyond; otherwise a first minute of each refused call, because nobody knows how long it would have been"`
}

// RuleName says which.
type RuleName struct {
	Name string `path:"name" maxLength:"40" arg:"" help:"Rule."`
}

// Resource describes rules.
func (Rule) Resource() Resource[Rule] {
	sum := func(of func(*RuleStage) int64) func(*Rule) Cell {
		return func(r *Rule) Cell {
			var parts []string
			for i := range r.Stages {
				parts = append(parts, strconv.FormatInt(of(&r.Stages[i]), 10)+" "+r.Stages[i].Life)
			}
			return Cell{Text: strings.Join(parts, ", ")}
		}
	}
	return Resource[Rule]{
		Name: "rule", Path: "rules", Tag: "findings", List: "List the rules that watch calls, and what each did in each of its lives",
		Columns: "rule: name, : life, fired, stopped, honest, saved",
		Empty:   "Calls are not watched: watch.calls is off.",
		Cells: map[string]func(*Rule) Cell{
			"life": func(r *Rule) Cell {
				switch r.Why {
				case "went-back":
					return Cell{r.Life + ", went back from " + r.Set, "warn"}
				case "too-wide":
					return Cell{r.Life + ", waits to be " + r.Set, "warn"}
				}
				return Cell{Text: r.Life}
			},
			"fired":   sum(func(s *RuleStage) int64 { return s.Fired }),
			"stopped": sum(func(s *RuleStage) int64 { return s.Stopped }),
			"honest":  sum(func(s *RuleStage) int64 { return s.Wrong }),
			"saved": func(r *Rule) Cell {
				var parts []string
				for i := range r.Stages {
					parts = append(parts, Amount(money.Micro(r.Stages[i].Saved))+" "+r.Stages[i].Life)
				}
				return Cell{Text: strings.Join(parts, ", ")}
			},
		},
		Named: func(r *Rule) (string, string) { return r.Name, r.Life },
	}
}
