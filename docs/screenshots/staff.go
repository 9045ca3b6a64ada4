package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/habit"
	"ringfence/core/money"
	"ringfence/core/person"
	"ringfence/edge/web"
	"ringfence/flow/ban"
	"ringfence/flow/book"
	"ringfence/flow/cooling"
	"ringfence/flow/desk"
	"ringfence/flow/device"
	"ringfence/flow/exposure"
	"ringfence/flow/gate"
	"ringfence/flow/location"
	"ringfence/flow/notify"
	"ringfence/flow/react"
	"ringfence/flow/watch"
	"ringfence/state/geo"
	"ringfence/state/store"
	"ringfence/state/store/memory"
)

// backroom is where the provider's staff work: the office's provider, on the night of the stolen login.
type backroom struct {
	base string
	srv  *http.Server
	*office
	records *memory.Engine
	watch   *watch.Watch
}

// newBackroom makes one; stolen is the finding about the stolen login.
func newBackroom(ctx context.Context, s *world) (b *backroom, stolen int64, err error) {
	o, err := newOffice(ctx, false)
	if err != nil {
		return nil, 0, err
	}
	b = &backroom{office: o, records: memory.New()}
	if stolen, err = b.fill(ctx); err != nil {
		return nil, 0, err
	}
	return b, stolen, b.serve(ctx, s)
}

func (b *backroom) close() { _, _ = b.srv.Close(), b.office.srv.Close() }

// staff are the pages of the provider's staff.
func staff(ctx context.Context, s *world) (all []scene, stop func(), err error) {
	b, stolen, err := newBackroom(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	page := func(name, path, says string) scene {
		return scene{name: name, folder: "pages", url: b.base + path, dark: true, says: says}
	}
	return []scene{
		page("staff-queue", "/staff", "wait"), page("staff-finding", fmt.Sprintf("/staff/queue/%d", stolen), "data centre"), page("staff-search", "/staff/search?q=ana", "found for"), page("staff-line", "/staff/lines/2003", "refused"),
		page("staff-customer", "/staff/customers/acme", "Acme Ltd"), page("staff-as-customer", "/staff/customers/acme?as=customer", ""), page("staff-rules", "/staff/rules", "held back"), page("staff-rule", "/staff/rules/day", "Rule day"),
		page("staff-trunks", "/staff/trunks", "trunk"), page("staff-lists", "/staff/lists", "bans"), page("staff-audit", "/staff/audit", "last change"), page("staff-status", "/staff/status", "status page"),
	}, b.close, nil
}

// fill adds what waits: findings of the night and of the day before, and a raise request.
func (b *backroom) fill(ctx context.Context) (stolen int64, err error) {
	now := time.Now()
	p := &pastWriter{db: b.records}
	p.day(ctx, now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -1))
	p.night(ctx, now.Add(-14*time.Minute))
	if p.err != nil {
		return 0, p.err
	}
	found := func(ago time.Duration, line, kind, severity, source, text, evidence string) store.Finding {
		f := store.Finding{Key: kind + "/" + line + source, Kind: kind, Severity: severity, Line: line, Source: source, Text: text, At: now.Add(-ago), Last: now.Add(-ago / 2), Count: 1, Evidence: []byte(evidence)}
		if line != "" {
			f.Account = "acme"
		}
		return f
	}
	findings := []store.Finding{
		found(12*time.Minute, "2003", "hosting-login", "critical", "203.0.113.9", "Line 2003 was used with the right password, at the first attempt, from 203.0.113.9 (Example Hosting, DE), a hosting network that it has never used.",
			`{"address":"203.0.113.9","agent":"Asterisk PBX 18.2","family":"Asterisk PBX","country":"DE","asn":64502,"network":"Example Hosting","hosting":true,"new":"both","number":"+5350000147"}`),
		found(26*time.Minute, "2021", "two-places", "warning", "203.0.113.77", "Line 2021 was used from 203.0.113.77 (Example Telecom, BR) while a phone was registered with it at 192.0.2.44 (GB), at least 8,400 km away.", `{"address":"203.0.113.77","country":"BR","network":"Example Telecom","new":"address","km_at_least":8400}`),
		found(2*time.Hour, "2001", "siege", "warning", "", "Line 2001 had 240 wrong logins from 96 new addresses within 12 days.", `{"failures":240,"sources":96,"days":12}`),
		found(5*time.Hour, "", "spray", "warning", "198.51.100.0/24", "198.51.100.0/24 tried 40 different lines with 80 wrong logins; 12 of the names exist here.", `{"lines":40,"failures":80,"known":12}`),
	}
	facts := []store.Fact{}
	say := func(ago time.Duration, f fact.Body) {
		facts = append(facts, fact.Say(f, now.Add(-ago), fact.Subject{Line: "2003", Account: "acme"}))
	}
	say(13*time.Minute, &fact.DeviceNew{Agent: "Asterisk PBX 18.2", Country: "DE", New: "both"})
	say(11*time.Minute, &fact.CallRefused{Number: "+5350000147", Text: "the international ceiling is 2p per minute and this call costs 71.4p"})
	out, err := b.db.Advance(ctx, store.Step{Stage: "docs", Findings: findings, Facts: facts})
	if err != nil {
		return 0, err
	}
	if _, err := b.book.Ask(ctx, "acme/sam", "2011", account.InternationalCeiling, int64(40*money.PencePerMinute), now.AddDate(0, 0, 4), "A supplier in Riga, until Friday"); err != nil {
		return 0, err
	}
	addresses := []string{"192.0.2.1", "192.0.2.2"}
	t, err := b.book.AddTrunk(ctx, "docs", "carrier-a", book.TrunkEdit{Addresses: &addresses})
	if err != nil {
		return 0, err
	}
	var tallies []store.Tally
	for i := range 96 {
		at, n := now.UTC().Truncate(15*time.Minute).Add(-time.Duration(i)*15*time.Minute), int64(10+(i*7)%23)
		tallies = append(tallies, store.Tally{What: "trunk/" + t.Name + "/tried", At: at, N: n}, store.Tally{What: "trunk/" + t.Name + "/answered", At: at, N: n * 7 / 10}, store.Tally{What: "trunk/" + t.Name + "/failed", At: at, N: n / 12})
	}
	return out.Findings[0].ID, b.db.AddTallies(ctx, tallies)
}

// serve shows the pages to an admin.
func (b *backroom) serve(ctx context.Context, s *world) error {
	phones := func(string, time.Time) []location.Binding { return make([]location.Binding, 1) }
	devices := device.New(device.Options{Store: b.db, Place: func(a netip.Addr) geo.Place {
		if a == netip.MustParseAddr("203.0.113.9") {
			return geo.Place{Country: "DE", ASN: 64502, Network: "Example Hosting"}
		}
		return geo.Place{Country: "GB", ASN: 64501, Network: "Example Broadband"}
	}})
	devices.Seen(device.Login{Line: "2003", Addr: netip.MustParseAddr("192.0.2.44"), Agent: "LinphoneAndroid/5.2.4", At: time.Now()})
	devices.Seen(device.Login{Line: "2003", Addr: netip.MustParseAddr("203.0.113.9"), Agent: "Asterisk PBX 18.2", At: time.Now()})
	figures, err := exposure.New(exposure.Options{Book: b.book, Money: b.records, Ring: time.Minute})
	if err != nil {
		return err
	}
	w, err := watch.New(watch.Options{Store: b.db, Book: b.book})
	if err != nil {
		return err
	}
	b.watch = w
	bans, err := ban.Open(ctx, ban.Options{Store: b.db})
	if err != nil {
		return err
	}
	for net, why := range map[string]string{"198.51.100.7/32": "guesses passwords", "198.51.100.128/25": "finding 4: somebody is trying passwords on many lines"} {
		if _, err := bans.Add(ctx, ban.Request{Net: netip.MustParsePrefix(net), For: 24 * time.Hour, By: "staff/priya", Why: why}); err != nil {
			return err
		}
	}
	d, err := desk.New(desk.Options{
		Store: b.db, Records: b.records, Book: b.book, Exposure: figures, Watch: func() *watch.Watch { return w }, Bans: func() *ban.List { return bans }, Devices: devices, Phones: phones, Calls: func() []gate.InProgress { return nil },
		Tallies: b.db.Tallies, Rules: func(context.Context) ([]react.Rule, error) {
			return []react.Rule{
				{Name: "range", Set: habit.Live, Life: habit.Live, Stages: map[string]react.Figures{"live": {Fired: 41, Honest: 2, Stopped: 912, Wrong: 7, Saved: 214 * money.Pound}}},
				{Name: "day", Set: habit.Live, Life: habit.Shadow, Why: react.TooWide, Stages: map[string]react.Figures{"shadow": {Fired: 12, Honest: 1, Stopped: 130, Wrong: 4, Saved: 12 * money.Pound}}},
			}, nil
		},
	})
	if err != nil {
		return err
	}
	priya := person.Who{Person: "priya", Role: person.Admin, Actor: "staff/priya", Proved: time.Now().Add(time.Hour)}
	none := errors.New("there are no links here")
	pages, err := web.New(web.Deps{
		Genuine: func(string) bool { return false }, Link: func(context.Context, string) (notify.LinkView, error) { return notify.LinkView{}, none },
		Use: func(context.Context, string, netip.Addr) (notify.LinkView, error) { return notify.LinkView{}, none }, Help: help, Zone: b.book.Zone("acme"), ZoneOf: b.book.Zone,
		SignedIn: func(*http.Request) (web.Visitor, error) {
			return web.Visitor{ID: priya.Actor, Name: "Priya Shah", Role: "admin", Who: priya}, nil
		},
		Status: s.status, Book: b.book, Desk: d, Exposure: figures, Devices: devices, Watch: w, Phones: phones, Facts: b.db.Facts, Calls: func() []gate.InProgress { return nil }, Purses: purses, Cooling: cooling.New(cooling.Options{Store: b.db, Book: b.book}),
	}, web.Options{})
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	b.base = "http://" + l.Addr().String()
	b.srv = &http.Server{Handler: pages.Handler(), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = b.srv.Serve(l) }() // ends with the program
	return nil
}
