package rest_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"ringfence/core/account"
	"ringfence/core/seal"
	"ringfence/edge/rest"
	"ringfence/edge/rest/api"
	"ringfence/flow/auth"
	"ringfence/flow/ban"
	"ringfence/flow/casefile"
	"ringfence/flow/desk"
	"ringfence/flow/device"
	"ringfence/flow/evidence"
	"ringfence/flow/guard"
	"ringfence/flow/notify"
	"ringfence/flow/retention"
	"ringfence/flow/status"
	"ringfence/flow/watch"
	"ringfence/state/store"
)

// stages gives the API what keeps thieves out, over the fixture's store.
func (f *fixture) stages(t testing.TB, d *rest.Deps) {
	t.Helper()
	f.billing = f.accounts(t)
	f.settling = f.settles(t)
	d.Billing, d.Settle = f.billing, f.settling
	spared := netip.MustParseAddr("198.51.100.20")
	bans, err := ban.Open(ctx, ban.Options{
		Store: f.db,
		Exempt: func(a netip.Addr) string {
			if a == spared {
				return "a customer's"
			}
			return ""
		},
		Inside: func(n netip.Prefix) (netip.Addr, string, bool) { return spared, "a customer's", n.Contains(spared) },
		Never:  []netip.Prefix{netip.MustParsePrefix("192.0.2.250/32")},
	})
	if err != nil {
		t.Fatal(err)
	}
	w, err := watch.New(watch.Options{Store: f.db, Book: f.book})
	if err != nil {
		t.Fatal(err)
	}
	n, err := notify.New(notify.Options{Store: f.db, Book: f.book, Desk: []string{"fraud@example.net"}})
	if err != nil {
		t.Fatal(err)
	}
	a, err := guard.New(guard.Options{Options: auth.Options{Realm: "sip.test"}, Line: func([]byte, time.Time) (guard.Line, bool) { return guard.Line{}, false }})
	if err != nil {
		t.Fatal(err)
	}
	f.bans = bans
	p, err := status.New(status.Options{Store: f.db, Home: func(string) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	private, _, err := note.GenerateKey(rand.Reader, "test")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := (&seal.Checkpoint{Number: 1, Epoch: 1, At: time.Now()}).Sign(signer)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.db.PutCheckpoint(t.Context(), store.Checkpoint{Number: 1, Note: signed}); err != nil {
		t.Fatal(err)
	}
	e, err := evidence.Open(t.Context(), evidence.Options{Store: f.db, Seed: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	d.Evidence = func() *evidence.Evidence { return e }
	kept := retention.New(retention.Options{Store: f.paid, Policy: func() retention.Policy { return retention.Policy{} }})
	d.Retention = func() *retention.Retention { return kept }
	d.Public = func() *status.Status { return p }
	d.Bans, d.Watch, d.Notices = func() *ban.List { return bans }, func() *watch.Watch { return w }, func() *notify.Notifier { return n }
	d.Cases = sync.OnceValue(func() *desk.Cases { return f.cases(t, w) })
	f.desk = d.Cases
	d.Casefile = sync.OnceValue(func() *casefile.Casefile { return f.judges(t, e) })
	staff, err := desk.New(desk.Options{Store: f.db, Records: pastCalls{f}, Book: f.book, Exposure: d.Exposure, Watch: func() *watch.Watch { return w }})
	if err != nil {
		t.Fatal(err)
	}
	d.Desk = func() *desk.Desk { return staff }
	d.Guard, d.Devices = a, device.New(device.Options{Store: f.db})
	d.Devices.Seen(device.Login{Line: acme1, Addr: netip.MustParseAddr("198.51.100.20"), Agent: "Yealink \x1b[2J<b>", At: time.Now()})
	d.Geo = func(netip.Addr, bool) api.Place { return api.Place{Country: "GB", ASN: 64500} }
	d.HookKey = func() (api.WebhookKey, error) {
		return api.WebhookKey{ID: "rf", PEM: "-----BEGIN PUBLIC KEY-----"}, nil
	}
	d.Feeds = func() []api.Feed { return []api.Feed{{Name: "apiban", From: "https://apiban.example"}} }
	d.Refresh = func(_ context.Context, name string) error {
		if name != "apiban" {
			return rest.ErrNoFeed
		}
		return f.feed
	}
}

// happen makes findings, a notice and a contact.
func (f *fixture) happen(t testing.TB) {
	t.Helper()
	f.caseOf(t, acme, acme1)
	f.bill(t, acme, acme1)
	err := f.book.PutContact(ctx, "tester", acme, account.Contact{ID: "office", Channel: account.Mail, Address: "office@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	if _, err := f.db.PutIncident(ctx, store.Incident{Component: "login", Node: "a", Kind: status.Measured, Title: "Phones cannot log in", Began: at, Updates: []store.IncidentUpdate{{At: at, Text: "Our servers do not answer phones."}}}); err != nil {
		t.Fatal(err)
	}
	_, err = f.db.Advance(ctx, store.Step{
		Stage: "test",
		Findings: []store.Finding{
			{Key: "a", Kind: "guessing", Severity: "warning", Line: acme1, Account: acme, Source: "203.0.113.9", Text: "5 wrong passwords", At: at, Last: at, Count: 1, Evidence: []byte(`{"failures":5}`)},
			{Key: "b", Kind: "spray", Severity: "warning", Source: "203.0.113.0/24", Text: "40 lines", At: at, Last: at, Count: 2},
		},
		Notices: []store.Notice{{
			Key: "n", Kind: "line-locked", Line: acme1, Account: acme, At: at, Data: []byte(`{}`),
			Deliveries: []store.Delivery{{Person: "customer/acme~00000000/office~00000000", Channel: "mail", Address: "office@example.com", State: store.Kept}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// night is what the fraud desk does; each step sees what the ones before did.
var night = []struct {
	method, path, body string
	status             int
	want               string
}{
	{"GET", "/v1/bans", "", 200, `{"items":[]}`},
	{"POST", "/v1/bans", `{"net":"203.0.113.9","why":"guesses","for_seconds":3600}`, 201, `"net":"203.0.113.9","until"`},
	{"POST", "/v1/bans", `{"net":"203.0.113.9"}`, 422, `why`},
	{"POST", "/v1/bans", `{"net":"here","why":"x"}`, 422, `"field":"net","found":"here"`},
	{"POST", "/v1/bans", `{"net":"0.0.0.0/0","why":"x"}`, 422, `too wide|wider`},
	{"POST", "/v1/bans", `{"net":"203.0.113.9/24","why":"x"}`, 422, `203.0.113.0/24 or 203.0.113.9`},
	{"POST", "/v1/bans", `{"net":"203.0.113.9","why":"x","for_seconds":5,"until":"2126-01-01T00:00:00Z"}`, 422, `not both`},
	{"POST", "/v1/bans", `{"net":"203.0.113.9","why":"x","for_seconds":-5}`, 422, `for_seconds`},
	{"POST", "/v1/bans", `{"net":"127.0.0.1","why":"x"}`, 409, `this machine itself`},
	{"POST", "/v1/bans", `{"net":"127.0.0.0/8","why":"x"}`, 409, `this machine itself`},
	{"POST", "/v1/bans", `{"net":"::ffff:127.0.0.1","why":"x"}`, 409, `this machine itself`},
	{"POST", "/v1/bans", `{"net":"::1","why":"x"}`, 409, `"reason":"spared"`},
	{"POST", "/v1/bans", `{"net":"::1","why":"x","force":true}`, 201, `"net":"::1"`},
	{"DELETE", "/v1/bans?net=::1", "", 200, `"net":"::1"`},
	{"POST", "/v1/bans", `{"net":"10.0.0.0/24","why":"x"}`, 201, `"net":"10.0.0.0/24"`},
	{"DELETE", "/v1/bans?net=10.0.0.0/24", "", 200, `"net":"10.0.0.0/24"`},
	{"POST", "/v1/bans", `{"net":"192.0.2.250","why":"x","force":true}`, 409, `"reason":"never-ban"`},
	{"POST", "/v1/bans", `{"net":"198.51.100.0/24","why":"x"}`, 409, `"reason":"spared"`},
	{"POST", "/v1/bans", `{"net":"198.51.100.0/24","why":"all of it","force":true}`, 201, `"by":"tester","why":"all of it"`},
	{"POST", "/v1/bans", `{"net":"::ffff:203.0.113.77","why":"mapped"}`, 201, `"net":"203.0.113.77"`},
	{"GET", "/v1/bans?limit=1", "", 200, `"next":"198.51.100.0/24"`},
	{"GET", "/v1/bans?limit=1&after=198.51.100.0/24", "", 200, `{"items":[{"net":"203.0.113.9"`},
	{"GET", "/v1/bans?within=203.0.113.64/26", "", 200, `{"items":[{"net":"203.0.113.77"`},
	{"GET", "/v1/bans?by=auto", "", 200, `{"items":[]}`},
	{"GET", "/v1/bans?within=nowhere", "", 422, `"field":"within"`},
	{"GET", "/v1/bans/why?address=198.51.100.20", "", 200, `"banned":true,"bans":[{"net":"198.51.100.0/24"`},
	{"GET", "/v1/bans/why?address=198.51.100.20", "", 200, `"spared":"a customer's","lockouts":[],"place":{"address":"198.51.100.20","country":"GB"`},
	{"GET", "/v1/bans/why?address=192.0.2.250", "", 200, `"never":"192.0.2.250"`},
	{"GET", "/v1/bans/why", "", 422, `address`},
	{"POST", "/v1/bans/import?name=bad", "192.0.2.7 2126-01-01 # scanner\nnonsense\n", 422, `"line":2,"column":1,"found":"nonsense"`},
	{"POST", "/v1/bans/import?name=some%20list", "192.0.2.7\n", 422, `"field":"name"`},
	{"POST", "/v1/bans/import?name=x&until=2020-01-01T00:00:00Z", "192.0.2.7\n", 422, `a time in the future`},
	{"POST", "/v1/bans/import?name=friends&dry_run=true", "192.0.2.7\n", 200, `1 entry would be taken`},
	{"GET", "/v1/bans?by=feed", "", 200, `{"items":[]}`},
	{"POST", "/v1/bans/import?name=friends&until=2035-01-01T00:00:00Z", "192.0.2.7 # scanner\n198.51.100.20\n", 200, `"held":1,"added":1,"removed":0,"left_out":1`},
	{"GET", "/v1/bans?by=feed:import.friends", "", 200, `"until":"2035-01-01T00:00:00Z"`},
	{"GET", "/v1/bans/export?by=feed", "", 200, "192.0.2.7 2035-01-01T00:00:00Z # scanner\n"},
	{"GET", "/v1/bans/export?format=json&within=192.0.2.7", "", 200, `"by": "feed:import.friends"`},
	{"GET", "/v1/bans/export?format=xml", "", 422, `format`},
	{"DELETE", "/v1/bans/imports/friends", "", 200, `"removed":1`},
	{"DELETE", "/v1/bans/imports/friends", "", 404, `imported list`},
	{"DELETE", "/v1/bans?net=198.51.100.20", "", 404, `198.51.100.0/24 is, by tester`},
	{"DELETE", "/v1/bans?net=198.51.100.0/24&why=slip", "", 200, `"net":"198.51.100.0/24"`},
	{"GET", "/v1/feeds", "", 200, `"from":"https://apiban.example"`},
	{"POST", "/v1/feeds/apiban/refresh", "", 200, `"name":"apiban"`},
	{"POST", "/v1/feeds/none/refresh", "", 404, `there is no feed \"none\"`},

	{"GET", "/v1/lockouts", "", 200, `{"items":[]}`},
	{"GET", "/v1/lockouts?after=5", "", 200, `{"items":[]}`},
	{"POST", "/v1/lockouts/release", `{"what":"203.0.113.9"}`, 200, `"released":false`},
	{"POST", "/v1/lockouts/release", `{"what":""}`, 422, `what`},
	{"GET", "/v1/geo?address=203.0.113.9", "", 200, `"country":"GB"`},
	{"GET", "/v1/geo?address=x", "", 422, `IPv4 or IPv6`},

	{"GET", "/v1/incidents", "", 200, `{"items":[{"id":1,"kind":"measured","component":"login","title":"Phones cannot log in"`},
	{"POST", "/v1/incidents/1/notes", `{"text":"We look for it."}`, 201, `"by":"tester","text":"We look for it."`},
	{"POST", "/v1/incidents/1/close", `{}`, 409, `measurement found this incident`},
	{"POST", "/v1/incidents", `{"title":"New version","text":"Calls go on.","from":"2126-01-01T00:00:00Z","until":"2126-01-01T01:00:00Z"}`, 201, `"kind":"planned"`},
	{"POST", "/v1/incidents", `{"title":"New version","text":"Calls go on.","from":"2126-01-01T00:00:00Z"}`, 422, `"field":"until"`},
	{"POST", "/v1/incidents", `{"title":"x","text":" "}`, 422, `"field":"text"`},
	{"POST", "/v1/incidents/2/close", `{"text":"Not needed."}`, 200, `"text":"Not needed."`},
	{"POST", "/v1/incidents/2/close", `{}`, 409, `the incident is over`},
	{"GET", "/v1/incidents/99", "", 404, `incident`},
	{"GET", "/v1/findings", "", 200, `{"items":[{"id":2,"kind":"spray","title":"Somebody is trying passwords on many lines"`},
	{"GET", "/v1/findings?limit=1", "", 200, `"next":"2"`},
	{"GET", "/v1/findings?before=2&open=true", "", 200, `{"items":[{"id":1,`},
	{"GET", "/v1/findings?line=acme-1&customer=acme&kind=guessing", "", 200, `"source":"203.0.113.9"`},
	{"GET", "/v1/findings?kind=gessing", "", 422, `"field":"kind"`},
	{"GET", "/v1/findings/1", "", 200, `"advice":["If you do not recognise the address`},
	{"GET", "/v1/findings/1", "", 200, `"evidence":{"failures":5}`},
	{"GET", "/v1/findings/9", "", 404, `there is no finding \"9\"`},
	{"POST", "/v1/findings/1/close", "", 200, `"open":false`},
	{"POST", "/v1/findings/1/close", "", 409, `"reason":"closed"`},
	{"POST", "/v1/findings/9/close", "", 404, `finding`},
	{"GET", "/v1/findings?open=true&line=acme-1", "", 200, `{"items":[]}`},

	{"GET", "/v1/notices?state=kept", "", 200, `"person":"customer/acme/office","channel":"mail","address":"office@example.com","state":"kept"`},
	{"GET", "/v1/notices?limit=1000", "", 200, `"id":1,`},
	{"GET", "/v1/notices?kind=nope", "", 422, `want a kind of notice: new-device, `},
	{"GET", "/v1/notices?state=lost", "", 422, `state`},
	{"GET", "/v1/notices/1", "", 200, `"subject":"`},
	{"GET", "/v1/notices/7", "", 404, `there is no notice \"7\"`},
	{"POST", "/v1/notices/1/resend", `{"person":"desk/nobody"}`, 404, `no recipient of that name`},
	{"POST", "/v1/notices/9/resend", `{}`, 404, `there is no notice \"9\"`},
	{"POST", "/v1/notices/1/resend", `{}`, 200, `"id":2,"kind":"line-locked"`},
	{"POST", "/v1/notices/test", `{"to":"anna@example.com"}`, 202, `"kind":"test"`},
	{"POST", "/v1/notices/test", `{"to":"Anna <anna@example.com>\r\nBcc: x"}`, 422, `"field":"to"`},
	{"POST", "/v1/notices/test", `{"to":"http://example.com/hook"}`, 422, `https URL`},
	{"GET", "/v1/notices/kinds", "", 200, `{"kind":"new-device","title":"New phone or place","text":"A line's login was used`},
	{"GET", "/v1/notices/kinds/usage-level", "", 200, `"html":"`},
	{"GET", "/v1/notices/kinds/nope", "", 404, `kind of notice`},
	{"GET", "/v1/webhook-key", "", 200, `BEGIN PUBLIC KEY`},

	{"GET", "/v1/lines/acme-1/devices", "", 200, `"place":"198.51.100.0/24"`},
	{"GET", "/v1/lines/ghost/devices", "", 404, `ghost`},
	{"GET", "/v1/lines/acme-1/advice", "", 200, `"code":"plain-udp"`},
	{"GET", "/v1/lines/acme-1/fit", "", 200, `"state":"little"`},
	{"GET", "/v1/lines/acme-1/fit?stops=51", "", 422, `stops`},
	{"POST", "/v1/lines/acme-1/fit", `{"settings":[{"field":"max-calls","to":"10000"}]}`, 403, `needs-grant`},
	{"POST", "/v1/lines/acme-1/fit", `{"settings":[{"field":"colour","to":"red"}]}`, 422, `no such setting`},
	{"POST", "/v1/lines/acme-1/fit", `{"settings":[{"field":"max-calls","to":"1"}],"only":"GB, FR"}`, 200, `"max-calls"`},
	{"POST", "/v1/lines/acme-1/fit", `{"settings":[{"field":"max-calls","to":"2"}]}`, 422, `max-calls from 1 to 2`},
	{"POST", "/v1/lines/acme-1/devices/verdict", `{"place":"198.51.100.0/24","verdict":"not-mine"}`, 200, `"verdict":"not-mine"`},
	{"POST", "/v1/lines/acme-1/devices/verdict", `{"place":"198.51.100.0/24","verdict":"none"}`, 200, `"days":1}`},
	{"POST", "/v1/lines/acme-1/devices/verdict", `{"place":"10.0.0.0/24","verdict":"mine"}`, 404, `10.0.0.0/24`},
	{"POST", "/v1/lines/acme-1/devices/verdict", `{"place":"10.0.0.0/24","verdict":"yours"}`, 422, `verdict`},
	{"GET", "/v1/lines/acme-1/usage", "", 200, `"level_micro":10000000,"multiple":0,"told_micro":0,"next_micro":10000000`},
	{"GET", "/v1/customers/acme/usage", "", 200, `"subject":"account/acme"`},
	{"GET", "/v1/customers/nobody/usage", "", 404, `nobody`},
	{"PATCH", "/v1/lines/acme-1", `{"set":[{"field":"line-warning","value":"£5"}]}`, 200, `"field":"line-warning","n":5000000`},
	{"PATCH", "/v1/lines/acme-1", `{"set":[{"field":"line-warning","value":"0"}]}`, 200, `"field":"line-warning","n":0`},
	{"GET", "/v1/lines/acme-1/usage", "", 200, `£0.00 un-billed; warnings are off`},
	{"PATCH", "/v1/lines/acme-1", `{"set":[{"field":"line-warning","value":"9000000000"}]}`, 422, `line-warning \"9000000000\": want a value from off to £`},
	{"PATCH", "/v1/lines/acme-1", `{"set":[{"field":"line-warning","value":"lots"}]}`, 422, `line-warning \"lots\": want an amount such as`},

	{"PATCH", "/v1/customers/acme", `{"courtesy":"user-agent"}`, 200, `"courtesy":"user-agent"`},
	{"GET", "/v1/lines/acme-1", "", 200, `"courtesy":"user-agent","settings"`},
	{"PATCH", "/v1/lines/acme-1", `{"courtesy":"off"}`, 200, `"courtesy":"off","own_courtesy":true`},
	{"PATCH", "/v1/lines/acme-1", `{"courtesy":"inherit"}`, 200, `"courtesy":"user-agent","settings"`},
	{"PATCH", "/v1/lines/acme-1", `{"courtesy":"loud"}`, 422, `courtesy`},
	{"POST", "/v1/lines", `{"id":"trap","customer":"acme","honeypot":true,"courtesy":"off"}`, 201, `"own_courtesy":true,"honeypot":true`},
	{"PATCH", "/v1/lines/trap", `{"honeypot":false}`, 200, `"own_courtesy":true,"settings"`},

	{"GET", "/v1/customers/acme/contacts", "", 200, `{"id":"office","channel":"mail","address":"office@example.com","mail":"office@example.com","lines":[]}`},
	{"GET", "/v1/customers/nobody/contacts", "", 404, `nobody`},
	{"POST", "/v1/customers/acme/contacts", `{"id":"office","mail":"a@example.com"}`, 409, `contact office of acme exists`},
	{"POST", "/v1/customers/acme/contacts", `{"id":"hook","url":"http://example.com/x"}`, 422, `"field":"url"`},
	{"POST", "/v1/customers/acme/contacts", `{"id":"Boss!","mail":"a@b\nBcc: c@d"}`, 422, `"field":"mail"`},
	{"POST", "/v1/customers/acme/contacts", `{"id":"boss","mail":"boss@example.com","kinds":{"usage-levl":"off"}}`, 422, `kinds \"usage-levl\": want * for all others, or a kind of notice: new-device, `},
	{"POST", "/v1/customers/acme/contacts", `{"id":"boss","mail":"boss@example.com","lines":["ghost"]}`, 422, `"field":"lines"`},
	{"POST", "/v1/customers/acme/contacts", `{"id":"boss","mail":"boss@example.com","lines":["acme-1"],"kinds":{"usage-level":"off","*":"digest"}}`, 201, `"kinds":{"*":"digest","usage-level":"off"}`},
	{"PATCH", "/v1/customers/acme/contacts/boss", `{"url":"https://example.com/hook","kinds":{"usage-level":"inherit"}}`, 200, `{"id":"boss","channel":"webhook","address":"https://example.com/hook","url":"https://example.com/hook","lines":["acme-1"],"kinds":{"*":"digest"}}`},
	{"PATCH", "/v1/customers/acme/contacts/boss", `{"address":"Boss@example.com"}`, 200, `"channel":"mail","address":"Boss@example.com","mail":"Boss@example.com"`},
	{"PATCH", "/v1/customers/acme/contacts/boss", `{"mail":"a@example.com","url":"https://example.com/hook"}`, 422, `two contacts for both`},
	{"PATCH", "/v1/customers/acme/contacts/boss", `{"address":"nonsense"}`, 422, `a mail address or the URL of a webhook`},
	{"PATCH", "/v1/customers/acme/contacts/boss", `{"kinds":{"*":"maybe"}}`, 422, `now, digest or off`},
	{"PATCH", "/v1/customers/acme/contacts/ghost", `{"name":"x"}`, 404, `ghost`},
	{"DELETE", "/v1/customers/acme/contacts/boss", "", 204, ``},
	{"DELETE", "/v1/customers/acme/contacts/boss", "", 404, `boss`},
}

// TestEveryRouteOfTheDesk plays the night. A want with a bar is either.
func TestEveryRouteOfTheDesk(t *testing.T) {
	f := newFixture(t, rest.Options{})
	f.fill(t)
	f.happen(t)
	for _, c := range night {
		w := f.do(c.method, c.path, c.body)
		found := false
		for _, want := range strings.Split(c.want, "|") {
			found = found || strings.Contains(w.Body.String(), want)
		}
		if w.Code != c.status || !found {
			t.Errorf("%s %s %s:\n got %d %s\nwant %d … %s", c.method, c.path, c.body, w.Code, w.Body, c.status, c.want)
		}
	}
}

// Deleting a line must not make its contacts unchangeable, nor give a contact of one line the notices of all.
func TestContactsOfDeletedLines(t *testing.T) {
	f := newFixture(t, rest.Options{})
	f.fill(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/v1/lines", `{"id":"acme-2","customer":"acme","no_password":true}`, 201, `acme-2`},
		{"POST", "/v1/customers/acme/contacts", `{"id":"boss","mail":"boss@example.com","lines":["acme-2","acme-1"]}`, 201, `acme-2`},
		{"POST", "/v1/customers/acme/contacts", `{"id":"anna","mail":"anna@example.com","lines":["acme-2"]}`, 201, `acme-2`},
		{"DELETE", "/v1/lines/acme-2", "", 204, ``},
		{"PATCH", "/v1/customers/acme/contacts/boss", `{"kinds":{"*":"digest"}}`, 200, `"lines":["acme-1"]`},
		{"PATCH", "/v1/customers/acme/contacts/boss", `{"lines":["acme-2"]}`, 422, `"field":"lines"`},
		{"PATCH", "/v1/customers/acme/contacts/anna", `{"kinds":{"*":"digest"}}`, 422, `those of this contact are deleted`},
		{"PATCH", "/v1/customers/acme/contacts/anna", `{"lines":[],"kinds":{"*":"digest"}}`, 200, `"lines":[]`},
	} {
		if w := f.do(c.method, c.path, c.body); w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %s %s:\n got %d %s\nwant %d … %s", c.method, c.path, c.body, w.Code, w.Body, c.status, c.want)
		}
	}
}

// A feed that cannot be had is no fault of the question: its fault is in the answer.
func TestRefreshTellsTheFault(t *testing.T) {
	f := newFixture(t, rest.Options{})
	f.feed = fmt.Errorf("feed apiban: no route")
	if w := f.do("POST", "/v1/feeds/apiban/refresh", ""); w.Code != 200 || !strings.Contains(w.Body.String(), `"fault":"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// A node without a stage says so, and does not fall over.
func TestStagesThatAreNotThere(t *testing.T) {
	f := newFixture(t, rest.Options{})
	s, err := rest.New(rest.Deps{Book: f.book, Bans: func() *ban.List { return nil }}, rest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f.fill(t)
	f.h = s.Handler("tester")
	for _, path := range []string{
		"/v1/bans", "/v1/feeds", "/v1/lockouts", "/v1/geo?address=::1", "/v1/findings", "/v1/notices", "/v1/notices/kinds/test", "/v1/webhook-key",
		"/v1/lines/acme-1/devices", "/v1/lines/acme-1/usage",
	} {
		if w := f.do("GET", path, ""); w.Code != 501 || !strings.Contains(w.Body.String(), "not available on this node") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// Pages of bans join without gap or overlap.
func TestPagesOfBans(t *testing.T) {
	f := newFixture(t, rest.Options{})
	for i := range 25 {
		r := ban.Request{Net: netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), 32), By: "tester", Why: "x"}
		if _, err := f.bans.Add(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	seen, after := map[string]bool{}, ""
	for {
		var page api.List[api.Ban]
		if err := json.Unmarshal(f.do("GET", "/v1/bans?limit=10&after="+after, "").Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		for _, b := range page.Items {
			if seen[b.Net] {
				t.Errorf("%s twice", b.Net)
			}
			seen[b.Net] = true
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if len(seen) != 25 {
		t.Errorf("%d of 25", len(seen))
	}
}
