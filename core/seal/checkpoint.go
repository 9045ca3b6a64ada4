package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Checkpoint says what the journal was at an instant: the head of the tree of every node, and the checkpoint before.
type Checkpoint struct {
	Number   int64 // from 1
	Epoch    int64 // from 1; a store that was restored from a backup begins the next
	At       time.Time
	Previous Hash  // of the one before; zero for the first
	Lost     int64 // of the first of an epoch: the number of the newest that was known and that the store has forgotten
	LostHash Hash
	Heads    []Head // by Tree
}

// Head is a tree as it was.
type Head struct {
	Tree string
	Size int64
	Root Hash
}

// checkpointMagic is the first line of every checkpoint.
const checkpointMagic = "ringfence checkpoint 1"

// Text is the checkpoint as it is signed.
func (c *Checkpoint) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nnumber %d\nepoch %d\nat %s\nprevious %s\n", checkpointMagic, c.Number, c.Epoch, c.At.UTC().Format(timeForm), base64.StdEncoding.EncodeToString(c.Previous[:]))
	if c.Lost != 0 {
		fmt.Fprintf(&b, "lost %d %s\n", c.Lost, base64.StdEncoding.EncodeToString(c.LostHash[:]))
	}
	for _, h := range c.Heads {
		fmt.Fprintf(&b, "tree %d %s %s\n", h.Size, base64.StdEncoding.EncodeToString(h.Root[:]), h.Tree)
	}
	return b.String()
}

// timeForm has microseconds, always six of them, so that one instant is one text.
const timeForm = "2006-01-02T15:04:05.000000Z"

// Head is the head of a tree, the zero Head when the tree was not there yet.
func (c *Checkpoint) Head(tree string) Head {
	for _, h := range c.Heads {
		if h.Tree == tree {
			return h
		}
	}
	return Head{Tree: tree}
}

// Hash is what the next checkpoint, and every notice, names a checkpoint by: the SHA-256 of its text without the signatures.
func (c *Checkpoint) Hash() Hash { return sha256.Sum256([]byte(c.Text())) }

// Mark is how a notice names a checkpoint.
func (c *Checkpoint) Mark() string {
	h := c.Hash()
	return fmt.Sprintf("%d-%s", c.Number, hex.EncodeToString(h[:]))
}

// NumberOf is the number of the checkpoint that a mark names; 0 when it names none.
func NumberOf(mark string) int64 {
	number, _, _ := strings.Cut(mark, "-")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0
	}
	return max(0, n)
}

// ErrCheckpoint says that a text is not a checkpoint of ours, or not signed with a key that is known.
var ErrCheckpoint = errors.New("not a checkpoint")

// ParseCheckpoint reads the text of a checkpoint. It takes exactly what Text writes.
func ParseCheckpoint(text string) (c Checkpoint, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 6 || lines[0] != checkpointMagic {
		return c, ErrCheckpoint
	}
	for _, line := range lines[1 : len(lines)-1] {
		name, value, _ := strings.Cut(line, " ")
		if err = c.read(name, value); err != nil {
			return Checkpoint{}, fmt.Errorf("%w: %q", ErrCheckpoint, line)
		}
	}
	if c.Text() != text {
		return Checkpoint{}, fmt.Errorf("%w: written in another way", ErrCheckpoint)
	}
	return c, nil
}

func (c *Checkpoint) read(name, value string) (err error) {
	switch name {
	case "number":
		c.Number, err = strconv.ParseInt(value, 10, 64)
	case "epoch":
		c.Epoch, err = strconv.ParseInt(value, 10, 64)
	case "at":
		c.At, err = time.Parse(timeForm, value)
	case "previous":
		c.Previous, err = hash64(value)
	case "lost":
		n, h, _ := strings.Cut(value, " ")
		if c.Lost, err = strconv.ParseInt(n, 10, 64); err == nil {
			c.LostHash, err = hash64(h)
		}
	case "tree":
		parts := strings.SplitN(value, " ", 3)
		if len(parts) < 3 {
			return ErrCheckpoint
		}
		h := Head{Tree: parts[2]}
		if h.Size, err = strconv.ParseInt(parts[0], 10, 64); err == nil {
			h.Root, err = hash64(parts[1])
		}
		if slices.ContainsFunc(c.Heads, func(o Head) bool { return o.Tree == h.Tree }) {
			return ErrCheckpoint
		}
		c.Heads = append(c.Heads, h)
	default:
		err = ErrCheckpoint
	}
	return err
}

func hash64(s string) (h Hash, err error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) != len(h) {
		return h, ErrCheckpoint
	}
	return Hash(b), nil
}

// Sign makes the signed note of a checkpoint, with a signature of every key.
func (c *Checkpoint) Sign(keys ...note.Signer) ([]byte, error) {
	return note.Sign(&note.Note{Text: c.Text()}, keys...)
}

// OpenCheckpoint reads a signed note that at least one of the keys has signed.
func OpenCheckpoint(signed []byte, keys ...note.Verifier) (Checkpoint, error) {
	n, err := note.Open(signed, note.VerifierList(keys...))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	return ParseCheckpoint(n.Text)
}

// PeekCheckpoint reads a note without looking at its signatures.
func PeekCheckpoint(signed []byte) (Checkpoint, error) {
	text, _, ok := bytes.Cut(signed, []byte("\n\n"))
	if !ok {
		return Checkpoint{}, ErrCheckpoint
	}
	return ParseCheckpoint(string(text) + "\n")
}

// Fingerprint is how people compare a public key: the SHA-256 of its text, in groups.
func Fingerprint(public string) string {
	sum := sha256.Sum256([]byte(public))
	text := hex.EncodeToString(sum[:16])
	var groups []string
	for g := range slices.Chunk([]byte(text), 4) {
		groups = append(groups, string(g))
	}
	return strings.Join(groups, " ")
}

// Compare says what is wrong between two checkpoints of one journal, "" when nothing is. Two of one number that differ, or a tree that shrank, are two
// different copies of one journal: a fork, unless a checkpoint in between says that the store was restored.
func Compare(a, b *Checkpoint) string {
	if a.Number > b.Number || a.Number == b.Number && a.Epoch > b.Epoch {
		a, b = b, a
	}
	switch {
	case a.Number == b.Number && a.Hash() != b.Hash():
		return fmt.Sprintf("fork: there are two checkpoints with number %d", a.Number)
	case a.Number == b.Number:
		return ""
	case b.Number == a.Number+1 && b.Previous != a.Hash() && (b.Lost != a.Number || b.LostHash != a.Hash()):
		return fmt.Sprintf("fork: checkpoint %d does not follow checkpoint %d", b.Number, a.Number)
	case b.At.Before(a.At):
		return fmt.Sprintf("checkpoint %d is older than checkpoint %d", b.Number, a.Number)
	case b.Epoch < a.Epoch:
		return fmt.Sprintf("fork: checkpoint %d is of an earlier epoch than checkpoint %d", b.Number, a.Number)
	}
	for _, h := range a.Heads {
		now := b.Head(h.Tree)
		if now.Size < h.Size && b.Epoch == a.Epoch {
			return fmt.Sprintf("fork: tree %s has %d rows in checkpoint %d and %d in checkpoint %d", h.Tree, h.Size, a.Number, now.Size, b.Number)
		}
		if now.Size == h.Size && now.Root != h.Root && b.Epoch == a.Epoch {
			return fmt.Sprintf("fork: tree %s has other rows in checkpoint %d than in checkpoint %d", h.Tree, a.Number, b.Number)
		}
	}
	return ""
}

// CompareAll says what is wrong among signed notes. Without keys their signatures are not looked at.
func CompareAll(notes [][]byte, keys ...string) (found []string, err error) {
	var verifiers []note.Verifier
	for _, k := range keys {
		v, err := note.NewVerifier(k)
		if err != nil {
			return nil, err
		}
		verifiers = append(verifiers, v)
	}
	all := make([]Checkpoint, len(notes))
	for i, n := range notes {
		if len(keys) == 0 {
			all[i], err = PeekCheckpoint(n)
		} else {
			all[i], err = OpenCheckpoint(n, verifiers...)
		}
		if err != nil {
			return nil, err
		}
		for j := range i {
			if why := Compare(&all[j], &all[i]); why != "" {
				found = append(found, why)
			}
		}
	}
	return found, nil
}
