package main

import (
	"strings"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type exposureCmd struct {
	remote
	api.ExposureFilter
}

func (c *exposureCmd) Run(s *session) error {
	return perform(s, "GET /v1/exposure", s.showExposure, &c.ExposureFilter)
}

// sharesShown is how many lines or customers a person sees; --json has all.
const sharesShown = 20

func (s *session) showExposure(e *api.Exposure) error {
	head, _, _ := strings.Cut(e.Text, ", until ") // the first sentence says until when
	for line := range strings.SplitSeq(wrap(head, s.out.Width, "\n"), "\n") {
		s.say("%s", s.out.Paint(table.Bold, line))
	}
	s.say("")
	for _, text := range e.Words {
		s.say("  - %s", wrap(text, s.out.Width-4, "\n    "))
	}
	changes := table.New(table.Left("setting"), table.Left("now"), table.Left("instead"), table.Wrap("what it would be"))
	for _, x := range e.Settings {
		_, effect, _ := strings.Cut(x.Text, ": ")
		changes.Row(x.Field, x.Now, x.To, effect)
	}
	if err := s.section("What settings would change", changes); err != nil {
		return err
	}
	shares, what := table.New(table.Left("line"), table.Right("at the very most"), table.Right("from elsewhere")), "Lines"
	if e.Customer == "" {
		shares, what = table.New(table.Left("customer"), table.Right("at the very most"), table.Right("from elsewhere")), "Customers"
	}
	for _, x := range e.Shares[:min(len(e.Shares), sharesShown)] {
		name := x.Line
		if name == "" {
			name = x.Customer
		}
		shares.Row(name, amount(x.Retail), amount(x.Elsewhere))
	}
	if err := s.section(what, shares); err != nil || len(e.Shares) <= sharesShown {
		return err
	}
	return s.say("  … and %d more: --json shows them all", len(e.Shares)-sharesShown)
}
