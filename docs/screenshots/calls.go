package main

import (
	"context"
	"time"

	"ringfence/core/call"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/flow/book"
	"ringfence/flow/gate"
	"ringfence/flow/ledger"
	"ringfence/flow/records"
	"ringfence/state/store"
	"ringfence/state/store/memory"
)

// pastCalls are four weeks of the office's calls, and the night in which somebody used a stolen login. refused is one of the calls of that night, talked
// one of the day before.
func pastCalls(ctx context.Context, b *book.Book, calm bool) (r *records.Records, refused, talked call.ID, err error) {
	db := memory.New()
	l := ledger.New(db, ledger.Options{})
	g, err := gate.New(gate.Options{Node: "docs", Plan: phone.UK(), Book: b, Ledger: l})
	if err != nil {
		return nil, "", "", err
	}
	if err := g.Start(ctx, db); err != nil {
		return nil, "", "", err
	}
	p := &pastWriter{db: db}
	today := time.Now().UTC().Truncate(24 * time.Hour)
	if !calm {
		for day := 30; day >= 0; day-- {
			p.day(ctx, today.AddDate(0, 0, -day))
		}
		refused, talked = p.night(ctx, time.Now().Add(-50*time.Minute))
	}
	r, err = records.New(records.Options{Gate: g, Store: db, Book: b})
	return r, refused, talked, firstOf(err, p.err)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

type pastWriter struct {
	db  *memory.Engine
	n   byte
	err error
}

func (p *pastWriter) add(ctx context.Context, c call.CDR, facts ...fact.Body) call.ID {
	p.n++
	text := call.NewID(c.Begun, []byte{p.n, p.n})
	c.ID, c.Account, c.Ended = call.ID(text[:]), "acme", c.Begun.Add(c.Ring+c.Talk)
	if c.Direction == "" {
		c.Direction = call.Out
	}
	op := store.Op{Kind: store.OpRecord, ID: c.ID, CDR: &c}
	for _, f := range facts {
		op.Facts = append(op.Facts, fact.Say(f, c.Begun, fact.Subject{Line: c.Line, Account: c.Account, Call: c.ID}))
	}
	if _, err := p.db.Apply(ctx, []store.Op{op}); err != nil {
		p.err = err
	}
	return c.ID
}

// day is an ordinary one: more calls at eleven than at eight.
func (p *pastWriter) day(ctx context.Context, day time.Time) {
	for hour, calls := range map[int]int{8: 2, 9: 4, 10: 7, 11: 8, 12: 5, 13: 6, 14: 6, 15: 5, 16: 4, 17: 2} {
		for i := range calls {
			c := call.CDR{
				Begun: day.Add(time.Duration(hour)*time.Hour + time.Duration(i*7)*time.Minute), Line: []string{"2001", "2002", "2011"}[i%3], Ring: 6 * time.Second, Talk: time.Duration(40+i*67) * time.Second,
				Number: "+441314960310", Dialled: "01314960310", Country: "GB", Rate: "UK", Class: "geographic", PerMinute: 12_000_000, Reason: "hangup", By: call.Caller, Status: 200, Text: "a party hung up", Source: "192.0.2.44:5060", UserAgent: "Yealink SIP-T46S 66.86.0.15",
			}
			c.Retail = money.Micro(int64(c.Talk/time.Second) * 200)
			switch (hour + i) % 9 {
			case 0:
				c.Direction, c.Number, c.Rate, c.Retail = call.In, "+442079460000", "", 0
			case 3:
				c.Talk, c.Retail, c.Reason, c.Ring, c.Status, c.Text = 0, 0, "no-answer", 25*time.Second, 480, "the called party did not answer"
			case 5:
				c.Number, c.Dialled, c.Country, c.Rate, c.PerMinute = "+33199001234", "0033199001234", "FR", "France", 15_000_000
			}
			if c.Begun.Before(time.Now()) {
				p.add(ctx, c, &fact.CallAdmitted{Caller: "+447700900123", Held: 12_000})
			}
		}
	}
}

// night is one call that cost something, and then the ceiling.
func (p *pastWriter) night(ctx context.Context, at time.Time) (refused, talked call.ID) {
	c := call.CDR{
		Begun: at, Line: "2003", Ring: 4 * time.Second, Talk: 24 * time.Second, Retail: 256_000, Number: "+21670000118", Dialled: "0021670000118", Country: "TN", Rate: "Tunisia", Class: "geographic", PerMinute: 640_000_000,
		Reason: "cut-restricted", By: call.System, Status: 403, Text: "a restriction ended this call", Source: "203.0.113.9:5071", UserAgent: "Asterisk PBX 18.2",
	}
	talked = p.add(ctx, c, &fact.CallAdmitted{Held: 640_000}, &fact.CallCut{Reason: "cut-restricted"})
	for i := range 38 {
		c := call.CDR{
			Begun: at.Add(time.Minute + time.Duration(i*3)*time.Second), Line: "2003", Refused: true, Number: "+5350000147", Dialled: "005350000147", Country: "CU", Rate: "Cuba", Class: "mobile", PerMinute: 714_000_000,
			Reason: "over-international-ceiling", By: call.System, Status: 403, Text: "the international ceiling is 2p per minute and this call costs 71.4p: a ceiling of 71.4p would allow it", Source: "203.0.113.9:5071", UserAgent: "Asterisk PBX 18.2",
		}
		refused = p.add(ctx, c, &fact.CallRefused{Reason: c.Reason, Limit: 20_000_000, Value: 714_000_000, Pass: 714_000_000})
	}
	return refused, talked
}
