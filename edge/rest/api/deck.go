package api

import (
	"fmt"
	"time"

	"ringfence/core/money"
)

// Deck is one version of a table of prices. The highest version of a name is in force.
type Deck struct {
	Name     string    `json:"name"`
	Kind     string    `json:"kind" enum:"retail,cost"`
	Version  int64     `json:"version"`
	Rows     int64     `json:"rows"`
	InForce  bool      `json:"in_force"`
	Imported time.Time `json:"imported"`
	By       string    `json:"by"`
	Source   string    `json:"source" doc:"file name"`
	Currency string    `json:"currency" doc:"what the prices are in"`
	Exchange string    `json:"exchange,omitempty" doc:"at what rate they were converted to it: USD=0.79"`
	Mapping  string    `json:"mapping,omitempty" doc:"columns that were named by hand, one to a line"`
}

// Resource describes decks.
func (Deck) Resource() Resource[Deck] {
	return Resource[Deck]{
		Name: "deck", Path: "decks", Key: "name",
		List: "List every version of every deck, newest first", Delete: "Delete every version of a deck that nothing uses; records keep their prices",
		Columns: "deck: name, kind, version, rows, state, imported, by, file: source~",
		Empty:   "No decks yet, so every call is unpriced and refused: ringfence deck import retail FILE --kind retail",
		Cells:   map[string]func(*Deck) Cell{"state": (*Deck).state},
		Named: func(d *Deck) (name, hint string) {
			if d.InForce {
				name, hint = d.Name, d.Kind
			}
			return name, hint
		},
	}
}

func (d *Deck) state() Cell {
	if d.InForce {
		return Cell{"in force", "good"}
	}
	return Cell{"replaced", "dim"}
}

// DeckName says which.
type DeckName struct {
	Name string `path:"name" maxLength:"64" arg:"" help:"Deck." predict:"deck"`
}

// Price is one row of a deck.
type Price struct {
	Prefix   string    `json:"prefix" doc:"digits, country code first, or a short number"`
	Short    bool      `json:"short,omitempty" doc:"a short number of the home plan"`
	Name     string    `json:"name"`
	Connect  int64     `json:"connect_micro"`
	Minimum  int64     `json:"minimum_micro"`
	First    int       `json:"first_seconds"`
	Step     int       `json:"step_seconds"`
	Peak     int64     `json:"peak_nano"`
	OffPeak  int64     `json:"off_peak_nano"`
	Weekend  int64     `json:"weekend_nano"`
	From     time.Time `json:"from,omitzero" doc:"calls from then on have it; absent: it has no beginning"`
	Until    time.Time `json:"until,omitzero" doc:"calls from then on no longer have it; absent: it has no end"`
	Unpriced bool      `json:"unpriced,omitempty" doc:"the deck says that there is no price; a shorter prefix does not price these numbers either"`
	Text     string    `json:"text" doc:"2p a minute + 5p to connect, by 60 s then 1 s"`
}

// Resource describes prices.
func (Price) Resource() Resource[Price] {
	priced := func(text func(*Price) string) func(*Price) Cell {
		return func(p *Price) Cell {
			if p.Unpriced {
				return Cell{}
			}
			return Cell{Text: text(p)}
		}
	}
	return Resource[Price]{
		Name: "deck-row", Path: "decks/{name}/rows", Tag: "decks", Next: "after",
		Columns: "prefix, destination: name~, peak>, off-peak>, weekend>, connect: connect_micro-, minimum: minimum_micro-, by>, from, until",
		Empty:   "No such prices.",
		Cells: map[string]func(*Price) Cell{
			"peak": func(p *Price) Cell {
				if p.Unpriced {
					return Cell{Text: "no price"}
				}
				return Cell{Text: Rate(money.Rate(p.Peak))}
			},
			"off-peak": priced(func(p *Price) string { return Rate(money.Rate(p.OffPeak)) }),
			"weekend":  priced(func(p *Price) string { return Rate(money.Rate(p.Weekend)) }),
			"by":       priced(func(p *Price) string { return fmt.Sprintf("%d/%d", p.First, p.Step) }),
			"from":     func(p *Price) Cell { return Cell{Text: Day(p.From)} },
			"until":    func(p *Price) Cell { return Cell{Text: Day(p.Until)} },
		},
	}
}

// PriceFilter selects prices of a deck.
type PriceFilter struct {
	DeckName
	Prefix  string `query:"prefix" pattern:"^[0-9]{0,15}$" doc:"only prefixes that begin with these digits" help:"Only prefixes that begin with these digits." placeholder:"DIGITS"`
	Version int64  `query:"version" minimum:"0" doc:"absent: the one in force" help:"Version (default: the one in force)." placeholder:"N"`
	At      string `query:"at" doc:"only prices in force at a time, in the provider's time zone; absent: also past and future prices" type:"when" help:"Only prices in force at this time, in the provider's time zone (default: also past and future prices)." placeholder:"WHEN"`
}

// DeckImport says how a price list is to be read.
type DeckImport struct {
	Name      string   `path:"name" maxLength:"64" arg:"" help:"Deck to add or to replace." predict:"deck"`
	Kind      string   `query:"kind" required:"true" enum:"retail,cost" help:"retail (what customers pay) or cost (what a carrier charges)."`
	DryRun    bool     `query:"dry_run" doc:"read, check and compare only" help:"Read, check and compare, but do not put it in force."`
	Yes       bool     `query:"yes" doc:"the questions that the import asked are settled: import the deck" help:"Import the deck: the questions that the import asks are settled."`
	SkipBlank bool     `query:"skip_blank" doc:"leave out rows without a rate instead of refusing the file" help:"Leave out rows without a price instead of refusing the file."`
	Map       []string `query:"map,explode" maxItems:"200" sep:"none" doc:"COLUMN=MEANING, such as Preis=rate, 3=rate (p) or Notes=ignore: columns named by hand, by header, number or letter; kept for the next import of the name, none alone forgets them" help:"Name a column by hand: its header, number or letter, and what it holds: \"Preis=rate\", \"3=rate (p)\", \"Notes=ignore\". May be repeated. Kept for the next import of the deck; none forgets." placeholder:"COLUMN=MEANING"`
	Rate      string   `query:"rate" maxLength:"40" doc:"USD=0.79: the file is in dollars, and each is worth 0.79 of the provider's currency; recorded with the version" help:"Currency of the file, if it is another, and what one unit of it is worth: USD=0.79." placeholder:"CODE=RATE"`
	Sheet     string   `query:"sheet" maxLength:"100" doc:"of a workbook: the sheet to read" help:"Sheet of a workbook to read." placeholder:"NAME"`
	Unit      string   `query:"unit" enum:"whole,hundredths,thousandths" kong:"enum=',whole,hundredths,thousandths',default=''" doc:"what amounts are in, when the file does not say: pounds or pence, euros or cents, dinars or fils" help:"Unit of amounts, when the file does not say: whole (pounds, euros), hundredths (pence, cents) or thousandths (fils)." placeholder:"UNIT"`
	Pence     bool     `query:"pence" doc:"rates are in pence, when the header does not say" help:"The same as --unit hundredths."`
	Dates     string   `query:"dates" enum:"dmy,mdy" kong:"enum=',dmy,mdy',default=''" doc:"what comes first in 01/02/2026, when the file does not show it" help:"What comes first in 01/02/2026, when the file does not show it: dmy or mdy." placeholder:"ORDER"`
	Currency  string   `query:"currency" maxLength:"3" doc:"ISO code that the file must have" help:"Currency that the file must have." placeholder:"CODE"`
	Merge     bool     `query:"merge" doc:"the file adds and changes rows; what it does not name stays as it is" help:"Add and change rows only: those that the file does not name stay."`
	Covers    []string `query:"covers,explode" maxItems:"1000" sep:"none" doc:"1=US,CA,PR: what a prefix prices besides what it stands for; kept with the deck until it is given again" help:"What a prefix prices besides what it stands for: \"1=US,CA,PR\", \"44=GB,JE,personal\". Kept with the deck. May be repeated." placeholder:"PREFIX=LIST"`
	First     int      `query:"first" minimum:"0" maximum:"3600" doc:"first increment in seconds, when the file has none" help:"First increment in seconds, when the file has none." placeholder:"SECONDS"`
	Step      int      `query:"step" minimum:"0" maximum:"3600" doc:"further increments in seconds, when the file has none" help:"Further increments in seconds, when the file has none." placeholder:"SECONDS"`
	Source    string   `query:"source" maxLength:"200" doc:"file name, for the record" kong:"-"`
}

// Import says what a deck file held and, unless dry_run, that it is now in force.
type Import struct {
	Name      string     `json:"name"`
	Kind      string     `json:"kind" enum:"retail,cost"`
	Version   int64      `json:"version" doc:"the new version; 0 on a dry run"`
	DryRun    bool       `json:"dry_run"`
	Rows      int        `json:"rows"`
	Skipped   int        `json:"skipped" doc:"rows without a price, left out because of skip_blank"`
	Countries int        `json:"countries"`
	Cheapest  *Price     `json:"cheapest,omitempty"`
	Dearest   *Price     `json:"dearest,omitempty"`
	Layout    string     `json:"layout" doc:"separator, header and number form as understood"`
	Added     int        `json:"added" doc:"prefixes that the previous version did not have"`
	Removed   int        `json:"removed"`
	Changed   int        `json:"changed" doc:"changed prices: dearer, cheaper or only renamed"`
	Dearer    int        `json:"dearer"`
	Cheaper   int        `json:"cheaper"`
	Outliers  []Outlier  `json:"outliers" doc:"rows that look like a mistake, such as a lost decimal point; imported nevertheless"`
	Covers    string     `json:"covers,omitempty" doc:"what prefixes price besides what they stand for: 1=US,CA,PR"`
	Unpriced  []Unpriced `json:"unpriced" doc:"what has no price, although the previous version had one or the digits begin with a row; the dearest country first"`
	BelowCost []string   `json:"below_cost" doc:"destinations that cost more than their retail price, the greatest loss first"`
	Notes     []string   `json:"notes,omitempty" doc:"anything else worth knowing, in sentences"`
	Questions []Question `json:"questions,omitempty" doc:"what yes=true has confirmed, or must confirm before the deck is imported"`
}

// Unpriced is a country of which some kinds of number have no price.
type Unpriced struct {
	Country   string `json:"country"`
	Kinds     string `json:"kinds" doc:"fixed, mobile, premium, …"`
	Was       bool   `json:"was" doc:"the previous version had a price"`
	Name      string `json:"name,omitempty" doc:"as the dearest deck names it"`
	PerMinute int64  `json:"per_minute_nano" doc:"the highest price in any deck; 0 is unknown"`
	Text      string `json:"text"`
}

// Outlier is a price far from its neighbours.
type Outlier struct {
	Line int    `json:"line" doc:"line of the file, from 1"`
	Kind string `json:"kind" doc:"dear, cheap, free, premium, nowhere"`
	Text string `json:"text" doc:"the prefix, its name and what is odd about it, in a sentence"`
}

// DeckDiff is what changed between two versions of a deck.
type DeckDiff struct {
	Name    string  `json:"name"`
	From    int64   `json:"from"`
	To      int64   `json:"to"`
	Added   int     `json:"added"`
	Removed int     `json:"removed"`
	Changed int     `json:"changed" doc:"higher, lower, or only renamed or moved in time"`
	Dearer  int     `json:"dearer"`
	Cheaper int     `json:"cheaper"`
	Rows    []Delta `json:"rows" doc:"by prefix; at most limit of them"`
	Next    string  `json:"next,omitempty" doc:"continue with this as after="`
}

// Delta is one prefix in two versions; before or after is absent when it was not there.
type Delta struct {
	Prefix string `json:"prefix"`
	Before *Price `json:"before,omitempty"`
	After  *Price `json:"after,omitempty"`
}
