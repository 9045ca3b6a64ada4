package app

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"ringfence/core/netlist"
	"ringfence/core/restrict"
	"ringfence/edge/feed"
	"ringfence/edge/kernel"
	"ringfence/edge/sip/transport"
	"ringfence/flow/answer"
	"ringfence/flow/auth"
	"ringfence/flow/ban"
	"ringfence/flow/book"
	"ringfence/flow/desk"
	"ringfence/flow/device"
	"ringfence/flow/door"
	"ringfence/flow/flood"
	"ringfence/flow/guard"
	"ringfence/flow/keep"
	"ringfence/state/counters"
	"ringfence/state/counters/memory"
	"ringfence/state/counters/valkey"
	"ringfence/state/geo"
)

// shield is everything that tells thieves from owners and keeps them out.
type shield struct {
	counters counters.Counters
	geo      *geo.DB
	devices  *device.Devices
	bans     *ban.List
	dropped  *transport.Bans // the sockets' own table
	kernel   *kernel.Set     // nil where it may not be used
	flood    *flood.Meter
	tags     *flood.Meter // requests inside dialogs that there are not
	feeds    *feed.Feeds
}

// openShield builds what the guard asks and tells; bans come in force once the sockets are there (openBans).
func (a *App) openShield(ctx context.Context) error {
	cfg := &a.cfg
	var err error
	if a.shield.counters, err = a.openCounters(ctx); err != nil {
		return err
	}
	a.onStop("counters", func(context.Context) error { return a.shield.counters.Close() })
	if a.shield.geo, err = geo.Open(cfg.Geo.Files); err != nil {
		return fmt.Errorf("geo.files: %w", err)
	}
	a.shield.dropped = transport.NewBans(2 * cfg.Shield.MaxBans)
	a.shield.flood = flood.New(flood.Options{Record: a.ledger.Record})
	a.shield.tags = flood.New(flood.Options{Tags: true, Rate: 0.2, Span: time.Minute, Sample: 1, Record: a.ledger.Record})
	a.shield.devices = device.New(device.Options{
		Store: a.store, Place: a.shield.geo.Lookup, Files: func() int { return len(a.shield.geo.Files()) }, Account: a.accountOf, Elsewhere: a.location.Elsewhere,
		Record: a.ledger.Record, Log: a.log,
	})
	if err := a.shield.devices.Load(ctx); err != nil {
		return fmt.Errorf("stored devices: %w", err)
	}
	return nil
}

// openCounters opens the engine that nodes share, or one of our own, which ends with the program: what must outlast it is
// in the store (bans) and in the guard's file (lock-outs).
func (a *App) openCounters(ctx context.Context) (counters.Counters, error) {
	url := string(a.cfg.Counters.URL)
	if url == "" {
		return memory.NewEngine(memory.Options{}), nil
	}
	c, err := valkey.Open(ctx, url, valkey.Options{Prefix: a.cfg.Counters.Prefix, Log: a.log})
	if err != nil {
		return nil, fmt.Errorf("counters.url: %w", err)
	}
	return c, nil
}

// openBans puts bans in force: in the kernel where it may be, and before parsing in any case.
func (a *App) openBans(ctx context.Context) error {
	enforce := []ban.Enforcer{{Add: a.shield.dropped.Add, Remove: func(n netip.Prefix) { a.shield.dropped.Remove(n) }}}
	if err := a.openKernel(); err != nil {
		return err
	}
	if k := a.shield.kernel; k != nil {
		enforce = append(enforce, ban.Enforcer{Kernel: true, Add: k.Add, Remove: k.Remove})
	}
	never, err := a.cfg.Shield.NeverNets()
	if err != nil {
		return fmt.Errorf("shield.never: %w", err)
	}
	a.shield.bans, err = ban.Open(ctx, ban.Options{
		Store: a.store, Counters: a.shield.counters, Enforce: enforce, NoKernel: a.cfg.Shield.Kernel == "off", Exempt: a.door.Exempt, Inside: a.door.ExemptInside,
		Never: never, Max: a.cfg.Shield.MaxBans, Record: a.ledger.Record, Log: a.log,
	})
	if err != nil {
		return fmt.Errorf("stored bans: %w", err)
	}
	return a.openFeeds(ctx)
}

func (a *App) openFeeds(ctx context.Context) error {
	var sources []feed.Source
	var names []string
	for _, text := range a.cfg.Shield.Feeds {
		name, from, _ := strings.Cut(text, "=")
		sources = append(sources, feed.Source{Name: name, From: from, Every: a.cfg.Shield.FeedInterval.Duration})
		names = append(names, name)
	}
	a.shield.bans.KeepFeeds(ctx, names)
	names = nil
	for _, text := range a.cfg.Shield.NumberFeeds {
		name, from, _ := strings.Cut(text, "=")
		way := restrict.Way(a.cfg.Shield.NumberFeedDirection)
		sources = append(sources, feed.Source{Name: name, From: from, Every: a.cfg.Shield.FeedInterval.Duration, Numbers: true, Way: way})
		names = append(names, name)
	}
	err := a.book.KeepHotFeeds(ctx, names)
	if err != nil {
		return fmt.Errorf("stored hot lists: %w", err)
	}
	if a.shield.feeds, err = feed.New(feed.Options{Sources: sources, Import: a.importFeed, Log: a.log}); err != nil {
		return fmt.Errorf("shield.feeds: %w", err)
	}
	return nil
}

func (a *App) importFeed(ctx context.Context, from *feed.Source, entries []netlist.Entry) (string, error) {
	name := from.Name
	if from.Numbers {
		numbers := make([]restrict.Listed, len(entries))
		for i, e := range entries {
			numbers[i] = restrict.Listed{Range: e.Range, Way: e.Way, Until: e.Until, Why: e.Why}
		}
		in, err := a.book.ImportHot(ctx, book.HotFeed+name, book.HotFeed+name, numbers)
		return in.String(), err
	}
	in, err := a.shield.bans.ImportFor(ctx, name, entries, a.config().Shield.FeedLife.Duration)
	return in.String(), err
}

// openKernel finds out whether the kernel may drop for us, and says so.
func (a *App) openKernel() error {
	if a.cfg.Shield.Kernel == "off" {
		return nil
	}
	table := fmt.Sprintf("ringfence-%s-%d", a.cfg.Node, a.sip.Addr(transport.UDP).Port()) // two on one machine need two
	set, err := kernel.Open(kernel.Options{Ports: a.sip.Ports(), Table: table, Log: a.log})
	switch {
	case err == nil:
		a.shield.kernel = set
		a.onStop("the kernel's ban list", func(context.Context) error { return set.Close() })
		a.log.Info("banned sources are dropped in the kernel", "table", table)
	case a.cfg.Shield.Kernel == "required":
		return fmt.Errorf("shield.kernel is required: %w", err)
	default:
		a.log.Info("banned sources are dropped by this program, not by the kernel", "why", err.Error())
	}
	return nil
}

// openDoor makes what decides who may come from where.
func (a *App) openDoor() error {
	cfg := &a.cfg
	l := &cfg.Login
	var err error
	a.door, err = door.New(door.Options{
		Book: a.book, Phones: a.location, Devices: a.shield.devices, Gate: a.gate,
		Strangers: a.shield.flood, WrongTags: a.shield.tags,
		PanicCode: func() string { p := a.config().Provider; return p.LockCode() },
		ForwardCodes: func() string {
			if codes := a.config().Provider.ForwardCodes; codes != "off" {
				return codes
			}
			return ""
		},
		Guard: guard.Options{
			Options: auth.Options{Realm: cfg.SIP.Realm, NonceTTL: cfg.SIP.NonceLifetime.Duration, Algorithms: cfg.SIP.Algorithms},
			Lockout: guard.Lockout{
				Off: l.Lockout == "off", Failures: l.Failures, Window: l.Window.Duration, First: l.First.Duration, Longest: l.Longest.Duration,
				Address: l.Address, Network: l.Network, AS: l.AS, Strangers: l.Strangers, Weeks: l.Weeks, Usual: l.Usual, Spray: l.Spray,
			},
			Around: guard.Around{
				ASN:      func(x netip.Addr) uint32 { return a.shield.geo.Lookup(x).ASN },
				Ban:      a.ban,
				Counters: a.shield.counters, Nodes: cfg.Store.Engine == "postgres", Lasting: cfg.Counters.URL != "", Record: a.ledger.Record, Account: a.accountOf,
				Where: a.where,
			},
			File: filepath.Join(cfg.Data, "ringfence.lockouts"), Log: a.log,
		},
	})
	a.answers = &answer.Answers{
		Book: a.book, Devices: a.shield.devices, Door: a.door, Vouch: a.vouch, Ban: a.ban, Report: a.report, StopForwards: a.stopForwards, Log: a.log,
	}
	return err
}

// report opens a case for what a customer answered. The cases are made after the shield.
func (a *App) report(ctx context.Context, actor, customer, line, text string) (int64, error) {
	_, id, err := a.cases.Report(ctx, desk.Who{Actor: actor, Customer: customer}, customer, line, text)
	return id, err
}

// stopForwards calls off the forwards that wait. What waits is made after the shield.
func (a *App) stopForwards(ctx context.Context, actor, line, why string) (int, error) {
	return a.cooling.StopForwards(ctx, actor, line, why)
}

// ban is made once everything that it asks is there.
func (a *App) ban(net netip.Prefix, d time.Duration, reason string) {
	a.shield.bans.Auto(net, d, reason)
}

func (a *App) where(addr netip.Addr) (country, network string, asn uint32) {
	p := a.shield.geo.Lookup(addr)
	return p.Country, p.Network, p.ASN
}

// startShield runs what follows time: devices written, bans made and ended, feeds read, floods told.
func (a *App) startShield() {
	a.background("devices and bans", func(ctx context.Context) error {
		if err := a.shield.devices.Flush(ctx); err != nil {
			return err
		}
		return a.shield.bans.Flush(ctx)
	}, a.shield.devices.Run, a.shield.bans.Run, a.shield.flood.Run, a.shield.tags.Run, a.shield.feeds.Run, a.door.Guard.Run, a.followOthers, a.book.JudgePasswords, a.endRestrictions)
}

// endEvery is how soon an owner hears that a restriction has ended by itself.
const endEvery = time.Minute

// endRestrictions takes away restrictions whose time is over.
func (a *App) endRestrictions(ctx context.Context) {
	keep.Every(ctx, endEvery, func(now time.Time) {
		if err := a.book.EndRestrictions(ctx, now); err != nil && ctx.Err() == nil {
			a.log.Warn("restrictions that have ended cannot be taken away yet; they are not in force", "error", err)
		}
	})
}
