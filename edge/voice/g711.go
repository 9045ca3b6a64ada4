package voice

// G.711: a sample in eight bits, by the µ-law (PCMU) or the A-law (PCMA). Tables are made from the formulas of ITU-T G.711.

var (
	fromULaw, fromALaw [256]int16
	toALaw             [256]byte // of a µ-law sample, by way of the linear one
)

func init() {
	for i := range 256 {
		fromULaw[i], fromALaw[i] = linearOfU(byte(i)), linearOfA(byte(i))
	}
	for i := range 256 {
		toALaw[i] = aLaw(fromULaw[i])
	}
}

func linearOfU(u byte) int16 {
	u = ^u
	t := (int(u&0x0f)<<3 + 0x84) << (u & 0x70 >> 4)
	if u&0x80 != 0 {
		return int16(0x84 - t)
	}
	return int16(t - 0x84)
}

func linearOfA(a byte) int16 {
	a ^= 0x55
	t := int(a&0x0f) << 4
	switch seg := a & 0x70 >> 4; seg {
	case 0:
		t += 8
	case 1:
		t += 0x108
	default:
		t = (t + 0x108) << (seg - 1)
	}
	if a&0x80 != 0 {
		return int16(t)
	}
	return int16(-t)
}

// uLaw codes a linear sample.
func uLaw(s int16) byte {
	n, sign := int(s), byte(0)
	if n < 0 {
		n, sign = -n, 0x80
	}
	n = min(n, 32635) + 0x84
	seg := byte(7)
	for mask := 0x4000; seg > 0 && n&mask == 0; mask >>= 1 {
		seg--
	}
	return ^(sign | seg<<4 | byte(n>>(seg+3))&0x0f)
}

// aLaw codes a linear sample.
func aLaw(s int16) byte {
	n, sign := int(s), byte(0x80)
	if n < 0 {
		n, sign = -n-1, 0
	}
	n = min(n, 32767)
	seg := byte(7)
	for mask := 0x4000; seg > 0 && n&mask == 0; mask >>= 1 {
		seg--
	}
	var code byte
	if seg == 0 {
		code = byte(n >> 4)
	} else {
		code = seg<<4 | byte(n>>(seg+3))&0x0f
	}
	return (sign | code) ^ 0x55
}
