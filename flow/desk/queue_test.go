package desk

import (
	"testing"

	"ringfence/core/money"
	"ringfence/state/store"
)

// TestFoldCountsALineOnce: several findings about one line put its money at risk once, in a group as well as in the whole.
func TestFoldCountsALineOnce(t *testing.T) {
	q := &Queue{}
	for i := range foldOver + 1 {
		e := Entry{Subject: Subject{Line: "l", Customer: "c"}, Risk: money.Micro(5_000_000), Finding: store.Finding{ID: int64(i + 1), Source: "203.0.113.9"}}
		if i == 0 {
			e.Finding.Source, e.Line = "198.51.100.0/24", "other"
		}
		q.Entries = append(q.Entries, e)
	}
	q.Entries[1].Risk = 7_000_000
	q.fold(causeOf(&store.Finding{}))
	if len(q.Groups) != 1 || q.Groups[0].N != foldOver || q.Groups[0].Risk != 7_000_000 || q.Groups[0].Net.String() != "203.0.113.0/24" {
		t.Errorf("groups %+v", q.Groups)
	}
	if len(q.Entries) != 1 || q.Entries[0].Line != "other" {
		t.Errorf("entries %+v: a network with one finding is no group", q.Entries)
	}
}

func TestCauses(t *testing.T) {
	for source, want := range map[string]string{"203.0.113.9": "203.0.113.0/24", "203.0.112.0/22": "203.0.112.0/22", "2001:db8:1:2::1": "2001:db8:1::/56", "AS64500": "invalid Prefix", "": "invalid Prefix"} {
		if got := causeOf(&store.Finding{Source: source}); got.String() != want {
			t.Errorf("%q: %s, want %s", source, got, want)
		}
	}
}
