package engine

import (
	"testing"
	"time"

	"ringfence/core/call"
)

func TestTheDelayOfACall(t *testing.T) {
	begun := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return begun.Add(d) }
	for name, c := range map[string]struct {
		r    call.CDR
		want time.Duration
	}{
		"rang, then answered":   {call.CDR{Direction: call.Out, AnsweredAt: at(9 * time.Second), Ring: 7 * time.Second, Ended: at(time.Minute)}, 2 * time.Second},
		"answered at once":      {call.CDR{Direction: call.Out, AnsweredAt: at(3 * time.Second), Ended: at(time.Minute)}, 3 * time.Second},
		"rang, never answered":  {call.CDR{Direction: call.Out, Ring: 20 * time.Second, Ended: at(21 * time.Second)}, time.Second},
		"neither":               {call.CDR{Direction: call.Out, Ended: at(5 * time.Second)}, 0},
		"came in over a trunk":  {call.CDR{Direction: call.In, AnsweredAt: at(3 * time.Second), Ended: at(time.Minute)}, 0},
		"a clock that was set":  {call.CDR{Direction: call.Out, AnsweredAt: at(-time.Second), Ended: at(time.Minute)}, 0},
		"less than we can tell": {call.CDR{Direction: call.Out, AnsweredAt: at(900 * time.Microsecond), Ended: at(time.Minute)}, 0},
	} {
		c.r.Begun = begun
		if got := delayOf(&c.r); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
