package api

import (
	"strings"
	"time"
)

// HotNumber is a range of numbers on a hot list.
type HotNumber struct {
	Numbers   string    `json:"numbers" doc:"numbers that begin with these digits: +25261"`
	List      string    `json:"list" doc:"desk, the name of an imported list, or feed:NAME"`
	Direction string    `json:"direction" enum:"out,in,both,presented,off" doc:"the calls that are refused: to the numbers, from them, or both; presented: nobody calls from them (Do Not Originate), so calls that present them are refused, out and in; off: a feed names them, and staff have exempted them"`
	Until     time.Time `json:"until,omitzero" doc:"absent: until it is removed"`
	Made      time.Time `json:"made"`
	By        string    `json:"by,omitempty"`
	Why       string    `json:"why,omitempty"`
}

// Resource describes entries of hot lists.
func (HotNumber) Resource() Resource[HotNumber] {
	return Resource[HotNumber]{
		Name: "hot-number", Path: "hotlist", Tag: "hotlist", Next: "after", List: "List the numbers on hot lists", Add: "Put numbers on a hot list",
		Columns: "numbers, list, direction, until, by?, made?, why~",
		Empty:   "No hot lists. To refuse calls to numbers: ringfence hotlist add +25261 --why TEXT",
		None:    "No such numbers on hot lists.",
		Cells: map[string]func(*HotNumber) Cell{
			"until": func(n *HotNumber) Cell { return Cell{Text: End(n.Until)} },
			"direction": func(n *HotNumber) Cell {
				if n.Direction == "off" {
					return Cell{"off", "dim"}
				}
				return Cell{}
			},
		},
		Named: func(n *HotNumber) (string, string) { return n.Numbers, strings.TrimSpace(n.List + " " + n.Why) },
	}
}

// HotFilter selects entries of hot lists.
type HotFilter struct {
	List    string `query:"list" maxLength:"70" doc:"desk, the name of an imported list, or feed:NAME" help:"Only the list NAME: desk, that of an import, or feed:NAME." placeholder:"NAME"`
	Numbers string `query:"numbers" maxLength:"20" doc:"entries that name this number, or part of this range" help:"Only entries that name this number, or part of this range." placeholder:"NUMBER"`
}

// HotNew puts numbers on a hot list.
type HotNew struct {
	Body NewHotNumber `embed:""`
}

// NewHotNumber puts numbers on a hot list, in place of an entry of that list for the same ones.
type NewHotNumber struct {
	Numbers   string `json:"numbers" minLength:"3" maxLength:"20" doc:"3 to 15 digits with the country code: +25261" arg:"" help:"Numbers that begin with these digits, with the country code: +25261."`
	List      string `json:"list,omitempty" maxLength:"64" doc:"absent: desk" help:"Name of the list (default: desk)." placeholder:"NAME"`
	Direction string `json:"direction,omitempty" enum:"out,in,both,presented," doc:"the calls that are refused: to the numbers (out, the default), from them, or both; presented: nobody calls from them (Do Not Originate), so calls that present them are refused, out and in" help:"Refuse calls to the numbers (out), from them (in), both, or those that present them, out and in (presented: Do Not Originate)." default:"out"`
	For       int64  `json:"for_seconds,omitempty" minimum:"0" maximum:"315360000" doc:"how long; or until; without both until it is removed" type:"span" help:"Duration: \"12h\", \"30d\" (default: until it is removed)." placeholder:"LENGTH" xor:"end"`
	Until     string `json:"until,omitempty" maxLength:"40" doc:"a time, or as people write it in the provider's zone: friday, 2026-12-01 (that day included), +3d" type:"when" help:"End; that day included." placeholder:"WHEN" xor:"end"`
	Why       string `json:"why,omitempty" maxLength:"200" doc:"for the record" help:"Reason, for the record." placeholder:"TEXT"`
}

// HotRemoval takes numbers off a hot list.
type HotRemoval struct {
	Numbers string `query:"numbers" required:"true" maxLength:"20" doc:"exactly the numbers of the entry" arg:"" help:"Exactly the numbers of the entry." predict:"hot-number"`
	List    string `query:"list" maxLength:"70" doc:"absent: desk" help:"Name of the list (default: desk)." placeholder:"NAME"`
	Why     string `query:"why" maxLength:"200" doc:"for the record" help:"Reason, for the record." placeholder:"TEXT"`
}

// HotImport is the result of importing a hot list.
type HotImport struct {
	Name    string   `json:"name"`
	Format  string   `json:"format,omitempty" doc:"text, csv or json, as it was read"`
	DryRun  bool     `json:"dry_run"`
	Listed  int      `json:"listed" doc:"entries read"`
	Ended   int      `json:"ended" doc:"rows left out because their end has passed"`
	Held    int      `json:"held" doc:"of the entries, in force now"`
	Added   int      `json:"added"`
	Changed int      `json:"changed"`
	Removed int      `json:"removed" doc:"on the previous list, but no longer on this one"`
	LeftOut int      `json:"left_out" doc:"entries that were not taken"`
	Sample  []string `json:"sample,omitempty" doc:"some of those left out, with the reason"`
	Text    string   `json:"text" doc:"the result in a sentence"`
}
