package transport

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"

	"ringfence/edge/internal/fair"
)

// A phone may keep its address translation open, and learn of a change in it, by asking on the SIP port under which address we see it (RFC 5626
// section 4.4.2, RFC 8489). That is all that is answered: one kind of request, if it is sound, with at most 24 bytes more than it had, and only
// so often, because its source may be forged.

const (
	stunHeader      = 20
	stunCookie      = 0x2112a442
	stunBinding     = 0x0001
	stunSuccess     = 0x0101
	stunError       = 0x0111
	stunMapped      = 0x0020 // XOR-MAPPED-ADDRESS
	stunErrorCode   = 0x0009
	stunUnknown     = 0x000a
	stunIntegrity   = 0x0008
	stunFingerprint = 0x8028
	stunOptional    = 0x8000 // attributes from here on may be ignored
	stunXOR         = 0x5354554e
	maxUnknown      = 4 // attributes named in a refusal
	maxSTUN         = 1280
	stunRate        = 50 // answers a second to one address
	stunBurst       = 200
)

// stunKnown are the attributes of RFC 8489 that must be understood. None of them changes the answer.
var stunKnown = map[uint16]bool{
	0x0001: true, 0x0006: true, stunIntegrity: true, stunErrorCode: true, stunUnknown: true, 0x0014: true, 0x0015: true,
	0x001c: true, 0x001d: true, 0x001e: true, stunMapped: true,
}

// keepAlive answers a STUN binding request; nothing else that keeps an address translation open is answered.
func (s *socket) keepAlive(p *Packet, now int64) {
	if len(p.Buf) > maxSTUN {
		return
	}
	out := appendSTUN(p.Buf[len(p.Buf):], p.Buf, p.Src) // into the room that the packet has left, so that it costs no memory
	if len(out) == 0 || !s.t.stuns.take(fair.Address(p.Src.Addr()), now) {
		return
	}
	s.t.count.stuns.Add(1)
	_ = s.send(p.Src, out) // when the queue is full it is as lost as any packet
}

// appendSTUN appends the answer to a binding request that came from an address; nothing when it is no sound one.
func appendSTUN(dst, b []byte, src netip.AddrPort) []byte {
	if len(b) < stunHeader || binary.BigEndian.Uint16(b) != stunBinding || binary.BigEndian.Uint32(b[4:]) != stunCookie {
		return dst
	}
	if n := int(binary.BigEndian.Uint16(b[2:])); n%4 != 0 || n != len(b)-stunHeader {
		return dst
	}
	var unknown [maxUnknown]uint16
	n, marked, ok := stunAttributes(b, &unknown)
	if !ok {
		return dst
	}
	start := len(dst)
	kind := uint16(stunSuccess)
	if n > 0 {
		kind = stunError
	}
	dst = binary.BigEndian.AppendUint16(dst, kind)
	dst = append(dst, 0, 0)
	dst = append(dst, b[4:stunHeader]...) // cookie and transaction
	if n > 0 {
		dst = appendRefusal(dst, unknown[:n])
	} else {
		dst = appendMapped(dst, b, src)
	}
	size := len(dst) - start - stunHeader
	if marked {
		size += 8
	}
	binary.BigEndian.PutUint16(dst[start+2:], uint16(size))
	if marked {
		sum := crc32.ChecksumIEEE(dst[start:]) ^ stunXOR
		dst = binary.BigEndian.AppendUint16(dst, stunFingerprint)
		dst = binary.BigEndian.AppendUint16(dst, 4)
		dst = binary.BigEndian.AppendUint32(dst, sum)
	}
	return dst
}

// stunAttributes reads the attributes of a request: how many must be understood and are not, and whether it ends with a right fingerprint. It
// is not ok when one does not fit, or the fingerprint is wrong or not last.
func stunAttributes(b []byte, unknown *[maxUnknown]uint16) (n int, marked, ok bool) {
	signed := false
	for at := stunHeader; at < len(b); {
		if marked || len(b)-at < 4 {
			return 0, false, false
		}
		kind, size := binary.BigEndian.Uint16(b[at:]), int(binary.BigEndian.Uint16(b[at+2:]))
		next := at + 4 + (size+3)&^3
		if next > len(b) {
			return 0, false, false
		}
		switch {
		case kind == stunFingerprint:
			if size != 4 || binary.BigEndian.Uint32(b[at+4:]) != crc32.ChecksumIEEE(b[:at])^stunXOR {
				return 0, false, false
			}
			marked = true
		case signed: // what follows the signature is not part of the request
		case kind == stunIntegrity:
			signed = true
		case kind < stunOptional && !stunKnown[kind] && n < maxUnknown:
			unknown[n] = kind
			n++
		}
		at = next
	}
	return n, marked, true
}

// appendMapped appends XOR-MAPPED-ADDRESS: the source of the request b, hidden from programs that rewrite addresses in packets.
func appendMapped(dst, b []byte, src netip.AddrPort) []byte {
	a := src.Addr().Unmap()
	size, family := 8, byte(1)
	if a.Is6() {
		size, family = 20, 2
	}
	dst = binary.BigEndian.AppendUint16(dst, stunMapped)
	dst = binary.BigEndian.AppendUint16(dst, uint16(size))
	dst = append(dst, 0, family)
	dst = binary.BigEndian.AppendUint16(dst, src.Port()^stunCookie>>16)
	if a.Is4() {
		for i, x := range a.As4() {
			dst = append(dst, x^b[4+i])
		}
		return dst
	}
	for i, x := range a.As16() {
		dst = append(dst, x^b[4+i])
	}
	return dst
}

// appendRefusal appends 420 and the attributes that were not understood.
func appendRefusal(dst []byte, unknown []uint16) []byte {
	dst = binary.BigEndian.AppendUint16(dst, stunErrorCode)
	dst = append(dst, 0, 4, 0, 0, 4, 20)
	dst = binary.BigEndian.AppendUint16(dst, stunUnknown)
	dst = binary.BigEndian.AppendUint16(dst, uint16(2*len(unknown)))
	for _, kind := range unknown {
		dst = binary.BigEndian.AppendUint16(dst, kind)
	}
	if len(unknown)%2 == 1 {
		dst = append(dst, 0, 0)
	}
	return dst
}
