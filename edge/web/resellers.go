package web

import (
	"bytes"
	"cmp"
	"context"
	"html/template"
	"math"
	"net/http"
	"regexp"
	"strings"

	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/flow/book"
	"ringfence/flow/exposure"
)

var _ = serves(func(s *Server) {
	if s.d.Book == nil || s.d.Exposure == nil {
		return
	}
	s.page("GET /customers", customer, s.ownCustomers)
	s.page("GET /staff/resellers/{reseller}", staff, s.resellerOf)
})

// forPath begins the addresses under which a reseller's people see the pages of a customer of theirs, as the customer does. The customer is in the
// address and not in the session, so that two tabs are two customers.
const forPath = "/for/"

type forKey struct{}

// forCustomer takes the customer off an address. To others than the reseller's people there is nothing.
func (s *Server) forCustomer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(r.URL.Path, forPath)
		if !ok || s.d.Book == nil {
			next.ServeHTTP(w, r)
			return
		}
		handle, path, _ := strings.Cut(rest, "/")
		v, in, err := s.visitor(r)
		c, known := s.d.Book.CustomerCalled(handle)
		switch {
		case err != nil:
			s.fail(w, r, err)
		case !in:
			s.fail(w, r, &fault{status: http.StatusUnauthorized, title: "error.sign-in", text: "error.sign-in-what"})
		case !known || v.Customer == "" || c.Reseller != v.Customer || account.Handle(c.ID) != handle:
			s.fail(w, r, errMissing)
		default:
			below := r.Clone(context.WithValue(r.Context(), forKey{}, c.ID))
			below.URL.Path, below.URL.RawPath = "/"+path, ""
			next.ServeHTTP(w, below)
		}
	})
}

// actingFor makes a reseller's visitor one of the customer in the address, which forCustomer found to be the reseller's.
func (s *Server) actingFor(r *http.Request, v *Visitor) {
	id, ok := r.Context().Value(forKey{}).(string)
	if !ok {
		return
	}
	v.Customer, v.Under = id, forPath+account.Handle(id)
	if s.d.ZoneOf != nil {
		v.Zone = s.d.ZoneOf(id)
	}
}

// ownPaths are the addresses of ours in a page. No text of somebody's is among them: its quotes are escaped.
var ownPaths = regexp.MustCompile(` (href|action|formaction|content|data-[a-z-]+)="/`)

// under puts the customer back into the addresses of a page; those of style and scripts, and of the list of customers, are the same for all.
func under(prefix string, page []byte) []byte {
	if prefix == "" {
		return page
	}
	var b bytes.Buffer
	from := 0
	for _, at := range ownPaths.FindAllIndex(page, -1) {
		b.Write(page[from : at[1]-1])
		from = at[1] - 1
		if rest := page[from:]; !bytes.HasPrefix(rest, []byte("/assets/")) && !bytes.HasPrefix(rest, []byte(`/customers"`)) {
			b.WriteString(prefix)
		}
	}
	b.Write(page[from:])
	return b.Bytes()
}

// customerTitle is what a customer is called.
func (s *Server) customerTitle(id string) template.HTML {
	if c, ok := s.d.Book.Customer(id); ok {
		return name(harmless(customerName(&c), 80))
	}
	return ""
}

// sells says that the visitor is one of a reseller's people, at the reseller's own pages.
func (s *Server) sells(customer string) bool {
	if s.d.Book == nil || customer == "" {
		return false
	}
	c, ok := s.d.Book.Customer(customer)
	return ok && c.Resale.Sells
}

// customerRow is a customer of a reseller's.
type customerRow struct {
	Name         template.HTML
	Path         string
	Lines, Calls int
	Exposure     money.Micro
	Unbilled     money.Micro
}

// customersView is a reseller's customers, and what they spent of its caps.
type customersView struct {
	Rows     []customerRow
	Caps     []string
	Exposure money.Micro
	Facts    []deskFact
}

func (s *Server) ownCustomers(q *query) (page, error) {
	if err := q.may("list-customers"); err != nil {
		return page{}, err
	}
	c, ok := s.d.Book.Customer(q.Who.Customer)
	if !ok || !c.Resale.Sells || q.Under != "" {
		return page{}, errMissing
	}
	return s.customersPage(q, &c, func(c *book.CustomerView) string { return forPath + account.Handle(c.ID) + "/" })
}

// resellerOf is a reseller as staff see it.
func (s *Server) resellerOf(q *query) (page, error) {
	if err := q.may("get-reseller"); err != nil {
		return page{}, err
	}
	c, ok := s.d.Book.CustomerCalled(q.PathValue("reseller"))
	if !ok || !c.Resale.Sells {
		return page{}, errMissing
	}
	p, err := s.customersPage(q, &c, func(c *book.CustomerView) string { return "/staff/customers/" + account.Handle(c.ID) })
	p.nav, p.shape = "/staff/search", "staff"
	p.crumbs = []crumb{{q.t("frame.search"), "/staff/search"}, {harmless(customerName(&c), 80), ""}}
	return p, err
}

func (s *Server) customersPage(q *query, c *book.CustomerView, path func(*book.CustomerView) string) (page, error) {
	total, err := s.d.Exposure.Reseller(q.Context(), c.ID, exposure.Tonight)
	if err != nil {
		return page{}, err
	}
	share := map[string]money.Micro{}
	for _, x := range total.Customers {
		share[x.Customer] = x.Retail
	}
	v := customersView{Exposure: total.Retail}
	calls := map[string]int{}
	if s.d.Calls != nil {
		for _, x := range s.d.Calls() {
			calls[x.Account]++
		}
	}
	for _, below := range s.d.Book.CustomersOf(c.ID, "", math.MaxInt) {
		row := customerRow{Name: name(harmless(cmp.Or(below.Name, account.Handle(below.ID)), 80)), Path: path(&below), Lines: below.Lines, Calls: calls[below.ID], Exposure: share[below.ID]}
		if s.d.Watch != nil {
			u := s.d.Watch.Used("account/" + below.ID)[0]
			row.Unbilled = u.Settled + u.Running
		}
		v.Rows = append(v.Rows, row)
	}
	if s.d.Purses != nil && c.Resale.Capped() {
		purses, err := s.d.Purses(q.Context(), c.ID, "", q.now)
		if err != nil {
			return page{}, err
		}
		for i := range purses {
			p := &purses[i]
			text := word("resellers.spent-day")
			if p.Kind == policy.ResellerMonth {
				text = "resellers.spent-month"
			}
			v.Caps = append(v.Caps, q.t(text, "spent", s.reader.money(p.Spent+p.Held), "cap", s.reader.money(p.Cap)))
		}
	}
	title := q.t("resellers.title", "n", len(v.Rows), "amount", s.reader.money(total.Retail))
	if len(v.Rows) == 0 {
		title = q.t("resellers.none")
	}
	return page{name: "customers", title: title, nav: "/customers", crumbs: []crumb{{Text: harmless(cmp.Or(c.Name, account.Handle(c.ID)), 80)}}, data: v}, nil
}
