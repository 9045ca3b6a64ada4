package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ringfence/flow/keep"
	"ringfence/state/store"
)

// Bounds of one digest.
const (
	digestItems = 40   // told one by one; the rest as a number
	digestMost  = 2000 // bundled in one; what is over goes out in another a minute later
)

// bundle makes digests until ctx ends. A digest is due at each whole multiple of DigestAt (in UTC), of what has waited
// from before it.
func (n *Notifier) bundle(ctx context.Context) {
	look := func(time.Time) {
		if err := n.digests(ctx, n.now()); err != nil && ctx.Err() == nil {
			n.log.Warn("digests could not be made; they are tried again", "error", err)
		}
	}
	look(n.now())
	keep.Every(ctx, min(n.o.DigestAt, time.Minute), look)
}

// waiting is what a person waits for; at most 2 × digestMost of the oldest.
type waiting struct {
	to  recipient
	all []waitingOne
}

type waitingOne struct {
	item
	delivery store.Delivery
}

// digests makes one digest for each person for whom something has waited since before the last multiple of DigestAt.
// The digest and the end of the waiting are one step of the store, so that each notice goes out in one digest, no matter
// which node makes it.
func (n *Notifier) digests(ctx context.Context, now time.Time) error {
	slot := now.Truncate(n.o.DigestAt)
	people, declined, err := n.waitingBefore(ctx, slot)
	if err := n.letGo(ctx, declined); err != nil {
		return err
	}
	for person, w := range people {
		if err := n.digest(ctx, person, w, slot, now); err != nil && !errors.Is(err, store.ErrMoved) {
			return err
		}
	}
	return err
}

// letGo ends the waiting of what its person does not want any more. What another node has bundled meanwhile stays so: sent
// by itself, it would come twice.
func (n *Notifier) letGo(ctx context.Context, declined []waitingOne) error {
	for _, x := range declined {
		err := n.o.Store.SettleDelivery(ctx, x.delivery)
		switch {
		case err == nil:
			n.stats.made([]made{{x.Kind, store.Off}})
		case !errors.Is(err, store.ErrMoved) && !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	return nil
}

// waitingBefore reads what waits, oldest first, with the people in no order, and apart from that what they do not want any
// more. The store gives the newest first, so that all pages are read; of each person only the oldest are kept.
func (n *Notifier) waitingBefore(ctx context.Context, slot time.Time) (people map[string]*waiting, declined []waitingOne, err error) {
	people = map[string]*waiting{}
	for before := int64(0); ; {
		page, err := n.o.Store.Notices(ctx, store.NoticeFilter{State: string(store.Digest), Before: before, Limit: 500})
		if err != nil {
			return nil, nil, err
		}
		for i := range page {
			if before = page[i].ID; page[i].At.Before(slot) {
				declined = n.sortOut(people, declined, &page[i])
			}
		}
		if len(page) < 500 {
			break
		}
	}
	for _, w := range people {
		slices.Reverse(w.all)
	}
	return people, declined, nil
}

// sortOut puts each waiting delivery of a notice with its person, or appends it to those that are not wanted any more.
func (n *Notifier) sortOut(people map[string]*waiting, declined []waitingOne, x *store.Notice) []waitingOne {
	dr := draftOf(x)
	for _, d := range x.Deliveries {
		if d.State != store.Digest {
			continue
		}
		to := n.recipientOf(&d)
		if why := n.decide(&to, &dr, 0, 0); why.state() == store.Off {
			d.State, d.Error = store.Off, why.text()
			declined = append(declined, waitingOne{item{Kind: dr.info.Kind}, d})
			continue
		}
		w := people[d.Person]
		if w == nil {
			w = &waiting{}
			people[d.Person] = w
		}
		if len(w.all) >= 2*digestMost { // the older half stays
			w.all = slices.Clone(w.all[digestMost:])
		}
		w.to = to // try takes the present address
		w.all = append(w.all, waitingOne{item{x.ID, dr.info.Kind, x.At, x.Line, Clean(dr.Text, maxValue), dr.critical()}, d})
	}
	return declined
}

func (n *Notifier) digest(ctx context.Context, person string, w *waiting, slot, now time.Time) error {
	all := w.all[:min(len(w.all), digestMost)]
	info, _ := infoOf(Digest)
	d := draft{info: info, key: fmt.Sprintf("digest/%s/%d/%d", person, slot.Unix(), all[0].delivery.Notice), at: now}
	d.begin(now, n.o.LinkLife)
	d.account, _, _ = customerOf(person)
	s := store.Step{Stage: Stage}
	for _, x := range all {
		x.delivery.Sent = now
		s.Bundled = append(s.Bundled, x.delivery)
		d.Bundled = append(d.Bundled, x.delivery.Notice)
		d.Items = append(d.Items, x.item)
	}
	slices.SortStableFunc(d.Items, func(a, b item) int { return urgent(b) - urgent(a) })
	d.Items = d.Items[:min(len(d.Items), digestItems)]
	d.key = store.Short(d.key)
	count := newTally()
	s.Notices = []store.Notice{n.noticeTo(&d, []recipient{w.to}, now, count)}
	if _, err := n.o.Store.Advance(ctx, s); err != nil {
		return err
	}
	n.stats.made(count.kinds)
	n.wake()
	return nil
}

func urgent(i item) int {
	if i.Urgent {
		return 1
	}
	return 0
}
