package main

import (
	"strconv"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

// courtesyMeans follows the word for a courtesy.
const courtesyMeans = " (of what new thing in logins the owner is told)"

type lineDevice struct {
	api.LineID
	Body    api.Verdict `embed:""`
	Mine    bool        `help:"It is the owner's: nobody is asked about it again." xor:"verdict" required:""`
	NotMine bool        `help:"It is not: the place is no longer usual, and not trusted." xor:"verdict" required:""`
	Forget  bool        `help:"Take back what was said." xor:"verdict" required:""`
}

func (lineDevice) Help() string {
	return `What the owner says on the telephone, as if the link in the mail were used; but the line is not locked: say so with line lock.`
}

// Run records it.
func (c *lineDevice) Run(s *session) error {
	c.Body.Verdict = "none"
	switch {
	case c.Mine:
		c.Body.Verdict = "mine"
	case c.NotMine:
		c.Body.Verdict = "not-mine"
	}
	page, err := fetch[api.List[api.Device]](s, "POST /v1/lines/{id}/devices/verdict", c)
	if err != nil {
		return err
	}
	return s.emit(append([]api.Device{}, page.Items...), func() error {
		if err := s.table(rows(page.Items...), 0); err != nil || !c.NotMine {
			return err
		}
		return s.say("\nSomebody else still has the password. Next: ringfence line lock %s --why TEXT --cut, or ringfence line password %s", c.ID, c.ID)
	})
}

type lineUsage struct{ api.LineID }

func (lineUsage) Help() string {
	return `The level is the setting line-warning: ringfence line set LINE line-warning=£25; 0 is off.`
}

// Run shows it.
func (c *lineUsage) Run(s *session) error { return perform(s, "GET /v1/lines/{id}/usage", c, s.usage) }

type customerUsage struct{ api.CustomerID }

func (customerUsage) Help() string {
	return `The level is the setting account-warning: ringfence customer set ID account-warning=£50; 0 is off.`
}

// Run shows it.
func (c *customerUsage) Run(s *session) error {
	return perform(s, "GET /v1/customers/{id}/usage", c, s.usage)
}

func (s *session) usage(u *api.Usage) error {
	t := table.New(table.Left(""), table.Right(""))
	t.Row("calls that have ended", amount(u.Settled))
	t.Row("calls in progress", amount(u.Running))
	t.Row("un-billed", table.Cell{Text: amount(u.Total), Style: table.Bold})
	level := table.Cell{Text: "off", Style: table.Warn}
	if u.Level > 0 {
		level = table.Cell{Text: amount(u.Level)}
	}
	t.Row("warning level", level)
	if u.Multiple > 0 {
		t.Row("told, multiples", strconv.FormatInt(u.Multiple, 10))
	}
	if u.Next > 0 {
		t.Row("next warning at", amount(u.Next))
	}
	return s.table(t, 0)
}
