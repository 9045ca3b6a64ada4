package api

import (
	"strings"
	"time"
)

// Person is somebody who may sign in: one of a customer's people, or of staff.
type Person struct {
	ID       string    `json:"id"`
	Login    string    `json:"login" doc:"what they sign in with; their mail address will do as well where nobody else has it"`
	Customer string    `json:"customer,omitempty"`
	Name     string    `json:"name,omitempty"`
	Mail     string    `json:"mail,omitempty"`
	Role     string    `json:"role" enum:"owner,manager,reader,support,fraud,finance,auditor,admin"`
	Password bool      `json:"password" doc:"has one"`
	TOTP     bool      `json:"totp" doc:"has an app that shows codes"`
	Passkeys []string  `json:"passkeys" doc:"names of their passkeys"`
	Recovery int       `json:"recovery_codes" doc:"that are left"`
	Made     time.Time `json:"made"`
}

// Resource describes a customer's people.
func (Person) Resource() Resource[Person] {
	return Resource[Person]{
		Name: "person", Path: "customers/{id}/people", Key: "person", Tag: "people",
		List: "List a customer's people, who may sign in", Add: "Add a person; the link that signs them in is shown once",
		Change: "Change a person's name, address or role; a role that may more, and another address, wait if the customer's people wait for what loosens", Delete: "Remove a person, with every session, link and token",
		Columns: "person: id, sign in as: login, name~, role, mail~, second factor: factors, since: made?",
		Empty:   "Nobody of this customer may sign in: ringfence customer person add {{.Customer}} NAME --role owner --mail ADDRESS",
		Cells:   map[string]func(*Person) Cell{"factors": (*Person).factors},
		Named:   func(p *Person) (string, string) { return p.ID, p.Name },
	}
}

func (p *Person) factors() Cell {
	var all []string
	if p.TOTP {
		all = append(all, "app")
	}
	if len(p.Passkeys) > 0 {
		all = append(all, "passkey")
	}
	if len(all) == 0 {
		return Cell{"none", "warn"}
	}
	return Cell{Text: strings.Join(all, ", ")}
}

// Staff is a person of the provider's own.
type Staff struct{ Person }

// Resource describes staff.
func (Staff) Resource() Resource[Staff] {
	return Resource[Staff]{
		Name: "staff", Path: "staff", Key: "person", Tag: "people",
		List: "List staff, who may sign in", Add: "Add a member of staff; the link that signs them in is shown once",
		Change: "Change a member's name, address or role", Delete: "Remove a member of staff, with every session, link and token",
		Columns: "person: id, name~, role, mail~, second factor: factors, since: made?",
		Empty:   "Nobody of staff may sign in: ringfence staff add NAME --role admin",
		Cells:   map[string]func(*Staff) Cell{"factors": func(s *Staff) Cell { return s.factors() }},
		Named:   func(p *Staff) (string, string) { return p.ID, p.Name },
	}
}

// PeopleOf is a customer whose people are asked for.
type PeopleOf struct {
	Customer string `path:"id" maxLength:"60" arg:"" help:"Customer." predict:"customer"`
}

// Called is the id of the customer.
func (c *PeopleOf) Called() string { return c.Customer }

// PersonID says which of a customer's people.
type PersonID struct {
	PeopleOf
	ID string `path:"person" maxLength:"60" arg:"" help:"Person: the name within the customer."`
}

// StaffID says which of staff.
type StaffID struct {
	ID string `path:"person" maxLength:"60" arg:"" help:"Member of staff."`
}

// PersonFields are what is said of a person.
type PersonFields struct {
	Name string `json:"name,omitempty" maxLength:"200" help:"Full name." placeholder:"NAME"`
	Mail string `json:"mail,omitempty" maxLength:"254" help:"Mail address." placeholder:"ADDRESS"`
}

// NewPerson is one of a customer's people to add.
type NewPerson struct {
	ID   string `json:"id" maxLength:"40" doc:"a-z, 0-9, - and .; 1 to 40" arg:"" help:"Short name to sign in with: a-z, 0-9, - and dots."`
	Role string `json:"role" enum:"owner,manager,reader" required:"" help:"What the person may do: owner (all, and who else may sign in), manager (the lines) or reader (look)." placeholder:"ROLE"`
	PersonFields
}

// NewStaff is a member of staff to add.
type NewStaff struct {
	ID   string `json:"id" maxLength:"40" doc:"a-z, 0-9, - and .; 1 to 40" arg:"" help:"Short name to sign in with: a-z, 0-9, - and dots."`
	Role string `json:"role" enum:"support,fraud,finance,auditor,admin" required:"" help:"What the member may do: support, fraud, finance, auditor (reads all, changes nothing) or admin." placeholder:"ROLE"`
	PersonFields
}

// PatchPerson changes what is present in it.
type PatchPerson struct {
	Name *string `json:"name,omitempty" maxLength:"200" help:"Full name." placeholder:"NAME"`
	Mail *string `json:"mail,omitempty" maxLength:"254" help:"Mail address; empty removes it." placeholder:"ADDRESS"`
	Role *string `json:"role,omitempty" maxLength:"20" help:"What the person may do." placeholder:"ROLE"`
}

// PersonNew adds one of a customer's people.
type PersonNew struct {
	PeopleOf
	Body NewPerson `embed:""`
}

// PersonPatch changes one.
type PersonPatch struct {
	PersonID
	Body PatchPerson `embed:""`
}

// StaffPatch changes one.
type StaffPatch struct {
	StaffID
	Body PatchPerson `embed:""`
}

// SignInLink lets a person in once. It is shown this once.
type SignInLink struct {
	Person string    `json:"person" doc:"whom it signs in, as they sign in"`
	Link   string    `json:"link" doc:"an address, or, when there are no pages, only its last part"`
	Until  time.Time `json:"until"`
	Waits  bool      `json:"waits,omitempty" doc:"there is no link yet: the customer's people wait for what they loosen"`
}

// Session is a browser that is signed in.
type Session struct {
	ID    string    `json:"id"`
	Made  time.Time `json:"made"`
	Seen  time.Time `json:"seen"`
	Until time.Time `json:"until"`
	From  string    `json:"address"`
	Agent string    `json:"user_agent"`
	Place string    `json:"place,omitempty" doc:"country and network of the address, where they are known"`
}

// Resource describes sessions.
func (Session) Resource() Resource[Session] {
	return Resource[Session]{
		List: "List the sessions of a person", Path: "customers/{id}/people/{person}/sessions", Columns: "session: id, since: made, last seen: seen, from: address, place~?, browser: user_agent~",
		Empty: "No browser is signed in.",
	}
}

// SignedOut says how many sessions ended.
type SignedOut struct {
	Person string `json:"person"`
	Ended  int    `json:"ended"`
}

// Token lets a program in.
type Token struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Scopes  []string  `json:"scopes"`
	Made    time.Time `json:"made"`
	Until   time.Time `json:"until"`
	Seen    time.Time `json:"seen,omitzero" doc:"last use, to the minute"`
	From    string    `json:"address,omitempty" doc:"of the last use"`
	Expired bool      `json:"expired,omitempty"`
}

// Resource describes tokens.
func (Token) Resource() Resource[Token] {
	return Resource[Token]{
		List: "List the tokens of a person", Path: "customers/{id}/people/{person}/tokens", Columns: "token: name, scopes, until, last used: used, from: address~",
		Empty: "No tokens.",
		Cells: map[string]func(*Token) Cell{
			"until": func(t *Token) Cell { return Cell{Text: End(t.Until), Look: map[bool]string{true: "bad"}[t.Expired]} },
			"used": func(t *Token) Cell {
				if t.Seen.IsZero() {
					return Cell{Text: "never", Look: "dim"}
				}
				return Cell{}
			},
		},
	}
}

// NewToken is a token to make.
type NewToken struct {
	Name   string   `json:"name" maxLength:"40" arg:"" help:"Short name of the token: a-z, 0-9 and -."`
	Scopes []string `json:"scopes" minItems:"1" maxItems:"7" name:"scope" required:"" help:"What it may do, within the person's role: read, lock (only what tightens), settings, people, desk, book, run." placeholder:"SCOPE"`
	Until  string   `json:"until" maxLength:"40" doc:"as in Change; at most a year from now" required:"" type:"when" help:"When it ends; at most a year from now." placeholder:"WHEN"`
}

// NewTokenText is a token that was made. Its text is shown this once.
type NewTokenText struct {
	Token
	Text string `json:"token"`
}

// PersonToken makes a token of one of a customer's people.
type PersonToken struct {
	PersonID
	Body NewToken `embed:""`
}

// StaffToken makes a token of one of staff.
type StaffToken struct {
	StaffID
	Body NewToken `embed:""`
}

// PersonTokenID says which token of one of a customer's people.
type PersonTokenID struct {
	PersonID
	Token string `path:"token" maxLength:"60" arg:"" help:"Token, by its name."`
}

// StaffTokenID says which token of one of staff.
type StaffTokenID struct {
	StaffID
	Token string `path:"token" maxLength:"60" arg:"" help:"Token, by its name."`
}

// Passkey is an authenticator of a person.
type Passkey struct {
	ID   string    `json:"id"`
	Name string    `json:"name"`
	Made time.Time `json:"made"`
	Used time.Time `json:"used,omitzero"`
}

// PersonPasskeyID says which passkey of one of a customer's people.
type PersonPasskeyID struct {
	PersonID
	Passkey string `path:"passkey" maxLength:"60" arg:"" help:"Passkey, by its id or name."`
}

// StaffPasskeyID says which passkey of one of staff.
type StaffPasskeyID struct {
	StaffID
	Passkey string `path:"passkey" maxLength:"60" arg:"" help:"Passkey, by its id or name."`
}

// Me is who asks.
type Me struct {
	Name     string   `json:"name" doc:"as the journal has it"`
	Role     string   `json:"role"`
	Customer string   `json:"customer,omitempty"`
	Scopes   []string `json:"scopes,omitempty"`
	May      []string `json:"may" doc:"operations that you may ask for"`
}
