package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/state/store"
)

// View is a notice as people look at it afterwards: with its people as they are called, and no time of a next try where there will be none.
type View struct {
	store.Notice
	Title string
	State string // of all deliveries: "kept" when there was no recipient
}

// Filter selects notices. Limit 0 is 100, at most 1000.
type Filter = store.NoticeFilter

// States of a delivery that pages tell apart.
const (
	Sent    = store.Sent
	Bounced = store.Bounced
	Failed  = store.Failed
)

// List is notices, newest first.
func (n *Notifier) List(ctx context.Context, f Filter) ([]View, error) {
	f.Limit = min(max(f.Limit, 0), 1000)
	all, err := n.o.Store.Notices(ctx, f)
	out := make([]View, len(all))
	for i := range all {
		out[i] = viewOf(all[i])
	}
	return out, err
}

// SentTo is the notices that people of a customer got, newest first, with the deliveries to them alone.
func (n *Notifier) SentTo(ctx context.Context, customer string, f Filter) ([]View, error) {
	f.Account, f.To = customer, "customer/"+customer
	all, err := n.List(ctx, f)
	own := personShown(f.To + "/")
	for i := range all {
		all[i].Deliveries = slices.DeleteFunc(all[i].Deliveries, func(d store.Delivery) bool { return !strings.HasPrefix(d.Person, own) })
		all[i].State = stateOf(all[i].Deliveries)
	}
	return slices.DeleteFunc(all, func(v View) bool { return len(v.Deliveries) == 0 }), err
}

// personShown is a person as people are named: "customer/acme/anna".
func personShown(person string) string {
	if strings.HasPrefix(person, "customer/") {
		return account.HandlePath(person)
	}
	return person
}

func viewOf(x store.Notice) View {
	v := View{Notice: x, Title: draftOf(&x).info.Title, State: stateOf(x.Deliveries)}
	v.Deliveries = slices.Clone(x.Deliveries)
	for i := range v.Deliveries {
		d := &v.Deliveries[i]
		if d.Person = personShown(d.Person); d.State != store.Queued && d.State != store.Sending {
			d.Next = time.Time{}
		}
	}
	return v
}

// stateOf is the state that all deliveries have, or "mixed"; "kept" of none.
func stateOf(all []store.Delivery) string {
	for i := range all {
		if all[i].State != all[0].State {
			return "mixed"
		}
	}
	if len(all) == 0 {
		return string(store.Kept)
	}
	return string(all[0].State)
}

// Shown is a notice with its message as its first person got it, rendered again; links are left out, since they are that
// person's.
type Shown struct {
	View
	Subject, Text, HTML string
}

// Show is one notice; ErrNotFound.
func (n *Notifier) Show(ctx context.Context, id int64) (Shown, error) {
	x, err := n.o.Store.Notice(ctx, id)
	if err != nil {
		return Shown{}, err
	}
	person := ""
	if len(x.Deliveries) > 0 {
		person = x.Deliveries[0].Person
	}
	v := n.look(&x, person, true)
	s := Shown{View: viewOf(x)}
	if s.Text, s.HTML, err = n.words.render(v); err != nil {
		s.Text, s.HTML, err = n.builtin.render(v)
	}
	s.Subject = v.Subject
	return s, err
}

// Resend sends a notice again to one of its people, or ("") to all of them, and says as which notice. What never arrived
// and whose links still work is queued once more; else a new notice repeats the old one with links of its own, for mail
// servers drop what they have seen under the same Message-ID. Addresses are those that hold now. It comes whatever the
// person prefers: a person has asked for it. ErrNotFound: no such notice, or no recipient of that name.
func (n *Notifier) Resend(ctx context.Context, id int64, person, actor string) (as int64, err error) {
	x, err := n.o.Store.Notice(ctx, id)
	if err != nil {
		return 0, err
	}
	now := n.now()
	d := draftOf(&x)
	to := n.again(&x, &d, person)
	if len(to) == 0 {
		return 0, fmt.Errorf("notice %d: %w: nobody to send it to", id, ErrNotFound)
	}
	if len(to) == 1 && d.Until.After(now) {
		i := slices.IndexFunc(x.Deliveries, func(o store.Delivery) bool { return o.Person == to[0].person && o.Channel == to[0].channel.Code })
		if i >= 0 && unsent(x.Deliveries[i].State) && n.o.Channels[to[0].channel.Code] != nil {
			o := x.Deliveries[i]
			o.Address = to[0].address
			err := n.o.Store.Requeue(ctx, o, now, resent(&x, person, actor, now))
			n.wake()
			return id, err
		}
	}
	return n.repeat(ctx, &x, d, to, person, actor, now)
}

func unsent(s store.DeliveryState) bool {
	return s == store.Kept || s == store.Bounced || s == store.Failed || s == store.Queued
}

// again is who gets a notice once more: its people, at their present addresses, and for one without recipients those who
// would get it now.
func (n *Notifier) again(x *store.Notice, d *draft, person string) []recipient {
	var to []recipient
	for i := range x.Deliveries {
		r := n.recipientOf(&x.Deliveries[i])
		if customer, _, _ := customerOf(r.person); r.contact != nil {
			r = contactRecipient(customer, r.contact)
		}
		to = append(to, r)
	}
	if to == nil {
		to = n.recipients(d)
	}
	again := *d
	again.Again = x.ID
	return slices.DeleteFunc(to, func(r recipient) bool {
		wanted := person == "" || person == r.person || person == personShown(r.person)
		return !wanted || n.decide(&r, &again, 0, 0).state() == store.Off
	})
}

// repeat writes a new notice that says the same.
func (n *Notifier) repeat(ctx context.Context, x *store.Notice, d draft, to []recipient, person, actor string, now time.Time) (int64, error) {
	d.key = store.Short("again/" + strconv.FormatInt(x.ID, 10) + "/" + person + "/" + strconv.FormatInt(now.UnixMicro(), 10))
	d.Again = x.ID
	d.begin(now, n.o.LinkLife)
	return n.write(ctx, &d, to, now, resent(x, person, actor, now))
}

// write stores a notice for some recipients by itself.
func (n *Notifier) write(ctx context.Context, d *draft, to []recipient, now time.Time, facts ...store.Fact) (int64, error) {
	count := newTally()
	x := n.noticeTo(d, to, now, count)
	done, err := n.o.Store.Advance(ctx, store.Step{Stage: Stage, Notices: []store.Notice{x}, Facts: facts})
	if err != nil || len(done.Notices) != 1 {
		return 0, err
	}
	n.stats.made(count.kinds)
	n.wake()
	return done.Notices[0].ID, nil
}

func resent(x *store.Notice, person, actor string, now time.Time) store.Fact {
	f := fact.NoticeResent{By: Clean(actor, 80), Notice: x.ID, Person: person}
	return f.Row(now.UTC(), fact.Subject{Line: x.Line, Account: x.Account})
}

// ErrAddress says that a test cannot be sent to an address.
var ErrAddress = errors.New("not an address to send to")

// TestNotice sends a test to a mail address or the URL of a webhook, through the outbox like every other, and gives the
// notice's id: List and Show tell what became of it. ErrAddress.
func (n *Notifier) TestNotice(ctx context.Context, to string) (int64, error) {
	channel, err := account.ChannelOf(to)
	if err != nil {
		return 0, fmt.Errorf("%w: %.80q: %w", ErrAddress, to, err)
	}
	person := "hook/"
	if channel.People {
		person = "desk/"
	}
	now := n.now()
	info, _ := infoOf(Test)
	d := draft{info: info, key: store.Short("test/" + strconv.FormatInt(now.UnixMicro(), 10) + "/" + to), at: now}
	d.begin(now, n.o.LinkLife)
	return n.write(ctx, &d, []recipient{{person: store.Short(person + to), channel: channel, address: to}}, now)
}
