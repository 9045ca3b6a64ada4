package rest

import (
	"context"
	"net/http"
	"time"

	"ringfence/core/account"
	"ringfence/edge/rest/api"
	"ringfence/flow/book"
)

var _ = serves(func(s *Server) {
	const one, tag = "/v1/customers/{id}", "customers"
	listed[api.Customer](s, s.listCustomers)
	added[api.Customer](s, s.addCustomer)
	shown[api.Customer](s, named(s, "customer", s.customer, s.getCustomer))
	changed[api.Customer](s, named(s, "customer", s.customer, s.changeCustomer))
	route(s, op(http.MethodPost, one+"/lock", "lock-customer", tag, "Lock every line of a customer"), named(s, "customer", s.customer, s.lockCustomer))
	route(s, op(http.MethodPost, one+"/unlock", "unlock-customer", tag, "Unlock the lines that were locked with the customer"), named(s, "customer", s.customer, s.unlockCustomer))
	deleted[api.Customer](s, named(s, "customer", s.customer, s.deleteCustomer))
})

func (s *Server) listCustomers(ctx context.Context, in *struct {
	Page
	api.CustomerFilter
},
) (out api.List[api.Customer], err error) {
	if id := own(ctx); id != "" && !s.sells(ctx) {
		v, err := s.customer(ctx, account.FullIdentity(id))
		if err != nil || account.Handle(id) <= in.After {
			return api.List[api.Customer]{Items: []api.Customer{}}, err
		}
		return api.List[api.Customer]{Items: []api.Customer{customerView(&v)}}, nil
	}
	reseller := own(ctx)
	if in.Reseller != "" {
		v, err := s.reseller(ctx, in.Reseller)
		if err != nil {
			return out, err
		}
		reseller = v.ID
	}
	found := s.d.Book.Customers
	if reseller != "" {
		found = func(after string, limit int) []book.CustomerView { return s.d.Book.CustomersOf(reseller, after, limit) }
	}
	all := views(found(in.After, in.Limit+1), customerView)
	return list(all, in.Limit, func(c *api.Customer) string { return c.ID }), nil
}

func (s *Server) addCustomer(ctx context.Context, in *struct{ Body api.NewCustomer }) (out api.Customer, err error) {
	edit, err := s.customerEdit("", &in.Body.PatchCustomer)
	if err != nil {
		return out, err
	}
	v, err := s.d.Book.AddCustomer(ctx, by(ctx), in.Body.ID, edit)
	if err != nil {
		return out, err
	}
	return s.customerDetail(ctx, &v)
}

// customerEdit reads what is to be changed of a customer; "" is a new one.
func (s *Server) customerEdit(id string, b *api.PatchCustomer) (book.CustomerEdit, error) {
	nets, set, err := link(b.Nets, b.Set, s.customerZone(id, b.Zone))
	edit := book.CustomerEdit{Name: b.Name, Zone: b.Zone, Tariff: b.Tariff, Nets: nets, Courtesy: courtesy(b.Courtesy), Set: set, Reseller: b.Reseller}
	if b.Reseller != nil && *b.Reseller != "" {
		if r, ok := s.d.Book.CustomerCalled(*b.Reseller); ok {
			edit.Reseller = &r.ID
		}
	}
	return edit, err
}

func (s *Server) getCustomer(ctx context.Context, v book.CustomerView, _ *api.CustomerID) (api.Customer, error) {
	return s.customerDetail(ctx, &v)
}

func (s *Server) changeCustomer(ctx context.Context, c book.CustomerView, in *customerChange) (out api.Customer, err error) {
	b := &in.Body
	if err := notForCustomers(ctx, map[string]bool{"zone": b.Zone != nil, "tariff": b.Tariff != nil, "reseller": b.Reseller != nil}, b.Set); err != nil {
		return out, err
	}
	edit, err := s.customerEdit(c.ID, b)
	if err != nil {
		return out, err
	}
	v, err := s.editCustomer(ctx, c.ID, edit)
	if err != nil {
		return out, err
	}
	return s.customerDetail(ctx, &v)
}

type customerChange struct {
	api.CustomerID
	Body api.PatchCustomer
}

func (s *Server) deleteCustomer(ctx context.Context, c book.CustomerView, _ *api.CustomerID) (none, error) {
	return none{}, s.d.Book.DeleteCustomer(ctx, by(ctx), c.ID)
}

// customerDetail adds what lists leave out.
func (s *Server) customerDetail(ctx context.Context, v *book.CustomerView) (api.Customer, error) {
	now := time.Now()
	out := customerView(v)
	out.Settings = settings(&v.Effective, &v.Settings, now, s.d.Book.Zone(v.ID))
	out.Closed = closings(&v.Effective, now, s.d.Book.Zone(v.ID))
	purses, err := s.purses(ctx, v.ID, "", now)
	out.Purses = purses
	return out, err
}

func (s *Server) purses(ctx context.Context, customer, line string, now time.Time) ([]api.Purse, error) {
	if s.d.Purses == nil {
		return []api.Purse{}, nil
	}
	all, err := s.d.Purses(ctx, customer, line, now)
	if err != nil {
		return nil, err
	}
	return views(all, purseView), nil
}

// netLocks are the locks of the whole chain, from the provider down, each with its link.
func netLocks(chain ...*account.Settings) []api.NetLock {
	out := []api.NetLock{}
	for i := range chain {
		if chain[i] != nil && len(chain[i].Nets) > 0 {
			level := account.LevelProvider + account.Level(i)
			out = append(out, api.NetLock{From: level.String(), Nets: netTexts(chain[i].Nets)})
		}
	}
	return out
}
