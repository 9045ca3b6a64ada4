package replay

import (
	"container/heap"
	"time"

	"ringfence/flow/play"
)

// window puts calls in the order of time. Calls of one time stay in the order of the file.
type window struct {
	batches []*batch // their calls are in order, but for those that have gone to late
	at      int      // of the first batch: the next call
	latest  time.Time
	late    lateCalls // those that came after a later one
	taken   play.Call
	n       int         // calls in it
	free    chan *batch // receives those that are done with
}

// put takes what comes next of the file, behind so many rows.
func (w *window) put(b *batch, rows int64) {
	for i := range b.calls {
		c := &b.calls[i]
		c.Seq += rows
		if c.At.Before(w.latest) {
			heap.Push(&w.late, *c)
			c.Slot = 0 // it is not here any more
			continue
		}
		w.latest = c.At
	}
	w.n += len(b.calls)
	w.batches = append(w.batches, b)
}

// next takes out the first call, which is the caller's until the next one. There is one.
func (w *window) next() *play.Call {
	w.n--
	ordered := w.ordered()
	if len(w.late) > 0 && (ordered == nil || before(&w.late[0], ordered)) {
		w.taken = heap.Pop(&w.late).(play.Call)
		return &w.taken
	}
	w.at++
	return ordered
}

// ordered is the first of those that came in order; nil: there is none.
func (w *window) ordered() *play.Call {
	for len(w.batches) > 0 {
		b := w.batches[0]
		for ; w.at < len(b.calls); w.at++ {
			if b.calls[w.at].Slot != 0 {
				return &b.calls[w.at]
			}
		}
		w.batches, w.at = append(w.batches[:0], w.batches[1:]...), 0
		select {
		case w.free <- b:
		default:
		}
	}
	return nil
}

// before says which of two calls comes first.
func before(a, b *play.Call) bool {
	order := a.At.Compare(b.At)
	return order < 0 || order == 0 && a.Seq < b.Seq
}

// lateCalls is a heap.
type lateCalls []play.Call

func (l lateCalls) Len() int           { return len(l) }
func (l lateCalls) Less(i, j int) bool { return before(&l[i], &l[j]) }
func (l lateCalls) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l *lateCalls) Push(c any)        { *l = append(*l, c.(play.Call)) }
func (l *lateCalls) Pop() any {
	n := len(*l) - 1
	c := (*l)[n]
	(*l)[n] = play.Call{}
	*l = (*l)[:n]
	return c
}
