package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// goBenchmarks runs the Go benchmarks that have targets, and reports their figures.
func (b *bench) goBenchmarks(ctx context.Context) error {
	for _, set := range []struct{ pkg, pattern string }{
		{"./core/policy", "Decide"},
		{"./core/rating", "."},
		{"./flow/gate", "Authorise"},
		{"./flow/ledger", "."},
		{"./state/store/...", "."},
		{"./edge/sip/transport", "Banned|Stranger"},
	} {
		cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", set.pattern, "-benchtime", "1s", "-benchmem", "-timeout", "5m", set.pkg)
		out, err := cmd.CombinedOutput()
		if err != nil {
			b.report.row(set.pkg, "not measured", "", tail(string(out), 300))
			continue
		}
		for line := range strings.Lines(string(out)) {
			b.benchLine(set.pkg, line)
		}
	}
	return nil
}

// benchLine reports one line of go test -bench: name, iterations, then pairs of figure and unit.
func (b *bench) benchLine(pkg, line string) {
	f := strings.Fields(line)
	if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
		return
	}
	var figures []string
	for i := 2; i+1 < len(f); i += 2 {
		figures = append(figures, f[i]+" "+f[i+1])
	}
	b.report.row(fmt.Sprintf("%s %s", strings.TrimPrefix(pkg, "./"), strings.TrimPrefix(f[0], "Benchmark")), strings.Join(figures, ", "), "", "go test -bench")
}
