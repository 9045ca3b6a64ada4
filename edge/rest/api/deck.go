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
	Until    time.Time `json:"until,omitzero" doc:"calls from then on have it no more; absent: it has no end"`
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
	Prefix  string `query:"prefix" pattern:"^[0-9]{0,15}$" doc:"only prefixes that begin so" help:"Only prefixes that begin so." placeholder:"DIGITS"`
	Version int64  `query:"version" minimum:"0" doc:"absent: the one in force" help:"Version (default: the one in force)." placeholder:"N"`
	At      string `query:"at" doc:"only prices in force at a time, by the provider's clocks; absent: those that have ended and are to come too" type:"when" help:"Only prices in force then, by the provider's clocks (default: those that have ended and are to come too)." placeholder:"WHEN"`
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
	Added     int        `json:"added" doc:"prefixes that the version before had not"`
	Removed   int        `json:"removed"`
	Changed   int        `json:"changed" doc:"prices that are not what they were: dearer, cheaper or only renamed"`
	Dearer    int        `json:"dearer"`
	Cheaper   int        `json:"cheaper"`
	Outliers  []Outlier  `json:"outliers" doc:"rows that look like a slip, such as a lost decimal point; imported all the same"`
	Covers    string     `json:"covers,omitempty" doc:"what prefixes price besides what they stand for: 1=US,CA,PR"`
	Unpriced  []Unpriced `json:"unpriced" doc:"what has no price, although the version before had one or the digits begin with a row; the dearest country first"`
	BelowCost []string   `json:"below_cost" doc:"destinations that cost more than they bring, the greatest loss first"`
	Notes     []string   `json:"notes,omitempty" doc:"anything else worth knowing, in sentences"`
	Questions []Question `json:"questions,omitempty" doc:"what was settled by yes=true, or must be before the deck is taken"`
}

// Unpriced is a country of which some kinds of number have no price.
type Unpriced struct {
	Country   string `json:"country"`
	Kinds     string `json:"kinds" doc:"fixed, mobile, premium, …"`
	Was       bool   `json:"was" doc:"the version before had a price"`
	Name      string `json:"name,omitempty" doc:"as the deck that asks most for it names it"`
	PerMinute int64  `json:"per_minute_nano" doc:"the most that any deck asks; 0 is unknown"`
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
	Changed int     `json:"changed" doc:"dearer, cheaper, or only renamed or moved in time"`
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
