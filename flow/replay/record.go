package replay

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxRecord bounds a record. Beyond it a line is no row, and a quote that opens is not looked for further: without a bound a quote that is never
// closed would take the rest of the file for one cell.
const maxRecord = 64 << 10

// records splits a file into records of cells (RFC 4180). One that cannot be read ends with its line, and the next begins behind it.
type records struct {
	in    *bufio.Reader // of more than maxRecord
	comma byte
	line  int // that the next record begins on, from 0
	text  []byte
	ends  []int
	cells []string
}

// next gives the cells of a record, which are the caller's until the next one, and the line on which it begins. A *Fault names a record that
// cannot be read.
func (r *records) next() (cells []string, line int, err error) {
	for {
		head, err := r.in.Peek(maxRecord)
		if len(head) == 0 {
			return nil, r.line, err
		}
		whole := errors.Is(err, io.EOF)
		if err != nil && !whole && bytes.IndexByte(head, '\n') < 0 {
			return nil, r.line, err
		}
		if r.line++; head[0] == '\n' || head[0] == '\r' && len(head) > 1 && head[1] == '\n' { // an empty line is no row
			r.skip()
			continue
		}
		line = r.line
		n, why := r.split(head, whole)
		if why != "" {
			return nil, line, errors.Join(&Fault{Line: line, Why: why}, r.skip())
		}
		r.line += bytes.Count(head[:max(n-1, 0)], []byte{'\n'})
		_, _ = r.in.Discard(n)
		return r.made(), line, nil
	}
}

// skip goes to the end of the line.
func (r *records) skip() error {
	for {
		_, err := r.in.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF):
			return nil // the next record says so
		case !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}

// split takes a record apart and says how long it is, or why it is none. whole: the file ends with head.
func (r *records) split(head []byte, whole bool) (n int, reason string) {
	r.text, r.ends = r.text[:0], r.ends[:0]
	for n = 0; ; n++ { // past a separator
		if n < len(head) && head[n] == '"' {
			if n = r.quoted(head, n+1); n < 0 {
				return 0, "a quote is not closed"
			}
		} else {
			end := n
			for end < len(head) && head[end] != r.comma && head[end] != '\n' {
				if head[end] == '"' {
					return 0, "a quote within a cell that does not begin with one"
				}
				end++
			}
			cell := head[n:end]
			if n = end; n == len(head) || head[n] == '\n' {
				cell = bytes.TrimSuffix(cell, []byte{'\r'})
			}
			r.text = append(r.text, cell...)
		}
		r.ends = append(r.ends, len(r.text))
		if n+1 < len(head) && head[n] == '\r' && head[n+1] == '\n' {
			n++
		}
		switch {
		case n == len(head) && whole:
			return n, ""
		case n == len(head):
			return 0, "the line is longer than 64 KiB"
		case head[n] == '\n':
			return n + 1, ""
		case head[n] != r.comma:
			return 0, "something follows a closing quote"
		}
	}
}

// quoted takes a cell in quotes and says where it ends; below 0: it does not.
func (r *records) quoted(head []byte, n int) int {
	for {
		end := bytes.IndexByte(head[n:], '"')
		if end < 0 {
			return -1
		}
		r.text = append(r.text, head[n:n+end]...)
		if n += end + 1; n == len(head) || head[n] != '"' {
			return n
		}
		r.text = append(r.text, '"')
		n++
	}
}

// made are the cells of what was split.
func (r *records) made() []string {
	text, from := string(r.text), 0
	r.cells = r.cells[:0]
	for _, end := range r.ends {
		r.cells = append(r.cells, text[from:end])
		from = end
	}
	return r.cells
}
