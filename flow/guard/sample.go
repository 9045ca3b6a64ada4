package guard

import (
	"hash/maphash"
	"sync"
	"time"

	"ringfence/core/fact"
	"ringfence/core/secret"
	"ringfence/flow/auth"
)

// A digest does not show the password tried, so a sample of wrong answers is held, off the hot path, against the passwords
// that attackers try first. It tells which list is in use, and a guesser from a phone with one wrong password. At most
// samplesASecond are taken and sampleRoom wait, some 90 KB; one costs about half a millisecond.
const (
	samplesASecond = 50
	sampleRoom     = 64
	maxPasswords   = 512 // guesses whose spread over lines is followed
)

// sampler holds the answers that wait. What is found out goes into the tables; a tried password goes nowhere.
type sampler struct {
	mu     sync.Mutex // owns queue, second and taken
	queue  []sample   // of one capacity for good, so that taking one allocates nothing
	second int64
	taken  int

	// passwords is which lines each guess was tried on, and from which networks; the goroutine of Run owns it.
	passwords map[uint64]*guessed
	told      int64
}

type sample struct {
	x       auth.Answer
	user    [userMax]byte
	userLen int
	number  string
	pair    key
	src     source
	hash    uint64 // of the user
	at      int64
}

type guessed struct {
	lines, nets sketch
	list        secret.GuessList
}

// offer takes a wrong answer into the sample if there is room.
func (s *sampler) offer(x *auth.Answer, c *auth.Credentials, number string, t *try) (taken bool) {
	if t.hidden() || len(c.User) > userMax {
		return false // no line has such a name, and no list
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.at != s.second {
		s.second, s.taken = t.at, 0
	}
	if s.taken >= samplesASecond || len(s.queue) >= sampleRoom {
		return false
	}
	if s.queue == nil {
		s.queue = make([]sample, 0, sampleRoom)
	}
	s.taken++
	s.queue = s.queue[:len(s.queue)+1]
	w := &s.queue[len(s.queue)-1]
	w.x, w.number, w.pair, w.src, w.hash, w.at = *x, number, t.pair(), t.src, t.hash, t.at
	w.userLen = copy(w.user[:], c.User) // not the identity: HA1 is over the name that the phone was given
	return true
}

// drain looks up the answers that wait.
func (g *Guard) drain(realm string, now time.Time, at int64) {
	s := &g.sampler
	s.mu.Lock()
	list := append([]sample(nil), s.queue...)
	s.queue = s.queue[:0]
	s.mu.Unlock()
	for i := range list {
		g.look(&list[i], realm, now, at)
	}
}

// look holds one answer against the lists.
func (g *Guard) look(s *sample, realm string, now time.Time, at int64) {
	user := string(s.user[:s.userLen])
	list, guess, found := secret.GuessList(0), uint64(0), false
	for text, from := range secret.Guesses(string(auth.NameOf([]byte(user))), s.number, now.Year()) {
		ha1 := secret.NewHA1(user, realm, secret.NewPassword(text))
		if s.x.Fits(&ha1) {
			list, guess, found = from, maphash.String(g.seed, text)|1, true
			break
		}
	}
	g.stats.sampled.Add(1)
	if found {
		g.stats.matched.Add(1)
	}
	for scope, k := range map[scope]key{ofPair: s.pair, ofAddress: s.src.unit, ofNetwork: s.src.net} {
		p := g.tables[scope].lock(k)
		if e := p.find(); e != nil {
			e.e.learn(list, guess, found)
		}
		p.unlock()
	}
	if found && list != secret.GuessOwn {
		g.sampler.spread(g, s, list, guess, now, at)
	}
}

// spread follows one password over many lines and networks: a spray that no single source gives away.
func (s *sampler) spread(g *Guard, w *sample, list secret.GuessList, guess uint64, now time.Time, at int64) {
	p := s.passwords[guess]
	if p == nil {
		if s.passwords == nil || len(s.passwords) >= maxPasswords {
			s.passwords = map[uint64]*guessed{}
		}
		p = &guessed{list: list}
		s.passwords[guess] = p
	}
	span := g.l.window
	p.lines.add(w.hash, w.at, span)
	p.nets.add(g.hashSource(w.src.net), w.at, span)
	lines, nets := p.lines.count(at, span), p.nets.count(at, span)
	if lines < g.l.spray || nets < 3 || s.told != 0 && at-s.told < secondsAnHour {
		return
	}
	s.told = at
	g.stats.sprays.Add(1)
	g.queue(waiting{at: now, body: &fact.LoginSpray{Lines: int64(lines), Sources: int64(nets), Guesses: list.String()}})
}
