package message

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
)

func seeds(f *testing.F) {
	f.Add([]byte(inviteText))
	f.Add([]byte(registerText))
	f.Add([]byte(options("Contact: *\r\nRoute: <sip:a;lr>, <sip:[::1]>\r\n")))
	f.Add([]byte("SIP/2.0 200 OK\r\n" + options("")[37:]))
	if tortureDir() != "" {
		for _, b := range tortureFiles(f) {
			f.Add(b)
		}
	}
}

// rewrite writes a message anew from what was parsed.
func rewrite(m *Message) []byte {
	var w Writer
	w.Begin(nil)
	if m.IsRequest() {
		w.b = append(appendToken(w.b, m.MethodText()), ' ')
		w.b = append(appendURI(w.b, m.RequestURI()), " SIP/2.0\r\n"...)
	} else {
		w.Status(m.Status(), string(m.Phrase()))
	}
	for i := range m.NumHeaders() {
		_, name, value := m.Header(i)
		w.AddNamed(string(name), value)
	}
	return w.End("", m.Body())
}

// lookup is the value of a header that has no id.
func lookup(m *Message, name string) []byte {
	for i := range m.NumHeaders() {
		if _, got, v := m.Header(i); equalFold(got, name) {
			return v
		}
	}
	return nil
}

// readAll calls every accessor.
func readAll(m *Message) {
	for id := HOther; id < numHeaders; id++ {
		m.Has(id)
		m.Count(id)
		m.HasToken(id, "x")
		for a := range m.Addrs(id) {
			a.Expires()
			a.Tag()
			a.AppendDisplay(nil)
			if u, ok := a.ParseURI(); ok {
				u.AppendUser(nil)
				u.Param("transport")
				u.Addr()
			}
		}
	}
	var c Credentials
	m.Credentials(HAuthorization, "", &c)
	m.Credentials(HProxyAuthorization, "x", &c)
	m.RAck()
	m.RSeq()
	for r := range m.Reasons() {
		_ = r[0] // none is empty
		ReasonText(r)
	}
	m.SessionExpires()
	m.ContactStar()
}

func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		// A capacity that ends with the input makes an over-read a panic.
		var m, again Message
		fault := Parse(&m, bytes.Clone(raw)[:len(raw):len(raw)])
		readAll(&m)
		if fault != nil {
			if fault.Status != 0 {
				out := AppendResponse(nil, &m, Reply{Code: fault.Status, ToTag: []byte("t"), Src: netip.MustParseAddrPort("192.0.2.1:5060")})
				if f := Parse(&again, out); f != nil && m.CallID() != nil {
					t.Fatalf("the answer is not SIP: %s\n%q", f.Why, out)
				}
			}
			return
		}
		for i := range m.NumHeaders() {
			if _, _, v := m.Header(i); bytes.ContainsAny(v, "\r\n") {
				t.Fatalf("line break in a value: %q", v)
			}
		}
		one := rewrite(&m)
		if bytes.IndexByte(m.buf, 0) >= 0 {
			return // escaped NULs are not written again
		}
		if f := Parse(&again, bytes.Clone(one)); f != nil {
			t.Fatalf("not accepted again: %s\n%q\n%q", f.Why, raw, one)
		}
		if two := rewrite(&again); !bytes.Equal(one, two) {
			t.Fatalf("not stable:\n%q\n%q", one, two)
		}
		if !m.IsRequest() {
			return
		}
		out := AppendResponse(nil, &m, Reply{Code: 200, ToTag: []byte("t"), Src: netip.MustParseAddrPort("192.0.2.1:5060")})
		if f := Parse(&again, out); f != nil {
			t.Fatalf("the answer is not SIP: %s\n%q", f.Why, out)
		}
	})
}

// FuzzAgainstSipgo: where both parsers accept, they read the same.
func FuzzAgainstSipgo(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m Message
		if Parse(&m, bytes.Clone(raw)) != nil || !byTheGrammar(&m) {
			return
		}
		theirs, ok := sipgoParse(rewrite(&m))
		if !ok {
			return
		}
		same := func(what, got, other string) {
			if got != other {
				t.Fatalf("%s: ours %q, sipgo's %q\n%q", what, got, other, raw)
			}
		}
		same("call id", string(m.CallID()), theirs.CallID().Value())
		if m.CSeq() != theirs.CSeq().SeqNo {
			t.Fatalf("cseq: %d, %d", m.CSeq(), theirs.CSeq().SeqNo)
		}
		same("cseq method", string(m.CSeqMethodText()), strings.TrimSpace(string(theirs.CSeq().MethodName)))
		same("body", string(m.Body()), string(theirs.Body()))
		if bytes.ContainsAny(m.Get(HFrom), " \t\"") || bytes.ContainsAny(m.Get(HVia)[8:], "\t\"") || bytes.Count(m.Get(HVia), []byte(" ")) != 1 {
			return // sipgo knows no space around separators, and splits quoted strings
		}
		if u, _ := m.From().ParseURI(); u.Scheme == SIP {
			same("from host", strings.ToLower(string(u.Host)), strings.ToLower(strings.Trim(theirs.From().Address.Host, "[]")))
			tag, _ := theirs.From().Params.Get("tag")
			same("from tag", string(m.From().Tag()), tag)
		}
		v := theirs.Via()
		same("via transport", string(m.Via().Transport), v.Transport)
		same("via host", string(m.Via().Host), strings.Trim(v.Host, "[]"))
		if int(m.Via().Port) != v.Port {
			t.Fatalf("via port: %d, %d", m.Via().Port, v.Port)
		}
		branch, _ := v.Params.Get("branch")
		same("branch", string(m.Via().Branch), branch)
	})
}

// byTheGrammar says that what both parsers read is not odd: each reads that in its own way.
func byTheGrammar(m *Message) bool {
	if m.ViaCount() == 0 || m.From().URI == nil || m.From().Odd || m.CSeqMethodText() == nil || m.bodyTwice || m.Count(HCallID) != 1 || m.Count(HCSeq) != 1 {
		return false
	}
	for _, params := range [][]byte{m.From().Params, m.Via().Params} {
		seen := map[string]bool{}
		for i := 0; i < len(params); {
			name, _, next := nextParam(params, i)
			end, ok := paramEnd(params, i)
			if key := strings.ToLower(string(name)); !ok || skipSpace(params, end) != next || seen[key] {
				return false
			} else {
				seen[key] = true
			}
			i = next
		}
	}
	return !bytes.ContainsAny(m.Get(HVia), ",") && (m.Via().Port != 0 || !bytes.Contains(m.Get(HVia), []byte(":")))
}

// sipgoParse takes sipgo's panics for refusals.
func sipgoParse(raw []byte) (msg sip.Message, ok bool) {
	defer func() { ok = recover() == nil && ok }()
	msg, err := sip.NewParser().ParseSIP(raw)
	return msg, err == nil && msg.CallID() != nil && msg.CSeq() != nil && msg.From() != nil && msg.Via() != nil
}

// FuzzFrame: a stream is cut the same way however it arrives, and what is cut is whole.
func FuzzFrame(f *testing.F) {
	f.Add([]byte(inviteText+registerText), 7)
	f.Add([]byte(options("l:\r\n 0\r\n")), 1)
	f.Fuzz(func(t *testing.T, raw []byte, split int) {
		n, _, fault := Frame(raw)
		if n > len(raw) || n < 0 {
			t.Fatalf("frame of %d in %d bytes, %v", n, len(raw), fault)
		}
		if n == 0 || split < 0 || split >= n {
			return
		}
		if part, need, fault := Frame(raw[:split]); !bytes.Contains(raw[:split], []byte("\r\n\r\n")) && part != 0 || fault != nil || need > n {
			t.Fatalf("%d of %d bytes: frame %d, need %d, %v", split, n, part, need, fault)
		}
		if again, _, _ := Frame(raw[:n]); again != n {
			t.Fatalf("%d bytes alone are framed as %d", n, again)
		}
	})
}
