package sip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"ringfence/core/call"
	"ringfence/edge/sip/transport"
)

// Bounds of a trace. It ends by itself at the first that it reaches.
const (
	MaxTraces        = 4
	MaxTraceTime     = 10 * time.Minute
	MaxTraceMessages = 5000
	MaxTraceBytes    = 4 << 20
	maxTraced        = 1000 // Call-IDs that one trace follows
	traceQueue       = 256  // messages that wait to be taken; what comes beyond is counted, not waited for
)

// ErrTraces says that the maximum number of traces are running.
var ErrTraces = errors.New("the maximum number of traces are running; wait until one ends")

// TraceWhat says whose messages to trace.
type TraceWhat struct {
	Users   []string // user parts of addresses and logins: a line's name and number
	Call    call.ID
	CallIDs []string // of legs that are known already
	For     time.Duration
	Most    int // messages
}

// Traced is one message as it came in or went out, without secrets.
type Traced struct {
	At    time.Time
	In    bool
	Peer  netip.AddrPort
	Proto string
	Text  string
}

// TraceEnd says why a trace ended, and what it has seen.
type TraceEnd struct {
	Why      string
	Messages int
	Bytes    int
	Missed   int // arrived faster than they were taken
}

// traceTap is a trace in progress.
type traceTap struct {
	users map[string]bool
	call  call.ID
	out   chan Traced

	mu     sync.Mutex // owns all below
	ids    map[string]bool
	hashes map[uint32]bool // of Call-IDs: those of the other leg carry it
	missed int
}

// Trace hands over the messages of a line or a call, as they come, until a bound is reached, yield fails, or ctx ends.
func (e *Edge) Trace(ctx context.Context, w TraceWhat, yield func(Traced) error) (end TraceEnd, err error) {
	t := &traceTap{users: map[string]bool{}, call: w.Call, out: make(chan Traced, traceQueue), ids: map[string]bool{}, hashes: map[uint32]bool{}}
	for _, u := range w.Users {
		t.users[strings.ToLower(u)] = true
	}
	for _, id := range w.CallIDs {
		t.follow([]byte(id))
	}
	if !e.addTap(t) {
		return end, ErrTraces
	}
	defer e.dropTap(t)
	most := min(max(w.Most, 1), MaxTraceMessages)
	over := time.NewTimer(min(max(w.For, time.Second), MaxTraceTime))
	defer over.Stop()
	defer func() { end.Missed = t.lost() }()
	for {
		select {
		case <-ctx.Done():
			end.Why = "the user ended it"
			return end, nil
		case <-over.C:
			end.Why = "its time is over"
			return end, nil
		case <-e.ctx.Done():
			end.Why = "the server is stopping"
			return end, nil
		case m := <-t.out:
			if err := yield(m); err != nil {
				end.Why = "the client disconnected"
				return end, err
			}
			end.Messages, end.Bytes = end.Messages+1, end.Bytes+len(m.Text)
			if end.Messages >= most || end.Bytes >= MaxTraceBytes {
				end.Why = fmt.Sprintf("it has shown %d messages, %d bytes", end.Messages, end.Bytes)
				if end.Messages == 1 {
					end.Why = fmt.Sprintf("it has shown 1 message, %d bytes", end.Bytes)
				}
				return end, nil
			}
		}
	}
}

// addTap adds a trace, unless the maximum number are running.
func (e *Edge) addTap(t *traceTap) bool {
	e.tapping.Lock()
	defer e.tapping.Unlock()
	all := append(slices.Clone(*e.taps.Load()), t)
	if len(all) > MaxTraces {
		return false
	}
	e.taps.Store(&all)
	return true
}

func (e *Edge) dropTap(t *traceTap) {
	e.tapping.Lock()
	defer e.tapping.Unlock()
	all := without(slices.Clone(*e.taps.Load()), t)
	e.taps.Store(&all)
}

// traced shows a message to the traces in progress; usually there are none.
func (e *Edge) traced(in bool, peer netip.AddrPort, proto transport.Proto, b []byte) {
	for _, t := range *e.taps.Load() {
		if !t.wants(b) {
			continue
		}
		select {
		case t.out <- Traced{At: time.Now(), In: in, Peer: peer, Proto: proto.Small(), Text: withoutSecrets(b)}:
		default:
			t.mu.Lock()
			t.missed++
			t.mu.Unlock()
		}
	}
}

func (t *traceTap) lost() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.missed
}

// follow adds a Call-ID to the trace, and with it that of the other leg.
func (t *traceTap) follow(id []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.ids) < maxTraced {
		t.ids[string(id)] = true
		t.hashes[hashCallID(id)] = true
	}
}

// wants says whether a message belongs to the trace, and if so follows its Call-ID.
func (t *traceTap) wants(b []byte) bool {
	var id []byte
	found := false
	for line := range headerLines(b) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch strings.ToLower(string(bytes.TrimSpace(name))) {
		case "call-id", "i":
			id = bytes.TrimSpace(value)
		case "from", "f", "to", "t", "p-asserted-identity", "authorization", "proxy-authorization":
			found = found || t.names(value)
		}
	}
	if len(id) == 0 {
		return false
	}
	first, _, _ := bytes.Cut(b, []byte("\n"))
	if bytes.HasPrefix(first, []byte("INVITE ")) && t.names(first) {
		found = true
	}
	t.mu.Lock()
	known := t.ids[string(id)] || t.hashes[hashCallID(id)]
	t.mu.Unlock()
	if found || t.call != "" && callOf(id) == t.call {
		t.follow(id)
		return true
	}
	return known
}

var userParts = regexp.MustCompile(`(?i)(?:sips?:|tel:|username\s*=\s*")([^@>;:"\s]+)`)

// names says that a header or request line names one of the users.
func (t *traceTap) names(text []byte) bool {
	if len(t.users) == 0 {
		return false
	}
	for _, m := range userParts.FindAllSubmatch(text, 8) {
		if t.users[strings.ToLower(string(m[1]))] {
			return true
		}
	}
	return false
}

// headerLines are the lines of a message up to its body, without their ends.
func headerLines(b []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for line := range bytes.Lines(b) {
			line = bytes.TrimRight(line, "\r\n")
			if len(line) == 0 || !yield(line) {
				return
			}
		}
	}
}

const removed = "(removed)"

// secretHeaders are those whose value is, or helps to make, a login.
var secretHeaders = []string{"authorization", "proxy-authorization", "authentication-info", "proxy-authentication-info", "www-authenticate", "proxy-authenticate", "identity"}

var (
	inURI      = regexp.MustCompile(`(?i)(sips?:[^@\s:;<>"]*):[^@\s<>"]*@`)
	secretSDP  = regexp.MustCompile(`(?i)^(a=crypto|a=key-mgmt|a=ice-pwd|a=ice-ufrag|a=fingerprint|a=candidate|k)[:=]`)
	secretArgs = regexp.MustCompile(`(?i)(password|passwd|pwd|token|secret|auth)=[^;&?>\s"]+`)
)

// withoutSecrets is a message to show: without credentials, without passwords in URIs and keys of media, and of bodies only SDP, because
// others may contain the digits that people press.
func withoutSecrets(b []byte) string {
	head, body, _ := bytes.Cut(b, []byte("\r\n\r\n"))
	var out strings.Builder
	hide, sdp := false, false
	for line := range bytes.Lines(head) {
		text := strings.ToValidUTF8(strings.TrimRight(string(line), "\r\n"), "?")
		if text != "" && (text[0] == ' ' || text[0] == '\t') { // goes on
			if !hide {
				out.WriteString(plainLine(text))
			}
			continue
		}
		name, value, ok := strings.Cut(text, ":")
		lower := strings.ToLower(strings.TrimSpace(name))
		if hide = ok && slices.Contains(secretHeaders, lower); hide {
			out.WriteString(name + ": " + removed + "\n")
			continue
		}
		if lower == "content-type" || lower == "c" {
			sdp = strings.HasPrefix(strings.ToLower(strings.TrimSpace(value)), "application/sdp")
		}
		out.WriteString(plainLine(text))
	}
	switch {
	case len(body) == 0:
	case !sdp:
		fmt.Fprintf(&out, "\n(a body of %d bytes is left out)\n", len(body))
	default:
		out.WriteString("\n" + plainSDP(body))
	}
	return out.String()
}

func plainLine(text string) string {
	return secretArgs.ReplaceAllString(inURI.ReplaceAllString(text, "${1}:"+removed+"@"), "${1}="+removed) + "\n"
}

func plainSDP(body []byte) string {
	var out strings.Builder
	for line := range bytes.Lines(body) {
		text := strings.ToValidUTF8(strings.TrimRight(string(line), "\r\n"), "?")
		if m := secretSDP.FindString(text); m != "" {
			text = m + removed
		}
		out.WriteString(plainLine(text))
	}
	return out.String()
}
