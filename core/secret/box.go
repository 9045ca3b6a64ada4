package secret

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// Errors of keys and sealed secrets. None of them contains a key or a secret.
var (
	ErrKey    = errors.New("not a usable key")
	ErrNoKey  = errors.New("sealed with a key that is missing")
	ErrSealed = errors.New("not a sealed secret of this owner")
)

// Bounds of a set of keys and of a sealed secret.
const (
	KeySize    = chacha20poly1305.KeySize
	MaxKeys    = 64
	maxKeyText = 1 << 14
	maxSecret  = 1024
	maxOwner   = 255
)

// Key seals secrets. It prints as "[secret]", and like Password as an address where fmt cannot know. Keys are the same
// when their IDs are.
type Key struct {
	silent
	raw *[KeySize]byte
}

// NewKey makes a random key.
func NewKey() (Key, error) {
	k := Key{raw: new([KeySize]byte)}
	_, err := rand.Read(k.raw[:])
	return k, err
}

// KeyID identifies a key without revealing it: the beginning of a hash of it, shown in errors and by `ringfence key list`.
type KeyID [8]byte

// String is the id in hexadecimal.
func (id KeyID) String() string { return hex.EncodeToString(id[:]) }

// ID of the key; zero of the zero Key.
func (k Key) ID() KeyID {
	if k.raw == nil {
		return KeyID{}
	}
	sum := sha256.Sum256(append([]byte("ringfence key id\x00"), k.raw[:]...))
	return KeyID(sum[:8])
}

// ParseKey reads 32 bytes in hexadecimal or base64 (either alphabet, padded or not), as from RINGFENCE_KEY.
func ParseKey(text string) (Key, error) {
	text = strings.TrimSpace(text)
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != KeySize {
		plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
		raw, err = base64.RawStdEncoding.DecodeString(plain)
	}
	if err != nil || len(raw) != KeySize {
		return Key{}, fmt.Errorf("%w: want %d bytes in hexadecimal or base64", ErrKey, KeySize)
	}
	distinct := map[byte]bool{}
	for _, b := range raw {
		distinct[b] = true
	}
	if len(distinct) < 8 { // a random key has fewer than once in 10^40
		return Key{}, fmt.Errorf("%w: it is not random", ErrKey)
	}
	return Key{raw: (*[KeySize]byte)(raw)}, nil
}

// ParseKeys reads keys as FormatKeys writes them, oldest first: one on a line or several separated by commas; '#' begins
// a comment. The last one seals, all of them open.
func ParseKeys(text []byte) ([]Key, error) {
	if len(text) > maxKeyText {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrKey, maxKeyText)
	}
	var keys []Key
	for i, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		for _, part := range strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\r' }) {
			k, err := ParseKey(part)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
			if slices.ContainsFunc(keys, func(other Key) bool { return other.ID() == k.ID() }) {
				return nil, fmt.Errorf("line %d: %w: it is listed twice", i+1, ErrKey)
			}
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 || len(keys) > MaxKeys {
		return nil, fmt.Errorf("%w: %d keys; want 1 to %d", ErrKey, len(keys), MaxKeys)
	}
	return keys, nil
}

// FormatKeys writes keys for a key file. The result is secret.
func FormatKeys(keys []Key) []byte {
	out := []byte("# Ringfence: keys that seal SIP passwords. Without this file they cannot be read; keep a copy apart from the database.\n" +
		"# The last key seals, all of them open. `ringfence key rotate` adds one.\n")
	for _, k := range keys {
		out = base64.StdEncoding.AppendEncode(out, k.raw[:])
		out = append(out, " # "+k.ID().String()+"\n"...)
	}
	return out
}

// Box seals and opens secrets. It is safe for concurrent use and prints as "[secret]".
type Box struct {
	silent
	newest KeyID
	aeads  map[KeyID]cipher.AEAD
	root   [sha256.Size]byte // of the oldest key, for Derive
}

// NewBox makes a box of keys, oldest first: the last seals, all of them open.
func NewBox(keys []Key) (*Box, error) {
	if len(keys) == 0 || len(keys) > MaxKeys {
		return nil, fmt.Errorf("%w: %d keys; want 1 to %d", ErrKey, len(keys), MaxKeys)
	}
	b := &Box{aeads: make(map[KeyID]cipher.AEAD, len(keys))}
	for i, k := range keys {
		if k.raw == nil {
			return nil, fmt.Errorf("%w: key %d is empty", ErrKey, i+1)
		}
		aead, err := chacha20poly1305.NewX(k.raw[:])
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKey, err)
		}
		b.newest = k.ID()
		b.aeads[b.newest] = aead
		if i == 0 {
			b.root = sha256.Sum256(append([]byte("ringfence derived keys\x00"), k.raw[:]...))
		}
	}
	return b, nil
}

// Derive gives a key of 32 bytes for another purpose (HKDF-Expand of RFC 5869 with one block). It is derived from
// the oldest key, so that a further key does not invalidate links in mails, or keys that receivers know. The result is secret.
func (b *Box) Derive(purpose string) []byte {
	mac := hmac.New(sha256.New, b.root[:])
	mac.Write(append([]byte(purpose), 1))
	return mac.Sum(nil)
}

// Newest is the key that seals.
func (b *Box) Newest() KeyID { return b.newest }

// LineOwner and TrunkOwner name the owner of a secret, so that no sealed password can be moved to another line or trunk.
func LineOwner(id string) string { return "line/" + id }

// TrunkOwner names a trunk as an owner.
func TrunkOwner(name string) string { return "trunk/" + name }

// A sealed secret is: version (1), key id (8), length of owner (1), owner, nonce (24), ciphertext and tag. Everything before the
// nonce is authenticated. The owner is inside so that Reseal needs nothing but the bytes.
const (
	version   = 1
	ownerAt   = 1 + len(KeyID{}) + 1
	nonceSize = chacha20poly1305.NonceSizeX
	overhead  = chacha20poly1305.Overhead
)

// Seal encrypts a password for its owner (LineOwner, TrunkOwner) with the newest key: XChaCha20-Poly1305, random nonce.
func (b *Box) Seal(owner string, p Password) ([]byte, error) {
	if owner == "" || len(owner) > maxOwner || len(p.Reveal()) > maxSecret {
		return nil, fmt.Errorf("%w: owner of %d bytes, secret of %d", ErrSealed, len(owner), len(p.Reveal()))
	}
	out := make([]byte, 0, ownerAt+len(owner)+nonceSize+len(p.Reveal())+overhead)
	out = append(out, version)
	out = append(out, b.newest[:]...)
	out = append(out, byte(len(owner)))
	out = append(out, owner...)
	head := len(out)
	out = out[:head+nonceSize]
	if _, err := rand.Read(out[head:]); err != nil {
		return nil, fmt.Errorf("random nonce: %w", err)
	}
	return b.aeads[b.newest].Seal(out, out[head:head+nonceSize], []byte(p.Reveal()), out[:head]), nil
}

// Open decrypts what Seal made for the same owner. ErrNoKey when its key is not in the box, ErrSealed for anything else.
func (b *Box) Open(owner string, sealed []byte) (Password, error) {
	id, inside, err := unwrap(sealed)
	if err != nil {
		return Password{}, err
	}
	if inside != owner {
		return Password{}, fmt.Errorf("%w: it is another's", ErrSealed)
	}
	return b.open(id, ownerAt+len(inside), sealed)
}

// Reseal turns a sealed secret into one of the newest key; one of the newest key is returned unchanged.
func (b *Box) Reseal(sealed []byte) ([]byte, error) {
	id, owner, err := unwrap(sealed)
	if err != nil {
		return nil, err
	}
	p, err := b.open(id, ownerAt+len(owner), sealed)
	if err != nil || id == b.newest {
		return sealed, err
	}
	return b.Seal(owner, p)
}

func unwrap(sealed []byte) (id KeyID, owner string, err error) {
	if len(sealed) < ownerAt || sealed[0] != version {
		return id, "", fmt.Errorf("%w: unknown form", ErrSealed)
	}
	n := int(sealed[ownerAt-1])
	if len(sealed) < ownerAt+n+nonceSize+overhead || len(sealed) > ownerAt+n+nonceSize+maxSecret+overhead {
		return id, "", fmt.Errorf("%w: wrong length", ErrSealed)
	}
	return KeyID(sealed[1:]), string(sealed[ownerAt : ownerAt+n]), nil
}

func (b *Box) open(id KeyID, head int, sealed []byte) (Password, error) {
	aead := b.aeads[id]
	if aead == nil {
		return Password{}, fmt.Errorf("%w: %s", ErrNoKey, id)
	}
	text, err := aead.Open(nil, sealed[head:head+nonceSize], sealed[head+nonceSize:], sealed[:head])
	if err != nil {
		return Password{}, fmt.Errorf("%w: it was changed", ErrSealed)
	}
	return NewPassword(string(text)), nil
}
