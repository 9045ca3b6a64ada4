package notify

import (
	"context"
	"sync"
	"time"

	"ringfence/core/account"
	"ringfence/state/store"
)

// stormSpan is the time over which a person's mails are counted.
const stormSpan = time.Hour

// storm counts the mails that were sent to each person immediately within the last hour. It holds, for each person who got any, at
// most Options.Storm instants of noise and three times as many of the rest, and forgets them after the hour.
type storm struct {
	mu    sync.Mutex
	mails map[purse][]time.Time // mu; oldest first
	swept time.Time             // mu
}

// purse is an allowance of mails: each person has one for what anyone can cause, and a greater one for the rest, so that
// an unknown source's wrong logins never delay the news that a login was stolen or that money goes.
type purse struct {
	person string
	noise  bool
}

// allowance is how many notices of a purse are sent immediately within the hour.
func (n *Notifier) allowance(noise bool) int {
	if noise {
		return n.o.Storm
	}
	return 3 * n.o.Storm
}

func (s *storm) count(p purse, now time.Time) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.mails[p] {
		if now.Sub(at) < stormSpan {
			n++
		}
	}
	return n
}

func (s *storm) add(person purse, at, now time.Time) {
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
func (s *storm) forget(person purse, now time.Time) {
	all := s.mails[person]
	for len(all) > 0 && now.Sub(all[0]) >= stormSpan {
		all = all[1:]
	}
	if s.mails[person] = all; len(all) == 0 {
		delete(s.mails, person)
	}
}

// recall counts again from what is stored: after a restart, and after another node took a step. It looks at the newest
// 2,000 notices; a storm of more than that in an hour has reached everyone's limit long before.
func (n *Notifier) recall(ctx context.Context, now time.Time) error {
	fresh := map[purse][]time.Time{}
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
			noise := draftOf(x).info.noise
			for j := range x.Deliveries {
				if d := &x.Deliveries[j]; account.ChannelCalled(d.Channel).People && atOnce(d.State) && x.Kind != string(Digest) {
					of := purse{d.Person, noise}
					fresh[of] = append([]time.Time{at}, fresh[of]...)
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
