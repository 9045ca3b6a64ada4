package replay

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ringfence/core/account"
	"ringfence/core/engine"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
)

const deckCSV = `Destination,Prefix,Peak,Off-peak,Weekend,Connection charge,First Interval,Sub Interval
UK geographic,442,0.012,0.012,0.012,0,1,1
UK mobile,447,0.06,0.06,0.06,0,1,1
France,33,0.015,0.015,0.015,0,1,1
Latvia,371,0.30,0.30,0.30,0,1,1
`

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rules are the provider's, with some settings changed: "line-day-cap=1".
func rules(t testing.TB, settings ...string) Set {
	t.Helper()
	deck, err := Deck([]byte(deckCSV), rating.ReadOptions{})
	must(t, err)
	zone, err := time.LoadLocation("Europe/London")
	must(t, err)
	s := Set{Name: "rules", Terms: engine.Terms{Slice: time.Minute, Ahead: 10 * time.Second}, Plan: phone.UK(), Zone: zone, Deck: deck}
	for _, x := range settings {
		name, value, _ := strings.Cut(x, "=")
		f, err := account.ParseField(name)
		must(t, err)
		n, err := account.ParseValue(f, value)
		must(t, err)
		s.Provider.Values[f] = account.Value{Set: true, N: n}
	}
	return s
}

// play runs a file and gives the output's rows by id, and the report.
func playFile(t testing.TB, file string, o Options) (map[string]string, *Report) {
	t.Helper()
	var out bytes.Buffer
	o.Verdicts = &out
	report, err := Run(t.Context(), strings.NewReader(file), o)
	must(t, err)
	rows := map[string]string{}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if lines[0] != "id,verdict,allowed_seconds,cost,reason,finding,restricted_until" {
		t.Errorf("header: %s", lines[0])
	}
	for _, line := range lines[1:] {
		id, rest, _ := strings.Cut(line, ",")
		rows[id] = rest
	}
	return rows, report
}

const header = "id,time,line,customer,kind,dialled,seconds,ring_seconds,answered,source,user_agent\n"

// TestVerdicts: each kind of row, and what comes of it.
func TestVerdicts(t *testing.T) {
	file := header +
		"a,2026-11-02T10:00:00Z,1,k,out,02079460000,90,5,1,,\n" + // 1.8p
		"b,2026-11-02T10:00:01Z,1,k,out,0037167123456,60,5,1,,\n" + // 30p a minute is above 2p
		"c,2026-11-02T10:00:02Z,1,k,out,07700900123,0,30,0,,\n" +
		"d,2026-11-02T10:00:03Z,1,k,in,02079460000,60,5,1,,\n" +
		"e,2026-11-02T11:00:00Z,1,k,out,07700900123,6000,0,1,,\n" + // £6 where £1 is the cap
		"f,2026-11-02T23:59:00Z,1,k,out,999,60,0,1,,\n" +
		"g,2026-11-02T23:59:30Z,1,k,out,07700900123,60,0,1,,\n" + // spent
		"h,2026-11-03T00:00:30Z,1,k,out,07700900123,60,0,1,,\n" + // the next day
		"i,2026-11-03T00:00:40Z,1,k,out,zzz,60,0,1,,\n"
	got, report := playFile(t, file, Options{Sets: []Set{rules(t, "line-day-cap=1")}})
	for id, want := range map[string]string{
		"a": "allowed,90,0.018000,,,",
		"b": "refused,0,0.000000,over-international-ceiling,,",
		"c": "allowed,0,0.000000,,,",
		"d": "allowed,60,0.000000,,,",
		"e": "cut,982,0.982000,line-day-cap,,",
		"f": "allowed,60,0.000000,,,",
		"g": "refused,0,0.000000,line-day-cap,,",
		"h": "allowed,60,0.060000,,,",
		"i": "refused,0,0.000000,number-invalid,,",
	} {
		if got[id] != want {
			t.Errorf("%s: %s, want %s", id, got[id], want)
		}
	}
	all := report.Sets[0].All
	if all.Calls != 9 || all.Refused != 3 || all.Cut != 1 || all.Let != 1_060_000 || all.Saved != 300_000+5_018_000+60_000 {
		t.Errorf("%+v", all)
	}
}

// TestRingTime: a call that rings for too long is given up, which stops it if it would have been answered; and an inbound call is bounded in length.
func TestRingTime(t *testing.T) {
	set := rules(t, "longest-call=60s")
	set.RingTime = 2 * time.Minute
	got, _ := playFile(t, header+
		"a,2026-11-02T10:00:00Z,1,,out,02079460000,30,120,1,,\n"+
		"b,2026-11-02T10:10:00Z,1,,out,02079460000,30,121,1,,\n"+
		"c,2026-11-02T10:20:00Z,1,,out,02079460000,0,300,0,,\n"+
		"d,2026-11-02T10:30:00Z,1,,in,02079460000,90,5,1,,\n", Options{Sets: []Set{set}})
	for id, want := range map[string]string{
		"a": "allowed,30,0.006000,,,", "b": "cut,0,0.000000,no-answer,,", "c": "allowed,0,0.000000,,,", "d": "cut,60,0.000000,longest-call,,",
	} {
		if got[id] != want {
			t.Errorf("%s: %s, want %s", id, got[id], want)
		}
	}
}

// TestLinesFile: settings, owners and zones of lines count, and faults are named.
func TestLinesFile(t *testing.T) {
	lines, err := ReadLines(strings.NewReader(`line,customer,zone,first_seen,number,international-ceiling,line-day-cap,account-day-cap,longest-call,closed
1,k,,2024-01-01,442079460001,40,,0.45,,
2,k,America/New_York,2024-01-01T00:00:00Z,+442079460002,40,0.10,0.45,30,"FR, +44208"
3,m,,,,,,,,
`), phone.UK())
	must(t, err)
	got, _ := playFile(t, header+
		"a,2026-11-02T10:00:00Z,1,,out,0037167123456,60,0,1,,\n"+ // 30p of the customer's 45p
		"b,2026-11-02T10:02:00Z,2,,out,0037167123456,60,0,1,,\n"+ // its own cap ends it, not its longest call
		"c,2026-11-02T10:05:00Z,3,,out,0037167123456,60,0,1,,\n"+
		"d,2026-11-02T10:05:00Z,3,,out,02079460001,60,0,1,,\n"+ // on net
		"e,2026-11-03T03:00:00Z,2,,out,0037167123456,60,0,1,,\n"+ // still Monday in New York
		"f,2026-11-03T06:00:00Z,2,,out,0037167123456,60,0,1,,\n"+
		"g,2026-11-03T06:01:00Z,2,,out,0033142685300,60,0,1,,\n",
		Options{Sets: []Set{rules(t)}, Lines: lines})
	for id, want := range map[string]string{
		"a": "allowed,60,0.300000,,,",
		"b": "cut,20,0.100000,line-day-cap,,",
		"c": "refused,0,0.000000,over-international-ceiling,,",
		"d": "allowed,60,0.000000,,,",
		"e": "refused,0,0.000000,line-day-cap,,",
		"f": "cut,20,0.100000,line-day-cap,,",
		"g": "refused,0,0.000000,destination-closed,,",
	} {
		if got[id] != want {
			t.Errorf("%s: %s, want %s", id, got[id], want)
		}
	}
	for text, want := range map[string]string{
		"line,colour\n":                                 `column 2 is "colour"`,
		"customer\nk\n":                                 "no column line",
		"line,zone\n1,Mars/Phobos\n":                    "line 2: zone: unknown time zone",
		"line,max-calls\n1,many\n":                      "line 2: max-calls:",
		"line\n1\n1\n":                                  `line 3: line "1" is there twice`,
		"line,number\n1,02079460001\n2,442079460001\n":  "line 3: number 442079460001 is also that of line",
		"line,customer,account-day-cap\n1,k,5\n2,k,6\n": "line 3: account-day-cap is the customer's",
		"line\n1,2,3\n":                                 "line 2: 3 cells, but the header has 1",
		"line,number\n1,999\n":                          "is not a number",
		"line,international-ceiling\n1,-3\n":            "line 2: international-ceiling:",
		"line,first_seen\n1,yesterday\n":                "line 2: first_seen:",
	} {
		if _, err := ReadLines(strings.NewReader(text), phone.UK()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// TestBadRows: a row that cannot be read is named, counted and left out; its output says so, in its place.
func TestBadRows(t *testing.T) {
	file := header +
		"a,yesterday,1,,out,02079460000,90,5,1,,\n" +
		"b,2026-11-02T10:00:00Z,,,out,02079460000,90,5,1,,\n" +
		"c,2026-11-02T10:00:00Z,1,,sideways,02079460000,90,5,1,,\n" +
		"d,2026-11-02T10:00:00Z,1,,out,02079460000,-1,5,1,,\n" +
		"e,2026-11-02T10:00:00Z,1,,out,02079460000,90,5,2,,\n" +
		"f,2026-11-02T10:00:00Z,1,,out,02079460000,1e30,5,1,,\n" +
		"g,2026-11-02T10:00:00Z,1\n" + // nothing dialled: a refused number, no fault of the file
		"h,2026-11-02T10:00:00+01:00,1,,out,\"020\"7946,90,5,1,,\n" +
		"i,2026-11-02T10:00:00,1,,out,02079460000,90,5,1,,\n" +
		"ok,2026-11-02T10:00:00Z,1,,out,02079460000,90,5,1,,\n"
	var named []string
	var out bytes.Buffer
	report, err := Run(t.Context(), strings.NewReader(file), Options{
		Sets: []Set{rules(t)}, Verdicts: &out, Fault: func(f *Fault) { named = append(named, f.Error()) },
	})
	must(t, err)
	want := []string{
		`line 2: time is "yesterday"`, "line 3: there is no line", `line 4: kind is "sideways"`, `line 5: seconds is "-1"`, `line 6: answered is "2"`,
		`line 7: seconds is "1e30"`, "line 9: ", `line 10: time is "2026-11-02T10:00:00"`,
	}
	for i, w := range want {
		if i >= len(named) || !strings.HasPrefix(named[i], w) {
			t.Fatalf("named %q, want %q", named, want)
		}
	}
	if report.Unreadable != 8 || report.Rows != 2 || len(named) != 8 {
		t.Errorf("%d unreadable, %d rows, %q", report.Unreadable, report.Rows, named)
	}
	if n := strings.Count(out.String(), "\n"); n != 11 || strings.Count(out.String(), ",unreadable,") != 8 || !strings.HasSuffix(out.String(), "\nok,allowed,90,0.018000,,,\n") {
		t.Errorf("%d lines:\n%s", n, &out)
	}
}

// TestFormats: records of other switches are known by their columns.
func TestFormats(t *testing.T) {
	for name, file := range map[string]string{
		"asterisk": `"100","100","02079460000","default","""Bob"" <100>","PJSIP/100-1","PJSIP/t-2","Dial","x","2026-11-02 10:00:00","2026-11-02 10:00:05","2026-11-02 10:01:35",95,90,"ANSWERED","DOCUMENTATION","1.1",""
"100","100","07700900123","default","","PJSIP/100-1","","Dial","x","2026-11-02 10:10:00","","2026-11-02 10:10:20",20,0,"NO ANSWER","DOCUMENTATION","1.2",""
`,
		"asterisk with a header": `accountcode,src,dst,start,duration,billsec,disposition,uniqueid
100,100,02079460000,2026-11-02 10:00:00,95,90,ANSWERED,1.1
100,100,07700900123,2026-11-02 10:10:00,20,0,BUSY,1.2
`,
		"freeswitch": `"Bob","100","02079460000","default","2026-11-02 10:00:00","2026-11-02 10:00:05","2026-11-02 10:01:35","95","90","NORMAL_CLEARING","1.1","x","100","PCMA","PCMA"
"Bob","100","07700900123","default","2026-11-02 10:10:00","","2026-11-02 10:10:20","20","0","NO_ANSWER","1.2","","100","PCMA","PCMA"
`,
		"kamailio": `callid;start_time;src_user;dst_user;duration
1.1;2026-11-02 10:00:00;100;02079460000;90
1.2;2026-11-02 10:10:00;100;07700900123;0
`,
		"opensips": `method,callid,created,from_user,to_user,duration,setuptime
INVITE,1.1,1793613600,100,02079460000,90,5
INVITE,1.2,1793614200,100,07700900123,0,20
`,
		"ringfence": `id,direction,line,account,dialled,begun,answered,ring_ns,talk_ns,source,user_agent
1.1,out,100,k,02079460000,2026-11-02T10:00:00Z,2026-11-02T10:00:05Z,5000000000,90000000000,192.0.2.1:5060,x
1.2,out,100,k,07700900123,2026-11-02T10:10:00Z,,20000000000,0,192.0.2.1:5060,x
`,
	} {
		t.Run(name, func(t *testing.T) {
			got, report := playFile(t, file, Options{Sets: []Set{rules(t)}, Source: Source{Zone: time.UTC}})
			if got["1.1"] != "allowed,90,0.018000,,," || got["1.2"] != "allowed,0,0.000000,,," || len(got) != 2 {
				t.Errorf("%v\n%+v", got, report)
			}
		})
	}
	named, err := ParseMap([]string{"line=user", "dialled=called", "seconds=secs", "time=when", "id=n"})
	must(t, err)
	got, _ := playFile(t, "n\twhen\tuser\tcalled\tsecs\n7\t2026-11-02T10:00:00Z\t1\t02079460000\t90\n", Options{Sets: []Set{rules(t)}, Source: Source{Map: named}})
	if got["7"] != "allowed,90,0.018000,,," {
		t.Error(got)
	}
	for text, want := range map[string]string{"": "empty", "a,b,c\n": "no column for time, line, dialled, seconds"} {
		if _, err := Run(t.Context(), strings.NewReader(text), Options{Sets: []Set{rules(t)}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ParseMap([]string{"colour=red"}); err == nil {
		t.Error("a field that there is not was taken")
	}
}

// stream is a file of n random calls of some lines, three to a customer.
func stream(seed uint64, lines, n int) string {
	r, at := rand.New(rand.NewPCG(seed, 1)), time.Date(2026, 10, 24, 20, 0, 0, 0, time.UTC) // over the night on which the clocks go back
	numbers := []string{"02079460000", "07700900123", "0033142685300", "0037167123456", "999", "xyz"}
	var b strings.Builder
	b.WriteString(header)
	for i := range n {
		at = at.Add(time.Duration(r.IntN(40_000)) * time.Millisecond)
		line := r.IntN(lines)
		kind := "out"
		if r.IntN(8) == 0 {
			kind = "in"
		}
		shown := at
		if r.IntN(20) == 0 { // not quite in order
			shown = at.Add(-time.Duration(r.IntN(600)) * time.Second)
		}
		answered := r.IntN(5) > 0
		fmt.Fprintf(&b, "%d,%s,%d,k%d,%s,%s,%d,%d,%d,,\n", i, shown.Format(time.RFC3339Nano), line, line/3, kind, numbers[r.IntN(len(numbers))], r.IntN(1800), r.IntN(60), map[bool]int{true: 1}[answered])
	}
	return b.String()
}

// TestWorkersDoNotMatter: nor does a second set beside the first, and every row has its row in the output, in order.
func TestWorkersDoNotMatter(t *testing.T) {
	file := stream(1, 40, 8000)
	set := rules(t, "line-day-cap=1", "account-day-cap=2", "international-ceiling=40p", "max-calls=2")
	run := func(workers int, sets ...Set) (string, *Report) {
		var out bytes.Buffer
		report, err := Run(t.Context(), strings.NewReader(file), Options{Sets: sets, Workers: workers, Verdicts: &out})
		must(t, err)
		return out.String(), report
	}
	one, report := run(1, set)
	rows, err := csv.NewReader(strings.NewReader(one)).ReadAll()
	must(t, err)
	if len(rows) != 8001 {
		t.Fatalf("%d rows", len(rows))
	}
	for i, r := range rows[1:] {
		if r[0] != fmt.Sprint(i) {
			t.Fatalf("row %d is of %s", i, r[0])
		}
	}
	if a := report.Sets[0].All; a.Refused == 0 || a.Cut == 0 || a.Calls != 8000 {
		t.Errorf("%+v: the test says nothing", a)
	}
	two, both := run(3, set, rules(t))
	if two != one {
		t.Error("three workers and a second set say something else")
	}
	if fmt.Sprint(both.Sets[0]) != fmt.Sprint(report.Sets[0]) {
		t.Errorf("another report: %+v\n%+v", both.Sets[0], report.Sets[0])
	}
	if both.Sets[1].All.Let <= both.Sets[0].All.Let {
		t.Error("looser rules let no more through")
	}
}

// TestLabels: honest calls that were stopped, and what each attack cost, are counted.
func TestLabels(t *testing.T) {
	file := header +
		"a,2026-11-02T10:00:00Z,1,,out,02079460000,60,0,1,,\n" +
		"b,2026-11-02T10:01:00Z,2,,out,0037167123456,60,0,1,,\n" +
		"c,2026-11-02T10:02:00Z,2,,out,07700900123,3600,0,1,,\n"
	_, report := playFile(t, file, Options{Sets: []Set{rules(t, "line-day-cap=1", "international-ceiling=40p")}, Labels: map[string]string{"b": "burst", "c": "burst", "a": Honest}})
	got := report.Sets[0]
	if got.Honest == nil || got.Honest.Calls != 1 || got.Honest.Stopped() != 0 {
		t.Errorf("honest: %+v", got.Honest)
	}
	// b costs 30p; 70p pays for 700 s of c, which began a minute after b.
	if len(got.Attacks) != 1 || got.Attacks[0].Let != money.Pound || got.Attacks[0].After != 760*time.Second || got.Attacks[0].Stopped() != 1 {
		t.Errorf("attack: %+v", got.Attacks)
	}
	var page bytes.Buffer
	must(t, report.HTML(&page))
	for _, want := range []string{"<td>£1.00</td>", "12m40s", "0.0 in 100,000", `<th scope="row">Latvia</th>`} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page has no %s", want)
		}
	}
}

// TestStopped: what was played until then is reported.
func TestStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	report, err := Run(ctx, strings.NewReader(stream(2, 9, 40_000)), Options{Sets: []Set{rules(t)}, Progress: func(rows int64) {
		if rows > 0 {
			stop()
		}
	}})
	if !errors.Is(err, context.Canceled) || report == nil || report.Rows == 0 || report.Rows == 40_000 || report.Sets[0].All.Calls != report.Rows {
		t.Errorf("%v, %+v", err, report)
	}
}

func FuzzRows(f *testing.F) {
	f.Add(stream(3, 3, 20))
	f.Add(header + "\"\n,,,\x00")
	f.Fuzz(func(t *testing.T, file string) {
		r, _, first, err := newReader(strings.NewReader(file), Source{})
		if err != nil {
			return
		}
		var b batch
		r.read(first, &b)
		for _, c := range b.calls {
			if c.Line == "" || c.Slot == 0 || c.Wants < 0 || c.Rings < 0 || !inRange(c.At) {
				t.Fatalf("%+v", c)
			}
		}
		if int(b.rows) != len(b.calls)+len(b.faults) {
			t.Fatalf("%d rows, %d calls, %d faults", b.rows, len(b.calls), len(b.faults))
		}
	})
}

// TestInstants: the short way to read a time reads what the long one does, and nothing else.
func TestInstants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := []byte(time.Unix(rapid.Int64Range(0, 7_000_000_000).Draw(t, "at"), 0).UTC().Format(time.RFC3339))
		if rapid.Bool().Draw(t, "wrong") {
			s[rapid.IntRange(0, len(s)-1).Draw(t, "place")] = rapid.SampledFrom([]byte("0139-:TZ ")).Draw(t, "byte")
		}
		want, err := time.Parse(time.RFC3339Nano, string(s))
		got, ok := instant(s)
		if ok && (err != nil || !got.Equal(want)) || !ok && err == nil && len(s) == 20 && s[19] == 'Z' {
			t.Fatalf("%s: %v, %v, want %v, %v", s, got, ok, want, err)
		}
	})
}

func BenchmarkReplay(b *testing.B) {
	file := stream(4, 20_000, 200_000)
	sets := []Set{rules(b)}
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		report, err := Run(b.Context(), strings.NewReader(file), Options{Sets: sets, Workers: 2, Verdicts: io.Discard})
		must(b, err)
		if report.Rows != 200_000 {
			b.Fatal(report.Rows)
		}
	}
	b.ReportMetric(200_000*float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
