package secret

import (
	_ "embed"
	"iter"
	"strconv"
	"strings"
)

// GuessList is one of the lists that attackers of SIP logins work through.
type GuessList uint8

// Lists.
const (
	GuessOwn      GuessList = iota // the line's own user name and number, whole and in parts
	GuessNumbers                   // short and plain numbers
	GuessDefaults                  // what phones and PBXs come with
	GuessCommon                    // the passwords that people choose most
	GuessSeasons                   // seasons and years
	NumGuessLists
)

// String names a list in a sentence such as "they are trying …".
func (l GuessList) String() string {
	if l >= NumGuessLists {
		return "unknown"
	}
	return [...]string{"the line's own number", "plain numbers", "default passwords", "common passwords", "seasons and years"}[l]
}

// Guesses are the few hundred passwords that are tried first on a SIP login: those of svcrack's and hydra's lists for
// voice, of published default passwords and of what people choose. They serve to recognise an attacker's list by its
// answers, not to judge passwords, which Judge does far better. number is E.164 digits, "" is none; year is the running
// one. Each comes once; always in the same order.
func Guesses(user, number string, year int) iter.Seq2[string, GuessList] {
	return func(yield func(string, GuessList) bool) {
		seen := make(map[string]bool, 512)
		for list, texts := range [NumGuessLists][]string{ownGuesses(user, number), numberGuesses(), guessDefaults, guessCommon, seasonGuesses(year)} {
			for _, g := range texts {
				if !seen[g] && !yield(g, GuessList(list)) {
					return
				}
				seen[g] = true
			}
		}
	}
}

// ownGuesses: for extension 1001, 1001 itself, twice, backwards, and with usual additions; for a number, its usual parts.
func ownGuesses(user, number string) []string {
	if len(user) > 40 || len(number) > 15 {
		user, number = user[:min(len(user), 40)], number[:min(len(number), 15)]
	}
	var out []string
	add := func(texts ...string) {
		for _, t := range texts {
			if t != "" {
				out = append(out, t)
			}
		}
	}
	if user != "" {
		add(user, user+user, reverse(user), user+"123", user+"1234", user+"!", user+"@", "0"+user, "00"+user, user+"0", user+"00",
			"sip"+user, "ext"+user, "pass"+user, "password"+user, "pw"+user, "voip"+user, "a"+user, strings.ToUpper(user), "secret"+user)
	}
	if number != "" {
		add(number, "+"+number, "00"+number, reverse(number))
		for _, n := range [...]int{4, 5, 6, 7, 8, 9, 10} {
			if len(number) > n {
				add(number[len(number)-n:])
			}
		}
		add("0" + number[min(2, len(number)):]) // national form of countries whose code has two digits
	}
	return out
}

// The words of a file, between the headings of its parts.
//
//go:embed guesses.txt
var guessWords string

var guessDefaults, guessCommon = func() (defaults, common []string) {
	_, list, _ := strings.Cut(guessWords, "\ndefaults\n")
	first, second, _ := strings.Cut(list, "\ncommon\n")
	return strings.Fields(first), strings.Fields(second)
}()

// numberGuesses: the same digit over and over, and digits in order, of the lengths that phones ask for.
func numberGuesses() (out []string) {
	for d := byte('0'); d <= '9'; d++ {
		for _, n := range [...]int{4, 6, 8} {
			out = append(out, strings.Repeat(string(d), n))
		}
	}
	for n := 3; n <= 10; n++ {
		out = append(out, "1234567890"[:n])
	}
	return append(out, "4321", "54321", "654321", "87654321", "987654321", "0123", "01234", "012345", "1010", "1212", "1221", "2580",
		"123123", "121212", "112233", "101010", "102030", "159753", "147258", "147258369", "1000", "2000", "1001", "2001", "1313", "7890")
}

// seasonGuesses: "Winter2026!" and similar ones, which people choose who must change a password every quarter.
func seasonGuesses(year int) (out []string) {
	for _, y := range [...]int{year, year - 1, year + 1} {
		full := strconv.Itoa(y)
		for _, s := range [...]string{"Spring", "Summer", "Autumn", "Winter"} {
			out = append(out, s+full, s+full+"!", strings.ToLower(s)+full)
		}
		out = append(out, full, "Welcome"+full, "Password"+full)
	}
	return out
}
