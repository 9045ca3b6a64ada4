package door

import (
	"context"
	"time"

	"ringfence/core/account"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/flow/gate"
	"ringfence/flow/guard"
)

// byCode is who admitted a login, as facts say it.
const byCode = "a usual phone of the line, which dialled " + guard.AdmitCode

// Admit is the gate's Admit. A lock that came while it decided cuts the call.
func (d *Door) Admit(ctx context.Context, try gate.Attempt) (*gate.Plan, error) {
	if try.Dialled == guard.AdmitCode && try.Line != "" {
		return nil, d.admitHeld(&try)
	}
	plan, err := d.o.Gate.Admit(ctx, try)
	if err == nil && try.Line != "" && !plan.Always && !d.mayNow(try.Line, try.Source.Addr()) {
		d.cut(plan.ID)
	}
	return plan, err
}

// LineCalls is how many calls a line may place at once by its own setting.
func (d *Door) LineCalls(line string) int {
	l, ok := d.o.Book.Line(line)
	if !ok {
		return 0
	}
	return int(l.Effective(time.Now()).Values[account.MaxCalls])
}

// Emergency says whether what was dialled is an emergency number.
func (d *Door) Emergency(dialled string) bool {
	number, _ := d.o.Book.Plan().Parse(dialled)
	return number.Class == phone.Emergency
}

// admitHeld does what the code asks for. The answer is a refusal in any case: there is nobody to talk to, and phones show
// its words. A phone that is itself at a strange place, or on probation, speaks for nobody.
func (d *Door) admitHeld(try *gate.Attempt) error {
	if try.Restricted || try.Tight != "" || !d.Usual(try.Line, try.Source.Addr()) {
		return &gate.Refusal{Reason: policy.NumberInvalid}
	}
	switch _, waiting := d.Guard.AdmitHeld(try.Line, byCode, time.Now()); {
	case waiting == 0:
		return &gate.Refusal{Reason: policy.NoLoginHeld}
	case waiting > 1:
		return &gate.Refusal{Reason: policy.ManyLoginsHeld, Figures: policy.Figures{Value: int64(waiting)}}
	}
	return &gate.Refusal{Reason: policy.LoginAdmitted}
}
