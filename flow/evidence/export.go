package evidence

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"time"

	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/seal"
	"ringfence/state/store"
)

// Filter says which facts a file proves. With none of All, Calls, Rows and Lines it has only the checkpoints.
type Filter struct {
	All         bool // every fact
	Calls       []call.ID
	Rows        []fact.Row // read from the journal with their proofs
	Lines       []string   // identities
	From, Until time.Time  // of the facts of Lines
	Checkpoints []int64    // that must be in the file, by their numbers: those that a notice named, for instance
	// Withhold says which fields are left out, as commitments; nil withholds none. Only texts, lists and objects can be.
	Withhold func(r *fact.Row, f *seal.Field) bool
	// Placed is called for each fact that is proven, with its tree and its place there; nil is not called.
	Placed func(r *fact.Row, tree string, n int64)
}

// maxPoints bounds how many checkpoints go into a file for the times of its rows.
const maxPoints = 400

// Export writes a file of evidence (docs/evidence.md) of the facts that the filter selects, with all that is needed to check them. It makes a checkpoint first, so
// that everything written so far is proven.
func (e *Evidence) Export(ctx context.Context, w io.Writer, f Filter) error {
	last, err := e.Seal(ctx)
	if err != nil {
		return err
	}
	x := &export{e: e, f: &f, last: last, facts: map[string][]placed{}}
	if err := x.collect(ctx); err != nil {
		return err
	}
	points, err := x.points(ctx)
	if err != nil {
		return err
	}
	x.w = seal.NewWriter(w, last.At, e.signedWith())
	for _, p := range points {
		x.w.Checkpoint(p.Note)
		c, err := seal.PeekCheckpoint(p.Note)
		if err != nil {
			return err
		}
		x.cuts = append(x.cuts, c)
	}
	for _, h := range last.Heads {
		if err := x.tree(ctx, h); err != nil {
			return err
		}
	}
	if err := x.unsealedRows(ctx); err != nil {
		return err
	}
	return x.w.Close(e.signer)
}

// export is one file as it is written.
type export struct {
	e        *Evidence
	f        *Filter
	w        *seal.Writer
	last     seal.Checkpoint
	facts    map[string][]placed // of each tree by place, unless the filter is All
	unsealed []fact.Row          // likewise
	hours    map[int64]bool      // in which facts were, in hours since 1970
	cuts     []seal.Checkpoint
}

// placed is a fact and where its leaf is.
type placed struct {
	n    int64
	leaf seal.Hash
	row  fact.Row
}

// collect reads the facts that the filter selects, unless it is all of them.
func (x *export) collect(ctx context.Context) error {
	x.hours = map[int64]bool{}
	if x.f.All {
		return nil
	}
	rows := map[int64]fact.Row{}
	read := func(f store.FactFilter) error {
		return x.page(ctx, f, func(r *fact.Row) error { rows[r.Seq] = *r; return nil })
	}
	for i := range x.f.Rows {
		rows[x.f.Rows[i].Seq] = x.f.Rows[i]
	}
	for calls := range slices.Chunk(x.f.Calls, 200) {
		if err := read(store.FactFilter{Calls: calls}); err != nil {
			return err
		}
	}
	for _, line := range x.f.Lines {
		if err := read(store.FactFilter{Line: line, From: x.f.From, Until: x.f.Until}); err != nil {
			return err
		}
	}
	return x.place(ctx, rows)
}

// page reads facts in the order of the journal, some at a time.
func (x *export) page(ctx context.Context, f store.FactFilter, yield func(*fact.Row) error) error {
	f.Proofs, f.Limit = true, 1000
	for {
		facts, err := x.e.o.Store.Facts(ctx, f)
		if err != nil {
			return err
		}
		for i := range facts {
			if err := yield(&facts[i]); err != nil {
				return err
			}
		}
		if len(facts) < f.Limit {
			return nil
		}
		f.After = facts[len(facts)-1].Seq
	}
}

// place finds the leaves of facts. Seqs that lie close together are looked for at once.
func (x *export) place(ctx context.Context, rows map[int64]fact.Row) error {
	seqs := slices.Sorted(maps.Keys(rows))
	for len(seqs) > 0 {
		n := 1
		for n < len(seqs) && seqs[n]-seqs[n-1] < 64 {
			n++
		}
		err := x.e.o.Store.LeavesOf(ctx, seqs[0], seqs[n-1]+1, func(l store.Leaves) error {
			for i, seq := range l.Seqs {
				r, is := rows[seq]
				delete(rows, seq)
				if n := l.First + int64(i); is && n < x.last.Head(l.Tree).Size { // what was written since is for the next file
					x.facts[l.Tree] = append(x.facts[l.Tree], placed{n, l.Hashes[i], r})
					x.hours[r.At.Unix()/3600] = true
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		seqs = seqs[n:]
	}
	for _, seq := range slices.Sorted(maps.Keys(rows)) {
		x.unsealed = append(x.unsealed, rows[seq])
	}
	for _, all := range x.facts {
		slices.SortFunc(all, func(a, b placed) int { return cmp.Compare(a.n, b.n) })
	}
	return nil
}

// points chooses the checkpoints of the file: the first, the newest, those asked for, and for each hour with facts the first after it, which shows that they were
// there by then.
func (x *export) points(ctx context.Context) ([]store.Checkpoint, error) {
	s := x.e.o.Store
	out := map[int64]store.Checkpoint{}
	add := func(cs []store.Checkpoint, err error) error {
		for _, c := range cs {
			if c.Number <= x.last.Number {
				out[c.Number] = c
			}
		}
		return err
	}
	first, err := s.Checkpoints(ctx, 0, x.last.Number+1, 1)
	err = errors.Join(add(first, err), add(s.Checkpoints(ctx, x.last.Number, x.last.Number+1, 1)))
	for _, n := range x.f.Checkpoints {
		err = errors.Join(err, add(s.Checkpoints(ctx, n, n+1, 1)))
	}
	if err == nil && len(first) > 0 {
		err = add(s.CheckpointsAt(ctx, x.instants(first[0].At)))
	}
	all := make([]store.Checkpoint, 0, len(out))
	for _, n := range slices.Sorted(maps.Keys(out)) {
		all = append(all, out[n])
	}
	return all, err
}

// instants are those after which a checkpoint is wanted, some hundred at most.
func (x *export) instants(first time.Time) (out []time.Time) {
	if x.f.All {
		step := max(x.last.At.Sub(first)/maxPoints, time.Hour)
		for t := first.Add(step); t.Before(x.last.At); t = t.Add(step) {
			out = append(out, t)
		}
		return out
	}
	hours := slices.Sorted(maps.Keys(x.hours))
	for i := 0; i < len(hours); i += len(hours)/maxPoints + 1 {
		out = append(out, time.Unix((hours[i]+1)*3600, 0).Add(seal.Late))
	}
	return out
}

// tree writes one tree: its rows, and hashes for what is between them.
func (x *export) tree(ctx context.Context, h seal.Head) error {
	x.w.Tree(h.Tree)
	p := &path{x: x, h: newHashes(x.e.o.Store, h.Tree)}
	for i := range x.cuts {
		p.cuts = append(p.cuts, x.cuts[i].Head(h.Tree).Size)
	}
	rows := func(yield func(placed) error) error { return x.allRows(ctx, h, yield) }
	if !x.f.All {
		rows = func(yield func(placed) error) error {
			for _, r := range x.facts[h.Tree] {
				if err := yield(r); err != nil {
					return err
				}
			}
			return nil
		}
	}
	err := rows(func(r placed) error {
		if err := p.skip(ctx, r.n); err != nil {
			return err
		}
		s := x.row(&r.row)
		x.w.Row(r.n, r.leaf, &s)
		if x.f.Placed != nil {
			x.f.Placed(&r.row, h.Tree, r.n)
		}
		p.pos = r.n + 1
		return nil
	})
	if err != nil {
		return err
	}
	return p.skip(ctx, h.Size)
}

// row is a fact as it goes into the file.
func (x *export) row(r *fact.Row) seal.Sealed {
	s, err := seal.Read(r)
	if err == nil && x.f.Withhold != nil {
		s.Withhold(func(f *seal.Field) bool { return x.f.Withhold(r, f) })
	}
	return s // without a proof it does not have the leaf's hash, and the person who checks sees that
}

// path is how far a tree was written.
type path struct {
	x    *export
	h    *hashes
	pos  int64
	cuts []int64 // sizes at which a checkpoint is compared, so no subtree may reach over them
}

// skip writes hashes up to a place.
func (p *path) skip(ctx context.Context, until int64) error {
	for _, cut := range append(slices.Clone(p.cuts), until) {
		for _, s := range seal.Spans(p.pos, min(cut, until)) {
			root, err := p.h.span(ctx, s)
			if err != nil {
				return err
			}
			p.x.w.Skip(s, root)
		}
		p.pos = max(p.pos, min(cut, until))
	}
	return nil
}

// allRows reads a whole tree with its facts. Leaves whose fact is deleted are left out.
func (x *export) allRows(ctx context.Context, h seal.Head, yield func(placed) error) error {
	for from := int64(0); from < h.Size; from += 4 * fan {
		var leaves []placed
		until := min(from+4*fan, h.Size)
		err := x.e.o.Store.Leaves(ctx, h.Tree, from, until, func(l store.Leaves) error {
			for i := range l.Seqs {
				if n := l.First + int64(i); n >= from && n < until {
					leaves = append(leaves, placed{n, l.Hashes[i], fact.Row{Seq: l.Seqs[i]}})
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := x.withFacts(ctx, leaves, yield); err != nil {
			return err
		}
	}
	return nil
}

func (x *export) withFacts(ctx context.Context, leaves []placed, yield func(placed) error) error {
	if len(leaves) == 0 {
		return nil
	}
	last := leaves[len(leaves)-1].row.Seq
	done := errors.New("the facts of these leaves are read")
	err := x.page(ctx, store.FactFilter{After: leaves[0].row.Seq - 1}, func(r *fact.Row) error {
		for len(leaves) > 0 && leaves[0].row.Seq < r.Seq {
			leaves = leaves[1:]
		}
		if r.Seq > last || len(leaves) == 0 {
			return done
		}
		if leaves[0].row.Seq != r.Seq {
			return nil // of another tree
		}
		leaves[0].row = *r
		return yield(leaves[0])
	})
	if errors.Is(err, done) {
		return nil
	}
	return err
}

// unsealedRows writes what no leaf is of: facts from the time before rows were sealed, and any that somebody added around the program.
func (x *export) unsealedRows(ctx context.Context) error {
	write := func(r *fact.Row) {
		s := x.row(r)
		for i := range s.Fields {
			s.Fields[i].Kind = seal.Plain
		}
		s.Salt = nil
		x.w.Unsealed(r.Seq, &s)
	}
	for i := range x.unsealed {
		write(&x.unsealed[i])
	}
	if !x.f.All {
		return nil
	}
	var seqs []int64
	next := int64(0)
	return x.page(ctx, store.FactFilter{}, func(r *fact.Row) error {
		if r.Seq >= next { // the leaves of the next thousand
			seqs, next = seqs[:0], r.Seq+1000
			if err := x.e.o.Store.LeavesOf(ctx, r.Seq, next, func(l store.Leaves) error { seqs = append(seqs, l.Seqs...); return nil }); err != nil {
				return err
			}
		}
		if _, sealed := slices.BinarySearch(seqs, r.Seq); !sealed {
			write(r)
		}
		return nil
	})
}

// Wrote says what is wrong with a file of evidence that this server is to have written, as a whole: nil, if its end is signed with the key in use.
func (e *Evidence) Wrote(from io.Reader) error {
	r, err := seal.Verify(from, e.public)
	if err != nil {
		return err
	}
	for _, f := range r.Findings { // checkpoints may be of a former key
		if f.What == seal.BadFile {
			return errors.New(f.Text)
		}
	}
	return nil
}

// Clear copies a file of evidence without what rows that hide names say, signed with the key in use: see seal.Clear.
func (e *Evidence) Clear(to io.Writer, from io.Reader, hide func(*seal.Sealed) bool) (int64, error) {
	return seal.Clear(to, from, hide, e.public, e.signer)
}
