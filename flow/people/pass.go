package people

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"ringfence/core/fact"
	"ringfence/core/person"
	"ringfence/state/store"
)

// How long what lets somebody in is good.
const (
	LinkLife   = 24 * time.Hour // of a link that is printed
	MailedLife = time.Hour      // of one that is mailed
	halfLife   = 5 * time.Minute
	idleStaff  = time.Hour
	idle       = 3 * 24 * time.Hour
	lifeStaff  = 12 * time.Hour
	life       = 30 * 24 * time.Hour
	Fresh      = 10 * time.Minute // how long a second factor that was shown counts for what asks for it again
	MaxToken   = 366 * 24 * time.Hour
	seenEvery  = time.Minute
	maxSession = 30 // of a person; the one that was idle longest goes
	maxTokens  = 30
	sweepEvery = time.Hour
)

// TokenMark begins the tokens of people, which tells them from those of the configuration.
const TokenMark = "rft_"

// secretText is 256 random bits as text, and the hash under which they are kept. That many need no salt and no slow hash.
func secretText(mark string) (text, hash string) {
	var b [32]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	text = mark + base64.RawURLEncoding.EncodeToString(b[:])
	return text, hashOf(text)
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Link lets a person in once.
type Link struct {
	Token string // shown once
	Until time.Time
}

// Link makes a link that signs a person in; one made before ends. Where there is a second factor, it is still asked for.
func (p *People) Link(ctx context.Context, actor, id string, lasts time.Duration) (Link, error) {
	s, err := p.o.Store.Person(ctx, id)
	if err != nil {
		return Link{}, err
	}
	if _, err := p.o.Store.DropPasses(ctx, id, store.PassLink, "", ""); err != nil {
		return Link{}, err
	}
	text, hash := secretText("")
	now := stamp()
	l := Link{text, now.Add(min(lasts, LinkLife))}
	f := fact.PersonLink{By: actor, Person: actorOf(s.Customer, s.Login), Until: l.Until}
	err = p.o.Store.PutPass(ctx, store.Pass{Hash: hash, Kind: store.PassLink, Person: id, Made: now, Expires: l.Until}, f.Row(now, fact.Subject{Account: s.Customer}))
	return l, err
}

// LinkFor says whom a link would sign in, without using it. The page that asks "sign in as Ana?" needs it: a link is used by a press
// of a button, not by a mail program that looks at it.
func (p *People) LinkFor(ctx context.Context, token string) (Person, bool) {
	x, err := p.o.Store.Pass(ctx, hashOf(token))
	if err != nil || x.Kind != store.PassLink || !x.Expires.After(time.Now()) {
		return Person{}, false
	}
	s, err := p.o.Store.Person(ctx, x.Person)
	return view(s), err == nil
}

// Session is a browser that is signed in, or a token of a program.
type Session struct {
	ID           string // to name it by; lets nobody in
	Name         string // of a token
	Scopes       []person.Scope
	Made, Seen   time.Time
	Until        time.Time
	From, Agent  string
	Current      bool
	person, hash string
}

const idLen = 16

func session(x store.Pass) Session {
	s := Session{ID: x.Hash[:idLen], Name: x.Name, Made: x.Made, Seen: x.Seen, Until: x.Expires, From: x.From, Agent: x.Agent, person: x.Person, hash: x.Hash}
	for _, scope := range strings.Fields(x.Scopes) {
		s.Scopes = append(s.Scopes, person.Scope(scope))
	}
	return s
}

// Sessions are those of a person that last, the latest used first; current is the text of one's own.
func (p *People) Sessions(ctx context.Context, id, current string) ([]Session, error) {
	all, err := p.o.Store.Passes(ctx, id, store.PassSession)
	var out []Session
	now := time.Now()
	for _, x := range all {
		if s := session(x); alive(&x, now) {
			s.Current = current != "" && x.Hash == hashOf(current)
			out = append(out, s)
		}
	}
	return out, err
}

// alive says that a session, or whatever else expires, is still good. How long a session may be idle is in its Data-free form: by its
// absolute end, which is that of staff or of customers.
func alive(x *store.Pass, now time.Time) bool {
	if !x.Expires.After(now) {
		return false
	}
	if x.Kind != store.PassSession {
		return true
	}
	most := idle
	if x.Expires.Sub(x.Made) <= lifeStaff {
		most = idleStaff
	}
	return now.Sub(x.Seen) < most
}

// SignOut ends a session of a person by ID, or ("") all but keep, whose text it is. It says how many ended.
func (p *People) SignOut(ctx context.Context, actor, id, which, keep string) (int64, error) {
	s, err := p.o.Store.Person(ctx, id)
	if err != nil {
		return 0, err
	}
	hash, kept := "", ""
	if keep != "" {
		kept = hashOf(keep)
	}
	if which != "" {
		if hash, err = p.find(ctx, id, store.PassSession, which); err != nil {
			return 0, err
		}
		kept = ""
	} else if _, err := p.o.Store.DropPasses(ctx, id, store.PassHalf, "", ""); err != nil {
		return 0, err
	}
	all, err := p.o.Store.Passes(ctx, id, store.PassSession)
	if err != nil {
		return 0, err
	}
	count := int64(0)
	for _, x := range all {
		if x.Hash != kept && (hash == "" || x.Hash == hash) {
			count++
		}
	}
	f := fact.PersonLeft{By: actor, Person: actorOf(s.Customer, s.Login), Count: count}
	return p.o.Store.DropPasses(ctx, id, store.PassSession, hash, kept, f.Row(time.Now(), fact.Subject{Account: s.Customer}))
}

// find is the hash of a pass of a person by the ID that lists have.
func (p *People) find(ctx context.Context, person, kind, id string) (string, error) {
	all, err := p.o.Store.Passes(ctx, person, kind)
	if err != nil {
		return "", err
	}
	for _, x := range all {
		if x.Hash[:idLen] == id || kind == store.PassToken && x.Name == id {
			return x.Hash, nil
		}
	}
	return "", ErrNotFound
}

// Session lets a browser in that is signed in.
func (p *People) Session(ctx context.Context, text string, from From) (person.Who, Person, error) {
	return p.let(ctx, text, store.PassSession, from)
}

// Token lets a program in.
func (p *People) Token(ctx context.Context, text string, from From) (person.Who, error) {
	who, _, err := p.let(ctx, text, store.PassToken, from)
	return who, err
}

func (p *People) let(ctx context.Context, text, kind string, from From) (person.Who, Person, error) {
	x, err := p.o.Store.Pass(ctx, hashOf(text))
	now := time.Now()
	switch {
	case errors.Is(err, ErrNotFound) || err == nil && (x.Kind != kind || !alive(&x, now)):
		return person.Who{}, Person{}, ErrRefused
	case err != nil:
		return person.Who{}, Person{}, err
	}
	s, err := p.o.Store.Person(ctx, x.Person)
	if errors.Is(err, ErrNotFound) {
		return person.Who{}, Person{}, ErrRefused
	}
	if err != nil {
		return person.Who{}, Person{}, err
	}
	if _, there := p.o.Book.Customer(s.Customer); s.Customer != "" && !there {
		return person.Who{}, Person{}, ErrRefused
	}
	if now.Sub(x.Seen) >= seenEvery || x.From != from.Addr.String() {
		x.Seen, x.From, x.Agent = now, from.Addr.String(), clip(from.Agent)
		if err := p.o.Store.SeePass(ctx, x); err != nil && !errors.Is(err, ErrNotFound) {
			p.log.Warn("the use of a session or token was not recorded", "error", err)
		}
	}
	v := view(s)
	who := person.Who{Person: s.ID, Customer: s.Customer, Role: v.Role, Actor: v.Actor(), Proved: x.Proved, Enrol: v.Role.Staff() && !v.Second() && !p.o.Lax}
	if kind == store.PassToken {
		who.Actor = person.Acting(who.Actor, x.Name)
		who.Scopes = session(x).Scopes
		if who.Scopes == nil {
			who.Scopes = []person.Scope{}
		}
	}
	return who, v, nil
}

// Leave ends a session by its text.
func (p *People) Leave(ctx context.Context, text string) error {
	x, err := p.o.Store.Pass(ctx, hashOf(text))
	if errors.Is(err, ErrNotFound) || err == nil && x.Kind != store.PassSession {
		return nil
	}
	if err != nil {
		return err
	}
	s, err := p.o.Store.Person(ctx, x.Person)
	if err != nil {
		return err
	}
	_, err = p.SignOut(ctx, actorOf(s.Customer, s.Login), s.ID, x.Hash[:idLen], "")
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Run takes away what has expired, until ctx ends.
func (p *People) Run(ctx context.Context) {
	for tick := time.NewTicker(sweepEvery); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
			if _, err := p.o.Store.ClearPasses(ctx, time.Now().Add(-sweepEvery)); err != nil && ctx.Err() == nil {
				p.log.Warn("what has expired was not cleared away", "error", err)
			}
		}
	}
}

func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), 200)], "?") }
