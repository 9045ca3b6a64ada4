package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/state/store"
)

// notice decides who gets a draft, over which channel and when.
func (n *Notifier) notice(d *draft, now time.Time, out *tally) store.Notice {
	d.begin(now, n.o.LinkLife)
	x := store.Notice{Key: d.key, Kind: string(d.info.Kind), Line: d.line, Account: d.account, At: d.at, Data: d.json()}
	for _, to := range n.recipients(d) {
		x.Deliveries = append(x.Deliveries, n.delivery(d, to, now, out))
		x.Links = append(x.Links, n.linksTo(d, to.person)...)
	}
	return x
}

// recipient is somebody whom a notice is for.
type recipient struct {
	person, name, channel, address string
	wish                           account.Wish
}

// at says that the recipient is reached at an address. Mail addresses are the same in any case; URLs are not.
func (r *recipient) at(channel, address string) bool {
	return r.channel == channel && (r.address == address || channel == Mail && strings.EqualFold(r.address, address))
}

// notTheirs is why a contact with one of the provider's own webhooks gets nothing there: requests to those may go where
// customers may not send any.
const notTheirs = "this webhook is the provider's own, and no customer's"

// ownHook says that a URL is one of the provider's webhooks, whatever kinds it wants.
func (n *Notifier) ownHook(url string) bool {
	return slices.ContainsFunc(n.o.Hooks, func(h Hook) bool { return h.URL == url })
}

// isDesk says that the fraud desk reads what goes to a mail address.
func (n *Notifier) isDesk(address string) bool {
	return slices.ContainsFunc(n.o.Desk, func(a string) bool { return strings.EqualFold(a, address) })
}

// recipients of a draft, each address once (those that want nothing come besides): the customer's contacts, the desk,
// webhooks. Who is both a contact and the desk gets the desk's notice, whatever the contact wishes: a customer must not be
// able to silence the desk.
func (n *Notifier) recipients(d *draft) []recipient {
	var all []recipient
	add := func(r recipient) {
		if r.address != "" && !slices.ContainsFunc(all, func(o recipient) bool { return o.wish != account.WishOff && o.at(r.channel, r.address) }) {
			all = append(all, r)
		}
	}
	if d.info.Owner {
		for _, r := range n.contacts(d) {
			add(r)
		}
	}
	if d.info.Desk {
		for _, address := range n.o.Desk {
			add(recipient{person: store.Short("desk/" + address), channel: Mail, address: address})
		}
	}
	for _, h := range n.o.Hooks {
		if len(h.Kinds) == 0 || slices.Contains(h.Kinds, d.info.Kind) {
			add(recipient{person: store.Short("hook/" + h.URL), channel: Webhook, address: h.URL})
		}
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
		x := &c.Contacts[i]
		r := contactRecipient(c.ID, x, d)
		if !x.About(d.line) || d.info.Desk && r.channel == Mail && n.isDesk(r.address) {
			continue
		}
		if r.channel == Webhook && n.ownHook(r.address) {
			r.wish = account.WishOff
		}
		all = append(all, r)
	}
	return all
}

func contactRecipient(customer string, c *account.Contact, d *draft) recipient {
	r := recipient{person: "customer/" + customer + "/" + c.ID, name: c.Name, channel: Mail, address: c.Mail, wish: account.WishNow}
	if c.Mail == "" {
		r.channel, r.address = Webhook, c.URL
	}
	if !d.critical() {
		r.wish = c.Wants(string(d.info.Kind))
	}
	return r
}

// delivery of a draft to one recipient. A critical one is wanted whatever the person's wishes.
func (n *Notifier) delivery(d *draft, to recipient, now time.Time, out *tally) store.Delivery {
	x := store.Delivery{
		Person: to.person, Channel: to.channel, Address: to.address, State: store.Queued, Next: now, Ref: n.messageID(d.key, to.person, to.channel),
	}
	if d.info.Kind == NewDevice {
		x.Next = now.Add(together)
	}
	of := purse{to.person, d.noise()}
	_, open := n.o.Channels[to.channel]
	_, _, contact := customerOf(to.person)
	switch {
	case contact && to.channel == Webhook && n.ownHook(to.address):
		x.State, x.Error = store.Off, notTheirs
	case to.wish == account.WishOff:
		x.State, x.Error = store.Off, "switched off by the person"
	case !open:
		x.State, x.Error = store.Kept, "there is no way to send this"
	case to.channel != Mail: // machines need no digest
	case to.wish == account.WishDigest:
		x.State = store.Digest
	case n.storm.count(of, now)+out.mails[of] >= n.allowance(of):
		x.State, x.Error = store.Digest, "more than so many notices within an hour"
	default:
		out.mails[of]++
	}
	out.kinds = append(out.kinds, made{d.info.Kind, x.State})
	return x
}

// messageID follows from what is sent to whom, so that it is the same whoever makes it, however often.
func (n *Notifier) messageID(key, person, channel string) string {
	sum := sha256.Sum256([]byte(key + "\x00" + person + "\x00" + channel))
	return hex.EncodeToString(sum[:16]) + "@" + n.o.From
}

// tally is what a step that is not yet written would count.
type tally struct {
	mails map[purse]int // to be sent at once
	kinds []made
}

type made struct {
	kind  Kind
	state store.DeliveryState
}

func newTally() *tally { return &tally{mails: map[purse]int{}} }
