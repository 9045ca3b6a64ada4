package api

import "time"

// Reasons of problems with bans. Part of the API: they never change.
const (
	ReasonSpared = "spared"    // 409: a customer's or carrier's address; force overrides it
	ReasonNever  = "never-ban" // 409: on the operator's own list; nothing overrides it
	ReasonFull   = "full"      // 409: as many as can be kept
	ReasonClosed = "closed"    // 409: a finding that was closed before
)

// Ban is an address or network that is shut out.
type Ban struct {
	Net   string    `json:"net" doc:"an address, or a network"`
	Until time.Time `json:"until"`
	Made  time.Time `json:"made"`
	By    string    `json:"by" doc:"auto, feed:NAME, or who"`
	Why   string    `json:"why,omitempty"`
}

// NewBan shuts out an address or network; without an end for a day.
type NewBan struct {
	Net   string `json:"net" maxLength:"64" doc:"an address, or a network of /8 or longer (IPv6: /19)"`
	For   int64  `json:"for_seconds,omitempty" minimum:"0" maximum:"315360000" doc:"how long; or until"`
	Until string `json:"until,omitempty" maxLength:"40" doc:"a time, or as people write it in the provider's zone: friday, 2026-12-01 (that day included), +3d"`
	Why   string `json:"why" minLength:"1" maxLength:"200" doc:"for whoever asks later"`
	Force bool   `json:"force,omitempty" doc:"also if a customer or carrier is in there"`
}

// BanAnswer says how it stands with an address.
type BanAnswer struct {
	Address  string    `json:"address"`
	Banned   bool      `json:"banned"`
	Bans     []Ban     `json:"bans" doc:"every ban that holds it, the narrowest first"`
	Spared   string    `json:"spared,omitempty" doc:"why it is not banned for others' sake; absent: it may be"`
	Never    string    `json:"never,omitempty" doc:"the entry of the configuration by which it is never banned"`
	Lockouts []Lockout `json:"lockouts" doc:"lock-outs that it is under"`
	Place    Place     `json:"place"`
}

// BanImport says what came of a list.
type BanImport struct {
	Name    string   `json:"name" doc:"of the list; its bans are by feed:import.NAME"`
	Format  string   `json:"format,omitempty" doc:"text, csv or json, as it was read"`
	DryRun  bool     `json:"dry_run"`
	Listed  int      `json:"listed" doc:"entries read"`
	Ended   int      `json:"ended" doc:"rows left out because their end has passed"`
	Skipped int      `json:"skipped" doc:"rows left out because they are no bans of addresses"`
	Held    int      `json:"held" doc:"of the entries, banned now"`
	Added   int      `json:"added"`
	Removed int      `json:"removed" doc:"of the list of before, no longer on it"`
	LeftOut int      `json:"left_out" doc:"entries that are not banned: spared, never to be banned, private …"`
	Sample  []string `json:"sample,omitempty" doc:"some of those left out, with the reason"`
	Notes   []string `json:"notes,omitempty" doc:"what was odd about the list"`
	Text    string   `json:"text" doc:"the result in a sentence"`
}

// Feed is a list of attackers that is fetched again and again, as the configuration names it.
type Feed struct {
	Name    string    `json:"name"`
	From    string    `json:"from" doc:"file or URL, without keys"`
	Entries int       `json:"entries" doc:"of the list taken last"`
	Taken   time.Time `json:"taken,omitzero" doc:"when a list was taken last"`
	Asked   time.Time `json:"asked,omitzero" doc:"the last try"`
	Summary string    `json:"summary,omitempty" doc:"what came of the list taken last"`
	Notes   []string  `json:"notes,omitempty"`
	Fault   string    `json:"fault,omitempty" doc:"of the last try; absent if it was good"`
}

// Lockout is a source, or a line's strangers, whose logins are refused for a while.
type Lockout struct {
	Scope    string    `json:"scope" enum:"line,address,network,as,strangers,probation" doc:"line: a source on one line; strangers: a line's places never seen before; probation: a source admitted with tight limits"`
	Source   string    `json:"source,omitempty" doc:"address, network or AS"`
	User     string    `json:"user,omitempty" doc:"user name tried"`
	Line     bool      `json:"line" doc:"there is such a line"`
	Until    time.Time `json:"until,omitzero" doc:"absent: it depends on what strangers do"`
	Level    int       `json:"level" doc:"how often in a row"`
	Failures int       `json:"failures" doc:"wrong tries within a day"`
}

// Release ends lock-outs.
type Release struct {
	What string `json:"what" minLength:"1" maxLength:"128" doc:"a line or user name, an address, a network, or AS64496"`
}

// Released answers a release.
type Released struct {
	What     string `json:"what"`
	Released bool   `json:"released" doc:"false: there was no such lock-out"`
}

// Place is what the files of networks and countries say of an address.
type Place struct {
	Address string    `json:"address"`
	Country string    `json:"country,omitempty" doc:"ISO 3166-1 alpha-2; absent is unknown"`
	ASN     uint32    `json:"asn,omitempty"`
	Network string    `json:"network,omitempty" doc:"the AS's holder"`
	Hosting bool      `json:"hosting,omitempty" doc:"a data centre's network, as far as its name or number tells"`
	Files   []GeoFile `json:"files,omitempty" doc:"the files in use; only where they were asked for"`
}

// GeoFile is a file of countries or networks in use.
type GeoFile struct {
	Path      string    `json:"path"`
	Type      string    `json:"type" doc:"as the file names itself"`
	Built     time.Time `json:"built,omitzero"`
	Records   int       `json:"records"`
	Countries bool      `json:"countries"`
	Networks  bool      `json:"networks"`
}

// Device is a place from which, and a kind of phone with which, a line's login was used rightly.
type Device struct {
	Place   string    `json:"place" doc:"network, or AS: what a verdict names"`
	Family  string    `json:"family" doc:"of phone, without its version: what a verdict names"`
	Address string    `json:"address" doc:"the latest"`
	Agent   string    `json:"user_agent" doc:"the latest"`
	Country string    `json:"country,omitempty"`
	ASN     int64     `json:"asn,omitempty"`
	Network string    `json:"network,omitempty"`
	Hosting bool      `json:"hosting,omitempty"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
	Days    int64     `json:"days" doc:"on which it was seen"`
	Verdict string    `json:"verdict,omitempty" enum:"mine,not-mine" doc:"what the owner said of it"`
}

// Verdict says whose a device is.
type Verdict struct {
	Place   string `json:"place" minLength:"1" maxLength:"64"`
	Family  string `json:"family,omitempty" maxLength:"256" doc:"absent: every device in that place"`
	Verdict string `json:"verdict" enum:"mine,not-mine,none"`
}

// Usage is un-billed usage against its warning level.
type Usage struct {
	Subject  string `json:"subject" doc:"line/ID or account/ID"`
	Settled  int64  `json:"settled_micro" doc:"of calls that have ended"`
	Running  int64  `json:"running_micro" doc:"of calls in progress, as of a moment ago"`
	Total    int64  `json:"total_micro"`
	Level    int64  `json:"level_micro" doc:"warning level in force; 0 is off"`
	Multiple int64  `json:"multiple" doc:"highest multiple of the level that was told"`
	Told     int64  `json:"told_micro" doc:"the amount up to which multiples were told"`
	Next     int64  `json:"next_micro" doc:"usage at which the next warning goes out; 0 is none"`
	Text     string `json:"text" doc:"£13.20 un-billed, £0.40 of it running; warned at £10.00, next at £20.00"`
}
