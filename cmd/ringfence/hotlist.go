package main

import (
	"fmt"
	"io"
	"path/filepath"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
	"ringfence/edge/rest/client"
)

type hotlistCmd struct {
	remote
	List    list[api.HotNumber, api.HotFilter] `cmd:"" set:"limit=100" eg:"; --list desk; --numbers +252611234567; --limit 0 --json"`
	Add     act[api.HotNew, api.HotNumber]     `cmd:"" help:"Refuse calls to numbers, or from them." route:"POST /v1/hotlist" says:"{{.Numbers}} is on the hot list {{.List}} ({{.Direction}}){{if not .Until.IsZero}} until {{until .Until}}{{end}}. Take it off with: ringfence hotlist remove {{.Numbers}} --list {{.List}}" eg:"+25261 --for 30d --why \"test calls before an attack\"; +37167123456 --direction both --until 2026-12-31" detail:"Every line is refused, on every node, except for emergency calls. An entry of the same list for the same numbers is replaced. Calls in progress continue; to end them, use: ringfence restriction add --everybody --end-calls."`
	Remove  act[api.HotRemoval, api.HotNumber] `cmd:"" help:"Take numbers off a hot list." route:"DELETE /v1/hotlist" says:"{{.Numbers}} is off the hot list {{.List}}." eg:"+25261; +25261 --list feed:irsf --why \"a customer's office\"" detail:"Numbers of a feed's list are exempted until the feed names them no more."`
	Import  hotImport                          `cmd:"" help:"Import a hot list, in place of the previous list of that name." eg:"irsf.csv --dry-run; irsf.csv --until +90d; wangiri.txt --direction both --name wangiri" detail:"A text file has one range of numbers per line, with its end and reason if there are any. CSV has columns such as number, direction, until and reason; JSON as export writes it. All of the list is imported, or none and every fault is named with line and column."`
	Drop    hotDrop                            `cmd:"" help:"Remove a whole hot list." eg:"irsf; irsf --yes"`
	Export  hotExport                          `cmd:"" help:"Export hot lists as a list that import reads." eg:"> hot.csv; --list desk --format json -o desk.json"`
	Feeds   whole[api.Feed, struct{}]          `cmd:"" help:"List the feeds of the configuration: when each was read, and its last fault." eg:""`
	Refresh banRefresh                         `cmd:"" help:"Fetch a feed now." eg:"irsf"`
}

type hotImport struct {
	File      string `arg:"" help:"List; - is standard input." type:"path"`
	Name      string `query:"name" help:"Name of the list (default: that of the file)." placeholder:"NAME"`
	Format    string `query:"format" help:"auto, text, csv or json." enum:"auto,text,csv,json" default:"auto"`
	Direction string `query:"direction" help:"Direction of entries that give none: out, in, both or presented." enum:"out,in,both,presented" default:"out"`
	Until     point  `query:"until" help:"End of entries that give none; that day included (default: none)." placeholder:"WHEN"`
	DryRun    bool   `query:"dry_run" help:"Read and check, but change nothing."`
}

func (c *hotImport) Run(s *session) error {
	if filepath.Base(c.File) == "-" {
		c.File = "-"
	}
	c.Name = listName(c.Name, c.File)
	out, err := upload[api.HotImport](s, "/v1/hotlist/import", c, c.File, func(r io.Reader) any { return client.Text{Reader: r} })
	if err != nil {
		return err
	}
	return s.emit(out, func() error { return s.showHotImport(out) })
}

func (s *session) showHotImport(h *api.HotImport) error {
	s.say("Hot list %s: %s.", h.Name, h.Text)
	t := table.New(table.Left(""), table.Cut(""))
	if h.Ended > 0 {
		t.Row("ended", api.Count(h.Ended, "row", "rows")+" whose end has passed")
	}
	for _, n := range h.Sample {
		t.Row("left out", n)
	}
	if h.LeftOut > len(h.Sample) {
		t.Row("", fmt.Sprintf("and %d more", h.LeftOut-len(h.Sample)))
	}
	if t.Len() == 0 {
		return nil
	}
	return s.table(t, 2)
}

type hotDrop struct {
	Name string `path:"name" arg:"" help:"Name of the list."`
	Yes  bool   `help:"Do it. Without this flag, only say what would be done."`
}

func (c *hotDrop) Run(s *session) error {
	if !c.Yes {
		items, _, err := all[api.HotNumber](s, "/v1/hotlist", "after", 0, api.HotFilter{List: c.Name})
		if err != nil {
			return err
		}
		if len(items) == 0 {
			return fmt.Errorf("there is no hot list %q; see: ringfence hotlist list", c.Name)
		}
		return s.dryRun(fmt.Sprintf("The hot list %s would be removed: %s.", c.Name, api.Count(len(items), "entry", "entries")))
	}
	return perform(s, "DELETE /v1/hotlist/lists/{name}", func(h *api.HotImport) error {
		return s.say("The hot list %s is removed: %s.", h.Name, api.Count(h.Removed, "entry", "entries"))
	}, c)
}

type hotExport struct {
	api.HotFilter
	Format string `query:"format" help:"text, csv or json." enum:"text,csv,json" default:"csv"`
	Output string `short:"o" help:"File to write (default: standard output)." placeholder:"FILE"`
}

func (c *hotExport) Run(s *session) error {
	if s.json {
		c.Format = "json"
	}
	return s.writeTo(c.Output, func(w io.Writer) error { return s.stream("/v1/hotlist/export", c, "*/*", w) })
}
