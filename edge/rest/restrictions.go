package rest

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"ringfence/core/account"
	"ringfence/core/restrict"
	"ringfence/core/when"
	"ringfence/edge/rest/api"
	"ringfence/flow/book"
	"ringfence/flow/cooling"
)

var _ = serves(func(s *Server) {
	listed[api.Restriction](s, s.listRestrictions)
	added[api.Restriction](s, s.addRestriction)
	shown[api.Restriction](s, s.showRestriction)
	deleted[api.Restriction](s, s.liftRestriction)
})

// closings is how many restrictions apply.
func closings(e *account.Effective, now time.Time, zone *time.Location) (n int) {
	for _, list := range e.Restrictions {
		for i := range list {
			if list[i].InForce(now, zone) {
				n++
			}
		}
	}
	return n
}

// restricted is whose restrictions are asked for: a line's, a customer's where line is nil, or everybody's.
type restricted struct {
	provider  *account.Settings
	everybody bool
	line      *book.Line
	customer  book.CustomerView
	reseller  *book.CustomerView // whose customer it is; nil: the provider's own
}

func (s *Server) restricted(ctx context.Context, line, customer string, everybody bool) (owner restricted, err error) {
	owner.provider, owner.everybody = s.d.Book.Provider(), everybody
	switch {
	case one(line != "", customer != "", everybody) != 1:
		return owner, invalid("line", line, "a line, a customer or everybody")
	case everybody && own(ctx) != "":
		return owner, newProblem(http.StatusForbidden, api.ReasonNotPermitted, "what restricts every line is the provider's")
	case everybody:
		owner.customer.ZoneInForce = s.d.Book.Zone("").String()
		return owner, nil
	case line != "":
		if owner.line, err = s.line(ctx, line); err != nil {
			return owner, err
		}
		customer = owner.line.Customer()
	}
	owner.customer, err = s.customer(ctx, customer)
	if r, ok := s.d.Book.Customer(owner.customer.Reseller); ok {
		owner.reseller = &r
	}
	return owner, err
}

// one counts what is so.
func one(of ...bool) (n int) {
	for _, so := range of {
		if so {
			n++
		}
	}
	return n
}

func (of *restricted) zone() *time.Location {
	zone, err := time.LoadLocation(of.customer.ZoneInForce)
	if err != nil {
		return time.UTC
	}
	return zone
}

// views are all restrictions of a line and its customer, or of a customer, and everybody's.
func (of *restricted) views(now time.Time) []api.Restriction {
	all := []api.Restriction{}
	add := func(line, customer string, list []restrict.Restriction) {
		for i := range list {
			r := &list[i]
			if r.Ended(now) {
				continue
			}
			all = append(all, api.Restriction{
				ID: r.ID, Line: line, Customer: customer, Does: r.Does(r.Names.String(), r.Except.String()), Closes: r.Names.String(), AtOnce: r.AtOnce, Ask: string(r.Ask), Login: r.Login, Except: r.Except.String(), Strangers: len(r.Known) > 0, Only: r.Only, Hours: r.Hours.String(),
				Since: in(of.zone(), r.Since), Until: in(of.zone(), r.Until), Ends: r.Ends, InForce: r.InForce(now, of.zone()), By: r.By, Why: r.Why, Finding: r.Finding,
			})
		}
	}
	if of.line != nil {
		add(of.line.Handle(), account.Handle(of.customer.ID), of.line.Settings().Restrictions)
	}
	if !of.everybody {
		add("", account.Handle(of.customer.ID), of.customer.Settings.Restrictions)
	}
	if of.reseller != nil {
		add("", account.Handle(of.reseller.ID), of.reseller.Settings.Restrictions)
	}
	add("", "", of.provider.Restrictions)
	return all
}

func (s *Server) listRestrictions(ctx context.Context, in *api.RestrictionFilter) (out api.List[api.Restriction], err error) {
	of, err := s.restricted(ctx, in.Line, in.Customer, in.Everybody)
	if err != nil {
		return out, err
	}
	return api.List[api.Restriction]{Items: of.views(time.Now())}, nil
}

func (s *Server) showRestriction(ctx context.Context, in *api.RestrictionID) (out api.Restriction, err error) {
	of, err := s.restricted(ctx, in.Line, in.Customer, in.Everybody)
	if err != nil {
		return out, err
	}
	all := of.views(time.Now())
	i := slices.IndexFunc(all, func(r api.Restriction) bool { return r.ID == in.ID })
	if i < 0 {
		return out, missing("restriction", strconv.FormatInt(in.ID, 10))
	}
	return all[i], nil
}

func (s *Server) addRestriction(ctx context.Context, in *api.RestrictionNew) (out api.Restriction, err error) {
	b := &in.Body
	of, err := s.restricted(ctx, b.Line, b.Customer, b.Everybody)
	if err != nil {
		return out, err
	}
	r := restrict.Restriction{Only: b.Only != "", AtOnce: b.AtOnce, Ends: b.Ends, By: by(ctx), Why: b.Why}
	names, field := b.Closes, "closes"
	if r.Only {
		names, field = b.Only, "only"
	}
	if r.Only && b.Closes != "" {
		return out, invalid("only", b.Only, "one of closes and only")
	}
	if r.AtOnce != 0 && r.Only {
		return out, invalid("at_once", strconv.Itoa(r.AtOnce), "with closes: it limits concurrent calls to the destinations named there")
	}
	ok := false
	if r.Ask, ok = restrict.ParseAsk(b.Ask); !ok {
		return out, invalid("ask", b.Ask, "key or digits")
	}
	if r.Ask != "" && (r.AtOnce != 0 || r.Ends) {
		return out, invalid("ask", b.Ask, "neither at_once nor ends_calls: a restriction that asks closes nothing and ends no call")
	}
	if r.Names, err = restrict.ParseSet(names); err != nil {
		return out, invalidText(field, err)
	}
	if b.Except != "" {
		if r.Except, err = restrict.ParseSet(b.Except); err != nil {
			return out, invalidText("except", err)
		}
	}
	if idle := r.Names.Idle(); idle != "" {
		return out, invalid(field, idle, "a range that numbers begin with: +44843, without the 0 of 0843")
	}
	if r.Hours, err = restrict.ParseHours(b.Hours); err != nil {
		return out, invalidText("hours", err)
	}
	if r.Until, err = instant(when.Until, "until", b.Until, of.zone()); err != nil {
		return out, err
	}
	if err := s.restrict(ctx, &of, &r, 0); err != nil {
		return out, err
	}
	if of, err = s.restricted(ctx, b.Line, b.Customer, b.Everybody); err != nil {
		return out, err
	}
	views := of.views(time.Now())
	return views[slices.IndexFunc(views, func(v api.Restriction) bool { return v.ID == r.ID })], nil
}

// restrict adds a restriction, which gets its id, or lifts one.
func (s *Server) restrict(ctx context.Context, owner *restricted, add *restrict.Restriction, lift int64) error {
	if owner.everybody {
		return s.d.Book.RestrictEverybody(ctx, by(ctx), add, lift)
	}
	if owner.line != nil {
		_, err := s.editLine(ctx, owner.line.ID(), book.LineEdit{Restrict: add, Lift: lift})
		return err
	}
	_, err := s.editCustomer(ctx, owner.customer.ID, book.CustomerEdit{Restrict: add, Lift: lift})
	return err
}

// byConfiguration is who sets what is in the configuration (app/config).
const byConfiguration = "configuration"

// liftRestriction lifts one of the line, of its customer or of everybody.
func (s *Server) liftRestriction(ctx context.Context, in *api.RestrictionID) (none, error) {
	r, err := s.showRestriction(ctx, in)
	if err != nil {
		return none{}, err
	}
	switch {
	case r.Customer == "" && r.By == byConfiguration:
		return none{}, invalid("id", strconv.FormatInt(in.ID, 10), "another: this one is provider.settings.closed in the configuration")
	case r.Customer == "" && !in.Everybody:
		return none{}, invalid("everybody", "false", "true: the restriction is of every line")
	}
	if !cooling.MayLift(whoAsks(ctx), &restrict.Restriction{Finding: r.Finding, By: r.By}) {
		return none{}, newProblem(http.StatusForbidden, api.ReasonNotPermitted, "the provider made this restriction; ask support to lift it")
	}
	if r.Line == "" && in.Line != "" {
		return none{}, invalid("line", in.Line, "the customer "+r.Customer+": the restriction is of all its lines")
	}
	of, err := s.restricted(ctx, in.Line, in.Customer, in.Everybody)
	if err != nil {
		return none{}, err
	}
	if !of.everybody && r.Line == "" && r.Customer != account.Handle(of.customer.ID) {
		return none{}, invalid("customer", account.Handle(of.customer.ID), "the reseller "+r.Customer+": the restriction is of all its customers")
	}
	if r.Finding != "" && !of.everybody { // with all that the finding closed, and the rules learn from it
		line := ""
		if of.line != nil {
			line = of.line.ID()
		}
		return none{}, s.d.Vouch(ctx, by(ctx), line, of.customer.ID, r.Finding)
	}
	return none{}, s.restrict(ctx, &of, nil, in.ID)
}
