package notify

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"

	"ringfence/core/account"
	"ringfence/state/store"
)

// TestGolden shows each kind of notice as people get it. After a wanted change: go test ./flow/notify -run Golden -update
func TestGolden(t *testing.T) {
	w := newWorld(t, nil)
	for _, info := range Kinds() {
		m, err := w.n.Preview(info.Kind, account.Mail)
		if err != nil {
			t.Fatal(err)
		}
		head := "Subject: " + m.Subject + "\nTo: " + m.Name + "\nList-Unsubscribe: " + m.Off + "\n\n"
		golden(t, string(info.Kind)+".txt", head+m.Text)
		golden(t, string(info.Kind)+".html", m.HTML)
		hook, err := w.n.Preview(info.Kind, account.Webhook)
		if err != nil || !json.Valid(hook.JSON) {
			t.Errorf("%s: %v, %s", info.Kind, err, hook.JSON)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != got {
		t.Errorf("%s: %v; it is now:\n%s", path, err, got)
	}
}

// Every notice says what happened, what it means, what to do, whom to ask and how to switch it off, in both parts, and
// loads nothing from anywhere.
func TestEveryNoticeIsComplete(t *testing.T) {
	w := newWorld(t, nil)
	all, err := w.n.Samples()
	if err != nil || len(all) != len(Kinds()) {
		t.Fatalf("%d samples of %d kinds, %v", len(all), len(Kinds()), err)
	}
	for _, m := range all {
		for _, want := range []string{"WHAT IT MEANS", "WHAT TO DO", "020 7946 0999", "07700 900999", "help@provider.example", "Mon–Fri 9–17", "Example Telephony", "You get this because"} {
			if !strings.Contains(unwrapped(m.Text), want) {
				t.Errorf("%s, text: nothing of %q", m.Kind, want)
			}
			if html := strings.ToUpper(m.HTML); !strings.Contains(html, strings.ToUpper(want)) {
				t.Errorf("%s, HTML: nothing of %q", m.Kind, want)
			}
		}
		if n := utf8.RuneCountInString(m.Subject); n > maxSubject || n < 10 {
			t.Errorf("%s: subject of %d: %s", m.Kind, n, m.Subject)
		}
		for line := range strings.Lines(m.Text) {
			if utf8.RuneCountInString(line) > textWidth+1 && !strings.Contains(line, "https://") {
				t.Errorf("%s: long line %q", m.Kind, line)
			}
		}
		checkHTML(t, string(m.Kind), m.HTML)
	}
}

// checkHTML reads the page as a mail program does.
func checkHTML(t *testing.T, name, page string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	h1 := 0
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "h1":
			h1++
		case "script", "img", "iframe", "table", "form", "object", "base", "link", "svg", "video":
			t.Errorf("%s: a <%s> in a mail", name, n.Data)
		}
		for _, a := range n.Attr {
			switch {
			case strings.HasPrefix(a.Key, "on"), a.Key == "src", a.Key == "srcset", a.Key == "background":
				t.Errorf("%s: <%s %s=%q>", name, n.Data, a.Key, a.Val)
			case a.Key == "href" && !strings.HasPrefix(a.Val, "https://calls.provider.example/answer/") && !strings.HasPrefix(a.Val, "https://provider.example/help") &&
				!strings.HasPrefix(a.Val, "tel:") && !strings.HasPrefix(a.Val, "sms:") && a.Val != "mailto:help@provider.example":
				t.Errorf("%s: a link to %q", name, a.Val)
			}
		}
	}
	if h1 != 1 || strings.Contains(page, "url(") || strings.Contains(page, "@import") {
		t.Errorf("%s: %d main headings, or something loaded by style", name, h1)
	}
}

// FuzzHostile: whatever a stranger writes into User-Agent, network and reason comes out harmless, in both parts and the
// subject.
func FuzzHostile(f *testing.F) {
	for _, s := range []string{
		"<script>alert(1)</script>", "</dd></dl><img src=x onerror=alert(1)>", "\r\nBcc: victim@example.com\r\n\r\n<html>", "\x00\x07\x1b[31mred",
		"\u202egnp.exe\u2066x\u2069", "a\u200bb\u200dc\ufeffd\u2060e\u00ad", strings.Repeat("A", 8192), strings.Repeat("\u0301", 4000) + "x",
		"call 09 now at http://evil.example/login?x=1 or evil.com, me@evil.com", "javascript:alert(1)", "{{.Help}} {{template \"layout\"}}", "\xff\xfe\x80", "%00%0d%0a",
		"a\u2028b\u2029c\u0085d", "\u3164\uffa0\u2800", "'\"><style>*{display:none}</style>", "&lt;b&gt;&#x3c;b>", "HTTPS://Evil.Example", "=?utf-8?q?hi?=",
	} {
		f.Add(s)
	}
	w := newWorld(f, nil)
	f.Fuzz(func(t *testing.T, s string) {
		for _, kind := range []string{"new-device", "hosting-login", "stale-phone", "line-locked"} {
			body := map[string]any{
				"address": s, "agent": s, "family": s, "country": s, "network": s, "new": "both", s: s, "elsewhere": []any{s, map[string]any{"address": s, "country": "GB"}},
				"key": s, "kind": kind, "severity": s, "source": s, "text": s, "by": s, "after": map[string]any{"lock_why": s},
				"evidence": map[string]any{"agent": s, "address": s, "network": s, "until": s, "guesses": s, "last": map[string]any{"network": s, "at": s}},
			}
			raw, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			fact := store.Fact{Seq: 7, At: time.Unix(1e9, 0), Kind: map[string]string{"new-device": "device.new", "line-locked": "line.locked"}[kind], Line: "2001", Account: "acme", Body: raw}
			if fact.Kind == "" {
				fact.Kind = "finding.raised"
			}
			d, ok := w.n.read(&fact)
			if !ok {
				continue // 8 KB in every field may be too much
			}
			x := w.n.notice(&d, fact.At, newTally())
			if len(x.Data) > maxData {
				t.Errorf("%d bytes of data", len(x.Data))
			}
			m, err := w.n.message(&x, &x.Deliveries[0])
			if err != nil {
				t.Fatal(err)
			}
			harmless(t, s, m)
		}
	})
}

func harmless(t *testing.T, s string, m Message) {
	t.Helper()
	if len(m.Text) > 16<<10 || len(m.HTML) > 32<<10 {
		t.Errorf("%q: %d bytes of text, %d of HTML", s, len(m.Text), len(m.HTML))
	}
	odd := func(r rune) bool {
		return r == utf8.RuneError && !strings.ContainsRune(s, r) || r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
	}
	for part, text := range map[string]string{"text": m.Text, "HTML": m.HTML, "subject": m.Subject, "name": m.Name} {
		if !utf8.ValidString(text) || strings.ContainsFunc(text, odd) {
			t.Errorf("%q: %s has unseen characters: %q", s, part, text)
		}
	}
	if strings.Count(m.Text, "://") != strings.Count(m.Text, "https://calls.provider.example/answer/")+1 {
		t.Errorf("%q: a link that is not ours:\n%s", s, m.Text)
	}
	if strings.ContainsAny(m.Subject, "\r\n") || utf8.RuneCountInString(m.Subject) > maxSubject {
		t.Errorf("%q: subject %q", s, m.Subject)
	}
	checkHTML(t, s, m.HTML)
}

func TestCleanKeepsWhatPeopleWrite(t *testing.T) {
	for in, want := range map[string]string{
		"Yealink SIP-T46S 66.86.0.15": "Yealink SIP-T46S 66.86.0.15", "Müller & Söhne (v1.2)": "Müller & Söhne (v1.2)", "  a \t\r\n b ": "a b",
		"см. 电话": "см. 电话", "e\u0301": "e\u0301", "\u202eabc": "abc", "a\u200bb": "ab", strings.Repeat("x", 100): strings.Repeat("x", 40) + "…",
	} {
		if got := Clean(in, 40); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"see http://evil.example/x": "see http evil[.]example/x", "baresip v1.0.0 (x86_64/linux)": "baresip v1.0.0 (x86_64/linux)", "me@a.de": "me[at]a[.]de",
		"10.2.0.113 and 2001:db8::/32": "10.2.0.113 and 2001:db8::/32", "e.g. 3.21.3-beta": "e.g. 3.21.3-beta", "www.evil.test": "www[.]evil[.]test",
		"_http://2130706433/": "_http 2130706433/", `x:\\host`: "x host", "evil。test": "evil[。]test",
	} {
		if got := strange(in, 80); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := short(strings.Repeat("€ 550 no such user ", 100)); len(got) > maxWords || !strings.HasSuffix(got, "…") || !utf8.ValidString(got) {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

func TestOperatorsTemplates(t *testing.T) {
	for name, c := range map[string]struct {
		file, body string
		fault      []string // of New; nil is none
		want       string   // in the text of a new-device notice
	}{
		"a kind of one's own":   {file: "new-device.txt", body: `{{define "title"}}Neues Telefon{{end}}{{define "happened"}}Leitung {{.Line}}{{end}}`, want: "Leitung 2001"},
		"one finding":           {file: "siege.html", body: `{{define "happened"}}<p>{{.Text}}</p>{{end}}`, want: "What"},
		"the layout":            {file: "layout.txt", body: `{{define "layout"}}Short: {{template "happened" .}}{{end}}{{define "title"}}T{{end}}`, want: "Short: A new phone"},
		"does not parse":        {file: "new-device.txt", body: "line one\n{{define \"happened\"}}\n{{if}}{{end}}", fault: []string{"new-device.txt:3"}},
		"HTML does not parse":   {file: "layout.html", body: "\n\n{{nonsense .}}", fault: []string{"layout.html:3"}},
		"an unknown field":      {file: "new-device.html", body: "{{define \"happened\"}}\n{{.Passwort}}{{end}}", fault: []string{"new-device.html:2", "Passwort"}},
		"a block is left out":   {file: "new-device.txt", body: `hello`, fault: []string{"happened"}},
		"HTML that is broken":   {file: "new-device.html", body: `{{define "happened"}}<a href="{{if .Line}}">{{end}}{{end}}`, fault: []string{"new-device.html:1"}},
		"a kind there is none":  {file: "new-devise.txt", body: `x`, fault: []string{"new-devise.txt", "no such kind"}},
		"what is none is left":  {file: "README.md", body: `{{`, want: "WHAT IT MEANS"},
		"too long to be one":    {file: "test.txt", body: strings.Repeat("x", maxTemplate+1), fault: []string{"test.txt", "bytes"}},
		"not a text":            {file: "test.txt", body: "\xff\xfe", fault: []string{"test.txt", "UTF-8"}},
		"there is no directory": {fault: []string{"templates"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			dir := filepath.Join(t.TempDir(), "templates")
			if c.file != "" {
				w.must(os.Mkdir(dir, 0o755))
				w.must(os.WriteFile(filepath.Join(dir, c.file), []byte(c.body), 0o644))
			}
			o := w.options()
			o.Templates = dir
			n, err := New(o)
			if (err != nil) != (c.fault != nil) {
				t.Fatalf("New: %v", err)
			}
			for _, part := range c.fault {
				if !strings.Contains(err.Error(), part) || !strings.Contains(err.Error(), dir) {
					t.Errorf("%v does not name %q and the folder", err, part)
				}
			}
			if err != nil {
				return
			}
			if m, err := n.Preview(NewDevice, account.Mail); err != nil || !strings.Contains(unwrapped(m.Text), c.want) && !strings.Contains(m.HTML, c.want) {
				t.Errorf("%v: no %q in\n%s", err, c.want, m.Text)
			}
		})
	}
}

func TestOptionsAreChecked(t *testing.T) {
	w := newWorld(t, nil)
	for name, change := range map[string]func(*Options){
		"no store":   func(o *Options) { o.Store = nil },
		"no book":    func(o *Options) { o.Book = nil },
		"short key":  func(o *Options) { o.LinkKey = o.LinkKey[:31] },
		"not a URL":  func(o *Options) { o.LinksURL = "calls.example.net" },
		"a query":    func(o *Options) { o.LinksURL = "https://calls.example.net/?x=1" },
		"javascript": func(o *Options) { o.LinksURL = "javascript:alert(1)" },
	} {
		o := w.options()
		change(&o)
		if _, err := New(o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.n.Preview("moon-phase", account.Mail); !errors.Is(err, ErrNotFound) {
		t.Errorf("preview of a kind there is none: %v", err)
	}
}

// Guards: without contact routes, and without links, a notice still says what to do.
func TestBareNotice(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Help, o.LinksURL, o.LinkKey = Help{Provider: "Tiny Telecom"}, "", nil })
	m, err := w.n.Preview(NewDevice, account.Mail)
	if err != nil || !strings.Contains(m.Text, "Contact Tiny Telecom.") || strings.Contains(m.Text, "http") || m.Off != "" {
		t.Errorf("%v\n%s", err, m.Text)
	}
	if !strings.Contains(unwrapped(m.Text), "contact us at once: we lock the line") {
		t.Errorf("it does not say what to do instead of pressing a button:\n%s", m.Text)
	}
}
