// Command screenshots renders every kind of notice and the pages behind their links in Chromium, checks them there, and
// writes pictures and docs/notices.md. Run it at the root of the module after a template changed:
//
//	go run ./docs/screenshots
//
// It must not know how templates are made: it looks at what comes out.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Widths of the pictures, in CSS pixels.
var widths = []struct {
	name   string
	pixels int64
}{{"wide", 1000}, {"phone", 390}}

func main() {
	chrome := flag.String("chrome", "/usr/bin/chromium", "the browser")
	only := flag.String("only", "", "make pictures of the scenes whose names begin with this, and nothing else")
	docs := flag.String("docs", "docs", "where notices.md and images/mail go")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	faults, err := run(ctx, *chrome, *docs, *only)
	for _, f := range faults {
		fmt.Fprintln(os.Stderr, f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || len(faults) > 0 {
		os.Exit(1)
	}
}

// run writes everything; faults are what the browser found wrong.
func run(ctx context.Context, chrome, docs, only string) (faults []string, err error) {
	w, err := newWorld(ctx)
	if err != nil {
		return nil, err
	}
	defer w.close()
	b := newBrowser(ctx, chrome)
	defer b.close()
	for _, s := range w.scenes {
		if !strings.HasPrefix(s.name, only) {
			continue
		}
		for i, width := range widths {
			for _, dark := range s.modes() {
				name := s.file(width.name, dark)
				shot, found, err := b.look(&s, width.pixels, dark, s.press && (i > 0 || dark))
				if err != nil {
					return faults, fmt.Errorf("%s: %w", name, err)
				}
				for _, f := range found {
					faults = append(faults, name+": "+f)
				}
				if shot, err = smaller(shot); err != nil {
					return faults, fmt.Errorf("%s: %w", name, err)
				}
				if err := save(filepath.Join(docs, "images", cmp.Or(s.folder, "mail"), name), shot); err != nil {
					return faults, err
				}
			}
		}
	}
	if only != "" {
		return faults, nil
	}
	return faults, os.WriteFile(filepath.Join(docs, "notices.md"), index(w), 0o644)
}

func save(path string, shot []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, shot, 0o644)
}
