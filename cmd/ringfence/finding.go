package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type findingCmd struct {
	remote
	List  findingList  `cmd:"" help:"List findings, newest first."`
	Show  findingShow  `cmd:"" help:"Show a finding: what it means, what to do, its evidence."`
	Note  findingNote  `cmd:"" help:"Write a note to a finding: what was asked, found or agreed."`
	Close findingClose `cmd:"" help:"Say that a finding was dealt with."`
}

type findingList struct {
	Open     bool   `help:"Only those that nobody has closed."`
	Line     string `help:"Only this line's." placeholder:"LINE" predict:"line"`
	Customer string `help:"Only this customer's." placeholder:"CUSTOMER" predict:"customer"`
	Kind     string `help:"Only this kind." placeholder:"KIND" predict:"finding-kind"`
	Limit    int    `help:"Show no more than this (0: all)." default:"50"`
}

func (findingList) Help() string {
	return examples("ringfence finding list --open", "ringfence finding list --line 2001 --kind guessing", "ringfence finding list --limit 0 --json")
}

// Run lists them.
func (c *findingList) Run(s *session) error {
	open := ""
	if c.Open {
		open = "true"
	}
	items, more, err := all[api.Finding](s, pathOf("findings"), "before", c.Limit, "open", open, "line", c.Line, "customer", c.Customer, "kind", c.Kind)
	if err != nil {
		return err
	}
	return s.emit(items, func() error {
		t := table.New(table.Right("finding"), table.Left("at"), table.Left(""), table.Cut("kind"), table.Cut("line"), table.Cut("customer").AsSpare(),
			table.Cut("source"), table.Right("times").AsSpare(), table.Left("state"), table.Cut("what"))
		for _, f := range items {
			t.Row(strconv.FormatInt(f.ID, 10), moment(f.At), severity(f.Severity), f.Kind, f.Line, f.Customer, f.Source, strconv.FormatInt(f.Count, 10),
				openCell(&f), f.Text)
		}
		return s.cutList(t, more, "Nothing of this kind was noticed. What is looked for: ringfence notice preview --list")
	})
}

func severity(name string) table.Cell {
	return table.Cell{Text: name, Style: map[string]table.Style{"critical": table.Bad, "warning": table.Warn}[name]}
}

func openCell(f *api.Finding) table.Cell {
	if f.Open {
		return table.Cell{Text: "open", Style: table.Warn}
	}
	return table.Cell{Text: "closed", Style: table.Dim}
}

type findingShow struct {
	ID int64 `arg:"" help:"Finding." predict:"finding"`
}

func (findingShow) Help() string { return examples("ringfence finding show 17") }

// Run shows it.
func (c *findingShow) Run(s *session) error {
	var out api.Finding
	if err := s.get(pathOf("findings", strconv.FormatInt(c.ID, 10)), &out); err != nil {
		return err
	}
	return s.emit(out, func() error { return s.showFinding(&out) })
}

func (s *session) showFinding(f *api.Finding) error {
	if err := s.say("%s\n%s\n", s.out.Paint(table.Bold, f.Title), wrap(f.Text, s.out.Width, "\n")); err != nil {
		return err
	}
	t := table.New(table.Left(""), table.Left(""))
	t.Row("finding", strconv.FormatInt(f.ID, 10))
	t.Row("kind", f.Kind)
	t.Row("severity", severity(f.Severity))
	for _, row := range [][2]string{{"line", f.Line}, {"customer", f.Customer}, {"source", f.Source}} {
		if row[1] != "" {
			t.Row(row[0], row[1])
		}
	}
	t.Row("at", moment(f.At))
	if f.Count > 1 {
		t.Row("again", plural(int(f.Count), "time", "times")+", last "+moment(f.Last))
	}
	state := openCell(f)
	if !f.Open {
		state.Text += " " + moment(f.Closed) + " by " + f.ClosedBy
	}
	t.Row("state", state)
	if err := s.table(t, 0); err != nil {
		return err
	}
	if err := s.section("Notes", noteTable(f.Notes)); err != nil {
		return err
	}
	if f.Meaning != "" {
		if err := s.say("\n%s\n  %s", s.out.Paint(table.Bold, "What it means"), wrap(f.Meaning, s.out.Width-2, "\n  ")); err != nil {
			return err
		}
	}
	if len(f.Advice) > 0 {
		if err := s.say("\n%s", s.out.Paint(table.Bold, "What to do")); err != nil {
			return err
		}
	}
	for _, a := range f.Advice {
		if err := s.say("  - %s", wrap(a, s.out.Width-4, "\n    ")); err != nil {
			return err
		}
	}
	return s.section("Evidence", evidenceTable(f.Evidence))
}

// wrap breaks a text at blanks so that no line is wider than a screen; 0 or less is no limit.
func wrap(text string, width int, newline string) string {
	if width < 20 {
		return text
	}
	var b strings.Builder
	used := 0
	for i, word := range strings.Fields(text) {
		w := table.Width(word)
		switch {
		case i == 0:
		case used+1+w > width:
			b.WriteString(newline)
			used = 0
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += w
	}
	return b.String()
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

func noteTable(notes []api.Note) *table.Table {
	t := table.New(table.Left("at"), table.Left("by"), table.Wrap("note"))
	for _, n := range notes {
		t.Row(moment(n.At), n.By, n.Text)
	}
	return t
}

type findingNote struct {
	ID   int64  `arg:"" help:"Finding." predict:"finding"`
	Text string `arg:"" help:"What is to be noted, at most 2,000 bytes."`
}

func (findingNote) Help() string {
	return `Notes stay with the finding, with who wrote them and when, and are never sent to customers.

` + examples(`ringfence finding note 17 "called the owner: he is in Spain"`)
}

// Run notes it.
func (c *findingNote) Run(s *session) error {
	var out api.Finding
	if err := s.do(http.MethodPost, pathOf("findings", strconv.FormatInt(c.ID, 10), "notes"), api.NewNote{Text: c.Text}, &out); err != nil {
		return err
	}
	return s.emit(out, func() error {
		return s.say("Noted on finding %d, which has %s.", out.ID, plural(len(out.Notes), "note", "notes"))
	})
}

type findingClose struct {
	ID int64 `arg:"" help:"Finding." predict:"finding"`
}

func (findingClose) Help() string {
	return `A repeat on the same day counts on and does not open it again; on another day it is a new finding.

` + examples("ringfence finding close 17")
}

// Run closes it.
func (c *findingClose) Run(s *session) error {
	var out api.Finding
	if err := s.do(http.MethodPost, pathOf("findings", strconv.FormatInt(c.ID, 10), "close"), nil, &out); err != nil {
		return err
	}
	return s.emit(out, func() error { return s.say("Finding %d is closed: %s.", out.ID, strings.TrimSuffix(out.Text, ".")) })
}
