package door

import "net/netip"

// Why an address is exempt, for people.
const (
	trusted    = "a customer's phones have logged in rightly from there, of late and for some time"
	registered = "phones are registered from there"
)

// Exempt says why an address must not be banned for what others do from it, or near it; "" is that it may be.
func (d *Door) Exempt(at netip.Addr) string {
	if why := d.owned.Whose(at); why != "" {
		return why
	}
	if d.o.Devices.Trusted(at) {
		return trusted
	}
	// Who guesses from behind the address of a registered phone is locked out by the guard; to drop its packets would block
	// the phone.
	if yes, _ := d.o.Phones.Registered(netip.PrefixFrom(at, at.BitLen())); yes {
		return registered
	}
	return ""
}

// ExemptInside finds an exempt address in a network, and says why it is exempt.
func (d *Door) ExemptInside(net netip.Prefix) (at netip.Addr, reason string, ok bool) {
	if at, why, ok := d.owned.Inside(net); ok {
		return at, why, true
	}
	if at, ok := d.o.Devices.TrustedIn(net); ok {
		return at, trusted, true
	}
	if yes, _ := d.o.Phones.Registered(net); yes {
		return net.Addr(), registered, true
	}
	return netip.Addr{}, "", false
}
