// Package detect holds the rules that tell fraud from honest use: what kinds of findings there are, and pure functions
// from what was seen to a finding. It must not know storage, protocols or the clock: now is an argument.
package detect

import (
	"encoding/json"
	"time"

	"ringfence/core/account"
)

// Kind is what was noticed: the one enum behind findings, mails, pages, the API and tests. Codes never change; numbers
// are not stored.
type Kind uint8

// Kinds. The comment gives the code.
const (
	NoKind         Kind = iota
	Guessing            // guessing: one source tried many passwords on a line and is locked out
	Siege               // siege: a line is guessed at from many places, or over weeks
	Spray               // spray: one source, or one network, tries many lines
	StalePhone          // stale-phone: a phone goes on with a former, or one steadily wrong, password from its usual place
	OldPassword         // old-password: a former password was tried from a place never seen
	NonceMoved          // nonce-elsewhere: a right answer to a challenge that was given to another address
	TwoPlaces           // two-places: one login live in two far places
	Travel              // impossible-travel: too far from the last place for the time between
	HostingLogin        // hosting-login: right at the first try from a hosting network never seen
	AfterLockout        // after-lockout: a right password from a stranger right after guessing was shut out
	HoneypotUsed        // honeypot: somebody tried the login of a line that is nobody's
	UsageLevel          // usage-level: un-billed usage passed a multiple of the warning level
	Flood               // flood: a source, or many, sent more than it is worth answering
	EmergencyCalls      // emergency-calls: a line or an address places unusually many emergency calls at once
	InboundCalls        // inbound-calls: as many calls came in over a trunk, or ring a line, as may
	LegUnconfirmed      // leg-unconfirmed: a carrier did not confirm the end of a call
	Unallocated         // number-unallocated: a line calls a number of a block that nobody has
	NumKinds
)

// Severity orders findings.
type Severity uint8

// Severities.
const (
	Info Severity = iota
	Warning
	Critical
)

// Audience is who is told of a kind.
type Audience uint8

// Audiences, as bits.
const (
	Owner Audience = 1 << iota // the customer's contacts
	Desk                       // the provider's fraud desk
)

// Finding is what a rule concludes. Key makes repeats one: same key, same finding.
type Finding struct {
	Key      string
	Kind     Kind
	Severity Severity // of this one; Kind.Severity as a rule
	Line     string
	Account  string
	Source   string // address or network; "" is none
	Text     string // one plain sentence: what happened, with its figures
	At       time.Time
	Evidence json.RawMessage // JSON object
}

// Event is a fact of the journal as the rules see it.
type Event struct {
	Kind    string // "login.locked", "device.new" …
	Line    string // identity
	Account string
	Call    string // id
	At      time.Time
	Body    []byte // JSON object
}

// handle is what people call the line.
func (e *Event) handle() string { return account.Handle(e.Line) }

// judges are the rules by kind of fact. Each decodes its own body.
var judges = map[string]func(*Event) ([]Finding, error){
	"login.locked":      judgeLocked,
	"login.siege":       judgeSiege,
	"login.spray":       judgeSpray,
	"login.stale":       judgeStale,
	"login.old":         judgeOld,
	"login.moved-nonce": judgeMovedNonce,
	"login.honeypot":    judgeHoneypot,
	"ban.flood":         judgeFlood,
	"call.emergencies":  judgeEmergencies,
	"call.inbound-full": judgeInbound,
	"call.ringing-full": judgeInbound,
	"leg.unconfirmed":   judgeUnconfirmed,
	"call.unallocated":  judgeUnallocated,
	"device.new":        judgeDevice,
	"device.moved":      judgeDevice,
}

// Concerns says that facts of a kind can lead to findings, so that others need not be decoded.
func Concerns(kind string) bool { return judges[kind] != nil }

// Judge is what a fact leads to, the gravest first; mostly nothing. An error says that the body is not what its kind
// promises; nothing is concluded from it.
func Judge(e *Event) ([]Finding, error) {
	judge := judges[e.Kind]
	if judge == nil {
		return nil, nil
	}
	if f, ok := summed(e); ok {
		return []Finding{f}, nil
	}
	return judge(e)
}
