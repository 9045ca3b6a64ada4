package replay

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"ringfence/core/phone"
)

// TestRecords: whatever a file holds, a record that cannot be read costs its line alone, and the others are those of encoding/csv.
func TestRecords(t *testing.T) {
	read := func(file string) []string {
		return split(chunk{data: []byte(file), end: len(file), last: true})
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
		got := read(file)
		for i := range got { // why is not compared
			got[i] = regexp.MustCompile(`! .*`).ReplaceAllString(got[i], "!")
		}
		if !slices.Equal(got, want) {
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

// split are the records of a chunk as text, "3!" for one that cannot be read.
func split(c chunk) (rows []string) {
	for r := (records{chunk: c, comma: ','}); ; {
		cells, line, why := r.next()
		switch {
		case line == 0:
			return rows
		case why != "":
			rows = append(rows, fmt.Sprintf("%d! %s", line, why))
		default:
			rows = append(rows, fmt.Sprintf("%d %q", line, cells))
		}
	}
}

// TestChunks: a file that is read in pieces has the records that it has as a whole, under the same line numbers, whatever it holds.
func TestChunks(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	parts := []string{"a", "b,c", ",", "\n", "\n", "x,y\n", "\"q\"", "\"q\nr\"\"s\",1\n", "\r\n"}
	rare := []string{"\"", strings.Repeat("z", maxRecord-1), strings.Repeat("z", maxRecord), strings.Repeat("y", chunkSize), strings.Repeat("\n", maxRecord), "\"" + strings.Repeat("w\n", maxRecord/2), "\"" + strings.Repeat("v", 2*chunkSize)}
	for range 10 {
		var file strings.Builder
		for file.Len() < 4*chunkSize {
			if r.IntN(40_000) == 0 {
				file.WriteString(rare[r.IntN(len(rare))])
				continue
			}
			file.WriteString(parts[r.IntN(len(parts))])
		}
		text := file.String()
		if r.IntN(3) == 0 {
			text = strings.ReplaceAll(text, "\"", "")
		}
		want, got, n := split(chunk{data: []byte(text), end: len(text), last: true}), []string(nil), 0
		for c := (&chunks{in: iotest.HalfReader(strings.NewReader(text)), size: chunkSize, comma: ','}); ; n++ {
			piece, err := c.next()
			if errors.Is(err, io.EOF) {
				break
			}
			must(t, err)
			got = append(got, split(piece)...)
		}
		if n < 3 {
			t.Errorf("%d pieces", n)
		}
		if !slices.Equal(got, want) {
			for i := range want {
				if i >= len(got) || got[i] != want[i] {
					t.Fatalf("%d records, want %d; the first other one is %.80s, want %.80s", len(got), len(want), got[i], want[i])
				}
			}
			t.Fatalf("%d records, want %d", len(got), len(want))
		}
	}
}

// TestBrokenOff: what a file has before it cannot be read further is read, but for the line in which it breaks off.
func TestBrokenOff(t *testing.T) {
	broken := errors.New("broken")
	report, err := Run(t.Context(), io.MultiReader(strings.NewReader(header+"a,2026-11-02T10:00:00Z,1,k,out,02079460000,90,5,1,,\nb,2026-11-02T10:00:00Z,1,k,out,0207946"), iotest.ErrReader(broken)), Options{Sets: []Set{rules(t)}})
	if !errors.Is(err, broken) || report.Rows != 1 || report.Unreadable != 0 {
		t.Errorf("%v, %+v", err, report)
	}
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
