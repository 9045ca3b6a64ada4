package store

import (
	"context"
	"time"

	"ringfence/core/account"
)

// Waiting is a change of a customer's own people that loosens, until its time comes.
type Waiting struct {
	Code     string // short and random
	Customer string // identity
	Line     string // identity; "" is of the customer
	By       string
	Text     string // what it loosens, in words
	Body     []byte // the change, in the encoding of its stage
	Made     time.Time
	Due      time.Time
	Hurried  string // the member of staff who wants it early: a second one is needed
}

// Waitings keeps them. Engines: sqlite and postgres, as part of Store.
type Waitings interface {
	Waitings(ctx context.Context, customer string) ([]Waiting, error) // by Due; "" is of all
	PutWaiting(ctx context.Context, w Waiting, facts ...Fact) error   // a new one
	// HurryWaiting records the first who wants it early; ErrInUse when somebody did.
	HurryWaiting(ctx context.Context, code, by string, facts ...Fact) error
	// DropWaiting takes one away that is not to be made; ErrNotFound: it was made, or taken away.
	DropWaiting(ctx context.Context, code string, facts ...Fact) error
	// MakeWaiting takes one away and writes the line or the customer that it changed, in one transaction, so that it is made once. Which of them
	// is nil is not written. ErrNotFound: another node made it, or somebody took it away; nothing was written.
	MakeWaiting(ctx context.Context, code string, l *account.Line, c *account.Customer, facts ...Fact) error
}
