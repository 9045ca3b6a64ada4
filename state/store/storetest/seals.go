package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/seal"
	"ringfence/state/store"
)

// seals writes facts in every way there is, from several goroutines, and wants each to have its leaf.
func seals(t *testing.T, s store.Store) {
	ctx := t.Context()
	same(t, "trees at first", trees(t, s), map[string]int64{})
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 8 {
				n := 100*g + i
				once := store.Fact{At: T0, Kind: "a.once", Version: 1, Key: fmt.Sprint("k", i), Line: "☎\x00", Body: []byte(`{"a":1,"b":"x"}`)}
				c := Call(n, "2001")
				apply(t, s, Open(c, 1), store.Op{Kind: store.OpRecord, ID: c.ID, Facts: []store.Fact{once, Fact("a.b", c), once}})
				_, err := s.Advance(t.Context(), store.Step{Stage: fmt.Sprint("s", g), Facts: []store.Fact{once, Fact("a.c", c)}})
				ok(t, err)
				ok(t, s.PutCustomer(t.Context(), account.Customer{ID: fmt.Sprint("c", n), Created: someday}, true, Fact("a.d", c), once))
			}
		})
	}
	all.Wait()
	facts, err := s.Facts(ctx, store.FactFilter{Proofs: true, Limit: 1e6})
	ok(t, err)
	same(t, "facts", len(facts), 4*8*4+8)
	sealedOnce(t, s, facts)
	ok(t, proofIn(t, s))
}

func trees(t *testing.T, s store.Seals) map[string]int64 {
	t.Helper()
	out, err := s.Trees(t.Context())
	ok(t, err)
	return out
}

// sealedOnce wants each fact to have one leaf, in the order of seqs, which is the hash of what it says.
func sealedOnce(t *testing.T, s store.Seals, facts []store.Fact) {
	t.Helper()
	var sealer seal.Sealer
	sizes := map[string]int64{}
	ok(t, s.LeavesOf(t.Context(), 0, 1<<40, func(l store.Leaves) error {
		same(t, "place in "+l.Tree, l.First, sizes[l.Tree])
		sizes[l.Tree] += int64(len(l.Hashes))
		for i, seq := range l.Seqs {
			same(t, "seq", facts[0].Seq, seq)
			row, err := seal.Read(&facts[0])
			ok(t, err)
			same(t, "leaf", sealer.Hash(&row), l.Hashes[i])
			facts = facts[1:]
		}
		return nil
	}))
	same(t, "facts without a leaf", len(facts), 0)
	same(t, "trees", trees(t, s), sizes)
	for tree, size := range sizes {
		seen := map[int64]bool{}
		ok(t, s.Leaves(t.Context(), tree, size/2, size, func(l store.Leaves) error {
			for i := range l.Hashes {
				seen[l.First+int64(i)] = true
			}
			return nil
		}))
		for n := size / 2; n < size; n++ {
			same(t, fmt.Sprint("leaf ", n), seen[n], true)
		}
	}
}

func proofIn(t *testing.T, s store.Store) error {
	t.Helper()
	facts, err := s.Facts(t.Context(), store.FactFilter{Limit: 3})
	ok(t, err)
	for _, f := range facts {
		if f.Proof != nil {
			return store.ErrExists
		}
	}
	return nil
}

func checkpoints(t *testing.T, s store.Store) {
	ctx := t.Context()
	at := func(n int) time.Time { return T0.Truncate(time.Microsecond).Add(time.Duration(n) * time.Minute) }
	for n := range 5 {
		c := store.Checkpoint{Number: int64(n + 1), At: at(n), Note: []byte{byte(n + 1)}}
		ok(t, s.PutCheckpoint(ctx, c))
		wantIs(t, "twice", s.PutCheckpoint(ctx, c), store.ErrExists)
	}
	numbers := func(cs []store.Checkpoint, err error) (out []int64) {
		ok(t, err)
		for _, c := range cs {
			same(t, "note", c.Note, []byte{byte(c.Number)})
			out = append(out, c.Number)
		}
		return out
	}
	same(t, "some", numbers(s.Checkpoints(ctx, 2, 4, 0)), []int64{2, 3})
	same(t, "last", numbers(s.Checkpoints(ctx, -1, 1<<40, 1)), []int64{5})
	same(t, "at", numbers(s.CheckpointsAt(ctx, []time.Time{at(2), at(1).Add(time.Second), at(9)})), []int64{3, 3})
	w := store.Witnessed{Number: 2, Witness: "https://w.example", At: at(1), Answer: []byte("yes")}
	ok(t, s.PutWitnessed(ctx, w))
	w.Answer = []byte("again")
	ok(t, s.PutWitnessed(ctx, w))
	got, err := s.Witnessed(ctx, 1, 9)
	ok(t, err)
	same(t, "answers", got, []store.Witnessed{w})
	sealNodes(ctx, t, s)
}

func sealNodes(ctx context.Context, t *testing.T, s store.Seals) {
	t.Helper()
	nodes := []store.SealNode{{Level: 1, N: 0, Hash: seal.Hash{1}}, {Level: 1, N: 1, Hash: seal.Hash{2}}, {Level: 2, N: 0, Hash: seal.Hash{3}}}
	ok(t, s.PutSealNodes(ctx, "main", nodes[:2]))
	ok(t, s.PutSealNodes(ctx, "main", nodes))
	got, err := s.SealNodes(ctx, "main", 1, 0, 9)
	ok(t, err)
	same(t, "roots", got, nodes[:2])
}
