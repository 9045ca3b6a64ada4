package main

import (
	"strconv"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type journalCmd struct {
	remote
	Line  string `help:"Only this line's." placeholder:"LINE" predict:"line"`
	Call  string `help:"Only this call's." placeholder:"CALL"`
	Kind  string `help:"Only kinds that begin so: call., call.refused, setting." placeholder:"KIND"`
	After int64  `help:"Only facts after this number." placeholder:"N"`
	Limit int    `help:"At most so many, oldest first (0: all)." default:"100"`
}

func (journalCmd) Help() string {
	return examples("ringfence journal --line 2001", "ringfence journal --call 01JD8Z6Q4N8T7R5V3X1B9C7D5F", "ringfence journal --kind call.refused --limit 0 --json")
}

// Run lists facts.
func (c *journalCmd) Run(s *session) error {
	after := strconv.FormatInt(c.After, 10)
	items, more, err := allFrom[api.Fact](s, pathOf("journal"), "after", after, c.Limit, "line", c.Line, "call", c.Call, "kind", c.Kind)
	if err != nil {
		return err
	}
	return s.emit(items, func() error {
		t := table.New(table.Right("fact"), table.Left("at"), table.Left("kind"), table.Left("line"), table.Left("customer"), table.Cut("call"), table.Cut("what"))
		for _, f := range items {
			t.Row(strconv.FormatInt(f.Seq, 10), moment(f.At), f.Kind, f.Line, f.Customer, f.Call, string(f.Body))
		}
		return s.cutList(t, more, "No such facts.")
	})
}
