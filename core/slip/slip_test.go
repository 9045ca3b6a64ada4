package slip_test

import (
	"strings"
	"testing"

	"ringfence/core/slip"
)

func TestNearest(t *testing.T) {
	words := []string{"line", "customer", "cdr", "Germany", "2001", "2002"}
	for word, want := range map[string]string{
		"lien": "line", "LINE": "line", "custmer": "customer", "crd": "cdr", "germny": "Germany", "GERMANY": "Germany", "20001": "2001",
		"telephone": "", strings.Repeat("x", 300): "",
	} {
		if got := slip.Nearest(word, words); got != want {
			t.Errorf("%.40q: %q, want %q", word, got, want)
		}
	}
}
