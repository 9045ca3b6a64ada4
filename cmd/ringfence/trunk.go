package main

import (
	"errors"

	"ringfence/edge/rest/api"
)

type trunkCmd struct {
	remote
	Add    trunkAdd                         `cmd:"" help:"Add a trunk." eg:"carrier-a 192.0.2.10:5060 192.0.2.11:5060 --deck carrier-a --emergency --source 192.0.2.0/28; carrier-b sip.carrier.example:5060 --user ringfence --ask-password --priority 20 < carrier-b.txt; carrier-c sip.carrier.example --user 44207946 --ask-password --registrar sip.carrier.example < carrier-c.txt"`
	List   whole[api.Trunk, struct{}]       `cmd:"" help:"List trunks in the order they are tried." eg:""`
	Show   show[api.Trunk, api.TrunkName]   `cmd:"" help:"Show a trunk." eg:"carrier-a"`
	Set    trunkSet                         `cmd:"" help:"Change a trunk." eg:"carrier-a priority=5 disabled=no; carrier-a addresses=\"192.0.2.10:5060, 192.0.2.12:5060\"; carrier-b withheld=removed; carrier-a --ask-password < carrier-a.txt"`
	Test   trunkTest                        `cmd:"" help:"Test each address of a trunk: does the carrier answer and accept the login?" eg:"carrier-a; carrier-a --json" detail:"The server resolves the names and sends OPTIONS to each address, with the trunk's login where the carrier asks for one. No call is made. OPTIONS come from another port than calls do, so a carrier that identifies Ringfence by its port may refuse them. Exit code 1 when an address does not answer, or refuses."`
	Remove remove[api.Trunk, api.TrunkName] `cmd:"" help:"Remove a trunk." eg:"carrier-b; carrier-b --yes"`
}

type trunkAdd struct {
	Body        api.NewTrunk `embed:""`
	AskPassword bool         `help:"Ask for the password for the carrier, or read it from standard input."`
}

func (c *trunkAdd) Run(s *session) error {
	if err := s.askInto(&c.Body.Password, c.AskPassword, "trunk "+c.Body.Name); err != nil {
		return err
	}
	err := perform(s, "POST /v1/trunks", func(t *api.Trunk) error { return s.say("Trunk %s added.", t.Name) }, c)
	return adding("trunk", c.Body.Name, err)
}

type trunkSet struct {
	api.TrunkName
	Set         []string       `arg:"" optional:"" name:"field=value" help:"addresses, transport, user, registrar, expiry, sources, priority, max_calls, max_rate, deck, format, withheld, headers, privacy, from_abroad, emergency, disabled." predict:"trunk-field"`
	AskPassword bool           `help:"Ask for a new password for the carrier, or read it from standard input."`
	Body        api.PatchTrunk `kong:"-"`
}

func (c *trunkSet) Run(s *session) error {
	if err := assign(&c.Body, c.Set, grantFlags{}); err != nil {
		return err
	}
	if err := s.askInto(&c.Body.Password, c.AskPassword, "trunk "+c.Name); err != nil {
		return err
	}
	if !c.AskPassword && len(c.Set) == 0 {
		return usagef("nothing to change: give FIELD=VALUE or --ask-password")
	}
	return perform(s, "PATCH /v1/trunks/{name}", func(t *api.Trunk) error { return s.table(card(t), 0) }, c)
}

type trunkTest struct{ api.TrunkName }

var errTrunk = errors.New("the trunk does not answer as it should: see above")

func (c *trunkTest) Run(s *session) error {
	out, err := fetch[api.TrunkTest](s, "POST /v1/trunks/{name}/test", c)
	if err != nil {
		return err
	}
	if err := s.emit(out, func() error { return s.list(rows(out.Answers...), (*new(api.TrunkAnswer)).Resource().Empty) }); err != nil {
		return err
	}
	if !out.OK {
		return errTrunk
	}
	return nil
}
