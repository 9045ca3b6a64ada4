package rest

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"ringfence/edge/rest/api"
	"ringfence/flow/book"
)

// trunkName is a path parameter.
type trunkName struct {
	Name string `path:"name" maxLength:"80"`
}

func (s *Server) trunkRoutes() {
	const path, one, tag = "/v1/trunks", "/v1/trunks/{name}", "trunks"
	huma.Register(s.api, op(http.MethodGet, path, "list-trunks", tag, "List trunks, best first"), s.listTrunks)
	huma.Register(s.api, created(op(http.MethodPost, path, "add-trunk", tag, "Add a trunk")), s.addTrunk)
	huma.Register(s.api, op(http.MethodGet, one, "get-trunk", tag, "Show a trunk"), s.getTrunk)
	huma.Register(s.api, op(http.MethodPatch, one, "change-trunk", tag, "Change a trunk"), s.changeTrunk)
	huma.Register(s.api, op(http.MethodPost, one+"/test", "test-trunk", tag, "Ask each address of a trunk whether it answers; no call is made"), s.testTrunk)
	huma.Register(s.api, op(http.MethodDelete, one, "delete-trunk", tag, "Delete a trunk; its calls go on"), s.deleteTrunk)
}

func (s *Server) listTrunks(context.Context, *struct{}) (*answer[api.List[api.Trunk]], error) {
	out := []api.Trunk{}
	all := s.d.Book.AllTrunks()
	for i := range all {
		out = append(out, trunkView(&all[i]))
	}
	return reply(api.List[api.Trunk]{Items: out}, nil)
}

func (s *Server) getTrunk(_ context.Context, in *trunkName) (*answer[api.Trunk], error) {
	t, ok := s.d.Book.TrunkCalled(in.Name)
	if !ok {
		return nil, s.noTrunk(in.Name)
	}
	return reply(trunkView(t), nil)
}

func (s *Server) addTrunk(ctx context.Context, in *struct{ Body api.NewTrunk }) (*answer[api.Trunk], error) {
	b := &in.Body
	sources, err := parseNets("sources", b.Sources)
	if err != nil {
		return nil, s.explain(err)
	}
	edit := book.TrunkEdit{
		Addresses: &b.Addresses, User: &b.User, Password: &b.Password, Sources: &sources, Priority: &b.Priority, Deck: &b.Deck,
		Emergency: &b.Emergency, Disabled: &b.Disabled,
	}
	if b.Transport != "" {
		edit.Transport = &b.Transport
	}
	if b.Format != "" {
		edit.Format = &b.Format
	}
	if b.Withheld != "" {
		edit.Withheld = &b.Withheld
	}
	t, err := s.d.Book.AddTrunk(ctx, by(ctx), b.Name, edit)
	if err != nil {
		return nil, s.explain(err)
	}
	return reply(trunkView(t), nil)
}

func (s *Server) changeTrunk(ctx context.Context, in *struct {
	Name string `path:"name" maxLength:"80"`
	Body api.PatchTrunk
},
) (*answer[api.Trunk], error) {
	b := &in.Body
	sources, err := parseNetsIf("sources", b.Sources)
	if err != nil {
		return nil, s.explain(err)
	}
	t, ok := s.d.Book.TrunkCalled(in.Name)
	if !ok {
		return nil, s.noTrunk(in.Name)
	}
	t, err = s.d.Book.EditTrunk(ctx, by(ctx), t.Name, book.TrunkEdit{
		Addresses: b.Addresses, Transport: b.Transport, User: b.User, Password: b.Password, Sources: sources,
		Priority: b.Priority, Deck: b.Deck, Format: b.Format, Withheld: b.Withheld, Emergency: b.Emergency, Disabled: b.Disabled,
	})
	if err != nil {
		return nil, s.about(err, "trunk", in.Name)
	}
	return reply(trunkView(t), nil)
}

func (s *Server) deleteTrunk(ctx context.Context, in *trunkName) (*struct{}, error) {
	t, ok := s.d.Book.TrunkCalled(in.Name)
	if !ok {
		return nil, s.noTrunk(in.Name)
	}
	if err := s.d.Book.DeleteTrunk(ctx, by(ctx), t.Name); err != nil {
		return nil, s.about(err, "trunk", in.Name)
	}
	return nil, nil
}

func (s *Server) testTrunk(ctx context.Context, in *trunkName) (*answer[api.TrunkTest], error) {
	if s.d.TrunkTest == nil {
		return nil, unavailable("testing trunks")
	}
	t, ok := s.d.Book.TrunkCalled(in.Name)
	if !ok {
		return nil, s.noTrunk(in.Name)
	}
	out := api.TrunkTest{Trunk: trunkView(t).Name, Answers: s.d.TrunkTest(ctx, t), OK: true}
	for _, a := range out.Answers {
		out.OK = out.OK && a.OK
	}
	out.OK = out.OK && len(out.Answers) > 0
	return reply(out, nil)
}

// noTrunk says what trunk is not there, and which may have been meant.
func (s *Server) noTrunk(name string) error {
	return newProblem(http.StatusNotFound, api.ReasonNotFound, s.near(fmt.Sprintf("there is no trunk %q", clip(name, 80)), "trunk", name))
}
