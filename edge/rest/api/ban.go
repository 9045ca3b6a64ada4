package api

import (
	"cmp"
	"strings"
	"time"
)

// Reasons of problems with bans. Part of the API: they never change.
const (
	ReasonExempt = "spared"    // 409: a customer's or carrier's address; force overrides it
	ReasonNever  = "never-ban" // 409: on the operator's own list; nothing overrides it
	ReasonFull   = "full"      // 409: as many as can be kept
	ReasonClosed = "closed"    // 409: a finding that was closed before
)

// Ban is an address or network that is blocked.
type Ban struct {
	Net   string    `json:"net" doc:"an address, or a network"`
	Until time.Time `json:"until"`
	Made  time.Time `json:"made"`
	By    string    `json:"by" doc:"auto, feed:NAME, or a person"`
	Why   string    `json:"why,omitempty"`
}

// Resource describes bans.
func (Ban) Resource() Resource[Ban] {
	return Resource[Ban]{
		Name: "ban", Path: "bans", Next: "after", List: "List bans in force", Add: "Block an address or network",
		Columns: "banned: net, until, by, made, why~",
		Empty:   "No bans. Sources that guess passwords are banned automatically; to ban by hand: ringfence ban add NET --why TEXT",
		None:    "No such bans.",
		Named:   func(b *Ban) (string, string) { return b.Net, strings.TrimSpace(b.By + " " + b.Why) },
	}
}

// BanFilter selects bans.
type BanFilter struct {
	By     string `query:"by" maxLength:"100" doc:"auto, manual, feed, feed:NAME, or a person" help:"Only bans by auto, manual, feed, feed:NAME, or a person." placeholder:"WHO"`
	Within string `query:"within" maxLength:"64" doc:"bans that overlap this address or network" help:"Only bans that overlap this address or network." placeholder:"NET"`
}

// BanRemoval lifts a ban.
type BanRemoval struct {
	Net string `query:"net" required:"true" maxLength:"64" doc:"exactly the address or network that is banned" arg:"" help:"Exactly the address or network that is banned." predict:"ban"`
	Why string `query:"why" maxLength:"200" doc:"for the record" help:"Reason, for the record." placeholder:"TEXT"`
}

// BanQuestion asks how it stands with an address.
type BanQuestion struct {
	Address string `query:"address" required:"true" maxLength:"64" arg:"" help:"Address." predict:"ban"`
}

// NewBan bans an address or network, for a day unless it has an end.
type NewBan struct {
	Net   string `json:"net" maxLength:"64" doc:"an address, or a network of /8 or longer (IPv6: /19)" arg:"" help:"Address, or network such as 203.0.113.0/24."`
	For   int64  `json:"for_seconds,omitempty" minimum:"0" maximum:"315360000" doc:"how long; or until" type:"span" help:"Duration: \"90m\", \"24h\", \"7d\", \"2w\" (default: a day)." placeholder:"LENGTH" xor:"end"`
	Until string `json:"until,omitempty" maxLength:"40" doc:"a time, or as people write it in the provider's zone: friday, 2026-12-01 (that day included), +3d" type:"when" help:"End of the ban; that day included." placeholder:"WHEN" xor:"end"`
	Why   string `json:"why" minLength:"1" maxLength:"200" doc:"for the record" required:"true" help:"Reason, for the record." placeholder:"TEXT"`
	Force bool   `json:"force,omitempty" doc:"even if it includes a customer or carrier" help:"Ban it even if it includes a customer, a carrier or this machine."`
}

// BanAnswer says how it stands with an address.
type BanAnswer struct {
	Address  string    `json:"address"`
	Banned   bool      `json:"banned"`
	Bans     []Ban     `json:"bans" doc:"every ban that covers it, the narrowest first"`
	Exempt   string    `json:"spared,omitempty" doc:"why it is exempt from automatic bans; absent: it is not"`
	Never    string    `json:"never,omitempty" doc:"the entry of the configuration by which it is never banned"`
	Lockouts []Lockout `json:"lockouts" doc:"lock-outs that cover it"`
	Place    Place     `json:"place"`
}

// BanImport is the result of importing a list.
type BanImport struct {
	Name    string   `json:"name" doc:"of the list; its bans are by feed:import.NAME"`
	Format  string   `json:"format,omitempty" doc:"text, csv or json, as it was read"`
	DryRun  bool     `json:"dry_run"`
	Listed  int      `json:"listed" doc:"entries read"`
	Ended   int      `json:"ended" doc:"rows left out because their end has passed"`
	Skipped int      `json:"skipped" doc:"rows left out because they do not ban addresses"`
	Held    int      `json:"held" doc:"of the entries, banned now"`
	Added   int      `json:"added"`
	Removed int      `json:"removed" doc:"on the previous list, but no longer on this one"`
	LeftOut int      `json:"left_out" doc:"entries that are not banned: exempt, never to be banned, private …"`
	Sample  []string `json:"sample,omitempty" doc:"some of those left out, with the reason"`
	Notes   []string `json:"notes,omitempty" doc:"remarks on the list"`
	Text    string   `json:"text" doc:"the result in a sentence"`
}

// Feed is a list of attackers, or of numbers, that is fetched again and again, as the configuration names it.
type Feed struct {
	Name    string    `json:"name"`
	Of      string    `json:"of" enum:"bans,numbers" doc:"what the feed lists: addresses to ban, or numbers of a hot list"`
	From    string    `json:"from" doc:"file or URL, without keys"`
	Entries int       `json:"entries" doc:"of the list accepted last"`
	Taken   time.Time `json:"taken,omitzero" doc:"when a list was last accepted"`
	Asked   time.Time `json:"asked,omitzero" doc:"the last attempt"`
	Summary string    `json:"summary,omitempty" doc:"the result of the list accepted last"`
	Notes   []string  `json:"notes,omitempty"`
	Fault   string    `json:"fault,omitempty" doc:"of the last attempt; absent if it succeeded"`
}

// Resource describes feeds.
func (Feed) Resource() Resource[Feed] {
	return Resource[Feed]{
		Name: "feed", Path: "feeds", Tag: "bans", List: "List the feeds of the configuration",
		Columns: "feed: name, state, entries, lists: of?, read: taken, tried: asked, from~, result~",
		Empty:   "No feeds. Name them in shield.feeds of the configuration (bans) or shield.number-feeds (hot lists): feeds = ['NAME=URL or file'], or import a list once: ringfence ban import FILE, ringfence hotlist import FILE",
		Cells:   map[string]func(*Feed) Cell{"state": (*Feed).state, "result": func(f *Feed) Cell { return Cell{Text: cmp.Or(f.Fault, f.Summary)} }},
		Named:   func(f *Feed) (string, string) { return f.Name, f.From },
	}
}

func (f *Feed) state() Cell {
	switch {
	case f.Fault != "":
		return Cell{"fault", "bad"}
	case f.Asked.IsZero():
		return Cell{"not yet", "dim"}
	}
	return Cell{"good", "good"}
}

// FeedName says which.
type FeedName struct {
	Name string `path:"name" maxLength:"64" arg:"" help:"Feed." predict:"feed"`
}
