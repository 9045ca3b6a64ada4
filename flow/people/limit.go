package people

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"time"

	"ringfence/state/counters"
)

// From is where somebody who signs in is.
type From struct {
	Addr  netip.Addr
	Agent string // User-Agent
}

// Wait says that there were too many attempts: even what is right is refused until then.
type Wait struct{ For time.Duration }

// Error is one sentence. It is the same for a name that there is not.
func (w *Wait) Error() string {
	return fmt.Sprintf("too many attempts; wait %d minutes, or sign in from elsewhere or with a passkey or a link", max(1, int((w.For+time.Minute-1)/time.Minute)))
}

// Attempts that are let through, right or wrong, in a window. Every attempt is counted before it is looked at, so that many at once
// are no more than as many in a row. Names are counted whether or not anybody has them.
const (
	shortly  = 15 * time.Minute
	daily    = 24 * time.Hour
	perPlace = 10  // of one name from one network, in shortly
	perDay   = 30  // and in a day
	perNet   = 60  // of all names from one network, in shortly
	perName  = 200 // of one name from all places, in a day; places where the person is signed in go on
	perCode  = 10  // codes for one person from anywhere, or within a session, in shortly
	codeDay  = 40  // and in a day
)

// network is what is counted together: an IPv4 /24, an IPv6 /56.
func network(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	bits := 24
	if a.Is6() {
		bits = 56
	}
	if n, err := a.Prefix(bits); err == nil {
		return n.String()
	}
	return "nowhere"
}

// key is short and printable whatever the name is.
func key(what string, parts ...string) string {
	sum := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(sum, "%d:%s", len(p), p)
	}
	return "in/" + what + "/" + hex.EncodeToString(sum.Sum(nil)[:16])
}

type bound struct {
	key  string
	span time.Duration
	most int64
}

// take counts an attempt. known says whether the last bound, which is over all places, spares this one.
func (p *People) take(ctx context.Context, bounds ...bound) (over *bound) {
	hits := make([]counters.Hit, len(bounds))
	for i, b := range bounds {
		hits[i] = counters.Hit{Key: b.key, N: 1, Span: b.span}
	}
	engine, now := p.o.Counters, time.Now()
	if engine == nil {
		engine = p.alone
	}
	n, err := engine.Add(ctx, now, hits...)
	if err != nil { // a guesser must not be let in because the counters are away
		n, _ = p.alone.Add(ctx, now, hits...)
	}
	for i := range bounds {
		if i < len(n) && n[i] > bounds[i].most {
			return &bounds[i]
		}
	}
	return nil
}

// admit counts an attempt to sign in under a name.
func (p *People) admit(ctx context.Context, name string, from From) error {
	net := network(from.Addr)
	over := p.take(ctx,
		bound{key("place", name, net), shortly, perPlace}, bound{key("day", name, net), daily, perDay}, bound{key("net", net), shortly, perNet})
	if over != nil {
		return &Wait{over.span}
	}
	if over = p.take(ctx, bound{key("name", name), daily, perName}); over != nil && !p.usual(ctx, name, net) {
		return &Wait{over.span}
	}
	return nil
}

// admitCode counts a code for a person who signs in. It is over all places: who gets here has the first factor.
func (p *People) admitCode(ctx context.Context, person string) error {
	return p.admitFactor(ctx, "code", person)
}

// admitAgain counts a factor that is shown again within a session. It has a count of its own: who stole one would otherwise use up the codes of the
// person, who could neither sign in nor show a factor elsewhere.
func (p *People) admitAgain(ctx context.Context, session string) error {
	return p.admitFactor(ctx, "again", session)
}

func (p *People) admitFactor(ctx context.Context, what, whose string) error {
	if over := p.take(ctx, bound{key(what, whose), shortly, perCode}, bound{key(what+"s", whose), daily, codeDay}); over != nil {
		return &Wait{over.span}
	}
	return nil
}

// usual says that whom a name means is signed in from a network, so that others who guess cannot keep them out there.
func (p *People) usual(ctx context.Context, name, net string) bool {
	s, ok := p.called(ctx, name)
	if !ok {
		return false
	}
	all, err := p.o.Store.Passes(ctx, s.ID, "session")
	if err != nil {
		return false
	}
	for _, x := range all {
		if a, err := netip.ParseAddr(x.From); err == nil && network(a) == net {
			return true
		}
	}
	return false
}
