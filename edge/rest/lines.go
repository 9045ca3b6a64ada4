package rest

import (
	"context"
	"math"
	"net/http"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/habit"
	"ringfence/edge/rest/api"
	"ringfence/flow/book"
	"ringfence/flow/location"
)

var _ = serves(func(s *Server) {
	const one, tag = "/v1/lines/{id}", "lines"
	listed[api.Line](s, s.listLines)
	added[api.Line](s, s.addLine)
	listed[api.Registration](s, need(s.d.Phones != nil, "the list of phones", s.listRegistrations))
	shown[api.Line](s, named(s, "line", s.line, func(ctx context.Context, l *book.Line, _ *api.LineID) (api.LineDetail, error) {
		return s.lineDetail(ctx, l)
	}))
	changed[api.Line](s, named(s, "line", s.line, s.changeLine))
	deleted[api.Line](s, named(s, "line", s.line, s.deleteLine))
	route(s, op(http.MethodPost, one+"/password", "set-password", tag, "Set or generate a line's password"), named(s, "line", s.line, s.setPassword))
	route(s, op(http.MethodPost, one+"/lock", "lock-line", tag, "Lock a line: only emergency calls go out"), named(s, "line", s.line, s.lockLine))
	route(s, op(http.MethodPost, one+"/unlock", "unlock-line", tag, "Unlock a line"), named(s, "line", s.line, s.unlockLine))
})

func (s *Server) listLines(ctx context.Context, in *struct {
	Page
	api.LineFilter
},
) (out api.List[api.Line], err error) {
	customer, err := s.customerFilter(ctx, in.Customer)
	if err != nil {
		return out, err
	}
	all := s.d.Book.Lines(customer, in.After, in.Limit+1)
	return list(views(all, func(l **book.Line) api.Line { return lineView(*l) }), in.Limit, func(l *api.Line) string { return l.ID }), nil
}

// listRegistrations takes the phones of a line on one page, so that a page may be a few longer than asked for.
func (s *Server) listRegistrations(ctx context.Context, in *struct {
	Page
	api.RegistrationFilter
},
) (out api.List[api.Registration], err error) {
	line, customer, err := s.filters(ctx, in.Line, in.Customer)
	if err != nil {
		return out, err
	}
	lines := s.d.Book.Lines(customer, in.After, math.MaxInt)
	if in.Line != "" {
		l, ok := s.d.Book.Line(line)
		if !ok {
			return out, missing("line", in.Line)
		}
		lines = []*book.Line{l}
	}
	now := time.Now()
	out.Items = []api.Registration{}
	for _, l := range lines {
		phones := s.d.Phones(l.ID(), now)
		if len(phones) > 0 && len(out.Items) >= in.Limit {
			out.Next = out.Items[len(out.Items)-1].Line
			break
		}
		out.Items = append(out.Items, views(phones, func(b *location.Binding) api.Registration {
			return api.Registration{Line: l.Handle(), Customer: account.Handle(l.Customer()), Phone: phoneView(b)}
		})...)
	}
	return out, nil
}

func (s *Server) addLine(ctx context.Context, in *struct{ Body api.NewLine }) (out api.Created, err error) {
	b := &in.Body
	customer := b.Customer // the book refuses what is no customer
	if c, ok := s.d.Book.CustomerCalled(customer); ok {
		customer = c.ID
	}
	edit, err := lineEdit(&b.PatchLine, s.d.Book.Zone(customer))
	if err != nil {
		return out, err
	}
	l, password, err := s.d.Book.AddLine(ctx, by(ctx), book.NewLine{ID: b.ID, Customer: customer, Password: b.Password, NoPassword: b.NoPassword, Edit: edit})
	if err != nil {
		return out, err
	}
	return api.Created{Line: lineView(l), Password: password}, nil
}

// lineEdit reads what is to be changed of a line; days are of the zone.
func lineEdit(b *api.PatchLine, zone *time.Location) (book.LineEdit, error) {
	nets, set, err := link(b.Nets, b.Set, zone)
	return book.LineEdit{Name: b.Name, Number: b.Number, Nets: nets, Courtesy: courtesy(b.Courtesy), Honeypot: b.Honeypot, Set: set, Forward: forwards(b), Reach: reached(b)}, err
}

// reached is what is to be changed of how a line is reached.
func reached(b *api.PatchLine) book.Reach {
	r := book.Reach{Short: b.Short, Numbers: b.Numbers, Members: b.Rings}
	if b.Ring != nil {
		turn := *b.Ring == "in-turn"
		r.InTurn = &turn
	}
	if b.RingEach != nil {
		each := time.Duration(*b.RingEach) * time.Second
		r.Each = &each
	}
	return r
}

// forwards are the forwards that are to be changed.
func forwards(b *api.PatchLine) (all []book.Forward) {
	for _, f := range []struct {
		cause call.Cause
		to    *string
	}{
		{call.ForwardAlways, b.ForwardAlways}, {call.ForwardBusy, b.ForwardBusy}, {call.ForwardNoAnswer, b.ForwardNoAnswer}, {call.ForwardUnreachable, b.ForwardUnreachable},
	} {
		if f.to != nil {
			all = append(all, book.Forward{Cause: f.cause, To: strings.TrimSpace(*f.to)})
		}
	}
	if b.ForwardAfter != nil {
		all = append(all, book.Forward{After: time.Duration(*b.ForwardAfter) * time.Second})
	}
	return all
}

func (s *Server) changeLine(ctx context.Context, l *book.Line, in *lineChange) (out api.LineDetail, err error) {
	b := &in.Body
	if err := notForCustomers(ctx, map[string]bool{"number": b.Number != nil, "numbers": b.Numbers != nil, "honeypot": b.Honeypot != nil}, b.Set); err != nil {
		return out, err
	}
	edit, err := lineEdit(b, l.Zone())
	if err != nil {
		return out, err
	}
	if l, err = s.editLine(ctx, l.ID(), edit); err != nil {
		return out, err
	}
	return s.lineDetail(ctx, l)
}

type lineChange struct {
	api.LineID
	Body api.PatchLine
}

func (s *Server) deleteLine(ctx context.Context, l *book.Line, _ *api.LineID) (none, error) {
	return none{}, s.d.Book.DeleteLine(ctx, by(ctx), l.ID())
}

func (s *Server) setPassword(ctx context.Context, l *book.Line, in *api.LinePassword) (api.Password, error) {
	generated, err := s.d.Book.SetPassword(ctx, by(ctx), l.ID(), in.Body.Password)
	return api.Password{Line: l.Handle(), Password: generated, Generated: generated != ""}, err
}

// lineDetail collects all that staff want to see of a line.
func (s *Server) lineDetail(ctx context.Context, l *book.Line) (api.LineDetail, error) {
	now, own := time.Now(), l.Settings()
	out := api.LineDetail{
		Line: lineView(l), Settings: settings(l.Effective(now), &own, now, l.Zone()), Zone: l.Zone().String(), Tariff: l.Tariff(),
		Phones: []api.Phone{}, Calls: s.liveCalls(ctx, l.ID(), now), Closed: closings(l.Effective(now), now, l.Zone()),
	}
	out.Nets = netLocks(append(l.Above(), &own)...)
	if s.d.Phones != nil {
		out.Phones = views(s.d.Phones(l.ID(), now), phoneView)
	}
	purses, err := s.purses(ctx, l.Customer(), l.ID(), now)
	out.Purses = purses
	e := l.Effective(now)
	for _, list := range e.Restrictions {
		for i := range list {
			if list[i].InForce(now, l.Zone()) {
				out.Does = append(out.Does, list[i].Does(list[i].Names.String(), list[i].Except.String()))
			}
		}
	}
	if s.d.Habits != nil && err == nil {
		out.Habits, err = s.habits(ctx, l, now)
	}
	return out, err
}

// habits are what is known of a line's usual calls; nil: nothing is watched.
func (s *Server) habits(ctx context.Context, l *book.Line, now time.Time) (*api.Habits, error) {
	h, known, err := s.d.Habits(ctx, l.ID(), l.Customer(), now)
	if err != nil || !known {
		return nil, err
	}
	out := &api.Habits{
		Days: h.Days, Learning: h.Learning, Hours: h.Hours, Countries: []string{}, Numbers: h.Numbers, Networks: h.Networks, Products: h.Products, Step: h.Step.String(), Allowances: []api.Allowance{},
	}
	for _, c := range h.Countries {
		out.Countries = append(out.Countries, c.String())
	}
	for kind, m := range h.Meters {
		out.Allowances = append(out.Allowances, api.Allowance{Rule: habit.MeterKind(kind).String(), Life: m.Life.String(), Used: int64(m.Level), Least: int64(m.Allowance)})
	}
	return out, nil
}
