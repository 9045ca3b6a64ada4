package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"ringfence/app/config"
)

// stopWithin bounds a graceful stop; calls that are up are not waited for, they are left up.
const stopWithin = 20 * time.Second

// Serve runs the program until ctx ends or SIGINT or SIGTERM comes; SIGHUP reloads. Messages for people go to out, the
// log to logTo. program is what the reader would type to run this binary.
func Serve(ctx context.Context, cfg config.Config, out, logTo io.Writer, program string) error {
	level := &slog.LevelVar{}
	level.Set(logLevel(cfg.Log.Level))
	log := newLog(cfg.Log.Format, level, logTo)
	ctx, cancel := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer cancel()
	a, err := New(ctx, cfg, Options{Log: log, Level: level})
	if err != nil {
		return err
	}
	roomForReaders(cfg.SIP.ReadSockets * len(cfg.SIP.UDP))
	roomForGarbage()
	if err := a.Start(ctx); err != nil {
		return err
	}
	log.Info("ringfence serves", "version", Version, "node", cfg.Node, "udp", a.SIPAddr().String(), "admin", cfg.Admin.Socket, "data", cfg.Data)
	if cfg.Demo {
		a.PrintDemo(ctx, out, program)
	}
	tellSystemd(log, daemon.SdNotifyReady)
	err = a.wait(ctx)
	cancel() // a second signal ends the program immediately
	tellSystemd(log, daemon.SdNotifyStopping)
	log.Info("stopping: calls in progress continue for the next start", "calls", a.gate.OpenCalls())
	stopping, done := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer done()
	if stopErr := a.Stop(stopping); err == nil {
		err = stopErr
	}
	log.Info("stopped")
	return err
}

// roomForReaders lets Go run one more thread for each reader of a UDP socket. A reader counts as running while it waits in its
// system call. With as many readers as threads, the runtime keeps taking them off their threads, which costs a tenth of all CPU at
// 8,000 packets/s. An operator who sets GOMAXPROCS has decided otherwise.
func roomForReaders(readers int) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + readers)
	}
}

// wait returns when the program is to end: nil when it was asked to.
func (a *App) wait(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-a.failed:
			a.log.Error("the program cannot go on", "err", err)
			return err
		case <-hup:
			a.reloadFile(ctx)
		}
	}
}

// reloadFile reads the configuration file again and applies what may change without a restart.
func (a *App) reloadFile(ctx context.Context) {
	tellSystemd(a.log, daemon.SdNotifyReloading)
	defer tellSystemd(a.log, daemon.SdNotifyReady)
	old := a.config()
	if old.File == "" {
		a.Reload(ctx, old)
		return
	}
	next, err := config.Load(old.File)
	if err != nil {
		a.log.Error("the configuration was not reloaded; the old one stays in force", "err", err)
		return
	}
	a.Reload(ctx, next)
}

// Reload applies the changes of a configuration that need no restart, and reads decks and certificates again. What needs
// a restart is named in the log.
func (a *App) Reload(ctx context.Context, want config.Config) {
	old := a.config()
	next, applied, restart := config.Reload(old, want)
	for _, c := range restart {
		a.log.Warn("needs a restart to take effect", "field", c.Key, "now", c.Old, "wanted", c.New)
	}
	if a.level != nil {
		a.level.Set(logLevel(next.Log.Level))
	}
	if err := a.applyProvider(&next); err != nil {
		a.log.Error("provider settings were not reloaded; the old ones stay in force", "err", err)
		return
	}
	if err := a.shield.geo.Reload(next.Geo.Files); err != nil {
		a.log.Error("geo.files were not read again; what was known before stays", "err", err)
		next.Geo.Files = old.Geo.Files
		applied = slices.DeleteFunc(applied, func(c config.Change) bool { return c.Key == "geo.files" })
	}
	if err := a.numbering.load(next.Provider.Numbering); err != nil {
		a.log.Error("provider.numbering was not read again; the previous table stays in force", "err", err)
		next.Provider.Numbering = old.Provider.Numbering
		applied = slices.DeleteFunc(applied, func(c config.Change) bool { return c.Key == "provider.numbering" })
	}
	applied = a.applySecurity(&next, &old, a.applyWatch(&next, &old, applied))
	a.mu.Lock()
	a.cfg = next
	a.mu.Unlock()
	a.useRoutes(&next)
	if err := a.book.ReloadDecks(ctx); err != nil {
		a.log.Error("decks were not read again; the old ones stay in force", "err", err)
	}
	if err := a.rest.UseCertificate(next.Admin.TLSCert, next.Admin.TLSKey); err != nil {
		a.log.Error("the certificate was not read again; the old one stays in force", "err", err)
	}
	if a.web != nil {
		if err := a.web.UseCertificate(next.Web.TLSCert, next.Web.TLSKey); err != nil {
			a.log.Error("the certificate of the pages was not read again; the old one stays in force", "err", err)
		}
	}
	for _, c := range applied {
		a.log.Info("changed", "field", c.Key, "from", c.Old, "to", c.New)
	}
	a.log.Info("reloaded")
}

func (a *App) applyProvider(cfg *config.Config) error {
	o, err := bookOptions(cfg)
	if err != nil {
		return err
	}
	return a.book.SetProvider(o)
}

func logLevel(name string) slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(name)); err != nil {
		return slog.LevelInfo // validated before; never silent
	}
	return l
}

func newLog(format string, level slog.Leveler, out io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(out, o))
	}
	return slog.New(slog.NewTextHandler(out, o))
}

// tellSystemd tells systemd, if it listens.
func tellSystemd(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("systemd was not told", "err", fmt.Errorf("%s: %w", state, err))
	}
}
