// Package app wires the program: it opens the store, builds every stage and edge, starts them in order and stops them in
// the reverse. Tests start the program through it as production does. It must not hold rules.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/sdk/trace"

	"ringfence/app/config"
	"ringfence/core/money"
	"ringfence/core/policy"
	"ringfence/edge/rest"
	"ringfence/edge/sip"
	"ringfence/edge/sip/transport"
	"ringfence/edge/web"
	"ringfence/flow/answer"
	"ringfence/flow/billing"
	"ringfence/flow/book"
	"ringfence/flow/casefile"
	"ringfence/flow/cooling"
	"ringfence/flow/desk"
	"ringfence/flow/door"
	"ringfence/flow/evidence"
	"ringfence/flow/exposure"
	"ringfence/flow/fit"
	"ringfence/flow/gate"
	"ringfence/flow/health"
	"ringfence/flow/journal"
	"ringfence/flow/ledger"
	"ringfence/flow/location"
	"ringfence/flow/notify"
	"ringfence/flow/people"
	"ringfence/flow/privacy"
	"ringfence/flow/proof"
	"ringfence/flow/react"
	"ringfence/flow/retention"
	"ringfence/flow/settle"
	"ringfence/flow/span"
	"ringfence/flow/status"
	"ringfence/flow/watch"
	"ringfence/state/lockfile"
	"ringfence/state/store"
)

// App is the whole program, made by New and run between Start and Stop.
type App struct {
	log   *slog.Logger
	level *slog.LevelVar
	began time.Time

	mu  sync.Mutex // owns cfg
	cfg config.Config

	store     store.Store
	held      func(context.Context) error // says whether this process is still the node; nil: nothing can take that from it
	money     store.Money                 // store, or the memory engine in front of it
	keys      *keyring
	people    *people.People
	billing   *billing.Billing
	cooling   *cooling.Cooling
	proof     *proof.Proof
	book      *book.Book
	following *journal.Follower // of the book, for what other nodes change
	ledger    *ledger.Ledger
	location  *location.Location
	door      *door.Door
	answers   *answer.Answers
	gate      *gate.Gate
	sip       *sip.Edge
	speaks    atomic.Bool // there is a voice that asks callers
	security  *transport.Security
	routes    atomic.Pointer[policy.Routing] // how trunks are chosen
	shield    shield
	numbering numbering
	spans     trace.SpanExporter // in place of tracing.url; may be nil
	tracer    *span.Tracer       // nil: nothing is traced
	cases     *desk.Cases
	desk      *desk.Desk
	settling  *settle.Desk
	watch     *watch.Watch
	react     *react.React // nil: off
	evidence  *evidence.Evidence
	exposure  *exposure.Desk
	casefile  *casefile.Casefile
	retention *retention.Retention
	privacy   *privacy.Privacy
	fit       *fit.Desk
	figures   *exposure.Follower
	notices   *notify.Notifier
	public    *status.Status
	web       *web.Server // nil: there are no answer pages
	rest      *rest.Server
	monitor   *monitor
	clock     *clock
	health    *health.Health

	cleanups []cleanup // run last to first
	failed   chan error
}

type cleanup struct {
	name string
	run  func(context.Context) error
}

// Options are what only the caller knows.
type Options struct {
	Log   *slog.Logger       // nil discards
	Level *slog.LevelVar     // follows log.level on reload; may be nil
	Spans trace.SpanExporter // takes the traces of calls in place of tracing.url; may be nil
}

// New opens the store and binds every socket. Nothing is served before Start; on an error nothing is left open.
func New(ctx context.Context, cfg config.Config, o Options) (*App, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	currency, err := money.CurrencyOf(cfg.Provider.Currency)
	if err != nil {
		return nil, err
	}
	money.SetBilling(currency)
	a := &App{log: o.Log, level: o.Level, began: time.Now(), cfg: cfg, failed: make(chan error, 4), monitor: &monitor{}, spans: o.Spans}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	for _, build := range []func(context.Context) error{a.openFolder, a.openStore, a.openBook, a.openEvidence, a.openRetention, a.openTracing, a.openStages, a.openEdges, a.openBans, a.openNotices, a.openCasefile} {
		if err := build(ctx); err != nil {
			a.unwind(ctx)
			return nil, err
		}
	}
	return a, nil
}

func (a *App) onStop(name string, run func(context.Context) error) {
	a.cleanups = append(a.cleanups, cleanup{name, run})
}

// background runs tasks until the program stops, which waits for them to return and then runs last, if it is not nil.
func (a *App) background(name string, last func(context.Context) error, tasks ...func(context.Context)) {
	run, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, task := range tasks {
		running.Go(func() { task(run) })
	}
	a.onStop(name, func(ctx context.Context) error {
		cancel()
		running.Wait()
		if last == nil {
			return nil
		}
		return last(ctx)
	})
}

// unwind runs the cleanups, last first, and joins what failed.
func (a *App) unwind(ctx context.Context) error {
	var errs []error
	for i := len(a.cleanups) - 1; i >= 0; i-- {
		c := a.cleanups[i]
		if err := c.run(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stopping %s: %w", c.name, err))
		}
	}
	a.cleanups = nil
	return errors.Join(errs...)
}

// openFolder makes the data folder, readable by its owner only, and keeps other servers out of it: the database may be
// elsewhere, but the key file and the lock-outs are here.
func (a *App) openFolder(context.Context) error {
	if err := os.MkdirAll(a.cfg.Data, 0o700); err != nil {
		return fmt.Errorf("the data folder: %w", err)
	}
	info, err := os.Stat(a.cfg.Data)
	if err != nil {
		return fmt.Errorf("the data folder: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		a.log.Warn("others may look into the data folder", "folder", a.cfg.Data, "mode", info.Mode().Perm().String(), "do", "chmod 700 "+filepath.Clean(a.cfg.Data))
	}
	lock, err := lockfile.Take(a.cfg.LockPath())
	if errors.Is(err, lockfile.ErrHeld) {
		return fmt.Errorf(`another server is using the data folder %s (%w): give this one another "data" folder, or stop that one`, a.cfg.Data, err)
	}
	if err != nil {
		return fmt.Errorf("the data folder: %w", err)
	}
	a.onStop("the data folder", func(context.Context) error { return lock.Close() })
	return nil
}

// Start serves. It returns when everything runs, or with the first error and nothing running.
func (a *App) Start(ctx context.Context) error {
	for _, start := range []func(context.Context) error{a.startStages, a.statePromises, a.startEdges} {
		if err := start(ctx); err != nil {
			return errors.Join(err, a.unwind(ctx))
		}
	}
	a.monitor.ready.Store(true)
	return nil
}

// Failed gives an error that the program cannot go on with.
func (a *App) Failed() <-chan error { return a.failed }

// Stop ends the program gracefully: new calls are refused, calls in setup are given up, calls that are up are left up for
// the next start. It returns when everything is written, or when ctx ends.
func (a *App) Stop(ctx context.Context) error {
	a.monitor.ready.Store(false)
	a.gate.Drain()
	return a.unwind(ctx)
}

// SIPAddr is where phones reach this program over UDP.
func (a *App) SIPAddr() netip.AddrPort { return a.sip.Addr(transport.UDP) }

// WebAddr is where the pages are, the zero address without any.
func (a *App) WebAddr() netip.AddrPort {
	if a.web == nil || a.web.Addr() == nil {
		return netip.AddrPort{}
	}
	at, _ := netip.ParseAddrPort(a.web.Addr().String()) // of a listener of ours
	return at
}

func (a *App) config() config.Config {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cfg
}
