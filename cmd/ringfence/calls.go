package main

import (
	"fmt"
	"net/http"
	"time"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type callsCmd struct {
	remote
	List callsList `cmd:"" default:"withargs" help:"List calls in progress."`
	Cut  callsCut  `cmd:"" help:"Hang up both legs of a call."`
}

type callsList struct {
	Line string `help:"Only this line's." placeholder:"LINE" predict:"line"`
	All  bool   `help:"Also calls that are over and cost nothing more, of which a phone has yet to confirm the end."`
}

func (callsList) Help() string {
	return examples("ringfence calls", "ringfence calls list --line 2001", "watch ringfence calls")
}

// Run lists them.
func (c *callsList) Run(s *session) error {
	var page api.List[api.Call]
	if err := s.get(pathOf("calls")+query("line", c.Line, "all", map[bool]string{true: "true"}[c.All]), &page); err != nil {
		return err
	}
	return s.emit(append([]api.Call{}, page.Items...), func() error {
		return s.list(callTable(page.Items), "No calls in progress.")
	})
}

func callTable(calls []api.Call) *table.Table {
	spare := table.Column.AsSpare // who holds the money is to be seen on 80 columns too
	t := table.New(table.Left("call").AsID(), table.Left("state"), table.Left("line"), spare(table.Left("")), table.Left("number"), spare(table.Cut("destination")),
		table.Right("talk"), spare(table.Right("a minute")), spare(table.Right("so far")), table.Right("held"), spare(table.Left("trunk")))
	for _, c := range calls {
		state := table.Cell{Text: c.State}
		switch {
		case c.State == "ending":
			state.Style = table.Warn
		case c.Cutting:
			state = table.Cell{Text: "cutting", Style: table.Bad}
		case c.Ending:
			state = table.Cell{Text: "ends when paid time ends", Style: table.Warn}
		}
		t.Row(c.ID, state, c.Line, c.Direction, c.Number, c.Name, talk(time.Duration(c.Talk)*time.Second), perMinute(c.PerMinute),
			amount(c.SoFar), amount(c.Held), c.Trunk)
	}
	return t
}

type callsCut struct {
	ID  string `arg:"" help:"Call." predict:"call"`
	Why string `help:"Reason, for the record." placeholder:"TEXT"`
	Yes bool   `help:"Do it; without, only say what would be done."`
}

func (callsCut) Help() string {
	return examples("ringfence calls cut 01JD8Z6Q4N8T7R5V3X1B9C7D5F", `ringfence calls cut 01JD8Z6Q4N8T7R5V3X1B9C7D5F --why "fraud, case 12" --yes`)
}

// Run cuts it, if told twice.
func (c *callsCut) Run(s *session) error {
	var out api.Call
	if err := s.get(pathOf("calls", c.ID), &out); err != nil {
		return err
	}
	if !c.Yes {
		return s.dryRun(fmt.Sprintf("The call of line %s to %s (%s) would be cut.", out.Line, out.Number, out.Text))
	}
	if err := s.do(http.MethodDelete, pathOf("calls", c.ID)+query("why", c.Why), nil, &out); err != nil {
		return err
	}
	return s.emit(out, func() error { return s.say("The call of line %s to %s is being cut.", out.Line, out.Number) })
}
