package main

import (
	"bytes"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/term"

	"ringfence/cmd/ringfence/table"
	"ringfence/core/money"
	"ringfence/core/rating"
	"ringfence/edge/rest/api"
	"ringfence/edge/rest/client"
)

type deckCmd struct {
	remote
	Import deckImport                       `cmd:"" help:"Import a deck file: all of it, or nothing and every fault is named." eg:"retail retail.csv --kind retail --dry-run; retail retail.csv --kind retail; carrier-a az.xlsx --kind cost --skip-blank --rate USD=0.79; carrier-b preise.csv --kind cost --map \"Zone=name\" --map \"Preis=rate\"; zcat rates.csv.gz | ringfence deck import carrier-b - --kind cost" detail:"Separators, headings and number formats are recognised; the import asks about what is unclear, or names it. Calls in progress keep their price; new calls get the new one at once."`
	List   whole[api.Deck, struct{}]        `cmd:"" help:"List every version of every deck." eg:""`
	Diff   deckDiff                         `cmd:"" help:"Compare two versions of a deck." eg:"retail; retail --from 3 --to 5; retail --at \"2027-01-01\""`
	Rows   list[api.Price, api.PriceFilter] `cmd:"" help:"Show the prices of a deck." set:"limit=100" eg:"retail --prefix 447; retail --at today; retail --limit 0 --json"`
	Remove deckRemove                       `cmd:"" help:"Remove every version of a deck that nothing uses." eg:"old; old --yes" detail:"A deck that a customer, the provider or a trunk uses is not removed. Records keep the prices of their calls."`
	Export deckExport                       `cmd:"" help:"Write a deck as CSV that import reads back unchanged." eg:"retail > retail.csv; retail --version 3 -o retail-3.csv"`
}

type deckImport struct {
	api.DeckImport
	File string `arg:"" help:"Price list as CSV or .xlsx; - is standard input."`
}

// Run sends the file. A big one takes a while: on a terminal it says how far it is.
func (c *deckImport) Run(s *session) error {
	file, size, err := s.open(c.File)
	if err != nil {
		return err
	}
	defer file.Close()
	// What the server asks is answered by sending the file once more.
	data, err := io.ReadAll(io.LimitReader(file, rating.MaxFileBytes+1))
	if err != nil {
		return err
	}
	c.Source = filepath.Base(c.File)
	path := "/v1/decks/{name}/import?"
	for {
		body := &progress{from: bytes.NewReader(data), size: max(size, int64(len(data))), to: s.progressTo()}
		out, err := send[api.Import](s, path, c, body, func(r io.Reader) any { return client.CSV{Reader: r} })
		if err == nil {
			return s.emit(out, func() error { return s.showImport(out) })
		}
		answers, err := s.settle(err)
		if err != nil {
			return err
		}
		for i := 0; i+1 < len(answers); i += 2 {
			path += "&" + answers[i] + "=" + url.QueryEscape(answers[i+1])
		}
	}
}

// open is a file and its size, or standard input, whose size is unknown.
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
		head = fmt.Sprintf("Deck %s would be replaced. Nothing was changed: leave out --dry-run to import.", i.Name)
	}
	s.say("%s", head)
	t := table.New(table.Left(""), table.Left(""))
	t.Row("kind", i.Kind)
	t.Row("rows", strconv.Itoa(i.Rows))
	if i.Skipped > 0 {
		t.Row("skipped", api.Count(i.Skipped, "row", "rows")+" without a price")
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
	t.Row("changes", fmt.Sprintf("%d added, %d removed, %d changed (%d up, %d down)", i.Added, i.Removed, i.Changed, i.Dearer, i.Cheaper))
	t.Row("read as", i.Layout)
	for _, n := range i.Notes {
		t.Row("note", n)
	}
	s.table(t, 2)
	s.wouldAsk(i)
	s.section("Prices below cost, the greatest loss first", cutTexts(i.BelowCost))
	var gone, silent []string
	for _, u := range i.Unpriced {
		if u.Was {
			gone = append(gone, u.Text)
		} else {
			silent = append(silent, u.Text)
		}
	}
	s.section("Priced in the previous version, but no longer", cutTexts(gone))
	s.section(silence(i.Kind), cutTexts(silent))
	return s.outliers(i.Outliers)
}

// silence says what is done with numbers that a list does not name: customers pay no price that was made for others, and a carrier may
// charge them otherwise.
func silence(kind string) string {
	if kind == string(rating.Cost) {
		return "Priced by the row of another country or kind: ask the carrier, who may charge more"
	}
	return "Not priced, because the row with their first digits is for another country or kind"
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
	s.say("The import will ask:")
	for j := range i.Questions {
		s.say("%s", questionText(&i.Questions[j], "  "))
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
	return s.section("Rows to review", t)
}

type deckDiff struct {
	Name  string `path:"name" arg:"" help:"Deck." predict:"deck"`
	From  int64  `query:"from" help:"Version (default: the one before)." placeholder:"N"`
	To    int64  `query:"to" help:"Version (default: the one in force)." placeholder:"N"`
	At    point  `query:"at" help:"Compare only prices in force at this time, in the provider's time zone (default: all)." placeholder:"WHEN"`
	Limit int    `help:"Maximum number of rows (0 = all)." default:"0"`
	After string `query:"after" kong:"-"`
	Page  int    `query:"limit" kong:"-"`
}

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
		s.say("Deck %s, version %d to %d: %d added, %d removed, %d changed (%d up, %d down).", out.Name, out.From, out.To,
			out.Added, out.Removed, out.Changed, out.Dearer, out.Cheaper)
		if t.Len() == 0 {
			return nil
		}
		return s.table(t, 0)
	})
}

// fetch reads page after page, all of the same two versions.
func (c *deckDiff) fetch(s *session) (*api.DeckDiff, error) {
	var read []api.Delta
	for {
		if c.Page = pageSize; c.Limit > 0 {
			c.Page = min(pageSize, c.Limit-len(read))
		}
		out, err := fetch[api.DeckDiff](s, "GET /v1/decks/{name}/diff", c)
		if err != nil {
			return nil, err
		}
		read = append(read, out.Rows...)
		if c.From, c.To, c.After = out.From, out.To, out.Next; out.Next == "" || c.Limit > 0 && len(read) >= c.Limit {
			out.Rows = read
			return out, nil
		}
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
		text += ", from " + api.Day(p.From)
	}
	if !p.Until.IsZero() {
		text += ", until " + api.Day(p.Until)
	}
	return text
}

type deckExport struct {
	api.DeckName
	Version int64  `query:"version" help:"Version (default: the one in force)." placeholder:"N"`
	Output  string `short:"o" help:"File to write (default: standard output)." placeholder:"FILE"`
}

// Run writes CSV, or JSON under --json.
func (c *deckExport) Run(s *session) error {
	rows, _, err := all[api.Price](s, "/v1/decks/{name}/rows", "after", 0, c)
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
	api.DeckName
	Yes bool `help:"Do it. Without this flag, only say what would be done."`
}

func (c *deckRemove) Run(s *session) error {
	page, err := fetch[api.List[api.Deck]](s, "GET /v1/decks")
	if err != nil {
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
		return s.dryRun(fmt.Sprintf("Deck %s would be removed: %s, of up to %s.", c.Name, api.Count(versions, "version", "versions"), api.Count(int(rows), "row", "rows")))
	}
	if _, err := fetch[none](s, "DELETE /v1/decks/{name}", c); err != nil {
		return err
	}
	return s.done("Deck %s is removed.", c.Name)
}
