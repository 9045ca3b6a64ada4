// Package seal makes the journal provable: how a row becomes a leaf of a Merkle tree (RFC 9162), how heads of trees become a signed checkpoint, and how
// a file of rows is checked against them. docs/evidence.md describes all of it for people who want to check without this program.
// It must not know where rows, keys and checkpoints are kept.
package seal

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"unicode/utf8"

	"ringfence/core/fact"
)

// Hash is a SHA-256 sum.
type Hash = [sha256.Size]byte

// SaltSize is how many random bytes a row gets, from which the salts of its fields are made.
const SaltSize = 16

// Salt hides what a field says from those who only have its commitment.
type Salt = [SaltSize]byte

// rowMagic begins the data of every leaf, so that no other thing that is hashed can be taken for a row.
const rowMagic = "ringfence-row-1\n"

// Field is one thing that a row says.
type Field struct {
	Name  string // a member of the body, or a column: "@key", "@line", "@account", "@call", "@body"
	Value string // as JSON
	Kind  FieldKind
	Salt  Salt // of a Committed field
	Hash  Hash // of an Erased field: the commitment alone
}

// FieldKind says how a field goes into the leaf.
type FieldKind uint8

// Kinds of Field.
const (
	Plain     FieldKind = iota // a number, true, false or null goes in as it is
	Committed                  // a text, list or object goes in as a salted hash
	Erased                     // of which only the hash is left
)

// Sealed is how a row was sealed, as its Proof has it.
type Sealed struct {
	At      int64 // µs since 1970
	Kind    string
	Version int
	Salt    *Salt // from which the salts of all committed fields come; nil when the fields have their own
	Fields  []Field
}

// ErrProof says that the proof of a row cannot be read.
var ErrProof = errors.New("not the proof of a row")

// Forms of a Proof, by its first byte.
const (
	formSalt   = 1 // the salt of the row
	formFields = 2 // each field, after some were erased
)

// Proof is what is kept beside a row that was sealed with a salt. It goes when the row goes.
func Proof(salt *Salt) []byte { return append([]byte{formSalt}, salt[:]...) }

// Sealer hashes rows. It keeps its buffers, so one goroutine has it at a time.
type Sealer struct {
	leaf, field []byte
}

// Leaf is the leaf hash of a row that is about to be written, whose texts are as they will be stored.
func (s *Sealer) Leaf(r *fact.Row, salt *Salt) Hash {
	s.begin(r.At.UnixMicro(), r.Version, r.Kind)
	salts := salter{salt: salt}
	each(r, func(name, value []byte) {
		if plain(value) {
			s.plain(name, value)
			return
		}
		fs := salts.next()
		h := s.commit(&fs, name, value)
		s.committed(name, &h)
	})
	return sha256.Sum256(s.leaf)
}

// Hash is the leaf hash of a row as it is read from a file or from the journal.
func (s *Sealer) Hash(r *Sealed) Hash {
	s.begin(r.At, r.Version, r.Kind)
	salts := salter{salt: r.Salt}
	for i := range r.Fields {
		f := &r.Fields[i]
		switch f.Kind {
		case Plain:
			s.plain([]byte(f.Name), []byte(f.Value))
		case Committed:
			fs := f.Salt
			if r.Salt != nil {
				fs = salts.next()
			}
			h := s.commit(&fs, []byte(f.Name), []byte(f.Value))
			s.committed([]byte(f.Name), &h)
		case Erased:
			s.committed([]byte(f.Name), &f.Hash)
		}
	}
	return sha256.Sum256(s.leaf)
}

// begin writes what is before the fields. The first byte is that of leaves in RFC 9162.
func (s *Sealer) begin(at int64, version int, kind string) {
	s.leaf = append(s.leaf[:0], 0)
	s.leaf = append(s.leaf, rowMagic...)
	s.leaf = binary.BigEndian.AppendUint64(s.leaf, uint64(at))
	s.leaf = binary.BigEndian.AppendUint32(s.leaf, uint32(version))
	s.leaf = counted(s.leaf, []byte(kind))
}

func (s *Sealer) plain(name, value []byte) {
	s.leaf = append(s.leaf, 'p')
	s.leaf = counted(s.leaf, name)
	s.leaf = counted(s.leaf, value)
}

func (s *Sealer) committed(name []byte, h *Hash) {
	s.leaf = append(s.leaf, 'c')
	s.leaf = counted(s.leaf, name)
	s.leaf = append(s.leaf, h[:]...)
}

// commit is the salted hash of a field.
func (s *Sealer) commit(salt *Salt, name, value []byte) Hash {
	s.field = append(s.field[:0], salt[:]...)
	s.field = counted(s.field, name)
	s.field = append(s.field, value...)
	return sha256.Sum256(s.field)
}

// counted appends b after its length.
func counted(to, b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(to, uint32(len(b))), b...)
}

// salter makes the salts of the committed fields of a row, two from each hash.
type salter struct {
	salt *Salt
	n    int
	pair Hash
}

func (s *salter) next() (out Salt) {
	if s.n%2 == 0 {
		var b [SaltSize + 4]byte
		copy(b[:], s.salt[:])
		binary.BigEndian.PutUint32(b[SaltSize:], uint32(s.n/2))
		s.pair = sha256.Sum256(b[:])
	}
	copy(out[:], s.pair[s.n%2*SaltSize:])
	s.n++
	return out
}

// plain says that a value is sealed as it is: numbers, true, false and null say nothing of a person once the names are gone.
func plain(value []byte) bool {
	switch value[0] {
	case '"', '[', '{':
		return false
	}
	return true
}

// each yields the fields of a row in their order: its columns, then the members of its body.
func each(r *fact.Row, yield func(name, value []byte)) {
	var quoted [64]byte
	for _, c := range [...]struct{ name, value string }{
		{"@key", r.Key}, {"@line", r.Line}, {"@account", r.Account}, {"@call", string(r.Call)},
	} {
		if c.value != "" {
			yield([]byte(c.name), quote(quoted[:0], c.value))
		}
	}
	if len(r.Body) == 0 {
		return
	}
	if !compact(r.Body) || !members(r.Body, nil) {
		yield([]byte("@body"), hexed(r.Body))
		return
	}
	members(r.Body, yield)
}

// quote writes a text as JSON, with no more escapes than JSON needs.
func quote(to []byte, s string) []byte {
	to = append(to, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			to = append(to, '\\', c)
		case c < ' ':
			to = append(to, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			to = append(to, c)
		}
	}
	return append(to, '"')
}

const digits = "0123456789abcdef"

// hexed writes bytes as a JSON text of hexadecimal digits.
func hexed(b []byte) []byte {
	out := make([]byte, 0, 2*len(b)+2)
	out = append(out, '"')
	for _, c := range b {
		out = append(out, digits[c>>4], digits[c&15])
	}
	return append(out, '"')
}

// compact wants valid UTF-8 without control characters: then a line of a file holds it.
func compact(b []byte) bool {
	for _, c := range b {
		if c < ' ' {
			return false
		}
	}
	return utf8.Valid(b)
}

// members yields what is in a JSON object that is written without spaces, as ours are: then the members say exactly what the bytes say. It is false for
// any other bytes.
func members(b []byte, yield func(name, value []byte)) bool {
	if len(b) < 2 || b[0] != '{' || b[len(b)-1] != '}' {
		return false
	}
	b = b[1 : len(b)-1]
	for first := true; len(b) > 0 || !first; first = false {
		end := text(b)
		if end < 0 || end+1 >= len(b) || b[end] != ':' {
			return len(b) == 0 && first
		}
		n := value(b[end+1:])
		if n <= 0 || b[end+1] == ' ' || b[1] == '@' {
			return false
		}
		if yield != nil {
			yield(b[1:end-1], b[end+1:end+1+n])
		}
		if b = b[end+1+n:]; len(b) == 0 {
			return true
		}
		b = b[1:] // the comma
	}
	return true
}

// text is how long the JSON text at the start of b is; -1 when there is none.
func text(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		return -1
	}
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// value is how long the value at the start of b is: up to a comma outside of it, or to the end.
func value(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			n := text(b[i:])
			if n < 0 {
				return -1
			}
			i += n - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return -1
			}
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	if depth != 0 {
		return -1
	}
	return len(b)
}
