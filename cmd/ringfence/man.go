package main

import (
	"fmt"

	"ringfence/app"
	"ringfence/cmd/ringfence/manual"
)

type manCmd struct{}

func (manCmd) Run(s *session) error {
	_, err := fmt.Fprint(s.out, manual.Page(s.parser.Model, app.Version, "the SIP front door of a telephony provider, with spending caps"))
	return err
}
