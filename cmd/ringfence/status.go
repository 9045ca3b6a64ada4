package main

import (
	"errors"

	"ringfence/edge/rest/api"
)

type statusCmd struct{ remote }

var errNotReady = errors.New("the server runs but is not ready: see above")

func (c *statusCmd) Run(s *session) error {
	st, err := fetch[api.Status](s, "GET /v1/status")
	if err != nil {
		return err
	}
	if err := s.emit(st, func() error { return s.table(card(st), 0) }); err != nil {
		return err
	}
	if !st.Ready {
		return errNotReady
	}
	return nil
}
