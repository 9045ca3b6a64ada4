package replay

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// chunk is a piece of a file that begins and ends between records, so that pieces are read beside each other.
type chunk struct {
	data  []byte // the piece, and of what follows as much as a record may reach
	begin int    // of the piece
	end   int    // of it
	last  bool   // the file ends with data
	line  int    // lines before it
}

// chunkSize is how much of a file is read in one piece.
const chunkSize = 256 << 10

// chunks cuts a file into pieces.
type chunks struct {
	in     io.Reader
	size   int // more than 2*maxRecord
	comma  byte
	line   int
	rest   []byte // that was read and is in no piece yet
	inside bool   // a line that is too long was cut: its rest is no row
	err    error  // that ended the file
	free   chan []byte
}

// next gives the next piece. io.EOF: there is none.
func (c *chunks) next() (chunk, error) {
	data := append(c.buffer(), c.rest...)
	for {
		data = c.fill(data)
		if !c.inside {
			break
		}
		n := bytes.IndexByte(data, '\n') + 1
		if c.inside = n == 0 && c.err == nil; n == 0 {
			n = len(data)
		} else {
			c.line++
		}
		data = data[:copy(data, data[n:])]
	}
	ch := chunk{data: data, end: len(data), last: errors.Is(c.err, io.EOF), line: c.line}
	if !ch.last {
		ch.end = c.cut(&ch)
	}
	c.rest = append(c.rest[:0], data[ch.end:]...)
	c.line += bytes.Count(data[:ch.end], []byte{'\n'})
	if ch.end == 0 {
		return ch, c.err
	}
	return ch, nil
}

func (c *chunks) buffer() []byte {
	select {
	case b := <-c.free:
		return b[:0]
	default:
		return make([]byte, 0, c.size)
	}
}

// fill reads until there is a whole piece, or the file ends.
func (c *chunks) fill(data []byte) []byte {
	for c.err == nil && len(data) < c.size {
		n, err := c.in.Read(data[len(data):c.size])
		data, c.err = data[:len(data)+n], err
	}
	return data
}

// cut says where the last record ends that is whole for certain. A line that goes on beyond the piece ends with it: it is too long to be a row.
func (c *chunks) cut(ch *chunk) int {
	if c.err != nil { // the file is broken off: what it has of a line is no row
		return bytes.LastIndexByte(ch.data, '\n') + 1
	}
	end := bytes.LastIndexByte(ch.data, '\n') + 1
	if bytes.IndexByte(ch.data, '"') >= 0 {
		r := records{chunk: *ch, comma: c.comma}
		for r.end -= maxRecord; r.at < r.end; {
			r.next()
		}
		end = r.at
		c.inside = end == len(ch.data) && ch.data[end-1] != '\n'
	} else if end == 0 {
		end, c.inside = len(ch.data), true
	}
	return end
}

// piece is a chunk that is being read.
type piece struct {
	chunk
	done chan *batch
	err  error // the file ended before it
}

// pieces has a file read by so many goroutines. The pieces come in the order of the file, the last with the error that ended it. When ctx ends,
// nothing more is read.
func (r *reader) pieces(ctx context.Context, file *chunks, first chunk, readers int, free <-chan *batch) <-chan *piece {
	jobs, order := make(chan *piece, readers), make(chan *piece, 2*readers)
	for range readers {
		go r.another().work(jobs, file.free, free)
	}
	go func() {
		defer close(jobs)
		for c, err := first, error(nil); ; c, err = file.next() {
			p := &piece{chunk: c, done: make(chan *batch, 1), err: err}
			select {
			case order <- p:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
			jobs <- p
		}
	}()
	return order
}

func (r *reader) work(jobs <-chan *piece, buffers chan<- []byte, free <-chan *batch) {
	for p := range jobs {
		var b *batch
		select {
		case b = <-free:
		default:
			b = &batch{}
		}
		r.read(p.chunk, b)
		select {
		case buffers <- p.data:
		default:
		}
		p.done <- b
	}
}
