package config

import (
	"fmt"
	"strings"
)

// Fault is one thing wrong with a configuration.
type Fault struct {
	File    string
	Line    int    // 0: the field is not in the file
	Key     string // "sip.max-calls"; "" when it is about no one field
	Problem string // what was found
	Want    string // what may stand there
}

// Error is "ringfence.toml:12: sip.max-calls: found 0, want a whole number from 1 to 1000000".
func (f Fault) Error() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File)
		if f.Line > 0 {
			fmt.Fprintf(&b, ":%d", f.Line)
		}
		b.WriteString(": ")
	}
	if f.Key != "" {
		b.WriteString(f.Key + ": ")
	}
	b.WriteString(f.Problem)
	if f.Want != "" {
		b.WriteString(", want " + f.Want)
	}
	return b.String()
}

// Faults is everything wrong with a configuration, as one error.
type Faults []Fault

// Error is one fault a line.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// unknownKey names the nearest key that exists: in the same table first, then anywhere by its last part.
func unknownKey(file string, line int, key string) Fault {
	f := Fault{File: file, Line: line, Key: clip(key), Problem: "no such key"}
	if near := nearest(key); near != "" {
		f.Problem += fmt.Sprintf(": did you mean %s?", near)
	}
	return f
}

func nearest(key string) string {
	if len(key) > 200 {
		return ""
	}
	last := key[strings.LastIndexByte(key, '.')+1:]
	table := strings.TrimSuffix(strings.TrimSuffix(key, last), ".")
	best, bestCost := "", 1000
	for _, f := range append(append([]field(nil), allTables...), allFields...) {
		cost := distance(key, f.Key)
		if f.table() == table {
			cost = distance(last, f.name())
		} else if f.name() == last {
			cost = 2 // the right key in the wrong table
		}
		if cost < bestCost {
			best, bestCost = f.Key, cost
		}
	}
	if bestCost > max(2, len(last)/2) {
		return ""
	}
	return best
}

// Nearest is the word among others that a slip of the keys may have meant, "" if none is near.
func Nearest(word string, among []string) string {
	best, cost := "", max(2, len(word)/3)+1
	if len(word) > 200 {
		return ""
	}
	for _, w := range among {
		if d := distance(word, w); d < cost {
			best, cost = w, d
		}
	}
	return best
}

// distance is Levenshtein's: how many letters to insert, remove or change.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
