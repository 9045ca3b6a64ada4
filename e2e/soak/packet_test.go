//go:build e2e

package soak

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// packet is a SIP message of the kind that Ringfence writes: one header a line, names in full.
type packet struct {
	method, uri string // a request
	status      int    // a response
	headers     [][2]string
	body        string
	from        netip.AddrPort
}

var errNotSIP = errors.New("not a SIP message")

func parse(data []byte) (*packet, error) {
	head, body, ok := bytes.Cut(data, []byte("\r\n\r\n"))
	lines := strings.Split(string(head), "\r\n")
	first := strings.SplitN(lines[0], " ", 3)
	if !ok || len(first) < 3 {
		return nil, errNotSIP
	}
	p := &packet{method: first[0], uri: first[1], body: string(body)}
	if first[0] == "SIP/2.0" {
		p.method, p.uri = "", ""
		if p.status, _ = strconv.Atoi(first[1]); p.status < 100 {
			return nil, errNotSIP
		}
	}
	for _, l := range lines[1:] {
		name, value, ok := strings.Cut(l, ": ")
		if !ok {
			return nil, fmt.Errorf("%w: header %q", errNotSIP, l)
		}
		p.headers = append(p.headers, [2]string{name, value})
	}
	for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		if p.get(name) == "" {
			return nil, fmt.Errorf("%w: no %s", errNotSIP, name)
		}
	}
	return p, nil
}

func (p *packet) get(name string) string {
	for _, h := range p.headers {
		if strings.EqualFold(h[0], name) {
			return h[1]
		}
	}
	return ""
}

func (p *packet) add(name, value string) { p.headers = append(p.headers, [2]string{name, value}) }

// cseq is the number and the method of CSeq.
func (p *packet) cseq() (n int, method string) {
	number, method, _ := strings.Cut(p.get("CSeq"), " ")
	n, _ = strconv.Atoi(number)
	return n, method
}

// transaction names the client transaction that a message belongs to.
func (p *packet) transaction() string {
	_, method := p.cseq()
	return method + " " + param(p.get("Via"), "branch")
}

func (p *packet) bytes() []byte {
	var b bytes.Buffer
	if p.status != 0 {
		fmt.Fprintf(&b, "SIP/2.0 %d %s\r\n", p.status, phrases[p.status])
	} else {
		fmt.Fprintf(&b, "%s %s SIP/2.0\r\n", p.method, p.uri)
	}
	for _, h := range p.headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	if p.body != "" {
		b.WriteString("Content-Type: application/sdp\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(p.body), p.body)
	return b.Bytes()
}

var phrases = map[int]string{
	100: "Trying", 180: "Ringing", 200: "OK", 401: "Unauthorized", 404: "Not Found", 481: "Call/Transaction Does Not Exist",
	486: "Busy Here", 487: "Request Terminated", 500: "Server Internal Error", 503: "Service Unavailable",
}

// reply begins a response with what every response repeats, and the tag of our side.
func (p *packet) reply(status int, tag string) *packet {
	r := &packet{status: status, from: p.from}
	for _, h := range p.headers {
		switch h[0] {
		case "Via", "From", "Call-ID", "CSeq", "Record-Route":
			r.headers = append(r.headers, h)
		case "To":
			if tag != "" && param(h[1], "tag") == "" {
				h[1] += ";tag=" + tag
			}
			r.headers = append(r.headers, h)
		}
	}
	return r
}

// brief is a message in a few words, for the trace.
func (p *packet) brief() string {
	n, method := p.cseq()
	if p.status != 0 {
		return fmt.Sprintf("%d to %s %d", p.status, method, n)
	}
	text := fmt.Sprintf("%s %d", p.method, n)
	if why := p.get("Reason"); why != "" {
		text += " (" + why + ")"
	}
	return text
}

// param is a parameter of a header's value, outside of any <>.
func param(value, name string) string {
	if i := strings.LastIndexByte(value, '>'); i >= 0 {
		value = value[i+1:]
	}
	for part := range strings.SplitSeq(value, ";") {
		if k, v, _ := strings.Cut(strings.TrimSpace(part), "="); strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// uriOf is the URI of a From, To or Contact.
func uriOf(value string) string {
	if _, after, ok := strings.Cut(value, "<"); ok {
		uri, _, _ := strings.Cut(after, ">")
		return uri
	}
	uri, _, _ := strings.Cut(value, ";")
	return uri
}

// userOf and hostOf are the parts of a SIP URI.
func userOf(uri string) string {
	user, _, _ := strings.Cut(strings.TrimPrefix(uri, "sip:"), "@")
	return user
}

func hostOf(uri string) netip.AddrPort {
	host := strings.TrimPrefix(uri, "sip:")
	if _, after, ok := strings.Cut(host, "@"); ok {
		host = after
	}
	host, _, _ = strings.Cut(host, ";")
	at, _ := netip.ParseAddrPort(host)
	return at
}

// sdp is a session on a port of loopback where nobody listens: no sound is sent.
const sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\n"
