package detect

import (
	"fmt"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
)

// signWords are the signs of an odd call, as parts of a sentence.
var signWords = map[string]string{
	"odd-hour":    "at an hour without calls as a rule",
	"odd-place":   "from a network that is new to the customer",
	"far-place":   "from a network that none of our customers call from",
	"odd-device":  "from a product that is new to the customer",
	"at-once":     "with more concurrent calls than ever before",
	"hot-range":   "to a range in which another customer was just stopped",
	"baited":      "to a range that had rung here briefly",
	"test-call":   "after a short call to a new destination or a listed one",
	"tries":       "after several destinations were refused one after the other",
	"after-login": "after trouble with the login",
	"burst":       "with more calls within an hour than ever before",
	"in-a-row":    "to the same number, or one beside it, again and again",
}

// noveltyWords say how new a destination is.
var noveltyWords = map[string]string{
	"number":           "a number that it has long called",
	"number-of-others": "a number that only other lines of the customer have long called",
	"kind":             "a new number in a country that it calls",
	"kind-of-others":   "a new number in a country that only other lines of the customer call",
	"new":              "a destination that nobody at the customer's has called before",
}

// judgeUnusual: calls are unlike what their line usually does. The fact is a conclusion already; here it gets its words.
func judgeUnusual(e *Event, b *fact.CallsUnusual) ([]Finding, error) {
	if b.Key == "" || e.Line == "" {
		return nil, fmt.Errorf("%w: %s without a key or a line", ErrBody, e.Kind)
	}
	kind := UnusualCalls
	if b.Trial {
		kind = UnusualTrial
	}
	f := Finding{
		Key: kind.String() + strings.TrimPrefix(b.Key, UnusualCalls.String()), Kind: kind, Severity: kind.Severity(), Line: e.Line, Account: e.Account, At: e.At,
		Text: unusualText(e, b), Evidence: unusualEvidence(e, b),
	}
	if stepWords[b.Rung] != "" && !b.Trial {
		f.Severity = Critical
	}
	return []Finding{f}, nil
}

func unusualText(e *Event, b *fact.CallsUnusual) string {
	calls := "line " + e.handle() + "'s calls"
	if b.Whole {
		calls = "customer " + account.Handle(e.Account) + "'s calls"
	}
	if b.Range != "" {
		calls += " to numbers that begin with " + string(said(b.Range))
	}
	text := fmt.Sprintf("The unusual part of %s has come to %s within %s, which counts as %s for how odd they are; we let %s pass. The last one was to %s",
		calls, shown(b.Unusual), long(b.Within), shown(b.Weighed), shown(b.Allowance), said(b.Number))
	if b.Country != "" {
		text += " (" + string(said(b.Country)) + ")"
	}
	if words := noveltyWords[b.Novelty]; words != "" {
		text += ", " + words
	}
	for _, sign := range b.Signs {
		if words := signWords[sign]; words != "" {
			text += ", " + words
		}
	}
	return text + ". " + closedText(b)
}

// closedText says what was done.
func closedText(b *fact.CallsUnusual) string {
	closed := stepWords[b.Rung]
	switch {
	case b.Trial && closed != "":
		return "This is a trial: nothing was closed. Otherwise we would have closed " + closed + "."
	case closed == "":
		return "Nothing is closed yet."
	}
	until := "now"
	if !b.Until.IsZero() {
		until = "until " + b.Until.UTC().Format("2 January 15:04") + " UTC"
	}
	return "Closed " + until + ": " + closed + "."
}

// stepWords are the steps that close something.
var stepWords = map[string]string{
	"tighten": "more than one concurrent call abroad and to numbers that pay their holder, and destinations abroad that are dearer than this one in countries that are new to the customer; numbers that have long been called are not affected",
	"range":   "the thousand numbers that begin as this one does; numbers that have long been called stay open",
	"country": "this range of numbers, and its country if it is new to the customer; numbers that have long been called stay open",
	"narrow":  "this range, numbers that pay their holder, and the countries abroad that are new to the customer; numbers that have long been called stay open",
	"abroad":  "all calls abroad and to numbers that pay their holder; numbers that have long been called stay open",
	"paid":    "all calls that cost something; numbers that have long been called, free numbers and emergency calls stay open",
	"login":   "all calls that cost something, and logins from phones and networks that are not long known; known phones still ring, and numbers that have long been called, free numbers and emergency calls stay open",
}

func unusualEvidence(e *Event, b *fact.CallsUnusual) []byte {
	v := evidence{
		"measure": b.Measure, "step": b.Rung, "number": said(b.Number), "range": said(b.Range), "class": said(b.Class), "called_country": said(b.Country),
		"unusual_micro": b.Unusual, "weighed_micro": b.Weighed, "allowance_micro": b.Allowance, "within_s": int64(b.Within / time.Second), "novelty": b.Novelty,
		"per_minute_nano": b.PerMinute, "call_id": e.Call, "closed_until": b.Until,
	}
	for name, list := range map[string][]string{"signs": b.Signs, "closed": b.Closed, "kept_open": b.KeptOpen} {
		if len(list) > 0 {
			v[name] = list
		}
	}
	for name, is := range map[string]bool{"trial": b.Trial, "whole": b.Whole} {
		if is {
			v[name] = true
		}
	}
	if b.Again > 0 {
		v["again"] = b.Again
	}
	return v.json()
}

// judgeRuleBack: a rule has gone back by itself.
func judgeRuleBack(e *Event, b *fact.CallsRuleBack) ([]Finding, error) {
	if b.Measure == "" {
		return nil, fmt.Errorf("%w: %s without a rule", ErrBody, e.Kind)
	}
	text := fmt.Sprintf("Three of the last ten findings of the rule %s were honest calls. It is %s now.", said(b.Measure), said(b.Life))
	return []Finding{e.finding(RuleBack, "", "", text, evidence{"measure": b.Measure, "life": b.Life}, b.Measure, e.day())}, nil
}
