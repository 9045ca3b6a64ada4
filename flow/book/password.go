package book

import (
	"bytes"
	"context"
	"crypto/subtle"
	"slices"
	"sync/atomic"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/secret"
	"ringfence/state/store"
)

// password gives a line a password: what was given, if it is strong enough, or a generated one, which comes back in clear
// for its owner.
func (b *Book) password(a *account.Line, given string) (generated string, err error) {
	p, strength := secret.NewPassword(given), account.BeyondGuessing
	if given == "" {
		if p, err = secret.Generate(); err != nil {
			return "", err
		}
		generated = p.Reveal()
	} else {
		beyond, err := secret.Judge(p, b.knownOf(a))
		if err != nil { // a *secret.Weak
			return "", err
		}
		if !beyond {
			strength = account.Guessable
		}
	}
	sealed, err := b.box.Load().Seal(secret.LineOwner(a.ID), p)
	if err != nil {
		return "", err
	}
	a.Sealed, a.Strength = sealed, strength
	return generated, nil
}

// hashedPassword gives a line a password of which only hashes are known. It may be one that can be guessed, which cannot be checked.
func (b *Book) hashedPassword(a *account.Line, h *secret.HA1) error {
	p, err := secret.Hashed(*h)
	if err != nil {
		return err
	}
	if a.Sealed, err = b.box.Load().Seal(secret.LineOwner(a.ID), p); err != nil {
		return err
	}
	a.Strength = account.Guessable
	return nil
}

// knownOf is all that an attacker knows of a line.
func (b *Book) knownOf(a *account.Line) secret.Context {
	c := secret.Context{LineID: account.Handle(a.ID), Number: a.Number}
	if owner, ok := b.customer(a.Customer); ok {
		c.CustomerName = owner.entry.Load().Name
	}
	return c
}

// JudgePasswords judges the passwords that were set before their strength was noted, until all are or ctx ends. One of the
// form of generated ones counts as generated. What it finds is stored with the line's next change: a write of its own could
// undo what another node has just changed.
func (b *Book) JudgePasswords(ctx context.Context) {
	for _, l := range b.lines.All() {
		if ctx.Err() != nil {
			return
		}
		if l.sealed == "" || l.strength.Load() != uint32(account.Unjudged) {
			continue
		}
		p, err := b.box.Load().Open(secret.LineOwner(l.id), []byte(l.sealed))
		if err != nil {
			continue // CheckSecrets reports it; a password that does not open admits no login
		}
		strength, a := account.Guessable, l.account()
		if secret.LikeGenerated(p) || secret.BeyondGuessing(p, b.knownOf(&a)) {
			strength = account.BeyondGuessing
		}
		b.noteStrength(l, strength)
	}
}

// noteStrength keeps what was found with the entry that is in force, if the password is still the one that was judged.
func (b *Book) noteStrength(l *Line, strength account.Strength) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now, ok := b.Line(l.id); ok && now.sealed == l.sealed {
		now.strength.CompareAndSwap(uint32(account.Unjudged), uint32(strength))
	}
}

// SetPassword gives a line a new password; "" generates one, which comes back, this once. The one before is kept, sealed, so
// that a phone that was forgotten can be told from a guesser (FormerHA1). Its phones are to be dropped.
func (b *Book) SetPassword(ctx context.Context, actor, id, given string) (generated string, err error) {
	_, err = b.changeLine(ctx, id, Waited{}, func(a account.Line, now time.Time) (account.Line, []store.Fact, Change, error) {
		before := a.Sealed
		clear, err := b.password(&a, given)
		if err != nil {
			return a, nil, Change{}, err
		}
		if len(before) > 0 {
			a.Former = append([]account.Former{{Sealed: before, Until: now.UTC().Truncate(time.Microsecond)}}, a.Former...)
		}
		generated = clear
		a.Former = b.otherThan(a)
		f := factOf[fact.PasswordChanged](now, actor, id, a.Customer, nil, parts{"generated": raw(clear != "")})
		return a, []store.Fact{f}, Change{Kind: PasswordChanged}, nil
	})
	if err != nil {
		return "", err
	}
	return generated, nil
}

// HA1 is what digest authentication needs of a line's password, for the book's realm. Worked out once and kept; false: the
// line has no password, or it does not open.
func (b *Book) HA1(l *Line) (*secret.HA1, bool) {
	if h := l.ha1.Load(); h != nil {
		return h, true
	}
	if l.sealed == "" {
		return nil, false
	}
	p, err := b.box.Load().Open(secret.LineOwner(l.id), []byte(l.sealed))
	if err != nil {
		return nil, false
	}
	h := secret.NewHA1(l.Handle(), b.realm, p)
	l.ha1.Store(&h)
	return &h, true
}

// Former is a password that a line had, as digest authentication knows it.
type Former = secret.Former

// former is what a line keeps of passwords it had.
type former struct {
	all []account.Former
	ha1 atomic.Pointer[[]Former]
}

// FormerHA1 is HA1 of the passwords that a line had, newest first, at most account.MaxFormer; read only. Worked out once and
// kept; one that does not open is left out.
func (b *Book) FormerHA1(l *Line) []Former {
	if l.former == nil {
		return nil
	}
	if got := l.former.ha1.Load(); got != nil {
		return *got
	}
	out := make([]Former, 0, len(l.former.all))
	for _, f := range l.former.all {
		if p, err := b.box.Load().Open(secret.LineOwner(l.id), f.Sealed); err == nil {
			h := secret.NewHA1(l.Handle(), b.realm, p)
			out = append(out, Former{HA1: &h, Until: f.Until})
		}
	}
	l.former.ha1.Store(&out)
	return out
}

// HA1As is HA1 and FormerHA1 for a phone that logs in as user, the line's name with a domain: its digest is over the name that it
// sends. Anyone can send any domain, so nothing of it is kept, and it takes as long for a line with no password, or for none.
func (b *Book) HA1As(line, user string) (ha1 *secret.HA1, was []Former) {
	var all [1 + account.MaxFormer]account.Former
	if l, ok := b.Line(line); ok {
		all[0].Sealed = []byte(l.sealed)
		if l.former != nil {
			copy(all[1:], l.former.all)
		}
	}
	for i, f := range all {
		owner, real := line, len(f.Sealed) > 0
		if !real {
			owner, f.Sealed = "", b.decoy
		}
		p, err := b.box.Load().Open(secret.LineOwner(owner), f.Sealed)
		h := secret.NewHA1(user, b.realm, p)
		switch {
		case !real || err != nil:
		case i == 0:
			ha1 = &h
		default:
			was = append(was, Former{HA1: &h, Until: f.Until})
		}
	}
	return ha1, was
}

// inherit takes over what was worked out of a line's passwords before it changed, as far as they are the same.
func (l *Line) inherit(was *Line) {
	if l.sealed == was.sealed {
		l.ha1.Store(was.ha1.Load())
		l.strength.CompareAndSwap(uint32(account.Unjudged), was.strength.Load())
	}
	same := func(a, b account.Former) bool { return bytes.Equal(a.Sealed, b.Sealed) && a.Until.Equal(b.Until) }
	if l.former != nil && was.former != nil && slices.EqualFunc(l.former.all, was.former.all, same) {
		l.former.ha1.Store(was.former.ha1.Load())
	}
}

// otherThan is a line's former passwords without any that has become its present one again: a phone that uses that is up to date.
func (b *Book) otherThan(a account.Line) []account.Former {
	box, owner := b.box.Load(), secret.LineOwner(a.ID)
	now, err := box.Open(owner, a.Sealed)
	if err != nil {
		return a.Former
	}
	return slices.DeleteFunc(slices.Clone(a.Former), func(f account.Former) bool {
		p, err := box.Open(owner, f.Sealed)
		return err == nil && subtle.ConstantTimeCompare([]byte(p.Reveal()), []byte(now.Reveal())) == 1
	})
}

// Rekey puts a box in force and seals every secret again with its newest key, in one transaction. The box must open what
// the present one opens, and its keys must be kept somewhere durable before. On an error the older keys are still needed.
func (b *Book) Rekey(ctx context.Context, actor string, box *secret.Box) (n int, err error) {
	if err := b.begin(ctx); err != nil {
		return 0, err
	}
	defer b.mu.Unlock()
	b.box.Store(box)
	f := factOf[fact.KeyRotated](time.Now(), actor, "", "", nil, parts{"key": raw(box.Newest().String())})
	if n, err = b.db.Rekey(ctx, box.Reseal, f); b.wrote(err) != nil {
		return 0, err
	}
	// What is held in memory is written back with later changes, so it must not stay under the old key.
	b.doubt = true
	return n, b.reload(ctx)
}

// CheckSecrets opens every sealed password, former ones too, and counts those that do not open: a wrong or lost key, or a changed row.
func (b *Book) CheckSecrets() (opened, failed int) {
	box := b.box.Load()
	try := func(owner string, sealed []byte) {
		if len(sealed) == 0 {
			return
		}
		if _, err := box.Open(owner, sealed); err != nil {
			failed++
			return
		}
		opened++
	}
	for _, l := range b.lines.All() {
		try(secret.LineOwner(l.id), []byte(l.sealed))
		if l.former == nil {
			continue
		}
		for _, f := range l.former.all {
			try(secret.LineOwner(l.id), f.Sealed)
		}
	}
	for _, t := range b.AllTrunks() {
		try(secret.TrunkOwner(t.Name), t.Sealed)
	}
	return opened, failed
}
