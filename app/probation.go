package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/flow/notify"
)

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
	done, ok := a.door.Guard.Admit(line, at, notify.ByAnswer, time.Now())
	switch {
	case !ok:
		return "Nothing was done: too many addresses were admitted for this line today.", nil
	case done.Until.IsZero():
		return fmt.Sprintf("The phone at %s can log in again: it need only try once more.", at), nil
	}
	return fmt.Sprintf("The phone at %s may log in until %s: it need only try once more. For a day from then it can take calls, and call ordinary national numbers "+
		"for %s in all, two calls at once. Nothing else was changed.", at, done.Until.In(l.Zone()).Format("15:04"), money.Billing().Amount(policy.ProbationCap())), nil
}
