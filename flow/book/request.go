package book

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/state/store"
)

// States of a request.
const (
	Asked   = "open"
	Granted = "granted"
	Refused = "refused"
)

// maxOpenRequests bounds what one line can ask for at a time.
const maxOpenRequests = 20

// Ask records a request to loosen a setting of a line to n, until an instant or for good (zero).
func (b *Book) Ask(ctx context.Context, actor, line string, f account.Field, n int64, until time.Time, reason string) (account.Request, error) {
	if err := b.begin(ctx); err != nil {
		return account.Request{}, err
	}
	defer b.mu.Unlock()
	l, ok := b.Line(line)
	if !ok {
		return account.Request{}, store.ErrNotFound
	}
	now := stamp()
	r := account.Request{
		Line: line, Field: f, N: n, Why: reason, State: Asked, Made: now, Until: until.UTC().Truncate(time.Microsecond),
	}
	if err := b.checkAsk(ctx, l, &r, now); err != nil {
		return r, err
	}
	id, err := b.db.PutRequest(ctx, r, factOf[fact.RequestMade](now, actor, line, l.cust.id, nil, requestFacts(r)))
	r.ID = id
	return r, err
}

func (b *Book) checkAsk(ctx context.Context, l *Line, r *account.Request, now time.Time) error {
	if err := checkText("why", r.Why); err != nil {
		return err
	}
	if r.Field >= account.NumFields {
		return &Invalid{"field", r.Field.String(), "a setting"}
	}
	if r.Field.Free() {
		return &Invalid{r.Field.String(), account.Format(r.Field, r.N), "no request: it limits nothing and may be set as its owner likes"}
	}
	e := l.Effective(now)
	if _, err := (Setting{Field: r.Field, N: r.N, Grant: true, Until: r.Until}).apply(account.Value{}, account.LevelLine, e, now); err != nil {
		return err
	}
	if !r.Field.Loosens(r.N, e.Values[r.Field]) {
		return &Invalid{
			r.Field.String(), account.Format(r.Field, r.N),
			"more than " + account.Format(r.Field, e.Values[r.Field]) + ", which is in force; a lower value needs no request",
		}
	}
	open, err := b.db.Requests(ctx, Asked)
	if err != nil {
		return err
	}
	count := 0
	for i := range open {
		if open[i].Line == r.Line {
			count++
		}
	}
	if count >= maxOpenRequests {
		return &Invalid{"line", account.Handle(r.Line), fmt.Sprintf("at most %d open requests of a line", maxOpenRequests)}
	}
	return nil
}

// Requests lists those in a state ("" is all), newest first.
func (b *Book) Requests(ctx context.Context, state string) ([]account.Request, error) {
	return b.db.Requests(ctx, state)
}

// RequestsOf lists those of a customer's lines below a number (0 is all), newest first, at most limit of them.
func (b *Book) RequestsOf(ctx context.Context, customer string, before int64, limit int) ([]account.Request, error) {
	all, err := b.db.Requests(ctx, "")
	all = slices.DeleteFunc(all, func(r account.Request) bool {
		l, ok := b.Line(r.Line)
		return !ok || l.cust.id != customer || before > 0 && r.ID >= before
	})
	return all[:min(len(all), limit)], err
}

// Request is one by its number, or store.ErrNotFound.
func (b *Book) Request(ctx context.Context, id int64) (account.Request, error) {
	all, err := b.db.Requests(ctx, "")
	if err != nil {
		return account.Request{}, err
	}
	if i := slices.IndexFunc(all, func(r account.Request) bool { return r.ID == id }); i >= 0 {
		return all[i], nil
	}
	return account.Request{}, store.ErrNotFound
}

// Grant gives what a request asks, until an instant; zero: until what it asked. Two writes to the store: the line's
// setting first, so that a crash between them leaves a request that can be granted again, to the same effect.
func (b *Book) Grant(ctx context.Context, actor string, id int64, until time.Time, note string) (account.Request, error) {
	b.deciding.Lock()
	defer b.deciding.Unlock()
	r, err := b.open(ctx, id, note)
	if err != nil {
		return r, err
	}
	if !until.IsZero() {
		r.Until = until.UTC().Truncate(time.Microsecond)
	}
	grant := Setting{Field: r.Field, N: r.N, Grant: true, Until: r.Until}
	if _, err := b.EditLine(ctx, actor, r.Line, LineEdit{Set: []Setting{grant}}); err != nil {
		return r, err
	}
	return b.decide(ctx, actor, r, Granted, note)
}

// RequestZone is the time zone in which a request is to be answered: that of its line's customer, or the provider's.
func (b *Book) RequestZone(ctx context.Context, id int64) (*time.Location, error) {
	all, err := b.db.Requests(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		if l, ok := b.Line(r.Line); ok && r.ID == id {
			return l.Zone(), nil
		}
	}
	return b.Zone(""), nil
}

// Refuse says no to a request.
func (b *Book) Refuse(ctx context.Context, actor string, id int64, note string) (account.Request, error) {
	b.deciding.Lock()
	defer b.deciding.Unlock()
	r, err := b.open(ctx, id, note)
	if err != nil {
		return r, err
	}
	return b.decide(ctx, actor, r, Refused, note)
}

// open finds a request that is not decided yet; a decided one is store.ErrInUse.
func (b *Book) open(ctx context.Context, id int64, note string) (account.Request, error) {
	if err := checkText("note", note); err != nil {
		return account.Request{}, err
	}
	all, err := b.db.Requests(ctx, "")
	if err != nil {
		return account.Request{}, err
	}
	i := slices.IndexFunc(all, func(r account.Request) bool { return r.ID == id })
	switch {
	case i < 0:
		return account.Request{}, store.ErrNotFound
	case all[i].State != Asked:
		return all[i], fmt.Errorf("request %d was %s already: %w", id, all[i].State, store.ErrInUse)
	}
	return all[i], nil
}

func (b *Book) decide(ctx context.Context, actor string, r account.Request, state, note string) (account.Request, error) {
	if err := b.begin(ctx); err != nil {
		return r, err
	}
	defer b.mu.Unlock()
	r.State, r.Decided, r.DecidedBy, r.Note = state, stamp(), clip(actor), note
	customer := ""
	if l, ok := b.Line(r.Line); ok {
		customer = l.cust.id
	}
	f := factOf[fact.RequestGranted](r.Decided, actor, r.Line, customer, nil, requestFacts(r))
	if state == Refused {
		f = factOf[fact.RequestRefused](r.Decided, actor, r.Line, customer, nil, requestFacts(r))
	}
	_, err := b.db.PutRequest(ctx, r, f)
	return r, err
}

// checkText accepts a longer text for people.
func checkText(field, s string) error {
	if len(s) > 500 {
		return &Invalid{field, clip(s), "at most 500 bytes"}
	}
	return nil
}
