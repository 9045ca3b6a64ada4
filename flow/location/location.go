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

// Update is one REGISTER that auth accepted. Strings are copied; they may point into the packet.
type Update struct {
	Contacts  []Contact // none, and not All: a question, which changes nothing
	All       bool      // "Contact: *" with Expires 0 (RFC 3261 10.2.2): all go; Contacts must be empty
	CallID    string
	CSeq      uint32
	Received  netip.AddrPort
	Transport string // "udp", "tcp"
	UserAgent string
	Now       time.Time
}

// Contact is one contact of a REGISTER. An expiry of 0 or less removes it; the edge has bounded it (423, MaxExpires).
type Contact struct {
	URI     string
	Expires time.Duration
}

// The package offers, on a type made by New (safe for concurrent use):
//
//	Update(line string, u Update) ([]Binding, error) // one REGISTER's contacts, atomically; ErrStaleCSeq, ErrTooMany (10 a line)
//	Lookup(line string, now time.Time) []Binding     // live ones, newest first
//	Load(ctx) / Run(ctx) / Flush(ctx)                // from and to the store
//	Drop(line string)                                // unregister all: the line was removed or its password changed
