package rest

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"ringfence/core/account"
	"ringfence/core/slip"
	"ringfence/edge/rest/api"
	"ringfence/flow/book"
)

// sheet is a CSV file of customers or lines: a header that names the columns, then a row for each.
type sheet struct {
	columns []string // canonical names
	rows    []sheetRow
	good    []int // rows that were read without a fault
	faults  []api.Fault
}

type sheetRow struct {
	line   int // of the file, from 1
	cells  map[string]string
	faulty bool
}

// maxFaults is how many faults of a file are named.
const maxFaults = 200

// readSheet reads a file by the names of its columns: known are those that are no settings, with what else they are called.
func readSheet(data []byte, known map[string][]string) *sheet {
	s := &sheet{}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace = separator(data), -1, true
	head, err := r.Read()
	if err != nil {
		s.fault(1, 0, "", "the file has no header: name the columns in its first line")
		return s
	}
	for i, name := range head {
		column := columnOf(name, known)
		switch {
		case column == "":
			s.fault(1, i+1, name, fmt.Sprintf("there is no column %q%s", clip(name, 40), didYouMean(name, known)))
		case slices.Contains(s.columns, column):
			s.fault(1, i+1, name, "the column "+column+" is there twice")
		}
		s.columns = append(s.columns, column)
	}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return s
		}
		line, _ := r.FieldPos(0)
		var bad *csv.ParseError
		switch {
		case errors.As(err, &bad):
			s.fault(bad.Line, bad.Column, "", bad.Err.Error())
			return s
		case err != nil:
			s.fault(line, 0, "", err.Error())
			return s
		case len(record) == 1 && strings.TrimSpace(record[0]) == "":
			continue
		case len(record) != len(head):
			s.fault(line, 0, "", fmt.Sprintf("%d columns, the header has %d", len(record), len(head)))
			continue
		}
		row := sheetRow{line: line, cells: map[string]string{}}
		for i, cell := range record {
			if cell = strings.TrimSpace(cell); cell != "" && s.columns[i] != "" {
				row.cells[s.columns[i]] = cell
			}
		}
		s.rows = append(s.rows, row)
	}
}

// separator is what stands between the names of the header.
func separator(data []byte) rune {
	head, _, _ := bytes.Cut(data, []byte("\n"))
	best := ','
	for _, c := range []rune{';', '\t'} {
		if bytes.Count(head, []byte(string(c))) > bytes.Count(head, []byte(string(best))) {
			best = c
		}
	}
	return best
}

// columnOf is the canonical name of a column, "" if there is none of that name.
func columnOf(name string, known map[string][]string) string {
	name = strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "_", "-"), " ", "-")
	for column, others := range known {
		if name == column || slices.Contains(others, name) {
			return column
		}
	}
	if _, err := account.ParseField(name); err == nil {
		return name
	}
	return ""
}

func didYouMean(name string, known map[string][]string) string {
	var names []string
	for column := range known {
		names = append(names, column)
	}
	for f := range account.NumFields {
		names = append(names, f.String())
	}
	if near := slip.Nearest(name, names); near != "" {
		return `, did you mean "` + near + `"?`
	}
	return ""
}

func (s *sheet) fault(line, column int, found, text string) {
	if len(s.faults) < maxFaults {
		s.faults = append(s.faults, api.Fault{Line: line, Column: column, Found: clip(found, 80), Text: fmt.Sprintf("line %d%s: %s", line, columnText(column), text)})
	}
}

func columnText(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", column %d", n)
}

// wrong is a fault of a row in the column that an error names; secrets are not repeated.
func (s *sheet) wrong(row int, err error) {
	r, column, found := s.rows[row], 0, ""
	var invalid *book.Invalid
	if errors.As(err, &invalid) {
		column, found = slices.Index(s.columns, invalid.Field)+1, invalid.Found
	}
	var weak *book.Weak
	if errors.As(err, &weak) {
		column, found = slices.Index(s.columns, "password")+1, ""
	}
	s.fault(r.line, column, found, strings.ReplaceAll(err.Error(), "\n", "; "))
}

// settings are the columns that are settings, as changes.
func (r *sheetRow) settings(grant bool) (out []api.Change) {
	for f := range account.NumFields {
		if v := r.cells[f.String()]; v != "" {
			out = append(out, api.Change{Field: f.String(), Value: v, Grant: grant})
		}
	}
	return out
}

// nets are addresses and networks with commas, semicolons or blanks between.
func (r *sheetRow) nets() *[]string {
	all := strings.FieldsFunc(r.cells["nets"], func(c rune) bool { return c == ',' || c == ';' || c == ' ' })
	return &all
}

// cell is what a column holds, nil if it is empty.
func (r *sheetRow) cell(column string) *string {
	if text, ok := r.cells[column]; ok {
		return &text
	}
	return nil
}

// problem is nil when nothing is wrong.
func (s *sheet) problem() error {
	if len(s.faults) == 0 {
		return nil
	}
	p := newProblem(http.StatusUnprocessableEntity, api.ReasonImportFaults, "nothing was imported: "+s.faults[0].Text)
	if n := len(s.faults); n > 1 {
		p.Detail = fmt.Sprintf("nothing was imported: %d faults; the first: %s", n, s.faults[0].Text)
	}
	p.Errors = s.faults
	return p
}
