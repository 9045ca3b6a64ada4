package phone

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxDialled = 128 // bytes, separators included
	maxKept    = 40  // digits: codes before a number, the longest international prefix, a trunk zero, and 15
)

// digits is what was dialled without its separators.
type digits struct {
	buf  [maxKept]byte
	n    int
	plus int // one more than the digits before the '+'; 0: there is none
	zero int // one more than the digits before the first "(0)"; 0: there is none
	tail tail
}

// tail is what follows the digits.
type tail uint8

const (
	tailNone  tail = iota
	tailHash       // one '#', with which many phones say that the number is complete
	tailOther      // more than that: no number is written so, but a person in an emergency may press anything
)

// read takes the digits out of what was dialled.
func (d *digits) read(dialled string) Problem {
	if len(dialled) > maxDialled {
		return TooLong
	}
	if len(dialled) > 4 && strings.EqualFold(dialled[:4], "tel:") {
		dialled = dialled[4:]
	}
	for i := 0; i < len(dialled); {
		c, size := dialled[i], 1
		if c >= utf8.RuneSelf {
			c, size = plain(dialled[i:])
		}
		if c == '0' && d.zero == 0 && bracketed(dialled, i) {
			d.zero = d.n + 1
		}
		if problem := d.take(c); problem != NoProblem {
			return problem
		}
		i += size
	}
	if d.n == 0 {
		return Empty
	}
	return NoProblem
}

func (d *digits) take(c byte) Problem {
	switch c {
	case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if d.n == maxKept {
			return TooLong
		}
		if d.tail != tailNone {
			return BadCharacter
		}
		d.buf[d.n] = c
		d.n++
		return NoProblem
	case ' ', '-', '.', '(', ')', '/', '[', ']', '~', '_': // what people and address books put between digits
		return NoProblem
	case '+':
		if d.plus == 0 && d.tail == tailNone {
			d.plus = d.n + 1
			return NoProblem
		}
	case '#', '*':
		if d.n > 0 {
			if d.tail++; c == '*' || d.tail > tailOther {
				d.tail = tailOther
			}
			return NoProblem
		}
	}
	return BadCharacter
}

// bracketed says that the character at i stands alone in brackets.
func bracketed(s string, i int) bool {
	return i > 0 && i+1 < len(s) && s[i-1] == '(' && s[i+1] == ')'
}

// plain is what the first character of s, beyond ASCII, stands for in ASCII: a digit of any script, '+', '#', '*', ' ' for
// what separates digits or is not seen (spaces, dashes, marks of direction), or 0 for what has no place in a number.
func plain(s string) (c byte, size int) {
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError:
		return 0, size
	case unicode.Is(unicode.Nd, r):
		return '0' + digitOf(r), size
	case unicode.In(r, unicode.Zs, unicode.Pd, unicode.Cf):
		return ' ', size
	}
	switch r {
	case '＋', '﹢':
		return '+', size
	case '＃', '﹟':
		return '#', size
	case '＊', '﹡':
		return '*', size
	case '−', '⁃', '∼', '～', 'ー', '·', '．', '（', '）', '［', '］', '／', '⁄', '∕':
		return ' ', size
	}
	return 0, size
}

// digitOf is the value of a decimal digit: in Unicode those of a script stand in order, from 0.
func digitOf(r rune) byte {
	for _, t := range unicode.Nd.R16 {
		if r <= rune(t.Hi) {
			return byte((r - rune(t.Lo)) % 10)
		}
	}
	for _, t := range unicode.Nd.R32 {
		if r <= rune(t.Hi) {
			return byte((r - rune(t.Lo)) % 10)
		}
	}
	return 0
}
