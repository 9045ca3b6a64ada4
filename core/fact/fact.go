// Package fact is the schema of the journal: one struct for each kind of fact, with its code, version and key, how it is written and
// how it is read. Nothing else in the program names a kind or a field. It must not know who writes a fact, or who reads it.
//
// kinds.txt describes the kinds in one vocabulary; kinds.go and docs/journal.md are made from it.
package fact

import (
	"errors"
	"strings"
	"time"

	"ringfence/core/call"
)

//go:generate go run ./gen

// Row is a fact as the journal keeps it.
type Row struct {
	Seq     int64 // given by the store, ascending
	At      time.Time
	Kind    string
	Version int    // of the kind, from 1; 0 where it is not known
	Key     string // unique in the journal where it is set: a repeat is not stored again
	Line    string
	Account string
	Call    call.ID
	Body    []byte // a JSON object
	Said    Body   // instead of Key, Version and Body, until the row is written: see Encode
	Proof   []byte // the store's own: what its seal was made with (core/seal). It is read only where it is asked for
}

// Bounds on what a row may hold, in bytes.
const (
	MaxName = 200     // of a kind, line, account, call or key
	MaxBody = 1 << 20 // of a body or proof
)

// Fits says that a row can be stored.
func (r *Row) Fits() bool {
	return len(r.Body) <= MaxBody && len(r.Proof) <= MaxBody && len(r.Kind) <= MaxName && len(r.Line) <= MaxName &&
		len(r.Account) <= MaxName && len(r.Call) <= MaxName && len(r.Key) <= MaxName
}

// Trim cuts names from unknown sources to what can be indexed. It is false when the row still cannot be stored.
func (r *Row) Trim() bool {
	for _, s := range []*string{&r.Kind, &r.Line, &r.Account} {
		*s = (*s)[:min(len(*s), MaxName)]
	}
	return r.Fits()
}

// AboutInstalment says that a message in a case is about an instalment of its plan.
const AboutInstalment = "instalment"

// ByAnswer is who did what the answer to a notice asked for, as facts and mails say it.
const ByAnswer = "the answer to a notice"

// ByCode is who locked a line whose panic code was dialled on one of its phones.
const ByCode = "a phone of the line, which dialled the panic code"

// ByForwardCode is who forwarded the calls of a line whose code was dialled on one of its phones.
const ByForwardCode = "a phone of the line, which dialled a code"

// Subject is whom a fact is about; each may be empty.
type Subject struct {
	Line    string
	Account string
	Call    call.ID
}

// Body is a fact of some kind.
type Body interface {
	Kind() string
	Append(b []byte) []byte
	Decode(body []byte) error
	Row(at time.Time, s Subject) Row
}

// OfBook says that facts of a kind tell of a change to customers, their contacts and lines, trunks, requests, decks, what restricts every line, or
// hot lists, or to which numbers a customer has proved.
func OfBook(kind string) bool {
	switch Noun(kind) {
	case "customer", "contact", "line", "setting", "password", "trunk", "request", "deck", "everybody", "hotlist", "number":
		return true
	}
	return false
}

// Noun is what a kind begins with: what has changed, of those of OfBook.
func Noun(kind string) string {
	noun, _, _ := strings.Cut(kind, ".")
	return noun
}

// EachCall are the kinds that every call writes. The journal's index by kind leaves them out.
var EachCall = [...]string{KindCallAdmitted, KindCallAnswered, KindSliceHeld, KindCallSettled, KindCallRefused}

// History are the kinds that a customer's history has: what was changed, who signed in, and which devices came. The journal has an
// index of them by customer, which names them too: a kind is added here with a migration.
var History = [...]string{
	KindCustomerAdded, KindCustomerChanged, KindNumberCodeWrong, KindNumberProved, KindContactAdded, KindContactChanged, KindContactDeleted,
	KindLineAdded, KindLineChanged, KindSettingChanged, KindLineLocked, KindLineUnlocked, KindLineDeleted, KindPasswordChanged,
	KindRequestMade, KindRequestGranted, KindRequestRefused, KindLoginAdmitted, KindLoginReleased, KindDeviceNew, KindDeviceMoved, KindDeviceVerdict,
	KindCallsVouched, KindFraudReported, KindLinkDone, KindPersonAdded, KindPersonChanged, KindPersonRemoved, KindPersonLink, KindPersonEntered,
	KindPersonRefused, KindPersonLeft, KindPasskeyAdded, KindPasskeyRemoved, KindTokenAdded, KindTokenRemoved,
	KindChangeWaiting, KindChangeStopped, KindChangeHurried, KindChangeMade, KindChangeFailed, KindPrivacyExported, KindPrivacyErasing, KindPrivacyErased,
}

// ErrBody says that a body is not what its kind promises.
var ErrBody = errors.New("not a body of this kind of fact")

// Say is a row that is encoded when it is written, so that no call waits for that. f must not change any more.
func Say(f Body, at time.Time, s Subject) Row {
	return Row{At: at, Kind: f.Kind(), Line: s.Line, Account: s.Account, Call: s.Call, Said: f}
}

// Encode makes a row of Say one that can be stored. Others stay as they are.
func (r *Row) Encode() {
	if r.Said != nil {
		*r = r.Said.Row(r.At, Subject{Line: r.Line, Account: r.Account, Call: r.Call})
	}
}

func row(at time.Time, kind string, version int, key string, s Subject, body []byte) Row {
	return Row{At: at, Kind: kind, Version: version, Key: key, Line: s.Line, Account: s.Account, Call: s.Call, Body: body}
}

// buffer has room for most bodies, so that a fact costs one allocation.
func buffer() []byte { return make([]byte, 0, 512) }
