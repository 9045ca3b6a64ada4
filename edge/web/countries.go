package web

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"ringfence/core/account"
	"ringfence/core/phone"
	"ringfence/core/restrict"
	"ringfence/flow/book"
	"ringfence/flow/exposure"
	"ringfence/flow/notify"
)

var _ = serves(func(s *Server) {
	if s.d.Book == nil || s.d.Exposure == nil {
		return
	}
	s.page("GET /lines/{line}/countries", customer, s.countries)
})

// countriesView is where a line may call, at what price.
type countriesView struct {
	Path   string
	Find   string
	Said   template.HTML // of a number that was looked for
	Rows   []countryRow
	May    bool
	Sought bool
}

type countryRow struct {
	Code, Name string
	Calls      int
	Price      string // from … to …
	Tag        tag
	Close      bool
	Open       string // id of the restriction that alone closes it
}

// countries lists what the line's price list prices: what it called first. A number or a name narrows it.
func (s *Server) countries(q *query) (page, error) {
	l, err := s.ours(q)
	if err != nil {
		return page{}, err
	}
	seen, err := s.d.Exposure.See(q.Context(), l)
	if err != nil {
		return page{}, err
	}
	v := countriesView{Path: linePath(l), Find: harmless(q.form.Get("to"), 40), May: q.may("add-restriction") == nil}
	sought := strings.ToLower(strings.TrimSpace(q.form.Get("to")))
	v.Sought = sought != ""
	only, said := s.sought(q, l, sought)
	v.Said = said
	open := 0
	for _, c := range s.d.Exposure.Countries(l) {
		row := s.countryRow(q, l, &c, seen)
		if row.Tag.Look != "grave" {
			open++
		}
		switch {
		case only != (phone.Country{}) && only != c.Code:
		case only == (phone.Country{}) && v.Sought && !strings.Contains(strings.ToLower(row.Name), sought) && !strings.EqualFold(row.Code, sought):
		default:
			v.Rows = append(v.Rows, row)
		}
	}
	slices.SortStableFunc(v.Rows, func(a, b countryRow) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), strings.Compare(a.Name, b.Name))
	})
	return page{
		name: "countries", title: q.t("countries.title", "line", l.Handle(), "n", open), nav: "/lines", data: v,
		crumbs: []crumb{{q.t("frame.lines"), "/lines"}, {l.Handle(), linePath(l)}},
	}, nil
}

// sought is the country of a number that somebody looks for, and what it costs.
func (s *Server) sought(q *query, l *book.Line, text string) (phone.Country, template.HTML) {
	if !strings.ContainsAny(text, "0123456789") || len(text) > 40 {
		return phone.Country{}, ""
	}
	dest, problem := s.d.Book.Plan().Parse(text)
	if problem != phone.NoProblem { // perhaps only how numbers begin
		var prefix uint64
		if _, err := fmt.Sscanf(strings.TrimPrefix(strings.TrimPrefix(text, "00"), "+"), "%d", &prefix); err != nil || prefix > 999_999_999 {
			return phone.Country{}, q.mark("countries.no-number", "number", name(text))
		}
		for _, d := range s.d.Book.Plan().Sorts(prefix) {
			return d.Country, ""
		}
		return phone.Country{}, q.mark("countries.no-number", "number", name(text))
	}
	deck, _ := l.Retail()
	if deck == nil {
		return dest.Country, ""
	}
	price, _ := deck.Price(dest, q.now)
	if price == nil || price.NoPrice {
		return dest.Country, q.mark("countries.no-price", "number", s.reader.tel(dest.Number))
	}
	return dest.Country, q.mark("countries.costs", "number", s.reader.tel(dest.Number), "name", name(price.Name), "rate", s.reader.rate(price.FirstMinute()))
}

func (s *Server) countryRow(q *query, l *book.Line, c *exposure.Country, seen *exposure.Seen) countryRow {
	e, code := l.Effective(q.now), c.Code.String()
	row := countryRow{Code: code, Name: cmp.Or(notify.Country(code), code), Calls: seen.Called[code], Price: s.reader.rate(c.Cheapest), Tag: tag{"good", "check", q.t("countries.open")}}
	if c.Dearest > c.Cheapest {
		row.Price = q.t("countries.to", "from", s.reader.rate(c.Cheapest), "to", s.reader.rate(c.Dearest))
	}
	field := account.InternationalCeiling
	if c.National {
		field = account.NationalCeiling
	}
	ceiling := e.Ceiling(field)
	closing := restrict.Closing(e.Restrictions, &restrict.Call{Dest: c.Dest, Price: c.Price}, q.now, l.Zone(), false)
	switch {
	case closing != nil:
		row.Tag = tag{"grave", "barred", q.t("countries.closed")}
		for _, r := range l.Settings().Restrictions {
			if r.ID == closing.ID && r.Names.String() == code && r.Finding == "" {
				row.Open = idText(r.ID)
			}
		}
		return row
	case c.Cheapest > ceiling:
		row.Tag = tag{"grave", "barred", q.t("countries.dear", "ceiling", s.reader.rate(ceiling))}
		return row
	case c.Dearest > ceiling:
		row.Tag = tag{"good", "check", q.t("countries.up-to", "ceiling", s.reader.rate(ceiling))}
	}
	row.Close = !c.National
	return row
}
