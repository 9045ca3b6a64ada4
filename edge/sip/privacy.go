package sip

import (
	"bytes"
	"cmp"
	"io"
	"iter"
	"mime"
	"mime/multipart"
	"strings"
	"unicode"
	"unicode/utf8"

	"ringfence/core/phone"
	"ringfence/edge/sip/message"
)

// A caller or callee who withholds the number is not named to the other anywhere: neither in a header (we write all of them ourselves) nor
// in a body that crosses the call. Carriers get a withheld number separately where the trunk says so, and do not pass it on (RFC
// 3325 section 7).

// caller is who calls, as the callee is to see it.
type caller struct {
	display  []byte
	user     string
	withheld bool // as the caller's phone or carrier asks
}

func callerOf(m *message.Message) caller {
	c := caller{withheld: asksPrivacy(m, "calling")}
	if u, ok := m.From().ParseURI(); ok {
		c.user = plainUser(u.AppendUser(nil))
		c.withheld = c.withheld || strings.EqualFold(c.user, "anonymous") || strings.EqualFold(string(u.Host), "anonymous.invalid")
	}
	if d := asUTF8(m.From().AppendDisplay(nil)); len(d) <= 64 && !hidesName(m) && !readsAsNumber(d) {
		c.display = d
	}
	return c
}

// readsAsNumber says that a name holds so many digits that a phone which shows it seems to show a number: one that nobody has checked.
func readsAsNumber(name []byte) bool {
	digits := 0
	for _, r := range string(name) {
		if unicode.IsDigit(r) {
			digits++
		}
	}
	return digits >= leastNumber
}

const leastNumber = 5

// asked is the number that a phone asks to present: by P-Preferred-Identity (RFC 3325 section 9.2), else by From where that is a number, else as exchanges
// write what they would assert. The gate says whether the line may present it. The journal keeps it: evidence needs it most when it is withheld.
func asked(m *message.Message, from string) string {
	if preferred := userIn(m, message.HPPreferredIdentity); preferred != "" {
		return preferred
	}
	if strings.Trim(strings.TrimPrefix(from, "+"), "0123456789") == "" {
		return from
	}
	return cmp.Or(userIn(m, message.HPAssertedIdentity), from)
}

// userIn is the user of the address in a header, as a URI of ours may contain it; "" is none.
func userIn(m *message.Message, id message.HeaderID) string {
	a, _, ok := message.ParseAddr(m.Get(id))
	if !ok {
		return ""
	}
	u, ok := a.ParseURI()
	if !ok {
		return ""
	}
	user := u.AppendUser(nil)
	if len(user) == 0 {
		return ""
	}
	return plainUser(user)
}

// asUTF8 is a name that was sent in Latin-1, as some do, in UTF-8.
func asUTF8(name []byte) []byte {
	if utf8.Valid(name) {
		return name
	}
	out := make([]byte, 0, 2*len(name))
	for _, c := range name {
		out = utf8.AppendRune(out, rune(c))
	}
	return out
}

// withheld says whether the caller's number is withheld from the callee; nothing else decides that. An emergency call always carries
// its number. One from abroad that nobody vouches for is withheld (engine.Subject.Hide). What was dialled with the number (141, 1470) is for this call, and so goes before what the phone says of every call.
func (u *setup) withheld() bool {
	switch {
	case u.plan.Always || u.plan.Show == phone.Present:
		return false
	case u.plan.Hide || u.plan.Show == phone.Withhold:
		return true
	}
	return u.from.withheld
}

// asksPrivacy says whether the sender of a message withholds the identity: by Privacy (RFC 3323 section 4.2, RFC 3325 section 9.3), whose
// values are separated by semicolons and by some with commas, or by the Remote-Party-ID of its party, "calling" or "called". A value that is
// not known counts as withheld: what was shown cannot be taken back.
func asksPrivacy(m *message.Message, party string) bool {
	for v := range m.All(message.HPrivacy) {
		for one := range strings.FieldsFuncSeq(string(v), isPrivacyGap) {
			switch strings.ToLower(one) {
			case "none", "off", "no", "critical", "history": // history: of those who were called before (RFC 7044)
			default:
				return true
			}
		}
	}
	for p := range parties(m) {
		if (p.party == "" || p.party == party) && p.hidesNumber() {
			return true
		}
	}
	return false
}

func isPrivacyGap(r rune) bool { return strings.ContainsRune(";, \t\"<>", r) }

// hidesName says whether a Remote-Party-ID withholds the caller's name only.
func hidesName(m *message.Message) bool {
	for p := range parties(m) {
		if p.party != "called" && p.hides("name") {
			return true
		}
	}
	return false
}

// parties are what a message says of its parties by Remote-Party-ID, or by RPID-Privacy or Anonymity, which drafts before RFC 3323 had.
func parties(m *message.Message) iter.Seq[partyID] {
	return func(yield func(partyID) bool) {
		for v := range m.All(message.HAnonymity) {
			if !yield(partyID{privacy: string(bytes.ToLower(v))}) {
				return
			}
		}
		for _, id := range [...]message.HeaderID{message.HRemotePartyID, message.HRPIDPrivacy} {
			for v := range m.All(id) {
				for p := range remoteParties(v) {
					if !yield(p) {
						return
					}
				}
			}
		}
	}
}

// partyID is what a Remote-Party-ID (draft-ietf-sip-privacy) says of its party.
type partyID struct{ party, privacy string }

// remoteParties are the parties that a header names: several may stand in one, separated by commas. A comma between quotation marks or
// angle brackets separates nothing, nor does one that no address comes after: "privacy=name,uri".
func remoteParties(v []byte) iter.Seq[partyID] {
	return func(yield func(partyID) bool) {
		start, quoted, inside := 0, false, false
		last := bytes.LastIndexByte(v, ':') // looked for once: a stranger may send a header of nothing but commas
		for i, c := range v {
			switch {
			case c == '"':
				quoted = !quoted
			case quoted:
			case c == '<' || c == '>':
				inside = c == '<'
			case c == ',' && !inside && i < last:
				if !yield(remoteParty(v[start:i])) {
					return
				}
				start = i + 1
			}
		}
		yield(remoteParty(v[start:]))
	}
}

// remoteParty reads a party that the parser does not check, and that may hold anything: parameters of the URI and of the header alike. When
// it says two parties, what it withholds is of both.
func remoteParty(v []byte) (p partyID) {
	parties := 0
	var privacy strings.Builder
	for one := range strings.SplitSeq(strings.ToLower(string(v)), ";") {
		name, value, _ := strings.Cut(one, "=")
		switch strings.TrimSpace(name) {
		case "party":
			if p.party = strings.Trim(value, " \t\""); parties > 0 {
				p.party = ""
			}
			parties++
		case "privacy":
			privacy.WriteString("," + value)
		}
	}
	p.privacy = privacy.String()
	return p
}

// hidesNumber says whether the privacy withholds more than the name. A value that is not known does, as of Privacy.
func (p partyID) hidesNumber() bool {
	for one := range strings.FieldsFuncSeq(p.privacy, isPrivacyGap) {
		switch kind, _, _ := strings.Cut(one, "-"); kind {
		case "off", "no", "none", "name":
		default:
			return true
		}
	}
	return false
}

// hides says whether the privacy holds a value, with or without where it applies ("full-network").
func (p partyID) hides(what string) bool {
	for one := range strings.FieldsFuncSeq(p.privacy, isPrivacyGap) {
		if kind, _, _ := strings.Cut(one, "-"); kind == what {
			return true
		}
	}
	return false
}

// hiddenFrom says whether the identity of the other side is withheld from a leg's party.
func (b *bridge) hiddenFrom(l *leg) bool {
	if l != b.a {
		return b.a != nil && b.a.hidden
	}
	for _, o := range b.outs() {
		if o.hidden {
			return true
		}
	}
	return false
}

// shown is a body as a leg's party may see it.
func (l *leg) shown(c content) content {
	if c.empty() || !l.b.hiddenFrom(l) {
		return c
	}
	return c.anonymous()
}

// anonymous is a body without anything that may name its sender. A body that cannot be read is left out.
func (c content) anonymous() content {
	if bytes.Contains(bytes.ToLower(c.about), []byte("content-encoding:")) {
		return content{}
	}
	switch kind, params := c.kind(); {
	case c.ctype == "" || kind == "application/sdp":
		return content{ctype: c.ctype, about: c.about, body: anonymousSDP(c.body)}
	case strings.HasPrefix(kind, "multipart/"):
		if sdp := sdpOf(c.body, params["boundary"]); sdp != nil {
			return content{ctype: "application/sdp", body: anonymousSDP(sdp)}
		}
	case kind == "application/dtmf-relay", kind == "application/dtmf", kind == "application/media_control+xml":
		return c
	}
	return content{}
}

// sdpOf is the session description in a body of several parts, nil if there is none.
func sdpOf(body []byte, boundary string) []byte {
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for range maxParts {
		part, err := r.NextRawPart()
		if err != nil {
			return nil
		}
		if kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type")); kind != "application/sdp" {
			continue
		}
		if text, err := io.ReadAll(part); err == nil {
			return append(bytes.TrimRight(text, "\r\n"), "\r\n"...)
		}
	}
	return nil
}

// maxParts bounds how many parts of a body are looked at.
const maxParts = 16

// anonymousSDP is a session description without what may name people (RFC 8866): the user in o= and the subject in s= become "-", and nothing
// is left but the lines and attributes that the session is made of. It is the same session.
func anonymousSDP(body []byte) []byte {
	out := make([]byte, 0, len(body)+2)
	for line := range bytes.Lines(body) {
		if len(line) < 2 || line[1] != '=' {
			continue
		}
		end := line[len(bytes.TrimRight(line, "\r\n")):]
		switch line[0] {
		case 'o':
			out = append(append(out, anonymousOrigin(line[2:])...), end...)
		case 's':
			out = append(append(out, "s=-"...), end...)
		case 'v', 'c', 'b', 't', 'r', 'z', 'k', 'm':
			out = append(out, line...)
		case 'a':
			if namesNobody(line[2:]) {
				out = append(out, line...)
			}
		}
	}
	return out
}

// anonymousOrigin is an o= line without its user. One that cannot be read is replaced by one without a name.
func anonymousOrigin(v []byte) []byte {
	f := bytes.Fields(v)
	if len(f) < 6 {
		return []byte("o=- 1 1 IN IP4 0.0.0.0")
	}
	return append([]byte("o=- "), bytes.Join(f[len(f)-5:], []byte{' '})...)
}

// sessionAttributes are the attributes that say how media are sent and found: IANA's registry without those that hold words of people,
// such as cname, label, tool, charset and keywords.
var sessionAttributes = func() map[string]bool {
	all := map[string]bool{}
	for _, name := range strings.Fields(`rtpmap fmtp ptime maxptime minptime sendrecv sendonly recvonly inactive rtcp rtcp-mux rtcp-mux-only rtcp-rsize
		rtcp-fb rtcp-xr crypto fingerprint setup connection key-mgmt zrtp-hash tls-id candidate remote-candidates end-of-candidates ice-ufrag ice-pwd
		ice-options ice-lite ice-mismatch ice-pacing mid group bundle-only extmap extmap-allow-mixed curr des conf csup creq acap tcap pcfg acfg rmcap
		mcap lcfg sescap mfcap mscap bcap silencesupp ecan gpmd cdsc cpar cparmin cparmax vsel direction accept-types max-size framerate framesize
		imageattr quality orient content rtpred1 rtpred2 maxprate resources mediclk source-filter sqn pmft omnsetup nortpproxy altc anat
		t38faxversion t38maxbitrate t38faxfillbitremoval t38faxtranscodingmmr t38faxtranscodingjbig t38faxratemanagement t38faxmaxbuffer
		t38faxmaxdatagram t38faxmaxifp t38faxudpec t38faxudpecdepth t38faxudpfec t38vendorinfo t38modemtype udptl xcap modem`) {
		all[name] = true
	}
	return all
}()

func namesNobody(attribute []byte) bool {
	name, _, _ := bytes.Cut(bytes.TrimSpace(attribute), []byte{':'})
	return sessionAttributes[strings.ToLower(string(bytes.TrimSpace(name)))]
}
