package book

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringfence/core/money"
	"ringfence/core/rating"
)

// ImportOptions say what to do with a deck file.
type ImportOptions struct {
	Name   string
	Kind   rating.Kind
	Source string         // file name, for the record
	DryRun bool           // read, check and compare only
	Yes    bool           // a person has said yes to every question that a yes settles
	Merge  bool           // the file adds and changes rows; those of the version before that it does not name stay
	Covers []string       // as rating.ParseCovers reads them; nil: as the version before has them
	Sheets []rating.Sheet // of a workbook, instead of a file's text
	Read   rating.ReadOptions
	Since  time.Time // when it came into force, for a past that is made up: the demonstration's; zero is now
}

// Imported is what a deck file held, and the new version it became unless DryRun.
type Imported struct {
	Head    DeckHead // Version 0 on a dry run
	File    *rating.Import
	Changes rating.Difference // against the version in force before

	Questions []rating.Question // of the file and of what it changes
	Unpriced  []rating.Unpriced // the dearest country first
	Below     []rating.Below    // the greatest loss first
}

// DeckFaults says that a deck file was not taken, with every fault.
type DeckFaults struct {
	Faults []rating.Fault // the first rating.MaxFaults
	Count  int
}

// Error is the count and the first fault.
func (e *DeckFaults) Error() string {
	if len(e.Faults) == 0 {
		return "the deck cannot be read; nothing was imported"
	}
	if e.Count == 1 {
		return "1 fault, nothing was imported: " + e.Faults[0].String()
	}
	return fmt.Sprintf("%d faults, nothing was imported; the first: %s", e.Count, e.Faults[0])
}

// Unconfirmed says that a deck file was read and not taken: a person must settle some questions first.
type Unconfirmed struct{ Questions []rating.Question }

// Error is the count and the first question.
func (e *Unconfirmed) Error() string {
	if len(e.Questions) == 1 {
		return "nothing has been imported yet: " + e.Questions[0].Text
	}
	return fmt.Sprintf("nothing has been imported yet: there are %d questions to settle; the first: %s", len(e.Questions), e.Questions[0].Text)
}

// unsettled are the questions that are still open after a yes, or without one.
func unsettled(all []rating.Question, yes bool) []rating.Question {
	return slices.DeleteFunc(slices.Clone(all), func(q rating.Question) bool { return yes && q.Flag == "" })
}

// keptMapping uses the names that columns were given by hand for the last version of a deck, unless the import has its own,
// and says so.
func (b *Book) keptMapping(o *ImportOptions) string {
	h, _, ok := b.Deck(o.Name)
	if !ok || h.Mapping == "" || o.Read.Mapping != nil {
		return ""
	}
	lines := strings.Split(h.Mapping, "\n")
	mapping, err := rating.ParseMapping(lines)
	if err != nil {
		return "" // of a version of the program that knew other names
	}
	o.Read.Mapping = mapping
	return fmt.Sprintf("columns are named as by hand for version %d: %s (--map none forgets that)", h.Version, strings.Join(lines, ", "))
}

func readDeck(file []byte, o *ImportOptions) *rating.Import {
	if o.Sheets != nil {
		return rating.ReadSheets(o.Sheets, o.Read)
	}
	return rating.ReadCSV(file, o.Read)
}

// Import reads a deck file and, if there is not one fault in it, puts it in force as the next version of its name.
// Questions that are not settled are an *Unconfirmed, and nothing is stored.
func (b *Book) Import(ctx context.Context, actor string, file []byte, o ImportOptions) (*Imported, error) {
	if err := b.checkDeckHead(o.Name, o.Kind); err != nil {
		return nil, err
	}
	if err := checkName("source", o.Source); err != nil {
		return nil, err
	}
	o.Read.Zone = cmp.Or(o.Read.Zone, b.provider.Load().zone)
	if o.Read.At.IsZero() {
		o.Read.At = time.Now()
	}
	o.Read.Short = b.plan.OnlyShort
	o.Read.Kind, o.Read.Billing = o.Kind, money.Billing()
	kept := b.keptMapping(&o)
	im := readDeck(file, &o)
	if kept != "" {
		im.Warnings = append([]rating.Warning{{Kind: rating.WarnMapping, Text: kept}}, im.Warnings...)
	}
	if !im.OK() {
		return nil, &DeckFaults{im.Faults, im.FaultCount}
	}
	out := &Imported{Head: DeckHead{Name: o.Name, Kind: o.Kind, Rows: int64(len(im.Prices)), Source: o.Source, Currency: o.Read.Billing.Code, Exchange: o.Read.Exchange.String(), Mapping: o.Read.Mapping.String(), Imported: o.Since}, File: im, Questions: im.Questions}
	prices, err := b.weigh(ctx, out, &o)
	if err != nil || o.DryRun {
		return out, err
	}
	if open := unsettled(out.Questions, o.Yes); len(open) > 0 {
		return nil, &Unconfirmed{open}
	}
	out.Head, err = b.PutDeck(ctx, actor, out.Head, prices)
	return out, err
}
