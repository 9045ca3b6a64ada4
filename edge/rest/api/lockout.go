package api

import (
	"fmt"
	"strings"
	"time"
)

// Lockout is a source whose logins are refused for a time, or all unknown sources for one line.
type Lockout struct {
	Scope    string    `json:"scope" enum:"line,address,network,as,strangers,probation" doc:"line: a source on one line; strangers: places that the line never used; probation: a source admitted with tight limits"`
	Source   string    `json:"source,omitempty" doc:"address, network or AS"`
	User     string    `json:"user,omitempty" doc:"user name tried"`
	Line     bool      `json:"line" doc:"there is such a line"`
	Until    time.Time `json:"until,omitzero" doc:"absent: it depends on further attempts from new places"`
	Level    int       `json:"level" doc:"how often in a row"`
	Failures int       `json:"failures" doc:"wrong passwords within a day"`
}

// Resource describes lock-outs.
func (Lockout) Resource() Resource[Lockout] {
	return Resource[Lockout]{
		Name: "lockout", Path: "lockouts", Tag: "bans", Next: "after", List: "List lock-outs in force, those that end last first",
		Columns: "scope, source, user~, : known, until, level-, failures",
		Empty:   "No lock-outs.",
		Cells: map[string]func(*Lockout) Cell{
			"known": func(l *Lockout) Cell {
				if l.User == "" || l.Line {
					return Cell{}
				}
				return Cell{"no such line", "dim"}
			},
			"until": func(l *Lockout) Cell { return Cell{Text: map[bool]string{true: "while it goes on"}[l.Until.IsZero()]} },
		},
	}
}

// Release ends lock-outs.
type Release struct {
	What string `json:"what" minLength:"1" maxLength:"128" doc:"a line or user name, an address, a network, or AS64496" arg:"" name:"line|address" help:"A line or user name (for all its sources), an address, a network, or an AS such as AS64496." predict:"lockout"`
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
	Hosting bool      `json:"hosting,omitempty" doc:"a data centre's network, judged by its name or number"`
	Files   []GeoFile `json:"files,omitempty" doc:"the files in use; only where they were asked for"`
}

// Resource describes places.
func (Place) Resource() Resource[Place] {
	return Resource[Place]{
		Fields: "address!, country, network, hosting: is hosting?",
		Cells: map[string]func(*Place) Cell{
			"country": func(p *Place) Cell { return known(p.Country) },
			"network": func(p *Place) Cell { return known(p.AS()) },
			"is hosting": func(p *Place) Cell {
				return Cell{Text: map[[2]bool]string{{true, true}: "yes", {true, false}: "no"}[[2]bool{p.ASN != 0, p.Hosting}]}
			},
		},
	}
}

// AS is the network with its number, "" if neither is known.
func (p *Place) AS() string {
	if p.ASN == 0 {
		return p.Network
	}
	return strings.TrimSpace(fmt.Sprintf("AS%d %s", p.ASN, p.Network))
}

func known(text string) Cell {
	if text == "" {
		return Cell{"unknown", "dim"}
	}
	return Cell{Text: text}
}

// Resource describes files of countries and networks.
func (GeoFile) Resource() Resource[GeoFile] {
	return Resource[GeoFile]{
		Columns: "file: path, type, built, records, holds",
		Cells: map[string]func(*GeoFile) Cell{"holds": func(f *GeoFile) Cell {
			return Cell{Text: map[[2]bool]string{{true, true}: "countries, networks", {true, false}: "countries", {false, true}: "networks"}[[2]bool{f.Countries, f.Networks}]}
		}},
	}
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
