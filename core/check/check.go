// Package check holds what stages find when they look at themselves: what is well, what is not, and what an operator can do about
// it. It must not know the stages.
package check

import (
	"fmt"
	"strconv"
)

// Levels of a finding. An error makes the whole check fail.
const (
	Well    = "ok"
	Warning = "warning"
	Error   = "error"
)

// Finding is one thing that a stage found.
type Finding struct {
	What  string // what was looked at: "store", "decks"
	Level string
	Text  string // what was found and what to do
}

// Findings are those of one or several stages, in the order in which they are shown.
type Findings []Finding

// OK adds that something is well.
func (f *Findings) OK(what, format string, args ...any) { f.add(what, Well, format, args) }

// Warn adds what an operator should look at.
func (f *Findings) Warn(what, format string, args ...any) { f.add(what, Warning, format, args) }

// Fail adds an error.
func (f *Findings) Fail(what, format string, args ...any) { f.add(what, Error, format, args) }

func (f *Findings) add(what, level, format string, args []any) {
	*f = append(*f, Finding{what, level, fmt.Sprintf(format, args...)})
}

// Count writes a number with its noun: "1 line", "3 lines".
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
