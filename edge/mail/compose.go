package mail

import (
	"bytes"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"
	"golang.org/x/net/idna"

	"ringfence/flow/notify"
)

// Limits of what goes into headers, in runes, and of a whole message in bytes.
const (
	maxName    = 100
	maxSubject = 200
	maxURL     = 900 // a line of a message has at most 998 bytes (RFC 5322, 2.1.1)
	maxAddress = 254 // RFC 5321, 4.5.3.1.3, without the brackets
	maxBody    = 2 << 20
	maxFiles   = 7 << 20 // in base64 less than the 10 MB that servers commonly take
)

// address reads "name <local@domain>" or "local@domain". A domain in letters becomes its ASCII form. A local part beyond
// ASCII is refused: it would need SMTPUTF8 all the way.
func address(text string) (*mail.Address, error) {
	a, err := mail.ParseAddress(text)
	if err != nil {
		return nil, fmt.Errorf("the mail address %q cannot be read", clean(text, maxName))
	}
	at := strings.LastIndexByte(a.Address, '@')
	local, domain := a.Address[:at], a.Address[at+1:]
	if strings.ContainsFunc(local, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"\<>(),;:@`, r) }) {
		return nil, fmt.Errorf("the mail address %q has characters before the @ that mail servers refuse", clean(text, maxName))
	}
	if !strings.HasPrefix(domain, "[") {
		ascii, err := idna.Lookup.ToASCII(domain)
		if err != nil {
			return nil, fmt.Errorf("the domain of the mail address %q is not a name", clean(text, maxName))
		}
		domain = ascii
	}
	a.Address = local + "@" + domain
	if len(a.Address) > maxAddress || strings.ContainsFunc(domain, func(r rune) bool { return r <= ' ' || r > '~' || r == '<' || r == '>' }) {
		return nil, fmt.Errorf("the mail address %q is too long or malformed", clean(text, maxName))
	}
	return &mail.Address{Name: clean(a.Name, maxName), Address: a.Address}, nil
}

// clean makes text fit for one header line of at most limit runes: nothing in it is decoded as an encoded word.
func clean(text string, limit int) string {
	return strings.ReplaceAll(notify.Clean(text, limit), "=?", "= ?")
}

// compose makes the message as it goes over the wire: CRLF lines of at most 998 bytes, signed if there is a key.
func (s *Sender) compose(m notify.Message, to *mail.Address) ([]byte, error) {
	if err := fit(m); err != nil {
		return nil, err
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(s.from)
	msg.ToMailAddress(to)
	if s.reply != nil {
		msg.ReplyToMailAddress(s.reply)
	}
	msg.Subject(clean(m.Subject, maxSubject))
	msg.SetMessageIDWithValue(m.ID)
	at := m.At
	if at.IsZero() {
		at = time.Now()
	}
	msg.SetDateWithValue(at.UTC())
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office answers
	if m.Checkpoint != "" {
		msg.SetGenHeader("Ringfence-Checkpoint", m.Checkpoint)
	}
	if m.Off != "" {
		msg.SetGenHeader(gomail.HeaderListUnsubscribe, "<"+m.Off+">")
		msg.SetGenHeader(gomail.HeaderListUnsubscribePost, "List-Unsubscribe=One-Click")
	}
	msg.SetBodyString(gomail.TypeTextPlain, plain(m.Text))
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, plain(m.HTML))
	}
	for _, f := range m.Files {
		if err := msg.AttachReader(clean(f.Name, maxName), bytes.NewReader(f.Data), gomail.WithFileContentType(gomail.ContentType(f.Type))); err != nil {
			return nil, fmt.Errorf("attaching a file: %w", err)
		}
	}
	var b bytes.Buffer
	if _, err := msg.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("making the mail: %w", err)
	}
	return s.sign(b.Bytes())
}

// fit refuses what notify never makes and what a header could not hold.
func fit(m notify.Message) error {
	left, right, ok := strings.Cut(m.ID, "@")
	if !ok || left == "" || right == "" || len(m.ID) > maxAddress ||
		strings.ContainsFunc(m.ID, func(r rune) bool { return r <= ' ' || r > '~' || r == '<' || r == '>' }) {
		return fmt.Errorf("the message ID %q is not one", clean(m.ID, maxName))
	}
	attached := 0
	for _, f := range m.Files {
		attached += len(f.Data)
	}
	if len(m.Text)+len(m.HTML) > maxBody || attached > maxFiles {
		return errors.New("the mail is too long")
	}
	if m.Off == "" {
		return nil
	}
	u, err := url.Parse(m.Off)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(m.Off) > maxURL ||
		strings.ContainsFunc(m.Off, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("<>,", r) }) {
		return errors.New("the link that switches the notice off is not a URL that fits into a header")
	}
	return nil
}

// plain takes out of a body what no reader shows: control characters but line breaks and tabs, and broken UTF-8.
func plain(body string) string {
	body = strings.ReplaceAll(strings.ReplaceAll(body, "\r\n", "\n"), "\r", "\n")
	return strings.Map(func(r rune) rune { // which makes U+FFFD of what is no UTF-8
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, body)
}
