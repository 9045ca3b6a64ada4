package door

import (
	"context"
	"time"

	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/flow/gate"
	"ringfence/flow/guard"
)

// byCode is who admitted a login, as facts say it.
const byCode = "a usual phone of the line, which dialled " + guard.AdmitCode

// Admit is the gate's Admit. A lock that came while it decided cuts the call.
func (d *Door) Admit(ctx context.Context, try gate.Attempt) (*gate.Plan, error) {
	switch {
	case try.Cause != call.Dialled: // a code that nobody dials does nothing
	case try.Dialled == guard.AdmitCode && try.Line != "":
		return nil, d.admitHeld(&try)
	case d.panics(&try):
		return nil, d.lockByCode(ctx, try.Line)
	}
	if try.Cause == call.Dialled && try.Line != "" {
		if f, ok := d.forwardCode(try.Dialled); ok {
			return nil, d.forwardByCode(ctx, &try, f)
		}
	}
	plan, err := d.o.Gate.Admit(ctx, try)
	if err == nil && try.Line != "" && !plan.Always && !try.Cause.Forwards() && !d.mayNow(try.Line, try.Source.Addr()) {
		d.cut(plan.ID)
	}
	return plan, err
}

// Answered is the gate's.
func (d *Door) Answered(ctx context.Context, id call.ID, route gate.Route, snapshot []byte) error {
	return d.o.Gate.Answered(ctx, id, route, snapshot)
}

// Seek is the gate's.
func (d *Door) Seek(id call.ID, leg string, answered bool) (found bool, err error) {
	return d.o.Gate.Seek(id, leg, answered)
}

// admitHeld does what the code asks for. The answer is a refusal in any case: there is no callee, and phones show
// its text. A phone that is itself at a new place, or on probation, cannot admit another.
func (d *Door) admitHeld(try *gate.Attempt) error {
	if try.Restricted || try.Tight != "" || !d.Usual(try.Line, try.Source.Addr()) {
		return &gate.Refusal{Reason: policy.NumberInvalid}
	}
	switch waiting := d.Guard.AdmitHeld(try.Line, byCode, time.Now()); {
	case waiting == 0:
		return &gate.Refusal{Reason: policy.NoLoginHeld}
	case waiting > 1:
		return &gate.Refusal{Reason: policy.ManyLoginsHeld, Figures: policy.Figures{Value: int64(waiting)}}
	}
	return &gate.Refusal{Reason: policy.LoginAdmitted}
}
