// Package backfill books what a restored store has forgotten, from the carriers' records of that time: it finds the line of each call, prices it
// as the gate does, and writes its record and its money. It must not know files or the forms of records.
package backfill

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/carrier"
	"ringfence/core/engine"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/rating"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// Options say what is booked where.
type Options struct {
	Book  *book.Book
	Store store.Store
	Gap   store.Gap
	Trunk *account.Trunk // whose records they are; nil: it is not said
	File  string         // its name, for the journal
}

// Left is a row that cannot be booked, and why.
type Left struct {
	Line int // of the file
	Why  string
}

// Plan is what is to be booked, and what is not.
type Plan struct {
	o       Options
	calls   []call.CDR
	purses  [][]string // of each of calls
	lines   []int      // of the file
	Booked  int        // rows that Book books
	Known   int        // rows whose calls are in the books
	Same    int        // rows that say the same as another one of the file
	Outside int        // rows of calls that began outside the gap
	Left    []Left     // rows that cannot be attributed or priced
	Retail  money.Micro
	Cost    money.Micro
}

// near is by how much a carrier's clock may differ from ours.
const near = 5 * time.Second

// longestSetup is how long before its answer a call in the books may have begun.
const longestSetup = 20 * time.Minute

// Judge looks at every row of a carrier's file. It writes nothing.
func Judge(ctx context.Context, o Options, rows []carrier.Record) (*Plan, error) {
	known, err := readBooks(ctx, &o)
	if err != nil {
		return nil, err
	}
	p := &Plan{o: o}
	seen := map[call.ID]bool{}
	var open []judged
	for i := range rows {
		r := &rows[i]
		if r.Start.Before(o.Gap.From.Add(-near)) || r.Start.After(o.Gap.Until.Add(near)) {
			p.Outside++
			continue
		}
		if known.leg(r.ID) {
			p.Known++
			continue
		}
		j, why := p.judge(r)
		switch {
		case why != "":
			p.Left = append(p.Left, Left{r.Line, why})
		case seen[j.cdr.ID]:
			p.Same++
		case known.take(j.cdr.ID): // booked from a carrier's file before
			seen[j.cdr.ID] = true
			p.Known++
		default:
			seen[j.cdr.ID] = true
			open = append(open, j)
		}
	}
	for _, j := range open { // only now is it known which records are of other rows
		if known.has(&j.cdr) {
			p.Known++
			continue
		}
		p.add(j)
	}
	return p, nil
}

// judged is a row that can be booked.
type judged struct {
	cdr    call.CDR
	purses []string
	line   int
}

func (p *Plan) add(j judged) {
	p.calls, p.purses, p.lines = append(p.calls, j.cdr), append(p.purses, j.purses), append(p.lines, j.line)
	p.Booked++
	p.Retail, p.Cost = p.Retail.Add(j.cdr.Retail), p.Cost.Add(j.cdr.Cost)
}

// judge makes the record of a call.
func (p *Plan) judge(r *carrier.Record) (j judged, reason string) {
	caller, ok := p.number(r.Caller)
	if !ok {
		return j, fmt.Sprintf("the caller %q is no number", r.Caller)
	}
	id, ok := p.o.Book.ByNumber(caller.Number.Digits())
	line, there := p.o.Book.Line(id)
	if !ok || !there {
		return j, fmt.Sprintf("no line has the number %s", caller.Number)
	}
	dest, ok := p.number(r.Called)
	if !ok {
		return j, fmt.Sprintf("%q is no number that can be called", r.Called)
	}
	quote, name, ok := price(line, dest, r.Start)
	if !ok {
		return j, fmt.Sprintf("the tariff of line %s has no price for %s at that time", line.Handle(), dest.Number)
	}
	c := call.CDR{
		ID: idOf(id, dest.Number.String(), r), Direction: call.Out, Line: id, Account: line.Customer(), Dialled: r.Called, Number: dest.Number.String(),
		Class: dest.Class.String(), Country: dest.Country.String(), Rate: name, Prefix: prefix(&quote.Price), PerMinute: quote.Price.Rates[quote.Calendar.Band(r.Start)],
		Source: Source, BLeg: r.ID, Begun: r.Start, AnsweredAt: r.Start, Ended: r.Start.Add(r.Talk), Talk: r.Talk, CarrierTalk: r.Talk, Retail: quote.Cost(r.Talk),
		By: call.System, Reason: policy.CarrierRecord.Code(), Text: policy.CarrierRecord.Text(policy.Figures{}), Status: 200,
	}
	p.cost(&c, r, dest, quote.Calendar)
	j = judged{cdr: c, line: r.Line}
	if c.Retail > 0 {
		ids := engine.PurseIDs(id, c.Account, line.Zone(), r.Start)
		j.purses = ids[:]
	}
	return j, ""
}

// Source is what records of calls that were booked so have in the place of the phone's address.
const Source = "carrier-record"

// price is the retail price that the call would have had; name is its destination.
func price(line *book.Line, dest phone.Destination, at time.Time) (q rating.Quote, name string, ok bool) {
	if dest.Class == phone.Emergency {
		return rating.Quote{Price: rating.Price{Prefix: dest.Number.Digits(), Short: dest.Number.Short(), First: 1, Step: 1}, Start: at}, dest.Class.String(), true
	}
	deck, cal := line.Retail()
	if deck == nil {
		return q, "", false
	}
	row, silence := deck.Price(dest, at)
	if silence != rating.Priced {
		return q, "", false
	}
	return row.Quote(cal, at), row.Name, true
}

// cost is what the carrier says, or what its deck says.
func (p *Plan) cost(c *call.CDR, r *carrier.Record, dest phone.Destination, cal rating.Calendar) {
	if p.o.Trunk != nil {
		c.Trunk = p.o.Trunk.Name
	}
	switch {
	case r.Priced:
		c.Cost = r.Cost
	case p.o.Trunk != nil:
		deck, ok := p.o.Book.Cost(p.o.Trunk)
		if !ok {
			return
		}
		if row, ok := deck.Find(dest.Number, r.Start); ok {
			q := row.Quote(cal, r.Start)
			c.Cost = q.Cost(r.Talk)
		}
	}
}

// number reads a number as a carrier writes it: a SIP URI or digits, as they are dialled here or E.164 with or without the plus.
func (p *Plan) number(text string) (phone.Destination, bool) {
	text = strings.Trim(text, `"' `)
	if i := strings.IndexByte(text, '<'); i >= 0 { // "Name" <number>
		text = strings.TrimSuffix(text[i+1:], ">")
	}
	for _, scheme := range []string{"sip:", "sips:", "tel:"} {
		text = strings.TrimPrefix(text, scheme)
	}
	text, _, _ = strings.Cut(text, "@")
	text, _, _ = strings.Cut(text, ";")
	if text == "" {
		return phone.Destination{}, false
	}
	dest, problem := p.o.Book.Plan().Parse(text)
	if problem != phone.NoProblem && text[0] >= '1' && text[0] <= '9' && len(text) > 7 {
		dest, problem = p.o.Book.Plan().Parse("+" + text)
	}
	return dest, problem == phone.NoProblem
}

func prefix(p *rating.Price) string {
	if p.Prefix == 0 {
		return ""
	}
	return strconv.FormatUint(p.Prefix, 10)
}

// idOf is an id that the same row always gets, so that a file that is imported again books nothing. Like every id it sorts by time.
func idOf(line, number string, r *carrier.Record) call.ID {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d\x00%d\x00%s", line, number, r.Start.UnixMicro(), r.Talk, r.ID))
	text := call.NewID(r.Start, sum[:])
	return call.ID(text[:])
}

// group is how many calls are written in one transaction.
const group = 100

// roomy is a cap that nothing reaches: what was spent is booked, whatever the caps say.
const roomy = money.Micro(math.MaxInt64 / 4)

// Book writes the calls: each has its record and its money in one transaction, together with others. If it fails, or the process dies, it can be
// begun again with the same file: what was written is then known.
func (p *Plan) Book(ctx context.Context) error {
	for from := 0; from < len(p.calls); from += group {
		var ops []store.Op
		for i := from; i < min(from+group, len(p.calls)); i++ {
			ops = append(ops, p.ops(i)...)
		}
		out, err := p.o.Store.Apply(ctx, ops)
		if err != nil {
			return fmt.Errorf("booking the carrier's records: %w: what was booked stays so; say the same again", err)
		}
		for i := range out {
			if o := &out[i]; o.Refused || o.Overspend || o.Moved {
				return fmt.Errorf("line %d of %s could not be booked: %+v", p.lines[from+i/2], p.o.File, *o)
			}
		}
	}
	return nil
}

// ops hold what a call cost and spend it.
func (p *Plan) ops(i int) []store.Op {
	c := &p.calls[i]
	holds := make([]store.Hold, 0, len(p.purses[i]))
	for _, id := range p.purses[i] {
		holds = append(holds, store.Hold{Purse: id, Cap: roomy})
	}
	open := &call.Open{
		ID: c.ID, Node: Source, Direction: c.Direction, State: call.Ending, Line: c.Line, Account: c.Account, Dialled: c.Dialled, Number: c.Number, Class: c.Class,
		Country: c.Country, Source: c.Source, Purses: p.purses[i], Held: c.Retail, PaidFor: c.Talk, Longest: c.Talk, Begun: c.Begun, AnsweredAt: c.AnsweredAt,
	}
	return []store.Op{
		{Kind: store.OpOpen, ID: c.ID, Holds: holds, Amount: c.Retail, Call: open, Lease: time.Minute},
		{Kind: store.OpSettle, ID: c.ID, CDR: c, Facts: []store.Fact{p.settled(i)}},
	}
}

// settled is the settlement of a call as the stages that follow the journal know it, with where it comes from.
func (p *Plan) settled(i int) store.Fact {
	c := &p.calls[i]
	f := fact.CallSettled{
		Retail: c.Retail, Cost: c.Cost, Talk: c.Talk, CarrierTalk: c.CarrierTalk, EndedBy: string(c.By), Reason: c.Reason, Status: int64(c.Status),
		File: p.o.File, FileLine: int64(p.lines[i]),
	}
	return f.Row(c.Ended, fact.Subject{Line: c.Line, Account: c.Account, Call: c.ID})
}

// ledgered are the calls of the gap that are in the books.
type ledgered struct {
	byID  map[call.ID]*call.CDR
	legs  map[string]bool        // SIP Call-IDs
	calls map[string][]*call.CDR // by line and number; what a row has taken is gone
	taken map[call.ID]bool
}

// readBooks reads them: records, and calls that were in progress when the backup was made.
func readBooks(ctx context.Context, o *Options) (*ledgered, error) {
	k := &ledgered{byID: map[call.ID]*call.CDR{}, legs: map[string]bool{}, calls: map[string][]*call.CDR{}, taken: map[call.ID]bool{}}
	f := store.CDRFilter{Direction: call.Out, From: o.Gap.From.Add(-longestSetup), Until: o.Gap.Until.Add(longestSetup), Limit: 1000}
	for {
		list, err := o.Store.CDRs(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range list {
			if c := &list[i]; !c.AnsweredAt.IsZero() {
				k.add(c)
			}
		}
		if len(list) < f.Limit {
			break
		}
		f.Before = list[len(list)-1].ID
	}
	open, err := o.Store.OpenCalls(ctx, "")
	if err != nil {
		return nil, err
	}
	for i := range open {
		c := &open[i]
		k.add(&call.CDR{ID: c.ID, Line: c.Line, Number: c.Number, BLeg: c.BLeg, Begun: c.Begun, AnsweredAt: cmp.Or(c.AnsweredAt, c.Begun)})
	}
	return k, nil
}

func (k *ledgered) add(c *call.CDR) {
	k.byID[c.ID] = c
	if c.BLeg != "" && c.Source != Source { // carriers' own ids may be mere numbers
		k.legs[c.BLeg] = true
	}
	key := c.Line + "\x00" + c.Number
	k.calls[key] = append(k.calls[key], c)
}

func (k *ledgered) leg(id string) bool { return id != "" && k.legs[id] }

// take says whether a call was booked from a row like this one.
func (k *ledgered) take(id call.ID) bool {
	if k.byID[id] == nil {
		return false
	}
	k.taken[id] = true
	return true
}

// has says whether the books have a call of that line, to that number, that began within a few seconds of when the carrier says. Each counts once.
func (k *ledgered) has(r *call.CDR) bool {
	for _, c := range k.calls[r.Line+"\x00"+r.Number] {
		if !k.taken[c.ID] && r.Begun.After(c.Begun.Add(-near)) && r.Begun.Before(c.AnsweredAt.Add(near)) {
			k.taken[c.ID] = true
			return true
		}
	}
	return false
}
