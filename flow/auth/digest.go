package auth

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"

	"ringfence/core/secret"
)

// algorithm of RFC 8760. The "-sess" forms are not offered: no phone uses them.
type algorithm uint8

const (
	algMD5 algorithm = iota
	algSHA256
)

const (
	md5Hex    = 2 * md5.Size
	sha256Hex = 2 * sha256.Size
	maxRealm  = 128
	maxFields = 1024 // all hashed fields of a login together
)

func (g algorithm) String() string { return [...]string{"MD5", "SHA-256"}[g] }

func (g algorithm) hexSize() int { return [...]int{md5Hex, sha256Hex}[g] }

// findAlgorithm reads the parameter; absent is MD5 (RFC 2617).
func findAlgorithm(name []byte) (algorithm, bool) {
	switch {
	case len(name) == 0, equalFold(name, "md5"):
		return algMD5, true
	case equalFold(name, "sha-256"):
		return algSHA256, true
	}
	return algMD5, false
}

// appendHash appends H(text) in lower-case hexadecimal.
func (g algorithm) appendHash(dst, text []byte) []byte {
	if g == algSHA256 {
		sum := sha256.Sum256(text)
		return hex.AppendEncode(dst, sum[:])
	}
	sum := md5.Sum(text)
	return hex.AppendEncode(dst, sum[:])
}

// response appends what the login must answer (RFC 7616 3.4.1): H(HA1:nonce:nc:cnonce:qop:H(method:uri)), or without the
// middle three where the phone sent no qop (RFC 2069). Fields are hashed as sent; usable has bounded them.
func (g algorithm) response(dst []byte, ha1 *secret.HA1, c *Credentials) []byte {
	var room [maxFields + 2*sha256Hex + 8]byte
	b := append(room[:0], c.Method...)
	b = append(b, ':')
	b = append(b, c.URI...)
	var ha2Room [sha256Hex]byte
	ha2 := g.appendHash(ha2Room[:0], b)
	if g == algSHA256 {
		b = hex.AppendEncode(room[:0], ha1.SHA256[:])
	} else {
		b = hex.AppendEncode(room[:0], ha1.MD5[:])
	}
	b = appendField(b, c.Nonce)
	if len(c.QOP) > 0 {
		b = appendField(b, c.NC)
		b = appendField(b, c.CNonce)
		b = appendField(b, c.QOP)
	}
	b = appendField(b, ha2)
	return g.appendHash(dst, b)
}

func appendField(b, field []byte) []byte { return append(append(b, ':'), field...) }

// nonceCount reads nc: eight hexadecimal digits, from 1. A login without qop uses its nonce up at once.
func nonceCount(c *Credentials) (uint32, bool) {
	if len(c.QOP) == 0 {
		return 1, true
	}
	var raw [4]byte
	if n, err := hex.Decode(raw[:], c.NC); err != nil || n != 4 {
		return 0, false
	}
	n := uint32(raw[0])<<24 | uint32(raw[1])<<16 | uint32(raw[2])<<8 | uint32(raw[3])
	return n, n > 0
}

// lower writes a response in lower case into room; usable has checked its length.
func lower(b []byte, room *[sha256Hex]byte) []byte {
	n := copy(room[:], b)
	for i := range n {
		if room[i] >= 'A' && room[i] <= 'F' {
			room[i] |= 0x20
		}
	}
	return room[:n]
}

// equalFold compares with a lower-case text.
func equalFold(b []byte, text string) bool {
	if len(b) != len(text) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != text[i] {
			return false
		}
	}
	return true
}
