package detect

// inPlural names what facts of the guard are about.
var inPlural = map[string]string{
	"login.locked": "lock-outs", "login.siege": "sieges", "login.spray": "sprayers", "login.stale": "forgotten phones", "login.old": "uses of former passwords",
	"login.moved-nonce": "answers from other addresses", "login.honeypot": "uses of decoy lines",
}

// summed: the guard tells of so many events a minute one by one, and sums up the rest of a kind: {"more","from","till"}.
// That many are a flood, once a day.
func summed(e *Event) (Finding, bool) {
	var b struct {
		More int64   `json:"more"`
		From instant `json:"from"`
		Till instant `json:"till"`
	}
	what := inPlural[e.Kind]
	if what == "" || decode(e, &b) != nil || b.More <= 0 {
		return Finding{}, false
	}
	text := "There were so many " + what + " that " + some(b.More, "of them is", "of them are") + " not listed one by one"
	if d := b.Till.Sub(b.From.Time); !b.From.IsZero() && d > 0 {
		text += " (within " + long(d) + ")"
	}
	v := evidence{"fact": e.Kind, "more": b.More, "from": b.From, "till": b.Till}
	return e.finding(Flood, "", "", text+".", v, "logins", e.day()), true
}

// judgeLocked: somebody guessed and is locked out. What is locked out for a line is told to its owner, once a day; an
// address shut out altogether is background noise for the desk, once a day a network. Names of no line are nobody's worry:
// who tries many of them is a sprayer.
func judgeLocked(e *Event) ([]Finding, error) {
	var b struct {
		Source   source  `json:"source"`
		Scope    words   `json:"scope"`
		Failures int64   `json:"failures"`
		Level    int64   `json:"level"`
		Until    instant `json:"until"`
		User     words   `json:"user"`
		Agent    words   `json:"agent"`
		Spared   bool    `json:"spared"`
		Guesses  words   `json:"guesses"`
		Usual    bool    `json:"usual"`
		Typist   bool    `json:"typist"`
	}
	if err := decode(e, &b); err != nil {
		return nil, err
	}
	v := evidence{
		"source": b.Source, "scope": b.Scope, "failures": b.Failures, "level": b.Level, "until": b.Until,
		"agent": b.Agent, "spared": b.Spared, "guesses": b.Guesses, "usual_place": b.Usual, "typist": b.Typist,
	}
	wrong := some(b.Failures, "wrong login", "wrong logins")
	lasts := ""
	if d := b.Until.Sub(e.At); !b.Until.IsZero() && d > 0 {
		lasts = " for " + long(d)
	}
	if b.Scope != "line" {
		text := b.Source.or("A source") + " sent " + wrong + " in all and is locked out altogether" + lasts + "."
		if b.Scope == "as" {
			text = b.Source.or("A network") + " sent " + wrong + " in all; its strangers now get a single try each" + lasts + "."
		}
		f := e.finding(Guessing, "", b.Source.String(), text, v, "source", b.Source.place(), e.day())
		f.Severity = Info
		return []Finding{f}, nil
	}
	if e.Line == "" {
		return nil, nil
	}
	who := b.Source.or("An unknown address")
	if b.Usual {
		text := who + ", a usual place of line " + e.handle() + ", sent " + wrong + " and is locked out for this line" + lasts + ": probably a phone with a wrong password."
		f := e.finding(Guessing, e.Line, b.Source.String(), text, v, "usual", e.day())
		f.Severity = Info
		return []Finding{f}, nil
	}
	text := who + " sent " + wrong + " for line " + e.handle() + " and is locked out for this line" + lasts
	switch {
	case b.Guesses != "":
		text += "; it guesses from: " + string(b.Guesses)
	case b.Typist:
		text += "; what it tried is on no list of common passwords, so it may be a phone with a wrong one"
	}
	return []Finding{e.finding(Guessing, e.Line, b.Source.String(), text+".", v, e.day())}, nil
}

// judgeSiege: one line, many places or weeks. Once a week as long as it lasts.
func judgeSiege(e *Event) ([]Finding, error) {
	var b struct {
		Failures int64 `json:"failures"`
		Sources  int64 `json:"sources"`
		Days     int64 `json:"days"`
		Budget   int64 `json:"budget"`
	}
	if err := decode(e, &b); err != nil || e.Line == "" {
		return nil, err
	}
	text := "Line " + e.handle() + " had " + some(b.Failures, "wrong login", "wrong logins") + " from " + some(b.Sources, "strange address", "strange addresses")
	if b.Days > 0 {
		text += " within " + some(b.Days, "day", "days")
	}
	text += "; strangers now get " + some(max(b.Budget, 0), "try", "tries") + " a day, usual places are not affected."
	v := evidence{"failures": b.Failures, "sources": b.Sources, "days": b.Days, "budget": b.Budget}
	return []Finding{e.finding(Siege, e.Line, "", text, v, e.week())}, nil
}

// judgeSpray: one source or network over many lines is one finding a day, however many lines and addresses. Without a
// source it is the same few passwords over many lines from many networks.
func judgeSpray(e *Event) ([]Finding, error) {
	var b struct {
		Source   source `json:"source"`
		Lines    int64  `json:"lines"`
		Failures int64  `json:"failures"`
		Known    int64  `json:"known"`
		Sources  int64  `json:"sources"`
		Guesses  words  `json:"guesses"`
	}
	if err := decode(e, &b); err != nil {
		return nil, err
	}
	lines := some(b.Lines, "line", "different lines")
	text := b.Source.or("A source") + " tried " + lines + " with " + some(b.Failures, "wrong login", "wrong logins") +
		"; " + some(b.Known, "of the names exists", "of the names exist") + " here"
	if b.Sources > 0 && b.Source.String() == "" {
		text = "The same passwords were tried on " + lines + " from " + some(b.Sources, "network", "different networks")
	}
	if b.Guesses != "" {
		text += "; it guesses from: " + string(b.Guesses)
	}
	v := evidence{"source": b.Source, "lines": b.Lines, "failures": b.Failures, "known": b.Known, "guesses": b.Guesses}
	if b.Sources > 0 {
		v["networks"] = b.Sources
	}
	return []Finding{e.finding(Spray, "", b.Source.String(), text+".", v, "source", b.Source.place(), e.day())}, nil
}

// judgeStale: an honest phone that was forgotten when the password changed. A week, for nobody runs at once for a phone.
func judgeStale(e *Event) ([]Finding, error) {
	var b struct {
		Source   source  `json:"source"`
		Agent    words   `json:"agent"`
		How      words   `json:"how"`
		Replaced instant `json:"replaced_at"`
	}
	if err := decode(e, &b); err != nil || e.Line == "" {
		return nil, err
	}
	phone := "A phone"
	if b.Agent != "" {
		phone += " that calls itself “" + string(b.Agent) + "”"
	}
	text := phone + " at " + b.Source.or("an unknown address") + " keeps trying line " + e.handle()
	switch {
	case b.How != "former":
		text += " with one wrong password, steadily and from its usual place."
	case b.Replaced.IsZero():
		text += " with a password that was replaced."
	default:
		text += " with a password that was replaced on " + b.Replaced.UTC().Format("2 January 2006") + "."
	}
	v := evidence{"source": b.Source, "agent": b.Agent, "how": b.How, "replaced_at": b.Replaced}
	return []Finding{e.finding(StalePhone, e.Line, b.Source.String(), text, v, b.Source.place(), e.week())}, nil
}

func judgeOld(e *Event) ([]Finding, error) {
	var b struct {
		Source source `json:"source"`
		Agent  words  `json:"agent"`
	}
	if err := decode(e, &b); err != nil || e.Line == "" {
		return nil, err
	}
	text := "A former password of line " + e.handle() + " was tried from " + b.Source.or("an unknown address") + ", where the line was never used."
	v := evidence{"source": b.Source, "agent": b.Agent}
	return []Finding{e.finding(OldPassword, e.Line, b.Source.String(), text, v, b.Source.place(), e.day())}, nil
}

func judgeMovedNonce(e *Event) ([]Finding, error) {
	var b struct {
		Source source `json:"source"`
		Given  source `json:"given_to"`
		Agent  words  `json:"agent"`
	}
	if err := decode(e, &b); err != nil || e.Line == "" {
		return nil, err
	}
	text := "The right answer to a login challenge of line " + e.handle() + " came from " + b.Source.or("an unknown address") + "; the challenge was given to " +
		b.Given.or("another address") + ", and no fresh login followed."
	v := evidence{"source": b.Source, "given_to": b.Given, "agent": b.Agent}
	return []Finding{e.finding(NonceMoved, e.Line, b.Source.String(), text, v, b.Source.place(), e.day())}, nil
}

// judgeHoneypot: once a day for a decoy, however many scanners come by; the right password is a finding of its own.
func judgeHoneypot(e *Event) ([]Finding, error) {
	var b struct {
		Source source `json:"source"`
		Agent  words  `json:"agent"`
		Right  bool   `json:"right"`
	}
	if err := decode(e, &b); err != nil || e.Line == "" {
		return nil, err
	}
	v := evidence{"source": b.Source, "agent": b.Agent, "right_password": b.Right}
	who := b.Source.or("An unknown address")
	if !b.Right {
		text := who + " tried the login of decoy line " + e.handle() + " with a wrong password."
		return []Finding{e.finding(HoneypotUsed, e.Line, b.Source.String(), text, v, e.day())}, nil
	}
	text := who + " used the login of decoy line " + e.handle() + " with the right password: it has leaked."
	f := e.finding(HoneypotUsed, e.Line, b.Source.String(), text, v, "right", e.day())
	f.Severity = Critical
	return []Finding{f}, nil
}

func judgeFlood(e *Event) ([]Finding, error) {
	var b struct {
		Bans   int64   `json:"bans"`
		From   instant `json:"from"`
		Till   instant `json:"till"`
		Sample []words `json:"sample"`
	}
	if err := decode(e, &b); err != nil {
		return nil, err
	}
	text := some(b.Bans, "source was", "sources were") + " shut out"
	if d := b.Till.Sub(b.From.Time); !b.From.IsZero() && d > 0 {
		text += " within " + long(d)
	}
	b.Sample = b.Sample[:min(len(b.Sample), maxSample)]
	v := evidence{"bans": b.Bans, "from": b.From, "till": b.Till, "sample": b.Sample}
	return []Finding{e.finding(Flood, "", "", text+".", v, e.day())}, nil
}
