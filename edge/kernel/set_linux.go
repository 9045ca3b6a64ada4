package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"ringfence/core/netlist"
)

const (
	gather   = 100 * time.Millisecond // changes go to the kernel together
	perBatch = 1000                   // networks of one transaction: a few ten KB of netlink messages
	retry    = 10 * time.Second       // after the kernel refused
	tidy     = time.Minute            // how often expired networks are forgotten here; the kernel expires them by itself
)

// Set is the banned networks in the kernel. It is safe for concurrent use; Add and Remove only note what is to be done.
type Set struct {
	o     Options
	log   *slog.Logger
	kick  chan struct{}
	stop  chan struct{}
	ended chan struct{}

	mu      sync.Mutex // owns all below
	nets    map[netip.Prefix]entry
	pending map[netip.Prefix]struct{} // to be added if in nets, else deleted
	failing bool
	closed  bool

	// rules is the connection and what is built on it; one user at a time. Taken before mu.
	building sync.Mutex
	rules    *rules
	before   uint64 // packets dropped by tables that are gone
}

// entry is a network that is to be in the kernel.
type entry struct {
	until  time.Time
	inside bool // the kernel has it, perhaps with an earlier timeout
}

// Open makes the table, empty, and drops what a crashed process left under its name. The error says in words why it
// cannot: ErrPermission, ErrUnsupported, or what the kernel said.
func Open(o Options) (*Set, error) {
	o.Table = tableName(o.Table)
	o.Max = cmp.Or(max(o.Max, 0), defaultMax)
	s := &Set{
		o: o, log: o.Log, kick: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{}),
		nets: map[netip.Prefix]entry{}, pending: map[netip.Prefix]struct{}{},
	}
	s.log = cmp.Or(s.log, slog.New(slog.DiscardHandler))
	conn, err := nftables.New(nftables.AsLasting())
	if err != nil {
		return nil, inWords(err)
	}
	s.rules = &rules{conn: conn}
	if err := s.rules.build(o); err != nil {
		_ = conn.CloseLasting() // it is of no further use
		return nil, inWords(err)
	}
	go s.run()
	return s, nil
}

// inWords turns the kernel's error into one that an operator can act on.
func inWords(err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return ErrPermission
	case errors.Is(err, unix.EAFNOSUPPORT): // every Linux has netlink: systemd withholds it
		return fmt.Errorf("%w, and AF_NETLINK in RestrictAddressFamilies of the systemd unit, which says how", ErrPermission)
	case errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOENT), errors.Is(err, unix.EINVAL):
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return fmt.Errorf("nftables: %w", err)
}

// Add drops a network's packets for d from now, within a tenth of a second. One that is there is prolonged, never shortened.
func (s *Set) Add(p netip.Prefix, d time.Duration) {
	p, _, err := netlist.Normal(p)
	if err != nil || d <= 0 {
		return
	}
	until := time.Now().Add(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	e, there := s.nets[p]
	if there && !e.until.Before(until) || s.closed {
		return
	}
	if !there && len(s.nets) >= s.o.Max {
		return
	}
	e.until = until
	s.nets[p] = e
	s.note(p)
}

// Remove lets exactly this network's packets pass again.
func (s *Set) Remove(p netip.Prefix) {
	p, _, err := netlist.Normal(p)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e, there := s.nets[p]
	if !there || s.closed {
		return
	}
	delete(s.nets, p)
	if e.inside {
		s.note(p)
	} else {
		delete(s.pending, p)
	}
}

// note asks run to work on p. The caller holds mu.
func (s *Set) note(p netip.Prefix) {
	s.pending[p] = struct{}{}
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// run brings changes to the kernel until Close.
func (s *Set) run() {
	defer close(s.ended)
	tick := time.NewTicker(tidy)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			s.forget(time.Now())
		case <-s.kick:
			if !s.wait(gather) {
				return
			}
			s.work()
		}
	}
}

// wait lets d pass; false if Close came first.
func (s *Set) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-s.stop:
		return false
	case <-t.C:
		return true
	}
}

// work sends batches until nothing is pending. When the kernel refuses one, our table has been changed from outside: it is rebuilt
// with all networks; when that is refused too, it is tried again later.
func (s *Set) work() {
	for {
		err := s.send()
		if err == nil {
			if s.calm() {
				return
			}
			continue
		}
		s.log.Debug("nftables refused a change; the table is rebuilt", "table", s.o.Table, "error", err)
		if err = s.rebuild(); err == nil {
			if err = s.send(); err == nil {
				continue
			}
		}
		s.complain(err)
		if !s.wait(retry) {
			return
		}
	}
}

// calm says whether nothing is pending, and notes that the kernel takes changes again.
func (s *Set) calm() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing {
		s.failing = false
		s.log.Info("the kernel drops banned packets again", "table", s.o.Table)
	}
	return len(s.pending) == 0
}

func (s *Set) complain(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.failing {
		s.failing = true
		s.log.Warn("the kernel refuses bans; the process drops the packets itself", "table", s.o.Table, "error", inWords(err))
	}
}

// send takes one batch to the kernel.
func (s *Set) send() error {
	s.building.Lock()
	defer s.building.Unlock()
	now := time.Now()
	b := s.take(now)
	if len(b.put)+len(b.renew)+len(b.drop) == 0 {
		return nil
	}
	err := s.rules.apply(b, now)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		for _, el := range slices.Concat(b.put, b.renew, b.drop) {
			s.pending[el.net] = struct{}{}
		}
		return err
	}
	for _, el := range slices.Concat(b.put, b.renew) {
		if e, there := s.nets[el.net]; there {
			e.inside = true
			s.nets[el.net] = e
		} else { // removed while the batch was under way
			s.note(el.net)
		}
	}
	return nil
}

// element is a network on its way to the kernel.
type element struct {
	net   netip.Prefix
	until time.Time
}

// change is one transaction: what is new, what gets another timeout, and what is deleted.
type change struct{ put, renew, drop []element }

// take takes the next batch out of what is pending.
func (s *Set) take(now time.Time) *change {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &change{}
	n := 0
	for p := range s.pending {
		if n++; n > perBatch {
			break
		}
		delete(s.pending, p)
		e, there := s.nets[p]
		switch {
		case !there:
			c.drop = append(c.drop, element{net: p})
		case !e.until.After(now):
		case e.inside:
			c.renew = append(c.renew, element{p, e.until})
		default:
			c.put = append(c.put, element{p, e.until})
		}
	}
	return c
}

// rebuild makes the table again, empty; all networks are pending then.
func (s *Set) rebuild() error {
	s.building.Lock()
	defer s.building.Unlock()
	s.before += s.rules.dropped()
	if err := s.rules.build(s.o); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.pending)
	for p, e := range s.nets {
		e.inside = false
		s.nets[p] = e
		s.pending[p] = struct{}{}
	}
	return nil
}

// forget removes networks that have expired.
func (s *Set) forget(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, e := range s.nets {
		if !e.until.After(now) {
			delete(s.nets, p)
			delete(s.pending, p)
		}
	}
}

// Stats asks the kernel for its counts. It may wait some milliseconds for a batch.
func (s *Set) Stats() Stats {
	s.building.Lock()
	st := Stats{Packets: s.before + s.rules.dropped()}
	s.building.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Failing = s.failing
	for _, e := range s.nets {
		if e.inside {
			st.Networks++
		}
	}
	return st
}

// Close deletes the table: nothing of ours stays in the kernel. A second Close does nothing.
func (s *Set) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if again {
		return nil
	}
	close(s.stop)
	<-s.ended
	s.building.Lock()
	defer s.building.Unlock()
	s.before += s.rules.dropped()
	if err := errors.Join(s.rules.remove(), s.rules.conn.CloseLasting()); err != nil {
		return fmt.Errorf("nftables table %s: %w", s.o.Table, err)
	}
	return nil
}
