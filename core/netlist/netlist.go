// Package netlist reads and writes lists of addresses and networks, and hot lists of numbers, with an end and a reason, as they are exchanged
// to block attackers: plain text, CSV and JSON, ours and those of others. It must not know where a list comes from or what is done with it.
package netlist

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ringfence/core/restrict"
)

// Bounds of a list.
const (
	MaxBytes = 64 << 20
	MaxRows  = 1_000_000 // rows that were left out counted too
	MaxWhy   = 200       // bytes of a reason; what is longer is cut
	MaxNotes = 20        // kept of a list
	maxCell  = 4096      // bytes of a CSV cell or JSON text
)

// A network wider than these is taken for a slip of the pen.
const (
	Widest4 = 8
	Widest6 = 19
)

// Entry is one address or network of a list, or a range of numbers of a hot list.
type Entry struct {
	Net   netip.Prefix // masked; IPv4 never in its IPv6 form
	Range restrict.Range
	Way   restrict.Way // of numbers
	Until time.Time    // UTC; zero: the list does not say
	Why   string       // one line of clean text, at most MaxWhy bytes
	By    string       // who put it on; in our own format only
	Made  time.Time    // likewise
}

// Format is the form of a list.
type Format string

// Formats. Auto is for reading: the form is seen from the text.
const (
	Auto Format = ""
	Text Format = "text" // an address or network a line, then its end and its reason if there are any; # ; // begin comments
	CSV  Format = "csv"  // with a header or without: address, end, reason
	JSON Format = "json" // ours, APIBAN's, CrowdSec's decisions, or a plain array of addresses
)

// ParseFormat reads the name of a format; "" and "auto" are Auto.
func ParseFormat(name string) (Format, error) {
	switch f := Format(strings.ToLower(name)); f {
	case Auto, "auto":
		return Auto, nil
	case Text, CSV, JSON:
		return f, nil
	}
	return "", fmt.Errorf("%.20q is not a list format: text, csv, json or auto", name)
}

// Options of Parse.
type Options struct {
	Format  Format
	Numbers bool         // a hot list of numbers
	Way     restrict.Way // of numbers that the list gives none for; "" is out
	Now     time.Time    // durations count from here, and entries whose end has passed are left out; zero leaves none out
	Rows    int          // at most; 0 or more than MaxRows is MaxRows
}

// List is a list that was read.
type List struct {
	Format  Format
	Entries []Entry  // in the order of the list; of two with one network the later end stands, none being the latest
	Ended   int      // rows left out because their end has passed
	Skipped int      // rows left out because they are no bans of addresses (CrowdSec's captchas, countries …)
	Notes   []string // what was read with a shrug, at most MaxNotes: host bits that were cleared
}

// Fault is one thing that is wrong with a list, with its place.
type Fault struct {
	Line     int // 1 is the first; 0: the list as a whole
	Column   int // byte of the line, 1 is the first; 0: the line as a whole
	Found    string
	Expected string
}

// String is one line: `line 7, column 3: found "abc", expected an address or network`.
func (f Fault) String() string {
	var b strings.Builder
	if f.Line > 0 {
		fmt.Fprintf(&b, "line %d", f.Line)
		if f.Column > 0 {
			fmt.Fprintf(&b, ", column %d", f.Column)
		}
		b.WriteString(": ")
	}
	if f.Found != "" {
		fmt.Fprintf(&b, "found %q, ", f.Found)
	}
	return b.String() + "expected " + f.Expected
}

// Malformed says that nothing of a list was taken, and why.
type Malformed struct {
	Faults []Fault // the first MaxNotes
	Count  int
}

func (m *Malformed) Error() string {
	s := m.Faults[0].String()
	if m.Count > 1 {
		s += fmt.Sprintf(" (and %d more)", m.Count-1)
	}
	return s
}

// Errors of ParseNet.
var (
	ErrNotNet  = errors.New("an address or network")
	ErrTooWide = fmt.Errorf("a network of /%d or longer (IPv6: /%d); what is wider is taken for a mistake", Widest4, Widest6)
)

// ParseNet reads one address or network. IPv4 in its IPv6 form is IPv4. Host bits are cleared; loose says that there were
// any. A zone, a port and leading zeros are not taken.
func ParseNet(s string) (p netip.Prefix, loose bool, err error) {
	if strings.Contains(s, "/") {
		p, err = netip.ParsePrefix(s)
	} else {
		var a netip.Addr
		a, err = netip.ParseAddr(s)
		p = netip.PrefixFrom(a.WithZone(""), a.BitLen())
		if a.Zone() != "" {
			err = ErrNotNet
		}
	}
	if err != nil {
		return netip.Prefix{}, false, ErrNotNet
	}
	return Normal(p)
}

// Normal gives the form in which a network is kept: masked, IPv4 never as IPv6. It fails as ParseNet does.
func Normal(p netip.Prefix) (_ netip.Prefix, loose bool, err error) {
	if !p.IsValid() {
		return p, false, ErrNotNet
	}
	if a := p.Addr(); a.Is4In6() {
		if p.Bits() < 96+Widest4 {
			return netip.Prefix{}, false, ErrTooWide
		}
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	if p.Addr().Is4() && p.Bits() < Widest4 || p.Addr().Is6() && p.Bits() < Widest6 {
		return netip.Prefix{}, false, ErrTooWide
	}
	m := p.Masked()
	return m, m != p, nil
}

// Show writes a network as people do: a single address without its length.
func Show(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// Clean makes one line of plain text out of any: control characters and broken UTF-8 become "?", blanks at the ends go,
// and it is cut at MaxWhy bytes, never within a character.
func Clean(s string) string {
	if len(s) > 4*MaxWhy { // before any work is done on it
		s = s[:4*MaxWhy]
	}
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029':
			return '?'
		}
		return r
	}, s))
	if len(s) > MaxWhy {
		cut := MaxWhy
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = strings.TrimSpace(s[:cut])
	}
	return s
}

// ends are the forms of an instant; a day alone ends when it is over.
var ends = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05 -0700 MST"}

// parseEnd reads an instant, or a duration from now: "2026-11-30", "2026-11-30 12:00", RFC 3339, "90m", "7d".
func parseEnd(s string, now time.Time) (time.Time, bool) {
	if d, ok := parseDuration(s); ok {
		return now.Add(d).UTC(), !now.IsZero()
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t.AddDate(0, 0, 1), sane(t)
	}
	for _, form := range ends {
		if t, err := time.Parse(form, s); err == nil {
			return t.UTC(), sane(t)
		}
	}
	return time.Time{}, false
}

// sane bounds instants to what a store can hold and a person can mean.
func sane(t time.Time) bool { return t.Year() >= 1990 && t.Year() <= 9000 }

// parseDuration reads Go's durations, CrowdSec's likewise, and whole days and weeks.
func parseDuration(s string) (time.Duration, bool) {
	const most = 100 * 365 * 24 * time.Hour
	if n := len(s) - 1; n > 0 && n <= 6 && (s[n] == 'd' || s[n] == 'w') {
		days := 0
		for _, c := range []byte(s[:n]) {
			if c < '0' || c > '9' {
				return 0, false
			}
			days = days*10 + int(c-'0')
		}
		if s[n] == 'w' {
			days *= 7
		}
		return min(time.Duration(min(days, 36500))*24*time.Hour, most), true
	}
	d, err := time.ParseDuration(s)
	if err != nil || s == "0" {
		return 0, false
	}
	return min(d, most), true
}
