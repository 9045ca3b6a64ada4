package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strconv"
	"unicode/utf8"
)

// item is a line as it was read.
type item struct {
	what  string
	n     int64
	level int
	hash  Hash // of a row, its leaf as the line says it
	at    int64
	ok    bool   // the row has that leaf hash
	text  string // of other lines
	sum   []byte // of all lines before the end
	err   error  // the line cannot be read
}

// piece is a run of whole lines, read by one worker and checked in the order of the file.
type piece struct {
	lines []byte
	sum   []byte // where an end is in it
	done  chan struct{}
	items []item // the last one may be a line that cannot be read
}

// Sizes of what is read at once.
const (
	pieceSize = 1 << 20
	maxLine   = 16 << 20
)

// read cuts a file into pieces, has them read by several workers, and checks their lines in order.
func (v *verifier) read(r io.Reader) error {
	workers := runtime.GOMAXPROCS(0)
	todo, order := make(chan *piece), make(chan *piece, 2*workers)
	stop := make(chan struct{})
	var failed error
	go func() {
		defer close(order)
		defer close(todo)
		failed = cut(r, func(p *piece) bool {
			select {
			case order <- p:
			case <-stop:
				return false
			}
			todo <- p
			return true
		})
	}()
	for range workers {
		go func() {
			var s Sealer
			for p := range todo {
				p.read(&s)
				close(p.done)
			}
		}()
	}
	err := v.check(order)
	close(stop)
	for p := range order { // what is still being read
		<-p.done
	}
	return errors.Join(err, failed)
}

func (v *verifier) check(order <-chan *piece) error {
	for p := range order {
		<-p.done
		for i := range p.items {
			if err := v.take(&p.items[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// cut reads whole lines, and sums up all before the end.
func cut(r io.Reader, give func(*piece) bool) error {
	sum := sha256.New()
	var rest []byte
	for {
		buf := make([]byte, len(rest)+pieceSize)
		copy(buf, rest)
		n, err := io.ReadFull(r, buf[len(rest):])
		buf = buf[:len(rest)+n]
		last := err != nil
		if last && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		whole := bytes.LastIndexByte(buf, '\n') + 1
		if last {
			whole = len(buf)
		}
		if rest = buf[whole:]; len(rest) > maxLine {
			return fmt.Errorf("%w: a line that is too long", ErrFormat)
		}
		p := &piece{lines: buf[:whole], done: make(chan struct{})}
		if i := isEnd(p.lines); i >= 0 {
			sum.Write(p.lines[:i])
			p.sum = sum.Sum(nil)
		} else {
			sum.Write(p.lines)
		}
		if whole > 0 && !give(p) || last {
			return nil
		}
	}
}

func (p *piece) read(s *Sealer) {
	for line := range bytes.SplitSeq(bytes.TrimSuffix(p.lines, newline), newline) {
		x, err := readLine(s, line)
		if err != nil {
			x.err = fmt.Errorf("%w: %q", err, line[:min(len(line), 80)])
		}
		if x.what == lineEnd {
			x.sum = p.sum
		}
		if p.items = append(p.items, x); err != nil {
			return
		}
	}
}

// readLine takes a line in the one form that a Writer gives it: what could be written in two ways could be changed unseen.
func readLine(s *Sealer, line []byte) (x item, err error) {
	if !utf8.Valid(line) {
		return x, ErrFormat
	}
	what, rest, _ := bytes.Cut(line, []byte{'\t'})
	switch string(what) {
	case lineRow:
		x.what = lineRow
		return x, x.readRow(s, rest)
	case lineSkip:
		x.what = lineSkip
		return x, x.readSkip(rest)
	case lineUnsealed:
		x.what = lineUnsealed
		return x, x.readUnsealed(rest)
	case lineFirst, lineKey, lineCheckpoint, lineTree, lineEnd:
		x.what, x.text = string(what), string(rest)
		return x, nil
	}
	return x, ErrFormat
}

// readRow reads a row and computes its leaf hash.
func (x *item) readRow(s *Sealer, b []byte) (err error) {
	next := func() []byte {
		part, rest, _ := bytes.Cut(b, []byte{'\t'})
		b = rest
		return part
	}
	fields := bytes.Count(b, []byte{'\t'}) - 5
	if fields < 0 || fields%3 != 0 {
		return ErrFormat
	}
	if x.n, err = number(next(), 0, maxPlace); err != nil {
		return err
	}
	if x.hash, err = unhex[Hash](next()); err != nil {
		return err
	}
	if x.at, err = number(next(), math.MinInt64, math.MaxInt64); err != nil {
		return err
	}
	kind := next()
	version, err := number(next(), 0, math.MaxUint32)
	if err != nil {
		return err
	}
	s.begin(x.at, int(version), string(kind))
	var salts salter
	if salt := next(); string(salt) != markPlain {
		row, err := unhex[Salt](salt)
		if err != nil {
			return err
		}
		salts.salt = &row
	}
	for range fields / 3 {
		if err := s.readField(next(), next(), next(), &salts); err != nil {
			return err
		}
	}
	x.ok = sha256.Sum256(s.leaf) == x.hash
	return nil
}

// readField puts one field into the leaf.
func (s *Sealer) readField(name, mark, value []byte, salts *salter) error {
	var h Hash
	var err error
	switch string(mark) {
	case markPlain:
		s.plain(name, value)
		return nil
	case markErased:
		if h, err = unhex[Hash](value); err != nil {
			return err
		}
	case markSalted:
		if salts.salt == nil {
			return ErrFormat
		}
		salt := salts.next()
		h = s.commit(&salt, name, value)
	default:
		salt, err := unhex[Salt](mark)
		if err != nil {
			return err
		}
		h = s.commit(&salt, name, value)
	}
	s.committed(name, &h)
	return nil
}

func (x *item) readSkip(b []byte) (err error) {
	parts := bytes.SplitN(b, []byte{'\t'}, 4)
	if len(parts) != 3 {
		return ErrFormat
	}
	if x.n, err = number(parts[0], 0, maxPlace); err != nil {
		return err
	}
	level, err := number(parts[1], 0, 60)
	if err != nil {
		return err
	}
	x.level = int(level)
	x.hash, err = unhex[Hash](parts[2])
	return err
}

func (x *item) readUnsealed(b []byte) (err error) {
	parts := bytes.Split(b, []byte{'\t'})
	if len(parts) < 6 || len(parts)%3 != 0 || string(parts[1]) != markPlain {
		return ErrFormat
	}
	if x.n, err = number(parts[0], 0, maxPlace); err != nil {
		return err
	}
	x.at, err = number(parts[2], math.MinInt64, math.MaxInt64)
	return err
}

const maxPlace = 1<<62 - 1

// number reads a number in its shortest form.
func number(b []byte, least, most int64) (int64, error) {
	n, err := strconv.ParseInt(string(b), 10, 64)
	var again [20]byte
	if err != nil || n < least || n > most || !bytes.Equal(strconv.AppendInt(again[:0], n, 10), b) {
		return 0, ErrFormat
	}
	return n, nil
}

// unhex reads a hash or a salt, in small letters.
func unhex[T Hash | Salt](b []byte) (out T, err error) {
	for _, c := range b {
		if c >= 'A' && c <= 'F' {
			return out, ErrFormat
		}
	}
	raw, err := hex.AppendDecode(nil, b)
	switch p := any(&out).(type) {
	case *Hash:
		if err == nil && len(raw) == len(p) {
			copy(p[:], raw)
			return out, nil
		}
	case *Salt:
		if err == nil && len(raw) == len(p) {
			copy(p[:], raw)
			return out, nil
		}
	}
	return out, ErrFormat
}
