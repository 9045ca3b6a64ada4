package book

import (
	"fmt"
	"strings"

	"ringfence/core/account"
	"ringfence/core/secret"
	"ringfence/state/store"
)

// Invalid says that a value given for a field cannot be: what was found, and what is wanted instead.
type Invalid struct {
	Field string // as the API names it
	Found string
	Want  string
}

// Error is one sentence.
func (e *Invalid) Error() string {
	if e.Found == "" {
		return fmt.Sprintf("%s is missing; want %s", e.Field, e.Want)
	}
	return fmt.Sprintf("%s %q: want %s", e.Field, e.Found, e.Want)
}

// Weak says why a password was refused. The password is not in it.
type Weak = secret.Weak

// Looser says that a setting would be looser than what stands above it, which needs a grant.
type Looser struct {
	Field account.Field
	Above int64         // what stands above
	From  account.Level // where that comes from
	Asked int64
	text  string
}

// Error says what would pass.
func (e *Looser) Error() string { return e.text }

// Loosening says that a change allows more than before, and what; a careful one is not made then.
type Loosening struct{ Texts []string }

// Error names it all.
func (e *Loosening) Error() string { return "this loosens " + strings.Join(e.Texts, ", ") }

func loosening(texts []string) error {
	if len(texts) == 0 {
		return nil
	}
	return &Loosening{texts}
}

// clip bounds what a message repeats of a caller's text.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// Errors of the store that callers tell apart, so that edges need not know the store. Anything else than these and the
// types of this package means that the store failed and nothing was changed.
var (
	ErrNotFound = store.ErrNotFound
	ErrExists   = store.ErrExists
	ErrInUse    = store.ErrInUse
)
