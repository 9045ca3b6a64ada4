package voice

import "encoding/binary"

// RTP (RFC 3550): a header of 12 octets before the audio of 20 ms.

const (
	frame     = 160 // samples in a packet
	headerLen = 12
)

// packetIn is what is read of a packet that came.
type packetIn struct {
	payload   byte
	timestamp uint32
	marker    bool
	body      []byte
}

// parseRTP reads a packet. It checks every length: packets come from anybody who knows the port.
func parseRTP(b []byte) (p packetIn, ok bool) {
	if len(b) < headerLen || b[0]>>6 != 2 {
		return p, false
	}
	at := headerLen + 4*int(b[0]&0x0f)
	if b[0]&0x10 != 0 { // a header extension
		if len(b) < at+4 {
			return p, false
		}
		at += 4 + 4*int(binary.BigEndian.Uint16(b[at+2:]))
	}
	end := len(b)
	if b[0]&0x20 != 0 { // padding, of which the last octet says how much
		end -= int(b[len(b)-1])
	}
	if at > end {
		return p, false
	}
	return packetIn{payload: b[1] & 0x7f, marker: b[1]&0x80 != 0, timestamp: binary.BigEndian.Uint32(b[4:]), body: b[at:end]}, true
}

// appendRTP writes the header of a packet.
func appendRTP(dst []byte, payload byte, marker bool, seq uint16, timestamp, ssrc uint32) []byte {
	second := payload & 0x7f
	if marker {
		second |= 0x80
	}
	dst = append(dst, 0x80, second)
	dst = binary.BigEndian.AppendUint16(dst, seq)
	dst = binary.BigEndian.AppendUint32(dst, timestamp)
	return binary.BigEndian.AppendUint32(dst, ssrc)
}

// eventKeys are the keys of RFC 4733 events.
const eventKeys = "0123456789*#ABCD"

// parseEvent reads a telephone event (RFC 4733 section 2.3).
func parseEvent(b []byte) (key byte, ok bool) {
	if len(b) < 4 || int(b[0]) >= len(eventKeys) {
		return 0, false
	}
	return eventKeys[b[0]], true
}
