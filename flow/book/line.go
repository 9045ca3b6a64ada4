package book

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/puzpuzpuz/xsync/v4"

	"ringfence/core/account"
	"ringfence/core/rating"
	"ringfence/core/secret"
)

// Line is an immutable entry; only its caches change. It is kept small, for there are 100,000 of them.
type Line struct {
	id       string
	cust     *customer
	digits   uint64 // E.164, 0 is none
	name     string
	why      string            // of the lock
	sealed   string            // sealed SIP password, "" is none; as a string it is a word shorter than a slice
	settings *account.Settings // nil says nothing
	created  int64             // µs since 1970
	locked   bool
	calls    account.LockCalls // of the lock
	honeypot bool
	courtesy courtesy
	handle   uint8                    // length of the handle within id
	strength atomic.Uint32            // account.Strength
	ways     *ways                    // nil is its number alone
	former   *former                  // nil is none
	eff      atomic.Pointer[resolved] // only with settings of its own; else the customer's serves
	ha1      atomic.Pointer[secret.HA1]
}

// ways are how a line is reached beside its number, and where its calls go from there. Few lines have any, so that both share a pointer.
type ways struct {
	forwards account.Forwards
	reach    account.Reach
}

// more is the reach of a line beside its number; nil is none.
func (l *Line) more() *account.Reach {
	if l.ways == nil {
		return nil
	}
	return &l.ways.reach
}

// courtesy is an account.Courtesy in a byte.
type courtesy uint8

// courtesies by their byte; what is none of them is stored as inherited.
var courtesies = [...]account.Courtesy{account.CourtesyInherit, account.CourtesyBoth, account.CourtesyAgent, account.CourtesyOff}

func packCourtesy(c account.Courtesy) courtesy {
	return courtesy(max(0, slices.Index(courtesies[:], c)))
}

// resolved is a chain worked out for a line, good as long as its customer's entry is the one it was made from.
type resolved struct {
	from *customerEntry
	account.Effective
}

// ID is the line's identity: what money, records and devices are kept under. It is never shown to customers.
func (l *Line) ID() string { return l.id }

// Since is when its customer was added.
func (l *Line) Since() time.Time { return l.cust.entry.Load().Created }

// Handle is what people call the line: its SIP user name.
func (l *Line) Handle() string { return l.id[:l.handle] }

// Customer is who pays, by identity.
func (l *Line) Customer() string { return l.cust.id }

// Digits is the E.164 number as an integer; 0 is none.
func (l *Line) Digits() uint64 { return l.digits }

// Number is the E.164 digits without '+'; "" is none.
func (l *Line) Number() string {
	if l.digits == 0 {
		return ""
	}
	return strconv.FormatUint(l.digits, 10)
}

// Name is for people.
func (l *Line) Name() string { return l.name }

// Locked says that only emergency calls go out.
func (l *Line) Locked() bool { return l.locked }

// LockWhy is why it is locked.
func (l *Line) LockWhy() string { return l.why }

// LockCalls is how the lock treats calls in progress.
func (l *Line) LockCalls() account.LockCalls { return l.calls }

// NoMoreSpent says that calls in progress may buy no more talk time: the line is locked, and the lock does not let them go on.
func (l *Line) NoMoreSpent() bool { return l.locked && l.calls != account.CallsKept }

// CutsCalls says that paid calls in progress end immediately.
func (l *Line) CutsCalls() bool { return l.locked && l.calls == account.CallsCut }

// Honeypot says that the line has no owner, so anyone who tries its login is an attacker. The book only keeps the flag.
func (l *Line) Honeypot() bool { return l.honeypot }

// BeyondGuessing says that the line's password is known to be one that cannot be guessed.
func (l *Line) BeyondGuessing() bool {
	return l.sealed != "" && account.Strength(l.strength.Load()) == account.BeyondGuessing
}

// Courtesy says of what new thing in its logins the owner is told: the line's word, else its customer's, else both.
func (l *Line) Courtesy() account.Courtesy {
	if own := l.OwnCourtesy(); own != account.CourtesyInherit {
		return own
	}
	if c := l.cust.entry.Load().Courtesy; c != account.CourtesyInherit && c.Valid() {
		return c
	}
	return account.CourtesyBoth
}

// OwnCourtesy is what the line itself says; "" is nothing.
func (l *Line) OwnCourtesy() account.Courtesy { return courtesies[l.courtesy] }

// Forwards say where its calls go that it does not take itself.
func (l *Line) Forwards() account.Forwards {
	if l.ways == nil {
		return account.Forwards{}
	}
	return l.ways.forwards
}

// Login says that the line has a password.
func (l *Line) Login() bool { return l.sealed != "" }

// Created is when it was added.
func (l *Line) Created() time.Time { return time.UnixMicro(l.created).UTC() }

// Settings is what the line itself says.
func (l *Line) Settings() account.Settings {
	if l.settings == nil {
		return account.Settings{}
	}
	return *l.settings
}

// Zone is the customer's time zone, or the provider's.
func (l *Line) Zone() *time.Location { return l.cust.entry.Load().zone }

// Tariff is the name of the customer's retail deck, or the provider's.
func (l *Line) Tariff() string { return l.cust.entry.Load().tariff }

// Effective is the line's settings as they are at an instant: shared and read only. What is in force now is kept for later
// callers; a question about another instant leaves that alone.
func (l *Line) Effective(at time.Time) *account.Effective {
	c := l.cust.entry.Load()
	if l.settings == nil {
		return c.effective(at)
	}
	if r := l.eff.Load(); r != nil && r.from == c && r.Holds(at) {
		return &r.Effective
	}
	r := &resolved{c, account.Resolve(at, append(c.above(), &c.Settings, l.settings)...)}
	r.Pool = c.pool()
	if r.Holds(time.Now()) {
		l.eff.Store(r)
	}
	return &r.Effective
}

// Retail is the deck that prices the line's calls and the calendar of its customer; nil: no such deck is loaded, so that
// nothing has a price.
func (l *Line) Retail() (*rating.Deck, rating.Calendar) {
	c := l.cust.entry.Load()
	b := l.cust.book
	d := (*b.decks.Load())[c.tariff]
	if d == nil || d.head.Kind != rating.Retail {
		return nil, rating.Calendar{}
	}
	return d.rows, c.provider.calendar(c.zone)
}

// Line finds a line by its identity. LineCalled takes what people say.
func (b *Book) Line(id string) (*Line, bool) {
	l, ok := b.lines.Load(account.Handle(id))
	if !ok || l.id != id {
		return nil, false
	}
	return l, true
}

// Find finds a line by its handle, the SIP user name, which may point into a packet.
func (b *Book) Find(handle []byte) (*Line, bool) {
	return b.lines.Load(unsafe.String(unsafe.SliceData(handle), len(handle))) // only compared
}

// ByNumber finds whose line has an E.164 number, phone.Number.Digits(): its identity.
func (b *Book) ByNumber(digits uint64) (line string, ok bool) {
	l, ok := b.numbers.Load(digits)
	if !ok {
		return "", false
	}
	return l.id, true
}

// index puts a line where it is found, in the place of what it was; nil: it is new.
func (b *Book) index(was, l *Line) {
	b.lines.Store(l.Handle(), l)
	b.indexReach(was, l)
	if was == nil {
		l.cust.lines.Add(1)
		return
	}
	l.inherit(was)
}

// drop takes a line out of a table, unless another line has its key by now.
func drop[K comparable](table *xsync.Map[K, *Line], key K, l *Line) {
	if now, ok := table.Load(key); ok && now.id == l.id {
		table.Delete(key)
	}
}

// loadLines builds the tables at start.
func (b *Book) loadLines(ctx context.Context) error {
	return b.db.EachLine(ctx, func(a account.Line) error {
		l, err := b.entry(a)
		if err != nil {
			return fmt.Errorf("line %s: %w", a.ID, err)
		}
		b.index(nil, l)
		return nil
	})
}

// entry makes the compact form of a line.
func (b *Book) entry(a account.Line) (*Line, error) {
	c, ok := b.customer(a.Customer)
	if !ok {
		return nil, &Invalid{"customer", clip(account.Handle(a.Customer)), "a customer that exists"}
	}
	l := &Line{
		id: a.ID, cust: c, name: a.Name, why: a.LockWhy, sealed: string(a.Sealed),
		created: a.Created.UnixMicro(), locked: a.Locked, calls: a.LockCalls, honeypot: a.Honeypot, courtesy: packCourtesy(a.Courtesy),
		handle: uint8(len(account.Handle(a.ID))),
	}
	l.strength.Store(uint32(a.Strength))
	if len(a.Former) > 0 {
		l.former = &former{all: a.Former[:min(len(a.Former), account.MaxFormer)]}
	}
	if a.Number != "" {
		n, err := strconv.ParseUint(a.Number, 10, 64)
		if err != nil {
			return nil, &Invalid{"number", clip(a.Number), "E.164 digits"}
		}
		l.digits = n
	}
	if !a.Settings.IsZero() {
		s := a.Settings
		l.settings = &s
	}
	if a.Forwards != (account.Forwards{}) || !a.Reach.IsZero() {
		l.ways = &ways{a.Forwards, a.Reach}
	}
	return l, nil
}

// account gives the stored form back.
func (l *Line) account() account.Line {
	a := account.Line{
		ID: l.id, Customer: l.cust.id, Number: l.Number(), Name: l.name, Locked: l.locked, LockWhy: l.why, LockCalls: l.calls,
		Settings: l.Settings(), Created: l.Created(), Honeypot: l.honeypot, Strength: account.Strength(l.strength.Load()), Courtesy: l.OwnCourtesy(), Forwards: l.Forwards(), Reach: l.Reach(),
	}
	if l.former != nil {
		a.Former = l.former.all
	}
	if l.sealed != "" {
		a.Sealed = []byte(l.sealed)
	}
	return a
}
