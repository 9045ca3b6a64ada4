// Package ledger reserves, extends, settles and voids: it owns every money row. One committer gathers the operations of
// a few milliseconds into one transaction (group commit). It must not know prices, protocols or SQL.
package ledger

// The package offers, on a type made by New(store.Money, Options):
//
//	Do(ctx, store.Op) (store.Outcome, error) // returns when durable; ErrUnavailable when the store fails
//	Record(facts ...store.Fact)              // facts without money, never blocks the caller; a bound counts what is dropped
//	Start(ctx) / Stop(ctx)                   // Stop commits all that was accepted
//	Healthy() error                          // the last failure while it lasts; recovers by itself
//	Stats() Stats                            // groups, ops, sizes, latencies for the metrics
