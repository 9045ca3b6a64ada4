package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/flow/auth"
	"ringfence/flow/gate"
	"ringfence/flow/notify"
)

// byCode is who admitted a login, as facts say it.
const byCode = "a usual phone of the line, which dialled " + auth.AdmitCode

// admitHeld does what the code asks for. The answer is a refusal in any case: there is nobody to talk to, and phones show
// its words. A phone that is itself at a strange place, or on probation, speaks for nobody.
func (a *App) admitHeld(try *gate.Attempt) error {
	at := try.Source.Addr()
	if try.Restricted || try.Tight != "" || !a.usual(try.Line, at) {
		return &gate.Refusal{Reason: policy.NumberInvalid}
	}
	switch _, waiting := a.auth.AdmitHeld(try.Line, byCode, time.Now()); {
	case waiting == 0:
		return &gate.Refusal{Reason: policy.NoLoginHeld}
	case waiting > 1:
		return &gate.Refusal{Reason: policy.ManyLoginsHeld, Figures: policy.Figures{Value: int64(waiting)}}
	}
	return &gate.Refusal{Reason: policy.LoginAdmitted}
}

// answerAdmit lets the address in that a notice was about: once, and on probation.
func (a *App) answerAdmit(_ context.Context, line string, data []byte) (string, error) {
	var x about
	if err := json.Unmarshal(data, &x); err != nil {
		return "", err
	}
	at, err := netip.ParseAddr(x.Address)
	if err != nil {
		return "", err
	}
	l, ok := a.book.Line(line)
	if !ok {
		return "There is no such line any more. Nothing was left to do.", nil
	}
	done, ok := a.auth.Admit(line, at, notify.ByAnswer, time.Now())
	switch {
	case !ok:
		return "Nothing was done: too many addresses were admitted for this line today.", nil
	case done.Until.IsZero():
		return fmt.Sprintf("The phone at %s can log in again: it need only try once more.", at), nil
	}
	return fmt.Sprintf("The phone at %s may log in until %s: it need only try once more. For a day from then it can take calls, and call ordinary national numbers "+
		"for %s in all, two calls at once. Nothing else was changed.", at, done.Until.In(l.Zone()).Format("15:04"), money.Billing().Amount(policy.ProbationCap())), nil
}
