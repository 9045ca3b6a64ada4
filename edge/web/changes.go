package web

import (
	"errors"
	"strconv"
	"time"

	"ringfence/core/account"
	"ringfence/flow/book"
	"ringfence/flow/cooling"
)

var _ = serves(func(s *Server) {
	if s.d.Book == nil || s.d.Cooling == nil {
		return
	}
	s.page("GET /changes", customer, s.changes)
	s.page("POST /changes", customer, s.changeChanges)
})

// changesView is what waits, and how long it does.
type changesView struct {
	Waiting []banner
	Says    string
	Note    string
	Undo    string // what a longer wait can still be undone to
	Set     []field
	Fault   string
}

// waits are those that a page offers; the API takes any from an hour to 30 days.
var waits = []time.Duration{0, time.Hour, 24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour}

func (s *Server) changes(q *query) (page, error) { return s.changesPage(q, "") }

func (s *Server) changesPage(q *query, fault string) (page, error) {
	if err := q.may("list-changes"); err != nil {
		return page{}, err
	}
	c, ok := s.d.Book.Customer(q.Customer)
	if !ok {
		return page{}, errMissing
	}
	all, err := s.d.Cooling.List(q.Context(), q.Customer)
	if err != nil {
		return page{}, err
	}
	v := changesView{Fault: fault, Says: q.t("changes.no-wait"), Note: harmless(c.Cooling.Note, 500)}
	for i := range all {
		v.Waiting = append(v.Waiting, s.waitingBanner(q, &all[i], "/changes"))
	}
	if c.Cooling.Wait > 0 {
		v.Says = q.t("changes.wait", "time", s.waitText(q, c.Cooling.Wait), "n", len(c.Contacts))
	}
	if q.may("set-cooling-off") == nil {
		wait := field{Name: "wait", Label: q.t("changes.how-long"), Help: q.t("changes.how-long-what"), Most: 20}
		listed := false
		for _, d := range waits {
			listed = listed || d == c.Cooling.Wait
			wait.Choices = append(wait.Choices, choice{secondsText(d), s.waitText(q, d), d == c.Cooling.Wait})
		}
		if !listed {
			wait.Choices = append(wait.Choices, choice{secondsText(c.Cooling.Wait), s.waitText(q, c.Cooling.Wait), true})
		}
		v.Set = []field{wait, {Name: "note", Label: q.t("changes.note"), Help: q.t("changes.note-what"), Value: v.Note, Lines: 2, Most: 500}}
		if u := c.Cooling; !u.Since.IsZero() && q.now.Before(u.Since.Add(account.UndoWait)) && u.Was < u.Wait {
			v.Undo = q.t("changes.undo", "time", s.waitText(q, u.Was))
		}
	}
	return page{name: "changes", title: q.t("changes.title", "n", len(all)), nav: "/", shape: "middle", crumbs: []crumb{{q.t("frame.overview"), "/"}}, data: v}, nil
}

func secondsText(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// waitText is how long something waits, in hours or days.
func (s *Server) waitText(q *query, d time.Duration) string {
	switch {
	case d == 0:
		return q.t("changes.nothing")
	case d < 48*time.Hour:
		return q.t("changes.hours", "n", int(d/time.Hour))
	}
	return q.t("time.days", "n", int(d/(24*time.Hour)))
}

// changeChanges stops a change, or sets how long changes wait. A shorter wait waits itself.
func (s *Server) changeChanges(q *query) (page, error) {
	operation := map[string]string{"stop": "stop-change", "wait": "set-cooling-off", "undo": "set-cooling-off"}[q.form.Get("do")]
	if err := q.may(operation); err != nil {
		return page{}, err
	}
	if operation == "stop-change" {
		return s.stopChange(q)
	}
	c, ok := s.d.Book.Customer(q.Customer)
	if !ok {
		return page{}, errMissing
	}
	wait, note := c.Cooling.Was, c.Cooling.Note
	if q.form.Get("do") == "wait" {
		n, err := strconv.ParseInt(q.form.Get("wait"), 10, 32)
		if err != nil {
			return s.changesPage(q, q.t("changes.want"))
		}
		wait, note = time.Duration(n)*time.Second, q.form.Get("note")
	}
	see := q.fresh("/changes")
	if see == "" && wait == c.Cooling.Was && wait < c.Cooling.Wait && !cooling.Undoes(&q.Who, c.Cooling) {
		see = proveFor("/changes")
	}
	if see != "" {
		return page{see: see}, nil
	}
	_, err := s.d.Cooling.SetWait(q.Context(), &q.Who, q.Customer, wait, note)
	var invalid *book.Invalid
	if errors.As(err, &invalid) {
		return s.changesPage(q, q.t("changes.want"))
	}
	return page{see: "/changes"}, err
}

// stopChange calls off one of the customer's own. Anybody of them may, because that only keeps what is.
func (s *Server) stopChange(q *query) (page, error) {
	x, err := s.d.Cooling.One(q.Context(), q.form.Get("id"))
	if errors.Is(err, cooling.ErrNotFound) || err == nil && x.Customer != q.Customer {
		return page{}, errMissing
	}
	if err == nil {
		_, err = s.d.Cooling.Stop(q.Context(), q.ID, x.Code, q.t("changes.stopped-why"))
	}
	return page{see: s.after(q.form.Get("back"))}, err
}
