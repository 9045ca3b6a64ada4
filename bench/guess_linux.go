package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"ringfence/core/fact"
	"ringfence/edge/rest/api"
)

// Shapes of the guessing.
const (
	guessUsers   = 200 // honest phones, each at its own address
	guessVictims = 4   // of them, whose addresses are forged too
	guessers     = 16  // that guess from addresses of their own, four to a network, each at one line; every other line is nobody's
	guessRate    = 3   // tries a second of each: not so many that pike sees them
)

// guesses measures password guessing from forged addresses while honest phones work: what a packet costs, what is kept, who
// suffers.
func (b *bench) guesses(ctx context.Context) error {
	kamailio := func(defines ...string) func(context.Context, []login) (*peer, error) {
		return func(ctx context.Context, users []login) (*peer, error) { return b.kamailio(ctx, users, defines...) }
	}
	for _, c := range []contestant{
		{"Ringfence", b.contestants()[2].start},
		{"Kamailio, pike and ban list", kamailio("GUARD")},
		{"Kamailio, failures counted by user as well", kamailio("GUARD", "COUNT")},
	} {
		if err := b.guessed(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// guessed plays the guessing against one server: first honest phones alone for a third of the time, then with it.
func (b *bench) guessed(ctx context.Context, c contestant) error {
	users := logins(guessUsers)
	p, err := c.start(ctx, users)
	if err != nil {
		return err
	}
	defer func() { p.stop() }()
	stop, err := b.carrier(ctx)
	if err != nil {
		return err
	}
	defer stop()
	if _, _, err := b.spreadHonest(ctx, p, users, 4*time.Second); err != nil { // every phone is known before anything begins
		return err
	}
	books := &books{}
	if err := books.open(ctx, b, p); err != nil {
		return err
	}
	alone := b.guess / 3
	before := p.cpu()
	if _, _, err := b.spreadHonest(ctx, p, users, alone); err != nil {
		return err
	}
	honest := (p.cpu() - before) * float64(b.guess) / float64(alone)
	if err := books.turn(ctx, b, p); err != nil {
		return err
	}
	r, err := b.guessing(ctx, p, users)
	if err != nil {
		return err
	}
	r.cpu -= honest
	b.reportGuessing(c.name, &r)
	return books.close(ctx, b, p, c.name, float64(b.guess)/float64(alone))
}

// guessing is what was measured during a period of guessing.
type guessing struct {
	f                   *forger
	g                   []*guesser
	cpu                 float64
	lost                int64 // packets that found the server's socket full
	before, after, peak int64 // memory
	regs, calls         outcome
	regsDue, callsDue   int
	others              float64 // processors that other programs kept busy
}

// guessing runs the forged flood, the guessers and the honest phones together.
func (b *bench) guessing(ctx context.Context, p *peer, users []login) (guessing, error) {
	var names []string
	for i, u := range users { // as many that nobody has
		names = append(names, u.line, fmt.Sprintf("%06d", 500_000+i))
	}
	f := &forger{to: p.at, rate: b.flood, limit: b.guess, from: 27600, forged: forgedAddresses(b.forged), users: names}
	for i := range guessVictims {
		f.victims = append(f.victims, homeOf(i))
	}
	r := guessing{f: f}
	run, end := context.WithCancel(ctx)
	defer end()
	var around errgroup.Group
	collector := &guesser{from: netip.MustParseAddr("127.66.9.9"), to: p.at, users: names, rate: 1, publish: &f.given}
	around.Go(func() error { return collector.run(run) })
	if err := waitFor(ctx, 10*time.Second, "a challenge", func() bool { return f.given.Load() != nil }); err != nil {
		return r, err
	}
	for i := range guessers {
		g := &guesser{from: netip.AddrFrom4([4]byte{127, 66, byte(10 + i/4), byte(20 + i%4)}), to: p.at, users: names[2*guessVictims+i:][:1], rate: guessRate}
		r.g = append(r.g, g)
		around.Go(func() error { return g.run(run) })
	}
	r.before = proportional(p.cmd.Process.Pid)
	around.Go(func() error { r.watchMemory(run, p); return nil })
	began, lost, machine := p.cpu(), dropped(p.at.Port()), measureMachine()
	var flood, honest error
	var wg sync.WaitGroup
	wg.Go(func() { flood = f.run(ctx) })
	wg.Go(func() { r.regs, r.calls, honest = b.spreadHonest(ctx, p, users, b.guess) })
	wg.Wait()
	r.cpu, r.lost, r.others = p.cpu()-began, dropped(p.at.Port())-lost, machine.others()
	end()
	err := errors.Join(flood, honest, around.Wait())
	r.after = proportional(p.cmd.Process.Pid)
	r.regsDue, r.callsDue = honestCounts(b.guess)
	return r, err
}

func (r *guessing) watchMemory(ctx context.Context, p *peer) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		r.peak = max(r.peak, proportional(p.cmd.Process.Pid))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Honest phones register 100 times and call 10 times a second, as in the other floods.
func honestCounts(d time.Duration) (regs, calls int) {
	return int(100 * d.Seconds()), int(10 * d.Seconds())
}

// spreadHonest registers and calls from the users' own addresses.
func (b *bench) spreadHonest(ctx context.Context, p *peer, users []login, d time.Duration) (regs, calls outcome, err error) {
	r, c := b.registering(p, users), b.calling(p, users)
	r.count, c.count = honestCounts(d)
	r.rate, r.limit, r.spread = 100, d+60*time.Second, true
	c.rate, c.limit, c.spread = 10, d+60*time.Second, true
	c.from, c.media = netip.MustParseAddrPort("127.0.0.1:27500"), 29_000
	var g errgroup.Group
	g.Go(func() (err error) { regs, err = b.run(ctx, r); return err })
	g.Go(func() (err error) { calls, err = b.run(ctx, c); return err })
	return regs, calls, g.Wait()
}

// reportGuessing reports what does not depend on the server.
func (b *bench) reportGuessing(name string, r *guessing) {
	sent, what := r.f.sent.Load(), "guessing: "+name
	answered, codes := r.f.counted()
	b.report.row(what, fmt.Sprintf("%.1f µs CPU for each received", r.cpu/float64(sent-r.lost)*1e6), "",
		fmt.Sprintf("%d packets at %.0f per second from %d forged addresses, of which %d found the socket full; other programs kept %.2f processors busy",
			sent, float64(sent)/b.guess.Seconds(), len(r.f.forged), r.lost, r.others))
	b.report.row("answered: "+name, fmt.Sprintf("%.1f %%", float64(answered)/float64(sent)*100), "", codes)
	b.report.row("memory: "+name, fmt.Sprintf("%s → %s, at most %s", mib(r.before), mib(r.after), mib(r.peak)), "bounded", "Pss of all its processes")
	b.report.row("honest phones at the same time: "+name, fmt.Sprintf("%d of %d registrations and %d of %d calls failed; p50 %.1f and %.1f ms, p99 %.1f and %.1f ms",
		r.regsDue-r.regs.ok, r.regsDue, r.callsDue-r.calls.ok, r.callsDue, r.regs.p50, r.calls.p50, r.regs.p99, r.calls.p99), "0 failed, p99 < 50 ms",
		fmt.Sprintf("100 registrations and 10 calls per second from %d addresses, %d of them forged in 1 packet of 32", guessUsers, guessVictims))
	tries, refused, silent := 0, 0, 0
	for _, g := range r.g {
		tries, refused, silent = tries+g.tries, refused+g.refused, silent+g.silent
	}
	b.report.row("a guesser from a real address: "+name, fmt.Sprintf("%d of %d attempts got no answer", silent, tries), "",
		fmt.Sprintf("%d answered 403; %d guessers, each up to %d attempts per second", refused, guessers, guessRate))
}

// books reads what a Ringfence writes during the guessing; of others it knows nothing. The store is closed for each look
// at its size, so that all of it is in its file.
type books struct {
	journal           int64 // the last row before
	start, alone, end int64 // bytes of the store
}

func ours(p *peer) bool { return strings.HasPrefix(p.name, "Ringfence") }

// open begins with honest phones alone, turn with the guessing.
func (k *books) open(ctx context.Context, b *bench, p *peer) (err error) {
	k.start, err = b.reopen(ctx, p)
	return err
}

func (k *books) turn(ctx context.Context, b *bench, p *peer) (err error) {
	if !ours(p) {
		return nil
	}
	if k.alone, err = b.reopen(ctx, p); err != nil {
		return err
	}
	return facts(ctx, p, 0, func(f *api.Fact) { k.journal = f.Seq })
}

// close reports. ratio is how much longer the guessing lasted than the time alone.
func (k *books) close(ctx context.Context, b *bench, p *peer, name string, ratio float64) error {
	if !ours(p) {
		return nil
	}
	lockouts := map[string]float64{}
	for _, scope := range []string{"line", "address", "network", "as"} {
		lockouts[scope] = p.gauge(ctx, fmt.Sprintf(`ringfence_login_lockouts_total{scope=%q}`, scope))
	}
	bans := p.gauge(ctx, `ringfence_bans{by="auto"}`)
	moved := p.gauge(ctx, "ringfence_login_moved_nonces_total")
	var err error
	if k.end, err = b.reopen(ctx, p); err != nil { // what is written behind is written
		return err
	}
	rows, bytes, hurt := map[string]int{}, 0, map[string]bool{}
	err = facts(ctx, p, k.journal, func(f *api.Fact) {
		kind, _, _ := strings.Cut(f.Kind, ".")
		if rows[kind]++; kind != "call" {
			bytes += len(f.Kind) + len(f.Line) + len(f.Customer) + len(f.Call) + len(f.Body)
		}
		if at, ok := hurts(f); ok {
			hurt[f.Kind+" "+at] = true
		}
	})
	if err != nil {
		return err
	}
	growth := float64(k.end-k.alone) - ratio*float64(k.alone-k.start)
	b.report.row("journal: "+name, fmt.Sprintf("%d bytes", bytes), "< 1 MB",
		fmt.Sprintf("text of the rows that are not of calls (%v); the database file grew by %.0f KiB, and by %.0f KiB more than for honest phones alone",
			rows, float64(k.end-k.alone)/1024, growth/1024))
	figure := fmt.Sprintf("%.0f bans, lock-outs %v; of honest phones %d", bans, lockouts, len(hurt))
	b.report.row("locked out or banned: "+name, figure, "none of honest phones", fmt.Sprintf("%v; %.0f right answers with nonces from elsewhere", slices.Sorted(maps.Keys(hurt)), moved))
	return nil
}

// reopen stops a Ringfence, looks at the size of its store and starts it again.
func (b *bench) reopen(ctx context.Context, p *peer) (int64, error) {
	if !ours(p) {
		return 0, nil
	}
	p.stop()
	var size int64
	err := filepath.WalkDir(filepath.Join(p.dir, "data"), func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	_, err = b.restart(ctx, p)
	return size, err
}

// facts reads the journal after a row.
func facts(ctx context.Context, p *peer, after int64, each func(*api.Fact)) error {
	for {
		var list api.List[api.Fact]
		q := url.Values{"after": {fmt.Sprint(after)}, "limit": {"1000"}}
		if err := p.admin().Do(ctx, "GET", "/v1/journal?"+q.Encode(), nil, &list); err != nil {
			return err
		}
		for i := range list.Items {
			each(&list.Items[i])
			after = list.Items[i].Seq
		}
		if len(list.Items) == 0 {
			return nil
		}
	}
}

// hurts says whether a fact bans or locks out an honest phone's address.
func hurts(f *api.Fact) (at string, ok bool) {
	if f.Kind != fact.KindLoginLocked && f.Kind != fact.KindBanAdded {
		return "", false
	}
	var body struct{ Source, Net string }
	if json.Unmarshal(f.Body, &body) != nil {
		return "", false
	}
	for _, text := range []string{body.Source, body.Net} {
		net, err := netip.ParsePrefix(text)
		if a, aerr := netip.ParseAddr(text); aerr == nil {
			net, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		for i := range guessUsers {
			if err == nil && net.Contains(homeOf(i)) {
				return text, true
			}
		}
	}
	return "", false
}
