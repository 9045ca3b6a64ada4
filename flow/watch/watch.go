// Package watch follows the journal through core/detect: it writes findings, keeps un-billed usage with calls in progress
// counted, and raises the warning levels. Each fact is taken exactly once, also across a crash and with several nodes
// (store.Advance). It must not know protocols, mail or SQL.
package watch

import (
	"context"
	"log/slog"
	"time"

	"ringfence/core/call"
	"ringfence/core/detect"
	"ringfence/core/money"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// Stage is the name of this stage's cursor.
const Stage = "watch"

// FactRaised is appended with each new finding; its body is {"key","kind","severity","source","text","evidence":{…}}.
const FactRaised = "finding.raised"

// FactClosed says who closed a finding: {"finding":id,"key","by"}.
const FactClosed = "finding.closed"

// Options of New.
type Options struct {
	Store interface {
		store.Stages
		Facts(ctx context.Context, f store.FactFilter) ([]store.Fact, error)
	}
	Book  *book.Book
	Calls func() []call.Open // in progress on this node (and what others hold is in the store: see Others)
	// Others are open calls of other nodes; nil: there are none. Asked at most every few seconds.
	Others func(ctx context.Context) ([]call.Open, error)
	Every  time.Duration // how often the journal and the calls are looked at; 0 is 500 ms
	// OnFinding is told of each new finding, after it is durable; nil is nobody. Metrics.
	OnFinding func(detect.Finding)
	Log       *slog.Logger
}

// Used is what a line or account has used since its last bill.
type Used struct {
	Subject  string      // "line/ID" or "account/ID"
	Settled  money.Micro // of calls that have ended
	Running  money.Micro // of calls in progress, up to now
	Level    money.Micro // warning level in force; 0 is off
	Multiple int64       // highest multiple told
}
