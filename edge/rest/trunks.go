package rest

import (
	"context"
	"fmt"
	"net/http"

	"ringfence/core/account"
	"ringfence/edge/rest/api"
	"ringfence/flow/book"
)

var _ = serves(func(s *Server) {
	listed[api.Trunk](s, s.listTrunks)
	added[api.Trunk](s, s.addTrunk)
	shown[api.Trunk](s, named(s, "trunk", s.trunk, s.getTrunk))
	changed[api.Trunk](s, named(s, "trunk", s.trunk, s.changeTrunk))
	test := op(http.MethodPost, "/v1/trunks/{name}/test", "test-trunk", "trunks", "Test whether each address of a trunk answers; no call is made")
	route(s, test, need(s.d.TrunkTest != nil, "testing trunks", named(s, "trunk", s.trunk, s.testTrunk)))
	deleted[api.Trunk](s, named(s, "trunk", s.trunk, s.deleteTrunk))
})

func (s *Server) trunk(_ context.Context, called string) (*account.Trunk, error) {
	if t, ok := s.d.Book.TrunkCalled(called); ok {
		return t, nil
	}
	return nil, newProblem(http.StatusNotFound, api.ReasonNotFound, s.near(fmt.Sprintf("there is no trunk %q", clip(called, 80)), "trunk", called))
}

func (s *Server) listTrunks(ctx context.Context, _ *struct{}) (api.List[api.Trunk], error) {
	now := s.trunksNow(ctx)
	return api.List[api.Trunk]{Items: views(s.d.Book.AllTrunks(), func(t *account.Trunk) api.Trunk {
		v := s.trunkView(t)
		v.Now = now[t.Name]
		return v
	})}, nil
}

func (s *Server) getTrunk(ctx context.Context, t *account.Trunk, _ *api.TrunkName) (api.Trunk, error) {
	v := s.trunkView(t)
	v.Now = s.trunksNow(ctx)[t.Name]
	return v, nil
}

func (s *Server) trunksNow(ctx context.Context) map[string]*api.TrunkNow {
	if s.d.TrunksNow == nil {
		return nil
	}
	return s.d.TrunksNow(ctx)
}

func (s *Server) addTrunk(ctx context.Context, in *struct{ Body api.NewTrunk }) (out api.Trunk, err error) {
	in.Body.PatchTrunk.Addresses = &in.Body.Addresses
	edit, err := trunkEdit(&in.Body.PatchTrunk)
	if err != nil {
		return out, err
	}
	t, err := s.d.Book.AddTrunk(ctx, by(ctx), in.Body.Name, edit)
	if err != nil {
		return out, err
	}
	return s.trunkView(t), nil
}

func trunkEdit(b *api.PatchTrunk) (book.TrunkEdit, error) {
	sources, err := parseNetsIf("sources", b.Sources)
	return book.TrunkEdit{
		Addresses: b.Addresses, Transport: b.Transport, User: b.User, Password: b.Password, Sources: sources,
		Priority: b.Priority, Deck: b.Deck, Format: b.Format, Withheld: b.Withheld, Headers: b.Headers, Privacy: b.Privacy, Abroad: b.Abroad, Registrar: b.Registrar, Expiry: b.Expiry, MaxCalls: b.MaxCalls, MaxRate: b.MaxRate, Emergency: b.Emergency, Disabled: b.Disabled,
	}, err
}

func (s *Server) changeTrunk(ctx context.Context, t *account.Trunk, in *trunkChange) (out api.Trunk, err error) {
	edit, err := trunkEdit(&in.Body)
	if err != nil {
		return out, err
	}
	if t, err = s.d.Book.EditTrunk(ctx, by(ctx), t.Name, edit); err != nil {
		return out, err
	}
	return s.trunkView(t), nil
}

type trunkChange struct {
	api.TrunkName
	Body api.PatchTrunk
}

func (s *Server) deleteTrunk(ctx context.Context, t *account.Trunk, _ *api.TrunkName) (none, error) {
	return none{}, s.d.Book.DeleteTrunk(ctx, by(ctx), t.Name)
}

func (s *Server) testTrunk(ctx context.Context, t *account.Trunk, _ *api.TrunkName) (out api.TrunkTest, err error) {
	out = api.TrunkTest{Trunk: account.Handle(t.Name), Answers: s.d.TrunkTest(ctx, t), OK: true}
	for _, a := range out.Answers {
		out.OK = out.OK && a.OK
	}
	out.OK = out.OK && len(out.Answers) > 0
	return out, nil
}
