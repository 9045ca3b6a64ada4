package seal

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// The first words of the lines of a file of evidence, in the order in which they come. Parts of a line are separated by tabs.
const (
	lineFirst      = "ringfence-evidence-1" // when it was made
	lineKey        = "key"                  // a public key
	lineCheckpoint = "checkpoint"           // a signed note, as a JSON text
	lineTree       = "tree"                 // the name of the tree that the lines after it are of
	lineRow        = "row"                  // its place, leaf hash, time, kind, version, salt, and name, mark and value of each field
	lineSkip       = "skip"                 // the place, level and hash of a subtree whose rows are not in the file
	lineUnsealed   = "unsealed"             // like a row, from the time before rows were sealed
	lineEnd        = "end"                  // a signed note of how many rows there are and of the sum of all lines before
)

// Marks of a field.
const (
	markPlain  = "-" // the value is in the leaf
	markSalted = "=" // committed, with a salt that comes from the row's
	markErased = "#" // the value is the commitment
)

// Writer writes a file of evidence. Its caller gives rows and skips in the order of their places.
type Writer struct {
	w    *bufio.Writer
	sum  hash.Hash
	rows int64
	b    []byte
}

// NewWriter begins a file.
func NewWriter(w io.Writer, made time.Time, public []string) *Writer {
	out := &Writer{sum: sha256.New()}
	out.w = bufio.NewWriterSize(io.MultiWriter(w, out.sum), 1<<16)
	out.line(lineFirst, made.UTC().Format(timeForm))
	for _, k := range public {
		out.line(lineKey, k)
	}
	return out
}

func (w *Writer) line(parts ...string) {
	for i, p := range parts {
		if i > 0 {
			w.b = append(w.b, '\t')
		}
		w.b = append(w.b, p...)
	}
	w.flush()
}

func (w *Writer) flush() {
	_, _ = w.w.Write(append(w.b, '\n')) // bufio repeats an error in Flush
	w.b = w.b[:0]
}

// Checkpoint adds a signed note.
func (w *Writer) Checkpoint(signed []byte) {
	w.line(lineCheckpoint, string(quote(nil, string(signed))))
}

// Tree begins a tree.
func (w *Writer) Tree(name string) { w.line(lineTree, name) }

// Skip stands for the leaves of a complete subtree.
func (w *Writer) Skip(s Span, h Hash) {
	w.line(lineSkip, strconv.FormatInt(s.From, 10), strconv.Itoa(s.Level), hex.EncodeToString(h[:]))
}

// Row adds a row with the leaf hash that it was sealed with.
func (w *Writer) Row(n int64, leaf Hash, r *Sealed) {
	w.rows++
	w.row(lineRow, n, hex.EncodeToString(leaf[:]), r)
}

// Unsealed adds a row that was written before rows were sealed: nothing proves it.
func (w *Writer) Unsealed(seq int64, r *Sealed) {
	w.rows++
	w.row(lineUnsealed, seq, "-", r)
}

func (w *Writer) row(what string, n int64, leaf string, r *Sealed) {
	b := append(w.b, what...)
	b = append(strconv.AppendInt(append(b, '\t'), n, 10), '\t')
	b = append(append(b, leaf...), '\t')
	b = append(strconv.AppendInt(b, r.At, 10), '\t')
	b = append(append(b, r.Kind...), '\t')
	b = append(strconv.AppendInt(b, int64(r.Version), 10), '\t')
	if r.Salt == nil {
		b = append(b, '-')
	} else {
		b = hex.AppendEncode(b, r.Salt[:])
	}
	for i := range r.Fields {
		f := &r.Fields[i]
		b = append(append(append(b, '\t'), f.Name...), '\t')
		switch {
		case f.Kind == Plain:
			b = append(append(append(b, markPlain...), '\t'), f.Value...)
		case f.Kind == Erased:
			b = hex.AppendEncode(append(append(b, markErased...), '\t'), f.Hash[:])
		case r.Salt != nil:
			b = append(append(append(b, markSalted...), '\t'), f.Value...)
		default:
			b = append(append(hex.AppendEncode(b, f.Salt[:]), '\t'), f.Value...)
		}
	}
	w.b = b
	w.flush()
}

// endText is what is signed at the end of a file.
func endText(rows int64, sum []byte) string {
	return fmt.Sprintf("ringfence evidence end 1\nrows %d\nsha256 %s\n", rows, hex.EncodeToString(sum))
}

// Close ends the file, signed.
func (w *Writer) Close(keys ...note.Signer) error {
	if err := w.w.Flush(); err != nil {
		return err
	}
	signed, err := note.Sign(&note.Note{Text: endText(w.rows, w.sum.Sum(nil))}, keys...)
	if err != nil {
		return err
	}
	w.line(lineEnd, string(quote(nil, string(signed))))
	return w.w.Flush()
}
