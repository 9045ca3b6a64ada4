package web

import (
	"net/netip"
	"sync"
	"time"
)

// How many requests one address may make: a person reads a few pages; anyone who tries tokens is soon slowed down. A link with a token of ours
// is counted separately, so that it works whatever else comes from the same address; and so is each session, whose pages are read again as calls
// come and go, and which staff work by keyboard.
const (
	burst     = 120.0                 // requests in a burst: an office may share an address
	perSecond = 0.5                   // after that
	wrongCost = 24.0                  // of a token that is not ours, beside the request
	maxRates  = 4096                  // addresses, links and sessions remembered, some 500 KB
	forgotten = 2 * 120 * time.Second // after which a bucket is full again

	sessionTimes = 10.0             // as much of both for a session
	sessionKnown = 10 * time.Minute // after it was last found to be genuine
)

// rate limits requests by asker with leaky buckets. It holds at most maxRates; when more ask, those that have been quiet
// go first, then any.
type rate struct {
	now func() time.Time

	mu       sync.Mutex
	seen     map[asker]bucket     // guarded by mu
	sessions map[uint64]time.Time // when a session was last found genuine, by the hash of its text; guarded by mu
}

// asker is an address (IPv6: /64); or one that uses a link of ours; or a session.
type asker struct {
	net     netip.Prefix
	link    uint64 // hash of the link's token, or of what the session's count is for; 0 is none
	session bool
}

// share is how much of an address's burst and pace an asker has.
func (a asker) share() float64 {
	if a.session {
		return sessionTimes
	}
	return 1
}

type bucket struct {
	level float64 // requests not yet forgotten
	at    time.Time
}

func newRate(now func() time.Time) *rate {
	return &rate{now: now, seen: map[asker]bucket{}, sessions: map[uint64]time.Time{}}
}

// take says whether a request is allowed, and counts it.
func (r *rate) take(a asker) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.drained(a)
	if b.level+1 > burst*a.share() {
		return false
	}
	b.level++
	r.put(a, b)
	return true
}

// wrong counts a token that is not ours. The level may pass the burst: the asker then waits longer.
func (r *rate) wrong(a asker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.drained(a)
	b.level = min(b.level+wrongCost, 2*burst)
	r.put(a, b)
}

func (r *rate) drained(a asker) bucket {
	now := r.now()
	b := r.seen[a]
	if !b.at.IsZero() {
		b.level = max(0, b.level-perSecond*a.share()*max(0, now.Sub(b.at).Seconds()))
	}
	b.at = now
	return b
}

// genuine notes that a session is one of ours.
func (r *rate) genuine(session uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if _, there := r.sessions[session]; !there && len(r.sessions) >= maxRates {
		for k, at := range r.sessions {
			if now.Sub(at) > sessionKnown || len(r.sessions) > maxRates*3/4 {
				delete(r.sessions, k)
			}
		}
	}
	r.sessions[session] = now
}

// isGenuine says that a session was found to be one of ours not long ago. Nothing is read for it: a flood of invented ones costs nothing.
func (r *rate) isGenuine(session uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.sessions[session]
	return ok && r.now().Sub(at) <= sessionKnown
}

func (r *rate) put(key asker, b bucket) {
	if _, there := r.seen[key]; !there && len(r.seen) >= maxRates {
		r.shrink(b.at)
	}
	r.seen[key] = b
}

// shrink makes room for a quarter of the table, so that a flood of addresses pays for one look through it in a thousand.
func (r *rate) shrink(now time.Time) {
	for key, b := range r.seen {
		if now.Sub(b.at) > forgotten {
			delete(r.seen, key)
		}
	}
	for key := range r.seen { // in no order
		if len(r.seen) <= maxRates*3/4 {
			return
		}
		delete(r.seen, key)
	}
}
