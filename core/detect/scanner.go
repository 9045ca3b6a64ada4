package detect

import "bytes"

// scanners are the marks of tools that look for SIP servers and guess at them: how the User-Agent, the SDP's origin or its
// session name begins, in small letters, and the tool. Only what nobody uses to telephone is here, for the answer is
// silence. Toolkits and phones that attackers also use (VaxSIP, PortSIP, Ozeki, Mizu, Zoiper, eyeBeam, X-Lite, CSipSimple,
// sipsorcery), tools of honest operators (sipsak, SIPp) and words that anybody may use ("PBX", "voip", "Custom SIP Phone",
// a number) are not: what they do tells who they are.
var scanners = byFirst([]scanner{
	{"friendly-scanner", "sipvicious"},
	{"friendly-request", "sipvicious"},
	{"sipvicious", "sipvicious"},
	{"sipv", "sipvicious"},
	{"sundayddr", "sundayddr"},
	{"sundayaddr", "sundayddr"},
	{"sipcli", "sipcli"},
	{"sip-scan", "sip-scan"},
	{"sipscan", "sip-scan"},
	{"pplsip", "sippts"},
	{"sippts", "sippts"},
	{"siparmyknife", "siparmyknife"},
	{"sivus", "SIVuS"},
	{"smap", "smap"},
	{"iwar", "iWar"},
	{"gulp", "Gulp"},
	{"nmap", "Nmap"},
	{"nsauditor", "Nsauditor"},
	{"bluebox-scanner", "Bluebox-ng"},
	{"viproy", "Viproy"},
	{"asterix pbx", "a false Asterisk"},
	{"asterisk pbx 11.11.11", "a false Asterisk"},
	{"fgfdhgfxjfhyjhkj", "a nameless scanner"},
	{"aaaaaaaa", "a nameless scanner"},
	{"a_b_c", "a nameless scanner"},
	{"dr.pes", "a nameless scanner"},
	{"fourcats", "a nameless scanner"},
})

// inNames is what the From or To of a tool says whatever its User-Agent is changed to.
var inNames = []byte("sipvicious")

// scanner is one mark.
type scanner struct{ begins, tool string }

func byFirst(list []scanner) (table [256][]scanner) {
	for _, s := range list {
		table[s.begins[0]] = append(table[s.begins[0]], s)
	}
	return table
}

// Scanner tells a known scanner by its marks, and names it. It takes raw bytes of a packet, each of which may be empty:
// the User-Agent, what From and To say (the display name, the user, or the header's whole value) and the SDP. It allocates
// nothing.
func Scanner(userAgent, from, to, sdp []byte) (name string, ok bool) {
	if name, ok = mark(userAgent); ok {
		return name, true
	}
	if bytes.Contains(from, inNames) || bytes.Contains(to, inNames) {
		return "sipvicious", true
	}
	return sessionMark(sdp)
}

// mark finds a scanner whose mark the text begins with, as a whole word.
func mark(text []byte) (string, bool) {
	for len(text) > 0 && (text[0] == ' ' || text[0] == '\t' || text[0] == '"') {
		text = text[1:]
	}
	if len(text) == 0 {
		return "", false
	}
	for _, s := range scanners[small(text[0])] {
		if hasFold(text, s.begins) && (len(text) == len(s.begins) || !wordByte(text[len(s.begins)])) {
			return s.tool, true
		}
	}
	return "", false
}

// sessionMark looks at the origin and the name of a session, which stand in the first lines of SDP (RFC 4566 5).
func sessionMark(sdp []byte) (string, bool) {
	for range 4 {
		line, rest, more := bytes.Cut(sdp, []byte("\n"))
		if len(line) > 2 && line[1] == '=' && (line[0] == 'o' || line[0] == 's') {
			if name, ok := mark(bytes.TrimRight(line[2:], "\r")); ok {
				return name, true
			}
		}
		if !more {
			break
		}
		sdp = rest
	}
	return "", false
}

func small(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// wordByte continues a word: "sipsakura" is not "sipsak".
func wordByte(c byte) bool { c = small(c); return c >= 'a' && c <= 'z' || c >= 0x80 }

// hasFold says whether text begins with what is given in small letters.
func hasFold(text []byte, begins string) bool {
	if len(text) < len(begins) {
		return false
	}
	for i := range len(begins) {
		if small(text[i]) != begins[i] {
			return false
		}
	}
	return true
}
