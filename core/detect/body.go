package detect

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ringfence/core/fact"
)

// ErrBody says that a fact's body is not what its kind promises.
var ErrBody = errors.New("not a body of this kind of fact")

// Limits on what a finding takes from a fact, because much of it was sent by unknown sources.
const (
	maxBody   = 64 << 10 // bytes of a body that is read at all
	maxText   = 120      // runes of text from an unknown source
	maxSample = 10       // entries of a list
)

func decode(e *Event, into interface{ Decode(body []byte) error }) error {
	if len(e.Body) > maxBody {
		return fmt.Errorf("%w: %s of %d bytes", ErrBody, e.Kind, len(e.Body))
	}
	if err := into.Decode(e.Body); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrBody, e.Kind, err)
	}
	return nil
}

// words are text from an unknown source made harmless: one line, no control or formatting characters (which could turn a sentence around), no
// longer than a finding needs.
type words string

func said(text string) words { return words(clean(text)) }

func clean(text string) string { return cleanTo(text, maxText) }

// cleanTo is clean for a text of so many runes.
func cleanTo(text string, most int) string {
	var out strings.Builder
	n := 0
	for _, r := range text {
		if n == most {
			out.WriteRune('…')
			break
		}
		switch {
		case r == utf8.RuneError || !unicode.IsPrint(r) && !unicode.IsSpace(r):
			r = '?'
		case unicode.IsSpace(r):
			r = ' '
		}
		out.WriteRune(r)
		n++
	}
	return strings.TrimSpace(out.String())
}

// source is an address, a network or an autonomous system, or nothing.
type source struct {
	net netip.Prefix
	as  uint32 // if net is none
}

// from is a source of a fact, without what differs from packet to packet.
func from(s fact.Source) source {
	s.Addr = s.Addr.Unmap()
	if !s.Addr.IsValid() {
		return source{as: s.AS}
	}
	return source{net: s.Net()}
}

// String is "203.0.113.9", "203.0.113.0/24", "AS64500", or "" for none.
func (s source) String() string {
	switch {
	case s.as != 0:
		return "AS" + strconv.FormatUint(uint64(s.as), 10)
	case !s.net.IsValid():
		return ""
	case s.net.IsSingleIP():
		return s.net.Addr().String()
	}
	return s.net.String()
}

// or gives words for a source that is not known.
func (s source) or(unknown string) string {
	if text := s.String(); text != "" {
		return text
	}
	return unknown
}

// place is the network that stands for the source in keys: its /24 or /56, or what is wider already.
func (s source) place() string {
	if !s.net.IsValid() {
		return s.or("unknown")
	}
	bits := 24
	if s.net.Addr().Is6() {
		bits = 56
	}
	net, err := s.net.Addr().Prefix(min(bits, s.net.Bits()))
	if err != nil {
		return "unknown"
	}
	return net.String()
}

// evidence is the object of a finding; encoding/json sorts it by key, so that the same facts give the same bytes.
type evidence map[string]any

func (v evidence) json() json.RawMessage {
	for k, x := range v {
		switch x := x.(type) {
		case words:
			if x == "" {
				delete(v, k)
			}
		case time.Time:
			if x.IsZero() {
				delete(v, k)
			}
		case source:
			if delete(v, k); x != (source{}) {
				v[k] = x.String()
			}
		case string:
			if x == "" {
				delete(v, k)
			}
		}
	}
	b, err := json.Marshal(map[string]any(v))
	if err != nil { // cannot happen: texts, numbers, times and lists of them
		return json.RawMessage(`{}`)
	}
	return b
}

// finding fills in what all findings share. The key names the kind, what it is about, and the period within which a
// repeat is the same finding.
func (e *Event) finding(k Kind, line, src, text string, v evidence, key ...string) Finding {
	f := Finding{Key: k.String(), Kind: k, Severity: k.Severity(), Source: src, Text: text, At: e.At, Evidence: v.json()}
	if line != "" {
		f.Line, f.Account = line, e.Account
		f.Key += "/line/" + line
	}
	for _, part := range key {
		f.Key += "/" + part
	}
	return f
}

// day and week are the periods of keys, in UTC: for a key a day need only be the same day for every node.
func (e *Event) day() string { return e.At.UTC().Format(time.DateOnly) }

func (e *Event) week() string {
	year, week := e.At.UTC().ISOWeek()
	return fmt.Sprintf("%d-W%02d", year, week)
}

// some is "1 wrong password", "5 wrong passwords".
func some(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatInt(n, 10) + " " + many
}

// long is a time in words, to the unit that matters: "40 minutes", "5 hours", "3 days".
func long(d time.Duration) string {
	switch {
	case d < 90*time.Second && d != time.Minute:
		return some(int64(max(d, 0).Round(time.Second)/time.Second), "second", "seconds")
	case d < 2*time.Hour && d != time.Hour:
		return some(int64(d.Round(time.Minute)/time.Minute), "minute", "minutes")
	case d < 48*time.Hour:
		return some(int64(d.Round(time.Hour)/time.Hour), "hour", "hours")
	}
	return some(int64(d.Round(24*time.Hour)/(24*time.Hour)), "day", "days")
}
