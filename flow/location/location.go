// Package location remembers which phones are registered for a line: bindings in memory, written behind to the store,
// every change a fact in the journal. It must not know SIP syntax or SQL.
package location

import (
	"net/netip"
	"time"
)

// Binding is one registered contact.
type Binding struct {
	Contact   string         // URI as registered
	Received  netip.AddrPort // where its packets come from; requests go there
	Transport string         // "udp", "tcp"
	CallID    string
	CSeq      uint32
	UserAgent string
	Expires   time.Time
	Since     time.Time
}

// The package offers, on a type made by New (safe for concurrent use):
//
//	Update(line string, u Update) ([]Binding, error) // one REGISTER's contacts, atomically; ErrStaleCSeq, ErrTooMany (10 a line)
//	Lookup(line string, now time.Time) []Binding     // live ones, newest first
//	Load(ctx) / Run(ctx) / Flush(ctx)                // from and to the store
//	Drop(line string)                                // unregister all: the line was removed or its password changed
