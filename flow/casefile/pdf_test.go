package casefile

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/liability"
	"ringfence/core/money"
	"ringfence/flow/book"
)

// TestTheTimelineIsInOrder: nothing of an hour stands before what it followed. The sum of an hour's calls stands at the first of them, and the hour's beginning is nowhere.
func TestTheTimelineIsInOrder(t *testing.T) {
	at := func(clock string) time.Time {
		out, err := time.Parse("15:04:05", clock)
		must(t, err)
		return out.AddDate(2026, 6, 19)
	}
	london, err := time.LoadLocation("Europe/London")
	must(t, err)
	d := &document{
		q: &Request{Case: 1}, now: at("20:00:00"), zone: london, from: at("14:40:00"), until: at("15:10:00"),
		records: []call.CDR{{ID: "b", Line: "2001", Begun: at("14:50:00"), Retail: money.Pound}, {ID: "a", Line: "2001", Begun: at("14:40:00")}, {ID: "c", Line: "2001", Begun: at("15:05:00")}},
		facts: []fact.Row{
			{Seq: 1, Kind: fact.KindLineAdded, At: at("14:30:00"), Line: "2001"},
			{Seq: 2, Kind: fact.KindCallRefused, At: at("14:55:30"), Line: "2001", Body: []byte(`{"text":"no"}`)},
			{Seq: 3, Kind: fact.KindLineLocked, At: at("15:00:00"), Line: "2001"},
		},
		verdicts: make([]liability.Verdict, 3),
	}
	var b bytes.Buffer
	must(t, d.pdf(&b))
	shown, from := pdfWords(t, b.String()), 0
	for _, want := range []string{
		"20 Jul 2026 15:30:00 BST Line 2001 was added (row 1).",
		"20 Jul 2026 15:40:00 BST From here to 15:55:30, 2 calls of the case began, charged \xa31.00, and 1 other was refused.",
		"20 Jul 2026 16:00:00 BST Line 2001 was locked (row 3).",
		"20 Jul 2026 16:05:00 BST From here to 16:05:00, 1 call of the case began",
	} {
		n := strings.Index(shown[from:], want)
		if n < 0 {
			t.Fatalf("%q is not where it belongs in %q", want, shown)
		}
		from += n
	}
}

// TestSettingsAreSaidInWords: a reader of the PDF is not shown how settings are written, neither those in force nor what was changed of them.
func TestSettingsAreSaidInWords(t *testing.T) {
	if fault != "" {
		t.Skip("of a faulty build")
	}
	h := openHouse(t)
	nets := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	_, err := h.book.EditLine(t.Context(), "test", "2001", book.LineEdit{Nets: &nets, Set: []book.Setting{{Field: account.NationalCeiling, N: int64(10 * money.PencePerMinute)}}})
	must(t, err)
	h.set("2001", account.MaxCalls, 7)
	id, _ := h.call("2001", "07700 900123", home)
	got, err := h.export(&Request{Case: 17, Customer: "acme", Name: "Acme", Provider: "Test", Version: "v1", Calls: []call.ID{id}})
	must(t, err)
	shown := pdfWords(t, got["case.pdf"])
	for _, want := range []string{
		"Line 2001 had its settings changed: National calls, up to: 10p a minute; IP lock: 192.0.2.0/24 (row ", "Line 2001 had its settings changed: Concurrent calls: 7 (row ",
		"International calls, up to: 2p a minute", "Premium-rate numbers: off", "Most in a day: \xa350.00", "Concurrent calls: 7",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not in %q", want, shown)
		}
	}
	for f := range account.NumFields {
		if name := f.String(); strings.Contains(name, "-") && strings.Contains(shown, name) {
			t.Errorf("the PDF has %q", name)
		}
	}
}
