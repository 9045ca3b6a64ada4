package secret

import (
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/sethvargo/go-diceware/diceware"
	"github.com/trustelem/zxcvbn/frequency"
)

// guessBits estimates the guesses that an informed attacker needs, as a power of two: the least of several views. The model knows how
// words are made, and walks, sequences and dates; it looks again with the shift key released and at every second character ("a1b2c3"), and nothing is stronger than as many
// random characters of its kinds.
func guessBits(text string, known []string) float64 {
	if p := period(text); p < len(text) {
		return guessBits(text[:p], known) + math.Log2(float64(len(text)))
	}
	m := theModel()
	return min(m.bits(text, known), m.bits(unshift(text), known)+2, m.bits(deal(text), known)+2, randomBits(text))
}

// randomBits is the strength of a text if each of its characters was drawn from all those of the kinds that occur in it.
func randomBits(text string) float64 {
	var lower, upper, digit, symbol int
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z':
			lower = 26
		case c >= 'A' && c <= 'Z':
			upper = 26
		case c >= '0' && c <= '9':
			digit = 10
		default:
			symbol = 33
		}
	}
	return float64(len(text)) * math.Log2(float64(max(1, lower+upper+digit+symbol)))
}

// period is the length of the shortest beginning that the whole text repeats, the last time perhaps cut short; the whole
// length when it does not come round at least once.
func period(text string) int {
	for p := 1; p <= len(text)/2; p++ {
		if text[p:] == text[:len(text)-p] {
			return p
		}
	}
	return len(text)
}

// deal moves every second character behind the others.
func deal(text string) string {
	var even, odd []byte
	for i := range len(text) {
		if i%2 == 0 {
			even = append(even, text[i])
		} else {
			odd = append(odd, text[i])
		}
	}
	return string(even) + string(odd)
}

// unleet undoes the usual substitutions. '1', '!' and '|' become i or l, as the argument says.
func unleet(text string, one byte) (plain string, swapped int) {
	out := []byte(text)
	for i, c := range out {
		if c == '1' || c == '!' || c == '|' {
			out[i] = one
		} else if at := strings.IndexByte("4@83(6905$7+2", c); at >= 0 {
			out[i] = "aabecggossttz"[at]
		} else {
			continue
		}
		swapped++
	}
	return string(out), swapped
}

// model is what an attacker knows of the language: words by rank, and which letters follow which. Read-only once made.
type model struct {
	word   map[string]float32  // bits to guess a lower-case word
	follow [27][27][27]float32 // bits of a letter after two others; 0 is "no letter"
	common map[string]struct{} // the breached list alone
	dice   map[string]struct{} // the list that generated passwords are of
}

// theModel is made on first use: some 20 ms and 5 MB that most commands never need.
var theModel = sync.OnceValue(newModel)

func newModel() *model {
	m := &model{word: map[string]float32{}, common: map[string]struct{}{}, dice: map[string]struct{}{}}
	var seen [27][27][27]uint32
	for name, list := range frequency.FrequencyLists {
		for rank, w := range list {
			m.learn(&seen, w, float32(math.Log2(float64(rank+2))))
			if name == "passwords" {
				m.common[w] = struct{}{}
			}
		}
	}
	for roll := 11111; roll <= 66666; roll++ {
		if w := diceware.WordListEffLarge().WordAt(roll); w != "" {
			m.learn(&seen, w, float32(math.Log2(7776)))
			m.dice[w] = struct{}{}
		}
	}
	for a := range seen {
		for b := range seen[a] {
			m.weigh(&seen[a][b], &m.follow[a][b])
		}
	}
	return m
}

// learn adds a word with its cost; the cheapest list with the word decides. Words under three letters are left to the
// letters model.
func (m *model) learn(seen *[27][27][27]uint32, w string, bits float32) {
	if len(w) >= 3 {
		if old, ok := m.word[w]; !ok || bits < old {
			m.word[w] = bits
		}
	}
	a, b := 0, 0
	for i := range len(w) {
		c := letter(w[i])
		if c > 0 {
			seen[a][b][c]++
		}
		a, b = b, c
	}
}

// weigh turns counts into bits, with half a count for what never occurs. A single letter may cost more than a random
// one (4.7 bits), as it does for an attacker who tries letters by frequency; randomBits limits the whole.
func (m *model) weigh(counts *[27]uint32, bits *[27]float32) {
	total := 13.0
	for _, n := range counts {
		total += float64(n)
	}
	for c, n := range counts {
		bits[c] = float32(min(7, -math.Log2((float64(n)+0.5)/total)))
	}
}

// letter is 1 to 26 for a to z in either case, else 0.
func letter(c byte) int {
	if c |= 0x20; c >= 'a' && c <= 'z' {
		return int(c-'a') + 1
	}
	return 0
}

// Costs in bits of the parts that are no words.
const (
	digitBits  = 3.33 // log2 10
	symbolBits = 5.05 // log2 33
	joinBits   = 3    // one of the few signs that people put between words
	repeatBits = 1    // the same character again, or a sign between words used before
	switchBits = 1.5  // where letters, digits and symbols meet
	yearBits   = 7    // 1900 to 2039, recent ones first
	copyBits   = 3    // beside the place copied from
)

const joiners = "-_., +/"

// longestToken bounds how far back a word or a copy may begin, so that the work is linear in the length.
const longestToken = 24

// bits finds the cheapest way to compose the text of single characters, words (in any case, l33t or reversed), years, and
// copies of earlier parts. known are words that the attacker has from elsewhere: the number, the user name.
func (m *model) bits(text string, known []string) float64 {
	lower := strings.ToLower(text)
	i1, _ := unleet(lower, 'i')
	l1, _ := unleet(lower, 'l')
	mixed := mixedCase(text)
	best := make([]float64, len(text)+1)
	for j := 1; j <= len(text); j++ {
		best[j] = best[j-1] + m.charBits(text, i1, j-1, mixed)
		for i := max(0, j-longestToken); i < j-1; i++ {
			if best[i]+repeatBits >= best[j] {
				continue
			}
			if cost, ok := m.tokenBits(text, [...]string{lower, i1, l1}, i, j, known); ok {
				best[j] = min(best[j], best[i]+cost)
			}
			if cost := best[i] + patternBits(lower[i:j]) + caseBits(text[i:j]); cost < best[j] {
				best[j] = cost
			}
		}
	}
	return best[len(text)]
}

// charBits is the cost of one character at its position: as part of something like a word, or as a digit or symbol.
func (m *model) charBits(text, plain string, i int, mixed bool) float64 {
	c, bits := text[i], symbolBits
	joins := strings.IndexByte(joiners, c) >= 0
	if i > 0 && text[i-1] == c || joins && strings.IndexByte(text[:i], c) >= 0 {
		return repeatBits
	}
	l := letter(plain[i])
	if joins {
		bits = joinBits
	}
	if c >= '0' && c <= '9' {
		bits = digitBits
	}
	if i > 0 && class(text[i-1]) != class(c) && letter(c) == 0 {
		bits += switchBits
	}
	if l > 0 {
		a, b := 0, 0
		if i > 1 {
			a = letter(plain[i-2])
		}
		if i > 0 {
			b = letter(plain[i-1])
		}
		asLetter := float64(m.follow[a][b][l])
		if mixed || letter(c) == 0 {
			asLetter++ // its case, or the l33t
		}
		if letter(c) > 0 {
			return asLetter
		}
		bits = min(bits, asLetter)
	}
	return bits
}

// tokenBits is the cost of text[i:j] as one known thing.
func (m *model) tokenBits(text string, forms [3]string, i, j int, known []string) (float64, bool) {
	best, ok := math.Inf(1), false
	take := func(bits float64) { best, ok = min(best, bits), true }
	for n, form := range forms {
		bits, there := m.wordBits(form[i:j], known)
		if !there || n > 0 && form[i:j] == forms[0][i:j] {
			continue
		}
		take(bits + caseBits(text[i:j]) + differing(form[i:j], forms[0][i:j]))
	}
	if j-i == 4 && isYear(text[i:j]) {
		take(yearBits)
	}
	if j-i >= 3 && strings.Contains(forms[0][:i], forms[0][i:j]) {
		take(copyBits + math.Log2(float64(i)) + caseBits(text[i:j]))
	}
	return best, ok
}

func (m *model) wordBits(w string, known []string) (float64, bool) {
	if slices.Contains(known, w) {
		return 1, true
	}
	if bits, ok := m.word[w]; ok {
		return float64(bits), true
	}
	if bits, ok := m.word[reverse(w)]; ok {
		return float64(bits) + 1, true
	}
	return 0, false
}

// caseBits: none for lower case, one for Capital and UPPER, one a letter for anything odder.
func caseBits(s string) float64 {
	upper := 0
	for i := range len(s) {
		if s[i] >= 'A' && s[i] <= 'Z' {
			upper++
		}
	}
	switch {
	case upper == 0:
		return 0
	case upper == len(s), upper == 1 && s[0] >= 'A' && s[0] <= 'Z':
		return 1
	}
	return float64(len(s))
}

// mixedCase says that capitals stand where words do not have them, so that the case of each letter is worth a bit.
func mixedCase(s string) bool {
	inside, lower := 0, 0
	for i := range len(s) {
		switch {
		case s[i] >= 'a' && s[i] <= 'z':
			lower++
		case s[i] >= 'A' && s[i] <= 'Z' && i > 0 && letter(s[i-1]) > 0:
			inside++
		}
	}
	return inside >= 2 && lower >= 2
}

func differing(a, b string) float64 {
	n := 0.0
	for i := range len(a) {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

func isYear(s string) bool {
	return s >= "1900" && s <= "2039" && strings.Trim(s, "0123456789") == ""
}

func class(c byte) int {
	switch {
	case letter(c) > 0:
		return 0
	case c >= '0' && c <= '9':
		return 1
	}
	return 2
}

func reverse(s string) string {
	out := []byte(s)
	slices.Reverse(out)
	return string(out)
}
