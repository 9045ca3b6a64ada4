package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
	"ringfence/edge/rest/client"
)

type banCmd struct {
	remote
	List    list[api.Ban, api.BanFilter] `cmd:"" set:"limit=100" eg:"; --by auto; --within 203.0.113.0/24 --limit 0 --json"`
	Add     act[banAdd, api.Ban]         `cmd:"" help:"Block an address or network, for a day unless stated otherwise." route:"POST /v1/bans" says:"{{.Net}} is banned until {{until .Until}}. Lift it with: ringfence ban remove {{.Net}}" eg:"203.0.113.9 --for 7d --why \"guesses passwords\"; 2001:db8:bad::/48 --until 2026-12-31 --why \"no customers there\"" detail:"Every node drops what comes from there, before it is read. Addresses of customers, carriers and this machine (127.0.0.1, ::1) are refused unless you add --force; those of shield.never are always refused."`
	Remove  act[api.BanRemoval, api.Ban] `cmd:"" help:"Lift a ban, automatic or manual." route:"DELETE /v1/bans" says:"{{.Net}} is no longer banned (it was, by {{.By}})." eg:"203.0.113.9; 203.0.113.0/24 --why \"a customer's new office\"" detail:"A feed that still lists the address does not ban it again for a day. To end a lock-out of the same address, use: ringfence lockout release."`
	Why     banWhy                       `cmd:"" help:"Show the status of an address: banned, locked out, exempt." eg:"203.0.113.9"`
	Import  banImport                    `cmd:"" help:"Import a list of bans, in place of the previous list of that name." eg:"attackers.txt --dry-run; attackers.csv --name friends --until +30d; curl -s https://example.net/list | ringfence ban import - --name example" detail:"A text file has one address or network per line, with its end and reason if there are any; CSV, JSON, and the formats of APIBAN and CrowdSec are read too. All of the list is imported, or none and every fault is named. Bans of the previous list of that name that are not on the new one are lifted. Addresses of customers and carriers are left out."`
	Drop    banDrop                      `cmd:"" help:"Lift all bans of an imported list." eg:"friends; friends --yes"`
	Export  banExport                    `cmd:"" help:"Export bans as a list that import reads." eg:"> bans.txt; --by auto --format json -o bans.json"`
	Feeds   whole[api.Feed, struct{}]    `cmd:"" help:"List the feeds of the configuration: when each was read, and its last fault." eg:""`
	Refresh banRefresh                   `cmd:"" help:"Fetch a feed now." eg:"apiban"`
}

type banAdd struct {
	Body api.NewBan `embed:""`
}

type banWhy struct{ api.BanQuestion }

func (c *banWhy) Run(s *session) error { return perform(s, "GET /v1/bans/why", s.showBan, c) }

func (s *session) showBan(a *api.BanAnswer) error {
	head := s.out.Paint(table.Good, "not banned")
	if a.Banned {
		head = s.out.Paint(table.Bad, "banned")
	}
	s.say("%s is %s.", a.Address, head)
	hosting := map[bool]string{true: "a hosting network"}[a.Place.Hosting]
	if where := slices.DeleteFunc([]string{a.Place.Country, a.Place.AS(), hosting}, func(w string) bool { return w == "" }); len(where) > 0 {
		s.say("It is in %s.", strings.Join(where, ", "))
	}
	switch {
	case a.Never != "":
		s.say("It is never banned: %s is on shield.never in the configuration.", a.Never)
	case a.Exempt != "":
		s.say("It is exempt from automatic bans: %s.", a.Exempt)
	}
	s.section("Bans that cover it", rows(a.Bans...))
	return s.section("Lock-outs that cover it (end them: ringfence lockout release "+a.Address+")", rows(a.Lockouts...))
}

type banImport struct {
	File   string `arg:"" help:"List; - is standard input." type:"path"`
	Name   string `query:"name" help:"Name of the list (default: that of the file)." placeholder:"NAME"`
	Format string `query:"format" help:"auto, text, csv or json." enum:"auto,text,csv,json" default:"auto"`
	Until  point  `query:"until" help:"End of entries that give none; that day included (default: a week from now)." placeholder:"WHEN"`
	DryRun bool   `query:"dry_run" help:"Read and check, but ban nothing."`
}

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
	Yes  bool   `help:"Do it. Without this flag, only say what would be done."`
}

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
	return perform(s, "DELETE /v1/bans/imports/{name}", func(b *api.BanImport) error {
		return s.say("The list %s is dropped: %s.", b.Name, api.Count(b.Removed, "ban", "bans"))
	}, c)
}

type banExport struct {
	api.BanFilter
	Format string `query:"format" help:"text, csv or json." enum:"text,csv,json" default:"text"`
	Output string `short:"o" help:"File to write (default: standard output)." placeholder:"FILE"`
}

func (c *banExport) Run(s *session) error {
	if s.json {
		c.Format = "json"
	}
	return s.writeTo(c.Output, func(w io.Writer) error { return s.stream("/v1/bans/export", c, "*/*", w) })
}

type banRefresh struct{ api.FeedName }

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
	Release lockoutRelease              `cmd:"" help:"End lock-outs early, on all nodes." eg:"2001; 198.51.100.20; 203.0.113.0/24" detail:"The wrong passwords that led to the lock-out are forgotten too. Bans stay: ringfence ban why shows both."`
}

type lockoutRelease struct {
	Body api.Release `embed:""`
}

// Run releases; nothing to release is a failure, for it was a slip.
func (c *lockoutRelease) Run(s *session) error {
	r, err := fetch[api.Released](s, "POST /v1/lockouts/release", c)
	if err != nil {
		return err
	}
	if !r.Released {
		return fmt.Errorf("nothing is locked out under %.60q: ringfence lockout list shows the lock-outs", r.What)
	}
	return s.emit(r, func() error { return s.say("%s is no longer locked out.", r.What) })
}

type geoCmd struct {
	remote
	show[api.Place, api.BanQuestion]
}
