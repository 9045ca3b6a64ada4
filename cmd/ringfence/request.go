package main

import (
	"net/http"
	"strconv"
	"time"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type requestCmd struct {
	remote
	List   requestList   `cmd:"" help:"List requests."`
	Grant  requestGrant  `cmd:"" help:"Say yes: the setting is in force at once."`
	Refuse requestRefuse `cmd:"" help:"Say no."`
}

type requestList struct {
	State string `help:"open, granted, refused or all." enum:"open,granted,refused,all" default:"open"`
}

func (requestList) Help() string {
	return examples("ringfence request list", "ringfence request list --state all --json")
}

// Run lists them.
func (c *requestList) Run(s *session) error {
	state := c.State
	if state == "all" {
		state = ""
	}
	var page api.List[api.Request]
	if err := s.get(pathOf("requests")+query("state", state), &page); err != nil {
		return err
	}
	return s.emit(append([]api.Request{}, page.Items...), func() error {
		t := table.New(table.Right("request"), table.Left("line"), table.Left("setting"), table.Right("wanted"), table.Left("until"),
			table.Left("state"), table.Left("made"), table.Cut("why"), table.Cut("note"))
		for _, r := range page.Items {
			t.Row(strconv.FormatInt(r.ID, 10), r.Line, r.Field, r.Text, wantedUntil(r.Until), r.State, moment(r.Made), r.Why, r.Note)
		}
		return s.list(t, "No requests. A customer asks with: ringfence line request LINE FIELD=VALUE")
	})
}

// wantedUntil is for a column; "" is for good.
func wantedUntil(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return theirEnd(t)
}

type requestGrant struct {
	ID    int64  `arg:"" help:"Request." predict:"request"`
	Until point  `help:"Only until then, that day included (default: what was asked)." placeholder:"WHEN"`
	Note  string `help:"For the customer." placeholder:"TEXT"`
}

func (requestGrant) Help() string {
	return examples("ringfence request grant 17", `ringfence request grant 17 --until +7d --note "a week, then ask again"`)
}

// Run grants it.
func (c *requestGrant) Run(s *session) error {
	return s.decideRequest(c.ID, "grant", api.Grant{Until: string(c.Until), Note: c.Note})
}

type requestRefuse struct {
	ID   int64  `arg:"" help:"Request." predict:"request"`
	Note string `help:"For the customer." placeholder:"TEXT"`
}

func (requestRefuse) Help() string {
	return examples(`ringfence request refuse 17 --note "use the cheaper route"`)
}

// Run refuses it.
func (c *requestRefuse) Run(s *session) error {
	return s.decideRequest(c.ID, "refuse", api.Refuse{Note: c.Note})
}

func (s *session) decideRequest(id int64, verb string, in any) error {
	var out api.Request
	if err := s.do(http.MethodPost, pathOf("requests", strconv.FormatInt(id, 10), verb), in, &out); err != nil {
		return err
	}
	return s.emit(out, func() error {
		end := ""
		if out.State == "granted" && !out.Until.IsZero() {
			end = " until " + theirEnd(out.Until)
		}
		return s.say("Request %d is %s: %s %s for line %s%s.", out.ID, out.State, out.Field, out.Text, out.Line, end)
	})
}
