package settle

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/books"
	"ringfence/core/call"
	"ringfence/core/carrier"
	"ringfence/core/casework"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
	"ringfence/core/settle"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// ClaimFilter is the store's, for edges that must not know it.
type ClaimFilter = store.ClaimFilter

// Case reads a case, for who settles it.
func (d *Desk) Case(ctx context.Context, id int64) (casework.Case, error) {
	return d.o.Store.Case(ctx, id)
}

// Claims lists claims, newest first.
func (d *Desk) Claims(ctx context.Context, f ClaimFilter) ([]settle.Claim, error) {
	return d.o.Store.CarrierClaims(ctx, f)
}

// Claim is a claim with its calls.
func (d *Desk) Claim(ctx context.Context, id int64) (c settle.Claim, calls []settle.ClaimCall, err error) {
	if c, err = d.o.Store.CarrierClaim(ctx, id); err == nil {
		calls, err = d.o.Store.ClaimCalls(ctx, id)
	}
	return c, calls, err
}

// OpenClaims draws up a claim to each carrier that carried calls of a case, or (trunk) to one, for what it charges for them. A carrier
// that has a claim of the case is left out.
func (d *Desk) OpenClaims(ctx context.Context, by string, id int64, trunk string) (out []settle.Claim, err error) {
	c, err := d.o.Store.Case(ctx, id)
	if err != nil {
		return nil, err
	}
	calls, err := d.calls(ctx, id)
	if err != nil {
		return nil, err
	}
	lists, order := map[string][]settle.ClaimCall{}, []string{}
	for i := range calls {
		r, err := d.o.Store.CDR(ctx, calls[i].Call)
		if err != nil {
			return nil, err
		}
		if r.Direction != call.Out || r.Trunk == "" || r.Cost <= 0 || trunk != "" && r.Trunk != trunk {
			continue
		}
		if lists[r.Trunk] == nil {
			order = append(order, r.Trunk)
		}
		lists[r.Trunk] = append(lists[r.Trunk], settle.ClaimCall{
			N: int64(len(lists[r.Trunk])) + 1, Call: r.ID, Called: r.Number, Begun: r.Begun, Talk: r.CarrierTalk, Metered: r.CarrierTalk, Claimed: r.Cost,
		})
	}
	if len(order) == 0 {
		return nil, fmt.Errorf("no call of case %d cost us anything with a carrier: %w", id, ErrStep)
	}
	for _, t := range order {
		x := settle.Claim{Case: id, Customer: c.Customer, Trunk: t, State: settle.ClaimDraft, By: by, Made: time.Now()}
		switch err := d.open(ctx, &x, lists[t]); {
		case errors.Is(err, errClaimed):
		case err != nil:
			return out, err
		default:
			out = append(out, x)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("case %d has a claim to each of its carriers: %w", id, ErrStep)
	}
	return out, nil
}

var errClaimed = errors.New("there is a claim")

// open stores a new claim under the next number.
func (d *Desk) open(ctx context.Context, x *settle.Claim, calls []settle.ClaimCall) error {
	add(x, calls)
	for range tries {
		if was, err := d.o.Store.CarrierClaims(ctx, ClaimFilter{Case: x.Case, Trunk: x.Trunk}); err != nil {
			return err
		} else if len(was) > 0 {
			return errClaimed
		}
		last, err := d.o.Store.LastClaim(ctx)
		if err != nil {
			return err
		}
		x.ID = last + 1
		for i := range calls {
			calls[i].Claim = x.ID
		}
		err = d.o.Store.WriteSettle(ctx, store.SettleWrite{Claims: []settle.Claim{*x}, Calls: calls}, opened(x, x.By))
		if !errors.Is(err, store.ErrExists) {
			x.Version = 1
			return err
		}
	}
	return ErrMoved
}

// add sums a claim up.
func add(x *settle.Claim, calls []settle.ClaimCall) {
	x.Calls, x.Claimed = int64(len(calls)), 0
	for i := range calls {
		x.Claimed = x.Claimed.Add(calls[i].Claimed)
	}
}

func opened(x *settle.Claim, by string) store.Fact {
	said := fact.ClaimOpened{By: by, Case: x.Case, Claim: x.ID, Trunk: x.Trunk, File: x.Invoice, Count: x.Calls, Amount: x.Claimed}
	return said.Row(time.Now(), fact.Subject{Account: x.Customer})
}

// InvoiceOptions say how to read an invoice.
type InvoiceOptions struct {
	File  string // its name
	Zone  string // of its times, where they have none
	Dates rating.DateOrder
	Map   []string
}

// Invoice puts the carrier's invoice beside our metering. Rows of calls of the case become what is claimed for them, and rows of calls that
// nobody made here are claimed too. Differences of other calls are shown, and are not this case's. A wrong row books nothing.
func (d *Desk) Invoice(ctx context.Context, by string, id int64, data []byte, o InvoiceOptions) (out settle.Comparison, err error) {
	x, calls, err := d.Claim(ctx, id)
	if err != nil {
		return out, err
	}
	if x.State != settle.ClaimDraft {
		return out, fmt.Errorf("claim %d was sent: %w", id, ErrStep)
	}
	rows, err := d.rows(data, o)
	if err != nil {
		return out, err
	}
	ours, never, err := d.metered(ctx, &x, rows)
	if err != nil {
		return out, err
	}
	out = settle.Compare(ours, rows)
	x.Invoice = casework.FileName(o.File)
	others, err := d.claimedElsewhere(ctx, &x)
	if err != nil {
		return out, err
	}
	calls = onInvoice(calls, out.Rows, func(p *settle.Pair) bool {
		r := rowOf(p)
		return (p.Call == "" || never[p.Call]) && others[strayOf(&r)] == 0
	})
	for i := range calls {
		calls[i].Claim = x.ID
	}
	add(&x, calls)
	return out, d.o.Store.WriteSettle(ctx, store.SettleWrite{Claims: []settle.Claim{x}, Calls: calls}, opened(&x, by))
}

// rows reads an invoice; numbers come out in the form of our records.
func (d *Desk) rows(data []byte, o InvoiceOptions) ([]carrier.Record, error) {
	zone, err := time.LoadLocation(cmp.Or(o.Zone, "UTC"))
	if err != nil {
		return nil, &book.Invalid{Field: "zone", Found: o.Zone, Want: "a time zone such as Europe/London"}
	}
	f, err := carrier.Read(data, carrier.Options{Zone: zone, Dates: o.Dates, Map: o.Map, NoCaller: true})
	if err != nil {
		return nil, &Unread{Text: err.Error()}
	}
	if text := settle.Faulty(f); text != "" {
		return nil, &Unread{text, f.Faults}
	}
	for i := range f.Rows {
		r := &f.Rows[i]
		r.Called, r.Caller = d.number(r.Called), d.number(r.Caller)
	}
	return f.Rows, nil
}

// Unread says why a file was left alone.
type Unread struct {
	Text   string
	Faults []rating.Fault // each with its line and column
}

// Error is the sentence.
func (u *Unread) Error() string { return u.Text }

// number is a number in the form of our records, or as it was written where it is none.
func (d *Desk) number(text string) string {
	plan := d.o.Book.Plan()
	dest, problem := plan.Parse(text)
	if problem != phone.NoProblem && len(text) > 7 && text[0] >= '1' && text[0] <= '9' {
		dest, problem = plan.Parse("+" + text)
	}
	if problem != phone.NoProblem {
		return text
	}
	return dest.Number.String()
}

// before is how long before the first row of an invoice a call of it may have begun.
const before = 20 * time.Minute

// metered are our calls with a carrier in the time of an invoice, and those of the claim's customer that were never answered.
func (d *Desk) metered(ctx context.Context, x *settle.Claim, rows []carrier.Record) (out []settle.Metered, never map[call.ID]bool, err error) {
	if len(rows) == 0 {
		return nil, nil, nil
	}
	never = map[call.ID]bool{}
	from, until := rows[0].Start, rows[0].Start
	for i := range rows {
		if at := rows[i].Start; at.Before(from) {
			from = at
		} else if at.After(until) {
			until = at
		}
	}
	heads, err := d.o.Store.Decks(ctx)
	if err != nil {
		return nil, nil, err
	}
	r := newRater(d, heads)
	f := store.CDRFilter{Direction: call.Out, From: from.Add(-before), Until: until.Add(before), Limit: perPage}
	for {
		page, err := d.o.Store.CDRs(ctx, f)
		if err != nil {
			return nil, nil, err
		}
		for i := range page {
			if c := &page[i]; c.Trunk == x.Trunk {
				m, err := r.metered(ctx, c)
				if err != nil {
					return nil, nil, err
				}
				out = append(out, m)
				if c.Account == x.Customer && c.AnsweredAt.IsZero() {
					never[c.ID] = true
				}
			}
		}
		if len(page) < f.Limit {
			return out, never, nil
		}
		f.Before = page[len(page)-1].ID
	}
}

// metered is a call as an invoice is compared with it.
func (r *rater) metered(ctx context.Context, c *call.CDR) (m settle.Metered, err error) {
	m = settle.Metered{ID: c.ID, Called: c.Number, Leg: c.BLeg, Begun: c.Begun, Answered: c.AnsweredAt, Talk: c.CarrierTalk}
	v, why := r.version(c)
	if why != "" || c.AnsweredAt.IsZero() {
		return m, nil
	}
	deck, err := r.deck(ctx, v)
	if err != nil {
		return m, err
	}
	dest, problem := r.d.o.Book.Plan().Parse(c.Number)
	if price, ok := deck.Find(dest.Number, c.Begun); problem == phone.NoProblem && ok && !price.NoPrice {
		q := price.Quote(r.calendar(c.Line), c.AnsweredAt)
		m.Quote = &q
	}
	return m, nil
}

// stray is a row of an invoice for which no case has a call: it is claimed in one claim alone, whichever compares the invoice first.
type stray struct {
	call   call.ID
	called string
	begun  int64 // microseconds
	talk   time.Duration
	sum    money.Micro
}

func strayOf(c *settle.ClaimCall) stray {
	if c.Call != "" {
		return stray{call: c.Call}
	}
	return stray{called: c.Called, begun: c.Begun.UnixMicro(), talk: c.Talk, sum: c.Claimed}
}

// claimedElsewhere are the rows and calls that other claims to the carrier of a claim ask for, with the number of the first.
func (d *Desk) claimedElsewhere(ctx context.Context, x *settle.Claim) (map[stray]int64, error) {
	out := map[stray]int64{}
	for f := (ClaimFilter{Trunk: x.Trunk, Limit: perPage}); ; {
		page, err := d.o.Store.CarrierClaims(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range page {
			if page[i].ID == x.ID {
				continue
			}
			calls, err := d.o.Store.ClaimCalls(ctx, page[i].ID)
			if err != nil {
				return nil, err
			}
			for n := range calls {
				if calls[n].Claimed > 0 {
					out[strayOf(&calls[n])] = page[i].ID // the newest come first
				}
			}
		}
		if len(page) < f.Limit {
			return out, nil
		}
		f.Before = page[len(page)-1].ID
	}
}

// rowOf is a row of an invoice as a claim has it.
func rowOf(p *settle.Pair) settle.ClaimCall {
	return settle.ClaimCall{Call: p.Call, Called: clip(p.Called, 60), Begun: p.Start, Talk: p.Talk, Claimed: p.Charged, Line: int64(p.Line), Parts: p.Parts}
}

// onInvoice is what is claimed once an invoice was compared: for calls of the claim that it charges for, what it charges, with what differs;
// those that it does not charge for are not claimed; and its rows (stray) of calls that were never made here, or of the customer and never
// answered: those cost the customer nothing, so that no case has them.
func onInvoice(calls []settle.ClaimCall, rows []settle.Pair, stray func(*settle.Pair) bool) []settle.ClaimCall {
	at := map[call.ID]int{}
	calls = slices.DeleteFunc(slices.Clone(calls), func(c settle.ClaimCall) bool { return c.Call == "" && c.Version == 0 })
	for i := range calls {
		calls[i].Claimed, calls[i].Line, calls[i].Parts = 0, 0, nil
		if calls[i].Call != "" {
			at[calls[i].Call] = i
		}
	}
	spare := []int{} // rows of an invoice that was compared before: their places are taken again
	for i := range calls {
		if calls[i].Call == "" {
			spare = append(spare, i)
		}
	}
	for i := range rows {
		p := &rows[i]
		n, ours := at[p.Call]
		switch {
		case p.Call != "" && ours:
			c := &calls[n]
			if c.Line == 0 {
				c.Line, c.Talk, c.Metered = int64(p.Line), 0, 0
			}
			c.Claimed, c.Talk, c.Metered = c.Claimed.Add(p.Charged), c.Talk+p.Talk, max(c.Metered, p.Metered) // of several rows for it, one is the call
			c.Parts = append(c.Parts, p.Parts...)
		case stray(p):
			c := rowOf(p)
			if len(spare) > 0 {
				n, spare = spare[0], spare[1:]
			} else {
				n = len(calls)
				calls = append(calls, settle.ClaimCall{N: int64(n) + 1})
			}
			c.N, c.Version = calls[n].N, calls[n].Version
			calls[n] = c
		}
	}
	return calls
}

func clip(s string, most int) string { return strings.ToValidUTF8(s[:min(len(s), most)], "") }

// Send notes that a claim went to its carrier. The days of the answer begin. Of two claims that ask for the same row of an invoice, because both were compared with it at once, the first
// is sent.
func (d *Desk) Send(ctx context.Context, by string, id int64) (settle.Claim, error) {
	x, calls, err := d.Claim(ctx, id)
	if err != nil {
		return x, err
	}
	others, err := d.claimedElsewhere(ctx, &x)
	if err != nil {
		return x, err
	}
	for i := range calls {
		c := &calls[i]
		if first := others[strayOf(c)]; c.Call == "" && c.Claimed > 0 && first != 0 && first < id {
			return x, fmt.Errorf("row %d of the invoice is in claim %d: compare claim %d with the invoice again: %w", c.Line, first, id, ErrStep)
		}
	}
	return d.change(ctx, id, func(x *settle.Claim, now time.Time) (fact.Body, error) {
		err := x.Send(now)
		return &fact.ClaimSent{By: by, Case: x.Case, Claim: x.ID, Trunk: x.Trunk, Amount: x.Claimed, Until: x.AnswerBy}, err
	})
}

// change reads a claim, lets f change it, and writes it.
func (d *Desk) change(ctx context.Context, id int64, f func(x *settle.Claim, now time.Time) (fact.Body, error)) (x settle.Claim, err error) {
	if x, err = d.o.Store.CarrierClaim(ctx, id); err != nil {
		return x, err
	}
	now := time.Now()
	said, err := f(&x, now)
	if err != nil {
		return x, err
	}
	err = d.o.Store.WriteSettle(ctx, store.SettleWrite{Claims: []settle.Claim{x}}, said.Row(now, fact.Subject{Account: x.Customer}))
	return x, err
}

// Answer notes what a carrier grants, nothing for a refusal, and passes it on to the customer, as far as the customer owes the calls. An
// answer is never changed; another may follow. The settlement that passes it on is stored with it, so that a crash in between leaves it to Due.
func (d *Desk) Answer(ctx context.Context, by string, id int64, granted money.Micro, text string) (settle.Claim, error) {
	for version := int64(0); ; {
		x, was, err := d.Claim(ctx, id)
		if err != nil {
			return x, err
		}
		if version == 0 {
			version = x.Version
		} else if x.Version != version {
			return x, ErrMoved
		}
		if err := d.catchUp(ctx, x.Case); err != nil {
			return x, err
		}
		next, err := d.answer(ctx, x, was, settle.Answer{At: time.Now(), By: by, Granted: granted, Text: clip(text, 4000)})
		if errors.Is(err, store.ErrExists) || errors.Is(err, ErrMoved) {
			continue // somebody else wrote into the case
		}
		if err == nil {
			err = d.catchUp(ctx, x.Case)
		}
		return next, err
	}
}

// answer writes an answer with the settlement that passes it on. There is none when there is nothing to pass on, or when staff must decide first.
func (d *Desk) answer(ctx context.Context, x settle.Claim, was []settle.ClaimCall, a settle.Answer) (settle.Claim, error) {
	s, err := d.scene(ctx, x.Case)
	if err != nil {
		return x, err
	}
	beyond, calls := x.Beyond, slices.Clone(was)
	if err := x.Grant(a, calls); err != nil {
		return x, err
	}
	s.beyond = s.beyond.Add(x.Beyond - beyond)
	for i := range calls {
		id := calls[i].Call
		s.granted[id] = s.granted[id].Add(calls[i].Granted - was[i].Granted)
	}
	said := fact.ClaimAnswered{By: a.By, Case: x.Case, Claim: x.ID, Trunk: x.Trunk, Amount: a.Granted, Answer: a.Text}
	facts := []store.Fact{said.Row(a.At, fact.Subject{Account: x.Customer})}
	w := store.SettleWrite{Claims: []settle.Claim{x}, Calls: calls}
	if a.Granted > 0 {
		w.Entries = []books.Entry{{
			At: a.At, Kind: books.KindCarrier, Reference: fmt.Sprintf("CLAIM %d ANSWER %d", x.ID, len(x.Answers)), By: a.By, Text: a.Text, Net: a.Granted, Postings: books.Grant(x.Trunk, a.Granted),
		}}
	}
	passed, err := d.passOn(s, &w, a.By, a.At)
	if err != nil {
		return x, err
	}
	return x, d.o.Store.WriteSettle(ctx, w, append(facts, passed...)...)
}

// Said is a difference in words.
func Said(k settle.Kind) string {
	switch k {
	case settle.Early:
		return "charged from before the called phone answered"
	case settle.RanOn:
		return "charged beyond the end of the call"
	case settle.NeverCarried:
		return "charged although the call was never answered"
	case settle.NeverSeen:
		return "charged although we made no such call"
	case settle.Twice:
		return "charged twice"
	case settle.Dearer:
		return "charged above your price list"
	}
	return string(k)
}

// Sheet is the list of a claim's calls as CSV.
func (d *Desk) Sheet(ctx context.Context, id int64) ([]byte, error) {
	_, calls, err := d.Claim(ctx, id)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{{"number", "call", "called", "begun", "charged seconds", "metered seconds", "claimed", "granted", "line of your file", "differences"}}
	for i := range calls {
		c := &calls[i]
		said := []string{}
		for _, p := range c.Parts {
			said = append(said, fmt.Sprintf("%s: %s", Said(p.Kind), money.Billing().Number(p.Money)))
		}
		line := ""
		if c.Line > 0 {
			line = strconv.FormatInt(c.Line, 10)
		}
		rows = append(rows, []string{
			strconv.FormatInt(c.N, 10), string(c.Call), safe(c.Called), c.Begun.UTC().Format(time.RFC3339), seconds(c.Talk), seconds(c.Metered),
			money.Billing().Number(c.Claimed), money.Billing().Number(c.Granted), line, strings.Join(said, "; "),
		})
	}
	if err := w.WriteAll(rows); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// safe keeps a spreadsheet from taking what a carrier wrote for a formula. The plus of a number is none where only digits follow.
func safe(text string) string {
	if text == "" || !strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return text
	}
	if text[0] == '+' && strings.Trim(text[1:], "0123456789") == "" {
		return text
	}
	return "'" + text
}

func seconds(x time.Duration) string { return strconv.FormatFloat(x.Seconds(), 'f', -1, 64) }
