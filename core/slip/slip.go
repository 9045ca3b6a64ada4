// Package slip finds the word that a slip of the keys may have meant. It must not know what the words stand for.
package slip

import "strings"

// Nearest is the word among others that is nearest to one that is none of them, whatever their case; "" if none is near. Words of more
// than 200 bytes are not a typing error.
func Nearest(word string, among []string) string {
	if len(word) > 200 {
		return ""
	}
	word = strings.ToLower(word)
	best, cost := "", max(2, len(word)/3)+1
	for _, w := range among {
		if d := Distance(word, strings.ToLower(w)); d < cost {
			best, cost = w, d
		}
	}
	return best
}

// Distance is Levenshtein's: how many bytes to insert, remove or change.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
