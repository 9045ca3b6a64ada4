package evidence

import (
	"context"
	"errors"
	"fmt"

	"ringfence/core/seal"
	"ringfence/state/store"
)

// fan is how many subtrees of one stored level make one of the next.
const (
	fan     = 256
	fanBits = 8
)

// ErrTree says that leaves of a tree are missing or stand in the wrong place.
var ErrTree = errors.New("the tree is not whole")

// growing is a tree as the last checkpoint has it.
type growing struct {
	name string
	tree seal.Tree
	part []seal.Tree // for each stored level, the complete subtrees of the one that is not complete yet
}

// resume reads a tree as far as the last checkpoint has it.
func (e *Evidence) resume(ctx context.Context, name string) (*growing, error) {
	size := e.last.Head(name).Size
	h := newHashes(e.o.Store, name)
	t, err := h.tree(ctx, size)
	if err != nil {
		return nil, err
	}
	g := &growing{name: name, tree: *t}
	for level := 0; size>>(fanBits*level) > 0; level++ {
		n := size >> (fanBits * level)
		children, err := h.nodes(ctx, level, n&^(fan-1), n)
		if err != nil {
			return nil, err
		}
		var p seal.Tree
		for _, c := range children {
			_ = p.Add(0, c) // a leaf can always be added
		}
		g.part = append(g.part, p)
	}
	return g, nil
}

// grow adds leaves up to a size.
func (g *growing) grow(ctx context.Context, s store.Seals, size int64) error {
	var roots []store.SealNode
	err := s.Leaves(ctx, g.name, g.tree.Size, size, func(l store.Leaves) error {
		for i, h := range l.Hashes {
			switch n := l.First + int64(i); {
			case n < g.tree.Size || n >= size:
			case n > g.tree.Size:
				return fmt.Errorf("tree %s, row %d: %w", g.name, g.tree.Size, ErrTree)
			default:
				roots = g.add(h, roots)
			}
		}
		return nil
	})
	if err == nil && g.tree.Size < size {
		err = fmt.Errorf("tree %s ends at row %d instead of %d: %w", g.name, g.tree.Size, size, ErrTree)
	}
	if err != nil || len(roots) == 0 {
		return err
	}
	return s.PutSealNodes(ctx, g.name, roots)
}

// add appends a leaf, and the roots of the subtrees that it completes.
func (g *growing) add(h seal.Hash, roots []store.SealNode) []store.SealNode {
	_ = g.tree.Add(0, h) // a leaf can always be added
	for level := 0; ; level++ {
		if level == len(g.part) {
			g.part = append(g.part, seal.Tree{})
		}
		p := &g.part[level]
		_ = p.Add(0, h)
		if p.Size < fan {
			return roots
		}
		h, *p = p.Root(), seal.Tree{}
		roots = append(roots, store.SealNode{Level: int64(level + 1), N: g.tree.Size>>(fanBits*(level+1)) - 1, Hash: h})
	}
}

// hashes finds the hash of any complete subtree of one tree. It keeps what it has read, as far as there is room.
type hashes struct {
	s    store.Seals
	name string
	read map[tile][]seal.Hash
}

// tile is up to 256 hashes of one stored level.
type tile struct {
	level int
	n     int64
}

// maxTiles are 8 KiB each.
const maxTiles = 2048

func newHashes(s store.Seals, name string) *hashes {
	return &hashes{s: s, name: name, read: map[tile][]seal.Hash{}}
}

// tree is the tree as it was with so many leaves.
func (h *hashes) tree(ctx context.Context, size int64) (*seal.Tree, error) {
	t := &seal.Tree{}
	for _, s := range seal.Spans(0, size) {
		root, err := h.span(ctx, s)
		if err != nil {
			return nil, err
		}
		if err := t.Add(s.Level, root); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// span is the root of a complete subtree.
func (h *hashes) span(ctx context.Context, s seal.Span) (seal.Hash, error) {
	level, bits := s.Level/fanBits, s.Level%fanBits
	from := s.From >> (fanBits * level)
	children, err := h.nodes(ctx, level, from, from+1<<bits)
	if err != nil {
		return seal.Hash{}, err
	}
	if bits == 0 {
		return children[0], nil
	}
	var t seal.Tree
	for _, c := range children {
		_ = t.Add(0, c)
	}
	return t.Root(), nil
}

// nodes are hashes of one stored level, all of one tile.
func (h *hashes) nodes(ctx context.Context, level int, from, until int64) ([]seal.Hash, error) {
	if from == until {
		return nil, nil
	}
	at := tile{level, from / fan}
	first := at.n * fan
	if all := h.read[at]; int64(len(all)) >= until-first {
		return all[from-first : until-first], nil
	}
	all, err := h.load(ctx, level, first, first+fan)
	if err != nil {
		return nil, err
	}
	if len(h.read) >= maxTiles {
		clear(h.read)
	}
	for int64(len(all)) < until-first && level > 0 { // a crash before it was stored: it comes from the level below
		below, err := h.nodes(ctx, level-1, (first+int64(len(all)))*fan, (first+int64(len(all))+1)*fan)
		if err != nil {
			return nil, err
		}
		var t seal.Tree
		for _, c := range below {
			_ = t.Add(0, c)
		}
		all = append(all, t.Root())
	}
	if int64(len(all)) < until-first {
		return nil, fmt.Errorf("tree %s, level %d, from %d on: %w", h.name, level, first+int64(len(all)), ErrTree)
	}
	h.read[at] = all
	return all[from-first : until-first], nil
}

// load reads what is stored of a tile, from its beginning on without a gap.
func (h *hashes) load(ctx context.Context, level int, from, until int64) (out []seal.Hash, err error) {
	if level == 0 {
		err = h.s.Leaves(ctx, h.name, from, until, func(l store.Leaves) error {
			for i, x := range l.Hashes {
				if n := l.First + int64(i); n == from+int64(len(out)) && n < until {
					out = append(out, x)
				}
			}
			return nil
		})
		return out, err
	}
	stored, err := h.s.SealNodes(ctx, h.name, int64(level), from, until)
	for _, n := range stored {
		if n.N == from+int64(len(out)) {
			out = append(out, n.Hash)
		}
	}
	return out, err
}
