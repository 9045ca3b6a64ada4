package webhook

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// algorithm is the name of Ed25519 in RFC 9421, section 3.3.
const algorithm = "ed25519"

// Key signs. Make it with Ed25519 or ReadKey. It does not print.
type Key struct {
	ID      string // keyid
	private ed25519.PrivateKey
}

// Format shows the name only.
func (k Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "key "+k.ID) } // a failed write is the printer's to report

// checkID keeps key ids to what stands in a header as it is.
func checkID(id string) error {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.:@/", r)
	}
	if id == "" || len(id) > 100 || strings.ContainsFunc(id, odd) {
		return errors.New("webhook: the key's id must be 1 to 100 letters, digits and -_.:@/")
	}
	return nil
}

// Ed25519 is a key to sign with; receivers need only its Public.
func Ed25519(id string, private ed25519.PrivateKey) (Key, error) {
	if err := checkID(id); err != nil {
		return Key{}, err
	}
	if len(private) != ed25519.PrivateKeySize {
		return Key{}, errors.New("webhook: this is not an Ed25519 key")
	}
	return Key{ID: id, private: private}, nil
}

// ReadKey reads an Ed25519 private key (PKCS #8) from a PEM file. Errors never hold what the file says.
func ReadKey(id, path string) (Key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Key{}, fmt.Errorf("webhook: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return Key{}, fmt.Errorf("webhook: no PEM block in %s", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := key.(ed25519.PrivateKey)
	if err != nil || !ok {
		return Key{}, fmt.Errorf("webhook: %s holds no Ed25519 private key (PKCS #8); make one with: openssl genpkey -algorithm ed25519", path)
	}
	return Ed25519(id, private)
}

// Public is the PEM text that receivers need.
func (k Key) Public() string {
	der, err := x509.MarshalPKIXPublicKey(k.private.Public())
	if err != nil {
		return ""
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}
