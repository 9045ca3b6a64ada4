package main

import "ringfence/edge/rest/api"

type requestCmd struct {
	remote
	List   requestList                          `cmd:"" help:"List requests." eg:"; --state all --json"`
	Grant  act[api.RequestGrant, api.Request]   `cmd:"" help:"Grant a request: the setting takes effect at once." route:"POST /v1/requests/{id}/grant" says:"Request {{.ID}} is granted: {{.Field}} {{.Text}} for line {{.Line}}{{if not .Until.IsZero}} until {{ends .Until}}{{end}}." eg:"17; 17 --until +7d --note \"a week, then ask again\""`
	Refuse act[api.RequestRefusal, api.Request] `cmd:"" help:"Refuse a request." route:"POST /v1/requests/{id}/refuse" says:"Request {{.ID}} is refused: {{.Field}} {{.Text}} for line {{.Line}}." eg:"17 --note \"use the cheaper route\""`
}

type requestState struct {
	State string `query:"state"`
}

type requestList struct {
	State string `help:"open, granted, refused or all." enum:"open,granted,refused,all" default:"open"`
}

func (c *requestList) Run(s *session) error {
	if c.State == "all" {
		c.State = ""
	}
	return listAll[api.Request](s, requestState{c.State})
}
