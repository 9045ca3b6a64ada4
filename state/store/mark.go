package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// ErrNewer says that a later version of the program has changed the tables.
var ErrNewer = errors.New("the tables are of a later version of this program")

// ErrReplaced says that the database is no longer the one that was opened.
var ErrReplaced = errors.New("the database was deleted or replaced while it was in use")

// Names of marks.
const (
	MarkIdentity = "identity" // the store's identity: random, made once
	MarkKey      = "key"      // Sealed opens with the key that seals the store's secrets
	MarkBackup   = "backup"   // instant of the last backup; in a copy, the instant up to which it is complete
	MarkGap      = "gap"      // a Gap, while one is open; "" when it was accepted

	MarkBillingFrom = "billing-from" // instant (RFC 3339) from which calls are billed; no mark: all are
	MarkBillRun     = "bill-run"     // the run of bills of a month: who is at it, and which month is done
)

// Mark is a value about the store as a whole, which every node must know.
type Mark struct {
	Name, Value string
	Sealed      []byte // sealed again by Rekey
}

// Marks keeps them.
type Marks interface {
	Marks(ctx context.Context) (map[string]Mark, error)
	// Last is the instant of the newest fact; zero when there is none.
	Last(ctx context.Context) (time.Time, error)
	// PutMark writes a mark whose Value is was ("" also when there is none), or is ErrMoved. One conditional write.
	PutMark(ctx context.Context, m Mark, was string, facts ...Fact) error
}

// Gap is a time of which the store has lost its records, because an older copy was put in its place.
type Gap struct {
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// Text is the gap as a mark has it.
func (g Gap) Text() string {
	b, err := json.Marshal(g)
	if err != nil {
		return "" // a year beyond 9999
	}
	return string(b)
}

// ReadGap reads the mark of a gap; ok is false when none is open. One that cannot be read is open.
func ReadGap(marks map[string]Mark) (g Gap, ok bool) {
	text := marks[MarkGap].Value
	if text == "" {
		return g, false
	}
	_ = json.Unmarshal([]byte(text), &g) // then its instants are not known
	return g, true
}
