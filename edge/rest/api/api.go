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
// docs/api.md lists the routes. Bodies and answers are JSON unless said otherwise. Errors are application/problem+json ([Problem]).
package api

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/check"
	"ringfence/core/money"
)

// List is one page. Next, when not empty, is the value of the query parameter (after, or before for records) that
// continues it.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"continue with this as after= (cdrs and requests: before=)"`
}

// Problem is an error as a client gets it (RFC 9457). It is an error.
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

// ImportOptions say how a file of customers or lines is taken.
type ImportOptions struct {
	DryRun bool `query:"dry_run" doc:"read and check only" help:"Read and check, but add nothing."`
	Grant  bool `query:"grant" doc:"staff allow settings to be looser than the customer's or provider's" help:"As staff, allow settings looser than the customer's or provider's."`
}

// PeopleImport answers an import of customers or lines.
type PeopleImport struct {
	DryRun    bool       `json:"dry_run"`
	Added     int        `json:"added" doc:"with dry_run: that would be"`
	Passwords []Password `json:"passwords" doc:"generated passwords; shown once"`
}

// Setting is one field of the settings as it is in force, with the link of the chain it came from.
type Setting struct {
	Field   string    `json:"field" doc:"national-ceiling, international-ceiling, premium, satellite, personal, pager, max-calls, …"`
	N       int64     `json:"n" doc:"the value in unit"`
	Unit    string    `json:"unit" enum:"nano_per_minute,micro,count,seconds,flag"`
	Text    string    `json:"text" doc:"for people: 20p a minute, £50.00, 4h, on"`
	From    string    `json:"from" enum:"default,provider,reseller,customer,line" doc:"where the value came from"`
	Own     bool      `json:"own" doc:"set at the level of the request"`
	Granted bool      `json:"granted,omitempty" doc:"staff allowed it to be looser than the level above"`
	Until   time.Time `json:"until,omitzero" doc:"when the grant ends"`
}

// Resource describes settings.
func (Setting) Resource() Resource[Setting] {
	return Resource[Setting]{
		Columns: "setting: field, value: text>, set by: from, : grant=",
		Cells: map[string]func(*Setting) Cell{
			"from":  func(x *Setting) Cell { return Cell{x.From, map[bool]string{false: "dim"}[x.Own]} },
			"grant": (*Setting).grant,
		},
	}
}

func (x *Setting) grant() Cell {
	switch {
	case !x.Granted:
		return Cell{}
	case x.Until.IsZero():
		return Cell{Text: "granted"}
	}
	return Cell{Text: "granted until " + End(x.Until)}
}

// Change sets, grants or removes one field of the settings.
type Change struct {
	Field string `json:"field" maxLength:"40"`
	Value string `json:"value" maxLength:"40" doc:"as people write it: 5p, £20, 12, 4h, on, off; \"inherit\" removes the level's own value"`
	Grant bool   `json:"grant,omitempty" doc:"staff allow it to be looser than the level above"`
	Until string `json:"until,omitempty" maxLength:"40" doc:"with grant: when it ends; a time, or as people write it in the customer's zone: friday, 2026-12-01 (that day included), 2026-12-01 18:00, +3d"`
}

// NetLock is the IP lock of one link; a source must be in the lock of every link that has one.
type NetLock struct {
	From string   `json:"from" enum:"provider,reseller,customer,line"`
	Nets []string `json:"nets" doc:"addresses and networks, IPv4 and IPv6"`
}

// TraceFilter says what is traced, and how long.
type TraceFilter struct {
	Line     string `query:"line" maxLength:"80" arg:"" optional:"" help:"Line, by its name or telephone number." predict:"line"`
	Call     string `query:"call" maxLength:"64" help:"Only this call, on both legs." placeholder:"CALL" predict:"call"`
	For      int    `query:"for_seconds" minimum:"1" maximum:"600" default:"60" kong:"default='1m'" type:"span" help:"Stop after this time, ten minutes at most." placeholder:"LENGTH"`
	Messages int    `query:"messages" minimum:"1" maximum:"5000" default:"200" help:"Stop after this number of messages, 5,000 at most."`
}

// TraceMessage is a SIP message of a trace, or with end the last of its lines.
type TraceMessage struct {
	At        time.Time `json:"at,omitzero"`
	Direction string    `json:"direction,omitempty" enum:"in,out"`
	Peer      string    `json:"peer,omitempty" doc:"address:port it came from or went to"`
	Transport string    `json:"transport,omitempty"`
	Text      string    `json:"text,omitempty" doc:"the message without secrets"`
	End       string    `json:"end,omitempty" doc:"why the trace ended"`
	Missed    int       `json:"missed,omitempty" doc:"with end: messages that were dropped because they came too fast"`
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

// Resource describes findings of a check.
func (CheckItem) Resource() Resource[CheckItem] {
	return Resource[CheckItem]{
		Columns: ": level, what, found: text=",
		Cells: map[string]func(*CheckItem) Cell{"level": func(c *CheckItem) Cell {
			return Cell{c.Level, map[string]string{"ok": "good", "warning": "warn", "error": "bad"}[c.Level]}
		}},
	}
}

// Rotated answers a rotation of the key that seals secrets.
type Rotated struct {
	Key     string `json:"key" doc:"name of the new key; not the key"`
	Secrets int    `json:"secrets" doc:"how many were sealed again"`
}

// Status is how this node is doing.
type Status struct {
	Version   string    `json:"version"`
	Node      string    `json:"node"`
	Started   time.Time `json:"started"`
	Uptime    int64     `json:"uptime_seconds"`
	Ready     bool      `json:"ready"`
	Store     string    `json:"store" doc:"ok, or the fault"`
	Engine    string    `json:"engine" enum:"sqlite,postgres"`
	Customers int       `json:"customers"`
	Lines     int       `json:"lines"`
	Locked    int       `json:"locked_lines"`
	Trunks    int       `json:"trunks"`
	// Unregistered are the trunks with a registrar where this node is not registered.
	Unregistered  map[string]string   `json:"unregistered_trunks,omitempty" doc:"trunks whose carrier has not registered this node, each with the reason"`
	Decks         int                 `json:"decks"`
	Registrations int                 `json:"registrations"`
	Silent        map[string][]string `json:"silent_servers,omitempty" doc:"by trunk, the servers of its carrier that do not answer and are passed over by this node"`
	Over          map[string]int      `json:"registrations_over,omitempty" doc:"registrations by transport: udp, tcp, tls, wss"`
	Calls         int                 `json:"calls"`
	Watching      string              `json:"watching,omitempty" doc:"how calls are watched, and which rules are trusted less than the configuration says"`
}

// Resource describes the status of a node.
func (Status) Resource() Resource[Status] {
	return Resource[Status]{
		Fields: "ready, store, calls, watching?, phones, lines, trunks, not registered: unregistered?, no answer: silent?, decks, node, version, up",
		Cells: map[string]func(*Status) Cell{
			"ready": func(s *Status) Cell { return Cell{Look: map[bool]string{true: "good", false: "bad"}[s.Ready]} },
			"store": func(s *Status) Cell {
				return Cell{s.Engine + ", " + s.Store, map[bool]string{false: "bad"}[s.Store == "ok"]}
			},
			"silent": func(s *Status) (c Cell) {
				for _, name := range slices.Sorted(maps.Keys(s.Silent)) {
					if c.Text != "" {
						c.Text += "; "
					}
					c.Text += "trunk " + name + ": " + strings.Join(s.Silent[name], ", ")
					c.Look = "bad"
				}
				return c
			},
			"unregistered": func(s *Status) (c Cell) {
				for _, name := range slices.Sorted(maps.Keys(s.Unregistered)) {
					if c.Look = "bad"; c.Text != "" {
						c.Text += "; "
					}
					c.Text += "trunk " + name + ": " + s.Unregistered[name]
				}
				return c
			},
			"phones": func(s *Status) Cell { return Cell{Text: strconv.Itoa(s.Registrations) + " registered" + over(s.Over)} },
			"lines": func(s *Status) Cell {
				return Cell{Text: fmt.Sprintf("%d (%d locked) of %s", s.Lines, s.Locked, Count(s.Customers, "customer", "customers"))}
			},
			"up": func(s *Status) Cell {
				return Cell{Text: (time.Duration(s.Uptime) * time.Second).String() + ", since " + Moment(s.Started)}
			},
		},
	}
}

// over says how many phones are registered over each transport, where it is not UDP for all of them.
func over(by map[string]int) (text string) {
	if len(by) == 0 || len(by) == 1 && by["udp"] > 0 {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		text += ", " + strconv.Itoa(by[name]) + " over " + strings.ToUpper(name)
	}
	return " (" + text[2:] + ")"
}

// CurrencyHeader of every answer says what its amounts are in.
const CurrencyHeader = "Ringfence-Currency"

// Amount writes an amount for people: "£12.50".
func Amount(a money.Micro) string { return money.Billing().Amount(a) }

// Rate writes a rate for a column: "2p"; zero is "free".
func Rate(r money.Rate) string {
	if r == 0 {
		return "free"
	}
	return money.Billing().Rate(r)
}

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

// Count is "1 line", "2 lines".
func Count(n int, one, many string) string { return check.Count(n, one, many) }

// Moment writes an instant for people, in this machine's zone; "" is none.
func Moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return Clock(t.Local())
}

// Day is a moment without what is midnight.
func Day(t time.Time) string { return strings.TrimSuffix(Moment(t), " 00:00:00") }

// Clock writes an instant by the clocks that it is in; "" is none.
func Clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format("2006-01-02 15:04:05")
}

// Length writes a length as people read it beside others: "1:02:03", "2:05".
func Length(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}
