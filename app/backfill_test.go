package app_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringfence/app"
	"ringfence/app/config"
	"ringfence/core/money"
	"ringfence/edge/rest/api"
	"ringfence/state/store/postgres/pgtest"
)

// TestCarrierRecordsFillTheGap guards the way out of a restore that keeps the caps: what the carrier says of the time that is forgotten is booked,
// once, and then paid calls are taken.
func TestCarrierRecordsFillTheGap(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			ctx, cfg := context.Background(), demoConfig(t)
			if engine == "postgres" {
				cfg = emptyConfig(t)
				cfg.Store.Engine, cfg.Store.DSN = engine, config.Secret(pgtest.Own(t, "fsync=off").Database(t))
			}
			p := start(t, cfg)
			file := filepath.Join(t.TempDir(), "copy")
			_, err := app.Backup(ctx, cfg, file, false)
			must(t, err)
			p.stop()
			restored, err := app.Restore(ctx, cfg, file, "test", true)
			must(t, err)
			p = start(t, cfg)
			defer p.stop()
			records := app.CarrierRecords{File: carrierFile(t, restored.From.Add(time.Second)), By: "test"}

			out, err := app.BookRecords(ctx, cfg, records)
			must(t, err)
			if out.Done || !out.Open || out.Booked != 2 || out.Left != 3 || out.Outside != 1 || out.Unanswered != 1 || out.Same != 1 {
				t.Errorf("looked at: %+v", out)
			}
			for i, want := range []string{`line 7, column 5 "duration": found "long"`, "line 8: no line has the number +447700900999", `line 9: "12345" is no number`} {
				if i >= len(out.Why) || !strings.Contains(out.Why[i], want) {
					t.Errorf("%q is not named so: %q", want, out.Why)
				}
			}
			p.spends(0)
			p.refused("2001", "02079460000", "records-lost")

			records.Yes, records.More = true, true
			out, err = app.BookRecords(ctx, cfg, records)
			must(t, err)
			p.spends(2)
			p.refused("2001", "02079460000", "records-lost")
			if !out.Done || !out.Open {
				t.Errorf("booked: %+v", out)
			}
			records.More = false
			out, err = app.BookRecords(ctx, cfg, records)
			must(t, err)
			if out.Booked != 0 || out.Known != 2 || out.Open {
				t.Errorf("booked again: %+v", out)
			}
			p.storeSays(true)
			p.spends(2)
			hangup(t, call(t, p.phone("2001"), "02079460000"))
			if _, err := app.BookRecords(ctx, cfg, records); err == nil || !strings.Contains(err.Error(), "nothing to book") {
				t.Errorf("booked without a gap: %v", err)
			}
			var facts api.List[api.Fact]
			p.get("/v1/journal?kind=store.gap-booked", &facts)
			if len(facts.Items) != 2 || !strings.Contains(string(facts.Items[1].Body), `"file":"carrier.csv"`) {
				t.Errorf("%d facts: %+v", len(facts.Items), facts.Items)
			}
		})
	}
}

// carrierFile is what a carrier writes of a few calls in a few seconds.
func carrierFile(t *testing.T, at time.Time) string {
	t.Helper()
	stamp := at.UTC().Format(time.RFC3339)
	text := "start,id,from,to,duration,cost\n" +
		stamp + ",x1,442079460101,442079460000,60,0.012\n" +
		stamp + ",x2,+442079460101,02079460001,0:01:00,0.012\n" +
		stamp + ",x1,442079460101,442079460000,60,0.012\n" + // twice
		stamp + ",x3,442079460101,442079460000,0,0\n" + // not answered
		at.Add(-time.Hour).UTC().Format(time.RFC3339) + ",x4,442079460101,442079460000,60,0.012\n" + // before the gap
		stamp + ",x5,442079460101,442079460000,long,0.012\n" +
		stamp + ",x6,447700900999,442079460000,60,0.012\n" +
		stamp + ",x7,442079460101,12345,60,0.012\n"
	file := filepath.Join(t.TempDir(), "carrier.csv")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// spends checks how many calls of a minute line 2001 has on record, and that all its purses hold what they cost.
func (p *program) spends(calls int) {
	p.t.Helper()
	list := p.cdrs("2001", calls)
	if len(list) != calls {
		p.t.Errorf("%d records, want %d", len(list), calls)
	}
	sum := money.Micro(0)
	for _, c := range list {
		sum += c.Retail
		if c.Reason != "carrier-record" || c.Talk != time.Minute || c.Retail <= 0 || c.Cost != 12_000 {
			p.t.Errorf("record %+v", c)
		}
	}
	var d api.LineDetail
	p.get("/v1/lines/2001", &d)
	for _, x := range d.Purses {
		if money.Micro(x.Spent) != sum || x.Held != 0 {
			p.t.Errorf("purse %s %s has spent %d, held %d; want %v", x.Owner, x.Period, x.Spent, x.Held, sum)
		}
	}
}
