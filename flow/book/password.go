package book

import (
	"context"
	"time"

	"ringfence/core/account"
	"ringfence/core/secret"
	"ringfence/state/store"
)

// password seals what was given, if it is strong enough, or a generated one, which comes back in clear for its owner.
func (b *Book) password(a account.Line, given string) (sealed []byte, generated string, err error) {
	p := secret.NewPassword(given)
	if given == "" {
		if p, err = secret.Generate(); err != nil {
			return nil, "", err
		}
		generated = p.Reveal()
	} else if err := b.checkPassword(a, p); err != nil {
		return nil, "", err
	}
	sealed, err = b.box.Load().Seal(secret.LineOwner(a.ID), p)
	return sealed, generated, err
}

// checkPassword judges what was given with all that an attacker knows of the line. The error is a *Weak.
func (b *Book) checkPassword(a account.Line, p secret.Password) error {
	c := secret.Context{LineID: a.ID, Number: a.Number}
	if owner, ok := b.customer(a.Customer); ok {
		c.CustomerName = owner.entry.Load().Name
	}
	return secret.Check(p, c)
}

// SetPassword gives a line a new password; "" generates one, which comes back, this once. Its phones are to be dropped.
func (b *Book) SetPassword(ctx context.Context, by, id, given string) (generated string, err error) {
	_, err = b.changeLine(ctx, id, func(a account.Line, now time.Time) (account.Line, []store.Fact, Change, error) {
		sealed, clear, err := b.password(a, given)
		a.Sealed, generated = sealed, clear
		f := fact(now, by, "password.changed", id, a.Customer, nil, parts{"generated": raw(clear != "")})
		return a, []store.Fact{f}, Change{Kind: PasswordChanged}, err
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
	h := secret.NewHA1(l.id, b.realm, p)
	l.ha1.Store(&h)
	return &h, true
}

// Rekey puts a box in force and seals every secret again with its newest key, in one transaction. The box must open what
// the present one opens, and its keys must be kept somewhere durable before. On an error the older keys are still needed.
func (b *Book) Rekey(ctx context.Context, by string, to *secret.Box) (n int, err error) {
	if err := b.begin(ctx); err != nil {
		return 0, err
	}
	defer b.mu.Unlock()
	b.box.Store(to)
	f := fact(time.Now(), by, "key.rotated", "", "", nil, parts{"key": raw(to.Newest().String())})
	if n, err = b.db.Rekey(ctx, to.Reseal, f); b.wrote(err) != nil {
		return 0, err
	}
	// What is held in memory is written back with later changes, so it must not stay under the old key.
	b.doubt = true
	return n, b.reload(ctx)
}

// CheckSecrets opens every sealed password and counts those that do not open: a wrong or lost key, or a changed row.
func (b *Book) CheckSecrets() (opened, failed int) {
	box := b.box.Load()
	b.lines.each(func(l *Line) {
		if l.sealed == "" {
			return
		}
		if _, err := box.Open(secret.LineOwner(l.id), []byte(l.sealed)); err != nil {
			failed++
			return
		}
		opened++
	})
	for _, t := range b.AllTrunks() {
		if len(t.Sealed) == 0 {
			continue
		}
		if _, err := box.Open(secret.TrunkOwner(t.Name), t.Sealed); err != nil {
			failed++
			continue
		}
		opened++
	}
	return opened, failed
}
