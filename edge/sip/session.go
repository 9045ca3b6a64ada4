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

// maxRounds bounds how often a change in the answer to a refresh is carried to the other side: some peers answer differently every time.
const maxRounds = 2

// refreshedWith takes the answer to a refresh of ours. When it differs from the previous one, the other leg is offered it, and its answer is
// offered to this one.
func (l *leg) refreshedWith(c *client, answer content) {
	if c.offers() && bytes.Equal(c.said.body, l.owed.body) {
		l.session, l.owed = c.said, content{}
		l.b.endQuestion() // from now on the caller talks to the callee
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

// changes says whether an answer to an offer describes another session than its party did before. Formats that the
// offer leaves out are missing from the answer and no change, nor are the number of a version and what an answer need not repeat.
func (c content) changes(before, offer content) bool {
	if len(c.about)+len(before.about) > 0 { // it may be compressed
		return !bytes.Equal(c.body, before.body)
	}
	now, was, offered := describe(c.body), describe(before.body), describe(offer.body)
	if len(now.media) != len(was.media) {
		return true
	}
	for i := range now.media {
		var formats []string
		if i < len(offered.media) {
			formats = offered.media[i].formats
		}
		if !now.media[i].same(&was.media[i], formats) {
			return true
		}
	}
	for _, line := range now.attributes {
		if !slices.Contains(was.attributes, line) {
			return true
		}
	}
	return false
}

// description is what distinguishes one session description from another.
type description struct {
	media      []medium
	attributes []string // of keys, candidates and so on
}

// medium is one m= section: what it is and where, as far as the description says.
type medium struct {
	what, port, address, direction string
	formats                        []string
}

// same compares two, with those formats only that were offered; nil: all.
func (m *medium) same(o *medium, offered []string) bool {
	within := func(all []string) []string {
		all = slices.DeleteFunc(slices.Clone(all), func(f string) bool { return offered != nil && !slices.Contains(offered, f) })
		slices.Sort(all)
		return all
	}
	return m.what == o.what && m.port == o.port && (m.address == o.address || m.port == "0") && m.direction == o.direction &&
		slices.Equal(within(m.formats), within(o.formats))
}

func describe(body []byte) (d description) {
	address, direction := "", "sendrecv" // of all media that do not say otherwise
	for raw := range bytes.Lines(body) {
		line := strings.TrimSpace(string(raw))
		if len(line) < 2 || line[1] != '=' {
			continue
		}
		if line[0] == 'm' {
			d.media = append(d.media, medium{address: address, direction: direction}.read(line[2:]))
			continue
		}
		at, to := &address, &direction
		if n := len(d.media); n > 0 {
			at, to = &d.media[n-1].address, &d.media[n-1].direction
		}
		switch name, _, _ := strings.Cut(line[2:], ":"); {
		case line[0] == 'c':
			*at = line[2:]
		case line[0] != 'a':
		case name == "sendrecv", name == "sendonly", name == "recvonly", name == "inactive":
			*to = name
		case slices.Contains(telling, name):
			d.attributes = append(d.attributes, line)
		}
	}
	return d
}

// telling are the attributes that make another session when their value is a new one.
var telling = []string{"crypto", "fingerprint", "ice-ufrag", "ice-pwd", "candidate", "key-mgmt", "ptime", "rtpmap"}

func (m medium) read(line string) medium {
	f := strings.Fields(line)
	if len(f) < 3 {
		m.what = line
		return m
	}
	m.what, m.port, m.formats = f[0]+" "+f[2], f[1], f[3:]
	return m
}
