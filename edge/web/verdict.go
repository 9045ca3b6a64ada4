package web

import (
	"errors"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/liability"
	"ringfence/flow/book"
	"ringfence/flow/casefile"
)

// markCell is what became of one promise with one call: a shape, and the same in words.
type markCell struct{ Icon, Look, Says string }

// markOf is a mark of the four. An aim that failed was missed: that waives nothing.
func (q *query) markOf(f *liability.Ruling) markCell {
	m := markCell{Says: q.t("case.mark-" + word(f.Honour))}
	if f.Honour == liability.Broken && f.Kind == liability.Aimed {
		return markCell{"cross", "warn", q.t("case.mark-missed")}
	}
	switch f.Honour {
	case liability.Honoured:
		m.Icon, m.Look = "check", "good"
	case liability.Broken:
		m.Icon, m.Look = "cross", "grave"
	case liability.NotInForce:
		m.Icon, m.Look = "dash", "quiet"
	case liability.CannotTell:
		m.Icon, m.Look = "ask", "warn"
	}
	return m
}

// judges is what judges calls; nil: nothing does.
func (s *Server) judges() *casefile.Casefile {
	if s.d.Casefile == nil {
		return nil
	}
	return s.d.Casefile()
}

// markCalls puts what became of each promise beside the calls of a page.
func (s *Server) markCalls(q *query, all []casework.CaseCall, v *caseView) error {
	judge := s.judges()
	if judge == nil || len(all) == 0 || q.may("get-verdict") != nil {
		return nil
	}
	ids := make([]call.ID, len(all))
	for i := range all {
		ids[i] = all[i].Call
	}
	verdicts, err := judge.Judge(q.Context(), ids)
	if errors.Is(err, book.ErrNotFound) { // a record was deleted since: the verdicts that were given stand with the calls
		return nil
	}
	if err != nil {
		return err
	}
	for i := range verdicts {
		for n := range verdicts[i].Findings {
			f := &verdicts[i].Findings[n]
			if i == 0 {
				v.Marks = append(v.Marks, q.t("case.promise-"+word(f.Promise)))
			}
			v.Calls[i].Marks = append(v.Calls[i].Marks, q.markOf(f))
		}
		if len(v.Calls[i].Marks) != len(v.Marks) { // other words were in force that day, of other promises
			v.Marks = nil
			break
		}
	}
	if v.Marks == nil {
		for i := range v.Calls {
			v.Calls[i].Marks = nil
		}
	}
	return nil
}

// promiseRow is what is said of one protection and one call.
type promiseRow struct {
	Mark     markCell
	Name     string
	Aim      bool
	Wording  template.HTML
	Evidence []template.HTML
	Facts    string
	Missing  template.HTML
}

// verdictView is the judgement of one call: who bears it, and why.
type verdictView struct {
	Tag    tag
	Why    template.HTML
	Stated time.Time // since when the words were in force
	Dated  bool
	Rows   []promiseRow
}

// judged judges a call for a page; nil: nobody may see it, or nothing judges. Customers see those of the calls that are in their cases.
func (s *Server) judged(q *query, id call.ID) (*verdictView, error) {
	judge := s.judges()
	if judge == nil || s.d.Cases == nil || q.may("get-verdict") != nil {
		return nil, nil
	}
	if err := s.d.Cases.InCase(q.Context(), asking(q), id); err != nil {
		if errors.Is(err, book.ErrNotFound) {
			err = nil
		}
		return nil, err
	}
	all, err := judge.Judge(q.Context(), []call.ID{id})
	if errors.Is(err, book.ErrNotFound) {
		return nil, nil // its record is not written yet
	}
	if err != nil {
		return nil, err
	}
	x := &all[0]
	v := &verdictView{Stated: q.at(x.Stated), Dated: x.Dated}
	v.Tag, v.Why = s.outcome(q, x)
	for i := range x.Findings {
		f := &x.Findings[i]
		r := promiseRow{Mark: q.markOf(f), Name: q.t("case.promise-" + word(f.Promise)), Aim: f.Kind == liability.Aimed, Wording: bdi(harmless(f.Wording, liability.MaxWording))}
		if q.Customer == "" { // the journal is not theirs to look into: a case file has what is in it about them
			rows := make([]string, len(f.Facts))
			for i, n := range f.Facts {
				rows[i] = strconv.FormatInt(n, 10)
			}
			r.Facts = strings.Join(rows, ", ")
		}
		if f.Missing != "" {
			r.Missing = bdi(harmless(f.Missing, 300))
		}
		for _, e := range f.Evidence {
			if f.Missing == "" || !strings.HasSuffix(e, f.Missing) { // else it says no more than what is missing
				r.Evidence = append(r.Evidence, bdi(sentence(harmless(e, 400))))
			}
		}
		v.Rows = append(v.Rows, r)
	}
	slices.SortStableFunc(v.Rows, func(a, b promiseRow) int { return order(b.Mark.Look) - order(a.Mark.Look) })
	return v, nil
}

// order puts what decides a call first.
func order(look string) int { return slices.Index([]string{"quiet", "good", "warn", "grave"}, look) }

// outcome is who bears a call, in words. One that cost nothing is nobody's to bear.
func (s *Server) outcome(q *query, x *liability.Verdict) (tag, template.HTML) {
	sum := s.reader.money(x.Retail)
	switch {
	case x.Retail == 0:
		return tag{"", "", q.t("case.call-nothing")}, q.mark("case.call-nothing-what")
	case x.Outcome == liability.Free:
		return tag{"good", "", q.t("case.call-free")}, q.mark("case.call-free-what", "sum", sum)
	case x.Outcome == liability.Owed:
		return tag{"", "", q.t("case.call-owed")}, q.mark("case.call-owed-what", "sum", sum)
	}
	return tag{"warn", "", q.t("case.call-open")}, q.mark("case.call-open-what", "sum", sum)
}
