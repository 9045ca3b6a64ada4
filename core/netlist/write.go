package netlist

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"time"
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

func writeText(entries []Entry) []byte {
	var b bytes.Buffer
	for _, e := range entries {
		b.WriteString(Show(e.Net))
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
	_ = w.Write([]string{"address", "until", "reason"}) // into memory: Flush tells
	for _, e := range entries {
		_ = w.Write([]string{Show(e.Net), showTime(e.Until), plain(Clean(e.Why))})
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
	Net   string `json:"net"`
	Until string `json:"until,omitempty"`
	Why   string `json:"why,omitempty"`
	By    string `json:"by,omitempty"`
	Made  string `json:"made,omitempty"`
}

func writeJSON(entries []Entry) ([]byte, error) {
	list := make([]jsonEntry, len(entries))
	for i, e := range entries {
		list[i] = jsonEntry{Show(e.Net), showTime(e.Until), Clean(e.Why), Clean(e.By), showTime(e.Made)}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", " ")
	err := enc.Encode(struct {
		Format  string      `json:"format"`
		Entries []jsonEntry `json:"entries"`
	}{"ringfence-bans/1", list})
	return b.Bytes(), err
}

func showTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Truncate(time.Second).Format(time.RFC3339)
}
