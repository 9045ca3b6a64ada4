package main

import (
	"fmt"

	"ringfence/app"
	"ringfence/cmd/ringfence/manual"
)

type manCmd struct{}

func (manCmd) Help() string {
	return `The page is made of what --help says about every command. "make install" and the Debian package put it where man looks.`
}

// Run prints it.
func (manCmd) Run(s *session) error {
	_, err := fmt.Fprint(s.out, manual.Page(s.parser.Model, app.Version, "the SIP front door of a telephony provider, with spending caps"))
	return err
}
