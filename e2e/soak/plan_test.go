//go:build e2e

package soak

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// fault is one thing that goes wrong.
type fault struct {
	after time.Duration // since the one before had passed
	kind  string
	lasts time.Duration // the time down, frozen or lossy
	step  time.Duration // of the wall clock
	share float64       // of lost packets
}

// Kinds of faults of a node.
const (
	terminate = "SIGTERM and start"
	kill      = "SIGKILL and start"
	freeze    = "SIGSTOP and SIGCONT"
	step      = "clock stepped"
	stepDown  = "clock stepped while down"
	replace   = "node dead for good"
)

// Kinds of faults of what is around them.
const (
	lossy    = "burst of lost packets"
	database = "database frozen"
)

func (f fault) String() string {
	text := fmt.Sprintf("after %.1f s: %s", f.after.Seconds(), f.kind)
	if f.lasts > 0 {
		text += fmt.Sprintf(", for %.1f s", f.lasts.Seconds())
	}
	if f.step != 0 {
		text += fmt.Sprintf(", by %v", f.step)
	}
	if f.share > 0 {
		text += fmt.Sprintf(", %.0f%%", 100*f.share)
	}
	return text
}

// nodeFaults draws what happens to one node. With another one beside it, it may also die for good.
func nodeFaults(r *rand.Rand, others bool, length time.Duration) (plan []fault) {
	var off, total time.Duration
	for total < length {
		f := fault{after: between(r, 2*time.Second, 12*time.Second)}
		switch n := r.IntN(100); {
		case n < 20:
			f.kind, f.lasts = terminate, downtime(r)
		case n < 48:
			f.kind, f.lasts = kill, downtime(r)
		case n < 62:
			f.kind, f.lasts = freeze, stillness(r, length)
		case n < 78:
			f.kind = step
		case n < 95 || !others:
			f.kind, f.lasts = stepDown, downtime(r)
		default:
			f.kind, f.lasts = replace, between(r, 2*lease, 3*lease)
		}
		if f.kind == step || f.kind == stepDown {
			f.step = stepSize(r, off)
			off += f.step
		}
		total += f.after + f.lasts
		plan = append(plan, f)
	}
	return plan
}

// downtime is short like a restart by hand, longer than what is paid, or longer than the lease.
func downtime(r *rand.Rand) time.Duration {
	switch n := r.IntN(10); {
	case n < 5:
		return between(r, 20*time.Millisecond, time.Second)
	case n < 8:
		return between(r, slice, 2*slice)
	}
	return between(r, lease, 3*lease)
}

// stillness is short, longer than what is paid, or, in a long play, longer than most calls.
func stillness(r *rand.Rand, length time.Duration) time.Duration {
	switch n := r.IntN(6); {
	case n < 3:
		return between(r, 200*time.Millisecond, 2*time.Second)
	case n < 5 || length < 5*time.Minute:
		return between(r, slice, 2*lease)
	}
	return between(r, 2*lease, 5*lease)
}

// stepSize is seconds to hours, forth or back, and never more than half a day from the machine's own clock.
func stepSize(r *rand.Rand, off time.Duration) time.Duration {
	by := between(r, 2*time.Second, 30*time.Second)
	switch r.IntN(3) {
	case 0:
		by = between(r, time.Minute, 20*time.Minute)
	case 1:
		by = between(r, time.Hour, 5*time.Hour)
	}
	by = by.Truncate(time.Second)
	if r.IntN(2) == 0 {
		by = -by
	}
	if far := off + by; far > 12*time.Hour || far < -12*time.Hour {
		return -by
	}
	return by
}

// worldFaults draws what happens around the nodes.
func worldFaults(r *rand.Rand, withDatabase bool, length time.Duration) (plan []fault) {
	var total time.Duration
	for total < length {
		f := fault{after: between(r, 3*time.Second, 15*time.Second), kind: lossy}
		if withDatabase && r.IntN(2) == 0 {
			f.kind, f.lasts = database, between(r, 100*time.Millisecond, 4*time.Second)
		} else {
			f.lasts, f.share = between(r, time.Second, 6*time.Second), 0.2+0.4*r.Float64()
		}
		total += f.after + f.lasts
		plan = append(plan, f)
	}
	return plan
}

// quietLoss is the share of packets that are lost all the time.
const quietLoss = 0.03
