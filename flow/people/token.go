package people

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/person"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// AddToken makes a token for a program of a person's: it may do what the person may, within its scopes, until its end. The text is
// shown this once.
func (p *People) AddToken(ctx context.Context, actor, id, name string, scopes []person.Scope, until time.Time) (Session, string, error) {
	s, err := p.o.Store.Person(ctx, id)
	if err != nil {
		return Session{}, "", err
	}
	now := stamp()
	if err := account.CheckContactID(name); err != nil {
		return Session{}, "", &book.Invalid{Field: "name", Found: name, Want: "1 to 40 of a-z, 0-9 and '-', with '-' inside only"}
	}
	if !until.After(now) || until.After(now.Add(MaxToken)) {
		return Session{}, "", &book.Invalid{Field: "until", Found: until.Format(time.DateOnly), Want: "an end in the future, at most a year from now"}
	}
	words, err := scopeWords(scopes)
	if err != nil {
		return Session{}, "", err
	}
	all, err := p.o.Store.Passes(ctx, id, store.PassToken)
	if err != nil {
		return Session{}, "", err
	}
	if slices.ContainsFunc(all, func(x store.Pass) bool { return x.Name == name }) {
		return Session{}, "", fmt.Errorf("token %s: %w", name, ErrExists)
	}
	if len(all) >= maxTokens {
		return Session{}, "", &book.Invalid{Field: "name", Found: name, Want: fmt.Sprintf("at most %d tokens of a person", maxTokens)}
	}
	text, hash := secretText(TokenMark)
	x := store.Pass{Hash: hash, Kind: store.PassToken, Person: id, Name: name, Scopes: words, Made: now, Expires: until.UTC().Truncate(time.Microsecond)}
	f := fact.TokenAdded{By: actor, After: tokenParts(&s, &x)}
	err = p.o.Store.PutPass(ctx, x, f.Row(now, fact.Subject{Account: s.Customer}))
	return session(x), text, err
}

func scopeWords(scopes []person.Scope) (string, error) {
	var words []string
	for _, known := range person.Scopes() {
		if slices.Contains(scopes, known) {
			words = append(words, string(known))
		}
	}
	for _, s := range scopes {
		if !slices.Contains(person.Scopes(), s) {
			return "", &book.Invalid{Field: "scopes", Found: string(s), Want: fmt.Sprint("some of ", person.Scopes())}
		}
	}
	if len(words) == 0 {
		return "", &book.Invalid{Field: "scopes", Want: fmt.Sprint("some of ", person.Scopes())}
	}
	return strings.Join(words, " "), nil
}

// Tokens are those of a person, the latest used first.
func (p *People) Tokens(ctx context.Context, id string) ([]Session, error) {
	all, err := p.o.Store.Passes(ctx, id, store.PassToken)
	out := make([]Session, len(all))
	for i := range all {
		out[i] = session(all[i])
	}
	return out, err
}

// RemoveToken takes a token of a person back, by its name or ID.
func (p *People) RemoveToken(ctx context.Context, actor, id, which string) error {
	s, err := p.o.Store.Person(ctx, id)
	if err != nil {
		return err
	}
	hash, err := p.find(ctx, id, store.PassToken, which)
	if err != nil {
		return err
	}
	x, err := p.o.Store.Pass(ctx, hash)
	if err != nil {
		return err
	}
	f := fact.TokenRemoved{By: actor, Before: tokenParts(&s, &x)}
	n, err := p.o.Store.DropPasses(ctx, id, store.PassToken, hash, "", f.Row(time.Now(), fact.Subject{Account: s.Customer}))
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

func tokenParts(s *store.Person, x *store.Pass) json.RawMessage {
	out, err := json.Marshal(map[string]string{
		"login": s.Login, "token": x.Name, "scopes": x.Scopes, "until": x.Expires.Format(time.RFC3339),
	})
	if err != nil { // cannot happen: texts
		return json.RawMessage(`{}`)
	}
	return out
}
