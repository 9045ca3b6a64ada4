package secret

import (
	"math"
	"strings"
)

// What people type without a word in mind: walks over the keys, sequences, and dates. The estimates follow D. L. Wheeler, "zxcvbn:
// Low-Budget Password Strength Estimation" (USENIX Security 2016), section 4; every one is a little below it, for an attacker who has read it too.
const (
	shortestWalk  = 4
	shortestSteps = 3
	dateBits      = 15.4 // log2 of 366 days in 120 years
	separatorBits = 2
)

// keyboard is the rows of an English keyboard, each key below and between those at its own column and the next. numberPad is
// that of a telephone and of a keyboard's right-hand side, by which walks are the same.
var (
	keyboard  = [...]string{"`1234567890-=", " qwertyuiop[]\\", " asdfghjkl;'", " zxcvbnm,./"}
	numberPad = [...]string{"123", "456", "789", " 0 "}
)

// shifted holds the characters that need the shift key, and below each of them what the key gives without.
const (
	shifted   = `~!@#$%^&*()_+{}|:"<>?£`
	unshifted = "`1234567890-=[]\\;',./3"
)

// spot is the row and column of a key.
type spot struct{ row, column int }

var keySpots, padSpots = spots(keyboard[:]), spots(numberPad[:])

func spots(rows []string) (at [128]spot) {
	for i := range at {
		at[i].row = -1
	}
	for row, keys := range rows {
		for column := range len(keys) {
			if keys[column] != ' ' {
				at[keys[column]] = spot{row, column}
			}
		}
	}
	return at
}

// unshift is the text with the shift key released: "!QAZ" is "1qaz" typed with it down.
func unshift(text string) string {
	return strings.Map(func(r rune) rune {
		if at := strings.IndexRune(shifted, r); at >= 0 {
			return rune(unshifted[at])
		}
		return r
	}, strings.ToLower(text))
}

// patternBits is the cost of a lower-case text as one walk, sequence or date; infinite when it is none.
func patternBits(s string) float64 {
	return min(walkBits(s, &keySpots, slanted, 47, 4.6), walkBits(s, &padSpots, square, 10, 5), stepBits(s), dateOf(s))
}

// slanted says that two keys of a keyboard touch, and in which direction the second lies. So does square for a number pad.
func slanted(from, to spot) (direction int, touch bool) {
	switch across := to.column - from.column; to.row - from.row {
	case 0:
		return across, across == 1 || across == -1
	case -1:
		return 10 + across, across == 0 || across == 1
	case 1:
		return 20 + across, across == 0 || across == -1
	}
	return 0, false
}

func square(from, to spot) (direction int, touch bool) {
	down, across := to.row-from.row, to.column-from.column
	return 10*down + across, max(down, -down) <= 1 && max(across, -across) <= 1 && (down != 0 || across != 0)
}

// walkBits is the cost of a walk from key to neighbouring key: where it begins, how long it is, and each turn.
func walkBits(s string, at *[128]spot, touch func(from, to spot) (int, bool), keys, neighbours float64) float64 {
	if len(s) < shortestWalk {
		return math.Inf(1)
	}
	turns, last := 0, math.MinInt
	for i := 1; i < len(s); i++ {
		if s[i-1] >= 128 || s[i] >= 128 || at[s[i-1]].row < 0 || at[s[i]].row < 0 {
			return math.Inf(1)
		}
		direction, ok := touch(at[s[i-1]], at[s[i]])
		if !ok {
			return math.Inf(1)
		}
		if direction != last {
			turns, last = turns+1, direction
		}
	}
	ways := 0.0 // to place the turns on the walk
	for t := 1; t < turns; t++ {
		ways += math.Log2(float64(len(s)-1-t) / float64(t))
	}
	return math.Log2(keys) + math.Log2(float64(len(s))) + float64(turns)*math.Log2(neighbours) + max(0, ways)
}

// stepBits is the cost of a sequence such as "abcd", "9753" or "cba".
func stepBits(s string) float64 {
	if len(s) < shortestSteps {
		return math.Inf(1)
	}
	step := int(s[1]) - int(s[0])
	if step == 0 || step > 3 || step < -3 {
		return math.Inf(1)
	}
	for i := range len(s) {
		if k := class(s[i]); k > 1 || k != class(s[0]) || i > 0 && int(s[i])-int(s[i-1]) != step {
			return math.Inf(1)
		}
	}
	bits := math.Log2(float64(len(s)))
	switch {
	case strings.IndexByte("az019", s[0]) >= 0:
		bits += 2
	case class(s[0]) == 1:
		bits += digitBits
	default:
		bits += 4.7 // log2 26
	}
	if step < 0 {
		bits++
	}
	if step != 1 && step != -1 {
		bits += 2
	}
	return bits
}

// dateOf is the cost of a date, in any order of day, month and year, with or without separators.
func dateOf(s string) float64 {
	bits := dateBits
	digits := strings.Trim(s, "0123456789") == ""
	if !digits {
		at := strings.IndexAny(s, "/.-_ ")
		if at < 1 || strings.Count(s, s[at:at+1]) != 2 {
			return math.Inf(1)
		}
		parts := strings.Split(s, s[at:at+1])
		for i, p := range parts {
			if len(p) == 1 {
				parts[i] = "0" + p
			}
		}
		s, bits = strings.Join(parts, ""), bits+separatorBits
	}
	if (len(s) == 6 || len(s) == 8) && strings.Trim(s, "0123456789") == "" && isDate(s) {
		return bits
	}
	return math.Inf(1)
}

// isDate says that six or eight digits are a day, a month and a year.
func isDate(s string) bool {
	year := len(s) - 4
	is := func(days, months, years string) bool {
		return days >= "01" && days <= "31" && months >= "01" && months <= "12" && (year == 2 || years >= "1900" && years <= "2099")
	}
	return is(s[:2], s[2:4], s[4:]) || is(s[2:4], s[:2], s[4:]) || is(s[year+2:], s[year:year+2], s[:year]) || is(s[year:year+2], s[year+2:], s[:year])
}
