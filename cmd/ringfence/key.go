package main

import "ringfence/edge/rest/api"

type keyCmd struct {
	remote
	Rotate keyRotate `cmd:"" help:"Make a new key and seal every secret again with it." eg:"; --yes"`
}

type keyRotate struct {
	Yes bool `help:"Do it; without, only say what would be done."`
}

func (keyRotate) Help() string {
	return `Phones notice nothing. Keep a copy of the new key file apart from the database: without it no phone can log in.`
}

// Run rotates, if told twice.
func (c *keyRotate) Run(s *session) error {
	if !c.Yes {
		st, err := fetch[api.Status](s, "GET /v1/status", nil)
		if err != nil {
			return err
		}
		return s.dryRun("A new key would be made, and the passwords of " + api.Count(st.Lines, "line", "lines") + " and " +
			api.Count(st.Trunks, "trunk", "trunks") + " sealed again with it.")
	}
	return perform(s, "POST /v1/keys/rotate", nil, func(r *api.Rotated) error {
		return s.say("Key %s is in use; %s sealed again. Copy the new key file to a safe place.", r.Key, api.Count(r.Secrets, "secret was", "secrets were"))
	})
}
