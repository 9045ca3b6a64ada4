package main

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
	"ringfence/edge/rest/client"
)

type banCmd struct {
	remote
	List    banList    `cmd:"" help:"List bans in force."`
	Add     banAdd     `cmd:"" help:"Shut out an address or network, for a day unless said."`
	Remove  banRemove  `cmd:"" help:"Lift a ban, whoever made it."`
	Why     banWhy     `cmd:"" help:"Say how it stands with an address: banned, locked out, spared."`
	Import  banImport  `cmd:"" help:"Shut out what a list names, in place of the list of that name before."`
	Drop    banDrop    `cmd:"" help:"Lift all bans of an imported list."`
	Export  banExport  `cmd:"" help:"Write bans as a list that import reads."`
	Feeds   banFeeds   `cmd:"" help:"List the feeds of the configuration, when they were read and what is wrong with them."`
	Refresh banRefresh `cmd:"" help:"Fetch a feed now."`
}

// banFilter chooses bans.
type banFilter struct {
	By     string `query:"by" help:"Only those of auto, manual, feed, feed:NAME, or of whoever made them." placeholder:"WHO"`
	Within string `query:"within" help:"Only those that have to do with this address or network." placeholder:"NET"`
}

type banList struct {
	banFilter
	Limit int `help:"Show no more than this (0: all)." default:"100"`
}

func (banList) Help() string {
	return examples("ringfence ban list", "ringfence ban list --by auto", "ringfence ban list --within 203.0.113.0/24 --limit 0 --json")
}

// Run lists them.
func (c *banList) Run(s *session) error {
	items, more, err := all[api.Ban](s, pathOf("bans"), "after", c.Limit, c)
	if err != nil {
		return err
	}
	return s.emit(items, func() error {
		empty := "Nobody is banned. Whoever guesses passwords will be, by itself; to ban by hand: ringfence ban add NET --why TEXT"
		if c.By != "" || c.Within != "" {
			empty = "No such bans."
		}
		return s.cutList(banTable(items), more, empty)
	})
}

func banTable(bans []api.Ban) *table.Table {
	t := table.New(table.Left("banned"), table.Left("until"), table.Left("by"), table.Left("made"), table.Cut("why"))
	for _, b := range bans {
		t.Row(b.Net, moment(b.Until), b.By, moment(b.Made), b.Why)
	}
	return t
}

type banAdd struct {
	Net   string `arg:"" help:"Address, or network such as 203.0.113.0/24."`
	For   span   `help:"How long: \"90m\", \"24h\", \"7d\", \"2w\" (default: a day)." placeholder:"LENGTH" xor:"end"`
	Until point  `help:"Until when; that day included." placeholder:"WHEN" xor:"end"`
	Why   string `required:"" help:"Reason, for whoever asks later." placeholder:"TEXT"`
	Force bool   `help:"Also if a customer, a carrier or this machine is in there."`
}

func (banAdd) Help() string {
	return `Every node drops what comes from there, before it looks at it. Customers', carriers' and this machine's own addresses (127.0.0.1, ::1) are refused unless forced; those of shield.never always.

` + examples(`ringfence ban add 203.0.113.9 --for 7d --why "guesses passwords"`, `ringfence ban add 2001:db8:bad::/48 --until 2026-12-31 --why "no customers there"`)
}

// Run bans, at once: there may be no time to lose, and remove takes it back.
func (c *banAdd) Run(s *session) error {
	in := api.NewBan{Net: c.Net, For: int64(c.For.Duration / time.Second), Until: string(c.Until), Why: c.Why, Force: c.Force}
	var out api.Ban
	if err := s.do(http.MethodPost, pathOf("bans"), in, &out); err != nil {
		return err
	}
	return s.emit(out, func() error {
		return s.say("%s is banned until %s. Lift it with: ringfence ban remove %s", out.Net, until(out.Until), out.Net)
	})
}

type banRemove struct {
	Net string `arg:"" help:"Exactly the address or network that is banned." predict:"ban"`
	Why string `help:"Reason, for the record." placeholder:"TEXT"`
}

func (banRemove) Help() string {
	return `A feed that still lists it does not bring it back for a day. A lock-out of the same address is another thing: ringfence lockout release.

` + examples("ringfence ban remove 203.0.113.9", `ringfence ban remove 203.0.113.0/24 --why "a customer's new office"`)
}

// Run lifts it.
func (c *banRemove) Run(s *session) error {
	var out api.Ban
	if err := s.do(http.MethodDelete, pathOf("bans")+query("net", c.Net, "why", c.Why), nil, &out); err != nil {
		return err
	}
	return s.emit(out, func() error { return s.say("%s is no longer banned (it was, by %s).", out.Net, out.By) })
}

type banWhy struct {
	Address string `arg:"" help:"Address." predict:"ban"`
}

func (banWhy) Help() string { return examples("ringfence ban why 203.0.113.9") }

// Run explains.
func (c *banWhy) Run(s *session) error {
	var out api.BanAnswer
	if err := s.get(pathOf("bans", "why")+query("address", c.Address), &out); err != nil {
		return err
	}
	return s.emit(out, func() error { return s.showBan(&out) })
}

func (s *session) showBan(a *api.BanAnswer) error {
	head := s.out.Paint(table.Good, "not banned")
	if a.Banned {
		head = s.out.Paint(table.Bad, "banned")
	}
	if err := s.say("%s is %s.", a.Address, head); err != nil {
		return err
	}
	if where := whereText(&a.Place); where != "" {
		if err := s.say("It is in %s.", where); err != nil {
			return err
		}
	}
	switch {
	case a.Never != "":
		if err := s.say("It is never banned: %s is on shield.never in the configuration.", a.Never); err != nil {
			return err
		}
	case a.Spared != "":
		if err := s.say("It is not banned for others' sake: %s.", a.Spared); err != nil {
			return err
		}
	}
	if err := s.section("Bans that hold it", banTable(a.Bans)); err != nil {
		return err
	}
	return s.section("Lock-outs it is under (lift: ringfence lockout release "+a.Address+")", lockoutTable(a.Lockouts))
}

type banImport struct {
	File   string `arg:"" help:"List; - is standard input." type:"path"`
	Name   string `help:"Of the list (default: the file's)." placeholder:"NAME"`
	Format string `help:"auto, text, csv or json." enum:"auto,text,csv,json" default:"auto"`
	Until  point  `help:"For entries that name no end; that day included (default: a week from now)." placeholder:"WHEN"`
	DryRun bool   `help:"Read and check, but ban nobody."`
}

func (banImport) Help() string {
	return `One address or network a line with its end and reason if there are any, CSV, or JSON; the lists of APIBAN and CrowdSec are understood. All of it is taken, or nothing and every fault named. What the list of the same name held before and this one does not is lifted. Customers' and carriers' addresses are left out.

` + examples("ringfence ban import attackers.txt --dry-run", "ringfence ban import attackers.csv --name friends --until +30d", "curl -s https://example.net/list | ringfence ban import - --name example")
}

// Run sends the list.
func (c *banImport) Run(s *session) error {
	path := c.File
	if filepath.Base(path) == "-" {
		path = "-"
	}
	file, size, err := s.open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	server, err := s.client()
	if err != nil {
		return err
	}
	dry := ""
	if c.DryRun {
		dry = "true"
	}
	body := &progress{from: file, size: size, to: s.progressTo()}
	var out api.BanImport
	target := pathOf("bans", "import") + query("name", listName(c.Name, path), "format", c.Format, "until", string(c.Until), "dry_run", dry)
	err = server.Do(s.ctx, http.MethodPost, target, client.Text{Reader: body}, &out)
	body.end()
	if err != nil {
		return err
	}
	return s.emit(out, func() error { return s.showBanImport(&out) })
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
	if err := s.say("List %s: %s.", b.Name, b.Text); err != nil {
		return err
	}
	t := table.New(table.Left(""), table.Cut(""))
	if b.Format != "" {
		t.Row("read as", b.Format)
	}
	if b.Ended > 0 {
		t.Row("ended", plural(b.Ended, "row", "rows")+" whose end has passed")
	}
	if b.Skipped > 0 {
		t.Row("skipped", plural(b.Skipped, "row", "rows")+" that are no bans of addresses")
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
	Name string `arg:"" help:"Name that the list was imported under." predict:"ban-list"`
	Yes  bool   `help:"Do it; without, only say what would be done."`
}

func (banDrop) Help() string {
	return examples("ringfence ban drop friends", "ringfence ban drop friends --yes")
}

// Run lifts them, if told twice.
func (c *banDrop) Run(s *session) error {
	if !c.Yes {
		items, _, err := all[api.Ban](s, pathOf("bans")+query("by", "feed:import."+c.Name), "after", 0, nil)
		if err != nil {
			return err
		}
		if len(items) == 0 {
			return fmt.Errorf("nothing is banned by an imported list %q; see: ringfence ban list", c.Name)
		}
		return s.dryRun(fmt.Sprintf("The list %s would be dropped: %s lifted, unless others hold them too.", c.Name, plural(len(items), "ban", "bans")))
	}
	var out api.BanImport
	if err := s.do(http.MethodDelete, pathOf("bans", "imports", c.Name), nil, &out); err != nil {
		return err
	}
	return s.emit(out, func() error {
		return s.say("The list %s is dropped: %s.", out.Name, plural(out.Removed, "ban", "bans"))
	})
}

type banExport struct {
	banFilter
	Format string `help:"text, csv or json." enum:"text,csv,json" default:"text"`
	Output string `short:"o" help:"File to write (default: standard output)." placeholder:"FILE"`
}

func (banExport) Help() string {
	return examples("ringfence ban export > bans.txt", "ringfence ban export --by auto --format json -o bans.json")
}

// Run writes the list as the server does.
func (c *banExport) Run(s *session) error {
	server, err := s.client()
	if err != nil {
		return err
	}
	format := c.Format
	if s.json {
		format = "json"
	}
	return s.writeTo(c.Output, func(w io.Writer) error {
		return server.Stream(s.ctx, pathOf("bans", "export")+query("by", c.By, "within", c.Within, "format", format), "*/*", w)
	})
}

type banFeeds struct{}

func (banFeeds) Help() string { return examples("ringfence ban feeds") }

// Run lists them.
func (c *banFeeds) Run(s *session) error {
	var page api.List[api.Feed]
	if err := s.get(pathOf("feeds"), &page); err != nil {
		return err
	}
	return s.emit(append([]api.Feed{}, page.Items...), func() error {
		return s.list(feedTable(page.Items), "No feeds. Name them in shield.feeds of the configuration: feeds = ['NAME=URL or file'], or import a list once: ringfence ban import FILE")
	})
}

func feedTable(feeds []api.Feed) *table.Table {
	t := table.New(table.Left("feed"), table.Left("state"), table.Right("entries"), table.Left("read"), table.Left("tried"), table.Cut("from"), table.Cut("result"))
	for _, f := range feeds {
		state, result := table.Cell{Text: "good", Style: table.Good}, f.Summary
		switch {
		case f.Fault != "":
			state, result = table.Cell{Text: "fault", Style: table.Bad}, f.Fault
		case f.Asked.IsZero():
			state = table.Cell{Text: "not yet", Style: table.Dim}
		}
		t.Row(f.Name, state, strconv.Itoa(f.Entries), moment(f.Taken), moment(f.Asked), f.From, result)
	}
	return t
}

type banRefresh struct {
	Name string `arg:"" help:"Feed." predict:"feed"`
}

func (banRefresh) Help() string { return examples("ringfence ban refresh apiban") }

// Run fetches it; a feed that could not be had is a failure.
func (c *banRefresh) Run(s *session) error {
	var out api.Feed
	if err := s.do(http.MethodPost, pathOf("feeds", c.Name, "refresh"), nil, &out); err != nil {
		return err
	}
	if err := s.emit(out, func() error { return s.table(feedTable([]api.Feed{out}), 0) }); err != nil {
		return err
	}
	if out.Fault != "" {
		return fmt.Errorf("the list was not taken; the one of before stays: %s", out.Fault)
	}
	return nil
}

type lockoutCmd struct {
	remote
	List    lockoutList    `cmd:"" help:"List lock-outs in force, those that end last first."`
	Release lockoutRelease `cmd:"" help:"End lock-outs before their time, on all nodes."`
}

type lockoutList struct {
	Limit int `help:"Show no more than this (0: all)." default:"100"`
}

func (lockoutList) Help() string {
	return examples("ringfence lockout list", "ringfence lockout list --limit 0 --json | jq length")
}

// Run lists them.
func (c *lockoutList) Run(s *session) error {
	items, more, err := all[api.Lockout](s, pathOf("lockouts"), "after", c.Limit, nil)
	if err != nil {
		return err
	}
	return s.emit(items, func() error {
		return s.cutList(lockoutTable(items), more, "Nobody is locked out.")
	})
}

func lockoutTable(all []api.Lockout) *table.Table {
	t := table.New(table.Left("scope"), table.Left("source"), table.Cut("user"), table.Left(""), table.Left("until"), table.Right("level"), table.Right("failures"))
	for _, l := range all {
		end, known := moment(l.Until), ""
		if l.Until.IsZero() {
			end = "while it goes on"
		}
		if l.User != "" && !l.Line {
			known = "no such line"
		}
		level := ""
		if l.Level > 0 {
			level = strconv.Itoa(l.Level)
		}
		t.Row(l.Scope, l.Source, l.User, table.Cell{Text: known, Style: table.Dim}, end, level, strconv.Itoa(l.Failures))
	}
	return t
}

type lockoutRelease struct {
	What string `arg:"" name:"line|address" help:"A line or user name (from everywhere), an address, a network, or AS64496." predict:"lockout"`
}

func (lockoutRelease) Help() string {
	return `What led to the lock-out is forgotten too. A ban of the address is another thing: ringfence ban why tells of both.

` + examples("ringfence lockout release 2001", "ringfence lockout release 198.51.100.20", "ringfence lockout release 203.0.113.0/24")
}

// Run releases; nothing to release is a failure, for it was a slip.
func (c *lockoutRelease) Run(s *session) error {
	var out api.Released
	if err := s.do(http.MethodPost, pathOf("lockouts", "release"), api.Release{What: c.What}, &out); err != nil {
		return err
	}
	if !out.Released {
		return fmt.Errorf("nothing was locked out under %.60q: ringfence lockout list shows who is", out.What)
	}
	return s.emit(out, func() error { return s.say("%s is no longer locked out.", out.What) })
}

type geoCmd struct {
	remote
	Address string `arg:"" help:"Address."`
}

func (geoCmd) Help() string {
	return `Without files, all is unknown: set geo.files in the configuration.

` + examples("ringfence geo 203.0.113.9")
}

// Run looks it up.
func (c *geoCmd) Run(s *session) error {
	var out api.Place
	if err := s.get(pathOf("geo")+query("address", c.Address), &out); err != nil {
		return err
	}
	return s.emit(out, func() error { return s.showPlace(&out) })
}

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
	if err := s.table(t, 0); err != nil {
		return err
	}
	if len(p.Files) == 0 {
		return s.say("\nNo files are loaded: set geo.files in the configuration.")
	}
	files := table.New(table.Left("file"), table.Left("type"), table.Left("built"), table.Right("records"), table.Left("holds"))
	for _, f := range p.Files {
		holds := slices.DeleteFunc([]string{map[bool]string{true: "countries"}[f.Countries], map[bool]string{true: "networks"}[f.Networks]},
			func(w string) bool { return w == "" })
		files.Row(f.Path, f.Type, moment(f.Built), strconv.Itoa(f.Records), strings.Join(holds, ", "))
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
