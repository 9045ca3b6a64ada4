package sqlstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"ringfence/core/seal"
	"ringfence/state/store"
)

// errLeaves says that a row of leaves is not as it was written.
var errLeaves = errors.New("leaves that are not as they were written")

// Trees counts the leaves of each tree. There are few trees, so each next one is looked for.
func (s *Queries) Trees(ctx context.Context) (map[string]int64, error) {
	out := map[string]int64{}
	err := s.db.Snapshot(ctx, func(q Querier) error {
		for name := ""; ; {
			next, size := "", int64(0)
			const sql = "SELECT tree, first + length(hashes) / 32 FROM seal_leaf WHERE tree = (SELECT min(tree) FROM seal_leaf WHERE tree > $1) ORDER BY first DESC LIMIT 1"
			if err := each(ctx, q, sql, []any{name}, func(r Rows) error { return r.Scan(&next, &size) }); err != nil || next == "" {
				return err
			}
			out[next], name = size, next
		}
	})
	return out, about("reading the trees", err)
}

// ReadLeaves streams rows of leaves.
func ReadLeaves(ctx context.Context, q Querier, where string, args []any, yield func(store.Leaves) error) error {
	return about("reading leaves", each(ctx, q, "SELECT tree, first, seqs, hashes FROM seal_leaf "+where, args, leavesOf(yield)))
}

// Leaves streams leaves of one tree.
func (s *Queries) Leaves(ctx context.Context, tree string, from, until int64, yield func(store.Leaves) error) error {
	const where = "WHERE tree = $1 AND first >= COALESCE((SELECT max(first) FROM seal_leaf WHERE tree = $1 AND first <= $2), 0) AND first < $3 ORDER BY first"
	return ReadLeaves(ctx, s.db, where, []any{tree, from, until}, yield)
}

// LeavesOf streams leaves by the seqs of their facts.
func (s *Queries) LeavesOf(ctx context.Context, from, until int64, yield func(store.Leaves) error) error {
	const where = "WHERE seq >= COALESCE((SELECT max(seq) FROM seal_leaf WHERE seq <= $1), 0) AND seq < $2 ORDER BY seq"
	return ReadLeaves(ctx, s.db, where, []any{from, until}, yield)
}

func leavesOf(yield func(store.Leaves) error) func(Rows) error {
	return func(r Rows) error {
		var l store.Leaves
		var seqs, hashes []byte
		if err := r.Scan(&l.Tree, &l.First, &seqs, &hashes); err != nil {
			return err
		}
		const size = len(seal.Hash{})
		n := len(hashes) / size
		if len(hashes)%size != 0 || len(seqs) != 8 && len(seqs) != 8*n || n == 0 {
			return fmt.Errorf("tree %s from %d on: %w", l.Tree, l.First, errLeaves)
		}
		for i := range n {
			seq := int64(binary.BigEndian.Uint64(seqs)) + int64(i)
			if len(seqs) > 8 {
				seq = int64(binary.BigEndian.Uint64(seqs[8*i:]))
			}
			l.Seqs, l.Hashes = append(l.Seqs, seq), append(l.Hashes, seal.Hash(hashes[size*i:]))
		}
		return yield(l)
	}
}

// SealNodes reads roots of subtrees.
func (s *Queries) SealNodes(ctx context.Context, tree string, level, from, until int64) ([]store.SealNode, error) {
	const sql = "SELECT n, hash FROM seal_node WHERE tree = $1 AND level = $2 AND n >= $3 AND n < $4 ORDER BY n"
	out, err := list(ctx, s.db, sql, []any{tree, level, from, until}, func(r Rows) (store.SealNode, error) {
		x := store.SealNode{Level: level}
		var hash []byte
		err := r.Scan(&x.N, &hash)
		if err == nil && len(hash) != len(x.Hash) {
			err = errLeaves
		}
		copy(x.Hash[:], hash)
		return x, err
	})
	return out, about("reading roots of subtrees", err)
}

// PutSealNodes adds roots of subtrees.
func (s *Queries) PutSealNodes(ctx context.Context, tree string, nodes []store.SealNode) error {
	return about("adding roots of subtrees", s.db.Write(ctx, func(tx Tx) error {
		const sql = "INSERT INTO seal_node (tree, level, n, hash) VALUES ($1, $2, $3, $4) ON CONFLICT (tree, level, n) DO NOTHING"
		_, err := tx.ExecMany(ctx, sql, len(nodes), func(i int) []any { return []any{tree, nodes[i].Level, nodes[i].N, nodes[i].Hash[:]} })
		return err
	}))
}

var checkpoints = table[store.Checkpoint]{
	"seal_checkpoint", "checkpoints", 1, "number, at, note",
	func(c *store.Checkpoint) []any { return []any{&c.Number, &c.At, &c.Note} },
}

var witnesses = table[store.Witnessed]{
	"seal_witness", "answers of witnesses", 2, "number, witness, at, answer",
	func(w *store.Witnessed) []any { return []any{&w.Number, &w.Witness, &w.At, &w.Answer} },
}

// PutCheckpoint adds one.
func (s *Queries) PutCheckpoint(ctx context.Context, c store.Checkpoint, facts ...store.Fact) error {
	return checkpoints.put(ctx, s, fmt.Sprintf("checkpoint %d", c.Number), c, true, facts)
}

// Checkpoints reads some.
func (s *Queries) Checkpoints(ctx context.Context, from, until int64, limit int) ([]store.Checkpoint, error) {
	if limit <= 0 {
		limit = math.MaxInt32
	}
	order := "number"
	if from < 0 {
		order = "number DESC"
	}
	return checkpoints.all(ctx, s.db, " WHERE number >= $1 AND number < $2 ORDER BY "+order+" LIMIT $3", from, until, int64(limit))
}

// CheckpointsAt looks for each instant by itself.
func (s *Queries) CheckpointsAt(ctx context.Context, at []time.Time) (out []store.Checkpoint, err error) {
	for _, t := range at {
		one, err := checkpoints.all(ctx, s.db, " WHERE at >= $1 ORDER BY at, number LIMIT 1", Micros(t))
		if err != nil {
			return nil, err
		}
		out = append(out, one...)
	}
	return out, nil
}

// PutWitnessed keeps an answer.
func (s *Queries) PutWitnessed(ctx context.Context, w store.Witnessed) error {
	row, err := witnesses.values(w)
	if err != nil {
		return err
	}
	return about("keeping the answer of a witness", s.db.Write(ctx, func(tx Tx) error {
		_, err := tx.Exec(ctx, witnesses.upsert(), row...)
		return err
	}))
}

// Witnessed reads answers.
func (s *Queries) Witnessed(ctx context.Context, from, until int64) ([]store.Witnessed, error) {
	return witnesses.all(ctx, s.db, " WHERE number >= $1 AND number < $2 ORDER BY number, witness", from, until)
}
