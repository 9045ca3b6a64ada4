// Package desk is what the provider's staff work from: the queue of findings and raise requests by the money at risk, what is known of
// one finding, what each answer to it would do, and one search over everything. It reads what the stages have written, and changes
// nothing but through them. It must not know protocols or SQL.
package desk

import (
	"context"
	"errors"
	"sync"
	"time"

	"ringfence/core/money"
	"ringfence/flow/ban"
	"ringfence/flow/book"
	"ringfence/flow/device"
	"ringfence/flow/exposure"
	"ringfence/flow/gate"
	"ringfence/flow/guard"
	"ringfence/flow/location"
	"ringfence/flow/notify"
	"ringfence/flow/react"
	"ringfence/flow/watch"
	"ringfence/state/store"
)

// Options of New. Store, Records, Book and Exposure are needed; what else is nil is not asked, and not shown.
type Options struct {
	Store interface {
		Findings(ctx context.Context, f store.FindingFilter) ([]store.Finding, error)
		Finding(ctx context.Context, id int64) (store.Finding, error)
		Facts(ctx context.Context, f store.FactFilter) ([]store.Fact, error)
	}
	Records interface {
		CDRs(ctx context.Context, f store.CDRFilter) ([]CDR, error)
		CDR(ctx context.Context, id CallID) (CDR, error)
	}
	Book     *book.Book
	Exposure *exposure.Desk
	Watch    func() *watch.Watch
	Bans     func() *ban.List
	Notices  func() *notify.Notifier
	Tallies  func(ctx context.Context, under string, from time.Time, yield func(store.Tally) error) error
	Guard    *guard.Guard
	Rules    func(ctx context.Context) ([]react.Rule, error)
	Agree    func(actor, rule string) bool
	Devices  *device.Devices
	Calls    func() []gate.InProgress
	Phones   func(line string, now time.Time) []location.Binding
	// Vouch records that the calls of a finding were honest, and opens what it closed. line is "" for all of a customer's.
	Vouch func(ctx context.Context, actor, line, customer, key string) error
}

// Desk answers staff. It is safe for concurrent use.
type Desk struct {
	o Options

	mu    sync.Mutex // owns the figures
	risks map[string]risk
	whole wholeBook
}

// New makes a desk.
func New(o Options) (*Desk, error) {
	if o.Store == nil || o.Records == nil || o.Book == nil || o.Exposure == nil {
		return nil, errors.New("desk: a store, a book and the desk of exposure are needed")
	}
	return &Desk{o: o, risks: map[string]risk{}}, nil
}

// Figures of exposure are dear to work out for a queue of hundreds, and move slowly: one is shown for so long before it is worked out
// again. What staff do at this desk is shown immediately.
const (
	riskFresh = 10 * time.Second
	bookFresh = time.Minute
)

// risk is a figure of a line or customer.
type risk struct {
	at                time.Time
	retail, elsewhere money.Micro
}

type wholeBook struct {
	at     time.Time
	amount money.Micro
}

// Exposure is what thieves could cost tonight with every line of every customer.
func (d *Desk) Exposure(ctx context.Context) (money.Micro, error) {
	d.mu.Lock()
	old := d.whole
	d.mu.Unlock()
	if time.Since(old.at) < bookFresh {
		return old.amount, nil
	}
	t, err := d.o.Exposure.Everybody(ctx, exposure.Tonight)
	if err != nil {
		return 0, err
	}
	d.mu.Lock()
	d.whole = wholeBook{time.Now(), t.Retail}
	d.mu.Unlock()
	return t.Retail, nil
}

// changed forgets the figures of a line and its customer.
func (d *Desk) changed(line, customer string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.risks, "line/"+line)
	delete(d.risks, "account/"+customer)
	d.whole.at = time.Time{}
}

// risksOf are the figures of subjects, "line/ID" or "account/ID". Those that are old are worked out in one go.
func (d *Desk) risksOf(ctx context.Context, subjects []Subject) (map[string]risk, error) {
	now := time.Now()
	out := map[string]risk{}
	var ask []Subject
	d.mu.Lock()
	for _, s := range subjects {
		if r, ok := d.risks[s.key()]; ok && now.Sub(r.at) < riskFresh {
			out[s.key()] = r
		} else if _, asked := out[s.key()]; !asked {
			out[s.key()] = risk{}
			ask = append(ask, s)
		}
	}
	d.mu.Unlock()
	if len(ask) == 0 {
		return out, nil
	}
	accounts := make([][]*book.Line, len(ask))
	for i, s := range ask {
		if s.Line == "" {
			accounts[i] = d.o.Book.Lines(s.Customer, "", maxLines)
		} else if l, ok := d.o.Book.Line(s.Line); ok {
			accounts[i] = []*book.Line{l}
		}
	}
	figures, err := d.o.Exposure.Each(ctx, exposure.Tonight, accounts)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.risks) > maxRisks {
		clear(d.risks)
	}
	for i, s := range ask {
		r := risk{now, figures[i].Retail, figures[i].Elsewhere}
		d.risks[s.key()], out[s.key()] = r, r
	}
	return out, nil
}

const (
	maxLines = 10_000
	maxRisks = 20_000
)

// Subject is a line, or all of a customer's where Line is "".
type Subject struct{ Line, Customer string }

func (s Subject) key() string {
	if s.Line != "" {
		return "line/" + s.Line
	}
	return "account/" + s.Customer
}
