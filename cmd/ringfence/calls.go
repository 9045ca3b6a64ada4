package main

import (
	"fmt"

	"ringfence/edge/rest/api"
)

type callsCmd struct {
	remote
	List whole[api.Call, api.CallFilter] `cmd:"" default:"withargs" help:"List calls in progress." eg:"ringfence calls; --line 2001; watch ringfence calls"`
	Cut  callsCut                        `cmd:"" help:"Hang up both legs of a call." eg:"01JD8Z6Q4N8T7R5V3X1B9C7D5F; 01JD8Z6Q4N8T7R5V3X1B9C7D5F --why \"fraud, case 12\" --yes"`
}

type callsCut struct {
	api.CallCut
	Yes bool `help:"Do it; without, only say what would be done."`
}

// Run cuts it, if told twice.
func (c *callsCut) Run(s *session) error {
	out, err := fetch[api.Call](s, "GET /v1/calls/{id}", c.CallID)
	if err != nil {
		return err
	}
	if !c.Yes {
		return s.dryRun(fmt.Sprintf("The call of line %s to %s (%s) would be cut.", out.Line, out.Number, out.Text))
	}
	return perform(s, "DELETE /v1/calls/{id}", c, func(x *api.Call) error {
		return s.say("The call of line %s to %s is being cut.", x.Line, x.Number)
	})
}
