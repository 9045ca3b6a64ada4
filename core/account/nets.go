package account

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Bounds of an IP lock.
const (
	MaxNets     = 64
	maxNetsText = 4096
)

// ErrNets says that a text is not a list of addresses and networks; the error names each bad entry.
var ErrNets = errors.New("not a list of addresses and networks")

// ParseNets reads an IP lock as people write it: addresses and networks of IPv4 and IPv6, separated by commas,
// semicolons, spaces or line ends: "192.0.2.0/24, 2001:db8::/32; 198.51.100.7". An empty text is no lock. A network with
// host bits set is an error, for it is not clear which of the two its writer meant.
func ParseNets(text string) ([]netip.Prefix, error) {
	if len(text) > maxNetsText {
		return nil, fmt.Errorf("%w: more than %d characters", ErrNets, maxNetsText)
	}
	var nets []netip.Prefix
	var faults []error
	for _, entry := range strings.FieldsFunc(text, isSeparator) {
		p, err := parseNet(entry)
		if err != nil {
			faults = append(faults, err)
		} else if !slices.Contains(nets, p) {
			nets = append(nets, p)
		}
	}
	if len(nets) > MaxNets {
		faults = append(faults, fmt.Errorf("%d entries; %d are allowed", len(nets), MaxNets))
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("%w: %w", ErrNets, errors.Join(faults...))
	}
	return nets, nil
}

// FormatNets writes a lock as ParseNets reads it; single addresses without their length.
func FormatNets(nets []netip.Prefix) string {
	parts := make([]string, len(nets))
	for i, p := range nets {
		parts[i] = formatNet(p)
	}
	return strings.Join(parts, ", ")
}

// Allowed says whether an address may be used under locks that must all be met; no locks allow every address. IPv4
// written as IPv6 counts as IPv4, zones are dropped, and the invalid Addr passes only where there is no lock.
func Allowed(locks [][]netip.Prefix, addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, nets := range locks {
		if !slices.ContainsFunc(nets, func(p netip.Prefix) bool { return p.Contains(addr) }) {
			return false
		}
	}
	return true
}

// Allows says whether the address meets every IP lock of the chain.
func (e *Effective) Allows(addr netip.Addr) bool { return Allowed(e.Nets, addr) }

func isSeparator(r rune) bool {
	return r == ',' || r == ';' || r == ' ' || r == '\t' || r == '\n' || r == '\r'
}

func parseNet(entry string) (netip.Prefix, error) {
	if !strings.Contains(entry, "/") {
		addr, err := netip.ParseAddr(entry)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%.60q is not an address", entry)
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(entry)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%.60q is not a network", entry)
	}
	p, err = plainNet(p)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%.60q %w", entry, err)
	}
	return p, nil
}

// plainNet unmaps and insists on clear host bits, so that Contains needs no thought.
func plainNet(p netip.Prefix) (netip.Prefix, error) {
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return p, errors.New("covers more than the IPv4 addresses it is written with")
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if m := p.Masked(); m != p {
		return p, fmt.Errorf("has bits set outside the network: write %s or %s", formatNet(m), p.Addr())
	}
	return p, nil
}

func formatNet(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
