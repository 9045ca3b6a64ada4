package web

import (
	"html/template"
	"strconv"
	"time"

	"ringfence/core/casework"
	"ringfence/core/money"
	"ringfence/flow/desk"
)

// disputesView are the cases of a customer that calls are in dispute in, or were.
type disputesView struct {
	Sum  string // still in dispute; "" is nothing
	Rows []disputeRow
	More string // all cases, where there are others
}

type disputeRow struct {
	Path    string
	Title   template.HTML
	State   tag
	Opened  time.Time
	Due     time.Time // of the answer, while there is none
	Decided time.Time // when the case was closed; zero: it is not
	Parts   []disputePart
}

// disputePart is what the calls in one state come to.
type disputePart struct {
	State tag
	Calls int64
	Sum   money.Micro
}

// disputes reads the newest; nil: there are no cases here.
func (s *Server) disputes(q *query) (*disputesView, error) {
	if s.d.Cases == nil || q.may("list-cases") != nil {
		return nil, nil
	}
	all, err := s.d.Cases.List(q.Context(), asking(q), desk.CaseFilter{Limit: latest + 1})
	if err != nil {
		return nil, err
	}
	v := &disputesView{}
	if len(all) > latest {
		all, v.More = all[:latest], "/cases"
	}
	pending := money.Micro(0)
	for i := range all {
		f, err := s.d.Cases.Case(q.Context(), asking(q), all[i].ID)
		if err != nil {
			return nil, err
		}
		if len(f.Sums) == 0 {
			continue
		}
		r := disputeRow{Path: "/cases/" + strconv.FormatInt(f.ID, 10), Title: s.caseTitle(q, &f.Case), State: s.caseTag(q, &f.Case), Opened: q.at(f.Opened)}
		if f.State == casework.Closed {
			r.Decided = q.at(f.Finished)
		} else {
			r.Due = q.at(f.Deadline)
		}
		for _, x := range f.Sums {
			r.Parts = append(r.Parts, disputePart{tag{disputeLook(x.State), "", q.t("case.dispute-" + word(x.State))}, x.Calls, x.Retail})
		}
		_, sum := f.Disputed()
		pending = pending.Add(sum)
		v.Rows = append(v.Rows, r)
	}
	if pending > 0 {
		v.Sum = s.reader.money(pending)
	}
	return v, nil
}
