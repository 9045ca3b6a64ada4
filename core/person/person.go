// Package person says who may do what: the roles of a customer's people and of staff, and one table of every operation that
// somebody may ask for, by role. The API and the pages ask the same table. It must not know how people sign in.
package person

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// Role is what somebody is to a customer or to the provider.
type Role string

// Roles. The first three are of a customer's people, the others of staff.
const (
	Owner   Role = "owner"   // all that a customer may do, and who else may
	Manager Role = "manager" // the lines
	Reader  Role = "reader"  // looks

	Support Role = "support" // answers customers
	Fraud   Role = "fraud"   // the fraud desk
	Finance Role = "finance" // prices and money
	Auditor Role = "auditor" // reads all, changes nothing
	Admin   Role = "admin"   // everything
)

// Of are the roles that people of a customer, or of staff, may have.
func Of(staff bool) []Role {
	if staff {
		return []Role{Support, Fraud, Finance, Auditor, Admin}
	}
	return []Role{Owner, Manager, Reader}
}

// Staff says that the role is one of the provider's own.
func (r Role) Staff() bool { return slices.Contains(Of(true), r) }

// Valid says that the role is one that people of a customer, or of staff, may have.
func (r Role) Valid(staff bool) bool { return slices.Contains(Of(staff), r) }

// Names are roles as a message lists them.
func Names(roles []Role) string {
	texts := make([]string, len(roles))
	for i, r := range roles {
		texts[i] = string(r)
	}
	return strings.Join(texts, ", ")
}

// Who is somebody who was let in, and what with.
type Who struct {
	Person   string // identity; "" is an operator: the socket of this machine, or a token of admin.tokens-file
	Customer string // identity; "" is the provider's own
	Role     Role
	Actor    string                     // as the journal has it
	Scopes   []Scope                    // of an API token; nil is no limit but the role
	Proved   time.Time                  // when a session last showed a second factor, or a fresh password where there is none
	Below    func(customer string) bool // of a reseller's people: says which customers are the reseller's; nil is none
	Enrol    bool                       // a second factor is required and not set up yet: nothing else may be done before
}

// Operator is who has the socket of this machine, or a token of the configuration: an admin without a person.
func Operator(actor string) Who { return Who{Role: Admin, Actor: actor} }

// Acting is how the journal has what a person does with a token of theirs: the person, and the token's name.
func Acting(actor, token string) string { return actor + tokenMark + token + ")" }

const tokenMark = " (token "

// Same says that two actors of the journal are one person, whether they came with a session or with a token.
func Same(a, b string) bool {
	a, _, _ = strings.Cut(a, tokenMark)
	b, _, _ = strings.Cut(b, tokenMark)
	return a == b
}

// Own says that something of a customer is theirs to see: of a customer's people only what is their own customer's, of a reseller's what is its customers'.
func (w *Who) Own(customer string) bool {
	return w.Customer == "" || w.Customer == customer || customer != "" && w.Below != nil && w.Below(customer)
}

// MaxNameLen is how long the name of a person may be.
const MaxNameLen = 40

// NameForm is what CheckName wants.
const NameForm = "1 to 40 of a-z, 0-9, '-' and '.', with '-' and '.' inside only"

// CheckName wants what a person is called when they sign in.
func CheckName(name string) error {
	odd := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' }
	if name == "" || len(name) > MaxNameLen || strings.ContainsFunc(name, odd) || strings.Trim(name, "-.") != name {
		return errors.New("no name of a person: want " + NameForm)
	}
	return nil
}
