package replay

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ringfence/core/money"
	"ringfence/core/policy"
)

// The result of a call.
type outcome uint8

const (
	none outcome = iota
	allowed
	refused
	cut
	unreadable
)

// verdict is a row of the output.
type verdict struct {
	seq    int64
	id     string
	what   outcome
	reason policy.Reason
	talk   time.Duration
	cost   money.Micro
	// finding is the key of what closed the destination, until when; "" is none.
	finding string
	until   time.Time
}

// writer writes verdicts in the order of the rows that they are of, in whatever order they come. It holds as many as there are between the oldest
// call in progress and the newest. Each goroutine that gives it some has a hand of its own.
type writer struct {
	hands [][]verdict // what each goroutine has not handed over yet

	mu      sync.Mutex    // owns the rest
	to      *bufio.Writer // nil: nothing is written
	next    int64         // the seq that is written next
	waiting []verdict     // a ring, by seq modulo its length, which is a power of two
	before  *bufio.Reader // rows of a run that ended early, which must come again; nil: none are left
	rows    int64         // written, or found there
	line    []byte
	err     error
	failed  atomic.Bool // err is not nil
}

// handful is how many verdicts are handed over at once.
const handful = 128

// newWriter makes a writer for a reader, which is hand 0, and workers from 1 on.
func newWriter(to io.Writer, before io.Reader, workers int) *writer {
	if to == nil {
		return &writer{}
	}
	w := &writer{hands: make([][]verdict, 1+workers), to: bufio.NewWriterSize(to, 256<<10), waiting: make([]verdict, 1024)}
	if before != nil {
		w.before = bufio.NewReaderSize(before, 64<<10)
	}
	w.emit([]byte("id,verdict,allowed_seconds,cost,reason,finding,restricted_until\n"))
	return w
}

func (w *writer) put(hand int, v verdict) {
	if w.to == nil {
		return
	}
	of := append(w.hands[hand], v)
	if len(of) == handful {
		w.take(of)
		of = of[:0]
	}
	w.hands[hand] = of
}

func (w *writer) take(all []verdict) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range all {
		for v.seq-w.next >= int64(len(w.waiting)) {
			w.grow()
		}
		w.waiting[v.seq&int64(len(w.waiting)-1)] = v
	}
	for {
		first := &w.waiting[w.next&int64(len(w.waiting)-1)]
		if first.what == none {
			return
		}
		w.write(first)
		*first = verdict{}
		w.next++
	}
}

func (w *writer) grow() {
	bigger := make([]verdict, 2*len(w.waiting))
	for _, v := range w.waiting {
		if v.what != none {
			bigger[v.seq&int64(len(bigger)-1)] = v
		}
	}
	w.waiting = bigger
}

// write appends id,verdict,allowed_seconds,cost,reason,finding,restricted_until.
func (w *writer) write(v *verdict) {
	b := appendCell(w.line[:0], v.id)
	switch v.what {
	case unreadable:
		b = append(b, ",,,,unreadable,,\n"...)
	default:
		b = append(append(append(b, ','), [...]string{allowed: "allowed", refused: "refused", cut: "cut"}[v.what]...), ',')
		b = append(appendSeconds(b, v.talk), ',')
		b = append(appendAmount(b, v.cost), ',')
		if v.what != allowed {
			b = append(b, v.reason.Code()...)
		}
		b = appendCell(append(b, ','), v.finding)
		if b = append(b, ','); !v.until.IsZero() {
			b = v.until.AppendFormat(b, time.RFC3339)
		}
		b = append(b, '\n')
	}
	w.line = b
	w.emit(b)
}

// emit writes a row that does not stand there already.
func (w *writer) emit(row []byte) {
	if w.err != nil {
		return
	}
	w.rows++
	if w.before != nil {
		was, err := w.before.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF):
			w.before = nil
		case err != nil:
			w.fail(err)
			return
		case !bytes.Equal(was, row):
			w.fail(fmt.Errorf("row %d of the earlier output is %.200q, but now it would be %.200q: the calls or the rules are not those of that run", w.rows, was, row))
			return
		default:
			return
		}
	}
	_, err := w.to.Write(row)
	w.fail(err)
}

func (w *writer) fail(err error) {
	if err != nil && w.err == nil {
		w.err = err
		w.failed.Store(true)
	}
}

// flush writes what is left. whole: the run came to the end of its file.
func (w *writer) flush(whole bool) error {
	if w.to == nil {
		return nil
	}
	for _, all := range w.hands {
		w.take(all)
	}
	if whole && w.before != nil {
		if _, err := w.before.Peek(1); err == nil && w.err == nil {
			w.fail(fmt.Errorf("the earlier output has more than %d rows: the calls are not those of that run", w.rows))
		}
	}
	w.fail(w.to.Flush())
	return w.err
}

// appendSeconds writes whole seconds without a fraction, others to the millisecond.
func appendSeconds(b []byte, d time.Duration) []byte {
	b = strconv.AppendInt(b, int64(d/time.Second), 10)
	if ms := int64(d % time.Second / time.Millisecond); ms != 0 {
		b = append(b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
	}
	return b
}

// appendAmount writes units with six decimals.
func appendAmount(b []byte, a money.Micro) []byte {
	b = append(strconv.AppendInt(b, int64(a)/1e6, 10), '.')
	for n, unit := int64(a)%1e6, int64(1e5); unit > 0; unit /= 10 {
		b = append(b, byte('0'+n/unit%10))
	}
	return b
}

// appendCell quotes an id that needs it (RFC 4180). It is left as it is otherwise, so that rows can be joined by it.
func appendCell(b []byte, s string) []byte {
	if !strings.ContainsAny(s, "\",\r\n") {
		return append(b, s...)
	}
	return append(append(append(b, '"'), strings.ReplaceAll(s, `"`, `""`)...), '"')
}
