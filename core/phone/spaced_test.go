package phone

import "testing"

func TestSpaced(t *testing.T) {
	for digits, want := range map[uint64]string{
		442079460031: "020 7946 0031", 447700900123: "07700 900123", 441614960123: "0161 496 0123", 441134960852: "0113 496 0852",
		441632960123: "01632 960123", 448001111: "0800 1111", 443069990123: "0306 999 0123", 5350000147: "+53 5000 0147",
		33199001234: "+33 1 9900 1234", 12125550142: "+1 212 555 0142", 35312345678: "+353 1234 5678",
	} {
		n, ok := FromDigits(digits)
		if !ok {
			t.Errorf("%d is no number", digits)
			continue
		}
		if got := UK().Spaced(n); got != want {
			t.Errorf("%d: %q, want %q", digits, got, want)
		}
	}
	if got := UK().Spaced(Number{}); got != "" {
		t.Errorf("none: %q", got)
	}
}
