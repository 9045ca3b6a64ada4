package config

import (
	"fmt"
	"strings"

	"ringfence/core/slip"
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
		cost := slip.Distance(key, f.Key)
		if f.table() == table {
			cost = slip.Distance(last, f.name())
		} else if f.name() == last {
			cost = 1 // the right key in the wrong table
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
