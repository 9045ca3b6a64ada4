// Package api holds what is said over the admin API: requests and answers with their JSON names, and the list of routes.
// The server (edge/rest), its client (edge/rest/client) and the CLI share it. It must not know the book, stores or HTTP.
//
// # Money, rates and time
//
// Amounts are integers in millionths of the billing currency and named *_micro. Rates are integers in billionths of it per
// minute and named *_nano. Beside each that people read stands a text: "£12.50", "2p a minute". Durations are integer
// seconds named *_seconds (call records: exact nanoseconds named *_ns). Instants are RFC 3339: by the customer's clocks where
// they are of a customer's day, with the offset, else in UTC. Instants that are asked for may also be words ("friday",
// "2026-12-01 18:00"), which are read in the zone of the customer they are about, else the provider's. Programs use the
// integers, people the texts; nothing is a float.
//
// # Routes
//
// Where a line or customer is named, by {id}, in a query or in a body, its identity ("2001~x7k2m9qp") is taken too: it tells
// apart those that have had one id, one after the other. A list of what belongs to none that there is, is 422 unknown-name.
//
// Bodies and answers are JSON unless said otherwise. Errors are application/problem+json ([Problem]).
//
//	GET    /v1/customers            ?after=&limit=            → List[Customer]
//	POST   /v1/customers            NewCustomer               → 201 Customer
//	POST   /v1/customers/import     ?dry_run=&grant=  text/csv, ≤ 16 MiB → PeopleImport; 422 Problem with every fault
//	GET    /v1/customers/{id}                                 → Customer
//	PATCH  /v1/customers/{id}       PatchCustomer             → Customer
//	DELETE /v1/customers/{id}                                 → 204 (409 while it has lines)
//
//	POST   /v1/customers/{id}/lock  Lock                      → CustomerLocked (every line)
//	POST   /v1/customers/{id}/unlock                          → CustomerLocked (those that were locked with it)
//	GET    /v1/registrations        ?line=&customer=&after=&limit= → List[Registration] by line (this node's)
//
//	GET    /v1/lines                ?customer=&after=&limit=  → List[Line]
//	POST   /v1/lines                NewLine                   → 201 Created (the generated password, once)
//	POST   /v1/lines/import         ?dry_run=&grant=  text/csv, ≤ 16 MiB → PeopleImport (generated passwords, once)
//	GET    /v1/lines/{id}                                     → LineDetail
//	PATCH  /v1/lines/{id}           PatchLine                 → LineDetail
//	DELETE /v1/lines/{id}                                     → 204 (its calls are cut)
//	POST   /v1/lines/{id}/password  SetPassword               → Password (a generated one, once)
//	POST   /v1/lines/{id}/lock      Lock                      → Locked
//	POST   /v1/lines/{id}/unlock                              → Unlocked (with what still keeps its phones out)
//	POST   /v1/lines/{id}/requests  NewRequest                → 201 Request
//
//	GET    /v1/removed/lines        ?id=                      → List[Removed], the last removed first
//	GET    /v1/removed/customers    ?id=                      → List[Removed]
//
//	GET    /v1/lines/{id}/devices                             → List[Device], the one seen last first
//	POST   /v1/lines/{id}/devices/verdict Verdict             → List[Device]
//	GET    /v1/lines/{id}/usage                               → Usage
//	GET    /v1/customers/{id}/usage                           → Usage
//	GET    /v1/customers/{id}/contacts                        → List[Contact]
//	POST   /v1/customers/{id}/contacts    NewContact          → 201 Contact
//	PATCH  /v1/customers/{id}/contacts/{contact} PatchContact → Contact
//	DELETE /v1/customers/{id}/contacts/{contact}              → 204
//
//	GET    /v1/requests             ?state=open|granted|refused&before=&limit= → List[Request]
//	POST   /v1/requests/{id}/grant  Grant                     → Request
//	POST   /v1/requests/{id}/refuse Refuse                    → Request
//
//	GET    /v1/trunks                                         → List[Trunk]
//	POST   /v1/trunks               NewTrunk                  → 201 Trunk
//	GET    /v1/trunks/{name}                                  → Trunk
//	PATCH  /v1/trunks/{name}        PatchTrunk                → Trunk
//	POST   /v1/trunks/{name}/test                             → TrunkTest (OPTIONS to each address; no call is made)
//	DELETE /v1/trunks/{name}                                  → 204
//
//	GET    /v1/decks                                          → List[Deck] (every version, newest first)
//	POST   /v1/decks/{name}/import  ?kind=retail|cost&dry_run=&skip_blank=&source=
//	                                &pence=&dates=&currency=&first=&step=
//	                                text/csv, ≤ 64 MiB        → Import; 422 Problem with every fault in errors
//	POST   /v1/decks/reload                                   → List[Deck] in force, read again from the store
//	DELETE /v1/decks/{name}                                   → 204; 409 in-use says by what
//	GET    /v1/decks/{name}/diff    ?from=&to=&at=&after=&limit=        → DeckDiff (from 0: the one before to; to 0: in force)
//	GET    /v1/decks/{name}/rows    ?prefix=&version=&after=&limit= → List[Price]
//
//	POST   /v1/decide               DecideRequest             → Decision (nothing is called or held)
//	GET    /v1/calls                ?line=                    → List[Call]
//	GET    /v1/calls/{id}                                     → Call
//	DELETE /v1/calls/{id}           ?why=                     → 202 Call (both legs are hung up)
//	GET    /v1/trace                ?line= or ?call=, &for_seconds=&messages= → application/jsonl of TraceMessage, as they come
//	GET    /v1/cdrs                 ?line=&customer=&sides=payer|both&country=&number=&reason=&direction=
//	                                &from=&until=&before=&limit=&format=json|csv|jsonl
//	                                → List[CDR], newest first, refused calls too; csv (also by Accept: text/csv) and jsonl
//	                                  (application/jsonl) stream everything that fits the filters
//	GET    /v1/cdrs/{id}                                      → CDR
//	GET    /v1/journal              ?line=&call=&kind=&from=&until=&after=&limit= → List[Fact], oldest first (kind is a prefix);
//	                                with order=newest and before= the newest first
//
//	GET    /v1/bans                 ?by=&within=&after=&limit= → List[Ban] by address (by: auto, manual, feed, or a name)
//	POST   /v1/bans                 NewBan                    → 201 Ban (409 spared: a customer is in there)
//	DELETE /v1/bans                 ?net=&why=                → Ban as it was
//	GET    /v1/bans/why             ?address=                 → BanAnswer
//	POST   /v1/bans/import          ?name=&format=&until=&dry_run=
//	                                text, ≤ 64 MiB            → BanImport; 422 Problem with faults by line and column
//	DELETE /v1/bans/imports/{name}                            → BanImport (the whole list is lifted)
//	GET    /v1/bans/export          ?format=text|csv|json&by=&within= → the list
//	GET    /v1/feeds                                          → List[Feed]
//	POST   /v1/feeds/{name}/refresh                           → Feed (its fault says if it could not be had)
//	GET    /v1/lockouts             ?after=&limit=            → List[Lockout], those that end last first
//	POST   /v1/lockouts/release     Release                   → Released
//	GET    /v1/geo                  ?address=                 → Place
//
//	GET    /v1/findings             ?line=&customer=&kind=&open=&before=&limit= → List[Finding], newest first
//	GET    /v1/findings/{id}                                  → Finding with meaning, advice and evidence
//	POST   /v1/findings/{id}/notes  NewNote                   → 201 Finding
//	POST   /v1/findings/{id}/close                            → Finding (409 when it was closed before)
//	GET    /v1/notices              ?line=&customer=&kind=&state=&before=&limit= → List[Notice], newest first
//	GET    /v1/notices/{id}                                   → NoticeDetail
//	POST   /v1/notices/{id}/resend  Resend                    → Notice (a new one, or the same once more)
//	POST   /v1/notices/test         NoticeTest                → 202 Notice
//	GET    /v1/notices/kinds                                  → List[NoticeKind]
//	GET    /v1/notices/kinds/{kind}                           → NoticePreview
//	GET    /v1/webhook-key                                    → WebhookKey
//
//	GET    /v1/check                                          → Check
//	POST   /v1/keys/rotate                                    → Rotated
//	GET    /v1/status                                         → Status
//	GET    /openapi.json, /openapi.yaml                       → the OpenAPI 3.1 description
package api

import (
	"encoding/json"
	"strconv"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/money"
)

// List is one page. Next, when not empty, is the value of the query parameter (after, or before for records) that
// continues it.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"continue with this as after= (cdrs and requests: before=)"`
}

// Problem is an error as told to a client (RFC 9457). It is an error.
type Problem struct {
	Type   string  `json:"type,omitempty" doc:"about:blank, or ringfence:REASON"`
	Title  string  `json:"title" doc:"the HTTP status in words"`
	Status int     `json:"status"`
	Reason string  `json:"reason" doc:"a code that never changes: invalid, not-found, exists, in-use, weak-password, bad-token, …"`
	Detail string  `json:"detail" doc:"what is wrong and what to do, in a sentence"`
	Errors []Fault `json:"errors,omitempty" doc:"each fault, when there are several"`
	// Questions are what a person must settle before a deck is taken (reason unconfirmed).
	Questions []Question `json:"questions,omitempty"`
}

// Error is the detail, so that a client can print it as it is.
func (p *Problem) Error() string {
	switch {
	case p.Detail != "":
		return p.Detail
	case p.Title != "":
		return p.Title
	}
	return "the server answered " + strconv.Itoa(p.Status)
}

// Reasons of problems. Part of the API: they never change.
const (
	ReasonInvalid       = "invalid"        // 422: a field; errors says which
	ReasonBadRequest    = "bad-request"    // 400: not JSON, unknown parameter
	ReasonWeakPassword  = "weak-password"  // 422: errors gives each reason
	ReasonLooser        = "needs-grant"    // 403: looser than what stands above; ask for it, or grant it
	ReasonNotFound      = "not-found"      // 404
	ReasonUnknown       = "unknown-name"   // 422: a list of what belongs to a line or customer that there is not
	ReasonExists        = "exists"         // 409
	ReasonInUse         = "in-use"         // 409
	ReasonDeckFaults    = "deck-faults"    // 422: nothing was imported; errors has line and column
	ReasonUnconfirmed   = "unconfirmed"    // 409: nothing was imported yet; questions says what to settle
	ReasonNotPermitted  = "not-permitted"  // 403: this token may not do that
	ReasonImportFaults  = "import-faults"  // 422: nothing was imported; errors has line and column
	ReasonTooLarge      = "too-large"      // 413
	ReasonMediaType     = "media-type"     // 415
	ReasonToken         = "bad-token"      // 401
	ReasonTokens        = "bad-tokens"     // 429: too many of them
	ReasonForeign       = "foreign-origin" // 403: sent by a page, or to a name that is not ours
	ReasonStore         = "store-unavailable"
	ReasonInternal      = "internal"
	ReasonMethod        = "method-not-allowed"
	ReasonNotAcceptable = "not-acceptable"
)

// Question is something that a person must settle before a deck takes effect.
type Question struct {
	Code     string   `json:"code" doc:"a code that never changes: lost-decimal, dates, …"`
	Text     string   `json:"text" doc:"what will happen, in a sentence"`
	Examples []string `json:"examples,omitempty" doc:"rows that show it, the worst first"`
	Flag     string   `json:"flag,omitempty" doc:"the query parameter that answers it; absent: yes=true does"`
	Choices  []string `json:"choices,omitempty" doc:"the values that the parameter may have"`
}

// Fault is one thing wrong in a request or a deck.
type Fault struct {
	Field  string `json:"field,omitempty" doc:"the JSON field, query parameter or deck column"`
	Line   int    `json:"line,omitempty" doc:"line of a deck, from 1"`
	Column int    `json:"column,omitempty" doc:"column of a deck, from 1"`
	Found  string `json:"found,omitempty"`
	Want   string `json:"want,omitempty"`
	Text   string `json:"text" doc:"the fault in a sentence"`
}

// PeopleImport answers an import of customers or lines.
type PeopleImport struct {
	DryRun    bool       `json:"dry_run"`
	Added     int        `json:"added" doc:"with dry_run: that would be"`
	Passwords []Password `json:"passwords" doc:"generated ones, this once"`
}

// Setting is one field of the settings as it is in force, with the link of the chain it came from.
type Setting struct {
	Field   string    `json:"field" doc:"national-ceiling, international-ceiling, premium, satellite, personal, pager, max-calls, …"`
	N       int64     `json:"n" doc:"the value in unit"`
	Unit    string    `json:"unit" enum:"nano_per_minute,micro,count,seconds,flag"`
	Text    string    `json:"text" doc:"for people: 20p a minute, £50.00, 4h, on"`
	From    string    `json:"from" enum:"default,provider,customer,line" doc:"where the value came from"`
	Own     bool      `json:"own" doc:"set at the level that was asked for"`
	Granted bool      `json:"granted,omitempty" doc:"staff allowed it to be looser than what stands above"`
	Until   time.Time `json:"until,omitzero" doc:"when the grant ends by itself"`
}

// Change sets, grants or removes one field of the settings.
type Change struct {
	Field string `json:"field" maxLength:"40"`
	Value string `json:"value" maxLength:"40" doc:"as people write it: 5p, £20, 12, 4h, on, off; \"inherit\" removes the link's own word"`
	Grant bool   `json:"grant,omitempty" doc:"staff allow it to be looser than what stands above"`
	Until string `json:"until,omitempty" maxLength:"40" doc:"with grant: when it ends by itself; a time, or as people write it in the customer's zone: friday, 2026-12-01 (that day included), 2026-12-01 18:00, +3d"`
}

// NetLock is the IP lock of one link; a source must be in the lock of every link that has one.
type NetLock struct {
	From string   `json:"from" enum:"provider,customer,line"`
	Nets []string `json:"nets" doc:"addresses and networks, IPv4 and IPv6"`
}

// Customer owns lines and pays.
type Customer struct {
	ID       string    `json:"id"`
	Identity string    `json:"identity" doc:"what its money and records are kept under; never used again, as its id may be"`
	Name     string    `json:"name"`
	Zone     string    `json:"zone" doc:"IANA time zone in force"`
	Tariff   string    `json:"tariff" doc:"retail deck in force"`
	Nets     []string  `json:"nets" doc:"IP lock at this level"`
	Courtesy string    `json:"courtesy,omitempty" enum:"both,user-agent,off" doc:"of what new thing in logins owners are told, for lines that do not say; absent: both"`
	Settings []Setting `json:"settings,omitempty" doc:"all fields as in force at this level; absent in lists"`
	Purses   []Purse   `json:"purses,omitempty" doc:"today's and this month's money; absent in lists"`
	Lines    int       `json:"lines"`
	Created  time.Time `json:"created"`
}

// NewCustomer is a customer to add.
type NewCustomer struct {
	ID     string   `json:"id" maxLength:"40" doc:"a-z, 0-9 and -; 1 to 40"`
	Name   string   `json:"name,omitempty" maxLength:"200"`
	Zone   string   `json:"zone,omitempty" maxLength:"64" doc:"IANA time zone; empty is the provider's"`
	Tariff string   `json:"tariff,omitempty" maxLength:"64" doc:"retail deck; empty is the provider's"`
	Nets   []string `json:"nets,omitempty" maxItems:"256"`
	Set    []Change `json:"set,omitempty" maxItems:"64"`

	Courtesy string `json:"courtesy,omitempty" enum:"both,user-agent,off,inherit"`
}

// PatchCustomer changes what is present in it, all or nothing.
type PatchCustomer struct {
	Name   *string   `json:"name,omitempty" maxLength:"200"`
	Zone   *string   `json:"zone,omitempty" maxLength:"64"`
	Tariff *string   `json:"tariff,omitempty" maxLength:"64"`
	Nets   *[]string `json:"nets,omitempty" maxItems:"256" doc:"replaces the IP lock; [] opens it"`
	Set    []Change  `json:"set,omitempty" maxItems:"64"`

	Courtesy *string `json:"courtesy,omitempty" enum:"both,user-agent,off,inherit" doc:"inherit: both"`
}

// Line is a number with SIP credentials. The password is never in it.
type Line struct {
	ID        string    `json:"id" doc:"the SIP user name"`
	Identity  string    `json:"identity" doc:"what its money and records are kept under; never used again, as its id may be"`
	Customer  string    `json:"customer"`
	Number    string    `json:"number" doc:"E.164 with +; empty is none"`
	Name      string    `json:"name"`
	Login     bool      `json:"login" doc:"has a password, so that a phone can log in"`
	Locked    bool      `json:"locked"`
	LockWhy   string    `json:"lock_why,omitempty"`
	LockCalls string    `json:"lock_calls,omitempty" enum:"end,cut,keep" doc:"of a locked line, what becomes of calls in progress that cost: end: nothing more is bought, and they end when their paid time ends, within a minute; cut: they end at once; keep: they go on, and may still cost up to the caps"`
	Created   time.Time `json:"created"`
	Courtesy  string    `json:"courtesy" enum:"both,user-agent,off" doc:"of what new thing in its logins the owner is told, as in force"`
	Own       bool      `json:"own_courtesy,omitempty" doc:"the line says so itself, not its customer"`
	Honeypot  bool      `json:"honeypot,omitempty" doc:"nobody's: any login to it is an attack"`
}

// LineDetail is a line with all that staff want to see of it at once.
type LineDetail struct {
	Line
	Settings []Setting `json:"settings"`
	Nets     []NetLock `json:"nets"`
	Phones   []Phone   `json:"phones"`
	Calls    []Call    `json:"calls"`
	Purses   []Purse   `json:"purses" doc:"the line's and its customer's, today's and this month's"`
	Zone     string    `json:"zone"`
	Tariff   string    `json:"tariff"`
}

// Removed is a line or customer that is gone. What is kept of it can be asked for by its identity in place of an id.
type Removed struct {
	ID       string          `json:"id" doc:"what it was called; another may be called so now"`
	Identity string          `json:"identity"`
	Customer string          `json:"customer,omitempty" doc:"of a line: whose it was"`
	Account  string          `json:"customer_identity,omitempty"`
	Until    time.Time       `json:"until" doc:"when it was removed"`
	Body     json.RawMessage `json:"body,omitempty" doc:"of the journal: who removed it, and what it was"`
}

// NewLine is a line to add. Without a password one is generated and returned once.
type NewLine struct {
	ID         string   `json:"id" maxLength:"64" doc:"the SIP user name: a-z, A-Z, 0-9, . _ -"`
	Customer   string   `json:"customer" maxLength:"40"`
	Number     string   `json:"number,omitempty" maxLength:"40" doc:"as people write it: 020 7946 0000, +442079460000"`
	Name       string   `json:"name,omitempty" maxLength:"200"`
	Password   string   `json:"password,omitempty" maxLength:"128" doc:"empty: one is generated"`
	NoPassword bool     `json:"no_password,omitempty" doc:"the line cannot log in"`
	Nets       []string `json:"nets,omitempty" maxItems:"256" doc:"IP lock"`
	Courtesy   string   `json:"courtesy,omitempty" enum:"both,user-agent,off,inherit"`
	Honeypot   bool     `json:"honeypot,omitempty"`
	Set        []Change `json:"set,omitempty" maxItems:"64"`
}

// Created is a new line and, when it was generated, its password. It cannot be read again.
type Created struct {
	Line     Line   `json:"line"`
	Password string `json:"password,omitempty" doc:"shown once"`
}

// PatchLine changes what is present in it, all or nothing.
type PatchLine struct {
	Name   *string   `json:"name,omitempty" maxLength:"200"`
	Number *string   `json:"number,omitempty" maxLength:"40" doc:"empty removes it"`
	Nets   *[]string `json:"nets,omitempty" maxItems:"256" doc:"replaces the line's own IP lock; [] opens it"`
	Set    []Change  `json:"set,omitempty" maxItems:"64"`

	Courtesy *string `json:"courtesy,omitempty" enum:"both,user-agent,off,inherit" doc:"inherit: as the customer says"`
	Honeypot *bool   `json:"honeypot,omitempty" doc:"nobody's: any login to it is an attack; its phones are dropped"`
}

// SetPassword gives a line a password; an empty one generates it. Phones that are registered are dropped.
type SetPassword struct {
	Password string `json:"password,omitempty" maxLength:"128"`
}

// Password answers a change of password. The value is there only when it was generated, and only this once.
type Password struct {
	Line      string `json:"line"`
	Password  string `json:"password,omitempty" doc:"shown once"`
	Generated bool   `json:"generated"`
}

// Lock closes a line to all but emergency calls.
type Lock struct {
	Why       string `json:"why" maxLength:"200" doc:"for staff and the customer; required"`
	Cut       bool   `json:"cut,omitempty" doc:"cut its calls in progress at once; else they end when their paid time ends, within a minute. Free and emergency calls go on"`
	KeepCalls bool   `json:"keep_calls,omitempty" doc:"let its calls in progress go on, and go on costing up to the caps; not with cut"`
}

// Locked is a line that was just locked, and what that does to its calls in progress.
type Locked struct {
	Line
	Calls LockedCalls `json:"calls_in_progress"`
}

// Unlocked answers an unlock with what still keeps the line's phones out.
type Unlocked struct {
	Line
	Opened  bool      `json:"opened" doc:"false: it was open already"`
	Blocked []Blocked `json:"blocked"`
}

// Blocked is something that keeps a line's phones out although the line is open.
type Blocked struct {
	What string `json:"what"`
	Undo string `json:"undo" doc:"the command that undoes it"`
}

// CustomerLocked answers a lock or unlock of all lines of a customer.
type CustomerLocked struct {
	Customer string `json:"customer"`
	Locked   int    `json:"locked" doc:"lines that are locked with the customer now"`
	Opened   int    `json:"opened" doc:"lines that were opened"`
	Left     int    `json:"left" doc:"lines that are locked for a reason of their own, and stay so"`
}

// Registration is a registered phone and whose it is.
type Registration struct {
	Line     string `json:"line"`
	Customer string `json:"customer"`
	Phone
}

// LockedCalls counts the calls that a lock met on all nodes.
type LockedCalls struct {
	Cut    int    `json:"cut" doc:"end at once; without cut these are paid calls that were not answered yet"`
	Ending int    `json:"ending" doc:"end when their paid time ends, within a minute"`
	Kept   int    `json:"kept" doc:"go on, and may still cost up to the caps"`
	Free   int    `json:"free" doc:"cost the line nothing, and go on"`
	Text   string `json:"text" doc:"the same in words"`
}

// Phone is a registered contact.
type Phone struct {
	Contact   string    `json:"contact"`
	Received  string    `json:"received" doc:"address:port it is reached at"`
	Transport string    `json:"transport"`
	UserAgent string    `json:"user_agent"`
	Since     time.Time `json:"since"`
	Expires   time.Time `json:"expires"`
	Seen      time.Time `json:"seen" doc:"when it registered last"`
}

// Purse is money that may be spent in a period.
type Purse struct {
	Owner  string `json:"owner" enum:"line,account"`
	Period string `json:"period" enum:"day,month"`
	Which  string `json:"which" doc:"the day or month: 2026-11-22, 2026-11"`
	Cap    int64  `json:"cap_micro"`
	Spent  int64  `json:"spent_micro"`
	Held   int64  `json:"held_micro" doc:"held for calls in progress"`
	Left   int64  `json:"left_micro"`
	Text   string `json:"text" doc:"£3.20 of £50.00 spent, £0.40 held"`
}

// TraceMessage is a SIP message of a trace, or with end the last of its lines.
type TraceMessage struct {
	At        time.Time `json:"at,omitzero"`
	Direction string    `json:"direction,omitempty" enum:"in,out"`
	Peer      string    `json:"peer,omitempty" doc:"address:port it came from or went to"`
	Transport string    `json:"transport,omitempty"`
	Text      string    `json:"text,omitempty" doc:"the message without secrets"`
	End       string    `json:"end,omitempty" doc:"why the trace ended"`
	Missed    int       `json:"missed,omitempty" doc:"with end: messages that came faster than they were taken"`
}

// Deck is one version of a table of prices. The highest version of a name is in force.
type Deck struct {
	Name     string    `json:"name"`
	Kind     string    `json:"kind" enum:"retail,cost"`
	Version  int64     `json:"version"`
	Rows     int64     `json:"rows"`
	InForce  bool      `json:"in_force"`
	Imported time.Time `json:"imported"`
	By       string    `json:"by"`
	Source   string    `json:"source" doc:"file name"`
	Currency string    `json:"currency" doc:"what the prices are in"`
	Exchange string    `json:"exchange,omitempty" doc:"at what rate they were converted to it: USD=0.79"`
	Mapping  string    `json:"mapping,omitempty" doc:"columns that were named by hand, one to a line"`
}

// Price is one row of a deck.
type Price struct {
	Prefix   string    `json:"prefix" doc:"digits, country code first, or a short number"`
	Short    bool      `json:"short,omitempty" doc:"a short number of the home plan"`
	Name     string    `json:"name"`
	Connect  int64     `json:"connect_micro"`
	Minimum  int64     `json:"minimum_micro"`
	First    int       `json:"first_seconds"`
	Step     int       `json:"step_seconds"`
	Peak     int64     `json:"peak_nano"`
	OffPeak  int64     `json:"off_peak_nano"`
	Weekend  int64     `json:"weekend_nano"`
	From     time.Time `json:"from,omitzero" doc:"calls from then on have it; absent: it has no beginning"`
	Until    time.Time `json:"until,omitzero" doc:"calls from then on have it no more; absent: it has no end"`
	Unpriced bool      `json:"unpriced,omitempty" doc:"the deck says that there is no price; a shorter prefix does not price these numbers either"`
	Text     string    `json:"text" doc:"2p a minute + 5p to connect, by 60 s then 1 s"`
}

// Import says what a deck file held and, unless dry_run, that it is now in force.
type Import struct {
	Name      string     `json:"name"`
	Kind      string     `json:"kind" enum:"retail,cost"`
	Version   int64      `json:"version" doc:"the new version; 0 on a dry run"`
	DryRun    bool       `json:"dry_run"`
	Rows      int        `json:"rows"`
	Skipped   int        `json:"skipped" doc:"rows without a price, left out because of skip_blank"`
	Countries int        `json:"countries"`
	Cheapest  *Price     `json:"cheapest,omitempty"`
	Dearest   *Price     `json:"dearest,omitempty"`
	Layout    string     `json:"layout" doc:"separator, header and number form as understood"`
	Added     int        `json:"added" doc:"prefixes that the version before had not"`
	Removed   int        `json:"removed"`
	Changed   int        `json:"changed" doc:"prices that are not what they were: dearer, cheaper or only renamed"`
	Dearer    int        `json:"dearer"`
	Cheaper   int        `json:"cheaper"`
	Outliers  []Outlier  `json:"outliers" doc:"rows that look like a slip, such as a lost decimal point; imported all the same"`
	Covers    string     `json:"covers,omitempty" doc:"what prefixes price besides what they stand for: 1=US,CA,PR"`
	Unpriced  []Unpriced `json:"unpriced" doc:"what has no price, although the version before had one or the digits begin with a row; the dearest country first"`
	BelowCost []string   `json:"below_cost" doc:"destinations that cost more than they bring, the greatest loss first"`
	Notes     []string   `json:"notes,omitempty" doc:"anything else worth knowing, in sentences"`
	Questions []Question `json:"questions,omitempty" doc:"what was settled by yes=true, or must be before the deck is taken"`
}

// Unpriced is a country of which some kinds of number have no price.
type Unpriced struct {
	Country   string `json:"country"`
	Kinds     string `json:"kinds" doc:"fixed, mobile, premium, …"`
	Was       bool   `json:"was" doc:"the version before had a price"`
	Name      string `json:"name,omitempty" doc:"as the deck that asks most for it names it"`
	PerMinute int64  `json:"per_minute_nano" doc:"the most that any deck asks; 0 is unknown"`
	Text      string `json:"text"`
}

// Outlier is a price far from its neighbours.
type Outlier struct {
	Line int    `json:"line" doc:"line of the file, from 1"`
	Kind string `json:"kind" doc:"dear, cheap, free, premium, nowhere"`
	Text string `json:"text" doc:"the prefix, its name and what is odd about it, in a sentence"`
}

// DeckDiff is what changed between two versions of a deck.
type DeckDiff struct {
	Name    string  `json:"name"`
	From    int64   `json:"from"`
	To      int64   `json:"to"`
	Added   int     `json:"added"`
	Removed int     `json:"removed"`
	Changed int     `json:"changed" doc:"dearer, cheaper, or only renamed or moved in time"`
	Dearer  int     `json:"dearer"`
	Cheaper int     `json:"cheaper"`
	Rows    []Delta `json:"rows" doc:"by prefix; at most limit of them"`
	Next    string  `json:"next,omitempty" doc:"continue with this as after="`
}

// Delta is one prefix in two versions; before or after is absent when it was not there.
type Delta struct {
	Prefix string `json:"prefix"`
	Before *Price `json:"before,omitempty"`
	After  *Price `json:"after,omitempty"`
}

// DecideRequest asks what would come of a call. Nothing is called, held or counted.
type DecideRequest struct {
	Line string `json:"line" maxLength:"64"`
	To   string `json:"to" maxLength:"128" doc:"digits as dialled"`
	From string `json:"from,omitempty" maxLength:"64" doc:"source address; absent: one that every IP lock lets pass"`
	At   string `json:"at,omitempty" maxLength:"40" doc:"a time, or as people write it in the customer's zone: friday 18:00, 2026-12-25 (its first instant), +3d; absent: now"`
}

// Figures are the numbers behind a reason, in unit, and for people.
type Figures struct {
	Unit      string `json:"unit" enum:"none,nano_per_minute,micro,count,seconds,flag" doc:"what the figures count"`
	Limit     int64  `json:"limit"`
	Value     int64  `json:"value"`
	Pass      int64  `json:"pass" doc:"what would have passed; 0: nothing would"`
	LimitText string `json:"limit_text,omitempty"`
	ValueText string `json:"value_text,omitempty"`
	PassText  string `json:"pass_text,omitempty"`
	Waiting   int64  `json:"waiting_micro,omitempty" doc:"of value: what calls of this node hold of the purse while they ring or are ending"`
	Ringing   int64  `json:"ringing_calls,omitempty" doc:"how many of these calls ring"`
	Ending    int64  `json:"ending_calls,omitempty" doc:"how many are over, with a leg that has not confirmed it yet"`
}

// Decision is a verdict with everything behind it.
type Decision struct {
	Allowed     bool      `json:"allowed"`
	Reason      string    `json:"reason" doc:"ok, over-international-ceiling, …"`
	Text        string    `json:"text" doc:"the reason in a sentence, with figures and what would pass"`
	SIPStatus   int       `json:"sip_status,omitempty" doc:"what the phone would be told"`
	Figures     Figures   `json:"figures"`
	Always      bool      `json:"always,omitempty" doc:"emergency: connected whatever fails"`
	Dialled     string    `json:"dialled"`
	Number      string    `json:"number,omitempty" doc:"E.164 with +, or a short number; absent when the digits are no number"`
	Class       string    `json:"class,omitempty"`
	Country     string    `json:"country,omitempty"`
	National    bool      `json:"national"`
	Caller      string    `json:"caller,omitempty" enum:"withheld,presented" doc:"what a code before the number says of the caller's number: 141 or 1470"`
	Relay       string    `json:"relay,omitempty" doc:"the code that the carrier is sent before the number: 18001 or 18002, text relay"`
	Price       *Price    `json:"price,omitempty" doc:"absent: the destination has none"`
	FirstMinute int64     `json:"first_minute_micro"`
	FirstText   string    `json:"first_minute,omitempty" doc:"the same for people"`
	Longest     int64     `json:"longest_seconds,omitempty"`
	Ways        []string  `json:"ways,omitempty" doc:"trunks in the order they would be tried"`
	Steps       []Step    `json:"steps"`
	At          time.Time `json:"at"`
}

// Step is one rule of a decision.
type Step struct {
	Reason  string  `json:"reason" doc:"the refusal this rule can give"`
	Passed  bool    `json:"passed"`
	Pending bool    `json:"pending,omitempty" doc:"checked at the instant of connection; value is the present state"`
	Text    string  `json:"text"`
	Figures Figures `json:"figures"`
	From    string  `json:"from" enum:"default,provider,customer,line" doc:"where the setting came from"`
}

// Call is a call in progress.
type Call struct {
	ID        string    `json:"id"`
	Direction string    `json:"direction" enum:"out,in,between"`
	State     string    `json:"state" enum:"setup,ringing,answered,ending" doc:"ending: over for both parties, with a leg that has not confirmed it yet; what it holds stays held"`
	Node      string    `json:"node"`
	Line      string    `json:"line"`
	LineID    string    `json:"line_identity"`
	Customer  string    `json:"customer"`
	Account   string    `json:"customer_identity"`
	Peer      string    `json:"peer,omitempty"`
	Trunk     string    `json:"trunk,omitempty"`
	Dialled   string    `json:"dialled"`
	Number    string    `json:"number"`
	Class     string    `json:"class"`
	Country   string    `json:"country"`
	Source    string    `json:"source"`
	UserAgent string    `json:"user_agent,omitempty"`
	Name      string    `json:"destination"`
	PerMinute int64     `json:"per_minute_nano"`
	Held      int64     `json:"held_micro" doc:"what it holds of each purse, from before it rings until it is over on both legs"`
	SoFar     int64     `json:"so_far_micro" doc:"cost if it ended now"`
	Text      string    `json:"text" doc:"3m12s at 2p a minute, £0.07 so far"`
	PaidFor   int64     `json:"paid_for_seconds"`
	Longest   int64     `json:"longest_seconds"`
	Talk      int64     `json:"talk_seconds"`
	Begun     time.Time `json:"begun"`
	Ringing   time.Time `json:"ringing,omitzero"`
	Answered  time.Time `json:"answered,omitzero"`
	Cutting   bool      `json:"cutting,omitempty" doc:"told to end; still hanging up"`
	Priced    bool      `json:"priced,omitempty" doc:"over, and what it costs is in the list of records: a phone has yet to confirm its end"`
	Ending    bool      `json:"ending,omitempty" doc:"its line is locked: no more talk time is bought, and it ends when its paid time ends, within a minute"`
}

// CDR is a finished call: the record, and its prices for people.
type CDR struct {
	call.CDR
	RetailText string `json:"retail" doc:"£0.07"`
	CostText   string `json:"cost"`
	LineID     string `json:"line_identity" doc:"tells lines apart that have had one id, one after the other"`
	AccountID  string `json:"account_identity"`
}

// NewCDR adds the texts to a record, and calls who is in it by the ids that people know.
func NewCDR(c call.CDR) CDR {
	out := CDR{CDR: c, RetailText: Amount(c.Retail), CostText: Amount(c.Cost), LineID: account.FullIdentity(c.Line), AccountID: account.FullIdentity(c.Account)}
	for _, id := range []*string{&out.Line, &out.Account, &out.Peer, &out.Trunk} {
		*id = account.Handle(*id)
	}
	return out
}

// Fact is one row of the journal.
type Fact struct {
	Seq      int64           `json:"seq"`
	At       time.Time       `json:"at"`
	Kind     string          `json:"kind" doc:"noun.verb: call.refused, setting.changed, …"`
	Line     string          `json:"line,omitempty"`
	LineID   string          `json:"line_identity,omitempty"`
	Customer string          `json:"customer,omitempty"`
	Account  string          `json:"customer_identity,omitempty"`
	Call     string          `json:"call,omitempty"`
	Body     json.RawMessage `json:"body,omitempty"`
}

// Check is what a look over configuration, book and store found.
type Check struct {
	OK    bool        `json:"ok" doc:"no finding is an error"`
	Items []CheckItem `json:"items"`
}

// CheckItem is one finding.
type CheckItem struct {
	What  string `json:"what" doc:"store, money, decks, trunks, book, configuration"`
	Level string `json:"level" enum:"ok,warning,error"`
	Text  string `json:"text" doc:"what was found and what to do"`
}

// Rotated answers a rotation of the key that seals secrets.
type Rotated struct {
	Key     string `json:"key" doc:"name of the new key; not the key"`
	Secrets int    `json:"secrets" doc:"how many were sealed again"`
}

// Status is how this node is doing.
type Status struct {
	Version       string    `json:"version"`
	Node          string    `json:"node"`
	Started       time.Time `json:"started"`
	Uptime        int64     `json:"uptime_seconds"`
	Ready         bool      `json:"ready"`
	Store         string    `json:"store" doc:"ok, or the fault"`
	Engine        string    `json:"engine" enum:"sqlite,postgres"`
	Customers     int       `json:"customers"`
	Lines         int       `json:"lines"`
	Locked        int       `json:"locked_lines"`
	Trunks        int       `json:"trunks"`
	Decks         int       `json:"decks"`
	Registrations int       `json:"registrations"`
	Calls         int       `json:"calls"`
}

// CurrencyHeader of every answer says what its amounts are in.
const CurrencyHeader = "Ringfence-Currency"

// Amount writes an amount for people: "£12.50".
func Amount(a money.Micro) string { return money.Billing().Amount(a) }

// APerMinute writes a rate for people: "2p a minute"; zero is "free".
func APerMinute(r money.Rate) string {
	if r == 0 {
		return "free"
	}
	return money.Billing().Rate(r) + " a minute"
}

// End writes when something ends, by the clocks that it is in; "" is never. A day that is included is named itself, not the
// midnight after it.
func End(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	if h, m, s := t.Clock(); h+m+s == 0 {
		return t.AddDate(0, 0, -1).Format("the end of 2006-01-02 ") + t.Format("-0700")
	}
	return t.Format("2006-01-02 15:04 -0700")
}
