package guard

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"ringfence/core/fact"
	"ringfence/core/policy"
	"ringfence/core/secret"
	"ringfence/flow/auth"
	"ringfence/state/store"
)

// scene is an Auth with three lines, and what it did to the world: 2001 has a password, had another until an hour ago and
// is usually at the office; 2002 has a password; 2099 is a honeypot. Its clock is the test's.
type scene struct {
	t      testing.TB
	a      *Guard
	at     time.Time
	mu     sync.Mutex
	facts  []store.Fact
	bans   []string
	usual  map[string][]string // line: prefixes
	exempt map[string]string
}

const (
	rightPass  = "gravel-unzip-lilac-tidy-oxford-sand"
	formerPass = "candle-ozone-trial-basin-quilt-mango"
	wrongPass  = "wrong-horse"
	office     = "192.0.2.7"
	cafe       = "198.51.100.20"
	thief      = "203.0.113.66"
)

var wrongAnswer = Result{Outcome: Refuse, Reason: policy.BadCredentials}

func newScene(t testing.TB, change ...func(*Options)) *scene {
	s := &scene{t: t, at: time.Now(), usual: map[string][]string{"2001": {office + "/32"}}, exempt: map[string]string{}}
	ha1 := func(user, pass string) *secret.HA1 {
		h := secret.NewHA1(user, realm, secret.NewPassword(pass))
		return &h
	}
	lines := map[string]Line{
		"2001": {ID: "2001", HA1: ha1("2001", rightPass), Number: "442079460001", Former: []FormerHA1{{HA1: ha1("2001", formerPass), Until: s.at.Add(-time.Hour)}}},
		"2002": {ID: "2002", HA1: ha1("2002", rightPass)},
		"2099": {ID: "2099", HA1: ha1("2099", rightPass), Honeypot: true},
	}
	o := Options{Options: auth.Options{Realm: realm}, Line: func(user []byte, _ time.Time) (Line, bool) {
		l, ok := lines[string(user)]
		return l, ok
	}}
	o.Around = Around{
		Usual:  s.isUsual,
		Exempt: func(a netip.Addr) string { return s.exempt[a.String()] },
		Ban: func(net netip.Prefix, d time.Duration, why string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.bans = append(s.bans, fmt.Sprintf("%s for %v", net, d))
		},
		Record: func(f ...store.Fact) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.facts = append(s.facts, f...)
		},
		Account: func(line string) string { return "customer-of-" + line },
	}
	for _, f := range change {
		f(&o)
	}
	var err error
	if s.a, err = New(o); err != nil {
		t.Fatal(err)
	}
	s.at = s.a.Begun() // whole seconds from here on
	return s
}

func (s *scene) isUsual(line string, addr netip.Addr) bool {
	for _, p := range s.usual[line] {
		if netip.MustParsePrefix(p).Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}

// try is one login from an address: a challenge, and the answer to it.
func (s *scene) try(from, user, pass string, agent ...string) Result {
	src := netip.MustParseAddr(from)
	c := login(user, pass, nonceFor(s.a, src, s.at), "MD5", 1)
	c.Agent = []byte(strings.Join(agent, " "))
	return s.a.Check(c, src, s.at)
}

// tries is n logins, so far apart.
func (s *scene) tries(n int, every time.Duration, from, user, pass string, agent ...string) {
	s.t.Helper()
	for range n {
		if got := s.try(from, user, pass, agent...); got.Outcome == Accept {
			s.t.Fatalf("%s let in from %s", user, from)
		}
		s.pass(every)
	}
}

func (s *scene) pass(d time.Duration) { s.at = s.at.Add(d) }

func (s *scene) in(from, user string) {
	s.t.Helper()
	if got := s.try(from, user, rightPass); got.Outcome != Accept {
		s.t.Errorf("%s from %s: %+v; want it let in", user, from, got)
	}
}

// out wants the right password refused, with the answer that a wrong one gets but for what emergency calls need.
func (s *scene) out(from, user string) {
	s.t.Helper()
	want := Result{Outcome: Refuse, Reason: policy.BadCredentials, Line: user, EmergencyOK: true}
	if got := s.try(from, user, rightPass); got != want {
		s.t.Errorf("%s from %s: %+v; want it locked out", user, from, got)
	}
}

// body has the fields of every fact of this package, under the names that the journal has for them.
type body struct {
	User       string     `json:"user,omitempty"`
	Source     string     `json:"source,omitempty"`
	GivenTo    string     `json:"given_to,omitempty"`
	Scope      string     `json:"scope,omitempty"`
	Failures   int        `json:"failures,omitempty"`
	Level      int        `json:"level,omitempty"`
	Until      *time.Time `json:"until,omitempty"`
	Agent      string     `json:"agent,omitempty"`
	Exempt     bool       `json:"spared,omitempty"`
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

type toldFact struct {
	kind, line string
	body       body
}

// told flushes and returns the facts of a kind since the last time.
func (s *scene) told(kind string) (out []toldFact) {
	s.t.Helper()
	s.a.tick(s.at, true)
	var rest []store.Fact
	for _, f := range s.facts {
		if f.Kind != kind {
			rest = append(rest, f)
			continue
		}
		told := toldFact{kind: f.Kind, line: f.Line}
		if err := json.Unmarshal(f.Body, &told.body); err != nil {
			s.t.Fatal(err)
		}
		if f.Line != "" && f.Account != "customer-of-"+f.Line {
			s.t.Errorf("account %q", f.Account)
		}
		out = append(out, told)
	}
	s.facts = rest
	return out
}

func (s *scene) want(kind string, n int) []toldFact {
	s.t.Helper()
	got := s.told(kind)
	if len(got) != n {
		s.t.Errorf("%d facts %s, want %d: %+v", len(got), kind, n, got)
	}
	return got
}

func (s *scene) wantBans(want ...string) {
	s.t.Helper()
	if fmt.Sprint(s.bans) != fmt.Sprint(want) {
		s.t.Errorf("banned %v, want %v", s.bans, want)
	}
}

// TestTypist: four wrong tries are borne, the fifth locks the address out for that line alone, even the right password;
// each further lock-out is twice as long, up to a day; after a day in peace it begins anew.
func TestTypist(t *testing.T) {
	s := newScene(t)
	s.tries(4, 20*time.Second, cafe, "2001", wrongPass)
	if got := s.try(cafe, "2001", rightPass); got.Outcome != Accept || got.Failures != 4 {
		t.Errorf("after four wrong tries: %+v", got)
	}
	s.tries(1, 0, cafe, "2001", wrongPass, "Zoiper 5")
	s.out(cafe, "2001")
	s.in(cafe, "2002")
	s.in(thief, "2001") // the owner at another address
	f := s.want(fact.KindLoginLocked, 1)
	if b := f[0].body; f[0].line != "2001" || b.Source != cafe || b.Scope != "line" || b.Failures != 5 || b.Level != 1 || b.Agent != "Zoiper 5" || !b.Until.Equal(s.at.Add(15*time.Minute)) {
		t.Errorf("%+v", f)
	}
	s.pass(15*time.Minute - time.Second)
	s.out(cafe, "2001")
	for _, want := range []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 16 * time.Hour, 24 * time.Hour, 24 * time.Hour} {
		s.pass(time.Second)
		s.in(cafe, "2001")
		s.tries(5, 0, cafe, "2001", wrongPass)
		if got := s.want(fact.KindLoginLocked, 1)[0].body.Until.Sub(s.at); got.Round(time.Second) != want {
			t.Errorf("locked for %v, want %v", got, want)
		}
		s.a.Release("nobody", "test", s.at)
		s.a.liftBudget("2001", s.a.Seconds(s.at), s.at) // which is another test
		s.pass(want - time.Second)
		s.out(cafe, "2001")
	}
	s.pass(25 * time.Hour)
	s.tries(5, 0, cafe, "2001", wrongPass)
	if got := s.want(fact.KindLoginLocked, 1)[0].body; got.Level != 1 {
		t.Errorf("after a day in peace: level %d", got.Level)
	}
	s.wantBans()
	if st := s.a.Stats(); st.Lockouts["line"] != 10 || st.RefusedRight == 0 {
		t.Errorf("%+v", st)
	}
}

// TestSlowTyping: fewer wrong tries than the limit within any ten minutes lock nobody out.
func TestSlowTyping(t *testing.T) {
	s := newScene(t)
	s.tries(15, 4*time.Minute, cafe, "2001", wrongPass)
	s.in(cafe, "2001")
}

// TestTheSamePacketIsOneTry: a phone on UDP that sends its request again because our answer was lost has not guessed.
func TestTheSamePacketIsOneTry(t *testing.T) {
	s := newScene(t)
	src := netip.MustParseAddr(cafe)
	c := login("2001", wrongPass, nonceFor(s.a, src, s.at), "MD5", 1)
	for range 11 {
		if got := s.a.Check(c, src, s.at); got != wrongAnswer {
			t.Fatalf("%+v", got)
		}
	}
	s.in(cafe, "2001")
	if st := s.a.Stats(); st.Failures != 1 {
		t.Errorf("%d failures", st.Failures)
	}
}

// TestStalePhone guards phoneblock#368, a stale password that keeps extending the lock: a phone with a former password of
// its line is never counted, locks nobody out and is told of once an hour; from a strange place it is told of otherwise.
func TestStalePhone(t *testing.T) {
	s := newScene(t)
	s.tries(600, time.Second, office, "2001", formerPass, "Yealink T46S")
	s.in(office, "2001")
	f := s.want(fact.KindLoginStale, 1)
	if b := f[0].body; b.Source != office || b.How != "former" || b.ReplacedAt == nil || b.Agent != "Yealink T46S" {
		t.Errorf("%+v", f)
	}
	s.tries(1, time.Hour, office, "2001", formerPass)
	s.want(fact.KindLoginStale, 0)
	s.tries(1, 0, office, "2001", formerPass)
	s.want(fact.KindLoginStale, 1)
	s.tries(300, time.Second, thief, "2001", formerPass)
	if f := s.want(fact.KindLoginOld, 1); len(f) == 1 && f[0].body.Source != thief {
		t.Errorf("%+v", f)
	}
	s.in(thief, "2001")
	s.want(fact.KindLoginLocked, 0)
	s.want(fact.KindLoginFailed, 0)
	s.wantBans()
}

// TestStalePhoneDoesNotExtendALock: nor do tries of any kind while it lasts.
func TestStalePhoneDoesNotExtendALock(t *testing.T) {
	s := newScene(t, func(o *Options) { o.Lockout.Address, o.Lockout.Network, o.Lockout.Strangers = 1000, 1000, 1000 })
	s.tries(5, 0, cafe, "2001", wrongPass)
	s.tries(89, 10*time.Second, cafe, "2001", formerPass)
	s.tries(1, 10*time.Second, cafe, "2001", wrongPass)
	s.in(cafe, "2001")
}

// TestOfficeNAT: behind one address, one phone of the line has a wrong password that was never right, and retries every
// ten seconds for hours; the phone beside it works all the time, and nobody is banned. The owner hears of it.
func TestOfficeNAT(t *testing.T) {
	s := newScene(t)
	for range 60 {
		s.tries(12, 10*time.Second, office, "2001", wrongPass, "snom320/8.7")
		s.in(office, "2001")
	}
	f := s.told(fact.KindLoginStale)
	if len(f) < 2 || len(f) > 3 || f[0].body.How != "steady" || f[0].line != "2001" {
		t.Errorf("told %+v of two hours", f)
	}
	s.want(fact.KindLoginLocked, 0)
	s.wantBans()
	if got := s.try(cafe, "2001", rightPass); got.Outcome != Accept || got.AfterLock {
		t.Errorf("the owner elsewhere: %+v", got)
	}
}

// TestSlowStalePhone: a phone that retries every half hour is told of too, once an hour from its tenth try of a day on.
func TestSlowStalePhone(t *testing.T) {
	s := newScene(t)
	s.tries(9, 30*time.Minute, office, "2001", wrongPass)
	s.want(fact.KindLoginStale, 0)
	s.tries(4, 30*time.Minute, office, "2001", wrongPass)
	s.want(fact.KindLoginStale, 2)
}

// TestGuesserInTheOffice: tries that do not look like one phone's lock even a usual place out, for that line only; it is
// never banned.
func TestGuesserInTheOffice(t *testing.T) {
	for name, try := range map[string]func(s *scene, i int){
		"several User-Agents": func(s *scene, i int) {
			s.tries(1, 5*time.Second, office, "2001", fmt.Sprint("guess", i), fmt.Sprint("agent", i%2))
		},
		"guesses of a list": func(s *scene, i int) {
			s.tries(1, 5*time.Second, office, "2001", []string{"1234", "password", "0000"}[i%3], "phone")
			s.a.tick(s.at, false)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			for i := range 39 {
				try(s, i)
			}
			s.in(office, "2001")
			try(s, 39)
			s.out(office, "2001")
			s.usual["2002"] = []string{office + "/32"}
			s.in(office, "2002")
			if f := s.want(fact.KindLoginLocked, 1); len(f) == 1 && !f[0].body.Usual {
				t.Errorf("%+v", f)
			}
			s.wantBans()
		})
	}
	for name, c := range map[string]struct {
		every time.Duration
		tries int
	}{"a program's pace": {50 * time.Millisecond, 40}, "too many for a phone": {3 * time.Second, 120}} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.tries(c.tries-1, c.every, office, "2001", wrongPass, "phone")
			s.in(office, "2001")
			s.tries(1, c.every, office, "2001", wrongPass, "phone")
			s.out(office, "2001")
			s.wantBans()
		})
	}
}

// TestCrowdInAUsualPlace: a usual place is a whole network. Who guesses from many addresses of it is a stranger: the
// first addresses have five tries and the others one, their network is shut out, and the owner's own address goes on.
func TestCrowdInAUsualPlace(t *testing.T) {
	s := newScene(t)
	s.usual["2001"] = []string{"192.0.2.0/24"}
	for i := range 200 {
		s.tries(6, 0, fmt.Sprintf("192.0.2.%d", 10+i), "2001", wrongPass, "Yealink T46S")
	}
	s.wantBans("192.0.2.0/24 for 15m0s")
	s.in(office, "2001")
	s.out("192.0.2.200", "2001")
	today := 0
	s.a.targets.each(func(e *slot[target]) { today, _, _ = e.e.sums() })
	if today > 200+20 { // and packets of the network are dropped by then
		t.Errorf("%d judged of 1200", today)
	}
	s = newScene(t)
	s.usual["2001"] = []string{"192.0.2.0/24"}
	for i := range 200 { // four of them, as a customer may have
		s.tries(1, 3*time.Second, fmt.Sprintf("192.0.2.%d", 10+i%4), "2001", wrongPass, "Yealink T46S")
		s.in("192.0.2.10", "2001")
	}
	s.wantBans()
}

// TestUnknownUsersLookLikeKnownOnes: the same answers, the same entries in the same tables, the same number of passwords
// compared, the same lock-outs, so that svwar learns nothing.
func TestUnknownUsersLookLikeKnownOnes(t *testing.T) {
	type seen struct {
		answers  []Result
		entries  [numScopes]int
		targets  int
		digests  uint64
		lockouts string
		bans     string
	}
	look := func(user, pass string) (out seen) {
		s := newScene(t)
		for range 70 {
			out.answers = append(out.answers, s.try(thief, user, pass))
			s.pass(20 * time.Second)
		}
		for scope := range numScopes {
			s.a.tables[scope].each(func(*slot[suspect]) { out.entries[scope]++ })
		}
		s.a.targets.each(func(*slot[target]) { out.targets++ })
		out.digests, out.lockouts, out.bans = s.a.Stats().Digests, fmt.Sprint(s.a.Stats().Lockouts), fmt.Sprint(s.bans)
		return out
	}
	known, unknown := look("2002", wrongPass), look("9999", wrongPass)
	if fmt.Sprint(known) != fmt.Sprint(unknown) {
		t.Errorf("known\n%+v\nunknown\n%+v", known, unknown)
	}
	if known.digests != 70*4 {
		t.Errorf("%d passwords compared", known.digests)
	}
	for _, r := range known.answers {
		if r != wrongAnswer {
			t.Errorf("%+v", r)
		}
	}
}

// TestLockedOutCostsTheSame: the right password of who is locked out is held against as many passwords as a wrong one.
func TestLockedOutCostsTheSame(t *testing.T) {
	s := newScene(t)
	s.tries(5, 0, thief, "2001", wrongPass)
	for name, pass := range map[string]string{"right": rightPass, "wrong": wrongPass, "former": formerPass} {
		before := s.a.Stats().Digests
		s.try(thief, "2001", pass)
		if n := s.a.Stats().Digests - before; n != 4 {
			t.Errorf("%s: %d passwords compared", name, n)
		}
	}
}

// TestReplayWhileLockedOut: an overheard answer of the owner is no right one.
func TestReplayWhileLockedOut(t *testing.T) {
	s := newScene(t)
	src := netip.MustParseAddr(thief)
	right := login("2001", rightPass, nonceFor(s.a, src, s.at), "MD5", 1)
	if got := s.a.Check(right, src, s.at); got.Outcome != Accept {
		t.Fatal(got)
	}
	s.tries(5, 0, thief, "2001", wrongPass)
	if got := s.a.Check(right, src, s.at); got != wrongAnswer {
		t.Errorf("%+v", got)
	}
	s.out(thief, "2001")
}

// TestAThousandAtOnce: of a thousand tries at the same instant no more than five are judged: where the right password is
// among them, it either came before the fifth wrong one or is refused.
func TestAThousandAtOnce(t *testing.T) {
	s := newScene(t)
	s.tries(4, 0, thief, "2001", wrongPass)
	var wg sync.WaitGroup
	start := make(chan struct{})
	var mu sync.Mutex
	accepted := 0
	for range 8 {
		var logins []*auth.Credentials
		for i := range 125 {
			logins = append(logins, login("2001", fmt.Sprint("guess", i), nonceFor(s.a, netip.MustParseAddr(thief), s.at), "MD5", 1))
		}
		// The right one is each goroutine's last: by then it has been guessed wrong.
		logins = append(logins, login("2001", rightPass, nonceFor(s.a, netip.MustParseAddr(thief), s.at), "MD5", 1))
		wg.Go(func() {
			<-start
			for _, c := range logins {
				if s.a.Check(c, netip.MustParseAddr(thief), s.at).Outcome == Accept {
					mu.Lock()
					accepted++
					mu.Unlock()
				}
			}
		})
	}
	close(start)
	wg.Wait()
	if accepted != 0 {
		t.Errorf("%d guessers got in", accepted)
	}
	f := s.want(fact.KindLoginLocked, 2) // for the line, then altogether
	for _, f := range f {
		if f.body.Scope == "line" && f.body.Failures != 5 {
			t.Errorf("%d were judged", f.body.Failures)
		}
	}
}

// TestUnverifiedNoncesChangeNothing guards fail2ban#2163 (honest phones banned for the normal challenge), and bans by
// forged sources: whatever is sent without an answer to a challenge of that source leaves no trace.
func TestUnverifiedNoncesChangeNothing(t *testing.T) {
	s := newScene(t)
	other := netip.MustParseAddr(cafe)
	for i := range 500 {
		src := netip.MustParseAddr(thief)
		s.a.AppendChallenge(nil, false, false, src, s.at)
		for _, nonce := range []string{"", strings.Repeat("A", 28), strings.Repeat("A", 44), nonceFor(s.a, other, s.at), nonceFor(s.a, src, s.at.Add(-time.Hour))} {
			for _, user := range []string{"2001", "2002", "2099", fmt.Sprint(i), ""} {
				if got := s.a.Check(login(user, wrongPass, nonce, "MD5", 1), src, s.at); got != (Result{Stale: true}) {
					t.Fatalf("%+v", got)
				}
			}
		}
	}
	entries := 0
	for scope := range numScopes {
		s.a.tables[scope].each(func(*slot[suspect]) { entries++ })
	}
	s.a.targets.each(func(*slot[target]) { entries++ })
	s.pass(time.Hour)
	s.a.tick(s.at, true)
	if entries > 0 || len(s.facts) > 0 || len(s.bans) > 0 || s.a.Remembered() > 0 || s.a.Stats().Failures > 0 {
		t.Errorf("%d entries, facts %v, bans %v", entries, s.facts, s.bans)
	}
}

// S15: a phone that was forgotten when the password changed is refused like a wrong one, but may call for help.
func TestForgottenPhoneMayCallForHelp(t *testing.T) {
	s := newScene(t)
	want := Result{Outcome: Refuse, Reason: policy.BadCredentials, Line: "2001", EmergencyOK: true}
	if got := s.try(office, "2001", formerPass); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := s.try(office, "2001", wrongPass); got.EmergencyOK || got.Line != "" {
		t.Errorf("a wrong password: %+v", got)
	}
}
