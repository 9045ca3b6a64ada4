package account

import (
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"ringfence/core/money"

	"pgregory.net/rapid"
)

var (
	now    = time.Date(2026, 11, 22, 22, 0, 0, 0, time.UTC)
	friday = time.Date(2026, 11, 27, 18, 0, 0, 0, time.UTC)
)

const p = int64(money.PencePerMinute)

func own(n int64) Value { return Value{Set: true, N: n} }

func ceiling(v Value) *Settings {
	s := &Settings{}
	s.Values[InternationalCeiling] = v
	return s
}

func TestDefaults(t *testing.T) {
	want := map[string]string{
		"national-ceiling": "20p", "international-ceiling": "2p", "premium": "off", "satellite": "off", "personal": "on", "pager": "on", "max-calls": "10", "max-international": "2",
		"calls-per-minute": "30", "calls-per-second": "1000", "longest-call": "4h", "line-day-cap": "£50.00", "line-month-cap": "£150.00",
		"account-day-cap": "£50.00", "account-month-cap": "£150.00", "line-warning": "£10.00", "account-warning": "£10.00", "watch": "on", "questions": "answer",
	}
	e, d := Resolve(now), Defaults()
	if len(want) != int(NumFields) {
		t.Fatalf("there are %d settings, and the defaults of %d in this test", NumFields, len(want))
	}
	for f := range NumFields {
		if got := Format(f, e.Values[f]); got != want[f.String()] || e.From[f] != LevelDefault || d.Values[f].N != e.Values[f] {
			t.Errorf("%v is %s from %v, want %s", f, got, e.From[f], want[f.String()])
		}
	}
	if err := d.Validate(LevelProvider); err != nil {
		t.Error(err)
	}
}

func TestResolve(t *testing.T) {
	for _, c := range []struct {
		name                               string
		provider, reseller, customer, line *Settings
		want                               int64
		from                               Level
		expiry                             time.Time
	}{
		{name: "nobody says anything", want: 2 * p},
		{name: "provider loosens the default", provider: ceiling(own(9 * p)), want: 9 * p, from: LevelProvider},
		{name: "provider tightens", provider: ceiling(own(0)), want: 0, from: LevelProvider},
		{name: "customer tightens", customer: ceiling(own(p)), want: p, from: LevelCustomer},
		{name: "customer may not loosen", customer: ceiling(own(3 * p)), want: 2 * p},
		{name: "the same value stays with whom it binds from", customer: ceiling(own(2 * p)), want: 2 * p},
		{name: "line may not loosen what the customer set", customer: ceiling(own(p)), line: ceiling(own(2 * p)), want: p, from: LevelCustomer},
		{name: "line tightens further", customer: ceiling(own(p)), line: ceiling(own(0)), want: 0, from: LevelLine},
		{name: "reseller tightens", reseller: ceiling(own(p)), want: p, from: LevelReseller},
		{name: "reseller may not loosen", reseller: ceiling(own(3 * p)), want: 2 * p},
		{name: "customer may not loosen what its reseller set", reseller: ceiling(own(p)), customer: ceiling(own(2 * p)), want: p, from: LevelReseller},
		{name: "what staff granted a reseller its customers have", reseller: ceiling(Value{}.Grant(50*p, friday)), want: 50 * p, from: LevelReseller, expiry: friday},
		{name: "a customer below its reseller's grant", reseller: ceiling(Value{}.Grant(50*p, friday)), customer: ceiling(own(40 * p)), want: 40 * p, from: LevelCustomer, expiry: friday},
		{name: "grant for good", line: ceiling(Value{}.Grant(50*p, time.Time{})), want: 50 * p, from: LevelLine},
		{name: "grant until", line: ceiling(Value{}.Grant(50*p, friday)), want: 50 * p, from: LevelLine, expiry: friday},
		{name: "grant over a customer's own word", customer: ceiling(own(p)), line: ceiling(Value{}.Grant(50*p, friday)), want: 50 * p, from: LevelLine, expiry: friday},
		{name: "ended grant", line: ceiling(Value{}.Grant(50*p, now)), want: 2 * p},
		{name: "ended grant over an own word", line: ceiling(own(p).Grant(50*p, now)), want: p, from: LevelLine},
		{name: "last instant of a grant", line: ceiling(Value{}.Grant(50*p, now.Add(1))), want: 50 * p, from: LevelLine, expiry: now.Add(1)},
		{name: "line under a customer's grant", customer: ceiling(Value{}.Grant(50*p, friday)), line: ceiling(own(10 * p)), want: 10 * p, from: LevelLine, expiry: friday},
		{
			name: "line's grant hides the end of the customer's", customer: ceiling(Value{}.Grant(50*p, friday)),
			line: ceiling(Value{}.Grant(60*p, time.Time{})), want: 60 * p, from: LevelLine,
		},
		{name: "a grant may be tighter", line: ceiling(Value{}.Grant(p, friday)), want: p, from: LevelLine, expiry: friday},
		{name: "negative values close", customer: ceiling(own(-1)), want: 0, from: LevelCustomer},
		{name: "no value beyond the field's range", provider: ceiling(own(math.MaxInt64)), want: 10_000 * p, from: LevelProvider},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := Resolve(now, c.provider, c.reseller, c.customer, c.line)
			if got := e.Values[InternationalCeiling]; got != c.want || e.From[InternationalCeiling] != c.from || !e.Expiry.Equal(c.expiry) {
				t.Errorf("got %s from %v until %v, want %s from %v until %v", Format(InternationalCeiling, got), e.From[InternationalCeiling],
					e.Expiry, Format(InternationalCeiling, c.want), c.from, c.expiry)
			}
		})
	}
}

func TestTwoGrantsOneAfterTheOther(t *testing.T) {
	v := own(p).Grant(20*p, friday).Grant(30*p, friday.Add(time.Hour))
	if got := v.At(friday.Add(2 * time.Hour)); got != own(p) {
		t.Errorf("after both grants the own word is %+v", got)
	}
	if v = own(p).Grant(20*p, friday).Grant(5*p, time.Time{}); v.Kept {
		t.Error("a grant for good replaces the own word")
	}
}

func TestLineHasNoWordOnAccountCaps(t *testing.T) {
	var line Settings
	line.Values[AccountDayCap] = own(1)
	if e := Resolve(now, nil, nil, nil, &line); e.Cap(AccountDayCap) != 50*money.Pound {
		t.Errorf("cap is %v", e.Cap(AccountDayCap))
	}
	if err := line.Validate(LevelLine); !errors.Is(err, ErrValue) || !strings.Contains(err.Error(), "account-day-cap") {
		t.Error(err)
	}
	if err := line.Validate(LevelCustomer); err != nil {
		t.Error(err)
	}
}

func TestExpiryIsTheEarliest(t *testing.T) {
	var s Settings
	s.Values[MaxCalls] = Value{}.Grant(20, friday)
	s.Values[LongestCall] = Value{}.Grant(60, friday.Add(-time.Hour))
	s.Values[Premium] = Value{}.Grant(1, now.Add(-time.Hour)) // over already
	if e := Resolve(now, nil, nil, &s); !e.Expiry.Equal(friday.Add(-time.Hour)) {
		t.Error(e.Expiry)
	}
}

// TestOnlyGrantsLoosen: without grants no link below the provider ever raises anything, however they are mixed; and an
// outcome is the same until its Expiry.
func TestOnlyGrantsLoosen(t *testing.T) {
	value := rapid.Custom(func(t *rapid.T) Value {
		v := Value{Set: rapid.Bool().Draw(t, "set"), N: rapid.Int64Range(0, 1_000_000_000).Draw(t, "n")}
		if v.Set && rapid.IntRange(0, 3).Draw(t, "grant") == 0 {
			v = v.Grant(rapid.Int64Range(0, 1_000_000_000).Draw(t, "granted"), now.Add(time.Duration(rapid.Int64Range(-5, 5).Draw(t, "hours"))*time.Hour))
		}
		return v
	})
	rapid.Check(t, func(t *rapid.T) {
		var links [4]Settings
		granted := [NumFields]bool{}
		for i := range links {
			for f := range NumFields {
				links[i].Values[f] = value.Draw(t, "value")
				granted[f] = granted[f] || i > 0 && links[i].Values[f].Granted
			}
		}
		above, all := Resolve(now, &links[0]), Resolve(now, &links[0], &links[1], &links[2], &links[3])
		for f := range NumFields {
			if f.Free() {
				if want := nearest(f, &links[0], &links[1], &links[2], &links[3]); all.Values[f] != want {
					t.Fatalf("%v is %d, the nearest word is %d", f, all.Values[f], want)
				}
			}
			if !granted[f] && f.Loosens(all.Values[f], above.Values[f]) {
				t.Fatalf("%v rose from %d to %d without a grant", f, above.Values[f], all.Values[f])
			}
		}
		at := now.Add(time.Duration(rapid.Int64Range(-7*60, 7*60).Draw(t, "minutes")) * time.Minute)
		if then := Resolve(at, &links[0], &links[1], &links[2], &links[3]); all.Holds(at) && then.Values != all.Values {
			t.Fatalf("the outcome of %s holds at %s, from %s until %s, and is another there", now, at, all.Since, all.Expiry)
		}
		if all.Since.After(now) || !all.Holds(now) {
			t.Fatalf("the outcome holds from %s, after the instant it was asked for", all.Since)
		}
		if all.Expiry.IsZero() {
			return
		}
		if just := Resolve(all.Expiry.Add(-1), &links[0], &links[1], &links[2], &links[3]); just.Values != all.Values {
			t.Fatal("the outcome changed before its expiry")
		}
	})
}

// nearest is what a free field must be: the last word in the chain that is said.
func nearest(f Field, links ...*Settings) int64 {
	n := f.builtin()
	for i, s := range links {
		if v := s.Values[f].At(now); v.Set && (i < 3 || !f.OfAccount()) {
			n = v.N
		}
	}
	return n
}

// A warning limits nothing: the person whom it is for says when it comes, earlier or later, and no grant is asked for.
func TestFreeFields(t *testing.T) {
	pounds := func(n int64) Value { return own(n * int64(money.Pound)) }
	link := func(line, acc Value) *Settings {
		s := &Settings{}
		s.Values[LineWarning], s.Values[AccountWarning] = line, acc
		return s
	}
	for _, c := range []struct {
		name                     string
		provider, customer, line *Settings
		onLine, onAccount        money.Micro
		from                     Level // of the line's
	}{
		{name: "nobody says anything", onLine: 10, onAccount: 10},
		{name: "up", customer: link(pounds(30), pounds(40)), onLine: 30, onAccount: 40, from: LevelCustomer},
		{name: "down", provider: link(pounds(30), Value{}), line: link(pounds(5), Value{}), onLine: 5, onAccount: 10, from: LevelLine},
		{name: "line above customer", customer: link(pounds(5), Value{}), line: link(pounds(50), Value{}), onLine: 50, onAccount: 10, from: LevelLine},
		{name: "off at the line", customer: link(pounds(5), pounds(5)), line: link(own(0), Value{}), onLine: 0, onAccount: 5, from: LevelLine},
		{name: "on again below", customer: link(own(0), own(0)), line: link(pounds(1), pounds(1)), onLine: 1, onAccount: 0, from: LevelLine},
		{name: "the end of a hidden grant does not matter", customer: link(Value{}.Grant(7, friday), Value{}), line: link(pounds(1), Value{}), onLine: 1, onAccount: 10, from: LevelLine},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := Resolve(now, c.provider, nil, c.customer, c.line)
			if e.Cap(LineWarning) != c.onLine*money.Pound || e.Cap(AccountWarning) != c.onAccount*money.Pound || e.From[LineWarning] != c.from || !e.Expiry.IsZero() {
				t.Errorf("line %v from %v, account %v, until %v", e.Cap(LineWarning), e.From[LineWarning], e.Cap(AccountWarning), e.Expiry)
			}
		})
	}
	for f := range NumFields {
		if f.Free() == f.Loosens(2, 1) {
			t.Errorf("%v: free %v, and loosens all the same", f, f.Free())
		}
	}
	if err := link(pounds(1), pounds(1)).Validate(LevelLine); !errors.Is(err, ErrValue) || !strings.Contains(err.Error(), "account-warning") {
		t.Errorf("a line's word on the account's warning: %v", err)
	}
}

func TestParseAndFormatValues(t *testing.T) {
	for _, c := range []struct {
		field Field
		text  string
		want  int64
		out   string
	}{
		{NationalCeiling, "20p", 20 * p, "20p"},
		{NationalCeiling, " 2.5 ", 5 * p / 2, "2.5p"},
		{NationalCeiling, "free", 0, "free only"},
		{NationalCeiling, "Free Only", 0, "free only"},
		{NationalCeiling, "0", 0, "free only"},
		{NationalCeiling, "£0.20", 20 * p, "20p"},
		{InternationalCeiling, "45.125 p", 45125 * p / 1000, "45.125p"},
		{LineDayCap, "50", 50_000_000, "£50.00"},
		{LineDayCap, "£12.5", 12_500_000, "£12.50"},
		{AccountMonthCap, "0", 0, "£0.00"},
		{LineWarning, "12.5", 12_500_000, "£12.50"},
		{LineWarning, "0", 0, "off"},
		{AccountWarning, " Off", 0, "off"},
		{LongestCall, "4h", 14400, "4h"},
		{LongestCall, "90m", 5400, "1h30m"},
		{LongestCall, "45s", 45, "45s"},
		{LongestCall, "10m", 600, "10m"},
		{LongestCall, "1h0m1s", 3601, "1h0m1s"},
		{Premium, "on", 1, "on"},
		{Premium, "Off", 0, "off"},
		{MaxCalls, "10", 10, "10"},
		{CallsPerMinute, "0", 0, "0"},
	} {
		n, err := ParseValue(c.field, c.text)
		if err != nil || n != c.want || Format(c.field, n) != c.out {
			t.Errorf("%v %q: %d %v, shown as %q", c.field, c.text, n, err, Format(c.field, n))
		}
		if again, err := ParseValue(c.field, Format(c.field, n)); err != nil || again != n {
			t.Errorf("%v %q reads back as %d, %v", c.field, c.out, again, err)
		}
	}
	for _, c := range []struct {
		field Field
		text  string
	}{
		{NationalCeiling, ""},
		{NationalCeiling, "p"},
		{NationalCeiling, "-1"},
		{NationalCeiling, "20 pence"},
		{NationalCeiling, "1e3"},
		{NationalCeiling, "99999999"},
		{LineDayCap, "-1"},
		{LineDayCap, "off"},
		{LineWarning, "on"},
		{LineWarning, "-1"},
		{AccountWarning, "10000001"},
		{LineDayCap, "1,000"},
		{LineDayCap, "0.0000001"},
		{LineDayCap, "99999999999999999999"},
		{LongestCall, "4"},
		{LongestCall, "0s"},
		{LongestCall, "25h"},
		{LongestCall, "1.5s"},
		{LongestCall, "-1h"},
		{Premium, "2"},
		{MaxCalls, "ten"},
		{MaxCalls, "-1"},
		{MaxCalls, "1000000"},
		{MaxCalls, strings.Repeat("1", 100)},
		{NumFields, "1"},
	} {
		if n, err := ParseValue(c.field, c.text); err == nil {
			t.Errorf("%v %q passed as %d", c.field, c.text, n)
		}
	}
}

func TestParseField(t *testing.T) {
	for f := range NumFields {
		if got, err := ParseField(f.String()); err != nil || got != f {
			t.Errorf("%v: %v %v", f, got, err)
		}
	}
	if _, err := ParseField("ceiling"); !errors.Is(err, ErrField) || !strings.Contains(err.Error(), "national-ceiling") {
		t.Error(err)
	}
}

func TestParseNets(t *testing.T) {
	for _, c := range []struct{ in, out string }{
		{"", ""},
		{" ,;\n", ""},
		{"192.0.2.0/24, 2001:db8::/32; 198.51.100.7", "192.0.2.0/24, 2001:db8::/32, 198.51.100.7"},
		{"192.0.2.1\n192.0.2.2\t192.0.2.1/32,", "192.0.2.1, 192.0.2.2"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"::ffff:192.0.2.0/120", "192.0.2.0/24"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"2001:DB8::1", "2001:db8::1"},
	} {
		nets, err := ParseNets(c.in)
		if err != nil || FormatNets(nets) != c.out {
			t.Errorf("%q: %q %v", c.in, FormatNets(nets), err)
		}
	}
	for _, c := range []struct{ in, names string }{
		{"192.0.2.7/24", `"192.0.2.7/24" has bits set outside the network: write 192.0.2.0/24 or 192.0.2.7`},
		{"192.0.2.1, 10.0.0, fe80::1%eth0", `"10.0.0" is not an address`},
		{"10.0.0, fe80::1%eth0", `"fe80::1%eth0" is not`},
		{"192.0.2.0/33", `"192.0.2.0/33"`},
		{"192.0.2.0/024", "024"},
		{"::ffff:0.0.0.0/64", "covers more"},
		{"192.168.01.1", "192.168.01.1"},
		{"phone.example.com", "phone.example.com"},
		{strings.Repeat("10.0.0.1/32 ", 500), "characters"},
	} {
		if nets, err := ParseNets(c.in); !errors.Is(err, ErrNets) || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%.60q: %v %v", c.in, nets, err)
		}
	}
	var many []string
	for i := range MaxNets + 1 {
		many = append(many, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}).String())
	}
	if _, err := ParseNets(strings.Join(many, " ")); !errors.Is(err, ErrNets) {
		t.Error("65 entries passed")
	}
}

func TestAllowed(t *testing.T) {
	lock := func(text string) []netip.Prefix {
		nets, err := ParseNets(text)
		if err != nil {
			t.Fatal(err)
		}
		return nets
	}
	for _, c := range []struct {
		locks [][]netip.Prefix
		addr  string
		want  bool
	}{
		{nil, "192.0.2.1", true},
		{[][]netip.Prefix{lock("192.0.2.0/24")}, "192.0.2.1", true},
		{[][]netip.Prefix{lock("192.0.2.0/24")}, "192.0.3.1", false},
		{[][]netip.Prefix{lock("192.0.2.0/24")}, "::ffff:192.0.2.1", true},
		{[][]netip.Prefix{lock("fe80::/10")}, "fe80::1%eth0", true},
		{[][]netip.Prefix{lock("0.0.0.0/0")}, "2001:db8::1", false},
		{[][]netip.Prefix{lock("192.0.2.0/24 2001:db8::/32"), lock("2001:db8::1 192.0.2.7")}, "2001:db8::1", true},
		{[][]netip.Prefix{lock("192.0.2.0/24"), lock("192.0.2.7")}, "192.0.2.8", false},
	} {
		if got := Allowed(c.locks, netip.MustParseAddr(c.addr)); got != c.want {
			t.Errorf("%v from %s: %v", c.locks, c.addr, got)
		}
	}
	if Allowed([][]netip.Prefix{lock("0.0.0.0/0 ::/0")}, netip.Addr{}) || !Allowed(nil, netip.Addr{}) {
		t.Error("no address passes exactly where there is no lock")
	}
}

func TestLocksOfTheChainAddUp(t *testing.T) {
	a, b := &Settings{Nets: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, &Settings{Nets: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32")}}
	e := Resolve(now, nil, a, b)
	if len(e.Nets) != 2 || !e.Allows(netip.MustParseAddr("192.0.2.7")) || e.Allows(netip.MustParseAddr("192.0.2.8")) {
		t.Error(e.Nets)
	}
}

func TestSettingsInJSON(t *testing.T) {
	var s Settings
	s.Values[MaxCalls] = own(0)
	s.Values[NationalCeiling] = own(5*p).Grant(30*p, friday.In(time.FixedZone("BST", 3600)))
	s.Nets, _ = ParseNets("192.0.2.0/24 2001:db8::1")
	body, err := json.Marshal(s)
	want := `{"national-ceiling":{"n":300000000,"granted":true,"until":"2026-11-27T18:00:00Z","kept":50000000},"max-calls":{"n":0},"nets":["192.0.2.0/24","2001:db8::1/128"]}`
	if err != nil || string(body) != want {
		t.Fatalf("got  %s %v\nwant %s", body, err, want)
	}
	var back Settings
	if err := json.Unmarshal(body, &back); err != nil {
		t.Fatal(err)
	}
	if again, _ := json.Marshal(&back); string(again) != want {
		t.Errorf("reads back as %s", again)
	}
	for _, bad := range []string{
		`{"national":{"n":1}}`, `{"max-calls":{}}`, `{"max-calls":{"n":1,"x":2}}`, `{"max-calls":5}`, `{"max-calls":{"n":1.5}}`, `[]`,
		`{"nets":["192.0.2.1/24"]}`, `{"nets":"192.0.2.1"}`, `{"max-calls":{"n":99999999999999999999}}`,
	} {
		if err := json.Unmarshal([]byte(bad), &back); err == nil {
			t.Errorf("%s passed", bad)
		}
	}
}

func TestJSONRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Settings
		for f := range NumFields {
			if rapid.Bool().Draw(t, "set") {
				s.Values[f] = own(rapid.Int64().Draw(t, "n"))
			}
			if rapid.Bool().Draw(t, "grant") {
				s.Values[f] = s.Values[f].Grant(rapid.Int64().Draw(t, "granted"), now.Add(time.Duration(rapid.Int64Range(0, 1e18).Draw(t, "ns"))))
			}
		}
		body, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back Settings
		if err := json.Unmarshal(body, &back); err != nil || !reflect.DeepEqual(back, s) {
			t.Fatalf("%s: %+v %v", body, back, err)
		}
	})
}

func TestValidate(t *testing.T) {
	ok := Settings{Nets: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	ok.Values[Premium] = Value{}.Grant(1, friday)
	if err := ok.Validate(LevelLine); err != nil {
		t.Error(err)
	}
	if err := ok.Validate(LevelProvider); err == nil {
		t.Error("a provider grants itself something")
	}
	for name, bad := range map[string]Settings{
		"range":          *ceiling(own(-1)),
		"ends, no grant": *ceiling(Value{Set: true, N: 1, Until: friday}),
		"no value":       *ceiling(Value{N: 1}),
		"kept range":     *ceiling(Value{Set: true, N: 1, Granted: true, Until: friday, Kept: true, KeptN: -1}),
		"host bits":      {Nets: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24")}},
		"mapped":         {Nets: []netip.Prefix{netip.MustParsePrefix("::ffff:192.0.2.0/120")}},
		"invalid net":    {Nets: make([]netip.Prefix, 1)},
		"too many nets":  {Nets: make([]netip.Prefix, MaxNets+1)},
	} {
		if err := bad.Validate(LevelLine); err == nil {
			t.Errorf("%s passed", name)
		}
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		check func(string) error
		good  []string
		bad   []string
	}{
		{CheckCustomerID, []string{"a", "acme-2", strings.Repeat("a", 40)}, []string{"", "-a", "a-", "Acme", "a/b", "a b", "é", strings.Repeat("a", 41)}},
		{CheckTrunkName, []string{"north"}, []string{"", "a.b"}},
		{CheckLineID, []string{"1001", "Reception.2_a-b", strings.Repeat("a", 64)}, []string{"", ".a", "-x", "a/b", "a@b", "a b", "a\x00", "é", strings.Repeat("a", 65)}},
		{CheckNumber, []string{"", "442079460000", "1234567"}, []string{"0442079460000", "+442079460000", "123456", "1234567890123456", "44207946x"}},
	} {
		for _, id := range c.good {
			if err := c.check(id); err != nil {
				t.Error(err)
			}
		}
		for _, id := range c.bad {
			if err := c.check(id); !errors.Is(err, ErrID) {
				t.Errorf("%q passed", id)
			}
		}
	}
}

func FuzzParseNets(f *testing.F) {
	f.Add("192.0.2.0/24, 2001:db8::/32; 198.51.100.7")
	f.Add("::ffff:192.0.2.0/120 fe80::1%eth0")
	f.Fuzz(func(t *testing.T, text string) {
		nets, err := ParseNets(text)
		if err != nil {
			return
		}
		s := Settings{Nets: nets}
		if err := s.Validate(LevelLine); err != nil {
			t.Fatalf("parsed but not valid: %v", err)
		}
		again, err := ParseNets(FormatNets(nets))
		if err != nil || !reflect.DeepEqual(again, nets) {
			t.Fatalf("%q becomes %q: %v", text, FormatNets(nets), err)
		}
	})
}
