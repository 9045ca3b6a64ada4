package people

import (
	"context"
	"errors"
	"strings"
	"time"

	"ringfence/core/fact"
	"ringfence/core/person"
	"ringfence/state/store"
)

// ErrRefused is the answer to everything that does not let in: a wrong password, a name that there is not, a link that was used. It
// does not say which.
var ErrRefused = errors.New("that does not sign you in: check the name and the password or code, or ask for a new link")

// ErrOver says that the first step was too long ago, or there were too many wrong codes.
var ErrOver = errors.New("this sign-in is over: begin again")

// Entered is somebody who was let in, or (Half) who is to show a second factor first.
type Entered struct {
	Text   string // the session's, or with Half what Second wants; shown to nobody else
	Half   bool
	TOTP   bool // with Half: codes of an app are taken
	Key    bool // with Half: a passkey is taken
	Until  time.Time
	Person Person
}

// Password is the first step with a name and a password. It takes as long, and answers the same, whether or not anybody has the name.
func (p *People) Password(ctx context.Context, name, password string, from From) (Entered, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	if len(name) > 254 || len(password) > maxPassword {
		return Entered{}, ErrRefused
	}
	if err := p.admit(ctx, name, from); err != nil {
		return Entered{}, err
	}
	s, there := p.called(ctx, name)
	stored := s.Password
	if !there || stored == "" {
		stored, there = decoy, false
	}
	right, err := p.matches(ctx, stored, password)
	if err != nil {
		return Entered{}, err
	}
	if !right || !there {
		if s.ID != "" {
			p.refused(&s, "password", from)
		}
		return Entered{}, ErrRefused
	}
	return p.first(ctx, s, "password", "", from)
}

// called finds whom a name means: a login, or the mail address of one person alone.
func (p *People) called(ctx context.Context, name string) (store.Person, bool) {
	all, err := p.o.Store.PeopleCalled(ctx, name)
	if err != nil || len(all) == 0 {
		return store.Person{}, false
	}
	for _, s := range all {
		if s.Login == name {
			return s, true
		}
	}
	return all[0], len(all) == 1
}

// Follow uses a link. Of many at once one gets in.
func (p *People) Follow(ctx context.Context, token string, from From) (Entered, error) {
	if over := p.take(ctx, bound{key("net", network(from.Addr)), shortly, perNet}); over != nil {
		return Entered{}, &Wait{over.span}
	}
	hash := hashOf(token)
	x, err := p.o.Store.Pass(ctx, hash)
	if errors.Is(err, ErrNotFound) || err == nil && x.Kind != store.PassLink {
		return Entered{}, ErrRefused
	}
	if err != nil {
		return Entered{}, err
	}
	s, err := p.o.Store.Person(ctx, x.Person)
	if err != nil {
		return Entered{}, ErrRefused
	}
	return p.first(ctx, s, "link", hash, from)
}

// first goes on after a right first factor: to a session, or to the second factor. A link is used in the same write.
func (p *People) first(ctx context.Context, s store.Person, how, link string, from From) (Entered, error) {
	v := view(s)
	if !v.Second() {
		return p.enter(ctx, s, entry{how: how, kind: store.PassLink, instead: link}, from)
	}
	text, hash := secretText("")
	now := stamp()
	x := store.Pass{Hash: hash, Kind: store.PassHalf, Person: s.ID, Name: how, Made: now, Expires: now.Add(halfLife), Seen: now, From: from.Addr.String(), Agent: clip(from.Agent)}
	out := Entered{Text: text, Half: true, TOTP: v.TOTP, Key: len(v.Passkeys) > 0, Until: x.Expires, Person: v}
	if link == "" {
		return out, p.o.Store.PutPass(ctx, x)
	}
	return out, usedUp(p.o.Store.UsePass(ctx, link, store.PassLink, now, x), ErrRefused)
}

// Second shows the second factor of a sign-in that was half done: a code of the app, or a recovery code.
func (p *People) Second(ctx context.Context, half, code string, from From) (Entered, error) {
	hash := hashOf(half)
	x, err := p.o.Store.Pass(ctx, hash)
	if errors.Is(err, ErrNotFound) || err == nil && (x.Kind != store.PassHalf || !x.Expires.After(time.Now())) {
		return Entered{}, ErrOver
	}
	if err != nil {
		return Entered{}, err
	}
	if err := p.admitCode(ctx, x.Person); err != nil {
		return Entered{}, err
	}
	s, how, err := p.code(ctx, x.Person, code)
	if err != nil {
		if errors.Is(err, ErrRefused) {
			p.refused(&s, "code", from)
		}
		return Entered{}, err
	}
	return p.enter(ctx, s, entry{how: x.Name + " and " + how, kind: store.PassHalf, instead: hash}, from)
}

// entry is how somebody got in, and by what pass, which is used up; instead is its hash, "" is none.
type entry struct {
	how, passkey  string
	kind, instead string
}

// enter begins a session, with a text of its own whatever the browser sent before, in place of what led to it.
func (p *People) enter(ctx context.Context, s store.Person, e entry, from From) (Entered, error) {
	if _, there := p.o.Book.Customer(s.Customer); s.Customer != "" && !there {
		return Entered{}, ErrRefused
	}
	p.makeRoom(ctx, s.ID)
	text, hash := secretText("")
	now := stamp()
	x := store.Pass{
		Hash: hash, Kind: store.PassSession, Person: s.ID, Name: e.how, Made: now, Expires: now.Add(life), Seen: now, From: from.Addr.String(),
		Agent: clip(from.Agent), Proved: now,
	}
	if person.Role(s.Role).Staff() {
		x.Expires = now.Add(lifeStaff)
	}
	f := fact.PersonEntered{Person: actorOf(s.Customer, s.Login), How: e.how, Passkey: e.passkey, Source: fact.FromAddr(from.Addr), Agent: clip(from.Agent)}
	row := f.Row(now, fact.Subject{Account: s.Customer})
	out := Entered{Text: text, Until: x.Expires, Person: view(s)}
	if e.instead == "" {
		return out, p.o.Store.PutPass(ctx, x, row)
	}
	lost := ErrRefused
	if e.kind == store.PassHalf {
		lost = ErrOver
	}
	return out, usedUp(p.o.Store.UsePass(ctx, e.instead, e.kind, now, x, row), lost)
}

func usedUp(err, instead error) error {
	if errors.Is(err, store.ErrInUse) {
		return instead
	}
	return err
}

// makeRoom ends the sessions that a person has too many of.
func (p *People) makeRoom(ctx context.Context, id string) {
	all, err := p.o.Store.Passes(ctx, id, store.PassSession)
	for i := maxSession - 1; err == nil && i < len(all); i++ {
		_, err = p.o.Store.DropPasses(ctx, id, store.PassSession, all[i].Hash, "")
	}
	if err != nil {
		p.log.Warn("old sessions were not ended", "error", err)
	}
}

// refused is in the journal for a person that there is. Attempts are bounded before, so that nobody fills it.
func (p *People) refused(s *store.Person, how string, from From) {
	if s.ID == "" {
		return
	}
	f := fact.PersonRefused{Person: actorOf(s.Customer, s.Login), How: how, Source: fact.FromAddr(from.Addr), Agent: clip(from.Agent)}
	p.o.Record(f.Row(time.Now(), fact.Subject{Account: s.Customer}))
}

// Prove shows a factor again within a session, which some changes ask for: a code where there is one, else the password.
func (p *People) Prove(ctx context.Context, text, code string, from From) error {
	x, err := p.o.Store.Pass(ctx, hashOf(text))
	if errors.Is(err, ErrNotFound) || err == nil && (x.Kind != store.PassSession || !alive(&x, time.Now())) {
		return ErrOver
	}
	if err != nil {
		return err
	}
	if err := p.admitAgain(ctx, x.Hash); err != nil {
		return err
	}
	s, err := p.o.Store.Person(ctx, x.Person)
	if err != nil {
		return err
	}
	v := view(s)
	if v.Second() {
		_, _, err = p.code(ctx, s.ID, code)
	} else if right, fault := p.matches(ctx, orDecoy(s.Password), code); fault != nil || !right || s.Password == "" {
		err = errors.Join(fault, ErrRefused)
	}
	if err != nil {
		p.refused(&s, "again", from)
		return err
	}
	return p.proved(ctx, &s, x, "", from)
}

// proved records that a factor was shown again.
func (p *People) proved(ctx context.Context, s *store.Person, x store.Pass, passkey string, from From) error {
	x.Seen, x.Proved, x.From, x.Agent = stamp(), stamp(), from.Addr.String(), clip(from.Agent)
	f := fact.PersonEntered{Person: actorOf(s.Customer, s.Login), How: "again", Passkey: passkey, Source: fact.FromAddr(from.Addr), Agent: clip(from.Agent)}
	return p.o.Store.SeePass(ctx, x, f.Row(time.Now(), fact.Subject{Account: s.Customer}))
}

// IsFresh says that somebody showed a factor lately enough for what asks for it again. An operator at the machine, and a token, has none
// to show: the token's scopes were its owner's choice.
func IsFresh(w *person.Who, now time.Time) bool {
	return w.Person == "" || w.Scopes != nil || now.Sub(w.Proved) < Fresh
}
