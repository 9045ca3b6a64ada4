package app

import (
	"cmp"
	"context"
	"iter"
	"math"
	"slices"
	"time"

	"ringfence/app/demo"
	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/detect"
	"ringfence/core/engine"
	"ringfence/core/fact"
	"ringfence/core/habit"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/core/restrict"
	"ringfence/flow/billing"
	"ringfence/flow/book"
	"ringfence/flow/desk"
	"ringfence/flow/gate"
	"ringfence/flow/play"
	"ringfence/flow/react"
	"ringfence/flow/settle"
	"ringfence/state/store"
)

// demoPast gives the sample provider a past week: its calls are played by the rules, as a replay plays them, and stored as if they had been carried
// then. It does nothing where there are records already.
func (a *App) demoPast(ctx context.Context, now time.Time) error {
	if had, err := a.money.CDRs(ctx, store.CDRFilter{Limit: 1}); err != nil || len(had) > 0 {
		return err
	}
	trunk, _ := a.book.TrunkCalled("demo-carrier")
	zone := a.book.Zone("")
	p := past{node: a.cfg.Node, trunk: trunk.Name, zone: zone, calls: demo.Week(now.In(zone))}
	p.plan = a.book.Plan()
	_, p.cost, _ = a.book.Deck("cost")
	p.play(a)
	slices.SortStableFunc(p.ops, func(a, b dated) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	ops := make([]store.Op, len(p.ops))
	for i := range p.ops {
		ops[i] = p.ops[i].op
	}
	for some := range slices.Chunk(ops, 64) { // the store has other work too
		if _, err := a.money.Apply(ctx, some); err != nil {
			return err
		}
	}
	for i := range p.closes {
		if err := p.closes[i].close(ctx, a.book, now); err != nil {
			return err
		}
	}
	if err := a.demoCase(ctx, p.stolen); err != nil { // a folder of an older version may have what this does not expect, and the rest is worth seeing
		a.log.Warn("the sample provider has no case that is settled", "error", err)
	}
	return nil
}

// demoCase settles the thief's calls as a provider would: the customer has a bill, disputes what nobody made, pays the cost price of what was owed for all that,
// and that in instalments; a claim to the carrier is drawn up. Staff have the finding still to work on.
func (a *App) demoCase(ctx context.Context, stolen []call.ID) error {
	c, ok := a.book.CustomerCalled(hotel.id)
	if !ok || len(stolen) == 0 {
		return nil // a newcomer has removed it
	}
	if _, err := a.billing.Run(ctx, billing.Run{Customer: c.ID, Now: true, By: byDemo}, time.Now()); err != nil {
		return err
	}
	owner, staff := desk.Who{Actor: hotel.id + "/chris", Customer: c.ID}, desk.Who{Actor: byDemo}
	id, _, err := a.cases.DisputeCalls(ctx, owner, stolen, "Nobody of ours was at the telephone at two in the morning, and we know nobody in the Gambia.")
	if err != nil {
		return err
	}
	if _, err := a.casefile.JudgeCase(ctx, staff, id, time.Now()); err != nil {
		return err
	}
	ruling := desk.Ruling{What: string(casework.Owed), Pick: desk.Pick{All: true}, Why: "The thief had the password of your line, and every promise of ours was kept."}
	if _, err := a.cases.Decide(ctx, staff, id, ruling); err != nil {
		return err
	}
	if _, err := a.settling.Settle(ctx, byDemo, id, true, "It was a fraud beyond doubt: you pay what the calls cost us."); err != nil {
		return err
	}
	if _, err := a.settling.OpenClaims(ctx, byDemo, id, ""); err != nil {
		return err
	}
	_, err = a.settling.MakePlan(ctx, byDemo, settle.NewPlan{Case: id, Count: 3, First: time.Now().AddDate(0, 1, 0)})
	return err
}

// closing is what a finding closed.
type closing struct {
	line, customer string
	parts          []restrict.Restriction
}

// close closes what is still to be closed.
func (c *closing) close(ctx context.Context, b *book.Book, now time.Time) (err error) {
	parts := slices.DeleteFunc(c.parts, func(x restrict.Restriction) bool { return x.Ended(now) })
	switch {
	case len(parts) == 0:
	case c.line != "":
		_, err = b.EditLine(ctx, react.By, c.line, book.LineEdit{Close: parts})
	default:
		_, err = b.EditCustomer(ctx, react.By, c.customer, book.CustomerEdit{Close: parts})
	}
	return err
}

// past is the sample provider's past week on its way to the store.
type past struct {
	node   string
	trunk  string // its identity
	zone   *time.Location
	calls  []demo.Call
	ops    []dated
	record *call.CDR // of the call that has just ended
	closes []closing
	plan   *phone.Plan
	cost   *rating.Deck // what the carrier charges
	stolen []call.ID    // calls of the thief that cost something
}

// dated is a change of the store at the instant at which it would have been made.
type dated struct {
	at time.Time
	op store.Op
}

func (p *past) play(a *App) {
	rules := a.book.Rules()
	rules.Block = a.numbering.block
	o := play.Options{
		Rules: rules, RingTime: a.cfg.SIP.RingTime.Duration, Facts: p.facts, Record: p.ended, Done: func(int, *play.Result) {},
		Terms:  engine.Terms{Slice: a.cfg.Money.Slice.Duration, Ahead: a.cfg.Money.ExtendAhead.Duration},
		Habits: a.cfg.LiveRules(), Finding: func(_ int, f *play.Found) { p.found(f, a.cfg.LiveRules()) },
	}
	play.Run(1, p.each(a.book), o)
}

// each is the calls, for a player.
func (p *past) each(b *book.Book) iter.Seq[*play.Call] {
	var ids gate.IDs
	return func(yield func(*play.Call) bool) {
		for i, c := range p.calls {
			l, ok := b.LineCalled(c.Line)
			if !ok {
				continue // a newcomer has removed it
			}
			id := ids.Next(c.At)
			next := play.Call{
				ID: call.ID(id[:]), Seq: int64(i), At: c.At, Line: l.ID(), Account: l.Customer(), Dialled: c.Dialled, Inbound: c.Inbound,
				Rings: c.Rings, Unanswered: c.Unanswered, Wants: c.Talk, Place: habit.Place(c.Source.Addr()), Device: habit.Product(c.Agent),
			}
			if !yield(&next) {
				return
			}
		}
	}
}

// found puts a finding into the journal, as the stage that watches calls would have.
func (p *past) found(f *play.Found, rules *habit.Rules) {
	key := detect.UnusualCalls.String() + "/" + f.Key
	row := react.Said(f.Finding, key, rules).Row(f.At, fact.Subject{Line: f.Call.Line, Account: f.Call.Account, Call: f.Call.ID})
	row.Key = store.Short(key)
	p.add(f.At, store.Op{Kind: store.OpRecord, Facts: []fact.Row{row}})
	c := closing{customer: f.Call.Account, parts: slices.Clone(f.Answer.Restrictions)}
	if !f.Answer.Whole {
		c.line = f.Call.Line
	}
	for i := range c.parts {
		x := &c.parts[i]
		x.By, x.Why, x.Finding = react.By, detect.UnusualCalls.Title(), key
	}
	p.closes = append(p.closes, c)
}

// facts takes what the journal would have, and adds what only an edge knows.
func (p *past) facts(_ int, played *play.Call, rows []fact.Row) {
	c := &p.calls[played.Seq]
	for i := range rows {
		switch f := rows[i].Said.(type) {
		case *fact.CallAdmitted:
			f.Source, f.Agent, f.ALeg = fact.FromPort(c.Source), c.Agent, p.leg(played.ID)
			if c.Inbound {
				f.Trunk = p.trunk
			}
		case *fact.CallAnswered:
			f.Trunk = p.trunk
		case *fact.CallRefused:
			f.Source, f.Agent, f.ALeg = fact.FromPort(c.Source), c.Agent, p.leg(played.ID)
			p.add(c.At, store.Op{Kind: store.OpRecord, ID: played.ID, CDR: refusedRecord(f, &rows[i], c)})
		case *fact.CallSettled:
			f.Trunk, f.Cost, f.CarrierTalk = p.trunk, p.record.Cost, p.record.CarrierTalk
			p.add(p.record.Ended, store.Op{Kind: store.OpSettle, ID: played.ID, CDR: p.record})
		}
		p.add(rows[i].At, store.Op{Kind: store.OpRecord, Facts: rows[i : i+1 : i+1]})
	}
}

func (p *past) add(at time.Time, op store.Op) { p.ops = append(p.ops, dated{at, op}) }

// leg is a SIP Call-ID.
func (p *past) leg(id call.ID) string { return string(id) + "@demo.invalid" }

// ended opens a call in the store, with the money that it cost in the end.
func (p *past) ended(_ int, played *play.Call, o *call.Open, r *call.CDR) {
	c, opened, record := &p.calls[played.Seq], *o, *r
	opened.Node, opened.State, opened.End, opened.Held, opened.Purses = p.node, call.Setup, call.End{}, r.Retail, nil
	opened.AnsweredAt = time.Time{}
	record.Trunk, record.ALeg, record.UserAgent = p.trunk, p.leg(o.ID), c.Agent
	p.carrier(&record, o)
	if record.Retail > 0 && c.Agent == demo.ThiefAgent {
		p.stolen = append(p.stolen, o.ID)
	}
	if c.Source.IsValid() {
		record.Source = c.Source.String()
	}
	op := store.Op{Kind: store.OpOpen, ID: o.ID, Amount: r.Retail, Call: &opened}
	if r.Retail > 0 {
		ids := engine.PurseIDs(o.Line, o.Account, p.zone, o.Begun)
		opened.Purses = ids[:]
		for _, id := range ids {
			op.Holds = append(op.Holds, store.Hold{Purse: id, Cap: math.MaxInt64 / 2}) // the player has counted it against the caps
		}
	}
	p.add(o.Begun, op)
	p.record = &record
}

// carrier adds what the carrier charges, which a player does not ask.
func (p *past) carrier(r *call.CDR, o *call.Open) {
	to, problem := p.plan.Parse(r.Number)
	if r.Direction != call.Out || r.Talk <= 0 || problem != 0 || p.cost == nil {
		return
	}
	if price, ok := p.cost.Find(to.Number, o.Quote.Start); ok {
		q := price.Quote(o.Quote.Calendar, o.Quote.Start)
		r.CarrierTalk, r.Cost = r.Talk, q.Cost(r.Talk)
	}
}

func refusedRecord(f *fact.CallRefused, row *fact.Row, c *demo.Call) *call.CDR {
	reason, _ := policy.ParseReason(f.Reason)
	return &call.CDR{
		ID: row.Call, Direction: call.Direction(f.Direction), Line: row.Line, Account: row.Account, Peer: f.Peer, Dialled: f.Dialled, Number: f.Number,
		Class: f.Class, Country: f.Country, Rate: f.Destination, Prefix: f.Prefix, PerMinute: f.PerMinute, Source: c.Source.String(), UserAgent: c.Agent, ALeg: f.ALeg,
		Begun: row.At, Ended: row.At, By: call.System, Reason: f.Reason, Text: f.Text, Status: reason.SIPStatus(), Refused: true,
	}
}
