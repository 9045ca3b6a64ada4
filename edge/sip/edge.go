// Package sip is the SIP edge: packets on one side, calls on the other. It registers phones and joins two legs into a
// call (a back-to-back agent), asks flow/door who someone is, where they are, and whether and where a call may go, notifies it of
// what happened, and obeys when a call is cut. It must not decide anything about calls, and must not know SQL.
//
// Each call lives in one shard (shard.go), chosen by its Call-ID, and is touched by one goroutine at a time without
// locks. Read the files beside their RFC: registrar.go 3261 §10, flows.go 5626, uas.go 3261 §8.2/§13.3, uac.go 3261 §8.1/§13.2,
// dialog.go 3261 §12, early.go 3261 §12.1 and 3311, reliable.go 3262, session.go 3264, timer.go 4028; bridge.go joins the legs, trunk.go has the
// routes to carriers (locate and resolver.go: 3263), enrol.go our registrations at them (3261 §10.2), link.go joins two calls (divert.go forwards, refer.go transfers), and recover.go has what a restart needs.
package sip

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"ringfence/core/account"
	"ringfence/core/call"
	"ringfence/core/policy"
	"ringfence/edge/sip/transaction"
	"ringfence/edge/sip/transport"
	"ringfence/edge/voice"
	"ringfence/flow/door"
	"ringfence/flow/gate"
	"ringfence/flow/guard"
	"ringfence/flow/location"
)

// Options are the edge's settings. Every zero value is usable, except for the addresses.
type Options struct {
	UDP, TCP   []netip.AddrPort          // where to listen; port 0 picks one
	TLS, WSS   []netip.AddrPort          // likewise; they require a certificate in Security
	Security   *transport.Security       // nil: no TLS, in or out
	PacketConn net.PacketConn            // instead of UDP: tests under virtual time
	Sockets    int                       // SO_REUSEPORT sockets per UDP address; 0 is 1
	Bans       *transport.Bans           // blocked sources; nil is none
	Silent     bool                      // attackers' tools get no answer
	Emergency  func(dialled string) bool // of the numbering plan
	Voice      *voice.Voice              // asks callers to confirm calls; nil: nobody is asked
	Trunks     func() []account.Trunk    // those in use, of which some want us to register; nil: none

	DNS       []netip.AddrPort // the servers that carriers' names are looked up at; none: the system's
	Realm     string           // of digest; "" takes the first credentials whatever their realm
	Advertise []netip.Addr     // our addresses as others see them, for Via and Contact, one of a family; none: the listening one

	MaxConns     int                // connections in all; 0 is 4096
	Shards       int                // 0 is twice GOMAXPROCS; at most 256
	MaxCalls     int                // concurrent calls, except emergency calls; 0 is 50,000
	MaxEmergency int                // concurrent emergency calls: from nine tenths on some are refused; 0 is half of MaxCalls, at least 1,000
	MaxInbound   int                // concurrent calls that came in over one trunk; 0 is half of MaxCalls
	TrunkCalls   map[string]int     // MaxInbound of individual trunks
	MaxRinging   int                // inbound calls that ring one line at the same time, if its max-calls is not lower; 0 is 20
	Timers       transaction.Timers // RFC 3261 T1, T2, T4
	Trying       time.Duration      // a 100 is sent if nothing else has been sent by then; 0 is 150 ms
	Silence      time.Duration      // a route that does not respond for this long has failed; 0 is 4 s
	RingTimeout  time.Duration      // how long a call may ring; 0 is 2 minutes
	QueueTimeout time.Duration      // the same, while the far end says that it is queued (182); 0 is 15 minutes
	MinExpires   time.Duration      // of a registration, else 423; 0 is 60 s
	MaxExpires   time.Duration      // longer registrations are shortened to this; 0 is 1 hour
	SessionTime  time.Duration      // Session-Expires (RFC 4028); 0 is 30 minutes
	Grain        time.Duration      // how late a deadline may be met, distant ones ten times as late; 0 is exactly
	Prompt       bool               // the gate never waits for a disk, and so is asked inside the shard
	PingInterval time.Duration      // in-dialog OPTIONS to peers without session timers; 0 is 5 minutes, < 0 never

	Nodes  bool               // there may be other nodes, whose calls are looked for (Door.Seek)
	Away   func() bool        // the leases of this node may have ended without its knowing: nothing is done by the clock. Nil: never
	Anchor func() call.Anchor // fixes the present on clocks that outlive the process; nil: on the wall clock only

	Log *slog.Logger // nil discards
}

// Door is what the edge asks and notifies: flow/door, where it is described, and a fake in tests. It is safe for concurrent
// use. Identities name lines and trunks. All but Register, Admit, Answered and Seek must be quick.
type Door interface {
	// Who is this?
	Login(l *door.Login) guard.Result
	Peer(src netip.AddrPort, host string) door.Peer
	// May they, from there?
	May(p door.Party, src netip.Addr, now time.Time) bool
	// Where are they?
	Reach(p door.Party, now time.Time) door.Reach
	Register(line string, u location.Update) ([]location.Binding, error)
	// May this call begin, and be answered? Is it another node's?
	Admit(ctx context.Context, a gate.Attempt) (*gate.Plan, error)
	Answered(ctx context.Context, id call.ID, route gate.Route, snapshot []byte) error
	Seek(id call.ID, leg string, answered bool) (found bool, err error)
	// Notify reports an event of flow/gate or flow/door, of a call, or ("") of none.
	Notify(id call.ID, event any)
}

// Edge is the running SIP edge. Make it with New.
type Edge struct {
	o     Options
	door  Door
	log   *slog.Logger
	net   *transport.Transport
	names *resolver
	began time.Time // the zero of all monotonic instants in here
	pulse pulse
	mark  string // in our branches: recognises our own requests when they come back
	stats stats

	refusals refusals
	insecure complaints
	links    links // between calls
	enrolled enrolments
	avoided  *avoided
	noTCP    noTCP
	outs     outs

	shards   []*shard
	calls    atomic.Int64 // not yet over, all shards
	seats    *seats
	stopping atomic.Bool
	ctx      context.Context // of the questions to the gate; ends with Stop
	cancel   context.CancelFunc
	work     chan func()  // questions for idle workers
	spare    atomic.Int64 // idle workers
	tapping  sync.Mutex   // owns changes of taps
	taps     atomic.Pointer[[]*traceTap]
}

// New opens the sockets. Nothing is read from them before Start.
func New(o Options, d Door) (*Edge, error) {
	o.defaults()
	e := &Edge{o: o, door: d, log: o.Log, began: time.Now(), names: newResolver(&o), work: make(chan func())}
	e.log = cmp.Or(e.log, slog.New(slog.DiscardHandler))
	var seed [4]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return nil, fmt.Errorf("random numbers: %w", err)
	}
	e.seats, e.avoided = newSeats(e), newAvoided(e)
	e.taps.Store(new([]*traceTap))
	e.mark = branchPrefix + hex32(binary.BigEndian.Uint32(seed[:]))
	e.ctx, e.cancel = context.WithCancel(context.Background())
	for i := range o.Shards {
		e.shards = append(e.shards, newShard(e, i))
	}
	var err error
	e.net, err = transport.Listen(transport.Config{
		UDP: o.UDP, TCP: o.TCP, TLS: o.TLS, WSS: o.WSS, Security: o.Security, PacketConn: o.PacketConn, Sockets: max(o.Sockets, 1), MaxConns: o.MaxConns, Known: e.known,
		Bans: o.Bans, Handle: e.handle, Failed: e.sendFailed, Closed: e.connectionClosed, Panicked: e.readerPanicked,
	})
	if err != nil {
		return nil, err
	}
	if can := e.net.MaxConns(); can < o.MaxConns {
		e.log.Warn("fewer connections than configured: raise the limit of open files (LimitNOFILE)", "connections", can, "configured", o.MaxConns)
	}
	return e, nil
}

// Obeys is what the gate may ask of the edge.
func (e *Edge) Obeys() gate.Edge {
	return gate.Edge{Cut: e.Cut, TakeOver: e.restore, Forget: e.forget, Audit: e.audit, Legs: e.storedLegs}
}

// known says how far connections from an address are trusted before a line has logged in on them.
func (e *Edge) known(src netip.AddrPort) (carrier bool, phones int) {
	trunk, p := e.trunkFrom(src)
	return trunk != "", p.Phones
}

// agent is our User-Agent and Server.
const agent = "Ringfence"

func (o *Options) defaults() {
	o.Timers = o.Timers.Defaults()
	o.Shards = cmp.Or(max(o.Shards, 0), 2*runtime.GOMAXPROCS(0))
	o.Shards = min(o.Shards, 256)
	o.MaxCalls = cmp.Or(max(o.MaxCalls, 0), 50_000)
	o.MaxRinging = cmp.Or(max(o.MaxRinging, 0), 20)
	o.MaxEmergency = cmp.Or(max(o.MaxEmergency, 0), max(o.MaxCalls/2, 1000))
	o.Trying = cmp.Or(o.Trying, 150*time.Millisecond)
	o.Silence = cmp.Or(o.Silence, 4*time.Second)
	o.RingTimeout = cmp.Or(o.RingTimeout, 2*time.Minute)
	o.QueueTimeout = cmp.Or(o.QueueTimeout, 15*time.Minute)
	o.MinExpires = cmp.Or(o.MinExpires, time.Minute)
	o.MaxExpires = cmp.Or(o.MaxExpires, time.Hour)
	o.SessionTime = cmp.Or(o.SessionTime, 30*time.Minute)
	o.PingInterval = cmp.Or(o.PingInterval, 5*time.Minute)
	o.SessionTime = max(o.SessionTime, minSession)
	if o.Anchor == nil {
		o.Anchor = func() call.Anchor { return call.Anchor{Store: time.Now()} }
	}
}

// Start restores the calls of the previous process and begins to serve.
func (e *Edge) Start(before []gate.Recovered) error {
	e.pulse.last = time.Now()
	go e.beats()
	e.restore(before)
	e.net.Serve()
	if e.o.Trunks != nil {
		go e.enrols()
	}
	return nil
}

// errBusy says that the context of Stop ended first.
var errBusy = errors.New("calls were still being set up")

// Stop takes no new calls, gives up those that are not answered yet, and returns when no call is being set up. Calls
// that are up stay up: the next process restores them from their snapshots. Emergency calls are still taken and may be answered
// until ctx ends, which is an error if a call was still being set up. A second Stop does nothing.
func (e *Edge) Stop(ctx context.Context) error {
	if e.stopping.Swap(true) {
		return nil
	}
	e.each((*shard).giveUpSetups)
	err := e.drained(ctx)
	e.saidGoodbye(ctx)
	e.net.Stop()
	e.cancel()
	for _, s := range e.shards {
		s.close()
	}
	return err
}

// drained waits until no question to the gate is open.
func (e *Edge) drained(ctx context.Context) error {
	for _, s := range e.shards {
		idle := make(chan struct{})
		s.post(func() { s.whenIdle(func() { close(idle) }) })
		select {
		case <-idle:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errBusy, ctx.Err())
		}
	}
	return nil
}

// goodbye is how long Stop waits for carriers to confirm that calls in setup are given up: a CANCEL that is lost would
// leave a leg that no process knows.
const goodbye = 2 * time.Second

func (e *Edge) saidGoodbye(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, goodbye)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for e.unconfirmed() {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

func (e *Edge) unconfirmed() bool {
	answers := make(chan bool, len(e.shards))
	e.each(func(s *shard) { answers <- s.unconfirmed() })
	some := false
	for range e.shards {
		some = <-answers || some
	}
	return some
}

// Addr is where the edge listens: the first address of that protocol.
func (e *Edge) Addr(p transport.Proto) netip.AddrPort { return e.net.Addr(p) }

// Ports are all the addresses where the edge listens, each once.
func (e *Edge) Ports() []netip.AddrPort { return e.net.Addrs() }

// each has every shard do something.
func (e *Edge) each(do func(*shard)) {
	for _, s := range e.shards {
		s.post(func() { do(s) })
	}
}

// Cut hangs up both legs of a call for a reason, which the phones are sent. The end is reported to the gate like any other.
func (e *Edge) Cut(id call.ID, reason policy.Reason, f policy.Figures) {
	e.each(func(s *shard) { s.cut(id, reason, f) })
}

// Elsewhere calls found, on other goroutines, for each call that a phone answered from where its line (one, or "" for any) may
// not be used any more.
func (e *Edge) Elsewhere(line string, found func(call.ID)) {
	e.each(func(s *shard) {
		for id, b := range s.byID {
			if p := b.peer; p != nil && p.line != "" && (line == "" || p.line == line) && b.state != over && !p.mayComeFrom(p.dest.Addr.Addr()) {
				e.beside(func() { found(id) })
			}
		}
	})
}

// sendFailed takes the transport's report that a message sent with a token was not delivered.
func (e *Edge) sendFailed(d transport.Dest, token uint64, err error) {
	if d.Name != "" {
		e.insecure.say(e.log, d, err)
	}
	if token == 0 {
		e.enrolled.undelivered(d, err)
		return
	}
	s := e.shards[int(token&0xff)%len(e.shards)]
	s.post(func() { s.undelivered(token) })
}

func (e *Edge) readerPanicked(what any, stack []byte) {
	e.stats.panics.Add(1)
	e.log.Error("panic while reading a packet", "panic", what, "stack", string(stack))
}

// Transport reads the counts of the sockets.
func (e *Edge) Transport() transport.Stats { return e.net.Stats() }
