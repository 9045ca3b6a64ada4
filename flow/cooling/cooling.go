// Package cooling holds back what a customer's own people loosen, as long as its owner chose: it stops a thief who has the login of the
// pages. What tightens is made at once. It decides nothing about settings: the book and core/account say what loosens.
package cooling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/person"
	"ringfence/flow/book"
	"ringfence/flow/people"
	"ringfence/state/store"
)

// Options of New.
type Options struct {
	Store  store.Waitings
	Book   *book.Book
	People *people.People // nil: there are none, and nothing of theirs waits
	Every  time.Duration  // how often what is due is looked for; 0 is 5 s
	Log    *slog.Logger
}

// Cooling is safe for concurrent use, and on several nodes.
type Cooling struct{ o Options }

// New makes it.
func New(o Options) *Cooling {
	if o.Every == 0 {
		o.Every = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Cooling{o}
}

// Change is one that waits.
type Change struct {
	Code     string
	Customer string // identity
	Line     string // identity; "" is of the customer
	By, Text string
	Made     time.Time
	Due      time.Time
	Hurried  string
	Note     string // that the owner left for this moment
}

// Errors that callers tell apart.
var (
	ErrNotFound = store.ErrNotFound
	ErrSame     = errors.New("a second member of staff is needed: this one asked already")
)

// edit is a change as it is stored: fields by their names, so that a later version reads it.
type edit struct {
	Set     []set            `json:"set,omitempty"`
	Nets    *[]netip.Prefix  `json:"nets,omitempty"`
	Lift    int64            `json:"lift,omitempty"`
	Forward []book.Forward   `json:"forward,omitempty"`
	Prove   *account.Proven  `json:"prove,omitempty"`
	Cooling *account.Cooling `json:"cooling,omitempty"`
	Passkey *passkey         `json:"passkey,omitempty"`
	Person  *someone         `json:"person,omitempty"`
	Contact *contact         `json:"contact,omitempty"`
	Author  string           `json:"author,omitempty"` // identity of the person who asked
}

type set struct {
	Field   string `json:"field"`
	N       int64  `json:"n,omitempty"`
	Inherit bool   `json:"inherit,omitempty"`
}

// Line changes a line for somebody. What loosens, of a customer's own people, waits; the rest is made now.
func (c *Cooling) Line(ctx context.Context, who *person.Who, id string, e book.LineEdit) (*book.Line, error) {
	l, ok := c.o.Book.Line(id)
	if !ok {
		return nil, ErrNotFound
	}
	cool := c.of(who, l.Customer())
	if cool.Wait == 0 {
		return c.o.Book.EditLine(ctx, who.Actor, id, e)
	}
	e.Careful = true
	made, err := c.o.Book.EditLine(ctx, who.Actor, id, e)
	if loose := (*book.Loosening)(nil); !errors.As(err, &loose) {
		return made, err
	}
	// Each part by itself: what tightens is made, and what loosens waits together.
	rest, held, texts := e, edit{}, []string(nil)
	rest.Set, rest.Nets, rest.Lift, rest.Forward = nil, nil, 0, nil
	if made, err = c.o.Book.EditLine(ctx, who.Actor, id, rest); err != nil {
		return nil, err
	}
	err = parts(part{set: e.Set, nets: e.Nets, lift: e.Lift, forward: e.Forward}, &held, &texts, func(p part) error {
		_, err := c.o.Book.EditLine(ctx, who.Actor, id, book.LineEdit{Set: p.set, Nets: p.nets, Lift: p.lift, Forward: p.forward, Careful: true})
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(texts) > 0 {
		err = c.hold(ctx, who, l.Customer(), id, &held, "line "+l.Handle()+": "+strings.Join(texts, ", "), cool)
	}
	if now, ok := c.o.Book.Line(id); ok {
		made = now
	}
	return made, err
}

// Customer is Line for a customer.
func (c *Cooling) Customer(ctx context.Context, who *person.Who, id string, e book.CustomerEdit) (book.CustomerView, error) {
	cool := c.of(who, id)
	if cool.Wait == 0 {
		return c.o.Book.EditCustomer(ctx, who.Actor, id, e)
	}
	e.Careful = true
	made, err := c.o.Book.EditCustomer(ctx, who.Actor, id, e)
	if loose := (*book.Loosening)(nil); !errors.As(err, &loose) {
		return made, err
	}
	rest, held, texts := e, edit{}, []string(nil)
	rest.Set, rest.Nets, rest.Lift, rest.Prove = nil, nil, 0, nil
	if _, err = c.o.Book.EditCustomer(ctx, who.Actor, id, rest); err != nil {
		return made, err
	}
	err = parts(part{set: e.Set, nets: e.Nets, lift: e.Lift, prove: e.Prove}, &held, &texts, func(p part) error {
		_, err := c.o.Book.EditCustomer(ctx, who.Actor, id, book.CustomerEdit{Set: p.set, Nets: p.nets, Lift: p.lift, Prove: p.prove, Careful: true})
		return err
	})
	if err == nil && len(texts) > 0 {
		err = c.hold(ctx, who, id, "", &held, strings.Join(texts, ", "), cool)
	}
	made, _ = c.o.Book.Customer(id)
	return made, err
}

// SetWait changes how long a customer's people wait, and the note. A longer wait counts at once, and can be undone for a day; a shorter
// one waits, of staff too: see Hurry.
func (c *Cooling) SetWait(ctx context.Context, who *person.Who, id string, wait time.Duration, note string) (book.CustomerView, error) {
	v, ok := c.o.Book.Customer(id)
	if !ok {
		return v, ErrNotFound
	}
	if wait != 0 && (wait < account.LeastWait || wait > account.MostWait) {
		return v, &book.Invalid{Field: "wait", Found: wait.String(), Want: "an hour to 30 days, or 0: nothing waits"}
	}
	if len(note) > 500 {
		return v, &book.Invalid{Field: "note", Found: note[:40], Want: "at most 500 bytes"}
	}
	next, held := v.Cooling.Set(wait, note, stamp())
	if wait < v.Cooling.Wait && !Undoes(who, v.Cooling) {
		held = true
	}
	if !held {
		return c.o.Book.EditCustomer(ctx, who.Actor, id, book.CustomerEdit{Cooling: &next})
	}
	next.Was, next.Since = 0, time.Time{}
	text := fmt.Sprintf("the wait for changes like this from %s to %s", v.Cooling.Wait, wait)
	if wait == v.Cooling.Wait {
		text = "the note for changes like this"
	}
	return v, c.hold(ctx, who, id, "", &edit{Cooling: &next}, text, v.Cooling)
}

// Undoes says that somebody may undo a longer wait of the last day: one of a customer's people who has shown a factor since it was set, by hand. A session that was
// stolen before, and a token, cannot.
func Undoes(who *person.Who, c account.Cooling) bool {
	return who.Customer == "" || who.Scopes == nil && who.Proved.After(c.Since)
}

// Held says that a customer's own people wait for what they loosen.
func (c *Cooling) Held(who *person.Who, customer string) bool { return c.of(who, customer).Wait > 0 }

// of is how long somebody waits: staff do not, for they grant.
func (c *Cooling) of(who *person.Who, customer string) account.Cooling {
	v, ok := c.o.Book.Customer(customer)
	if !ok || who.Customer == "" {
		return account.Cooling{}
	}
	return v.Cooling
}

type part struct {
	set     []book.Setting
	nets    *[]netip.Prefix
	lift    int64
	forward []book.Forward
	prove   *account.Proven
}

// parts tries each part of an edit, and gathers those that loosen.
func parts(all part, held *edit, texts *[]string, try func(part) error) error {
	var each []part
	for _, f := range all.forward {
		each = append(each, part{forward: []book.Forward{f}})
	}
	for _, s := range all.set {
		each = append(each, part{set: []book.Setting{s}})
	}
	if all.nets != nil {
		each = append(each, part{nets: all.nets})
	}
	if all.lift != 0 {
		each = append(each, part{lift: all.lift})
	}
	if all.prove != nil {
		each = append(each, part{prove: all.prove})
	}
	for _, p := range each {
		err := try(p)
		loose := (*book.Loosening)(nil)
		if !errors.As(err, &loose) {
			if err != nil {
				return err
			}
			continue
		}
		*texts = append(*texts, loose.Texts...)
		for _, s := range p.set {
			held.Set = append(held.Set, set{s.Field.String(), s.N, s.Inherit})
		}
		if p.nets != nil {
			held.Nets = p.nets
		}
		held.Lift = max(held.Lift, p.lift)
		if p.prove != nil {
			held.Prove = p.prove
		}
		held.Forward = append(held.Forward, p.forward...)
	}
	return nil
}

// maxHeld bounds what waits of one customer.
const maxHeld = 100

func (c *Cooling) hold(ctx context.Context, who *person.Who, customer, line string, e *edit, text string, cool account.Cooling) error {
	e.Author = who.Person
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	all, err := c.o.Store.Waitings(ctx, customer)
	if err != nil {
		return err
	}
	if len(all) >= maxHeld {
		return &book.Invalid{Field: "set", Found: text, Want: "fewer changes that wait: call some of them off"}
	}
	now := stamp()
	code := strings.TrimPrefix(book.Identify(""), account.Mark)
	w := store.Waiting{Code: code, Customer: customer, Line: line, By: who.Actor, Text: text, Body: body, Made: now, Due: now.Add(cool.Wait)}
	f := fact.ChangeWaiting{By: w.By, Change: w.Code, Text: text, Until: w.Due, Note: cool.Note}
	return c.o.Store.PutWaiting(ctx, w, f.Row(now, fact.Subject{Line: line, Account: customer}))
}

// List is what waits of a customer, by when it is due; "" is of all.
func (c *Cooling) List(ctx context.Context, customer string) ([]Change, error) {
	all, err := c.o.Store.Waitings(ctx, customer)
	out := make([]Change, len(all))
	for i, w := range all {
		out[i] = Change{Code: w.Code, Customer: w.Customer, Line: w.Line, By: w.By, Text: w.Text, Made: w.Made, Due: w.Due, Hurried: w.Hurried}
		if v, ok := c.o.Book.Customer(w.Customer); ok {
			out[i].Note = v.Cooling.Note
		}
	}
	return out, err
}

// One is a change that waits, by its code.
func (c *Cooling) One(ctx context.Context, code string) (Change, error) {
	all, err := c.List(ctx, "")
	if err != nil {
		return Change{}, err
	}
	for _, x := range all {
		if x.Code == code {
			return x, nil
		}
	}
	return Change{}, ErrNotFound
}

// Stop calls a change off. Any of the customer's people may: it only keeps what is.
func (c *Cooling) Stop(ctx context.Context, actor, code, why string) (Change, error) {
	x, err := c.One(ctx, code)
	if err != nil {
		return x, err
	}
	f := fact.ChangeStopped{By: actor, Change: code, Text: x.Text, Why: why}
	return x, c.o.Store.DropWaiting(ctx, code, f.Row(time.Now(), fact.Subject{Line: x.Line, Account: x.Customer}))
}

// StopForwards calls off every change of a line that would forward its calls, with all that waits with it, and says how many there were.
func (c *Cooling) StopForwards(ctx context.Context, actor, line, why string) (n int, err error) {
	l, ok := c.o.Book.Line(line)
	if !ok {
		return 0, ErrNotFound
	}
	all, err := c.o.Store.Waitings(ctx, l.Customer())
	if err != nil {
		return 0, err
	}
	for _, w := range all {
		e, bad := read(w.Body)
		if w.Line != line || bad != nil || len(e.forward) == 0 {
			continue
		}
		_, err := c.Stop(ctx, actor, w.Code, why)
		if errors.Is(err, ErrNotFound) { // made or called off meanwhile
			continue
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// Hurry lets a change happen early: two members of staff, each after a check of identity and with a reason. The first waits for another.
func (c *Cooling) Hurry(ctx context.Context, who *person.Who, code, why string) (made bool, err error) {
	if strings.TrimSpace(why) == "" {
		return false, &book.Invalid{Field: "why", Want: "how it was checked who asks"}
	}
	x, err := c.One(ctx, code)
	if err != nil {
		return false, err
	}
	row := func(by string) store.Fact {
		f := fact.ChangeHurried{By: by, Change: code, Text: x.Text, Why: why}
		return f.Row(time.Now(), fact.Subject{Line: x.Line, Account: x.Customer})
	}
	if x.Hurried == "" {
		return false, c.o.Store.HurryWaiting(ctx, code, base(who.Actor), row(who.Actor))
	}
	if x.Hurried == base(who.Actor) {
		return false, ErrSame
	}
	all, err := c.o.Store.Waitings(ctx, x.Customer)
	if err != nil {
		return false, err
	}
	for i := range all {
		if all[i].Code == code {
			return true, c.make(ctx, &all[i], row(x.Hurried+" and "+who.Actor))
		}
	}
	return false, ErrNotFound
}

// base is a person without the token that they used: one person is not two.
func base(actor string) string {
	name, _, _ := strings.Cut(actor, " (token ")
	return name
}

// Run makes what is due until ctx ends.
func (c *Cooling) Run(ctx context.Context) {
	for tick := time.NewTicker(c.o.Every); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
			if err := c.Due(ctx, time.Now()); err != nil && ctx.Err() == nil {
				c.o.Log.Warn("changes that wait were not looked at", "error", err)
			}
		}
	}
}

// Due makes every change whose time has come, each once whatever node does it.
func (c *Cooling) Due(ctx context.Context, now time.Time) error {
	all, err := c.o.Store.Waitings(ctx, "")
	if err != nil {
		return err
	}
	for i := range all {
		if now.Before(all[i].Due) {
			break
		}
		if err := c.make(ctx, &all[i]); err != nil {
			return err
		}
	}
	return nil
}

// make makes a change. One that cannot be made any more is taken away, and the journal says why.
func (c *Cooling) make(ctx context.Context, w *store.Waiting, facts ...store.Fact) error {
	subject := fact.Subject{Line: w.Line, Account: w.Customer}
	said := fact.ChangeMade{By: w.By, Change: w.Code, Text: w.Text}
	waited := book.Waited{Code: w.Code, Facts: append(facts, said.Row(time.Now(), subject))}
	e, err := read(w.Body)
	if err == nil {
		err = c.stillMay(ctx, w, &e)
	}
	switch {
	case err != nil:
	case e.passkey != nil || e.person != nil:
		err = c.makePeople(ctx, w, &e, waited.Facts)
	case e.contact != nil:
		err = c.makeContact(ctx, w, e.contact, waited.Facts)
	case w.Line != "":
		_, err = c.o.Book.EditLine(ctx, w.By, w.Line, book.LineEdit{Set: e.set, Nets: e.nets, Lift: e.lift, Forward: e.forward, Waited: waited})
	default:
		_, err = c.o.Book.EditCustomer(ctx, w.By, w.Customer, book.CustomerEdit{Set: e.set, Nets: e.nets, Lift: e.lift, Prove: e.prove, Cooling: e.cooling, Waited: waited})
	}
	invalid, looser := (*book.Invalid)(nil), (*book.Looser)(nil)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNotFound), errors.Is(err, errAuthor), errors.Is(err, people.ErrLast), errors.As(err, &invalid), errors.As(err, &looser):
		f := fact.ChangeFailed{By: w.By, Change: w.Code, Text: w.Text, Why: err.Error()}
		err = c.o.Store.DropWaiting(ctx, w.Code, append(facts, f.Row(time.Now(), subject))...)
		if errors.Is(err, ErrNotFound) { // another node made it, or somebody called it off
			return nil
		}
	}
	return err
}

// errAuthor says that the person who asked may not any more.
var errAuthor = errors.New("the person who asked for it may not do this any more")

// stillMay looks whether the person who asked for a change is still there, of the customer or its reseller, with a role that may. Who was removed, because the owner
// saw what they were at, must not get their way later, nor those of a reseller whose customer it is no more.
func (c *Cooling) stillMay(ctx context.Context, w *store.Waiting, e *change) error {
	if c.o.People == nil || e.author == "" {
		return nil
	}
	p, err := c.o.People.Person(ctx, e.author)
	if errors.Is(err, ErrNotFound) {
		return errAuthor
	}
	if err != nil || e.passkey != nil && e.passkey.Person == e.author { // one's own
		return err
	}
	if p.Customer != w.Customer && p.Customer != c.o.Book.ResellerOf(w.Customer) {
		return errAuthor
	}
	operation := "change-customer"
	switch {
	case e.cooling != nil:
		operation = "set-cooling-off"
	case e.passkey != nil:
		operation = "delete-person-passkey"
	case e.prove != nil:
		operation = "add-number"
	case e.person != nil:
		operation = "change-person"
	case e.contact != nil:
		operation = "change-contact"
	case w.Line != "":
		operation = "change-line"
	}
	if ok, _ := (&person.Who{Role: p.Role}).May(operation); !ok {
		return errAuthor
	}
	return nil
}

type change struct {
	part
	cooling *account.Cooling
	passkey *passkey
	person  *someone
	contact *contact
	author  string
}

func read(body []byte) (out change, err error) {
	var e edit
	if err := json.Unmarshal(body, &e); err != nil {
		return out, &book.Invalid{Field: "body", Want: "a change that this version reads"}
	}
	for _, s := range e.Set {
		f, err := account.ParseField(s.Field)
		if err != nil {
			return out, &book.Invalid{Field: s.Field, Want: "a setting"}
		}
		out.set = append(out.set, book.Setting{Field: f, N: s.N, Inherit: s.Inherit})
	}
	out.forward, out.prove, out.contact = e.Forward, e.Prove, e.Contact
	out.nets, out.lift, out.cooling, out.passkey, out.person, out.author = e.Nets, e.Lift, e.Cooling, e.Passkey, e.Person, e.Author
	return out, nil
}

// stamp is the present as the store keeps it.
func stamp() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
