package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/books"
	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/engine"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/person"
	"ringfence/core/phone"
	"ringfence/core/rating"
	"ringfence/edge/web"
	"ringfence/flow/billing"
	"ringfence/flow/book"
	"ringfence/flow/casefile"
	"ringfence/flow/cooling"
	"ringfence/flow/desk"
	"ringfence/flow/evidence"
	"ringfence/flow/exposure"
	"ringfence/flow/notify"
	"ringfence/flow/records"
	"ringfence/flow/settle"
	"ringfence/flow/watch"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
)

// affair is a provider with a case of fraud: calls to Latvia by somebody who had the login of line 2001, what was said and decided about them, and what
// is owed. Its pages are seen by the customer's owner and by somebody of the fraud desk, on two addresses.
type affair struct {
	folder       string
	db           *sqlite.Engine
	book         *book.Book
	bills        *billing.Billing
	cases        *desk.Cases
	settling     *settle.Desk
	file         *casefile.Casefile
	calls        []call.ID
	theirs, ours string
	servers      []*http.Server
	tom, priya   person.Who
	stolen       time.Time
	told         engine.Settings // those that the journal has
	err          error
}

func (a *affair) close() {
	for _, s := range a.servers {
		_ = s.Close()
	}
	if a.db != nil {
		_ = a.db.Close()
	}
	_ = os.RemoveAll(a.folder)
}

// do keeps the first error.
func (a *affair) do(err error) {
	if a.err == nil {
		a.err = err
	}
}

// affairs are the scenes of cases and of money.
func affairs(ctx context.Context, s *world) (all []scene, stop func(), err error) {
	a, err := newAffair(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	page := func(name, base, path, says string) scene {
		return scene{name: name, folder: "pages", url: base + path, dark: true, says: says}
	}
	return []scene{
		page("staff-cases", a.ours, "/staff/cases", "3 cases are open"), page("staff-case", a.ours, "/staff/cases/1", "calls to Latvia"), page("staff-call", a.ours, "/staff/calls/"+string(a.calls[0]), "A call of"),
		page("staff-money", a.ours, "/staff/money", "is unpaid"), page("staff-bill", a.ours, "/staff/money/bills/1", "Bill 1"),
		page("staff-claims", a.ours, "/staff/claims?all=1", "All claims"), page("staff-claim", a.ours, "/staff/claims/1", "Claim 1"), page("staff-plans", a.ours, "/staff/plans?all=1", "All plans"), page("plans", a.theirs, "/money/plans", "is due on"), page("history", a.theirs, "/history", "The last change was"), page("notices", a.theirs, "/notices", "is notified"), page("notices-sent", a.theirs, "/notices/sent", "Notices that went out"),
		page("staff-case-large", a.ours, "/staff/cases/3", "131 calls"), page("case-call", a.theirs, "/calls/"+string(a.calls[10]), ""), page("cases", a.theirs, "/cases", "cases are open"), page("case", a.theirs, "/cases/1", "calls to Latvia"), page("bill", a.theirs, "/money/bills/1", "Bill 1"), page("money-bills", a.theirs, "/money", "not yet billed"),
	}, a.close, nil
}

func newAffair(ctx context.Context, s *world) (*affair, error) {
	folder, err := os.MkdirTemp("", "ringfence-docs")
	if err != nil {
		return nil, err
	}
	a := &affair{folder: folder, stolen: time.Now().AddDate(0, 0, -3).Truncate(24 * time.Hour).Add(22*time.Hour + 38*time.Minute)}
	a.tom, a.priya = person.Who{Person: "tom", Role: person.Admin, Actor: "staff/tom", Proved: time.Now().Add(time.Hour)}, person.Who{Person: "priya", Role: person.Admin, Actor: "staff/priya", Proved: time.Now().Add(time.Hour)}
	if a.db, err = sqlite.Open(ctx, filepath.Join(folder, "docs.db"), sqlite.Options{}); err != nil {
		a.close()
		return nil, err
	}
	for _, step := range []func(context.Context) error{a.fill, a.open, a.night, a.say} {
		if err := errors.Join(step(ctx), a.err); err != nil {
			a.close()
			return nil, err
		}
	}
	if err := a.serve(ctx, s); err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

// fill enters the customers, the lines, what calls cost, and the carrier.
func (a *affair) fill(ctx context.Context) (err error) {
	price := func(prefix uint64, name string, pence money.Rate) rating.Price {
		r := pence * money.PencePerMinute
		return rating.Price{Prefix: prefix, Name: name, Rates: [rating.NumBands]money.Rate{r, r, r}, First: 1, Step: 1}
	}
	north := store.Deck{Name: "north", Kind: rating.Cost, Imported: a.stolen.AddDate(0, -3, 0), Currency: "GBP"} // in force when the calls were made
	if _, err := a.db.PutDeck(ctx, north, []rating.Price{price(371, "Latvia", 24), price(44, "UK", 1)}); err != nil {
		return err
	}
	if a.book, err = newBook(ctx, a.db); err != nil {
		return err
	}
	mobile := "Ana, mobile app"
	_, _, err = a.book.AddLine(ctx, "docs", book.NewLine{ID: "2003", Customer: "acme", Edit: book.LineEdit{Name: &mobile}})
	a.do(err)
	_, err = a.book.Import(ctx, "docs", []byte(prices), book.ImportOptions{Name: "retail", Kind: rating.Retail, Yes: true})
	a.do(err)
	addresses, deck := []string{"192.0.2.1"}, "north"
	_, err = a.book.AddTrunk(ctx, "docs", "carrier-north", book.TrunkEdit{Addresses: &addresses, Deck: &deck})
	return err
}

// open makes the stages that the pages ask.
func (a *affair) open(ctx context.Context) (err error) {
	a.bills = billing.New(billing.Options{Store: a.db, Book: a.book, Provider: "Example Telecom", Address: "1 Example Street\nManchester", VAT: books.Rates{{Rate: 20_000}}})
	w, err := watch.New(watch.Options{Store: a.db, Book: a.book})
	a.do(err)
	alone := func() money.Micro { return 250 * money.Pound }
	if a.settling, err = settle.New(settle.Options{Store: a.db, Book: a.book, Billing: a.bills, SecondAbove: alone, Provider: "Example Telecom", Address: "1 Example Street\nManchester"}); err != nil {
		return err
	}
	a.cases, err = desk.NewCases(desk.CasesOptions{
		Store: a.db, Records: a.db, Book: a.book, Watch: func() *watch.Watch { return w }, Credit: a.settling.Refund, Settle: a.settling.CarryOut, Left: a.settling.Left, SecondAbove: alone,
	})
	a.do(err)
	seal, err := evidence.Open(ctx, evidence.Options{Store: a.db, Seed: make([]byte, 32)})
	a.do(err)
	a.file, err = casefile.New(casefile.Options{Store: a.db, Book: a.book, Cases: func() *desk.Cases { return a.cases }, Evidence: seal, Provider: "Example Telecom"})
	return err
}

// call writes the record of a call that somebody answered, and what the journal says of it.
func (a *affair) call(ctx context.Context, n int, line, source, number, country string, begun time.Time, talk time.Duration, perMinute money.Rate) call.ID {
	l, ok := a.book.LineCalled(line)
	t, known := a.book.TrunkCalled("carrier-north")
	if !ok || !known {
		a.do(errors.New("the book of the affair has no such line or trunk"))
		return ""
	}
	raw := call.NewID(begun, fmt.Appendf(nil, "%010d", n))
	id := call.ID(raw[:])
	retail := money.Micro(int64(perMinute) / 1000 * int64(talk/time.Second) / 60)
	cost := retail * 3 / 4
	about := fact.Subject{Line: l.ID(), Account: l.Customer(), Call: id}
	admitted := fact.CallAdmitted{Direction: string(call.Out), Dialled: number, Number: number, Country: country, Class: "mobile", PaidFor: talk + time.Minute, Source: fact.FromAddr(netip.MustParseAddr(source)), Agent: "Asterisk PBX 18.2", PerMinute: perMinute, Trunk: t.Name, Held: retail}
	hash, facts := a.told.Of(l.Effective(begun), begun)
	admitted.Settings = hash
	settled := fact.CallSettled{Retail: retail, Cost: cost, Talk: talk, CarrierTalk: talk, EndedBy: string(call.Caller), Reason: "hangup", Status: 200, Trunk: t.Name}
	cdr := call.CDR{
		ID: id, Direction: call.Out, Line: l.ID(), Account: l.Customer(), Trunk: t.Name, Dialled: number, Number: number, Country: country, Class: "mobile", Rate: "Latvia", PerMinute: perMinute, Source: source + ":5060", UserAgent: "Asterisk PBX 18.2",
		Begun: begun, AnsweredAt: begun.Add(4 * time.Second), Ended: begun.Add(4*time.Second + talk), Ring: 4 * time.Second, Talk: talk, CarrierTalk: talk, Retail: retail, Cost: cost, By: call.Caller, Reason: "hangup", Status: 200, BLeg: fmt.Sprintf("leg%d@carrier", n),
	}
	_, err := a.db.Apply(ctx, []store.Op{
		{Kind: store.OpOpen, ID: id, Amount: retail, Holds: []store.Hold{{Purse: "docs", Cap: money.Max}}, Call: &call.Open{ID: id, Node: "docs", Line: l.ID(), Account: l.Customer()}, Facts: append(facts, fact.Say(&admitted, begun, about))},
		{Kind: store.OpSettle, ID: id, CDR: &cdr, Facts: []store.Fact{fact.Say(&settled, cdr.Ended, about)}},
	})
	a.do(err)
	return id
}

// night is what happened: the login is used from elsewhere, and calls go to Latvia until the line is locked.
func (a *affair) night(ctx context.Context) error {
	l, _ := a.book.LineCalled("2001")
	login := fact.DeviceNew{Source: fact.FromAddr(netip.MustParseAddr("198.51.100.77")), Agent: "Asterisk PBX 18.2", Country: "DE", New: "both"}
	other, _ := a.book.LineCalled("2003")
	_, err := a.db.Advance(ctx, store.Step{Stage: "docs", Facts: []store.Fact{
		login.Row(a.stolen.Add(-6*time.Minute), fact.Subject{Line: l.ID(), Account: l.Customer()}), login.Row(a.stolen.Add(40*time.Minute), fact.Subject{Line: other.ID(), Account: other.Customer()}),
	}})
	a.do(err)
	a.do(a.file.State(ctx, a.stolen.AddDate(0, -4, 0)))
	ceiling := []book.Setting{{Field: account.InternationalCeiling, N: int64(50 * money.PencePerMinute), Grant: true}}
	_, err = a.book.EditLine(ctx, "docs", "2001", book.LineEdit{Set: ceiling})
	a.do(err)
	for i := range 14 {
		if i == 9 { // the customer locks it to the office, and the calls go on
			_, err := a.book.EditLine(ctx, "docs", "2001", book.LineEdit{Nets: &[]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
			a.do(err)
		}
		a.calls = append(a.calls, a.call(ctx, i, "2001", "198.51.100.77", fmt.Sprintf("+371900001%02d", 12+i), "LV", a.stolen.Add(time.Duration(i)*97*time.Second), time.Duration(61+i*23%170)*time.Second, 31*money.PencePerMinute))
	}
	for i := range 6 {
		a.call(ctx, 100+i, "2001", "192.0.2.44", "+441134960852", "GB", a.stolen.AddDate(0, -1, -i), time.Duration(180+i*31)*time.Second, 120_000_000*money.Rate(i+1)/10)
	}
	return a.err
}

// say is what people wrote and decided: the customer's report and evidence, the desk's answers, and bills.
func (a *affair) say(ctx context.Context) error {
	l, _ := a.book.LineCalled("2001")
	ana := desk.Who{Actor: "acme/ana", Customer: l.Customer()}
	tom := desk.Who{Actor: a.tom.Actor}
	x, err := a.cases.Open(ctx, ana, desk.NewCase{Customer: l.Customer(), Line: l.ID(), Title: "14 calls to Latvia on line 2001", Text: "We were closed. Nobody was there.", Origin: casework.FromReport})
	a.do(err)
	_, err = a.cases.Dispute(ctx, ana, x.ID, desk.Pick{Calls: a.calls}, "not ours")
	a.do(err)
	_, err = a.cases.Write(ctx, ana, x.ID, desk.Entered{Kind: casework.Evidence, Text: "The log of our alarm: it was set from 18:02 to 08:11.", Name: "alarm-2026-11-27.log", File: strings.NewReader(strings.Repeat("18:02 set\n", 400))})
	a.do(err)
	a.do(a.cases.End(ctx, tom, x.ID, 1, casework.Accepted, "The calls came from 198.51.100.77, which no phone of yours has used."))
	owner := a.priya.Actor
	a.do(a.cases.Edit(ctx, tom, x.ID, desk.Edit{Owner: &owner}))
	_, err = a.cases.Write(ctx, tom, x.ID, desk.Entered{Kind: casework.Note, Text: "Spoke to Mrs Baker. She would pay over three months if the calls after the lock go."})
	a.do(err)
	_, err = a.cases.Write(ctx, tom, x.ID, desk.Entered{Kind: casework.Task, Text: "Tell the customer the sum", Due: time.Now().AddDate(0, 0, 2), Owner: owner})
	a.do(err)
	_, err = a.file.JudgeCase(ctx, tom, x.ID, time.Now())
	a.do(err)
	_, err = a.cases.Decide(ctx, tom, x.ID, desk.Ruling{What: string(casework.Upheld), Pick: desk.Pick{Calls: a.calls[9:]}, Why: "The lock that you set was late: these calls are ours to bear."})
	a.do(err)
	a.settle(ctx, x.ID)
	second, err := a.cases.Open(ctx, tom, desk.NewCase{Customer: l.Customer(), Title: "A bill that nobody understands", Origin: casework.ByHand})
	a.do(err)
	a.many(ctx)
	late := time.Now().AddDate(0, 0, -1)
	a.do(a.cases.Edit(ctx, tom, second.ID, desk.Edit{Deadline: &late}))
	_, err = a.bills.Run(ctx, billing.Run{By: a.tom.Actor}, time.Now())
	a.do(err)
	_, err = a.bills.Pay(ctx, billing.Payment{Customer: l.Customer(), Amount: money.Pound, Reference: "FP 2026-11-20 ACME", By: "bank"})
	a.do(err)
	return a.err
}

// many is a case of so many calls that they stand by number.
func (a *affair) many(ctx context.Context) {
	tom := desk.Who{Actor: a.tom.Actor}
	l, _ := a.book.LineCalled("2003")
	x, err := a.cases.Open(ctx, tom, desk.NewCase{Customer: l.Customer(), Line: l.ID(), Title: "131 calls to numbers near Riga", Origin: casework.ByHand})
	a.do(err)
	var calls []call.ID
	for i := range 131 {
		calls = append(calls, a.call(ctx, 200+i, "2003", "198.51.100.77", fmt.Sprintf("+37167%06d", 330_000+i*i%12*137), "LV", a.stolen.AddDate(0, 0, -1).Add(time.Duration(i)*40*time.Second), time.Duration(20+i*7%50)*time.Second, 6*money.PencePerMinute))
	}
	_, err = a.cases.Dispute(ctx, tom, x.ID, desk.Pick{Calls: calls}, "not the customer's")
	a.do(err)
	_, err = a.cases.Decide(ctx, tom, x.ID, desk.Ruling{What: string(casework.Goodwill), Pick: desk.Pick{Calls: calls[:40]}, Why: "We saw them and waited."})
	a.do(err)
}

// settle decides what is owed: what the carrier grants, and the rest in instalments.
func (a *affair) settle(ctx context.Context, id int64) {
	tom := a.tom.Actor
	_, err := a.cases.Decide(ctx, desk.Who{Actor: tom}, id, desk.Ruling{What: string(casework.Owed), Pick: desk.Pick{Calls: a.calls[:9]}, Why: "Made with the line's own password, before anything was to be seen."})
	a.do(err)
	_, err = a.settling.Settle(ctx, tom, id, true, "A first fraud: we do not want to earn from it.")
	a.do(err)
	claims, err := a.settling.OpenClaims(ctx, tom, id, "")
	if a.do(err); len(claims) != 1 {
		a.do(fmt.Errorf("%d claims", len(claims)))
		return
	}
	_, err = a.settling.Send(ctx, tom, claims[0].ID)
	a.do(err)
	_, err = a.settling.Answer(ctx, tom, claims[0].ID, money.Pound, "We credit what was routed after your call.")
	a.do(err)
	now := time.Now()
	_, err = a.settling.MakePlan(ctx, tom, settle.NewPlan{Case: id, Count: 3, First: time.Date(now.Year(), now.Month()+1, 15, 0, 0, 0, 0, a.book.Zone(""))})
	a.do(err)
}

// serve shows the pages to both, each on an address of its own.
func (a *affair) serve(ctx context.Context, s *world) error {
	figures, err := exposure.New(exposure.Options{Book: a.book, Money: a.db, Ring: time.Minute})
	if err != nil {
		return err
	}
	w, err := watch.New(watch.Options{Store: a.db, Book: a.book})
	if err != nil {
		return err
	}
	staff, err := desk.New(desk.Options{Store: a.db, Records: a.db, Book: a.book, Exposure: figures, Watch: func() *watch.Watch { return w }})
	if err != nil {
		return err
	}
	past, err := records.New(records.Options{Store: a.db, Book: a.book})
	if err != nil {
		return err
	}
	l, _ := a.book.LineCalled("2001")
	ana := person.Who{Person: "ana", Customer: l.Customer(), Role: person.Owner, Actor: "acme/ana", Proved: time.Now().Add(time.Hour)}
	none := errors.New("there are no links here")
	deps := web.Deps{
		Genuine: func(string) bool { return false }, Link: func(context.Context, string) (notify.LinkView, error) { return notify.LinkView{}, none },
		Use: func(context.Context, string, netip.Addr) (notify.LinkView, error) { return notify.LinkView{}, none }, Sent: sentTo(l), Help: help, Zone: a.book.Zone(l.Customer()), ZoneOf: a.book.Zone, Plan: phone.UK(),
		Book: a.book, Exposure: figures, Watch: w, Facts: a.db.Facts, Records: past, Billing: a.bills, Settle: a.settling, Cases: a.cases, Casefile: func() *casefile.Casefile { return a.file }, Cooling: cooling.New(cooling.Options{Store: a.db, Book: a.book}), Desk: staff, Status: s.status,
	}
	for _, v := range []struct {
		base *string
		web.Visitor
	}{
		{&a.ours, web.Visitor{ID: a.priya.Actor, Name: "Priya Shah", Role: "admin", Who: a.priya}},
		{&a.theirs, web.Visitor{ID: ana.Actor, Name: "Ana Baker", Customer: l.Customer(), Role: "owner", Zone: a.book.Zone(l.Customer()), Who: ana}},
	} {
		d := deps
		d.SignedIn = func(*http.Request) (web.Visitor, error) { return v.Visitor, nil }
		pages, err := web.New(d, web.Options{})
		if err != nil {
			return err
		}
		at, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		*v.base = "http://" + at.Addr().String()
		srv := &http.Server{Handler: pages.Handler(), ReadHeaderTimeout: 5 * time.Second}
		a.servers = append(a.servers, srv)
		go func() { _ = srv.Serve(at) }() // ends with the program
	}
	return nil
}

// sentTo is what went out to the people of a line's customer.
func sentTo(l *book.Line) func(context.Context, string, notify.Filter) ([]notify.View, error) {
	now := time.Now()
	one := func(id int64, ago time.Duration, title string, ways ...store.Delivery) notify.View {
		for i := range ways {
			ways[i].Channel, ways[i].Sent = account.Mail, now.Add(-ago).Add(3*time.Second)
		}
		return notify.View{Title: title, Notice: store.Notice{ID: id, Line: l.ID(), Account: l.Customer(), At: now.Add(-ago), Deliveries: ways}}
	}
	ana, gone := store.Delivery{Address: "ana@acme.example", State: store.Sent}, store.Delivery{Address: "zoe@acme.example", State: store.Bounced}
	return func(context.Context, string, notify.Filter) ([]notify.View, error) {
		return []notify.View{
			one(9, 2*time.Hour, "Calls unlike this line's usual ones", ana, gone), one(8, 26*time.Hour, "Un-billed usage has passed your warning level", ana),
			one(7, 50*time.Hour, "Somebody tried to guess a line's password", store.Delivery{Address: "ana@acme.example", State: store.Bundled}),
		}, nil
	}
}
