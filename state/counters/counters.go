// Package counters is the contract for short-lived counts, and for marks with an end, that all nodes on one engine share:
// failures in a window, lock-outs, bans. Engines: memory (this process alone) and valkey (every node on one Valkey or
// Redis ≥ 7). It must not know what is counted or why. Nothing in here is money: an engine that is lost costs counts.
package counters

import (
	"context"
	"errors"
	"time"
)

// ErrUnavailable says that the engine cannot be reached; errors of that kind wrap it. Callers continue with what they know.
var ErrUnavailable = errors.New("counters unavailable")

// Bounds of what is kept under one key.
const (
	MaxKey   = 256  // bytes
	MaxValue = 4096 // bytes of a mark's value
)

// Hit is something that happened N times under Key, to be counted within the last Span. One key has one span.
type Hit struct {
	Key  string
	N    int64 // ≥ 0; 0 only asks
	Span time.Duration
}

// Mark is something that holds for Key in Table until an instant.
type Mark struct {
	Table string // "lockout", "ban": a short word
	Key   string
	Until time.Time
	Value []byte // the owner's own; JSON
}

// Change is a mark put or dropped by some node. Dropped has Until zero and no Value.
type Change struct {
	Mark
	Dropped bool
}

// Counters is safe for concurrent use. `now` is an argument so that tests own the time; nodes that share an engine are
// expected within a second of each other.
type Counters interface {
	// Add counts every hit and returns, in order, how many of each key there were within its last span, these included: a
	// sliding window of two halves, whose estimate is never less than what an exact one would say of the running half.
	// All of one Add in one round trip.
	Add(ctx context.Context, now time.Time, hits ...Hit) ([]int64, error)

	// Put puts marks. One that is there gets the later end and the new value; it is never shortened. A mark whose end is
	// not after now is not put.
	Put(ctx context.Context, now time.Time, marks ...Mark) error

	// Drop takes marks away before their end. One that is not there is no error.
	Drop(ctx context.Context, table string, keys ...string) error

	// Marks gives every mark of a table that has not ended, in no order.
	Marks(ctx context.Context, table string, now time.Time) ([]Mark, error)

	// Follow calls f, from one goroutine, for each change of a table by any node, our own included, until ctx ends, which
	// is no error. It begins, and after a lost connection begins again, with f(Change{}) (an empty Table): the caller then
	// reads Marks afresh, for changes may have been missed. It returns only when ctx ends.
	Follow(ctx context.Context, table string, f func(Change))

	// Ping says whether the engine can be reached.
	Ping(ctx context.Context) error
	Close() error
}
