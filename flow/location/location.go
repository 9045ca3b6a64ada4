// Package location remembers which phones are registered for a line: bindings in memory, written behind to the store,
// every change a fact in the journal. It must not know SIP syntax or SQL.
package location

import (
	"cmp"
	"errors"
	"hash/maphash"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"ringfence/flow/keep"
	"ringfence/state/store"
)

// Binding is one registered contact.
type Binding struct {
	Contact   string         // URI as registered
	Received  netip.AddrPort // where the phone is; requests go there
	Transport string         // "udp", "tcp", "tls", "wss"
	Flow      uint32         // the connection that it registered on, as the edge numbers them; 0: none in this process
	Listener  netip.AddrPort // ours that it is reached from; zero: any
	Instance  string         // see Contact
	CallID    string
	CSeq      uint32
	UserAgent string
	Expires   time.Time
	Since     time.Time
	Heard     time.Time // when it registered last
}

// Update is one REGISTER that the guard accepted. Strings are copied; they may point into the packet.
type Update struct {
	Contacts  []Contact // none, and not All: a question, which changes nothing
	All       bool      // "Contact: *" with Expires 0 (RFC 3261 10.2.2): all go; Contacts must be empty
	CallID    string
	CSeq      uint32
	Login     uint64 // which of our challenges it answered: a phone that was restarted starts its count again, and answers another challenge
	Received  netip.AddrPort
	Transport string // "udp", "tcp", "tls", "wss"
	Flow      uint32 // see Binding
	Listener  netip.AddrPort
	UserAgent string
	Now       time.Time
}

// Contact is one contact of a REGISTER. An expiry of 0 or less removes it; the edge has bounded it (423, MaxExpires).
type Contact struct {
	URI      string
	Expires  time.Duration
	Instance string // what the phone calls itself (+sip.instance and reg-id, RFC 5626); "" is none
	Direct   bool   // the URI names the address that the REGISTER came from: no address translation
}

// Errors of Update. None of them changes anything.
var (
	ErrStaleCSeq = errors.New("a REGISTER of the same Call-ID with this or a higher CSeq was seen") // RFC 3261 10.3: answer 500
	ErrTooMany   = errors.New("more contacts in one REGISTER than a line may have")
	ErrInvalid   = errors.New("a contact or Call-ID is empty, too long or no clean text, or \"*\" is not alone")
)

// Bounds of what a phone may say.
const (
	maxContact   = 512
	maxCallID    = 256
	maxUserAgent = 128
	maxInstance  = 256
	maxExpires   = 7 * 24 * time.Hour
)

// Options of New.
type Options struct {
	Store       store.Store
	MaxContacts int                      // a line; 0 is 10
	Every       time.Duration            // how often changes are written; 0 is 2 s
	Account     func(line string) string // customer of a line, for the facts; nil leaves it out
	Same        func(a, b string) bool   // says whether two contacts are one URI (RFC 3261 19.1.4); nil compares their texts
	// Connected says whether there is a connection to a phone, by its address, transport and flow. It is called with a lock held; nil: there
	// always is.
	Connected func(at netip.AddrPort, over string, flow uint32) bool
	Log       *slog.Logger // nil is none
}

// shards spreads the locks; a power of two.
const shards = 64

// Location is safe for concurrent use. What it says is right by the bindings' own ends; Run only tidies up and writes.
type Location struct {
	o      Options
	log    *slog.Logger
	seed   maphash.Seed
	begun  time.Time // the zero of all instants in bindings: elapsed time, so that a clock step ends no registration
	count  atomic.Int64
	from   places
	shards [shards]shard

	behind keep.Writer[*work]
}

type shard struct {
	mu    sync.Mutex // owns all below
	lines map[string][]binding
	next  time.Duration // the earliest end of a binding here, or earlier
	unsaved
}

// New makes an empty Location.
func New(o Options) *Location {
	o.MaxContacts = cmp.Or(max(o.MaxContacts, 0), 10)
	o.Every = cmp.Or(max(o.Every, 0), 2*time.Second)
	if o.Same == nil {
		o.Same = func(a, b string) bool { return a == b }
	}
	if o.Connected == nil {
		o.Connected = func(netip.AddrPort, string, uint32) bool { return true }
	}
	l := &Location{o: o, log: cmp.Or(o.Log, slog.New(slog.DiscardHandler)), seed: maphash.MakeSeed(), begun: time.Now(), from: places{seed: maphash.MakeSeed(), count: map[uint64]int32{}}}
	l.behind = keep.Writer[*work]{Batches: l.batches, Save: l.save, Back: l.putBack, Outage: keep.Outage{
		Log: l.log, Level: slog.LevelWarn, Failed: "registrations cannot be written; phones stay registered, a restart would lose the newest",
		Again: "registrations are written again",
	}}
	for i := range l.shards {
		s := &l.shards[i]
		s.lines, s.next = map[string][]binding{}, never
		s.unsaved.init()
	}
	return l
}

// Update applies one REGISTER as a whole or not at all (RFC 3261 10.3) and returns the live bindings, newest first, as
// the 200 lists them. line is kept as it is, so it must not point into a packet. When the line has more bindings than it may, those
// that have been unreachable longest go.
func (l *Location) Update(line string, u Update) ([]Binding, error) {
	if err := u.check(l.o.MaxContacts); err != nil {
		return nil, err
	}
	at := u.Now.Sub(l.begun)
	s := l.shard(line)
	s.mu.Lock()
	defer s.mu.Unlock()
	p := plan{u: &u, at: at, o: &l.o, list: slices.Clone(s.expire(l, line, at))}
	if err := p.run(); err != nil {
		return nil, err
	}
	for _, c := range p.changes {
		s.note(l, line, u.Now, c)
	}
	s.put(l, line, p.list)
	return l.live(p.list, at), nil
}

// Unreachable notes that the phone of a line at an address could not be reached, until it registers again.
func (l *Location) Unreachable(line string, at netip.AddrPort, now time.Time) {
	s := l.shard(line)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.lines[line] {
		if b := &s.lines[line][i]; b.received == at && b.gone == 0 {
			b.gone = max(now.Sub(l.begun), 1)
		}
	}
}

// Lookup returns the live bindings of a line, newest first.
func (l *Location) Lookup(line string, now time.Time) []Binding {
	s := l.shard(line)
	s.mu.Lock()
	defer s.mu.Unlock()
	return l.live(s.lines[line], now.Sub(l.begun))
}

// Elsewhere lists where a line's phones are registered apart from an address.
func (l *Location) Elsewhere(line string, at netip.Addr, now time.Time) (all []netip.Addr) {
	for _, b := range l.Lookup(line, now) {
		if other := b.Received.Addr().Unmap(); other != at.Unmap() {
			all = append(all, other)
		}
	}
	return all
}

// Drop unregisters all phones of a line: it was removed or its password changed.
func (l *Location) Drop(line string) { l.DropBefore(line, time.Now().Add(maxExpires)) }

// DropBefore unregisters the phones of a line that came before an instant: those that came since know the new password.
func (l *Location) DropBefore(line string, t time.Time) {
	at := t.Sub(l.begun)
	s := l.shard(line)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(l, line, time.Now(), change{kind: removed, why: "dropped"}, func(b *binding) bool { return b.since < at })
}

// DropElsewhere unregisters the phones, of one line or ("") of all, whose packets come from where their line may not be
// used: its IP lock was set or narrowed. allowed is asked with a lock held: it must not come back here.
func (l *Location) DropElsewhere(line string, allowed func(line string, at netip.Addr) bool) {
	if line != "" {
		s := l.shard(line)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.dropElsewhere(l, line, allowed)
		return
	}
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		for line := range s.lines {
			s.dropElsewhere(l, line, allowed)
		}
		s.mu.Unlock()
	}
}

// dropElsewhere is DropElsewhere of one line. The caller holds the lock.
func (s *shard) dropElsewhere(l *Location, line string, allowed func(line string, at netip.Addr) bool) {
	outside := func(b *binding) bool { return !allowed(line, b.received.Addr()) }
	s.remove(l, line, time.Now(), change{kind: removed, why: "address-not-allowed"}, outside)
}

// remove takes out the bindings of a line that are gone, and returns the others. The zero instant is that of each one's end. The caller
// holds the lock.
func (s *shard) remove(l *Location, line string, when time.Time, c change, gone func(*binding) bool) []binding {
	list, any := s.lines[line], false
	for i := range list {
		any = any || gone(&list[i])
	}
	if !any {
		return list
	}
	var stay []binding
	for i := range list {
		if !gone(&list[i]) {
			stay = append(stay, list[i])
			continue
		}
		c.now = list[i]
		at := when
		if at.IsZero() {
			at = l.begun.Add(c.now.expires)
		}
		s.note(l, line, at, c)
	}
	s.put(l, line, stay)
	return stay
}

// Len is the number of bindings, those that ended within the last second perhaps included.
func (l *Location) Len() int { return int(l.count.Load()) }

// Transports counts the bindings by transport. It looks at all of them.
func (l *Location) Transports() map[string]int {
	by := map[string]int{}
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		for _, list := range s.lines {
			for j := range list {
				by[list[j].transport.Value()]++
			}
		}
		s.mu.Unlock()
	}
	return by
}

func (l *Location) shard(line string) *shard {
	return &l.shards[maphash.String(l.seed, line)%shards]
}

// put makes list the bindings of a line. The caller holds the lock.
func (s *shard) put(l *Location, line string, list []binding) {
	was := s.lines[line]
	l.count.Add(int64(len(list) - len(was)))
	l.from.moved(was, list)
	if len(list) == 0 {
		delete(s.lines, line)
		return
	}
	for i := range list {
		s.next = min(s.next, list[i].expires)
		if list[i].dirty {
			s.dirty[line] = struct{}{}
		}
	}
	s.lines[line] = list
}

// expire removes the bindings of a line that have ended, and returns the others. The caller holds the lock.
func (s *shard) expire(l *Location, line string, at time.Duration) []binding {
	return s.remove(l, line, time.Time{}, change{kind: expired}, func(b *binding) bool { return b.expires <= at })
}

// live copies out the bindings that have not ended.
func (l *Location) live(list []binding, at time.Duration) []Binding {
	if len(list) == 0 {
		return nil
	}
	out := make([]Binding, 0, len(list))
	for i := len(list) - 1; i >= 0; i-- { // newest are at the end
		if list[i].expires > at {
			out = append(out, list[i].public(l.begun))
		}
	}
	return out
}

// check bounds what came from outside. Text that a database or a log may choke on (control characters, broken UTF-8) is
// refused where it must be kept as it is, and taken out of the User-Agent: one bad phone must not stop all writes.
func (u *Update) check(limit int) error {
	if u.CallID == "" || !clean(u.CallID, maxCallID) || !clean(u.Transport, 8) || u.All && len(u.Contacts) > 0 {
		return ErrInvalid
	}
	if len(u.Contacts) > 2*limit { // old ones out and new ones in
		return ErrTooMany
	}
	for i := range u.Contacts {
		c := &u.Contacts[i]
		if c.URI == "" || !clean(c.URI, maxContact) {
			return ErrInvalid
		}
		if !clean(c.Instance, maxInstance) {
			c.Instance = ""
		}
	}
	if !clean(u.UserAgent, maxUserAgent) {
		u.UserAgent = strings.ToValidUTF8(u.UserAgent[:min(len(u.UserAgent), maxUserAgent)], "?")
		u.UserAgent = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return '?'
			}
			return r
		}, u.UserAgent)
	}
	return nil
}

func clean(s string, limit int) bool {
	return len(s) <= limit && utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}
