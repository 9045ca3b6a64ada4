package account

import "fmt"

// LockCalls says how a lock treats the line's paid calls in progress. Free and emergency calls always go on.
type LockCalls uint8

// Treatments of calls in progress. The zero value is that of a lock which says nothing of calls.
const (
	CallsEnd  LockCalls = iota // end: nothing more is bought, so they end when the time already paid for runs out
	CallsCut                   // cut: they end immediately
	CallsKept                  // keep: they go on, and go on being paid for
	NumLockCalls
)

var lockCalls = [NumLockCalls]string{CallsEnd: "end", CallsCut: "cut", CallsKept: "keep"}

// String is the word for it in the API and the journal.
func (c LockCalls) String() string {
	if c < NumLockCalls {
		return lockCalls[c]
	}
	return fmt.Sprintf("LockCalls(%d)", uint8(c))
}

// Stricter says that a lock with c lets less go on than one with other.
func (c LockCalls) Stricter(other LockCalls) bool {
	order := [NumLockCalls]int{CallsKept: 0, CallsEnd: 1, CallsCut: 2}
	return order[c] > order[other]
}
