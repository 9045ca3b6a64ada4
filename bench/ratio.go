package main

import (
	"context"
	"fmt"
	"time"
)

// contestant starts one of the servers that are compared.
type contestant struct {
	name  string
	start func(context.Context, []login) (*peer, error)
}

func (b *bench) contestants() []contestant {
	of := func(money string) func(context.Context, []login) (*peer, error) {
		return func(ctx context.Context, users []login) (*peer, error) { return b.ringfence(ctx, users, money) }
	}
	return []contestant{
		{"Kamailio", func(ctx context.Context, users []login) (*peer, error) { return b.kamailio(ctx, users) }},
		{"Ringfence, money in memory", of("memory")},
		{"Ringfence, money durable", of("durable")},
	}
}

func (b *bench) registrations(ctx context.Context) error {
	return b.compare(ctx, "1,000 registrations", "≤ 0.9×", b.registering, false)
}

func (b *bench) callRuns(ctx context.Context) error {
	return b.compare(ctx, "1,000 authenticated calls", "≤ 0.8×", b.calling, true)
}

// compare plays the same load on every contestant, in turn, several times, and reports CPU seconds by the thousand.
func (b *bench) compare(ctx context.Context, what, bar string, shape func(*peer, []login) load, withCarrier bool) error {
	users := logins(1000)
	cs := b.contestants()
	cpu, p99, failed := make([][]float64, len(cs)), make([][]float64, len(cs)), make([]int, len(cs))
	machine := measureMachine()
	for range b.runs {
		for i, c := range cs {
			used, o, err := b.once(ctx, c, users, shape, withCarrier)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			progress("%s, %s: %.3f CPU s, %d failed, p50 %.1f ms, p99 %.1f ms", c.name, what, used, o.failed, o.p50, o.p99)
			cpu[i], p99[i] = append(cpu[i], used), append(p99[i], o.p99)
			failed[i] += o.failed
		}
	}
	others := machine.others()
	for i, c := range cs {
		figure, limit := fmt.Sprintf("%.3f CPU s", median(cpu[i])), ""
		if i > 0 {
			figure += fmt.Sprintf(" (%.2f×)", median(cpu[i])/median(cpu[0]))
		}
		if i == 1 {
			limit = bar
		}
		b.report.row(what+": "+c.name, figure, limit, fmt.Sprintf("median of %d runs; %d failed, p99 %.1f ms; other programs kept %.2f processors busy",
			b.runs, failed[i], median(p99[i]), others))
	}
	return nil
}

// once plays a load on a fresh server and gives the CPU seconds by the thousand that succeeded.
func (b *bench) once(ctx context.Context, c contestant, users []login, shape func(*peer, []login) load, withCarrier bool) (float64, outcome, error) {
	p, err := c.start(ctx, users)
	if err != nil {
		return 0, outcome{}, err
	}
	defer p.stop()
	if withCarrier {
		stop, err := b.carrier(ctx)
		if err != nil {
			return 0, outcome{}, err
		}
		defer stop()
	}
	l := shape(p, users)
	warm := l
	warm.count, warm.limit = l.count/20, 30*time.Second
	if _, err := b.run(ctx, warm); err != nil {
		return 0, outcome{}, err
	}
	before := p.cpu()
	o, err := b.run(ctx, l)
	if err != nil {
		return 0, o, err
	}
	if o.ok == 0 {
		return 0, o, fmt.Errorf("nothing succeeded, %d failed", o.failed)
	}
	return (p.cpu() - before) / float64(o.ok) * 1000, o, nil
}
