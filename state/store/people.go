package store

import (
	"context"
	"time"
)

// Person is somebody who may sign in: one of a customer's people, or of staff.
type Person struct {
	ID       string // identity
	Customer string // identity; "" is staff
	Login    string // what they sign in with, one person's: "ana" of staff, "acme/ana" of a customer
	Name     string // for people
	Mail     string // lower case; "" is none
	Role     string // person.Role
	Password string // argon2id, as PHC string; "" is none
	Sealed   []byte // TOTP secret; nil is none
	Factors  Factors
	Made     time.Time
	Version  int64 // the store's: counts the writes
}

// Factors are second factors beside the TOTP secret. No part of them lets anybody in.
type Factors struct {
	Passkeys []Passkey `json:"passkeys,omitempty"`
	Recovery []string  `json:"recovery,omitempty"` // hex HMAC of the codes that are left
	Step     int64     `json:"step,omitempty"`     // the last TOTP step that was used: none is taken twice
	Waiting  []byte    `json:"waiting,omitempty"`  // sealed TOTP secret that was not confirmed yet
	Coded    time.Time `json:"coded,omitzero"`     // since when the TOTP secret counts; zero is before this was kept
}

// Passkey is one authenticator.
type Passkey struct {
	Name       string    `json:"name"`
	Credential []byte    `json:"credential"` // as the library of WebAuthn keeps it, in JSON: public key, sign count
	Made       time.Time `json:"made"`
	Used       time.Time `json:"used,omitzero"`
}

// Kinds of Pass.
const (
	PassLink      = "link"      // lets in once
	PassHalf      = "half"      // the first factor was right; the second is wanted
	PassSession   = "session"   // a browser that is signed in
	PassToken     = "token"     // a program
	PassChallenge = "challenge" // given to a browser for a passkey to sign
	PassKey       = "passkey"   // finds whose a passkey is: Hash is of its credential's ID
)

// Pass is what was given to somebody who is to be let in, or was. Of the secret only the hash is kept.
type Pass struct {
	Hash    string // hex SHA-256
	Kind    string
	Person  string // identity; "" is not known yet
	Name    string // what its owner calls it
	Scopes  string // of a token, apart by blanks; "" is the whole role
	Made    time.Time
	Expires time.Time
	Seen    time.Time
	From    string // address at Seen
	Agent   string // User-Agent at Seen
	Proved  time.Time
	Data    []byte
}

// People are those who may sign in, and what was given to them. Engines: sqlite and postgres, as part of Store.
type People interface {
	People(ctx context.Context, customer string) ([]Person, error) // by Login; "" is staff
	Person(ctx context.Context, id string) (Person, error)
	PeopleCalled(ctx context.Context, name string) ([]Person, error) // those with that Login or Mail

	// PutPerson writes a person. Version 0 is a new one: ErrExists when somebody has the Login. Else Version must be the stored
	// one, or it is ErrMoved: somebody else wrote in between. One conditional write.
	PutPerson(ctx context.Context, p Person, facts ...Fact) error
	// DeletePerson removes a person and every pass of theirs.
	DeletePerson(ctx context.Context, id string, facts ...Fact) error

	Passes(ctx context.Context, person, kind string) ([]Pass, error) // the latest seen first
	Pass(ctx context.Context, hash string) (Pass, error)
	// PutPass writes a new pass of a person who exists (or of none), and only then: ErrNotFound.
	PutPass(ctx context.Context, p Pass, facts ...Fact) error
	// SeePass records the use of a pass: Seen, From, Agent, Proved (which never goes back).
	SeePass(ctx context.Context, p Pass, facts ...Fact) error
	// UsePass takes a pass away that has not expired, and gives the next in its place; ErrInUse when there is none: it was used,
	// taken away or has expired. Of many at once one succeeds. A next without Hash is none.
	UsePass(ctx context.Context, hash, kind string, now time.Time, next Pass, facts ...Fact) error
	// DropPasses takes away passes of a person: those of a kind ("" is every kind), with that hash ("" is any), but not keep.
	DropPasses(ctx context.Context, person, kind, hash, keep string, facts ...Fact) (int64, error)
	// ClearPasses takes away those that expired before an instant.
	ClearPasses(ctx context.Context, before time.Time) (int64, error)
}
