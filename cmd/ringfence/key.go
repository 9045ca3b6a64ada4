package main

import (
	"net/http"

	"ringfence/edge/rest/api"
)

type keyCmd struct {
	remote
	Rotate keyRotate `cmd:"" help:"Make a new key and seal every secret again with it."`
}

type keyRotate struct {
	Yes bool `help:"Do it; without, only say what would be done."`
}

func (keyRotate) Help() string {
	return `Phones notice nothing. Keep a copy of the new key file apart from the database: without it no phone can log in.

` + examples("ringfence key rotate", "ringfence key rotate --yes")
}

// Run rotates, if told twice.
func (c *keyRotate) Run(s *session) error {
	if !c.Yes {
		var st api.Status
		if err := s.get(pathOf("status"), &st); err != nil {
			return err
		}
		return s.dryRun("A new key would be made, and the passwords of " + plural(st.Lines, "line", "lines") + " and " +
			plural(st.Trunks, "trunk", "trunks") + " sealed again with it.")
	}
	var out api.Rotated
	if err := s.do(http.MethodPost, pathOf("keys", "rotate"), nil, &out); err != nil {
		return err
	}
	return s.emit(out, func() error {
		return s.say("Key %s is in use; %s sealed again. Copy the new key file to a safe place.", out.Key, plural(out.Secrets, "secret was", "secrets were"))
	})
}
