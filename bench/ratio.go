package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// contestant starts one of the servers that are compared.
type contestant struct {
	name  string
	start func(context.Context, []login) (*peer, error)
}

func (b *bench) contestants() []contestant {
	of := func(s setup) func(context.Context, []login) (*peer, error) {
		return func(ctx context.Context, users []login) (*peer, error) { return b.ringfence(ctx, users, s) }
	}
	all := []contestant{
		{"Kamailio", func(ctx context.Context, users []login) (*peer, error) { return b.kamailio(ctx, users) }},
		{"Ringfence, money in memory", of(setup{money: "memory", port: 25060})},
		{"Ringfence, money durable", of(setup{money: "durable", port: 25062})},
	}
	if b.beside != "" {
		all = append(all, contestant{"the other Ringfence, money in memory", of(setup{binary: b.beside, money: "memory", port: 25064})})
	}
	return all
}

func (b *bench) registrations(ctx context.Context) error {
	return b.compare(ctx, "1,000 registrations", "≤ 0.9×", b.registering, false)
}

func (b *bench) callRuns(ctx context.Context) error {
	return b.compare(ctx, "1,000 authenticated calls", "≤ 0.8×", b.calling, true)
}

// tally is what a contestant used and answered in its turns.
type tally struct {
	*peer
	cpu, p99   []float64 // of each turn: CPU seconds by the thousand, milliseconds
	ok, failed int
	used, took float64 // seconds in all
}

// compare plays the same load on all contestants, which run side by side, in short turns, so that what else the machine does meets
// all alike. It reports the CPU seconds by the thousand of all turns together.
func (b *bench) compare(ctx context.Context, what, bar string, shape func(*peer, []login) load, withCarrier bool) error {
	users := logins(1000)
	cs := b.contestants()
	all := make([]tally, len(cs))
	if withCarrier {
		stop, err := b.carrier(ctx)
		if err != nil {
			return err
		}
		defer stop()
	}
	for i, c := range cs {
		p, err := c.start(ctx, users)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		defer p.stop()
		all[i].peer = p
		warm := shape(p, users)
		warm.count, warm.limit = warm.count/5, 30*time.Second
		if _, err := b.run(ctx, warm); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	machine := measureMachine()
	for range b.runs {
		for i, c := range cs {
			o, err := b.turn(ctx, &all[i], shape(all[i].peer, users))
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			progress("%s, %s: %.4f CPU s, %d failed, p50 %.1f ms, p99 %.1f ms", c.name, what, all[i].cpu[len(all[i].cpu)-1], o.failed, o.p50, o.p99)
		}
	}
	others := machine.others()
	for i, c := range cs {
		b.reportTurns(what+": "+c.name, bar, i, all, others)
	}
	return nil
}

// turn plays a load once.
func (b *bench) turn(ctx context.Context, t *tally, l load) (outcome, error) {
	before := t.peer.cpu()
	o, err := b.run(ctx, l)
	if err != nil {
		return o, err
	}
	if o.ok == 0 {
		return o, fmt.Errorf("nothing succeeded, %d failed", o.failed)
	}
	used := t.peer.cpu() - before
	t.cpu, t.p99 = append(t.cpu, used/float64(o.ok)*1000), append(t.p99, o.p99)
	t.ok, t.failed, t.used, t.took = t.ok+o.ok, t.failed+o.failed, t.used+used, t.took+o.took.Seconds()
	return o, nil
}

// reportTurns writes the row of a contestant; the first is what the others are held against.
func (b *bench) reportTurns(name, bar string, i int, all []tally, others float64) {
	t, first := &all[i], &all[0]
	each := func(t *tally) float64 { return t.used / float64(t.ok) * 1000 }
	figure, spread := fmt.Sprintf("%.4f CPU s", each(t)), ""
	if i > 0 {
		ratios := make([]float64, len(t.cpu))
		for n := range ratios {
			ratios[n] = t.cpu[n] / first.cpu[n]
		}
		figure += fmt.Sprintf(" (%.2f×)", each(t)/each(first))
		spread = fmt.Sprintf(" (each of them %.2f to %.2f×)", slices.Min(ratios), slices.Max(ratios))
	}
	if i != 1 {
		bar = ""
	}
	b.report.row(name, figure, bar, fmt.Sprintf("%d turns, %.0f s of load%s; %d failed, p99 %.1f ms; other programs kept %.2f processors busy",
		len(t.cpu), t.took, spread, t.failed, median(t.p99), others))
}
