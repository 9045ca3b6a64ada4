package sip

import (
	"bytes"
	"slices"
	"strings"
)

// The session in force on a leg is the last one that was both offered and accepted, whichever side made the offer and with
// whatever request (RFC 3264, RFC 6337). Each leg keeps what its peer was sent of it: refreshes repeat that, and nothing that was
// refused or is not answered yet.

// offers says that a request of ours holds a session description.
func (c *client) offers() bool { return !c.said.empty() }

// agreed takes the 2xx to a change that was passed on. What answers an offer puts the session in force on both legs; what is itself
// an offer waits for the answer in the ACK.
func (t *server) agreed(c *client, said content) {
	switch {
	case said.empty(): // no answer: nothing has changed
	case c.offers():
		c.leg.session, t.leg.session = c.said, said.kept()
	default:
		t.said = said.kept()
	}
}

// agreedInAck takes the answer in the ACK of a 2xx that made the offer.
func (t *server) agreedInAck(c *client, answer content) {
	if !answer.empty() {
		c.leg.session, t.leg.session = answer.kept(), t.said
		t.leg.b.remember()
	}
}

// maxRounds bounds how often a change that comes in the answer to a refresh is carried to and fro: some answer differently every time.
const maxRounds = 2

// refreshedWith takes the answer to a refresh of ours. When it is another one than before, the other leg is offered it; what that
// answers comes back here.
func (l *leg) refreshedWith(c *client, answer content) {
	if c.offers() && bytes.Equal(c.said.body, l.owed.body) {
		l.session, l.owed = c.said, content{}
		l.b.remember()
	}
	o := l.b.other(l)
	if answer.empty() || !c.offers() || o == nil {
		return
	}
	l.rounds++
	if !answer.changes(o.session, c.said) || l.rounds > maxRounds {
		l.rounds, o.rounds = 0, 0
		return
	}
	o.owed, o.timer.refreshAt = answer.kept(), l.b.s.now
}

// changes says whether an answer to an offer is another session than the one that its party had described before. Formats that the
// offer leaves out are missing from the answer and no change, nor is the number of a version.
func (c content) changes(before, offer content) bool {
	if len(c.about)+len(before.about) > 0 { // it may be compressed
		return !bytes.Equal(c.body, before.body)
	}
	offered := formatsOf(offer.body)
	return !slices.Equal(essentials(c.body, offered), essentials(before.body, offered))
}

// formatsOf are the formats of each medium of a session description.
func formatsOf(body []byte) (all [][]string) {
	for line := range bytes.Lines(body) {
		if f := strings.Fields(string(line)); bytes.HasPrefix(line, []byte("m=")) && len(f) > 3 {
			all = append(all, f[3:])
		}
	}
	return all
}

// essentials are the lines of a session description by which two are told apart, in an order that is the same for both: without those that
// number or name it, and with those formats only that were offered.
func essentials(body []byte, offered [][]string) []string {
	var all, media []string
	number := -1
	next := func() {
		slices.Sort(media)
		all, media = append(all, media...), nil
	}
	for raw := range bytes.Lines(body) {
		line := strings.TrimSpace(string(raw))
		switch {
		case len(line) < 2 || strings.ContainsRune("vostiuepbzr", rune(line[0])):
		case line[0] == 'm':
			next()
			number++
			all = append(all, "m")
			media = append(media, mediaLine(line, at(offered, number))...)
		case line == "a=sendrecv" || strings.HasPrefix(line, "a=setup:") || strings.HasPrefix(line, "a=maxptime:"):
		case number >= 0 && ofOtherFormat(line, at(offered, number)):
		default:
			media = append(media, line)
		}
	}
	next()
	return all
}

func at(offered [][]string, number int) []string {
	if number < 0 || number >= len(offered) {
		return nil
	}
	return offered[number]
}

// mediaLine is an m= line without the formats that were not offered.
func mediaLine(line string, offered []string) []string {
	f := strings.Fields(line)
	if len(f) < 3 {
		return []string{line}
	}
	out := []string{strings.Join(f[:3], " ")}
	for _, format := range f[3:] {
		if offered == nil || slices.Contains(offered, format) {
			out = append(out, "format "+format)
		}
	}
	return out
}

// ofOtherFormat says that a line describes a format that was not offered.
func ofOtherFormat(line string, offered []string) bool {
	for _, name := range []string{"a=rtpmap:", "a=fmtp:", "a=rtcp-fb:"} {
		if rest, ok := strings.CutPrefix(line, name); ok {
			format, _, _ := strings.Cut(rest, " ")
			return offered != nil && format != "*" && !slices.Contains(offered, format)
		}
	}
	return false
}
