package main

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"ringfence/edge/rest/api"
)

// On a terminal each question is asked; what is typed becomes parameters, and anything but a yes stops the import.
func TestQuestionsAreAskedOnATerminal(t *testing.T) {
	questions := []api.Question{
		{Code: "dates", Text: "Is 12/01/2026 in January?", Flag: "dates", Choices: []string{"dmy", "mdy"}},
		{Code: "lost-decimal", Text: "1 price looks like a lost decimal point.", Examples: []string{"line 3"}},
	}
	for _, c := range []struct {
		typed string
		want  []string // nil: declined
	}{
		{"mdy\ny\n", []string{"dates", "mdy", "yes", "true"}},
		{"dmy\nYES\n", []string{"dates", "dmy", "yes", "true"}},
		{"dmy\nn\n", nil},
		{"dmy\n\n", nil},
		{"\ny\n", nil},
		{"dmy\n", nil},
		{"", nil},
	} {
		var out bytes.Buffer
		got, err := ask(questions, strings.NewReader(c.typed), &out)
		if (c.want == nil) != errors.Is(err, errDeclined) || !slices.Equal(got, c.want) {
			t.Errorf("typed %q: %v, %v, want %v", c.typed, got, err, c.want)
		}
		if !strings.Contains(out.String(), "--dates dmy|mdy: ") {
			t.Errorf("typed %q: shown %q", c.typed, out.String())
		}
	}
}
