package people

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// Errors of passkeys that callers tell apart.
var (
	ErrNoPasskeys = errors.New("passkeys need pages with a name and TLS: web.url says where they are")
	ErrPasskey    = errors.New("this passkey cannot be added: try again, or use another device")
	ErrLastFactor = errors.New("this is the last second factor; add another first")
)

// Limits of passkeys.
const (
	challengeLife = 5 * time.Minute
	maxPasskeys   = 20 // of a person
	maxKeyName    = 60 // bytes
	maxAnswer     = 16 << 10
)

// Purpose says what a passkey signs a challenge for; one for something else does not count.
type Purpose string

// Purposes.
const (
	ToAdd   Purpose = "add"    // the text is a session's
	ToEnter Purpose = "enter"  // the text is a name, or "": the authenticator knows whose passkey it is
	ToGoOn  Purpose = "second" // the text is that of half a sign-in
	ToProve Purpose = "again"  // the text is a session's
)

// newParty is whom passkeys are made for: the pages at an address. Browsers have no passkeys for an address of numbers, nor without TLS.
func newParty(address, provider string) (*webauthn.WebAuthn, error) {
	u, err := url.Parse(address)
	if err != nil || address == "" {
		return nil, err
	}
	host := u.Hostname()
	if _, err := netip.ParseAddr(host); err == nil || u.Scheme != "https" && host != "localhost" {
		return nil, nil
	}
	lasts := webauthn.TimeoutConfig{Timeout: challengeLife, TimeoutUVD: challengeLife}
	if provider == "" {
		provider = host
	}
	return webauthn.New(&webauthn.Config{
		RPID: host, RPDisplayName: provider, RPOrigins: []string{u.Scheme + "://" + u.Host}, AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementPreferred, UserVerification: protocol.VerificationRequired},
		Timeouts:               webauthn.TimeoutsConfig{Login: lasts, Registration: lasts},
	})
}

// HasPasskeys says that passkeys can be made and used here.
func (p *People) HasPasskeys() bool { return p.party != nil }

// holder is a person as the library of WebAuthn sees one.
type holder struct {
	store.Person
	keys []webauthn.Credential
}

func holderOf(s *store.Person) (*holder, error) {
	h := &holder{Person: *s}
	for _, k := range s.Factors.Passkeys {
		var c webauthn.Credential
		if err := json.Unmarshal(k.Credential, &c); err != nil {
			return nil, fmt.Errorf("passkey %s: %w", k.Name, err)
		}
		h.keys = append(h.keys, c)
	}
	return h, nil
}

// WebAuthnID is on the authenticator, which may show it to anybody: it names nobody.
func (h *holder) WebAuthnID() []byte { return userHandle(h.ID) }

// WebAuthnName is how the authenticator calls the account.
func (h *holder) WebAuthnName() string { return h.Login }

// WebAuthnDisplayName is WebAuthnName.
func (h *holder) WebAuthnDisplayName() string { return h.Login }

// WebAuthnCredentials are the passkeys.
func (h *holder) WebAuthnCredentials() []webauthn.Credential { return h.keys }

func userHandle(id string) []byte {
	sum := sha256.Sum256([]byte("person " + id))
	return sum[:]
}

// keyHash is under what a passkey is found; the word before keeps it apart from the hashes of secrets.
func keyHash(credential []byte) string { return hashOf("passkey " + string(credential)) }

func keyID(k store.Passkey) string {
	var c struct {
		ID []byte `json:"id"`
	}
	if json.Unmarshal(k.Credential, &c) != nil {
		return hashOf(k.Name)[:idLen] // can be named, so that it can be removed
	}
	return keyHash(c.ID)[:idLen]
}

// challenge is what is kept of one until it is answered.
type challenge struct {
	Session webauthn.SessionData `json:"session"`
	Bound   string               `json:"bound,omitempty"` // hash of the session, or of half a sign-in, that alone may answer it
}

// AskPasskey gives a browser what it needs for a passkey: options as JSON, with a challenge that is good for one answer within five
// minutes. The purpose says what the text is.
func (p *People) AskPasskey(ctx context.Context, to Purpose, text string, from From) ([]byte, error) {
	if p.party == nil {
		return nil, ErrNoPasskeys
	}
	if over := p.take(ctx, bound{key("ask", network(from.Addr)), shortly, perNet}); over != nil {
		return nil, &Wait{over.span}
	}
	if to == ToEnter {
		return p.askToEnter(ctx, text)
	}
	h, err := p.holding(ctx, to, text)
	if err != nil {
		return nil, err
	}
	var options any
	var data *webauthn.SessionData
	if to == ToAdd {
		options, data, err = p.party.BeginRegistration(h, webauthn.WithExclusions(webauthn.Credentials(h.keys).CredentialDescriptors()))
	} else if len(h.keys) == 0 {
		return nil, ErrRefused
	} else {
		options, data, err = p.party.BeginLogin(h)
	}
	if err != nil {
		return nil, err
	}
	return p.give(ctx, to, h.ID, hashOf(text), options, data)
}

// askToEnter asks for any passkey of ours, or for those of a name. A name that nobody has, or without passkeys, gets the ID of one that
// there is not, always the same.
func (p *People) askToEnter(ctx context.Context, name string) ([]byte, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	if name == "" {
		options, data, err := p.party.BeginDiscoverableLogin()
		if err != nil {
			return nil, err
		}
		return p.give(ctx, ToEnter, "", "", options, data)
	}
	box, err := p.o.Box()
	if err != nil {
		return nil, err
	}
	made := sha256.Sum256(append(box.Derive("passkeys of names that nobody has"), name[:min(len(name), 254)]...))
	h := &holder{Person: store.Person{ID: name}, keys: []webauthn.Credential{{ID: made[:]}}}
	if s, there := p.called(ctx, name); there && len(s.Factors.Passkeys) > 0 {
		if h, err = holderOf(&s); err != nil {
			return nil, err
		}
	}
	var wanted []protocol.CredentialDescriptor // no word of how they are connected: it would tell those that there are
	for _, c := range h.keys {
		wanted = append(wanted, protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: c.ID})
	}
	options, data, err := p.party.BeginLogin(h, webauthn.WithAllowedCredentials(wanted))
	if err != nil {
		return nil, err
	}
	return p.give(ctx, ToEnter, "", "", options, data)
}

// holding is the person of a session, or of half a sign-in.
func (p *People) holding(ctx context.Context, to Purpose, text string) (*holder, error) {
	kind := store.PassSession
	if to == ToGoOn {
		kind = store.PassHalf
	}
	x, err := p.o.Store.Pass(ctx, hashOf(text))
	if errors.Is(err, ErrNotFound) || err == nil && (x.Kind != kind || !alive(&x, time.Now())) {
		return nil, ErrOver
	}
	if err != nil {
		return nil, err
	}
	s, err := p.o.Store.Person(ctx, x.Person)
	if err != nil {
		return nil, err
	}
	return holderOf(&s)
}

// Halfway is whose sign-in is half done.
func (p *People) Halfway(ctx context.Context, half string) (Person, bool) {
	h, err := p.holding(ctx, ToGoOn, half)
	if err != nil {
		return Person{}, false
	}
	return view(h.Person), true
}

func (p *People) give(ctx context.Context, to Purpose, id, bound string, options any, data *webauthn.SessionData) ([]byte, error) {
	kept, err := json.Marshal(challenge{*data, bound})
	if err != nil {
		return nil, err
	}
	now := stamp()
	x := store.Pass{Hash: hashOf(data.Challenge), Kind: store.PassChallenge, Person: id, Name: string(to), Made: now, Expires: now.Add(challengeLife), Seen: now, Data: kept}
	if err := p.o.Store.PutPass(ctx, x); err != nil {
		return nil, err
	}
	return json.Marshal(options)
}

// answered takes a challenge away: it is answered once, rightly or wrongly. It gives what was kept of it, if it was for this.
func (p *People) answered(ctx context.Context, to Purpose, text, bound string) (*webauthn.SessionData, error) {
	hash := hashOf(text)
	x, err := p.o.Store.Pass(ctx, hash)
	if errors.Is(err, ErrNotFound) {
		return nil, ErrOver
	}
	if err != nil {
		return nil, err
	}
	if err := usedUp(p.o.Store.UsePass(ctx, hash, store.PassChallenge, stamp(), store.Pass{}), ErrOver); err != nil {
		return nil, err
	}
	var c challenge
	if err := json.Unmarshal(x.Data, &c); err != nil {
		return nil, err
	}
	if x.Name != string(to) || c.Bound != bound {
		return nil, ErrOver
	}
	return &c.Session, nil
}

// AddPasskey adds the passkey that a browser made. The first second factor comes with recovery codes, shown once, and ends the sessions
// before it but one's own, whose text it is.
func (p *People) AddPasskey(ctx context.Context, actor, name string, answer []byte, session string, from From) (recovery []string, err error) {
	if p.party == nil {
		return nil, ErrNoPasskeys
	}
	if name, err = keyName(name); err != nil {
		return nil, err
	}
	made, err := protocol.ParseCredentialCreationResponseBytes(answer[:min(len(answer), maxAnswer)])
	if err != nil {
		return nil, ErrPasskey
	}
	h, err := p.holding(ctx, ToAdd, session)
	if err != nil {
		return nil, err
	}
	data, err := p.answered(ctx, ToAdd, made.Response.CollectedClientData.Challenge, hashOf(session))
	if err != nil {
		return nil, err
	}
	c, err := p.party.CreateCredential(h, *data, made)
	if err != nil {
		p.log.Info("a passkey was not added", "person", h.Login, "error", err)
		return nil, ErrPasskey
	}
	c.Attestation = webauthn.CredentialAttestation{} // asked of nobody, and long; people are read at every request
	now := stamp()
	x := store.Pass{Hash: keyHash(c.ID), Kind: store.PassKey, Person: h.ID, Made: now, Expires: never, Seen: now}
	if err := p.o.Store.PutPass(ctx, x); err != nil { // somebody has it already
		return nil, errors.Join(ErrPasskey, err)
	}
	if recovery, err = p.addKey(ctx, actor, h, name, c, session, from); err != nil {
		_, drop := p.o.Store.DropPasses(ctx, h.ID, store.PassKey, x.Hash, "")
		err = errors.Join(err, drop)
	}
	return recovery, err
}

// never is the end of what does not expire.
var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

func (p *People) addKey(ctx context.Context, actor string, h *holder, name string, c *webauthn.Credential, keep string, from From) (recovery []string, err error) {
	first := false
	f := fact.PasskeyAdded{By: actor, Person: actorOf(h.Customer, h.Login), Passkey: name, Source: fact.FromAddr(from.Addr), Agent: clip(from.Agent)}
	_, err = p.edit(ctx, actor, h.ID, func(s *store.Person) error {
		if err := freeName(s, name); err != nil {
			return err
		}
		if len(s.Factors.Passkeys) >= maxPasskeys {
			return &book.Invalid{Field: "passkey", Found: name, Want: fmt.Sprintf("at most %d passkeys of a person", maxPasskeys)}
		}
		v := view(*s)
		first = !v.Second()
		body, err := json.Marshal(c)
		if err != nil {
			return err
		}
		s.Factors.Passkeys = append(s.Factors.Passkeys, store.Passkey{Name: name, Credential: body, Made: stamp()})
		if recovery = nil; len(s.Factors.Recovery) == 0 {
			recovery, s.Factors.Recovery, err = p.recovery(h.ID)
		}
		return err
	}, f.Row(time.Now(), fact.Subject{Account: h.Customer}))
	if err == nil && first {
		err = p.endOthers(ctx, actor, h.ID, keep)
	}
	return recovery, err
}

func keyName(name string) (string, error) {
	name = strings.TrimSpace(name)
	c := account.Contact{ID: "x", Name: name, Channel: account.Mail, Address: "a@example.com"}
	if name == "" || len(name) > maxKeyName || c.Validate() != nil {
		return "", &book.Invalid{Field: "passkey", Found: name[:min(len(name), maxKeyName)], Want: fmt.Sprintf("a name such as laptop: 1 to %d bytes of plain text", maxKeyName)}
	}
	return name, nil
}

func freeName(s *store.Person, name string) error {
	if slices.ContainsFunc(s.Factors.Passkeys, func(k store.Passkey) bool { return k.Name == name }) {
		return fmt.Errorf("passkey %s: %w", name, ErrExists)
	}
	return nil
}

// EnterByPasskey signs in the person who has the passkey that signed. It is two factors at once: the device, and the finger, face or PIN that
// the device asked for.
func (p *People) EnterByPasskey(ctx context.Context, answer []byte, from From) (Entered, error) {
	if over := p.take(ctx, bound{key("key", network(from.Addr)), shortly, perNet}); over != nil {
		return Entered{}, &Wait{over.span}
	}
	signed, err := p.signed(answer)
	if err != nil {
		return Entered{}, err
	}
	data, err := p.answered(ctx, ToEnter, signed.Response.CollectedClientData.Challenge, "")
	if err != nil {
		return Entered{}, err
	}
	x, err := p.o.Store.Pass(ctx, keyHash(signed.RawID))
	if errors.Is(err, ErrNotFound) || err == nil && x.Kind != store.PassKey {
		return Entered{}, ErrRefused
	}
	if err != nil {
		return Entered{}, err
	}
	s, name, err := p.verify(ctx, x.Person, data, signed, from)
	if err != nil {
		return Entered{}, err
	}
	return p.enter(ctx, s, entry{how: "a passkey", passkey: name}, from)
}

// SecondByPasskey is Second with a passkey.
func (p *People) SecondByPasskey(ctx context.Context, half string, answer []byte, from From) (Entered, error) {
	hash := hashOf(half)
	x, err := p.o.Store.Pass(ctx, hash)
	if errors.Is(err, ErrNotFound) || err == nil && (x.Kind != store.PassHalf || !alive(&x, time.Now())) {
		return Entered{}, ErrOver
	}
	if err != nil {
		return Entered{}, err
	}
	s, name, err := p.shown(ctx, ToGoOn, x.Person, hash, answer, from)
	if err != nil {
		return Entered{}, err
	}
	return p.enter(ctx, s, entry{how: x.Name + " and a passkey", passkey: name, kind: store.PassHalf, instead: hash}, from)
}

// ProveByPasskey is Prove with a passkey.
func (p *People) ProveByPasskey(ctx context.Context, session string, answer []byte, from From) error {
	h, err := p.holding(ctx, ToProve, session)
	if err != nil {
		return err
	}
	hash := hashOf(session)
	s, name, err := p.shown(ctx, ToProve, h.ID, hash, answer, from)
	if err != nil {
		return err
	}
	x, err := p.o.Store.Pass(ctx, hash)
	if err != nil {
		return err
	}
	return p.proved(ctx, &s, x, name, from)
}

// shown takes a passkey of a person whose first factor, or session, is known.
func (p *People) shown(ctx context.Context, to Purpose, id, bound string, answer []byte, from From) (s store.Person, name string, err error) {
	if err := p.admitCode(ctx, id); err != nil {
		return s, "", err
	}
	signed, err := p.signed(answer)
	if err != nil {
		return s, "", err
	}
	data, err := p.answered(ctx, to, signed.Response.CollectedClientData.Challenge, bound)
	if err != nil {
		return s, "", err
	}
	return p.verify(ctx, id, data, signed, from)
}

func (p *People) signed(answer []byte) (*protocol.ParsedCredentialAssertionData, error) {
	if p.party == nil {
		return nil, ErrNoPasskeys
	}
	signed, err := protocol.ParseCredentialRequestResponseBytes(answer[:min(len(answer), maxAnswer)])
	if err != nil {
		return nil, ErrRefused
	}
	return signed, nil
}

// errCopied says that the counter of a passkey went back: two devices have it.
var errCopied = fmt.Errorf("the counter of a passkey went back: %w", ErrRefused)

// verify checks what a passkey of a person signed, and moves its counter on in the same conditional write.
func (p *People) verify(ctx context.Context, id string, data *webauthn.SessionData, signed *protocol.ParsedCredentialAssertionData, from From) (s store.Person, name string, err error) {
	_, err = p.edit(ctx, "", id, func(at *store.Person) error {
		s = *at
		h, err := holderOf(at)
		if err != nil {
			return err
		}
		c, err := p.credential(h, data, signed)
		if err != nil {
			p.log.Info("a passkey was refused", "person", at.Login, "error", err)
			return ErrRefused
		}
		i := slices.IndexFunc(h.keys, func(k webauthn.Credential) bool { return bytes.Equal(k.ID, c.ID) })
		k := &at.Factors.Passkeys[i]
		name = k.Name
		if c.Authenticator.CloneWarning {
			return errCopied
		}
		k.Used = stamp()
		k.Credential, err = json.Marshal(c)
		return err
	})
	if errors.Is(err, ErrRefused) {
		how := "passkey"
		if errors.Is(err, errCopied) {
			how = "passkey with an old counter"
		}
		p.refusedKey(ctx, &s, how, name, from)
	}
	return s, name, err
}

func (p *People) credential(h *holder, data *webauthn.SessionData, signed *protocol.ParsedCredentialAssertionData) (c *webauthn.Credential, err error) {
	if len(data.UserID) > 0 {
		return p.party.ValidateLogin(h, *data, signed)
	}
	_, c, err = p.party.ValidatePasskeyLogin(func(_, _ []byte) (webauthn.User, error) { return h, nil }, *data, signed)
	return c, err
}

// refusedKey is refused with a passkey. What is refused is counted, so that nobody fills the journal; what is right is not, so that nobody
// keeps the owner out.
func (p *People) refusedKey(ctx context.Context, s *store.Person, how, name string, from From) {
	if over := p.take(ctx, bound{key("key-refused", s.ID, network(from.Addr)), daily, perDay}); over != nil {
		return
	}
	f := fact.PersonRefused{Person: actorOf(s.Customer, s.Login), How: how, Passkey: name, Source: fact.FromAddr(from.Addr), Agent: clip(from.Agent)}
	p.o.Record(f.Row(time.Now(), fact.Subject{Account: s.Customer}))
}

// RenamePasskey gives a passkey another name.
func (p *People) RenamePasskey(ctx context.Context, actor, id, which, name string) error {
	name, err := keyName(name)
	if err != nil {
		return err
	}
	_, err = p.edit(ctx, actor, id, func(s *store.Person) error {
		i := keyAt(s, which)
		if i < 0 {
			return ErrNotFound
		}
		if s.Factors.Passkeys[i].Name == name {
			return nil
		}
		if err := freeName(s, name); err != nil {
			return err
		}
		s.Factors.Passkeys[i].Name = name
		return nil
	})
	return err
}

// keyAt is where a passkey is, by its ID, or by its name where no other has it as ID.
func keyAt(s *store.Person, which string) int {
	all := s.Factors.Passkeys
	if i := slices.IndexFunc(all, func(k store.Passkey) bool { return keyID(k) == which }); i >= 0 {
		return i
	}
	return slices.IndexFunc(all, func(k store.Passkey) bool { return k.Name == which })
}

// RemovePasskey takes a passkey away. ErrLastFactor says that too little would be left.
func (p *People) RemovePasskey(ctx context.Context, actor, id, which string, left Left) error {
	s, err := p.o.Store.Person(ctx, id)
	if err != nil {
		return err
	}
	i := keyAt(&s, which)
	if i < 0 {
		return fmt.Errorf("passkey %s: %w", which[:min(len(which), maxKeyName)], ErrNotFound)
	}
	k := s.Factors.Passkeys[i]
	which = keyID(k)
	f := fact.PasskeyRemoved{By: actor, Person: actorOf(s.Customer, s.Login), Passkey: k.Name}
	_, err = p.edit(ctx, actor, id, func(s *store.Person) error {
		i := keyAt(s, which)
		if i < 0 {
			return ErrNotFound
		}
		s.Factors.Passkeys = slices.Delete(s.Factors.Passkeys, i, i+1)
		if !left.enough(s, p.o.Lax) {
			return ErrLastFactor
		}
		return nil
	}, f.Row(time.Now(), fact.Subject{Account: s.Customer}))
	if err != nil {
		return err
	}
	all, err := p.o.Store.Passes(ctx, id, store.PassKey)
	for _, x := range all {
		if x.Hash[:idLen] == which {
			_, err = p.o.Store.DropPasses(ctx, id, store.PassKey, x.Hash, "")
		}
	}
	return err
}
