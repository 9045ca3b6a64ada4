package rest

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"ringfence/core/call"
	"ringfence/core/person"
	"ringfence/edge/rest/api"
	"ringfence/flow/people"
)

// Who asks, what they may ask for, and whose things they reach. What somebody may do is one table, core/person/access.txt; a route
// without a row there is nobody's. Of a customer's people this floor also sees to it that they reach only what is their customer's:
// everything else is to them as if it were not there.

type whoKey struct{}

// whoAsks is who asks. Without one nobody may do anything.
func whoAsks(ctx context.Context) *person.Who {
	if w, ok := ctx.Value(whoKey{}).(*person.Who); ok {
		return w
	}
	return &person.Who{Actor: "unknown"}
}

// by is who asks, for the journal.
func by(ctx context.Context) string { return whoAsks(ctx).Actor }

// own is the customer whose people ask, by identity; "" is the provider's own.
func own(ctx context.Context) string { return whoAsks(ctx).Customer }

// permit lets through what the table allows.
func (s *Server) permit(hc huma.Context, next func(huma.Context)) {
	if ok, why := whoAsks(hc.Context()).May(hc.Operation().OperationID); !ok {
		hc.SetHeader("Content-Type", "application/problem+json")
		hc.SetStatus(http.StatusForbidden)
		p := newProblem(http.StatusForbidden, api.ReasonNotPermitted, why)
		_ = huma.DefaultJSONFormat.Marshal(hc.BodyWriter(), p) // a client that went away is no fault of ours
		return
	}
	next(hc)
}

// HandlerFor serves the API as over TCP to somebody who was let in.
func (s *Server) HandlerFor(who *person.Who) http.Handler {
	return s.guard(func(*http.Request) (*person.Who, error) { return who, nil }, s.ownName, s.mux)
}

// errNoToken says that a request has no token that is known.
var errNoToken = errors.New("no token that is known")

// socketUser trusts a user who could open the socket: its mode is the lock.
func socketUser(r *http.Request) (*person.Who, error) {
	who := person.Operator(r.RemoteAddr)
	return &who, nil
}

// tokenOwner knows the tokens of the configuration, and those of people.
func (s *Server) tokenOwner(r *http.Request) (*person.Who, error) {
	header := r.Header.Get("Authorization")
	if name, ok := who(s.o.Tokens, header); ok {
		operator := person.Operator(name)
		return &operator, nil
	}
	_, token, _ := strings.Cut(header, " ")
	if token = strings.TrimSpace(token); s.d.People == nil || !strings.HasPrefix(token, people.TokenMark) {
		return nil, errNoToken
	}
	from := people.From{Agent: r.UserAgent()}
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		from.Addr = at.Addr().Unmap()
	}
	found, err := s.d.People.Token(r.Context(), token, from)
	if errors.Is(err, people.ErrRefused) {
		err = errNoToken
	}
	return &found, err
}

// theirs says that something of a customer (an identity) may be shown to who asks.
func theirs(ctx context.Context, customer string) bool { return whoAsks(ctx).Own(customer) }

// hideCall leaves out what is between the provider and its carriers.
func hideCall(ctx context.Context, c *api.Call) {
	if own(ctx) == "" {
		return
	}
	if c.Trunk, c.Node = "", ""; c.Direction == string(call.In) {
		c.Peer = ""
	}
}

// hideRecord does so for a record. Its cost is then zero.
func hideRecord(ctx context.Context, c *call.CDR) {
	if own(ctx) == "" {
		return
	}
	c.Trunk, c.Cost, c.CarrierTalk, c.BLeg = "", 0, 0, ""
	if c.Direction == call.In {
		c.Peer = ""
	}
}

// records are call records as who asks may see them.
func (s *Server) records(ctx context.Context, q CDRQuery, unstored bool) ([]call.CDR, error) {
	all, err := s.d.CDRs(ctx, q, unstored)
	for i := range all {
		hideRecord(ctx, &all[i])
	}
	return all, err
}

// notForCustomers refuses what an edit has that only staff may say.
func notForCustomers(ctx context.Context, fields map[string]bool, set []api.Change) error {
	if own(ctx) == "" {
		return nil
	}
	for field, given := range fields {
		if given {
			return newProblem(http.StatusForbidden, api.ReasonNotPermitted, field+" is the provider's to change; ask support")
		}
	}
	for _, c := range set {
		if c.Grant {
			return newProblem(http.StatusForbidden, api.ReasonNotPermitted, "only staff grant more than what stands above: ask with a request")
		}
	}
	return nil
}

// theirLine says that a line (an identity) is of the customer that asks.
func (s *Server) theirLine(ctx context.Context, line string) bool {
	if own(ctx) == "" {
		return true
	}
	l, ok := s.d.Book.Line(line)
	return ok && theirs(ctx, l.Customer())
}

// hideExposure leaves out what carriers charge.
func hideExposure(ctx context.Context, x *api.Exposure) {
	if own(ctx) == "" {
		return
	}
	x.Carrier, x.NoLimit = 0, ""
	x.Words = slices.DeleteFunc(x.Words, func(text string) bool { return strings.Contains(strings.ToLower(text), "carrier") })
}
