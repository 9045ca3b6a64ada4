package api

import "time"

// FitAsk says how many calls may be given up, and how long to wait.
type FitAsk struct {
	LineID
	Stops int `query:"stops" minimum:"0" maximum:"50" default:"0" help:"How many calls of the year may be stopped (0 to 50)." placeholder:"N"`
	Wait  int `query:"wait" minimum:"0" maximum:"30" default:"20" doc:"seconds to wait for the answer; state says whether it came" kong:"-"`
}

// Fit is the tightest settings of a line under which its own calls of a year would pass.
type Fit struct {
	Line      string       `json:"line"`
	State     string       `json:"state" doc:"reading: ask again; little: too little is known of the line; fits: settings are proposed; tight: nothing is tighter"`
	Read      int64        `json:"read,omitempty" doc:"records that were read so far"`
	Text      string       `json:"text,omitempty"`
	From      time.Time    `json:"from,omitzero" doc:"of the first call"`
	Calls     int          `json:"calls" doc:"that were played again"`
	Before    int          `json:"stopped_already" doc:"of them, those that what is in force would stop; they are left out"`
	Now       int64        `json:"exposure_micro" doc:"what a thief could cost tonight"`
	Then      int64        `json:"exposure_then_micro" doc:"the same under these settings"`
	Settings  []FitSetting `json:"settings" doc:"all tighter than what is in force"`
	Only      string       `json:"only,omitempty" doc:"the only destinations that cost something and stay open"`
	Stopped   []FitStopped `json:"stopped" doc:"calls of the year that would be stopped, the dearest first"`
	StopsMost int          `json:"stops" doc:"how many might be"`
}

// FitSetting is a setting that fits.
type FitSetting struct {
	Field  string `json:"field"`
	Now    string `json:"now"`
	To     string `json:"to"`
	Seen   string `json:"seen" doc:"what the calls of the year were like"`
	Margin string `json:"margin,omitempty" doc:"what was added to that"`
}

// FitStopped is a call of the year that would not pass.
type FitStopped struct {
	ID      string    `json:"id"`
	Begun   time.Time `json:"begun"`
	Number  string    `json:"number"`
	Cost    int64     `json:"cost_micro" doc:"at today's prices"`
	Setting string    `json:"setting" doc:"that stops it; only: the list of destinations"`
	Reason  string    `json:"reason"`
	Refused bool      `json:"refused" doc:"false: it would end early"`
}

// FitSet is what is applied.
type FitSet struct {
	Settings []FitValue `json:"settings" maxItems:"20" nullable:"false"`
	Only     string     `json:"only,omitempty" maxLength:"8000"`
}

// FitValue is a value of a setting.
type FitValue struct {
	Field string `json:"field" maxLength:"40"`
	To    string `json:"to" maxLength:"40"`
}

// FitApply puts settings in force.
type FitApply struct {
	LineID
	Body FitSet
}
