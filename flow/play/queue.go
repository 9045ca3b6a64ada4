package play

// due is when a call is looked at next.
type due struct {
	at   int64 // ns since 1970
	call *live
}

// before says which of two comes first. At one instant it is the call that was let out first: calls of other accounts, which share the queue or
// do not, as there are workers, never change the order of those of one.
func (d due) before(e due) bool {
	return d.at < e.at || d.at == e.at && d.call.nth < e.call.nth
}

// queue is a heap of calls by the time of their next event, four branches to a node: fewer reads of memory than with two.
type queue []due

func (q *queue) push(d due) {
	*q = append(*q, d)
	h, i := *q, len(*q)-1
	for i > 0 {
		up := (i - 1) / 4
		if h[up].before(d) {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = d
}

func (q *queue) pop() due {
	h := *q
	first, last := h[0], h[len(h)-1]
	h[len(h)-1] = due{}
	h = h[:len(h)-1]
	*q = h
	if len(h) > 0 {
		h.sink(last)
	}
	return first
}

// sink puts d into the free place at the top.
func (q queue) sink(d due) {
	i := 0
	for {
		least, from := -1, 4*i+1
		for c := from; c < min(from+4, len(q)); c++ {
			if least < 0 || q[c].before(q[least]) {
				least = c
			}
		}
		if least < 0 || d.before(q[least]) {
			break
		}
		q[i] = q[least]
		i = least
	}
	q[i] = d
}
