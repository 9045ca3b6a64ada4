package main

import (
	"net/http"
	"strconv"
	"strings"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

// courtesyMeans follows the word for a courtesy.
const courtesyMeans = " (of what new thing in logins the owner is told)"

type lineDevices struct {
	ID string `arg:"" help:"Line." predict:"line"`
}

func (lineDevices) Help() string {
	return examples("ringfence line devices 2001", "ringfence line devices 2001 --json")
}

// Run lists them.
func (c *lineDevices) Run(s *session) error {
	var page api.List[api.Device]
	if err := s.get(pathOf("lines", c.ID, "devices"), &page); err != nil {
		return err
	}
	return s.emit(append([]api.Device{}, page.Items...), func() error {
		return s.list(deviceTable(page.Items), "The login of line "+c.ID+" was never used rightly.")
	})
}

func deviceTable(all []api.Device) *table.Table {
	t := table.New(table.Left("place"), table.Left("country"), table.Cut("network"), table.Cut("user agent"), table.Left("address"),
		table.Left("first"), table.Left("last"), table.Right("days"), table.Left("verdict"))
	for _, d := range all {
		network := d.Network
		if d.ASN != 0 {
			network = strings.TrimSpace("AS" + strconv.FormatInt(d.ASN, 10) + " " + network)
		}
		if d.Hosting {
			network += ", hosting"
		}
		t.Row(d.Place, d.Country, network, d.Agent, d.Address, moment(d.First), moment(d.Last), strconv.FormatInt(d.Days, 10), verdictCell(d.Verdict))
	}
	return t
}

func verdictCell(v string) table.Cell {
	return table.Cell{Text: v, Style: map[string]table.Style{"mine": table.Good, "not-mine": table.Bad}[v]}
}

type lineDevice struct {
	ID      string `arg:"" help:"Line." predict:"line"`
	Place   string `arg:"" help:"Place, as line devices names it." predict:"place"`
	Family  string `help:"Only phones of this kind, as line devices --json names their family (default: all in that place)." placeholder:"FAMILY"`
	Mine    bool   `help:"It is the owner's: nobody is asked about it again." xor:"verdict" required:""`
	NotMine bool   `help:"It is not: the place is no longer usual, and not trusted." xor:"verdict" required:""`
	Forget  bool   `help:"Take back what was said." xor:"verdict" required:""`
}

func (lineDevice) Help() string {
	return `What the owner says on the telephone, as if the link in the mail were used; but the line is not locked: say so with line lock.

` + examples("ringfence line device 2001 198.51.100.0/24 --mine", `ringfence line device 2001 203.0.113.0/24 --family MicroSIP --not-mine`)
}

// Run records it.
func (c *lineDevice) Run(s *session) error {
	in := api.Verdict{Place: c.Place, Family: c.Family, Verdict: "none"}
	switch {
	case c.Mine:
		in.Verdict = "mine"
	case c.NotMine:
		in.Verdict = "not-mine"
	}
	var page api.List[api.Device]
	if err := s.do(http.MethodPost, pathOf("lines", c.ID, "devices", "verdict"), in, &page); err != nil {
		return err
	}
	return s.emit(append([]api.Device{}, page.Items...), func() error {
		if err := s.table(deviceTable(page.Items), 0); err != nil || !c.NotMine {
			return err
		}
		return s.say("\nWhoever it is still has the password. Next: ringfence line lock %s --why TEXT --cut, or ringfence line password %s", c.ID, c.ID)
	})
}

type lineUsage struct {
	ID string `arg:"" help:"Line." predict:"line"`
}

func (lineUsage) Help() string {
	return `The level is the setting line-warning: ringfence line set LINE line-warning=£25; 0 is off.

` + examples("ringfence line usage 2001")
}

// Run shows it.
func (c *lineUsage) Run(s *session) error { return s.usage("lines", c.ID) }

type customerUsage struct {
	ID string `arg:"" help:"Customer." predict:"customer"`
}

func (customerUsage) Help() string {
	return `The level is the setting account-warning: ringfence customer set ID account-warning=£50; 0 is off.

` + examples("ringfence customer usage acme")
}

// Run shows it.
func (c *customerUsage) Run(s *session) error { return s.usage("customers", c.ID) }

func (s *session) usage(kind, id string) error {
	var u api.Usage
	if err := s.get(pathOf(kind, id, "usage"), &u); err != nil {
		return err
	}
	return s.emit(u, func() error {
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
	})
}
