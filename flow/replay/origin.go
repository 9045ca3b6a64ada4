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
	return remembered(&o.places, source, Place)
}

// Place is the hash of the network of a source, an address with or without a port; 0 for anything else.
func Place(source string) uint32 {
	addr, err := netip.ParseAddr(source)
	if err != nil {
		port, _ := netip.ParseAddrPort(source)
		addr = port.Addr()
	}
	return habit.Hash(detect.Place(addr, 0))
}

// Device is the hash of the product that a User-Agent names.
func Device(agent string) uint32 { return habit.Hash(detect.Family(agent)) }

// device is the hash of the product that a User-Agent names.
func (o *origins) device(agent []byte) uint32 {
	return remembered(&o.devices, agent, Device)
}

func remembered(table *map[string]uint32, text []byte, what func(string) uint32) uint32 {
	if len(text) == 0 {
		return 0
	}
	if h, ok := (*table)[string(text)]; ok {
		return h
	}
	if len(*table) >= mostOrigins || *table == nil {
		*table = map[string]uint32{}
	}
	h := what(string(text))
	(*table)[string(text)] = h
	return h
}
