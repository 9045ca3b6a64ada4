package storetest

import (
	"fmt"
	"testing"

	"ringfence/state/store"
)

// remembered is what a stage remembers, as text.
func remembered(t *testing.T, s store.Stages, stage, under string) (got []string) {
	t.Helper()
	ok(t, s.Memories(t.Context(), stage, under, func(m store.Memory) error {
		got = append(got, fmt.Sprintf("%s=%x", m.Subject, m.Body))
		return nil
	}))
	return got
}

func memories(t *testing.T, s store.Store) {
	advance(t, s, store.Step{Stage: "react", To: 1, Memory: []store.Memory{{Subject: "line/b", Body: []byte{0, 1}}, {Subject: "line/a", Body: []byte{2}}, {Subject: "lines", Body: []byte{3}}, {Subject: "linf", Body: []byte{3}}}})
	advance(t, s, store.Step{Stage: "other", To: 1, Memory: []store.Memory{{Subject: "line/a", Body: []byte{9}}}})
	same(t, "all", remembered(t, s, "react", ""), []string{"line/a=02", "line/b=0001", "lines=03", "linf=03"})
	same(t, "lines", remembered(t, s, "react", "line/"), []string{"line/a=02", "line/b=0001"})
	body, err := s.Memory(t.Context(), "react", "line/b")
	ok(t, err)
	same(t, "one", body, []byte{0, 1})
	body, err = s.Memory(t.Context(), "react", "line/c")
	ok(t, err)
	same(t, "none", body, []byte(nil))
	// All of a step or nothing; what is forgotten and remembered in one step is remembered.
	_, err = s.Advance(t.Context(), store.Step{Stage: "react", To: 1, Memory: []store.Memory{{Subject: "line/b", Body: []byte{7}}}})
	wantIs(t, "again", err, store.ErrMoved)
	_, err = s.Advance(t.Context(), store.Step{Stage: "react", From: 1, To: 2, Memory: []store.Memory{{Subject: "", Body: []byte{7}}}})
	wantIs(t, "of nothing", err, store.ErrInvalid)
	advance(t, s, store.Step{Stage: "react", From: 1, To: 2, Memory: []store.Memory{{Subject: "line/b", Body: []byte{4}}, {Subject: "line/a", Body: nil}, {Subject: "gone", Body: nil}, {Subject: "linf", Body: []byte{5}}, {Subject: "linf", Body: nil}}})
	same(t, "after", remembered(t, s, "react", ""), []string{"line/b=04", "lines=03", "linf=05"})
	same(t, "another stage's", remembered(t, s, "other", ""), []string{"line/a=09"})
}
