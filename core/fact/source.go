package fact

import (
	"net/netip"
	"strconv"
	"strings"
)

// Source is where something came from: an address, one with a port, a network, an autonomous system, or nothing.
type Source struct {
	Addr netip.Addr
	Bits uint8  // of a network's prefix; 0 is an address
	Port uint16 // 0 is none
	AS   uint32 // where Addr is none
}

// FromAddr is an address.
func FromAddr(a netip.Addr) Source { return Source{Addr: a} }

// FromPort is an address with its port.
func FromPort(a netip.AddrPort) Source { return Source{Addr: a.Addr(), Port: a.Port()} }

// FromNet is a network, or an address where it holds no more than one.
func FromNet(n netip.Prefix) Source {
	if n.IsSingleIP() {
		return FromAddr(n.Addr())
	}
	return Source{Addr: n.Addr(), Bits: uint8(max(n.Bits(), 0))}
}

// ParseSource reads what String gives; whatever else a text says is no source.
func ParseSource(text string) Source {
	number, as := strings.CutPrefix(text, "AS")
	switch {
	case as:
		n, _ := strconv.ParseUint(number, 10, 32)
		return Source{AS: uint32(n)}
	case strings.IndexByte(text, '/') >= 0:
		if n, err := netip.ParsePrefix(text); err == nil && n.Bits() > 0 {
			return FromNet(n.Masked())
		}
	case strings.HasPrefix(text, "["), strings.Count(text, ":") == 1:
		if p, err := netip.ParseAddrPort(text); err == nil && p.Port() != 0 {
			return FromPort(p)
		}
	case text != "":
		if a, err := netip.ParseAddr(text); err == nil {
			return FromAddr(a)
		}
	}
	return Source{}
}

// Net is the network of a source, an address's own where it is one; none of an AS.
func (s Source) Net() netip.Prefix {
	bits := int(s.Bits)
	if bits == 0 {
		bits = s.Addr.BitLen()
	}
	return netip.PrefixFrom(s.Addr.WithZone(""), bits)
}

// String is "203.0.113.9", "203.0.113.9:5060", "203.0.113.0/24", "AS64496", or "" for none.
func (s Source) String() string { return string(s.append(nil)) }

func (s Source) append(b []byte) []byte {
	switch {
	case s.AS != 0:
		return strconv.AppendUint(append(b, "AS"...), uint64(s.AS), 10)
	case s.Port != 0:
		return netip.AddrPortFrom(s.Addr, s.Port).AppendTo(b)
	case s.Bits != 0:
		return strconv.AppendUint(append(s.Addr.AppendTo(b), '/'), uint64(s.Bits), 10)
	}
	return s.Addr.AppendTo(b)
}
