package casefile

import (
	"bytes"
	"compress/zlib"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"ringfence/core/call"
)

var shownText = regexp.MustCompile(`\(((?:\\.|[^\\)])*)\) ?Tj`)

// footer stands between the lines of a text that goes on over the page.
var footer = regexp.MustCompile(`Case \d+, made [^,]*, page \d+`)

// pdfWords are what a PDF shows, line after line, with one blank between them.
func pdfWords(t testing.TB, b string) string {
	t.Helper()
	var out []string
	for _, part := range strings.Split(b, "stream\n")[1:] {
		z, err := zlib.NewReader(strings.NewReader(part))
		if err != nil {
			continue // what follows "endstream", or is no text
		}
		text, err := io.ReadAll(z)
		if err != nil && !bytes.Contains(text, []byte("Tj")) {
			continue
		}
		for _, m := range shownText.FindAllSubmatch(text, -1) {
			out = append(out, strings.NewReplacer(`\(`, "(", `\)`, ")", `\\`, `\`).Replace(string(m[1])))
		}
	}
	if len(out) == 0 {
		t.Fatal("the PDF shows nothing")
	}
	return strings.Join(strings.Fields(footer.ReplaceAllString(strings.Join(out, " "), " ")), " ")
}

// TestTheDisclosureSaysWhatIsNotRecorded: a file of the pack that would be empty says so, and for which time; so does the PDF.
func TestTheDisclosureSaysWhatIsNotRecorded(t *testing.T) {
	if fault != "" {
		t.Skip("of a faulty build")
	}
	h := openHouse(t)
	id, _ := h.call("2001", "07700 900123", home)
	cdr, err := h.db.CDR(t.Context(), id)
	must(t, err)
	period := "from the first call of the case, " + stamp(cdr.Begun) + ", to " + stamp(time.Now())[:len("2026-11-30T10:")]
	q := &Request{Case: 17, Customer: "acme", Name: "Acme", Provider: "Test", Version: "v1", Calls: []call.ID{id}}
	got, err := h.export(q)
	must(t, err)
	shown := pdfWords(t, got["case.pdf"])
	for name, want := range map[string]string{
		"disclosure/changes.txt": "No change of the program is recorded for the time " + period,
		"disclosure/checks.txt":  "No self-test is recorded for the time " + period,
	} {
		if !strings.HasPrefix(got[name], want) {
			t.Errorf("%s says %q, want %q", name, got[name], want)
		}
		if !strings.Contains(shown, want) {
			t.Errorf("the PDF does not say %q", want)
		}
	}
	q.Changes, q.Checks = "# Changelog\n\n- It is faster.\n", "ringfence check at 10:00\nno faults\n"
	got, err = h.export(q)
	must(t, err)
	shown = pdfWords(t, got["case.pdf"])
	if got["disclosure/changes.txt"] != q.Changes || strings.Contains(shown, "No change of the program") {
		t.Errorf("%q", got["disclosure/changes.txt"])
	}
	then := "No self-test is recorded for the days of the calls (between the first call of the case, " + stamp(cdr.Begun) + ", and the end of the last, "
	if checks := got["disclosure/checks.txt"]; !strings.HasPrefix(checks, q.Checks) || !strings.Contains(checks, then) || !strings.Contains(shown, then) {
		t.Errorf("%q", checks)
	}
	for name, text := range got {
		if strings.TrimSpace(text) == "" {
			t.Errorf("%s is empty", name)
		}
	}
}

// TestFaultsOfTheDays: a fault is named that was in the program on the days of the calls, whether or not it was known then.
func TestFaultsOfTheDays(t *testing.T) {
	const text = "# what each says\n" +
		"2026-01-01 2026-02-01 old It was mended before.\n2026-01-01 2026-03-05 that-day It was mended on the day.\n2026-04-01 2026-04-02 later It was found later, and mended.\n2026-04-01 - open It is there yet.\n"
	got := strings.Join(knownSince(text, time.Date(2026, 3, 5, 15, 0, 0, 0, time.UTC)), "\n")
	if strings.Contains(got, " old ") || strings.Contains(got, "#") || strings.Count(got, "\n") != 2 {
		t.Errorf("%s", got)
	}
	d := &document{from: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), until: time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)}
	if want := "2030-01-01T00:00:00Z, and the end of the last, 2030-01-02T00:00:00Z"; !strings.Contains(d.noFaults(), want) {
		t.Errorf("%q", d.noFaults())
	}
}
