// Command bench measures Ringfence beside Kamailio on this machine and prints a Markdown table: CPU seconds (user and
// system, of the whole process tree, from /proc) for 1,000 registrations and calls in alternating runs, floods and
// password guessing with honest traffic beside them, memory, and the figures of the Go benchmarks. It must not know
// Ringfence's insides: it starts the binary and talks to it as anyone does. Every target is loopback, and every run is
// bounded in count and time.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

type options struct {
	binary   string
	beside   string
	runs     int
	regs     int
	calls    int
	heap     int
	lines    int
	up       int
	idle     int
	flood    int
	rate     int
	guess    time.Duration
	forged   int
	only     string
	out      string
	keep     bool
	children int
}

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/ringfence", "the binary to measure")
	flag.StringVar(&o.beside, "beside", "", "another Ringfence binary to measure with it, such as the previous release")
	flag.IntVar(&o.runs, "runs", 12, "turns of each server in the comparison of CPU, about five seconds each")
	flag.IntVar(&o.regs, "regs", 20_000, "registrations per turn, at 4,000 per second")
	flag.IntVar(&o.calls, "percall", 3_000, "calls per turn, at 500 per second")
	flag.IntVar(&o.heap, "calls", 20_000, "calls in the heap measurement (1000000 for the full measurement)")
	flag.IntVar(&o.rate, "rate", 500, "calls per second in that measurement")
	flag.IntVar(&o.lines, "lines", 100_000, "lines in the memory measurement")
	flag.IntVar(&o.up, "up", 10_000, "concurrent calls in that measurement")
	flag.IntVar(&o.idle, "idle", 20_000, "phones that are registered over TLS, and over WSS, and do nothing; the limit of open files of a process must allow 1,100 more")
	flag.IntVar(&o.flood, "flood", 50_000, "packets per second of a flood, which lasts 6 seconds")
	flag.DurationVar(&o.guess, "guess", time.Minute, "how long password guessing lasts, at the rate of -flood")
	flag.IntVar(&o.forged, "forged", 200_000, "forged addresses of the guessing")
	flag.StringVar(&o.only, "only", "register,secure,call,flood,banned,guess,memory,heap,idle,go", "parts to run")
	flag.StringVar(&o.out, "out", "bench/results", "folder for the report")
	flag.BoolVar(&o.keep, "keep", false, "keep the working folder")
	flag.IntVar(&o.children, "children", 2, "Kamailio's worker processes")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "ringfence-bench")
	if err != nil {
		return err
	}
	if !o.keep {
		defer os.RemoveAll(dir)
	}
	if o.binary, err = filepath.Abs(o.binary); err != nil {
		return err
	}
	if o.beside != "" {
		if o.beside, err = filepath.Abs(o.beside); err != nil {
			return err
		}
	}
	b := &bench{options: o, dir: dir, report: newReport()}
	parts := []struct {
		name string
		run  func(context.Context) error
	}{
		{"register", b.registrations}, {"call", b.callRuns}, {"flood", b.floods}, {"banned", b.bannedPackets}, {"guess", b.guesses}, {"memory", b.memory}, {"heap", b.heapRun}, {"idle", b.idlePhones}, {"secure", b.secureRegistrations}, {"go", b.goBenchmarks},
	}
	wanted := strings.Split(o.only, ",")
	for _, p := range parts {
		if !slices.Contains(wanted, p.name) {
			continue
		}
		progress("== %s", p.name)
		if err := p.run(ctx); err != nil { // one part that fails takes none of the others with it
			progress("%s: %v", p.name, err)
			b.report.row(p.name, "not measured", "", tail(err.Error(), 300))
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return b.report.write(os.Stdout, o.out)
}

// bench is one run of the program.
type bench struct {
	options
	dir    string
	report *report
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}
