package guard

import (
	"encoding/json"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ringfence/core/fact"
	"ringfence/state/counters"
)

// A right login from a new place is not lost because unknown sources guess at its line (decision 17). Where the password is
// beyond guessing it is admitted on probation: for a day, with tight limits (Result.Tight). Where it is not, the answer is
// that of a wrong one and the login is held: its owner is notified, and may admit that one address (Admit, AdmitHeld),
// which then is on probation too. A place that has passed its day counts as a usual one.
const (
	ProbationFor = 24 * time.Hour
	HeldFor      = time.Hour // how long a held login waits, and how long the owner's word is good for the first login

	// AdmitCode is what the owner of a line dials on a phone at a usual place of it to admit the one login that waits:
	// *ADM on the keys.
	AdmitCode = "*236"

	daysServed  = 30      // days after its probation began for which an address needs no other proof
	maxStays    = 1 << 14 // of all lines, some 300 bytes each; only a source that knows a line's password makes any
	maxLineHas  = 16      // of one line
	holdPace    = 60      // seconds until a further attempt of a held login is noted
	heldTries   = 20      // wrong logins a day of an address; beyond them the owner of a guessable password is not notified
	heldGuesses = 1000    // the same for all unknown sources that were refused for the line today
	probations  = "probation/"
)

// stay is what is kept of an address from which a line's right password came although unknown sources are refused. Times are the
// guard's seconds, 0 is never.
type stay struct {
	user  string     // of the login
	addr  netip.Addr // of an IPv6 /64 the one seen last
	agent string
	held  int64 // when a right login was last held back
	told  int64 // when its owner was last notified of that
	pass  int64 // until when the owner's word is good
	since int64 // when the probation began
	day   int64 // of the Unix epoch on which it began: it names the purse, also when clocks differ
}

func (e *stay) passed(at int64) bool { return e.pass > at }
func (e *stay) tight(at int64) bool  { return e.since > 0 && at < e.since+secondsADay }
func (e *stay) served(at int64) bool {
	return e.since > 0 && !e.tight(at) && at < e.since+daysServed*secondsADay
}

// vouched says that the address is no stranger's: its owner spoke for it, or a password beyond guessing did.
func (e *stay) vouched(at int64) bool { return e.passed(at) || e.tight(at) || e.served(at) }

func (e *stay) waits(at int64) bool { return e.held > 0 && at < e.held+heldSeconds && !e.vouched(at) }

// ends is until when it is worth keeping.
func (e *stay) ends() int64 {
	end := max(e.pass, e.held+heldSeconds)
	if e.since > 0 {
		end = max(end, e.since+daysServed*secondsADay)
	}
	return end
}

const heldSeconds = int64(HeldFor / time.Second)

// purse names the probation to the stages that enforce its limits: the same for its whole day, on all nodes.
func (e *stay) purse(unit key) string {
	return unit.prefix(ofAddress).Addr().String() + "/" + time.Unix(e.day*secondsADay, 0).UTC().Format(time.DateOnly)
}

// stays are kept by line and address. No stranger can fill them: each comes of a right password.
type stays struct {
	count atomic.Int64

	mu    sync.RWMutex // owns all below
	lines map[string]map[key]*stay
}

// of is a copy of what is kept; the zero stay where there is nothing.
func (s *stays) of(line string, unit key) stay {
	if s.count.Load() == 0 {
		return stay{}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e := s.lines[line][unit]; e != nil {
		return *e
	}
	return stay{}
}

// change makes or changes one, and returns it as it is then; false: there is no room.
func (s *stays) change(line string, unit key, at int64, f func(e *stay)) (stay, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.lines[line][unit]
	if e == nil {
		if !s.room(line, at) {
			return stay{}, false
		}
		if s.lines == nil {
			s.lines = map[string]map[key]*stay{}
		}
		if s.lines[line] == nil {
			s.lines[line] = map[key]*stay{}
		}
		e = &stay{}
		s.lines[line][unit] = e
		s.count.Add(1)
	}
	f(e)
	return *e, true
}

// room makes room for one more of a line: those go that are over, then the one that was held longest ago. mu is held.
func (s *stays) room(line string, at int64) bool {
	if s.count.Load() >= maxStays {
		for other := range s.lines {
			s.sweep(other, func(e *stay) bool { return e.ends() <= at })
		}
	}
	s.sweep(line, func(e *stay) bool { return e.ends() <= at })
	if len(s.lines[line]) >= maxLineHas {
		oldest := at + 1
		for _, e := range s.lines[line] {
			if !e.vouched(at) {
				oldest = min(oldest, e.held)
			}
		}
		s.sweep(line, func(e *stay) bool { return !e.vouched(at) && e.held == oldest })
	}
	return len(s.lines[line]) < maxLineHas && s.count.Load() < maxStays
}

func (s *stays) sweep(line string, gone func(*stay) bool) {
	for unit, e := range s.lines[line] {
		if gone(e) {
			s.remove(line, unit)
		}
	}
}

func (s *stays) remove(line string, unit key) {
	delete(s.lines[line], unit)
	s.count.Add(-1)
	if len(s.lines[line]) == 0 {
		delete(s.lines, line)
	}
}

// drop takes out those that are chosen, and returns their names to other nodes.
func (s *stays) drop(chosen func(line string, unit key, e *stay) bool) (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range s.lines {
		for unit, e := range s.lines[line] {
			if chosen(line, unit, e) {
				names = append(names, stayName(line, unit))
				s.remove(line, unit)
			}
		}
	}
	return names
}

// each calls f for a copy of every one; no lock is held meanwhile.
func (s *stays) each(f func(line string, unit key, e *stay)) {
	type one struct {
		line string
		unit key
		e    stay
	}
	s.mu.RLock()
	var all []one
	for line, units := range s.lines {
		for unit, e := range units {
			all = append(all, one{line, unit, *e})
		}
	}
	s.mu.RUnlock()
	for i := range all {
		f(all[i].line, all[i].unit, &all[i].e)
	}
}

// pardon says whether a right login that would be refused is admitted nevertheless. A password beyond guessing proves its
// owner wherever it comes from, but a lock-out that an address earned for itself stays.
func (g *Guard) pardon(t *try, v *verdict) bool {
	if !t.strong {
		return false
	}
	if v.own {
		return false
	}
	if !t.strange() {
		return true // a wrong phone, or somebody else, is beside the right one
	}
	_, v.probation = g.stays.change(t.line, t.src.unit, t.at, func(e *stay) { e.user = t.name() })
	return v.probation
}

// probe begins the probation of a right login, or goes on with it, and names it.
func (g *Guard) probe(t *try) string {
	if t.stay.tight(t.at) {
		return t.stay.purse(t.src.unit)
	}
	word, began := t.stay.passed(t.at), false
	e, ok := g.stays.change(t.line, t.src.unit, t.at, func(e *stay) {
		if began = !e.tight(t.at); began {
			e.since, e.day, e.pass = t.at, t.now.Unix()/secondsADay, 0
		}
		e.user, e.addr, e.agent = t.name(), t.addr, clean(t.agent)
	})
	if !ok { // its place went meanwhile: it is named nevertheless, and begins with the next login
		e = stay{day: t.now.Unix() / secondsADay}
	}
	if began {
		g.stats.probations.Add(1)
		g.shareStay(t.line, t.src.unit, &e, t)
		b := fact.LoginProbation{
			User: t.unknown(ofPair), Source: t.from(ofPair, key{}), Net: t.place(), Agent: clean(t.agent), Until: stamp(t.now.Add(ProbationFor)), How: "strong",
		}
		if word {
			b.How = "admitted"
		}
		g.fact(t, &b, ofPair, key{})
	}
	return e.purse(t.src.unit)
}

// hold keeps a right login that was answered as a wrong one, and tells its owner once an hour. Of a guessable
// password only a limited number of guesses has this outcome: beyond it the owner is not notified, and uses AdmitHeld.
func (g *Guard) hold(t *try) {
	g.stats.held.Add(1)
	quiet := !t.strong && (t.tried >= heldTries || g.refusedToday(t) >= heldGuesses)
	tell, news := false, false
	e, ok := g.stays.change(t.line, t.src.unit, t.at, func(e *stay) {
		tell = !quiet && (e.told == 0 || t.at-e.told >= heldSeconds)
		if news = tell || t.at-e.held >= holdPace; news { // else a try as cheap as a wrong one, which takes as long
			e.user, e.addr, e.agent, e.held = t.name(), t.addr, clean(t.agent), t.at
		}
		if tell {
			e.told = t.at
		}
	})
	if ok && news {
		g.shareStay(t.line, t.src.unit, &e, t)
	}
	if ok && tell {
		g.fact(t, &fact.LoginHeld{
			User: t.unknown(ofPair), Source: t.from(ofPair, key{}), Net: t.place(), Agent: clean(t.agent), Failures: int64(t.tried), Until: stamp(t.now.Add(HeldFor)),
		}, ofPair, key{})
	}
}

// place is the network that a login came from.
func (t *try) place() string { return t.src.net.prefix(ofNetwork).String() }

// refusedToday is how many wrong tries for the line were refused unheard today.
func (g *Guard) refusedToday(t *try) int {
	p := g.targets.lock(key{user: t.hash})
	defer p.unlock()
	if s := p.find(); s != nil {
		s.e.turn(t.at)
		return int(s.e.refused)
	}
	return 0
}

// unheard counts an unknown source's wrong try that was refused whatever its password.
func (g *Guard) unheard(t *try) {
	p := g.targets.lock(key{user: t.hash})
	defer p.unlock()
	if s := p.find(); s != nil {
		s.e.turn(t.at)
		s.e.refused = min(s.e.refused, 1<<15) + 1
	}
}

// Admit takes the owner's word for an address: the next right login of the line from there, within HeldFor, is admitted on
// probation, whatever unknown sources do. A lock-out of that address for the line ends. It is known to the other nodes within
// about a second, and kept over restarts. It must log in until then; zero: it was never refused for being new, and its
// lock-out is ended. False: the line has too many addresses on probation already.
func (g *Guard) Admit(line string, addr netip.Addr, actor string, now time.Time) (until time.Time, ok bool) {
	at, unit := g.Seconds(now), newSource(addr).unit
	known := g.around.Own != nil && g.around.Own(line, addr)
	if !known {
		until = now.Add(HeldFor)
	}
	user := line
	e, ok := g.stays.change(line, unit, at, func(e *stay) {
		if e.user != "" {
			user = e.user
		}
		if e.addr = addr.Unmap().WithZone(""); !known && !e.tight(at) {
			e.pass = at + heldSeconds
		}
		e.held = 0
	})
	if !ok {
		return until, false
	}
	g.markStay(line, unit, &e, now.Unix()-at)
	var t try
	t.setUser(g, []byte(user))
	pair := unit
	pair.user = t.hash
	g.free(ofPair, pair)
	g.marks.Drop(sharedName(ofPair, pair, t.name()))
	g.keeper.soon()
	g.save(now)
	g.queue(waiting{line: line, at: now, body: &fact.LoginAdmitted{Source: fact.FromAddr(addr), By: actor}})
	return until, true
}

// AdmitHeld takes the owner's word for the one login of a line that waits for it. With none, or with several, which only
// Admit can tell apart, it does nothing; waiting is how many there are.
func (g *Guard) AdmitHeld(line, actor string, now time.Time) (waiting int) {
	at := g.Seconds(now)
	var addr netip.Addr
	g.stays.each(func(l string, _ key, e *stay) {
		if l == line && e.waits(at) {
			addr = e.addr
			waiting++
		}
	})
	if waiting != 1 {
		return waiting
	}
	if _, ok := g.Admit(line, addr, actor, now); !ok {
		return 0
	}
	return 1
}

// Forget drops what is kept of a line whose password changed or that is no more.
func (g *Guard) Forget(line string) {
	names := g.stays.drop(func(l string, _ key, _ *stay) bool { return l == line })
	if len(names) > 0 {
		g.marks.Drop(names...)
		g.keeper.soon()
	}
}

// stayName is the name of one to all nodes, and in the file: "probation/192.0.2.7/3001".
func stayName(line string, unit key) string {
	return probations + unit.prefix(ofAddress).Addr().String() + "/" + line
}

func parseStay(name string) (line string, unit key, ok bool) {
	rest, ok := strings.CutPrefix(name, probations)
	text, line, found := strings.Cut(rest, "/")
	addr, err := netip.ParseAddr(text)
	return line, newSource(addr).unit, ok && found && err == nil && line != ""
}

// keptStay is a stay in the file and among nodes. Times are Unix seconds.
type keptStay struct {
	User  string `json:"user"`
	Addr  string `json:"addr"`
	Agent string `json:"agent,omitempty"`
	Held  int64  `json:"held,omitempty"`
	Told  int64  `json:"told,omitempty"`
	Pass  int64  `json:"pass,omitempty"`
	Since int64  `json:"since,omitempty"`
	Day   int64  `json:"day,omitempty"`
}

// kept is the stay with its times moved ahead by these seconds.
func (e *stay) kept(ahead int64) keptStay {
	k := keptStay{User: e.user, Addr: e.addr.String(), Agent: e.agent, Held: e.held, Told: e.told, Pass: e.pass, Since: e.since, Day: e.day}
	k.move(ahead)
	return k
}

func (k *keptStay) move(actor int64) {
	for _, t := range []*int64{&k.Held, &k.Told, &k.Pass, &k.Since} {
		if *t > 0 {
			*t = max(*t+actor, 1)
		}
	}
}

// restoreStay takes one in, from the file or another node. Its times are the guard's by now.
func (g *Guard) restoreStay(name string, k *keptStay, at int64) {
	line, unit, ok := parseStay(name)
	addr, err := netip.ParseAddr(k.Addr)
	e := stay{
		user: k.User, addr: addr, agent: clean([]byte(k.Agent)), held: min(k.Held, at), told: min(k.Told, at), pass: min(k.Pass, at+heldSeconds),
		since: min(k.Since, at), day: k.Day,
	}
	if !ok || err != nil || newSource(addr).unit != unit || len(k.User) > userMax || e.ends() <= at {
		return
	}
	g.stays.change(line, unit, at, func(ours *stay) { ours.merge(&e, at) })
}

// merge takes over what another node knows, or our own that comes back to us: the probation that began first, and the
// latest of the rest.
func (e *stay) merge(o *stay, at int64) {
	switch {
	case o.since > 0 && (e.since == 0 || o.tight(at) && (!e.tight(at) || o.since < e.since)):
		e.since, e.day, e.pass = o.since, o.day, 0
	case !e.tight(at):
		e.pass = max(e.pass, o.pass)
	}
	if !e.addr.IsValid() || o.held > e.held {
		e.user, e.addr, e.agent = o.user, o.addr, o.agent
	}
	e.held, e.told = max(e.held, o.held), max(e.told, o.told)
}

// shareStay tells the other nodes, and has it written.
func (g *Guard) shareStay(line string, unit key, e *stay, t *try) {
	g.keeper.soon()
	g.markStay(line, unit, e, t.now.Unix()-t.at)
}

func (g *Guard) markStay(line string, unit key, e *stay, ahead int64) {
	g.marks.Put(counters.Mark{Key: stayName(line, unit), Until: time.Unix(e.ends()+ahead, 0), Value: encodeStay(e.kept(ahead))})
}

func encodeStay(k keptStay) []byte {
	text, _ := json.Marshal(k) // plain texts and numbers
	return text
}
