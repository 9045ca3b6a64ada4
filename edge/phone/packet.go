package phone

import (
	"bytes"
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// packet is a SIP message as text: header names in full form and as written, values trimmed.
type packet struct {
	method, uri string // a request
	status      int    // a response
	phrase      string
	headers     []header
	body        []byte
	from        netip.AddrPort // where it came from
}

type header struct{ name, value string }

// compact gives the long names of the short forms (RFC 3261 section 7.3.3).
var compact = map[string]string{
	"v": "Via", "f": "From", "t": "To", "i": "Call-ID", "m": "Contact", "c": "Content-Type", "l": "Content-Length",
	"s": "Subject", "k": "Supported", "e": "Content-Encoding",
}

// errNotSIP says that a datagram is no SIP message.
var errNotSIP = errors.New("not a SIP message")

// maxPacket is the longest message read or written.
const maxPacket = 64 << 10

// parse reads one message. It is strict where an error would hide a server's mistake: every line ends in CRLF, the
// headers that every message needs are there once, and the body is as long as it says.
func parse(data []byte) (*packet, error) {
	head, body, ok := bytes.Cut(data, []byte("\r\n\r\n"))
	if !ok || len(data) > maxPacket {
		return nil, errNotSIP
	}
	lines := strings.Split(string(head), "\r\n")
	p := &packet{body: body}
	if err := p.parseStart(lines[0]); err != nil {
		return nil, err
	}
	for _, l := range lines[1:] {
		name, value, ok := strings.Cut(l, ":")
		if !ok || strings.ContainsAny(l, "\r\n") {
			return nil, errNotSIP
		}
		name = strings.TrimSpace(name)
		if long := compact[strings.ToLower(name)]; long != "" {
			name = long
		}
		p.headers = append(p.headers, header{name, strings.TrimSpace(value)})
	}
	return p, p.validate()
}

func (p *packet) parseStart(line string) error {
	parts := strings.SplitN(line, " ", 3)
	if len(parts) < 2 {
		return errNotSIP
	}
	if parts[0] == "SIP/2.0" {
		n, err := strconv.Atoi(parts[1])
		if err != nil || n < 100 || n > 699 {
			return errNotSIP
		}
		p.status = n
		if len(parts) == 3 {
			p.phrase = parts[2]
		}
		return nil
	}
	if len(parts) != 3 || parts[2] != "SIP/2.0" || parts[0] == "" {
		return errNotSIP
	}
	p.method, p.uri = parts[0], parts[1]
	return nil
}

func (p *packet) validate() error {
	for _, name := range []string{"From", "To", "Call-ID", "CSeq"} {
		if len(p.all(name)) != 1 {
			return errors.New("message needs exactly one " + name)
		}
	}
	if p.get("Via") == "" {
		return errors.New("message has no Via")
	}
	if l := p.get("Content-Length"); l != "" {
		n, err := strconv.Atoi(l)
		if err != nil || n < 0 || n > len(p.body) {
			return errors.New("message is shorter than its Content-Length")
		}
		p.body = p.body[:n]
	}
	return nil
}

// get is the first value of a header, "" for none.
func (p *packet) get(name string) string {
	for i := range p.headers {
		if strings.EqualFold(p.headers[i].name, name) {
			return p.headers[i].value
		}
	}
	return ""
}

// all is every value of a header, in order.
func (p *packet) all(name string) []string {
	var vs []string
	for i := range p.headers {
		if strings.EqualFold(p.headers[i].name, name) {
			vs = append(vs, p.headers[i].value)
		}
	}
	return vs
}

// list is every element of a comma-separated header such as Contact or Record-Route.
func (p *packet) list(name string) []string {
	var vs []string
	for _, v := range p.all(name) {
		vs = append(vs, splitList(v)...)
	}
	return vs
}

func (p *packet) add(name, value string) { p.headers = append(p.headers, header{name, value}) }

// cseq is the number and the method of CSeq.
func (p *packet) cseq() (int, string) {
	n, method, _ := strings.Cut(p.get("CSeq"), " ")
	i, _ := strconv.Atoi(n)
	return i, strings.TrimSpace(method)
}

// branch names the transaction of a response: the branch of the topmost Via.
func (p *packet) branch() string { return param(splitList(p.get("Via") + ",")[0], "branch") }

// bytes writes the message with its Content-Length.
func (p *packet) bytes() []byte {
	var b bytes.Buffer
	if p.status != 0 {
		b.WriteString("SIP/2.0 " + strconv.Itoa(p.status) + " " + p.phrase + "\r\n")
	} else {
		b.WriteString(p.method + " " + p.uri + " SIP/2.0\r\n")
	}
	for _, h := range p.headers {
		if !strings.EqualFold(h.name, "Content-Length") {
			b.WriteString(h.name + ": " + h.value + "\r\n")
		}
	}
	b.WriteString("Content-Length: " + strconv.Itoa(len(p.body)) + "\r\n\r\n")
	b.Write(p.body)
	return b.Bytes()
}

// reply begins a response to p with what every response repeats (RFC 3261 section 8.2.6.2).
func (p *packet) reply(status int, phrase, tag string) *packet {
	r := &packet{status: status, phrase: phrase, from: p.from}
	for _, v := range p.all("Via") {
		r.add("Via", v)
	}
	r.add("From", p.get("From"))
	to := p.get("To")
	if tag != "" && param(to, "tag") == "" {
		to += ";tag=" + tag
	}
	r.add("To", to)
	r.add("Call-ID", p.get("Call-ID"))
	r.add("CSeq", p.get("CSeq"))
	for _, rr := range p.all("Record-Route") {
		if status > 100 && status < 300 {
			r.add("Record-Route", rr)
		}
	}
	return r
}

// splitList splits at the commas that are neither quoted nor inside <>. It always gives at least one element.
func splitList(s string) []string {
	var out []string
	quoted, angle, from := false, false, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			angle = true
		case c == '>':
			angle = false
		case c == ',' && !angle:
			out = append(out, strings.TrimSpace(s[from:i]))
			from = i + 1
		}
	}
	if last := strings.TrimSpace(s[from:]); last != "" || out == nil {
		out = append(out, last)
	}
	return out
}

// param is a parameter of a header value, outside of any <>; quotes are taken off.
func param(value, name string) string {
	if i := strings.LastIndexByte(value, '>'); i >= 0 {
		value = value[i+1:]
	}
	for len(value) > 0 {
		var part string
		part, value = cutParam(value)
		k, v, _ := strings.Cut(part, "=")
		if strings.EqualFold(strings.TrimSpace(k), name) {
			return unquote(strings.TrimSpace(v))
		}
	}
	return ""
}

// cutParam takes the text up to the next ';' that is not quoted.
func cutParam(s string) (part, rest string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == ';' && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	s = s[1 : len(s)-1]
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// uriOf is the URI of a From, To, Contact or Route value.
func uriOf(value string) string {
	if _, after, ok := strings.Cut(value, "<"); ok {
		uri, _, _ := strings.Cut(after, ">")
		return uri
	}
	uri, _, _ := strings.Cut(value, ";")
	return strings.TrimSpace(uri)
}

// userOf is the user part of a SIP URI, "" for none.
func userOf(uri string) string {
	_, rest, ok := strings.Cut(uri, ":")
	user, _, at := strings.Cut(rest, "@")
	if !ok || !at {
		return ""
	}
	user, _, _ = strings.Cut(user, ";")
	return user
}

// hostOf is the address a SIP URI names, if its host is an IP address; the port is 5060 when it has none.
func hostOf(uri string) (netip.AddrPort, bool) {
	_, rest, _ := strings.Cut(uri, ":")
	if _, after, ok := strings.Cut(rest, "@"); ok {
		rest = after
	}
	rest, _, _ = strings.Cut(rest, ";")
	rest, _, _ = strings.Cut(rest, "?")
	if ap, err := netip.ParseAddrPort(rest); err == nil {
		return ap, true
	}
	a, err := netip.ParseAddr(strings.Trim(rest, "[]"))
	return netip.AddrPortFrom(a, 5060), err == nil
}

// explain is what a message says about why: the texts of its Reason (RFC 3326) and Warning (RFC 3261 section 20.43)
// headers, without repeats.
func (p *packet) explain() string {
	var texts []string
	add := func(t string) {
		for _, have := range texts {
			if strings.Contains(have, t) { // Warning repeats what Reason says
				return
			}
		}
		if t != "" {
			texts = append(texts, t)
		}
	}
	for _, v := range p.list("Reason") {
		add(param(v, "text"))
	}
	for _, v := range p.list("Warning") {
		if parts := strings.SplitN(v, " ", 3); len(parts) == 3 {
			add(unquote(parts[2]))
		}
	}
	return strings.Join(texts, "; ")
}
