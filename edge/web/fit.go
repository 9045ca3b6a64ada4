package web

import (
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"ringfence/core/account"
	coreexposure "ringfence/core/exposure"
	"ringfence/core/restrict"
	"ringfence/flow/book"
	"ringfence/flow/fit"
)

var _ = serves(func(s *Server) {
	if s.d.Fit == nil {
		return
	}
	s.page("GET /lines/{line}/fit", customer, s.fit)
	s.page("POST /lines/{line}/fit", customer, s.applyFit)
	s.stream("GET /lines/{line}/fit/live", customer, s.fitVersion)
})

// fitView is what fits a line, or how far the search is.
type fitView struct {
	Path    string
	Read    int64
	Reading bool
	Little  bool
	Was, Is string // the figure; "" where it stays
	Basis   []string
	Parts   []fitPart
	Hidden  []pair
	Stops   []choice
	Stopped []fitStopped
	More    int // calls that are not shown
	May     bool
}

type fitPart struct{ Setting, Now, To, Seen, Margin string }

type fitStopped struct {
	At     time.Time
	Number template.HTML
	Cost   string
	By     string
}

// fitWait is how long a page waits for a search: most are faster, and who waits longer is told how far it is.
const fitWait = 1500 * time.Millisecond

// stopsOffered are how many calls may be given up.
var stopsOffered = []int{0, 1, 5, 20}

// stoppedShown is how many calls are listed; the dearest come first.
const stoppedShown = 20

func (s *Server) fit(q *query) (page, error) {
	l, err := s.ours(q)
	if err != nil {
		return page{}, err
	}
	stops, _ := strconv.Atoi(q.form.Get("stops")) // anything but a number counts as 0
	stops = min(max(stops, 0), fit.MostStops)
	v := fitView{Path: linePath(l) + "/fit", May: q.may("apply-fit") == nil}
	p := page{name: "fit", nav: "/lines", shape: "middle", crumbs: []crumb{{q.t("frame.overview"), "/"}, {q.t("frame.lines"), "/lines"}, {l.Handle(), linePath(l)}}}
	a, read, err := s.d.Fit.Of(q.Context(), l, stops, fitWait)
	if err != nil {
		return page{}, err
	}
	for _, n := range stopsOffered {
		text := q.t("fit.stop-none")
		if n > 0 {
			text = q.t("fit.stops", "n", n)
		}
		v.Stops = append(v.Stops, choice{v.Path + "?stops=" + strconv.Itoa(n), text, n == stops})
	}
	switch {
	case a == nil:
		v.Reading, v.Read = true, read
		p.title, p.live = q.t("fit.reading"), v.Path+"/live?stops="+strconv.Itoa(stops)
	case a.Little != "":
		v.Little = true
		p.title, v.Basis = q.t("fit.little"), []string{a.Little}
	case !a.Fits():
		p.title, v.Basis = q.t("fit.tight"), s.fitBasis(q, a)
	default:
		p.title = q.t("fit.title", "n", len(a.Words()))
		if a.Now != a.Then {
			v.Was, v.Is = coreexposure.Amount(a.Now), coreexposure.Amount(a.Then)
			p.title = q.t("fit.falls", "was", v.Was, "is", v.Is)
		}
		s.fitParts(q, a, &v)
	}
	p.data = v
	return p, nil
}

// fitBasis says what an answer is made of.
func (s *Server) fitBasis(q *query, a *fit.Answer) []string {
	all := []string{q.t("fit.basis", "n", a.Calls, "since", s.reader.date(q.at(a.From)))}
	if a.Before > 0 {
		all = append(all, q.t("fit.before", "n", a.Before))
	}
	return all
}

func (s *Server) fitParts(q *query, a *fit.Answer, v *fitView) {
	v.Basis = append([]string{a.Text()}, s.fitBasis(q, a)...)
	for _, x := range a.Parts {
		to := account.Format(x.Field, x.N)
		v.Parts = append(v.Parts, fitPart{q.t("line.set-" + word(x.Field.String())), account.Format(x.Field, x.Now), to, x.Seen, x.Margin})
		v.Hidden = append(v.Hidden, pair{x.Field.String(), to})
	}
	if !a.Only.IsZero() {
		v.Parts = append(v.Parts, fitPart{Setting: q.t("fit.only"), Now: q.t("fit.anywhere"), To: a.Only.String(), Seen: q.t("fit.only-seen")})
		v.Hidden = append(v.Hidden, pair{"only", a.Only.String()})
	}
	for i := range a.Stopped[:min(len(a.Stopped), stoppedShown)] {
		c := &a.Stopped[i]
		by := q.t("fit.other")
		switch {
		case c.Setting < account.NumFields:
			by = q.t("line.set-" + word(c.Setting.String()))
		case c.Setting == fit.Places:
			by = q.t("fit.only")
		}
		v.Stopped = append(v.Stopped, fitStopped{q.at(c.At), s.dialled(c.Number, c.Number), coreexposure.Amount(c.Cost), by})
	}
	v.More = len(a.Stopped) - len(v.Stopped)
}

// applyFit puts in force what the page showed. It travels with the form, so that nothing is applied that was not seen.
func (s *Server) applyFit(q *query) (page, error) {
	l, err := s.ours(q)
	if err != nil {
		return page{}, err
	}
	if err := q.may("apply-fit"); err != nil {
		return page{}, err
	}
	changed := &fault{status: http.StatusConflict, title: "fit.changed", text: "fit.changed-what"}
	var set []fit.Set
	for f := range account.NumFields {
		text := q.form.Get(f.String())
		if text == "" {
			continue
		}
		n, err := account.ParseValue(f, text)
		if err != nil {
			return page{}, changed
		}
		set = append(set, fit.Set{Field: f, N: n})
	}
	var only restrict.Set
	if text := q.form.Get("only"); text != "" {
		if only, err = restrict.ParseSet(text); err != nil {
			return page{}, changed
		}
	}
	_, err = s.d.Fit.Apply(q.Context(), q.Who.Actor, l, set, only)
	_, loosens := errors.AsType[*book.Loosening](err)
	_, looser := errors.AsType[*book.Looser](err)
	_, invalid := errors.AsType[*book.Invalid](err)
	if loosens || looser || invalid {
		return page{}, changed
	}
	return page{see: linePath(l)}, err
}

// fitVersion differs when the search has ended.
func (s *Server) fitVersion(q *query) (string, error) {
	l, err := s.ours(q)
	if err != nil {
		return "", err
	}
	stops, _ := strconv.Atoi(q.form.Get("stops"))
	a, _, err := s.d.Fit.Of(q.Context(), l, min(max(stops, 0), fit.MostStops), 0)
	return strconv.FormatBool(a != nil), err
}
