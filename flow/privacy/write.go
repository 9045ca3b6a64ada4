package privacy

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// pack is the archive as it is written.
type pack struct {
	z   *zip.Writer
	now time.Time
}

func (a *pack) add(name string, write func(io.Writer) error) error {
	to, err := a.z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: a.now})
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(to, 1<<16)
	if err := write(out); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return out.Flush()
}

// part is what the archive says of one matter.
type part struct {
	name, says string
	write      func(a *pack) error
}

// rows is a part whose rows are written twice, as JSON and as CSV, without being held.
func rows[T any](name, says string, each func(yield func(T) error) error) part {
	return part{name + ".json, " + name + ".csv", says, func(a *pack) error {
		if err := a.add(name+".json", func(w io.Writer) error { return asJSON(w, each) }); err != nil {
			return err
		}
		return a.add(name+".csv", func(w io.Writer) error { return asCSV(w, each) })
	}}
}

// all makes a stream of a list.
func all[S, T any](list []S, view func(*S) T) func(yield func(T) error) error {
	return func(yield func(T) error) error {
		for i := range list {
			if err := yield(view(&list[i])); err != nil {
				return err
			}
		}
		return nil
	}
}

func asJSON[T any](w io.Writer, each func(yield func(T) error) error) error {
	between := "[\n"
	err := each(func(row T) error {
		b, err := json.Marshal(row)
		if err == nil {
			_, err = fmt.Fprintf(w, "%s%s", between, spelled(b))
		}
		between = ",\n"
		return err
	})
	if err == nil && between == "[\n" {
		_, err = io.WriteString(w, "[")
	}
	if err == nil {
		_, err = io.WriteString(w, "\n]\n")
	}
	return err
}

func asCSV[T any](w io.Writer, each func(yield func(T) error) error) error {
	out := csv.NewWriter(w)
	t := reflect.TypeFor[T]()
	head := make([]string, t.NumField())
	for i := range head {
		head[i], _, _ = strings.Cut(t.Field(i).Tag.Get("json"), ",")
	}
	_ = out.Write(head) // Flush has the error
	err := each(func(row T) error {
		v := reflect.ValueOf(row)
		for i := range head {
			head[i] = text(v.Field(i).Interface())
		}
		return out.Write(head)
	})
	if err != nil {
		return err
	}
	out.Flush()
	return out.Error()
}

// text is a value as a cell.
func text(v any) string {
	switch x := v.(type) {
	case time.Time:
		if x.IsZero() {
			return ""
		}
		return x.UTC().Format(time.RFC3339Nano)
	case string:
		return cell(x)
	case json.RawMessage:
		return cell(string(x))
	case float64: // without an exponent, which many a reader takes for a text
		return strconv.FormatFloat(x, 'f', -1, 64)
	case []string:
		return cell(strings.Join(x, " "))
	}
	return cell(fmt.Sprint(v))
}

// cell makes a text harmless to a spreadsheet: what begins like a formula is text, and nothing turns the order of letters.
func cell(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) && (len(s) == 1 || strings.Trim(s[1:], "0123456789.") != "") {
		return "'" + s
	}
	return s
}

// spelled is JSON in which what turns the order of letters, or hides some, is written as its code.
func spelled(b []byte) []byte {
	if !bytes.ContainsFunc(b, func(r rune) bool { return unicode.Is(unicode.Cf, r) }) {
		return b
	}
	var out bytes.Buffer
	for _, r := range string(b) {
		if unicode.Is(unicode.Cf, r) && r < 0x10000 {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else if !unicode.Is(unicode.Cf, r) {
			out.WriteRune(r)
		}
	}
	return out.Bytes()
}
