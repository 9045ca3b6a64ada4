package notify

import (
	"fmt"
	"time"

	"ringfence/core/detect"
	"ringfence/state/store"
)

// sampleAt is when samples happen: a moment in summer time, so that zones show.
var sampleAt = time.Date(2026, 7, 20, 13, 5, 0, 0, time.UTC)

// sampleTexts are the sentences of findings, in the words of detect, and their evidence.
var sampleTexts = map[detect.Kind]struct{ text, evidence string }{
	detect.Guessing: {"203.0.113.9 sent 5 wrong logins for line 2001 and is locked out for this line for 15 minutes; it guesses from: common passwords.",
		`{"source":"203.0.113.9","scope":"line","failures":5,"level":1,"until":"2026-07-20T13:20:00Z","agent":"friendly-scanner","guesses":"common passwords"}`},
	detect.Siege: {"Line 2001 had 240 wrong logins from 96 strange addresses within 12 days; strangers now get 3 tries a day, usual places are not affected.",
		`{"failures":240,"sources":96,"days":12,"budget":3}`},
	detect.Spray: {"203.0.113.0/24 tried 40 different lines with 80 wrong logins; 12 of the names exist here; it guesses from: numbers.",
		`{"source":"203.0.113.0/24","lines":40,"failures":80,"known":12,"guesses":"numbers"}`},
	detect.StalePhone: {"A phone that calls itself “Grandstream GXP2170 1.0.11.6” at 198.51.100.20 keeps trying line 2001 with a password that was replaced on 1 July 2026.",
		`{"source":"198.51.100.20","agent":"Grandstream GXP2170 1.0.11.6","how":"former","replaced_at":"2026-07-01T09:00:00Z"}`},
	detect.OldPassword: {"A former password of line 2001 was tried from 203.0.113.9, where the line was never used.",
		`{"source":"203.0.113.9","agent":"MicroSIP/3.21.3"}`},
	detect.NonceMoved: {"The right answer to a login challenge of line 2001 came from 203.0.113.9; the challenge was given to 198.51.100.20, and no fresh login followed.",
		`{"source":"203.0.113.9","given_to":"198.51.100.20","agent":"MicroSIP/3.21.3"}`},
	detect.TwoPlaces: {"Line 2001 was used from 203.0.113.9 (Example Telecom, BR) while a phone was registered with it at 198.51.100.20 (GB), at least 8,800 km away.",
		`{"address":"203.0.113.9","agent":"MicroSIP/3.21.3","family":"MicroSIP","country":"BR","asn":64500,"network":"Example Telecom","new":"both","elsewhere":{"address":"198.51.100.20","country":"GB"},"km_at_least":8800}`},
	detect.Travel: {"Line 2001 was used from 203.0.113.9 (Example Telecom, BR) 40 minutes after 198.51.100.20 (GB), at least 8,800 km away: nobody travels so fast.",
		`{"address":"203.0.113.9","agent":"MicroSIP/3.21.3","country":"BR","asn":64500,"network":"Example Telecom","new":"both","last":{"address":"198.51.100.20","country":"GB","network":"Example Broadband","asn":64501,"at":"2026-07-20T12:25:00Z"},"km_at_least":8800,"minutes_between":40}`},
	detect.HostingLogin: {"Line 2001 was used with the right password at the first try from 203.0.113.9 (Example Hosting, DE), a hosting network where it was never used.",
		`{"address":"203.0.113.9","agent":"Asterisk PBX 18.2","country":"DE","asn":64502,"network":"Example Hosting","hosting":true,"new":"both"}`},
	detect.AfterLockout: {"Line 2001 was used with the right password from 203.0.113.9 (Example Telecom, BR), never seen before, within a day of a lock-out for guessing; the same address had sent 4 wrong logins.",
		`{"address":"203.0.113.9","agent":"friendly-scanner","country":"BR","asn":64500,"network":"Example Telecom","new":"both","failures":4,"after_lock":true,"call":true}`},
	detect.HoneypotUsed: {"203.0.113.9 used the login of decoy line 2001 with the right password: it has leaked.",
		`{"source":"203.0.113.9","agent":"friendly-scanner","right_password":true}`},
	detect.UsageLevel: {"Line 2001 has used £21.37 since its last bill, more than twice its warning level of £10.00.",
		`{"level":10000000,"multiple":2,"settled":12340000,"running":9030000,"used":21370000,"calls":3}`},
	detect.Flood: {"4200 sources were shut out within 60 seconds.",
		`{"bans":4200,"from":"2026-07-20T13:04:00Z","till":"2026-07-20T13:05:00Z","sample":["203.0.113.9","203.0.113.77","198.51.100.200"]}`},
}

// sample is a notice of a kind as it might happen.
func (n *Notifier) sample(info KindInfo) (*store.Notice, draft) {
	d := draft{info: info, key: "sample/" + string(info.Kind), line: "2001", account: "acme", at: sampleAt}
	d.Until = sampleAt.Add(n.o.LinkLife)
	switch s, finding := sampleTexts[info.finding]; {
	case finding:
		d.Text, d.Evidence = s.text, evidence([]byte(s.evidence))
		d.Finding, d.Severity, d.Source = info.finding.String()+"/line/2001/2026-07-20", info.finding.Severity().String(), "203.0.113.9"
		if info.finding.Audience() == detect.Desk && info.finding != detect.HoneypotUsed {
			d.line, d.account = "", ""
		}
	case info.Kind == NewDevice:
		d.Evidence = evidence([]byte(`{"address":"203.0.113.9","agent":"Yealink SIP-T46S 66.86.0.15","country":"GB","asn":64501,"network":"Example Broadband","new":"both",
			"last":{"address":"198.51.100.20","country":"GB","network":"Example Fibre","asn":64503,"at":"2026-07-20T08:11:00Z"}}`))
	case info.Kind == LineLocked:
		d.By, d.Why = "staff", "calls to premium numbers abroad at night"
	case info.Kind == PasswordChanged:
		d.By = "staff"
	case info.Kind == Digest:
		d.line = ""
		d.Items = []item{
			{1, Kind(detect.Guessing.String()), sampleAt.Add(-50 * time.Minute), "2001", sampleTexts[detect.Guessing].text},
			{2, NewDevice, sampleAt.Add(-20 * time.Minute), "2002", ""},
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
	channel := Mail
	if format == AsJSON {
		channel = Webhook
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
