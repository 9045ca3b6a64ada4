package main

import (
	"strings"
	"testing"
	"time"

	"ringfence/cmd/ringfence/table"
	"ringfence/core/call"
	"ringfence/edge/rest/api"
)

func shown(t *testing.T, what *table.Table, width int) string {
	t.Helper()
	var b strings.Builder
	if _, err := what.Write(&table.Screen{Writer: &b, Width: width}, 0); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Which calls hold the money, and whether anybody talks on them, is to be seen on the narrowest of terminals.
func TestCallsOnANarrowScreen(t *testing.T) {
	one := api.Call{
		ID: "01JD8Z6Q4N8T7R5V3X1B9C7D5F", Line: "reception-1", Direction: "out", Number: "+5351234567890", Name: "Cuba mobile", PerMinute: 900_000_000,
		Held: 1_800_000, Trunk: "carrier-a",
	}
	var calls []api.Call
	for _, state := range []string{"ringing", "ending", "answered", "answered", "ringing"} {
		c := one
		c.State = state
		calls = append(calls, c)
	}
	calls[3].Ending, calls[4].Cutting = true, true
	narrow := shown(t, rows(calls...), 80)
	for i, line := range strings.Split(strings.TrimSpace(narrow), "\n") {
		if n := table.Width(line); n > 80 {
			t.Errorf("line %d has %d columns", i, n)
		}
		if want := []string{"held", "ringing", "ending", "answered", "ends when paid time ends", "cutting"}[i]; !strings.Contains(line, want) || i > 0 && !strings.HasSuffix(line, "£1.80") {
			t.Errorf("no word of %q, or not what it holds: %s", want, line)
		}
	}
	if wide := shown(t, rows(calls...), 0); !strings.Contains(wide, "Cuba mobile") || !strings.Contains(wide, "carrier-a") || !strings.Contains(wide, "ends when paid time ends") {
		t.Error(wide)
	}
}

func TestARecordSaysWhatTheCarrierMayCharge(t *testing.T) {
	x := api.NewCDR(call.CDR{ID: "c", Talk: time.Minute, CarrierTalk: 92 * time.Second, Cost: 20_000})
	if text := shown(t, card(&x), 0); !strings.Contains(text, "talk          1m0s\n") || !strings.Contains(text, "carrier talk  1m32s\n") {
		t.Error(text)
	}
	x.CarrierTalk = 0
	if text := shown(t, card(&x), 0); strings.Contains(text, "carrier talk") {
		t.Error(text)
	}
}
