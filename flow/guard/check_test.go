package guard

import (
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icholy/digest"

	"ringfence/core/policy"
	"ringfence/core/secret"
	"ringfence/flow/auth"
)

const (
	realm    = "ringfence"
	password = "gravel-unzip-lilac-tidy-oxford-sand"
)

var (
	now   = time.Now()
	home  = netip.MustParseAddr("192.0.2.7")
	elsew = netip.MustParseAddr("203.0.113.9")
)

// newAuth has three lines: 1001, 1002 locked to the network of home, and 1003 without a password.
func newAuth(t testing.TB, change ...func(*Options)) *Guard {
	h1, h2 := secret.NewHA1("1001", realm, secret.NewPassword(password)), secret.NewHA1("1002", realm, secret.NewPassword(password))
	o := Options{Options: auth.Options{Realm: realm, Algorithms: []string{"SHA-256", "MD5"}}, Line: func(user []byte, _ time.Time) (Line, bool) {
		switch string(user) {
		case "1001":
			return Line{ID: "1001", HA1: &h1}, true
		case "1002":
			return Line{ID: "1002", HA1: &h2}, true
		case "1003":
			return Line{ID: "1003"}, true
		}
		return Line{}, false
	}}
	o.Around.May = func(line string, addr netip.Addr, _ time.Time) bool {
		return line != "1002" || netip.MustParsePrefix("192.0.2.0/24").Contains(addr)
	}
	for _, f := range change {
		f(&o)
	}
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var nonceIn = regexp.MustCompile(`nonce="([^"]*)"`)

func nonceFor(a *Guard, src netip.Addr, at time.Time) string {
	return nonceIn.FindStringSubmatch(string(a.AppendChallenge(nil, false, false, src, at)))[1]
}

func hash(alg, text string) string {
	if alg == "SHA-256" {
		return fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
	}
	return fmt.Sprintf("%x", md5.Sum([]byte(text)))
}

// login is a phone's answer to a challenge.
func login(user, pass, nonce, alg string, nc uint32) *auth.Credentials {
	count := fmt.Sprintf("%08x", nc)
	ha1, ha2 := hash(alg, user+":"+realm+":"+pass), hash(alg, "REGISTER:sip:example.org")
	return &auth.Credentials{
		Method: []byte("REGISTER"), User: []byte(user), Realm: []byte(realm), Nonce: []byte(nonce), URI: []byte("sip:example.org"),
		Response: []byte(hash(alg, strings.Join([]string{ha1, nonce, count, "c0ffee", "auth", ha2}, ":"))),
		CNonce:   []byte("c0ffee"), NC: []byte(count), QOP: []byte("auth"), Alg: []byte(alg),
	}
}

func TestChallenge(t *testing.T) {
	a := newAuth(t)
	line := `Digest realm="ringfence", algorithm=%s, qop="auth", nonce="[A-Za-z0-9_-]{28}"`
	for _, c := range []struct {
		proxy, stale bool
		header, tail string
	}{{false, false, "WWW-Authenticate", ""}, {true, true, "Proxy-Authenticate", ", stale=true"}} {
		want := ""
		for _, alg := range []string{"SHA-256", "MD5"} {
			want += c.header + ": " + fmt.Sprintf(line, alg) + c.tail + "\r\n"
		}
		got := a.AppendChallenge([]byte("X"), c.proxy, c.stale, home, now)
		if !regexp.MustCompile(`^X` + want + `$`).Match(got) {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	if d := string(newAuth(t, func(o *Options) { o.Algorithms = nil }).AppendChallenge(nil, false, false, home, now)); strings.Count(d, "\n") != 1 || !strings.Contains(d, "algorithm=MD5") {
		t.Errorf("the default is MD5 alone, not %s", d)
	}
}

func TestCheck(t *testing.T) {
	accept, stale, again := Result{Outcome: Accept, Line: "1001"}, Result{Stale: true}, Result{}
	wrong := Result{Outcome: Refuse, Reason: policy.BadCredentials}
	for _, c := range []struct {
		name   string
		src    netip.Addr // of the login; the nonce is home's
		after  time.Duration
		user   string
		pass   string
		alg    string
		change func(*auth.Credentials)
		want   Result
	}{
		{name: "MD5", want: accept},
		{name: "SHA-256", alg: "SHA-256", want: accept},
		{name: "no algorithm is MD5", change: func(c *auth.Credentials) { c.Alg = nil }, want: accept},
		{name: "names in any case", change: func(c *auth.Credentials) { c.Alg = []byte("md5") }, want: accept},
		{name: "response in upper case", change: func(c *auth.Credentials) { c.Response = []byte(strings.ToUpper(string(c.Response))) }, want: accept},
		{name: "IPv4 written as IPv6", src: netip.MustParseAddr("::ffff:192.0.2.7"), want: accept},
		{name: "just before its end", after: 5*time.Minute - 2*time.Second, want: accept},
		{name: "wrong password", pass: "hunter2", want: wrong},
		{name: "unknown user", user: "9999", want: wrong},
		{name: "no password set", user: "1003", want: wrong},
		{name: "empty user", user: "-", change: func(c *auth.Credentials) { c.User = nil }, want: wrong},
		{name: "other method", change: func(c *auth.Credentials) { c.Method = []byte("INVITE") }, want: wrong},
		{name: "other uri", change: func(c *auth.Credentials) { c.URI = []byte("sip:example.com") }, want: wrong},
		{name: "other count", change: func(c *auth.Credentials) { c.NC = []byte("00000002") }, want: wrong},
		{name: "other cnonce", change: func(c *auth.Credentials) { c.CNonce = []byte("c0ffef") }, want: wrong},
		{name: "MD5 response called SHA-256", change: func(c *auth.Credentials) { c.Alg = []byte("SHA-256") }, want: again},
		{name: "nonce of another address", src: elsew, want: stale},
		{name: "old nonce", after: 5*time.Minute + time.Second, want: stale},
		{name: "nonce of the future", after: -10 * time.Second, want: stale},
		{name: "made-up nonce", change: func(c *auth.Credentials) { c.Nonce = []byte(strings.Repeat("A", 28)) }, want: stale},
		{name: "no base64", change: func(c *auth.Credentials) { c.Nonce = []byte(strings.Repeat("\x00", 28)) }, want: stale},
		{name: "no nonce", change: func(c *auth.Credentials) { c.Nonce = nil }, want: stale},
		{name: "count of zero", change: nc("00000000"), want: stale},
		{name: "count in letters", change: nc("0000000g"), want: stale},
		{name: "short count", change: nc("1"), want: again},
		{name: "other realm", change: func(c *auth.Credentials) { c.Realm = []byte("asterisk") }, want: again},
		{name: "no uri", change: func(c *auth.Credentials) { c.URI = nil }, want: again},
		{name: "no response", change: func(c *auth.Credentials) { c.Response = nil }, want: again},
		{name: "no cnonce", change: func(c *auth.Credentials) { c.CNonce = nil }, want: again},
		{name: "no qop", change: func(c *auth.Credentials) { c.QOP = nil }, want: again},
		{name: "auth-int", change: func(c *auth.Credentials) { c.QOP = []byte("auth-int") }, want: again},
		{name: "MD5-sess", change: func(c *auth.Credentials) { c.Alg = []byte("MD5-sess") }, want: again},
		{name: "huge uri", change: func(c *auth.Credentials) { c.URI = make([]byte, 60_000) }, want: again},
		{name: "huge count", change: func(c *auth.Credentials) { c.NC = make([]byte, 60_000) }, want: again},
		{name: "everything absent", change: func(c *auth.Credentials) { *c = auth.Credentials{} }, want: again},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAuth(t)
			user, pass, alg, src := or(c.user, "1001"), or(c.pass, password), or(c.alg, "MD5"), c.src
			if !src.IsValid() {
				src = home
			}
			creds := login(user, pass, nonceFor(a, home, now), alg, 1)
			if c.change != nil {
				c.change(creds)
			}
			if got := a.Check(creds, src, now.Add(c.after)); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// nc signs again with another count, so that the count itself is judged and not the response.
func nc(count string) func(*auth.Credentials) {
	return func(c *auth.Credentials) {
		c.NC = []byte(count)
		ha1, ha2 := hash("MD5", "1001:"+realm+":"+password), hash("MD5", "REGISTER:sip:example.org")
		c.Response = []byte(hash("MD5", strings.Join([]string{ha1, string(c.Nonce), count, "c0ffee", "auth", ha2}, ":")))
	}
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// TestAgainstAnotherClient: answers of icholy/digest, written by others, are right for both algorithms.
func TestAgainstAnotherClient(t *testing.T) {
	for _, alg := range []string{"MD5", "SHA-256"} {
		a := newAuth(t, func(o *Options) { o.Algorithms = []string{alg} })
		_, value, _ := strings.Cut(strings.TrimSpace(string(a.AppendChallenge(nil, true, false, home, now))), ": ")
		chal, err := digest.ParseChallenge(value)
		if err != nil {
			t.Fatal(err)
		}
		for count := 1; count <= 2; count++ {
			d, err := digest.Digest(chal, digest.Options{Username: "1001", Password: password, Method: "INVITE", URI: "sip:442079460000@example.org", Count: count})
			if err != nil {
				t.Fatal(err)
			}
			c := &auth.Credentials{
				Method: []byte("INVITE"), User: []byte(d.Username), Realm: []byte(d.Realm), Nonce: []byte(d.Nonce), URI: []byte(d.URI),
				Response: []byte(d.Response), CNonce: []byte(d.Cnonce), NC: fmt.Appendf(nil, "%08x", d.Nc), QOP: []byte(d.QOP), Alg: []byte(d.Algorithm),
			}
			if got := a.Check(c, home, now); got.Outcome != Accept {
				t.Errorf("%s %d: %+v", alg, count, got)
			}
		}
	}
}

// TestIPLockIsToldOnlyToTheOwner: without the password, a locked line looks like any other.
func TestIPLockIsToldOnlyToTheOwner(t *testing.T) {
	a := newAuth(t)
	right := login("1002", password, nonceFor(a, elsew, now), "MD5", 1)
	if got := a.Check(right, elsew, now); got != (Result{Outcome: Refuse, Line: "1002", Reason: policy.AddressLocked, EmergencyOK: true}) {
		t.Errorf("right password, wrong address: %+v", got)
	}
	wrong := login("1002", "hunter2", nonceFor(a, elsew, now), "MD5", 1)
	if got := a.Check(wrong, elsew, now); got != (Result{Outcome: Refuse, Reason: policy.BadCredentials}) {
		t.Errorf("wrong password, wrong address: %+v", got)
	}
	if got := a.Check(login("1002", password, nonceFor(a, home, now), "MD5", 1), home, now); got.Outcome != Accept {
		t.Errorf("allowed address: %+v", got)
	}
}

func TestAnAnswerPassesOnce(t *testing.T) {
	a := newAuth(t)
	nonce := nonceFor(a, home, now)
	for _, step := range []struct {
		nc uint32
		ok bool
	}{{1, true}, {1, false}, {2, true}, {5, true}, {3, true}, {3, false}, {5, false}, {40, true}, {9, true}, {8, false}, {41, true}, {1 << 31, true}, {40, false}, {1<<32 - 1, true}, {1<<32 - 1, false}} {
		got := a.Check(login("1001", password, nonce, "MD5", step.nc), home, now)
		if want := (Result{Stale: true}); step.ok != (got.Outcome == Accept) || !step.ok && got != want {
			t.Errorf("count %d: %+v", step.nc, got)
		}
	}
}

// TestWrongAnswersAreNotRemembered: a stranger who guesses, or who replays with a broken response, costs no memory and
// uses up nobody's count.
func TestWrongAnswersAreNotRemembered(t *testing.T) {
	a := newAuth(t)
	nonce := nonceFor(a, home, now)
	for i := range uint32(4) { // a fifth locks the address out
		a.Check(login("1001", "hunter2", nonce, "MD5", i+1), home, now)
	}
	if n := a.Remembered(); n != 0 {
		t.Errorf("%d nonces remembered", n)
	}
	if got := a.Check(login("1001", password, nonce, "MD5", 1), home, now); got.Outcome != Accept {
		t.Errorf("%+v", got)
	}
}

// TestNoncesOfOneKey: a key that is given makes nonces good on other nodes and after a restart, within one realm.
func TestNoncesOfOneKey(t *testing.T) {
	key := []byte(strings.Repeat("k", 32))
	share := func(o *Options) { o.NonceKey = key }
	a, b := newAuth(t, share), newAuth(t, share)
	if got := b.Check(login("1001", password, nonceFor(a, home, now), "MD5", 1), home, now); got.Outcome != Accept {
		t.Errorf("a nonce of another node with the same key: %+v", got)
	}
	if got := newAuth(t).Check(login("1001", password, nonceFor(a, home, now), "MD5", 1), home, now); got != (Result{Stale: true}) {
		t.Errorf("a nonce of before a restart without a key: %+v", got)
	}
	other := newAuth(t, share, func(o *Options) { o.Realm = "other" })
	var x auth.Answer
	c := login("1001", password, nonceFor(a, home, now), "MD5", 1)
	c.Realm = []byte("other")
	if _, scope := other.Read(&x, c, home, other.Seconds(now)); scope != auth.Foreign {
		t.Error("a nonce of another realm passed")
	}
}

func TestNewRefuses(t *testing.T) {
	find := func([]byte, time.Time) (Line, bool) { return Line{}, false }
	for name, o := range map[string]Options{
		"no look-up": {Options: auth.Options{Realm: "x"}}, "no realm": {Line: find},
	} {
		if _, err := New(o); !errors.Is(err, auth.ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, o := range map[string]auth.Options{
		"quote": {Realm: `a"b`}, "line end": {Realm: "a\r\nb"},
		"long realm": {Realm: strings.Repeat("x", 200)}, "algorithm": {Realm: "x", Algorithms: []string{"SHA-512-256"}},
		"twice": {Realm: "x", Algorithms: []string{"MD5", "md5"}}, "no name": {Realm: "x", Algorithms: []string{""}},
		"short key": {Realm: "x", NonceKey: []byte("x")}, "short life": {Realm: "x", NonceTTL: 1},
	} {
		if _, err := New(Options{Options: o, Line: find}); !errors.Is(err, auth.ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestManyAtOnce: of one answer sent many times at once exactly one passes; others on the same nonce all pass.
func TestManyAtOnce(t *testing.T) {
	a := newAuth(t)
	nonce := nonceFor(a, home, now)
	var same, own atomic.Int64
	var wg sync.WaitGroup
	for i := range uint32(16) {
		wg.Go(func() {
			if a.Check(login("1001", password, nonce, "MD5", 1), home, now).Outcome == Accept {
				same.Add(1)
			}
			if a.Check(login("1001", password, nonceFor(a, home, now), "SHA-256", i+1), home, now).Outcome == Accept {
				own.Add(1)
			}
		})
	}
	wg.Wait()
	if same.Load() != 1 || own.Load() != 16 {
		t.Errorf("%d of one answer passed, %d of 16 own", same.Load(), own.Load())
	}
}

func TestAllocations(t *testing.T) {
	a := newAuth(t)
	dst := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { dst = a.AppendChallenge(dst[:0], true, true, home, now) }); n != 0 {
		t.Errorf("%v for a challenge", n)
	}
	wrong := login("9999", "hunter2", nonceFor(a, home, now), "SHA-256", 1)
	if n := testing.AllocsPerRun(100, func() { a.Check(wrong, home, now) }); n != 0 {
		t.Errorf("%v for a stranger's login", n)
	}
	used := login("1001", password, nonceFor(a, home, now), "MD5", 1)
	a.Check(used, home, now)
	if n := testing.AllocsPerRun(100, func() { a.Check(used, home, now) }); n != 0 {
		t.Errorf("%v for a known login", n)
	}
}

func FuzzCheck(f *testing.F) {
	a := newAuth(f)
	good := login("1001", password, nonceFor(a, home, now), "MD5", 1)
	f.Add(good.User, good.Nonce, good.URI, good.Response, good.CNonce, good.NC, good.QOP, good.Alg)
	f.Fuzz(func(t *testing.T, user, nonce, uri, response, cnonce, nc, qop, alg []byte) {
		c := &auth.Credentials{Method: []byte("INVITE"), User: user, Realm: []byte(realm), Nonce: nonce, URI: uri, Response: response, CNonce: cnonce, NC: nc, QOP: qop, Alg: alg}
		if got := a.Check(c, home, now); got.Outcome == Accept {
			t.Fatalf("%+v passed", c)
		}
	})
}

func BenchmarkChallenge(b *testing.B) {
	a := newAuth(b, func(o *Options) { o.Algorithms = nil })
	dst := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		dst = a.AppendChallenge(dst[:0], false, false, home, now)
	}
}

func BenchmarkCheckMD5(b *testing.B)    { benchmarkCheck(b, "MD5") }
func BenchmarkCheckSHA256(b *testing.B) { benchmarkCheck(b, "SHA-256") }

func fixedKey(o *Options) { o.NonceKey = make([]byte, 32) }

// forgetNonces lets answers pass again, under a key that does not change.
func (g *Guard) forgetNonces(b *testing.B) {
	var err error
	if g.Auth, err = auth.New(g.o.Options); err != nil {
		b.Fatal(err)
	}
}

func benchmarkCheck(b *testing.B, alg string) {
	a := newAuth(b, fixedKey)
	// The response is the same for all counts of a stranger; what is measured is the path of a right one up to the table.
	var logins []*auth.Credentials
	for range 4096 {
		logins = append(logins, login("1001", password, nonceFor(a, home, now), alg, 1))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i == len(logins) {
			a.forgetNonces(b)
			i = 0
		}
		if got := a.Check(logins[i], home, now); got.Outcome != Accept {
			b.Fatal(got)
		}
		i++
	}
}
