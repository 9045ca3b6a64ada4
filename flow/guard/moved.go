package guard

import (
	"net/netip"
	"sync/atomic"
	"time"

	"ringfence/core/fact"
	"ringfence/flow/auth"
)

// A phone that changes its address answers once with its previous nonce, hears that it is stale, and logs in from where
// it is now. Who only overheard or relays an answer does the first and not the second. So a right answer to a nonce given
// to another address is remembered for a while, and written to the journal when no login from there follows.
const (
	movedFor = 30 // seconds
	maxMoved = 1 << 12
	movedMax = 60 // bytes of a User-Agent kept; more would make the table larger than it is worth
)

// moved remembers such answers, one a line, the first. At most maxMoved right ones, 1 MB; only who knows a password gets
// in. Wrong ones are put into a table of their own that nobody reads, so that both take the same time.
type moved struct {
	tables [2]*table[movedLogin] // wrong, right
	live   [2]atomic.Int64       // about how many are in each
}

type movedLogin struct {
	line     string
	addr, to netip.Addr
	src      source
	at       int64
	now      time.Time
	agent    [movedMax]byte
	agentLen int
}

func (m *moved) init() {
	m.tables = [2]*table[movedLogin]{newTable[movedLogin](tableShards * ways), newTable[movedLogin](maxMoved)}
}

// note remembers an answer.
func (m *moved) note(right bool, line *Line, c *auth.Credentials, src, to netip.Addr, hash uint64, at int64, now time.Time) {
	i := 0
	if right {
		i = 1
	}
	p := m.tables[i].lock(key{user: hash})
	defer p.unlock()
	if s := p.find(); s != nil && s.keep > at {
		return
	}
	s := p.make(at)
	s.keep = at + 2*movedFor
	s.e = movedLogin{line: line.ID, addr: src, to: to, src: newSource(src), at: at, now: now}
	s.e.agentLen = copy(s.e.agent[:], c.Agent)
	m.live[i].Add(1)
}

// settle forgets an answer for a line, because a login followed from its network. Not from its very address: carriers'
// NATs spread one phone over several.
func (m *moved) settle(hash uint64, src source) {
	if m.live[1].Load() <= 0 {
		return
	}
	p := m.tables[1].lock(key{user: hash})
	defer p.unlock()
	if s := p.find(); s != nil && s.e.src.net == src.net {
		s.keep = 0
		m.live[1].Add(-1)
	}
}

// due takes out the answers that no login followed within the time.
func (m *moved) due(at int64) (out []movedLogin) {
	for i, t := range m.tables {
		if m.live[i].Load() <= 0 {
			continue
		}
		t.each(func(s *slot[movedLogin]) {
			if at-s.e.at < movedFor {
				return
			}
			if i == 1 {
				out = append(out, s.e)
			}
			s.keep = 0
			m.live[i].Add(-1)
		})
	}
	return out
}

// tellMoved makes facts of them.
func (g *Guard) tellMoved(at int64) {
	for _, l := range g.moved.due(at) {
		g.stats.moved.Add(1)
		g.queue(waiting{line: l.line, at: l.now, body: &fact.LoginMovedNonce{
			Source: fact.FromAddr(l.addr.Unmap().WithZone("")), Given: fact.FromAddr(l.to), Agent: clean(l.agent[:l.agentLen]),
		}})
	}
}
