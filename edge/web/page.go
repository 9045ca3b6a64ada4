package web

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"ringfence/flow/notify"
)

//go:embed page.css
var styleSheet string

//go:embed page.html
var pageText string

var pages = template.Must(template.New("page").Parse(pageText))

// policy allows nothing but our own style sheet, which stands in the page and is named by its hash, and our own form.
var policy = func() string {
	sum := sha256.Sum256([]byte(styleSheet))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}()

// page is what the template shows.
type page struct {
	CSS    template.CSS
	Title  string
	Known  []notify.Known
	Text   []string
	Result string // what was done
	Mark   string // "done", "warn" or "": the colour of the card's edge
	Do     string // action of the button; "" is no button
	Button string
	Grave  bool // the button locks something
	Help   help
}

// help is notify.Help with its links.
type help struct {
	Provider, Hours string
	Routes          []route
}

type route struct {
	Label, Shown string
	URL          template.URL
}

// newHelp makes links of the operator's contact routes. They come from the configuration, and are checked nevertheless.
func newHelp(h notify.Help) help {
	out := help{Provider: h.Provider, Hours: h.Hours}
	out.Provider = cmp.Or(out.Provider, "Your telephone provider")
	digits := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' || r == '+' {
				return r
			}
			return -1
		}, s)
	}
	add := func(label, shown, url string) {
		if shown != "" {
			out.Routes = append(out.Routes, route{label, shown, template.URL(url)}) // built from digits, or escaped below
		}
	}
	add("Call", h.Phone, "tel:"+digits(h.Phone))
	add("Text", h.Text, "sms:"+digits(h.Text))
	if !strings.ContainsFunc(h.Mail, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`<>"?&#%`, r) }) {
		add("Write to", h.Mail, "mailto:"+h.Mail)
	}
	if strings.HasPrefix(h.Page, "https://") || strings.HasPrefix(h.Page, "http://") {
		add("Visit", strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(h.Page, "https://"), "http://"), "/"), h.Page)
	}
	return out
}

func askPage(v *notify.LinkView) page {
	if v.Used {
		return usedPage(v)
	}
	if v.Expired {
		return expiredPage(v)
	}
	return page{Title: v.Title, Known: v.Known, Text: v.Text, Do: v.Action, Button: v.Button, Grave: v.Action == notify.NotMine}
}

func donePage(v *notify.LinkView) page {
	return page{Title: "Thank you", Result: v.Result, Text: []string{"You can close this page."}, Mark: "done"}
}

func usedPage(v *notify.LinkView) page {
	return page{Title: "This was answered already", Result: v.Result, Text: []string{"A link works once. If the answer was wrong, or was not yours, contact us at once."}, Mark: "done"}
}

func expiredPage(v *notify.LinkView) page {
	title := "This link has expired"
	if v.Gone {
		title = v.Title
	}
	return page{Title: title, Text: v.Text, Mark: "warn"}
}

// The pages that say the same to everyone.
var (
	unknownPage = page{Title: "This link is not complete", Mark: "warn", Text: []string{
		"Nothing was done. Mail programs sometimes cut long links in two: go back to the message and press its button, or copy the whole link.",
		"If you cannot make it work and the matter is urgent, contact us.",
	}}
	foreignPage = page{Title: "Nothing was done", Mark: "warn", Text: []string{
		"Another site tried to answer for you. Open the link in the message itself and press its button there.",
	}}
	tooManyPage = page{Title: "Please wait a minute", Mark: "warn", Text: []string{
		"Your address has asked for many pages in a short time. Nothing was done. Try again in a minute; if it is urgent, contact us.",
	}}
	brokenPage = page{Title: "This does not work just now", Mark: "warn", Text: []string{
		"We could not look your link up. It stays good: try again in a few minutes. If it is urgent, do not wait, contact us.",
	}}
	frontPage = page{Title: "Answers to our notices", Text: []string{
		"This address answers the buttons in the messages that we send about your telephone lines. There is nothing else here: open the link in the message.",
	}}
)

// write sends a page. It is made whole before the first byte goes out.
func (s *Server) write(w http.ResponseWriter, r *http.Request, status int, p page) {
	p.CSS, p.Help = template.CSS(styleSheet), s.help // ours
	var b bytes.Buffer
	if err := pages.Execute(&b, p); err != nil {
		s.log.Error("a page could not be made", "error", err)
		writeText(w, http.StatusInternalServerError, "This does not work just now.\n")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b.Bytes()) // the other side may have gone
	}
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // the other side may have gone
}
