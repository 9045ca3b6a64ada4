package main

import (
	"fmt"
	"io"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type lineFit struct {
	api.FitAsk
	Apply bool `help:"Put these settings in force at once."`
}

func (c *lineFit) Run(s *session) error {
	out, err := c.find(s)
	if err != nil {
		return err
	}
	if !c.Apply || out.State != "fits" {
		return s.emit(out, func() error { return s.showFit(out) })
	}
	in := api.FitApply{LineID: c.LineID, Body: api.FitSet{Settings: []api.FitValue{}, Only: out.Only}}
	for _, x := range out.Settings {
		in.Body.Settings = append(in.Body.Settings, api.FitValue{Field: x.Field, To: x.To})
	}
	if _, err := fetch[api.LineDetail](s, "POST /v1/lines/{id}/fit", &in); err != nil {
		return err
	}
	return s.emit(out, func() error {
		if err := s.showFit(out); err != nil {
			return err
		}
		return s.say("\nThese settings are in force.")
	})
}

// find asks until the answer is there, and shows how far it is.
func (c *lineFit) find(s *session) (*api.Fit, error) {
	to := s.progressTo()
	for {
		c.Wait = 20
		if to != nil {
			c.Wait = 1
		}
		out, err := fetch[api.Fit](s, "GET /v1/lines/{id}/fit", &c.FitAsk)
		if to != nil {
			_, _ = io.WriteString(to, "\r\033[K")
		}
		if err != nil || out.State != "reading" {
			return out, err
		}
		if to != nil {
			_, _ = fmt.Fprintf(to, "Reading %s …", api.Count(int(out.Read), "call", "calls"))
		}
	}
}

// stoppedShown is how many calls a person sees; --json has all.
const stoppedShown = 20

func (s *session) showFit(f *api.Fit) error {
	s.say("%s", s.out.Paint(table.Bold, wrap(f.Text, s.out.Width, "\n")))
	if f.State != "fits" {
		return nil
	}
	s.say("  - %s", wrap(fmt.Sprintf("From %s that the line made since %s.", api.Count(f.Calls, "call", "calls"), f.From.Format("2 January 2006")), s.out.Width-4, "\n    "))
	if f.Before > 0 {
		s.say("  - %s", wrap(api.Count(f.Before, "of them would", "of them would")+" be stopped by what is in force already, and counts for nothing.", s.out.Width-4, "\n    "))
	}
	t := table.New(table.Left("setting"), table.Left("now"), table.Left("instead"), table.Wrap("why"))
	for _, x := range f.Settings {
		why := x.Seen
		if x.Margin != "" {
			why += ", " + x.Margin
		}
		t.Row(x.Field, x.Now, x.To, why)
	}
	if f.Only != "" {
		t.Row("only", "", f.Only, "where it called")
	}
	if err := s.section("Settings that fit", t); err != nil || len(f.Stopped) == 0 {
		return err
	}
	stopped := table.New(table.Left("when"), table.Left("number"), table.Right("cost"), table.Left("stopped by"))
	for _, x := range f.Stopped[:min(len(f.Stopped), stoppedShown)] {
		stopped.Row(x.Begun.Format("2006-01-02 15:04"), x.Number, amount(x.Cost), x.Setting)
	}
	return s.section("Calls of the year that would be stopped", stopped)
}
