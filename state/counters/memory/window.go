package memory

import (
	"math"
	"time"

	"ringfence/state/counters"
)

// window counts hits in the running span and in the one before; together they estimate any span of that length. It is 40
// bytes; the script of the valkey engine calculates the same, and countertest.Same tests that.
type window struct {
	key         uint64
	began, span int64  // ms
	now, before uint32 // hits in the running span, and in the one before it
	newer, next int32  // neighbours in the order of use: newer, older; next also links free ones
}

const skew = int64(counters.Skew / time.Millisecond)

// over says that nothing in it counts any more. An instant before the beginning comes from another node's clock, or from a clock
// that was set back. Up to one span (or Skew, if that is more) it counts as the beginning; further back the window starts again.
func (w *window) over(now int64) bool {
	gone := now - w.began
	return gone >= 2*w.span || gone < -max(w.span, skew)
}

// roll brings the window to now. Another span than before holds from the next running span on.
func (w *window) roll(span, now int64) {
	switch {
	case w.over(now):
		w.began, w.span, w.before, w.now = now, span, 0, 0
	case now-w.began >= w.span:
		w.began, w.span, w.before, w.now = w.began+w.span, span, w.now, 0
	}
}

// sum rounds the earlier span's share up: when in doubt a limit holds.
func (w *window) sum(now int64) int64 {
	left := min(max(w.span-(now-w.began), 0), w.span)
	share := math.Ceil(float64(w.before) * float64(left) / float64(w.span))
	return int64(w.now) + int64(share)
}

func (w *window) add(n int64) {
	w.now = uint32(min(int64(w.now)+min(n, counters.MaxCount), counters.MaxCount))
}
