package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"ringfence/app/config"
	"ringfence/core/engine"
	"ringfence/core/money"
	"ringfence/core/secret"
	"ringfence/flow/book"
	"ringfence/flow/health"
	"ringfence/flow/verify"
	"ringfence/state/store"
	"ringfence/state/store/sqlite"
)

// LiveJournal names the store of a configuration itself, where Verify takes a backup.
const LiveJournal = "live"

// Verify gives every verdict in the journal of a backup again, under the configuration of its server. The backup is not touched, and no key is needed.
// A live journal is read beside its server, up to the fact that is the last when it begins.
func Verify(ctx context.Context, cfg *config.Config, backup string) (report *verify.Report, err error) {
	if backup == LiveJournal {
		err := beside(ctx, cfg, func(s health.Copier) (err error) {
			report, err = verifyStore(ctx, cfg, s)
			return err
		})
		return report, err
	}
	folder, err := os.MkdirTemp("", "ringfence-journal-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	path := filepath.Join(folder, "journal.db")
	if err := copyFile(path, backup); err != nil {
		return nil, err
	}
	db, err := sqlite.Open(ctx, path, sqlite.Options{Sync: sqlite.Normal})
	if err != nil {
		return nil, fmt.Errorf("%s: %w (of a server on PostgreSQL, its journal itself is read: --journal %s)", backup, err, LiveJournal)
	}
	report, err = verifyStore(ctx, cfg, db)
	return report, errors.Join(err, db.Close())
}

func verifyStore(ctx context.Context, cfg *config.Config, db store.Store) (*verify.Report, error) {
	currency, err := money.CurrencyOf(cfg.Provider.Currency)
	if err != nil {
		return nil, err
	}
	money.SetBilling(currency)
	o, err := bookOptions(cfg)
	if err != nil {
		return nil, err
	}
	key, err := secret.NewKey() // nothing sealed is opened
	if err != nil {
		return nil, err
	}
	if o.Box, err = secret.NewBox([]secret.Key{key}); err != nil {
		return nil, err
	}
	b, err := book.Open(ctx, db, o)
	if err != nil {
		return nil, err
	}
	var blocks numbering
	if err := blocks.load(cfg.Provider.Numbering); err != nil {
		return nil, fmt.Errorf("provider.numbering: %w", err)
	}
	return verify.Journal(ctx, db, b, verify.Options{Block: blocks.block, Terms: engine.Terms{
		Slice: cfg.Money.Slice.Duration, Ahead: cfg.Money.ExtendAhead.Duration, WaiveLate: cfg.Provider.LateAnswers == "free",
	}})
}

func copyFile(to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
