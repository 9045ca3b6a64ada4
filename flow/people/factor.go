package people

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6238 as every authenticator app has it; HMAC-SHA-1 is not broken
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"ringfence/core/person"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// Argon2id as OWASP advises for a server: 19 MiB, two passes. maxHashes of them run at once.
const (
	argonTime   = 2
	argonMemory = 19 << 10 // KiB
	argonLen    = 32
	saltLen     = 16
	maxHashes   = 4
	maxPassword = 512
)

// decoy is compared with when nobody has the name, or has no password: it takes as long and is never right.
var decoy = phc(make([]byte, saltLen), make([]byte, argonLen))

func orDecoy(stored string) string {
	if stored == "" {
		return decoy
	}
	return stored
}

func phc(salt, sum []byte) string {
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, argonMemory, argonTime, b.EncodeToString(salt), b.EncodeToString(sum))
}

func (p *People) argon(ctx context.Context, password string, salt []byte) ([]byte, error) {
	select {
	case p.hashes <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.hashes }()
	return argon2.IDKey([]byte(password), salt, argonTime, argonMemory, 1, argonLen), nil
}

// matches says whether a password is the one that a hash was made of.
func (p *People) matches(ctx context.Context, stored, password string) (bool, error) {
	parts := strings.Split(stored, "$")
	if len(parts) != 6 {
		return false, errors.New("a stored password has an unknown form")
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err = errors.Join(err, err2); err != nil {
		return false, err
	}
	if parts[3] != fmt.Sprintf("m=%d,t=%d,p=1", argonMemory, argonTime) {
		return false, errors.New("a stored password has other figures of Argon2")
	}
	got, err := p.argon(ctx, password, salt)
	return err == nil && subtle.ConstantTimeCompare(got, want) == 1, err
}

// SetPassword sets a person's own password. Other sessions of theirs end, but keep, whose text it is, and every token: somebody may have made one with the
// old password. *book.Weak says why it was refused.
func (p *People) SetPassword(ctx context.Context, actor, id, password, keep string) error {
	if len(password) > maxPassword {
		return &book.Invalid{Field: "password", Found: "", Want: fmt.Sprintf("at most %d bytes", maxPassword)}
	}
	s, err := p.o.Store.Person(ctx, id)
	if err != nil {
		return err
	}
	if _, err := secret.Judge(secret.NewPassword(password), secret.Context{LineID: view(s).Login, CustomerName: s.Name + " " + s.Mail}); err != nil {
		return err
	}
	var salt [saltLen]byte
	rand.Read(salt[:])
	sum, err := p.argon(ctx, password, salt[:])
	if err != nil {
		return err
	}
	if _, err := p.edit(ctx, actor, id, func(s *store.Person) error {
		s.Password = phc(salt[:], sum)
		return nil
	}); err != nil {
		return err
	}
	return errors.Join(p.endOthers(ctx, actor, id, keep), p.endTokens(ctx, actor, id))
}

// endTokens takes back every token of a person.
func (p *People) endTokens(ctx context.Context, actor, id string) error {
	all, err := p.o.Store.Passes(ctx, id, store.PassToken)
	if err != nil {
		return err
	}
	for _, x := range all {
		if err := p.RemoveToken(ctx, actor, id, x.Hash[:idLen]); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}

// endOthers ends what lets a person in but keep: what let them in was changed.
func (p *People) endOthers(ctx context.Context, actor, id, keep string) error {
	if _, err := p.o.Store.DropPasses(ctx, id, store.PassLink, "", ""); err != nil {
		return err
	}
	_, err := p.SignOut(ctx, actor, id, "", keep)
	return err
}

// Enrolment is a TOTP secret that an app is to read, shown once.
type Enrolment struct {
	Secret string // base32, to type
	URL    string // otpauth://, for a QR code
}

var base32Text = base32.StdEncoding.WithPadding(base32.NoPadding)

// BeginTOTP makes a secret, which counts when a code of it was shown to ConfirmTOTP.
func (p *People) BeginTOTP(ctx context.Context, actor, id string) (Enrolment, error) {
	var raw [20]byte
	rand.Read(raw[:])
	text := base32Text.EncodeToString(raw[:])
	sealed, err := p.seal(id, text)
	if err != nil {
		return Enrolment{}, err
	}
	v, err := p.edit(ctx, actor, id, func(s *store.Person) error {
		s.Factors.Waiting = sealed
		return nil
	})
	if err != nil {
		return Enrolment{}, err
	}
	label := url.PathEscape(p.o.Issuer + ":" + v.Login)
	return Enrolment{text, "otpauth://totp/" + label + "?" + url.Values{"secret": {text}, "issuer": {p.o.Issuer}}.Encode()}, nil
}

func (p *People) seal(id, text string) ([]byte, error) {
	box, err := p.o.Box()
	if err != nil {
		return nil, err
	}
	return box.Seal("person/"+id, secret.NewPassword(text))
}

// open gives the bytes of a sealed TOTP secret.
func (p *People) open(id string, sealed []byte) ([]byte, error) {
	box, err := p.o.Box()
	if err != nil {
		return nil, err
	}
	text, err := box.Open("person/"+id, sealed)
	if err != nil {
		return nil, err
	}
	return base32Text.DecodeString(text.Reveal())
}

// ConfirmTOTP takes a code of the new secret, which replaces one before. The first second factor comes with recovery codes, shown once.
func (p *People) ConfirmTOTP(ctx context.Context, actor, id, code, keep string) (recovery []string, err error) {
	if err := p.admitFactor(ctx, "new", id); err != nil {
		return nil, err
	}
	_, err = p.edit(ctx, actor, id, func(s *store.Person) error {
		if len(s.Factors.Waiting) == 0 {
			return ErrOver
		}
		raw, err := p.open(id, s.Factors.Waiting)
		if err != nil {
			return err
		}
		step, ok := totpStep(raw, digits(code), time.Now(), 0)
		if !ok {
			return ErrRefused
		}
		s.Sealed, s.Factors.Waiting, s.Factors.Step, s.Factors.Coded = s.Factors.Waiting, nil, step, stamp()
		if recovery = nil; len(s.Factors.Recovery) == 0 {
			recovery, s.Factors.Recovery, err = p.recovery(id)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return recovery, p.endOthers(ctx, actor, id, keep)
}

// Left says what must be left when a second factor goes: one that has counted at least so long, so that who added one a moment ago cannot take the others away.
// EvenNone wants none; staff always keep one.
type Left time.Duration

// EvenNone lets the last second factor of a customer's people go.
const EvenNone Left = -1

// enough says whether the second factors of a person are what must be left.
func (l Left) enough(s *store.Person, lax bool) bool {
	if person.Role(s.Role).Staff() {
		v := view(*s)
		return lax || v.Second()
	}
	before := time.Now().Add(-time.Duration(l))
	return l < 0 || len(s.Sealed) > 0 && !s.Factors.Coded.After(before) ||
		slices.ContainsFunc(s.Factors.Passkeys, func(k store.Passkey) bool { return !k.Made.After(before) })
}

// RemoveTOTP takes the app of codes away; ErrLastFactor says that too little would be left.
func (p *People) RemoveTOTP(ctx context.Context, actor, id string, left Left) error {
	_, err := p.edit(ctx, actor, id, func(s *store.Person) error {
		if len(s.Sealed) == 0 {
			return ErrNotFound
		}
		s.Sealed = nil
		if !left.enough(s, p.o.Lax) {
			return ErrLastFactor
		}
		return nil
	})
	return err
}

// ReplacesTOTP says whether another app may replace the one that there is: as if it were removed, because that is what it comes to.
func (p *People) ReplacesTOTP(ctx context.Context, id string, left Left) error {
	s, err := p.o.Store.Person(ctx, id)
	if err != nil || len(s.Sealed) == 0 || person.Role(s.Role).Staff() {
		return err
	}
	if s.Sealed = nil; !left.enough(&s, p.o.Lax) {
		return ErrLastFactor
	}
	return nil
}

// Reset takes away every factor of a person who has lost theirs, and their tokens: staff have looked at who it is, and others may have made some. They
// sign in with a link then.
func (p *People) Reset(ctx context.Context, actor, id string) (Link, error) {
	if _, err := p.edit(ctx, actor, id, func(s *store.Person) error {
		s.Password, s.Sealed, s.Factors = "", nil, store.Factors{Step: s.Factors.Step}
		return nil
	}); err != nil {
		return Link{}, err
	}
	if _, err := p.o.Store.DropPasses(ctx, id, store.PassKey, "", ""); err != nil {
		return Link{}, err
	}
	if err := errors.Join(p.endOthers(ctx, actor, id, ""), p.endTokens(ctx, actor, id)); err != nil {
		return Link{}, err
	}
	return p.Link(ctx, actor, id, LinkLife)
}

// Recovery codes: ten of 80 bits, so that a keyed hash of one pass keeps them.
const (
	numRecovery = 10
	recoveryLen = 10 // bytes
)

// NewRecovery makes fresh codes in place of all before. They are shown this once.
func (p *People) NewRecovery(ctx context.Context, actor, id string) (codes []string, err error) {
	_, err = p.edit(ctx, actor, id, func(s *store.Person) error {
		if v := view(*s); !v.Second() {
			return &book.Invalid{Field: "recovery", Want: "a second factor first: codes stand in for one that is lost"}
		}
		codes, s.Factors.Recovery, err = p.recovery(id)
		return err
	})
	return codes, err
}

func (p *People) recovery(id string) (codes, hashes []string, err error) {
	for range numRecovery {
		var raw [recoveryLen]byte
		rand.Read(raw[:])
		text := strings.ToLower(base32Text.EncodeToString(raw[:]))
		hash, err := p.recoveryHash(id, text)
		if err != nil {
			return nil, nil, err
		}
		codes = append(codes, text[:4]+"-"+text[4:8]+"-"+text[8:12]+"-"+text[12:])
		hashes = append(hashes, hash)
	}
	return codes, hashes, nil
}

func (p *People) recoveryHash(id, text string) (string, error) {
	box, err := p.o.Box()
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, box.Derive("recovery codes"))
	mac.Write([]byte(id + "\x00" + text))
	return hex.EncodeToString(mac.Sum(nil)), nil
}

// code takes a second factor that can be typed: each code counts once, also when it comes twice at the same time.
func (p *People) code(ctx context.Context, id, text string) (s store.Person, how string, err error) {
	text = digits(text)
	if s, err = p.o.Store.Person(ctx, id); err != nil {
		return s, "", err
	}
	_, err = p.edit(ctx, actorOf(s.Customer, s.Login), id, func(at *store.Person) error {
		s = *at
		if len(text) == totpDigits {
			how = "a code"
			return p.useTOTP(at, text)
		}
		how = "a recovery code"
		hash, err := p.recoveryHash(id, text)
		if err != nil {
			return err
		}
		left := slices.DeleteFunc(slices.Clone(at.Factors.Recovery), func(h string) bool {
			return subtle.ConstantTimeCompare([]byte(h), []byte(hash)) == 1
		})
		if len(left) == len(at.Factors.Recovery) {
			return ErrRefused
		}
		at.Factors.Recovery = left
		return nil
	})
	return s, how, err
}

func (p *People) useTOTP(at *store.Person, text string) error {
	if len(at.Sealed) == 0 {
		return ErrRefused
	}
	raw, err := p.open(at.ID, at.Sealed)
	if err != nil {
		return err
	}
	step, ok := totpStep(raw, text, time.Now(), at.Factors.Step)
	if !ok {
		return ErrRefused
	}
	at.Factors.Step = step
	return nil
}

// TOTP (RFC 6238): six digits of HMAC-SHA-1 over steps of 30 s. The step before and the one after are taken, for clocks that differ.
const (
	totpDigits = 6
	totpPeriod = 30
)

// totpStep finds the step whose code this is, later than after.
func totpStep(key []byte, code string, now time.Time, after int64) (step int64, ok bool) {
	at := now.Unix() / totpPeriod
	for s := at - 1; s <= at+1; s++ {
		right := subtle.ConstantTimeCompare([]byte(totp(key, s)), []byte(code)) == 1
		if right && s > after {
			step, ok = s, true
		}
	}
	return step, ok
}

// totp is the code of a step: HOTP (RFC 4226, 5.3) of its number.
func totp(key []byte, step int64) string {
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, step) // a hash takes everything
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	n := binary.BigEndian.Uint32(sum[at:]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%1_000_000)
}

// digits is a code as people type it, without blanks and dashes.
func digits(text string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, text[:min(len(text), 100)]))
}
