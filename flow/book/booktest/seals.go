package booktest

import (
	"context"
	"time"

	"ringfence/state/store"
)

// seals has checkpoints and no trees: nothing that is written here is sealed.
type seals struct{ points []store.Checkpoint }

// Trees finds none.
func (*seals) Trees(context.Context) (map[string]int64, error) { return map[string]int64{}, nil }

// Leaves finds none.
func (*seals) Leaves(context.Context, string, int64, int64, func(store.Leaves) error) error {
	return nil
}

// LeavesOf finds none.
func (*seals) LeavesOf(context.Context, int64, int64, func(store.Leaves) error) error { return nil }

// SealNodes finds none.
func (*seals) SealNodes(context.Context, string, int64, int64, int64) ([]store.SealNode, error) {
	return nil, nil
}

// PutSealNodes keeps none.
func (*seals) PutSealNodes(context.Context, string, []store.SealNode) error { return nil }

// PutCheckpoint keeps it in the order in which they come.
func (s *seals) PutCheckpoint(_ context.Context, c store.Checkpoint, _ ...store.Fact) error {
	s.points = append(s.points, c)
	return nil
}

// Checkpoints gives the last first when from is negative.
func (s *seals) Checkpoints(_ context.Context, from, until int64, limit int) (out []store.Checkpoint, err error) {
	for i := range s.points {
		c := s.points[i]
		if from < 0 {
			c = s.points[len(s.points)-1-i]
		}
		if c.Number >= from && c.Number < until && (limit <= 0 || len(out) < limit) {
			out = append(out, c)
		}
	}
	return out, nil
}

// CheckpointsAt finds none.
func (*seals) CheckpointsAt(context.Context, []time.Time) ([]store.Checkpoint, error) {
	return nil, nil
}

// PutWitnessed keeps none.
func (*seals) PutWitnessed(context.Context, store.Witnessed) error { return nil }

// Witnessed finds none.
func (*seals) Witnessed(context.Context, int64, int64) ([]store.Witnessed, error) { return nil, nil }
