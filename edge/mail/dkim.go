package mail

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/emersion/go-msgauth/dkim"
)

// DKIM says how mails are signed (RFC 6376, RFC 8463). All three, or none, must be set.
type DKIM struct {
	Domain   string // of the From address, or one above it, so that DMARC passes
	Selector string
	Key      string // PEM file: RSA of 2048 bits or more, or Ed25519 (which some receivers cannot check yet)
}

// signed are the headers that a signature covers. A name that is there once more than the header occurs ("oversigned")
// breaks the signature when another is added; RFC 8058 wants both List-Unsubscribe headers covered.
var signed = []string{
	"From", "From", "Subject", "Subject", "To", "To", "Reply-To", "Reply-To", "Date", "Date", "Message-ID", "Message-ID",
	"MIME-Version", "Content-Type", "Content-Type", "Auto-Submitted", "List-Unsubscribe", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Unsubscribe-Post",
}

// signer reads the key; without DKIM it returns messages as they are.
func (d DKIM) signer() (func([]byte) ([]byte, error), error) {
	if d == (DKIM{}) {
		return func(b []byte) ([]byte, error) { return b, nil }, nil
	}
	if d.Domain == "" || d.Selector == "" || d.Key == "" {
		return nil, errors.New("mail: dkim needs a domain, a selector and a key file")
	}
	for _, name := range []string{d.Domain, d.Selector} {
		if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == ';' || r == '=' }) {
			return nil, fmt.Errorf("mail: dkim: %q is not a DNS name", name)
		}
	}
	key, err := readKey(d.Key)
	if err != nil {
		return nil, fmt.Errorf("mail: dkim key %s: %w", d.Key, err)
	}
	options := dkim.SignOptions{
		Domain: d.Domain, Selector: d.Selector, Signer: key, HeaderKeys: signed,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
	}
	return func(message []byte) ([]byte, error) {
		var out bytes.Buffer
		if err := dkim.Sign(&out, bytes.NewReader(message), &options); err != nil {
			return nil, fmt.Errorf("signing the mail: %w", err)
		}
		return out.Bytes(), nil
	}, nil
}

// readKey reads a private key. Errors never hold what the file says.
func readKey(path string) (crypto.Signer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no PEM block in it")
	}
	var key any
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, errors.New("no private key in a form that can be read (PKCS #1 or #8, without a passphrase)")
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() < 2048 {
			return nil, fmt.Errorf("RSA of %d bits is too short: want 2048", k.N.BitLen())
		}
		return k, nil
	case ed25519.PrivateKey:
		return k, nil
	}
	return nil, fmt.Errorf("want RSA or Ed25519, not %T", key)
}
