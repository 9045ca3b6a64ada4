package main

import "ringfence/edge/rest/api"

type requestCmd struct {
	remote
	List   requestList   `cmd:"" help:"List requests." eg:"; --state all --json"`
	Grant  requestGrant  `cmd:"" help:"Say yes: the setting is in force at once." eg:"17; 17 --until +7d --note \"a week, then ask again\""`
	Refuse requestRefuse `cmd:"" help:"Say no." eg:"17 --note \"use the cheaper route\""`
}

type requestState struct {
	State string `query:"state"`
}

type requestList struct {
	State string `help:"open, granted, refused or all." enum:"open,granted,refused,all" default:"open"`
}

// Run lists them.
func (c *requestList) Run(s *session) error {
	if c.State == "all" {
		c.State = ""
	}
	return listAll[api.Request](s, requestState{c.State})
}

type requestGrant struct{ api.RequestGrant }

// Run grants it.
func (c *requestGrant) Run(s *session) error {
	return perform(s, "POST /v1/requests/{id}/grant", c, s.decided)
}

type requestRefuse struct{ api.RequestRefusal }

// Run refuses it.
func (c *requestRefuse) Run(s *session) error {
	return perform(s, "POST /v1/requests/{id}/refuse", c, s.decided)
}

func (s *session) decided(r *api.Request) error {
	end := ""
	if r.State == "granted" && !r.Until.IsZero() {
		end = " until " + api.End(r.Until)
	}
	return s.say("Request %d is %s: %s %s for line %s%s.", r.ID, r.State, r.Field, r.Text, r.Line, end)
}
