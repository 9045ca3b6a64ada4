package detect

import (
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/money"
)

// Usage is what a line or account has used that was not billed, and the level at which people want to know.
type Usage struct {
	Line, Account string      // Line "" is the whole account
	Settled       money.Micro // of calls that have ended
	Running       money.Micro // of calls in progress, up to now
	Level         money.Micro // > 0
}

// Passed is the highest multiple of the level that is reached, as an amount: 0 while below it, or when the level is off.
func (u *Usage) Passed() money.Micro {
	used := u.Settled.Add(u.Running)
	if u.Level <= 0 || used < u.Level {
		return 0
	}
	return used / u.Level * u.Level
}

// UsagePassed is the finding that usage has reached u.Passed(), of which told was told before (0 is nothing): multiples in between, passed at once, are
// named in it. Its key holds the amount and not the multiple, so that a level changed later hides nothing. Period tells
// one bill's usage from the next one's.
func UsagePassed(u Usage, told money.Micro, period string, now time.Time) Finding {
	passed := u.Passed()
	subject, name := "account/"+u.Account, "Account "+account.Handle(u.Account)
	if u.Line != "" {
		subject, name = "line/"+u.Line, "Line "+account.Handle(u.Line)
	}
	multiple := int64(passed / max(u.Level, 1))
	text := name + " has used " + shown(u.Settled.Add(u.Running)) + " and has passed " + shown(passed)
	if multiple == 1 {
		text += ", its warning level"
	} else {
		text += " (" + times(multiple) + " the warning level of " + shown(u.Level) + ")"
	}
	if n := multiple - int64(told/max(u.Level, 1)) - 1; n > 0 && told >= 0 {
		text += "; " + some(n, "lower step was", "lower steps were") + " passed at the same time"
	}
	if u.Running > 0 {
		text += "; " + shown(u.Running) + " of it is for calls in progress"
	}
	v := evidence{
		"subject": account.HandlePath(subject), "settled_micro": u.Settled, "running_micro": u.Running, "level_micro": u.Level,
		"passed_micro": passed, "multiple": multiple, "told_micro": told, "period": period,
	}
	return Finding{
		Key:  strings.Join([]string{UsageLevel.String(), subject, passed.String(), period}, "/"),
		Kind: UsageLevel, Severity: UsageLevel.Severity(), Line: u.Line, Account: u.Account, Text: text + ".", At: now, Evidence: v.json(),
	}
}

func shown(m money.Micro) string { return money.Billing().Shown(m) }

// times is "twice", "three times" … "12 times".
func times(n int64) string {
	words := [...]string{"no times", "once", "twice", "three times", "four times", "five times", "six times", "seven times", "eight times", "nine times", "ten times"}
	if n >= 0 && n < int64(len(words)) {
		return words[n]
	}
	return strconv.FormatInt(n, 10) + " times"
}
