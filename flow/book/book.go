// Package book holds customers, lines, trunks, decks and requests: in memory for the path of a call, written through to
// the store with a fact of who changed what. It validates every change. It must not know calls, protocols or SQL.
//
// Reading never waits for a write to the store. Entries are immutable once published and a change publishes a new one, so
// that a *Line is what was in force when it was looked up: look it up again for each call, keep none.
package book

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/puzpuzpuz/xsync/v4"

	"ringfence/core/account"
	"ringfence/core/phone"
	"ringfence/core/restrict"
	"ringfence/core/secret"
	"ringfence/state/store"
)

// Options say what stands above every customer.
type Options struct {
	Plan               *phone.Plan      // how line numbers are written and read
	Provider           account.Settings // the provider's link of the settings chain
	Zone               string           // IANA time zone of customers that name none; "" is UTC
	Tariff             string           // retail deck of customers that name none
	PeakFrom, PeakTill time.Duration    // peak hours from local midnight, Monday to Friday; equal: the whole day is peak
	Box                *secret.Box      // seals and opens passwords
	Realm              string           // of SIP digest; part of every HA1
	Strict             bool             // calls that ask to present a number which is not verified are refused; otherwise they present the line's own

	// Identify makes the identity of what is added under a handle; nil is Identify, which uses none twice. Tests give their own,
	// to know identities beforehand.
	Identify func(handle string) string
}

// Book is the whole of it. Safe for concurrent use.
type Book struct {
	db       store.Store
	plan     *phone.Plan
	realm    string
	identify func(handle string) string
	box      atomic.Pointer[secret.Box]
	decoy    []byte // a sealed secret that is no line's; see HA1As
	provider atomic.Pointer[provider]

	// These are read without a lock, and written under mu.
	lines     *xsync.Map[string, *Line]     // by handle
	numbers   *xsync.Map[uint64, *Line]     // by E.164 number, if the line has one
	shorts    *xsync.Map[string, *Line]     // by customer and short number
	customers *xsync.Map[string, *customer] // by identity
	handles   *xsync.Map[string, *customer] // the same, by handle

	hot     atomic.Pointer[restrict.Hot]
	trunks  atomic.Pointer[trunkTable]
	decks   atomic.Pointer[map[string]*deck] // copied on write
	foreign atomic.Pointer[[]DeckHead]       // not in force: in another currency

	// mu is the writers' lock: one change at a time, from reading what is there, through the store, to publishing.
	mu          sync.Mutex
	doubt       bool             // mu; a write failed that may have been persisted nevertheless
	restriction int64            // id that was given last; owned by mu
	said        account.Settings // mu; what the fraud desk says of every line
	deciding    sync.Mutex       // taken before mu by Grant and Refuse, so that a request is decided once
	onChange    []func(Change)
	sorted      sortedHandles
}

// Open reads the whole book from the store.
func Open(ctx context.Context, db store.Store, o Options) (*Book, error) {
	p, err := newProvider(&o)
	if err != nil {
		return nil, err
	}
	if o.Plan == nil || o.Box == nil {
		return nil, errors.New("book: a numbering plan and a key are needed")
	}
	b := &Book{
		db: db, plan: o.Plan, realm: o.Realm, identify: o.Identify, lines: xsync.NewMap[string, *Line](), numbers: xsync.NewMap[uint64, *Line](), shorts: xsync.NewMap[string, *Line](),
		customers: xsync.NewMap[string, *customer](), handles: xsync.NewMap[string, *customer](),
	}
	if b.identify == nil {
		b.identify = Identify
	}
	b.box.Store(o.Box)
	if b.decoy, err = o.Box.Seal(secret.LineOwner(""), secret.NewPassword("nobody's")); err != nil {
		return nil, err
	}
	b.provider.Store(p)
	for _, load := range []func(context.Context) error{b.loadEverybody, b.loadHot, b.loadCustomers, b.loadLines, b.loadTrunks, b.ReloadDecks} {
		if err := load(ctx); err != nil {
			return nil, fmt.Errorf("reading the book: %w", err)
		}
	}
	return b, nil
}

// OnChange adds a function that is called for every change. Call it before the book is shared.
func (b *Book) OnChange(f func(Change)) { b.onChange = append(b.onChange, f) }

// tell is called under mu, after the change is in force.
func (b *Book) tell(c Change) {
	for _, f := range b.onChange {
		f(c)
	}
}

// Plan is the numbering plan.
func (b *Book) Plan() *phone.Plan { return b.plan }

// Counts says how much is in the book.
type Counts struct {
	Customers, Lines, Locked, Trunks, Decks int
}

// Counts looks at every line; for people and metrics, not for the path of a call.
func (b *Book) Counts() Counts {
	c := Counts{Customers: b.customers.Size(), Lines: b.lines.Size(), Trunks: len(b.trunks.Load().all), Decks: len(*b.decks.Load())}
	for _, l := range b.lines.All() {
		if l.locked {
			c.Locked++
		}
	}
	return c
}

// ChangeKind is what happened to the book.
type ChangeKind uint8

// Change kinds.
const (
	LineAdded ChangeKind = iota
	LineEdited
	LineLocked // Cut: its paid calls are to be ended immediately
	LineUnlocked
	LineDeleted     // its calls are to be ended and its phones dropped
	PasswordChanged // its phones are to be dropped
	NetsChanged     // the IP lock, or what refuses logins, of a line, or (Line "") of all lines of Customer
	CustomerEdited
	CustomerDeleted
	TrunkChanged // Trunk was added, edited or deleted
	DecksLoaded
	ProviderChanged // what stands above every customer
)

// Change is told to every OnChange function after it is durable and in force, in the order of changes, under the writers'
// lock: be quick and change nothing in the book from there.
type Change struct {
	Kind     ChangeKind
	Line     string // identity
	Customer string // identity
	Trunk    string // identity
	Why      string // LineLocked
	Cut      bool   // LineLocked, LineDeleted
}

func loadZone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	// "Local" would mean the machine's zone, which is not the customer's; a path would read any file.
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, &Invalid{"zone", clip(name), "an IANA time zone such as Europe/London"}
	}
	return zone, nil
}
