package api

import (
	"strconv"
	"time"
)

// NewRequest asks staff to loosen a setting of a line.
type NewRequest struct {
	Field string `json:"field" maxLength:"40" kong:"-"`
	Value string `json:"value" maxLength:"40" doc:"as in Change" kong:"-"`
	Until string `json:"until,omitempty" maxLength:"40" doc:"wanted until then, as in Change; absent: for good" type:"when" help:"When it may end again (\"friday\", \"2026-12-01\": that day included; default: never)." placeholder:"WHEN"`
	Why   string `json:"why,omitempty" maxLength:"500" help:"Reason." placeholder:"TEXT"`
}

// Request is a customer's request to loosen a setting, with its result.
type Request struct {
	ID        int64     `json:"id"`
	Line      string    `json:"line"`
	Field     string    `json:"field"`
	N         int64     `json:"n"`
	Text      string    `json:"text" doc:"the value for people"`
	Until     time.Time `json:"until,omitzero"`
	Why       string    `json:"why,omitempty"`
	State     string    `json:"state" enum:"open,granted,refused"`
	Made      time.Time `json:"made"`
	Decided   time.Time `json:"decided,omitzero"`
	DecidedBy string    `json:"decided_by,omitempty"`
	Note      string    `json:"note,omitempty"`
}

// Grant says yes; without until, what the request asked holds.
type Grant struct {
	Until string `json:"until,omitempty" maxLength:"40" doc:"as in Change" type:"when" help:"End of the grant; that day included (default: as requested)." placeholder:"WHEN"`
	Note  string `json:"note,omitempty" maxLength:"500" help:"Message to the customer." placeholder:"TEXT"`
}

// Refuse says no.
type Refuse struct {
	Note string `json:"note,omitempty" maxLength:"500" help:"Message to the customer." placeholder:"TEXT"`
}

// RequestID says which.
type RequestID struct {
	ID int64 `path:"id" minimum:"1" arg:"" help:"Request." predict:"request"`
}

// RequestGrant says yes to one.
type RequestGrant struct {
	RequestID
	Body Grant `embed:""`
}

// RequestRefusal says no to one.
type RequestRefusal struct {
	RequestID
	Body Refuse `embed:""`
}

// Resource describes requests.
func (Request) Resource() Resource[Request] {
	return Resource[Request]{
		Name: "request", Path: "requests", List: "List requests, newest first",
		Columns: "request: id, line, setting: field, wanted: text, until, state, made, why~, note~",
		Empty:   "No requests. A customer asks with: ringfence line request LINE FIELD=VALUE",
		Cells:   map[string]func(*Request) Cell{"until": func(r *Request) Cell { return Cell{Text: End(r.Until)} }},
		Named: func(r *Request) (string, string) {
			return strconv.FormatInt(r.ID, 10), r.Line + " " + r.Field + " " + r.Text
		},
	}
}
