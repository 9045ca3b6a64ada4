package main

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
)

type trunkCmd struct {
	remote
	Add    trunkAdd    `cmd:"" help:"Add a trunk."`
	List   trunkList   `cmd:"" help:"List trunks in the order they are tried."`
	Show   trunkShow   `cmd:"" help:"Show a trunk."`
	Set    trunkSet    `cmd:"" help:"Change a trunk."`
	Test   trunkTest   `cmd:"" help:"Ask a carrier whether it answers and takes the login, over each address."`
	Remove trunkRemove `cmd:"" help:"Remove a trunk."`
}

type trunkAdd struct {
	Name        string   `arg:"" help:"Short name: a-z, 0-9 and -."`
	Address     []string `arg:"" help:"Where the carrier is, host:port, in the order to try."`
	Transport   string   `help:"udp or tcp." enum:"udp,tcp" default:"udp"`
	User        string   `help:"User name towards the carrier." placeholder:"NAME"`
	AskPassword bool     `help:"Ask for the password towards the carrier, or read it from standard input."`
	Source      []string `help:"Addresses and networks that its calls come in from." placeholder:"NET"`
	Priority    int      `help:"Lower is tried first."`
	Deck        string   `help:"Cost deck." placeholder:"DECK" predict:"deck"`
	Format      string   `help:"How numbers are sent: +e164, e164 or 00e164." enum:"+e164,e164,00e164" default:"+e164"`
	Withheld    string   `help:"What the carrier gets of a number that its caller withholds: asserted (P-Asserted-Identity with Privacy: id) or removed (nothing)." enum:"asserted,removed" default:"asserted"`
	Emergency   bool     `help:"It carries emergency calls."`
	Disabled    bool     `help:"Do not use it yet."`
}

func (trunkAdd) Help() string {
	return examples("ringfence trunk add carrier-a 192.0.2.10:5060 192.0.2.11:5060 --deck carrier-a --emergency --source 192.0.2.0/28",
		"ringfence trunk add carrier-b sip.carrier.example:5060 --user ringfence --ask-password --priority 20 < carrier-b.txt")
}

// Run adds it.
func (c *trunkAdd) Run(s *session) (err error) {
	in := api.NewTrunk{
		Name: c.Name, Addresses: c.Address, Transport: c.Transport, User: c.User, Sources: c.Source, Priority: c.Priority,
		Deck: c.Deck, Format: c.Format, Withheld: c.Withheld, Emergency: c.Emergency, Disabled: c.Disabled,
	}
	if c.AskPassword {
		if in.Password, err = s.askPassword("trunk " + c.Name); err != nil {
			return err
		}
	}
	var out api.Trunk
	if err := s.do(http.MethodPost, pathOf("trunks"), in, &out); err != nil {
		return adding("trunk", c.Name, err)
	}
	return s.emit(out, func() error { return s.say("Trunk %s added.", out.Name) })
}

type trunkList struct{}

func (trunkList) Help() string { return examples("ringfence trunk list") }

// Run lists them.
func (c *trunkList) Run(s *session) error {
	var page api.List[api.Trunk]
	if err := s.get(pathOf("trunks"), &page); err != nil {
		return err
	}
	return s.emit(append([]api.Trunk{}, page.Items...), func() error {
		t := table.New(table.Left("trunk"), table.Right("priority"), table.Cut("addresses"), table.Left("over"), table.Left("format"),
			table.Left("cost deck"), table.Left("emergency"), table.Left("state"))
		for _, x := range page.Items {
			t.Row(x.Name, strconv.Itoa(x.Priority), strings.Join(x.Addresses, ", "), x.Transport, x.Format, x.Deck, yesNo(x.Emergency), trunkState(&x))
		}
		return s.list(t, "No trunks yet, so calls reach only lines: ringfence trunk add NAME HOST:PORT")
	})
}

func trunkState(t *api.Trunk) table.Cell {
	if t.Disabled {
		return table.Cell{Text: "disabled", Style: table.Warn}
	}
	return table.Cell{Text: "in use", Style: table.Good}
}

type trunkShow struct {
	Name string `arg:"" help:"Trunk." predict:"trunk"`
}

func (trunkShow) Help() string { return examples("ringfence trunk show carrier-a") }

// Run shows it.
func (c *trunkShow) Run(s *session) error {
	var out api.Trunk
	if err := s.get(pathOf("trunks", c.Name), &out); err != nil {
		return err
	}
	return s.emit(out, func() error { return s.showTrunk(&out) })
}

func (s *session) showTrunk(x *api.Trunk) error {
	t := table.New(table.Left(""), table.Left(""))
	t.Row("trunk", table.Cell{Text: x.Name, Style: table.Bold})
	t.Row("state", trunkState(x))
	t.Row("priority", strconv.Itoa(x.Priority))
	t.Row("addresses", strings.Join(x.Addresses, ", "))
	t.Row("transport", x.Transport)
	t.Row("user", x.User)
	t.Row("password", yesNo(x.Login))
	t.Row("sources", netsText(x.Sources))
	t.Row("format", x.Format)
	t.Row("withheld numbers", x.Withheld)
	t.Row("cost deck", x.Deck)
	t.Row("emergency", yesNo(x.Emergency))
	return s.table(t, 0)
}

type trunkSet struct {
	Name        string   `arg:"" help:"Trunk." predict:"trunk"`
	Set         []string `arg:"" optional:"" name:"field=value" help:"addresses, transport, user, sources, priority, deck, format, withheld, emergency, disabled." predict:"trunk-field"`
	AskPassword bool     `help:"Ask for a new password towards the carrier, or read it from standard input."`
}

func (trunkSet) Help() string {
	return examples("ringfence trunk set carrier-a priority=5 disabled=no", `ringfence trunk set carrier-a addresses="192.0.2.10:5060, 192.0.2.12:5060"`,
		"ringfence trunk set carrier-b withheld=removed", "ringfence trunk set carrier-a --ask-password < carrier-a.txt")
}

// Run changes it.
func (c *trunkSet) Run(s *session) error {
	in, err := parseTrunk(c.Set)
	if err != nil {
		return err
	}
	if c.AskPassword {
		password, err := s.askPassword("trunk " + c.Name)
		if err != nil {
			return err
		}
		in.Password = &password
	} else if len(c.Set) == 0 {
		return usagef("nothing to change: give FIELD=VALUE or --ask-password")
	}
	var out api.Trunk
	if err := s.do(http.MethodPatch, pathOf("trunks", c.Name), in, &out); err != nil {
		return err
	}
	return s.emit(out, func() error { return s.showTrunk(&out) })
}

type trunkTest struct {
	Name string `arg:"" help:"Trunk." predict:"trunk"`
}

func (trunkTest) Help() string {
	return `Resolves its names and sends OPTIONS to each address, from the server and with the login of the trunk where one is asked for. No call is made. It comes from another port than calls do: a carrier that knows us by our port may refuse it all the same. Exit code 1 when an address does not answer, or refuses us.

` + examples("ringfence trunk test carrier-a", "ringfence trunk test carrier-a --json")
}

var errTrunk = errors.New("the trunk does not answer as it should: see above")

// Run asks.
func (c *trunkTest) Run(s *session) error {
	var out api.TrunkTest
	if err := s.do(http.MethodPost, pathOf("trunks", c.Name, "test"), nil, &out); err != nil {
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

type trunkRemove struct {
	Name string `arg:"" help:"Trunk." predict:"trunk"`
	Yes  bool   `help:"Do it; without, only say what would be done."`
}

func (trunkRemove) Help() string {
	return examples("ringfence trunk remove carrier-b", "ringfence trunk remove carrier-b --yes")
}

// Run removes it, if told twice.
func (c *trunkRemove) Run(s *session) error {
	var out api.Trunk
	if err := s.get(pathOf("trunks", c.Name), &out); err != nil {
		return err
	}
	if !c.Yes {
		return s.dryRun(fmt.Sprintf("Trunk %s to %s would be removed.", out.Name, strings.Join(out.Addresses, ", ")))
	}
	if err := s.do(http.MethodDelete, pathOf("trunks", c.Name), nil, nil); err != nil {
		return err
	}
	return s.done("Trunk %s is removed.", c.Name)
}
