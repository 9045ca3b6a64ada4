package rating

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Mapping names columns by hand: each is read as if its header were another.
type Mapping []Rename

// Rename is one column of a Mapping.
type Rename struct {
	Column string // as the header has it, or its number from 1, or its letters as a spreadsheet shows them
	As     string // a header name that is understood, with its unit ("rate (p)", "first interval"), or "ignore"
}

// Bounds of a mapping.
const (
	maxRenames     = maxColumns
	maxRenameBytes = 200
)

// ParseMapping reads "Preis=rate", "3=rate (p)" and "Notes=ignore", or "none" alone, which is an empty mapping; nil means
// that there is no mapping. An error says which entry is wrong, and what is possible.
func ParseMapping(list []string) (Mapping, error) {
	if len(list) == 1 && strings.EqualFold(list[0], "none") {
		return Mapping{}, nil
	}
	var m Mapping
	if len(list) > maxRenames {
		return nil, fmt.Errorf("%d columns are mapped, want at most %d", len(list), maxRenames)
	}
	for _, text := range list {
		at := strings.LastIndexByte(text, '=')
		if at < 1 || len(text) > maxRenameBytes {
			return nil, fmt.Errorf("%q does not map a column, want COLUMN=MEANING such as \"Preis=rate\" or \"3=rate (p)\"", clip(text))
		}
		rename := Rename{strings.TrimSpace(text[:at]), strings.TrimSpace(text[at+1:])}
		if mean, _ := readHeader(rename.As); !isIgnore(rename.As) && (mean.field == fieldNone || mean.field == fieldNothing) {
			return nil, fmt.Errorf("%q is not a column meaning; the meanings are %s and ignore; a rate or charge may name its unit: rate (p), rate per second", clip(rename.As), strings.Join(fieldNames[1:], ", "))
		}
		if slices.ContainsFunc(m, func(r Rename) bool { return strings.EqualFold(r.Column, rename.Column) }) {
			return nil, fmt.Errorf("column %q is mapped twice", clip(rename.Column))
		}
		m = append(m, rename)
	}
	return m, nil
}

// String is one line for each column, as ParseMapping reads it.
func (m Mapping) String() string {
	lines := make([]string, len(m))
	for i, r := range m {
		lines[i] = r.Column + "=" + r.As
	}
	return strings.Join(lines, "\n")
}

func isIgnore(name string) bool {
	switch strings.ToLower(name) {
	case "ignore", "ignored", "unused", "none", "-":
		return true
	}
	return false
}

// rename gives the name that a column is read by; the mapping by its header's name comes before that by its place.
func (m Mapping) rename(cell int, header string) (name string, mapped bool) {
	title := strings.TrimSpace(header)
	for _, r := range m {
		if title != "" && strings.EqualFold(r.Column, title) {
			return r.as(), true
		}
	}
	for _, r := range m {
		if r.place() == cell+1 {
			return r.as(), true
		}
	}
	return header, false
}

// as is the meaning, with a name that no bill depends on for "ignore".
func (r Rename) as() string {
	if isIgnore(r.As) {
		return "notes"
	}
	return r.As
}

// place is the column's number, 0 when it is named otherwise.
func (r Rename) place() int {
	if n, err := strconv.Atoi(r.Column); err == nil {
		return n
	}
	if len(r.Column) > 2 || strings.Trim(r.Column, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return 0
	}
	n := 0
	for _, letter := range r.Column {
		n = n*26 + int(letter-'A') + 1
	}
	return n
}

// byName is the mapping without the columns that are named by their place.
func (m Mapping) byName() Mapping {
	return slices.DeleteFunc(slices.Clone(m), func(r Rename) bool { return r.place() > 0 })
}

// unmatched are the columns of the mapping that a header does not have.
func (m Mapping) unmatched(header []string) (missing []string) {
	for _, r := range m {
		at := r.place()
		found := at > 0 && at <= len(header) || slices.ContainsFunc(header, func(h string) bool { return strings.EqualFold(strings.TrimSpace(h), r.Column) })
		if !found {
			missing = append(missing, r.Column)
		}
	}
	return missing
}
