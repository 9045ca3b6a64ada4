package phone

import "strings"

// Spaced is a number as people read it: of the home country nationally, "020 7946 0031", others behind +, "+53 5000 0147".
func (p *Plan) Spaced(n Number) string {
	text := n.String()
	if n.IsZero() || n.Short() {
		return text
	}
	if own, ok := strings.CutPrefix(text, p.Home()); ok {
		if p.codeText == "44" {
			return p.trunk + groups(own, ukGroups(own)...)
		}
		return p.trunk + groups(own, 3, 3)
	}
	code := len(p.Home())
	if c := CodeOf(n.Digits()); c > 0 {
		code = 1 + digitsOf(c)
	}
	rest := text[code:]
	if text[:code] == "+1" {
		return "+1 " + groups(rest, 3, 3)
	}
	var sizes []int
	if odd := len(rest) % 4; odd > 0 {
		sizes = append(sizes, odd)
	}
	for range len(rest) / 4 {
		sizes = append(sizes, 4)
	}
	return text[:code] + " " + groups(rest, sizes...)
}

// ukGroups are the lengths of the first groups of a national number, as Ofcom writes them.
func ukGroups(own string) []int {
	switch {
	case own[0] == '2':
		return []int{2, 4}
	case own[0] == '7', own[0] == '1' && len(own) > 2 && own[1] != '1' && own[2] != '1':
		return []int{4}
	case len(own) == 7:
		return []int{3}
	}
	return []int{3, 3}
}

// groups puts blanks into digits; what is left over is the last group.
func groups(digits string, sizes ...int) string {
	var b strings.Builder
	for _, n := range sizes {
		if len(digits) <= n {
			break
		}
		b.WriteString(digits[:n])
		b.WriteByte(' ')
		digits = digits[n:]
	}
	return b.String() + digits
}

func digitsOf(n int) int {
	d := 1
	for ; n > 9; n /= 10 {
		d++
	}
	return d
}
