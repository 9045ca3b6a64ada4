package rest

import (
	"context"
	"math"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ringfence/core/account"
	"ringfence/edge/rest/api"
	"ringfence/flow/book"
)

// lineID is a path parameter.
type lineID struct {
	ID string `path:"id" maxLength:"80"`
}

func (s *Server) lineRoutes() {
	const path, one, tag = "/v1/lines", "/v1/lines/{id}", "lines"
	huma.Register(s.api, op(http.MethodGet, path, "list-lines", tag, "List lines"), s.listLines)
	huma.Register(s.api, created(op(http.MethodPost, path, "add-line", tag, "Add a line; a generated password is shown once")), s.addLine)
	huma.Register(s.api, op(http.MethodGet, "/v1/registrations", "list-registrations", tag, "List registered phones, by line"), s.listRegistrations)
	huma.Register(s.api, op(http.MethodGet, one, "get-line", tag, "Show a line: settings, phones, calls, money"), s.getLine)
	huma.Register(s.api, op(http.MethodPatch, one, "change-line", tag, "Change a line"), s.changeLine)
	huma.Register(s.api, op(http.MethodDelete, one, "delete-line", tag, "Delete a line; its calls are cut"), s.deleteLine)
	huma.Register(s.api, op(http.MethodPost, one+"/password", "set-password", tag, "Set or generate a line's password"), s.setPassword)
	huma.Register(s.api, op(http.MethodPost, one+"/lock", "lock-line", tag, "Lock a line: only emergency calls go out"), s.lockLine)
	huma.Register(s.api, op(http.MethodPost, one+"/unlock", "unlock-line", tag, "Unlock a line"), s.unlockLine)
}

func (s *Server) listLines(ctx context.Context, in *struct {
	After    string `query:"after" maxLength:"64" doc:"continue above this id: next of the page before"`
	Limit    int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Customer string `query:"customer" maxLength:"60"`
},
) (*answer[api.List[api.Line]], error) {
	customer, err := s.customerFilter(ctx, in.Customer)
	if err != nil {
		return nil, err
	}
	lines := s.d.Book.Lines(customer, in.After, in.Limit+1)
	out := make([]api.Line, len(lines))
	for i, l := range lines {
		out[i] = lineView(l)
	}
	return reply(list(out, in.Limit, func(l *api.Line) string { return l.ID }), nil)
}

// listRegistrations takes the phones of a line on one page, so that a page may be a few longer than asked for.
func (s *Server) listRegistrations(ctx context.Context, in *struct {
	After    string `query:"after" maxLength:"64" doc:"continue above this line: next of the page before"`
	Limit    int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Line     string `query:"line" maxLength:"80"`
	Customer string `query:"customer" maxLength:"60"`
},
) (*answer[api.List[api.Registration]], error) {
	if s.d.Phones == nil {
		return nil, unavailable("the list of phones")
	}
	customer, err := s.customerFilter(ctx, in.Customer)
	if err != nil {
		return nil, err
	}
	lines := s.d.Book.Lines(customer, in.After, math.MaxInt)
	if in.Line != "" {
		l, err := s.line(ctx, in.Line)
		if err != nil {
			return nil, err
		}
		lines = []*book.Line{l}
	}
	out, now := api.List[api.Registration]{Items: []api.Registration{}}, time.Now()
	for _, l := range lines {
		phones := s.d.Phones(l.ID(), now)
		if len(phones) > 0 && len(out.Items) >= in.Limit {
			out.Next = out.Items[len(out.Items)-1].Line
			break
		}
		for i := range phones {
			out.Items = append(out.Items, api.Registration{Line: l.Handle(), Customer: account.Handle(l.Customer()), Phone: phoneView(&phones[i])})
		}
	}
	return reply(out, nil)
}

func (s *Server) addLine(ctx context.Context, in *struct{ Body api.NewLine }) (*answer[api.Created], error) {
	b := &in.Body
	nets, err := parseNets("nets", b.Nets)
	if err != nil {
		return nil, s.explain(err)
	}
	customer := b.Customer // the book refuses what is no customer
	if c, ok := s.d.Book.CustomerCalled(customer); ok {
		customer = c.ID
	}
	set, err := changes(b.Set, s.d.Book.Zone(customer))
	if err != nil {
		return nil, s.explain(err)
	}
	l, password, err := s.d.Book.AddLine(ctx, by(ctx), book.NewLine{
		ID: b.ID, Customer: customer, Password: b.Password, NoPassword: b.NoPassword,
		Edit: book.LineEdit{Name: &b.Name, Number: &b.Number, Nets: &nets, Courtesy: courtesy(&b.Courtesy), Honeypot: &b.Honeypot, Set: set},
	})
	if err != nil {
		return nil, s.explain(err)
	}
	return reply(api.Created{Line: lineView(l), Password: password}, nil)
}

func (s *Server) getLine(ctx context.Context, in *lineID) (*answer[api.LineDetail], error) {
	l, err := s.line(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return reply(s.lineDetail(ctx, l))
}

func (s *Server) changeLine(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"80"`
	Body api.PatchLine
},
) (*answer[api.LineDetail], error) {
	b := &in.Body
	nets, err := parseNetsIf("nets", b.Nets)
	if err != nil {
		return nil, s.explain(err)
	}
	set, err := changes(b.Set, s.lineZone(in.ID))
	if err != nil {
		return nil, s.explain(err)
	}
	l, err := s.line(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	l, err = s.d.Book.EditLine(ctx, by(ctx), l.ID(), book.LineEdit{
		Name: b.Name, Number: b.Number, Nets: nets, Courtesy: courtesy(b.Courtesy), Honeypot: b.Honeypot, Set: set,
	})
	if err != nil {
		return nil, s.about(err, "line", in.ID)
	}
	return reply(s.lineDetail(ctx, l))
}

func (s *Server) deleteLine(ctx context.Context, in *lineID) (*struct{}, error) {
	l, err := s.line(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.d.Book.DeleteLine(ctx, by(ctx), l.ID()); err != nil {
		return nil, s.about(err, "line", in.ID)
	}
	return nil, nil
}

func (s *Server) setPassword(ctx context.Context, in *struct {
	ID   string `path:"id" maxLength:"80"`
	Body api.SetPassword
},
) (*answer[api.Password], error) {
	l, err := s.line(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	generated, err := s.d.Book.SetPassword(ctx, by(ctx), l.ID(), in.Body.Password)
	if err != nil {
		return nil, s.about(err, "line", in.ID)
	}
	return reply(api.Password{Line: l.Handle(), Password: generated, Generated: generated != ""}, nil)
}

// lineDetail gathers all that staff want to see of a line at once.
func (s *Server) lineDetail(ctx context.Context, l *book.Line) (api.LineDetail, error) {
	now, own := time.Now(), l.Settings()
	out := api.LineDetail{
		Line: lineView(l), Settings: settings(l.Effective(now), &own, now, l.Zone()), Zone: l.Zone().String(), Tariff: l.Tariff(),
		Phones: []api.Phone{}, Calls: s.liveCalls(l.ID(), now),
	}
	var customer account.Settings
	if c, ok := s.d.Book.Customer(l.Customer()); ok {
		customer = c.Settings
	}
	out.Nets = netLocks(*s.d.Book.Provider(), customer, own)
	if s.d.Phones != nil {
		for _, b := range s.d.Phones(l.ID(), now) {
			out.Phones = append(out.Phones, phoneView(&b))
		}
	}
	purses, err := s.purses(ctx, l.Customer(), l.ID(), now)
	out.Purses = purses
	return out, err
}
