package store

import (
	"context"
	"time"

	"ringfence/core/seal"
)

// Leaves are the leaf hashes of facts that one transaction wrote, in the order of their seqs.
type Leaves struct {
	Tree   string
	First  int64   // the place of the first of them in the tree
	Seqs   []int64 // of the facts, which may be deleted by now
	Hashes []seal.Hash
}

// SealNode is the root of the n-th complete subtree of 256^level leaves: what a tree is built from without all of its leaves.
type SealNode struct {
	Level, N int64
	Hash     seal.Hash
}

// Checkpoint is one as it was signed.
type Checkpoint struct {
	Number int64
	At     time.Time
	Note   []byte
}

// Witnessed is what a witness or a time stamper answered to a checkpoint.
type Witnessed struct {
	Number  int64
	Witness string
	At      time.Time
	Answer  []byte
}

// Seals keeps the trees that the journal is sealed in. Every write of facts adds their leaves, in the same transaction, to the tree of the node that
// writes. Engines: sqlite and postgres, as part of Store.
type Seals interface {
	// Trees are the trees that there are, and how many leaves each has.
	Trees(ctx context.Context) (map[string]int64, error)
	// Leaves streams those of a tree from a place on and before another one, in whole transactions: the first may begin before, the last end after.
	Leaves(ctx context.Context, tree string, from, until int64, yield func(Leaves) error) error
	// LeavesOf streams those of every tree that have facts from a seq on and before another one, in the order of seqs.
	LeavesOf(ctx context.Context, from, until int64, yield func(Leaves) error) error
	SealNodes(ctx context.Context, tree string, level, from, until int64) ([]SealNode, error) // by N, of from ≤ N < until
	PutSealNodes(ctx context.Context, tree string, nodes []SealNode) error                    // those that are there stay

	// PutCheckpoint adds one whose number follows that of the last: ErrExists when another node was first.
	PutCheckpoint(ctx context.Context, c Checkpoint, facts ...Fact) error
	Checkpoints(ctx context.Context, from, until int64, limit int) ([]Checkpoint, error) // by number, of from ≤ Number < until; the last first when from is negative
	// CheckpointsAt gives the first checkpoint at or after each of the instants; those without one are left out.
	CheckpointsAt(ctx context.Context, at []time.Time) ([]Checkpoint, error)
	PutWitnessed(ctx context.Context, w Witnessed) error // in place of the earlier answer
	Witnessed(ctx context.Context, from, until int64) ([]Witnessed, error)
}
