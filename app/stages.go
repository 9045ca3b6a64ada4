package app

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"ringfence/app/config"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/edge/sip/message"
	"ringfence/flow/book"
	"ringfence/flow/gate"
	"ringfence/flow/health"
	"ringfence/flow/ledger"
	"ringfence/flow/location"
	"ringfence/state/store/memory"
	"ringfence/state/store/postgres"
	"ringfence/state/store/sqlite"
)

// openStore opens the engine that the configuration names.
func (a *App) openStore(ctx context.Context) error {
	var err error
	switch a.cfg.Store.Engine {
	case "postgres":
		err = a.openPostgres(ctx)
	default:
		a.store, err = sqlite.Open(ctx, a.cfg.DatabasePath(), sqlite.Options{Sync: a.cfg.Store.Sync})
	}
	if err != nil {
		return fmt.Errorf("the %s store: %w", a.cfg.Store.Engine, err)
	}
	a.onStop("the store", func(context.Context) error { return a.store.Close() })
	a.money = a.store
	if a.cfg.Store.Money == "memory" {
		a.log.Warn("money is kept in memory only: caps and calls are forgotten when the program ends")
		a.money = memory.New()
	}
	return nil
}

// openPostgres makes this process the node before it looks at anything: two of one name would each take the other's calls.
// SQLite has its lock file for that.
func (a *App) openPostgres(ctx context.Context) error {
	e, err := postgres.Open(ctx, string(a.cfg.Store.DSN))
	if err != nil {
		return err
	}
	if err := e.Hold(ctx, a.cfg.Node); err != nil {
		return errors.Join(err, e.Close())
	}
	a.store, a.held = e, e.Held
	return nil
}

// openBook reads the key and the book.
func (a *App) openBook(ctx context.Context) error {
	var err error
	if a.keys, err = openKeys(&a.cfg, a.log); err != nil {
		return err
	}
	o, err := bookOptions(&a.cfg)
	if err != nil {
		return err
	}
	if o.Box, err = a.keys.box(); err != nil {
		return err
	}
	if a.book, err = book.Open(ctx, a.store, o); err != nil {
		return err
	}
	a.bookFollower()
	a.health, err = health.Open(ctx, health.Options{
		Store: a.store, Engine: a.cfg.Store.Engine, Money: a.money, Box: a.keys.box, Secrets: a.book.CheckSecrets, Ledger: func() error { return a.ledger.Healthy() },
		Held: a.held, Taken: postgres.ErrNodeTaken, Fail: a.fail, Log: a.log,
	})
	return err
}

func bookOptions(cfg *config.Config) (book.Options, error) {
	settings, err := cfg.Provider.Account()
	if err != nil {
		return book.Options{}, err
	}
	plan, err := numberingPlan(cfg)
	return book.Options{
		Plan: plan, Provider: settings, Zone: cfg.Provider.Zone, Tariff: cfg.Provider.Tariff, Realm: cfg.SIP.Realm,
		PeakFrom: cfg.Provider.PeakFrom.Duration, PeakTill: cfg.Provider.PeakUntil.Duration,
		Strict: cfg.Provider.UnverifiedNumbers == "refuse",
	}, err
}

func numberingPlan(cfg *config.Config) (*phone.Plan, error) {
	if cfg.Provider.Plan != "custom" {
		return phone.UK(), nil
	}
	plan, err := phone.NewPlan(cfg.Provider.CustomPlan.Phone())
	if err != nil {
		return nil, fmt.Errorf("provider.custom-plan: %w", err)
	}
	return plan, nil
}

// openStages builds the stages of a call; nothing runs yet.
func (a *App) openStages(ctx context.Context) error {
	cfg := &a.cfg
	a.clock = newClock()
	a.clock.read(ctx, a.money.Clock)
	a.ledger = ledger.New(a.money, ledger.Options{Node: cfg.Node, Lease: cfg.Money.Lease.Duration, Log: a.log, Direct: cfg.Store.Money == "memory", Wrote: a.wrote})
	a.location = location.New(location.Options{
		Store: a.store, MaxContacts: cfg.Limits.Contacts, Account: a.accountOf, Log: a.log,
		Same: message.SameURI, Connected: func(at netip.AddrPort, over string, flow uint32) bool {
			return a.sip != nil && a.sip.Connected(at, over, flow)
		},
	})
	if err := a.location.Load(ctx); err != nil {
		return fmt.Errorf("stored registrations: %w", err)
	}
	if err := a.openShield(ctx); err != nil {
		return err
	}
	if err := a.numbering.load(cfg.Provider.Numbering); err != nil {
		return fmt.Errorf("provider.numbering: %w", err)
	}
	var err error
	a.useRoutes(cfg)
	a.gate, err = gate.New(gate.Options{
		Node: cfg.Node, Plan: a.book.Plan(), Book: a.book, Ledger: a.ledger, Log: a.log, Registered: a.registered, Paid: a.health.Paid, Block: a.numbering.block,
		Slice: cfg.Money.Slice.Duration, Ahead: cfg.Money.ExtendAhead.Duration, Lease: cfg.Money.Lease.Duration,
		Anchor: a.clock.anchor, Lap: a.lap(), Routing: func() policy.Routing { return *a.routes.Load() }, Full: a.trunkFull, WaiveLate: cfg.Provider.LateAnswers == "free",
		Voice: a.speaks.Load,
	})
	if err != nil {
		return err
	}
	a.book.OnChange(a.gate.Follow)
	if err := a.openExposure(); err != nil {
		return err
	}
	if err := a.openPeople(); err != nil {
		return err
	}
	return a.openDoor()
}

func (a *App) accountOf(line string) string {
	if l, ok := a.book.Line(line); ok {
		return l.Customer()
	}
	return ""
}

func (a *App) registered(line string, now time.Time) bool {
	return len(a.location.Lookup(line, now)) > 0
}

// startStages runs the ledger, takes back open calls, and keeps leases and registrations.
func (a *App) startStages(ctx context.Context) error {
	a.ledger.Start()
	a.onStop("the ledger", a.ledger.Stop)
	if err := a.gate.Start(ctx, a.money); err != nil {
		return err
	}
	a.onStop("the meter", func(context.Context) error { a.gate.Stop(); return nil })
	a.background("registrations and leases", a.location.Flush, a.location.Run, a.followClock, func(ctx context.Context) {
		a.ledger.Leases(ctx, a.gate.Claimed, a.gate.Returned)
	})
	a.background("the deletion of what is old", nil, a.retention.Run, a.privacy.Run)
	a.startShield()
	return nil
}
