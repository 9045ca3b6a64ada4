package habit

import (
	"net/netip"

	"ringfence/core/detect"
	"ringfence/core/restrict"
)

// From is where a call or a login comes from, as restrictions and a Call have it.
func From(at netip.Addr, agent string) restrict.From {
	from := restrict.From{Product: Product(agent)}
	if at.IsValid() {
		from.Origin = Place(at)
	}
	return from
}

// Place is the hash of the network that an address is in.
func Place(at netip.Addr) uint32 { return Hash(detect.Place(at, 0)) }

// Product is the hash of the product that a User-Agent names; 0 for "".
func Product(agent string) uint32 {
	if agent == "" {
		return 0
	}
	return Hash(detect.Family(agent))
}
