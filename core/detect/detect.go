// Package detect holds the rules that tell fraud from honest use: what kinds of findings there are, and pure functions
// from what was seen to a finding. It must not know storage, protocols or the clock: now is an argument.
package detect

import (
	"encoding/json"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
)

// Kind is what was noticed: the one enum behind findings, mails, pages, the API and tests. Codes never change; numbers
// are not stored.
type Kind uint8

// Kinds. The comment gives the code.
const (
	NoKind         Kind = iota
	Guessing            // guessing: one source tried many passwords on a line and is locked out
	Distributed         // siege: a line is guessed at from many places, or over weeks
	Spray               // spray: one source, or one network, tries many lines
	StalePhone          // stale-phone: a phone goes on with a former, or one steadily wrong, password from its usual place
	OldPassword         // old-password: a former password was tried from a place never seen
	NonceMoved          // nonce-elsewhere: a right answer to a challenge that was given to another address
	TwoPlaces           // two-places: one login in use in two distant places
	Travel              // impossible-travel: too far from the last place for the time between
	HostingLogin        // hosting-login: right at the first try from a hosting network never seen
	AfterLockout        // after-lockout: a right password from a new place soon after a lock-out for guessing
	HoneypotUsed        // honeypot: the login of a decoy line was tried
	UsageLevel          // usage-level: un-billed usage passed a multiple of the warning level
	Flood               // flood: a source, or many, sent more than it is worth answering
	EmergencyCalls      // emergency-calls: a line or an address makes unusually many concurrent emergency calls
	InboundCalls        // inbound-calls: the limit of inbound calls of a trunk, or of calls ringing a line, was reached
	LegUnconfirmed      // leg-unconfirmed: a carrier did not confirm the end of a call
	Unallocated         // number-unallocated: a line calls a number of an unallocated block
	UnusualCalls        // unusual-calls: calls are unlike what their line usually does
	UnusualTrial        // unusual-trial: what unusual-calls would have closed, were it more than a trial
	RuleBack            // rule-back: a rule for unusual calls was too often wrong and is trusted less
	Reported            // reported: somebody of a customer's reported a fraud
	Unconfirmed         // calls-unconfirmed: questions to a line's callers were failed again and again
	JournalDiffers      // journal-differs: the journal does not fit a checkpoint that is known elsewhere
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

// Audience is who is notified of a kind.
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
	Kind    string // of core/fact
	Line    string // identity
	Account string
	Call    string // id
	At      time.Time
	Body    []byte // JSON object
}

// handle is what people call the line.
func (e *Event) handle() string { return account.Handle(e.Line) }

// judges are the rules by kind of fact.
var judges = map[string]func(*Event) ([]Finding, error){
	fact.KindLoginLocked:     on(judgeLocked),
	fact.KindLoginSiege:      ofLine(judgeDistributed),
	fact.KindLoginSpray:      on(judgeSpray),
	fact.KindLoginStale:      ofLine(judgeStale),
	fact.KindLoginOld:        ofLine(judgeOld),
	fact.KindLoginMovedNonce: ofLine(judgeMovedNonce),
	fact.KindLoginHoneypot:   ofLine(judgeHoneypot),
	fact.KindBanFlood:        on(judgeFlood),
	fact.KindCallEmergencies: on(judgeEmergencies),
	fact.KindCallInboundFull: on(judgeInbound),
	fact.KindCallRingingFull: on(func(e *Event, b *fact.CallRingingFull) ([]Finding, error) {
		return judgeInbound(e, (*fact.CallInboundFull)(b))
	}),
	fact.KindLegUnconfirmed:  on(judgeUnconfirmed),
	fact.KindCallUnallocated: on(judgeUnallocated),
	fact.KindCallQuestioned:  ofLine(judgeQuestioned),
	fact.KindCallsUnusual:    on(judgeUnusual),
	fact.KindCallsRuleBack:   on(judgeRuleBack),
	fact.KindFraudReported:   on(judgeReported),
	fact.KindEvidenceEpoch:   on(judgeEpoch),
	fact.KindDeviceNew:       ofLine(judgeDevice),
	fact.KindDeviceMoved:     ofLine(func(e *Event, b *fact.DeviceMoved) ([]Finding, error) { return judgeDevice(e, (*fact.DeviceNew)(b)) }),
}

// on has a rule see facts of its kind.
func on[T any, F interface {
	*T
	fact.Body
}](judge func(*Event, F) ([]Finding, error),
) func(*Event) ([]Finding, error) {
	return func(e *Event) ([]Finding, error) {
		var b F = new(T)
		if err := decode(e, b); err != nil {
			return nil, err
		}
		return judge(e, b)
	}
}

// ofLine has a rule see facts of its kind that are about a line.
func ofLine[T any, F interface {
	*T
	fact.Body
}](judge func(*Event, F) ([]Finding, error),
) func(*Event) ([]Finding, error) {
	return on(func(e *Event, b F) ([]Finding, error) {
		if e.Line == "" {
			return nil, nil
		}
		return judge(e, b)
	})
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
