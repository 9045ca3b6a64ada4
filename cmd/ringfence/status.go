package main

import (
	"errors"
	"strconv"
	"time"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type statusCmd struct{ remote }

func (statusCmd) Help() string {
	return `Exit code 1 when the server runs but is not ready to take calls.`
}

var errNotReady = errors.New("the server runs but is not ready: see above")

// Run shows it.
func (c *statusCmd) Run(s *session) error {
	st, err := fetch[api.Status](s, "GET /v1/status", nil)
	if err != nil {
		return err
	}
	if err := s.emit(st, func() error { return s.table(statusTable(st), 0) }); err != nil {
		return err
	}
	if !st.Ready {
		return errNotReady
	}
	return nil
}

func statusTable(st *api.Status) *table.Table {
	ready := table.Cell{Text: "yes", Style: table.Good}
	if !st.Ready {
		ready = table.Cell{Text: "no", Style: table.Bad}
	}
	kept := table.Cell{Text: st.Engine + ", " + st.Store}
	if st.Store != "ok" {
		kept.Style = table.Bad
	}
	t := table.New(table.Left(""), table.Left(""))
	t.Row("ready", ready)
	t.Row("store", kept)
	t.Row("calls", strconv.Itoa(st.Calls))
	t.Row("phones", strconv.Itoa(st.Registrations)+" registered")
	t.Row("lines", strconv.Itoa(st.Lines)+" ("+strconv.Itoa(st.Locked)+" locked) of "+api.Count(st.Customers, "customer", "customers"))
	t.Row("trunks", strconv.Itoa(st.Trunks))
	t.Row("decks", strconv.Itoa(st.Decks))
	t.Row("node", st.Node)
	t.Row("version", st.Version)
	t.Row("up", (time.Duration(st.Uptime)*time.Second).String()+", since "+api.Moment(st.Started))
	return t
}
