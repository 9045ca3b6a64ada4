package netlist

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringfence/core/restrict"
)

// Write writes a list as Parse reads it: addresses, ends and reasons; JSON also who and when.
func Write(entries []Entry, f Format) ([]byte, error) {
	switch f {
	case Text, Auto:
		return writeText(entries), nil
	case CSV:
		return writeCSV(entries)
	case JSON:
		return writeJSON(entries)
	}
	return nil, fmt.Errorf("%.20q is not a list format", string(f))
}

// shown is what an entry names.
func (e *Entry) shown() string {
	if e.Range.Digits > 0 {
		return e.Range.String()
	}
	return Show(e.Net)
}

func writeText(entries []Entry) []byte {
	var b bytes.Buffer
	for i := range entries {
		e := &entries[i]
		b.WriteString(e.shown())
		if s := showTime(e.Until); s != "" {
			b.WriteString(" " + s)
		}
		if e.Why != "" {
			b.WriteString(" # " + Clean(e.Why))
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func writeCSV(entries []Entry) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	numbers := len(entries) > 0 && entries[0].Range.Digits > 0
	if numbers {
		_ = w.Write([]string{"number", "direction", "until", "reason"}) // into memory: Flush tells
	} else {
		_ = w.Write([]string{"address", "until", "reason"})
	}
	for i := range entries {
		e := &entries[i]
		row := []string{e.shown(), showTime(e.Until), plain(Clean(e.Why))}
		if numbers {
			row = slices.Insert(row, 1, string(e.Way))
		}
		_ = w.Write(row)
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// plain keeps a spreadsheet from taking a reason, which may hold an attacker's words, for a formula.
func plain(s string) string {
	if s != "" && strings.IndexByte("=+-@", s[0]) >= 0 {
		return "'" + s
	}
	return s
}

// jsonEntry is an entry in our own form.
type jsonEntry struct {
	Net       string       `json:"net,omitempty"`
	Number    string       `json:"number,omitempty"`
	Direction restrict.Way `json:"direction,omitempty"`
	Until     string       `json:"until,omitempty"`
	Why       string       `json:"why,omitempty"`
	By        string       `json:"by,omitempty"`
	Made      string       `json:"made,omitempty"`
}

func writeJSON(entries []Entry) ([]byte, error) {
	list := make([]jsonEntry, len(entries))
	format := "ringfence-bans/1"
	for i := range entries {
		e := &entries[i]
		list[i] = jsonEntry{Until: showTime(e.Until), Why: Clean(e.Why), By: Clean(e.By), Made: showTime(e.Made)}
		if e.Range.Digits > 0 {
			list[i].Number, list[i].Direction, format = e.shown(), e.Way, "ringfence-numbers/1"
		} else {
			list[i].Net = e.shown()
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", " ")
	err := enc.Encode(struct {
		Format  string      `json:"format"`
		Entries []jsonEntry `json:"entries"`
	}{format, list})
	return b.Bytes(), err
}

func showTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Truncate(time.Second).Format(time.RFC3339)
}
