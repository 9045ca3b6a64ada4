package message

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// tortureDir finds the RFC 4475 messages in sipgo's module.
var tortureDir = sync.OnceValue(func() string {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/emiago/sipgo").Output()
	if err != nil {
		return ""
	}
	return filepath.Join(strings.TrimSpace(string(out)), "sip", "testdata", "torture")
})

func tortureFiles(t testing.TB) map[string][]byte {
	t.Helper()
	paths, _ := filepath.Glob(filepath.Join(tortureDir(), "*", "*.dat"))
	if len(paths) == 0 {
		t.Skip("sipgo's module, which holds the RFC 4475 messages, is not there")
	}
	files := map[string][]byte{}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(b, []byte("\r\n\r\n")) {
			b = append(b, "\r\n"...) // baddn has lost its empty line in this copy
		}
		files[strings.TrimSuffix(filepath.Base(p), ".dat")] = b
	}
	return files
}

type expect struct {
	fault  string // Fault.Why; "" accepted
	status int    // Fault.Status; 0 dropped
	check  func(t *testing.T, m *Message)
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func text(t *testing.T, what string, got []byte, wanted string) {
	t.Helper()
	if string(got) != wanted {
		t.Errorf("%s: got %q, want %q", what, got, wanted)
	}
}

func accept(check func(t *testing.T, m *Message)) expect { return expect{check: check} }
func answer(status int, why string) expect               { return expect{fault: why, status: status} }
func drop(why string) expect                             { return expect{fault: why} }

var torture = map[string]expect{
	// 3.1.1 valid messages
	"wsinv": accept(func(t *testing.T, m *Message) {
		text(t, "method", m.MethodText(), "INVITE")
		text(t, "from tag", m.From().Tag(), "98asjd8")
		text(t, "from name", m.From().AppendDisplay(nil), `J Rosenberg \"`)
		text(t, "to tag", m.To().Tag(), "1918181833n")
		want(t, "max-forwards", m.MaxForwards(), 68)
		want(t, "cseq", m.CSeq(), 9)
		want(t, "vias", m.ViaCount(), 3)
		text(t, "via host", m.Via().Host, "192.0.2.2")
		text(t, "branch", m.Via().Branch, "390skdjuw")
		text(t, "unfolded", lookup(m, "newfangledheader"), "newfangled value   continued newfangled value")
		for a := range m.Addrs(HContact) {
			q, _ := a.Param("q")
			text(t, "q", q, "0.33")
			text(t, "name", a.AppendDisplay(nil), `Quoted string ""`)
		}
		want(t, "empty subject", m.Has(HSubject), true)
		want(t, "body", len(m.Body()), 150)
	}),
	"intmeth": accept(func(t *testing.T, m *Message) {
		text(t, "method", m.MethodText(), "!interesting-Method0123456789_*+`.%indeed'~")
		want(t, "id", m.Method(), Other)
		text(t, "user", m.URI().AppendUser(nil), "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*")
		text(t, "password", m.URI().Password, "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)")
		text(t, "to name", m.To().AppendDisplay(nil), "BEL:\a NUL:\x00 DEL:\x7f")
		text(t, "from name", m.From().Display, "token1~` token2'+_ token3*%!.-")
		want(t, "max-forwards", m.MaxForwards(), 255)
		text(t, "extension", lookup(m, "extensionHeader-!.%*+_`'~"), "\uFEFF大停電")
	}),
	"esc01": accept(func(t *testing.T, m *Message) {
		text(t, "user", m.URI().AppendUser(nil), "sips:user@example.com")
		u, _ := m.From().ParseURI()
		text(t, "from user", u.AppendUser(nil), "I have spaces")
		for a := range m.Addrs(HContact) {
			u, _ := a.ParseURI()
			text(t, "contact user", u.AppendUser(nil), "caller")
			text(t, "contact params", u.Params, ";%6C%72;n%61me=v%61lue%25%34%31")
		}
	}),
	"escnull": accept(func(t *testing.T, m *Message) {
		u, _ := m.To().ParseURI()
		text(t, "user", u.AppendUser(nil), "null-\x00-null")
		want(t, "contacts", m.Count(HContact), 2)
	}),
	"esc02": accept(func(t *testing.T, m *Message) {
		text(t, "method", m.MethodText(), "RE%47IST%45R")
		want(t, "not REGISTER", m.Method(), Other)
		want(t, "contacts", m.Count(HContact), 2)
		text(t, "not a contact", lookup(m, "C%6Fntact"), "<sip:alias2@host2.example.com>")
		text(t, "name", m.To().AppendDisplay(nil), "%Z%45")
	}),
	"lwsdisp": accept(func(t *testing.T, m *Message) {
		text(t, "name", m.From().Display, "caller")
		text(t, "uri", m.From().URI, "sip:caller@example.com")
	}),
	"longreq": accept(func(t *testing.T, m *Message) {
		want(t, "vias", m.ViaCount(), 34)
		u, _ := m.To().ParseURI()
		want(t, "port", u.Port, 6000)
	}),
	"dblreq": accept(func(t *testing.T, m *Message) {
		want(t, "method", m.Method(), REGISTER)
		want(t, "body", len(m.Body()), 0)
		want(t, "second message left out", strings.Contains(string(m.Bytes()), "INVITE"), false)
	}),
	"semiuri": accept(func(t *testing.T, m *Message) {
		text(t, "user", m.URI().AppendUser(nil), "user;par=u@example.net")
		text(t, "host", m.URI().Host, "example.com")
		want(t, "accept is unfolded", strings.Contains(string(m.Get(HAccept)), "\n"), false)
		want(t, "token", m.HasToken(HAccept, "message/sipfrag"), true)
	}),
	"transports": accept(func(t *testing.T, m *Message) { want(t, "vias", m.ViaCount(), 5) }),
	"mpart01":    accept(func(t *testing.T, m *Message) { want(t, "body", len(m.Body()), 553) }),
	"unreason": accept(func(t *testing.T, m *Message) {
		want(t, "status", m.Status(), 200)
		want(t, "phrase", strings.HasPrefix(string(m.Phrase()), "= 2**3 * 5**2 но сто"), true)
	}),
	"noreason": accept(func(t *testing.T, m *Message) {
		want(t, "status", m.Status(), 100)
		text(t, "phrase", m.Phrase(), "")
	}),

	// 3.1.2 invalid messages
	"badinv01": accept(func(t *testing.T, m *Message) {
		want(t, "vias", m.ViaCount(), 1)
		for a := range m.Addrs(HContact) {
			text(t, "contact", a.URI, "sip:joe@example.org")
		}
	}),
	"clerr":    answer(400, "body shorter than Content-Length"),
	"ncl":      answer(400, "malformed Content-Length"),
	"scalar02": answer(400, "malformed CSeq"),
	"scalarlg": accept(nil), // a response: its branch says where it belongs
	"quotbal":  accept(func(t *testing.T, m *Message) { text(t, "name", m.To().AppendDisplay(nil), "Mr. J. User") }),
	"ltgtruri": answer(400, "malformed Request-URI"),
	"lwsruri":  answer(400, "malformed Request-URI"),
	"lwsstart": answer(400, "malformed Request-URI"),
	"trws":     answer(400, "malformed Request-URI"),
	"escruri":  answer(400, "malformed Request-URI"),
	"baddate":  accept(nil), // we have no use for Date
	"regbadct": accept(func(t *testing.T, m *Message) {
		for a := range m.Addrs(HContact) {
			text(t, "without its headers", a.URI, "sip:user@example.com")
		}
	}),
	"badaspec":   accept(func(t *testing.T, m *Message) { text(t, "to", m.To().URI, "sip:t.watson@example.org") }),
	"baddn":      accept(func(t *testing.T, m *Message) { text(t, "name", m.From().AppendDisplay(nil), "Bell, Alexander") }),
	"badvers":    answer(505, "SIP version not supported"),
	"mismatch01": answer(400, "CSeq method is not the request's"),
	"mismatch02": answer(400, "CSeq method is not the request's"),
	"bigcode":    drop("malformed status line"),

	// 3.2 transaction layer
	"badbranch": accept(func(t *testing.T, m *Message) { text(t, "branch", m.Via().Branch, Magic) }),

	// 3.3 application layer
	"insuf":   answer(400, "missing Call-ID"),
	"unkscm":  answer(416, "URI scheme not supported"),
	"novelsc": answer(416, "URI scheme not supported"),
	"unksm2":  accept(func(t *testing.T, m *Message) { text(t, "to", m.To().URI, "isbn:2983792873") }),
	"bext01": accept(func(t *testing.T, m *Message) {
		want(t, "require", m.HasToken(HRequire, "nothingSupportsThisEither"), true)
	}),
	"invut": accept(func(t *testing.T, m *Message) { text(t, "type", m.Get(HContentType), "application/unknownformat") }),
	"regaut01": accept(func(t *testing.T, m *Message) {
		want(t, "digest", m.Credentials(HAuthorization, "", new(Credentials)), false)
	}),
	"multi01": answer(400, "more than one CSeq"),
	"mcl01":   answer(400, "more than one Content-Length"),
	"bcast":   accept(func(t *testing.T, m *Message) { want(t, "vias", m.ViaCount(), 2) }), // the client drops it for that
	"zeromf":  accept(func(t *testing.T, m *Message) { want(t, "max-forwards", m.MaxForwards(), 0) }),
	"cparam01": accept(func(t *testing.T, m *Message) {
		for a := range m.Addrs(HContact) {
			text(t, "header params", a.Params, ";unknownparam")
			text(t, "uri", a.URI, "sip:+19725552222@gw1.example.net")
		}
	}),
	"cparam02": accept(func(t *testing.T, m *Message) {
		for a := range m.Addrs(HContact) {
			u, _ := a.ParseURI()
			text(t, "uri params", u.Params, ";unknownparam")
			text(t, "header params", a.Params, "")
		}
	}),
	"regescrt": accept(func(t *testing.T, m *Message) {
		for a := range m.Addrs(HContact) {
			u, _ := a.ParseURI()
			text(t, "headers", u.Headers, "Route=%3Csip:sip.example.com%3E")
		}
	}),
	"sdp01": accept(nil),

	// 3.4 backward compatibility
	"inv2543": accept(func(t *testing.T, m *Message) {
		want(t, "max-forwards", m.MaxForwards(), -1)
		want(t, "tag", m.From().Tag() == nil, true)
		want(t, "body without length", len(m.Body()) > 0, true)
	}),

	"test": drop("malformed request line"), // not of the RFC: a start line without a version
}

func TestRFC4475(t *testing.T) {
	files := tortureFiles(t)
	for name, raw := range files {
		t.Run(name, func(t *testing.T) {
			exp, known := torture[name]
			if !known {
				t.Fatal("no verdict in the table")
			}
			var m Message
			f := Parse(&m, raw)
			if exp.fault != "" {
				if f == nil {
					t.Fatalf("accepted, want %d %s", exp.status, exp.fault)
				}
				want(t, "why", f.Why, exp.fault)
				want(t, "status", f.Status, exp.status)
				return
			}
			if f != nil {
				t.Fatalf("refused: %d %s", f.Status, f.Why)
			}
			if exp.check != nil {
				exp.check(t, &m)
			}
		})
	}
	for name := range torture {
		if files[name] == nil {
			t.Errorf("%s: in the table, not in the set", name)
		}
	}
}
