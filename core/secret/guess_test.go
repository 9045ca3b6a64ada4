package secret

import (
	"slices"
	"testing"
	"unicode"
)

func guesses(user, number string, year int) (all []string, lists map[string]GuessList) {
	lists = map[string]GuessList{}
	for g, l := range Guesses(user, number, year) {
		all = append(all, g)
		lists[g] = l
	}
	return all, lists
}

// TestGuesses: what every guide to attacking SIP tries is there, on the list that it belongs to.
func TestGuesses(t *testing.T) {
	_, lists := guesses("1001", "442079460001", 2026)
	for list, texts := range map[GuessList][]string{
		GuessOwn:      {"1001", "10011001", "1001123", "ext1001", "442079460001", "460001", "0001", "02079460001", "+442079460001"},
		GuessNumbers:  {"1234", "0000", "123456", "1234567890", "888888", "4321", "2580"},
		GuessDefaults: {"admin", "asterisk", "changeme", "elastix456", "P@ssw0rd", "yealink", "test123"},
		GuessCommon:   {"password", "qwerty", "letmein1", "1q2w3e4r", "iloveyou", "Welcome1"},
		GuessSeasons:  {"Summer2026", "winter2025", "Spring2027!", "2026", "Password2026"},
	} {
		for _, text := range texts {
			if l, ok := lists[text]; !ok || l != list {
				t.Errorf("%q: %v, %v; want %v", text, l, ok, list)
			}
		}
	}
}

// TestGuessesAreFewAndEachOnce: one answer is held against all of them, some fifty times a second.
func TestGuessesAreFewAndEachOnce(t *testing.T) {
	for _, c := range [][2]string{{"1001", "442079460001"}, {"1234", ""}, {"", ""}, {"admin", "1"}, {string(make([]byte, 5000)), "12345678901234567890"}} {
		all, _ := guesses(c[0], c[1], 2026)
		if len(all) < 200 || len(all) > 500 {
			t.Errorf("%.10q: %d guesses", c[0], len(all))
		}
		seen := map[string]bool{}
		for _, g := range all {
			if seen[g] || g == "" || len(g) > 100 {
				t.Errorf("%.10q: %.20q is empty, long or there twice", c[0], g)
			}
			seen[g] = true
		}
		again, _ := guesses(c[0], c[1], 2026)
		if !slices.Equal(all, again) {
			t.Error("another order")
		}
	}
	for range Guesses("1001", "", 2026) {
		break // and stopping early is no panic
	}
}

// TestGuessesAreRefusedByCheck: what attackers try first, no customer may set.
func TestGuessesAreRefusedByCheck(t *testing.T) {
	for g := range Guesses("1001", "442079460001", 2026) {
		if Check(NewPassword(g), Context{LineID: "1001", Number: "442079460001"}) == nil {
			t.Errorf("%q may be set", g)
		}
		for _, r := range g {
			if r > unicode.MaxASCII {
				t.Errorf("%q", g)
			}
		}
	}
}

func TestGuessListNames(t *testing.T) {
	seen := map[string]bool{}
	for l := range NumGuessLists {
		seen[l.String()] = true
	}
	if len(seen) != int(NumGuessLists) || NumGuessLists.String() != "unknown" {
		t.Error(seen)
	}
}
