package policy

import (
	"strconv"
	"time"

	"ringfence/core/money"
	"ringfence/core/phone"
)

// plain is the text of a reason without figures.
func plain(text string) func(Figures) string { return func(Figures) string { return text } }

// ceilingText: "international ceiling is 2p a minute and this call costs 45.1p: a ceiling of 45.1p would pass".
func ceilingText(kind string) func(Figures) string {
	return func(f Figures) string {
		limit := "the " + kind + " ceiling is " + money.Billing().Coded().Rate(money.Rate(f.Limit)) + " a minute"
		if f.Limit == 0 {
			limit = "the " + kind + " ceiling allows free calls only"
		}
		text := limit + " and this call costs " + money.Billing().Coded().Rate(money.Rate(f.Value))
		if f.Pass > 0 {
			text += ": a ceiling of " + money.Billing().Coded().Rate(money.Rate(f.Pass)) + " would pass"
		}
		return text
	}
}

func openText(what string) func(Figures) string {
	return func(f Figures) string {
		if f.Limit == 0 {
			return "this line may not have " + what + ": nothing passes until that limit is raised"
		}
		return "this line may have " + count(f.Limit) + " " + what + " and has " + count(f.Value) + ": a call passes when one ends"
	}
}

func rateText(f Figures) string {
	if f.Limit == 0 {
		return "this line may not begin calls: nothing passes until calls-per-minute is raised"
	}
	return "this line may begin " + count(f.Limit) + " calls a minute and began " + count(f.Value) + ": a call passes within a minute"
}

// capText speaks of a purse: Limit its cap, Value spent and held, Pass the cap that would have had the room.
func capText(which, when string) func(Figures) string {
	return func(f Figures) string {
		begin, pass := which+" is "+limit(f.Limit)+" and "+amount(f.Value)+" of it is spent or held", ": "
		if f.Pass > 0 {
			pass += "a cap of " + amount(f.Pass) + " would pass, or "
		}
		pass += "a call "
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

// counted is "3 calls that ring and 1 that is ending".
func (w Waiting) counted() string {
	ring := count(w.Ringing) + either(w.Ringing, " call that rings", " calls that ring")
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
		return "calls that ring"
	case w.Ringing == 0:
		return "calls that are ending"
	}
	return "calls that ring or end"
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
	return "this login is new here and on probation for a day: it may have " + count(f.Limit) + " calls at once and has " + count(f.Value) +
		": a call passes when one ends"
}

func probationSpentText(f Figures) string {
	rest := ": free calls pass, and all when the day is over"
	return f.Waiting.within("this login is new here and on probation for a day: "+amount(f.Value)+" of its "+limit(f.Limit)+" is spent or held", rest, rest)
}

func manyHeldText(f Figures) string {
	return "nothing was done: " + count(f.Value) + " logins of this line wait, from different addresses: the notices by mail tell them apart"
}

func trunksText(f Figures) string {
	if f.Value == 0 {
		return "no carrier took this call"
	}
	return "no carrier took this call: " + count(f.Value) + " tried"
}

func longestText(f Figures) string {
	if f.Limit <= 0 {
		return "the call reached the longest time allowed"
	}
	limit := min(f.Limit, int64(time.Duration(1<<63-1)/time.Second))
	return "the call reached the longest time allowed, " + (time.Duration(limit) * time.Second).String()
}

// lockedText tells a call that was cut at once from one that ran to the end of its paid time; Limit is the seconds paid for.
func lockedText(f Figures) string {
	if f.Limit <= 0 {
		return "the line was locked while this call was up, which ended it at once"
	}
	return "the line was locked while this call was up: nothing more was bought, and its paid time ended"
}

// problemText says what is wrong with digits; Value is the phone.Problem.
func problemText(f Figures) string {
	switch phone.Problem(min(max(f.Value, 0), 255)) {
	case phone.Empty:
		return "no number was dialled"
	case phone.BadCharacter:
		return "this is not a telephone number: it has something other than digits in it"
	case phone.TooLong:
		return "this number is too long: at most 15 digits with the country code"
	case phone.TooShort:
		return "this number is too short for its range"
	case phone.NoCountry:
		return "this number begins with no country code that exists"
	case phone.NoRange:
		return "the country called has no such range of numbers"
	case phone.NoService:
		return "there is no such service here"
	case phone.NoPrefix:
		return "this number is not complete: dial 0 before a national number, 00 or + before an international one"
	}
	return "this is not a valid telephone number"
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

// amount is a number only: a text names the currency once, with its limit.
func amount(n int64) string { return money.Billing().Number(money.Micro(n)) }

// limit is an amount with its currency, in ASCII.
func limit(n int64) string { return money.Billing().Coded().Amount(money.Micro(n)) }
