package account

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Proven is a number of which a customer has proved that it is theirs, so that their lines may present it.
type Proven struct {
	Number string    `json:"number"`        // E.164 digits without '+'
	How    string    `json:"how"`           // ByCall, ByText or ByStaff
	By     string    `json:"by,omitempty"`  // who proved or recorded it
	Why    string    `json:"why,omitempty"` // the evidence that staff recorded
	Since  time.Time `json:"since"`
}

// How a number is proved.
const (
	ByCall  = "call"  // a code that was spoken in a call to it
	ByText  = "text"  // a code that was sent to it in a text message
	ByStaff = "staff" // staff saw evidence of it
)

// Bounds of proven numbers.
const (
	MaxProven   = 200 // of a customer
	maxEvidence = 300
)

// Check says what is wrong with a proven number.
func (p *Proven) Check() error {
	switch {
	case p.Number == "" || CheckNumber(p.Number) != nil:
		return fmt.Errorf("%q is not an E.164 number", p.Number)
	case p.How != ByCall && p.How != ByText && p.How != ByStaff:
		return fmt.Errorf("%q is no way to prove a number: call, text or staff", p.How)
	case p.How == ByStaff && p.Why == "":
		return errors.New("staff say what they saw: a bill, a letter of authorisation, the number of an order to port it")
	case max(len(p.Why), len(p.By)) > maxEvidence:
		return fmt.Errorf("a text is longer than %d bytes", maxEvidence)
	}
	return nil
}

// Digits is the number as phone.Number.Digits has it.
func (p *Proven) Digits() uint64 {
	n, _ := strconv.ParseUint(p.Number, 10, 64)
	return n
}

// WithProven is a list with a number, in place of what it says of the same, and without another; "" is none.
func WithProven(all []Proven, add *Proven, drop string) []Proven {
	out := slices.DeleteFunc(slices.Clone(all), func(p Proven) bool { return p.Number == drop || add != nil && p.Number == add.Number })
	if add != nil {
		out = append(out, *add)
	}
	slices.SortFunc(out, func(a, b Proven) int { return a.Since.Compare(b.Since) })
	return out
}

// The headers that tell a carrier which number of ours calls. From is what the called party sees; the asserted one is the line's own.
const (
	HeaderPAI  = "pai"  // P-Asserted-Identity (RFC 3325)
	HeaderRPID = "rpid" // Remote-Party-ID, which older exchanges know
	HeaderBoth = "both"
	HeaderNone = "none" // From alone
)

// Headers and Privacies are what a trunk may have.
var (
	Headers   = []string{HeaderPAI, HeaderRPID, HeaderBoth, HeaderNone}
	Privacies = []string{"id", "user;id", "id;critical", "header;user;id"} // RFC 3323 section 4.2, RFC 3325 section 9.3
)

// Whether the calls that a trunk brings come from abroad.
const (
	HomeCalls    = "no"      // they come from networks of the home country
	AbroadCalls  = "yes"     // numbers of the home country are forged: calls are refused, those of mobiles withheld because some roam
	CheckedCalls = "checked" // the same, but the carrier has checked that mobiles roam: their numbers are shown
)

// Asked is a code that was sent to a number, to prove that it is a customer's. It is kept for a day, also when it is used up: limits count it.
type Asked struct {
	Number string    `json:"number"` // E.164 digits
	How    string    `json:"how"`    // ByCall or ByText
	By     string    `json:"by,omitempty"`
	Code   []byte    `json:"code,omitempty"` // a keyed hash; nil: used
	At     time.Time `json:"at"`
	Tries  int       `json:"tries,omitempty"` // wrong codes
}
