package replay

import (
	"bytes"
)

// maxRecord bounds a record. Beyond it a line is no row, and a quote that opens is not looked for further: without a bound a quote that is never
// closed would take the rest of the file for one cell.
const maxRecord = 64 << 10

// records splits a chunk into records of cells (RFC 4180). One that cannot be read ends with its line, and the next begins behind it.
type records struct {
	chunk
	comma byte
	at    int    // where the next record begins
	text  []byte // of the cells of a record with quotes
	ends  []int
	cells [][]byte
}

// next gives the cells of a record, which are the caller's until the next one, and the line on which it begins; 0: the chunk has no more. why says
// that it cannot be read.
func (r *records) next() (cells [][]byte, line int, why string) {
	for r.at < r.end {
		head := r.data[r.at:min(r.at+maxRecord, len(r.data))]
		whole := r.last && r.at+len(head) == len(r.data)
		if r.line++; head[0] == '\n' || head[0] == '\r' && len(head) > 1 && head[1] == '\n' { // an empty line is no row
			r.skip()
			continue
		}
		line = r.line
		n, why := r.plain(head, whole)
		if n == 0 && why == "" {
			if n, why = r.split(head, whole); why == "" {
				r.line += bytes.Count(head[:max(n-1, 0)], []byte{'\n'})
			}
		}
		if why != "" {
			r.skip()
			return nil, line, why
		}
		r.at += n
		return r.cells, line, ""
	}
	return nil, 0, ""
}

// skip goes to the end of the line.
func (r *records) skip() {
	n := bytes.IndexByte(r.data[r.at:], '\n') + 1
	if n == 0 {
		n = len(r.data) - r.at
	}
	r.at += n
}

// plain takes a record without quotes apart, as most are, and says how long it is; 0: it has some.
func (r *records) plain(head []byte, whole bool) (n int, why string) {
	r.cells = r.cells[:0]
	from := 0
	for n, b := range head {
		switch b {
		case r.comma:
			r.cells = append(r.cells, head[from:n])
			from = n + 1
		case '\n':
			r.cells = append(r.cells, bytes.TrimSuffix(head[from:n], []byte{'\r'}))
			return n + 1, ""
		case '"':
			return 0, ""
		}
	}
	if !whole {
		return 0, tooLong
	}
	r.cells = append(r.cells, bytes.TrimSuffix(head[from:], []byte{'\r'}))
	return len(head), ""
}

const tooLong = "the line is longer than 64 KiB"

// split takes a record apart and says how long it is, or why it is none. whole: the file ends with head.
func (r *records) split(head []byte, whole bool) (n int, why string) {
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
			r.made()
			return n, ""
		case n == len(head):
			return 0, tooLong
		case head[n] == '\n':
			r.made()
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

// made makes the cells of what was split.
func (r *records) made() {
	from := 0
	r.cells = r.cells[:0]
	for _, end := range r.ends {
		r.cells = append(r.cells, r.text[from:end])
		from = end
	}
}
