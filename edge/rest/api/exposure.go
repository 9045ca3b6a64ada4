package api

import "time"

// ExposureFilter says whose exposure, and for which time.
type ExposureFilter struct {
	Line     string   `query:"line" maxLength:"128" help:"Of this line." placeholder:"LINE" predict:"line" xor:"which"`
	Customer string   `query:"customer" maxLength:"60" help:"Of all lines of this customer." placeholder:"CUSTOMER" predict:"customer" xor:"which"`
	Until    string   `query:"until" enum:"tonight,caps,month" default:"tonight" doc:"tonight: until 09:00 of the next working day; caps: until the day caps renew; month: until the month caps do. All by the customer's clocks" help:"Until when: tonight (09:00 of the next working day), caps (midnight) or month." placeholder:"PERIOD" predict:"period"`
	With     []string `query:"with,explode" maxItems:"12" sep:"none" doc:"settings to try, as international-ceiling=12p; absent: those worth thinking of" help:"Settings to try, as international-ceiling=12p (default: those worth thinking of)." placeholder:"FIELD=VALUE"`
}

// Exposure is what a thief could cost at the very most, and why not more.
type Exposure struct {
	Line      string           `json:"line,omitempty"`
	Customer  string           `json:"customer,omitempty" doc:"absent: everybody"`
	From      time.Time        `json:"from"`
	Until     time.Time        `json:"until,omitzero" doc:"calls that begin before it count to their end. Absent for everybody: each customer has clocks of its own"`
	Retail    int64            `json:"retail_micro" doc:"what customers would be charged at the very most"`
	Elsewhere int64            `json:"elsewhere_micro" doc:"of that, by a thief in none of the networks that settings name"`
	Networks  bool             `json:"networks" doc:"some setting names networks"`
	Carrier   int64            `json:"carrier_micro" doc:"what carriers would charge at the very most; it says nothing beside no_limit"`
	NoLimit   string           `json:"no_limit,omitempty" doc:"why nobody can say what carriers would charge"`
	Text      string           `json:"text"`
	Words     []string         `json:"words" doc:"the arithmetic, a sentence each"`
	Days      []ExposureDay    `json:"days,omitempty" doc:"by the day on which calls begin"`
	Dearest   *ExposureDearest `json:"dearest,omitempty"`
	Settings  []ExposureChange `json:"settings,omitempty" doc:"what settings would change"`
	Shares    []ExposureShare  `json:"shares,omitempty" doc:"of a customer's lines, or of all customers, the highest first. The sum of lines may be more than a cap of the account allows"`
}

// ExposureDay is a day's part.
type ExposureDay struct {
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`
	Retail int64     `json:"retail_micro"`
	Cap    string    `json:"cap" doc:"the setting that bounds it; time: there is not time for more"`
	Limit  int64     `json:"cap_micro,omitempty"`
	Spent  int64     `json:"spent_micro,omitempty"`
}

// ExposureDearest is the dearest destination that can be reached.
type ExposureDearest struct {
	Name      string `json:"name"`
	PerMinute int64  `json:"first_minute_nano" doc:"price of a first minute"`
	Calls     int64  `json:"at_once"`
	Reached   int64  `json:"reached_seconds,omitempty" doc:"after which they have spent what the first day has"`
}

// ExposureChange is a setting, and what it would change.
type ExposureChange struct {
	Field     string `json:"field" doc:"nets is the IP lock"`
	Now       string `json:"now"`
	To        string `json:"to"`
	Retail    int64  `json:"retail_micro"`
	Elsewhere int64  `json:"elsewhere_micro"`
	Text      string `json:"text"`
}

// ExposureShare is a line's or a customer's part.
type ExposureShare struct {
	Line      string    `json:"line,omitempty"`
	Customer  string    `json:"customer"`
	Until     time.Time `json:"until"`
	Retail    int64     `json:"retail_micro"`
	Elsewhere int64     `json:"elsewhere_micro"`
}
