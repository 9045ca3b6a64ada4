package notify

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	html "html/template"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	text "text/template"
	"time"
	"unicode/utf8"

	"ringfence/core/account"
	"ringfence/core/detect"
	"ringfence/state/store"
)

//go:embed templates
var embedded embed.FS

const (
	maxTemplate = 256 << 10 // bytes of an operator's file
	maxSubject  = 78        // runes; RFC 5322 section 2.1.1
	textWidth   = 72
)

// templates are the pairs of every kind, each with the layout.
type templates struct {
	text map[Kind]*text.Template
	html map[Kind]*html.Template
}

// builtins are parsed once: they are the same for every Notifier.
var builtins = sync.OnceValues(func() (*templates, error) { return loadTemplates("") })

// loadTemplates reads what is embedded, and over it what a folder has under the same names: layout, finding (for kinds of
// findings that have none of their own) and each kind, .html and .txt. An error names file and line.
func loadTemplates(folder string) (*templates, error) {
	files := map[string]string{}
	builtin, err := fs.Sub(embedded, "templates")
	if err == nil {
		err = readFiles(builtin, files, "")
	}
	if err == nil && folder != "" {
		err = readFiles(os.DirFS(folder), files, folder)
	}
	if err != nil {
		return nil, err
	}
	t := &templates{map[Kind]*text.Template{}, map[Kind]*html.Template{}}
	for _, info := range table {
		if err := t.add(info, files); err != nil {
			if folder != "" {
				err = fmt.Errorf("%w (in %s)", err, folder)
			}
			return nil, err
		}
	}
	return t, nil
}

// readFiles takes every template of a folder; one that is of no kind is an error, for it would do nothing, silently.
func readFiles(from fs.FS, into map[string]string, folder string) error {
	entries, err := fs.ReadDir(from, ".")
	if err != nil {
		return fmt.Errorf("templates %s: %w", folder, err)
	}
	for _, e := range entries {
		name := e.Name()
		ext := filepath.Ext(name)
		if e.IsDir() || ext != ".html" && ext != ".txt" {
			continue
		}
		base := strings.TrimSuffix(name, ext)
		if _, known := infoOf(Kind(base)); !known && base != "layout" && base != "finding" {
			return fmt.Errorf("template %s: there is no such kind of notice", filepath.Join(folder, name))
		}
		body, err := fs.ReadFile(from, name)
		if err == nil && len(body) > maxTemplate {
			err = fmt.Errorf("%d bytes; %d are allowed", len(body), maxTemplate)
		}
		if err == nil && !utf8.Valid(body) {
			err = errors.New("it is not UTF-8")
		}
		if err != nil {
			return fmt.Errorf("template %s: %w", filepath.Join(folder, name), err)
		}
		into[name] = string(body)
	}
	return nil
}

func (t *templates) add(info KindInfo, files map[string]string) error {
	tt := text.New(string(info.Kind)).Option("missingkey=error").Funcs(text.FuncMap{"dial": dial})
	ht := html.New(string(info.Kind)).Option("missingkey=error").Funcs(html.FuncMap{"dial": dial})
	for _, ext := range []string{".txt", ".html"} {
		names := []string{"layout" + ext}
		if own := string(info.Kind) + ext; files[own] != "" {
			names = append(names, own)
		} else {
			names = append(names, "finding"+ext)
		}
		for _, name := range names {
			var err error
			if ext == ".txt" {
				_, err = tt.New(name).Parse(files[name])
			} else {
				_, err = ht.New(name).Parse(files[name])
			}
			if err != nil {
				return err
			}
		}
	}
	t.text[info.Kind], t.html[info.Kind] = tt, ht
	return nil
}

// dial is a phone number as a link wants it.
func dial(number string) string {
	return strings.Map(func(r rune) rune {
		if r == '+' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, number)
}

// render makes the parts of a mail. It sets the view's title and subject.
func (t *templates) render(v *view) (plain, page string, err error) {
	tt, ht := t.text[v.Kind], t.html[v.Kind]
	if tt == nil || ht == nil { // of a later version: what is known is shown nevertheless
		if tt, ht = t.text[Kind(detect.Spray.String())], t.html[Kind(detect.Spray.String())]; tt == nil {
			return "", "", fmt.Errorf("no template for notices of kind %q", v.Kind)
		}
	}
	var b bytes.Buffer
	if err := tt.ExecuteTemplate(&b, "title", v); err != nil {
		return "", "", err
	}
	v.Title = Clean(b.String(), maxSubject-10)
	v.Subject = subject(v)
	b.Reset()
	if err := tt.ExecuteTemplate(&b, "layout", v); err != nil {
		return "", "", err
	}
	plain = wrap(b.String())
	b.Reset()
	if err := ht.ExecuteTemplate(&b, "layout", v); err != nil {
		return "", "", err
	}
	return plain, squeeze(b.String()), nil
}

// subject is the title with the line, in what a header line takes.
func subject(v *view) string {
	if v.Line == "" {
		return v.Title
	}
	line := []rune(": line " + v.Line)
	if room := maxSubject - utf8.RuneCountInString(v.Title); len(line) > room {
		line = append(line[:max(room-1, 0)], '…')
		if room < 12 { // a line without anything readable is no use
			line = nil
		}
	}
	return v.Title + string(line)
}

// squeeze takes out lines without anything, of which templates leave many.
func squeeze(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if strings.TrimSpace(line) != "" {
			b.WriteString(line)
		}
	}
	return b.String()
}

// wrap breaks lines at 72 characters where there are spaces, with the rest of a list's item below its beginning, and
// leaves one empty line between paragraphs. Links stay whole.
func wrap(s string) string {
	var b strings.Builder
	empty := true
	for line := range strings.Lines(s) {
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" {
			if !empty {
				b.WriteByte('\n')
			}
			empty = true
			continue
		}
		empty = false
		wrapLine(&b, line)
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func wrapLine(b *strings.Builder, line string) {
	indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
	hang := indent
	switch {
	case strings.HasPrefix(line, "- "):
		hang = "  "
	case indent != "":
		hang = indent + "  "
	}
	b.WriteString(indent)
	at := len(indent)
	for i, word := range strings.Fields(line) {
		size := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case at+1+size > textWidth:
			b.WriteString("\n" + hang)
			at = len(hang)
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += size
	}
	b.WriteByte('\n')
}

// message is a notice for one person, ready to be sent.
func (n *Notifier) message(x *store.Notice, d *store.Delivery) (Message, error) {
	v := n.look(x, d.Person, false)
	m := Message{ID: d.Ref, Channel: d.Channel, To: d.Address, Name: v.Name, Off: v.OffURL, Kind: v.Kind, At: madeAt(x), Checkpoint: v.Checkpoint}
	var err error
	if m.Text, m.HTML, err = n.words.render(v); err != nil {
		n.log.Error("a template of the operator's failed; the built-in one is used", "kind", string(v.Kind), "error", err)
		if m.Text, m.HTML, err = n.builtin.render(v); err != nil {
			return Message{}, err
		}
	}
	m.Subject = v.Subject
	if !account.ChannelCalled(d.Channel).People {
		m.JSON, err = n.hookBody(x, v, d)
		m.Text, m.HTML = "", ""
	}
	return m, err
}

// hookMessage is the body of a webhook.
type hookMessage struct {
	ID       string            `json:"id"` // the same at every try
	Notice   int64             `json:"notice"`
	Kind     Kind              `json:"kind"`
	Title    string            `json:"title"`
	Critical bool              `json:"critical"`
	Severity string            `json:"severity,omitempty"`
	At       time.Time         `json:"at"`
	Line     string            `json:"line,omitempty"`
	LineID   string            `json:"line_identity,omitempty"`
	Account  string            `json:"account,omitempty"`
	Owner    string            `json:"account_identity,omitempty"`
	Source   string            `json:"source,omitempty"`
	Text     string            `json:"text"`
	Finding  string            `json:"finding,omitempty"`
	Evidence map[string]any    `json:"evidence,omitempty"`
	Links    map[string]string `json:"links,omitempty"` // by action: "mine", "not-mine", "off"
}

func (n *Notifier) hookBody(x *store.Notice, v *view, d *store.Delivery) ([]byte, error) {
	dr := draftOf(x)
	b := hookMessage{
		ID: d.Ref, Notice: x.ID, Kind: v.Kind, Title: v.Title, Critical: v.Critical, Severity: dr.Severity, At: x.At.UTC(),
		Line: account.Handle(x.Line), LineID: account.FullIdentity(x.Line), Account: account.Handle(x.Account), Owner: account.FullIdentity(x.Account),
		Source: dr.Source, Text: join(" ", dr.Text, strings.Join(dr.Also, " ")), Finding: dr.Finding, Evidence: dr.Evidence, Links: n.urls(&dr, d.Person),
	}
	b.Text = cmp.Or(b.Text, v.Subject)
	return json.Marshal(b)
}
