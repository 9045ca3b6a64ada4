package api

import (
	"strconv"
	"strings"
	"time"

	"ringfence/core/money"
)

// Device is a place from which, and a kind of phone with which, a line's login was used rightly.
type Device struct {
	Place   string    `json:"place" doc:"network, or AS; a verdict refers to it"`
	Family  string    `json:"family" doc:"product of the phone, without its version; a verdict refers to it"`
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

// Resource describes devices.
func (Device) Resource() Resource[Device] {
	return Resource[Device]{
		Name: "device", Path: "lines/{id}/devices", Tag: "lines", List: "List the places and phones that a line's login was used with",
		Columns: "place, country, network~, user agent: user_agent~, address, first, last, days, verdict",
		Empty:   "Nobody has logged in as line {{.ID}} yet.",
		Cells: map[string]func(*Device) Cell{
			"network": (*Device).network,
			"verdict": func(d *Device) Cell {
				return Cell{d.Verdict, map[string]string{"mine": "good", "not-mine": "bad"}[d.Verdict]}
			},
		},
		Named: func(d *Device) (string, string) { return d.Place, d.Agent },
	}
}

func (d *Device) network() Cell {
	text := d.Network
	if d.ASN != 0 {
		text = strings.TrimSpace("AS" + strconv.FormatInt(d.ASN, 10) + " " + text)
	}
	if d.Hosting {
		text += ", hosting"
	}
	return Cell{Text: text}
}

// Verdict says whose a device is.
type Verdict struct {
	Place   string `json:"place" minLength:"1" maxLength:"64" arg:"" help:"Place, as line devices names it." predict:"place"`
	Family  string `json:"family,omitempty" maxLength:"256" doc:"absent: every device in that place" help:"Only phones of this family, as line devices --json names it (default: all in that place)." placeholder:"FAMILY"`
	Verdict string `json:"verdict" enum:"mine,not-mine,none" kong:"-"`
}

// Resource describes un-billed usage.
func (Usage) Resource() Resource[Usage] {
	return Resource[Usage]{
		Fields: "calls that have ended: settled_micro, calls in progress: running_micro, un-billed: total_micro!, warning level, " +
			"highest multiple notified: multiple-?, next warning at: next_micro-?",
		Cells: map[string]func(*Usage) Cell{"warning level": func(u *Usage) Cell {
			if u.Level <= 0 {
				return Cell{"off", "warn"}
			}
			return Cell{Text: Amount(money.Micro(u.Level))}
		}},
	}
}

// Usage is un-billed usage against its warning level.
type Usage struct {
	Subject  string `json:"subject" doc:"line/ID or account/ID"`
	Settled  int64  `json:"settled_micro" doc:"of calls that have ended"`
	Running  int64  `json:"running_micro" doc:"of calls in progress, as of a moment ago"`
	Total    int64  `json:"total_micro"`
	Level    int64  `json:"level_micro" doc:"warning level in force; 0 is off"`
	Multiple int64  `json:"multiple" doc:"highest multiple of the level that was notified"`
	Told     int64  `json:"told_micro" doc:"the amount up to which multiples were notified"`
	Next     int64  `json:"next_micro" doc:"usage at which the next warning goes out; 0 is none"`
	Text     string `json:"text" doc:"£13.20 un-billed, £0.40 of it running; warned at £10.00, next at £20.00"`
}
