package web

import "html/template"

var _ = serves(func(s *Server) { s.page("GET /help", public, s.helpPage) })

// helpView is who helps, and when.
type helpView struct {
	Departments []departmentView
	Help        help
	Code        string // the panic code; "": none
}

type departmentView struct {
	Name   string
	Open   bool
	Says   template.HTML
	Hours  string
	Routes []contactRoute
}

// helpPage says who is there now, and how they are reached.
func (s *Server) helpPage(q *query) (page, error) {
	v := helpView{Help: s.help}
	if s.d.Security != nil {
		v.Code = s.d.Security().PanicCode
	}
	title := q.t("help.title")
	for i := range s.d.Help.Departments {
		d := &s.d.Help.Departments[i]
		x := departmentView{Name: harmless(d.Name, 60), Hours: d.Open.String(), Routes: routesOf(s.words, d.Phone, d.Text, d.Mail, "")}
		open, next := d.OpenAt(q.now, s.reader.zone, s.d.Help.Holidays)
		switch {
		case open:
			if x.Open, x.Says = true, q.mark("help.open"); title == q.t("help.title") {
				title = q.t("help.is-open", "name", x.Name)
			}
		case !next.IsZero():
			x.Says = q.mark("help.opens", "when", s.reader.when(next.In(s.reader.zone)))
		}
		v.Departments = append(v.Departments, x)
	}
	return page{name: "help", title: title, shape: "middle", data: v}, nil
}
