package guard

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"ringfence/core/secret"
	"ringfence/state/store"
)

// Bounds of what is told to the journal: an attacker must not be able to fill the disk.
const (
	perMinute  = 60               // facts of one kind; the rest are one row that counts them
	maxWaiting = 8 * perMinute    // facts between two flushes
	failedRows = 20               // rows of login.failed a flush; the rest are one
	failedMost = 10               // sources named in one
	flushEvery = 10 * time.Second // of login.failed; everything else is told within a second
	maxAgent   = 120              // bytes of a User-Agent in a fact
)

// news is what a try brought about, found out under a table's lock and told after it.
type news struct {
	locked          bool
	failures, level int
	round           uint8
	seconds         int64 // of the lock-out
	spray, siege    bool
	former, phone   bool // a stale phone: of a former password; of one wrong password, steadily
	lines, known    int  // of a spray
	sprayFailures   int
	sources, days   int // of a siege
}

func (n *news) lock(e *suspect, l *limits, at int64, failures int) {
	n.locked, n.failures = true, failures
	n.seconds = e.lock(l, at)
	n.level, n.round = int(e.level), e.round
}

// stale and steady are told once an hour.
func (n *news) stale(e *suspect, at int64)  { n.former = e.due(at) }
func (n *news) steady(e *suspect, at int64) { n.phone = e.due(at) }

// due says that nothing was told for an hour, and counts it as told.
func (e *suspect) due(at int64) bool {
	if e.told != 0 && at-e.told < secondsAnHour {
		return false
	}
	e.told = at
	return true
}

// tell acts on news: bans, facts, and what other nodes must hear. No lock is held.
func (g *Guard) tell(t *try, of scope, k key, n news) {
	if n.locked {
		g.lockedOut(t, of, k, n)
	}
	if n.spray {
		g.stats.sprays.Add(1)
		g.fact(t, FactSpray, body{Source: t.from(of, k), Lines: n.lines, Known: n.known, Failures: n.sprayFailures}, of, k)
	}
	if n.siege {
		g.stats.sieges.Add(1)
		g.fact(t, FactSiege, body{Failures: n.failures, Sources: n.sources, Days: n.days, Budget: g.l.strangers}, of, key{})
	}
	if n.former || n.phone {
		g.stalePhone(t, n)
	}
}

func (g *Guard) stalePhone(t *try, n news) {
	b := body{Source: t.from(ofPair, key{}), Agent: clean(t.agent)}
	kind := FactStale
	switch {
	case n.phone:
		b.How = "steady"
	case t.usual:
		b.How, b.ReplacedAt = "former", stamp(t.replaced)
	default:
		kind = FactOld
	}
	g.fact(t, kind, b, ofPair, key{})
}

// lockedOut tells of a lock-out, and shuts the source out altogether where that is due and nobody would suffer.
func (g *Guard) lockedOut(t *try, of scope, k key, n news) {
	g.stats.lockouts[of].Add(1)
	raise(&g.lastLock, t.at)
	raise(&g.lastEnd, t.at+n.seconds)
	g.keeper.soon()
	b := body{
		Source: t.from(of, k), Scope: of.String(), Failures: n.failures, Level: n.level, Usual: of == ofPair && !t.strange(), Agent: clean(t.agent),
		Until: stamp(t.now.Add(time.Duration(n.seconds) * time.Second)),
	}
	switch {
	case of == ofPair && t.strange():
		g.guessedAt(t)
	case of == ofAddress, of == ofNetwork:
		b.Spared = g.shutOut(t, k.prefix(of), of, time.Duration(n.seconds)*time.Second, fmt.Sprintf("%d wrong logins", n.failures))
	}
	g.fact(t, FactLocked, b, of, k)
	g.markLock(t, of, k, n)
}

// from names the source of a try as far as a scope goes.
func (t *try) from(of scope, k key) string {
	switch of {
	case ofAS:
		return fmt.Sprintf("AS%d", k.lo)
	case ofNetwork:
		return k.prefix(of).String()
	}
	return t.addr.Unmap().WithZone("").String()
}

// shutOut bans a source, unless it is spared. Whether a network has spared addresses in it is for the ban to find out.
func (g *Guard) shutOut(t *try, net netip.Prefix, of scope, d time.Duration, why string) (spared bool) {
	if of != ofNetwork && g.around.Spared != nil && g.around.Spared(t.addr) != "" {
		return true
	}
	if g.around.Ban != nil {
		g.stats.bans.Add(1)
		g.around.Ban(net, d, why)
	}
	return false
}

// body of the facts of this package; what does not belong to a kind stays empty.
type body struct {
	User       string     `json:"user,omitempty"`
	Source     string     `json:"source,omitempty"`
	GivenTo    string     `json:"given_to,omitempty"`
	Scope      string     `json:"scope,omitempty"`
	Failures   int        `json:"failures,omitempty"`
	Level      int        `json:"level,omitempty"`
	Until      *time.Time `json:"until,omitempty"`
	Agent      string     `json:"agent,omitempty"`
	Spared     bool       `json:"spared,omitempty"`
	Usual      bool       `json:"usual,omitempty"`
	Guesses    string     `json:"guesses,omitempty"`
	Typist     bool       `json:"typist,omitempty"`
	How        string     `json:"how,omitempty"`
	ReplacedAt *time.Time `json:"replaced_at,omitempty"`
	Lines      int        `json:"lines,omitempty"`
	Known      int        `json:"known,omitempty"`
	Sources    int        `json:"sources,omitempty"`
	Days       int        `json:"days,omitempty"`
	Budget     int        `json:"budget,omitempty"`
	Right      *bool      `json:"right,omitempty"`
	By         string     `json:"by,omitempty"`
	Net        string     `json:"net,omitempty"`
	Country    string     `json:"country,omitempty"`
	Network    string     `json:"network,omitempty"`
	ASN        uint32     `json:"asn,omitempty"`
	Sample     []string   `json:"sample,omitempty"`
	More       int        `json:"more,omitempty"`
	From       *time.Time `json:"from,omitempty"`
	Till       *time.Time `json:"till,omitempty"`
}

func stamp(t time.Time) *time.Time {
	t = t.Round(0).UTC()
	return &t
}

// report gathers facts until the next flush.
type report struct {
	mu      sync.Mutex // owns all below
	waiting []waiting
	lost    map[string]int // by kind, of those that found no room
	failed  failed
	kinds   map[string]*quota
}

// waiting is a fact to be told; the sample is asked for its pair or source when it is.
type waiting struct {
	kind, line string
	at         time.Time
	body       body
	of         scope
	key        key
}

// quota of a kind, by the minute.
type quota struct {
	minute time.Time
	told   int
	more   int
}

// fact queues a fact about a try. key zero: the sample has nothing to say.
func (g *Guard) fact(t *try, kind string, b body, of scope, k key) {
	w := waiting{kind: kind, at: t.now, body: b, of: of, key: k}
	if of == ofPair {
		if w.line = t.line; w.line == "" {
			w.body.User = t.name()
		}
	}
	g.queue(w)
}

func (g *Guard) queue(w waiting) {
	r := &g.report
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) < maxWaiting {
		r.waiting = append(r.waiting, w)
		return
	}
	if r.lost == nil {
		r.lost = map[string]int{}
	}
	r.lost[w.kind]++
}

// flush gives facts to the journal: those that wait, as far as their quotas go, and with sums the failures.
func (g *Guard) flush(now time.Time, sums bool) {
	r := &g.report
	r.mu.Lock()
	list, lost := r.waiting, r.lost
	r.waiting, r.lost = nil, nil
	var f failed
	if sums {
		f, r.failed = r.failed, failed{}
	}
	r.mu.Unlock()
	var facts []store.Fact
	for i := range list {
		if r.allow(list[i].kind, now) {
			g.guesses(&list[i])
			facts = append(facts, g.newFact(&list[i]))
		}
	}
	for kind, n := range lost {
		r.quota(kind, now).more += n
	}
	facts = append(facts, r.sums(now)...)
	facts = append(facts, g.failedFacts(&f, now)...)
	if len(facts) > 0 && g.around.Record != nil {
		g.around.Record(facts...)
	}
}

// allow takes one of a kind's quota. quotas are flush's alone, which one goroutine calls.
func (r *report) allow(kind string, now time.Time) bool {
	q := r.quota(kind, now)
	if q.told < perMinute {
		q.told++
		return true
	}
	q.more++
	return false
}

func (r *report) quota(kind string, now time.Time) *quota {
	if r.kinds == nil {
		r.kinds = map[string]*quota{}
	}
	q := r.kinds[kind]
	if q == nil {
		q = &quota{minute: now}
		r.kinds[kind] = q
	}
	if q.more == 0 && now.Sub(q.minute) >= time.Minute {
		*q = quota{minute: now}
	}
	return q
}

// sums tells how many facts were left out, once their minute is over.
func (r *report) sums(now time.Time) (facts []store.Fact) {
	for kind, q := range r.kinds {
		if q.more == 0 || now.Sub(q.minute) < time.Minute {
			continue
		}
		facts = append(facts, store.Fact{At: now.Round(0).UTC(), Kind: kind, Body: encode(body{More: q.more, From: stamp(q.minute), Till: stamp(now)})})
		*q = quota{minute: now}
	}
	return facts
}

func (g *Guard) newFact(w *waiting) store.Fact {
	if addr, err := netip.ParseAddr(w.body.Source); err == nil && w.body.Net != "" && g.around.Where != nil {
		w.body.Country, w.body.Network, w.body.ASN = g.around.Where(addr)
	}
	f := store.Fact{At: w.at.Round(0).UTC(), Kind: w.kind, Line: w.line, Body: encode(w.body)}
	if g.around.Account != nil && w.line != "" {
		f.Account = g.around.Account(w.line)
	}
	return f
}

func encode(b body) []byte {
	text, _ := json.Marshal(b) // plain texts and numbers: cannot fail
	return text
}

// guesses adds what the sample found out by now.
func (g *Guard) guesses(w *waiting) {
	if w.key == (key{}) {
		return
	}
	p := g.tables[w.of].lock(w.key)
	defer p.unlock()
	s := p.find()
	if s == nil {
		return
	}
	w.body.Guesses = listNames(s.e.lists)
	w.body.Typist = w.of == ofPair && s.e.lists == 0 && s.e.tried >= 3 && !s.e.many
}

func listNames(lists uint8) string {
	var names []string
	for l := range secret.NumGuessLists {
		if lists&(1<<l) != 0 {
			names = append(names, l.String())
		}
	}
	return strings.Join(names, ", ")
}

// clean makes a User-Agent harmless: printable, short.
func clean(text []byte) string {
	text = text[:min(len(text), maxAgent)]
	for len(text) > 0 && !utf8.Valid(text) && len(text) > maxAgent-utf8.UTFMax { // cut inside a character
		text = text[:len(text)-1]
	}
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, string(text))
}
