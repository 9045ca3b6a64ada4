// Package rating prices calls: decks of prefixes, time bands, increments. It must not know who calls or whether they may.
package rating

import (
	"time"

	"ringfence/core/money"
)

// Kind says whose prices a deck holds.
type Kind string

// Deck kinds.
const (
	Retail Kind = "retail" // what customers pay
	Cost   Kind = "cost"   // what a carrier charges us
)

// Band is a part of the week with its own rate.
type Band uint8

// Bands.
const (
	Peak Band = iota
	OffPeak
	Weekend
	NumBands
)

// Price is one row of a deck. Seconds; a zero rate in every band with zero charges is a free call, not a missing price.
// A prefix may have several rows, whose windows do not overlap.
type Price struct {
	Prefix  uint64 // digits, country code first; a short number's digits when Short
	Name    string // as the deck names the destination
	Connect money.Micro
	Minimum money.Micro // least charge of an answered call, connection charge included
	Rates   [NumBands]money.Rate
	From    Moment // calls from then on have the price; 0: there is no beginning
	Until   Moment // calls from then on no longer have it; 0: there is no end
	First   uint16 // first increment in seconds, ≥ 1
	Step    uint16 // further increments in seconds, ≥ 1
	Short   bool
	NoPrice bool // the deck says that its numbers have no price: a shorter prefix does not price them either
}

// Dearest is the highest of the band rates. Ceilings apply to it, so that no call becomes too dear when the band changes.
func (p *Price) Dearest() money.Rate { return max(p.Rates[Peak], p.Rates[OffPeak], p.Rates[Weekend]) }

// Calendar says which band an instant falls in, in the customer's zone.
type Calendar struct {
	Zone               *time.Location // nil is UTC
	PeakFrom, PeakTill time.Duration  // offsets from local midnight on Monday to Friday; equal means no off-peak
}

// Quote is a price fixed for one call, which begins at Start. A call keeps its quote whatever decks are loaded later.
type Quote struct {
	Price    Price
	Calendar Calendar
	Start    time.Time
}
