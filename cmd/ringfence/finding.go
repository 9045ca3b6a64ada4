package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type findingCmd struct {
	remote
	List   list[api.Finding, api.FindingFilter] `cmd:"" set:"limit=50" eg:"--open; --line 2001 --kind guessing; --limit 0 --json"`
	Show   findingShow                          `cmd:"" help:"Show a finding: what it means, what to do, its evidence." eg:"17"`
	Note   act[api.FindingNote, api.Finding]    `cmd:"" help:"Add a note to a finding: what was asked, found or agreed." route:"POST /v1/findings/{id}/notes" says:"Noted on finding {{.ID}}, which has {{count (len .Notes) \"note\" \"notes\"}}." eg:"17 \"called the owner: he is in Spain\"" detail:"Notes stay with the finding, with their author and time, and are never sent to customers."`
	Report act[api.FraudReport, api.Reported]   `cmd:"" help:"Report a fraud, as a customer does on the pages: a finding comes of it." route:"POST /v1/reports" says:"Reported; the number to quote is {{.Code}}." eg:"--line 2001 \"calls to Cuba at night\""`
	Close  act[api.FindingID, api.Finding]      `cmd:"" help:"Close a finding that has been dealt with." route:"POST /v1/findings/{id}/close" says:"Finding {{.ID}} is closed: {{.Text}}" eg:"17" detail:"A repeat on the same day is counted and does not open it again; on another day it is a new finding."`
}

type findingShow struct{ api.FindingID }

func (c *findingShow) Run(s *session) error {
	return perform(s, "GET /v1/findings/{id}", s.showFinding, c)
}

func (s *session) showFinding(f *api.Finding) error {
	s.say("%s\n%s\n", s.out.Paint(table.Bold, f.Title), wrap(f.Text, s.out.Width, "\n"))
	t := card(f)
	if f.Count > 1 {
		t.Row("again", api.Count(int(f.Count), "time", "times")+", last "+api.Moment(f.Last))
	}
	state := "open"
	if !f.Open {
		state = "closed " + api.Moment(f.Closed) + " by " + f.ClosedBy
	}
	t.Row("state", table.Cell{Text: state, Style: map[bool]table.Style{true: table.Warn, false: table.Dim}[f.Open]})
	s.table(t, 0)
	s.section("Notes", rows(f.Notes...))
	if f.Meaning != "" {
		s.say("\n%s\n  %s", s.out.Paint(table.Bold, "What it means"), wrap(f.Meaning, s.out.Width-2, "\n  "))
	}
	if len(f.Advice) > 0 {
		s.say("\n%s", s.out.Paint(table.Bold, "What to do"))
	}
	for _, a := range f.Advice {
		s.say("  - %s", wrap(a, s.out.Width-4, "\n    "))
	}
	return s.section("Evidence", evidenceTable(f.Evidence))
}

// wrap breaks a text at blanks so that no line is wider than a screen; 0 or less is no limit.
func wrap(text string, width int, newline string) string {
	if width < 20 {
		return text
	}
	return strings.Join(table.Break(strings.Join(strings.Fields(text), " "), width), newline)
}

// evidenceTable is a JSON object, a field a row: texts without quotes, what is nested as it is.
func evidenceTable(raw json.RawMessage) *table.Table {
	t := table.New(table.Left(""), table.Left(""))
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		if len(raw) > 0 {
			t.Row("", string(raw))
		}
		return t
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value := string(fields[name])
		var text string
		if json.Unmarshal(fields[name], &text) == nil {
			value = text
		}
		t.Row(name, value)
	}
	return t
}
