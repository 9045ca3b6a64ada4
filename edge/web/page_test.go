package web

import (
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// doc is a page as a reader parses it.
type doc struct{ *html.Node }

func parsePage(t *testing.T, r io.Reader) doc {
	t.Helper()
	n, err := html.Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	return doc{n}
}

// all finds elements by "tag", "tag.class" or "tag[attribute=value]", steps from outside to inside between blanks.
func (d doc) all(selector string) []*html.Node {
	steps := strings.Fields(selector)
	found := []*html.Node{d.Node}
	for _, step := range steps {
		var next []*html.Node
		for _, from := range found {
			for n := range from.Descendants() {
				if fits(n, step) {
					next = append(next, n)
				}
			}
		}
		found = next
	}
	return found
}

func fits(n *html.Node, step string) bool {
	tag, rest, hasAttr := strings.Cut(strings.TrimSuffix(step, "]"), "[")
	tag, class, hasClass := strings.Cut(tag, ".")
	key, value, _ := strings.Cut(rest, "=")
	return n.Type == html.ElementNode && n.Data == tag && (!hasAttr || attr(n, key) == value) && (!hasClass || strings.Contains(" "+attr(n, "class")+" ", " "+class+" "))
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// one wants exactly one element, and gives its text.
func (d doc) one(t *testing.T, selector string) string {
	t.Helper()
	found := d.all(selector)
	if len(found) != 1 {
		t.Errorf("%d elements %q, want one", len(found), selector)
		return ""
	}
	return text(found[0])
}

// foreign are elements that run or fetch something.
var foreign = []string{"script", "iframe", "object", "embed", "img", "link", "base", "svg"}

// checkPage is what holds for every page: a language, a title, one heading, landmarks, no script, nothing from elsewhere,
// a name for every control, and help.
func checkPage(t *testing.T, d doc) {
	t.Helper()
	if lang := attr(d.all("html")[0], "lang"); lang != "en" {
		t.Errorf("language %q", lang)
	}
	title, heading := d.one(t, "head title"), d.one(t, "main h1")
	if heading == "" || !strings.HasPrefix(title, heading) || !strings.HasSuffix(title, "Example Telecom") {
		t.Errorf("title %q, heading %q", title, heading)
	}
	for _, landmark := range []string{"header", "main", "footer"} {
		d.one(t, landmark)
	}
	for n := range d.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if slices.Contains(foreign, n.Data) {
			t.Errorf("there is a <%s>", n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "src" || a.Key == "action" {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
		if (n.Data == "button" || n.Data == "a") && text(n) == "" {
			t.Errorf("a <%s> without a name", n.Data)
		}
	}
	for _, url := range []string{"tel:+441615550123", "sms:+447700900999", "mailto:help@example.net", "https://example.net/help?x=1&y"} {
		d.one(t, "footer a[href="+url+"]")
	}
	if got := text(d.all("footer")[0]); !strings.Contains(got, "Mon–Fri 9–17") {
		t.Errorf("no opening hours in %q", got)
	}
}
