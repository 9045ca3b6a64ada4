package privacy

import (
	"bytes"
	"strings"
	"testing"
)

// TestNumbersHaveNoExponent: what a spreadsheet adds up is written as decimals.
func TestNumbersHaveNoExponent(t *testing.T) {
	var b bytes.Buffer
	ok(t, asCSV(&b, all([]float64{9.468e-06, 7.776e+06, 1e21, 60}, func(x *float64) callRow { return callRow{Talk: *x} })))
	for _, want := range []string{",0.000009468,", ",7776000,", ",1000000000000000000000,", ",60,"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in %s", want, b.String())
		}
	}
}
