package notify

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"unicode"
)

// Limits on what is taken from facts, much of which unknown sources sent.
const (
	maxBody  = 64 << 10 // bytes of a fact that is read at all
	maxData  = 16 << 10 // bytes of a notice's data; evidence that makes it longer is left out
	maxText  = 600      // runes of a finding's sentence
	maxValue = 200      // runes of any other text
	maxShown = 120      // runes of text from an unknown source in a message
	maxAlso  = 5        // further findings about one login
	maxWords = 500      // bytes of what the other side of a channel said
)

// Clean makes text from an unknown source harmless wherever it is shown: one line without control characters, and without what
// turns the direction of writing or is not seen at all; at most limit runes.
func Clean(text string, limit int) string {
	if len(text) > 16*limit { // before anything looks at 8 KB of it
		text = text[:16*limit]
	}
	var b strings.Builder
	n, marks, space := 0, 0, true
	for _, r := range strings.ToValidUTF8(text, "?") {
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			if space {
				continue
			}
			r, space = ' ', true
		case !unicode.IsPrint(r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) || r == '\u2800' || unicode.IsMark(r) && marks == 2:
			continue // formatting characters, letters without a shape, piles of accents
		default:
			space = false
		}
		if marks++; !unicode.IsMark(r) {
			marks = 0
		}
		if n++; n > limit {
			return strings.TrimRight(b.String(), " ") + "…"
		}
		b.WriteRune(r)
	}
	return strings.TrimRight(b.String(), " ")
}

// Mail programs make links of what looks like one. Text from an unknown source must not become a link in a message of ours.
var (
	scheme = regexp.MustCompile(`([^\s:]):[/\\]+|:[/\\]{2,}`)               // not "2001:db8::/32"
	domain = regexp.MustCompile(`[^\s]` + dots + `\p{L}[\p{L}\p{M}\p{N}-]`) // a top-level domain: no version, no IPv4 address
	dot    = regexp.MustCompile(`(` + dots + `)([\p{L}\p{M}\p{N}_-])`)
)

// dots are those that IDNA, and mail programs that mean well, take for a dot between labels (UTS #46, section 4.5).
const dots = `[.\x{3002}\x{FF0E}\x{FF61}\x{2024}\x{FE52}]`

// strange is Clean for text that an unknown source chose: it is no link and no address to answer to. Where a word has a domain in
// it, each of its dots is put in brackets: what is left between any two of them would be a shorter domain.
func strange(text string, limit int) string {
	text = scheme.ReplaceAllString(Clean(text, limit), "$1 ")
	words := strings.Split(text, " ")
	for i, w := range words {
		if domain.MatchString(w) {
			words[i] = dot.ReplaceAllString(w, "[$1]$2")
		}
	}
	return strings.ReplaceAll(strings.Join(words, " "), "@", "[at]")
}

// evidence is a JSON object as it came, cleaned and bounded: nothing in it is longer or deeper than people would read.
func evidence(raw []byte) map[string]any {
	if len(raw) == 0 || len(raw) > maxBody {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // amounts must not become floats
	var v map[string]any
	if d.Decode(&v) != nil {
		return nil
	}
	out, _ := tame(v, 4).(map[string]any)
	return out
}

func tame(v any, depth int) any {
	switch v := v.(type) {
	case string:
		return Clean(v, maxValue)
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			if depth > 0 && len(out) < 40 && len(k) <= 40 {
				out[Clean(k, 40)] = tame(x, depth-1)
			}
		}
		return out
	case []any:
		out := []any{}
		for _, x := range v[:min(len(v), 20)] {
			if depth > 0 {
				out = append(out, tame(x, depth-1))
			}
		}
		return out
	case json.Number:
		if len(v) > 24 {
			return nil
		}
	}
	return v
}

// short is what the other side of a channel said, cleaned, in at most maxWords bytes.
func short(text string) string {
	text = Clean(text, maxWords)
	for len(text) > maxWords {
		r := []rune(strings.TrimSuffix(text, "…"))
		text = string(r[:len(r)-(len(text)-maxWords+3)/4-1]) + "…"
	}
	return text
}
