package api

import (
	"strconv"
	"time"
)

// LegalHold is what staff keep beyond its time, until they lift it.
type LegalHold struct {
	ID        int64     `json:"id"`
	Call      string    `json:"call,omitempty"`
	Line      string    `json:"line,omitempty"`
	Customer  string    `json:"customer,omitempty"`
	From      time.Time `json:"from,omitzero" doc:"of the time that is held; absent: whatever is older too"`
	Until     time.Time `json:"until,omitzero" doc:"absent: whatever is newer too"`
	By        string    `json:"by"`
	Why       string    `json:"why"`
	Made      time.Time `json:"made"`
	Lifted    time.Time `json:"lifted,omitzero" doc:"absent: it is in force"`
	LiftedBy  string    `json:"lifted_by,omitempty"`
	LiftedWhy string    `json:"lifted_why,omitempty"`
}

// Resource describes holds.
func (LegalHold) Resource() Resource[LegalHold] {
	return Resource[LegalHold]{
		Name: "hold", Path: "holds", Next: "before", List: "List what staff hold beyond its time, newest first", Add: "Hold something beyond its time",
		Columns: "hold: id, call?, line?, customer?, from?, until?, state, made, by, why~", Fields: "hold: id, call, line, customer, from, until, made, by, why",
		Empty: "Nothing is held.",
		Cells: map[string]func(*LegalHold) Cell{
			"state": func(h *LegalHold) Cell {
				if h.Lifted.IsZero() {
					return Cell{"in force", "warn"}
				}
				return Cell{"lifted", "dim"}
			},
		},
		Named: func(h *LegalHold) (string, string) { return strconv.FormatInt(h.ID, 10), h.Why },
	}
}

// LegalHoldFilter selects holds.
type LegalHoldFilter struct {
	All bool `query:"all" doc:"also those that were lifted" help:"Also those that were lifted."`
}

// LegalHoldNew is a hold to set.
type LegalHoldNew struct {
	Body NewLegalHold `embed:""`
}

// NewLegalHold names what is held: what fits all that is given.
type NewLegalHold struct {
	Why      string `json:"why" maxLength:"1000" arg:"" help:"Why it is held."`
	Call     string `json:"call,omitempty" maxLength:"64" help:"A call." placeholder:"CALL"`
	Line     string `json:"line,omitempty" maxLength:"200" help:"Everything of a line." predict:"line" placeholder:"LINE"`
	Customer string `json:"customer,omitempty" maxLength:"200" help:"Everything of a customer." predict:"customer" placeholder:"CUSTOMER"`
	From     string `json:"from,omitempty" maxLength:"40" doc:"a time, or as people write it" type:"when" help:"Only what was at this time or later." placeholder:"WHEN"`
	Until    string `json:"until,omitempty" maxLength:"40" type:"when" help:"Only what was before this time." placeholder:"WHEN"`
}

// LegalHoldEnd lifts a hold.
type LegalHoldEnd struct {
	ID   int64           `path:"id" minimum:"1" arg:"" help:"Hold."`
	Body NewLegalHoldEnd `embed:""`
}

// NewLegalHoldEnd is why.
type NewLegalHoldEnd struct {
	Why string `json:"why" maxLength:"1000" arg:"" help:"Why it is held no more."`
}

// Retention is how long things are kept, and what has become of those whose time has come.
type Retention struct {
	Kinds    []RetentionKind `json:"kinds"`
	Last     time.Time       `json:"last,omitzero" doc:"when this node last looked for what is old; absent: not since it started"`
	Archive  bool            `json:"archive" doc:"old calls go to archives before they are deleted"`
	Archives int64           `json:"archives" doc:"how many there are, on all nodes"`
	Archived int64           `json:"archived_calls" doc:"calls in them"`
	Bytes    int64           `json:"archive_bytes"`
	Holds    int64           `json:"holds" doc:"in force"`
	Cases    int64           `json:"live_cases" doc:"that hold everything of their lines or customers"`
}

// RetentionKind is one kind.
type RetentionKind struct {
	Kind    string           `json:"kind" enum:"calls,journal,devices,notices,findings,cases,books,audit,archives"`
	Keep    string           `json:"keep" doc:"how long, in words"`
	Oldest  time.Time        `json:"oldest,omitzero" doc:"of the oldest there is; absent: there is none"`
	Next    time.Time        `json:"next,omitzero" doc:"when the oldest has been kept long enough; absent: never"`
	Deleted int64            `json:"deleted" doc:"in the last seven days, by all nodes"`
	Held    map[string]int64 `json:"held" doc:"of those kept long enough, how many stay, by reason: unbilled, unpaid, case, open or hold"`
}

// Resource describes kinds.
func (RetentionKind) Resource() Resource[RetentionKind] {
	return Resource[RetentionKind]{
		Columns: "kind, keep, oldest, next, deleted, held",
		Cells: map[string]func(*RetentionKind) Cell{
			"held": func(k *RetentionKind) Cell {
				sum := int64(0)
				for _, n := range k.Held {
					sum += n
				}
				if sum == 0 {
					return Cell{"none", "dim"}
				}
				return Cell{strconv.FormatInt(sum, 10), "warn"}
			},
		},
	}
}
