package secret

import (
	_ "embed"
	"strings"
)

// defaultPasswords are what phones, adapters, gateways and PBXs come with, or what their guides tell people to type. An
// attacker tries these before anything else. Lower case; inSet compares without case, l33t and trailing digits too.
//
//go:embed defaults.txt
var defaultWords string

var defaultPasswords = makeSet(defaultWords)

func makeSet(words string) map[string]struct{} {
	set := map[string]struct{}{}
	for _, w := range strings.Fields(words) {
		set[w] = struct{}{}
	}
	return set
}

// inSet looks for a text as it is, without l33t, and without what was added at either end, because people add to a default password to
// improve it: "Yealink2024!" or "Ch@ngeMe1".
func inSet(set map[string]struct{}, text string) bool {
	const trimmings = "0123456789!?.,-_*#@$%&+="
	lower := strings.ToLower(text)
	i1, _ := unleet(lower, 'i')
	l1, _ := unleet(lower, 'l')
	stem := strings.Trim(lower, trimmings)
	stemI, _ := unleet(stem, 'i')
	stemL, _ := unleet(stem, 'l')
	for _, form := range [...]string{lower, i1, l1, stem, stemI, stemL} {
		if _, ok := set[form]; ok && form != "" {
			return true
		}
	}
	return false
}
