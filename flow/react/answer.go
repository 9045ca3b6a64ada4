package react

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/detect"
	"ringfence/core/fact"
	"ringfence/core/habit"
	"ringfence/core/restrict"
	"ringfence/flow/book"
	"ringfence/state/store"
)

// By is who restricts a line when a finding does.
const By = "ringfence"

// answer is what a finding closes, until it is closed.
type answer struct {
	Line    string                 `json:"line,omitempty"` // or else of the whole
	Account string                 `json:"account"`        // customer
	At      time.Time              `json:"at"`             // of the fact that led to it
	Closes  []restrict.Restriction `json:"closes"`

	stored bool      // its row is in the store
	notYet time.Time // another node made it, and may be applying it
}

func (a *answer) append() []byte {
	b, err := json.Marshal(a)
	if err != nil { // cannot happen: texts, times and sets of destinations
		return nil
	}
	return b
}

func (r *React) readAnswer(key string, body []byte) error {
	a := &answer{stored: true, notYet: time.Now().Add(othersApply)}
	err := json.Unmarshal(body, a)
	if err == nil {
		r.answers[key] = a
	}
	return err
}

// finding notes what a rule has found: the fact that says so, and what is to be closed. Both are written with the cursor.
func (r *React) finding(found *habit.Finding, f *store.Fact, account string) {
	key := keyOf(found, f.Call, f.At)
	body := Said(found, key, r.o.Rules)
	row := body.Row(f.At, fact.Subject{Line: f.Line, Account: account, Call: f.Call})
	row.Key = store.Short(key)
	r.found = append(r.found, row)
	r.stats.Found++
	closes := found.Answer.Restrictions
	if found.Life.Acts() && found.Answer.Step > habit.Notice {
		r.trust.Found(found.Meter, key)
		r.trusted = true
	}
	if found.Answer.Step > habit.Notice {
		r.figures.found(found.Meter.String(), r.life(found), key)
		r.figured = true
	}
	switch {
	case len(closes) == 0:
		return
	case !found.Life.Acts():
		r.foresees(found, key, f.Line, account, f.At)
		return
	}
	r.admitKnown(closes, f, account, found.Answer.Whole)
	why := detect.UnusualCalls.Title()
	for i := range closes {
		closes[i].By, closes[i].Why, closes[i].Finding = By, why, key
	}
	a := &answer{Account: account, At: f.At, Closes: closes}
	if !found.Answer.Whole {
		a.Line = f.Line
	}
	r.answers[key] = a
}

// admitKnown has a restriction of logins know also the phones that have long registered: few of them call every week.
func (r *React) admitKnown(closes []restrict.Restriction, f *store.Fact, account string, whole bool) {
	i := slices.IndexFunc(closes, func(x restrict.Restriction) bool { return x.Login })
	if i < 0 || r.o.Known == nil {
		return
	}
	x, before := &closes[i], f.At.AddDate(0, 0, -r.o.Rules.Forget)
	lines := []string{f.Line}
	if whole {
		for _, l := range r.o.Book.Lines(account, "", restrict.MaxParts) {
			lines = append(lines, l.ID())
		}
	}
	for _, line := range lines {
		at, agents := r.o.Known(line, before)
		for _, a := range at {
			x.Known = append(x.Known, habit.Place(a))
		}
		for _, a := range agents {
			if len(x.Products) > 0 {
				x.Products = append(x.Products, habit.Product(a))
			}
		}
	}
	slices.Sort(x.Known)
	slices.Sort(x.Products)
	x.Known, x.Products = slices.Compact(x.Known), slices.Compact(x.Products)
	x.Known, x.Products = x.Known[:min(len(x.Known), restrict.MaxParts)], x.Products[:min(len(x.Products), restrict.MaxParts)]
}

// Said is a finding as the journal has it, under a key of detect.UnusualCalls.
func Said(found *habit.Finding, key string, rules *habit.Rules) *fact.CallsUnusual {
	c, a := found.Call, &found.Answer
	b := &fact.CallsUnusual{
		Key: key, Measure: found.Meter.String(), Rung: a.Step.String(), Trial: !found.Life.Acts(), Whole: a.Whole,
		Number: numberText(c.Number), Class: c.Class.String(), Country: c.Country.String(), PerMinute: c.PerMin,
		Unusual: found.Plain, Weighed: found.Level, Allowance: found.Allowance, Within: rules.Meters[found.Meter].Memory,
		Novelty: found.Novelty.String(), Signs: strings.Fields(found.Signs.String()), Again: int64(found.Again), Until: a.Until,
	}
	if found.Meter == habit.Range || found.Meter == habit.Shared {
		b.Range = numberText(c.Number / 1000)
	}
	for i := range a.Restrictions {
		x := &a.Restrictions[i]
		b.Closed = append(b.Closed, closedText(x))
		if open := x.Except.String(); open != "" && !slices.Contains(b.KeptOpen, open) {
			b.KeptOpen = append(b.KeptOpen, open)
		}
	}
	return b
}

// closedText is what a restriction closes, as findings name it.
func closedText(x *restrict.Restriction) string {
	text := x.Names.String()
	switch {
	case x.Login:
		return "logins from phones and networks that are not long known"
	case x.Ask != "":
		text += " (the caller confirms each call)"
	case x.AtOnce > 0:
		text += " (more than " + strconv.Itoa(x.AtOnce) + " at once)"
	}
	if len(x.Known) > 0 {
		text += " from networks that are new to the customer"
	}
	return text
}

func numberText(n uint64) string { return "+" + strconv.FormatUint(n, 10) }

// apply closes what is to be closed. What fails is tried again with the next facts, or tick.
func (r *React) apply(ctx context.Context, now time.Time) {
	for key, a := range r.answers {
		if !a.stored || now.Before(a.notYet) {
			continue
		}
		err := r.close(ctx, a, now)
		if invalid := (*book.Invalid)(nil); err != nil && !errors.Is(err, store.ErrNotFound) && !errors.As(err, &invalid) {
			r.o.Log.Error("what a finding closes could not be closed; it is tried again", "finding", key, "error", err)
			a.notYet = now.Add(r.o.Every)
			continue
		}
		if err != nil {
			r.o.Log.Error("what a finding closes cannot be closed", "finding", key, "line", account.Handle(a.Line), "error", err)
		} else {
			r.stats.Closed++
			r.stats.Reaction = max(r.stats.Reaction, time.Since(a.At))
		}
		delete(r.answers, key)
		r.gone[pending+key] = true
	}
}

// everybody closes to every line the ranges that rang many customers briefly, as the world has them since it last turned.
func (r *React) everybody(ctx context.Context, now time.Time) {
	if r.o.Rules == nil {
		return
	}
	acts := slices.ContainsFunc(r.rules.Meters[:], func(m habit.Meter) bool { return m.Life.Acts() })
	if !acts || !r.heed || now.Sub(r.hour) > freshFor+time.Hour {
		return
	}
	r.heed = false
	closed, have := r.world.Closed(), r.o.Book.Provider().Restrictions
	have = slices.DeleteFunc(slices.Clone(have), func(x restrict.Restriction) bool { return x.By != By })
	same := func(a, b restrict.Restriction) bool {
		return a.Finding == b.Finding && a.Names.String() == b.Names.String()
	}
	if slices.EqualFunc(closed, have, same) {
		return
	}
	for _, x := range have {
		if err := r.o.Book.RestrictEverybody(ctx, By, nil, x.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
			r.o.Log.Error("ranges that rang many customers briefly could not be opened; it is tried again in an hour", "error", err)
			return
		}
	}
	for _, x := range closed {
		x.ID, x.By, x.Why = 0, By, "these numbers rang many customers briefly, to be called back"
		if err := r.o.Book.RestrictEverybody(ctx, By, &x, 0); err != nil {
			r.o.Log.Error("ranges that rang many customers briefly could not be closed; it is tried again in an hour", "error", err)
			return
		}
	}
}

func (r *React) close(ctx context.Context, a *answer, now time.Time) (err error) {
	closes := make([]restrict.Restriction, 0, len(a.Closes))
	for _, x := range a.Closes {
		if !x.Ended(now) {
			closes = append(closes, x)
		}
	}
	switch {
	case len(closes) == 0:
	case a.Line != "":
		_, err = r.o.Book.EditLine(ctx, By, a.Line, book.LineEdit{Close: closes})
	default:
		_, err = r.o.Book.EditCustomer(ctx, By, a.Account, book.CustomerEdit{Close: closes})
	}
	return err
}

// unusual is how the keys of findings about unusual calls begin.
var unusual = detect.UnusualCalls.String() + "/"

// Vouch records that the calls of a finding were honest, and opens everything that unusual calls have closed to the line: of several findings about one
// event an answer to any will do. key is the finding's.
// line is "" when the finding is about all of the customer's. The stage learns from it, whether or not it runs at the moment.
func Vouch(ctx context.Context, db store.Stages, b *book.Book, actor, line, customer, key string) error {
	said := fact.CallsVouched{By: actor, Key: key}
	row := said.Row(time.Now(), fact.Subject{Line: line, Account: customer})
	if _, err := db.Advance(ctx, store.Step{Stage: Stage, Facts: []store.Fact{row}}); err != nil {
		return err
	}
	if line != "" {
		if _, err := b.EditLine(ctx, actor, line, book.LineEdit{Vouch: unusual}); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	if _, err := b.EditCustomer(ctx, actor, customer, book.CustomerEdit{Vouch: unusual}); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}
