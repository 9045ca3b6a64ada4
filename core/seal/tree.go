package seal

import (
	"crypto/sha256"
	"errors"
)

// Node is the hash of two subtrees (RFC 9162 section 2.1.1).
func Node(left, right *Hash) Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// Tree is the least that must be known of a Merkle tree to let it grow: the roots of its complete subtrees, the largest first. The zero Tree is empty.
type Tree struct {
	Size  int64
	nodes []Hash
}

// ErrPlace says that a subtree cannot stand at the end of a tree.
var ErrPlace = errors.New("a subtree does not begin there")

// Add appends a complete subtree of 2^level leaves.
func (t *Tree) Add(level int, h Hash) error {
	if level < 0 || level > 62 || t.Size&(1<<level-1) != 0 {
		return ErrPlace
	}
	size := t.Size
	t.Size += 1 << level
	for ; size>>level&1 == 1; level++ {
		last := len(t.nodes) - 1
		h = Node(&t.nodes[last], &h)
		t.nodes = t.nodes[:last]
	}
	t.nodes = append(t.nodes, h)
	return nil
}

// Root is the root hash of the tree as it is.
func (t *Tree) Root() Hash {
	last := len(t.nodes) - 1
	if last < 0 {
		return sha256.Sum256(nil)
	}
	root := t.nodes[last]
	for last--; last >= 0; last-- {
		root = Node(&t.nodes[last], &root)
	}
	return root
}

// Clone is a copy that grows by itself.
func (t *Tree) Clone() *Tree {
	return &Tree{Size: t.Size, nodes: append([]Hash(nil), t.nodes...)}
}

// Span is a complete subtree: the leaves from From, 2^Level of them.
type Span struct {
	From  int64
	Level int
}

// Spans are the largest complete subtrees that make up the leaves from from to before until.
func Spans(from, until int64) (out []Span) {
	for from < until {
		level := 0
		for from&(1<<level) == 0 && from+(2<<level) <= until && level < 61 {
			level++
		}
		out = append(out, Span{from, level})
		from += 1 << level
	}
	return out
}
