package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"ringfence/edge/rest/api"
)

// The sum depends on how many days the night touches, so the first sentence has no length of its own: it fits the terminal all the same.
func TestTheSentenceAboutExposureFits(t *testing.T) {
	for _, sum := range []string{"£0.00", "£100.00", "£12,345,678.00"} {
		var out bytes.Buffer
		s := newSession(context.Background(), os.Stdin, &out, &out)
		s.out.Width = 80
		text := "What a thief could cost until the day caps renew: " + sum + " at the very most, all customers together"
		if err := s.showExposure(&api.Exposure{Text: text + ", until 30 November 09:00"}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
				t.Errorf("%d columns: %s", n, line)
			}
		}
		if got := strings.Join(strings.Fields(out.String()), " "); !strings.HasPrefix(got, text) {
			t.Errorf("%q", got)
		}
	}
}
