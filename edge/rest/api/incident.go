package api

import (
	"strconv"
	"time"
)

// Incident is something that the public status pages tell of. Measurement writes the first entry of what it finds; staff add entries and
// cannot change or remove any.
type Incident struct {
	ID        int64            `json:"id"`
	Kind      string           `json:"kind" enum:"measured,written,planned"`
	Component string           `json:"component,omitempty" enum:"calls-home,calls-abroad,calls-in,login,mail,records,"`
	Title     string           `json:"title"`
	Began     time.Time        `json:"began" doc:"of planned work: when it is to begin"`
	Ended     time.Time        `json:"ended,omitzero" doc:"absent: open; of planned work: when it is to end"`
	Open      bool             `json:"open"`
	Updates   []IncidentUpdate `json:"updates" doc:"the oldest first"`
}

// IncidentUpdate is one entry.
type IncidentUpdate struct {
	At   time.Time `json:"at"`
	By   string    `json:"by,omitempty" doc:"absent: measurement"`
	Text string    `json:"text"`
}

// Resource describes entries.
func (IncidentUpdate) Resource() Resource[IncidentUpdate] {
	return Resource[IncidentUpdate]{Columns: "at, by, text=", Cells: map[string]func(*IncidentUpdate) Cell{
		"by": func(u *IncidentUpdate) Cell {
			if u.By == "" {
				return Cell{"measurement", "dim"}
			}
			return Cell{Text: u.By}
		},
	}}
}

// Resource describes incidents.
func (Incident) Resource() Resource[Incident] {
	return Resource[Incident]{
		Name: "incident", Path: "incidents", Next: "before",
		List: "List incidents and planned work of the status pages, newest first", Get: "Show an incident with its entries", Add: "Publish an incident or planned work",
		Columns: "incident: id, kind, component?, began, ended, state, what: title~",
		Fields:  "incident: id, kind, component?, began, ended, what: title",
		Empty:   "No incidents. The status pages say that everything works, as far as it is measured.",
		Cells: map[string]func(*Incident) Cell{
			"ended": func(i *Incident) Cell {
				if i.Ended.IsZero() {
					return Cell{"", "dim"}
				}
				return Cell{}
			},
			"state": func(i *Incident) Cell {
				if i.Open {
					return Cell{"open", "warn"}
				}
				return Cell{"over", "dim"}
			},
		},
		Named: func(i *Incident) (string, string) { return strconv.FormatInt(i.ID, 10), i.Title },
	}
}

// IncidentNew is an incident to publish.
type IncidentNew struct {
	Body NewIncident `embed:""`
}

// NewIncident is what staff write of an incident, or with an end of planned work.
type NewIncident struct {
	Title     string `json:"title" maxLength:"120" arg:"" help:"What fails or is planned, in a few words. Name no carrier and no customer."`
	Text      string `json:"text" maxLength:"2000" arg:"" help:"What people should know: what works nevertheless, and what you do."`
	Component string `json:"component,omitempty" maxLength:"20" doc:"calls-home, calls-abroad, calls-in, login, mail or records" help:"Part of the service: calls-home, calls-abroad, calls-in, login, mail or records." placeholder:"PART"`
	From      string `json:"from,omitempty" maxLength:"40" doc:"when planned work begins; a time, or as people write it in the provider's zone; absent: now" type:"when" help:"Beginning of planned work (default: now)." placeholder:"WHEN"`
	Until     string `json:"until,omitempty" maxLength:"40" doc:"when planned work ends; absent: it is an incident, which began now" type:"when" help:"End of planned work. Without it this is an incident." placeholder:"WHEN"`
}

// IncidentID says which.
type IncidentID struct {
	ID int64 `path:"id" minimum:"1" arg:"" help:"Incident." predict:"incident"`
}

// IncidentNote is a further entry and what it is on.
type IncidentNote struct {
	IncidentID
	Body NewIncidentNote `embed:""`
}

// NewIncidentNote is an entry to write.
type NewIncidentNote struct {
	Text string `json:"text" maxLength:"2000" arg:"" help:"What is new."`
}

// IncidentEnd is a last entry.
type IncidentEnd struct {
	IncidentID
	Body NewIncidentEnd `embed:""`
}

// NewIncidentEnd is what is written last.
type NewIncidentEnd struct {
	Text string `json:"text,omitempty" maxLength:"2000" doc:"absent: \"It works again.\"" arg:"" optional:"" help:"Last entry (default: \"It works again.\")."`
}
