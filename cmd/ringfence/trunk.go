package main

import (
	"errors"
	"fmt"
	"strings"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type trunkCmd struct {
	remote
	Add    trunkAdd                         `cmd:"" help:"Add a trunk." eg:"carrier-a 192.0.2.10:5060 192.0.2.11:5060 --deck carrier-a --emergency --source 192.0.2.0/28; carrier-b sip.carrier.example:5060 --user ringfence --ask-password --priority 20 < carrier-b.txt"`
	List   whole[api.Trunk, struct{}]       `cmd:"" help:"List trunks in the order they are tried." eg:""`
	Show   show[api.Trunk, api.TrunkName]   `cmd:"" help:"Show a trunk." eg:"carrier-a"`
	Set    trunkSet                         `cmd:"" help:"Change a trunk." eg:"carrier-a priority=5 disabled=no; carrier-a addresses=\"192.0.2.10:5060, 192.0.2.12:5060\"; carrier-b withheld=removed; carrier-a --ask-password < carrier-a.txt"`
	Test   trunkTest                        `cmd:"" help:"Ask a carrier whether it answers and takes the login, over each address." eg:"carrier-a; carrier-a --json"`
	Remove remove[api.Trunk, api.TrunkName] `cmd:"" help:"Remove a trunk." eg:"carrier-b; carrier-b --yes"`
}

type trunkAdd struct {
	Body        api.NewTrunk `embed:""`
	AskPassword bool         `help:"Ask for the password towards the carrier, or read it from standard input."`
}

// Run adds it.
func (c *trunkAdd) Run(s *session) (err error) {
	if c.AskPassword {
		if c.Body.Password, err = s.askPassword("trunk " + c.Body.Name); err != nil {
			return err
		}
	}
	err = perform(s, "POST /v1/trunks", c, func(t *api.Trunk) error { return s.say("Trunk %s added.", t.Name) })
	return adding("trunk", c.Body.Name, err)
}

type trunkSet struct {
	api.TrunkName
	Set         []string       `arg:"" optional:"" name:"field=value" help:"addresses, transport, user, sources, priority, deck, format, withheld, emergency, disabled." predict:"trunk-field"`
	AskPassword bool           `help:"Ask for a new password towards the carrier, or read it from standard input."`
	Body        map[string]any `kong:"-"`
}

// Run changes it.
func (c *trunkSet) Run(s *session) (err error) {
	if c.Body, err = parseTrunk(c.Set); err != nil {
		return err
	}
	if c.AskPassword {
		if c.Body["password"], err = s.askPassword("trunk " + c.Name); err != nil {
			return err
		}
	} else if len(c.Set) == 0 {
		return usagef("nothing to change: give FIELD=VALUE or --ask-password")
	}
	return perform(s, "PATCH /v1/trunks/{name}", c, func(t *api.Trunk) error { return s.table(card(t), 0) })
}

type trunkTest struct{ api.TrunkName }

func (trunkTest) Help() string {
	return `Resolves its names and sends OPTIONS to each address, from the server and with the login of the trunk where one is asked for. No call is made. It comes from another port than calls do: a carrier that knows us by our port may refuse it all the same. Exit code 1 when an address does not answer, or refuses us.`
}

var errTrunk = errors.New("the trunk does not answer as it should: see above")

// Run asks.
func (c *trunkTest) Run(s *session) error {
	out, err := fetch[api.TrunkTest](s, "POST /v1/trunks/{name}/test", c)
	if err != nil {
		return err
	}
	if err := s.emit(out, func() error {
		t := table.New(table.Left("address"), table.Left("at"), table.Left("over").AsSpare(), table.Left("login").AsSpare(), table.Right("took").AsSpare(), table.Left("server").AsSpare(), table.Wrap("answer"))
		for _, a := range out.Answers {
			style := table.Good
			if !a.OK {
				style = table.Bad
			}
			text := a.Fault
			if a.Status != 0 {
				text = strings.TrimSpace(fmt.Sprintf("%d %s", a.Status, a.Phrase))
			}
			t.Row(a.Address, a.At, a.Transport, a.Login, fmt.Sprintf("%d ms", a.Took), a.Server, table.Cell{Text: text, Style: style})
		}
		return s.list(t, "The trunk has no address.")
	}); err != nil {
		return err
	}
	if !out.OK {
		return errTrunk
	}
	return nil
}
