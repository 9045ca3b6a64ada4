package replay

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ringfence/core/phone"
)

// TestRecords: whatever a file holds, a record that cannot be read costs its line alone, and the others are those of encoding/csv.
func TestRecords(t *testing.T) {
	read := func(file string) (rows []string) {
		r := records{in: bufio.NewReaderSize(strings.NewReader(file), 2*maxRecord), comma: ','}
		for {
			cells, line, err := r.next()
			var fault *Fault
			switch {
			case errors.Is(err, io.EOF):
				return rows
			case errors.As(err, &fault):
				rows = append(rows, fmt.Sprintf("%d!", fault.Line))
			default:
				rows = append(rows, fmt.Sprintf("%d %q", line, cells))
			}
		}
	}
	long := strings.Repeat("x", 3*maxRecord)
	for file, want := range map[string][]string{
		"":                                   nil,
		"a,b\r\n\r\n\nc,d":                   {`1 ["a" "b"]`, `4 ["c" "d"]`},
		"a,\"b\nc\"\"\",d\ne,f\n":            {`1 ["a" "b\nc\"" "d"]`, `3 ["e" "f"]`},
		"a,\"open\nb,c\nd,e\n":               {"1!", `2 ["b" "c"]`, `3 ["d" "e"]`},
		"a,\"open\nb,c\nd,\"e\"\n":           {"1!", `2 ["b" "c"]`, `3 ["d" "e"]`},
		"a,b \"c\" d\ne,f\n":                 {"1!", `2 ["e" "f"]`},
		long + ",b\nc,d\n":                   {"1!", `2 ["c" "d"]`},
		"a,\"" + long + "\nc,d\n":            {"1!", `2 ["c" "d"]`},
		"a,\"" + strings.Repeat("\n", 1<<17): {"1!"},
		"\"\"\"\",\"\"\n,\n":                 {`1 ["\"" ""]`, `2 ["" ""]`},
	} {
		if got := read(file); !slices.Equal(got, want) {
			t.Errorf("%.40q: %q, want %q", file, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		file := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", ",", `"`, "\n", "\r\n"}), 0, 40).Draw(t, "file"), "")
		r := csv.NewReader(strings.NewReader(file))
		r.FieldsPerRecord = -1
		all, err := r.ReadAll()
		if err != nil {
			return
		}
		var want []string
		for _, cells := range all {
			want = append(want, fmt.Sprintf("%q", cells))
		}
		got := read(file)
		for i := range got {
			_, got[i], _ = strings.Cut(strings.ReplaceAll(got[i], `\r\n`, `\n`), " ") // encoding/csv makes one of the other, within quotes
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q: %q, want %q", file, got, want)
		}
	})
}

// TestUnclearHeaders: a column that stands there twice, or that was named by hand and does not stand there, is never guessed at.
func TestUnclearHeaders(t *testing.T) {
	for head, want := range map[string]string{
		"time,line,Line,dialled,seconds,acct": `"line" twice`, "time,line,dialled,seconds,seconds,acct": `"seconds" twice`,
		"time,line,dialled,seconds": "acct", "time,line,dialled,seconds,x,x,acct": "",
	} {
		_, err := Run(t.Context(), strings.NewReader(head+"\n"), Options{Sets: []Set{rules(t)}, Source: Source{Map: map[string]string{"customer": "acct"}}})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", head, err)
		}
	}
	if _, err := ReadLines(strings.NewReader("line,line-day-cap,line-day-cap\n"), phone.UK()); err == nil {
		t.Error("a setting that stands in the header twice was taken")
	}
}

// TestCustomerOfARow: what lines.csv says of a customer holds for a line that only the calls name.
func TestCustomerOfARow(t *testing.T) {
	lines, err := ReadLines(strings.NewReader("line,customer,account-day-cap\n1,acme,0.10\n"), phone.UK())
	must(t, err)
	got, _ := playFile(t, "id,time,line,customer,dialled,seconds,answered\na,2026-11-02T10:00:00Z,2,acme,0033142685300,3600,1\n", Options{Sets: []Set{rules(t)}, Lines: lines})
	if want := "cut,400,0.100000,account-day-cap,,"; got["a"] != want {
		t.Errorf("%s, want %s", got["a"], want)
	}
}
