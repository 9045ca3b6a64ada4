// Package ban is the list of addresses and networks that are shut out: who put them there, why, until when. It is kept in
// the store, shared between nodes through counters, and handed to those that drop packets. Customers' own addresses and
// carriers are never on it by anybody's mistake but an operator's explicit word. It must not know packets or SQL.
package ban

import (
	"log/slog"
	"net/netip"
	"time"

	"ringfence/state/counters"
	"ringfence/state/store"
)

// Entry is one ban.
type Entry = store.Ban

// Enforcer drops packets of banned networks: the SIP transport's table, and the kernel's set where it may be used.
// All must not block for long.
type Enforcer struct {
	Add    func(net netip.Prefix, d time.Duration)
	Remove func(net netip.Prefix)
}

// Options of Open.
type Options struct {
	Store    store.Stages
	Counters counters.Counters // nil: this node alone
	Enforce  []Enforcer
	// Spared says why an address must not be banned for others' sake: "" if it may be. Asked for single addresses by
	// automatic bans, and Inside for networks: an address on a line's IP lock, a trunk's, one with a good recent history.
	Spared func(addr netip.Addr) (why string)
	// Inside finds a spared address inside a network, if there is one.
	Inside func(net netip.Prefix) (addr netip.Addr, why string, ok bool)
	Never  []netip.Prefix            // the operator's own list; it holds also against people and feeds
	Max    int                       // automatic and feed bans kept at once; 0 is 65,536. What ends first gives way
	Record func(facts ...store.Fact) // nil drops
	Log    *slog.Logger
}

// Facts of this stage:
//
//	ban.added {"net","until","by","why"}; more than 60 automatic ones in a minute are told as
//	ban.flood {"bans":n,"from","till","sample":["…", at most 10]}
//	ban.removed {"net","by","why"}
const (
	FactAdded   = "ban.added"
	FactFlood   = "ban.flood"
	FactRemoved = "ban.removed"
)
