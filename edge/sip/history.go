package sip

import (
	"cmp"
	"errors"
	"net/url"
	"strconv"
	"strings"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/edge/sip/message"
)

// What other switches learn about who has sent a call on, and what they say about it: Diversion (RFC 5806) and History-Info (RFC 7044).

// maxTrail bounds the bytes of those headers that cross a call.
const maxTrail = 2048

// trailOf reads the trail of a call that comes in. Anyone may write these headers: they can make a call only shorter.
func trailOf(m *message.Message, carrier bool) (t trail) {
	diverted, entries := 0, 0
	for a := range m.Addrs(message.HDiversion) {
		n := 1
		if text, ok := a.Param("counter"); ok {
			if c, err := strconv.Atoi(string(text)); err == nil || errors.Is(err, strconv.ErrRange) { // then it is the greatest, or the least
				n = min(max(c, 1), mostTurns)
			}
		}
		diverted = min(diverted+n, mostTurns)
	}
	for a := range m.Addrs(message.HHistoryInfo) {
		entries++
		if text, ok := a.Param("index"); ok && len(text) <= 32 && strings.Trim(string(text), "0123456789.") == "" {
			t.index = string(text)
		}
	}
	t.turns = min(max(diverted, entries-1, 0), mostTurns)
	if carrier && (diverted > 0 || entries > 0) {
		if lines := appendHeaders(nil, m, message.HDiversion, message.HHistoryInfo); len(lines) <= maxTrail {
			t.before, t.private = lines, trailPrivate(m)
		}
	}
	return t
}

// trailPrivate says that one of those who have sent the call on withholds the number: by the privacy of a Diversion (RFC 5806 section 5), or by
// Privacy in the URI of a History-Info or in the message (RFC 7044 section 10.1.2). What is not understood withholds.
func trailPrivate(m *message.Message) bool {
	for a := range m.Addrs(message.HDiversion) {
		if text, ok := a.Param("privacy"); ok && (partyID{privacy: strings.ToLower(string(text))}).hidesNumber() {
			return true
		}
	}
	for a := range m.Addrs(message.HHistoryInfo) {
		_, headers, _ := strings.Cut(strings.ToLower(string(a.URI)), "?")
		for pair := range strings.SplitSeq(headers, "&") {
			name, value, _ := strings.Cut(pair, "=")
			if plain, err := url.PathUnescape(name); err != nil || strings.TrimSpace(plain) == "privacy" && value != "none" {
				return true
			}
		}
	}
	for v := range m.All(message.HPrivacy) {
		for one := range strings.FieldsFuncSeq(string(v), isPrivacyGap) {
			if strings.EqualFold(one, "history") {
				return true
			}
		}
	}
	return false
}

// mayReadTrail says whether a leg's party may read what a carrier said of those who sent the call on before it came here. Where one of them withholds
// the number, only a carrier may that gets withheld numbers.
func (b *bridge) mayReadTrail(l *leg) bool {
	switch {
	case b.a.hidden: // it may name the caller
		return false
	case !b.trail.private:
		return true
	case l.trunk == "":
		return false
	}
	return b.s.e.trunk(l.trunk).Withheld != account.WithheldRemoved
}

// mostTurns is the greatest number of turns that is counted: far more than a call may have.
const mostTurns = 100

// said are the words of both headers for a cause: RFC 5806 section 6, RFC 4458 section 2.
var said = map[call.Cause]struct{ reason, cause string }{
	call.ForwardAlways: {"unconditional", "302"}, call.ForwardBusy: {"user-busy", "486"}, call.ForwardNoAnswer: {"no-answer", "408"},
	call.ForwardUnreachable: {"unavailable", "503"}, call.Redirected: {"deflection", "480"},
}

// trailLines are the header lines for a leg: what came with the call, and who has sent it on here.
func (b *bridge) trailLines(l *leg, lines []byte) []byte {
	t := &b.trail
	if len(t.turned) == 0 && len(t.before) == 0 {
		return lines
	}
	here, _ := b.s.e.localAddr(l.dest)
	at, reads := "@"+message.HostText(here.Addr()), b.mayReadTrail(l)
	var w message.Writer
	w.Begin(lines)
	for i := len(t.turned) - 1; i >= 0; i-- { // the latest first (RFC 5806 section 5)
		x := &t.turned[i]
		if word, known := said[x.cause]; known && x.number != "" {
			counter := 1
			if i == 0 && !reads { // what is kept back still counts: otherwise a loop of a caller who withholds the number would begin anew each time
				counter += t.turns - len(t.turned)
			}
			w.AddString(message.HDiversion, "<sip:"+x.number+at+">;reason="+word.reason+";counter="+strconv.Itoa(counter))
		} else if number := b.setup.plan.Network; x.cause == call.Transferred && number != "" && !b.a.hidden && i == len(t.turned)-1 {
			w.AddString(message.HReferredBy, "<sip:+"+number+at+">")
		}
	}
	index := ""
	if reads {
		w.Lines(t.before)
		index = t.index
	}
	for i := range t.turned {
		x := &t.turned[i]
		word, known := said[x.cause]
		if !known || x.number == "" {
			continue
		}
		if index == "" {
			index = "1"
			w.AddString(message.HHistoryInfo, "<sip:"+x.number+at+">;index=1")
		}
		to := b.setup.plan.Number
		if i+1 < len(t.turned) {
			to = cmp.Or(t.turned[i+1].number, to)
		}
		w.AddString(message.HHistoryInfo, "<sip:"+to+at+";cause="+word.cause+">;index="+index+".1;mp="+index)
		index += ".1"
	}
	return w.Bytes()
}
