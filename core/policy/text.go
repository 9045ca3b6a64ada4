package policy

import (
	"strconv"
	"time"

	"ringfence/core/money"
	"ringfence/core/phone"
)

// plain is the text of a reason without figures.
func plain(text string) func(Figures) string { return func(Figures) string { return text } }

// ceilingText: "the international ceiling is 2p per minute and this call costs 45.1p: a ceiling of 45.1p would allow it".
func ceilingText(kind string) func(Figures) string {
	return func(f Figures) string {
		limit := "the " + kind + " ceiling is " + money.Billing().Coded().Rate(money.Rate(f.Limit)) + " per minute"
		if f.Limit == 0 {
			limit = "the " + kind + " ceiling allows free calls only"
		}
		text := limit + " and this call costs " + money.Billing().Coded().Rate(money.Rate(f.Value))
		if f.Pass > 0 {
			text += ": a ceiling of " + money.Billing().Coded().Rate(money.Rate(f.Pass)) + " would allow it"
		}
		return text
	}
}

func openText(resource string) func(Figures) string {
	return func(f Figures) string {
		if f.Limit == 0 {
			return "this line cannot make " + resource + ": its limit of concurrent " + resource + " is 0"
		}
		return "this line may have " + count(f.Limit) + " concurrent " + resource + " and has " + count(f.Value) + ": try again when one has ended"
	}
}

func rateText(period, when string) func(Figures) string {
	return func(f Figures) string {
		if f.Limit == 0 {
			return "this line cannot start calls: its limit of calls per " + period + " is 0"
		}
		return "this line may start " + count(f.Limit) + " calls per " + period + " and has started " + count(f.Value) + ": try again " + when
	}
}

// capText speaks of a purse: Limit its cap, Value spent and held, Pass the cap that would have had the room.
func capText(which, when string) func(Figures) string {
	return func(f Figures) string {
		begin, pass := which+" is "+limit(f.Limit)+" and "+amount(f.Value)+" of it is spent or reserved", ": "
		if f.Pass > 0 {
			pass += "a cap of " + amount(f.Pass) + " would allow it, or "
		}
		pass += "try again "
		if f.Pass > 0 && f.Pass-f.Waiting.Amount <= f.Limit { // there is room once they have ended
			return f.Waiting.within(begin, pass+"when they end or "+when, pass+when)
		}
		return f.Waiting.within(begin, pass+when, pass+when)
	}
}

// within puts a clause about the waiting calls between the parts of a text, with both counts if there is room. bare is the
// end of a text without that clause.
func (w Waiting) within(begin, end, bare string) string {
	if w.Amount > 0 {
		for _, calls := range [...]string{w.counted(), w.named()} {
			if text := begin + ", " + amount(w.Amount) + " of that by " + calls + end; len(text) <= maxText {
				return text
			}
		}
	}
	return begin + bare
}

// counted is "3 ringing calls and 1 that is ending".
func (w Waiting) counted() string {
	ring := count(w.Ringing) + either(w.Ringing, " ringing call", " ringing calls")
	switch {
	case w.Ending == 0:
		return ring
	case w.Ringing == 0:
		return count(w.Ending) + either(w.Ending, " call that is ending", " calls that are ending")
	}
	return ring + " and " + count(w.Ending) + either(w.Ending, " that is ending", " that are ending")
}

// named is the same without the figures.
func (w Waiting) named() string {
	switch {
	case w.Ending == 0:
		return "ringing calls"
	case w.Ringing == 0:
		return "calls that are ending"
	}
	return "ringing or ending calls"
}

func either(n int64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// maxText is how long a text may be, in bytes.
const maxText = 200

func probationBusyText(f Figures) string {
	return "this login is from a new place and on probation for a day: it may have " + count(f.Limit) + " concurrent calls and has " + count(f.Value) +
		": try again when one has ended"
}

func probationSpentText(f Figures) string {
	rest := ": free calls are possible, and all calls when the day is over"
	return f.Waiting.within("this login is from a new place and on probation for a day: "+amount(f.Value)+" of its "+limit(f.Limit)+" is spent or reserved", rest, rest)
}

func manyHeldText(f Figures) string {
	return "nothing was changed: " + count(f.Value) + " logins of this line are waiting, from different addresses: use the links in the mails"
}

func trunksText(f Figures) string {
	if f.Value == 0 {
		return "no carrier took this call"
	}
	return "no carrier took this call: " + count(f.Value) + " tried"
}

func trunksFullText(f Figures) string {
	if f.Value == 1 {
		return "the trunk for this call carries as many calls as it may: try again shortly"
	}
	return "the trunks for this call carry as many calls as they may: try again shortly"
}

func longestText(f Figures) string {
	if f.Limit <= 0 {
		return "the call reached its maximum duration"
	}
	limit := min(f.Limit, int64(time.Duration(1<<63-1)/time.Second))
	return "the call reached its maximum duration, " + (time.Duration(limit) * time.Second).String()
}

// closedText names the restriction (Limit), and when it ends (Pass, seconds since 1970) or that it has hours (Value 1).
func closedText(f Figures) string {
	if f.List != "" {
		return "this destination is closed: " + listedText(f)
	}
	text := "restriction " + count(f.Limit) + " closes this destination"
	if f.Pass == 0 && f.Value > 0 {
		return text + " at this time of the week"
	}
	return text + " " + until(f)
}

// until is when a restriction ends: closedText says from which figures.
func until(f Figures) string {
	if f.Pass > 0 {
		return "until " + time.Unix(f.Pass, 0).UTC().Format("2006-01-02 15:04") + " UTC"
	}
	return "until it is lifted"
}

func fewerText(f Figures) string {
	return "restriction " + count(f.Limit) + " leaves this line fewer concurrent calls " + until(f) + ", and it has " + count(f.Value) + ": try again when one has ended"
}

func loginClosedText(f Figures) string {
	return "restriction " + count(f.Limit) + " refuses this line's login " + until(f) + " where it is not long known: use a phone and a network that it has long used"
}

// listedText names the hot list, the range on it (Value) and when the entry ends (Pass, seconds since 1970).
func listedText(f Figures) string {
	text := "+" + count(f.Value) + " is on the hot list " + f.List
	if f.Pass > 0 {
		return text + " until " + time.Unix(f.Pass, 0).UTC().Format("2006-01-02 15:04") + " UTC"
	}
	return text + " until it is removed"
}

func callerListedText(f Figures) string {
	return "calls from this number are refused: " + listedText(f)
}

func presentedListedText(f Figures) string {
	return "nobody calls from this number, so calls that present it are refused: " + listedText(f)
}

func cutClosedText(f Figures) string { return "the call was ended: " + closedText(f) }

// lockedText distinguishes a call that was cut immediately from one that ran to the end of its paid time; Limit is the seconds paid for.
func lockedText(f Figures) string {
	if f.Limit <= 0 {
		return "the line was locked during this call, which ended it at once"
	}
	return "the line was locked during this call: no more talk time was bought, and its paid time ended"
}

// problemText says what is wrong with digits; Value is the phone.Problem.
func problemText(f Figures) string { return phone.Problem(min(max(f.Value, 0), 255)).String() }

func count(n int64) string { return strconv.FormatInt(n, 10) }

// amount is a number only: a text names the currency once, with its limit.
func amount(n int64) string { return money.Billing().Number(money.Micro(n)) }

// limit is an amount with its currency, in ASCII.
func limit(n int64) string { return money.Billing().Coded().Amount(money.Micro(n)) }

// Why nobody can be asked to confirm a call: Value of QuestionUnasked.
const (
	UnaskedSentOn = 1 + iota // the line sends it on
	UnaskedMute              // there is no voice here
	UnaskedAudio             // the phone offers no audio that the voice speaks
	UnaskedBusy              // the voice asks as many callers as it can, or the line is being asked in other calls
)

func unaskedText(f Figures) string {
	const must = "the call must be confirmed with a key, and nobody can be asked: "
	switch f.Value {
	case UnaskedSentOn:
		return must + "nobody has dialled it, because the line forwards or transfers it"
	case UnaskedAudio:
		return must + "the phone offers no audio that the voice speaks (G.711 without encryption)"
	case UnaskedBusy:
		return must + "as many callers are being asked as may be at the same time: try again in a minute"
	}
	return must + "the provider has not set up the voice that asks"
}

func failedText(f Figures) string {
	if f.Value == 0 {
		return "the call was not confirmed: no key came in time"
	}
	return "the call was not confirmed: the keys were wrong " + times(f.Value)
}

func times(n int64) string {
	if n == 1 {
		return "once"
	}
	return strconv.FormatInt(n, 10) + " times"
}

func questionsSpentText(f Figures) string {
	return "too many calls of this line were not confirmed: " + strconv.FormatInt(f.Value, 10) + " within an hour. Calls that must be confirmed are refused for an hour"
}
