package notify

import (
	"context"
	"sync"
	"time"

	"ringfence/state/store"
)

// stormSpan is the time over which a person's mails are counted.
const stormSpan = time.Hour

// storm counts the mails that went to each person at once within the last hour. It holds three times Options.Storm
// instants at most for each person who got any, and forgets them after the hour.
type storm struct {
	mu    sync.Mutex
	mails map[string][]time.Time // mu; oldest first
	swept time.Time              // mu
}

func (s *storm) init() { s.mails = map[string][]time.Time{} }

func (s *storm) count(person string, now time.Time) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.mails[person] {
		if now.Sub(at) < stormSpan {
			n++
		}
	}
	return n
}

func (s *storm) add(person string, at, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.swept) > time.Minute {
		for p := range s.mails {
			s.forget(p, now)
		}
		s.swept = now
	}
	s.forget(person, now)
	s.mails[person] = append(s.mails[person], at)
}

// forget drops what is older than the hour. The caller holds the lock.
func (s *storm) forget(person string, now time.Time) {
	all := s.mails[person]
	for len(all) > 0 && now.Sub(all[0]) >= stormSpan {
		all = all[1:]
	}
	if s.mails[person] = all; len(all) == 0 {
		delete(s.mails, person)
	}
}

// recall counts anew from what is stored: after a restart, and after another node took a step. It looks at the newest
// 2,000 notices; a storm of more than that in an hour has reached everybody's limit long before.
func (n *Notifier) recall(ctx context.Context, now time.Time) error {
	fresh := map[string][]time.Time{}
	for page, before := 0, int64(0); page < 4; page++ {
		all, err := n.o.Store.Notices(ctx, store.NoticeFilter{Before: before, Limit: 500})
		if err != nil {
			return err
		}
		old := len(all) == 0
		for i := range all {
			x := &all[i]
			at := madeAt(x)
			before, old = x.ID, now.Sub(at) >= stormSpan
			if old {
				break
			}
			for j := range x.Deliveries {
				if d := &x.Deliveries[j]; d.Channel == Mail && atOnce(d.State) && x.Kind != string(Digest) {
					fresh[d.Person] = append([]time.Time{at}, fresh[d.Person]...)
				}
			}
		}
		if old {
			break
		}
	}
	n.storm.mu.Lock()
	n.storm.mails = fresh
	n.storm.mu.Unlock()
	return nil
}

func atOnce(s store.DeliveryState) bool {
	return s == store.Queued || s == store.Sending || s == store.Sent || s == store.Bounced || s == store.Failed
}
