package device

import (
	"encoding/binary"
	"net/netip"
	"testing"
)

// Guards: somebody who can log in from any number of addresses must neither grow the index nor push honest phones out of it.
func TestTrustedAddressesAreBounded(t *testing.T) {
	x := trusted{nets: map[uint64][]spot{}}
	const hour = int64(3600e6)
	honest := netip.MustParseAddr("192.0.2.7")
	x.put(honest, hour, 30*hour)
	v6 := func(hi, lo uint64) netip.Addr {
		var a [16]byte
		binary.BigEndian.PutUint64(a[:8], 0x2001_0db8_0000_0000|hi<<8)
		binary.BigEndian.PutUint64(a[8:], lo)
		return netip.AddrFrom16(a)
	}
	for i := range uint64(1000) { // one /56
		x.note(v6(0, i), 31*hour+int64(i)*1e6)
	}
	if x.spots != 1+maxPerNet {
		t.Errorf("%d of one network", x.spots-1)
	}
	for i := range uint64(MaxTrusted + 1000) { // a /56 each
		x.note(v6(i+1, 1), 32*hour)
	}
	n, there := 0, false
	for _, list := range x.nets {
		n += len(list)
		for _, s := range list {
			there = there || s.addr == honest
		}
	}
	if n != x.spots || n != MaxTrusted {
		t.Errorf("%d addresses, %d counted, want %d", n, x.spots, MaxTrusted)
	}
	if !there {
		t.Error("the honest phone was pushed out")
	}
	x.forget(honest)
	x.forget(honest)
	if x.spots != MaxTrusted-1 {
		t.Errorf("%d after one was forgotten", x.spots)
	}
}
