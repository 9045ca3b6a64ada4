package store

import (
	"context"
	"time"

	"ringfence/core/retain"
)

// Erasure is the erasing of a customer's personal data, from when it was begun until nothing is left.
type Erasure struct {
	ID       int64
	Customer string   // identity
	Name     string   // as the bills must have it, which are kept; "" when there are none
	Lines    []string // identities, also of lines that are gone; until it is done
	By       string
	Begun    time.Time
	Done     time.Time // zero: it is not
}

// Tie is what keeps a customer's data, and how many there are of it, or the number of one.
type Tie struct {
	Why    retain.Why
	Number int64
}

// ErasePart is a kind of rows that an erasure deletes.
type ErasePart string

// Parts, in the order in which they go: what others point to goes after them.
const (
	EraseWaiting  ErasePart = "waiting"
	EraseRequests ErasePart = "requests"
	EraseCases    ErasePart = "cases"
	EraseFindings ErasePart = "findings"
	EraseNotices  ErasePart = "notices"
	EraseCalls    ErasePart = "calls"
	EraseUsage    ErasePart = "usage"
	EraseMemory   ErasePart = "memory"
	ErasePurses   ErasePart = "purses"
	EraseHolds    ErasePart = "holds" // that were lifted
)

// EraseParts are all of them.
func EraseParts() []ErasePart {
	return []ErasePart{EraseWaiting, EraseRequests, EraseCases, EraseFindings, EraseNotices, EraseCalls, EraseUsage, EraseMemory, ErasePurses, EraseHolds}
}

// Erasing erases what is held of a customer. Engines: sqlite and postgres, as part of Store. Every step is small and may be taken again.
type Erasing interface {
	// Ties are what keeps a customer's data: nothing may be erased while there is one.
	Ties(ctx context.Context, customer string, lines []string) ([]Tie, error)
	// BeginErasure notes one, unless there is a tie by now: ErrInUse. One that was begun is ErrExists.
	BeginErasure(ctx context.Context, e Erasure, facts func(id int64) []Fact) (int64, error)
	Erasures(ctx context.Context, open bool) ([]Erasure, error) // by ID; open: those that are not done
	ErasureOf(ctx context.Context, customer string) (Erasure, error)
	// Erase deletes about limit rows of a part in one transaction, and says how many; 0: nothing is left that may go. Calls that are to be billed stay, and
	// such as have facts from Seq unread on, which a stage has not read yet.
	Erase(ctx context.Context, e *Erasure, part ErasePart, unread int64, limit int) (int64, error)
	// EraseFacts deletes facts and, of others, everything that can be hidden, with its salts; their leaves stay.
	EraseFacts(ctx context.Context, drop, hide []Fact) error
	// EndErasure notes that it is done, if it is not; else ErrMoved.
	EndErasure(ctx context.Context, e Erasure, facts ...Fact) error
	// ForgetErased forgets erasures of customers of whom the books have nothing any more.
	ForgetErased(ctx context.Context) (int64, error)
	// ClearArchive notes that an erasure was carried out in the files of an archive, with their new sums and sizes, if none was in the meantime; else ErrMoved.
	ClearArchive(ctx context.Context, was, now Archive, facts ...Fact) error
	// Cursors are how far each stage has come: see Stages.
	Cursors(ctx context.Context) (map[string]int64, error)
	// DropPurses deletes purses of days before day ("2026-11-22") and months before month ("2026-11") that hold nothing, some at a time, and says how many.
	DropPurses(ctx context.Context, day, month string, limit int) (int64, error)
}
