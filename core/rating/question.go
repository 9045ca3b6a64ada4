package rating

import "fmt"

// Question is something that a person must decide before a deck takes effect. Until then nothing is guessed and nothing is
// stored.
type Question struct {
	Code     string   // never changes: "lost-decimal", "dates", …
	Text     string   // one sentence that says what will happen
	Examples []string // rows that show it, the worst first; at most MaxExamples, and then a line that counts the rest
	Flag     string   // the option whose value answers it, such as "dates"; "": a yes does
	Choices  []string // the values that the option may have
}

// MaxExamples bounds what a question shows.
const MaxExamples = 10

// Codes of questions. Part of the API: they never change.
const (
	AskLostDecimal = "lost-decimal"
	AskDates       = "dates"
	AskNoStart     = "no-start"
	AskRemoves     = "removes-much"
	AskCalled      = "called-lately"
	AskUnit        = "unit"
	AskScaled      = "scale"
	askTitles      = "titles"
)

func (r *deckReader) ask(q Question) { r.out.Questions = append(r.out.Questions, q) }

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Ask makes a question of the first MaxExamples examples; it counts the others.
func Ask(code, text string, examples []string) Question {
	if over := len(examples) - MaxExamples; over > 0 {
		examples = append(examples[:MaxExamples:MaxExamples], fmt.Sprintf("and %d more", over))
	}
	return Question{Code: code, Text: text, Examples: examples}
}
