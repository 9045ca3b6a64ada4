package notify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"time"

	"ringfence/core/account"
	"ringfence/state/store"
)

// What is promised: a delivery is sent at least once while its channel works, and recorded once. Between the other side's
// taking a message and our recording it there is an instant in which this process may die; then another try follows after
// the lease. It carries the same Message-ID, Date and text, by which mail servers and programs that look for repeats
// recognise it, and webhooks the same id; nobody can promise more across a network.
const (
	lease    = 2 * time.Minute // how long a claimed delivery is this node's
	sendFor  = 30 * time.Second
	settleIn = 10 * time.Second
	perLane  = 4                // messages under way in one lane
	perWait  = 256              // messages that wait in one lane, in memory; perLane once there are inHand in all
	inHand   = 512              // messages in memory after which a lane gives way to others
	atMost   = 4 * inHand       // messages in memory in all: some 32 MB if all have as much data as they may
	atATime  = 256              // deliveries of one claim
	full     = 10 * time.Second // how long one is given back for that has no room; longer each time, up to 12 times as long
	firstTry = 30 * time.Second
	lastTry  = 6 * time.Hour
	backOff  = 3
)

// outbox sends what is due. A lane is the mail server, or one host that takes webhooks: a slow one holds up only its own.
type outbox struct {
	n       *Notifier
	mu      sync.Mutex
	lanes   map[string]*lane // mu; those with something in them
	held    int              // mu; messages in memory
	stopped bool             // mu; nothing waits any more
	sending sync.WaitGroup
	failing bool // of the goroutine of send
}

type lane struct {
	active  int
	waiting []store.DueDelivery
}

// send claims and sends until ctx ends, and then waits for what is under way.
func (n *Notifier) send(ctx context.Context) {
	b := &outbox{n: n, lanes: map[string]*lane{}}
	tick := time.NewTicker(n.o.Every)
	defer tick.Stop()
	for ctx.Err() == nil {
		more, err := b.claim(ctx)
		if ctx.Err() == nil {
			b.outage(err)
		}
		if more && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-n.made:
		}
	}
	b.stop(ctx)
}

func (b *outbox) outage(err error) {
	if failing := err != nil; failing != b.failing {
		b.failing = failing
		if failing {
			b.n.log.Warn("the outbox cannot be read; notices wait", "error", err)
		} else {
			b.n.log.Info("the outbox is read again")
		}
	}
}

// claim takes as much as there is room for. more: there may be more than that, and something is left to send it.
func (b *outbox) claim(ctx context.Context) (more bool, err error) {
	b.mu.Lock()
	room := b.held+atATime <= atMost
	b.mu.Unlock()
	if !room {
		return false, nil // the end of any message makes room, and wakes
	}
	now := time.Now()
	due, err := b.n.o.Store.ClaimDeliveries(ctx, now, now.Add(lease), atATime)
	more = len(due) == atATime
	for i := range due {
		more = b.take(ctx, due[i]) && more
	}
	return more, err
}

// laneOf is whom a delivery waits for.
func laneOf(d *store.DueDelivery) string {
	if d.Channel != Webhook {
		return d.Channel
	}
	u, err := url.Parse(d.Address)
	if err != nil {
		return Webhook
	}
	return Webhook + " " + u.Host
}

// take starts a delivery, lets it wait in its lane, or (false) gives it back for a while if that is full: what is behind
// it for other lanes must be reached.
func (b *outbox) take(ctx context.Context, d store.DueDelivery) bool {
	b.mu.Lock()
	name := laneOf(&d)
	l := b.lanes[name]
	if l == nil {
		l = &lane{}
		b.lanes[name] = l
	}
	most := perWait
	if b.held >= inHand {
		most = perLane
	}
	run, room := l.active < perLane, len(l.waiting) < most
	if run || room {
		b.held++
	}
	switch {
	case run:
		l.active++
	case room:
		l.waiting = append(l.waiting, d)
	}
	b.mu.Unlock()
	switch {
	case run:
		b.sending.Go(func() { b.work(context.WithoutCancel(ctx), name, l, d) })
	case !room:
		b.giveBack(context.WithoutCancel(ctx), &d, time.Now().Add((full+rand.N(full))*time.Duration(min(d.Tries, 6))))
	}
	return run || room
}

// work sends one delivery and then what waits in its lane.
func (b *outbox) work(ctx context.Context, name string, l *lane, d store.DueDelivery) {
	for {
		b.n.try(ctx, &d)
		b.mu.Lock()
		b.held--
		next := len(l.waiting) > 0 && !b.stopped
		if next {
			d, l.waiting = l.waiting[0], l.waiting[1:]
		} else if l.active--; l.active == 0 && len(l.waiting) == 0 {
			delete(b.lanes, name)
		}
		b.mu.Unlock()
		b.n.wake()
		if !next {
			return
		}
	}
}

// stop gives back what waits, so that the next process need not wait for the lease to end, and waits for the rest.
func (b *outbox) stop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleIn)
	defer cancel()
	b.mu.Lock()
	b.stopped = true
	var left []store.DueDelivery
	for _, l := range b.lanes {
		left = append(left, l.waiting...)
		l.waiting = nil
	}
	b.mu.Unlock()
	for i := range left {
		b.giveBack(ctx, &left[i], time.Now())
	}
	b.sending.Wait()
}

// giveBack returns a delivery that was not tried. Its Tries have gone up all the same, which is why giving up also asks
// how long it has been tried for.
func (b *outbox) giveBack(ctx context.Context, d *store.DueDelivery, next time.Time) {
	d.State, d.Next = store.Queued, next
	if err := b.n.o.Store.SettleDelivery(ctx, d.Delivery); err != nil && !errors.Is(err, store.ErrMoved) {
		b.n.log.Warn("a notice could not be given back; it comes back by itself", "notice", d.Notice, "error", err)
	}
}

// try sends one delivery and records what came of it.
func (n *Notifier) try(ctx context.Context, d *store.DueDelivery) {
	now := time.Now()
	if !now.Add(sendFor + settleIn).Before(d.Next) {
		return // it waited too long; another claim has it soon
	}
	if why, err := n.unwanted(ctx, d); err != nil {
		n.log.Warn("a notice is not sent yet", "notice", d.Notice, "error", err)
		d.State, d.Error = store.Queued, short(err.Error())
		d.Next = now.Add(n.wait(d, now))
	} else if why != "" {
		d.State, d.Error = store.Off, why
	} else {
		n.deliver(ctx, d)
	}
	ctx, cancel := context.WithTimeout(ctx, settleIn)
	defer cancel()
	err := n.o.Store.SettleDelivery(ctx, d.Delivery)
	switch {
	case errors.Is(err, store.ErrMoved):
		return
	case err != nil:
		n.log.Warn("what came of a notice could not be recorded; it will be tried again under the same Message-ID", "notice", d.Notice, "state", string(d.State), "error", err)
		return
	}
	n.stats.made([]made{{Kind(d.Of.Kind), d.State}})
	if d.State == store.Failed || d.State == store.Bounced {
		n.log.Warn("a notice did not reach its person", "notice", d.Notice, "kind", d.Of.Kind, "person", d.Person, "state", string(d.State), "error", d.Error)
	}
}

// deliver renders, hands over, and judges the answer.
func (n *Notifier) deliver(ctx context.Context, d *store.DueDelivery) {
	send, open := n.o.Channels[d.Channel]
	if !open {
		d.State, d.Error = store.Kept, "there is no way to send this"
		return
	}
	ctx, cancel := context.WithTimeout(ctx, sendFor)
	defer cancel()
	err := n.handOver(ctx, send, d)
	now := time.Now()
	switch {
	case err == nil:
		d.State, d.Error, d.Sent = store.Sent, "", now
	case errors.Is(err, ErrPermanent):
		d.State, d.Error = store.Bounced, short(err.Error())
	case n.givenUp(d, now):
		d.State, d.Error = store.Failed, short(err.Error())
	default:
		d.State, d.Error, d.Next = store.Queued, short(err.Error()), now.Add(n.wait(d, now))
	}
}

// handOver makes an error of a panic: one message must not end the program.
func (n *Notifier) handOver(ctx context.Context, send Send, d *store.DueDelivery) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("sending panicked: %v", r)
		}
	}()
	m, err := n.message(&d.Of, &d.Delivery)
	if err != nil {
		return err
	}
	return send(ctx, m)
}

// wait is how long to wait before the next try: 30 s, then three times as long each time, at most 6 h; a fifth more or
// less, so that a server that comes back is not met by all at once. Tries that were claims given back do not count: it is
// never longer than four times the age of the notice.
func (n *Notifier) wait(d *store.DueDelivery, now time.Time) time.Duration {
	by := firstTry
	for range min(d.Tries-1, 10) {
		by = min(by*backOff, lastTry)
	}
	by = min(by, max(4*now.Sub(madeAt(&d.Of)), firstTry))
	return time.Duration(float64(by) * (0.8 + 0.4*rand.Float64()))
}

// givenUp says that a delivery has had its tries, and the time that they take. Claims that were given back count as
// tries, so that the number alone would give up too early.
func (n *Notifier) givenUp(d *store.DueDelivery, now time.Time) bool {
	takes, by := time.Duration(0), firstTry
	for range n.o.MaxTries - 1 {
		takes += by
		by = min(by*backOff, lastTry)
	}
	return d.Tries >= int64(n.o.MaxTries) && now.Sub(madeAt(&d.Of)) >= takes*8/10
}

// unwanted says why a delivery should not go out any more: the person is gone, has switched the kind off since, or is told
// of the same login by a graver notice.
func (n *Notifier) unwanted(ctx context.Context, d *store.DueDelivery) (why string, err error) {
	if customer, contact, ok := customerOf(d.Person); ok {
		c := n.contact(customer, contact)
		dr := draftOf(&d.Of)
		switch {
		case c == nil:
			return "the contact was removed", nil
		case !dr.critical() && c.Wants(d.Of.Kind) == account.WishOff && dr.Again == 0 && dr.info.Kind != Test && dr.info.Kind != Digest:
			return "switched off by the person", nil
		}
	}
	if Kind(d.Of.Kind) != NewDevice {
		return "", nil
	}
	by, err := n.superseded(ctx, d)
	if err != nil || by == 0 {
		return "", err
	}
	return fmt.Sprintf("told in notice %d, which is graver", by), nil
}

// superseded finds a graver notice about the login that a courtesy notice is about, for the same person: one event, one
// mail. The courtesy notice has waited ten seconds for it.
func (n *Notifier) superseded(ctx context.Context, d *store.DueDelivery) (int64, error) {
	if d.Of.Line == "" {
		return 0, nil
	}
	near, err := n.o.Store.Notices(ctx, store.NoticeFilter{Line: d.Of.Line, Limit: 50})
	if err != nil {
		return 0, err
	}
	mine := draftOf(&d.Of)
	for i := range near {
		other := draftOf(&near[i])
		if near[i].ID == d.Notice || other.rank() <= mine.rank() || !sameLogin(&mine, &other) {
			continue
		}
		for _, o := range near[i].Deliveries {
			if o.Person == d.Person && o.Channel == d.Channel && o.State != store.Off {
				return near[i].ID, nil
			}
		}
	}
	return 0, nil
}

// contact finds a contact as it is now; nil is gone.
func (n *Notifier) contact(customer, id string) *account.Contact {
	c, ok := n.o.Book.Customer(customer)
	if !ok {
		return nil
	}
	for i := range c.Contacts {
		if c.Contacts[i].ID == id {
			return &c.Contacts[i]
		}
	}
	return nil
}

// madeAt is when a notice was made, which for one that repeats another is later than what it tells of.
func madeAt(x *store.Notice) time.Time {
	if made := readData(x.Data).Made; !made.IsZero() {
		return made
	}
	return x.At
}

// draftOf is a stored notice as it was drafted.
func draftOf(x *store.Notice) draft {
	info, ok := infoOf(Kind(x.Kind))
	if !ok { // written by a later version
		info = KindInfo{Kind: Kind(x.Kind), Title: clean(x.Kind, 40)}
	}
	return draft{info: info, key: x.Key, line: x.Line, account: x.Account, at: x.At, data: readData(x.Data)}
}
