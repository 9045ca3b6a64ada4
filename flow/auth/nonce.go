package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"time"
)

// A nonce is, in base64 for URLs: when it was made (4 bytes, Unix seconds), a count (4 bytes, so that two phones behind
// one address never share one), and the first 13 bytes of an HMAC-SHA256 over both, the source address and, through the
// key, the realm. Nothing is kept for it. The port is left out: phones behind NAT change it.
const (
	nonceHead = 8
	nonceRaw  = 21
	nonceText = nonceRaw / 3 * 4
)

// skew is how far ahead of ours the clock may be of another node that shares the key.
const skew = 2 // seconds

// nonce is one that was verified.
type nonce struct {
	id   uint64 // of its HMAC: tells nonces apart
	made uint32
}

// nonces makes and verifies them. The pads are read-only; count is atomic.
type nonces struct {
	inner, outer [sha256.BlockSize]byte // the key of HMAC, padded
	ttl          int64                  // seconds
	begun        time.Time
	count        atomic.Uint32
}

func (n *nonces) init(key []byte, realm string, ttl time.Duration) {
	k := sha256.Sum256(append(append([]byte("ringfence nonce\x00"), key...), realm...))
	for i := range n.inner {
		n.inner[i], n.outer[i] = 0x36, 0x5c
	}
	for i, b := range k {
		n.inner[i] ^= b
		n.outer[i] ^= b
	}
	n.ttl, n.begun = int64(ttl/time.Second), time.Now()
	var start [4]byte // nodes that share a key begin at different counts; a failure here makes them begin alike, no worse
	_, _ = rand.Read(start[:])
	n.count.Store(binary.BigEndian.Uint32(start[:]))
}

// seconds is Unix time as it was at our start, and elapsed time since: a step of the clock ends no nonce and revives none.
func (n *nonces) seconds(now time.Time) int64 {
	return n.begun.Unix() + int64(now.Sub(n.begun)/time.Second)
}

func (n *nonces) make(src netip.Addr, at int64) (text [nonceText]byte) {
	var raw [nonceRaw]byte
	binary.BigEndian.PutUint32(raw[:], uint32(at))
	binary.BigEndian.PutUint32(raw[4:], n.count.Add(1))
	mac := n.mac([nonceHead]byte(raw[:]), src)
	copy(raw[nonceHead:], mac[:])
	base64.RawURLEncoding.Encode(text[:], raw[:])
	return text
}

// open verifies a nonce for its source and age.
func (n *nonces) open(text []byte, src netip.Addr, at int64) (nonce, bool) {
	var raw [nonceRaw]byte
	if len(text) != nonceText {
		return nonce{}, false
	}
	if _, err := base64.RawURLEncoding.Decode(raw[:], text); err != nil {
		return nonce{}, false
	}
	mac := n.mac([nonceHead]byte(raw[:]), src)
	if subtle.ConstantTimeCompare(mac[:nonceRaw-nonceHead], raw[nonceHead:]) != 1 {
		return nonce{}, false
	}
	made := binary.BigEndian.Uint32(raw[:])
	age := at - int64(made)
	return nonce{binary.BigEndian.Uint64(mac[:]), made}, age >= -skew && age < n.ttl
}

// mac is HMAC-SHA256 written out, because hmac.New allocates.
func (n *nonces) mac(head [nonceHead]byte, src netip.Addr) [sha256.Size]byte {
	addr := src.Unmap().As16()
	var in [sha256.BlockSize + nonceHead + 16]byte
	copy(in[:], n.inner[:])
	copy(in[sha256.BlockSize:], head[:])
	copy(in[sha256.BlockSize+nonceHead:], addr[:])
	sum := sha256.Sum256(in[:])
	var out [sha256.BlockSize + sha256.Size]byte
	copy(out[:], n.outer[:])
	copy(out[sha256.BlockSize:], sum[:])
	return sha256.Sum256(out[:])
}
