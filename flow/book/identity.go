package book

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/state/store"
)

// Identify makes the identity of what is added under a handle: one that was never used.
func Identify(handle string) string {
	var random [account.SuffixLen]byte
	rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	return account.Identity(handle, random)
}

// Removed is a line or customer that is gone; its records are kept under its identity.
type Removed struct {
	ID       string
	Customer string // of a line: who had it, by identity
	Until    time.Time
	Body     []byte // what the journal kept of it: who removed it, and what it was
}

// Gone says that nothing is called so now, and what was.
type Gone struct {
	What, Handle string
	Removed      []Removed // the latest
}

// Error is one sentence, with the identities that can be asked for.
func (g *Gone) Error() string {
	text := fmt.Sprintf("there is no %s %q", g.What, clip(g.Handle))
	if len(g.Removed) == 0 {
		return text
	}
	var was []string
	for _, r := range g.Removed {
		was = append(was, fmt.Sprintf("%s until %s", account.FullIdentity(r.ID), r.Until.UTC().Format("2006-01-02 15:04 UTC")))
	}
	return text + " now; removed ones: " + strings.Join(was, ", ")
}

// Unwrap makes errors.Is(err, ErrNotFound) true.
func (g *Gone) Unwrap() error { return store.ErrNotFound }

// maxGone is how many removed ones a message names.
const maxGone = 5

// LineCalled finds a line by its handle, or by its identity as people write it.
func (b *Book) LineCalled(text string) (*Line, bool) {
	if id, ok := account.ReadIdentity(text); ok {
		return b.Line(id)
	}
	return b.Find([]byte(text))
}

// CustomerCalled finds a customer by its handle, or by its identity as people write it.
func (b *Book) CustomerCalled(text string) (CustomerView, bool) {
	c, ok := b.customerCalled(text)
	if !ok {
		return CustomerView{}, false
	}
	return c.view(time.Now()), true
}

func (b *Book) customerCalled(text string) (*customer, bool) {
	if id, ok := account.ReadIdentity(text); ok {
		return b.customer(id)
	}
	return b.handles.Load(text)
}

// LineID is the identity of the line that people mean: the one that is called so now, or one that was removed, by its
// identity. The error of a handle that no line has now is a *Gone.
func (b *Book) LineID(ctx context.Context, text string) (string, error) {
	if l, ok := b.LineCalled(text); ok {
		return l.id, nil
	}
	return b.removedID(ctx, "line", text)
}

// CustomerID is LineID of customers.
func (b *Book) CustomerID(ctx context.Context, text string) (string, error) {
	if c, ok := b.customerCalled(text); ok {
		return c.id, nil
	}
	return b.removedID(ctx, "customer", text)
}

func (b *Book) removedID(ctx context.Context, kind, text string) (string, error) {
	id, full := account.ReadIdentity(text)
	all, err := b.removed(ctx, kind, account.Handle(text), MaxRemoved)
	if err != nil {
		return "", err
	}
	if full && slices.ContainsFunc(all, func(r Removed) bool { return r.ID == id }) {
		return id, nil
	}
	return "", &Gone{What: kind, Handle: text, Removed: all[:min(len(all), maxGone)]}
}

// MaxRemoved is how many of what was removed a question is answered with: the latest.
const MaxRemoved = 1000

// RemovedLines lists lines that are gone, the latest first: those of a handle, or ("") all.
func (b *Book) RemovedLines(ctx context.Context, handle string) ([]Removed, error) {
	return b.removed(ctx, "line", handle, MaxRemoved)
}

// RemovedCustomers is RemovedLines of customers.
func (b *Book) RemovedCustomers(ctx context.Context, handle string) ([]Removed, error) {
	return b.removed(ctx, "customer", handle, MaxRemoved)
}

func (b *Book) removed(ctx context.Context, kind, handle string, limit int) ([]Removed, error) {
	facts, err := b.db.Removals(ctx, kind, handle, limit)
	if err != nil {
		return nil, err
	}
	var out []Removed
	for _, f := range facts {
		r := Removed{f.Line, f.Account, f.At, f.Body}
		if kind == "customer" {
			r.ID, r.Customer = f.Account, ""
		}
		out = append(out, r)
	}
	return out, nil
}
