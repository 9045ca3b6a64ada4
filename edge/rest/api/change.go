package api

import "time"

// HeldChange is a change of a customer's own people that loosens something, and waits.
type HeldChange struct {
	ID       string    `json:"id"`
	Customer string    `json:"customer"`
	Line     string    `json:"line,omitempty"`
	Text     string    `json:"text" doc:"what it loosens"`
	By       string    `json:"by"`
	Made     time.Time `json:"made"`
	Due      time.Time `json:"due" doc:"when it happens, unless somebody calls it off"`
	Note     string    `json:"note,omitempty" doc:"what the owner left to be read at this moment"`
	Hurried  string    `json:"hurried_by,omitempty" doc:"the member of staff who wants it early; a second one is needed"`
}

// Resource describes changes that wait.
func (HeldChange) Resource() Resource[HeldChange] {
	return Resource[HeldChange]{
		Name: "change", Path: "changes", List: "List changes that wait because they loosen something", Tag: "changes",
		Columns: "change: id, customer, line?, what: text~, by, happens: due, note~?, hurried by: hurried_by?",
		Empty:   "No change waits.",
		Named:   func(c *HeldChange) (string, string) { return c.ID, c.Text },
	}
}

// ChangeFilter selects changes that wait.
type ChangeFilter struct {
	Customer string `query:"customer" maxLength:"60" help:"Only changes of this customer." predict:"customer"`
}

// ChangeID says which.
type ChangeID struct {
	ID string `path:"id" maxLength:"20" arg:"" help:"Change."`
}

// ChangeStop calls one off.
type ChangeStop struct {
	ChangeID
	Why string `query:"why" maxLength:"200" help:"Reason, for the journal." placeholder:"TEXT"`
}

// Hurry is why a change may happen early.
type Hurry struct {
	Why string `json:"why" minLength:"1" maxLength:"500" required:"" help:"How it was checked who asks." placeholder:"TEXT"`
}

// ChangeHurry lets one happen early.
type ChangeHurry struct {
	ChangeID
	Body Hurry `embed:""`
}

// Hurried says what became of it.
type Hurried struct {
	ID   string `json:"id"`
	Made bool   `json:"made" doc:"false: a second member of staff is needed"`
}

// CoolingOff is how long a customer's own people wait for what they loosen.
type CoolingOff struct {
	Wait int64  `json:"wait_seconds" minimum:"0" maximum:"2592000" doc:"an hour to 30 days; 0: nothing waits" name:"wait" required:"" type:"span-or-0" help:"How long (\"24h\", \"7d\"; 1h to 30d); 0: nothing waits." placeholder:"TIME"`
	Note string `json:"note,omitempty" maxLength:"500" help:"What you want to read when something is loosened." placeholder:"TEXT"`
}

// CustomerCooling sets it.
type CustomerCooling struct {
	CustomerID
	Body CoolingOff `embed:""`
}

// CoolingSet is what is in force, and what waits.
type CoolingSet struct {
	Customer string       `json:"customer"`
	Wait     int64        `json:"wait_seconds"`
	Note     string       `json:"note,omitempty"`
	Waiting  []HeldChange `json:"waiting" doc:"changes that wait, of the wait too"`
}
