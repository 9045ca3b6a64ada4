package web

import (
	"bytes"
	"html/template"
	"strings"
	"testing"

	"ringfence/core/money"
)

// TestParts draws each part of the frame: hostile texts stay texts, and what a screen reader needs is there.
func TestParts(t *testing.T) {
	s := newServer(t, newLinks())
	set := template.Must(template.Must(s.pages["fault"].Clone()).Parse(`{{define "parts"}}{{template "banner" .Banner}}{{template "errors" .Wrong}}{{range .Fields}}{{template "field" .}}{{end}}{{template "meter" .Meter}}{{template "chart" .Chart}}{{template "pager" .Pager}}{{end}}`))
	fields := []field{
		{Name: "cap", Label: markup, Value: markup, Help: markup, Before: "£", Most: 9, Error: "Type an amount such as 6 or 6.50"},
		{Name: "why", Label: "Why", Lines: 3, Most: 200},
		{Name: "when", Label: "When", Choices: []choice{{"a", markup, true}}},
	}
	m := newMeter(markup, 100*money.Pound, meterPart{"m-spent", 40 * money.Pound}, meterPart{"m-held", 80 * money.Pound}, meterPart{"m-risk", money.Pound})
	m.Level, m.Cap = ofWidth(.5), true
	c := newChart("Spent by hour", []int64{0, 50, 100}, []int64{10, 10, 200}, func(i int) bool { return i == 1 })
	c.Heads, c.Rows = []string{"Hour", "Spent"}, [][]string{{markup, "1"}}
	var b bytes.Buffer
	err := set.ExecuteTemplate(&b, "parts", map[string]any{
		"Banner": banner{Look: "grave", Icon: "ask", Title: markup, Text: []template.HTML{name(markup)}, Alert: true, Acts: []act{
			{Text: markup, Path: "/lock", Look: "grave", Icon: "lock", Post: true, Hidden: []pair{{"line", markup}}, Busy: "Locking …", Key: "l"}, {Text: "Not now", Path: "/"}, {Text: "Raise", Why: "Readers cannot raise."},
		}},
		"Wrong": wrong(fields...), "Fields": fields, "Meter": m, "Chart": c, "Pager": pager{Next: "/calls?before=7"},
	})
	if err != nil {
		t.Fatal(err)
	}
	d := parsePage(t, &b)
	if len(d.all("script"))+len(d.all("img")) != 0 {
		t.Error("a text became markup")
	}
	for selector, want := range map[string]string{
		"section[role=alert] h2": strings.Join(strings.Fields(markup), " "), "div[role=alert] a[href=#f-cap]": "Type an amount such as 6 or 6.50", "p.error": "Type an amount such as 6 or 6.50",
		"a[aria-disabled=true]": "Raise: Readers cannot raise.", "nav a[rel=next]": "Earlier",
	} {
		if got := d.one(t, selector); got != want {
			t.Errorf("%s: %q, want %q", selector, got, want)
		}
	}
	if in := d.all("input[id=f-cap]"); len(in) != 1 || attr(in[0], "aria-describedby") != "e-cap" || attr(in[0], "value") != markup {
		t.Errorf("%v", in)
	}
	if attr(d.all("svg.meter")[0], "aria-label") != markup || len(m.Bars) != 2 || m.Bars[1].W != "60.0%" {
		t.Errorf("meter %+v", m)
	}
	if c.Bars[1].Class != "c-hot" || c.Bars[2].Now != 50 || c.Bars[2].UsualY() != 0 || c.Width() != 27 || len(d.all("svg.chart rect")) != 5 {
		t.Errorf("chart %+v, %d bars drawn", c, len(d.all("svg.chart rect")))
	}
}
