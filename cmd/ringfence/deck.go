package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"ringfence/cmd/ringfence/table"
	"ringfence/core/money"
	"ringfence/core/rating"
	"ringfence/edge/rest/api"
	"ringfence/edge/rest/client"
)

type deckCmd struct {
	remote
	Import deckImport `cmd:"" help:"Read a deck file: all of it, or nothing and every fault."`
	List   deckList   `cmd:"" help:"List every version of every deck."`
	Diff   deckDiff   `cmd:"" help:"Compare two versions of a deck."`
	Rows   deckRows   `cmd:"" help:"Show the prices of a deck."`
	Remove deckRemove `cmd:"" help:"Remove every version of a deck that nothing uses."`
	Export deckExport `cmd:"" help:"Write a deck as CSV that import reads back exactly."`
}

type deckImport struct {
	Name      string   `arg:"" help:"Deck to make or to replace." predict:"deck"`
	File      string   `arg:"" help:"Price list as CSV or .xlsx; - is standard input."`
	Kind      string   `required:"" help:"retail (what customers pay) or cost (what a carrier charges)." enum:"retail,cost"`
	DryRun    bool     `help:"Read, check and compare, but do not put it in force."`
	Yes       bool     `help:"Take the deck: the questions that the import asks are settled."`
	SkipBlank bool     `help:"Leave out rows without a price instead of refusing the file."`
	Map       []string `sep:"none" help:"Name a column by hand: its header, number or letter, and what it holds: \"Preis=rate\", \"3=rate (p)\", \"Notes=ignore\". May be repeated; kept for the next import of the deck, none forgets." placeholder:"COLUMN=MEANING"`
	Rate      string   `help:"The file is in another currency, and what one of it is worth: USD=0.79." placeholder:"CODE=RATE"`
	Sheet     string   `help:"Sheet of a workbook to read." placeholder:"NAME"`
	Unit      string   `help:"What amounts are in, when the file does not say: whole (pounds, euros), hundredths (pence, cents) or thousandths (fils)." enum:",whole,hundredths,thousandths" default:"" placeholder:"UNIT"`
	Pence     bool     `help:"The same as --unit hundredths."`
	Dates     string   `help:"What comes first in 01/02/2026, when the file does not show it: dmy or mdy." enum:"dmy,mdy," default:"" placeholder:"ORDER"`
	Currency  string   `help:"Currency that the file must have." placeholder:"CODE"`
	Merge     bool     `help:"Add and change rows only: those that the file does not name stay."`
	Covers    []string `sep:"none" help:"What a prefix prices besides what it stands for: \"1=US,CA,PR\", \"44=GB,JE,personal\". Kept with the deck. May be repeated." placeholder:"PREFIX=LIST"`
	First     int      `help:"First increment in seconds, when the file has none." placeholder:"SECONDS"`
	Step      int      `help:"Further increments in seconds, when the file has none." placeholder:"SECONDS"`
}

func (deckImport) Help() string {
	return `Separators, header names and number forms are recognised, and what is not is asked about or named. Calls in progress keep their price; new calls have the new one at once.

` + examples("ringfence deck import retail retail.csv --kind retail --dry-run", "ringfence deck import retail retail.csv --kind retail",
		"ringfence deck import carrier-a az.xlsx --kind cost --skip-blank --rate USD=0.79",
		`ringfence deck import carrier-b preise.csv --kind cost --map "Zone=name" --map "Preis=rate"`, "zcat rates.csv.gz | ringfence deck import carrier-b - --kind cost")
}

// Run sends the file. A big one takes a while: on a terminal it says how far it is.
func (c *deckImport) Run(s *session) error {
	file, size, err := s.open(c.File)
	if err != nil {
		return err
	}
	defer file.Close()
	server, err := s.client()
	if err != nil {
		return err
	}
	// What the server asks is answered by sending the file once more.
	data, err := io.ReadAll(io.LimitReader(file, rating.MaxFileBytes+1))
	if err != nil {
		return err
	}
	var answers []string
	for {
		body := &progress{from: bytes.NewReader(data), size: max(size, int64(len(data))), to: s.progressTo()}
		var out api.Import
		err = server.Do(s.ctx, http.MethodPost, pathOf("decks", c.Name, "import")+c.query(answers...), client.CSV{Reader: body}, &out)
		body.end()
		if err == nil {
			return s.emit(out, func() error { return s.showImport(&out) })
		}
		more, err := s.settle(err)
		if err != nil {
			return err
		}
		answers = append(answers, more...)
	}
}

// query is the flags, and what a person answered, which goes before them.
func (c *deckImport) query(answers ...string) string {
	yes := func(b bool) string { return map[bool]string{true: "true"}[b] }
	number := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	pairs := []string{
		"kind", c.Kind, "dry_run", yes(c.DryRun), "yes", yes(c.Yes), "merge", yes(c.Merge), "skip_blank", yes(c.SkipBlank), "pence", yes(c.Pence), "dates", c.Dates,
		"currency", c.Currency, "rate", c.Rate, "sheet", c.Sheet, "unit", c.Unit, "first", number(c.First), "step", number(c.Step), "source", filepath.Base(c.File),
	}
	text := query(append(pairs, answers...)...)
	for _, m := range c.Map {
		text += "&map=" + url.QueryEscape(m)
	}
	for _, m := range c.Covers {
		text += "&covers=" + url.QueryEscape(m)
	}
	return text
}

// open is a file and its size, or standard input, whose size nobody knows.
func (s *session) open(path string) (io.ReadCloser, int64, error) {
	if path == "-" {
		return io.NopCloser(s.in), 0, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	if info.Mode().IsRegular() && info.Size() == 0 {
		f.Close()
		return nil, 0, fmt.Errorf("%s is empty: nothing was imported", path)
	}
	return f, info.Size(), nil
}

// progressTo is where progress shows: a terminal, and not under --json.
func (s *session) progressTo() io.Writer {
	f, ok := s.errOut.(*os.File)
	if s.json || !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return f
}

func (s *session) showImport(i *api.Import) error {
	head := fmt.Sprintf("Deck %s version %d is in force.", i.Name, i.Version)
	if i.DryRun {
		head = fmt.Sprintf("Deck %s would be replaced. Nothing was changed: leave out --dry-run to do it.", i.Name)
	}
	if err := s.say("%s", head); err != nil {
		return err
	}
	t := table.New(table.Left(""), table.Left(""))
	t.Row("kind", i.Kind)
	t.Row("rows", strconv.Itoa(i.Rows))
	if i.Skipped > 0 {
		t.Row("skipped", plural(i.Skipped, "row", "rows")+" without a price")
	}
	t.Row("countries", strconv.Itoa(i.Countries))
	for _, x := range []struct {
		name  string
		price *api.Price
	}{{"cheapest", i.Cheapest}, {"dearest", i.Dearest}} {
		if x.price != nil {
			t.Row(x.name, fmt.Sprintf("%s (%s): %s", x.price.Name, x.price.Prefix, x.price.Text))
		}
	}
	t.Row("changes", fmt.Sprintf("%d added, %d removed, %d changed (%d dearer, %d cheaper)", i.Added, i.Removed, i.Changed, i.Dearer, i.Cheaper))
	t.Row("read as", i.Layout)
	for _, n := range i.Notes {
		t.Row("note", n)
	}
	if err := s.table(t, 2); err != nil {
		return err
	}
	if err := s.wouldAsk(i); err != nil {
		return err
	}
	if err := s.section("Prices below cost, the greatest loss first", cutTexts(i.BelowCost)); err != nil {
		return err
	}
	var gone, silent []string
	for _, u := range i.Unpriced {
		if u.Was {
			gone = append(gone, u.Text)
		} else {
			silent = append(silent, u.Text)
		}
	}
	if err := s.section("Priced by the version before, and not any more", cutTexts(gone)); err != nil {
		return err
	}
	if err := s.section(silence(i.Kind), cutTexts(silent)); err != nil {
		return err
	}
	return s.outliers(i.Outliers)
}

// silence says what is done with numbers that a list does not name: customers pay no price that was made for others, and a carrier may
// charge them otherwise.
func silence(kind string) string {
	if kind == string(rating.Cost) {
		return "Priced by the row of another country or kind: ask the carrier, who may charge more"
	}
	return "Not priced: the row that their digits begin with is for another country or kind"
}

// cutTexts is a list of which the first are shown.
func cutTexts(texts []string) *table.Table {
	t := table.New(table.Left(""))
	for i, text := range texts {
		if i == outliersShown {
			t.Row(fmt.Sprintf("and %d more (all with --json)", len(texts)-i))
			break
		}
		t.Row(text)
	}
	return t
}

// wouldAsk shows after a dry run what the import will ask.
func (s *session) wouldAsk(i *api.Import) error {
	if !i.DryRun || len(i.Questions) == 0 {
		return nil
	}
	if err := s.say("The import will ask:"); err != nil {
		return err
	}
	for j := range i.Questions {
		if err := s.say("%s", questionText(&i.Questions[j], "  ")); err != nil {
			return err
		}
	}
	return nil
}

const outliersShown = 20

func (s *session) outliers(list []api.Outlier) error {
	t := table.New(table.Right("line"), table.Left("looks"), table.Cut("what"))
	for i, o := range list {
		if i == outliersShown {
			t.Row("", "", fmt.Sprintf("and %d more (all with --json)", len(list)-i))
			break
		}
		t.Row(strconv.Itoa(o.Line), table.Cell{Text: o.Kind, Style: table.Warn}, o.Text)
	}
	return s.section("Rows to look at again", t)
}

type deckList struct{}

func (deckList) Help() string { return examples("ringfence deck list") }

// Run lists them.
func (c *deckList) Run(s *session) error {
	var page api.List[api.Deck]
	if err := s.get(pathOf("decks"), &page); err != nil {
		return err
	}
	return s.emit(append([]api.Deck{}, page.Items...), func() error {
		t := table.New(table.Left("deck"), table.Left("kind"), table.Right("version"), table.Right("rows"), table.Left("state"),
			table.Left("imported"), table.Left("by"), table.Cut("file"))
		for _, d := range page.Items {
			state := table.Cell{Text: "replaced", Style: table.Dim}
			if d.InForce {
				state = table.Cell{Text: "in force", Style: table.Good}
			}
			t.Row(d.Name, d.Kind, strconv.FormatInt(d.Version, 10), strconv.FormatInt(d.Rows, 10), state, moment(d.Imported), d.By, d.Source)
		}
		return s.list(t, "No decks yet, so every call is unpriced and refused: ringfence deck import retail FILE --kind retail")
	})
}

type deckDiff struct {
	Name  string `arg:"" help:"Deck." predict:"deck"`
	From  int64  `help:"Version (default: the one before)." placeholder:"N"`
	To    int64  `help:"Version (default: the one in force)." placeholder:"N"`
	At    point  `help:"Compare only what is in force then, by the provider's clocks (default: everything)." placeholder:"WHEN"`
	Limit int    `help:"Show no more rows than this (0: all)." default:"0"`
}

func (deckDiff) Help() string {
	return examples("ringfence deck diff retail", "ringfence deck diff retail --from 3 --to 5", "ringfence deck diff retail --at \"2027-01-01\"")
}

// Run compares them.
func (c *deckDiff) Run(s *session) error {
	out, err := c.fetch(s)
	if err != nil {
		return err
	}
	return s.emit(out, func() error {
		t := table.New(table.Left("prefix"), table.Cut("destination"), table.Left(""), table.Cut("before"), table.Cut("after"))
		for _, d := range out.Rows {
			t.Row(deltaRow(&d)...)
		}
		if err := s.say("Deck %s, version %d to %d: %d added, %d removed, %d changed (%d dearer, %d cheaper).", out.Name, out.From, out.To,
			out.Added, out.Removed, out.Changed, out.Dearer, out.Cheaper); err != nil || t.Len() == 0 {
			return err
		}
		return s.table(t, 0)
	})
}

// fetch reads page after page, all of the same two versions.
func (c *deckDiff) fetch(s *session) (out api.DeckDiff, err error) {
	from, to, next := c.From, c.To, ""
	for {
		limit := pageSize
		if c.Limit > 0 {
			limit = min(limit, c.Limit-len(out.Rows))
		}
		rows := out.Rows
		path := pathOf("decks", c.Name, "diff") + query("from", strconv.FormatInt(from, 10), "to", strconv.FormatInt(to, 10), "at", string(c.At),
			"after", next, "limit", strconv.Itoa(limit))
		out = api.DeckDiff{}
		if err := s.get(path, &out); err != nil {
			return out, err
		}
		out.Rows = append(rows, out.Rows...)
		if out.Next == "" || c.Limit > 0 && len(out.Rows) >= c.Limit {
			return out, nil
		}
		from, to, next = out.From, out.To, out.Next
	}
}

func deltaRow(d *api.Delta) []any {
	switch {
	case d.Before == nil && d.After == nil:
		return []any{d.Prefix}
	case d.Before == nil:
		return []any{d.Prefix, d.After.Name, table.Cell{Text: "added", Style: table.Good}, "", windowed(d.After)}
	case d.After == nil:
		return []any{d.Prefix, d.Before.Name, table.Cell{Text: "removed", Style: table.Bad}, windowed(d.Before), ""}
	}
	return []any{d.Prefix, d.After.Name, table.Cell{Text: "changed", Style: table.Warn}, windowed(d.Before), windowed(d.After)}
}

// windowed is a price with when it begins and ends.
func windowed(p *api.Price) string {
	text := p.Text
	if !p.From.IsZero() {
		text += ", from " + day(p.From)
	}
	if !p.Until.IsZero() {
		text += ", until " + day(p.Until)
	}
	return text
}

// day is a moment without what is midnight; "" for none.
func day(t time.Time) string { return strings.TrimSuffix(moment(t), " 00:00:00") }

type deckRows struct {
	Name    string `arg:"" help:"Deck." predict:"deck"`
	Prefix  string `help:"Only prefixes that begin so." placeholder:"DIGITS"`
	Version int64  `help:"Version (default: the one in force)." placeholder:"N"`
	At      point  `help:"Only prices in force then, by the provider's clocks (default: those that have ended and are to come too)." placeholder:"WHEN"`
	Limit   int    `help:"Show no more than this (0: all)." default:"100"`
}

func (deckRows) Help() string {
	return examples("ringfence deck rows retail --prefix 447", "ringfence deck rows retail --at today", "ringfence deck rows retail --limit 0 --json")
}

// Run shows prices.
func (c *deckRows) Run(s *session) error {
	items, more, err := c.fetch(s)
	if err != nil {
		return err
	}
	return s.emit(items, func() error {
		t := table.New(table.Left("prefix"), table.Cut("destination"), table.Right("peak"), table.Right("off-peak"), table.Right("weekend"),
			table.Right("connect"), table.Right("minimum"), table.Right("by"), table.Left("from"), table.Left("until"))
		for i := range items {
			t.Row(rowOf(&items[i])...)
		}
		return s.cutList(t, more, "No such prices.")
	})
}

func rowOf(p *api.Price) []any {
	if p.Unpriced {
		return []any{p.Prefix, p.Name, "no price", "", "", "", "", "", day(p.From), day(p.Until)}
	}
	return []any{
		p.Prefix, p.Name, perMinute(p.Peak), perMinute(p.OffPeak), perMinute(p.Weekend), charge(p.Connect), charge(p.Minimum),
		fmt.Sprintf("%d/%d", p.First, p.Step), day(p.From), day(p.Until),
	}
}

func (c *deckRows) fetch(s *session) ([]api.Price, bool, error) {
	version := ""
	if c.Version > 0 {
		version = strconv.FormatInt(c.Version, 10)
	}
	return all[api.Price](s, pathOf("decks", c.Name, "rows")+query("prefix", c.Prefix, "version", version, "at", string(c.At)), "after", c.Limit, nil)
}

// charge leaves nothing where nothing is charged.
func charge(micro int64) string {
	if micro == 0 {
		return ""
	}
	return amount(micro)
}

type deckExport struct {
	Name    string `arg:"" help:"Deck." predict:"deck"`
	Version int64  `help:"Version (default: the one in force)." placeholder:"N"`
	Output  string `short:"o" help:"File to write (default: standard output)." placeholder:"FILE"`
}

func (deckExport) Help() string {
	return examples("ringfence deck export retail > retail.csv", "ringfence deck export retail --version 3 -o retail-3.csv")
}

// Run writes CSV, or JSON under --json.
func (c *deckExport) Run(s *session) error {
	rows, _, err := (&deckRows{Name: c.Name, Version: c.Version}).fetch(s)
	if err != nil {
		return err
	}
	return s.writeTo(c.Output, func(w io.Writer) error {
		if s.json {
			return (&session{out: &table.Screen{Writer: w}, json: true}).emit(rows, nil)
		}
		prices, err := toRating(rows)
		if err != nil {
			return err
		}
		_, err = w.Write(rating.FormatCSV(prices, money.Billing().Code))
		return err
	})
}

type deckRemove struct {
	Name string `arg:"" help:"Deck." predict:"deck"`
	Yes  bool   `help:"Do it; without, only say what would be done."`
}

func (deckRemove) Help() string {
	return `A deck that a customer, the provider or a trunk uses is not removed. Records keep the prices that their calls had.

` + examples("ringfence deck remove old", "ringfence deck remove old --yes")
}

// Run removes it, if told twice.
func (c *deckRemove) Run(s *session) error {
	var page api.List[api.Deck]
	if err := s.get(pathOf("decks"), &page); err != nil {
		return err
	}
	versions, rows := 0, int64(0)
	for _, d := range page.Items {
		if d.Name == c.Name {
			versions++
			rows = max(rows, d.Rows)
		}
	}
	if versions > 0 && !c.Yes {
		return s.dryRun(fmt.Sprintf("Deck %s would be removed: %s, of up to %s.", c.Name, plural(versions, "version", "versions"), plural(int(rows), "row", "rows")))
	}
	if err := s.do(http.MethodDelete, pathOf("decks", c.Name), nil, nil); err != nil {
		return err
	}
	return s.done("Deck %s is removed.", c.Name)
}
