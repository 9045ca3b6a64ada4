package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
	"ringfence/edge/rest/client"
)

type banCmd struct {
	remote
	List    list[api.Ban, api.BanFilter] `cmd:"" set:"limit=100" eg:"; --by auto; --within 203.0.113.0/24 --limit 0 --json"`
	Add     banAdd                       `cmd:"" help:"Block an address or network, for a day unless stated otherwise." eg:"203.0.113.9 --for 7d --why \"guesses passwords\"; 2001:db8:bad::/48 --until 2026-12-31 --why \"no customers there\""`
	Remove  banRemove                    `cmd:"" help:"Lift a ban, automatic or made by hand." eg:"203.0.113.9; 203.0.113.0/24 --why \"a customer's new office\""`
	Why     banWhy                       `cmd:"" help:"Show the status of an address: banned, locked out, exempt." eg:"203.0.113.9"`
	Import  banImport                    `cmd:"" help:"Block what a list names, in place of the previous list of that name." eg:"attackers.txt --dry-run; attackers.csv --name friends --until +30d; curl -s https://example.net/list | ringfence ban import - --name example"`
	Drop    banDrop                      `cmd:"" help:"Lift all bans of an imported list." eg:"friends; friends --yes"`
	Export  banExport                    `cmd:"" help:"Write bans as a list that import reads." eg:"> bans.txt; --by auto --format json -o bans.json"`
	Feeds   whole[api.Feed, struct{}]    `cmd:"" help:"List the feeds of the configuration, when they were read and what is wrong with them." eg:""`
	Refresh banRefresh                   `cmd:"" help:"Fetch a feed now." eg:"apiban"`
}

type banAdd struct {
	Body api.NewBan `embed:""`
}

func (banAdd) Help() string {
	return `Every node drops what comes from there, before it looks at it. Customers', carriers' and this machine's own addresses (127.0.0.1, ::1) are refused unless forced; those of shield.never always.`
}

// Run bans, at once: there may be no time to lose, and remove takes it back.
func (c *banAdd) Run(s *session) error {
	return perform(s, "POST /v1/bans", c, func(b *api.Ban) error {
		return s.say("%s is banned until %s. Lift it with: ringfence ban remove %s", b.Net, until(b.Until), b.Net)
	})
}

type banRemove struct{ api.BanRemoval }

func (banRemove) Help() string {
	return `A feed that still lists it does not bring it back for a day. A lock-out of the same address is another thing: ringfence lockout release.`
}

// Run lifts it.
func (c *banRemove) Run(s *session) error {
	return perform(s, "DELETE /v1/bans", c, func(b *api.Ban) error {
		return s.say("%s is no longer banned (it was, by %s).", b.Net, b.By)
	})
}

type banWhy struct{ api.BanQuestion }

// Run explains.
func (c *banWhy) Run(s *session) error { return perform(s, "GET /v1/bans/why", c, s.showBan) }

func (s *session) showBan(a *api.BanAnswer) error {
	head := s.out.Paint(table.Good, "not banned")
	if a.Banned {
		head = s.out.Paint(table.Bad, "banned")
	}
	s.say("%s is %s.", a.Address, head)
	if where := whereText(&a.Place); where != "" {
		s.say("It is in %s.", where)
	}
	switch {
	case a.Never != "":
		s.say("It is never banned: %s is on shield.never in the configuration.", a.Never)
	case a.Spared != "":
		s.say("It is not banned for others' sake: %s.", a.Spared)
	}
	s.section("Bans that hold it", rows(a.Bans...))
	return s.section("Lock-outs it is under (lift: ringfence lockout release "+a.Address+")", rows(a.Lockouts...))
}

type banImport struct {
	File   string `arg:"" help:"List; - is standard input." type:"path"`
	Name   string `query:"name" help:"Of the list (default: the file's)." placeholder:"NAME"`
	Format string `query:"format" help:"auto, text, csv or json." enum:"auto,text,csv,json" default:"auto"`
	Until  point  `query:"until" help:"For entries that name no end; that day included (default: a week from now)." placeholder:"WHEN"`
	DryRun bool   `query:"dry_run" help:"Read and check, but ban nobody."`
}

func (banImport) Help() string {
	return `One address or network a line with its end and reason if there are any, CSV, or JSON; the lists of APIBAN and CrowdSec are understood. All of it is taken, or nothing and every fault named. What the list of the same name held before and this one does not is lifted. Customers' and carriers' addresses are left out.`
}

// Run sends the list.
func (c *banImport) Run(s *session) error {
	if filepath.Base(c.File) == "-" {
		c.File = "-"
	}
	c.Name = listName(c.Name, c.File)
	out, err := upload[api.BanImport](s, "/v1/bans/import", c, c.File, func(r io.Reader) any { return client.Text{Reader: r} })
	if err != nil {
		return err
	}
	return s.emit(out, func() error { return s.showBanImport(out) })
}

// listName is the name given, else the file's without its folder and ending.
func listName(name, path string) string {
	if name != "" {
		return name
	}
	if path == "-" {
		return "stdin"
	}
	base := filepath.Base(path)
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' {
			return r
		}
		return '-'
	}, strings.TrimSuffix(base, filepath.Ext(base)))
}

func (s *session) showBanImport(b *api.BanImport) error {
	s.say("List %s: %s.", b.Name, b.Text)
	t := table.New(table.Left(""), table.Cut(""))
	if b.Format != "" {
		t.Row("read as", b.Format)
	}
	if b.Ended > 0 {
		t.Row("ended", api.Count(b.Ended, "row", "rows")+" whose end has passed")
	}
	if b.Skipped > 0 {
		t.Row("skipped", api.Count(b.Skipped, "row", "rows")+" that are no bans of addresses")
	}
	for _, n := range b.Notes {
		t.Row("note", n)
	}
	for _, n := range b.Sample {
		t.Row("left out", n)
	}
	if b.LeftOut > len(b.Sample) {
		t.Row("", fmt.Sprintf("and %d more", b.LeftOut-len(b.Sample)))
	}
	if t.Len() == 0 {
		return nil
	}
	return s.table(t, 2)
}

type banDrop struct {
	Name string `path:"name" arg:"" help:"Name that the list was imported under." predict:"ban-list"`
	Yes  bool   `help:"Do it; without, only say what would be done."`
}

// Run lifts them, if told twice.
func (c *banDrop) Run(s *session) error {
	if !c.Yes {
		items, _, err := all[api.Ban](s, "/v1/bans", "after", 0, api.BanFilter{By: "feed:import." + c.Name})
		if err != nil {
			return err
		}
		if len(items) == 0 {
			return fmt.Errorf("nothing is banned by an imported list %q; see: ringfence ban list", c.Name)
		}
		return s.dryRun(fmt.Sprintf("The list %s would be dropped: %s lifted, unless others hold them too.", c.Name, api.Count(len(items), "ban", "bans")))
	}
	return perform(s, "DELETE /v1/bans/imports/{name}", c, func(b *api.BanImport) error {
		return s.say("The list %s is dropped: %s.", b.Name, api.Count(b.Removed, "ban", "bans"))
	})
}

type banExport struct {
	api.BanFilter
	Format string `query:"format" help:"text, csv or json." enum:"text,csv,json" default:"text"`
	Output string `short:"o" help:"File to write (default: standard output)." placeholder:"FILE"`
}

// Run writes the list as the server does.
func (c *banExport) Run(s *session) error {
	if s.json {
		c.Format = "json"
	}
	return s.writeTo(c.Output, func(w io.Writer) error { return s.stream("/v1/bans/export", c, "*/*", w) })
}

type banRefresh struct{ api.FeedName }

// Run fetches it; a feed that could not be had is a failure.
func (c *banRefresh) Run(s *session) error {
	f, err := fetch[api.Feed](s, "POST /v1/feeds/{name}/refresh", c)
	if err != nil {
		return err
	}
	if err := s.emit(f, func() error { return s.table(rows(*f), 0) }); err != nil {
		return err
	}
	if f.Fault != "" {
		return fmt.Errorf("the list was not accepted; the previous one stays in force: %s", f.Fault)
	}
	return nil
}

type lockoutCmd struct {
	remote
	List    list[api.Lockout, struct{}] `cmd:"" set:"limit=100" eg:"; --limit 0 --json | jq length"`
	Release lockoutRelease              `cmd:"" help:"End lock-outs before their time, on all nodes." eg:"2001; 198.51.100.20; 203.0.113.0/24"`
}

type lockoutRelease struct {
	Body api.Release `embed:""`
}

func (lockoutRelease) Help() string {
	return `What led to the lock-out is forgotten too. A ban of the address is another thing: ringfence ban why tells of both.`
}

// Run releases; nothing to release is a failure, for it was a slip.
func (c *lockoutRelease) Run(s *session) error {
	r, err := fetch[api.Released](s, "POST /v1/lockouts/release", c)
	if err != nil {
		return err
	}
	if !r.Released {
		return fmt.Errorf("nothing was locked out under %.60q: ringfence lockout list shows who is", r.What)
	}
	return s.emit(r, func() error { return s.say("%s is no longer locked out.", r.What) })
}

type geoCmd struct {
	remote
	Address string `query:"address" arg:"" help:"Address."`
}

func (geoCmd) Help() string {
	return `Without files, all is unknown: set geo.files in the configuration.`
}

// Run looks it up.
func (c *geoCmd) Run(s *session) error { return perform(s, "GET /v1/geo", c, s.showPlace) }

func (s *session) showPlace(p *api.Place) error {
	t := table.New(table.Left(""), table.Left(""))
	known := func(text string) table.Cell {
		if text == "" {
			return table.Cell{Text: "unknown", Style: table.Dim}
		}
		return table.Cell{Text: text}
	}
	as := ""
	if p.ASN != 0 {
		as = "AS" + strconv.FormatUint(uint64(p.ASN), 10)
	}
	t.Row("address", table.Cell{Text: p.Address, Style: table.Bold})
	t.Row("country", known(p.Country))
	t.Row("network", known(strings.TrimSpace(as+" "+p.Network)))
	if as != "" {
		t.Row("hosting", yesNo(p.Hosting))
	}
	s.table(t, 0)
	if len(p.Files) == 0 {
		return s.say("\nNo files are loaded: set geo.files in the configuration.")
	}
	files := table.New(table.Left("file"), table.Left("type"), table.Left("built"), table.Right("records"), table.Left("holds"))
	for _, f := range p.Files {
		holds := slices.DeleteFunc([]string{map[bool]string{true: "countries"}[f.Countries], map[bool]string{true: "networks"}[f.Networks]},
			func(w string) bool { return w == "" })
		files.Row(f.Path, f.Type, api.Moment(f.Built), strconv.Itoa(f.Records), strings.Join(holds, ", "))
	}
	return s.section("Files", files)
}

// whereText is a place in a few words, "" if nothing is known.
func whereText(p *api.Place) string {
	var parts []string
	if p.Country != "" {
		parts = append(parts, p.Country)
	}
	if p.ASN != 0 {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("AS%d %s", p.ASN, p.Network)))
	}
	if p.Hosting {
		parts = append(parts, "a hosting network")
	}
	return strings.Join(parts, ", ")
}
