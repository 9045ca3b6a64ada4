package person

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Scope is a part of what the API does. A token is of some of them; a role's limits hold besides.
type Scope string

// Scopes.
const (
	Read     Scope = "read"     // looks at everything that the role may see
	Lock     Scope = "lock"     // locks lines, closes destinations and ends calls: only what tightens
	Settings Scope = "settings" // changes settings, passwords, contacts and requests
	People   Scope = "people"   // who may sign in
	Desk     Scope = "desk"     // findings, bans, hot lists and requests of all customers
	Book     Scope = "book"     // customers, lines, trunks and prices
	Run      Scope = "run"      // keys and the server itself
)

// Scopes lists them.
func Scopes() []Scope { return []Scope{Read, Lock, Settings, People, Desk, Book, Run} }

// access.txt is the table: see its head.
//
//go:embed access.txt
var accessText string

// rule is a row of the table.
type rule struct {
	scope Scope
	roles []Role
}

var access = mustRead(accessText)

// letters are the columns of the table.
var letters = map[byte]Role{'o': Owner, 'm': Manager, 'r': Reader, 's': Support, 'f': Fraud, 'i': Finance, 'a': Auditor, 'A': Admin}

func mustRead(text string) map[string]rule {
	table := map[string]rule{}
	for line := range strings.Lines(text) {
		row, _, _ := strings.Cut(line, "#")
		parts := strings.Fields(row)
		if len(parts) == 0 {
			continue
		}
		if len(parts) != 3 || !slices.Contains(Scopes(), Scope(parts[1])) || table[parts[0]].roles != nil {
			panic(fmt.Sprintf("access.txt: %q", line)) // a constant of this program, which every test would see
		}
		r := rule{scope: Scope(parts[1])}
		for _, c := range []byte(parts[2]) {
			role, ok := letters[c]
			if !ok {
				panic(fmt.Sprintf("access.txt: %q", line))
			}
			r.roles = append(r.roles, role)
		}
		table[parts[0]] = r
	}
	return table
}

// May says whether somebody may ask for an operation, and if not, why. What is not in the table nobody may.
func (w *Who) May(operation string) (bool, string) {
	r, ok := access[operation]
	switch {
	case !ok:
		return false, "nobody may do this yet"
	case w.Enrol:
		return false, "set up a second factor first: staff need one"
	case !slices.Contains(r.roles, w.Role):
		return false, fmt.Sprintf("this is not for the role %s; it is for: %s", w.Role, Names(r.roles))
	case w.Scopes != nil && !slices.Contains(w.Scopes, r.scope):
		return false, fmt.Sprintf("this token is not for %q; it is for: %s", r.scope, scopeNames(w.Scopes))
	}
	return true, ""
}

func scopeNames(scopes []Scope) string {
	texts := make([]string, len(scopes))
	for i, s := range scopes {
		texts[i] = string(s)
	}
	return strings.Join(texts, ", ")
}

// Operations are those in the table, by name.
func Operations() []string { return slices.Sorted(maps.Keys(access)) }

// For are the roles that may ask for an operation; none: it is not in the table.
func For(operation string) []Role { return slices.Clone(access[operation].roles) }

// ScopeOf is the scope that a token needs for an operation.
func ScopeOf(operation string) Scope { return access[operation].scope }
