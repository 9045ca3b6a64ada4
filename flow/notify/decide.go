package notify

import (
	"ringfence/core/account"
	"ringfence/state/store"
)

// Why says why a person gets a notice now, or why not.
type Why uint8

// Reasons, in the order in which they are asked.
const (
	Goes           Why = iota
	ContactRemoved     // the person is no contact any more
	OtherChannel       // the contact is reached another way by now
	ProvidersHook      // requests to the provider's own webhooks may go where customers may not send any
	SwitchedOff
	ToldGraver // a graver notice tells of the same login
	NoSender
	InDigest
	TooMany
	numWhys
)

var whys = [numWhys]struct {
	state store.DeliveryState
	text  string
}{
	Goes:           {store.Queued, ""},
	ContactRemoved: {store.Off, "the contact was removed"},
	OtherChannel:   {store.Off, "the contact now uses another channel; resend the notice to send it there"},
	ProvidersHook:  {store.Off, "this webhook is the provider's own, and no customer's"},
	SwitchedOff:    {store.Off, "switched off by the contact"},
	ToldGraver:     {store.Off, "covered by notice %d, which is more serious"},
	NoSender:       {store.Kept, "this channel is not set up"},
	InDigest:       {store.Digest, ""},
	TooMany:        {store.Digest, "too many notices within an hour"},
}

func (w Why) state() store.DeliveryState { return whys[w].state }
func (w Why) text() string               { return whys[w].text }

// decide says whether a person gets a notice now, and why. Only this function decides it. recent is how many such notices they got within the
// hour, graver the notice that tells of the same login (0 is none). What is critical comes whatever a person prefers, and so does what was asked for.
func (n *Notifier) decide(recipient *recipient, d *draft, recent int, graver int64) Why {
	c, preference := recipient.contact, account.PreferNow
	if c != nil && !d.critical() && !d.asked() {
		preference = c.Wants(string(d.info.Kind))
	}
	switch {
	case recipient.gone:
		return ContactRemoved
	case c != nil && c.Channel != recipient.channel.Code:
		return OtherChannel
	case c != nil && n.ownHook(recipient):
		return ProvidersHook
	case preference == account.PreferOff:
		return SwitchedOff
	case graver != 0:
		return ToldGraver
	case n.o.Channels[recipient.channel.Code] == nil:
		return NoSender
	case !recipient.channel.People, d.asked(): // machines need no digest
		return Goes
	case preference == account.PreferDigest:
		return InDigest
	case recent >= n.allowance(d.info.noise):
		return TooMany
	}
	return Goes
}

// asked says that a person asked for the notice, or that it is a digest of those that waited: neither preferences nor storms hold it back.
func (d *draft) asked() bool { return d.Again != 0 || d.info.Kind == Test || d.info.Kind == Digest }
