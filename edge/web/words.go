package web

import (
	_ "embed"
	"fmt"
	"html"
	"html/template"
	"strings"
)

// A word is a key of the catalogue: "frame.lock". A test looks for every one that the code and the templates use.
type word string

//go:embed en.txt
var englishText string

// english is the catalogue of the only language so far.
var english = mustCatalogue(englishText)

// catalogue is every text of the pages in one language.
type catalogue struct {
	texts map[word][]string // the forms of each: one, or for one and for many
}

func mustCatalogue(text string) *catalogue {
	c, err := readCatalogue(text)
	if err != nil {
		panic("web: the catalogue: " + err.Error()) // a file of this package; every test would see it
	}
	return c
}

func readCatalogue(text string) (*catalogue, error) {
	c := &catalogue{texts: map[word][]string{}}
	section := ""
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = strings.Trim(line, "[]")
		default:
			name, says, _ := strings.Cut(line, " ")
			key := word(section + "." + name)
			says = strings.TrimSpace(says)
			if _, twice := c.texts[key]; twice || says == "" {
				return nil, fmt.Errorf("line %d: %s stands there twice, or says nothing", n+1, key)
			}
			c.texts[key] = strings.Split(says, " | ")
		}
	}
	return c, nil
}

// form is the text for a key, in the form that its value {n} asks for.
func (c *catalogue) form(key word, values []any) string {
	forms := c.texts[key]
	if len(forms) == 0 {
		return "⟦" + string(key) + "⟧"
	}
	if len(forms) == 1 {
		return forms[0]
	}
	for i := 0; i+1 < len(values); i += 2 {
		if values[i] == "n" && fmt.Sprint(values[i+1]) == "1" {
			return forms[0]
		}
	}
	return forms[1]
}

// say gives a text with values in its places: say("line.locked", "line", "2003"). It is plain text.
func (c *catalogue) say(key word, values ...any) string {
	return fill(strings.ReplaceAll(c.form(key, values), "**", ""), values, plain)
}

// fill puts values into their places in a text, in one pass: what looks like a place inside a value stays as it is. This is done for every text of
// every row of a list.
func fill(text string, values []any, as func(any) string) string {
	at := strings.IndexByte(text, '{')
	if at < 0 || len(values) < 2 {
		return text
	}
	var b strings.Builder
	for ; at >= 0; at = strings.IndexByte(text, '{') {
		b.WriteString(text[:at])
		name, rest, ok := strings.Cut(text[at+1:], "}")
		i := 0
		for ok && i+1 < len(values) && fmt.Sprint(values[i]) != name {
			i += 2
		}
		if !ok || i+1 >= len(values) {
			b.WriteByte('{')
			text = text[at+1:]
			continue
		}
		b.WriteString(as(values[i+1]))
		text = rest
	}
	b.WriteString(text)
	return b.String()
}

// mark is say for a template: values are escaped, unless they are made of template.HTML, and ** is bold.
func (c *catalogue) mark(key word, values ...any) template.HTML {
	text := html.EscapeString(c.form(key, values))
	var b strings.Builder
	for n, part := range strings.Split(text, "**") { // before values are put in: theirs are asterisks
		if n > 0 {
			b.WriteString([]string{"</b>", "<b>"}[n%2])
		}
		b.WriteString(part)
	}
	return template.HTML(fill(b.String(), values, escaped)) //nolint:gosec // the catalogue is ours, and values are escaped
}

// escaped is a value as HTML.
func escaped(v any) string {
	if h, ok := v.(template.HTML); ok {
		return string(h)
	}
	return html.EscapeString(plain(v))
}

// plain is a value without markup.
func plain(v any) string {
	switch v := v.(type) {
	case int:
		return grouped(int64(v))
	case int64:
		return grouped(v)
	case template.HTML:
		return html.UnescapeString(stripTags(string(v)))
	}
	return fmt.Sprint(v)
}

func stripTags(s string) string {
	var b strings.Builder
	for {
		text, rest, ok := strings.Cut(s, "<")
		b.WriteString(text)
		if !ok {
			return b.String()
		}
		_, s, _ = strings.Cut(rest, ">")
	}
}
