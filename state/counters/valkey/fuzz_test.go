package valkey

import (
	"testing"
)

// FuzzChange: whatever is published is a change within the bounds of its text, or refused.
func FuzzChange(f *testing.F) {
	for _, s := range []string{"dkey", "p1795435200000000:3:key{}", "p-5:1:a", "p1:2:a", "p1:-1:a", "", "p:", "p1:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := change("ban", s)
		if err != nil {
			return
		}
		if c.Table != "ban" || len(c.Key)+len(c.Value) > len(s) || c.Dropped != c.Until.IsZero() {
			t.Fatalf("%q became %+v", s, c)
		}
	})
}
