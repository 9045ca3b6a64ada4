package rest

import (
	"context"
	"net/http"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/core/person"
	"ringfence/edge/rest/api"
	"ringfence/flow/book"
)

var _ = serves(func(s *Server) {
	listed[api.Reseller](s, s.listResellers)
	added[api.Reseller](s, s.addReseller)
	shown[api.Reseller](s, named(s, "reseller", s.reseller, s.getReseller))
	changed[api.Reseller](s, named(s, "reseller", s.reseller, s.changeReseller))
	deleted[api.Reseller](s, named(s, "reseller", s.reseller, s.deleteReseller))
})

// reaching is who asks, with the customers of a reseller within the reach of the reseller's people.
func (s *Server) reaching(who *person.Who) *person.Who {
	if who == nil || who.Customer == "" {
		return who
	}
	w := *who
	w.Below = func(customer string) bool { return s.d.Book.ResellerOf(customer) == w.Customer }
	return &w
}

// sells says that who asks is one of a reseller's people.
func (s *Server) sells(ctx context.Context) bool {
	v, ok := s.d.Book.Customer(own(ctx))
	return ok && v.Resale.Sells
}

// reseller finds the reseller that is called so now. A customer is none.
func (s *Server) reseller(ctx context.Context, called string) (book.CustomerView, error) {
	if v, ok := s.d.Book.CustomerCalled(called); ok && v.Resale.Sells && theirs(ctx, v.ID) {
		return v, nil
	}
	return book.CustomerView{}, missing("reseller", called)
}

func (s *Server) listResellers(_ context.Context, in *Page) (api.List[api.Reseller], error) {
	all := views(s.d.Book.Resellers(in.After, in.Limit+1), s.resellerView)
	return list(all, in.Limit, func(r *api.Reseller) string { return r.ID }), nil
}

func (s *Server) resellerView(v *book.CustomerView) api.Reseller {
	r := api.Reseller{
		ID: account.Handle(v.ID), Identity: account.FullIdentity(v.ID), Name: v.Name, Zone: v.ZoneInForce, Tariff: v.TariffInForce, Nets: netTexts(v.Settings.Nets),
		DayCap: int64(v.Resale.DayCap), MonthCap: int64(v.Resale.MonthCap), Customers: v.Customers, Created: v.Created,
	}
	for _, c := range s.d.Book.CustomersOf(v.ID, "", v.Customers) {
		r.Lines += c.Lines
	}
	return r
}

func (s *Server) addReseller(ctx context.Context, in *struct{ Body api.NewReseller }) (out api.Reseller, err error) {
	edit, err := s.resellerEdit("", &in.Body.PatchReseller)
	if err != nil {
		return out, err
	}
	v, err := s.d.Book.AddReseller(ctx, by(ctx), in.Body.ID, edit)
	if err != nil {
		return out, err
	}
	return s.getReseller(ctx, v, nil)
}

// resellerEdit reads what is to be changed of a reseller; "" is a new one.
func (s *Server) resellerEdit(id string, b *api.PatchReseller) (edit book.CustomerEdit, err error) {
	nets, set, err := link(b.Nets, b.Set, s.customerZone(id, b.Zone))
	if err != nil {
		return edit, err
	}
	edit = book.CustomerEdit{Name: b.Name, Zone: b.Zone, Tariff: b.Tariff, Nets: nets, Set: set}
	if edit.DayCap, err = capOf("day_cap", b.DayCap); err != nil {
		return edit, err
	}
	edit.MonthCap, err = capOf("month_cap", b.MonthCap)
	return edit, err
}

// capOf reads the cap of a reseller; nil: it was not given.
func capOf(field string, text *string) (*money.Micro, error) {
	none := money.Micro(0)
	switch {
	case text == nil:
		return nil, nil
	case strings.EqualFold(strings.TrimSpace(*text), "off"):
		return &none, nil
	}
	n, err := money.Billing().ParseAmount(strings.TrimSpace(*text))
	if err != nil || n <= 0 {
		return nil, invalid(field, *text, "an amount such as 500, or off for no such cap")
	}
	return &n, nil
}

func (s *Server) getReseller(ctx context.Context, v book.CustomerView, _ *api.ResellerID) (api.Reseller, error) {
	now, out := time.Now(), s.resellerView(&v)
	out.Settings = settings(&v.Effective, &v.Settings, now, s.d.Book.Zone(v.ID))
	if !v.Resale.Capped() {
		return out, nil
	}
	purses, err := s.purses(ctx, v.ID, "", now)
	out.Purses = purses
	return out, err
}

// resellerChange is the body of a change.
type resellerChange struct {
	api.ResellerID
	Body api.PatchReseller
}

func (s *Server) changeReseller(ctx context.Context, v book.CustomerView, in *resellerChange) (out api.Reseller, err error) {
	b := &in.Body
	providers := map[string]bool{"zone": b.Zone != nil, "tariff": b.Tariff != nil, "day_cap": b.DayCap != nil, "month_cap": b.MonthCap != nil}
	if err := notForCustomers(ctx, providers, b.Set); err != nil {
		return out, err
	}
	edit, err := s.resellerEdit(v.ID, b)
	if err != nil {
		return out, err
	}
	if v, err = s.editCustomer(ctx, v.ID, edit); err != nil {
		return out, err
	}
	return s.getReseller(ctx, v, nil)
}

func (s *Server) deleteReseller(ctx context.Context, v book.CustomerView, _ *api.ResellerID) (none, error) {
	return none{}, s.d.Book.DeleteCustomer(ctx, by(ctx), v.ID)
}

// nameOne is the answer to a reseller's people who ask for all at once: what is listed is one customer's.
func nameOne() error {
	p := newProblem(http.StatusUnprocessableEntity, api.ReasonUnknown, "name one of your customers: ringfence customer list")
	p.Errors = []api.Fault{{Field: "customer", Text: "one of your customers is to be named"}}
	return p
}
