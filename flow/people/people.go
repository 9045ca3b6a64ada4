// Package people keeps who may sign in, a customer's people and staff: their roles, passwords and second factors, and what lets them
// in: links that work once, passkeys, sessions, and tokens for programs. Whatever happens is a fact of the journal that says who did it. It must
// not know pages or HTTP, nor what a role may do: core/person says that.
package people

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/person"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/state/counters"
	"ringfence/state/counters/memory"
	"ringfence/state/store"
)

// Options of New.
type Options struct {
	Store    store.People
	Book     *book.Book
	Counters counters.Counters         // attempts, which nodes share; nil counts in this process
	Record   func(facts ...store.Fact) // writes to the journal in the background; nil: they are not written
	Box      func() (*secret.Box, error)
	Issuer   string // the provider, as an authenticator app shows it
	URL      string // of the pages: passkeys count there alone; none are made without it
	Lax      bool   // staff need no second factor: a demonstration's, on this machine alone
	Log      *slog.Logger
}

// People is safe for concurrent use.
type People struct {
	o      Options
	log    *slog.Logger
	alone  counters.Counters  // counts while Counters cannot be reached
	party  *webauthn.WebAuthn // whom passkeys are made for; nil: there are none
	hashes chan struct{}      // bounds the memory of password hashes that are worked out at once
	keys   sync.Mutex         // one change of who is the last owner or admin at a time
}

// New makes it; nothing is read before it is asked.
func New(o Options) (*People, error) {
	if o.Store == nil || o.Book == nil || o.Box == nil {
		return nil, errors.New("people: a store, a book and a box are needed")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Record == nil {
		o.Record = func(...store.Fact) {}
	}
	party, err := newParty(o.URL, o.Issuer)
	if err != nil {
		return nil, fmt.Errorf("people: passkeys: %w", err)
	}
	return &People{o: o, log: o.Log, alone: memory.NewEngine(memory.Options{}), party: party, hashes: make(chan struct{}, maxHashes)}, nil
}

// Person is somebody who may sign in, without what lets them in.
type Person struct {
	ID       string // identity
	Customer string // identity; "" is staff
	Login    string // what they sign in with: "acme/ana"; of staff "ana"
	Name     string
	Mail     string
	Role     person.Role
	Password bool
	TOTP     bool
	Passkeys []Passkey
	Recovery int // codes that are left
	Made     time.Time

	at store.Person
}

// Passkey is one authenticator of a person.
type Passkey struct {
	ID         string // to name it by; lets nobody in
	Name       string
	Made, Used time.Time
}

func view(s store.Person) Person {
	p := Person{
		ID: s.ID, Customer: s.Customer, Login: s.Login, Name: s.Name, Mail: s.Mail, Role: person.Role(s.Role), Password: s.Password != "",
		TOTP: len(s.Sealed) > 0, Recovery: len(s.Factors.Recovery), Made: s.Made, at: s,
	}
	for _, k := range s.Factors.Passkeys {
		p.Passkeys = append(p.Passkeys, Passkey{keyID(k), k.Name, k.Made, k.Used})
	}
	return p
}

// Second says that the person has a second factor.
func (p *Person) Second() bool { return p.TOTP || len(p.Passkeys) > 0 }

// Handle is the name within the customer, or of staff.
func (p *Person) Handle() string { return p.Login[strings.LastIndex(p.Login, "/")+1:] }

// Actor is how the journal calls the person.
func (p *Person) Actor() string { return actorOf(p.Customer, p.Login) }

func actorOf(customer, login string) string {
	if customer == "" {
		return account.StaffName + "/" + login
	}
	return login
}

// Errors of the store that callers tell apart.
var (
	ErrNotFound = store.ErrNotFound
	ErrExists   = store.ErrExists
)

// ErrLast says that nobody would be left who may let others in.
var ErrLast = errors.New("this is the last one who may let others in; give somebody else that role first")

// NewPerson is a person to add.
type NewPerson struct {
	Customer string // identity; "" is staff
	Handle   string
	Name     string
	Mail     string
	Role     person.Role
}

// Add adds a person, and makes the link with which they sign in for the first time.
func (p *People) Add(ctx context.Context, actor string, n NewPerson) (Person, Link, error) {
	v, err := p.Admit(ctx, actor, n)
	if err != nil {
		return Person{}, Link{}, err
	}
	link, err := p.Link(ctx, actor, v.ID, LinkLife)
	return v, link, err
}

// Admit is Add without a link.
func (p *People) Admit(ctx context.Context, actor string, n NewPerson) (Person, error) {
	s, err := p.Check(ctx, n)
	if err != nil {
		return Person{}, err
	}
	f := fact.PersonAdded{By: actor, After: parts(&s.at)}
	err = p.o.Store.PutPerson(ctx, s.at, f.Row(time.Now(), fact.Subject{Account: s.Customer}))
	s.at.Version = 1
	return s, err
}

// Check says who would be added, if that may be.
func (p *People) Check(ctx context.Context, n NewPerson) (Person, error) {
	s := store.Person{Customer: n.Customer, Login: n.Handle, Name: n.Name, Role: string(n.Role), Made: stamp()}
	if person.CheckName(n.Handle) != nil {
		return Person{}, &book.Invalid{Field: "name", Found: n.Handle, Want: person.NameForm}
	}
	if n.Customer != "" {
		if _, ok := p.o.Book.Customer(n.Customer); !ok {
			return Person{}, ErrNotFound
		}
		s.Login = account.Handle(n.Customer) + "/" + n.Handle
	}
	s.ID = book.Identify(strings.ReplaceAll(s.Login, "/", "."))
	var err error
	if s.Mail, err = checkMail(n.Mail); err != nil {
		return Person{}, err
	}
	if err := check(&s); err != nil {
		return Person{}, err
	}
	all, err := p.o.Store.People(ctx, n.Customer)
	if err != nil {
		return Person{}, err
	}
	if slices.ContainsFunc(all, func(o store.Person) bool { return o.Login == s.Login }) {
		return Person{}, ErrExists
	}
	if len(all) >= maxPeople {
		return Person{}, &book.Invalid{Field: "name", Found: n.Handle, Want: fmt.Sprintf("at most %d people of one customer, or of staff", maxPeople)}
	}
	return view(s), nil
}

// maxPeople bounds the people of a customer, and staff.
const maxPeople = 500

func check(s *store.Person) error {
	staff := s.Customer == ""
	if !person.Role(s.Role).Valid(staff) {
		return &book.Invalid{Field: "role", Found: s.Role, Want: "one of " + person.Names(person.Of(staff))}
	}
	c := account.Contact{ID: "x", Name: s.Name, Channel: account.Mail, Address: "a@example.com"}
	if c.Validate() != nil {
		return &book.Invalid{Field: "name", Found: s.Name, Want: "at most 200 bytes of plain text on one line"}
	}
	return nil
}

func checkMail(mail string) (string, error) {
	mail = strings.ToLower(strings.TrimSpace(mail))
	if mail != "" && account.CheckMail(mail) != nil {
		return "", &book.Invalid{Field: "mail", Found: mail, Want: "a mail address"}
	}
	return mail, nil
}

// List reads the people of a customer, or ("") staff.
func (p *People) List(ctx context.Context, customer string) ([]Person, error) {
	all, err := p.o.Store.People(ctx, customer)
	out := make([]Person, len(all))
	for i := range all {
		out[i] = view(all[i])
	}
	return out, err
}

// Person reads one by identity.
func (p *People) Person(ctx context.Context, id string) (Person, error) {
	s, err := p.o.Store.Person(ctx, id)
	return view(s), err
}

// Called finds a person of a customer, or of staff, by handle.
func (p *People) Called(ctx context.Context, customer, handle string) (Person, error) {
	login := handle
	if customer != "" {
		login = account.Handle(customer) + "/" + handle
	}
	all, err := p.o.Store.PeopleCalled(ctx, login)
	if err != nil {
		return Person{}, err
	}
	for _, s := range all {
		if s.Login == login && s.Customer == customer {
			return view(s), nil
		}
	}
	return Person{}, ErrNotFound
}

// Edit changes what is not nil.
type Edit struct {
	Name, Mail *string
	Role       *person.Role
}

// Change changes a person. A new role takes effect at the next request; sessions go on with it.
func (p *People) Change(ctx context.Context, actor, id string, e Edit) (Person, error) {
	p.keys.Lock()
	defer p.keys.Unlock()
	return p.edit(ctx, actor, id, func(s *store.Person) error {
		was := person.Role(s.Role)
		if err := e.apply(s); err != nil {
			return err
		}
		if leads(was) && !leads(person.Role(s.Role)) {
			return p.notLast(ctx, s)
		}
		return nil
	})
}

// CheckEdit says whether a person may be changed so.
func (p *People) CheckEdit(v *Person, e Edit) error {
	s := v.at
	return e.apply(&s)
}

// apply puts the change in, if it is a right one.
func (e *Edit) apply(s *store.Person) error {
	if e.Name != nil {
		s.Name = *e.Name
	}
	if e.Mail != nil {
		var err error
		if s.Mail, err = checkMail(*e.Mail); err != nil {
			return err
		}
	}
	if e.Role != nil {
		s.Role = string(*e.Role)
	}
	return check(s)
}

// leads says that the role may let others in.
func leads(r person.Role) bool { return r == person.Owner || r == person.Admin }

// notLast wants another who may let others in. An operator at the machine can always add staff, so that only customers need it.
func (p *People) notLast(ctx context.Context, s *store.Person) error {
	if s.Customer == "" {
		return nil
	}
	all, err := p.o.Store.People(ctx, s.Customer)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(o store.Person) bool { return o.ID != s.ID && leads(person.Role(o.Role)) }) {
		return ErrLast
	}
	return nil
}

// Remove takes a person away: every session, link and token of theirs ends.
func (p *People) Remove(ctx context.Context, actor, id string) error {
	p.keys.Lock()
	defer p.keys.Unlock()
	s, err := p.o.Store.Person(ctx, id)
	if err != nil {
		return err
	}
	if leads(person.Role(s.Role)) {
		if err := p.notLast(ctx, &s); err != nil {
			return err
		}
	}
	f := fact.PersonRemoved{By: actor, Before: parts(&s)}
	return p.o.Store.DeletePerson(ctx, id, f.Row(time.Now(), fact.Subject{Account: s.Customer}))
}

// edit reads a person, changes and writes it, with facts; again when somebody else wrote in between.
func (p *People) edit(ctx context.Context, actor, id string, change func(*store.Person) error, more ...store.Fact) (Person, error) {
	for range 8 {
		was, err := p.o.Store.Person(ctx, id)
		if err != nil {
			return Person{}, err
		}
		s := was
		s.Factors = clone(was.Factors)
		if err := change(&s); err != nil {
			return Person{}, err
		}
		facts := more[:len(more):len(more)]
		before, after := parts(&was), parts(&s)
		if string(before) != string(after) {
			f := fact.PersonChanged{By: actor, Before: before, After: after}
			facts = append(facts, f.Row(time.Now(), fact.Subject{Account: s.Customer}))
		}
		err = p.o.Store.PutPerson(ctx, s, facts...)
		if errors.Is(err, store.ErrMoved) {
			continue
		}
		s.Version++
		return view(s), err
	}
	return Person{}, fmt.Errorf("person %s: %w", account.Handle(id), store.ErrMoved)
}

func clone(f store.Factors) store.Factors {
	f.Passkeys, f.Recovery, f.Waiting = slices.Clone(f.Passkeys), slices.Clone(f.Recovery), slices.Clone(f.Waiting)
	return f
}

// stamp is the present as the store keeps it.
func stamp() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
