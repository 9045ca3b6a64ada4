package notify

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/state/store"
)

// login is what facts have of somebody who may sign in.
type login struct {
	Login    string    `json:"login"`
	Mail     string    `json:"mail"`
	Role     string    `json:"role"`
	Password string    `json:"password"`
	TOTP     bool      `json:"totp"`
	Coded    time.Time `json:"totp_since"`
	Passkeys []string  `json:"passkeys"`
	Recovery int       `json:"recovery_codes"`
	Codes    string    `json:"recovery"`
	Token    string    `json:"token"`
	Scopes   string    `json:"scopes"`
}

func loginOf(part json.RawMessage) (l login) {
	if len(part) == 0 || json.Unmarshal(part, &l) != nil {
		return login{}
	}
	return l
}

// readAccess is of who may sign in, and with what: a thief who got in makes a way back, and the owner must hear of it. It goes to the contacts, and to the person.
func (n *Notifier) readAccess(f *store.Fact) (draft, bool) {
	var b fact.PersonChanged // the other kinds have the same parts, or the fields of a passkey
	if b.Decode(f.Body) != nil {
		return draft{}, false
	}
	d := n.drafted(f, AccessChanged)
	before, after := loginOf(b.Before), loginOf(b.After)
	who, mail, texts := after.Login, after.Mail, []string(nil)
	switch f.Kind {
	case fact.KindPersonAdded:
		texts = []string{fmt.Sprintf("%s may sign in from now on, as %s", after.Login, after.Role)}
	case fact.KindPersonRemoved:
		who, mail = before.Login, before.Mail
		texts = []string{before.Login + " may not sign in any more"}
	case fact.KindPersonChanged:
		mail, texts = before.Mail, changesOf(&before, &after) // at the previous address, if that is what was changed
	case fact.KindTokenAdded:
		texts = []string{fmt.Sprintf("%s has a new token for the API, %s, which may: %s", after.Login, after.Token, strings.ReplaceAll(after.Scopes, " ", ", "))}
	case fact.KindPasskeyAdded, fact.KindPasskeyRemoved:
		var k fact.PasskeyAdded
		if k.Decode(f.Body) != nil {
			return draft{}, false
		}
		who, d.Source, d.Evidence = strings.TrimPrefix(k.Person, account.StaffName+"/"), k.Source.String(), evidence(f.Body)
		what := "%s has a new passkey: %s"
		if f.Kind == fact.KindPasskeyRemoved {
			what = "%s has a passkey less: %s does not count any more"
		}
		texts = []string{fmt.Sprintf(what, who, k.Passkey)}
	}
	if len(texts) == 0 || who == "" {
		return draft{}, false
	}
	if mail == "" && n.o.Mail != nil {
		mail = n.o.Mail(d.account, who)
	}
	d.self = selfOf(who, mail)
	if d.account == "" && d.self.address == "" && len(n.o.Hooks) == 0 {
		return draft{}, false
	}
	d.By, d.Text = Clean(b.By, 80), strange(strings.Join(texts, ". ")+".", maxText)
	return d, true
}

// changesOf says what became of how a person signs in. Passkeys have facts of their own, and so has a first one's recovery codes.
func changesOf(before, after *login) (texts []string) {
	say := func(when bool, text string, of ...any) {
		if when {
			texts = append(texts, fmt.Sprintf(text, of...))
		}
	}
	none := after.Password == "" && !after.TOTP && len(after.Passkeys) == 0
	if none && before.Password+before.Codes+strings.Join(before.Passkeys, "") != "" {
		return []string{"Every password and second factor of " + after.Login + " was taken away: they sign in with a new link"}
	}
	who := after.Login
	say(before.Role != after.Role, "%s is %s now, and was %s", who, after.Role, before.Role)
	say(before.Mail != after.Mail, "The mail address of %s was changed", who)
	say(before.Password != after.Password, "%s has a new password", who)
	say(!before.TOTP && after.TOTP, "%s has an app of codes as second factor", who)
	say(before.TOTP && !after.TOTP, "The app of codes of %s does not count any more", who)
	say(before.TOTP && after.TOTP && !before.Coded.Equal(after.Coded), "%s has another app of codes in place of the one before", who)
	say(slices.Equal(before.Passkeys, after.Passkeys) && before.Codes != after.Codes && after.Recovery >= max(before.Recovery, 1), "%s has new recovery codes", who)
	return texts
}

// readWait is of how long a customer's people wait for what they loosen: a longer wait that was undone needed none.
func (n *Notifier) readWait(f *store.Fact) (draft, bool) {
	type wait struct {
		Cooling *struct {
			Seconds int64 `json:"wait_s"`
		} `json:"cooling_off"`
	}
	var b fact.CustomerChanged
	var before, after wait
	if b.Decode(f.Body) != nil || json.Unmarshal(b.After, &after) != nil || after.Cooling == nil {
		return draft{}, false
	}
	d := n.drafted(f, AccessChanged)
	d.By, d.Text = Clean(b.By, 80), "What your own people loosen waits "+waitText(after.Cooling.Seconds)+" from now on"
	if json.Unmarshal(b.Before, &before) == nil && before.Cooling != nil {
		if before.Cooling.Seconds == after.Cooling.Seconds {
			return draft{}, false
		}
		d.Text += ", and waited " + waitText(before.Cooling.Seconds)
	}
	d.Text += "."
	return d, true
}

func waitText(seconds int64) string {
	switch hours := seconds / 3600; {
	case hours == 0:
		return "not at all"
	case hours == 1:
		return "an hour"
	case hours%24 == 0 && hours > 24:
		return fmt.Sprint(hours/24, " days")
	default:
		return fmt.Sprint(hours, " hours")
	}
}

// readContact is of who is notified, where the customer's own people changed that. A thief who got in sees to it that the owner is not: it goes to the
// contacts as they are now, and to the address that was taken away.
func (n *Notifier) readContact(f *store.Fact) (draft, bool) {
	var b fact.ContactChanged // the other kinds have the same parts
	if b.Decode(f.Body) != nil || !n.theirOwn(b.By, f.Account) {
		return draft{}, false
	}
	before, after := contactOf(b.Before), contactOf(b.After)
	text := ""
	switch {
	case f.Kind == fact.KindContactAdded:
		text = "Notices go to " + after.at() + " too from now on"
	case f.Kind == fact.KindContactDeleted:
		text = "Notices do not go to " + before.at() + " any more"
	case before.at() != after.at():
		text = "Notices go to " + after.at() + " from now on, and not to " + before.at() + " any more"
	case string(before.Lines)+string(before.Kinds) != string(after.Lines)+string(after.Kinds):
		text = "A contact gets different notices from now on"
	default: // a name
		return draft{}, false
	}
	d := n.drafted(f, AccessChanged)
	if f.Kind == fact.KindContactAdded {
		if d.added = after.Mail; len(n.contacts(&d)) == 0 { // with the first contact, nobody else is to be notified
			return draft{}, false
		}
	}
	if f.Kind != fact.KindContactAdded && before.Mail != "" && before.Mail != after.Mail {
		d.former = recipient{person: store.Short(formerMark + before.Mail), channel: account.ChannelCalled(account.Mail), address: before.Mail}
	}
	d.By, d.Text = Clean(b.By, 80), strange(text+".", maxText)
	return d, true
}

// theirOwn says that somebody is one of a customer's people, or of those who resell to it.
func (n *Notifier) theirOwn(actor, customer string) bool {
	return strings.HasPrefix(actor, account.Handle(customer)+"/") || strings.HasPrefix(actor, account.Handle(n.o.Book.ResellerOf(customer))+"/")
}

// formerMark is of an address that is no contact's any more.
const formerMark = "former/"

// notified is what facts have of a contact.
type notified struct {
	Mail  string          `json:"mail"`
	URL   string          `json:"url"`
	Lines json.RawMessage `json:"lines"`
	Kinds json.RawMessage `json:"kinds"`
}

func contactOf(part json.RawMessage) (c notified) {
	if len(part) == 0 || json.Unmarshal(part, &c) != nil {
		return notified{}
	}
	return c
}

// at is the address.
func (c *notified) at() string { return cmp.Or(c.Mail, c.URL, "an address") }

const selfMark = "person/"

// selfOf is the person whom a notice is about, at an address of theirs.
func selfOf(login, mail string) recipient {
	return recipient{person: store.Short(selfMark + login), channel: account.ChannelCalled(account.Mail), address: mail}
}

// isSelf says that a recipient is the person whom the notice is about.
func isSelf(person string) bool { return strings.HasPrefix(person, selfMark) }
