package web

import (
	"html/template"
	"time"

	"ringfence/core/call"
	"ringfence/core/money"
	"ringfence/flow/desk"
	"ringfence/flow/gate"
)

// deskCall is a call as staff see it in a list.
type deskCall struct {
	Icon, Look string
	Path       string
	Number     template.HTML
	Who        template.HTML // the customer and line
	Place      string
	At         time.Time
	Talk       time.Duration
	Result     template.HTML
	Price      money.Micro
	Again      string // there are more like it
}

// maxDeskCalls is how many rows of calls stand beside a finding.
const maxDeskCalls = 10

// deskCalls are the latest calls; a run of calls to one number that were refused for the same reason is one row.
func (s *Server) deskCalls(q *query, all []desk.CDR) (rows []deskCall) {
	run := 0
	for i := range all {
		c := &all[i]
		if i > 0 && c.Refused && all[i-1].Refused && c.Number == all[i-1].Number && c.Reason == all[i-1].Reason {
			run++
			rows[len(rows)-1].Again = q.t("support.says-again", "n", run)
			continue
		}
		if run = 0; len(rows) == maxDeskCalls {
			break
		}
		rows = append(rows, s.deskCall(q, c))
	}
	return rows
}

// deskCall is a record's.
func (s *Server) deskCall(q *query, c *desk.CDR) deskCall {
	r := deskCall{Icon: "out", Look: "out", Path: s.callPath(c.ID), Number: s.dialled(c.Number, c.Dialled), Who: s.whose(desk.Subject{Line: c.Line, Customer: c.Account}, ""), Place: harmless(c.Rate, 60), At: q.at(c.Begun), Talk: c.Talk, Price: c.Retail}
	if r.Place == "" {
		r.Place = c.Country
	}
	switch {
	case c.Refused:
		r.Icon, r.Look, r.Result = "barred", "no", bdi(harmless(c.Text, 200))
	case c.AnsweredAt.IsZero():
		r.Icon, r.Look, r.Result = "cross", "", bdi(harmless(c.Text, 200))
	case c.Direction == call.In:
		r.Icon, r.Look = "in", "inc"
	}
	return r
}

func (s *Server) deskRunning(q *query, c *gate.InProgress) deskCall {
	r := deskCall{Icon: "out", Look: "out", Number: s.dialled(c.Number, c.Dialled), Who: s.whose(desk.Subject{Line: c.Line, Customer: c.Account}, ""), Place: harmless(c.Quote.Price.Name, 60), At: q.at(c.Begun)}
	if c.Direction == call.In {
		r.Icon, r.Look = "in", "inc"
	}
	if !c.AnsweredAt.IsZero() {
		r.Talk = q.now.Sub(c.AnsweredAt)
		r.Price = c.Quote.Cost(r.Talk)
	}
	return r
}

// dialled is a number as people read it, or the dialled text if it is not a number.
func (s *Server) dialled(number, dialled string) template.HTML {
	if d, _ := s.reader.plan.Parse(number); !d.Number.IsZero() {
		return s.reader.tel(d.Number)
	}
	return bdi(harmless(dialled, 40))
}

// callPath is the page of a call, where there is one.
func (s *Server) callPath(id call.ID) string {
	if _, ok := s.areas["GET /staff/calls/{call}"]; ok && id != "" {
		return "/staff/calls/" + string(id)
	}
	return ""
}
