package web

import (
	"html/template"
	"math"
	"net/http"
	"net/url"
	"slices"

	"ringfence/core/account"
	"ringfence/flow/book"
)

var _ = serves(func(s *Server) {
	if s.d.Book == nil {
		return
	}
	s.page("GET "+lockPath, customer, s.askLock)
	s.page("POST "+lockPath, customer, s.lock)
})

const lockPath = "/lock"

// lockView is the lines with what to lock of them.
type lockView struct {
	Lines  []lockRow
	All    int // lines that are not locked
	Each   bool
	May    string // why nothing can be locked by who asks
	Locked []lockRow
	Code   string // that locks a line when one of its phones dials it; "" is none
	Help   help
}

type lockRow struct {
	Path, Handle, Name string
	Number             template.HTML
	On                 bool
}

// mostTicks is how many lines are listed one by one; more are locked together.
const mostTicks = 50

// askLock asks once. Lines are ticked already: those of the query, or all.
func (s *Server) askLock(q *query) (page, error) {
	v := lockView{Help: s.help}
	if s.d.Security != nil {
		v.Code = s.d.Security().PanicCode
	}
	asked := q.form["line"]
	lines := s.d.Book.Lines(q.Customer, "", math.MaxInt)
	mine := func(handle string) bool {
		return slices.ContainsFunc(lines, func(l *book.Line) bool { return l.Handle() == handle })
	}
	if slices.ContainsFunc(asked, func(handle string) bool { return !mine(handle) }) {
		return page{}, errMissing
	}
	for _, l := range lines {
		row := lockRow{linePath(l), l.Handle(), l.Name(), s.numberOf(l), len(asked) == 0 || slices.Contains(asked, l.Handle())}
		switch {
		case l.Locked():
			v.Locked = append(v.Locked, row)
		default:
			v.All++
			v.Lines = append(v.Lines, row)
		}
	}
	if v.Each = v.All <= mostTicks; !v.Each { // those that were asked for, and all together
		v.Lines = slices.DeleteFunc(v.Lines, func(r lockRow) bool { return !slices.Contains(asked, r.Handle) })
	}
	v.Locked = v.Locked[:min(len(v.Locked), mostTicks)]
	if err := q.may("lock-line"); err != nil {
		v.May = q.t("lock.reader")
	}
	title := q.t("lock.title")
	switch {
	case v.All == 0 && len(v.Locked) == 0:
		title = q.t("overview.no-line")
	case v.All == 0:
		title = q.t("lock.all-locked")
	case len(asked) == 1 && !s.isLocked(lines, asked[0]):
		title = q.t("lock.one", "line", asked[0])
	case len(asked) > 0 && s.isLocked(lines, asked[0]):
		title = q.t("lock.safe", "n", len(asked), "line", asked[0])
	}
	p := page{name: "lock", title: title, shape: "narrow", data: v}
	if v.All == 0 || len(asked) > 0 && s.isLocked(lines, asked[0]) {
		p.mark = "done"
	}
	return p, nil
}

func (s *Server) isLocked(lines []*book.Line, handle string) bool {
	return slices.ContainsFunc(lines, func(l *book.Line) bool { return l.Handle() == handle && l.Locked() })
}

// lock locks what is ticked, and cuts its calls. It only tightens, so nothing more is asked.
func (s *Server) lock(q *query) (page, error) {
	if err := q.may("lock-line"); err != nil {
		return page{}, err
	}
	if q.form.Get("all") != "" {
		if err := q.may("lock-customer"); err != nil {
			return page{}, err
		}
		if _, err := s.d.Book.LockOwnCustomer(q.Context(), q.ID, q.Customer, q.t("lock.why"), account.CallsCut); err != nil {
			return page{}, s.notLocked(err)
		}
		return page{see: "/lock"}, nil
	}
	lines := s.d.Book.Lines(q.Customer, "", math.MaxInt)
	see := url.Values{}
	for _, handle := range q.form["line"] {
		i := slices.IndexFunc(lines, func(l *book.Line) bool { return l.Handle() == handle })
		if i < 0 {
			return page{}, errMissing // another's, or none
		}
		see.Add("line", handle)
	}
	for _, handle := range q.form["line"] {
		l, _ := s.d.Book.LineCalled(handle)
		if _, err := s.d.Book.LockOwn(q.Context(), q.ID, l.ID(), q.t("lock.why"), account.CallsCut); err != nil {
			return page{}, s.notLocked(err)
		}
	}
	return page{see: "/lock?" + see.Encode()}, nil
}

// notLocked says how else a line can be locked.
func (s *Server) notLocked(err error) error {
	s.log.Error("a line could not be locked from the pages", "error", err)
	return &fault{status: http.StatusServiceUnavailable, title: "lock.failed", text: "lock.failed-what"}
}
