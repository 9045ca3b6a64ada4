package main

import (
	"fmt"
	"strings"
	"time"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type decideCmd struct {
	remote
	Body api.DecideRequest `embed:""`
}

func (c *decideCmd) Run(s *session) error {
	out, err := fetch[api.Decision](s, "POST /v1/decide", c)
	if err != nil {
		return err
	}
	if err := s.emit(out, func() error { return s.showDecision(c.Body.Line, out) }); err != nil {
		return err
	}
	if !out.Allowed {
		return errRefused
	}
	return nil
}

func (s *session) showDecision(line string, d *api.Decision) error {
	s.say("%s  %s\n%s\n", s.verdict(d), d.Reason, wrap(d.Text, s.out.Width, "\n"))
	s.table(callFacts(line, d), 0)
	t := table.New(table.Left(""), table.Left("rule"), table.Right("limit"), table.Right("this call"), table.Right("would pass"), table.Left("set by").AsSpare())
	for _, step := range d.Steps {
		t.Row(stepRow(&step)...)
	}
	s.section("Rules, in order", t)
	for _, step := range d.Steps {
		if step.Pending {
			return s.say("  (later: checked again at the instant of connection; the figure is the present state)")
		}
	}
	return nil
}

// callFacts is what was understood of the call.
func callFacts(line string, d *api.Decision) *table.Table {
	facts := table.New(table.Left(""), table.Left(""))
	facts.Row("line", line)
	facts.Row("dialled", d.Dialled)
	if d.Number != "" {
		facts.Row("number", strings.TrimSpace(fmt.Sprintf("%s  %s %s", d.Number, d.Class, d.Country)))
	}
	if d.Caller != "" {
		facts.Row("caller", d.Caller)
	}
	if d.Presented != "" {
		presents := d.Presented
		if d.Network != d.Presented && d.Network != "" {
			presents += "; carriers are told " + d.Network + " too"
		}
		if d.NotShown != "" {
			presents += "; not " + d.NotShown + ", which the customer has not verified"
		}
		facts.Row("presents", presents)
	}
	if d.Relay != "" {
		facts.Row("relay", "the carrier is sent "+d.Relay+" before the number")
	}
	if d.Price != nil {
		facts.Row("price", fmt.Sprintf("%s: %s", d.Price.Name, d.Price.Text))
		facts.Row("first minute", d.FirstText)
	}
	if d.Allowed {
		if d.Longest > 0 {
			facts.Row("longest", api.Length(time.Duration(d.Longest)*time.Second))
		}
		facts.Row("routes", strings.Join(d.Routes, ", "))
	}
	if d.Asks != "" {
		how := map[string]string{"key": "a key", "digits": "three spoken digits"}[d.Asks]
		facts.Row("asks", fmt.Sprintf("a voice states the price, and the caller confirms with %s (restriction %d)", how, d.AsksBy))
	}
	for _, t := range d.Trunks {
		facts.Row("trunk "+t.Trunk, choice(&t))
	}
	facts.Row("at", theirs(d.At))
	return facts
}

// choice says why a trunk has its place.
func choice(t *api.TrunkChoice) string {
	text := fmt.Sprintf("priority %d", t.Priority)
	if t.CostText != "" {
		text += ", takes " + t.CostText + " for a first minute"
	} else {
		text += ", its cost is not known"
	}
	if !t.Chosen {
		text += "; passed over: " + t.Reason
	}
	return text
}

// verdict is one word; the colour only repeats it. A refusal says SIP status that the phone would get.
func (s *session) verdict(d *api.Decision) table.Painted {
	switch {
	case d.Always:
		return s.out.Paint(table.Good, "ALWAYS")
	case d.Allowed:
		return s.out.Paint(table.Good, "ALLOWED")
	case d.SIPStatus > 0:
		return s.out.Paint(table.Bad, fmt.Sprintf("REFUSED (SIP %d)", d.SIPStatus))
	}
	return s.out.Paint(table.Bad, "REFUSED")
}

func stepRow(step *api.Step) []any {
	mark := table.Cell{Text: "pass", Style: table.Good}
	switch {
	case !step.Passed:
		mark = table.Cell{Text: "FAIL", Style: table.Bad}
	case step.Pending:
		mark = table.Cell{Text: "later", Style: table.Dim}
	}
	pass := step.Figures.PassText
	if step.Passed {
		pass = ""
	}
	from := step.From
	if step.Figures.LimitText == "" {
		from = "" // a rule that no setting steers
	}
	return []any{mark, step.Reason, step.Figures.LimitText, step.Figures.ValueText, pass, from}
}
