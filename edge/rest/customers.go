package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ringfence/core/account"
	"ringfence/edge/rest/api"
	"ringfence/flow/book"
)

// customerID is a path parameter.
type customerID struct {
	ID string `path:"id" maxLength:"60"`
}

func (s *Server) customerRoutes() {
	const path, one, tag = "/v1/customers", "/v1/customers/{id}", "customers"
	huma.Register(s.api, op(http.MethodGet, path, "list-customers", tag, "List customers"), s.listCustomers)
	huma.Register(s.api, created(op(http.MethodPost, path, "add-customer", tag, "Add a customer")), s.addCustomer)
	huma.Register(s.api, op(http.MethodGet, one, "get-customer", tag, "Show a customer"), s.getCustomer)
	huma.Register(s.api, op(http.MethodPatch, one, "change-customer", tag, "Change a customer"), s.changeCustomer)
	huma.Register(s.api, op(http.MethodPost, one+"/lock", "lock-customer", tag, "Lock every line of a customer"), s.lockCustomer)
	huma.Register(s.api, op(http.MethodPost, one+"/unlock", "unlock-customer", tag, "Open the lines that were locked with the customer"), s.unlockCustomer)
	huma.Register(s.api, op(http.MethodDelete, one, "delete-customer", tag, "Delete a customer without lines"), s.deleteCustomer)
}

func (s *Server) listCustomers(_ context.Context, in *page) (*answer[api.List[api.Customer]], error) {
	views := s.d.Book.Customers(in.After, in.Limit+1)
	out := make([]api.Customer, len(views))
	for i := range views {
		out[i] = customerView(&views[i])
	}
	return reply(list(out, in.Limit, func(c *api.Customer) string { return c.ID }), nil)
}

func (s *Server) addCustomer(ctx context.Context, in *struct{ Body api.NewCustomer }) (*answer[api.Customer], error) {
	b := &in.Body
	nets, err := parseNets("nets", b.Nets)
	if err != nil {
		return nil, s.explain(err)
	}
	set, err := changes(b.Set, s.customerZone(b.ID, &b.Zone))
	if err != nil {
		return nil, s.explain(err)
	}
	edit := book.CustomerEdit{Name: &b.Name, Zone: &b.Zone, Tariff: &b.Tariff, Nets: &nets, Courtesy: courtesy(&b.Courtesy), Set: set}
	v, err := s.d.Book.AddCustomer(ctx, by(ctx), b.ID, edit)
	if err != nil {
		return nil, s.explain(err)
	}
	return reply(s.customerDetail(ctx, &v))
}

func (s *Server) getCustomer(ctx context.Context, in *customerID) (*answer[api.Customer], error) {
	v, err := s.customer(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return reply(s.customerDetail(ctx, &v))
}

func (s *Server) changeCustomer(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"60"`
	Body api.PatchCustomer
},
) (*answer[api.Customer], error) {
	b := &in.Body
	nets, err := parseNetsIf("nets", b.Nets)
	if err != nil {
		return nil, s.explain(err)
	}
	set, err := changes(b.Set, s.customerZone(in.ID, b.Zone))
	if err != nil {
		return nil, s.explain(err)
	}
	c, err := s.customer(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	v, err := s.d.Book.EditCustomer(ctx, by(ctx), c.ID, book.CustomerEdit{
		Name: b.Name, Zone: b.Zone, Tariff: b.Tariff, Nets: nets, Courtesy: courtesy(b.Courtesy), Set: set,
	})
	if err != nil {
		return nil, s.about(err, "customer", in.ID)
	}
	return reply(s.customerDetail(ctx, &v))
}

func (s *Server) deleteCustomer(ctx context.Context, in *customerID) (*struct{}, error) {
	c, err := s.customer(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.d.Book.DeleteCustomer(ctx, by(ctx), c.ID); err != nil {
		return nil, s.about(err, "customer", in.ID)
	}
	return nil, nil
}

// customerDetail adds what lists leave out.
func (s *Server) customerDetail(ctx context.Context, v *book.CustomerView) (api.Customer, error) {
	now := time.Now()
	out := customerView(v)
	out.Settings = settings(&v.Effective, &v.Settings, now, s.d.Book.Zone(v.ID))
	purses, err := s.purses(ctx, v.ID, "", now)
	out.Purses = purses
	return out, err
}

func (s *Server) purses(ctx context.Context, customer, line string, now time.Time) ([]api.Purse, error) {
	out := []api.Purse{}
	if s.d.Purses == nil {
		return out, nil
	}
	all, err := s.d.Purses(ctx, customer, line, now)
	if err != nil {
		return nil, s.explain(err)
	}
	for i := range all {
		out = append(out, purseView(&all[i]))
	}
	return out, nil
}

// netLocks are the locks of the whole chain, from the provider down, each with its link.
func netLocks(chain ...account.Settings) []api.NetLock {
	out := []api.NetLock{}
	for i := range chain {
		if len(chain[i].Nets) > 0 {
			level := account.LevelProvider + account.Level(i)
			out = append(out, api.NetLock{From: level.String(), Nets: netTexts(chain[i].Nets)})
		}
	}
	return out
}
