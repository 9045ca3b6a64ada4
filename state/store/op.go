package store

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"ringfence/core/fact"
	"ringfence/core/money"
)

// ErrInvalid is wrapped by every OpError.
var ErrInvalid = errors.New("invalid operation")

// OpError says that one op of a group can never be applied, whatever the state of the store. Nothing of the group was
// written; the other ops may be tried again without it.
type OpError struct {
	Index int // in the ops given to Apply
	Why   string
}

// Error names the op by its place.
func (e *OpError) Error() string { return fmt.Sprintf("op %d: %s", e.Index, e.Why) }

// Unwrap makes errors.Is(err, ErrInvalid) true.
func (e *OpError) Unwrap() error { return ErrInvalid }

// Bounds on an op, so that one of them cannot stall a group.
const (
	MaxHolds = 5
	MaxFacts = 64
	maxID    = fact.MaxName // bytes of a purse or call id, a line, an account
	maxBlob  = fact.MaxBody // bytes of a snapshot
)

// Prepare encodes the facts of a group and checks its ops. An OpError says which can never be written.
func Prepare(ops []Op) error {
	for i := range ops {
		for j := range ops[i].Facts {
			ops[i].Facts[j].Encode()
		}
		if why := ops[i].Check(); why != "" {
			return &OpError{Index: i, Why: why}
		}
	}
	return nil
}

// Check says what is wrong with an op by itself: "" when nothing is.
func (op *Op) Check() string {
	if op.Amount < 0 {
		return "negative amount"
	}
	if why := checkFacts(op.Facts); why != "" {
		return why
	}
	if (op.Kind != OpRecord || op.CDR != nil) && !plainID(string(op.ID)) {
		return "no usable call id"
	}
	switch op.Kind {
	case OpOpen, OpExtend:
		return op.checkHold()
	case OpUpdate:
		return op.checkCall()
	case OpSettle:
		return op.checkCDR()
	case OpRecord:
		if op.CDR == nil {
			return ""
		}
		return op.checkCDR()
	}
	return "unknown kind of op"
}

func (op *Op) checkHold() string {
	if len(op.Holds) > MaxHolds {
		return "too many holds"
	}
	for i, h := range op.Holds {
		if !plainID(h.Purse) {
			return "no usable purse id"
		}
		for _, other := range op.Holds[:i] {
			if other.Purse == h.Purse {
				return "a purse twice"
			}
		}
	}
	return op.checkCall()
}

func (op *Op) checkCall() string {
	switch {
	case op.Call == nil:
		return "no call"
	case op.Kind != OpExtend && op.Call.ID != op.ID:
		return "the call has another id"
	case op.Kind == OpOpen && op.Call.Node == "":
		return "the call has no node"
	case len(op.Call.Snapshot) > maxBlob:
		return "snapshot too long"
	case len(op.Call.Line) > maxID || len(op.Call.Account) > maxID || len(op.Call.Node) > maxID:
		return "a name too long"
	}
	return ""
}

func (op *Op) checkCDR() string {
	switch {
	case op.CDR == nil:
		return "no record"
	case op.CDR.ID != op.ID:
		return "the record has another id"
	case op.CDR.Retail < 0:
		return "negative charge"
	case len(op.CDR.Line) > maxID || len(op.CDR.Account) > maxID:
		return "a name too long"
	}
	return ""
}

func checkFacts(facts []Fact) string {
	if len(facts) > MaxFacts {
		return "too many facts"
	}
	for i := range facts {
		if !facts[i].Fits() {
			return "fact too long"
		}
	}
	return ""
}

// plainID wants 1 to maxID bytes of valid UTF-8 without control characters: purse ids are joined by newlines.
func plainID(s string) bool {
	if s == "" || len(s) > maxID || !utf8.ValidString(s) {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// Clean makes any text storable in every engine: invalid UTF-8 becomes U+FFFD and NUL is dropped, so that
// an attacker's User-Agent cannot make a transaction fail.
func Clean(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

// maxKey is what a key of findings, notices, deliveries and devices may have in bytes: three of them fit into one row of
// a PostgreSQL index.
const maxKey = 500

// Short makes any key from outside storable and indexable: it is cleaned, and beyond 500 bytes cut and made distinct by its
// SHA-256.
func Short(s string) string {
	s = Clean(s)
	if len(s) <= maxKey {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return strings.ToValidUTF8(s[:maxKey-2*len(sum)-1], "") + "~" + hex.EncodeToString(sum[:])
}

// Room is how much more a purse with total in it takes under limit; never negative.
func Room(limit, total money.Micro) money.Micro {
	if total >= limit {
		return 0
	}
	return limit.Add(-total)
}

// Elsewhere says that the call of an op belongs to another node than the op.
func (op *Op) Elsewhere(node string) bool { return op.Node != "" && Clean(op.Node) != node }

// HoldsOf says whether an OpExtend holds in exactly the purses of its call, so that a settlement gives back what was
// held. Holding nothing fits any call.
func (op *Op) HoldsOf(purses []string) bool {
	if op.Amount == 0 {
		return true
	}
	if len(op.Holds) != len(purses) {
		return false
	}
	for _, h := range op.Holds {
		if !slices.Contains(purses, h.Purse) {
			return false
		}
	}
	return true
}

// PurseFault is the sentence of Check about a purse that does not hold what open calls say.
func PurseFault(p Purse, held money.Micro) string {
	return fmt.Sprintf("purse %s: spent %s, holds %s, but open calls hold %s", p.ID, p.Spent, p.Held, held)
}
