package main

import (
	"errors"
	"slices"

	"ringfence/app"
	"ringfence/app/config"
	"ringfence/core/check"
	"ringfence/edge/rest/api"
)

type checkCmd struct {
	remote
	Config string `help:"Configuration file to check (default: the one that serve would read)." placeholder:"FILE"`
}

var errFindings = errors.New("there are faults: see above")

func (c *checkCmd) Run(s *session) error {
	out := api.Check{OK: true}
	items := checkFile(c.Config)
	server, asked := fetch[api.Check](s, "GET /v1/check")
	for _, item := range items {
		out.OK = out.OK && item.Level != check.Error
		// The server looks at the other files itself, but only at those that it was started with: a fault of one that the configuration names by now is told.
		if asked != nil || item.What == "configuration" || item.Level == check.Error && !slices.ContainsFunc(server.Items, func(x api.CheckItem) bool { return x.What == item.What && x.Level == check.Error }) {
			out.Items = append(out.Items, item)
		}
	}
	if asked == nil {
		out.Items = append(out.Items, server.Items...)
		out.OK = out.OK && server.OK
	}
	if err := s.emit(out, func() error { return s.table(rows(out.Items...), 0) }); err != nil {
		return err
	}
	if asked != nil {
		return asked
	}
	if !out.OK {
		return errFindings
	}
	return nil
}

// checkFile reads the configuration file, if there is one, and the certificates that it names.
func checkFile(path string) (items []api.CheckItem) {
	path = config.Find(path)
	if path == "" {
		return nil
	}
	cfg, err := config.Load(path)
	if err != nil {
		return []api.CheckItem{{What: "configuration", Level: check.Error, Text: err.Error()}}
	}
	items = append(items, api.CheckItem{What: "configuration", Level: check.Well, Text: path + " is valid"})
	for _, f := range app.CheckFiles(&cfg) {
		items = append(items, api.CheckItem{What: f.What, Level: f.Level, Text: f.Text})
	}
	return items
}
