package account

import (
	"time"

	"ringfence/core/call"
)

// Forwards say where the calls to a line go that it does not take itself: as digits that the line could dial, "" is nowhere. The line pays for them.
type Forwards struct {
	Always      string `json:"always,omitempty"`
	Busy        string `json:"busy,omitempty"`
	NoAnswer    string `json:"no_answer,omitempty"`
	Unreachable string `json:"unreachable,omitempty"`
	After       int64  `json:"after_s,omitempty"` // how long its phones ring before NoAnswer, in seconds; 0 is RingFor
}

// ForwardNames are what the forwards are called, by their causes.
var ForwardNames = map[call.Cause]string{
	call.ForwardAlways: "always", call.ForwardBusy: "when busy", call.ForwardNoAnswer: "when nobody answers", call.ForwardUnreachable: "when unreachable",
}

// ForwardCauses are the causes of forwards, in the order in which people are shown them, and ForwardKeys what the API calls them.
var (
	ForwardCauses = [...]call.Cause{call.ForwardAlways, call.ForwardBusy, call.ForwardNoAnswer, call.ForwardUnreachable}
	ForwardKeys   = map[call.Cause]string{
		call.ForwardAlways: "forward_always", call.ForwardBusy: "forward_busy", call.ForwardNoAnswer: "forward_no_answer", call.ForwardUnreachable: "forward_unreachable",
	}
)

// Bounds of how long phones ring before a call is forwarded that nobody answers.
const (
	RingFor = 20 * time.Second
	MinRing = 5 * time.Second
	MaxRing = 90 * time.Second
)

// To is where calls go for a cause.
func (f *Forwards) To(cause call.Cause) string {
	if to := f.at(cause); to != nil {
		return *to
	}
	return ""
}

// Set changes where calls go for a cause, and says whether there is such a forward.
func (f *Forwards) Set(cause call.Cause, to string) bool {
	at := f.at(cause)
	if at != nil {
		*at = to
	}
	return at != nil
}

func (f *Forwards) at(cause call.Cause) *string {
	switch cause {
	case call.ForwardAlways:
		return &f.Always
	case call.ForwardBusy:
		return &f.Busy
	case call.ForwardNoAnswer:
		return &f.NoAnswer
	case call.ForwardUnreachable:
		return &f.Unreachable
	}
	return nil
}

// Rings is how long phones ring before NoAnswer.
func (f *Forwards) Rings() time.Duration {
	if f.After == 0 {
		return RingFor
	}
	return time.Duration(f.After) * time.Second
}
