package replay

import (
	"net/netip"

	"ringfence/core/detect"
	"ringfence/core/habit"
)

// origins are the networks and products that calls come from, by what rows say of them: there are few, and rows many.
type origins struct {
	places, devices map[string]uint32
}

// mostOrigins bounds each table: a file may name anything.
const mostOrigins = 1 << 16

// place is the hash of the network of a source, which is an address with or without port; 0 for anything else.
func (o *origins) place(source []byte) uint32 {
	return remembered(&o.places, source, func(source string) string {
		addr, err := netip.ParseAddr(source)
		if err != nil {
			port, _ := netip.ParseAddrPort(source)
			addr = port.Addr()
		}
		return detect.Place(addr, 0)
	})
}

// device is the hash of the product that a User-Agent names.
func (o *origins) device(agent []byte) uint32 {
	return remembered(&o.devices, agent, detect.Family)
}

func remembered(table *map[string]uint32, text []byte, what func(string) string) uint32 {
	if len(text) == 0 {
		return 0
	}
	if h, ok := (*table)[string(text)]; ok {
		return h
	}
	if len(*table) >= mostOrigins || *table == nil {
		*table = map[string]uint32{}
	}
	h := habit.Hash(what(string(text)))
	(*table)[string(text)] = h
	return h
}
