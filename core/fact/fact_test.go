package fact

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/call"
	"ringfence/core/money"
)

// decode reads a row of a kind that there is.
func decode(r *Row) (Body, error) {
	f := empty(r.Kind)
	return f, f.Decode(r.Body)
}

// TestGolden reads bodies that the version before core/fact wrote, and writes them again: not a byte may differ.
func TestGolden(t *testing.T) {
	for _, kind := range Kinds {
		text, err := os.ReadFile(filepath.Join("testdata", "golden", kind+".jsonl"))
		if err != nil {
			t.Error(err)
		}
		for body := range bytes.Lines(text) {
			body = bytes.TrimSuffix(body, []byte("\n"))
			f, err := decode(&Row{Kind: kind, Body: body})
			if err != nil || f.Kind() != kind {
				t.Errorf("%s is read as %s: %v\n%s", kind, f.Kind(), err, body)
			} else if got := f.Append(nil); !bytes.Equal(got, body) {
				t.Errorf("%s reads\n%s and writes\n%s", kind, body, got)
			}
		}
	}
	files, err := filepath.Glob("testdata/golden/*.jsonl")
	if err != nil || len(files) != len(Kinds) {
		t.Errorf("%d files for %d kinds (%v)", len(files), len(Kinds), err)
	}
}

// TestOlderVersions: facts of former versions lack fields, or call them otherwise.
func TestOlderVersions(t *testing.T) {
	for _, c := range []struct {
		body string
		read Body
		want Body
	}{
		{`{"user_agent":"x","source":"192.0.2.7"}`, &LoginOld{}, &LoginOld{Agent: "x", Source: FromAddr(netip.MustParseAddr("192.0.2.7"))}},
		{`{"agent":"x","trunk":"a","newer":[{"a":"]}\""}]}`, &CallAdmitted{}, &CallAdmitted{Agent: "x", Trunk: "a"}},
		{`{"retail_micro":17}`, &CallSettled{}, &CallSettled{Retail: 17}},
		{`{"source":"AS64496","until":"soon","failures":null}`, &LoginLocked{}, &LoginLocked{Source: Source{AS: 64496}}},
		{`{"locked":true,"cut":true}`, nil, nil},
		{` { "by" : "n2" } `, &CallTakenOver{}, &CallTakenOver{By: "n2"}},
		{"{\"by\":\"a\xff\"}", &CallTakenOver{}, &CallTakenOver{By: "a\uFFFD"}},
		{`{"by":"\u003cb\u003e"}`, &CallTakenOver{}, &CallTakenOver{By: "<b>"}},
	} {
		if c.read == nil {
			var l Lock
			if err := l.Decode([]byte(c.body)); err != nil || l != (Lock{Locked: true, Cut: true}) {
				t.Errorf("%+v, %v", l, err)
			}
			continue
		}
		err := c.read.Decode([]byte(c.body))
		if got, want := string(c.read.Append(nil)), string(c.want.Append(nil)); err != nil || got != want {
			t.Errorf("%s is %s, want %s (%v)", c.body, got, want, err)
		}
	}
}

// TestBadBody: a body that is not what its kind promises is an error.
func TestBadBody(t *testing.T) {
	for _, body := range []string{``, `{`, `[]`, `7`, `{"retail_micro":"x"}`, `{"retail_micro":1.5}`, `{"talk_ms":9223372036854775807}`, `{"reason":7}`} {
		if f, err := decode(&Row{Kind: KindCallSettled, Body: []byte(body)}); err == nil || f == nil {
			t.Errorf("%s is %#v", body, f)
		}
	}
}

func TestSource(t *testing.T) {
	for _, text := range []string{"", "203.0.113.9", "203.0.113.9:5060", "[2001:db8::9]:5060", "2001:db8::/56", "203.0.113.0/24", "AS64496", "::ffff:192.0.2.1", "[fe80::1%eth0]:5060"} {
		if got := ParseSource(text).String(); got != text {
			t.Errorf("%q is %q", text, got)
		}
	}
	if got := ParseSource("nowhere"); got != (Source{}) || got.Net().IsValid() {
		t.Errorf("%+v", got)
	}
	if got := FromNet(netip.MustParsePrefix("192.0.2.7/32")).Net(); got.String() != "192.0.2.7/32" {
		t.Error(got)
	}
}

// TestWrittenIsRead holds for all texts and figures.
func TestWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", `a"b\`, "<&>", "\u2028", "\uFFFD"}))
		n := rapid.Int64()
		at := time.UnixMicro(rapid.Int64Range(1, 4e15).Draw(r, "at")).UTC()
		right := rapid.Bool().Draw(r, "right")
		ms := time.Duration(rapid.Int64Range(0, 1e9).Draw(r, "ms")) * time.Millisecond
		src := FromPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, rapid.Byte().Draw(r, "host")}), rapid.Uint16Range(1, 65535).Draw(r, "port")))
		for _, f := range []Body{
			&CallAdmitted{Direction: text.Draw(r, "a"), Agent: text.Draw(r, "b"), Source: src, Withheld: right, Held: money.Micro(n.Draw(r, "n")), PaidFor: ms, Longest: ms.Truncate(time.Second)},
			&CallRefused{Reason: text.Draw(r, "a"), Limit: n.Draw(r, "n"), Waiting: money.Micro(n.Draw(r, "m")), Ringing: n.Draw(r, "o")},
			&CallSettled{Retail: money.Micro(n.Draw(r, "n")), Talk: ms, EndedBy: text.Draw(r, "a")},
			&CallsRefused{Since: at, Counts: []Count{{"a", n.Draw(r, "n")}, {"b", 2}}},
			&DeviceNew{Source: src, Agent: text.Draw(r, "a"), Elsewhere: []Away{{Source: src, Country: text.Draw(r, "c")}}, Last: &Last{Source: src, At: at}},
			&LoginHoneypot{Right: &right, From: at, More: n.Draw(r, "n")},
			&BanFlood{From: at, To: at, Sample: []string{text.Draw(r, "a"), text.Draw(r, "b")}},
			&FindingRaised{Key: text.Draw(r, "k"), Evidence: json.RawMessage(`{"a":[1,{"b":"}"}]}`)},
		} {
			wrote := f.Append(nil)
			again := empty(f.Kind())
			if err := again.Decode(wrote); err != nil {
				r.Fatalf("%s: %v", wrote, err)
			}
			if got := again.Append(nil); !bytes.Equal(got, wrote) {
				r.Fatalf("%s is read as %s", wrote, got)
			}
		}
	})
}

// TestKinds: codes are told apart and each kind knows its own.
func TestKinds(t *testing.T) {
	all := slices.Clone(Kinds[:])
	slices.Sort(all)
	if len(slices.Compact(all)) != len(Kinds) {
		t.Error("a code twice")
	}
	for _, kind := range Kinds {
		f := empty(kind)
		row := f.Row(time.Unix(1, 0), Subject{Line: "l", Account: "a", Call: call.ID("c")})
		if row.Kind != kind || row.Version < 1 || row.Line != "l" || row.Account != "a" || row.Call != "c" || !json.Valid(row.Body) || f.Kind() != kind {
			t.Errorf("%s: %+v", kind, row)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, kind := range Kinds {
		text, err := os.ReadFile(filepath.Join("testdata", "golden", kind+".jsonl"))
		if err != nil {
			f.Fatal(err)
		}
		first, _, _ := strings.Cut(string(text), "\n")
		f.Add(kind, []byte(first))
	}
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		if empty(kind) == nil {
			return
		}
		x, err := decode(&Row{Kind: kind, Body: body})
		if err != nil {
			return
		}
		wrote := x.Append(nil)
		if !json.Valid(wrote) {
			t.Fatalf("%s: %s is written as %s", kind, body, wrote)
		}
		again := empty(kind)
		if err := again.Decode(wrote); err != nil || !bytes.Equal(again.Append(nil), wrote) {
			t.Fatalf("%s: %s is not read as it was written: %v", kind, wrote, err)
		}
	})
}

// FuzzEachField: what is read is what encoding/json holds for an object, and the fields are its fields.
func FuzzEachField(f *testing.F) {
	for _, s := range []string{`{}`, ` { } `, `{"a":1}`, `{"a" : "x\n", "b":[1,{"c":null}] , "d":-0.5e3}`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{"a":01}`, `{"a":1}}`, `{"a":"\x"}`, "{\"a\":\"\x01\"}", `[]`, `null`, `{"a":truefalse}`, `{"a":{]}`, `{"a":"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		seen := map[string]string{}
		err := eachField(body, func(name string, v value) error {
			seen[name] = string(v)
			return nil
		})
		var want map[string]json.RawMessage
		if wrong := json.Unmarshal(body, &want); (wrong == nil) != (err == nil) {
			t.Fatalf("%q: %v, encoding/json says %v", body, err, wrong)
		}
		if err == nil && len(seen) != len(want) {
			t.Fatalf("%q: %v, encoding/json has %v", body, seen, want)
		}
		for name, v := range want {
			if err == nil && seen[name] != string(v) {
				t.Fatalf("%q: %s is %s, not %s", body, name, seen[name], v)
			}
		}
	})
}

// sample are the facts of a call.
var samples = func() []Row {
	var rows []Row
	for _, kind := range []string{KindCallAdmitted, KindCallAnswered, KindSliceHeld, KindCallSettled, KindCallRefused} {
		text, err := os.ReadFile(filepath.Join("testdata", "golden", kind+".jsonl"))
		if err != nil {
			panic(err)
		}
		body, _, _ := bytes.Cut(text, []byte("\n"))
		rows = append(rows, Row{Kind: kind, Body: body})
	}
	return rows
}()

// TestCallsAllocateNothing beyond the buffer that is given, and when read beyond the copy that the texts are parts of.
func TestCallsAllocateNothing(t *testing.T) {
	buf := make([]byte, 0, 4096)
	for i := range samples {
		f, err := decode(&samples[i])
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { _ = f.Append(buf) }); n > 0 {
			t.Errorf("%s takes %v allocations to write", f.Kind(), n)
		}
		if n := testing.AllocsPerRun(100, func() { _ = f.Decode(samples[i].Body) }); n > 1 {
			t.Errorf("%s takes %v allocations to read", f.Kind(), n)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	for i := range samples {
		f, err := decode(&samples[i])
		if err != nil {
			b.Fatal(err)
		}
		b.Run(f.Kind(), func(b *testing.B) {
			buf := make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				_ = f.Append(buf)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for i := range samples {
		f, _ := decode(&samples[i])
		b.Run(samples[i].Kind, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = f.Decode(samples[i].Body)
			}
		})
	}
}
