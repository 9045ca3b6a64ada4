package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Late is how much older than the checkpoint before it a row may say it is. Clocks differ, and some facts are written a little after the event.
const Late = 10 * time.Minute

// Kinds of finding in a file of evidence.
const (
	Changed       = "changed"
	Removed       = "removed"
	Reordered     = "reordered"
	Inserted      = "inserted"
	BackDated     = "back-dated"
	BadCheckpoint = "checkpoint"
	BadFile       = "file"
)

// Finding is one thing that is wrong with a file of evidence.
type Finding struct {
	What string // one of the kinds
	Text string
}

func (f Finding) String() string { return f.What + ": " + f.Text }

// Report is what came of a check.
type Report struct {
	Made     string
	Keys     []string // public keys by which the file says that it is signed
	Rows     int64
	Unsealed int64 // rows from the time before rows were sealed
	Trees    int64
	Passed   []Checkpoint // whose signatures and heads are right
	Findings []Finding
}

// ErrFormat says that a file is not one of evidence, or that this program does not know its form.
var ErrFormat = errors.New("not a file of evidence")

// Verify checks a file. With trusted keys only their signatures count; without, those of the keys that the file itself names, whose fingerprints the
// reader must compare.
func Verify(r io.Reader, trusted ...string) (Report, error) {
	v := &verifier{trusted: trusted, at: map[string]*treeCheck{}}
	if err := v.read(r); err != nil {
		return Report{}, err
	}
	if v.place == 0 {
		return Report{}, fmt.Errorf("%w: it is empty", ErrFormat)
	}
	v.finish()
	return v.Report, nil
}

// verifier is the state of a check. One goroutine has it.
type verifier struct {
	Report
	trusted []string
	keys    []note.Verifier
	points  []Checkpoint
	bad     map[int]bool // of points
	at      map[string]*treeCheck
	tree    *treeCheck // the one whose lines are being read
	place   int        // of the last line, in the order of kinds
	ended   bool
	after   bool // lines after the end were found
}

func (v *verifier) found(what, format string, args ...any) {
	v.Findings = append(v.Findings, Finding{what, fmt.Sprintf(format, args...)})
}

// take checks one line.
func (v *verifier) take(x *item) error {
	if v.ended {
		if !v.after {
			v.after = true
			v.found(BadFile, "there are lines after its end")
		}
		return nil
	}
	if err := v.inOrder(x); err != nil {
		return err
	}
	switch x.what {
	case lineFirst:
		v.Made = x.text
	case lineKey:
		return v.key(x.text)
	case lineCheckpoint:
		v.checkpoint(x.text)
	case lineTree:
		v.endTree()
		v.begin(x.text)
	case lineRow, lineSkip:
		if v.tree == nil {
			return fmt.Errorf("%w: a row before its tree", ErrFormat)
		}
		v.tree.take(v, x)
	case lineUnsealed:
		v.unsealed(x)
	case lineEnd:
		v.endTree()
		v.end(x)
	}
	return nil
}

// order is where kinds of lines stand in a file, from 1. A checkpoint after the rows would not be compared with them, and a row that nothing seals would be
// compared with none before it.
var order = map[string]int{lineFirst: 1, lineKey: 2, lineCheckpoint: 3, lineTree: 4, lineRow: 4, lineSkip: 4, lineUnsealed: 5, lineEnd: 6}

// inOrder wants each line where its kind has its place, and the first line once.
func (v *verifier) inOrder(x *item) error {
	at := order[x.what]
	switch {
	case x.err != nil:
		return x.err
	case at < v.place, at > 1 && v.place == 0, at == 1 && v.place == 1:
		return fmt.Errorf("%w: a line %q is out of its place", ErrFormat, x.what)
	}
	v.place = at
	return nil
}

func (v *verifier) key(public string) error {
	k, err := note.NewVerifier(public)
	if err == nil && strings.ContainsRune(public, '\r') { // which base64 passes over
		err = errors.New("it has a carriage return")
	}
	if err != nil {
		return fmt.Errorf("%w: a key: %w", ErrFormat, err)
	}
	v.Keys = append(v.Keys, public)
	if len(v.trusted) == 0 {
		v.keys = append(v.keys, k)
		return nil
	}
	for _, t := range v.trusted {
		if t == public {
			v.keys = append(v.keys, k)
		}
	}
	return nil
}

// checkpoint checks the signature of a checkpoint and that it follows those before.
func (v *verifier) checkpoint(quoted string) {
	var signed string
	if json.Unmarshal([]byte(quoted), &signed) != nil {
		v.found(BadCheckpoint, "one of them cannot be read")
		return
	}
	c, err := OpenCheckpoint([]byte(signed), v.keys...)
	if err != nil {
		p, perr := PeekCheckpoint([]byte(signed))
		if perr != nil {
			v.found(BadCheckpoint, "one of them cannot be read")
			return
		}
		v.found(BadCheckpoint, "%d is not signed with a key that is trusted", p.Number)
		return
	}
	if n := len(v.points); n > 0 && !follows(&v.points[n-1], &c) {
		v.found(BadCheckpoint, "%d does not follow %d", c.Number, v.points[n-1].Number)
		return
	}
	v.points = append(v.points, c)
}

// follows says that a checkpoint of one store can come after another.
func follows(a, b *Checkpoint) bool {
	if b.Number <= a.Number || b.At.Before(a.At) || b.Epoch < a.Epoch || b.Number == a.Number+1 && b.Previous != a.Hash() {
		return false
	}
	for _, h := range a.Heads {
		if b.Head(h.Tree).Size < h.Size {
			return false
		}
	}
	return true
}

func (v *verifier) begin(name string) {
	v.Trees++
	t := &treeCheck{name: name}
	if v.at[name] != nil {
		v.found(Inserted, "tree %s is there twice", name)
	}
	for i := range v.points {
		if h := v.points[i].Head(name); h.Size > 0 {
			t.due = append(t.due, due{point: i, Head: h})
		}
	}
	v.at[name], v.tree = t, t
}

func (v *verifier) endTree() {
	if v.tree != nil {
		v.tree.end(v)
		v.tree = nil
	}
}

// end checks what was signed of the file as a whole.
func (v *verifier) end(x *item) {
	v.ended = true
	var signed string
	err := json.Unmarshal([]byte(x.text), &signed)
	n, openErr := note.Open([]byte(signed), note.VerifierList(v.keys...))
	if err != nil || openErr != nil {
		v.found(BadFile, "its end is not signed with a key that is trusted")
		return
	}
	if n.Text != endText(v.Rows, x.sum) {
		v.found(BadFile, "it is not as it was when it was signed")
	}
}

// unsealed counts a row that nothing proves. There can be none of a time at which rows were sealed, and only the first checkpoint of all says when that began.
func (v *verifier) unsealed(x *item) {
	v.Rows++
	v.Unsealed++
	if len(v.points) > 0 && (v.points[0].Number > 1 || x.at > v.points[0].At.Add(Late).UnixMicro()) {
		v.found(Inserted, "fact %d of %s is not sealed", x.n, instant(x.at))
	}
}

func (v *verifier) finish() {
	v.endTree()
	if !v.ended {
		v.found(BadFile, "its end is missing")
	}
	if len(v.points) == 0 {
		v.found(BadCheckpoint, "there is none")
		return
	}
	last := v.points[len(v.points)-1]
	for _, h := range last.Heads {
		if h.Size > 0 && v.at[h.Tree] == nil {
			v.found(Removed, "tree %s, which checkpoint %d names", h.Tree, last.Number)
		}
	}
	for i := range v.points {
		if !v.bad[i] {
			v.Passed = append(v.Passed, v.points[i])
		}
	}
}

// due is a checkpoint to compare a tree with once it is that large.
type due struct {
	Head
	point int
}

// treeCheck walks along one tree.
type treeCheck struct {
	name   string
	tree   Tree
	pos    int64 // the place that comes next
	gaps   []gap
	broken bool // what was seen is not a whole tree any more, so its root says nothing
	due    []due
	passed int   // of due
	proven int64 // rows before it are as a checkpoint says
}

// gap is places from from to before until that did not come when they should.
type gap struct{ from, until int64 }

func (t *treeCheck) take(v *verifier, x *item) {
	size := int64(1)
	if x.what == lineSkip {
		size = 1 << x.level
	} else {
		v.Rows++
	}
	switch {
	case x.n > t.pos:
		t.gaps, t.broken = append(t.gaps, gap{t.pos, x.n}), true
	case x.n < t.pos:
		t.broken = true
		if t.fill(x.n, size) {
			v.found(Reordered, "row %d of tree %s", x.n, t.name)
		} else {
			v.found(Inserted, "row %d of tree %s is there twice", x.n, t.name)
		}
	}
	t.pos = max(t.pos, x.n+size)
	if x.what == lineRow {
		t.row(v, x)
	}
	if !t.broken && t.tree.Add(x.level, x.hash) != nil {
		t.broken = true
		v.found(BadFile, "row %d of tree %s: the hash of a subtree stands where none can begin", x.n, t.name)
	}
	t.compare(v)
}

// fill takes a place out of the gaps, if it is in one.
func (t *treeCheck) fill(n, size int64) bool {
	for i, g := range t.gaps {
		if g.from <= n && n+size <= g.until {
			t.gaps = append(t.gaps[:i:i], append([]gap{{g.from, n}, {n + size, g.until}}, t.gaps[i+1:]...)...)
			return true
		}
	}
	return false
}

func (t *treeCheck) row(v *verifier, x *item) {
	if !x.ok {
		v.found(Changed, "row %d of tree %s", x.n, t.name)
	}
	for i := len(t.due) - 1; i >= 0; i-- {
		d := &t.due[i]
		if d.Size > x.n {
			continue
		}
		c := &v.points[d.point]
		if x.at < c.At.Add(-Late).UnixMicro() {
			v.found(BackDated, "row %d of tree %s says %s, but was written after checkpoint %d of %s", x.n, t.name, instant(x.at), c.Number, c.At.Format(timeForm))
		}
		return
	}
}

// instant is a time of a row in words, or as it stands where it is beyond the calendar of either verifier.
func instant(us int64) string {
	if t := time.UnixMicro(us).UTC(); t.Year() >= 1 && t.Year() <= 9999 {
		return t.Format(timeForm)
	}
	return strconv.FormatInt(us, 10)
}

// compare looks at the checkpoints of the size that the tree has now.
func (t *treeCheck) compare(v *verifier) {
	for ; t.passed < len(t.due) && t.due[t.passed].Size <= t.pos; t.passed++ {
		d := &t.due[t.passed]
		number := v.points[d.point].Number
		switch {
		case t.broken:
			v.fail(d.point)
		case d.Size < t.pos:
			v.fail(d.point)
			v.found(BadFile, "checkpoint %d cannot be compared with tree %s", number, t.name)
		case t.tree.Root() != d.Root:
			t.broken = true
			v.fail(d.point)
			v.found(Changed, "rows %d to %d of tree %s are not those of checkpoint %d", t.proven, d.Size-1, t.name, number)
		default:
			t.proven = d.Size
		}
	}
}

func (v *verifier) fail(point int) {
	if v.bad == nil {
		v.bad = map[int]bool{}
	}
	v.bad[point] = true
}

func (t *treeCheck) end(v *verifier) {
	for _, g := range t.gaps {
		if g.until == g.from+1 {
			v.found(Removed, "row %d of tree %s", g.from, t.name)
		} else if g.until > g.from {
			v.found(Removed, "rows %d to %d of tree %s", g.from, g.until-1, t.name)
		}
	}
	if len(t.due) == 0 {
		v.found(Inserted, "tree %s, which no checkpoint names", t.name)
		return
	}
	last := t.due[len(t.due)-1]
	number := v.points[last.point].Number
	if t.pos > last.Size {
		v.found(Inserted, "tree %s has %d rows, and %d in checkpoint %d", t.name, t.pos, last.Size, number)
	}
	if t.pos < last.Size {
		v.found(Removed, "tree %s has %d rows, and %d in checkpoint %d", t.name, t.pos, last.Size, number)
	}
	for ; t.passed < len(t.due); t.passed++ {
		v.fail(t.due[t.passed].point)
	}
}

var newline = []byte{'\n'}

// isEnd finds the line that the sum of a file does not count.
func isEnd(b []byte) int {
	if bytes.HasPrefix(b, []byte(lineEnd+"\t")) {
		return 0
	}
	if i := bytes.Index(b, []byte("\n"+lineEnd+"\t")); i >= 0 {
		return i + 1
	}
	return -1
}

// Saw wants checkpoints among those that passed, by the marks that somebody saw.
func (r *Report) Saw(marks ...string) {
	for _, m := range marks {
		if !slices.ContainsFunc(r.Passed, func(c Checkpoint) bool { return c.Mark() == m }) {
			r.Findings = append(r.Findings, Finding{BadCheckpoint, m + " is not in the file"})
		}
	}
}
