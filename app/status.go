package app

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"ringfence/core/account"
	"ringfence/edge/sip/probe"
	"ringfence/edge/sip/transport"
	"ringfence/flow/notify"
	"ringfence/flow/status"
)

// openStatus builds what measures the service and tells the public.
func (a *App) openStatus(send notify.Send) error {
	box, err := a.keys.box()
	if err != nil {
		return err
	}
	own := &measured{every: func() time.Duration { return 10 * time.Second }, ask: a.ownPhones}
	carriers := &measured{every: func() time.Duration { return a.config().SIP.TrunkOptions.Duration }, ask: a.carriers(map[string]bool{})}
	over := func(ctx context.Context) status.State { // a carrier
		if len(a.book.Trunks()) == 0 {
			return status.Unknown
		}
		return max(own.state(ctx), carriers.state(ctx))
	}
	calls := func(ctx context.Context) status.State {
		if a.storeFault() != "" {
			return status.Down // paid calls are refused
		}
		return over(ctx)
	}
	probes := map[status.Component]status.Probe{
		status.CallsHome: calls, status.CallsAbroad: calls, status.Login: own.state,
		status.CallsIn: over,
		status.Records: func(context.Context) status.State {
			if a.storeFault() != "" {
				return status.Down
			}
			return status.Good
		},
	}
	if a.cfg.Mail.Server != "" {
		probes[status.Mail] = a.mailServer
	}
	o := status.Options{
		Store: a.store, Node: a.cfg.Node, Probes: probes, Zone: a.book.Zone(""), Home: a.isHome, URL: a.cfg.LinksURL(), Key: box.Derive("status"), Provider: a.cfg.Provider.Name, Log: a.log,
	}
	if a.cfg.Mail.Server != "" {
		o.Mail = send
	}
	a.public, err = status.New(o)
	return err
}

// measured is an answer that several components ask for; it is as old as every at most. Nothing is asked while every is 0.
type measured struct {
	every func() time.Duration
	ask   func(ctx context.Context) status.State

	mu   sync.Mutex // owns the rest, and is held while asking: the others want the same answer
	at   time.Time
	last status.State
}

func (m *measured) state(ctx context.Context) status.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	every := m.every()
	if every <= 0 {
		return status.Unknown
	}
	if time.Since(m.at) >= every-time.Second {
		m.last, m.at = m.ask(ctx), time.Now()
	}
	return m.last
}

// askWithin is how long an answer may take.
const askWithin = 4 * time.Second

// ownPhones asks our own SIP edge as a phone would.
func (a *App) ownPhones(ctx context.Context) status.State {
	at := a.sip.Addr(transport.UDP)
	if !at.IsValid() {
		return status.Unknown
	}
	if at.Addr().IsUnspecified() {
		at = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), at.Port())
	}
	for range 2 { // a packet may be lost
		answers := probe.Ask(ctx, &probe.Target{Addresses: []string{at.String()}, Transport: "udp", From: at.Addr(), Timeout: askWithin / 2})
		if slices.ContainsFunc(answers, func(x probe.Answer) bool { return x.Status != 0 }) {
			return status.Good
		}
	}
	return status.Down
}

// carriers asks all trunks at once. Only a trunk that has answered before says something by its silence: some never answer.
func (a *App) carriers(answered map[string]bool) func(ctx context.Context) status.State {
	return func(ctx context.Context) status.State {
		trunks := slices.DeleteFunc(slices.Clone(a.book.Trunks()), func(t account.Trunk) bool { return t.Disabled })
		there := make([]bool, len(trunks))
		var all sync.WaitGroup
		for i := range trunks {
			all.Go(func() {
				t := &trunks[i]
				target := probe.Target{Addresses: t.Addresses, Transport: t.Transport, DNS: a.config().SIP.DNS, Security: a.security, User: t.User, Timeout: askWithin}
				if listeners := a.config().SIP.UDP; len(listeners) > 0 {
					target.From = listeners[0].Addr()
				}
				there[i] = slices.ContainsFunc(probe.Ask(ctx, &target), func(x probe.Answer) bool { return x.Status != 0 })
			})
		}
		all.Wait()
		if len(trunks) == 0 {
			return status.Unknown
		}
		state, mute := status.Down, true
		for i := range trunks {
			id := trunks[i].Name
			answered[id] = answered[id] || there[i]
			mute = mute && !answered[id]
			if there[i] {
				state = status.Good
			}
		}
		if mute {
			return status.Unknown
		}
		return state
	}
}

// mailServer is whether it takes connections.
func (a *App) mailServer(ctx context.Context) status.State {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", a.cfg.Mail.Server)
	if err != nil {
		return status.Down
	}
	_ = c.Close() // it was only looked at
	return status.Good
}

// isHome is whether calls to a country are national.
func (a *App) isHome(country string) bool { return a.book.Plan().IsNational(country) }
