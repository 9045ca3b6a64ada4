package main

import (
	"io"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type cdrCmd struct {
	remote
	List    cdrList              `cmd:"" help:"List call records, newest first." set:"limit=50" eg:"; --line 2001 --from today; --country Cuba --from monday; --number \"020 7946 0000\" --direction outbound; --reason premium-barred; --customer acme --from 2026-11-01 --until 2026-11-30 --limit 0 --json" detail:"Refused calls are listed too, and with --line the calls of other lines to it.\n\nDays are in the time zone of the customer of --line, else of --customer, else of the provider."`
	Show    show[api.CDR, cdrID] `cmd:"" help:"Show a call record." eg:"01JD8Z6Q4N8T7R5V3X1B9C7D5F"`
	Verdict cdrVerdict           `cmd:"" help:"Say who bears the cost of a call: each promise, whether it was in force and honoured, and by which facts." eg:"01JD8Z6Q4N8T7R5V3X1B9C7D5F"`
	Judge   cdrJudge             `cmd:"" help:"Judge calls, and write the verdicts to the journal." eg:"01JD8Z6Q4N8T7R5V3X1B9C7D5F" detail:"A call is free if a promise was broken that would have stopped it, owed if none was, and undetermined where the journal does not decide: docs/liability.md says how each promise is judged."`
	Export  cdrExport            `cmd:"" help:"Write call records as CSV or JSON." eg:"--from 2026-11-01 --until 2026-11-30 > november.csv; --customer acme --format json -o acme.json" detail:"Amounts in the export are exact: millionths of the currency. Times are UTC. Refused calls are included, marked in the column refused. Days are in the time zone of the customer of --line, else of --customer, else of the provider."`
}

type cdrID struct {
	ID string `path:"id" arg:"" help:"Call."`
}

// cdrFilter chooses records.
type cdrFilter struct {
	api.CDRFilter
	Sides  string `query:"sides" kong:"-"`
	Stored bool   `query:"stored" kong:"-"`
}

type cdrList struct{ list[api.CDR, cdrFilter] }

func (c *cdrList) Run(s *session) error {
	c.Filter.Sides = "both"
	return c.list.Run(s)
}

type cdrExport struct {
	cdrFilter
	Format string `help:"csv, json (a list) or jsonl (one per line)." enum:"csv,json,jsonl" default:"csv"`
	Output string `short:"o" help:"File to write (default: standard output)." placeholder:"FILE"`
}

// Run writes what fits the filters as it comes.
func (c *cdrExport) Run(s *session) error {
	format := c.Format
	if s.json {
		format = "json"
	}
	return s.writeTo(c.Output, func(w io.Writer) error {
		if format != "json" {
			return s.stream("/v1/cdrs", c, map[string]string{"csv": "text/csv", "jsonl": "application/jsonl"}[format], w)
		}
		c.Stored = true
		items, _, err := all[api.CDR](s, "/v1/cdrs", "before", 0, c)
		if err != nil {
			return err
		}
		for i := range items { // as in the other formats
			c := &items[i]
			c.Begun, c.AnsweredAt, c.Ended = c.Begun.UTC(), c.AnsweredAt.UTC(), c.Ended.UTC()
		}
		return (&session{out: &table.Screen{Writer: w}, json: true}).emit(items, nil)
	})
}
