package api

import "time"

// DecideRequest asks what would come of a call. Nothing is called, held or counted.
type DecideRequest struct {
	Line    string `json:"line" maxLength:"64" required:"true" help:"Line that would call." placeholder:"LINE" predict:"line"`
	To      string `json:"to" maxLength:"128" doc:"digits as dialled" required:"true" help:"Digits as dialled." placeholder:"DIGITS"`
	From    string `json:"from,omitempty" maxLength:"64" doc:"source address; absent: one that every IP lock allows" help:"Source address of the call (default: one that every IP lock allows)." placeholder:"ADDRESS"`
	Present string `json:"present,omitempty" maxLength:"64" doc:"the number that the phone asks to present (From); absent: none" help:"Number that the phone asks to present (default: none)." placeholder:"NUMBER"`
	At      string `json:"at,omitempty" maxLength:"40" doc:"a time, or as people write it in the customer's zone: friday 18:00, 2026-12-25 (its first instant), +3d; absent: now" type:"when" help:"Time of the call, in the customer's time zone (\"friday 18:00\"; default: now)." placeholder:"WHEN"`
}

// Figures are the numbers behind a reason, in unit, and for people.
type Figures struct {
	Unit      string `json:"unit" enum:"none,nano_per_minute,micro,count,seconds,flag" doc:"what the figures count"`
	Limit     int64  `json:"limit"`
	Value     int64  `json:"value"`
	Pass      int64  `json:"pass" doc:"what would have passed; 0: nothing would"`
	LimitText string `json:"limit_text,omitempty"`
	ValueText string `json:"value_text,omitempty"`
	PassText  string `json:"pass_text,omitempty"`
	Waiting   int64  `json:"waiting_micro,omitempty" doc:"of value: what calls of this node hold of the purse while they ring or are ending"`
	Ringing   int64  `json:"ringing_calls,omitempty" doc:"how many of these calls ring"`
	List      string `json:"list,omitempty" doc:"name of the hot list that refuses the call"`
	Ending    int64  `json:"ending_calls,omitempty" doc:"how many are over, with a leg that has not confirmed it yet"`
}

// Decision is a verdict with everything behind it.
type Decision struct {
	Allowed     bool          `json:"allowed"`
	Reason      string        `json:"reason" doc:"ok, over-international-ceiling, …"`
	Text        string        `json:"text" doc:"the reason in a sentence, with figures and what would pass"`
	SIPStatus   int           `json:"sip_status,omitempty" doc:"SIP status that the phone would get"`
	Figures     Figures       `json:"figures"`
	Always      bool          `json:"always,omitempty" doc:"emergency: connected whatever fails"`
	Asks        string        `json:"asks,omitempty" doc:"before it is connected a voice states its price, and the caller confirms it: with a key (key), or with three spoken digits (digits)"`
	AsksBy      int64         `json:"asks_restriction,omitempty" doc:"the restriction that wants it"`
	Dialled     string        `json:"dialled"`
	Number      string        `json:"number,omitempty" doc:"E.164 with +, or a short number; absent when the digits are no number"`
	Class       string        `json:"class,omitempty"`
	Country     string        `json:"country,omitempty"`
	National    bool          `json:"national"`
	Caller      string        `json:"caller,omitempty" enum:"withheld,presented" doc:"what a code before the number says of the caller's number: 141 or 1470"`
	Presented   string        `json:"presented,omitempty" doc:"the number that the called party would be shown, unless it is withheld; absent: none"`
	NotShown    string        `json:"not_presented,omitempty" doc:"the number that the phone asks to present, where another is presented in its place: it belongs to none of the customer's lines and is not verified"`
	Network     string        `json:"network,omitempty" doc:"the number that carriers would be told beside it: the line's own"`
	Relay       string        `json:"relay,omitempty" doc:"the code that the carrier is sent before the number: 18001 or 18002, text relay"`
	Price       *Price        `json:"price,omitempty" doc:"absent: the destination has none"`
	FirstMinute int64         `json:"first_minute_micro"`
	FirstText   string        `json:"first_minute,omitempty" doc:"the same for people"`
	Longest     int64         `json:"longest_seconds,omitempty"`
	Routes      []string      `json:"ways,omitempty" doc:"trunks in the order they would be tried"`
	Trunks      []TrunkChoice `json:"trunks,omitempty" doc:"every trunk in use with the reason for its place"`
	Steps       []Step        `json:"steps"`
	At          time.Time     `json:"at"`
}

// TrunkChoice is a trunk with the reason for its place among those for a call.
type TrunkChoice struct {
	Trunk    string `json:"trunk"`
	Chosen   bool   `json:"chosen" doc:"false: passed over"`
	Reason   string `json:"reason" doc:"ok, trunks-full or no-margin"`
	Priority int    `json:"priority"`
	Cost     *int64 `json:"first_minute_cost_micro,omitempty" doc:"what the carrier takes for a first minute; absent when its price is not known"`
	CostText string `json:"first_minute_cost,omitempty" doc:"the same for people"`
}

// Step is one rule of a decision.
type Step struct {
	Reason  string  `json:"reason" doc:"the refusal this rule can give"`
	Passed  bool    `json:"passed"`
	Pending bool    `json:"pending,omitempty" doc:"checked at the instant of connection; value is the present state"`
	Text    string  `json:"text"`
	Figures Figures `json:"figures"`
	From    string  `json:"from" enum:"default,provider,reseller,customer,line" doc:"where the setting came from"`
}

// Call is a call in progress.
type Call struct {
	ID        string    `json:"id"`
	Direction string    `json:"direction" enum:"out,in,between"`
	State     string    `json:"state" enum:"setup,ringing,answered,ending" doc:"ending: over for both parties, with a leg that has not confirmed it yet; what it holds stays held"`
	Node      string    `json:"node"`
	Line      string    `json:"line"`
	LineID    string    `json:"line_identity"`
	Customer  string    `json:"customer"`
	Account   string    `json:"customer_identity"`
	Peer      string    `json:"peer,omitempty"`
	Trunk     string    `json:"trunk,omitempty"`
	Dialled   string    `json:"dialled"`
	Number    string    `json:"number"`
	Class     string    `json:"class"`
	Country   string    `json:"country"`
	Source    string    `json:"source"`
	UserAgent string    `json:"user_agent,omitempty"`
	Name      string    `json:"destination"`
	PerMinute int64     `json:"per_minute_nano"`
	Held      int64     `json:"held_micro" doc:"what it holds of each purse, from before it rings until it is over on both legs"`
	SoFar     int64     `json:"so_far_micro" doc:"cost if it ended now"`
	Text      string    `json:"text" doc:"3m12s at 2p a minute, £0.07 so far"`
	PaidFor   int64     `json:"paid_for_seconds"`
	Longest   int64     `json:"longest_seconds"`
	Talk      int64     `json:"talk_seconds"`
	Begun     time.Time `json:"begun"`
	Ringing   time.Time `json:"ringing,omitzero"`
	Answered  time.Time `json:"answered,omitzero"`
	Cutting   bool      `json:"cutting,omitempty" doc:"being cut: not yet confirmed by both legs"`
	Priced    bool      `json:"priced,omitempty" doc:"over, and what it costs is in the list of records: a phone has yet to confirm its end"`
	Ending    bool      `json:"ending,omitempty" doc:"its line is locked: no more talk time is bought, and it ends when its paid time ends, within a minute"`
}

// Resource describes calls in progress. Who holds the money is to be seen on a narrow screen too.
func (Call) Resource() Resource[Call] {
	return Resource[Call]{
		Name: "call", Path: "calls", List: "List calls in progress", Get: "Show a call in progress",
		Columns: "call: id#, state, line, : direction?, number, destination~?, talk: talk_seconds, a minute: per_minute_nano?, so far: so_far_micro?, " +
			"held: held_micro, trunk?",
		Empty: "No calls in progress.",
		Cells: map[string]func(*Call) Cell{"state": (*Call).state},
		Named: func(c *Call) (string, string) { return c.ID, c.Line + " to " + c.Number },
	}
}

func (c *Call) state() Cell {
	switch {
	case c.State == "ending":
		return Cell{c.State, "warn"}
	case c.Cutting:
		return Cell{"cutting", "bad"}
	case c.Ending:
		return Cell{"ends when paid time ends", "warn"}
	}
	return Cell{Text: c.State}
}

// CallFilter selects calls in progress.
type CallFilter struct {
	Line string `query:"line" maxLength:"80" help:"Only this line." placeholder:"LINE" predict:"line"`
	All  bool   `query:"all" doc:"include calls that are over and charged, whose end a phone has yet to confirm" help:"Include calls that are over and charged, whose end a phone has yet to confirm."`
}

// CallID says which, in progress or not.
type CallID struct {
	ID string `path:"id" maxLength:"64" arg:"" help:"Call." predict:"call"`
}

// CallCut ends one.
type CallCut struct {
	CallID
	Why string `query:"why" maxLength:"200" doc:"for the record" help:"Reason, for the record." placeholder:"TEXT"`
}
