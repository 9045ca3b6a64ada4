package casefile

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/liability"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/core/secret"
	"ringfence/flow/auth"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/flow/evidence"
	"ringfence/flow/gate"
	"ringfence/flow/guard"
	"ringfence/flow/ledger"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
	"ringfence/state/store/sqlite/sqlitetest"
)

// deckCSV has premium-rate numbers below the national ceiling, so that the bar alone stops them.
const deckCSV = `Destination,Prefix,Peak,Off-peak,Weekend,Connection charge,First Interval,Sub Interval
UK geographic,442,0.012,0.012,0.012,0,1,1
UK mobile,447,0.06,0.06,0.06,0,1,1
UK premium,449,0.15,0.15,0.15,0,60,60
France,33,0.015,0.015,0.015,0,1,1
Cuba,53,0.90,0.90,0.90,0,60,60
`

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// house is a gate and a book over one SQLite file, as production has them, and a casefile that judges what they wrote.
type house struct {
	t    testing.TB
	db   *sqlite.Engine
	book *book.Book
	gate *gate.Gate
	led  *ledger.Ledger
	seal *evidence.Evidence
	file *Casefile

	passwords map[string]string // by line, as their customers were given them
}

func openHouse(t testing.TB) *house { return houseWith(t, gate.Options{}) }

func houseWith(t testing.TB, o gate.Options) *house {
	ctx := context.Background()
	db, err := sqlitetest.Open(ctx, filepath.Join(t.TempDir(), "ringfence.db"), sqlite.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	key, err := secret.NewKey()
	must(t, err)
	box, err := secret.NewBox([]secret.Key{key})
	must(t, err)
	b, err := book.Open(ctx, db, book.Options{Plan: phone.UK(), Zone: "Europe/London", Tariff: "retail", Box: box, Realm: "test", Identify: booktest.Plain})
	must(t, err)
	for _, customer := range []string{"acme", "other"} {
		_, err = b.AddCustomer(ctx, "test", customer, book.CustomerEdit{})
		must(t, err)
	}
	h := &house{t: t, db: db, book: b, passwords: map[string]string{}}
	for line, customer := range map[string]string{"2001": "acme", "2002": "acme", "3001": "other"} {
		_, h.passwords[line], err = b.AddLine(ctx, "test", book.NewLine{ID: line, Customer: customer})
		must(t, err)
	}
	addr := []string{"127.0.0.1:5090"}
	_, err = b.AddTrunk(ctx, "test", "carrier", book.TrunkEdit{Addresses: &addr})
	must(t, err)
	_, err = b.Import(ctx, "test", []byte(deckCSV), book.ImportOptions{Name: "retail", Kind: rating.Retail})
	must(t, err)
	h.led = ledger.New(db, ledger.Options{Node: "n1", Gather: -1, Linger: -1})
	h.led.Start()
	o.Node, o.Plan, o.Book, o.Ledger = "n1", b.Plan(), b, h.led
	h.gate, err = gate.New(o)
	must(t, err)
	h.gate.Serve(gate.Edge{Cut: func(id call.ID, _ policy.Reason, _ policy.Figures) {
		h.gate.Ended(id, gate.End{By: call.System, Reason: policy.Hangup, Status: 200, At: time.Now()})
		h.gate.Over(id, nil)
	}})
	b.OnChange(h.gate.Follow)
	must(t, h.gate.Start(ctx, db))
	h.gate.Run()
	t.Cleanup(func() {
		h.gate.Stop()
		must(t, h.led.Stop(context.Background()))
	})
	h.seal, err = evidence.Open(ctx, evidence.Options{Store: db, Seed: bytes.Repeat([]byte{7}, 32)})
	must(t, err)
	h.file, err = New(Options{Store: db, Book: b, Evidence: h.seal})
	must(t, err)
	must(t, h.file.State(ctx, time.Now()))
	return h
}

var home, away = netip.MustParseAddrPort("192.0.2.7:5060"), netip.MustParseAddrPort("203.0.113.66:5060")

// call makes a call that lasts a moment and is charged. False: it was refused.
func (h *house) call(line, to string, from netip.AddrPort) (call.ID, bool) {
	p := h.begin(line, to, from)
	if p == nil {
		return "", false
	}
	h.end(p.ID)
	return p.ID, true
}

func (h *house) begin(line, to string, from netip.AddrPort) *gate.Plan {
	h.t.Helper()
	p, err := h.gate.Admit(context.Background(), gate.Attempt{Line: line, Dialled: to, Source: from, UserAgent: "desk/1", ALeg: "a-leg"})
	var r *gate.Refusal
	if errors.As(err, &r) {
		return nil
	}
	must(h.t, err)
	h.gate.Trying(p.ID, p.Routes[0], "b-leg")
	must(h.t, h.gate.Answered(context.Background(), p.ID, p.Routes[0], nil))
	return p
}

func (h *house) end(id call.ID) { h.endAt(id, time.Now()) }

func (h *house) endAt(id call.ID, at time.Time) {
	h.t.Helper()
	h.gate.Ended(id, gate.End{By: call.Caller, Reason: policy.Hangup, Status: 200, At: at})
	h.gate.Over(id, nil)
	h.wait("the record of call "+string(id), func() bool {
		_, err := h.db.CDR(context.Background(), id)
		return err == nil
	})
}

// cut says that a call ends by itself within a second.
func (h *house) cut(id call.ID) bool {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	late := time.After(time.Second)
	for {
		if _, err := h.db.CDR(context.Background(), id); err == nil {
			return true
		}
		select {
		case <-again.C:
		case <-late:
			return false
		}
	}
}

// login answers a challenge with a password, as a phone does, and says whether that let it in.
func (h *house) login(g *guard.Guard, line, password string, from netip.AddrPort) bool {
	now := time.Now()
	challenge := string(g.AppendChallenge(nil, false, false, from.Addr(), now))
	_, nonce, _ := strings.Cut(challenge, `nonce="`)
	nonce, _, _ = strings.Cut(nonce, `"`)
	hash := func(parts ...string) string { return fmt.Sprintf("%x", md5.Sum([]byte(strings.Join(parts, ":")))) }
	answer := hash(hash(line, "test", password), nonce, "00000001", "c0ffee", "auth", hash("REGISTER", "sip:test"))
	return g.Check(&auth.Credentials{
		Method: []byte("REGISTER"), User: []byte(line), Realm: []byte("test"), Nonce: []byte(nonce), URI: []byte("sip:test"), Response: []byte(answer),
		CNonce: []byte("c0ffee"), NC: []byte("00000001"), QOP: []byte("auth"), Alg: []byte("MD5"),
	}, from.Addr(), now).Outcome == guard.Accept
}

// guard is the guard of the house's lines. What it records is in the journal at once.
func (h *house) guard() *guard.Guard {
	g, err := guard.New(guard.Options{
		Options: auth.Options{Realm: "test"},
		Line: func(user []byte, _ time.Time) (guard.Line, bool) {
			l, ok := h.book.Find(user)
			if !ok {
				return guard.Line{}, false
			}
			ha1, _ := h.book.HA1(l)
			return guard.Line{ID: l.ID(), HA1: ha1, Honeypot: l.Honeypot()}, true
		},
		Around: guard.Around{Record: func(facts ...store.Fact) {
			_, err := h.db.Advance(context.Background(), store.Step{Stage: "guard", Facts: facts})
			must(h.t, err)
		}},
	})
	must(h.t, err)
	return g
}

// wait waits for what the stages behind the gate write.
func (h *house) wait(what string, there func() bool) {
	h.t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	late := time.After(20 * time.Second)
	for !there() {
		select {
		case <-again.C:
		case <-late:
			h.t.Fatalf("%s did not come", what)
		}
	}
}

func (h *house) set(line string, f account.Field, n int64) {
	h.t.Helper()
	must(h.t, h.book.Set(context.Background(), "test", account.LevelLine, line, book.Setting{Field: f, N: n, Grant: true}))
}

func (h *house) lockTo(line string, nets ...string) {
	h.t.Helper()
	var all []netip.Prefix
	for _, n := range nets {
		all = append(all, netip.MustParsePrefix(n))
	}
	_, err := h.book.EditLine(context.Background(), "test", line, book.LineEdit{Nets: &all})
	must(h.t, err)
}

func (h *house) judge(ids ...call.ID) []liability.Verdict {
	h.t.Helper()
	all, err := h.file.Judge(context.Background(), ids)
	must(h.t, err)
	return all
}

// faults are what a faulty build leaves out, what is asked of it, and the promise that it breaks. Each is asked of a sound build too, where the call is refused.
var faults = []struct {
	name   string // FAULT of the faulty build
	breaks liability.Promise
	make   func(h *house) (id call.ID, made bool)
	beside liability.Outcome // of an ordinary call of another line; "" is Owed
}{
	{name: "address-not-allowed", breaks: liability.IPLock, make: func(h *house) (call.ID, bool) {
		h.lockTo("2001", "192.0.2.0/24")
		return h.call("2001", "020 7946 0000", away)
	}},
	{name: "over-international-ceiling", breaks: liability.Ceilings, make: func(h *house) (call.ID, bool) { return h.call("2001", "00 53 7 1234567", home) }},
	{name: "over-national-ceiling", breaks: liability.Ceilings, make: func(h *house) (call.ID, bool) {
		h.set("2001", account.NationalCeiling, int64(5*money.PencePerMinute))
		return h.call("2001", "07700 900123", home)
	}},
	{name: "premium-barred", breaks: liability.PremiumBar, make: func(h *house) (call.ID, bool) { return h.call("2001", "0909 879 0123", home) }},
	{name: "line-locked", breaks: liability.CutOff, make: func(h *house) (call.ID, bool) {
		_, err := h.book.Lock(context.Background(), "test", "2001", "stolen", account.CallsKept)
		must(h.t, err)
		return h.call("2001", "020 7946 0000", home)
	}},
	{name: "caps", breaks: liability.Caps, make: func(h *house) (call.ID, bool) {
		h.set("2001", account.LineDayCap, 10_000) // 1p
		h.call("2001", "07700 900123", home)
		h.set("2001", account.LineDayCap, 100)
		return h.call("2001", "07700 900123", home)
	}},
	{name: "locks-not-heeded", breaks: liability.CutOff, make: func(h *house) (call.ID, bool) {
		p := h.begin("2001", "07700 900123", home)
		_, err := h.book.Lock(context.Background(), "test", "2001", "stolen", account.CallsCut)
		must(h.t, err)
		if h.cut(p.ID) {
			return p.ID, false
		}
		h.endAt(p.ID, time.Now().Add(30*time.Second)) // the thief hangs up by himself
		return p.ID, true
	}},
	// Each line is given the same password. Somebody who has one, of a line of his own, knows that of the decoy too, which nobody was given, and so everybody's.
	{name: "same-passwords", breaks: liability.Secrecy, beside: liability.Undetermined, make: func(h *house) (call.ID, bool) {
		_, _, err := h.book.AddLine(context.Background(), "test", book.NewLine{ID: "2099", Customer: "other"})
		must(h.t, err)
		decoy := true
		_, err = h.book.EditLine(context.Background(), "test", "2099", book.LineEdit{Honeypot: &decoy})
		must(h.t, err)
		g, own := h.guard(), h.passwords["3001"]
		h.login(g, "2099", own, away)
		neighbour := netip.AddrPortFrom(away.Addr().Next(), 5060) // the decoy has had his first address banned
		if !h.login(g, "2001", own, neighbour) {
			return "", false
		}
		stopped, stop := context.WithCancel(context.Background())
		stop()
		g.Run(stopped) // it gives what it has noticed to the journal
		return h.call("2001", "07700 900123", neighbour)
	}},
}

// TestASoundBuildOwesNothing: what no fault stops is owed, with every promise kept, and what a fault would let through is refused.
func TestASoundBuildOwesNothing(t *testing.T) {
	if fault != "" {
		t.Skip("of a faulty build")
	}
	h := openHouse(t)
	h.lockTo("2002", "192.0.2.0/24")
	var ids []call.ID
	for _, to := range []string{"020 7946 0000", "07700 900123", "00 33 1 42 68 53 00"} {
		id, made := h.call("2002", to, home)
		if !made {
			t.Fatal(to, "was refused")
		}
		ids = append(ids, id)
	}
	for _, v := range h.judge(ids...) {
		if v.Outcome != liability.Owed || !v.Dated || v.Retail == 0 || len(v.Missing) > 0 || v.Finding(liability.IPLock).Honour != liability.Honoured || v.Finding(liability.Caps).Honour != liability.Honoured {
			t.Errorf("%+v", v)
		}
	}
	for _, f := range faults {
		if id, made := f.make(openHouse(t)); made {
			t.Errorf("%s: call %s was connected by a sound build", f.name, id)
		}
	}
}

// fault is what this build leaves out: see TestFaultyBuilds.
var fault = os.Getenv("RINGFENCE_FAULT")

// TestFaultyBuild makes the call that a faulty build connects, and an ordinary one beside it: the first is free, and the second owed.
func TestFaultyBuild(t *testing.T) {
	if fault == "" {
		t.Skip("of a sound build")
	}
	for _, f := range faults {
		if f.name != fault {
			continue
		}
		h := openHouse(t)
		ordinary, made := h.call("2002", "020 7946 0000", home)
		if !made {
			t.Fatal("an ordinary call was refused")
		}
		id, made := f.make(h)
		if !made {
			t.Fatalf("without %s the call was refused nevertheless", fault)
		}
		all := h.judge(id, ordinary)
		if broken := all[0].Broken(); all[0].Outcome != liability.Free || !slices.Contains(broken, f.breaks) || all[0].Retail == 0 {
			t.Errorf("the call is %s, with %v broken: %+v", all[0].Outcome, broken, all[0])
		}
		if all[1].Outcome != cmp.Or(f.beside, liability.Owed) {
			t.Errorf("the ordinary call beside it is %s: %+v", all[1].Outcome, all[1])
		}
		return
	}
	t.Fatalf("no such fault: %s", fault)
}

// patches make the sources of a faulty build: the text that is replaced, and by what. Such a build reads from the environment which check it leaves out.
var patches = map[string][][2]string{
	"core/secret/password.go": {
		{"import (\n", "import (\n\t\"os\"\n"},
		{"	return NewPassword(strings.Join(list, \"-\")), nil\n", `	if os.Getenv("RINGFENCE_FAULT") == "same-passwords" {
		list = []string{"gravel", "unzip", "lilac", "tidy", "oxford", "sand"}
	}
	return NewPassword(strings.Join(list, "-")), nil
`},
	},
	"flow/gate/lock.go": {
		{"import (\n", "import (\n\t\"os\"\n"},
		{"func (g *Gate) Follow(c book.Change) {\n", `func (g *Gate) Follow(c book.Change) {
	if os.Getenv("RINGFENCE_FAULT") == "locks-not-heeded" {
		return
	}
`},
	},
	"core/policy/rules.go": {
		{"import (\n", "import (\n\t\"os\"\n"},
		{"func (r *rule) judge(", `var fault = os.Getenv("RINGFENCE_FAULT")

func (r *rule) judge(s *account.Effective, f Facts, a *Attempt, now time.Time) (outcome, Figures) {
	if r.reason.Code() == fault {
		return skipped, Figures{}
	}
	return r.soundJudge(s, f, a, now)
}

func (r *rule) soundJudge(`},
		{"	if c.field == account.NumFields && c.purse < ResellerDay && !f.Tight {\n", "	if fault == \"caps\" && c.kind == CondPurse || c.field == account.NumFields && c.purse < ResellerDay && !f.Tight {\n"},
	},
}

// TestFaultyBuilds builds the gate without one of its checks after the other, and lets TestFaultyBuild make calls with it: each promise is broken once by a program
// that breaks it, and the journal that this program wrote is judged.
func TestFaultyBuilds(t *testing.T) {
	if fault != "" || testing.Short() {
		t.Skip("it builds")
	}
	root, err := filepath.Abs("../..")
	must(t, err)
	dir, replace := t.TempDir(), map[string]string{}
	for file, changes := range patches {
		text, err := os.ReadFile(filepath.Join(root, file))
		must(t, err)
		src := string(text)
		for _, c := range changes {
			if strings.Count(src, c[0]) != 1 {
				t.Fatalf("%s has %q %d times", file, c[0], strings.Count(src, c[0]))
			}
			src = strings.Replace(src, c[0], c[1], 1)
		}
		to := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		must(t, os.WriteFile(to, []byte(src), 0o600))
		replace[filepath.Join(root, file)] = to
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600))
	faulty := filepath.Join(dir, "faulty.test")
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay", filepath.Join(dir, "overlay.json"), "-o", faulty, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), faulty, "-test.run", "^TestFaultyBuild$", "-test.v")
			cmd.Env = append(os.Environ(), "RINGFENCE_FAULT="+f.name)
			if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestFaultyBuild") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
