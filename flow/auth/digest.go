package auth

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
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

// question is a login laid out for hashing, so that one answer can be held against several passwords: RFC 7616 3.4.1,
// H(HA1:nonce:nc:cnonce:qop:H(method:uri)). An answer without qop (RFC 2069) is none. Fields are hashed as sent; usable has bounded them. The HA1 is written into the room in front of text, again each time.
type question struct {
	g      algorithm
	size   int // of text
	room   [sha256Hex + maxFields + sha256Hex + 8]byte
	answer [sha256.Size]byte // the response, decoded
	valid  bool              // it is hexadecimal
}

// ask lays out a login that usable found to be of our form.
func (q *question) ask(g algorithm, c *Credentials) {
	n, err := hex.Decode(q.answer[:], c.Response)
	q.g, q.valid = g, err == nil && n == g.hexSize()/2
	b := append(q.room[sha256Hex:sha256Hex], c.Method...)
	b = append(b, ':')
	b = append(b, c.URI...)
	var ha2Room [sha256Hex]byte
	ha2 := g.appendHash(ha2Room[:0], b)
	b = appendField(q.room[sha256Hex:sha256Hex], c.Nonce)
	b = appendField(b, c.NC)
	b = appendField(b, c.CNonce)
	b = appendField(b, c.QOP)
	q.size = len(appendField(b, ha2))
}

// Fits says whether the answer is that of a password. It takes as long for a right one as for a wrong one.
func (q *question) Fits(ha1 *secret.HA1) bool {
	text := q.room[sha256Hex-q.g.hexSize() : sha256Hex+q.size]
	same := 0
	if q.g == algSHA256 {
		hex.Encode(text, ha1.SHA256[:])
		sum := sha256.Sum256(text)
		same = subtle.ConstantTimeCompare(sum[:], q.answer[:])
	} else {
		hex.Encode(text, ha1.MD5[:])
		sum := md5.Sum(text)
		same = subtle.ConstantTimeCompare(sum[:], q.answer[:md5.Size])
	}
	return same == 1 && q.valid
}

func appendField(b, field []byte) []byte { return append(append(b, ':'), field...) }

// nonceCount reads nc: eight hexadecimal digits, from 1; 0 cannot be read.
func nonceCount(c *Credentials) uint32 {
	var raw [4]byte
	if n, err := hex.Decode(raw[:], c.NC); err != nil || n != len(raw) {
		return 0
	}
	return binary.BigEndian.Uint32(raw[:])
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
