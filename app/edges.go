package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"time"

	"ringfence/app/config"
	"ringfence/edge/rest"
	"ringfence/edge/sip"
	"ringfence/edge/sip/transport"
	"ringfence/edge/voice"
)

// openEdges binds the sockets; nothing is read from them yet.
func (a *App) openEdges(context.Context) error {
	a.openMonitor()
	cfg := &a.cfg
	a.security = new(transport.Security)
	if err := a.security.Use(securityFiles(&cfg.SIP)); err != nil {
		return fmt.Errorf("the certificates of SIP: %w", err)
	}
	a.sayExpiry()
	speaks, err := openVoice(cfg, a.log)
	if err != nil {
		return fmt.Errorf("the voice: %w", err)
	}
	a.speaks.Store(speaks != nil)
	a.sip, err = sip.New(sip.Options{
		UDP: cfg.SIP.UDP, TCP: cfg.SIP.TCP, TLS: cfg.SIP.TLS, WSS: cfg.SIP.WSS, Security: a.security, Sockets: cfg.SIP.ReadSockets, Bans: a.shield.dropped, Realm: cfg.SIP.Realm,
		MaxCalls: cfg.SIP.MaxCalls, MaxEmergency: cfg.SIP.MaxEmergencyCalls, MaxInbound: cfg.SIP.MaxInboundCalls,
		TrunkCalls: cfg.SIP.InboundOf(), MaxRinging: cfg.SIP.MaxRingingCalls, Silence: cfg.SIP.TrunkSilence.Duration, SessionTime: cfg.SIP.SessionTimer.Duration,
		RingTimeout: cfg.SIP.RingTime.Duration, QueueTimeout: cfg.SIP.QueueTime.Duration,
		MinExpires: cfg.SIP.MinExpiry.Duration, MaxExpires: cfg.SIP.MaxExpiry.Duration, Log: a.log,
		MaxConns: cfg.Limits.Connections, Advertise: advertised(cfg.SIP.Advertise),
		Grain: 50 * time.Millisecond, Prompt: cfg.Store.Money == "memory",
		Nodes: cfg.Store.Engine == "postgres", Away: a.ledger.Away, Anchor: a.clock.anchor, Silent: cfg.Shield.Scanners == "silence", Emergency: a.book.Plan().IsEmergency,
		Trunks: a.book.Trunks, DNS: cfg.SIP.DNS, Voice: speaks,
	}, a.sipDoor())
	if err != nil {
		return fmt.Errorf("SIP: %w", err)
	}
	a.gate.Serve(a.sip.Obeys())
	tokens, err := readTokens(cfg.Admin.TokensFile)
	if err != nil {
		return err
	}
	if a.cases, err = a.openCases(); err != nil {
		return err
	}
	if a.desk, err = a.openDesk(); err != nil {
		return err
	}
	a.rest, err = rest.New(a.adminDeps(), rest.Options{
		Socket: cfg.Admin.Socket, Listen: cfg.Admin.Listen, Tokens: tokens, Cert: cfg.Admin.TLSCert, Key: cfg.Admin.TLSKey,
		UploadBytes: int64(cfg.Limits.UploadBytes), Version: Version, Tracers: cfg.Admin.Tracers, Log: a.log, Extra: a.monitor.handlers,
	})
	return err
}

// openVoice makes the voice that asks callers; nil: there is none. It receives audio where SIP does.
func openVoice(cfg *config.Config, log *slog.Logger) (*voice.Voice, error) {
	low, high, on, err := cfg.Voice.Range()
	if !on || err != nil {
		return nil, err
	}
	o := voice.Options{Advertise: advertised(cfg.SIP.Advertise), Low: low, High: high, Log: log}
	if len(cfg.SIP.UDP) == 1 {
		o.Listen = cfg.SIP.UDP[0].Addr()
	}
	if cfg.Voice.Prompts != "" {
		o.Prompts = os.DirFS(cfg.Voice.Prompts)
	}
	return voice.New(o)
}

// advertised are validated addresses, or none.
func advertised(text string) (all []netip.Addr) {
	for one := range strings.SplitSeq(text, ",") {
		if a, err := netip.ParseAddr(strings.TrimSpace(one)); err == nil {
			all = append(all, a.Unmap())
		}
	}
	return all
}

// startEdges serves: the admin interface first, so that a start that hangs can be looked into; phones last.
func (a *App) startEdges(ctx context.Context) error {
	if err := a.serveMonitor(); err != nil {
		return fmt.Errorf("metrics.listen: %w", err)
	}
	if err := a.rest.Start(); err != nil {
		return fmt.Errorf("the admin interface: %w", err)
	}
	a.onStop("the admin interface", a.rest.Stop)
	probing, cancel := context.WithCancel(context.Background())
	go a.health.Run(probing) // not waited for: a frozen disk would keep it
	a.onStop("the store's probe", func(context.Context) error { cancel(); return nil })
	if a.cfg.Demo {
		if err := a.startDemo(ctx); err != nil {
			return err
		}
	}
	if err := a.startNotices(); err != nil {
		return err
	}
	if err := a.sip.Start(a.gate.Recovered()); err != nil {
		return fmt.Errorf("SIP: %w", err)
	}
	a.onStop("SIP", a.sip.Stop)
	a.gate.Run() // the edge has the calls of the previous process: they can be cut
	a.door.Serve(a.sip.Elsewhere)
	a.door.HoldToLocks() // locks may have changed while this program was away
	a.gate.HeedLocks()
	a.liveDemo()
	return nil
}

// readTokens reads who may use the admin interface over TCP.
func readTokens(path string) ([]rest.Token, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("admin.tokens-file: %w", err)
	}
	defer f.Close()
	tokens, err := rest.ParseTokens(f)
	if err != nil {
		return nil, fmt.Errorf("admin.tokens-file: %w", err)
	}
	return tokens, nil
}
