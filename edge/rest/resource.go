package rest

import (
	"cmp"
	"context"
	"net/http"
	"path"

	"github.com/danielgtaylor/huma/v2"

	"ringfence/edge/rest/api"
)

// route registers an operation. What goes wrong becomes a problem, and what comes of it the body of the answer.
func route[I, O any](s *Server, o huma.Operation, handle func(context.Context, *I) (O, error)) {
	huma.Register(s.api, o, func(ctx context.Context, in *I) (*answer[O], error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, s.explain(err)
		}
		return &answer[O]{out}, nil
	})
}

// described is an operation on a resource: on all of a kind, or on one.
func described[V api.View[V]](method, verb, summary string, single bool) huma.Operation {
	r := (*new(V)).Resource()
	at, last := "/v1/"+r.Path, path.Base(r.Path)
	id := verb + "-" + r.Name
	if verb == "list" {
		id = "list-" + last
	}
	if single {
		at += "/{" + cmp.Or(r.Key, "id") + "}"
	}
	return op(method, at, id, cmp.Or(r.Tag, last), summary)
}

// listed registers the list of a kind.
func listed[V api.View[V], I any](s *Server, handle func(context.Context, *I) (api.List[V], error)) {
	route(s, described[V](http.MethodGet, "list", (*new(V)).Resource().List, false), handle)
}

// shown registers the answer about one of a kind, which may be more than is in a list.
func shown[V api.View[V], I, O any](s *Server, handle func(context.Context, *I) (O, error)) {
	route(s, described[V](http.MethodGet, "get", (*new(V)).Resource().Get, true), handle)
}

// added registers the adding of one.
func added[V api.View[V], I, O any](s *Server, handle func(context.Context, *I) (O, error)) {
	route(s, created(described[V](http.MethodPost, "add", (*new(V)).Resource().Add, false)), handle)
}

// changed registers the changing of one.
func changed[V api.View[V], I, O any](s *Server, handle func(context.Context, *I) (O, error)) {
	route(s, described[V](http.MethodPatch, "change", (*new(V)).Resource().Change, true), handle)
}

// plainText is the schema of what is no JSON.
var plainText = &huma.Schema{Type: huma.TypeString}

// streamed registers an operation that writes its answer itself, in one of several media types.
func streamed[I any](s *Server, o huma.Operation, kinds map[string]*huma.Schema, handle func(context.Context, *I) (*huma.StreamResponse, error)) {
	content := map[string]*huma.MediaType{}
	for kind, schema := range kinds {
		content[kind] = &huma.MediaType{Schema: schema}
	}
	o.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: content}}
	huma.Register(s.api, o, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, s.explain(err)
		}
		return out, nil
	})
}

// uploaded marks an operation that takes a file.
func (s *Server) uploaded(o huma.Operation) huma.Operation {
	o.MaxBodyBytes, o.BodyReadTimeout = s.o.UploadBytes, uploadTimeout
	o.Middlewares = huma.Middlewares{s.oneUpload}
	o.Errors = append(o.Errors, http.StatusRequestEntityTooLarge)
	return o
}

// none is the answer of what says only that it is done.
type none struct{}

// deleted registers the deleting of one.
func deleted[V api.View[V], I any](s *Server, handle func(context.Context, *I) (none, error)) {
	o := described[V](http.MethodDelete, "delete", (*new(V)).Resource().Delete, true)
	huma.Register(s.api, o, func(ctx context.Context, in *I) (*struct{}, error) {
		if _, err := handle(ctx, in); err != nil {
			return nil, s.explain(err)
		}
		return nil, nil
	})
}

// need is the handler of what this node may not have.
func need[I, O any](have bool, what string, handle func(context.Context, *I) (O, error)) func(context.Context, *I) (O, error) {
	if have {
		return handle
	}
	return func(context.Context, *I) (out O, err error) { return out, unavailable(what) }
}

// named hands a handler what its path names. What it does not find then was deleted in between.
func named[T, I, O any, P interface {
	*I
	Called() string
}](s *Server, what string, find func(context.Context, string) (T, error), handle func(context.Context, T, *I) (O, error)) func(context.Context, *I) (O, error) {
	return func(ctx context.Context, in *I) (out O, err error) {
		called := P(in).Called()
		x, err := find(ctx, called)
		if err != nil {
			return out, err
		}
		if out, err = handle(ctx, x, in); err != nil {
			err = s.about(err, what, called)
		}
		return out, err
	}
}

// staged hands a handler the stage that it asks.
func staged[S, I, O any](stage func() (*S, error), handle func(context.Context, *S, *I) (O, error)) func(context.Context, *I) (O, error) {
	return func(ctx context.Context, in *I) (out O, err error) {
		of, err := stage()
		if err != nil {
			return out, err
		}
		return handle(ctx, of, in)
	}
}

// views are what the API shows of things.
func views[T, V any](all []T, view func(*T) V) []V {
	out := make([]V, len(all))
	for i := range all {
		out[i] = view(&all[i])
	}
	return out
}

// Page is the paging of lists by what each of them is called. Exported for the HTTP library, as are the others.
type Page struct {
	After string `query:"after" maxLength:"64" doc:"continue above this: next of the previous page"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

// Below is the paging of lists that begin with the newest.
type Below struct {
	Before int64 `query:"before" minimum:"0" doc:"continue below this id: next of the previous page"`
	Limit  int   `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}
