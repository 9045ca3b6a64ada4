package detect

import (
	"ringfence/core/fact"
)

// inPlural names what facts of the guard are about.
var inPlural = map[string]string{
	fact.KindLoginLocked: "lock-outs", fact.KindLoginSiege: "sieges", fact.KindLoginSpray: "sprayers", fact.KindLoginStale: "forgotten phones",
	fact.KindLoginOld: "uses of former passwords", fact.KindLoginMovedNonce: "answers from other addresses", fact.KindLoginHoneypot: "uses of decoy lines",
}

// summed: the guard lists a limited number of events a minute, and sums up the rest of a kind: {"more","from","till"}.
// When there is a rest it is a flood, reported once a day.
func summed(e *Event) (Finding, bool) {
	var b fact.LeftOut
	what := inPlural[e.Kind]
	if what == "" || decode(e, &b) != nil || b.More <= 0 {
		return Finding{}, false
	}
	text := "There were so many " + what + " that " + some(b.More, "of them is", "of them are") + " not listed one by one"
	if d := b.To.Sub(b.From); !b.From.IsZero() && d > 0 {
		text += " (within " + long(d) + ")"
	}
	v := evidence{"fact": e.Kind, "more": b.More, "from": b.From, "till": b.To}
	return e.finding(Flood, "", "", text+".", v, "logins", e.day()), true
}

// judgeLocked: a source guessed and is locked out. The owner of a line is notified of lock-outs for it once a day. An
// address that is locked out for every line is background noise for the desk, once a day per network. Names of lines that do not
// exist concern no one: a source that tries many of them is a sprayer.
func judgeLocked(e *Event, b *fact.LoginLocked) ([]Finding, error) {
	v := evidence{
		"source": from(b.Source), "scope": said(b.Scope), "failures": b.Failures, "level": b.Level, "until": b.Until,
		"agent": said(b.Agent), "spared": b.Spared, "guesses": said(b.Guesses), "usual_place": b.Usual, "typist": b.Typist,
	}
	wrong := some(b.Failures, "wrong login", "wrong logins")
	lasts := ""
	if d := b.Until.Sub(e.At); !b.Until.IsZero() && d > 0 {
		lasts = " for " + long(d)
	}
	if b.Scope != "line" {
		text := from(b.Source).or("A source") + " sent " + wrong + " in all and is locked out for all lines" + lasts + "."
		if b.Scope == "as" {
			text = from(b.Source).or("A network") + " sent " + wrong + " in all; each new address in it now gets a single attempt" + lasts + "."
		}
		f := e.finding(Guessing, "", from(b.Source).String(), text, v, "source", from(b.Source).place(), e.day())
		f.Severity = Info
		return []Finding{f}, nil
	}
	if e.Line == "" {
		return nil, nil
	}
	who := from(b.Source).or("An unknown address")
	if b.Usual {
		text := who + ", a usual place of line " + e.handle() + ", sent " + wrong + " and is locked out for this line" + lasts + ": probably a phone with a wrong password."
		f := e.finding(Guessing, e.Line, from(b.Source).String(), text, v, "usual", e.day())
		f.Severity = Info
		return []Finding{f}, nil
	}
	text := who + " sent " + wrong + " for line " + e.handle() + " and is locked out for this line" + lasts
	switch {
	case b.Guesses != "":
		text += "; passwords tried: " + string(said(b.Guesses))
	case b.Typist:
		text += "; what it tried is on no list of common passwords, so it may be a phone with a wrong password"
	}
	return []Finding{e.finding(Guessing, e.Line, from(b.Source).String(), text+".", v, e.day())}, nil
}

// judgeDistributed: one line, many places or weeks. Once a week as long as it lasts.
func judgeDistributed(e *Event, b *fact.LoginSiege) ([]Finding, error) {
	text := "Line " + e.handle() + " had " + some(b.Failures, "wrong login", "wrong logins") + " from " + some(b.Sources, "new address", "new addresses")
	if b.Days > 0 {
		text += " within " + some(b.Days, "day", "days")
	}
	text += "; new places now get " + some(max(b.Budget, 0), "attempt", "attempts") + " a day, and usual places are not affected."
	v := evidence{"failures": b.Failures, "sources": b.Sources, "days": b.Days, "budget": b.Budget}
	return []Finding{e.finding(Distributed, e.Line, "", text, v, e.week())}, nil
}

// judgeSpray: one source or network over many lines is one finding a day, however many lines and addresses. Without a
// source it is the same few passwords over many lines from many networks.
func judgeSpray(e *Event, b *fact.LoginSpray) ([]Finding, error) {
	lines := some(b.Lines, "line", "different lines")
	text := from(b.Source).or("A source") + " tried " + lines + " with " + some(b.Failures, "wrong login", "wrong logins") +
		"; " + some(b.Known, "of the names exists", "of the names exist") + " here"
	if b.Sources > 0 && from(b.Source).String() == "" {
		text = "The same passwords were tried on " + lines + " from " + some(b.Sources, "network", "different networks")
	}
	if b.Guesses != "" {
		text += "; passwords tried: " + string(said(b.Guesses))
	}
	v := evidence{"source": from(b.Source), "lines": b.Lines, "failures": b.Failures, "known": b.Known, "guesses": said(b.Guesses)}
	if b.Sources > 0 {
		v["networks"] = b.Sources
	}
	return []Finding{e.finding(Spray, "", from(b.Source).String(), text+".", v, "source", from(b.Source).place(), e.day())}, nil
}

// judgeStale: an honest phone that was forgotten when the password changed. A week, because no one changes a phone immediately.
func judgeStale(e *Event, b *fact.LoginStale) ([]Finding, error) {
	phone := "A phone"
	if b.Agent != "" {
		phone += " that calls itself “" + string(said(b.Agent)) + "”"
	}
	text := phone + " at " + from(b.Source).or("an unknown address") + " keeps trying line " + e.handle()
	switch {
	case b.How != "former":
		text += " with one wrong password, steadily and from its usual place."
	case b.ReplacedAt.IsZero():
		text += " with a password that was replaced."
	default:
		text += " with a password that was replaced on " + b.ReplacedAt.UTC().Format("2 January 2006") + "."
	}
	v := evidence{"source": from(b.Source), "agent": said(b.Agent), "how": said(b.How), "replaced_at": b.ReplacedAt}
	return []Finding{e.finding(StalePhone, e.Line, from(b.Source).String(), text, v, from(b.Source).place(), e.week())}, nil
}

func judgeOld(e *Event, b *fact.LoginOld) ([]Finding, error) {
	text := "A former password of line " + e.handle() + " was tried from " + from(b.Source).or("an unknown address") + ", where the line was never used."
	v := evidence{"source": from(b.Source), "agent": said(b.Agent)}
	return []Finding{e.finding(OldPassword, e.Line, from(b.Source).String(), text, v, from(b.Source).place(), e.day())}, nil
}

func judgeMovedNonce(e *Event, b *fact.LoginMovedNonce) ([]Finding, error) {
	text := "The right answer to a login challenge of line " + e.handle() + " came from " + from(b.Source).or("an unknown address") + "; the challenge was given to " +
		from(b.Given).or("another address") + ", and no fresh login followed."
	v := evidence{"source": from(b.Source), "given_to": from(b.Given), "agent": said(b.Agent)}
	return []Finding{e.finding(NonceMoved, e.Line, from(b.Source).String(), text, v, from(b.Source).place(), e.day())}, nil
}

// judgeHoneypot: once a day for a decoy, however many scanners come by; the right password is a finding of its own.
func judgeHoneypot(e *Event, b *fact.LoginHoneypot) ([]Finding, error) {
	v := evidence{"source": from(b.Source), "agent": said(b.Agent), "right_password": b.Right != nil && *b.Right}
	who := from(b.Source).or("An unknown address")
	if b.Right == nil || !*b.Right {
		text := who + " tried the login of decoy line " + e.handle() + " with a wrong password."
		return []Finding{e.finding(HoneypotUsed, e.Line, from(b.Source).String(), text, v, e.day())}, nil
	}
	text := who + " used the login of decoy line " + e.handle() + " with the right password: it has leaked."
	f := e.finding(HoneypotUsed, e.Line, from(b.Source).String(), text, v, "right", e.day())
	f.Severity = Critical
	return []Finding{f}, nil
}

func judgeFlood(e *Event, b *fact.BanFlood) ([]Finding, error) {
	text := some(b.Bans, "source was", "sources were") + " blocked"
	if d := b.To.Sub(b.From); !b.From.IsZero() && d > 0 {
		text += " within " + long(d)
	}
	sample := make([]words, min(len(b.Sample), maxSample))
	for i := range sample {
		sample[i] = said(b.Sample[i])
	}
	v := evidence{"bans": b.Bans, "from": b.From, "till": b.To, "sample": sample}
	return []Finding{e.finding(Flood, "", "", text+".", v, e.day())}, nil
}
