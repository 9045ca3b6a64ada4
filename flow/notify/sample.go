package notify

import (
	"encoding/json"
	"fmt"
	"time"

	"ringfence/core/account"
	"ringfence/core/detect"
	"ringfence/core/fact"
	"ringfence/core/restrict"
	"ringfence/flow/guard"
	"ringfence/state/store"
)

// sampleAt is when samples happen: a moment in summer time, so that zones show.
var sampleAt = time.Date(2026, 7, 20, 13, 5, 0, 0, time.UTC)

// sample is a notice of a kind as it might happen.
func (n *Notifier) sample(info KindInfo) (*store.Notice, draft) {
	d := draft{info: info, key: "sample/" + string(info.Kind), line: "2001", account: "acme", at: sampleAt}
	d.begin(sampleAt, n.o.LinkLife)
	switch f, finding := info.finding.Sample(d.line, d.account, sampleAt); {
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
	case info.Kind == Restricted:
		d.By, d.Why = "staff", "calls to Latvia at night that look like fraud"
		d.Evidence = restrictionEvidence(&restrict.Restriction{
			ID: 60307200, Names: restrict.Set{Abroad: true}, Until: time.Date(2026, 7, 23, 23, 0, 0, 0, time.UTC), Ends: true,
		})
	case info.Kind == PasswordChanged:
		d.By = "staff"
	case info.Kind == ForwardSet:
		d.By, d.Source = fact.ByForwardCode, "203.0.113.9"
		d.Evidence = map[string]any{"forward_busy": "07700 900123", "forward_no_answer": "07700 900123", "forward_after": "25"}
		d.Text = forwardsText(d.line, d.Evidence)
	case info.Kind == RequestMade, info.Kind == RequestAnswered:
		d.Why = "a supplier in Cuba"
		d.Evidence = map[string]any{"request": "7", "setting": "international-ceiling", "wanted": "50p a minute", "wanted_until": "2026-08-03T23:00:00Z"}
		if info.Kind == RequestAnswered {
			d.By, d.Evidence["answer"], d.Evidence["note"] = "staff", "granted", "two weeks, then ask again"
		}
	case info.Kind == ChangeWaiting:
		d.By = "acme/ana"
		d.Evidence = map[string]any{"change": "7k2m9qpx", "loosens": "line 2001: international-ceiling from 5p to 20p", "happens": "2026-08-03T23:00:00Z", "note": "If it is night, it is not me. Ring Sam."}
	case info.Kind == AccessChanged:
		d.line, d.By, d.Source = "", "acme/ana", "203.0.113.9"
		d.Text = "acme/ana has a new passkey: laptop."
		d.Evidence = evidence([]byte(`{"source":"203.0.113.9","user_agent":"Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}`))
	case info.Kind == NumbersChanged:
		d.line, d.By = "", "acme/ana"
		d.Text = "Calls can present +443069990123 from now on: it was verified with a code in a call to it."
	case billed(info.Kind):
		d.line = ""
		b := fact.BillIssued{Bill: 17, Count: 212, Gross: 156_390_000, Due: sampleAt.AddDate(0, 0, 14), To: sampleAt.AddDate(0, 0, -19)}
		reminder := int64(0)
		if info.Kind == BillReminder {
			b.Count, b.Due, reminder = 0, sampleAt.AddDate(0, 0, -3), 2
		}
		raw, _ := json.Marshal(billEvidence(&b, reminder)) // plain texts and numbers
		d.Evidence = evidence(raw)
	case info.Kind == CaseCredit:
		d.line, d.Text = "", "You owe £99.74 less, VAT included. Case 17: £245.59 was charged. We bear £31.08. Our cost price takes off £38.12. The carrier has credited £20.00."
	case info.Kind == Instalment:
		d.line, d.Text = "", "Case 17: Instalment 1 of 3, £52.13, is due on Monday 27 July 2026. You may pay more, or all of £156.39, at any time; that costs nothing."
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

// Preview renders a kind with sample data, as a channel sends it. Its links are of the right form and answer nothing. ErrNotFound: no such kind.
func (n *Notifier) Preview(kind Kind, channel string) (Message, error) {
	info, ok := infoOf(kind)
	if !ok {
		return Message{}, fmt.Errorf("%w: kind of notice %.40q", ErrNotFound, string(kind))
	}
	x, _ := n.sample(info)
	person := samplePerson(info)
	return n.message(x, &store.Delivery{Person: person, Channel: channel, Address: "you@example.com", Ref: n.messageID(x.Key, person, channel)})
}

// Samples are previews of every kind, in their order, as mails.
func (n *Notifier) Samples() ([]Message, error) {
	var out []Message
	for _, info := range table {
		m, err := n.Preview(info.Kind, account.Mail)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// tryTemplates renders every kind for everyone who may get it, with and without links and contact routes, so that a
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
