package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/engine"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/person"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/core/restrict"
	"ringfence/core/secret"
	"ringfence/edge/web"
	"ringfence/flow/book"
	"ringfence/flow/book/booktest"
	"ringfence/flow/cooling"
	"ringfence/flow/device"
	"ringfence/flow/exposure"
	"ringfence/flow/fit"
	"ringfence/flow/gate"
	"ringfence/flow/location"
	"ringfence/flow/notify"
	"ringfence/flow/people"
	"ringfence/flow/watch"
	"ringfence/state/geo"
	"ringfence/state/store"
	"ringfence/state/store/memory"
)

// office is a customer whose owner is signed in: five lines, a stolen login on one of them, a change that waits.
type office struct {
	base string
	srv  *http.Server
	book *book.Book
	db   *booktest.Store

	refused, talked string // calls of the past
}

const prices = `Destination,Prefix,Rate
UK,441,0.012
UK,442,0.012
UK 03,443,0.012
UK mobile,447,0.045
UK 0843,44843,0.192
France,33,0.015
Germany,49,0.016
Tunisia,216,0.64
Cuba,53,0.714
Latvia,371,0.31
USA,1,0.011
Australia,61,0.019
`

// newOffice makes one; calm is one at which nothing is wrong.
func newOffice(ctx context.Context, calm bool) (*office, error) {
	key, err := secret.NewKey()
	if err != nil {
		return nil, err
	}
	box, err := secret.NewBox([]secret.Key{key})
	if err != nil {
		return nil, err
	}
	o := &office{db: &booktest.Store{}}
	if o.book, err = book.Open(ctx, o.db, book.Options{Plan: phone.UK(), Zone: "Europe/London", Tariff: "retail", Box: box, Realm: "example.net", Identify: booktest.Plain}); err != nil {
		return nil, err
	}
	if err := o.fill(ctx, calm); err != nil {
		return nil, err
	}
	cool := cooling.New(cooling.Options{Store: o.db, Book: o.book})
	ana := person.Who{Person: "ana", Customer: "acme", Role: person.Owner, Actor: "acme/ana", Proved: time.Now().Add(time.Hour)}
	if !calm {
		if _, err := cool.SetWait(ctx, &ana, "acme", 48*time.Hour, "If you are in a hurry to raise this, ring Sam first."); err != nil {
			return nil, err
		}
		if _, err := cool.Line(ctx, &ana, "2003", book.LineEdit{Set: []book.Setting{{Field: account.LineDayCap, N: int64(40 * money.Pound)}}}); err != nil {
			return nil, err
		}
	}
	return o, o.serve(ctx, box, cool, ana, calm)
}

func (o *office) fill(ctx context.Context, calm bool) error {
	name := "Acme Ltd"
	if _, err := o.book.AddCustomer(ctx, "docs", "acme", book.CustomerEdit{Name: &name, Prove: &account.Proven{Number: "443069990123", How: account.ByCall, By: "acme/ana", Since: time.Now().AddDate(0, -1, 0)}}); err != nil {
		return err
	}
	for _, id := range []string{"ana", "sam"} {
		if err := o.book.PutContact(ctx, "docs", "acme", account.Contact{ID: id, Name: id, Channel: account.Mail, Address: id + "@example.com"}); err != nil {
			return err
		}
	}
	if _, err := o.book.Import(ctx, "docs", []byte(prices), book.ImportOptions{Name: "retail", Kind: rating.Retail, Yes: true}); err != nil {
		return err
	}
	lock := []netip.Prefix{netip.MustParsePrefix("192.0.2.44/32")}
	free := []book.Setting{{Field: account.NationalCeiling}, {Field: account.InternationalCeiling}, {Field: account.LineDayCap, N: int64(2 * money.Pound)}}
	low := []book.Setting{{Field: account.LineDayCap, N: int64(6 * money.Pound)}}
	for _, l := range []struct {
		id, name, number string
		nets             *[]netip.Prefix
		set              []book.Setting
	}{
		{"2001", "Front desk", "020 7946 0000", &lock, low},
		{"2002", "Workshop", "020 7946 0018", &lock, low},
		{"2003", "Ana, mobile app", "020 7946 0031", nil, []book.Setting{{Field: account.LineDayCap, N: int64(30 * money.Pound)}}},
		{"2011", "Warehouse", "0161 496 0044", &lock, low},
		{"2021", "Door phone", "020 7946 0099", nil, free},
	} {
		if calm && l.id == "2003" {
			l.nets = &lock
		}
		if _, _, err := o.book.AddLine(ctx, "docs", book.NewLine{ID: l.id, Customer: "acme", Edit: book.LineEdit{Name: &l.name, Number: &l.number, Nets: l.nets, Set: l.set}}); err != nil {
			return err
		}
	}
	if calm {
		return nil
	}
	names, err := restrict.ParseSet("abroad")
	if err != nil {
		return err
	}
	_, err = o.book.EditLine(ctx, "ringfence", "2003", book.LineEdit{Close: []restrict.Restriction{{Names: names, By: "ringfence", Why: "unusual calls", Finding: "unusual-calls/1"}}})
	if err != nil {
		return err
	}
	now := time.Now()
	f := store.Finding{
		Key: "hosting-login/2003", Kind: "hosting-login", Severity: "critical", Line: "2003", Account: "acme", Source: "203.0.113.9", Text: "x", At: now, Last: now, Count: 1,
		Evidence: []byte(`{"address":"203.0.113.9","agent":"Asterisk PBX 18.2","family":"Asterisk PBX","network":"Example Hosting","country":"DE","asn":64502,"hosting":true}`), RaiseFact: store.Fact{At: now, Kind: fact.KindFindingRaised, Body: []byte(`{}`)},
	}
	_, err = o.db.Advance(ctx, store.Step{Stage: "docs", Findings: []store.Finding{f}})
	return err
}

// serve shows the pages as their owner sees them.
func (o *office) serve(ctx context.Context, box *secret.Box, cool *cooling.Cooling, ana person.Who, calm bool) error {
	phones := func(line string, _ time.Time) []location.Binding {
		if line == "2011" {
			return nil
		}
		return []location.Binding{{Contact: "sip:x@192.168.1.7", Received: netip.MustParseAddrPort("192.0.2.44:5060"), Transport: "tcp", UserAgent: "Yealink SIP-T46S 66.86.0.15", Heard: time.Now().Add(-8 * time.Second)}}
	}
	devices := device.New(device.Options{Store: o.db, Place: func(a netip.Addr) geo.Place {
		if a == netip.MustParseAddr("203.0.113.9") {
			return geo.Place{Country: "DE", ASN: 64502, Network: "Example Hosting"}
		}
		return geo.Place{Country: "GB", ASN: 64501, Network: "Example Broadband"}
	}})
	devices.Seen(device.Login{Line: "2003", Addr: netip.MustParseAddr("192.0.2.44"), Agent: "LinphoneAndroid/5.2.4", At: time.Now().AddDate(0, 0, -61)})
	devices.Seen(device.Login{Line: "2003", Addr: netip.MustParseAddr("192.0.2.44"), Agent: "LinphoneAndroid/5.2.4", At: time.Now()})
	if !calm {
		devices.Seen(device.Login{Line: "2003", Addr: netip.MustParseAddr("203.0.113.9"), Agent: "Asterisk PBX 18.2", At: time.Now()})
	}
	desk, err := exposure.New(exposure.Options{Book: o.book, Money: memory.New(), Ring: time.Minute, Eyes: exposure.Eyes{
		Phones: phones, Devices: devices.Of, Records: func(context.Context, store.CDRFilter) ([]call.CDR, error) { return nil, nil },
	}})
	if err != nil {
		return err
	}
	fits, err := fit.New(fit.Options{Book: o.book, Exposure: desk, Terms: engine.Terms{Slice: time.Minute, Ahead: 10 * time.Second}, Ring: time.Minute, Calls: o.year})
	if err != nil {
		return err
	}
	w, err := watch.New(watch.Options{Store: o.db, Book: o.book})
	if err != nil {
		return err
	}
	folk, err := people.New(people.Options{Store: o.db, Book: o.book, Box: func() (*secret.Box, error) { return box, nil }, Issuer: help.Provider, URL: "https://calls.example.net"})
	if err != nil {
		return err
	}
	if err := o.putAna(ctx); err != nil {
		return err
	}
	past, refused, talked, err := pastCalls(ctx, o.book, calm)
	if err != nil {
		return err
	}
	if _, err := o.book.Ask(ctx, "acme/ana", "2001", account.InternationalCeiling, int64(45*money.PencePerMinute), time.Now().AddDate(0, 0, 11), "A fair in Riga: two of us call home."); err != nil {
		return err
	}
	o.refused, o.talked = string(refused), string(talked)
	none := errors.New("there are no links here")
	pages, err := web.New(web.Deps{
		Genuine: func(string) bool { return false }, Link: func(context.Context, string) (notify.LinkView, error) { return notify.LinkView{}, none },
		Use: func(context.Context, string, netip.Addr) (notify.LinkView, error) { return notify.LinkView{}, none }, Help: help, Zone: o.book.Zone("acme"), People: folk,
		SignedIn: func(*http.Request) (web.Visitor, error) {
			return web.Visitor{ID: ana.Actor, Name: "Ana Baker", Customer: "acme", Role: "owner", Zone: o.book.Zone("acme"), Who: ana}, nil
		},
		Book: o.book, Exposure: desk, Fit: fits, Cooling: cool, Devices: devices, Watch: w, Calls: func() []gate.InProgress { return inProgress(calm) }, Purses: purses,
		SIP: web.SIP{Server: "sip.example.net", UDP: 5060, TCP: 5060}, Phones: phones, Facts: o.db.Facts, Vouch: func(context.Context, string, string, string, string) error { return nil },
		Records: past,
	}, web.Options{})
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	o.base = "http://" + l.Addr().String()
	o.srv = &http.Server{Handler: pages.Handler(), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = o.srv.Serve(l) }() // ends with the program
	return nil
}

// putAna puts the owner there, with two passkeys, and the browsers that she is signed in with.
func (o *office) putAna(ctx context.Context) error {
	made := time.Now().AddDate(0, -2, -3)
	keys := []store.Passkey{
		{Name: "laptop", Credential: []byte(`{"id":"AQ=="}`), Made: made, Used: time.Now().Add(-50 * time.Minute)}, {Name: "phone", Credential: []byte(`{"id":"Ag=="}`), Made: time.Now().Add(-3 * time.Hour)},
	}
	ana := store.Person{
		ID: "ana", Customer: "acme", Login: "acme/ana", Name: "Ana Baker", Mail: "ana@example.com", Role: string(person.Owner), Factors: store.Factors{Passkeys: keys, Recovery: make([]string, 9)}, Made: made,
	}
	if err := o.db.PutPerson(ctx, ana); err != nil {
		return err
	}
	for i, agent := range []string{"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile/15E148 Safari/604.1"} {
		at := time.Now().Add(time.Duration(-i*26-1) * time.Hour)
		x := store.Pass{Hash: strings.Repeat(string(rune('a'+i)), 64), Kind: store.PassSession, Person: "ana", Made: at, Seen: at.Add(50 * time.Minute), Expires: at.AddDate(0, 1, 0), From: "192.0.2.44", Agent: agent}
		if err := o.db.PutPass(ctx, x); err != nil {
			return err
		}
	}
	return nil
}

// year are the calls of line 2001 within one, newest first: two days in three, abroad now and then, and once to Tunisia.
func (o *office) year(_ context.Context, f store.CDRFilter) (page []call.CDR, err error) {
	for n := range 400 {
		at := time.Now().Truncate(24 * time.Hour).Add(10*time.Hour - time.Duration(n+1)*21*time.Hour)
		c := call.CDR{ID: call.FirstID(at), Direction: call.Out, Line: "2001", Begun: at, AnsweredAt: at, Ring: 6 * time.Second, Talk: time.Duration(60+n*37%900) * time.Second}
		c.Number = []string{"+441134960852", "+447700900123", "+33199001234", "+442079460018", "+4930123456", "+447700900321"}[n%6]
		if n == 97 {
			c.Number = "+21671000000"
		}
		if f.Line == "2001" && f.Matches(&c) && len(page) < f.Limit {
			page = append(page, c)
		}
	}
	return page, nil
}

func inProgress(calm bool) []gate.InProgress {
	if calm {
		return nil
	}
	price := func(rate money.Rate) rating.Quote {
		return rating.Quote{Price: rating.Price{First: 1, Step: 1, Rates: [3]money.Rate{rate, rate, rate}}}
	}
	return []gate.InProgress{
		{Open: call.Open{ID: "1", Account: "acme", Line: "2001", Direction: call.Out, State: call.Answered, Number: "+33199001234", AnsweredAt: time.Now().Add(-700 * time.Second), Quote: price(3 * money.PencePerMinute)}},
		{Open: call.Open{ID: "2", Account: "acme", Line: "2002", Direction: call.Out, State: call.Answered, Number: "+441134960852", AnsweredAt: time.Now().Add(-242 * time.Second), Quote: price(2 * money.PencePerMinute)}},
	}
}

func purses(_ context.Context, _, line string, _ time.Time) ([]gate.Purse, error) {
	spent := map[string]money.Micro{"2001": 1_240_000, "2002": 760_000, "2003": 1_180_000}
	cap := map[string]money.Micro{"2003": 30 * money.Pound, "2021": 2 * money.Pound}
	if cap[line] == 0 {
		cap[line] = 6 * money.Pound
	}
	all := []gate.Purse{{Kind: policy.AccountDay, Cap: 50 * money.Pound, Spent: 3_180_000}, {Kind: policy.AccountMonth, Cap: 200 * money.Pound, Spent: 41_370_000}}
	if line != "" {
		all = append(all, gate.Purse{Kind: policy.LineDay, Cap: cap[line], Spent: spent[line]})
	}
	return all, nil
}

// control are the pages of customers.
func control(ctx context.Context) (all []scene, stop func(), err error) {
	o, err := newOffice(ctx, false)
	if err != nil {
		return nil, nil, err
	}
	calm, err := newOffice(ctx, true)
	if err != nil {
		return nil, nil, err
	}
	door, err := newDoorway(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	stop = func() { _, _, _ = o.srv.Close(), calm.srv.Close(), door.srv.Close() }
	page := func(name, path, says string) scene {
		return scene{name: name, folder: "pages", url: o.base + path, dark: true, says: says}
	}
	return []scene{
		page("overview", "/", "Somebody may have the password of line 2003"),
		{name: "overview-calm", folder: "pages", url: calm.base + "/", dark: true, says: "worth doing"},
		page("calls", "/calls", "Calls"),
		{name: "calls-none", folder: "pages", url: calm.base + "/calls", dark: true, says: "Calls"},
		page("call-refused", "/calls/"+o.refused, "Cuba costs more than your ceiling"),
		page("call-talked", "/calls/"+o.talked, "A call of 24 s"),
		page("call-live", "/calls/1", "is up"),
		page("money", "/money", "not yet billed"),
		page("requests", "/requests", "1 request waits"),
		page("requests-new", "/requests/new?line=2003&field=international-ceiling&value=71.4p", "Ask for more"),
		page("line", "/lines/2003", "Ana, mobile app"),
		page("line-fit", "/lines/2001/fit?stops=1", "Your last year fits"),
		page("lines", "/lines", "5 lines"),
		page("report", "/report", "What happened?"),
		page("setup", "/lines/2003/setup", "Set up a phone"),
		page("countries", "/lines/2003/countries", "Line 2003 may call"),
		page("changes", "/changes", "1 change waits"),
		{name: "in", folder: "pages", url: door.base + "/in", dark: true, says: "Sign in"},
		page("me", "/me", "Ana Baker, your settings"),
		page("me-passkey", "/me/passkey", "Add a passkey"),
		page("numbers", "/numbers", "1 number to present"),
		page("lock", "/lock?line=2003", "Lock line 2003?"),
	}, stop, nil
}
