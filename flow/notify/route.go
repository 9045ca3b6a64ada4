package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/state/store"
)

// notice decides who gets a draft, over which channel and when.
func (n *Notifier) notice(d *draft, now time.Time, out *tally) store.Notice {
	d.begin(now, n.o.LinkLife)
	return n.noticeTo(d, n.recipients(d), now, out)
}

// noticeTo is a draft as it is stored for some recipients.
func (n *Notifier) noticeTo(d *draft, all []recipient, now time.Time, out *tally) store.Notice {
	x := store.Notice{Key: d.key, Kind: string(d.info.Kind), Line: d.line, Account: d.account, At: d.at, Data: d.json()}
	for i := range all {
		x.Deliveries = append(x.Deliveries, n.delivery(d, &all[i], now, out))
		x.Links = append(x.Links, n.linksTo(d, all[i].person)...)
	}
	return x
}

// recipient is whom a notice is for: a customer's contact, the person whom it is about, the desk, or a webhook of the provider.
type recipient struct {
	person  string
	channel account.Channel
	address string
	contact *account.Contact // as it is now
	gone    bool             // it was a contact
}

// recipientOf is whom a stored delivery is for.
func (n *Notifier) recipientOf(d *store.Delivery) recipient {
	customer, id, contact := customerOf(d.Person)
	r := recipient{person: d.Person, channel: account.ChannelCalled(d.Channel), address: d.Address, contact: n.contact(customer, id)}
	r.gone = contact && r.contact == nil
	return r
}

func contactRecipient(customer string, c *account.Contact) recipient {
	return recipient{person: "customer/" + customer + "/" + c.ID, channel: account.ChannelCalled(c.Channel), address: c.Address, contact: c}
}

// at says that the recipient is reached at an address.
func (r *recipient) at(channel, address string) bool {
	return r.channel.Code == channel && r.channel.Same(r.address, address)
}

// ownHook says that a recipient is at one of the provider's webhooks.
func (n *Notifier) ownHook(r *recipient) bool {
	return slices.ContainsFunc(n.o.Hooks, func(url string) bool { return r.at(account.Webhook, url) })
}

// recipients of a draft, each address once (those that want nothing come besides): the customer's contacts, the desk,
// webhooks. Who is both a contact and the desk gets the desk's notice, whatever the contact prefers: a customer must not be
// able to silence the desk.
func (n *Notifier) recipients(d *draft) []recipient {
	var all []recipient
	add := func(r recipient) {
		if !slices.ContainsFunc(all, func(o recipient) bool {
			return o.at(r.channel.Code, r.address) && n.decide(&o, d, 0, 0).state() != store.Off
		}) {
			all = append(all, r)
		}
	}
	if d.info.Owner {
		for _, r := range n.contacts(d) {
			add(r)
		}
	}
	for _, r := range []recipient{d.self, d.former} {
		if r.address != "" {
			add(r)
		}
	}
	if d.info.Desk {
		for _, address := range n.o.Desk {
			add(recipient{person: store.Short("desk/" + address), channel: account.ChannelCalled(account.Mail), address: address})
		}
	}
	for _, url := range n.o.Hooks {
		add(recipient{person: store.Short("hook/" + url), channel: account.ChannelCalled(account.Webhook), address: url})
	}
	return all
}

// contacts are the customer's people for a draft, without those whose address the desk's notice goes to.
func (n *Notifier) contacts(d *draft) []recipient {
	c, ok := n.o.Book.Customer(d.account)
	if !ok {
		return nil
	}
	var all []recipient
	for i := range c.Contacts {
		r := contactRecipient(c.ID, &c.Contacts[i])
		desk := d.info.Desk && slices.ContainsFunc(n.o.Desk, func(a string) bool { return r.at(account.Mail, a) })
		if r.contact.About(d.line) && !desk && (d.added == "" || !r.at(account.Mail, d.added)) {
			all = append(all, r)
		}
	}
	if billed(d.info.Kind) {
		return forBills(all)
	}
	return all
}

// delivery of a draft to one recipient.
func (n *Notifier) delivery(d *draft, to *recipient, now time.Time, out *tally) store.Delivery {
	of := purse{to.person, d.info.noise}
	why := n.decide(to, d, n.storm.count(of, now)+out.mails[of], 0)
	if why == Goes && to.channel.People && !d.asked() {
		out.mails[of]++
	}
	x := store.Delivery{
		Person: to.person, Channel: to.channel.Code, Address: to.address, State: why.state(), Error: why.text(), Next: now,
		Ref: n.messageID(d.key, to.person, to.channel.Code),
	}
	if d.info.Kind == NewDevice && !d.asked() {
		x.Next = now.Add(together)
	}
	out.kinds = append(out.kinds, made{d.info.Kind, x.State})
	return x
}

// messageID follows from what is sent to whom, so that it is the same on every node and at every try.
func (n *Notifier) messageID(key, person, channel string) string {
	sum := sha256.Sum256([]byte(key + "\x00" + person + "\x00" + channel))
	return hex.EncodeToString(sum[:16]) + "@" + n.o.From
}

// tally is what a step that is not yet written would count.
type tally struct {
	mails map[purse]int // to be sent immediately
	kinds []made
}

type made struct {
	kind  Kind
	state store.DeliveryState
}

func newTally() *tally { return &tally{mails: map[purse]int{}} }
