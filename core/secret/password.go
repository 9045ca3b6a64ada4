// Package secret makes, judges and seals SIP passwords, and holds them in types that do not print. It must not know
// where secrets are stored, nor files: keys come in as text. Its only other input is random bytes.
package secret

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/sethvargo/go-diceware/diceware"
)

// redacted is what every secret prints as.
const redacted = "[secret]"

// Password is a SIP password. It prints, logs and marshals as "[secret]"; only Reveal returns the text, so that a
// search for its name finds every place where a password is exposed. The text is behind a pointer, because fmt does not ask
// the methods of values in unexported fields of other types: there it prints an address. Compare what Reveal returns.
type Password struct {
	silent
	text *string
}

// NewPassword wraps a text.
func NewPassword(text string) Password { return Password{text: &text} }

// Reveal is the text itself.
func (p Password) Reveal() string {
	if p.text == nil {
		return ""
	}
	return *p.text
}

// IsZero says that there is no password.
func (p Password) IsZero() bool { return p.Reveal() == "" }

// silent prints as "[secret]" with every verb, %#v and %x among them, and so does what it is embedded in; JSON and TOML use its text.
type silent struct{}

// Format hides the value that it is embedded in.
func (silent) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) } // a failed write is the printer's to report

// String hides likewise.
func (silent) String() string { return redacted }

// GoString hides likewise.
func (silent) GoString() string { return redacted }

// MarshalText hides likewise.
func (silent) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// words of a generated password. Six of the EFF's 7,776 without repeats are 77.5 bits: log2(7776·7775·…·7771). Five
// would be 64.6, within reach of rented hardware and a patient attacker with a captured digest.
const words = 6

// Generate makes a password of six words joined by '-': "gravel-unzip-lilac-…". Words have only a-z and a few '-', so
// it can be typed on any phone and needs no quotes in any configuration file. It has at most 59 characters.
func Generate() (Password, error) {
	list, err := diceware.Generate(words)
	if err != nil {
		return Password{}, fmt.Errorf("random words: %w", err)
	}
	return NewPassword(strings.Join(list, "-")), nil
}

// LikeGenerated says that a password has the form of Generate's: as many different words of its list, joined by '-'. It is
// used where it was not recorded whether the password was generated.
func LikeGenerated(p Password) bool {
	text := p.Reveal()
	if len(text) > words*(longestWord+1) {
		return false
	}
	return wordsFrom(strings.Split(text, "-"), nil)
}

// longestWord of the list has 9 letters; "drop-down" and a few others have a '-' of their own.
const longestWord = 9

// wordsFrom says that the parts make exactly as many different words as Generate uses, some of two parts.
func wordsFrom(parts, before []string) bool {
	if len(parts) == 0 || len(before) == words {
		return len(parts) == 0 && len(before) == words
	}
	for n := 1; n <= min(2, len(parts)); n++ {
		w := strings.Join(parts[:n], "-")
		if _, ok := theModel().dice[w]; ok && !slices.Contains(before, w) && wordsFrom(parts[n:], append(before, w)) {
			return true
		}
	}
	return false
}

// HA1 is what digest authentication needs to know of a password: H(user:realm:password) for both algorithms of RFC 8760.
// It is as good as the password within its realm, so it prints as "[secret]" too.
type HA1 struct {
	silent
	MD5    [md5.Size]byte
	SHA256 [sha256.Size]byte
}

// hashed is the prefix of what is sealed for a password of which only the hashes are known. No password can begin with it.
const hashed = "\x00ha1\x00"

// Hashed is a password of which only H(user:realm:password) is known, by MD5 and perhaps by SHA-256, for a line that was imported.
// Without SHA-256 its phones can log in by MD5 only: a random value takes its place, because a fixed one could be guessed.
func Hashed(h HA1) (Password, error) {
	if h.SHA256 == ([sha256.Size]byte{}) {
		if _, err := rand.Read(h.SHA256[:]); err != nil {
			return Password{}, err
		}
	}
	return NewPassword(hashed + string(h.MD5[:]) + string(h.SHA256[:])), nil
}

// NewHA1 hashes a password for a user in a realm.
func NewHA1(user, realm string, p Password) HA1 {
	if both, ok := strings.CutPrefix(p.Reveal(), hashed); ok && len(both) == md5.Size+sha256.Size {
		return HA1{MD5: [md5.Size]byte([]byte(both[:md5.Size])), SHA256: [sha256.Size]byte([]byte(both[md5.Size:]))}
	}
	text := []byte(user + ":" + realm + ":" + p.Reveal())
	return HA1{MD5: md5.Sum(text), SHA256: sha256.Sum256(text)}
}

// Former is a password that a line had, as digest authentication knows it.
type Former struct {
	HA1   *HA1
	Until time.Time // when it was replaced
}
