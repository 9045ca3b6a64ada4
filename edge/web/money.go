package web

import (
	"html/template"
	"strings"

	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/flow/records"
)

var _ = serves(func(s *Server) {
	if s.d.Records == nil || s.d.Watch == nil {
		return
	}
	s.page("GET /money", customer, s.money)
})

// moneyView is what a customer has used and not been billed for, and what the calls of a time come to: by line, and within each by country.
type moneyView struct {
	Account                    *accountView // nil: nothing is billed here
	Unbilled, Settled, Running string
	Warning                    string
	Disputes                   *disputesView
	Plans                      string // the path of the customer's plans; "" is none
	Period                     field
	Lines                      []moneyLine
	Sum                        moneySum
}

type moneySum struct{ Calls, Talk, Price string }

// moneyLine is a line with its countries: what it comes to is the sum of theirs.
type moneyLine struct {
	Path      string
	Line      template.HTML
	Sum       moneySum
	Countries []moneyCountry
}

type moneyCountry struct {
	Path string
	Name template.HTML
	Sum  moneySum
}

func (s *Server) money(q *query) (page, error) {
	if err := q.may("get-customer-usage"); err != nil {
		return page{}, err
	}
	used := s.d.Watch.Used("account/" + q.Customer)[0]
	x := records.Query{Customer: q.Customer, Period: records.Period(q.form.Get("period"))}
	v := moneyView{Unbilled: s.reader.money(used.Settled.Add(used.Running)), Settled: s.reader.money(used.Settled), Running: s.reader.money(used.Running), Warning: q.t("money.no-warning"), Plans: s.known("/money/plans")}
	if used.Level > 0 {
		v.Warning = q.t("money.warning", "sum", s.reader.money(used.Level))
	}
	v.Period = field{Name: "period", Label: q.t("calls.period")}
	if x.Period != records.Week && x.Period != records.Today {
		x.Period = records.Month
	}
	for _, p := range periods[:3] { // of all time it would be a bill, and take as long as one
		v.Period.Choices = append(v.Period.Choices, choice{string(p), q.t("calls.period-" + word(p)), p == x.Period})
	}
	parts, err := s.d.Records.ByLine(q.Context(), &x, q.now)
	if err != nil {
		return page{}, err
	}
	s.moneyLines(q, &x, parts, &v)
	if v.Account, err = s.account(q); err != nil {
		return page{}, err
	}
	if v.Disputes, err = s.disputes(q); err != nil {
		return page{}, err
	}
	return page{name: "money", title: q.t("money.title", "sum", v.Unbilled), nav: "/money", data: v}, nil
}

// moneyLines adds up: each level is the sum of what stands below it.
func (s *Server) moneyLines(q *query, x *records.Query, parts []records.Part, v *moneyView) {
	var all records.Sum
	sums := map[string]*records.Sum{}
	for i := range parts {
		p := &parts[i]
		if n := len(v.Lines); n == 0 || v.Lines[n-1].Path != "/calls?period="+string(x.Period)+"&line="+account.Handle(p.Line) {
			v.Lines = append(v.Lines, moneyLine{Path: "/calls?period=" + string(x.Period) + "&line=" + account.Handle(p.Line), Line: s.lineText(p.Line)})
			sums[p.Line] = &records.Sum{}
		}
		l := &v.Lines[len(v.Lines)-1]
		l.Countries = append(l.Countries, moneyCountry{Path: l.Path + "&find=" + p.Country, Name: bdi(countryWord(q, p.Country)), Sum: s.moneySum(q, &p.Sum)})
		sums[p.Line].Plus(&p.Sum)
		l.Sum = s.moneySum(q, sums[p.Line])
		all.Plus(&p.Sum)
	}
	v.Sum = s.moneySum(q, &all)
}

func countryWord(q *query, code string) string {
	if strings.TrimSpace(code) == "" {
		return q.t("money.nowhere")
	}
	return records.CountryName(code)
}

// moneySum is a sum with every decimal that it has, so that a column adds up on the page.
func (s *Server) moneySum(q *query, sum *records.Sum) moneySum {
	return moneySum{Calls: q.t("calls.n", "n", sum.Calls), Talk: s.reader.length(sum.Talk), Price: signed(money.Billing().Amount(sum.Retail))}
}
