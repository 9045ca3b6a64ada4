package web

import (
	"html/template"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

var _ = serves(func(s *Server) {
	if s.d.Book == nil || s.d.Watch == nil {
		return
	}
	s.page("GET /report", customer, s.askReport)
	s.page("POST /report", customer, s.report)
})

// reportCode is the form of what a report is known by.
var reportCode = regexp.MustCompile(`^[a-z0-9]{4,20}$`)

func (s *Server) askReport(q *query) (page, error) {
	if code := q.form.Get("code"); reportCode.MatchString(code) {
		v := formView{Text: []template.HTML{q.mark("report.got-what"), q.mark("report.got-next")}, Once: []string{code}, Acts: []act{{Text: q.t("frame.lock"), Path: "/lock", Look: "edged", Icon: "lock"}, {Text: q.t("frame.overview"), Path: "/"}}}
		p := q.ask("report.got", v)
		p.mark = "done"
		return p, nil
	}
	return s.reportPage(q, ""), nil
}

// reportPage asks three things, of which one has to be answered.
func (s *Server) reportPage(q *query, wrong string) page {
	lines := field{Name: "line", Label: q.t("report.line"), Most: 80, Choices: []choice{{"", q.t("report.all-lines"), q.form.Get("line") == ""}}}
	for _, l := range s.d.Book.Lines(q.Customer, "", math.MaxInt) {
		if len(lines.Choices) > mostTicks { // its number is among what they say
			break
		}
		lines.Choices = append(lines.Choices, choice{l.Handle(), strings.Trim(l.Handle()+" · "+harmless(l.Name(), 60), " ·"), q.form.Get("line") == l.Handle()})
	}
	there := field{Name: "there", Label: q.t("report.there"), Most: 20}
	for _, key := range []word{"unsure", "no", "yes"} {
		there.Choices = append(there.Choices, choice{string(key), q.t("report.there-" + key), q.form.Get("there") == string(key)})
	}
	return q.ask("report.title", formView{
		Text: []template.HTML{q.mark("report.what")},
		Fields: []field{
			{Name: "calls", Label: q.t("report.calls"), Help: q.t("report.calls-what"), Value: q.form.Get("calls"), Lines: 4, Most: 1200, Error: wrong, Needed: true},
			{Name: "when", Label: q.t("report.when"), Value: q.form.Get("when"), Most: 100},
			there, lines,
		},
		Button: q.t("report.go"), Acts: []act{{Text: q.t("frame.lock"), Path: "/lock", Look: "edged", Icon: "lock"}},
	})
}

// report puts it into the queue of the staff.
func (s *Server) report(q *query) (page, error) {
	if err := q.may("report-fraud"); err != nil {
		return page{}, err
	}
	calls := strings.TrimSpace(q.form.Get("calls"))
	if calls == "" {
		p := s.reportPage(q, q.t("report.want"))
		p.status = http.StatusUnprocessableEntity
		return p, nil
	}
	line := ""
	if handle := q.form.Get("line"); handle != "" {
		l, ok := s.d.Book.LineCalled(handle)
		if !ok || l.Customer() != q.Customer {
			return page{}, errMissing
		}
		line = l.ID()
	}
	text := calls
	if when := strings.TrimSpace(q.form.Get("when")); when != "" {
		text += " " + q.t("report.noticed", "when", when)
	}
	switch q.form.Get("there") {
	case "no":
		text += " " + q.t("report.nobody")
	case "yes":
		text += " " + q.t("report.somebody")
	}
	code, err := s.reported(q, line, text)
	if why := said(q, err); why != "" {
		return s.reportPage(q, q.t("report.many")), nil
	}
	return page{see: "/report?code=" + url.QueryEscape(code)}, err
}

// reported is what a report is known by. It opens a case where there are cases.
func (s *Server) reported(q *query, line, text string) (string, error) {
	if s.d.Cases == nil {
		return s.d.Watch.Report(q.Context(), q.ID, q.Customer, line, text)
	}
	code, _, err := s.d.Cases.Report(q.Context(), asking(q), q.Customer, line, text)
	return code, err
}
