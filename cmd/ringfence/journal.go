package main

import (
	"context"
	"strconv"
	"time"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type journalCmd struct {
	remote
	Line   string `help:"Only this line's." placeholder:"LINE" predict:"line"`
	Call   string `help:"Only this call's." placeholder:"CALL"`
	Kind   string `help:"Only kinds that begin so: call., call.refused, setting." placeholder:"KIND"`
	From   point  `help:"Written then or later (\"yesterday\", \"-2h\" as --from=-2h)." placeholder:"WHEN"`
	Until  point  `help:"Written before, or on that day." placeholder:"WHEN"`
	After  int64  `help:"Only facts after this number, the oldest first." placeholder:"N"`
	Oldest bool   `help:"Oldest first." xor:"order"`
	Follow bool   `help:"Go on with what is written from now on, as it comes, until interrupted." short:"f" xor:"order"`
	Limit  int    `help:"Show no more than this (0: all); with --follow, of those that are there already." default:"100"`
}

func (journalCmd) Help() string {
	return `The newest facts come first. Days are of the time zone of the line's customer, or of the provider.

` + examples("ringfence journal --line 2001", "ringfence journal --line 2001 --from yesterday --until today", "ringfence journal --follow --kind call.",
		"ringfence journal --call 01JD8Z6Q4N8T7R5V3X1B9C7D5F --oldest", "ringfence journal --kind call.refused --limit 0 --json")
}

func (c *journalCmd) pairs() []string {
	return []string{"line", c.Line, "call", c.Call, "kind", c.Kind, "from", string(c.From), "until", string(c.Until)}
}

// Run lists facts.
func (c *journalCmd) Run(s *session) error {
	items, more, err := c.fetch(s)
	if err != nil {
		return err
	}
	if c.Follow {
		return c.follow(s, items)
	}
	return s.emit(items, func() error { return s.cutList(factTable(items), more, "No such facts.") })
}

func (c *journalCmd) fetch(s *session) ([]api.Fact, bool, error) {
	after := strconv.FormatInt(c.After, 10)
	if c.Oldest || c.After > 0 {
		return all[api.Fact](s, pathOf("journal")+query(append(c.pairs(), "after", after)...), "after", c.Limit, nil)
	}
	return all[api.Fact](s, pathOf("journal")+query(append(c.pairs(), "order", "newest")...), "before", c.Limit, nil)
}

func factTable(items []api.Fact) *table.Table {
	t := table.New(table.Right("fact"), table.Left("at"), table.Cut("kind"), table.Cut("line"), table.Cut("customer").AsSpare(), table.Left("call").AsID(), table.Cut("what"))
	for _, f := range items {
		t.Row(strconv.FormatInt(f.Seq, 10), moment(f.At), f.Kind, f.Line, f.Customer, f.Call, string(f.Body))
	}
	return t
}

// followEvery is how often a journal that is followed is asked for what is new.
const followEvery = time.Second

// follow prints what is there, the oldest first, and then what comes, until the context ends.
func (c *journalCmd) follow(s *session, there []api.Fact) error {
	last := c.After
	for i := len(there) - 1; i >= 0; i-- {
		if err := s.factLine(&there[i]); err != nil {
			return err
		}
		last = there[i].Seq
	}
	if len(there) == 0 {
		newest, _, err := all[api.Fact](s, pathOf("journal")+"?order=newest", "before", 1, nil)
		if err != nil {
			return err
		}
		for _, f := range newest {
			last = max(last, f.Seq)
		}
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		items, _, err := all[api.Fact](s, pathOf("journal")+query(append(c.pairs(), "after", strconv.FormatInt(last, 10))...), "after", 0, nil)
		if s.ctx.Err() != nil {
			return nil // interrupted: that is how it ends
		}
		if err != nil {
			return err
		}
		for i := range items {
			if err := s.factLine(&items[i]); err != nil {
				return err
			}
			last = items[i].Seq
		}
		if !sleep(s.ctx, tick.C) {
			return nil
		}
	}
}

// sleep waits for a tick; false: the context ended.
func sleep(ctx context.Context, tick <-chan time.Time) bool {
	select {
	case <-ctx.Done():
		return false
	case <-tick:
		return true
	}
}

// factLine prints one fact of a journal that is followed: a line of JSON for programs.
func (s *session) factLine(f *api.Fact) error {
	if s.json {
		return s.jsonLine(f)
	}
	text := strconv.FormatInt(f.Seq, 10) + "  " + moment(f.At) + "  " + f.Kind
	for _, part := range []string{f.Line, string(f.Body)} {
		if part != "" {
			text += "  " + part
		}
	}
	for i, line := range table.Break(table.Clean(text), textWidth(s.out.Width)) {
		if i > 0 {
			line = "    " + line
		}
		if err := s.say("%s", line); err != nil {
			return err
		}
	}
	return nil
}

// textWidth is the room for text on a screen whose following lines are indented.
func textWidth(width int) int {
	if width <= 0 {
		return 1 << 20
	}
	return max(width-4, 20)
}
