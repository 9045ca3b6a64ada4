package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ringfence/edge/rest/api"
)

// gauge reads one figure of /metrics; -1 when it is not there.
func (p *peer) gauge(ctx context.Context, name string) float64 {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.metrics().String()+"/metrics", nil)
	if err != nil {
		return -1
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return -1
	}
	defer r.Body.Close()
	s := bufio.NewScanner(r.Body)
	for s.Scan() {
		if v, ok := strings.CutPrefix(s.Text(), name+" "); ok {
			f, err := strconv.ParseFloat(v, 64)
			if err != nil {
				return -1
			}
			return f
		}
	}
	return -1
}

// memory measures a big book at rest after a start, and many calls up at once.
func (b *bench) memory(ctx context.Context) error {
	users := logins(b.lines)
	p, err := b.ringfence(ctx, users, setup{money: "durable"})
	if err != nil {
		return err
	}
	p.stop()
	begun := time.Now()
	if p, err = b.restart(ctx, p); err != nil {
		return err
	}
	defer func() { p.stop() }()
	b.report.row(fmt.Sprintf("%d lines, after a start", b.lines), mib(resident(p.cmd.Process.Pid))+" resident", "≤ 200 MiB",
		fmt.Sprintf("VmRSS; ready in %.1f s", time.Since(begun).Seconds()))
	stop, err := b.carrier(ctx)
	if err != nil {
		return err
	}
	defer stop()
	empty := resident(p.cmd.Process.Pid)
	l := b.calling(p, users[:min(len(users), known)])
	l.count, l.rate, l.atOnce = b.up, 400, b.up+1
	l.talk = time.Duration(b.up/l.rate+15) * time.Second
	l.limit = l.talk*2 + 60*time.Second
	type result struct {
		outcome
		err error
	}
	done := make(chan result, 1)
	go func() {
		o, err := b.run(ctx, l)
		done <- result{o, err}
	}()
	most, peak, admin := 0, int64(0), p.admin()
	err = waitFor(ctx, l.talk+30*time.Second, "all calls are up", func() bool {
		var st api.Status
		if admin.Do(ctx, "GET", "/v1/status", nil, &st) == nil && st.Calls > most {
			most, peak = st.Calls, resident(p.cmd.Process.Pid)
		}
		return most >= b.up
	})
	if err != nil {
		progress("only %d of %d calls were up at once", most, b.up)
	}
	if most > 0 {
		b.report.row(fmt.Sprintf("%d calls up", most), fmt.Sprintf("%.1f KiB a call", float64(peak-empty)/1024/float64(most)), "≤ 16 KiB", "growth of VmRSS, "+mib(empty)+" → "+mib(peak))
	}
	r := <-done
	progress("%d calls ended well, %d failed", r.ok, r.failed)
	return r.err
}

// heapRun makes many calls and looks at the live heap on the way.
func (b *bench) heapRun(ctx context.Context) error {
	users := logins(1000)
	p, err := b.ringfence(ctx, users, setup{money: "durable"})
	if err != nil {
		return err
	}
	defer p.stop()
	stop, err := b.carrier(ctx)
	if err != nil {
		return err
	}
	defer stop()
	var points []string
	failed := 0
	for range 4 {
		l := b.calling(p, users)
		l.count, l.rate, l.talk = b.heap/4, b.rate, 0
		l.limit = time.Duration(l.count/l.rate)*2*time.Second + 60*time.Second
		o, err := b.run(ctx, l)
		if err != nil {
			return err
		}
		failed += o.failed
		points = append(points, fmt.Sprintf("%s (heap %.0f MiB)", mib(resident(p.cmd.Process.Pid)), p.gauge(ctx, "go_memstats_heap_inuse_bytes")/(1<<20)))
	}
	b.report.row(fmt.Sprintf("memory over %d calls", b.heap), strings.Join(points, " → "), "flat", fmt.Sprintf("VmRSS at each quarter; %d failed", failed))
	return nil
}
