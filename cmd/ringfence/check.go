package main

import (
	"errors"

	"ringfence/app/config"
	"ringfence/edge/rest/api"
)

type checkCmd struct {
	remote
	Config string `help:"Configuration file to check (default: the one that serve would read)." placeholder:"FILE"`
}

var errFindings = errors.New("there are faults: see above")

func (c *checkCmd) Run(s *session) error {
	out := api.Check{OK: true}
	if item, there := checkFile(c.Config); there {
		out.Items = append(out.Items, item)
		out.OK = item.Level != "error"
	}
	server, asked := fetch[api.Check](s, "GET /v1/check")
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

// checkFile reads the configuration file, if there is one.
func checkFile(path string) (api.CheckItem, bool) {
	path = config.Find(path)
	if path == "" {
		return api.CheckItem{}, false
	}
	if _, err := config.Load(path); err != nil {
		return api.CheckItem{What: "configuration", Level: "error", Text: err.Error()}, true
	}
	return api.CheckItem{What: "configuration", Level: "ok", Text: path + " is valid"}, true
}
