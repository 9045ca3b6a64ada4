// Package settle settles what is owed for the calls of a case: decisions about cost price, claims to carriers and what they grant, and
// instalments. It books credits and touches no purse, so that no dispute, credit or payment gives anybody a fresh cap. It must not know
// protocols or SQL.
package settle

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/casework"
	"ringfence/core/fact"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/rating"
	"ringfence/core/settle"
	"ringfence/flow/billing"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// Options of New. Store, Book and Billing are needed.
type Options struct {
	Store interface {
		store.Cases
		store.Settling
		CDR(ctx context.Context, id call.ID) (call.CDR, error)
		CDRs(ctx context.Context, f store.CDRFilter) ([]call.CDR, error)
		Decks(ctx context.Context) ([]store.Deck, error)
		DeckRows(ctx context.Context, name string, version int64) ([]rating.Price, error)
	}
	Book *book.Book
	// Billing keeps the books: credits are booked there, and payments found.
	Billing *billing.Billing
	// SecondAbove is what one member of staff may give away alone in a case.
	SecondAbove func() money.Micro
	Provider    string // as letters name it
	Address     string // the same, its lines parted by newlines
	Log         *slog.Logger
}

// Desk settles cases. It is safe for concurrent use.
type Desk struct{ o Options }

// New makes it.
func New(o Options) (*Desk, error) {
	if o.Store == nil || o.Book == nil || o.Billing == nil {
		return nil, errors.New("settling: a store, a book and the books are needed")
	}
	if o.SecondAbove == nil {
		o.SecondAbove = func() money.Micro { return 0 }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Desk{o}, nil
}

// Errors that callers tell apart.
var (
	ErrStep     = settle.ErrStep
	ErrMoved    = store.ErrMoved
	ErrNotFound = store.ErrNotFound
)

// tries of a write that somebody else came before.
const tries = 8

// Call is one call of a case, as it was settled or would be.
type Call struct {
	settle.Share
	Rated settle.Rerated `json:"rated"`
}

// Settled is what is owed for the calls of a case.
type Settled struct {
	Case casework.Case
	List settle.List // as it is in force
	Cost bool        // calls that are owed are at cost price
	// Charged and ToPay are those of List with VAT, in whole coins, as bills are rounded: what lies between them is credited to the coin.
	Charged, ToPay money.Micro
	Calls          []Call
	Past           []settle.Settlement // by N, without their calls
	Plans          []settle.Plan
}

// scene is what a settlement is worked out from.
type scene struct {
	c     casework.Case
	items []casework.Item
	calls []casework.CaseCall
	past  []settle.Settlement
	other map[call.ID]money.Micro // what was given for a call in another case, where its dispute was withdrawn or is now
	rated map[call.ID]settle.Rerated
	// granted and claimed of the carriers, by call.
	granted, claimed map[call.ID]money.Micro
	beyond           money.Micro // granted for no call
}

// scene reads a case with its prices; read is the same without them.
func (d *Desk) scene(ctx context.Context, id int64) (s *scene, err error) {
	if s, err = d.read(ctx, id); err != nil {
		return nil, err
	}
	claims, err := d.o.Store.CarrierClaims(ctx, store.ClaimFilter{Case: id})
	if err != nil {
		return nil, err
	}
	for _, c := range claims {
		s.beyond = s.beyond.Add(c.Beyond)
		list, err := d.o.Store.ClaimCalls(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		for _, x := range list {
			s.granted[x.Call], s.claimed[x.Call] = s.granted[x.Call].Add(x.Granted), s.claimed[x.Call].Add(x.Claimed)
		}
	}
	s.rated, err = d.rate(ctx, s.calls)
	return s, err
}

// read reads the case before all else in it: who writes into it in between makes the write fail that is worked out from this.
func (d *Desk) read(ctx context.Context, id int64) (s *scene, err error) {
	s = &scene{granted: map[call.ID]money.Micro{}, claimed: map[call.ID]money.Micro{}}
	if s.c, err = d.o.Store.Case(ctx, id); err != nil {
		return nil, err
	}
	if s.items, err = d.o.Store.CaseItems(ctx, id); err != nil {
		return nil, err
	}
	if s.calls, err = d.calls(ctx, id); err != nil {
		return nil, err
	}
	if s.past, err = d.o.Store.Settlements(ctx, id); err != nil {
		return nil, err
	}
	s.other, err = d.elsewhere(ctx, s)
	return s, err
}

const perPage = 1000

func (d *Desk) calls(ctx context.Context, id int64) (all []casework.CaseCall, err error) {
	f := store.CaseCallFilter{Case: id, Limit: perPage}
	for {
		page, err := d.o.Store.CaseCalls(ctx, f)
		if err != nil {
			return nil, err
		}
		if all = append(all, page...); len(page) < f.Limit {
			return all, nil
		}
		f.After = page[len(page)-1].Call
	}
}

// rate prices calls at cost, each by the version of its carrier's deck that was in force when it began.
func (d *Desk) rate(ctx context.Context, calls []casework.CaseCall) (map[call.ID]settle.Rerated, error) {
	heads, err := d.o.Store.Decks(ctx)
	if err != nil {
		return nil, err
	}
	r := newRater(d, heads)
	out := make(map[call.ID]settle.Rerated, len(calls))
	for i := range calls {
		c, err := d.o.Store.CDR(ctx, calls[i].Call)
		if err != nil {
			return nil, err
		}
		if out[c.ID], err = r.call(ctx, &c); err != nil {
			return nil, err
		}
	}
	return out, nil
}

type rater struct {
	d        *Desk
	versions []settle.Version
	decks    map[settle.Version]*rating.Deck
}

func newRater(d *Desk, heads []store.Deck) *rater {
	r := &rater{d: d, decks: map[settle.Version]*rating.Deck{}}
	for _, h := range heads {
		if h.Kind == rating.Cost {
			r.versions = append(r.versions, settle.Version{Deck: h.Name, Version: h.Version, Imported: h.Imported})
		}
	}
	return r
}

func (r *rater) calendar(line string) (calendar rating.Calendar) {
	if l, ok := r.d.o.Book.Line(line); ok {
		_, calendar = l.Retail()
	}
	return calendar
}

func (r *rater) call(ctx context.Context, c *call.CDR) (settle.Rerated, error) {
	if c.Direction != call.Out || c.Trunk == "" {
		return settle.Unpriced(c, "no carrier was paid for it"), nil
	}
	v, why := r.version(c)
	if why != "" {
		return settle.Unpriced(c, why), nil
	}
	deck, err := r.deck(ctx, v)
	if err != nil {
		return settle.Rerated{}, err
	}
	dest, problem := r.d.o.Book.Plan().Parse(c.Number)
	if problem != phone.NoProblem {
		return settle.Unpriced(c, c.Number+" cannot be read as a number"), nil
	}
	return settle.Rerate(c, dest.Number, v, deck, r.calendar(c.Line)), nil
}

func (r *rater) version(c *call.CDR) (v settle.Version, why string) {
	t, ok := r.d.o.Book.Trunk(c.Trunk)
	switch {
	case !ok:
		return v, "its trunk was removed"
	case t.Deck == "":
		return v, "trunk " + account.Handle(t.Name) + " has no price list"
	}
	if v, ok = settle.InForce(r.versions, t.Deck, c.Begun); !ok {
		return v, "no version of deck " + t.Deck + " was in force on " + c.Begun.Format(time.DateOnly)
	}
	return v, ""
}

func (r *rater) deck(ctx context.Context, v settle.Version) (*rating.Deck, error) {
	if deck := r.decks[v]; deck != nil {
		return deck, nil
	}
	rows, err := r.d.o.Store.DeckRows(ctx, v.Deck, v.Version)
	if err != nil {
		return nil, err
	}
	deck, err := rating.Build(rows, nil)
	r.decks[v] = deck
	return deck, err
}

// verdict is how a call of a case is settled; cost says whether cost price is for it.
func verdict(c *casework.CaseCall) (v settle.Verdict, cost bool) {
	switch {
	case c.State.Free():
		return settle.Free, false
	case c.State.Pending():
		return settle.Undecided, false
	}
	return settle.Owed, c.State == casework.Owed // a call that was withdrawn is the customer's own, at its price
}

// price is what a call is settled of: what was charged for it, but for what was given in another case.
func (s *scene) price(c *casework.CaseCall) money.Micro { return max(0, c.Retail-s.other[c.Call]) }

// fall works out the list.
func (s *scene) fall(cost bool) (settle.List, []Call) {
	in := make([]settle.Call, len(s.calls))
	for i := range s.calls {
		c := &s.calls[i]
		v, may := verdict(c)
		r := s.rated[c.Call]
		in[i] = settle.Call{
			ID: c.Call, Verdict: v, Charged: s.price(c), Cost: r.Cost, Priced: cost && may && r.Priced, Granted: s.granted[c.Call], Claimed: s.claimed[c.Call],
		}
	}
	list, shares := settle.Fall(in, s.refunded(false))
	s.others(&list)
	calls := make([]Call, len(shares))
	for i := range shares {
		calls[i] = Call{shares[i], s.rated[shares[i].ID]}
	}
	return list, calls
}

// others adds what was asked and granted for no call of the case: it stays with us.
func (s *scene) others(l *settle.List) {
	mine := map[call.ID]bool{}
	for i := range s.calls {
		mine[s.calls[i].Call] = true
	}
	l.Kept = l.Kept.Add(s.beyond)
	for id, claimed := range s.claimed {
		if !mine[id] {
			l.Claimed, l.Kept = l.Claimed.Add(claimed), l.Kept.Add(s.granted[id])
		}
	}
}

// made is what the settlements in force come to: what they have given, whether calls are at cost price, and whether one waits.
func (s *scene) made() (given money.Micro, last settle.List, cost bool, waits *settle.Settlement) {
	for i := range s.past {
		switch x := &s.past[i]; x.State {
		case settle.Made:
			given, last, cost = given.Add(x.Given), x.List, cost || x.Cost
		case settle.Waiting:
			waits = x
		}
	}
	return given, last, cost, waits
}

// Look is what is owed for the calls of a case. customer is the identity of the customer whose people ask, "" is staff; another
// customer's case is not there. cost shows what cost price would make of it.
func (d *Desk) Look(ctx context.Context, customer string, id int64, cost bool) (out Settled, err error) {
	c, err := d.o.Store.Case(ctx, id)
	if err != nil || customer != "" && c.Customer != customer {
		return out, errors.Join(err, notFound(err, "case", id))
	}
	s, err := d.scene(ctx, id)
	if err != nil {
		return out, err
	}
	_, _, at, _ := s.made()
	out.Case, out.Past, out.Cost = s.c, s.past, at
	out.List, out.Calls = s.fall(at || cost)
	if out.Charged, err = d.gross(ctx, s, out.List.Charged.Amount); err != nil {
		return out, err
	}
	if out.ToPay, err = d.gross(ctx, s, out.List.ToPay.Amount); err != nil {
		return out, err
	}
	if customer != "" {
		out.ForCustomers()
	}
	for i := range out.Past {
		out.Past[i].Shares = nil
	}
	if out.Plans, err = d.o.Store.Plans(ctx, store.PlanFilter{Case: id}); err != nil {
		return out, err
	}
	return out, nil
}

// NoPrice is a reason why calls have no cost price.
type NoPrice struct {
	Why   string
	Calls int
}

// Unpriced is why calls that are owed keep their price when the others come down to cost price: the reason of the most calls first.
func (x *Settled) Unpriced() (out []NoPrice) {
	for i := range x.Calls {
		c := &x.Calls[i]
		if c.Verdict != settle.Owed || c.Rated.Priced {
			continue
		}
		n := slices.IndexFunc(out, func(r NoPrice) bool { return r.Why == c.Rated.Why })
		if n < 0 {
			n, out = len(out), append(out, NoPrice{Why: c.Rated.Why})
		}
		out[n].Calls++
	}
	slices.SortStableFunc(out, func(a, b NoPrice) int { return b.Calls - a.Calls })
	return out
}

// ForCustomers leaves out whose price list it is: that is nothing to them.
func (x *Settled) ForCustomers() {
	for i := range x.Calls {
		r := &x.Calls[i].Rated
		if r.Deck, r.Version = "", 0; r.Why != "" {
			r.Why = "there is no cost price for it"
		}
	}
}

func notFound(err error, what string, id int64) error {
	if err != nil {
		return nil
	}
	return fmt.Errorf("%s %d: %w", what, id, store.ErrNotFound)
}

// Settle decides what is owed as the calls of a case stand, and credits it. With cost the calls that are owed come down to cost price: a
// decision that waits for a second member of staff when it gives away more than one may.
func (d *Desk) Settle(ctx context.Context, by string, id int64, cost bool, why string) (out settle.Settlement, err error) {
	if cost && why == "" {
		return out, &book.Invalid{Field: "why", Want: "the reason, which the customer will read"}
	}
	return d.decide(ctx, by, id, cost, cmp.Or(why, "Down to cost price, as the other calls of the case."))
}

// decide makes the next settlement of a case.
func (d *Desk) decide(ctx context.Context, by string, id int64, cost bool, why string) (out settle.Settlement, err error) {
	for range tries {
		if err := d.catchUp(ctx, id); err != nil {
			return out, err
		}
		s, err := d.scene(ctx, id)
		if err != nil {
			return out, err
		}
		out, gift, err := s.next(by, cost, time.Now())
		if err != nil {
			return out, err
		}
		err = d.write(ctx, s, &out, gift, why)
		if errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrMoved) {
			continue
		}
		if err != nil {
			return out, err
		}
		return d.carriedOut(ctx, out)
	}
	return out, ErrMoved
}

// carriedOut carries a settlement out as far as that may be done, and reads what has become of it.
func (d *Desk) carriedOut(ctx context.Context, x settle.Settlement) (settle.Settlement, error) {
	if err := d.catchUp(ctx, x.Case); err != nil {
		return x, err
	}
	past, err := d.o.Store.Settlements(ctx, x.Case)
	for i := range past {
		if past[i].N == x.N {
			x = past[i]
		}
	}
	return x, err
}

// gift is what a settlement gives by a decision: down to cost price, and what carriers granted. Calls that were found to be ours to bear have been decided already.
type gift struct{ cost, grant money.Micro }

// next is the settlement that follows.
func (s *scene) next(by string, cost bool, now time.Time) (out settle.Settlement, g gift, err error) {
	given, last, was, waits := s.made()
	if waits != nil {
		return out, g, fmt.Errorf("settlement %d of case %d waits for a second member of staff: %w", waits.N, s.c.ID, ErrStep)
	}
	list, calls := s.fall(was || cost)
	total := list.Settled(s.refunded(true))
	out = settle.Settlement{
		Case: s.c.ID, N: int64(len(s.past)) + 1, State: settle.Waiting, By: by, At: now, Cost: was || cost, List: list, Given: total - given,
	}
	switch {
	case total < given:
		return out, g, fmt.Errorf("case %d has been given %s and would come to %s: what was given is not taken back: %w", s.c.ID, amount(given), amount(total), ErrStep)
	case total == given && len(s.past) == 0:
		return out, g, fmt.Errorf("nothing is to be given for the calls of case %d as they stand: decide about them, or bring them down to cost price: %w", s.c.ID, ErrStep)
	case total == given:
		return out, g, fmt.Errorf("nothing has changed since the last settlement of case %d: %w", s.c.ID, ErrStep)
	}
	out.Shares, err = packed(calls)
	return out, gift{max(0, list.ToCost.Amount-last.ToCost.Amount), max(0, list.Credit.Amount-last.Credit.Amount)}, err
}

func amount(a money.Micro) string { return money.Billing().Amount(a) }

// write stores a settlement that waits, with the decision in the case that it is. One that needs no decision is carried out at once.
func (d *Desk) write(ctx context.Context, s *scene, x *settle.Settlement, g gift, why string) error {
	if g.cost > 0 && s.c.State == casework.Closed {
		return fmt.Errorf("case %d is closed: %w", x.Case, casework.ErrStep)
	}
	w := store.SettleWrite{Case: &store.CaseWrite{Case: &s.c}} // the case too: two who decide at once must see each other's
	if err := d.put(s, &w, x, g, why); err != nil {
		return err
	}
	err := d.o.Store.WriteSettle(ctx, w, d.settled(&s.c, x))
	x.Version = 1
	return err
}

// put adds a settlement to a write, with the decision that it is, which waits if it gives away more than one person may.
func (d *Desk) put(s *scene, w *store.SettleWrite, x *settle.Settlement, g gift, why string) error {
	if g.cost > 0 || g.grant > 0 {
		i := casework.Item{
			Case: x.Case, N: int64(len(s.items)+len(w.Case.Items)) + 1, Kind: casework.Decision, At: x.At, By: x.By, Text: casework.Cut(why, casework.MaxText),
			What: casework.CostPrice, Amount: g.cost.Add(g.grant), Calls: int64(max(x.List.ToCost.Calls, x.List.Credit.Calls)),
		}
		if g.cost == 0 {
			i.What, i.Calls = casework.Grant, int64(x.List.Credit.Calls)
		}
		if !casework.NeedsSecond(&i, casework.Alone(s.items), d.o.SecondAbove()) {
			if err := i.End(casework.Made, "", x.By, x.At); err != nil {
				return err
			}
		}
		x.Item = i.N
		w.Case.Items = append(w.Case.Items, i)
	}
	w.Settlements = append(w.Settlements, *x)
	return nil
}

func (d *Desk) settled(c *casework.Case, x *settle.Settlement) store.Fact {
	said := fact.CaseSettled{By: x.By, Case: x.Case, Settlement: x.N, Item: x.Item, Amount: x.Given, ToPay: x.List.ToPay.Amount, Count: int64(x.List.Charged.Calls)}
	at := x.At
	if !x.Ended.IsZero() {
		said.By, said.Ended, at = x.EndedBy, string(x.State), x.Ended
	}
	return said.Row(at, fact.Subject{Account: c.Customer})
}

// catchUp carries out what of the settlements of a case waits, once its decision is made. The credit is booked first, under a reference that
// is booked once, so that a crash in between only repeats it.
func (d *Desk) catchUp(ctx context.Context, id int64) error {
	for range tries {
		past, err := d.o.Store.Settlements(ctx, id)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(past, func(x settle.Settlement) bool { return x.State == settle.Waiting })
		if i < 0 {
			return nil
		}
		state, by, err := d.decided(ctx, &past[i])
		if err != nil || state == settle.Waiting {
			return err
		}
		err = d.carryOut(ctx, &past[i], state, by)
		if err != nil && !errors.Is(err, store.ErrMoved) && !errors.Is(err, store.ErrExists) { // another node was there: its credit is this one
			return err
		}
	}
	return ErrMoved
}

// carryOut ends a settlement whose decision is made. What carriers granted while it waited is the next one, stored with its end.
func (d *Desk) carryOut(ctx context.Context, x *settle.Settlement, state settle.State, by string) error {
	s, err := d.scene(ctx, x.Case)
	if err != nil {
		return err
	}
	w := store.SettleWrite{}
	if state == settle.Made {
		if w.Plans, err = d.give(ctx, s, x); err != nil {
			return err
		}
	}
	now := time.Now()
	if err := x.End(state, by, now); err != nil {
		return err
	}
	w.Settlements = []settle.Settlement{*x}
	facts := []store.Fact{d.settled(&s.c, x)}
	for i := range w.Plans {
		facts = append(facts, covered(&w.Plans[i], by, now)...)
	}
	s.past[x.N-1] = *x
	passed, err := d.passOn(s, &w, auto, now)
	if err != nil {
		return err
	}
	return d.o.Store.WriteSettle(ctx, w, append(facts, passed...)...)
}

// passOn adds to a write the settlement that passes on what carriers granted, as a decision of who noted the grant: above what one person may give away it waits for a second one. There is
// none when nothing is to pass on, when staff must decide first, and when it was just refused.
func (d *Desk) passOn(s *scene, w *store.SettleWrite, by string, now time.Time) ([]store.Fact, error) {
	next, g, err := s.next(by, false, now)
	switch {
	case errors.Is(err, ErrStep):
		return nil, nil
	case err != nil || g.cost > 0 || s.refused(&next):
		return nil, err
	}
	w.Case = &store.CaseWrite{Case: &s.c}
	if err := d.put(s, w, &next, g, fmt.Sprintf("What the carrier has credited is passed on: %s.", amount(g.grant))); err != nil {
		return nil, err
	}
	return []store.Fact{d.settled(&s.c, &next)}, nil
}

// refused says that the last settlement was the same, to pass on a grant, and that somebody refused it: it is not asked for again by itself.
func (s *scene) refused(next *settle.Settlement) bool {
	if len(s.past) == 0 {
		return false
	}
	last := &s.past[len(s.past)-1]
	grant := slices.ContainsFunc(s.items, func(i casework.Item) bool { return i.N == last.Item && i.What == casework.Grant })
	return last.State == settle.Refused && grant && last.List.Credit == next.List.Credit
}

// decided is what became of the decision that a settlement waits for.
func (d *Desk) decided(ctx context.Context, x *settle.Settlement) (state settle.State, by string, err error) {
	if x.Item == 0 {
		return settle.Made, x.By, nil
	}
	items, err := d.o.Store.CaseItems(ctx, x.Case)
	if err != nil {
		return "", "", err
	}
	for i := range items {
		switch it := &items[i]; {
		case it.N != x.Item:
		case it.Waits():
			return settle.Waiting, "", nil
		case it.How == casework.Made:
			return settle.Made, it.EndedBy, nil
		default:
			return settle.Refused, it.EndedBy, nil
		}
	}
	return "", "", fmt.Errorf("decision %d of case %d: %w", x.Item, x.Case, store.ErrNotFound)
}

// packed is how the calls of a settlement are stored: 10,000 of them would be some megabytes of JSON.
func packed(calls []Call) ([]byte, error) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if err := json.NewEncoder(z).Encode(calls); err != nil {
		return nil, err
	}
	err := z.Close()
	return out.Bytes(), err
}

func unpacked(data []byte) (calls []Call, err error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return calls, json.NewDecoder(io.LimitReader(z, 1<<28)).Decode(&calls)
}

// Decided are the calls of a settlement, as they were decided.
func (d *Desk) Decided(ctx context.Context, id, n int64) ([]Call, error) {
	past, err := d.o.Store.Settlements(ctx, id)
	if err != nil {
		return nil, err
	}
	for i := range past {
		if past[i].N == n {
			return unpacked(past[i].Shares)
		}
	}
	return nil, fmt.Errorf("settlement %d of case %d: %w", n, id, store.ErrNotFound)
}
