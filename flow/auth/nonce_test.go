package auth

import (
	"net/netip"
	"testing"
	"time"
)

// TestNonceNamesItsAddress for both families, and shows it to nobody else.
func TestNonceNamesItsAddress(t *testing.T) {
	a, err := New(Options{Realm: "ringfence"})
	if err != nil {
		t.Fatal(err)
	}
	elsew := netip.MustParseAddr("203.0.113.9")
	at := a.Seconds(time.Now())
	for _, addr := range []string{"192.0.2.7", "::ffff:192.0.2.7", "2001:db8::7", "fe80::1%eth0"} {
		src := netip.MustParseAddr(addr)
		text := a.nonces.append(nil, src, at)
		if _, _, of := a.nonces.open(text, src, at); of != Given {
			t.Errorf("%s: %d", addr, of)
		}
		if _, to, of := a.nonces.open(text, elsew, at); of != Elsewhere || to != src.Unmap().WithZone("") {
			t.Errorf("%s: %d %v", addr, of, to)
		}
		for i := range text { // whatever is changed, it is not ours for anybody
			bad := []byte(string(text))
			bad[i] ^= 1
			if _, _, of := a.nonces.open(bad, elsew, at); of != Foreign {
				t.Errorf("%s: changed at %d: %d", addr, i, of)
			}
		}
	}
}
