// Package geo says where an address is: country and network, from MaxMind DB files (.mmdb) that the operator names. It
// must not know what is concluded from it.
package geo

import "net/netip"

// Place is what is known of an address; zero fields are unknown.
type Place struct {
	Country string // ISO 3166-1 alpha-2, upper case
	ASN     uint32
	Network string // name of the AS's holder, cleaned: printable, at most 80 runes
}

// Lookup is what DB does; nil func values stand for knowing nothing.
type Lookup func(netip.Addr) Place
