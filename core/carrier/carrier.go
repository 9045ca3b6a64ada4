// Package carrier reads carriers' call records, which list the calls that a carrier charges for: CSV in any form.
// It must not know lines, prices or storage.
package carrier

import (
	"time"

	"ringfence/core/money"
	"ringfence/core/rating"
)

// Record is one call as its carrier recorded it.
type Record struct {
	Line   int // of the file, 1 is the first
	Start  time.Time
	Talk   time.Duration // above 0
	Caller string        // as presented to the carrier, in the form of the file
	Called string
	ID     string      // SIP Call-ID or the carrier's own, "" when the file has none
	Cost   money.Micro // what the carrier charges, if Priced
	Priced bool
}

// Options give what a file does not say. Zone is required: it applies to times without one of their own.
type Options struct {
	Zone  *time.Location
	Dates rating.DateOrder // what comes first in 01/02/2026
	Map   []string         // columns named by hand: "Anrufer=caller", "3=seconds"
	// NoCaller says that the file may do without callers: an invoice is compared by the number called and the time.
	NoCaller bool
}

// Bounds of a file.
const (
	MaxBytes  = 64 << 20
	MaxRows   = 500_000
	maxColumn = 200 // columns of a row
	maxCell   = 200 // bytes of a number or id that is kept
)

// MaxFaults bounds the faults that are kept; all are counted.
const MaxFaults = 200

// File is the content of a file. A row is in Rows, is unanswered, or has a fault.
type File struct {
	Rows       []Record
	Unanswered int            // rows of calls without talk time: nothing to book
	Faults     []rating.Fault // of single rows
	FaultCount int
	Columns    []string // "Start Time → start" for each that is used
}

// Unread says why nothing of a file can be read, and what to do.
type Unread struct {
	Text     string
	Question *rating.Question // nil: it is not to be answered
}

// Error is the sentence.
func (u *Unread) Error() string {
	text := u.Text
	if u.Question != nil {
		text = u.Question.Text
		for _, x := range u.Question.Examples {
			text += "\n  " + x
		}
	}
	return text
}
