// Package device remembers where and with what each line's login was used: places (networks) and families of
// User-Agents, in memory, written behind to the store. It tells usual places from strange ones, and a new phone from one
// that roams or updates its firmware. It must not know SIP, mail or SQL.
package device

import (
	"log/slog"
	"net/netip"
	"time"

	"ringfence/state/geo"
	"ringfence/state/store"
)

// Login is one right login. Strings are copied; they may point into a packet.
type Login struct {
	Line      string
	Addr      netip.Addr
	Agent     string // User-Agent; hostile text is cleaned here
	At        time.Time
	Failures  int  // recent wrong tries for this line from this address, before it was right
	AfterLock bool // the line, or this address, was locked out within the last day
	Call      bool // by INVITE, not REGISTER
}

// Options of New.
type Options struct {
	Store   store.Stages
	Place   func(netip.Addr) geo.Place // nil knows nothing
	Account func(line string) string   // nil leaves it out
	// Elsewhere lists where the line's phones are registered, without addr; asked only when a login comes from a place
	// or agent that is new. Nil is nowhere.
	Elsewhere  func(line string, addr netip.Addr, now time.Time) []netip.Addr
	MaxPerLine int                       // 0 is 32; the one unseen for longest goes
	Good       time.Duration             // how long a right login makes a place usual; 0 is 30 days
	Every      time.Duration             // how often changes are written; 0 is 5 s
	Record     func(facts ...store.Fact) // the journal; nil drops
	Log        *slog.Logger
}

// Facts of this stage. Bodies are JSON objects:
//
//	device.new {"address","agent","family","place","country","asn","network","hosting":bool,"new":"address"|"agent"|"both",
//	            "first":bool (the line's very first device), "failures":n, "after_lock":bool, "call":bool,
//	            "elsewhere":[{"address","country"}], "last":{"address","country","asn","network","at"} (the line's latest other place)}
//	device.moved  the same body, when a known device shows up in a country other than its last, so that travel is judged
//	device.verdict {"place","family","verdict","by"}
const (
	FactNew     = "device.new"
	FactMoved   = "device.moved"
	FactVerdict = "device.verdict"
)
