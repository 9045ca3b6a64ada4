package webhook

import (
	"fmt"
	"net/netip"
	"syscall"
)

// special are networks that are not the public internet (IANA's special-purpose registries), beside what netip knows.
var special = func() (out []netip.Prefix) {
	for _, p := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"240.0.0.0/4", "::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
	} {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}()

// translated is NAT64's network: its last four bytes are an IPv4 address (RFC 6052).
var translated = netip.MustParsePrefix("64:ff9b::/96")

// public says whether an address is one of the public internet.
func public(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if translated.Contains(a) {
		b := a.As16()
		return public(netip.AddrFrom4([4]byte(b[12:])))
	}
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

func (s *Sender) allowed(a netip.Addr) bool {
	for _, p := range s.o.Allow {
		if p.Contains(a.WithZone("").Unmap()) {
			return true
		}
	}
	return public(a)
}

// privateError says that a customer's webhook leads into a network that customers may not reach through us.
type privateError struct{ addr netip.Addr }

func (e *privateError) Error() string {
	return fmt.Sprintf("%s, which is not a public address", e.addr)
}

// dialCheck is a Control of net.Dialer: it sees the very address that is about to be dialled.
func dialCheck(may func(netip.Addr) bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("dialling: %w", err)
		}
		if !may(to.Addr()) {
			return &privateError{to.Addr()}
		}
		return nil
	}
}
