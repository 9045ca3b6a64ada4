package storetest

import (
	"fmt"
	"testing"

	"ringfence/state/store"
)

func marks(t *testing.T, s store.Store) {
	ctx := t.Context()
	none, err := s.Marks(ctx)
	ok(t, err)
	same(t, "at first", len(none), 0)
	last, err := s.Last(ctx)
	ok(t, err)
	same(t, "end of an empty journal", last.IsZero(), true)
	ok(t, s.PutMark(ctx, store.Mark{Name: "key", Value: "a", Sealed: []byte{0, 1}}, "", store.Fact{Kind: "mark.made", At: T0}))
	wantIs(t, "made twice", s.PutMark(ctx, store.Mark{Name: "key", Value: "b"}, "", store.Fact{Kind: "x"}), store.ErrMoved)
	wantIs(t, "changed meanwhile", s.PutMark(ctx, store.Mark{Name: "key", Value: "b"}, "c", store.Fact{Kind: "x"}), store.ErrMoved)
	wantIs(t, "gone", s.PutMark(ctx, store.Mark{Name: "gap", Value: "b"}, "c", store.Fact{Kind: "x"}), store.ErrMoved)
	ok(t, s.PutMark(ctx, store.Mark{Name: "gap", Value: "b"}, ""))
	ok(t, s.PutMark(ctx, store.Mark{Name: "gap"}, "b"))
	_, err = s.Rekey(ctx, func(sealed []byte) ([]byte, error) { return append(sealed, 9), nil })
	ok(t, err)
	got, err := s.Marks(ctx)
	ok(t, err)
	same(t, "marks", got, map[string]store.Mark{"key": {Name: "key", Value: "a", Sealed: []byte{0, 1, 9}}, "gap": {Name: "gap"}})
	last, err = s.Last(ctx)
	ok(t, err)
	same(t, "end of the journal", last.Equal(T0), true)
	same(t, "journal", kinds(t, s, store.FactFilter{}), []string{"mark.made"})
}

// Everything is what money consists of, as text, for comparing a store with its copy.
func Everything(t *testing.T, s store.Store) string {
	t.Helper()
	ctx := t.Context()
	open, err1 := s.OpenCalls(ctx, "")
	cdrs, err2 := s.CDRs(ctx, store.CDRFilter{Limit: 1e6})
	facts, err3 := s.Facts(ctx, store.FactFilter{Limit: 1e6})
	purses, err4 := s.Purses(ctx, []string{"p", "q"})
	marks, err5 := s.Marks(ctx)
	for _, err := range []error{err1, err2, err3, err4, err5} {
		ok(t, err)
	}
	return fmt.Sprintf("%+v\n%+v\n%+v\n%+v\n%+v\n%+v", open, cdrs, facts, purses, eachLine(t, s), marks)
}
