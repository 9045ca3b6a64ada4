package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"ringfence/core/secret"
	"ringfence/edge/web"
	"ringfence/flow/notify"
	"ringfence/flow/people"
)

// doorway are the pages before anybody is signed in, at a name that browsers have passkeys for.
type doorway struct {
	base string
	folk *people.People
	srv  *http.Server
}

func newDoorway(ctx context.Context, o *office) (*doorway, error) {
	key, err := secret.NewKey()
	if err != nil {
		return nil, err
	}
	box, err := secret.NewBox([]secret.Key{key})
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &doorway{base: "http://" + strings.Replace(l.Addr().String(), "127.0.0.1", "localhost", 1)}
	if d.folk, err = people.New(people.Options{Store: o.db, Book: o.book, Box: func() (*secret.Box, error) { return box, nil }, Issuer: help.Provider, URL: d.base}); err != nil {
		return nil, err
	}
	none := errors.New("there are no links here")
	pages, err := web.New(web.Deps{
		Genuine: func(string) bool { return false }, Link: func(context.Context, string) (notify.LinkView, error) { return notify.LinkView{}, none },
		Use: func(context.Context, string, netip.Addr) (notify.LinkView, error) { return notify.LinkView{}, none }, Help: help, People: d.folk,
	}, web.Options{})
	if err != nil {
		return nil, err
	}
	d.srv = &http.Server{Handler: pages.Handler(), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = d.srv.Serve(l) }() // ends with the program
	return d, nil
}
