package desk

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/detect"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/restrict"
	"ringfence/flow/ban"
	"ringfence/flow/book"
	"ringfence/flow/gate"
	"ringfence/state/store"
)

// Known is a finding with all that is known around it.
type Known struct {
	Entry
	Kind      detect.Kind
	Line      *book.Line        // nil: it is about none, or the line is gone
	Customer  book.CustomerView // with an ID of "" where there is none
	Contacts  []account.Contact
	Addr      netip.Addr   // where it came from; invalid: nobody knows, or a network
	Net       netip.Prefix // the same as a network
	Number    phone.Number // that was called; the zero one is none
	Country   string       // of the number, or of the address
	Signs     []Sign
	Acted     []restrict.Restriction // what the finding has closed and still does
	Banned    ban.Answer
	Devices   []Device
	Spent     money.Micro // by calls since an hour before the finding, ended ones and those in progress
	SpentMore bool        // there were more calls than were looked at
	Calls     []CDR       // of the line, the newest first
	Running   []gate.InProgress
	Story     []Event   // the newest last
	Alike     []Finding // other open ones from the same network
	Before    []Finding // earlier ones of the customer
	Callers   []CDR     // calls of other customers to the number
}

// Device is a phone as a line's login was used.
type Device = store.Device

// Sign is one fact that speaks for a finding or against it. No rate of honest and stolen lines is kept for a sign yet, so that none can say
// how much likelier it makes a theft.
type Sign struct {
	Code    string // for words: "odd-hour", "hosting"
	Value   string // what it is about, as it was seen
	N       int64
	Against bool
}

// Event is a fact near a finding, with what it says of itself; "" is nothing.
type Event struct {
	At                           time.Time
	Kind, By                     string
	Text                         string
	Addr, Number, Agent, Country string
	Reason, To                   string    // of a refusal: its code, and what the price deck calls the destination
	More                         int       // refusals like it that are left out after it
	Until                        time.Time // the last of them
}

// A finding shows so much of each thing.
const (
	maxCalls  = 50
	maxStory  = 40
	maxFacts  = 400 // of a line, of which the story is made
	maxBefore = 10
	maxAlike  = 10
	lead      = time.Hour        // before a finding, in which the calls are its own
	around    = 30 * time.Minute // before and after it, of which the story is
)

// Finding reads one finding.
func (d *Desk) Finding(ctx context.Context, id int64) (*Known, error) {
	f, err := d.o.Store.Finding(ctx, id)
	if err != nil {
		return nil, err
	}
	c := &Known{Entry: Entry{Finding: f, Subject: Subject{f.Line, f.Account}}}
	c.Kind, _ = detect.ParseKind(f.Kind)
	c.Entry.Subject = Subject{f.Line, f.Account}
	if l, ok := d.o.Book.Line(f.Line); ok {
		c.Line = l
	}
	if v, ok := d.o.Book.Customer(f.Account); ok {
		c.Customer, c.Contacts = v, v.Contacts
	}
	c.Net = causeOf(&f)
	if a, err := netip.ParseAddr(f.Source); err == nil {
		c.Addr = a.Unmap()
	}
	d.read(c)
	for _, part := range []func(context.Context, *Known) error{d.risk, d.calls, d.story, d.related} {
		if err := part(ctx, c); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// proof are the parts of the evidence that the desk knows; kinds have some of them.
type proof struct {
	Agent         string    `json:"agent"`
	Country       string    `json:"country"`
	Network       string    `json:"network"`
	Hosting       bool      `json:"hosting"`
	New           string    `json:"new"`
	Failures      int64     `json:"failures"`
	AfterLock     bool      `json:"after_lock"`
	Address       string    `json:"address"`
	Number        string    `json:"number"`
	CalledCountry string    `json:"called_country"`
	Novelty       string    `json:"novelty"`
	Signs         []string  `json:"signs"`
	Unusual       int64     `json:"unusual_micro"`
	Sources       int64     `json:"sources"`
	Lines         int64     `json:"lines"`
	Known         int64     `json:"known"`
	Usual         bool      `json:"usual_place"`
	Typist        bool      `json:"typist"`
	Guesses       string    `json:"guesses"`
	Right         bool      `json:"right_password"`
	KM            int64     `json:"km_at_least"`
	Until         time.Time `json:"until"`
	Elsewhere     struct {
		Country string `json:"country"`
	} `json:"elsewhere"`
}

// read takes the signs from the evidence, and what is in force from the book.
func (d *Desk) read(c *Known) {
	var p proof
	_ = json.Unmarshal(c.Finding.Evidence, &p) // what is not there says nothing
	if !c.Addr.IsValid() {
		if a, err := netip.ParseAddr(p.Address); err == nil {
			c.Addr, c.Net = a.Unmap(), detect.Net(a.Unmap())
		}
	}
	if p.Number != "" {
		c.Number = d.number(p.Number)
	}
	c.Country = cmp.Or(p.CalledCountry, p.Country)
	c.Signs = p.signs()
	now := time.Now()
	add := func(list []restrict.Restriction) {
		for i := range list {
			if r := &list[i]; r.Finding != "" && !r.Ended(now) && sameEvent(r.Finding, c.Finding.Key) {
				c.Acted = append(c.Acted, *r)
			}
		}
	}
	if c.Line != nil {
		add(c.Line.Settings().Restrictions)
		if d.o.Devices != nil {
			c.Devices = d.o.Devices.Of(c.Line.ID())
		}
	}
	add(c.Customer.Settings.Restrictions)
	if bans := d.bans(); bans != nil && c.Addr.IsValid() {
		c.Banned = bans.Why(c.Addr)
	}
}

// sameEvent says that a restriction and a finding are of one event: of several findings about one line's unusual calls an answer to any opens
// what all have closed.
func sameEvent(a, b string) bool {
	unusual := detect.UnusualCalls.String() + "/"
	return a == b || strings.HasPrefix(a, unusual) && strings.HasPrefix(b, unusual)
}

// signs are what the evidence says, in the order of their weight as people see it.
func (p *proof) signs() (all []Sign) {
	add := func(is bool, s Sign) {
		if is {
			all = append(all, s)
		}
	}
	add(p.Right, Sign{Code: "right"})
	add(p.Novelty != "", Sign{Code: "novelty-" + p.Novelty, Value: p.CalledCountry})
	for _, s := range p.Signs {
		all = append(all, Sign{Code: s})
	}
	add(p.AfterLock, Sign{Code: "after-lock"})
	add(p.Hosting, Sign{Code: "hosting", Value: p.Network})
	add(!p.Hosting && p.Network != "", Sign{Code: "network", Value: p.Network})
	add(p.New == "address" || p.New == "both", Sign{Code: "new-place"})
	add(p.New == "agent" || p.New == "both", Sign{Code: "new-phone", Value: p.Agent})
	add(p.KM > 0, Sign{Code: "far", N: p.KM})
	add(p.Lines > 0, Sign{Code: "lines", N: p.Lines})
	add(p.Known > 0, Sign{Code: "known", N: p.Known})
	add(p.Sources > 0, Sign{Code: "sources", N: p.Sources})
	add(p.Failures > 0, Sign{Code: "failures", N: p.Failures})
	add(p.Guesses != "", Sign{Code: "guesses", Value: p.Guesses})
	add(p.Usual, Sign{Code: "usual", Against: true})
	add(p.Typist, Sign{Code: "typist", Against: true})
	add(p.New != "" && p.Failures == 0, Sign{Code: "first-try", Against: true})
	return all
}

func (d *Desk) bans() *ban.List {
	if d.o.Bans == nil {
		return nil
	}
	return d.o.Bans()
}

func (d *Desk) risk(ctx context.Context, c *Known) error {
	if atRisk(c.Finding.Kind) == nothing || c.Finding.Line == "" && c.Finding.Account == "" {
		return nil
	}
	all, err := d.risksOf(ctx, []Subject{c.Subject})
	if err != nil {
		return err
	}
	if c.Risk = all[c.key()].retail; atRisk(c.Finding.Kind) == fromElsewhere {
		c.Risk = all[c.key()].elsewhere
	}
	return nil
}

// calls are those of the line, or of all the customer's lines.
func (d *Desk) calls(ctx context.Context, c *Known) (err error) {
	if c.Finding.Line == "" && c.Finding.Account == "" {
		return nil
	}
	f := store.CDRFilter{Line: c.Finding.Line, Limit: maxCalls}
	if f.Line == "" {
		f.Account = c.Finding.Account
	}
	if c.Calls, err = d.o.Records.CDRs(ctx, f); err != nil {
		return err
	}
	since := c.Finding.At.Add(-lead)
	c.SpentMore = len(c.Calls) == maxCalls
	for i := range c.Calls {
		if c.Calls[i].Begun.Before(since) {
			c.SpentMore = false
			break
		}
		c.Spent = c.Spent.Add(c.Calls[i].Retail)
	}
	c.Running = d.running(c.Subject)
	for i := range c.Running {
		if r := &c.Running[i]; !r.AnsweredAt.IsZero() {
			c.Spent = c.Spent.Add(r.Quote.Cost(time.Since(r.AnsweredAt)))
		}
	}
	return nil
}

// running are the calls in progress of a line, or of all a customer's.
func (d *Desk) running(s Subject) (all []gate.InProgress) {
	if d.o.Calls == nil {
		return nil
	}
	for _, x := range d.o.Calls() {
		if s.Line != "" && x.Line == s.Line || s.Line == "" && s.Customer != "" && x.Account == s.Customer {
			all = append(all, x)
		}
	}
	return all
}

// story is what the journal has of the line near the finding.
func (d *Desk) story(ctx context.Context, c *Known) error {
	if c.Finding.Line == "" {
		return nil
	}
	facts, err := d.o.Store.Facts(ctx, store.FactFilter{Line: c.Finding.Line, Before: math.MaxInt64, Limit: maxFacts})
	if err != nil {
		return err
	}
	from, until := c.Finding.At.Add(-around), c.Finding.Last.Add(around)
	slices.Reverse(facts)
	for i := range facts {
		if f := &facts[i]; told[f.Kind] && !f.At.Before(from) && !f.At.After(until) {
			c.Story = foldIn(c.Story, eventOf(f))
		}
	}
	c.Story = c.Story[max(len(c.Story)-maxStory, 0):]
	return nil
}

// related are findings and calls that have the network, the customer or the number in common.
func (d *Desk) related(ctx context.Context, c *Known) error {
	if c.Net.IsValid() {
		open, err := d.o.Store.Findings(ctx, store.FindingFilter{Open: true, Limit: maxQueue})
		if err != nil {
			return err
		}
		for i := range open {
			if f := &open[i]; f.ID != c.Finding.ID && causeOf(f) == c.Net && len(c.Alike) < maxAlike {
				c.Alike = append(c.Alike, *f)
			}
		}
	}
	if c.Finding.Account != "" {
		all, err := d.o.Store.Findings(ctx, store.FindingFilter{Account: c.Finding.Account, Limit: maxBefore + 1})
		if err != nil {
			return err
		}
		alike := func(f Finding) bool {
			return slices.ContainsFunc(c.Alike, func(x Finding) bool { return x.ID == f.ID })
		}
		c.Before = slices.DeleteFunc(all, func(f Finding) bool { return f.ID == c.Finding.ID || alike(f) })
	}
	if c.Number.IsZero() {
		return nil
	}
	all, err := d.o.Records.CDRs(ctx, store.CDRFilter{Number: c.Number.String(), Exact: true, Limit: maxCalls})
	for i := range all {
		if x := &all[i]; x.Account != c.Finding.Account && len(c.Callers) < maxAlike {
			c.Callers = append(c.Callers, *x)
		}
	}
	return err
}
