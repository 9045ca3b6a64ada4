package phone

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"ringfence/edge/sip/message"
)

// Behaviour is what the test carrier does with a call.
type Behaviour struct {
	Refuse     int           // refuse with this status after ringing for Ring; 0 answers the call
	Phrase     string        // of Refuse
	Silent     bool          // do not respond at all
	NoAnswer   bool          // ring for ever
	Early      bool          // 183 with early media instead of 180
	HangupFrom time.Duration // the carrier hangs up this long after the answer; 0 never
	Reinvite   time.Duration // the carrier sends a re-INVITE this long after the answer; 0 never
	Ring       time.Duration // time between 180 and the final answer
}

// Script gives behaviours by the end of the called number; the longest suffix wins.
type Script map[string]Behaviour

// DefaultScript is what the demo's carrier does: the last three digits of a number choose, and read like a SIP status.
// Every other number rings for the carrier's ring time and answers.
func DefaultScript() Script {
	return Script{
		"183": {Early: true},
		"404": {Refuse: 404, Phrase: "Not Found"},
		"408": {Silent: true},
		"480": {NoAnswer: true},
		"486": {Refuse: 486, Phrase: "Busy Here"},
		"487": {HangupFrom: 3 * time.Second},
		"491": {Reinvite: time.Second},
		"503": {Refuse: 503, Phrase: "Service Unavailable"},
		"603": {Refuse: 603, Phrase: "Decline"},
	}
}

// of is the behaviour for a number; ok is false when the script does not mention it.
func (s Script) of(number string) (b Behaviour, ok bool) {
	best := -1
	for suffix, have := range s {
		if len(suffix) > best && strings.HasSuffix(number, suffix) {
			b, ok, best = have, true, len(suffix)
		}
	}
	return b, ok
}

// CarrierOptions are a test carrier's settings; the zero value answers without ringing, on a free port of 127.0.0.1.
type CarrierOptions struct {
	Listen netip.AddrPort // loopback; zero is 127.0.0.1 and a free port
	Ring   time.Duration  // ring time of calls whose behaviour has none
	Script Script         // nil is DefaultScript; an empty one answers everything
	Always *Behaviour     // for every call, whatever the script says
	User   string         // ask callers for a digest login; "" asks none
	Passwd string
	Quiet  bool           // play no tone
	OnCall func(CallSeen) // each call once it has ended; called on the call's goroutine; may be nil
}

// CallSeen is what the carrier saw of one call.
type CallSeen struct {
	Called, Caller string    // user parts of Request-URI and From
	Answered       time.Time // zero: never
	Ended          time.Time
	Theirs         bool   // the other side ended it
	Why            string // the text of its BYE's or CANCEL's Reason
}

// Bounds of what a test carrier takes on.
const (
	mostCalls   = 20_000 // concurrent; more are refused with 503
	longestCall = 4 * time.Hour
)

// CarrierStats counts since the start; Active is now.
type CarrierStats struct{ Offered, Answered, Cancelled, TheirHangups, NoACK, Active int64 }

// Carrier is a test carrier: a SIP user agent server on a loopback UDP address that rings, answers, plays a tone, and can
// be told to misbehave.
type Carrier struct {
	o     CarrierOptions
	end   *endpoint
	media *media
	nonce string
	ctx   context.Context // ends at Close, and with it every call's script
	stop  context.CancelFunc
	calls sync.WaitGroup

	mu    sync.Mutex // owns stats
	stats CarrierStats
}

// ErrNotLoopback says that the test carrier was to listen where others could reach it.
var ErrNotLoopback = errors.New("the test carrier listens on loopback only")

// NewCarrier starts a test carrier.
func NewCarrier(o CarrierOptions) (*Carrier, error) {
	if !o.Listen.Addr().IsValid() {
		o.Listen = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), o.Listen.Port())
	}
	if !o.Listen.Addr().IsLoopback() {
		return nil, ErrNotLoopback
	}
	if o.Script == nil {
		o.Script = DefaultScript()
	}
	l, err := listenUDP(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("test carrier: %w", err)
	}
	m, err := newMedia(o.Listen.Addr())
	if err != nil {
		l.close()
		return nil, err
	}
	c := &Carrier{o: o, media: m, nonce: token()}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.end = newEndpoint(l, "ringfence-test-carrier", "carrier")
	c.end.serve = c.incoming
	c.end.start()
	return c, nil
}

// Addr is where the carrier listens.
func (c *Carrier) Addr() netip.AddrPort { return c.end.link.local }

// Stats counts what happened so far.
func (c *Carrier) Stats() CarrierStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// count adds to one of the stats and gives its sum.
func (c *Carrier) count(n *int64, more int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	*n += more
	return *n
}

// Close stops the carrier: calls that are up get no BYE, as when a carrier fails.
func (c *Carrier) Close() error {
	c.stop()
	c.end.link.close()
	c.calls.Wait()
	return c.media.close()
}

// incoming is called on the endpoint's reading goroutine.
func (c *Carrier) incoming(s *server) {
	m := &s.p.Msg
	if m.Method() != message.INVITE {
		s.respond(message.Reply{Code: 405})
		return
	}
	number := userOf(m.URI())
	b, scripted := c.o.Script.of(number)
	if c.o.Always != nil {
		b, scripted = *c.o.Always, true
	}
	if scripted && b.Silent {
		c.count(&c.stats.Offered, 1)
		return
	}
	b.Ring = cmp.Or(b.Ring, c.o.Ring)
	call := c.end.incoming(s, c.media.address)
	ctx, cancel := context.WithCancel(c.ctx)
	c.end.mu.Lock()
	call.cancel = cancel
	c.end.mu.Unlock()
	c.count(&c.stats.Active, 1)
	c.calls.Add(1)
	go func() {
		defer c.calls.Done()
		defer c.count(&c.stats.Active, -1)
		defer cancel()
		c.run(ctx, call, m, b)
	}()
}

// run plays one call from its INVITE to its end.
func (c *Carrier) run(ctx context.Context, call *Call, invite *message.Message, b Behaviour) {
	if c.o.User != "" && !verify(invite, message.HProxyAuthorization, c.nonce, c.o.User, c.o.Passwd) {
		ask := `Proxy-Authenticate: Digest realm="carrier.test", nonce="` + c.nonce + "\", algorithm=MD5, qop=\"auth\"\r\n"
		call.refuse(message.Reply{Code: 407, Lines: []byte(ask)})
		return
	}
	seen := CallSeen{Called: userOf(invite.URI()), Caller: callerOf(invite)}
	c.count(&c.stats.Offered, 1)
	call.provisional(100, false)
	if c.ring(ctx, call, b) {
		seen.Answered = call.Began()
		c.talk(ctx, call, b)
	}
	end := call.End()
	seen.Ended, seen.Theirs, seen.Why = end.At, end.Theirs, end.Why
	if c.o.OnCall != nil {
		c.o.OnCall(seen)
	}
}

// ring brings a call to its final answer and says whether it was answered and acknowledged.
func (c *Carrier) ring(ctx context.Context, call *Call, b Behaviour) bool {
	if c.count(&c.stats.Active, 0) > mostCalls {
		b = Behaviour{Refuse: 503, Phrase: "Service Unavailable"}
	}
	if b.Refuse == 0 || b.Ring > 0 {
		status := 180
		if b.Early {
			status = 183
			c.tone(ctx, call)
		}
		call.provisional(status, b.Early)
	}
	if b.NoAnswer {
		b.Ring = time.Hour
	}
	if !wait(ctx, b.Ring) {
		if c.ctx.Err() == nil {
			c.count(&c.stats.Cancelled, 1)
			call.refuse(message.Reply{Code: 487})
		}
		return false
	}
	if b.Refuse != 0 {
		call.refuse(message.Reply{Code: b.Refuse, Phrase: b.Phrase})
		return false
	}
	switch err := call.answer(ctx); {
	case errors.Is(err, context.Canceled): // the CANCEL came in the instant of the answer
		c.count(&c.stats.Cancelled, 1)
		call.refuse(message.Reply{Code: 487})
		return false
	case err != nil && ctx.Err() == nil:
		c.count(&c.stats.NoACK, 1)
		_ = call.Hangup(ctx)
		return false
	}
	c.count(&c.stats.Answered, 1)
	return true
}

// talk lasts until either side hangs up.
func (c *Carrier) talk(ctx context.Context, call *Call, b Behaviour) {
	if !b.Early {
		c.tone(ctx, call)
	}
	limit := longestCall
	if b.HangupFrom > 0 {
		limit = b.HangupFrom
	}
	if b.Reinvite > 0 && wait(ctx, b.Reinvite) {
		_, _ = call.Reinvite(ctx, "sendrecv")
	}
	if !wait(ctx, limit-time.Since(call.Began())) {
		if c.ctx.Err() == nil {
			c.count(&c.stats.TheirHangups, 1)
		}
		return
	}
	bye, done := context.WithTimeout(c.ctx, timers.Patience())
	defer done()
	_ = call.Hangup(bye)
}

// tone plays to the caller until the call ends.
func (c *Carrier) tone(ctx context.Context, call *Call) {
	c.end.mu.Lock()
	to := call.media
	c.end.mu.Unlock()
	if c.o.Quiet || !to.IsValid() {
		return
	}
	c.calls.Add(1)
	go func() {
		defer c.calls.Done()
		c.media.play(ctx, to)
	}()
}

// wait lets d pass; false when the context ends first.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
