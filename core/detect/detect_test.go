package detect

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"ringfence/core/money"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// judge is what a body of a kind leads to, for line 2001 of acme at noon.
func judge(t *testing.T, kind, body string) []Finding {
	t.Helper()
	all, err := Judge(&Event{Kind: kind, Line: "2001", Account: "acme", At: noon, Body: []byte(body)})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		check(t, &f)
	}
	return all
}

// check wants what every finding has.
func check(t *testing.T, f *Finding) {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal(f.Evidence, &object); err != nil {
		t.Errorf("%s: evidence %s: %v", f.Key, f.Evidence, err)
	}
	if f.Kind == NoKind || !strings.HasPrefix(f.Key, f.Kind.String()+"/") || f.Text == "" || !strings.HasSuffix(f.Text, ".") {
		t.Errorf("%+v", f)
	}
	if len(f.Text) > 1000 || strings.ContainsFunc(f.Text, unicode.IsControl) {
		t.Errorf("text %q", f.Text)
	}
}

func codes(all []Finding) string {
	var out []string
	for _, f := range all {
		out = append(out, f.Severity.String()+" "+f.Kind.String())
	}
	return strings.Join(out, ", ")
}

func TestEveryKindHasItsWords(t *testing.T) {
	for k := NoKind + 1; k < NumKinds; k++ {
		back, ok := ParseKind(k.String())
		if !ok || back != k || k.Title() == "" || k.Audience() == 0 || len(k.Advice()) == 0 {
			t.Errorf("kind %d, %q, is not described in kinds.txt", k, k)
		}
		if f, ok := k.Sample("2001", "acme", time.Unix(1e9, 0)); !ok || f.Kind != k {
			t.Errorf("the rules do not conclude %s from its sample in kinds.txt", k)
		}
		text, err := json.Marshal(k)
		var read Kind
		if err != nil || json.Unmarshal(text, &read) != nil || read != k {
			t.Errorf("%s does not survive JSON", k)
		}
		for _, sentence := range append(k.Advice(), k.Meaning()) {
			if !strings.HasSuffix(sentence, ".") || !unicode.IsUpper([]rune(sentence)[0]) || strings.Contains(sentence, "  ") {
				t.Errorf("%s: not a finished sentence: %q", k, sentence)
			}
			for _, jargon := range []string{"nonce", "REGISTER", "INVITE", "digest", "ASN", "SIP "} {
				if k.Audience().Has(Owner) && strings.Contains(sentence, jargon) {
					t.Errorf("%s speaks of %q to a plumber: %q", k, jargon, sentence)
				}
			}
		}
	}
	if _, ok := ParseKind("none"); ok || Kind(200).String() != "unknown" || Kind(200).Title() == "" || Severity(9).String() != "unknown" {
		t.Error("what is no kind is taken for one")
	}
	if new(Kind).UnmarshalText([]byte("nope")) == nil || new(Severity).UnmarshalText([]byte("nope")) == nil {
		t.Error("what is no code is read")
	}
	for s := Info; s <= Critical; s++ {
		if back, ok := ParseSeverity(s.String()); !ok || back != s {
			t.Error(s)
		}
	}
}

func TestLogins(t *testing.T) {
	for _, c := range []struct{ name, kind, body, want, key, text string }{
		{
			"a guesser", "login.locked", `{"source":"203.0.113.9","scope":"line","failures":5,"level":1,"until":"2026-11-23T12:15:00Z","guesses":"common passwords"}`,
			"warning guessing", "guessing/line/2001/2026-11-23",
			"203.0.113.9 sent 5 wrong logins for line 2001 and is locked out for this line for 15 minutes; passwords tried: common passwords.",
		},
		{
			"an owner's phone with a typing mistake", "login.locked", `{"source":"198.51.100.7","scope":"line","failures":5,"until":"2026-11-23T12:15:00Z","usual":true}`,
			"info guessing", "guessing/line/2001/usual/2026-11-23",
			"198.51.100.7, a usual place of line 2001, sent 5 wrong logins and is locked out for this line for 15 minutes: probably a phone with a wrong password.",
		},
		{
			"an address shut out altogether", "login.locked", `{"source":"203.0.113.9","scope":"address","failures":20,"until":"2026-11-24T12:00:00Z"}`,
			"info guessing", "guessing/source/203.0.113.0/24/2026-11-23", "203.0.113.9 sent 20 wrong logins in all and is locked out for all lines for 24 hours.",
		},
		{
			"a siege", "login.siege", `{"failures":48,"sources":37,"days":12,"budget":1}`, "warning siege", "siege/line/2001/2026-W48",
			"Line 2001 had 48 wrong logins from 37 new addresses within 12 days; new places now get 1 attempt a day, and usual places are not affected.",
		},
		{
			"a sprayer", "login.spray", `{"source":"203.0.113.9","lines":400,"failures":900,"known":1}`, "warning spray", "spray/source/203.0.113.0/24/2026-11-23",
			"203.0.113.9 tried 400 different lines with 900 wrong logins; 1 of the names exists here.",
		},
		{
			"a sprayer with a /56", "login.spray", `{"source":"2001:db8:1:2::5","lines":400,"failures":900,"known":2}`, "warning spray",
			"spray/source/2001:db8:1::/56/2026-11-23", "",
		},
		{
			"a forgotten phone", "login.stale", `{"source":"198.51.100.7","agent":"Yealink T46S","how":"former","replaced_at":"2026-11-20T09:00:00.5Z"}`,
			"warning stale-phone", "stale-phone/line/2001/198.51.100.0/24/2026-W48",
			"A phone that calls itself “Yealink T46S” at 198.51.100.7 keeps trying line 2001 with a password that was replaced on 20 November 2026.",
		},
		{
			"a phone with one wrong password", "login.stale", `{"source":"198.51.100.7","how":"steady"}`, "warning stale-phone", "",
			"A phone at 198.51.100.7 keeps trying line 2001 with one wrong password, steadily and from its usual place.",
		},
		{"a former password", "login.old", `{"source":"203.0.113.9","agent":"x"}`, "warning old-password", "", "A former password of line 2001 was tried from 203.0.113.9, where the line was never used."},
		{
			"an answer from elsewhere", "login.moved-nonce", `{"source":"203.0.113.9","given_to":"198.51.100.7"}`, "warning nonce-elsewhere", "",
			"The right answer to a login challenge of line 2001 came from 203.0.113.9; the challenge was given to 198.51.100.7, and no fresh login followed.",
		},
		{"a scanner at a decoy", "login.honeypot", `{"source":"203.0.113.9"}`, "warning honeypot", "honeypot/line/2001/2026-11-23", ""},
		{"a leak", "login.honeypot", `{"source":"203.0.113.9","right":true}`, "critical honeypot", "honeypot/line/2001/right/2026-11-23", ""},
		{
			"a flood", "ban.flood", `{"bans":4000,"from":"2026-11-23T11:59:00Z","till":"2026-11-23T12:00:00Z","sample":["192.0.2.1","192.0.2.2"]}`,
			"warning flood", "flood/2026-11-23", "4000 sources were blocked within 1 minute.",
		},
		{
			"a password spread over lines and networks", "login.spray", `{"lines":40,"sources":12,"guesses":"common passwords"}`, "warning spray", "spray/source/unknown/2026-11-23",
			"The same passwords were tried on 40 different lines from 12 different networks; passwords tried: common passwords.",
		},
		{
			"an autonomous system", "login.locked", `{"source":"AS64500","scope":"as","failures":300,"until":"2026-11-23T12:15:00Z"}`, "info guessing",
			"guessing/source/AS64500/2026-11-23", "AS64500 sent 300 wrong logins in all; each new address in it now gets a single attempt for 15 minutes.",
		},
		{
			"a typist at a new place", "login.locked", `{"source":"203.0.113.9","scope":"line","failures":5,"typist":true}`, "warning guessing", "",
			"203.0.113.9 sent 5 wrong logins for line 2001 and is locked out for this line; what it tried is on no list of common passwords, so it may be a phone with a wrong password.",
		},
		{
			"more than can be told", "login.locked", `{"more":240,"from":"2026-11-23T11:59:00Z","till":"2026-11-23T12:00:00Z"}`, "warning flood", "flood/logins/2026-11-23",
			"There were so many lock-outs that 240 of them are not listed one by one (within 1 minute).",
		},
		{"a fact that says nothing", "call.settled", `{}`, "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := judge(t, c.kind, c.body)
			if got := codes(all); got != c.want {
				t.Fatalf("%q, want %q", got, c.want)
			}
			for _, f := range all {
				if c.key != "" && f.Key != c.key {
					t.Errorf("key %s, want %s", f.Key, c.key)
				}
				if c.text != "" && f.Text != c.text {
					t.Errorf("text %s\nwant %s", f.Text, c.text)
				}
				if forDesk := f.Kind == Spray || f.Kind == Flood; forDesk != (f.Line == "") && f.Severity != Info {
					t.Errorf("line %q", f.Line)
				}
			}
		})
	}
}

// A name that is no line's has no owner to tell.
func TestGuessingAtNoLineIsNobodysWorry(t *testing.T) {
	for _, kind := range []string{"login.locked", "login.siege", "login.stale", "login.old", "login.moved-nonce", "login.honeypot", "device.new"} {
		all, err := Judge(&Event{Kind: kind, At: noon, Body: []byte(`{"source":"203.0.113.9","scope":"line","user":"100","failures":5,"hosting":true,"new":"both"}`)})
		if err != nil || len(all) != 0 {
			t.Errorf("%s: %v, %v", kind, all, err)
		}
	}
}

// One network that sprays from each of its addresses over a thousand lines is one finding a day, two on two days.
func TestASprayIsOneFinding(t *testing.T) {
	keys := map[string]bool{}
	for i := range 200 {
		body := `{"source":"203.0.113.` + string(rune('0'+i%10)) + `","lines":` + "1000" + `,"failures":3000,"known":4}`
		all, err := Judge(&Event{Kind: "login.spray", At: noon.Add(time.Duration(i) * 10 * time.Minute), Body: []byte(body)})
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		keys[all[0].Key] = true
	}
	if len(keys) != 2 {
		t.Errorf("%d findings: %v", len(keys), keys)
	}
}

func TestDevices(t *testing.T) {
	const london = `"last":{"address":"198.51.100.7","country":"GB","asn":64500,"network":"Home ISP","at":"2026-11-23T11:00:00Z"}`
	for _, c := range []struct{ name, kind, body, want string }{
		{"a first phone", "device.new", `{"address":"198.51.100.7","country":"GB","new":"both","first":true}`, ""},
		{"a new phone at home", "device.new", `{"address":"198.51.100.9","country":"GB","new":"both",` + london + `}`, ""},
		{"a phone that updates its firmware", "device.new", `{"address":"198.51.100.7","country":"GB","new":"agent",` + london + `}`, ""},
		{"a roaming mobile, next door an hour later", "device.moved", `{"address":"192.0.2.8","country":"FR","new":"address",` + london + `}`, ""},
		{"a roaming mobile in Romania: below 2,000 km", "device.moved", `{"address":"192.0.2.8","country":"RO","new":"address",` + london + `}`, ""},
		{
			"a salesman who flew to New York", "device.new",
			`{"address":"192.0.2.8","country":"US","new":"address","last":{"address":"198.51.100.7","country":"GB","at":"2026-11-23T03:30:00Z"}}`, "",
		},
		{
			"his hotel's Wi-Fi goes out through a hosting network after one wrong try", "device.new",
			`{"address":"192.0.2.8","country":"US","new":"both","hosting":true,"failures":1,"last":{"address":"198.51.100.7","country":"GB","at":"2026-11-23T03:30:00Z"}}`, "",
		},
		{"a VPN of a customer in a hosting network next door", "device.new", `{"address":"192.0.2.8","country":"NL","new":"address","hosting":true,"asn":64501,` + london + `}`, "critical hosting-login"},
		{"the same VPN with another program", "device.new", `{"address":"192.0.2.8","country":"NL","new":"agent","hosting":true,"asn":64501,` + london + `}`, ""},
		{"a telephone system in the cloud from the start", "device.new", `{"address":"192.0.2.8","country":"NL","new":"both","hosting":true,"first":true}`, ""},
		{"a thief in Gaza an hour later", "device.new", `{"address":"192.0.2.8","country":"PS","new":"both",` + london + `}`, "warning impossible-travel"},
		{"country unknown", "device.new", `{"address":"192.0.2.8","country":"","new":"both",` + london + `}`, ""},
		{"last country unknown", "device.new", `{"address":"192.0.2.8","country":"PS","new":"both","last":{"address":"198.51.100.7","country":"","at":"2026-11-23T11:59:00Z"}}`, ""},
		{"a country that is none", "device.new", `{"address":"192.0.2.8","country":"EU","new":"both",` + london + `}`, ""},
		{"no time of the last place", "device.new", `{"address":"192.0.2.8","country":"PS","new":"both","last":{"address":"198.51.100.7","country":"GB"}}`, ""},
		{"clocks of two nodes differ", "device.new", `{"address":"192.0.2.8","country":"PS","new":"both","last":{"address":"198.51.100.7","country":"GB","at":"2026-11-23T12:00:01Z"}}`, "warning impossible-travel"},
		{
			"in use in two places", "device.new",
			`{"address":"192.0.2.8","country":"CU","new":"both","elsewhere":[{"address":"198.51.100.7","country":"GB"},{"address":"198.51.100.8","country":""}],` + london + `}`,
			"warning two-places",
		},
		{"a branch in the next country", "device.new", `{"address":"192.0.2.8","country":"IE","new":"both","elsewhere":[{"address":"198.51.100.7","country":"GB"}]}`, ""},
		{
			"the guesser has found it", "device.new", `{"address":"192.0.2.8","country":"GB","new":"both","after_lock":true,"failures":4,` + london + `}`, "critical after-lockout",
		},
		{"the owner at home after a lock-out", "device.new", `{"address":"198.51.100.7","country":"GB","new":"agent","after_lock":true,` + london + `}`, ""},
		{"a new customer who mistyped", "device.new", `{"address":"198.51.100.7","country":"GB","new":"both","after_lock":true,"first":true,"failures":5}`, "warning after-lockout"},
		{
			"everything at once: the gravest first", "device.new",
			`{"address":"192.0.2.8","country":"US","asn":64502,"network":"Cheap Servers","new":"both","hosting":true,"after_lock":true,"elsewhere":[{"address":"198.51.100.7","country":"GB"}],` + london + `}`,
			"critical after-lockout, critical hosting-login, warning two-places",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := codes(judge(t, c.kind, c.body)); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// The figures of a judgement by distance are all in its evidence (N5, S11), and so is how weak it is.
func TestTravelShowsItsFigures(t *testing.T) {
	all := judge(t, "device.moved", `{"address":"192.0.2.8","country":"PS","network":"Gaza Net","asn":64503,"new":"both",
		"last":{"address":"198.51.100.7","country":"GB","at":"2026-11-23T11:00:00Z"}}`)
	if len(all) != 1 {
		t.Fatal(all)
	}
	want := "Line 2001 was used from 192.0.2.8 (Gaza Net, PS) 1 hour after 198.51.100.7 (GB), at least 3,200 km away: nobody travels so fast."
	if all[0].Text != want || all[0].Key != "impossible-travel/line/2001/PS/2026-11-23" {
		t.Errorf("%s\n%s\nwant %s", all[0].Key, all[0].Text, want)
	}
	var v map[string]any
	if err := json.Unmarshal(all[0].Evidence, &v); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"km_at_least", "km_limit", "minutes_between", "kmh_limit", "kmh_at_least", "hours_needed", "weak", "last", "country", "address"} {
		if v[k] == nil {
			t.Errorf("evidence without %s: %s", k, all[0].Evidence)
		}
	}
}

func TestHostileTextIsMadeHarmless(t *testing.T) {
	agent, err := json.Marshal(strings.Repeat("<script>\r\nX-Evil: \x00\u202e\u2028", 400))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"login.stale", "login.old", "login.locked"} {
		all := judge(t, kind, `{"source":"1.2.3.4\r\nBcc: x","scope":"line","how":"former","agent":`+string(agent)+`,"guesses":`+string(agent)+`}`)
		for _, f := range all {
			if f.Source != "" || len(f.Evidence) > 2000 || strings.ContainsAny(f.Text+string(f.Evidence), "\r\n\x00\u202e\u2028") {
				t.Errorf("%q %q", f.Source, f.Text)
			}
		}
	}
}

func TestBodiesThatAreNone(t *testing.T) {
	for kind := range judges {
		for _, body := range []string{"", "null x", "[]", `"x"`, `{"failures":"many","lines":"x","bans":{},"source":7,"address":7}`, `{"x":"` + strings.Repeat("x", maxBody) + `"}`} {
			if all, err := Judge(&Event{Kind: kind, Line: "2001", At: noon, Body: []byte(body)}); err == nil || len(all) > 0 {
				t.Errorf("%s %.40q: %v", kind, body, all)
			}
		}
	}
}

// A time that cannot be written as JSON again must not take the rest of the evidence with it.
func TestTimesAtTheEndOfTime(t *testing.T) {
	for _, at := range []string{"9999-12-31T23:59:59-23:00", "0000-01-01T00:00:00+23:00", "soon"} {
		all := judge(t, "login.locked", `{"source":"203.0.113.9","scope":"line","failures":5,"until":"`+at+`"}`)
		if len(all) != 1 || !strings.Contains(string(all[0].Evidence), `"failures":5`) || strings.Contains(all[0].Text, " for -") {
			t.Errorf("%s: %+v", at, all)
		}
	}
}

func FuzzJudge(f *testing.F) {
	for kind := range judges {
		f.Add(kind, `{"source":"203.0.113.9","scope":"line","failures":5,"until":"2026-11-23T12:15:00Z","usual":true,"right":true}`)
		f.Add(kind, `{"address":"::ffff:1.2.3.4","country":"US","new":"both","hosting":true,"last":{"country":"GB","at":"0001-01-01T00:00:00Z"},"elsewhere":[{"country":"AU"}]}`)
	}
	f.Fuzz(func(t *testing.T, kind, body string) {
		all, err := Judge(&Event{Kind: kind, Line: "2001", Account: "acme", At: noon, Body: []byte(body)})
		if err != nil && len(all) > 0 {
			t.Error("findings and an error")
		}
		for _, f := range all {
			check(t, &f)
		}
	})
}

func TestUsagePassedSpeaksPlainly(t *testing.T) {
	p := money.Pound
	for _, c := range []struct {
		u    Usage
		told money.Micro
		text string
		key  string
	}{
		{
			Usage{Line: "2001", Account: "acme", Settled: 10 * p, Level: 10 * p},
			0,
			"Line 2001 has used £10.00 and has passed £10.00, its warning level.", "usage-level/line/2001/10.00/2026-11",
		},
		{
			Usage{Line: "2001", Account: "acme", Settled: 25 * p, Running: 5_129_999, Level: 10 * p},
			20 * p,
			"Line 2001 has used £30.12 and has passed £30.00 (three times the warning level of £10.00); £5.12 of it is for calls in progress.",
			"usage-level/line/2001/30.00/2026-11",
		},
		{
			Usage{Account: "acme", Settled: 131 * p, Level: 10 * p},
			10 * p,
			"Account acme has used £131.00 and has passed £130.00 (13 times the warning level of £10.00); 11 lower steps were passed at the same time.",
			"usage-level/account/acme/130.00/2026-11",
		},
	} {
		f := UsagePassed(c.u, c.told, "2026-11", noon)
		check(t, &f)
		if f.Text != c.text || f.Key != c.key {
			t.Errorf("%s\n%s\nwant %s\n%s", f.Key, f.Text, c.key, c.text)
		}
	}
}

func TestPassedIsTheHighestMultipleReached(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := Usage{
			Settled: money.Micro(rapid.Int64Range(-5, int64(money.Max)).Draw(t, "settled")), Running: money.Micro(rapid.Int64Range(0, int64(money.Max)).Draw(t, "running")),
			Level: money.Micro(rapid.Int64Range(-1, int64(money.Max)).Draw(t, "level")),
		}
		used, passed := u.Settled.Add(u.Running), u.Passed()
		switch {
		case u.Level <= 0 || used < u.Level:
			if passed != 0 {
				t.Fatal(passed)
			}
		case passed%u.Level != 0 || passed > used || used-passed >= u.Level:
			t.Fatalf("%d of %d at %d", passed, used, u.Level)
		}
	})
}

// Unusual numbers of calls at once, as the edge writes them down.
func TestCrowds(t *testing.T) {
	one := judge(t, "call.emergencies", `{"source":"203.0.113.9","open":10,"all":12,"most":1000,"refused":false}`)
	if codes(one) != "warning emergency-calls" || !strings.Contains(one[0].Text, "Line 2001 has 10 emergency calls in progress") || one[0].Line != "2001" {
		t.Errorf("%+v", one)
	}
	more := judge(t, "call.emergencies", `{"source":"203.0.113.9","open":20,"all":22,"most":1000,"refused":false}`)
	refused := judge(t, "call.emergencies", `{"source":"203.0.113.9","open":900,"all":900,"most":1000,"refused":true}`)
	if more[0].Key != one[0].Key || refused[0].Key == one[0].Key || codes(refused) != "critical emergency-calls" {
		t.Errorf("keys %s, %s, %s; %s", one[0].Key, more[0].Key, refused[0].Key, codes(refused))
	}
	ringing := judge(t, "call.ringing-full", `{"source":"192.0.2.9","trunk":"c1","open":4,"all":4,"most":4,"refused":true}`)
	if codes(ringing) != "warning inbound-calls" || !strings.Contains(ringing[0].Text, "is ringing line 2001: 4 of 4") {
		t.Errorf("%+v", ringing)
	}
	trunk, err := Judge(&Event{Kind: "call.inbound-full", At: noon, Body: []byte(`{"source":"192.0.2.9","trunk":"c1","open":50,"all":60,"most":50,"refused":false}`)})
	if err != nil || len(trunk) != 1 || trunk[0].Line != "" || trunk[0].Source != "192.0.2.9" {
		t.Errorf("%+v, %v", trunk, err)
	}
	for _, kind := range []string{"call.emergencies", "call.inbound-full", "call.ringing-full"} {
		if all, err := Judge(&Event{Kind: kind, At: noon, Body: []byte(`{"open":"many"}`)}); err == nil || len(all) > 0 {
			t.Errorf("%s: %v, %v", kind, all, err)
		}
	}
}

// A leg whose end the carrier never confirmed may cost money for hours without anybody's knowing.
func TestUnconfirmedLegs(t *testing.T) {
	const identity = "carrier-a~7h3kq0zt"
	body := func(trunk, dir, status string) []byte {
		return []byte(`{"trunk":"` + trunk + `","direction":"` + dir + `","b_call_id":"b@1","sip_status":` + status + `,"beyond_ms":32000}`)
	}
	for _, c := range []struct{ name, trunk, dir, status, want string }{
		{
			"an error", identity, "out", "500",
			"Carrier carrier-a did not confirm the end of a call of line 2001: it answered 500. Its cost is recorded up to when we gave up, 32s after the call had ended.",
		},
		{
			"silence", identity, "out", "408",
			"Carrier carrier-a did not confirm the end of a call of line 2001: it did not answer. Its cost is recorded up to when we gave up, 32s after the call had ended.",
		},
		{
			"from the carrier", identity, "in", "408",
			"Carrier carrier-a did not confirm the end of a call of line 2001, which had come in from it: it did not answer. We gave up 32s after the call had ended.",
		},
		{
			"an answer after the record", identity, "out", "200",
			"Carrier carrier-a answered a call of line 2001 after its record was closed. We hung up once; what the carrier charges for it is in no record.",
		},
		{"a phone that vanished", "", "out", "408", ""},
	} {
		e := &Event{Kind: "leg.unconfirmed", Line: "2001~00000000", Account: "acme", Call: "01C", At: noon, Body: body(c.trunk, c.dir, c.status)}
		all, err := Judge(e)
		if err != nil || len(all) > 1 {
			t.Fatal(all, err)
		}
		if c.want == "" {
			if len(all) != 0 || !Concerns(e.Kind) {
				t.Errorf("%s: %+v", c.name, all)
			}
			continue
		}
		if codes(all) != "warning leg-unconfirmed" || all[0].Text != c.want {
			t.Errorf("%s: %+v", c.name, all)
			continue
		}
		// One for the trunk's day, whichever line it was.
		if f := &all[0]; f.Key != "leg-unconfirmed/trunk/"+identity+"/"+noon.UTC().Format(time.DateOnly) || f.Line != "" || !LegUnconfirmed.Audience().Has(Desk) {
			t.Errorf("%s: %+v", c.name, f)
		} else if !strings.Contains(string(f.Evidence), `"call_id":"01C"`) || !strings.Contains(string(f.Evidence), `"leg_call_id":"b@1"`) {
			t.Errorf("%s: %s", c.name, f.Evidence)
		}
	}
	if all, err := Judge(&Event{Kind: "leg.unconfirmed", At: noon, Body: []byte(`{"trunk":7}`)}); err == nil || len(all) > 0 {
		t.Errorf("%v, %v", all, err)
	}
}

// All calls of a line's day to numbers that nobody has are one finding, for the desk.
func TestNumberUnallocated(t *testing.T) {
	e := &Event{Kind: "call.unallocated", Line: "2001~00000000", Account: "acme", Call: "01C", At: noon, Body: []byte(`{"number":"+447700400123","class":"mobile","source":"192.0.2.7"}`)}
	all, err := Judge(e)
	if err != nil || codes(all) != "warning number-unallocated" || !Concerns(e.Kind) {
		t.Fatal(all, err)
	}
	f := &all[0]
	if want := "Line 2001 called +447700400123, in a block of numbers that the regulator has not allocated."; f.Text != want {
		t.Errorf("%q, want %q", f.Text, want)
	}
	if f.Line != e.Line || f.Account != "acme" || f.Source != "192.0.2.7" || !strings.HasSuffix(f.Key, "/"+noon.UTC().Format(time.DateOnly)) || strings.Contains(f.Key, "447700") {
		t.Errorf("%+v", f)
	}
	for _, body := range []string{`{}`, `{"number":7}`, `[]`, ``} {
		e.Body = []byte(body)
		if all, err := Judge(e); err == nil || len(all) > 0 {
			t.Errorf("%s: %v", body, all)
		}
	}
}
