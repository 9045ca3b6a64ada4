package netlist

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"ringfence/core/restrict"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// show is a list in one line.
func show(l *List) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:", l.Format)
	for _, e := range l.Entries {
		fmt.Fprintf(&b, " %s", Show(e.Net))
		if !e.Until.IsZero() {
			fmt.Fprintf(&b, "→%s", e.Until.Format("02T15:04"))
		}
		if e.Why != "" {
			fmt.Fprintf(&b, "(%s)", e.Why)
		}
	}
	if l.Ended+l.Skipped > 0 {
		fmt.Fprintf(&b, " ended %d skipped %d", l.Ended, l.Skipped)
	}
	return b.String()
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "", "text:"},
		{"comments alone", "# none\n; none\n// none\n\n", "text:"},
		{"one a line", "192.0.2.1\n2001:db8::/32\r\n\n198.51.100.0/24", "text: 192.0.2.1 2001:db8::/32 198.51.100.0/24"},
		{"byte order mark", "\xef\xbb\xbf192.0.2.1\n", "text: 192.0.2.1"},
		{"reasons", "192.0.2.0/24 ; SBL256894\n192.0.3.1 # guessing, twice\n192.0.4.1 // a word", "text: 192.0.2.0/24(SBL256894) 192.0.3.1(guessing, twice) 192.0.4.1(a word)"},
		{
			"ends", "192.0.2.1 2026-11-30\n192.0.2.2 2026-11-30T06:00:00Z\n192.0.2.3 12h # x\n192.0.2.4 2d\n192.0.2.5 2026-11-24 01:02\n192.0.2.6 -\n",
			"text: 192.0.2.1→01T00:00 192.0.2.2→30T06:00 192.0.2.3→24T00:00(x) 192.0.2.4→25T12:00 192.0.2.5→24T01:02 192.0.2.6",
		},
		{"what has ended", "192.0.2.1 2026-11-01\n192.0.2.2 -1h\n192.0.2.3", "text: 192.0.2.3 ended 2 skipped 0"},
		{"IPv4 in its IPv6 form", "::ffff:192.0.2.1\n::ffff:198.51.100.0/120", "text: 192.0.2.1 198.51.100.0/24"},
		{"twice: the later end", "192.0.2.1 1h\n192.0.2.1 3h\n192.0.2.1 2h\n192.0.2.2\n192.0.2.2 1h", "text: 192.0.2.1→23T15:00 192.0.2.2"},
		{"host bits", "192.0.2.77/24", "text: 192.0.2.0/24"},
		{"CSV", "192.0.2.1,2026-11-30,\"many, wrong\"\n192.0.2.2,,\n192.0.2.3\n", "csv: 192.0.2.1→01T00:00(many, wrong) 192.0.2.2 192.0.2.3"},
		{"CSV with a header", "# export\nReason,IP,Until\nx,192.0.2.1,2h\n,192.0.2.2,\n", "csv: 192.0.2.1→23T14:00(x) 192.0.2.2"},
		{
			"cscli", "id,source,ip,reason,action,country,as,events_count,expiration,simulated,alert_id\n1,crowdsec,Ip:192.0.2.1,crowdsecurity/asterisk_bf,ban,US,1 A,6,3h59m58.5s,false,2\n2,crowdsec,Ip:192.0.2.2,x,captcha,,,1,1h,false,3\n3,x,Country:RU,x,ban,,,1,1h,false,3\n",
			"csv: 192.0.2.1→23T15:59(crowdsecurity/asterisk_bf) ended 0 skipped 2",
		},
		{"APIBAN", `{"ipaddress":["192.0.2.1","192.0.2.2"],"ID":"1619280002"}`, "json: 192.0.2.1 192.0.2.2"},
		{"APIBAN, none", `{"ipaddress":["no new bans"],"ID":"none"}`, "json:"},
		{
			"CrowdSec's stream", `{"deleted":null,"new":[{"duration":"90m","id":1,"origin":"CAPI","scenario":"ssh:bf","scope":"Ip","type":"ban","value":"192.0.2.1"},
			{"duration":"1h","scope":"Range","type":"ban","value":"192.0.3.0/24","scenario":null},{"scope":"AS","type":"ban","value":"64496","duration":"1h"}]}`,
			"json: 192.0.2.1→23T13:30(ssh:bf) 192.0.3.0/24→23T13:00 ended 0 skipped 1",
		},
		{"CrowdSec's bouncer", `[{"duration":"-5s","scope":"ip","type":"ban","value":"192.0.2.1"}]`, "json: ended 1 skipped 0"},
		{"CrowdSec, none", "null", "json:"},
		{"cscli -o json", `[{"id":1,"source":{"ip":"192.0.2.9"},"events_count":3,"decisions":[{"value":"192.0.2.1","scope":"Ip","type":"ban","duration":"1h","scenario":"s"}]},{"decisions":null}]`, "json: 192.0.2.1→23T13:00(s)"},
		{"an array", "[ \"192.0.2.1\",\n \"2001:db8::/48\" ]", "json: 192.0.2.1 2001:db8::/48"},
		{"empty", "{}", "json:"},
		{"an array of none", " [ ] ", "json:"},
	} {
		l, err := Parse([]byte(c.in), Options{Now: now})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if got := show(l); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestFaultsAreNamedAndNothingIsTaken(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"no address", "192.0.2.1\n  bogus # x\n", `line 2, column 3: found "bogus", expected an address or network`},
		{"a port", "192.0.2.1:5060", `line 1, column 1: found "192.0.2.1:5060", expected an address or network`},
		{"a zone", "fe80::1%eth0", `line 1, column 1: found "fe80::1%eth0", expected an address or network`},
		{"too wide", "192.0.2.1\n0.0.0.0/0\n::/0\n", `line 2, column 1: found "0.0.0.0/0", expected a network of /8 or longer (IPv6: /19); what is wider is taken for a mistake (and 1 more)`},
		{"too wide as IPv6", "::ffff:0:0/96", `line 1, column 1: found "::ffff:0:0/96", expected a network of /8 or longer (IPv6: /19); what is wider is taken for a mistake`},
		{"no end", "192.0.2.1 soon", `line 1, column 11: found "soon", expected an end as "2026-11-30", "2026-11-30T12:00:00Z" or "12h"`},
		{"a page instead", "<!DOCTYPE html>\n<title>Sign in</title>\n", `line 1, column 1: found "<!DOCTYPE", expected an address or network (and 1 more)`},
		{"CSV", "address,until\n192.0.2.1,2h\nx,1h\n", `line 3, column 1: found "x", expected an address or network`},
		{"a CSV quote", "192.0.2.1,\"a\n", `line 1, column 14: expected a CSV row: extraneous or missing " in quoted-field`},
		{"JSON", "{\"ipaddress\":[\n \"192.0.2.1\",\n \"no key\"]}", `line 3, column 2: found "no key", expected an address or network`},
		{"JSON cut off", `{"ipaddress":["192.0.2.1"`, `line 1, column 26: expected the rest of the JSON; it ends here`},
		{"JSON syntax", `{"ipaddress":["192.0.2.1";]}`, `line 1, column 26: expected JSON (invalid character ';' after array element)`},
		{"JSON of another kind", `{"error":"no such key"}`, `line 1, column 23: found "error", expected one of the keys entries, ipaddress, ipaddresses, addresses, ips, new, decisions, bans, data, items, numbers with a list`},
		{"JSON number", `{"new":[7]}`, `line 1, column 9: found "7", expected an address, or an object with one`},
		{"JSON row without address", `{"new":[{"duration":"1h"}]}`, `line 1, column 9: expected an address or network`},
		{"JSON and more", `[] []`, `line 1, column 5: expected nothing after the list`},
		{"no text", "192.0.2.1\n\xff\xfe", `line 2, column 1: found "\xff", expected text in UTF-8`},
	} {
		l, err := Parse([]byte(c.in), Options{Now: now})
		var bad *Malformed
		if l != nil || !errors.As(err, &bad) || err.Error() != c.want {
			t.Errorf("%s: %v\n got %v\nwant %s", c.name, l, err, c.want)
		}
	}
}

// TestHotListsOfNumbers: plain text, CSV and JSON, with and without the plus, and each fault with its place.
func TestHotListsOfNumbers(t *testing.T) {
	parse := func(text string) (*List, error) {
		return Parse([]byte(text), Options{Numbers: true, Now: now, Way: restrict.Both})
	}
	for _, c := range []struct{ in, want string }{
		{"+25261 # test calls\n# a comment\n37167123456 2026-12-30\n", "+25261 both (test calls) +37167123456 both →2026-12-31"},
		{"number,direction,until,why\n+25261,out,30d,x\n\"3712\",IN,,\n", "+25261 out →2026-12-23 (x) +3712 in"},
		{"Range,Reason\n25261,wangiri\n", "+25261 both (wangiri)"},
		{`{"numbers":[{"number":"+25261","direction":"in","until":"2026-12-30"},{"range":"3712","why":"y"}]}`, "+25261 in →2026-12-31 +3712 both (y)"},
		{"# of tonight\nNumber\n25261\n", "+25261 both"},
		{`["25261","+3712","25261"]`, "+25261 both +3712 both"},
		{"", ""},
	} {
		l, err := parse(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		var b strings.Builder
		for _, e := range l.Entries {
			fmt.Fprintf(&b, " %s %s", e.Range, e.Way)
			if !e.Until.IsZero() {
				b.WriteString(" →" + e.Until.Format(time.DateOnly))
			}
			if e.Why != "" {
				fmt.Fprintf(&b, " (%s)", e.Why)
			}
		}
		if got := strings.TrimSpace(b.String()); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.in, got, c.want)
		}
		for _, f := range []Format{CSV, JSON} {
			text, err := Write(l.Entries, f)
			again, err2 := parse(string(text))
			if err = errors.Join(err, err2); err != nil || len(again.Entries) != len(l.Entries) {
				t.Errorf("%s is written as %s: %v", c.in, text, err)
				continue
			}
			for i := range l.Entries {
				a, b := again.Entries[i], l.Entries[i]
				if a.Range != b.Range || a.Way != b.Way || !a.Until.Equal(b.Until) || a.Why != b.Why {
					t.Errorf("%+v is written as %+v", b, a)
				}
			}
		}
	}
	for _, c := range []struct{ in, want string }{
		{"+25261\n07700900123\n", `line 2, column 1: found "07700900123", expected a number or range in international form, of 3 to 15 digits: +25261`},
		{"number,direction\n+25261,sideways\n", `line 2, column 8: found "sideways", expected out, in, both or presented`},
		{"number,until\n+25261,soon\n", `line 2, column 8: found "soon", expected an end as "2026-11-30", "2026-11-30T12:00:00Z" or "12h"`},
		{"+44\n", `line 1, column 1: found "+44", expected a number or range in international form, of 3 to 15 digits: +25261`},
		{"192.0.2.1\n", `line 1, column 1: found "192.0.2.1", expected a number or range in international form, of 3 to 15 digits: +25261`},
		{`{"numbers":[{"why":"x"}]}`, `line 1, column 13: expected a number or range in international form, of 3 to 15 digits: +25261`},
	} {
		if l, err := parse(c.in); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v\n got %v\nwant %s", c.in, l, err, c.want)
		}
	}
}

func TestLimits(t *testing.T) {
	if _, err := Parse([]byte("192.0.2.1\n192.0.2.2\n192.0.2.3\n"), Options{Rows: 2}); err == nil || err.Error() != "line 3: expected at most 2 rows" {
		t.Error(err)
	}
	if _, err := Parse([]byte(`["192.0.2.1","192.0.2.2","192.0.2.3"]`), Options{Rows: 2}); err == nil || err.Error() != "line 1: expected at most 2 rows" {
		t.Error(err)
	}
	if _, err := Parse(make([]byte, MaxBytes+1), Options{}); err == nil || err.Error() != "expected at most 64 MiB" {
		t.Error(err)
	}
	l, err := Parse([]byte("192.0.2.1 # "+strings.Repeat("é", 1000)), Options{})
	if err != nil || len(l.Entries[0].Why) > MaxWhy || !utf8.ValidString(l.Entries[0].Why) {
		t.Error(err, l)
	}
	l, err = Parse([]byte("10.1.2.3/8"), Options{})
	if err != nil || len(l.Notes) != 1 || l.Notes[0] != "line 1: 10.1.2.3/8 has bits set outside the network; read as 10.0.0.0/8" {
		t.Error(err, l)
	}
	if deep := strings.Repeat(`[{"decisions":`, 50); true {
		if _, err := Parse([]byte(deep), Options{}); err == nil {
			t.Error("a list within a list within …")
		}
	}
}

// A list of nothing but faults takes no longer than one of none: places are found in passing.
func TestManyFaults(t *testing.T) {
	const n = 200_000
	_, err := Parse([]byte(`[`+strings.Repeat("{\"a\":1},\n", n)+`{}]`), Options{})
	var bad *Malformed
	if !errors.As(err, &bad) || bad.Count != n+1 || len(bad.Faults) != MaxNotes || bad.Faults[7].Line != 8 {
		t.Error(err)
	}
}

// What a list says comes back from each format as it went in.
func TestWrittenListsAreReadAgain(t *testing.T) {
	entry := rapid.Custom(func(t *rapid.T) Entry {
		var raw [16]byte
		copy(raw[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "addr"))
		raw[0] = 0x20
		a, bits := netip.AddrFrom16(raw), rapid.IntRange(Widest6, 128).Draw(t, "bits")
		if rapid.Bool().Draw(t, "v4") {
			a, bits = netip.AddrFrom4([4]byte(raw[:4])), rapid.IntRange(Widest4, 32).Draw(t, "bits4")
		}
		e := Entry{Net: netip.PrefixFrom(a, bits).Masked(), Why: strings.TrimLeftFunc(Clean(rapid.String().Draw(t, "why")), func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("#;/=+-@", r) })}
		if rapid.Bool().Draw(t, "ends") {
			e.Until = now.Add(time.Duration(rapid.IntRange(1, 1e8).Draw(t, "secs")) * time.Second)
		}
		return e
	})
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfNDistinct(entry, 0, 20, func(e Entry) netip.Prefix { return e.Net }).Draw(t, "list")
		for _, f := range []Format{Text, CSV, JSON} {
			data, err := Write(list, f)
			if err != nil {
				t.Fatal(err)
			}
			back, err := Parse(data, Options{Now: now})
			if err != nil {
				t.Fatalf("%v\n%s", err, data)
			}
			if fmt.Sprint(back.Entries) != fmt.Sprint(list) || len(list) > 0 && back.Format != f {
				t.Fatalf("as %s:\n got %v\nwant %v\n%s", f, back.Entries, list, data)
			}
		}
	})
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"  a\tb\r\n":           "a b",
		"\x1b[31mred\x00":      "?[31mred?",
		"right\u202eleft\xff":  "right?left?",
		"<b>kept as text</b>":  "<b>kept as text</b>",
		"two\u2028lines\u0085": "two?lines?",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestASpreadsheetRunsNothing(t *testing.T) {
	data, _ := Write([]Entry{{Net: netip.MustParsePrefix("192.0.2.1/32"), Why: `=HYPERLINK("x")`}}, CSV)
	if !bytes.Contains(data, []byte(`"'=HYPER`)) {
		t.Errorf("%s", data)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"192.0.2.1 2h # x", "address,until\n192.0.2.1,2h", `{"ipaddress":["192.0.2.1"],"ID":"1"}`, `[{"decisions":[{"value":"192.0.2.1","type":"ban"}]}]`, "[2001:db8::1]", "[[", "\xff"} {
		for i := range 4 {
			f.Add([]byte(s), i)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, which int) {
		formats := []Format{Auto, Text, CSV, JSON}
		l, err := Parse(data, Options{Format: formats[uint(which)%4], Now: now, Rows: 1000})
		if (l == nil) != (err != nil) {
			t.Fatal("both or neither")
		}
		if err != nil {
			if s := err.Error(); len(s) > 1000 || !utf8.ValidString(s) || strings.ContainsAny(s, "\n\x00") {
				t.Fatalf("%q", s)
			}
			return
		}
		for _, e := range l.Entries {
			if p, loose, err := Normal(e.Net); err != nil || loose || p != e.Net || Clean(e.Why) != e.Why || !e.Until.IsZero() && !e.Until.After(now) {
				t.Fatalf("%+v", e)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	var list []Entry
	for i := range 100_000 {
		list = append(list, Entry{Net: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32), Until: now.Add(time.Hour), Why: "guessing"})
	}
	for _, f := range []Format{Text, CSV, JSON} {
		data, _ := Write(list, f)
		b.Run(string(f), func(b *testing.B) {
			for b.Loop() {
				if l, err := Parse(data, Options{Now: now}); err != nil || len(l.Entries) != len(list) {
					b.Fatal(err)
				}
			}
		})
	}
}
