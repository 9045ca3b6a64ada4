package casefile

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/liability"
	"ringfence/flow/book"
	"ringfence/flow/gate"
	"ringfence/state/store"
)

// hostile is what somebody may send as the name of a phone.
const hostile = "=cmd|'/c calc'!A1 <script>alert(1)</script> \u202egnp.exe\u202c ${x}"

// files reads an archive.
func files(t testing.TB, b []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	must(t, err)
	out := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		must(t, err)
		text, err := io.ReadAll(r)
		must(t, err)
		out[f.Name] = string(text)
	}
	return out
}

// theirLine is the other customer's line. Four digits are in many a digest or instant too, but not alone.
var theirLine = regexp.MustCompile(`(^|[^0-9A-Za-z+/=.])3001([^0-9A-Za-z+/=]|$)`)

func (h *house) export(q *Request) (map[string]string, error) {
	h.t.Helper()
	var b bytes.Buffer
	if err := h.file.Export(context.Background(), &b, q, time.Now()); err != nil {
		return nil, err
	}
	return files(h.t, b.Bytes()), nil
}

// TestACaseFileHasOnlyItsCustomer: another customer, whom the customer calls and who calls too, is nowhere in the archive, and what strangers may write does no harm.
func TestACaseFileHasOnlyItsCustomer(t *testing.T) {
	if fault != "" {
		t.Skip("of a faulty build")
	}
	h := openHouse(t)
	name, number := "Secret Rival Ltd", "02079460111"
	must(t, func() error {
		_, err := h.book.EditCustomer(context.Background(), "test", "other", book.CustomerEdit{Name: &name})
		return err
	}())
	_, err := h.book.EditLine(context.Background(), "test", "3001", book.LineEdit{Number: &number})
	must(t, err)
	p, err := h.gate.Admit(context.Background(), gate.Attempt{Line: "2001", Dialled: "07700 900123", Source: home, UserAgent: hostile, ALeg: "a"})
	must(t, err)
	h.gate.Trying(p.ID, p.Routes[0], "b")
	must(t, h.gate.Answered(context.Background(), p.ID, p.Routes[0], nil))
	h.end(p.ID)
	theirs, _ := h.call("3001", "07700 900123", away)
	h.call("2001", "0909 879 0123", home) // refused, which the journal is told a moment later
	h.wait("the refused call in the journal", func() bool {
		rows, err := h.db.Facts(context.Background(), store.FactFilter{Line: "2001", Kinds: []string{fact.KindCallRefused}})
		must(t, err)
		return len(rows) > 0
	})
	q := &Request{Case: 17, Title: hostile, Customer: "acme", Name: "Acme", Provider: "Test", Version: "v1", Calls: []call.ID{p.ID}}
	got, err := h.export(q)
	must(t, err)
	for file, text := range got {
		if file == "case.pdf" {
			if !strings.HasPrefix(text, "%PDF-") || strings.Contains(text, "/JavaScript") || strings.Contains(text, "/URI") {
				t.Errorf("%.40q", text)
			}
			continue
		}
		for _, bad := range []string{"Rival", string(theirs), "\u202e"} {
			if strings.Contains(text, bad) && (file != proofsFile || bad != "\u202e") { // proofs are of every byte
				t.Errorf("%s has %q", file, bad)
			}
		}
		if line := theirLine.FindString(text); line != "" {
			t.Errorf("%s has %q", file, line)
		}
	}
	rows, err := csv.NewReader(strings.NewReader(got["records.csv"])).ReadAll()
	must(t, err)
	if agent := rows[1][11]; len(rows) != 2 || !strings.HasPrefix(agent, "'=cmd") {
		t.Errorf("%d rows, %q", len(rows), agent)
	}
	var records []judgedRecord
	must(t, json.Unmarshal([]byte(got["records.json"]), &records))
	if len(records) != 1 || records[0].UserAgent != hostile || len(records[0].Verdict.Findings) != 10 {
		t.Errorf("%+v", records)
	}
	if !strings.Contains(got["disclosure/second-rater.csv"], fmt.Sprintf("%s,%d,%d,true,", p.ID, records[0].Retail, records[0].Retail)) {
		t.Errorf("the second rater says %s", got["disclosure/second-rater.csv"])
	}
	for _, kind := range []string{fact.KindCallRefused, fact.KindSettingsSeen, fact.KindPromisesStated, fact.KindCallSettled} {
		if !strings.Contains(got["facts.jsonl"], `"kind":"`+kind+`"`) {
			t.Errorf("there is no %s among the facts: %s", kind, got["facts.jsonl"])
		}
	}
	q.Calls = append(q.Calls, theirs)
	if _, err := h.export(q); err == nil {
		t.Error("a call of another customer was exported")
	}
}

// TestPlainTextHasNoTricks: what is left of any text is one line without signs that are not seen.
func TestPlainTextHasNoTricks(t *testing.T) {
	for _, s := range []string{hostile, "a\r\nb", "\x1b[31m", strings.Repeat("\u202e", 9000) + "x", "\xff\xfe", "a\u2028b", strings.Repeat("x", 8<<10)} {
		got := plain(s, 300)
		if len(got) > 303 || strings.ContainsFunc(got, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
			t.Errorf("%q became %q", s, got)
		}
	}
}

// TestVerdictsAreFacts: what was judged is in the journal, for each call and in all.
func TestVerdictsAreFacts(t *testing.T) {
	if fault != "" {
		t.Skip("of a faulty build")
	}
	h := openHouse(t)
	id, _ := h.call("2001", "07700 900123", home)
	j, err := h.file.Record(context.Background(), "maya", 17, []call.ID{id}, time.Now())
	must(t, err)
	rows, err := h.db.Facts(context.Background(), store.FactFilter{Kinds: []string{fact.KindVerdictGiven, fact.KindCaseJudged}})
	must(t, err)
	var one fact.VerdictGiven
	var all fact.CaseJudged
	if len(rows) != 2 || one.Decode(rows[0].Body) != nil || all.Decode(rows[1].Body) != nil {
		t.Fatalf("%+v", rows)
	}
	if one.Judgement != "owed" || one.Case != 17 || one.Retail != j.OwedMicro || all.Owed != 1 || all.OwedSum != j.OwedMicro || len(all.Sum) != 64 || rows[0].Call != id {
		t.Errorf("%+v %+v", one, all)
	}
	must(t, h.file.State(context.Background(), time.Now()))
	if stated, err := h.db.Facts(context.Background(), store.FactFilter{Kinds: []string{fact.KindPromisesStated}}); err != nil || len(stated) != 1 {
		t.Errorf("the same words were stated %d times: %v", len(stated), err)
	}
}

// many writes the records and facts of a burst of calls as a gate does, in one transaction for a thousand: for figures of speed.
func (h *house) many(n int) (ids []call.ID) {
	first, _ := h.call("2001", "07700 900123", home)
	rec, err := h.db.CDR(context.Background(), first)
	must(h.t, err)
	facts, err := h.db.Facts(context.Background(), store.FactFilter{Call: first})
	must(h.t, err)
	var ops []store.Op
	for i := range n {
		c := rec
		text := call.NewID(rec.Begun, []byte(fmt.Sprintf("%010d", i)))
		c.ID, c.Refused = call.ID(text[:]), true // a record of its own needs no open call
		var rows []fact.Row
		for _, f := range facts {
			f.Seq, f.Call = 0, c.ID
			rows = append(rows, f)
		}
		ids = append(ids, c.ID)
		ops = append(ops, store.Op{Kind: store.OpRecord, ID: c.ID, CDR: &c, Facts: rows})
		if len(ops) == 1000 || i == n-1 {
			_, err := h.db.Apply(context.Background(), ops)
			must(h.t, err)
			ops = nil
		}
	}
	return ids
}

// BenchmarkJudge judges the calls of the largest fraud that is known in such detail. The bar is two seconds; on two cores it took 0.5 s.
func BenchmarkJudge(b *testing.B) {
	h := openHouse(b)
	ids := h.many(10_366)
	for b.Loop() {
		all, err := h.file.Judge(context.Background(), ids)
		if err != nil || len(all) != len(ids) {
			b.Fatal(len(all), err)
		}
	}
}

// BenchmarkExport makes the whole archive of ten thousand calls. The bar is ten seconds; on two cores it took 2.4 s.
func BenchmarkExport(b *testing.B) {
	h := openHouse(b)
	ids := h.many(10_000)
	for b.Loop() {
		must(b, h.file.Export(context.Background(), io.Discard, &Request{Case: 1, Customer: "acme", Name: "Acme", Calls: ids}, time.Now()))
	}
}

// TestSecondsHaveNoExponent: a call of some microseconds is written so that a spreadsheet adds it up.
func TestSecondsHaveNoExponent(t *testing.T) {
	d := &document{records: []call.CDR{{ID: "a", Talk: 9468 * time.Nanosecond}, {ID: "b", Talk: 90 * 24 * time.Hour}}, verdicts: make([]liability.Verdict, 2)}
	var b bytes.Buffer
	must(t, d.csv(&b))
	rows, err := csv.NewReader(&b).ReadAll()
	must(t, err)
	if rows[0][12] != "talk_seconds" || rows[1][12] != "0.000009468" || rows[2][12] != "7776000" {
		t.Errorf("%q", rows)
	}
}
