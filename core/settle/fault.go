package settle

import "fmt"

// Sentence says where a file is wrong, and that it was left alone. more counts the other faults.
func Sentence(line, column int, found, want string, more int) string {
	text := fmt.Sprintf("Line %d, column %d: '%s' is not %s.", line, column, found, want)
	if found == "" {
		text = fmt.Sprintf("Line %d, column %d is empty: %s belongs there.", line, column, want)
	}
	switch {
	case more == 1:
		text += " Another row is wrong too."
	case more > 1:
		text += fmt.Sprintf(" %d other rows are wrong too.", more)
	}
	return text + " Nothing was booked."
}
