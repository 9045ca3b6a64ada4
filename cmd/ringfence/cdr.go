package main

import (
	"cmp"
	"io"
	"strconv"

	"ringfence/cmd/ringfence/table"
	"ringfence/core/call"
	"ringfence/edge/rest/api"
)

type cdrCmd struct {
	remote
	List   cdrList   `cmd:"" help:"List call records, newest first."`
	Show   cdrShow   `cmd:"" help:"Show a call record."`
	Export cdrExport `cmd:"" help:"Write call records as CSV or JSON."`
}

// cdrFilter chooses records.
type cdrFilter struct {
	Line      string `help:"Only this line's, by its name or telephone number." placeholder:"LINE" predict:"line"`
	Customer  string `help:"Only this customer's." placeholder:"CUSTOMER" predict:"customer"`
	Country   string `help:"Only to numbers of this country (\"DE\", \"Germany\")." placeholder:"COUNTRY"`
	Number    string `help:"Only to this number, however it is written." placeholder:"NUMBER"`
	Reason    string `help:"Only ended or refused for this reason." placeholder:"REASON" predict:"reason"`
	Direction string `help:"Only outbound, inbound or on-net (between lines)." placeholder:"DIRECTION" predict:"direction"`
	From      point  `help:"Begun then or later (\"2026-11-01\", \"yesterday\", \"monday\", \"-24h\" as --from=-24h)." placeholder:"WHEN"`
	Until     point  `help:"Begun before this instant, or on this day." placeholder:"WHEN" aliases:"till"`
}

const cdrDays = "Days are of the time zone of the line's customer, of the customer, or with neither of the provider.\n\n"

func (f *cdrFilter) pairs() []string {
	return []string{
		"line", f.Line, "customer", f.Customer, "country", f.Country, "number", f.Number, "reason", f.Reason, "direction", f.Direction,
		"from", string(f.From), "until", string(f.Until),
	}
}

type cdrList struct {
	cdrFilter
	Limit int `help:"Show no more than this (0: all)." default:"50"`
}

func (cdrList) Help() string {
	return "Refused calls are listed too, and with --line calls of other lines to it.\n\n" + cdrDays + examples("ringfence cdr list", "ringfence cdr list --line 2001 --from today", "ringfence cdr list --country Cuba --from monday", `ringfence cdr list --number "020 7946 0000" --direction outbound`, "ringfence cdr list --reason premium-barred",
		"ringfence cdr list --customer acme --from 2026-11-01 --until 2026-11-30 --limit 0 --json")
}

// Run lists them.
func (c *cdrList) Run(s *session) error {
	items, more, err := all[api.CDR](s, pathOf("cdrs")+query(append(c.pairs(), "sides", "both")...), "before", c.Limit, nil)
	if err != nil {
		return err
	}
	return s.emit(items, func() error {
		t := table.New(table.Left("begun"), table.Left("direction"), table.Cut("from"), table.Left("to"), table.Cut("destination").AsSpare(), table.Right("talk"),
			table.Right("price"), table.Right("cost").AsSpare(), table.Left("ended by").AsSpare(), table.Cut("reason"), table.Left("call").AsID())
		for _, x := range items {
			from, to := partiesOf(&x)
			t.Row(clocks(x.Begun), directionText(x.Direction), from, to, x.Rate, talkCell(&x), priceText(&x, x.RetailText), priceText(&x, x.CostText), string(x.By), reasonCell(&x), string(x.ID))
		}
		return s.cutList(t, more, "No calls yet.")
	})
}

// numberOf is the number called, or what was dialled when it was none.
func numberOf(x *api.CDR) string {
	if x.Number != "" {
		return x.Number
	}
	return x.Dialled
}

// partiesOf are both sides of a call: a line, a number, or the trunk that a call came in by.
func partiesOf(x *api.CDR) (from, to string) {
	switch x.Direction {
	case call.In:
		return x.Peer, cmp.Or(x.Line, numberOf(x))
	case call.Between:
		return x.Line, x.Peer
	}
	return x.Line, numberOf(x)
}

// directionText is the word for a direction that --direction takes.
func directionText(d call.Direction) string {
	return map[call.Direction]string{call.Out: "outbound", call.In: "inbound", call.Between: "on-net"}[d]
}

// priceText is empty of a refused call, which can have cost nothing.
func priceText(x *api.CDR, text string) string {
	if x.Refused {
		return ""
	}
	return text
}

func talkCell(x *api.CDR) table.Cell {
	if x.Refused {
		return table.Cell{Text: "refused", Style: table.Warn}
	}
	return table.Cell{Text: talk(x.Talk)}
}

func reasonCell(x *api.CDR) table.Cell {
	if x.AnsweredAt.IsZero() {
		return table.Cell{Text: x.Reason, Style: table.Warn}
	}
	return table.Cell{Text: x.Reason}
}

type cdrShow struct {
	ID string `arg:"" help:"Call."`
}

func (cdrShow) Help() string { return examples("ringfence cdr show 01JD8Z6Q4N8T7R5V3X1B9C7D5F") }

// Run shows it.
func (c *cdrShow) Run(s *session) error {
	var x api.CDR
	if err := s.get(pathOf("cdrs", c.ID), &x); err != nil {
		return err
	}
	return s.emit(x, func() error { return s.table(recordTable(&x), 0) })
}

func recordTable(x *api.CDR) *table.Table {
	t := table.New(table.Left(""), table.Left(""))
	for _, row := range [][2]string{
		{"call", string(x.ID)},
		{"direction", directionText(x.Direction)},
		{"refused", map[bool]string{true: "yes: it was never let out"}[x.Refused]},
		{"unconfirmed", map[bool]string{true: "over and priced: a phone has yet to confirm its end"}[x.Unconfirmed]},
		{"line", x.Line + " (" + x.Account + ")"},
		{"identity", x.LineID},
		{"dialled", x.Dialled},
		{"number", x.Number},
		{"kind", x.Class + " " + x.Country},
		{"destination", x.Rate + " " + x.Prefix},
		{"a minute", perMinute(int64(x.PerMinute))},
		{"begun", clocks(x.Begun) + x.Begun.Format(" -0700")},
		{"rang", x.Ring.String()},
		{"answered", clocks(x.AnsweredAt)},
		{"ended", clocks(x.Ended)},
		{"talk", x.Talk.String()},
		{"price", x.RetailText},
		{"cost", x.CostText},
		{"carrier talk", carrierTalk(x)},
		{"ended by", string(x.By)},
		{"reason", x.Reason},
		{"in words", x.Text},
		{"sip status", strconv.Itoa(x.Status)},
		{"trunk", x.Trunk},
		{"peer", x.Peer},
		{"from", x.Source},
		{"user agent", x.UserAgent},
		{"a leg", x.ALeg},
		{"b leg", x.BLeg},
	} {
		if row[1] != "" {
			t.Row(row[0], row[1])
		}
	}
	return t
}

// carrierTalk is how long the carrier may charge for; nothing if no leg was answered.
func carrierTalk(x *api.CDR) string {
	if x.CarrierTalk == 0 {
		return ""
	}
	return x.CarrierTalk.String()
}

type cdrExport struct {
	cdrFilter
	Format string `help:"csv, json (a list) or jsonl (one a line)." enum:"csv,json,jsonl" default:"csv"`
	Output string `short:"o" help:"File to write (default: standard output)." placeholder:"FILE"`
}

func (cdrExport) Help() string {
	return `Amounts in the export are exact: millionths of the currency. Times are UTC. Refused calls are in it: the last column says so. ` + cdrDays + examples("ringfence cdr export --from 2026-11-01 --until 2026-11-30 > november.csv", "ringfence cdr export --customer acme --format json -o acme.json")
}

// Run writes what fits the filters as it comes.
func (c *cdrExport) Run(s *session) error {
	format := c.Format
	if s.json {
		format = "json"
	}
	return s.writeTo(c.Output, func(w io.Writer) error {
		if format == "json" {
			items, _, err := all[api.CDR](s, pathOf("cdrs")+query(append(c.pairs(), "stored", "true")...), "before", 0, nil)
			if err != nil {
				return err
			}
			for i := range items { // as in the other formats
				c := &items[i]
				c.Begun, c.AnsweredAt, c.Ended = c.Begun.UTC(), c.AnsweredAt.UTC(), c.Ended.UTC()
			}
			return (&session{out: &table.Screen{Writer: w}, json: true}).emit(items, nil)
		}
		server, err := s.client()
		if err != nil {
			return err
		}
		accept := map[string]string{"csv": "text/csv", "jsonl": "application/jsonl"}[format]
		return server.Stream(s.ctx, pathOf("cdrs")+query(c.pairs()...), accept, w)
	})
}
