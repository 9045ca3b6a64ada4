// Package book holds customers, lines, trunks, decks and requests: in memory for the path of a call, written through to
// the store with a fact of who changed what. It validates every change. It must not know calls, protocols or SQL.
//
// Reading never takes the writers' lock. Entries are immutable once published; a change publishes a new one, so that a
// *Line or *Trunk is what was in force when it was looked up: look it up again for each call, keep none.
package book

// The surface, for those who write against it (completed in the files of this package):
//
//	Open(ctx, store.Store, Options) (*Book, error)
//
// Reading, 0 allocations, safe for concurrent use:
//
//	(*Book) Line(id string) (*Line, bool)
//	(*Book) Find(id []byte) (*Line, bool)              // the same from a packet
//	(*Book) ByNumber(digits uint64) (*Line, bool)      // phone.Number.Digits() of an E.164 number
//	(*Line) ID() string; Customer() string; Digits() uint64; Name() string; Locked() bool; LockWhy() string; Login() bool
//	(*Line) Number() string                            // "442079460000", "" is none
//	(*Line) Effective(now) *account.Effective          // read only
//	(*Line) Zone() *time.Location; Tariff() string     // the customer's, or the provider's
//	(*Book) HA1(l *Line, alg Alg) (string, bool)       // lower-case hex; false: the line has no password
//	(*Book) Retail(l *Line) (*rating.Deck, rating.Calendar, bool) // false: no such deck is loaded: unpriced
//	(*Book) Trunks() []*Trunk                          // enabled ones by Priority, then Name; immutable
//	(*Book) Trunk(name string) (*Trunk, bool)          // disabled ones too
//	(*Book) TrunkOf(src netip.Addr) (*Trunk, bool)     // whose Sources hold src: inbound
//	(*Book) Cost(t *Trunk) (*rating.Deck, bool)
//	(*Book) TrunkPassword(name string) (string, bool)
//
// Changing, one at a time, durable when it returns; by is who for the journal:
//
//	AddCustomer, EditCustomer, DeleteCustomer; AddLine, AddLines, EditLine, DeleteLine; SetPassword; Lock, Unlock;
//	Set(ctx, by, level, id, []Setting); SetNets; AddTrunk, EditTrunk, DeleteTrunk; Ask, Grant, Refuse; Import, Diff,
//	ReloadDecks; Rekey
//
// Errors: *Invalid (a field), *Weak (a password), *Looser (needs a grant), store.ErrNotFound, ErrExists, ErrInUse;
// anything else: the store failed and nothing was changed.

// ChangeKind is what happened to the book.
type ChangeKind uint8

// Change kinds.
const (
	LineAdded ChangeKind = iota
	LineEdited
	LineLocked // Cut: its calls are to be ended
	LineUnlocked
	LineDeleted     // its calls are to be ended and its phones dropped
	PasswordChanged // its phones are to be dropped
	NetsChanged     // the IP lock of a line, or (Line "") of all lines of Customer
	CustomerEdited
	CustomerDeleted
	TrunkChanged // Trunk was added, edited or deleted
	DecksLoaded
)

// Change is told to every OnChange function after it is durable and in force, in the order of changes, under the writers'
// lock: be quick and change nothing in the book from there.
type Change struct {
	Kind     ChangeKind
	Line     string
	Customer string
	Trunk    string
	Why      string // LineLocked
	Cut      bool   // LineLocked, LineDeleted
}

// Alg is a digest algorithm.
type Alg uint8

// Algorithms.
const (
	MD5 Alg = iota
	SHA256
	numAlgs
)
