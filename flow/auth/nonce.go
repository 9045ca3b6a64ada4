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
// one address never share one), a tag (9 bytes) over both, the source address and, through the key, the realm; and the
// source address (4 or 16 bytes) encrypted, so that a nonce answered elsewhere tells where it was given to. Nothing is kept
// for it. The port is left out: phones behind NAT change it.
//
// The tag is SHA-256 of key, purpose, head and address, cut short: 55 bytes, one block. Secret-prefix hashing is a sound
// MAC where, as here, all texts have one length.
const (
	nonceHead = 8
	nonceTag  = 9
	nonceKey  = 30
	nonceMin  = (nonceHead + nonceTag + 4) / 3 * 4  // characters, for IPv4
	nonceMax  = (nonceHead + nonceTag + 16) / 3 * 4 // for IPv6
)

// Purposes of the hash.
const (
	forTag    = 't'
	forCipher = 'c'
)

// skew is how far ahead of ours the clock may be of another node that shares the key.
const skew = 2 // seconds

// nonce is one that was verified.
type nonce struct {
	id   uint64 // of its tag: tells nonces apart
	made uint32
}

// Origin says what the nonce of an answer turned out to be.
type Origin uint8

// Origins.
const (
	Unusable  Origin = iota // not asked: the credentials are of no form that we check
	Foreign                 // not ours, or too old
	Given                   // ours, for this source
	Elsewhere               // ours, for another source
)

// nonces makes and verifies them. The key is read-only; count is atomic.
type nonces struct {
	key   [nonceKey]byte
	ttl   int64 // seconds
	begun time.Time
	count atomic.Uint32
}

func (n *nonces) init(key []byte, realm string, ttl time.Duration) {
	k := sha256.Sum256(append(append([]byte("ringfence nonce 2\x00"), key...), realm...))
	copy(n.key[:], k[:])
	n.ttl, n.begun = int64(ttl/time.Second), time.Now()
	var start [4]byte // nodes that share a key begin at different counts; a failure here makes them begin alike, no worse
	_, _ = rand.Read(start[:])
	n.count.Store(binary.BigEndian.Uint32(start[:]))
}

// seconds is Unix time as it was at our start, and elapsed time since: a step of the clock ends no nonce and revives none.
func (n *nonces) seconds(now time.Time) int64 {
	return n.begun.Unix() + int64(now.Sub(n.begun)/time.Second)
}

// hash is the block that all of this is made of.
func (n *nonces) hash(purpose byte, head [nonceHead]byte, addr [16]byte) [sha256.Size]byte {
	var in [nonceKey + 1 + nonceHead + 16]byte
	copy(in[:], n.key[:])
	in[nonceKey] = purpose
	copy(in[nonceKey+1:], head[:])
	copy(in[nonceKey+1+nonceHead:], addr[:])
	return sha256.Sum256(in[:])
}

// append appends a fresh nonce for a source.
func (n *nonces) append(dst []byte, src netip.Addr, at int64) []byte {
	var raw [nonceHead + nonceTag + 16]byte
	binary.BigEndian.PutUint32(raw[:], uint32(at))
	binary.BigEndian.PutUint32(raw[4:], n.count.Add(1))
	addr := src.Unmap()
	head, all := [nonceHead]byte(raw[:]), addr.As16()
	tag, mask := n.hash(forTag, head, all), n.hash(forCipher, head, [16]byte{})
	copy(raw[nonceHead:], tag[:nonceTag])
	size := 16
	if addr.Is4() {
		size = 4
	}
	subtle.XORBytes(raw[nonceHead+nonceTag:], all[16-size:], mask[:size])
	return base64.RawURLEncoding.AppendEncode(dst, raw[:nonceHead+nonceTag+size])
}

// open verifies a nonce for its source and age. Of one that was given elsewhere it says where.
func (n *nonces) open(text []byte, src netip.Addr, at int64) (nonce, netip.Addr, Origin) {
	var raw [nonceHead + nonceTag + 16]byte
	if len(text) != nonceMin && len(text) != nonceMax {
		return nonce{}, netip.Addr{}, Foreign
	}
	size, err := base64.RawURLEncoding.Decode(raw[:], text)
	if err != nil {
		return nonce{}, netip.Addr{}, Foreign
	}
	made := binary.BigEndian.Uint32(raw[:])
	if age := at - int64(made); age < -skew || age >= n.ttl {
		return nonce{}, netip.Addr{}, Foreign
	}
	id, ok := n.verify(&raw, src.Unmap().As16())
	if ok {
		return nonce{id, made}, src, Given
	}
	to := n.decrypt(&raw, size-nonceHead-nonceTag)
	if id, ok = n.verify(&raw, to); ok {
		return nonce{id, made}, netip.AddrFrom16(to).Unmap(), Elsewhere
	}
	return nonce{}, netip.Addr{}, Foreign
}

func (n *nonces) verify(raw *[nonceHead + nonceTag + 16]byte, addr [16]byte) (id uint64, ok bool) {
	tag := n.hash(forTag, [nonceHead]byte(raw[:]), addr)
	return binary.BigEndian.Uint64(tag[:]), subtle.ConstantTimeCompare(tag[:nonceTag], raw[nonceHead:nonceHead+nonceTag]) == 1
}

// decrypt reads whom a nonce names, which means something only when its tag agrees.
func (n *nonces) decrypt(raw *[nonceHead + nonceTag + 16]byte, size int) (addr [16]byte) {
	mask := n.hash(forCipher, [nonceHead]byte(raw[:]), [16]byte{})
	if size == 4 {
		addr[10], addr[11] = 0xff, 0xff
	}
	subtle.XORBytes(addr[16-size:], raw[nonceHead+nonceTag:nonceHead+nonceTag+size], mask[:size])
	return addr
}
