package api

import "time"

// Reasons why a number is not proved.
const (
	ReasonTooManyCodes = "too-many-codes" // 429
	ReasonWrongCode    = "wrong-code"     // 422
	ReasonNotSent      = "code-not-sent"  // 503
)

// Number is one that the lines of a customer may present, or that is to be proved.
type Number struct {
	Number string     `json:"number" doc:"E.164 with +; of a line also a range, +442079460100-0199"`
	State  string     `json:"state" enum:"line,verified,code-sent,waiting" doc:"line: of a line of the customer's; verified: lines may present it; code-sent: the code that was sent to it is to be given; waiting: proved, and to be presented when the customer's wait is over"`
	Line   string     `json:"line,omitempty" doc:"the line that has it"`
	How    string     `json:"how,omitempty" enum:"call,text,staff" doc:"how it was proved, or how the code was sent; staff: they saw evidence"`
	By     string     `json:"by,omitempty"`
	Why    string     `json:"why,omitempty" doc:"the evidence that staff saw"`
	Since  *time.Time `json:"since,omitempty"`
	Until  *time.Time `json:"until,omitempty" doc:"code-sent: how long the code can be given"`
}

// Resource describes numbers to present.
func (Number) Resource() Resource[Number] {
	return Resource[Number]{
		Name: "number", Path: "customers/{id}/numbers", Key: "number", Tag: "numbers",
		List:    "List the numbers that a customer's lines may present, and those to which a code was sent",
		Add:     "Send a code to a number, to prove that it is the customer's",
		Delete:  "Take a number from those that a customer's lines may present",
		Columns: "number, state, line?, how?, by?, since?, until?, why~?",
		Empty:   "{{.Customer}} has no numbers to present: ringfence customer number add {{.Customer}} NUMBER",
		Cells: map[string]func(*Number) Cell{"state": func(n *Number) Cell {
			return Cell{n.State, map[string]string{"verified": "good", "line": "good"}[n.State]}
		}},
		Named: func(n *Number) (string, string) { return n.Number, n.State },
	}
}

// NumberOf is a customer whose numbers are asked for.
type NumberOf struct {
	Customer string `path:"id" maxLength:"60" arg:"" help:"Customer." predict:"customer"`
}

// Called is the id of the customer.
func (n *NumberOf) Called() string { return n.Customer }

// NumberID says which.
type NumberID struct {
	NumberOf
	Number string `path:"number" maxLength:"40" arg:"" help:"Number: +443069990123."`
}

// NumberNew asks for a code.
type NumberNew struct {
	NumberOf
	Body struct {
		Number string `json:"number" minLength:"3" maxLength:"40" doc:"as it is dialled here, or with + and its country code; an ordinary number of this country" arg:"" help:"Number: 03069 990123, +443069990123."`
		How    string `json:"how,omitempty" enum:"call,text," doc:"how the code gets there: spoken in a call (the default), or in a text message to a mobile" help:"How the code is sent: call (default) or text." default:"call"`
	} `embed:""`
}

// NumberCode gives the code that was sent.
type NumberCode struct {
	NumberID
	Body struct {
		Code string `json:"code" minLength:"1" maxLength:"40" doc:"8 digits; spaces do not matter" arg:"" help:"Code that was sent: 8 digits."`
	} `embed:""`
}

// NumberVouch records evidence that staff saw.
type NumberVouch struct {
	NumberID
	Body struct {
		Why string `json:"why" minLength:"1" maxLength:"300" doc:"what staff saw: a bill, a letter of authorisation, an order to port it" required:"" help:"What you saw: a bill, a letter of authorisation, an order to port it." placeholder:"TEXT"`
	} `embed:""`
}
