package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type decideCmd struct {
	remote
	Line string `required:"" help:"Line that would call." placeholder:"LINE" predict:"line"`
	To   string `required:"" help:"Digits as dialled." placeholder:"DIGITS"`
	From string `help:"Address it would call from (default: one that every IP lock lets pass)." placeholder:"ADDRESS"`
	At   point  `help:"As if it were then, by the customer's clocks (\"friday 18:00\"; default: now)." placeholder:"WHEN"`
}

func (decideCmd) Help() string {
	return `Nothing is called, held or counted. Exit code 0: the call would be let through; 3: it would be refused.

` + examples("ringfence decide --line 2001 --to 02079460000", "ringfence decide --line 2001 --to 005312345678 --from 198.51.100.7",
		`ringfence decide --line 2001 --to 0033140000000 --at "2026-12-25 03:00"`)
}

// Run asks and explains.
func (c *decideCmd) Run(s *session) error {
	in := api.DecideRequest{Line: c.Line, To: c.To, From: c.From, At: string(c.At)}
	var out api.Decision
	if err := s.do(http.MethodPost, pathOf("decide"), in, &out); err != nil {
		return err
	}
	if err := s.emit(out, func() error { return s.showDecision(c.Line, &out) }); err != nil {
		return err
	}
	if !out.Allowed {
		return errRefused
	}
	return nil
}

func (s *session) showDecision(line string, d *api.Decision) error {
	if err := s.say("%s  %s\n%s\n", s.verdict(d), d.Reason, wrap(d.Text, s.out.Width, "\n")); err != nil {
		return err
	}
	if err := s.table(callFacts(line, d), 0); err != nil {
		return err
	}
	t := table.New(table.Left(""), table.Left("rule"), table.Right("limit"), table.Right("this call"), table.Right("would pass"), table.Left("set by").AsSpare())
	for _, step := range d.Steps {
		t.Row(stepRow(&step)...)
	}
	if err := s.section("Rules, in order", t); err != nil {
		return err
	}
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
	if d.Relay != "" {
		facts.Row("relay", "the carrier is sent "+d.Relay+" before the number")
	}
	if d.Price != nil {
		facts.Row("price", fmt.Sprintf("%s: %s", d.Price.Name, d.Price.Text))
		facts.Row("first minute", d.FirstText)
	}
	if d.Allowed {
		if d.Longest > 0 {
			facts.Row("longest", talk(time.Duration(d.Longest)*time.Second))
		}
		facts.Row("ways out", strings.Join(d.Ways, ", "))
	}
	facts.Row("at", theirs(d.At))
	return facts
}

// verdict is one word; the colour only repeats it. A refusal says what the phone would be told.
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
