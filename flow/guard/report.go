package guard

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"ringfence/core/fact"
	"ringfence/core/secret"
	"ringfence/flow/journal"
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
	locked             bool
	failures, level    int
	round              uint8
	seconds            int64 // of the lock-out
	spray, distributed bool
	former, phone      bool // a stale phone: of a former password; of one wrong password, steadily
	lines, known       int  // of a spray
	sprayFailures      int
	sources, days      int // of distributed guessing
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
func (g *Guard) tell(t *try, scope scope, k key, n news) {
	if n.locked {
		g.lockedOut(t, scope, k, n)
	}
	if n.spray {
		g.stats.sprays.Add(1)
		g.fact(t, &fact.LoginSpray{Source: t.from(scope, k), User: t.unknown(scope), Lines: int64(n.lines), Known: int64(n.known), Failures: int64(n.sprayFailures)}, scope, k)
	}
	if n.distributed {
		g.stats.targets.Add(1)
		g.fact(t, &fact.LoginSiege{
			User: t.unknown(scope), Failures: int64(n.failures), Sources: int64(n.sources), Days: int64(n.days), Budget: int64(g.l.strangers),
		}, scope, key{})
	}
	if n.former || n.phone {
		g.stalePhone(t, n)
	}
}

func (g *Guard) stalePhone(t *try, n news) {
	b := fact.LoginStale{Source: t.from(ofPair, key{}), User: t.unknown(ofPair), Agent: clean(t.agent)}
	switch {
	case n.phone:
		b.How = "steady"
	case t.usual:
		b.How, b.ReplacedAt = "former", stamp(t.replaced)
	default:
		g.fact(t, &fact.LoginOld{Source: b.Source, User: b.User, Agent: b.Agent}, ofPair, key{})
		return
	}
	g.fact(t, &b, ofPair, key{})
}

// lockedOut tells of a lock-out, and bans the source where that is due and nobody would suffer.
func (g *Guard) lockedOut(t *try, scope scope, k key, n news) {
	g.stats.lockouts[scope].Add(1)
	raise(&g.lastLock, t.at)
	raise(&g.lastEnd, t.at+n.seconds)
	g.keeper.soon()
	b := fact.LoginLocked{
		User: t.unknown(scope), Source: t.from(scope, k), Scope: scope.String(), Failures: int64(n.failures), Level: int64(n.level),
		Usual: scope == ofPair && !t.strange(), Agent: clean(t.agent),
		Until: stamp(t.now.Add(time.Duration(n.seconds) * time.Second)),
	}
	switch {
	case scope == ofPair && t.strange():
		g.guessedAt(t)
	case scope == ofAddress, scope == ofNetwork:
		b.Spared = g.shutOut(t, k.prefix(scope), scope, time.Duration(n.seconds)*time.Second, fmt.Sprintf("%d wrong logins", n.failures))
	}
	g.fact(t, &b, scope, k)
	g.markLock(t, scope, k, n)
}

// from names the source of a try as far as a scope goes.
func (t *try) from(scope scope, k key) fact.Source {
	switch scope {
	case ofAS:
		return fact.Source{AS: uint32(k.lo)}
	case ofNetwork:
		return fact.FromNet(k.prefix(scope))
	}
	return fact.FromAddr(t.addr.Unmap().WithZone(""))
}

// unknown is the name that was tried, where it is no line's.
func (t *try) unknown(scope scope) string {
	if scope != ofPair || t.line != "" {
		return ""
	}
	return t.name()
}

// shutOut bans a source, unless it is exempt. Whether a network has exempt addresses in it is for the ban to find out.
func (g *Guard) shutOut(t *try, net netip.Prefix, scope scope, d time.Duration, reason string) (exempt bool) {
	if scope != ofNetwork && g.around.Exempt != nil && g.around.Exempt(t.addr) != "" {
		return true
	}
	if g.around.Ban != nil {
		g.stats.bans.Add(1)
		g.around.Ban(net, d, reason)
	}
	return false
}

func stamp(t time.Time) time.Time { return t.Round(0).UTC() }

// report gathers facts until the next flush.
type report struct {
	mu      sync.Mutex // owns all below
	waiting []waiting
	lost    map[string]int // by kind, of those that found no room
	failed  failed
	kinds   journal.Limit[string, struct{}] // flush's alone, which one goroutine calls
}

// waiting is a fact to be told; the sample is asked for its pair or source when it is.
type waiting struct {
	line  string
	at    time.Time
	body  fact.Body
	scope scope
	key   key
}

// fact queues a fact about a try. key zero: the sample has nothing to say.
func (g *Guard) fact(t *try, b fact.Body, scope scope, k key) {
	w := waiting{at: t.now, body: b, scope: scope, key: k}
	if scope == ofPair {
		w.line = t.line
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
	r.lost[w.body.Kind()]++
}

// flush gives facts to the journal: those that wait, as far as their kinds' limits go, and with sums the failures.
func (g *Guard) flush(now time.Time, sums bool) {
	r := &g.report
	r.mu.Lock()
	list, lost := r.waiting, r.lost
	r.waiting, r.lost = nil, nil
	var f failed
	if sums {
		f, r.failed = r.failed, newFailed()
	}
	r.mu.Unlock()
	var facts []store.Fact
	for i := range list {
		if _, ok := r.kinds.Take(list[i].body.Kind(), now); ok {
			g.learned(&list[i])
			facts = append(facts, g.row(&list[i]))
		}
	}
	for kind, n := range lost {
		r.kinds.Leave(kind, n, now)
	}
	r.kinds.Close(now, false, func(kind string, s *journal.Span[struct{}]) {
		left := fact.LeftOut{More: int64(s.More), From: stamp(s.Began), To: stamp(now)}
		facts = append(facts, store.Fact{At: stamp(now), Kind: kind, Version: 1, Body: left.Append(nil)})
	})
	facts = append(facts, g.failedFacts(&f, now)...)
	if len(facts) > 0 && g.around.Record != nil {
		g.around.Record(facts...)
	}
}

func (g *Guard) row(w *waiting) store.Fact {
	subject := fact.Subject{Line: w.line}
	if g.around.Account != nil && w.line != "" {
		subject.Account = g.around.Account(w.line)
	}
	return w.body.Row(stamp(w.at), subject)
}

// learned adds what is known of a fact by now.
func (g *Guard) learned(w *waiting) {
	switch b := w.body.(type) {
	case *fact.LoginHeld:
		b.Country, b.Network, b.ASN = g.where(b.Source)
	case *fact.LoginProbation:
		b.Country, b.Network, b.ASN = g.where(b.Source)
	case *fact.LoginLocked:
		b.Guesses, b.Typist = g.guesses(w)
	case *fact.LoginSpray:
		if w.key != (key{}) {
			b.Guesses, _ = g.guesses(w)
		}
	}
}

func (g *Guard) where(s fact.Source) (country, network string, asn int64) {
	if g.around.Where == nil {
		return "", "", 0
	}
	country, network, n := g.around.Where(s.Addr)
	return country, network, int64(n)
}

// guesses is what the sample found out by now.
func (g *Guard) guesses(w *waiting) (lists string, typist bool) {
	p := g.tables[w.scope].lock(w.key)
	defer p.unlock()
	s := p.find()
	if s == nil {
		return "", false
	}
	return listNames(s.e.lists), w.scope == ofPair && s.e.lists == 0 && s.e.tried >= 3 && !s.e.many
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
