package desk

import (
	"testing"
	"time"

	"ringfence/core/fact"
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

// TestRunsOfRefusalsFold: sixty refused calls to one destination are two rows of a story, and every one of them is counted.
func TestRunsOfRefusalsFold(t *testing.T) {
	began := time.Date(2026, 11, 29, 19, 43, 0, 0, time.UTC)
	var story []Event
	add := func(minute int, kind, reason, to string) {
		story = foldIn(story, Event{At: began.Add(time.Duration(minute) * time.Minute), Kind: kind, Reason: reason, To: to})
	}
	for i := range 60 {
		add(i, fact.KindCallRefused, "restricted", "Gambia")
	}
	add(60, fact.KindCallRefused, "restricted", "Cuba")
	add(61, fact.KindCallRefused, "line-day-cap", "Cuba")
	add(62, fact.KindLineLocked, "", "")
	add(63, fact.KindCallRefused, "line-day-cap", "Cuba")
	if len(story) != 5 {
		t.Fatalf("%d rows: %+v", len(story), story)
	}
	if first := story[0]; first.More != 59 || !first.Until.Equal(began.Add(59*time.Minute)) || story[1].More != 0 {
		t.Errorf("%+v", story[:2])
	}
}
