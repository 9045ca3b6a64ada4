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
	tellUs         = "If you are not sure, contact us. We would rather check once too often."
)

// kinds holds the words of every kind. They are read by people who run a business and not a telephone system.
var kinds = [NumKinds]about{
	NoKind: {code: "none", title: "Nothing"},
	Guessing: {
		code: "guessing", title: "Somebody tried to guess a line's password", severity: Warning, audience: Owner,
		meaning: "Somebody tried one wrong password after another for your line. We have blocked the address for a while; even the right password will not work from there. " +
			"Your own phones at other addresses work as before, and no call was made.",
		advice: []string{
			"If you do not recognise the address, you need do nothing.",
			"If it is your own phone, check that it has the line's current password. It can log in again when the block ends.",
		},
	},
	Siege: {
		code: "siege", title: "A line's password is being guessed at from many places", severity: Warning, audience: Owner | Desk,
		meaning: "Over hours, days or weeks, many addresses have tried passwords for your line. This looks like one attacker who uses many addresses to avoid being noticed. " +
			"We now allow only a few attempts a day on this line from places that it has not used before. The places where your phones usually are keep working.",
		advice: []string{
			"If you chose the password yourself, ask us for a new one: the passwords that we make cannot be guessed this way.",
			"If your phones always call from the same addresses, set the line's IP lock to them. A stolen password is then useless anywhere else.",
			"While this lasts, a phone at a new place gets tight limits for a day, or has to wait until you confirm it. We write to you when that happens.",
		},
	},
	Spray: {
		code: "spray", title: "Somebody is trying passwords on many lines", severity: Warning, audience: Desk,
		meaning: "One address, one network, or one password sent from many networks is being tried on many lines, a few times each. Each line stays below its own limit, so it is the number of lines that gives the attack away. " +
			"The evidence says how many of the names exist here and, as far as the sample shows, which list of passwords is in use.",
		advice: []string{
			"Check whether a login from this source succeeded in the same hours (ringfence finding list, kinds after-lockout and hosting-login).",
			"If the network serves none of your customers, ban it for longer (ringfence ban add).",
			"If most of the names exist here, somebody has a list of your lines: find out where it was published.",
		},
	},
	StalePhone: {
		code: "stale-phone", title: "A phone still has an old password", severity: Warning, audience: Owner,
		meaning: "One of your phones keeps trying to log in with a password that is no longer valid. It cannot make or take calls. " +
			"We do not treat this as an attack: your address is not blocked, and your other phones work as before.",
		advice: []string{
			"Put the line's current password into that phone. Its address and the product name that it sends help you to find it.",
			"If the phone is no longer in use, switch it off, or remove the line from its settings.",
			"If you do not have such a phone, contact us.",
		},
	},
	OldPassword: {
		code: "old-password", title: "A former password was tried from a new place", severity: Warning, audience: Owner | Desk,
		meaning: "Somebody tried a password that your line had before, from a place where your phones have never been. It no longer works, so it gave no access. " +
			"But somebody else knows, or has kept, a password of yours.",
		advice: []string{
			"Think about where the old password was written down or stored: in a phone that was sold, with a supplier, in a mail, in a backup.",
			"If the current password is kept in the same place, ask for a new one.",
			"If it was your own phone in a new place, put the current password into it.",
		},
	},
	NonceMoved: {
		code: "nonce-elsewhere", title: "A login was answered from another address", severity: Warning, audience: Owner | Desk,
		meaning: "When a phone logs in, we send it a question that only that phone should answer. The right answer came from a different address. " +
			"This happens when a phone changes from Wi-Fi to mobile data at that moment. It also happens when somebody intercepts the connection.",
		advice: []string{
			itWasYou + " This is likely if a mobile phone or laptop changed its network just then.",
			notYou,
			"Use encryption (TLS) on phones that support it, especially on shared Wi-Fi.",
			changePassword,
		},
	},
	TwoPlaces: {
		code: "two-places", title: "A line is being used in two distant places at once", severity: Warning, audience: Owner | Desk,
		meaning: "Your line's login was used from a distant country while another phone was logged in with it elsewhere. " +
			"This is fine if you have people in both places or use a VPN. Otherwise, somebody else has your password. " +
			"The country of an address comes from a list, which is sometimes wrong.",
		advice: []string{itWasYou, notYou, changePassword, tellUs},
	},
	Travel: {
		code: "impossible-travel", title: "A login from further away than anybody could have travelled", severity: Warning, audience: Owner | Desk,
		meaning: "Your line was used in one country and then in another, in less time than a flight takes. " +
			"This is fine if you have people in both places or use a VPN. Otherwise, somebody else has your password. " +
			"The country of an address comes from a list, which is sometimes wrong.",
		advice: []string{itWasYou, notYou, changePassword, tellUs},
	},
	HostingLogin: {
		code: "hosting-login", title: "A login from a data centre that your line has never used", severity: Critical, audience: Owner | Desk,
		meaning: "Somebody logged in with your line's password, right at the first attempt, from a data centre that your line has never used. " +
			"Thieves who have a password work from rented servers like this. Your own telephone system or VPN in that data centre would look the same.",
		advice: []string{
			itWasYou + " This is likely if you have just moved a telephone system to a hosting company, or use a VPN.",
			notYou, changePassword, tellUs,
		},
	},
	AfterLockout: {
		code: "after-lockout", title: "A login from a new place after guessing was blocked", severity: Critical, audience: Owner | Desk,
		meaning: "Somebody was guessing your line's password, and we blocked them. Within a day, the right password came from a place that your line has never used. " +
			"It may be you with a new phone. It may also be the guesser, who has found the password.",
		advice: []string{notYou, changePassword, itWasYou, tellUs},
	},
	HoneypotUsed: {
		code: "honeypot", title: "Somebody used the login of a decoy line", severity: Warning, audience: Desk,
		meaning: "The line is a decoy: nobody owns it and no phone has its login, so anyone who tries it is an attacker. The source is blocked. " +
			"A wrong password means that somebody is guessing names. The right password means that stored or mailed passwords have leaked.",
		advice: []string{
			"If the password was right, treat it as a leak: find out where this line's password was ever stored or sent, and what was stored with it.",
			"Look for other logins from the same network.",
			"Give the decoy a new password before it is used again.",
		},
	},
	UsageLevel: {
		code: "usage-level", title: "Calls have passed a warning level", severity: Warning, audience: Owner,
		meaning: "Calls have cost more than the level at which you asked for a warning. Calls in progress are counted up to now. " +
			"A warning stops nothing: calls continue until a cap is reached. We notify you again at each further multiple of the level.",
		advice: []string{
			"Look at the list of your calls. If there are any that none of your people made, lock the line and contact us at once.",
			"If the use is normal for you, raise the warning level.",
			"If you want calls to stop at an amount, set a daily or monthly cap.",
		},
	},
	Flood: {
		code: "flood", title: "A flood of packets is being blocked", severity: Warning, audience: Desk,
		meaning: "More sources than usual were blocked in a short time. They are summarised instead of being listed one by one, so that an attacker cannot fill the journal. " +
			"Registered phones and calls continue; unknown sources are answered more slowly or not at all.",
		advice: []string{
			"Look at the load and at refused packets in the metrics, and check whether honest phones fail to register.",
			"If the sample of sources is in a few networks that serve none of your customers, ban those networks.",
			"If your internet connection itself is full, only your network provider can help: give them the sample.",
		},
	},
	EmergencyCalls: {
		code: "emergency-calls", title: "An unusual number of simultaneous emergency calls", severity: Warning, audience: Desk,
		meaning: "One line, or one address that is not logged in, has many emergency calls in progress. That may be a fire in an office or a hotel. " +
			"It may also be a stolen login, since emergency calls work on locked lines too. They take no capacity from paid calls, and none in progress is ever ended.",
		advice: []string{
			"Call the customer first: people may be in danger.",
			"If the customer knows nothing of the calls, give the line a new password (ringfence line password): no call can then be placed with the stolen one.",
			"Tell the emergency service, through your carrier, that the calls may be false.",
			"If the finding says that calls were refused, raise sip.max-emergency-calls where the calls are genuine.",
		},
	},
	InboundCalls: {
		code: "inbound-calls", title: "Calls from a carrier have reached a limit", severity: Warning, audience: Desk,
		meaning: "The maximum number of calls came in over a trunk, or are ringing one line. Anybody can send a call over UDP that claims to be from your carrier, so this may be an attack; it may also be a busy day. " +
			"Outbound calls keep their capacity. When a trunk's share is full, calls that the carrier has not confirmed are ended to make room for new ones.",
		advice: []string{
			"Ask the carrier whether the calls are its own: the evidence has the address that they claim to come from.",
			"If they are not, have the carrier use TCP, or have your network drop packets that claim the carrier's addresses but come from elsewhere.",
			"If they are, raise sip.max-inbound-calls or sip.trunk-inbound-calls; or for one line sip.max-ringing-calls and its max-calls.",
		},
	},
	Unallocated: {
		code: "number-unallocated", title: "A call to a number that is not allocated", severity: Warning, audience: Desk,
		meaning: "A line called a number in a block that is free in the regulator's table. The call was connected, because such a table is never quite up to date and " +
			"people who have just been given a number must be reachable. It may be a dialling mistake, or fraud with stolen numbers. " +
			"Further calls of the line on the same day are counted in this finding.",
		advice: []string{
			"Look at the line's calls (ringfence cdr list): many calls to such numbers, or long ones, are no mistake.",
			"Fetch the table again (make numbering) and see whether the block has been allocated since.",
			"If it was fraud, lock the line (ringfence line lock) and call the customer.",
		},
	},
	LegUnconfirmed: {
		code: "leg-unconfirmed", title: "A carrier did not confirm the end of a call", severity: Warning, audience: Desk,
		meaning: "We ended a call, and the carrier has not confirmed that its side is over, although we asked repeatedly. The caller is charged nothing more. " +
			"But the call may still be up at the carrier, and the carrier may charge you for it. The cost in our record ends when we stopped asking. " +
			"Further calls on the same day with the same carrier are counted in this finding.",
		advice: []string{
			"Ask the carrier whether the call is still up, and have it ended: the evidence has the Call-ID by which the carrier knows it.",
			"List all affected calls with ringfence journal --kind leg.unconfirmed, and compare them with the carrier's bill.",
			"If it happens again, ask the carrier to correct its responses to BYE, or switch the trunk off (ringfence trunk set NAME disabled=on).",
		},
	},
}
