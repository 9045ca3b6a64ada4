// Package geotest writes MaxMind DB files for tests. It is for tests only and must not be imported by the product.
package geotest

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"
)

// Entry is a network of a file and what is written about it.
type Entry struct {
	net    string
	record map[string]any
}

// Record is an entry of strings, uint32 and maps of these.
func Record(net string, record map[string]any) Entry { return Entry{net, record} }

// Country is an entry as files of countries have it.
func Country(net, code string) Entry { return Entry{net, map[string]any{"country_code": code}} }

// ASN is an entry as files of networks have it.
func ASN(net string, n uint32, org string) Entry {
	return Entry{net, map[string]any{"autonomous_system_number": n, "autonomous_system_organization": org}}
}

// MMDB writes a MaxMind DB of 24 bit records, format 2.0, IPv4 under ::/96. No network may lie in another. kind is what
// the file calls itself.
func MMDB(kind string, entries ...Entry) []byte {
	const empty = -1
	nodes, data := [][2]int{{empty, empty}}, []byte{}
	for _, e := range entries {
		p := netip.MustParsePrefix(e.net)
		bits, a := p.Bits(), p.Addr().As16()
		if p.Addr().Is4() {
			a = netip.AddrFrom16(a).As16()
			bits += 96
			clear(a[:12])
		}
		at := 0
		for i := range bits {
			bit := a[i/8] >> (7 - i%8) & 1
			if i == bits-1 {
				nodes[at][bit] = -2 - len(data)
				break
			}
			if nodes[at][bit] < 0 {
				nodes = append(nodes, [2]int{empty, empty})
				nodes[at][bit] = len(nodes) - 1
			}
			at = nodes[at][bit]
		}
		data = appendValue(data, e.record)
	}
	var out []byte
	for _, n := range nodes {
		for _, to := range n {
			switch {
			case to == empty:
				to = len(nodes)
			case to < empty:
				to = len(nodes) + 16 + (-2 - to)
			}
			out = append(out, byte(to>>16), byte(to>>8), byte(to))
		}
	}
	out = append(append(out, make([]byte, 16)...), data...)
	out = append(out, "\xAB\xCD\xEFMaxMind.com"...)
	return appendValue(out, map[string]any{
		"binary_format_major_version": uint16(2), "binary_format_minor_version": uint16(0), "build_epoch": uint64(1_700_000_000),
		"database_type": kind, "description": map[string]any{"en": "test"}, "ip_version": uint16(6), "languages": []string{},
		"node_count": uint32(len(nodes)), "record_size": uint16(24),
	})
}

func appendValue(out []byte, v any) []byte {
	control := func(kind, size int) {
		first, rest := byte(0), []byte{}
		if kind < 8 {
			first = byte(kind << 5)
		} else {
			rest = []byte{byte(kind - 7)}
		}
		if size >= 29 {
			first |= 29
			rest = append(rest, byte(size-29))
		} else {
			first |= byte(size)
		}
		out = append(append(out, first), rest...)
	}
	switch v := v.(type) {
	case string:
		control(2, len(v))
		return append(out, v...)
	case uint16:
		control(5, 2)
		return binary.BigEndian.AppendUint16(out, v)
	case uint32:
		control(6, 4)
		return binary.BigEndian.AppendUint32(out, v)
	case uint64:
		control(9, 8)
		return binary.BigEndian.AppendUint64(out, v)
	case []string:
		control(11, len(v))
	case map[string]any:
		control(7, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = appendValue(appendValue(out, k), v[k])
		}
	default:
		panic("a value that no test needs")
	}
	return out
}
