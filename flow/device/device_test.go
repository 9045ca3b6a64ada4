package device_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"ringfence/core/fact"
	"ringfence/flow/device"
	"ringfence/state/geo"
	"ringfence/state/store"
)

var ctx = context.Background()

// memory is a store of devices whose writes can be lost, or persisted although an error is answered.
type memory struct {
	store.Stages
	mu     sync.Mutex
	rows   map[[3]string]store.Device
	facts  []store.Fact
	writes int
	puts   int
	breaks string // "", "lost", "persisted"
}

var errBroken = errors.New("disk I/O error")

func (m *memory) Devices(_ context.Context, yield func(store.Device) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.rows {
		if err := yield(r); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) SaveDevices(_ context.Context, put, drop []store.Device, facts ...store.Fact) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.breaks == "lost" {
		return errBroken
	}
	if m.rows == nil {
		m.rows = map[[3]string]store.Device{}
	}
	for _, r := range drop {
		delete(m.rows, [3]string{r.Line, r.Place, r.Family})
	}
	for _, r := range put {
		k := [3]string{r.Line, r.Place, r.Family}
		if r.Verdict == "" {
			r.Verdict = m.rows[k].Verdict
		}
		m.rows[k] = r
	}
	m.facts = append(m.facts, facts...)
	m.writes++
	m.puts += len(put)
	if m.breaks == "persisted" {
		return errBroken
	}
	return nil
}

func (m *memory) count() (n struct{ rows, facts int }) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n.rows, n.facts = len(m.rows), len(m.facts)
	return n
}

func (m *memory) breakAs(how string) {
	m.mu.Lock()
	m.breaks = how
	m.mu.Unlock()
}

// world places addresses: 192.0.2.x and 198.51.100.x are AS 64500 in GB, 203.0.113.x is a hosting network in CU,
// 2001:db8::/32 is AS 64501 in GB up to :1::, IE above; others are unknown.
func world(a netip.Addr) geo.Place {
	s := a.String()
	switch {
	case strings.HasPrefix(s, "192.0.2."), strings.HasPrefix(s, "198.51.100."):
		return geo.Place{Country: "GB", ASN: 64500, Network: "Example Mobile"}
	case strings.HasPrefix(s, "203.0.113."):
		return geo.Place{Country: "CU", ASN: 24940, Network: "Example Hosting"}
	case strings.HasPrefix(s, "2001:db8:1:"):
		return geo.Place{Country: "GB", ASN: 64501, Network: "Example Europe"}
	case strings.HasPrefix(s, "2001:db8:"):
		return geo.Place{Country: "IE", ASN: 64501, Network: "Example Europe"}
	}
	return geo.Place{}
}

func options(m *memory) device.Options {
	return device.Options{Store: m, Place: world, Account: func(string) string { return "acme" }}
}

func load(t testing.TB, o device.Options) *device.Devices {
	t.Helper()
	d := device.New(o)
	if err := d.Load(ctx); err != nil {
		t.Fatal(err)
	}
	return d
}

func login(addr, agent string) device.Login {
	return device.Login{Line: "100", Addr: netip.MustParseAddr(addr), Agent: agent, At: time.Now()}
}

// told flushes and gives "kind new family place" of the facts since.
func told(t testing.TB, d *device.Devices, m *memory) string {
	t.Helper()
	m.mu.Lock()
	m.facts = nil
	m.mu.Unlock()
	if err := d.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range m.facts {
		var b struct{ New, Family, Place string }
		if err := json.Unmarshal(f.Body, &b); err != nil || f.Line != "100" || f.Account != "acme" {
			t.Fatalf("%+v: %v", f, err)
		}
		out = append(out, strings.Join(strings.Fields(strings.Join([]string{strings.TrimPrefix(f.Kind, "device."), b.New, b.Family, b.Place}, " ")), " "))
	}
	return strings.Join(out, "; ")
}

const yealink = "Yealink SIP-T46S 66.84.0.15"

// A phone's life: each step is a login and what is told of it.
func TestWhatIsNewAndWhatIsNot(t *testing.T) {
	m := &memory{}
	d := load(t, options(m))
	for _, step := range []struct{ name, addr, agent, want string }{
		{"first phone", "192.0.2.7", yealink, "new both yealink sip-t46s AS64500"},
		{"again", "192.0.2.7", yealink, ""},
		{"firmware", "192.0.2.7", "Yealink SIP-T46S 66.86.0.20", ""},
		{"roams in its network", "198.51.100.9", yealink, ""},
		{"a softphone there", "192.0.2.7", "Linphone/4.4 (belle-sip/5.0)", "new agent linphone AS64500"},
		{"the softphone in an unknown network", "10.1.2.3", "Linphone/4.5 (belle-sip/5.1)", "new address linphone 10.1.2.0/24"},
		{"a neighbour's address there", "10.1.2.99", "Linphone/4.5", ""},
		{"the phone carried there", "10.1.2.4", yealink, ""}, // both are known, each from another
		{"a thief", "203.0.113.5", "sipcli/v1.8", "new both sipcli 203.0.113.0/24"},
		{"his neighbour in the hosting network", "203.0.113.200", "sipcli/v1.8", ""},
		{"mapped address", "::ffff:192.0.2.7", yealink, ""},
		{"no agent", "192.0.2.7", "", "new agent AS64500"},
		{"IPv6", "2001:db8:1::1", yealink, "new address yealink sip-t46s AS64501"},
		{"another address of the /56", "2001:db8:1:0:2::1", yealink, ""},
		{"the same network in another country", "2001:db8:2::1", yealink, "moved yealink sip-t46s AS64501"},
	} {
		d.Seen(login(step.addr, step.agent))
		if got := told(t, d, m); got != step.want {
			t.Errorf("%s: %q, want %q", step.name, got, step.want)
		}
	}
	fresh := load(t, options(m))
	if got, want := keys(fresh.Of("100")), keys(d.Of("100")); got != want || fresh.Len() != 7 {
		t.Errorf("read again:\n%s\nwant\n%s", got, want)
	}
	fresh.Seen(login("203.0.113.77", "sipcli/v2.0"))
	fresh.Seen(login("192.0.2.1", yealink))
	if got := told(t, fresh, m); got != "" {
		t.Errorf("after a restart known devices are new: %q", got)
	}
}

func keys(rows []store.Device) string {
	var out []string
	for _, r := range rows {
		out = append(out, fmt.Sprintln(r.Line, r.Place, r.Family, r.Country, r.ASN, r.Network, r.First, r.Count, r.Verdict))
	}
	slices.Sort(out)
	return strings.Join(out, "")
}

func TestFactHoldsWhatIsNeededToJudge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		o := options(m)
		o.Elsewhere = func(line string, addr netip.Addr, _ time.Time) []netip.Addr {
			return []netip.Addr{addr, netip.MustParseAddr("::ffff:192.0.2.7"), {}}
		}
		d := load(t, o)
		began := time.Now().UTC().Format(time.RFC3339)
		d.Seen(login("192.0.2.7", yealink))
		<-time.After(time.Hour)
		l := login("203.0.113.5", "evil\r\n<b>\x00\u202e 1.0")
		l.Failures, l.AfterLock, l.Call = 3, true, true
		d.Seen(l)
		if err := d.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		want := `{"address":"203.0.113.5","agent":"evil\u003cb\u003e 1.0","family":"evil b","place":"203.0.113.0/24","country":"CU","asn":24940,` +
			`"network":"Example Hosting","hosting":true,"new":"both","first":false,"failures":3,"after_lock":true,"call":true,` +
			`"elsewhere":[{"address":"192.0.2.7","country":"GB"}],` +
			`"last":{"address":"192.0.2.7","country":"GB","asn":64500,"network":"Example Mobile","at":"` + began + `"}}`
		if got := string(m.facts[1].Body); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if !strings.Contains(string(m.facts[0].Body), `"first":true`) || strings.Contains(string(m.facts[0].Body), `"last"`) {
			t.Errorf("first: %s", m.facts[0].Body)
		}
	})
}

func TestUsualPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		d := load(t, options(m))
		usual := func(addr string) bool { return d.Usual("100", netip.MustParseAddr(addr)) }
		check := func(when, addr string, want bool) {
			t.Helper()
			if usual(addr) != want {
				t.Errorf("%s: %s is usual: %v", when, addr, !want)
			}
		}
		answer := func(place, family, v string) {
			t.Helper()
			if err := d.SetVerdict(ctx, "100", place, family, v, "anna"); err != nil {
				t.Fatal(err)
			}
		}
		check("before", "192.0.2.7", false)
		d.Seen(login("192.0.2.7", yealink))
		d.Seen(login("10.1.2.3", "Linphone/4.4"))
		d.Seen(login("203.0.113.5", "sipcli"))
		check("used", "192.0.2.7", true)
		check("same AS", "198.51.100.1", true)
		check("same /24", "10.1.2.77", true)
		check("mapped", "::ffff:10.1.2.3", true)
		check("another", "10.1.3.3", false)
		check("hosting neighbour in another /24", "2001:db8::1", false)
		if d.Usual("101", netip.MustParseAddr("192.0.2.7")) || d.Usual("100", netip.Addr{}) {
			t.Error("another line's, or no address, is usual")
		}
		answer("203.0.113.0/24", "sipcli", device.NotMine)
		check("disowned", "203.0.113.5", false)
		d.Seen(login("203.0.113.6", "sipcli"))
		d.Seen(login("203.0.113.6", yealink))
		check("disowned, and used again", "203.0.113.6", false)
		answer("10.1.2.0/24", "", device.Mine)
		<-time.After(31 * 24 * time.Hour)
		check("long ago", "192.0.2.7", false)
		check("long ago, and mine", "10.1.2.9", true)
		d = load(t, options(m))
		check("read again", "10.1.2.9", true)
		check("read again", "203.0.113.6", false)
		answer("10.1.2.0/24", "linphone", "")
		check("answer taken back", "10.1.2.9", false)
		d = load(t, options(m))
		check("answer taken back, read again", "10.1.2.9", false)
	})
}

func TestAnswersThatAreRefused(t *testing.T) {
	m := &memory{}
	d := load(t, options(m))
	d.Seen(login("192.0.2.7", yealink))
	for name, c := range map[string]struct {
		err, want error
	}{
		"answer": {d.SetVerdict(ctx, "100", "AS64500", "yealink sip-t46s", "maybe", "x"), device.ErrVerdict},
		"line":   {d.SetVerdict(ctx, "101", "AS64500", "yealink sip-t46s", device.Mine, "x"), device.ErrNotFound},
		"place":  {d.SetVerdict(ctx, "100", "AS64501", "yealink sip-t46s", device.Mine, "x"), device.ErrNotFound},
		"family": {d.SetVerdict(ctx, "100", "AS64500", "snom", device.Mine, "x"), device.ErrNotFound},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	for range 2 { // a link used twice
		if err := d.SetVerdict(ctx, "100", "192.0.2.0/24", "yealink sip-t46s", device.Mine, "anna"); err != nil {
			t.Error(err)
		}
	}
	var verdicts []string
	for _, f := range m.facts {
		if f.Kind == fact.KindDeviceVerdict {
			verdicts = append(verdicts, string(f.Body))
		}
	}
	if len(verdicts) != 1 || verdicts[0] != `{"by":"anna","family":"yealink sip-t46s","place":"192.0.2.0/24","verdict":"mine"}` {
		t.Errorf("%v", verdicts)
	}
	m.breakAs("lost")
	if err := d.SetVerdict(ctx, "100", "AS64500", "", device.NotMine, "anna"); !errors.Is(err, errBroken) {
		t.Errorf("an answer that was not stored: %v", err)
	}
	if d.Usual("100", netip.MustParseAddr("192.0.2.7")) {
		t.Error("it is not in force all the same")
	}
}

func TestTrustNeedsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		d := load(t, options(m))
		home, thief := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("203.0.113.5")
		check := func(when string, a netip.Addr, want bool) {
			t.Helper()
			net, _ := a.Prefix(16)
			in, ok := d.TrustedIn(net)
			one, okOne := d.TrustedIn(netip.PrefixFrom(a, a.BitLen()))
			if d.Trusted(a) != want || ok != want || okOne != want || want && (in != a || one != a) {
				t.Errorf("%s: %v trusted: %v, in its network %v %v", when, a, !want, in, ok)
			}
		}
		see := func() {
			d.Seen(login("192.0.2.7", yealink))
			d.Seen(login("203.0.113.5", "sipcli"))
			d.Seen(device.Login{Line: "101", Addr: thief, Agent: "sipcli", At: time.Now()})
		}
		see()
		check("at once", home, false)
		<-time.After(25 * time.Hour)
		see()
		check("after a day", home, true)
		check("after a day", thief, true)
		check("neighbour", netip.MustParseAddr("172.16.0.1"), false)
		if err := d.SetVerdict(ctx, "100", "203.0.113.0/24", "", device.NotMine, "anna"); err != nil {
			t.Fatal(err)
		}
		check("disowned by one, used by another line", thief, true)
		if err := d.SetVerdict(ctx, "101", "203.0.113.0/24", "", device.NotMine, "anna"); err != nil {
			t.Fatal(err)
		}
		check("disowned by all", thief, false)
		see()
		check("disowned, and back", thief, false)
		d = load(t, options(m))
		check("read again", home, true)
		check("read again", thief, false)
		d.Seen(login("10.0.0.1", yealink))
		if err := d.SetVerdict(ctx, "100", "10.0.0.0/24", "", device.Mine, "anna"); err != nil {
			t.Fatal(err)
		}
		check("mine needs no time", netip.MustParseAddr("10.0.0.1"), true)
		<-time.After(31 * 24 * time.Hour)
		check("long ago", home, false)
		if _, ok := d.TrustedIn(netip.Prefix{}); ok || d.Trusted(netip.Addr{}) {
			t.Error("nothing is trusted")
		}
	})
}

// Guards: a login that gives 1,000 names must neither fill the journal nor push the owner's phone out.
func TestBurstOfNamesIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		o := options(m)
		var many []store.Fact
		var manyMu sync.Mutex
		o.Record = func(facts ...store.Fact) {
			manyMu.Lock()
			defer manyMu.Unlock()
			many = append(many, facts...)
		}
		summed := func() []store.Fact {
			manyMu.Lock()
			defer manyMu.Unlock()
			return slices.Clone(many)
		}
		run, stop := context.WithCancel(ctx)
		d := load(t, o)
		var running sync.WaitGroup
		running.Go(func() { d.Run(run) })
		d.Seen(login("192.0.2.7", yealink))
		<-time.After(25 * time.Hour)
		d.Seen(login("192.0.2.7", yealink))
		for i := range 1000 {
			d.Seen(login("203.0.113.5", fmt.Sprintf("made-up-%d-%s", i, strings.Repeat("x", i%90))))
			if i%100 == 0 {
				<-time.After(6 * time.Second)
			}
		}
		<-time.After(6 * time.Second)
		if n := len(d.Of("100")); n != 32 || d.Len() != 32 || m.count().rows != 32 {
			t.Errorf("%d devices, %d counted, %d stored", n, d.Len(), m.count().rows)
		}
		if !d.Usual("100", netip.MustParseAddr("192.0.2.7")) {
			t.Error("the owner's phone was pushed out")
		}
		if m.count().facts != 1+device.MaxFacts || len(summed()) != 0 {
			t.Errorf("%d facts one by one, %d summed before the hour was over", m.count().facts, len(summed()))
		}
		<-time.After(time.Hour)
		if many := summed(); len(many) != 1 || many[0].Kind != fact.KindDeviceMany || many[0].Line != "100" || many[0].Account != "acme" ||
			!strings.Contains(string(many[0].Body), `"count":990,`) || strings.Count(string(many[0].Body), "203.0.113.5") != 5 {
			t.Errorf("summed: %+v", many)
		}
		d.Seen(login("203.0.113.5", "yet another"))
		<-time.After(6 * time.Second)
		if m.count().facts != 2+device.MaxFacts {
			t.Errorf("the next hour has no share of its own: %d facts", m.count().facts)
		}
		for i := range 20 {
			d.Seen(login("203.0.113.5", fmt.Sprintf("last-%c", 'a'+i)))
		}
		stop()
		running.Wait()
		if len(many) != 2 {
			t.Errorf("at the end %d summed facts", len(many))
		}
	})
}

func TestWritesAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		d := load(t, options(m))
		for i := range 24 * 60 {
			d.Seen(login("192.0.2.7", yealink))
			d.Seen(login([]string{"198.51.100.1", "192.0.2.9"}[i%2], "Linphone/4.4")) // roams all the time
			if err := d.Flush(ctx); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Minute)
		}
		if m.puts > 2*25 {
			t.Errorf("%d rows written in a day of two devices", m.puts)
		}
		rows := d.Of("100")
		if len(rows) != 2 || rows[0].Count != 1 && rows[0].Count != 2 || rows[0].Last.Sub(rows[0].First) != 24*time.Hour-time.Minute {
			t.Errorf("%+v", rows)
		}
	})
}

// Guards: after a write that failed, whether it was persisted or not, each new device is told exactly once.
func TestFailedWriteIsTriedAgainOnce(t *testing.T) {
	for _, how := range []string{"lost", "persisted"} {
		m := &memory{}
		d := load(t, options(m))
		d.Seen(login("192.0.2.7", yealink))
		m.breakAs(how)
		if err := d.Flush(ctx); !errors.Is(err, errBroken) {
			t.Fatal(err)
		}
		d.Seen(login("192.0.2.8", yealink)) // goes on meanwhile
		d.Seen(login("10.0.0.1", yealink))
		_ = d.Flush(ctx)
		m.breakAs("")
		if err := d.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		if len(m.facts) != 2 || len(m.rows) != 2 {
			t.Errorf("%s: %d facts, %d rows", how, len(m.facts), len(m.rows))
		}
		writes := m.writes
		if err := d.Flush(ctx); err != nil || m.writes != writes {
			t.Errorf("%s: nothing to write, and it was written", how)
		}
	}
}

func TestForgottenLine(t *testing.T) {
	m := &memory{}
	d := load(t, options(m))
	d.Seen(login("192.0.2.7", yealink))
	if err := d.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	d.Seen(login("10.0.0.1", yealink))
	d.Forget("100")
	if d.Len() != 0 || len(d.Of("100")) != 0 || d.Usual("100", netip.MustParseAddr("192.0.2.7")) {
		t.Error("it is still known")
	}
	if got := told(t, d, m); got != "" || len(m.rows) != 0 {
		t.Errorf("told %q, %d rows left", got, len(m.rows))
	}
	d.Seen(login("192.0.2.7", yealink))
	if got := told(t, d, m); got != "new both yealink sip-t46s AS64500" || len(m.rows) != 1 {
		t.Errorf("made again: %q", got)
	}
}

// Guards: a country or ASN file that comes, goes or changes must not make every phone a new one.
func TestNetworksBecomeKnown(t *testing.T) {
	m := &memory{}
	o := options(m)
	known := false
	o.Place = func(a netip.Addr) geo.Place {
		if !known {
			return geo.Place{}
		}
		return world(a)
	}
	d := load(t, o)
	d.Seen(login("192.0.2.7", yealink))
	d.Seen(login("198.51.100.7", yealink))
	if got := told(t, d, m); strings.Count(got, "new") != 2 || len(m.rows) != 2 {
		t.Fatalf("%q", got)
	}
	for _, known = range []bool{true, false, true} {
		for _, addr := range []string{"198.51.100.8", "192.0.2.8", "192.0.2.7", "198.51.100.7"} {
			if !known && strings.HasPrefix(addr, "192") {
				continue // a stranger's network, as long as nothing is known of it
			}
			d.Seen(login(addr, yealink))
			if got := told(t, d, m); got != "" {
				t.Errorf("known %v, %s: %q", known, addr, got)
			}
		}
		if len(d.Of("100")) != d.Len() || len(m.rows) != d.Len() {
			t.Errorf("known %v: %d devices, %d counted, %d rows", known, len(d.Of("100")), d.Len(), len(m.rows))
		}
	}
	if rows := d.Of("100"); len(rows) != 1 || rows[0].Place != "AS64500" {
		t.Errorf("%+v", rows)
	}
}

// Guards: an AS that the table of hosting networks names in a later version must not make rows unreadable, nor its phones new.
func TestNetworkTurnsOutToBeHosting(t *testing.T) {
	row := store.Device{
		Line: "100", Place: "AS24940", Family: "yealink sip-t46s", Address: "203.0.113.5", Agent: yealink, ASN: 24940, Country: "CU",
		Network: "Example", First: time.Now().Add(-time.Hour).UTC(), Last: time.Now().UTC(), Count: 3,
	}
	m := &memory{rows: map[[3]string]store.Device{{row.Line, row.Place, row.Family}: row}}
	d := load(t, options(m))
	if rows := d.Of("100"); len(rows) != 1 || rows[0].Place != "AS24940" {
		t.Fatalf("%+v", rows)
	}
	d.Seen(login("203.0.113.5", "Yealink SIP-T46S 66.90.0.1"))
	if got := told(t, d, m); got != "" || len(m.rows) != 1 {
		t.Errorf("told %q, %d rows", got, len(m.rows))
	}
	if rows := d.Of("100"); len(rows) != 1 || rows[0].Place != "203.0.113.0/24" || rows[0].Count != 3 {
		t.Errorf("%+v", rows)
	}
}

// Guards: fewer devices a line than before, by configuration, keeps the ones known best and lets the others go.
func TestFewerDevicesThanAreStored(t *testing.T) {
	m := &memory{rows: map[[3]string]store.Device{}}
	for i := range 10 {
		at := time.Now().Add(-time.Duration(i) * time.Minute).UTC()
		r := store.Device{Line: "100", Place: fmt.Sprintf("10.0.%d.0/24", i), Family: "x", Address: fmt.Sprintf("10.0.%d.1", i), First: at, Last: at, Count: int64(i/8) + 1}
		m.rows[[3]string{r.Line, r.Place, r.Family}] = r
	}
	o := options(m)
	o.MaxPerLine = 4
	d := load(t, o)
	if err := d.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, r := range d.Of("100") {
		kept = append(kept, r.Address)
	}
	if got := strings.Join(kept, " "); got != "10.0.0.1 10.0.1.1 10.0.8.1 10.0.9.1" || d.Len() != 4 || len(m.rows) != 4 {
		t.Errorf("kept %s, %d counted, %d rows", got, d.Len(), len(m.rows))
	}
}

func TestHostileLogins(t *testing.T) {
	m := &memory{}
	d := load(t, options(m))
	d.Seen(device.Login{Line: "100", At: time.Now()})
	for _, agent := range []string{strings.Repeat("A", 8192), "\xff\xfe\x00", "<script>", strings.Repeat("é", 5000)} {
		d.Seen(login("192.0.2.7", agent))
	}
	for _, r := range d.Of("100") {
		if len(r.Agent) > 200 || len(r.Family) > 60 || strings.Contains(r.Agent, "\x00") || !utf8.ValidString(r.Agent) {
			t.Errorf("%q %q", r.Agent, r.Family)
		}
	}
	m.rows = map[[3]string]store.Device{
		{"1"}: {Line: "100", Place: "x", Address: "nowhere"}, {"2"}: {Line: "100", Place: "AS1", Address: "192.0.2.7", ASN: 1 << 40},
		{"3"}: {Line: "100", Place: "192.0.2.0/24", Address: "192.0.2.7", Verdict: "odd"}, {"4"}: {Line: "100", Place: "192.0.2.0/24", Address: "192.0.2.7"},
	}
	if d := load(t, options(m)); d.Len() != 1 {
		t.Errorf("%d of 4 rows were read", d.Len())
	}
}

// TestTogether is for the race detector.
func TestTogether(t *testing.T) {
	m := &memory{}
	d := load(t, options(m))
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				l := login(fmt.Sprintf("10.%d.%d.1", g, i%50), fmt.Sprintf("phone-%c", 'a'+i%20))
				l.Line = fmt.Sprint(i % 7)
				d.Seen(l)
				d.Usual(l.Line, l.Addr)
				d.Trusted(l.Addr)
				d.TrustedIn(netip.PrefixFrom(l.Addr, 8))
				d.Of(l.Line)
				switch i % 100 {
				case 3:
					_ = d.Flush(ctx)
				case 4:
					_ = d.SetVerdict(ctx, l.Line, l.Addr.String()+"/24", "", device.NotMine, "x")
				case 5:
					d.Forget(l.Line)
				}
			}
		})
	}
	wg.Wait()
	if err := d.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	n := 0
	for i := range 7 {
		n += len(d.Of(fmt.Sprint(i)))
	}
	if n != d.Len() || len(m.rows) != n {
		t.Errorf("%d devices, %d counted, %d stored", n, d.Len(), len(m.rows))
	}
	fresh := load(t, options(m))
	for i := range 7 {
		got, want := fresh.Of(fmt.Sprint(i)), d.Of(fmt.Sprint(i))
		if !slices.EqualFunc(got, want, func(a, b store.Device) bool { return a.Verdict == b.Verdict }) && len(got) != len(want) {
			t.Errorf("line %d: %d stored, %d in memory", i, len(got), len(want))
		}
	}
}

// Own is of the very address, where Usual is of the network.
func TestOwnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := load(t, options(&memory{}))
		d.Seen(login("192.0.2.7", yealink))
		d.Seen(login("203.0.113.5", "sipcli"))
		if err := d.SetVerdict(ctx, "100", "203.0.113.0/24", "sipcli", device.NotMine, "anna"); err != nil {
			t.Fatal(err)
		}
		own := func(when, addr string, want bool) {
			t.Helper()
			if got := d.Own("100", netip.MustParseAddr(addr)); got != want {
				t.Errorf("%s: %s: %v", when, addr, got)
			}
		}
		own("used", "::ffff:192.0.2.7", true)
		own("its neighbour", "192.0.2.8", false)
		own("disowned", "203.0.113.5", false)
		<-time.After(31 * 24 * time.Hour)
		own("long ago", "192.0.2.7", false)
	})
}

// TestCheckSaysWhetherPlacesAreKnown: without files of networks, a login from far away looks like any other.
func TestCheckSaysWhetherPlacesAreKnown(t *testing.T) {
	for want, o := range map[string]device.Options{
		"warning no files of countries and networks": {},
		"ok 2 files of countries and networks":       {Files: func() int { return 2 }},
	} {
		got := device.New(o).Check()
		if len(got) != 1 || got[0].What != "geo" || !strings.HasPrefix(got[0].Level+" "+got[0].Text, want) {
			t.Errorf("%+v, want %s", got, want)
		}
	}
}
