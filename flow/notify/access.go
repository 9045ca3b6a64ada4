package notify

import (
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

const selfMark = "person/"

// selfOf is the person whom a notice is about, at an address of theirs.
func selfOf(login, mail string) recipient {
	return recipient{person: store.Short(selfMark + login), channel: account.ChannelCalled(account.Mail), address: mail}
}

// isSelf says that a recipient is the person whom the notice is about.
func isSelf(person string) bool { return strings.HasPrefix(person, selfMark) }
