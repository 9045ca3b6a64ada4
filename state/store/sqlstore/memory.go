package sqlstore

import (
	"context"
	"fmt"

	"ringfence/state/store"
)

// memory is a row of what a stage remembers.
type memory struct {
	stage string
	store.Memory
}

var memories = table[memory]{
	"memory", "memories", 2,
	"stage, subject, body",
	func(m *memory) []any { return []any{(*short)(&m.stage), (*short)(&m.Subject), &m.Body} },
}

// remember writes what a step remembers, and deletes what it forgets.
func remember(ctx context.Context, tx Tx, step *store.Step) error {
	var put, drop []memory
	for _, m := range step.Memory {
		row := memory{step.Stage, m}
		if len(m.Body) == 0 {
			drop = append(drop, row)
		} else {
			put = append(put, row)
		}
	}
	return memories.save(ctx, tx, memories.upsert(), put, drop)
}

// Memory reads what a stage remembers of a subject.
func (s *Queries) Memory(ctx context.Context, stage, subject string) ([]byte, error) {
	rows, err := memories.all(ctx, s.db, " WHERE stage = $1 AND subject = $2", store.Short(stage), store.Short(subject))
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0].Body, nil
}

// Memories streams what a stage remembers of the subjects that begin with a text, by subject.
func (s *Queries) Memories(ctx context.Context, stage, under string, yield func(store.Memory) error) error {
	under = store.Clean(under)
	rest := fmt.Sprintf(" WHERE stage = $1 AND subject >= $2 AND substr(subject, 1, %d) = $2 ORDER BY subject", len([]rune(under)))
	return memories.stream(ctx, s.db, rest, []any{store.Short(stage), under}, func(m memory) error { return yield(m.Memory) })
}
