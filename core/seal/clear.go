package seal

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"strconv"

	"golang.org/x/mod/sumdb/note"
)

// Clear copies a file of evidence. Of rows that hide names, everything that can be erased is, with its salts: their leaves, and with them all proofs, stay as they were.
// Rows that nothing proves are left out then. The end is signed again, with a key that is added to the file if it is not in it. It says how many rows were cleared.
func Clear(to io.Writer, from io.Reader, hide func(*Sealed) bool, public string, keys ...note.Signer) (cleared int64, err error) {
	w := &Writer{sum: sha256.New()}
	w.w = bufio.NewWriterSize(io.MultiWriter(to, w.sum), 1<<16)
	c := &clearing{w: w, hide: hide, public: public}
	in := bufio.NewReaderSize(from, 1<<16)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return c.cleared, err
		}
		if len(line) > maxLine {
			return c.cleared, ErrFormat
		}
		ended, lineErr := c.line(bytes.TrimSuffix(line, newline))
		switch {
		case lineErr != nil:
			return c.cleared, lineErr
		case ended:
			return c.cleared, w.Close(keys...)
		case err != nil: // it has no end, so it was cut short
			return c.cleared, ErrFormat
		}
	}
}

type clearing struct {
	w       *Writer
	hide    func(*Sealed) bool
	public  string
	known   bool // the key is in the file
	keys    bool // all keys were there
	cleared int64
}

// line copies one line; at the end nothing is written.
func (c *clearing) line(line []byte) (ended bool, err error) {
	what, rest, _ := bytes.Cut(line, []byte{'\t'})
	switch string(what) {
	case lineEnd:
		return true, nil
	case lineKey:
		c.known = c.known || string(rest) == c.public
	case lineFirst:
	default:
		if !c.keys && !c.known {
			c.w.line(lineKey, c.public)
		}
		c.keys = true
	}
	if string(what) != lineRow && string(what) != lineUnsealed {
		c.w.b = append(c.w.b, line...)
		c.w.flush()
		return false, nil
	}
	n, leaf, r, err := parseRow(rest)
	if err != nil {
		return false, err
	}
	hidden := c.hide(&r)
	switch {
	case hidden && string(what) == lineUnsealed:
		c.cleared++
		return false, nil
	case hidden:
		c.cleared++
		r.Withhold(func(*Field) bool { return true })
		c.w.row(lineRow, n, string(leaf), &r)
	default:
		c.w.b = append(c.w.b, line...)
		c.w.flush()
	}
	c.w.rows++
	return false, nil
}

// parseRow reads a row of a file with all that it says.
func parseRow(b []byte) (n int64, leaf []byte, r Sealed, err error) {
	parts := bytes.Split(b, []byte{'\t'})
	if len(parts) < 6 || (len(parts)-6)%3 != 0 {
		return 0, nil, r, ErrFormat
	}
	n, err = strconv.ParseInt(string(parts[0]), 10, 64)
	at, atErr := strconv.ParseInt(string(parts[2]), 10, 64)
	version, versionErr := strconv.Atoi(string(parts[4]))
	if err := errors.Join(err, atErr, versionErr); err != nil {
		return 0, nil, r, ErrFormat
	}
	r.At, r.Kind, r.Version = at, string(parts[3]), version
	if string(parts[5]) != markPlain {
		salt, err := unhex[Salt](parts[5])
		if err != nil {
			return 0, nil, r, err
		}
		r.Salt = &salt
	}
	for f := range slices.Chunk(parts[6:], 3) {
		field, err := parseField(f[0], f[1], f[2])
		if err != nil {
			return 0, nil, r, err
		}
		r.Fields = append(r.Fields, field)
	}
	return n, parts[1], r, nil
}

func parseField(name, mark, value []byte) (f Field, err error) {
	f = Field{Name: string(name), Value: string(value), Kind: Committed}
	switch string(mark) {
	case markPlain:
		f.Kind = Plain
	case markErased:
		f.Kind, f.Value = Erased, ""
		f.Hash, err = unhex[Hash](value)
	case markSalted:
	default:
		_, err = hex.AppendDecode(f.Salt[:0], mark)
		if len(mark) != 2*SaltSize {
			err = ErrFormat
		}
	}
	return f, err
}
