// Package liability says who bears what a call cost: which protections the provider had promised, in which words on that day, whether each was in force for the
// line at that instant, whether it was honoured, and by which facts of the journal. It must not know storage or clocks, and asks none of the rules that connected the call.
package liability

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Promise is the id of a protection. It is part of the journal and never changes.
type Promise string

// Protections, in the order in which they are shown.
const (
	IPLock       Promise = "ip-lock"
	Ceilings     Promise = "ceilings"
	PremiumBar   Promise = "premium-bar"
	Caps         Promise = "caps"
	CutOff       Promise = "cut-off"
	Secrecy      Promise = "secrecy"
	LockOut      Promise = "lock-out"
	Courtesy     Promise = "courtesy-mail"
	WarningLevel Promise = "warning-level"
	Watch        Promise = "international-watch"
)

// Kind says what follows when a protection fails.
type Kind string

// Kinds.
const (
	Promised Kind = "promised" // the calls that it would have stopped are free
	Aimed    Kind = "aimed"    // that is stated, and waives nothing by itself
)

// ErrPromise says that an id is no promise's.
var ErrPromise = errors.New("no such promise")

// MaxWording bounds the words of one promise, in bytes.
const MaxWording = 2000

// All are the protections with their kinds, and the words in which they are promised where the provider has none of its own.
var All = [...]Wording{
	{IPLock, Promised, "If a line is locked to addresses or networks, no call is connected from anywhere else, whatever the password."},
	{Ceilings, Promised, "No call is connected whose price per minute is above the ceiling of its line: one for national and one for international calls."},
	{PremiumBar, Promised, "Premium-rate numbers are barred unless the line has been allowed to call them."},
	{Caps, Promised, "Calls never cost more in a day or a month than the caps of the line and of the account."},
	{CutOff, Promised, "A locked line makes no calls but emergency calls. A call in progress ends at the latest when the minute ends that is paid for, or at once if the lock says so."},
	{Secrecy, Promised, "We keep the password of a line secret: it is shown once and stored so that a stolen database does not give it away."},
	{LockOut, Aimed, "We try to lock out those who guess passwords, for that line and, if it goes on, altogether."},
	{Courtesy, Aimed, "We aim to send mail when a line is used from a new address or a new phone, unless that is switched off."},
	{WarningLevel, Aimed, "We aim to send mail when un-billed usage passes the warning level, and each further multiple of it."},
	{Watch, Aimed, "We try to notice unusual international calling as it happens, and to close what it uses."},
}

// Wording is what was promised, or aimed at, of one protection.
type Wording struct {
	ID   Promise `json:"id"`
	Kind Kind    `json:"kind"`
	Text string  `json:"text"`
}

// Statement is the wording of every protection from an instant on, as a fact of the journal says it.
type Statement struct {
	Since    time.Time
	Seq      int64 // of the fact; 0: no fact says it
	Wordings []Wording
}

// State gives the wordings in force with a provider's own in place of some. What a promise means stays the same, and its kind.
func State(own map[string]string) ([]Wording, error) {
	out := append([]Wording(nil), All[:]...)
	for id, text := range own {
		w := find(out, Promise(id))
		switch text = strings.TrimSpace(text); {
		case w == nil:
			return nil, fmt.Errorf("%w: %.40q; there are %s", ErrPromise, id, names())
		case text == "" || len(text) > MaxWording:
			return nil, fmt.Errorf("the wording of %s needs 1 to %d bytes", id, MaxWording)
		}
		w.Text = text
	}
	return out, nil
}

func find(all []Wording, id Promise) *Wording {
	for i := range all {
		if all[i].ID == id {
			return &all[i]
		}
	}
	return nil
}

func names() string {
	var ids []string
	for i := range All {
		ids = append(ids, string(All[i].ID))
	}
	return strings.Join(ids, ", ")
}

// Body is a statement as the journal has it.
func Body(w []Wording) json.RawMessage {
	b, err := json.Marshal(w)
	if err != nil { // cannot happen: plain texts
		return nil
	}
	return b
}

// ParseWordings reads a provider's own wordings: "ip-lock: Calls from elsewhere are refused."
func ParseWordings(lines []string) (map[string]string, error) {
	own := map[string]string{}
	for _, l := range lines {
		id, text, ok := strings.Cut(l, ":")
		if !ok {
			return nil, fmt.Errorf("%.40q has no colon after the id of a promise: \"ip-lock: Calls from elsewhere are refused.\"", l)
		}
		own[strings.TrimSpace(id)] = text
	}
	_, err := State(own)
	return own, err
}
