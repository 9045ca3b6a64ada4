package detect

import (
	"errors"
	"fmt"
)

// ErrKind and ErrSeverity say that a text is no kind's, or severity's, code.
var (
	ErrKind     = errors.New("no such kind of finding")
	ErrSeverity = errors.New("no such severity")
)

// String is the code of a kind: "usage-level". It is what is stored and sent.
func (k Kind) String() string {
	if k >= NumKinds {
		return "unknown"
	}
	return kinds[k].code
}

// ParseKind is the kind of a code that String gives; not NoKind.
func ParseKind(code string) (Kind, bool) {
	for k := NoKind + 1; k < NumKinds; k++ {
		if kinds[k].code == code {
			return k, true
		}
	}
	return NoKind, false
}

// MarshalText gives the code.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a code; ErrKind.
func (k *Kind) UnmarshalText(text []byte) error {
	parsed, ok := ParseKind(string(text))
	if !ok {
		return fmt.Errorf("%w: %.40q", ErrKind, text)
	}
	*k = parsed
	return nil
}

// Title is a heading of a few words, for a mail's subject and a page's list.
func (k Kind) Title() string { return k.about().title }

// Severity is how grave the kind is as a rule; a Finding says its own.
func (k Kind) Severity() Severity { return k.about().severity }

// Audience is who is told.
func (k Kind) Audience() Audience { return k.about().audience }

// Meaning says what findings of the kind mean: finished sentences for the customer, or for the fraud desk where only the
// desk is told.
func (k Kind) Meaning() string { return k.about().meaning }

// Advice says what to do, one step each, the most urgent first, each a finished sentence.
func (k Kind) Advice() []string { return k.about().advice }

func (k Kind) about() *about {
	if k >= NumKinds {
		k = NoKind
	}
	return &kinds[k]
}

// Has says that who is among those told.
func (a Audience) Has(who Audience) bool { return a&who != 0 }

var severities = [...]string{Info: "info", Warning: "warning", Critical: "critical"}

// String is "info", "warning" or "critical".
func (s Severity) String() string {
	if s > Critical {
		return "unknown"
	}
	return severities[s]
}

// ParseSeverity reads what String gives.
func ParseSeverity(text string) (Severity, bool) {
	for s, name := range severities {
		if name == text {
			return Severity(s), true
		}
	}
	return Info, false
}

// MarshalText gives the name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a name; ErrSeverity.
func (s *Severity) UnmarshalText(text []byte) error {
	parsed, ok := ParseSeverity(string(text))
	if !ok {
		return fmt.Errorf("%w: %.40q", ErrSeverity, text)
	}
	*s = parsed
	return nil
}

// about is what is said of a kind wherever it is shown.
type about struct {
	code, title string
	severity    Severity
	audience    Audience
	meaning     string
	advice      []string
}

// Steps that several kinds advise.
const (
	changePassword = "Ask for a new password for the line and put it into your phones. The old one stops working at once."
	notYou         = "If it was not you or one of your people, say “not me” in this message, or call us: we lock the line. Calls stop, and emergency calls still work."
	itWasYou       = "If it was you, say “that was me”, and nothing more happens."
	tellUs         = "If you are not sure, get in touch with us. We would rather look once too often."
)

// kinds holds the words of every kind. They are read by people who run a business and not a telephone system.
var kinds = [NumKinds]about{
	NoKind: {code: "none", title: "Nothing"},
	Guessing: {
		code: "guessing", title: "Somebody guessed at a line's password", severity: Warning, audience: Owner,
		meaning: "Somebody tried one wrong password after the other for your line. We have shut the address out for a while, even if it hits on the right one. " +
			"Your own phones at other addresses work as before, and no call was made.",
		advice: []string{
			"You need not do anything if you do not know the address.",
			"If it is your own phone, check that it has the line's present password. It may try again when the time is over.",
		},
	},
	Siege: {
		code: "siege", title: "A line's password is being guessed at from many places", severity: Warning, audience: Owner | Desk,
		meaning: "Over hours, days or weeks, many addresses have tried passwords for your line. Together that looks like one attacker who spreads the work to stay unseen. " +
			"We now allow strangers only a few tries a day on this line. The places where your phones usually are keep working.",
		advice: []string{
			"If you chose the password yourself, have us make a new one: ours cannot be guessed this way.",
			"If your phones always call from the same addresses, set the line's IP lock to them. Then a stolen password is of no use anywhere else.",
			"A phone at a new place gets tight limits for a day while this lasts, or waits until you confirm it. We write to you when that happens.",
		},
	},
	Spray: {
		code: "spray", title: "Somebody tries passwords on many lines", severity: Warning, audience: Desk,
		meaning: "One address, one network, or one password sent from many networks tries its luck on each of many lines. That keeps every single line below its own limit, so it is judged by the number of lines. " +
			"The evidence says how many of the names exist here, and which list of passwords is in use as far as the sample tells.",
		advice: []string{
			"Look whether a login succeeded from this source in the same hours (ringfence finding list, kinds after-lockout and hosting-login).",
			"If the network serves none of your customers, ban it for longer (ringfence ban add).",
			"If most of the names exist here, somebody has a list of your lines: find out where it was published.",
		},
	},
	StalePhone: {
		code: "stale-phone", title: "A phone still has an old password", severity: Warning, audience: Owner,
		meaning: "One of your phones keeps trying with a password that is no longer right. It cannot make or take calls. " +
			"It is not treated as an attack: your address is not shut out, and your other phones work as before.",
		advice: []string{
			"Put the line's present password into that phone. The address and the name it gives of itself help to find it.",
			"If the phone is no longer in use, switch it off or take the line out of its settings.",
			"If you do not have such a phone, get in touch with us.",
		},
	},
	OldPassword: {
		code: "old-password", title: "A former password was tried from a strange place", severity: Warning, audience: Owner | Desk,
		meaning: "Somebody tried a password that your line had before, from a place where your phones have never been. It no longer works, so nothing could be done with it. " +
			"But somebody outside knows, or has kept, a password of yours.",
		advice: []string{
			"Think where the old password was written down or stored: an old phone that was sold, a supplier, a mail, a backup.",
			"If the present password is kept in the same place, ask for a new one.",
			"If it was your own phone in a new place, put the present password into it.",
		},
	},
	NonceMoved: {
		code: "nonce-elsewhere", title: "A login was answered from another address", severity: Warning, audience: Owner | Desk,
		meaning: "When a phone logs in we send it a question that only it should answer. The right answer came from another address than the one we asked. " +
			"A phone that changes from Wi-Fi to mobile at that moment can do this; so can somebody who listens in on the way.",
		advice: []string{
			itWasYou + " This fits if a mobile phone or laptop changed its network just then.",
			notYou,
			"Use encryption (TLS) in phones that can, above all on Wi-Fi that others share.",
			changePassword,
		},
	},
	TwoPlaces: {
		code: "two-places", title: "A line is in use in two far places at once", severity: Warning, audience: Owner | Desk,
		meaning: "Your line's login came from a country far away while another phone was logged in with it elsewhere. " +
			"That is fine if you have people in both places or use a VPN. Otherwise somebody else has your password. " +
			"The country of an address is looked up in a list and is sometimes wrong.",
		advice: []string{itWasYou, notYou, changePassword, tellUs},
	},
	Travel: {
		code: "impossible-travel", title: "A login from further away than anybody can travel", severity: Warning, audience: Owner | Desk,
		meaning: "Your line was used in one country and then in another, with less time between than a flight takes. " +
			"That is fine if you have people in both places or use a VPN. Otherwise somebody else has your password. " +
			"The country of an address is looked up in a list and is sometimes wrong.",
		advice: []string{itWasYou, notYou, changePassword, tellUs},
	},
	HostingLogin: {
		code: "hosting-login", title: "A login from a data centre where you have never been", severity: Critical, audience: Owner | Desk,
		meaning: "Somebody logged in with your line's right password at the first try, from a data centre that your line has never used. " +
			"Thieves work from rented servers like this once they have a password. A telephone system or VPN of your own in that data centre looks the same.",
		advice: []string{
			itWasYou + " This fits if you have just moved a telephone system to a hosting company, or use a VPN.",
			notYou, changePassword, tellUs,
		},
	},
	AfterLockout: {
		code: "after-lockout", title: "A stranger got in after guessing was stopped", severity: Critical, audience: Owner | Desk,
		meaning: "Passwords were being guessed for your line and we shut the guesser out. Within a day the right password came from a place that your line has never used. " +
			"It may be you with a new phone. It may also be the guesser, who has found the password.",
		advice: []string{notYou, changePassword, itWasYou, tellUs},
	},
	HoneypotUsed: {
		code: "honeypot", title: "Somebody used the login of a decoy line", severity: Warning, audience: Desk,
		meaning: "The line is a decoy: nobody owns it and no phone has its login, so whoever tries it is an attacker. The source is shut out. " +
			"A wrong password means that somebody guesses at names. The right password means that stored or mailed passwords have leaked.",
		advice: []string{
			"If the password was right, treat it as a leak: find out where this line's password was ever stored or sent, and what lay beside it.",
			"Look for other logins from the same network.",
			"Give the decoy a new password before it is used again.",
		},
	},
	UsageLevel: {
		code: "usage-level", title: "Calls have passed a warning level", severity: Warning, audience: Owner,
		meaning: "Calls have cost more than the level at which you asked to be warned. Calls in progress are counted up to now. " +
			"A warning stops nothing: calls go on until a cap is reached. You hear again at each further multiple of the level.",
		advice: []string{
			"Look at the list of your calls. If there are any that nobody of yours made, have the line locked and get in touch with us at once.",
			"If the use is normal for you, raise the warning level so that it tells you something.",
			"If you want calls to stop at an amount, set a day or month cap.",
		},
	},
	Flood: {
		code: "flood", title: "A flood of packets is being shut out", severity: Warning, audience: Desk,
		meaning: "More sources than usual were shut out in a short time. They are summed up instead of being listed one by one, so that an attacker cannot fill the journal. " +
			"Registered phones and calls go on; strangers are answered more slowly or not at all.",
		advice: []string{
			"Look at the load and at refused packets in the metrics. If honest phones fail to register, tell us the time.",
			"If the sample of sources lies in a few networks that serve none of your customers, ban those networks.",
			"If the line itself is full, only your network provider can help: give them the sample.",
		},
	},
	EmergencyCalls: {
		code: "emergency-calls", title: "Unusually many emergency calls at once", severity: Warning, audience: Desk,
		meaning: "One line, or one address that is not logged in, has many emergency calls in progress. That may be a fire in an office or a hotel. " +
			"It may also be a stolen login, since emergency calls work on locked lines too. They take no room from paid calls, and none in progress is ever ended.",
		advice: []string{
			"Call the customer first: people may be in danger.",
			"If the customer knows of nothing, give the line a new password (ringfence line password): the stolen one then places no calls at all.",
			"Tell the emergency service, through your carrier, that the calls may be false.",
			"If the finding says that calls were refused, raise sip.max-emergency-calls where the calls are genuine.",
		},
	},
	InboundCalls: {
		code: "inbound-calls", title: "Calls from a carrier have reached a bound", severity: Warning, audience: Desk,
		meaning: "More calls came in over a trunk, or ring one line, than may at once. Anybody can send a call over UDP that claims to be from your carrier, so this may be an attack; it may also be a busy day. " +
			"Calls that go out keep their room. When a trunk's share is taken, calls that the carrier did not confirm give way to new ones.",
		advice: []string{
			"Ask the carrier whether the calls are its own: the evidence has the address that they claim to be from.",
			"If they are not, have the carrier use TCP, or have your network drop packets that claim the carrier's addresses but come from elsewhere.",
			"If they are, raise sip.max-inbound-calls or sip.trunk-inbound-calls; or for one line sip.max-ringing-calls and its max-calls.",
		},
	},
	Unallocated: {
		code: "number-unallocated", title: "A call to a number that nobody has", severity: Warning, audience: Desk,
		meaning: "A line called a number in a block that the regulator's table calls free. The call was connected, because such a table is never quite new and " +
			"those who have just been given a block must be reachable. Nobody else calls there: it may be a slip of the finger, or fraud by way of stolen numbers. " +
			"Further calls of the line on the same day are counted in this finding.",
		advice: []string{
			"Look at the line's calls (ringfence cdr list): many to such numbers, or long ones, are not a slip.",
			"Fetch the table again (make numbering) and see whether somebody has the block now.",
			"If it was fraud, lock the line (ringfence line lock) and call the customer.",
		},
	},
	LegUnconfirmed: {
		code: "leg-unconfirmed", title: "A carrier did not confirm the end of a call", severity: Warning, audience: Desk,
		meaning: "We ended a call, and the carrier has not confirmed that its side is over, although we asked again and again. The caller is charged nothing more. " +
			"But for the carrier the call may still run, and it may charge you for it. The cost in our record ends when we gave up. " +
			"Further calls of the same day and carrier are counted in this finding.",
		advice: []string{
			"Ask the carrier whether the call still runs, and have it ended: the evidence has the Call-ID by which the carrier knows it.",
			"List all calls concerned with ringfence journal --kind leg.unconfirmed, and compare them with the carrier's bill.",
			"If it happens again, have the carrier repair its answers to BYE, or switch the trunk off (ringfence trunk set NAME disabled=on).",
		},
	},
}
