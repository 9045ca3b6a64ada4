package secret

import (
	"fmt"
	"slices"
	"strings"
)

// Limits of a password that a customer sets.
const (
	MinLength = 10
	MaxLength = 128
)

// MinBits is the minimum for a customer's own password. Digest authentication lets an attacker who captured one response, or who
// stole an HA1, guess offline at the speed of MD5: a rented machine with eight graphics cards makes some 1.5·10^11 guesses a
// second. 2^60 guesses take it three months and several thousand pounds, against a line whose loss is bounded by its
// caps. Estimates err, so generated passwords, which are no effort for anyone, have 77 bits: 30,000 years.
const MinBits = 60

// BeyondBits is the strength at which a password cannot be guessed, online or offline: that of generated ones.
const BeyondBits = 77

// BeyondGuessing estimates whether a chosen password is as strong as a generated one.
func BeyondGuessing(p Password, c Context) bool {
	return len(p.Reveal()) <= MaxLength && guessBits(printable(p.Reveal()), c.known()) >= BeyondBits
}

// Context is what an attacker knows about a line anyway.
type Context struct {
	LineID       string
	Number       string // E.164 digits without '+'; "" is none
	CustomerName string
}

// Weak says why a password was refused. It does not contain the password.
type Weak struct {
	Reasons []string // plain words, each a whole sentence without a full stop
	Bits    float64  // estimated strength against offline guessing; 0 when it was not estimated
}

// Error joins the reasons.
func (w *Weak) Error() string { return "password refused: " + strings.Join(w.Reasons, "; ") }

// Judge looks at a password that a customer wants to set for a line, and says whether it is as strong as a generated one.
// The error is a *Weak with every reason. Passwords of Generate pass.
func Judge(p Password, c Context) (beyondGuessing bool, err error) {
	w, text := &Weak{}, p.Reveal()
	w.form(text)
	if len(w.Reasons) > 0 && (len(text) > MaxLength || text == "") {
		return false, w
	}
	w.lists(text)
	w.own(text, c)
	w.strength(text, c)
	if len(w.Reasons) > 0 {
		return false, w
	}
	return w.Bits >= BeyondBits, nil
}

func (w *Weak) add(format string, args ...any) {
	w.Reasons = append(w.Reasons, fmt.Sprintf(format, args...))
}

// form: what phones can hold. Their configuration files treat spaces, quotes, semicolons and backslashes
// differently, and so do makers hash letters outside ASCII.
func (w *Weak) form(text string) {
	switch {
	case len(text) < MinLength:
		w.add("it is too short: at least %d characters are needed", MinLength)
	case len(text) > MaxLength:
		w.add("it is too long: at most %d characters are allowed", MaxLength)
	}
	if strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"'\\;`", r) }) >= 0 {
		w.add("it has characters that phones store in different ways: use letters, digits and signs other than spaces, quotes, ; and \\")
	}
}

func (w *Weak) lists(text string) {
	if inSet(defaultPasswords, text) {
		w.add("it is a password that phones or PBXs come with, or one like it")
	}
	if inSet(theModel().common, text) {
		w.add("it is on the lists of breached passwords, or nearly so")
	}
}

// own: the line's number and user name are the first things tried against it.
func (w *Weak) own(text string, c Context) {
	lower, digits := strings.ToLower(text), onlyDigits(text)
	if n := onlyDigits(c.Number); shares(digits, n) || shares(digits, reverse(n)) {
		w.add("it contains the line's own number")
	}
	id := strings.ToLower(c.LineID)
	plain, _ := unleet(lower, 'i')
	contained := len(id) >= 4 && (strings.Contains(lower, id) || strings.Contains(lower, reverse(id)) || strings.Contains(plain, id))
	if idDigits := onlyDigits(id); contained || lower == id && id != "" || shares(digits, idDigits) || shares(digits, reverse(idDigits)) {
		w.add("it contains the line's own user name")
	}
}

// shares says that six digits in a row of one number stand in the other: with or without country code, area code or
// spaces, six digits are the part that makes a number this line's.
func shares(digits, number string) bool {
	const run = 6
	for i := 0; i+run <= len(number); i++ {
		if strings.Contains(digits, number[i:i+run]) {
			return true
		}
	}
	return false
}

func (w *Weak) strength(text string, c Context) {
	w.Bits = guessBits(printable(text), c.known())
	if w.Bits >= MinBits {
		return
	}
	w.add("it can be guessed offline too soon: about 2^%.0f guesses, and 2^%d are needed; use more words that have nothing to do with each other, or leave it to the generator",
		max(w.Bits, 0), MinBits)
}

// known are words that cost an attacker nothing: the user name, the customer's name, "ringfence".
func (c Context) known() []string {
	words := []string{"ringfence", "telephone", "voip"}
	add := func(text string) {
		text = strings.ToLower(text)
		if len(text) >= 3 && len(text) <= 64 && !slices.Contains(words, text) && len(words) < 20 {
			words = append(words, text)
		}
	}
	add(c.LineID)
	add(c.Number)
	for _, part := range strings.FieldsFunc(c.CustomerName, func(r rune) bool { return r > '~' || letter(byte(r)) == 0 && (r < '0' || r > '9') }) {
		add(part)
	}
	return words
}

// printable replaces what form refused, so that the estimate always works on ASCII.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, text)
}

func onlyDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}
