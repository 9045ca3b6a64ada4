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
	Filter api.FactFilter `embed:""`
	After  int64          `help:"Only facts after this sequence number, oldest first." placeholder:"N"`
	Oldest bool           `help:"Oldest first." xor:"order"`
	Follow bool           `help:"Keep printing new facts as they are written, until interrupted." short:"f" xor:"order"`
	Limit  int            `help:"Maximum number of results (0 = all); with --follow, of existing facts." default:"100"`
}

func (c *journalCmd) Run(s *session) error {
	items, more, err := c.fetch(s)
	if err != nil {
		return err
	}
	if c.Follow {
		return c.follow(s, items)
	}
	return s.emit(items, func() error { return s.cutList(rows(items...), more, "No such facts.") })
}

const newestFirst = "/v1/journal?order=newest"

func (c *journalCmd) fetch(s *session) ([]api.Fact, bool, error) {
	if c.Oldest || c.After > 0 {
		return c.since(s, c.After, c.Limit)
	}
	return all[api.Fact](s, newestFirst, "before", c.Limit, &c.Filter)
}

// since are the facts after one, oldest first.
func (c *journalCmd) since(s *session, after int64, most int) ([]api.Fact, bool, error) {
	return all[api.Fact](s, "/v1/journal?after="+strconv.FormatInt(after, 10), "after", most, &c.Filter)
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
		newest, _, err := all[api.Fact](s, newestFirst, "before", 1, nil)
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
		items, _, err := c.since(s, last, 0)
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
	text := strconv.FormatInt(f.Seq, 10) + "  " + api.Moment(f.At) + "  " + f.Kind
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

type historyCmd struct {
	remote
	list[api.Deed, api.HistoryFilter]
}
