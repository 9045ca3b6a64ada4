package fact

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Writing: each put adds one field to the object at the end of b.

func putKey(b []byte, name string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(b, '"')
	b = append(b, name...)
	return append(b, '"', ':')
}

func putText(b []byte, name, v string) []byte { return appendText(putKey(b, name), v) }

func appendText(b []byte, v string) []byte {
	if plain(v) {
		b = append(b, '"')
		b = append(b, v...)
		return append(b, '"')
	}
	quoted, err := json.Marshal(v)
	if err != nil { // cannot happen: Marshal repairs invalid UTF-8
		quoted = []byte(`"?"`)
	}
	return append(b, quoted...)
}

// plain says that a text needs no escapes in JSON, and none that a log or page could trip over.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

func putInt(b []byte, name string, v int64) []byte { return strconv.AppendInt(putKey(b, name), v, 10) }

func putFlag(b []byte, name string, v bool) []byte { return strconv.AppendBool(putKey(b, name), v) }

func putSource(b []byte, name string, v Source) []byte {
	b = append(putKey(b, name), '"')
	if v.Addr.Zone() == "" {
		return append(v.append(b), '"')
	}
	return appendText(b[:len(b)-1], v.String())
}

func putTime(b []byte, name string, v time.Time) []byte {
	return append(v.UTC().AppendFormat(append(putKey(b, name), '"'), time.RFC3339Nano), '"')
}

func putRaw(b []byte, name string, v json.RawMessage) []byte {
	if b = putKey(b, name); len(v) == 0 {
		return append(b, "null"...)
	}
	return append(b, v...)
}

func putTexts(b []byte, name string, v []string) []byte {
	b = append(putKey(b, name), '[')
	for i, s := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, s)
	}
	return append(b, ']')
}

// record is a pointer to an object within a fact.
type record[T any] interface {
	*T
	Append(b []byte) []byte
	Decode(body []byte) error
}

func putList[T any, R record[T]](b []byte, name string, v []T) []byte {
	b = append(putKey(b, name), '[')
	for i := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = R(&v[i]).Append(b)
	}
	return append(b, ']')
}

// Count is how many there were of something that has a code.
type Count struct {
	Code string
	N    int64
}

func putCounts(b []byte, v []Count) []byte {
	for _, c := range v {
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(appendText(b, c.Code), ':'), c.N, 10)
	}
	return b
}

// Reading: body is looked through once, and texts without escapes are parts of one copy of it.

// value is a JSON value as it stands.
type value string

// eachField gives the fields of an object to see, in their order; null has none. What is no object, or not JSON, is ErrBody; fields that stand before the
// fault may have been seen.
func eachField(body []byte, see func(name string, v value) error) error {
	if string(body) == "null" {
		return nil
	}
	rest := strings.Trim(string(body), space)
	if len(rest) < 2 || rest[0] != '{' {
		return errNotObject
	}
	if rest = trim(rest[1:]); rest == "}" {
		return nil
	}
	for {
		n := textWidth(rest)
		if n == 0 {
			return errNotObject
		}
		name := value(rest[:n]).unquoted()
		if rest = trim(rest[n:]); rest == "" || rest[0] != ':' {
			return errNotObject
		}
		rest = trim(rest[1:])
		if n = width(rest); n == 0 {
			return errNotObject
		}
		if err := see(name, value(rest[:n])); err != nil {
			return fmt.Errorf("%w: field %.40q: %w", ErrBody, name, err)
		}
		if rest = trim(rest[n:]); rest == "}" {
			return nil
		}
		if rest == "" || rest[0] != ',' {
			return errNotObject
		}
		rest = trim(rest[1:])
	}
}

var errNotObject = fmt.Errorf("%w: not a JSON object", ErrBody)

// Part reads an object within a body, such as what has changed; where there is none, into stays as it is.
func Part(body json.RawMessage, into interface{ Decode(body []byte) error }) error {
	if len(body) == 0 {
		return nil
	}
	return into.Decode(body)
}

const space = " \t\r\n"

// trim is s without the spaces before it, of which there are hardly ever any.
func trim(s string) string {
	if s == "" || s[0] > ' ' {
		return s
	}
	return strings.TrimLeft(s, space)
}

// width is how many bytes the JSON value at the beginning of s has; 0 if there is none.
func width(s string) int {
	if s == "" {
		return 0
	}
	n := 0
	switch s[0] {
	case '"':
		return textWidth(s)
	case '{', '[':
		n = nestedWidth(s)
	default:
		for n < len(s) && s[n] > ' ' && s[n] != ',' && s[n] != '}' {
			n++
		}
		if whole(s[:n]) {
			return n
		}
	}
	if !json.Valid([]byte(s[:n])) {
		return 0
	}
	return n
}

// whole says that a text is a whole number as Append writes it.
func whole(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || digits[0] == '0' && digits != "0" {
		return false
	}
	for i := range len(digits) {
		if digits[i]-'0' > 9 {
			return false
		}
	}
	return true
}

// textWidth is how many bytes the JSON string at the beginning of s has; 0 if there is none.
func textWidth(s string) int {
	if s == "" || s[0] != '"' {
		return 0
	}
	escaped := false
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			return 0
		case c == '"' && escaped && !json.Valid([]byte(s[:i+1])):
			return 0
		case c == '"':
			return i + 1
		}
	}
	return 0
}

// nestedWidth is how many bytes the object or list at the beginning of s has, valid or not.
func nestedWidth(s string) int {
	depth, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// unquoted is the text of a JSON string.
func (v value) unquoted() string {
	if inner := string(v[1 : len(v)-1]); strings.IndexByte(inner, '\\') < 0 && utf8.ValidString(inner) {
		return inner
	}
	var text string
	_ = json.Unmarshal([]byte(v), &text) // it is a valid string
	return text
}

// null leaves a field as it is.
func (v value) null() bool { return v == "null" }

type wrong string

func (w wrong) Error() string { return "not " + string(w) }

func (v value) text(into *string) error {
	switch {
	case v.null():
		return nil
	case v[0] != '"':
		return wrong("a text")
	}
	*into = v.unquoted()
	return nil
}

func (v value) int(into *int64) error {
	if v.null() {
		return nil
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil {
		return wrong("a whole number")
	}
	*into = n
	return nil
}

func (v value) flag(into *bool) error {
	switch v {
	case "null":
		return nil
	case "true", "false":
		*into = v == "true"
		return nil
	}
	return wrong("true or false")
}

func (v value) answer(into **bool) error {
	if v.null() {
		return nil
	}
	*into = new(bool)
	return v.flag(*into)
}

// source takes a text that is no source for none.
func (v value) source(into *Source) error {
	var text string
	if err := v.text(&text); err != nil {
		return err
	}
	*into = ParseSource(text)
	return nil
}

func (v value) span(into *time.Duration, unit time.Duration) error {
	var n int64
	if err := v.int(&n); err != nil {
		return err
	}
	if most := math.MaxInt64 / int64(unit); n > most || n < -most {
		return wrong("a duration that we can hold")
	}
	*into = time.Duration(n) * unit
	return nil
}

func (v value) micros(into *time.Time) error {
	var n int64
	if err := v.int(&n); err != nil || v.null() {
		return err
	}
	*into = time.UnixMicro(n).UTC()
	return nil
}

// time takes whatever is not an instant that can be written again for none: what hangs on it is left out.
func (v value) time(into *time.Time) error {
	*into = time.Time{}
	if v[0] != '"' {
		return nil
	}
	if at, err := time.Parse(time.RFC3339Nano, v.unquoted()); err == nil && at.UTC().Year() <= 9999 && at.UTC().Year() > 0 {
		*into = at.UTC()
	}
	return nil
}

func (v value) raw(into *json.RawMessage) error {
	*into = json.RawMessage(v)
	return nil
}

func (v value) texts(into *[]string) error {
	if err := json.Unmarshal([]byte(v), into); err != nil {
		return wrong("a list of texts")
	}
	return nil
}

func (v value) count(into *[]Count, code string) error {
	c := Count{Code: code}
	err := v.int(&c.N)
	*into = append(*into, c)
	return err
}

func getRecord[T any, R record[T]](v value, into **T) error {
	if v.null() {
		return nil
	}
	*into = new(T)
	return R(*into).Decode([]byte(v))
}

func getList[T any, R record[T]](v value, into *[]T) error {
	var raw []json.RawMessage
	if err := json.Unmarshal([]byte(v), &raw); err != nil {
		return wrong("a list")
	}
	*into = make([]T, len(raw))
	for i := range raw {
		if err := R(&(*into)[i]).Decode(raw[i]); err != nil {
			return err
		}
	}
	return nil
}
