package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"ringfence/app/config"
	"ringfence/core/carrier"
	"ringfence/core/money"
	"ringfence/core/rating"
	"ringfence/flow/backfill"
	"ringfence/flow/book"
	"ringfence/flow/health"
	"ringfence/state/store"
)

// CarrierRecords are a carrier's records of the time that a restored store has forgotten.
type CarrierRecords struct {
	File  string
	Trunk string   // whose they are; "" is not said
	Map   []string // columns named by hand
	Dates string   // "dmy", "mdy" or "": the file shows it
	Zone  string   // of times without one; "" is the provider's
	By    string   // who books them
	Yes   bool     // book them; else only say what would be booked
	More  bool     // another file follows: the gap stays open
}

// BookRecords books a carrier's records of the gap, and then has paid calls taken again. It can be repeated: what is in the books is not booked again.
func BookRecords(ctx context.Context, cfg config.Config, o CarrierRecords) (out backfill.Report, err error) {
	file, err := readRecords(&cfg, &o)
	if err != nil {
		return out, err
	}
	err = beside(ctx, &cfg, func(s health.Copier) error {
		gap, mark, err := backfill.OpenGap(ctx, s)
		if err != nil {
			return err
		}
		plan, err := planOf(ctx, &cfg, s, gap, &o, file.Rows)
		if err != nil {
			return err
		}
		if out, err = plan.Report(file, o.File); err != nil || !o.Yes {
			return err
		}
		return out.Book(ctx, plan, mark, o.By, o.More)
	})
	return out, err
}

// readRecords reads the file.
func readRecords(cfg *config.Config, o *CarrierRecords) (*carrier.File, error) {
	currency, err := money.CurrencyOf(cfg.Provider.Currency)
	if err != nil {
		return nil, err
	}
	money.SetBilling(currency)
	name := o.Zone
	if name == "" {
		name = cfg.Provider.Zone
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("the time zone %q: %w", name, err)
	}
	f, err := os.Open(o.File)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, carrier.MaxBytes+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	file, err := carrier.Read(data, carrier.Options{Zone: zone, Dates: rating.DateOrder(o.Dates), Map: o.Map})
	var unread *carrier.Unread
	switch {
	case errors.As(err, &unread) && unread.Question != nil:
		return nil, fmt.Errorf("%s: %w\nSay which: --dates dmy (the day first) or --dates mdy", o.File, err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", o.File, err)
	}
	return file, nil
}

// planOf judges the rows by the book of the store.
func planOf(ctx context.Context, cfg *config.Config, s store.Store, gap store.Gap, o *CarrierRecords, rows []carrier.Record) (*backfill.Plan, error) {
	options, err := bookOptions(cfg)
	if err != nil {
		return nil, err
	}
	if options.Box, err = presentKeys(cfg); err != nil {
		return nil, err
	}
	b, err := book.Open(ctx, s, options)
	if err != nil {
		return nil, err
	}
	to := backfill.Options{Book: b, Store: s, Gap: gap, File: filepath.Base(o.File)}
	if o.Trunk != "" {
		t, ok := b.TrunkCalled(o.Trunk)
		if !ok {
			return nil, fmt.Errorf("there is no trunk %q: ringfence trunk list", o.Trunk)
		}
		to.Trunk = t
	}
	return backfill.Judge(ctx, to, rows)
}
