package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"ringfence/core/account"
	"ringfence/core/seal"
	"ringfence/flow/keep"
	"ringfence/state/store"
)

// What is promised: a delivery is sent at least once while its channel works, and recorded once. Between the other side's
// taking a message and our recording it there is an instant in which this process may die; then another try follows after
// the lease. It carries the same Message-ID, Date and text, by which mail servers and programs that look for repeats
// recognise it, and webhooks the same id; more cannot be guaranteed across a network.
const (
	lease     = 2 * time.Minute // how long a claimed delivery is this node's; while it is being sent, for ever longer
	renew     = lease / 4       // how often that is said
	lastWords = 8 * time.Second // how long a delivery in progress may take after the end, when phones are no longer served
	settleIn  = 10 * time.Second
	perWait   = 256              // messages that wait in one lane, in memory; a few once there are inHand in all
	inHand    = 512              // messages in memory after which a lane takes no more until others have had theirs
	atMost    = 4 * inHand       // messages in memory in all: some 32 MB if all have as much data as they may
	atATime   = 256              // deliveries of one claim
	full      = 10 * time.Second // how long one is given back for that has no room; longer each time, up to 12 times as long
	firstTry  = 30 * time.Second
	lastTry   = 6 * time.Hour
	backOff   = 3
)

// outbox sends what is due. A lane is the mail server, or one host that takes webhooks: a slow one holds up only its own.
type outbox struct {
	n       *Notifier
	mu      sync.Mutex
	lanes   map[string]*lane // mu; those with something in them
	held    int              // mu; messages in memory
	stopped bool             // mu; nothing waits any more
	sending sync.WaitGroup
	outage  keep.Outage // of the goroutine of send
	life    context.Context
	cut     context.CancelFunc // ends life, and thereby what is under way
}

func newOutbox(n *Notifier) *outbox {
	b := &outbox{n: n, lanes: map[string]*lane{}, outage: keep.Outage{
		Log: n.log, Level: slog.LevelWarn, Failed: "the outbox cannot be read; notices wait", Again: "the outbox is read again",
	}}
	b.life, b.cut = context.WithCancel(context.Background())
	return b
}

type lane struct {
	active  int
	waiting []store.DueDelivery
}

// send claims and sends until ctx ends, and then waits for what is under way.
func (n *Notifier) send(ctx context.Context) {
	b := newOutbox(n)
	tick := time.NewTicker(n.o.Every)
	defer tick.Stop()
	for ctx.Err() == nil {
		more, err := b.claim(ctx)
		if ctx.Err() == nil {
			b.outage.Note(err)
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

// claim takes as much as there is room for. more: there may be more than that, and something is left to send it.
func (b *outbox) claim(ctx context.Context) (more bool, err error) {
	b.mu.Lock()
	room := b.held+atATime <= atMost
	b.mu.Unlock()
	if !room {
		return false, nil // the end of any message makes room, and wakes
	}
	now, err := b.n.o.Store.Clock(ctx)
	if err != nil {
		return false, err
	}
	b.n.ahead.Store(int64(time.Until(now)))
	due, err := b.n.o.Store.ClaimDeliveries(ctx, now, now.Add(lease), atATime)
	more = len(due) == atATime
	for i := range due {
		more = b.take(ctx, due[i]) && more
	}
	return more, err
}

// laneOf is the lane of a delivery, and the maximum number of concurrent messages in it.
func laneOf(d *store.DueDelivery) (name string, width int) {
	c := account.ChannelCalled(d.Channel)
	if c.Lane == nil {
		return d.Channel, max(c.AtOnce, 1)
	}
	return d.Channel + " " + c.Lane(d.Address), c.AtOnce
}

// take starts a delivery, lets it wait in its lane, or (false) gives it back for a while if that is full: what is behind
// it for other lanes must be reached.
func (b *outbox) take(ctx context.Context, d store.DueDelivery) bool {
	b.mu.Lock()
	name, width := laneOf(&d)
	l := b.lanes[name]
	if l == nil {
		l = &lane{}
		b.lanes[name] = l
	}
	most := perWait
	if b.held >= inHand {
		most = width
	}
	run, room := l.active < width, len(l.waiting) < most
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
		b.sending.Go(func() { b.work(name, l, d) })
	case !room:
		b.giveBack(context.WithoutCancel(ctx), &d, b.n.now().Add((full+rand.N(full))*time.Duration(min(d.Tries, 6))))
	}
	return run || room
}

// work sends one delivery and then what waits in its lane.
func (b *outbox) work(name string, l *lane, d store.DueDelivery) {
	for {
		b.n.try(b.life, &d)
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

// stop gives back what waits, so that the next process need not wait for the lease to end, and waits for the rest, for a
// while.
func (b *outbox) stop(ctx context.Context) {
	defer b.cut()
	defer time.AfterFunc(lastWords, b.cut).Stop()
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
		b.giveBack(ctx, &left[i], b.n.now())
	}
	b.sending.Wait()
}

// giveBack returns a delivery that was not tried. Its Tries have gone up nevertheless, which is why giving up also asks
// how long it has been tried for.
func (b *outbox) giveBack(ctx context.Context, d *store.DueDelivery, next time.Time) {
	d.State, d.Next = store.Queued, next
	if err := b.n.o.Store.SettleDelivery(ctx, d.Delivery); err != nil && !errors.Is(err, store.ErrMoved) {
		b.n.log.Warn("a notice could not be given back; it comes back by itself", "notice", d.Notice, "error", err)
	}
}

// try sends one delivery and records the result. When ctx ends, it is tried again by another process.
func (n *Notifier) try(ctx context.Context, d *store.DueDelivery) {
	now := n.now()
	if !now.Add(renew + settleIn).Before(d.Next) {
		return // it waited too long; another claim has it soon
	}
	if n.moved(ctx, d, now) {
		return // it comes back with its new address
	}
	switch why, text, err := n.still(ctx, d); {
	case err != nil:
		n.log.Warn("a notice is not sent yet", "notice", d.Notice, "error", err)
		d.State, d.Error = store.Queued, short(err.Error())
		d.Next = now.Add(n.wait(d, now))
	case why.state() == store.Off, why == NoSender:
		d.State, d.Error = why.state(), text
	default:
		n.deliver(ctx, d)
	}
	n.settle(context.WithoutCancel(ctx), d)
}

func (n *Notifier) settle(ctx context.Context, d *store.DueDelivery) {
	ctx, cancel := context.WithTimeout(ctx, settleIn)
	defer cancel()
	err := n.o.Store.SettleDelivery(ctx, d.Delivery)
	switch {
	case errors.Is(err, store.ErrMoved):
		return
	case err != nil:
		n.log.Warn("the result of a delivery could not be recorded; it will be tried again under the same Message-ID", "notice", d.Notice, "state", string(d.State), "error", err)
		return
	}
	n.stats.made([]made{{Kind(d.Of.Kind), d.State}})
	if d.State == store.Failed || d.State == store.Bounced {
		n.log.Warn("a notice did not reach its person", "notice", d.Notice, "kind", d.Of.Kind, "person", personShown(d.Person), "state", string(d.State), "error", d.Error)
	}
}

// deliver renders, hands over, and judges the answer.
func (n *Notifier) deliver(ctx context.Context, d *store.DueDelivery) {
	err := n.holding(ctx, d, func(ctx context.Context) error { return n.handOver(ctx, n.o.Channels[d.Channel], d) })
	now := n.now()
	switch {
	case err == nil:
		d.State, d.Error, d.Sent = store.Sent, "", now
	case errors.Is(err, ErrPermanent):
		d.State, d.Error = store.Bounced, short(err.Error())
	case n.givenUp(d, now):
		d.State, d.Error = store.Failed, short(err.Error())
	default:
		d.State, d.Error, d.Next = store.Queued, short(err.Error()), now.Add(max(n.wait(d, now), asked(err)))
	}
}

// asked is how long the other side wants to be left alone (a webhook's Retry-After), within bounds; 0 does not say.
func asked(err error) time.Duration {
	var later interface{ RetryAfter() time.Duration }
	if !errors.As(err, &later) {
		return 0
	}
	return min(later.RetryAfter(), lastTry)
}

// holding sends, and says all the while that the delivery is still this node's, so that no other takes it up while a slow
// server makes up its mind.
func (n *Notifier) holding(ctx context.Context, d *store.DueDelivery, send func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, account.ChannelCalled(d.Channel).Within)
	defer cancel()
	hold, done := context.WithCancel(context.WithoutCancel(ctx))
	var holder sync.WaitGroup
	defer holder.Wait() // what comes of it is written after the last renewal
	defer done()
	held := d.Delivery
	holder.Go(func() {
		keep.Every(hold, renew, func(time.Time) { n.hold(ctx, held, n.now().Add(lease)) })
	})
	return send(ctx)
}

// hold makes a claim last longer. If another has it by now nothing is gained by stopping: the message may be with the
// other side.
func (n *Notifier) hold(ctx context.Context, d store.Delivery, until time.Time) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleIn)
	defer cancel()
	d.State, d.Next = store.Sending, until
	if err := n.o.Store.SettleDelivery(ctx, d); err != nil && !errors.Is(err, store.ErrMoved) {
		n.log.Warn("a notice that is being sent could not be held; it may be sent twice, under one Message-ID", "notice", d.Notice, "error", err)
	}
}

// moved sees whether a contact has another address by now, and queues the delivery for that one.
func (n *Notifier) moved(ctx context.Context, d *store.DueDelivery, now time.Time) bool {
	c := n.recipientOf(&d.Delivery).contact
	if c == nil || c.Channel != d.Channel || c.Address == d.Address {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, settleIn)
	defer cancel()
	again := d.Delivery
	again.Address = c.Address
	if err := n.o.Store.Requeue(ctx, again, now); err != nil { // not to the old one: it comes back when its lease ends
		n.log.Warn("a notice could not be sent to its person's new address yet", "notice", d.Notice, "error", err)
	}
	return true
}

// handOver makes an error of a panic: one message must not end the program.
func (n *Notifier) handOver(ctx context.Context, send Send, d *store.DueDelivery) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("sending panicked: %v", r)
		}
	}()
	m, err := n.message(&d.Of, &d.Delivery)
	if err == nil {
		err = n.attach(ctx, &d.Of, &m)
	}
	if err != nil {
		return err
	}
	d.Point = seal.NumberOf(m.Checkpoint)
	return send(ctx, m)
}

// wait is how long to wait before the next try: 30 s, then three times as long each time, at most 6 h; a fifth more or
// less, so that a server that comes back does not get all of them together. Tries that were claims given back do not count: it is
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

// still decides again: people change their preferences and addresses, and a graver notice may have come.
func (n *Notifier) still(ctx context.Context, d *store.DueDelivery) (reason Why, text string, err error) {
	dr, to := draftOf(&d.Of), n.recipientOf(&d.Delivery)
	reason = n.decide(&to, &dr, 0, 0)
	if reason.state() == store.Off || dr.info.Kind != NewDevice {
		return reason, reason.text(), nil
	}
	graver, err := n.superseded(ctx, d)
	if reason = n.decide(&to, &dr, 0, graver); reason == ToldGraver {
		return reason, fmt.Sprintf(reason.text(), graver), err
	}
	return reason, reason.text(), err
}

// superseded finds a graver notice about the login that a courtesy notice is about, for the same person: one event, one
// mail. The courtesy notice has waited ten seconds for it.
func (n *Notifier) superseded(ctx context.Context, d *store.DueDelivery) (int64, error) {
	if d.Of.Line == "" {
		return 0, nil
	}
	mine := draftOf(&d.Of)
	for f := (store.NoticeFilter{Line: d.Of.Line, Limit: 500}); ; {
		near, err := n.o.Store.Notices(ctx, f)
		if err != nil || len(near) == 0 {
			return 0, err
		}
		if by := graver(&mine, d, near); by != 0 {
			return by, nil
		}
		last := &near[len(near)-1]
		if len(near) < f.Limit || madeAt(last).Before(mine.at.Add(-together-time.Minute)) { // a minute for clocks that differ
			return 0, nil
		}
		f.Before = last.ID
	}
}

// graver is the notice, among some, that tells the person of a delivery of the same login; 0 is none.
func graver(mine *draft, d *store.DueDelivery, near []store.Notice) int64 {
	for i := range near {
		other := draftOf(&near[i])
		if near[i].ID == d.Notice || other.rank() <= mine.rank() || !sameLogin(mine, &other) {
			continue
		}
		for _, o := range near[i].Deliveries {
			if o.Person == d.Person && o.Channel == d.Channel && o.State != store.Off {
				return near[i].ID
			}
		}
	}
	return 0
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
		info = KindInfo{Kind: Kind(x.Kind), Title: Clean(x.Kind, 40)}
	}
	return draft{info: info, key: x.Key, line: x.Line, account: x.Account, at: x.At, data: readData(x.Data)}
}
