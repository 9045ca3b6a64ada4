package notify

import (
	"fmt"
	"time"

	"ringfence/core/account"
	"ringfence/core/detect"
	"ringfence/core/fact"
	"ringfence/flow/guard"
	"ringfence/state/store"
)

// sampleAt is when samples happen: a moment in summer time, so that zones show.
var sampleAt = time.Date(2026, 7, 20, 13, 5, 0, 0, time.UTC)

// sampleFacts are what findings come of; detect says what it concludes.
var sampleFacts = map[detect.Kind]struct{ kind, body string }{
	detect.Guessing: {fact.KindLoginLocked, `{"source":"203.0.113.9","scope":"line","failures":5,"level":1,"until":"2026-07-20T13:20:00Z","user":"2001",
		"agent":"friendly-scanner","guesses":"common passwords"}`},
	detect.Siege:       {fact.KindLoginSiege, `{"failures":240,"sources":96,"days":12,"budget":3}`},
	detect.Spray:       {fact.KindLoginSpray, `{"source":"203.0.113.0/24","lines":40,"failures":80,"known":12,"guesses":"numbers"}`},
	detect.StalePhone:  {fact.KindLoginStale, `{"source":"198.51.100.20","agent":"Grandstream GXP2170 1.0.11.6","how":"former","replaced_at":"2026-07-01T09:00:00Z"}`},
	detect.OldPassword: {fact.KindLoginOld, `{"source":"203.0.113.9","agent":"MicroSIP/3.21.3"}`},
	detect.NonceMoved:  {fact.KindLoginMovedNonce, `{"source":"203.0.113.9","given_to":"198.51.100.20","agent":"MicroSIP/3.21.3"}`},
	detect.TwoPlaces: {fact.KindDeviceNew, `{"address":"203.0.113.9","agent":"MicroSIP/3.21.3","family":"MicroSIP","place":"203.0.113.0/24","country":"BR","asn":64500,
		"network":"Example Telecom","new":"both","elsewhere":[{"address":"198.51.100.20","country":"GB"}]}`},
	detect.Travel: {fact.KindDeviceNew, `{"address":"203.0.113.9","agent":"MicroSIP/3.21.3","family":"MicroSIP","place":"203.0.113.0/24","country":"BR","asn":64500,
		"network":"Example Telecom","new":"both","last":{"address":"198.51.100.20","country":"GB","network":"Example Broadband","asn":64501,"at":"2026-07-20T12:25:00Z"}}`},
	detect.HostingLogin: {fact.KindDeviceNew, `{"address":"203.0.113.9","agent":"Asterisk PBX 18.2","family":"Asterisk PBX","place":"203.0.113.0/24","country":"DE","asn":64502,
		"network":"Example Hosting","hosting":true,"new":"both"}`},
	detect.AfterLockout: {fact.KindDeviceNew, `{"address":"203.0.113.9","agent":"friendly-scanner","family":"friendly-scanner","place":"203.0.113.0/24","country":"BR","asn":64500,
		"network":"Example Telecom","new":"both","failures":4,"after_lock":true,"call":true}`},
	detect.HoneypotUsed:   {fact.KindLoginHoneypot, `{"source":"203.0.113.9","agent":"friendly-scanner","right":true}`},
	detect.Flood:          {fact.KindBanFlood, `{"bans":4200,"from":"2026-07-20T13:04:00Z","till":"2026-07-20T13:05:00Z","sample":["203.0.113.9","203.0.113.77","198.51.100.200"]}`},
	detect.EmergencyCalls: {fact.KindCallEmergencies, `{"source":"198.51.100.20","open":40,"all":42,"most":5000,"refused":false}`},
	detect.InboundCalls:   {fact.KindCallInboundFull, `{"source":"192.0.2.10","trunk":"carrier-a","open":5000,"all":5000,"most":5000,"refused":false}`},
	detect.Unallocated:    {fact.KindCallUnallocated, `{"number":"+447700400123","class":"mobile","source":"198.51.100.20"}`},
	detect.LegUnconfirmed: {fact.KindLegUnconfirmed, `{"trunk":"carrier-a~7h3kq0zt","b_call_id":"rf-5f1c0e7a-01JD8Z6Q4N8T7R5V3X1B9C7D5F-9b04d2c77e31a6f8","direction":"out","sip_status":500,"beyond_ms":32000}`},
}

// sampleFinding is a finding of a kind as detect makes it.
func sampleFinding(k detect.Kind, line string) (detect.Finding, bool) {
	if k == detect.UsageLevel {
		u := detect.Usage{Line: line, Account: "acme", Settled: 12_340_000, Running: 9_030_000, Level: 10_000_000}
		return detect.UsagePassed(u, 0, "2026-07", sampleAt), true
	}
	f := sampleFacts[k]
	all, _ := detect.Judge(&detect.Event{Kind: f.kind, Line: line, Account: "acme", Call: "01JD8Z6Q4N8T7R5V3X1B9C7D5F", At: sampleAt, Body: []byte(f.body)})
	for _, x := range all {
		if x.Kind == k {
			return x, true
		}
	}
	return detect.Finding{}, false
}

// sample is a notice of a kind as it might happen.
func (n *Notifier) sample(info KindInfo) (*store.Notice, draft) {
	d := draft{info: info, key: "sample/" + string(info.Kind), line: "2001", account: "acme", at: sampleAt}
	d.begin(sampleAt, n.o.LinkLife)
	switch f, finding := sampleFinding(info.finding, d.line); {
	case finding:
		d.Text, d.Evidence = strange(f.Text, maxText), evidence(f.Evidence)
		d.Finding, d.Severity, d.Source = f.Key, f.Severity.String(), f.Source
		d.line, d.account = f.Line, f.Account
	case info.Kind == NewDevice:
		d.Evidence = evidence([]byte(`{"address":"203.0.113.9","agent":"Yealink SIP-T46S 66.86.0.15","country":"GB","asn":64501,"network":"Example Broadband","new":"both",
			"last":{"address":"198.51.100.20","country":"GB","network":"Example Fibre","asn":64503,"at":"2026-07-20T08:11:00Z"}}`))
	case info.Kind == LoginHeld, info.Kind == LoginProbation:
		d.Evidence = evidence([]byte(`{"source":"203.0.113.9","net":"203.0.113.0/24","agent":"Yealink SIP-T46S 66.86.0.15","country":"GB","asn":64501,"network":"Example Broadband"}`))
		if d.Source = "203.0.113.9"; info.Kind == LoginHeld {
			d.Evidence["waits_until"] = sampleAt.Add(guard.HeldFor).Format(time.RFC3339)
		} else {
			d.Evidence["limits_until"] = sampleAt.Add(guard.ProbationFor).Format(time.RFC3339)
		}
	case info.Kind == LineLocked:
		d.By, d.Why = "staff", "calls to premium numbers abroad at night"
		d.Evidence = map[string]any{"calls": account.CallsEnd.String()}
	case info.Kind == PasswordChanged:
		d.By = "staff"
	case info.Kind == RequestMade, info.Kind == RequestAnswered:
		d.Why = "a supplier in Cuba"
		d.Evidence = map[string]any{"request": "7", "setting": "international-ceiling", "wanted": "50p a minute", "wanted_until": "2026-08-03T23:00:00Z"}
		if info.Kind == RequestAnswered {
			d.By, d.Evidence["answer"], d.Evidence["note"] = "staff", "granted", "two weeks, then ask again"
		}
	case info.Kind == Digest:
		d.line = ""
		d.Items = []item{
			{1, Kind(detect.Guessing.String()), sampleAt.Add(-50 * time.Minute), "2001", "203.0.113.9 sent 5 wrong logins for line 2001 and is locked out for this line for 15 minutes.", false},
			{2, NewDevice, sampleAt.Add(-20 * time.Minute), "2002", "", false},
		}
		d.Bundled = []int64{1, 2, 3, 4, 5}
	case info.Kind == Test:
		d.line = ""
	}
	return &store.Notice{ID: 1, Key: d.key, Kind: string(info.Kind), Line: d.line, Account: d.account, At: d.at, Data: d.json()}, d
}

// samplePerson is who gets samples: the owner where the kind has one.
func samplePerson(info KindInfo) string {
	if info.Desk && !info.Owner {
		return "desk/fraud@example.net"
	}
	return "customer/acme/office"
}

// Formats of Preview.
const (
	AsMail = "mail" // subject, text and HTML
	AsText = "text"
	AsHTML = "html"
	AsJSON = "json" // what a webhook gets
)

// Preview renders a kind with sample data. Its links are of the right form and answer nothing. ErrNotFound: no such kind, or format.
func (n *Notifier) Preview(kind Kind, format string) (Message, error) {
	info, ok := infoOf(kind)
	if !ok {
		return Message{}, fmt.Errorf("%w: kind of notice %.40q", ErrNotFound, string(kind))
	}
	channel := account.Mail
	if format == AsJSON {
		channel = account.Webhook
	}
	x, _ := n.sample(info)
	person := samplePerson(info)
	m, err := n.message(x, &store.Delivery{Person: person, Channel: channel, Address: "you@example.com", Ref: n.messageID(x.Key, person, channel)})
	switch format {
	case AsMail, AsJSON, "":
	case AsText:
		m.HTML = ""
	case AsHTML:
		m.Text = ""
	default:
		return Message{}, fmt.Errorf("%w: format %.40q; there are mail, text, html and json", ErrNotFound, format)
	}
	return m, err
}

// Samples are previews of every kind, in their order, as mails.
func (n *Notifier) Samples() ([]Message, error) {
	var out []Message
	for _, info := range table {
		m, err := n.Preview(info.Kind, AsMail)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// tryTemplates renders every kind for everybody who may get it, with and without links and contact routes, so that a
// template that fails is known now.
func (n *Notifier) tryTemplates() error {
	bare := &Notifier{o: n.o, log: n.log}
	bare.o.LinksURL, bare.o.Help = "", Help{}
	for _, info := range table {
		for _, m := range []*Notifier{n, bare} {
			x, d := m.sample(info)
			poor := *x
			d.data = data{}
			poor.Data, poor.Line = d.json(), ""
			for _, person := range []string{samplePerson(info), "desk/fraud@example.net", "customer/acme/office"} {
				for _, y := range []*store.Notice{x, &poor} {
					if _, _, err := n.words.render(m.look(y, person, person == "")); err != nil {
						return fmt.Errorf("templates: %w (in %s)", err, n.o.Templates)
					}
				}
			}
		}
	}
	return nil
}
