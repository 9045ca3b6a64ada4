// Package feed fetches lists of attackers' addresses, and hot lists of numbers, that others keep, from files and from the web, again and again, and
// hands them on whole. It must not know what is done with them. A list that cannot be fetched, or that is malformed, changes
// nothing: the fault is reported with its place, and the previous list stays in force.
package feed

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"ringfence/core/check"
	"ringfence/core/netlist"
	"ringfence/core/restrict"
)

// Source is one list.
type Source struct {
	Name string // letters, digits, dots, dashes, underscores; at most 64
	// From is the path of a file, or a URL of http or https. Its user, password, query and key-like parts of its path are in no log,
	// and never leave its host.
	From    string
	Every   time.Duration // 0 is an hour; at least a minute
	Numbers bool          // a hot list of numbers
	Way     restrict.Way  // of numbers for which the list gives none
}

// Options of New.
type Options struct {
	Sources []Source
	// Import takes a whole list of a source, in place of what the same feed listed before, and returns the result in a few words. What
	// it returns as an error is reported like a fault of the list.
	Import   func(ctx context.Context, from *Source, entries []netlist.Entry) (summary string, err error)
	Timeout  time.Duration  // of one fetch; 0 is 30 s
	MaxBytes int64          // of a list, unpacked; 0 or more than netlist.MaxBytes is that
	Roots    *x509.CertPool // whom to trust; nil is the system's
	Log      *slog.Logger   // nil is none
}

// Bounds.
const (
	MaxSources   = 64
	defaultEvery = time.Hour
	leastEvery   = time.Minute
	longestRetry = time.Hour
	maxRedirects = 5
	// refresh is how long a list may stay "not modified" before it is fetched whole: what is done with entries without an
	// end may wear off.
	refresh = 24 * time.Hour
)

// Status is the state of a source.
type Status struct {
	Name    string
	Numbers bool
	From    string // fit to be shown
	Entries int    // of the list that was taken last
	Taken   time.Time
	Asked   time.Time // the last try
	Summary string    // the result of the latest list
	Notes   []string  // what was odd about it
	Error   string    // of the last try; "" if it was good
}

// Feeds is the sources. It is safe for concurrent use.
type Feeds struct {
	o       Options
	log     *slog.Logger
	client  *http.Client
	sources []*source
}

// source is a Source with what is known of it.
type source struct {
	Source
	url  *url.URL // nil: a file
	show string

	fetching sync.Mutex // one fetch at a time; owns known
	known    version

	mu     sync.Mutex // owns status
	status Status
}

// New checks the sources; the error names the first that is wrong.
func New(o Options) (*Feeds, error) {
	o.Timeout = cmp.Or(max(o.Timeout, 0), 30*time.Second)
	if o.MaxBytes <= 0 || o.MaxBytes > netlist.MaxBytes {
		o.MaxBytes = netlist.MaxBytes
	}
	f := &Feeds{o: o, log: o.Log, client: newClient(o)}
	f.log = cmp.Or(f.log, slog.New(slog.DiscardHandler))
	if len(o.Sources) > MaxSources {
		return nil, fmt.Errorf("%d feeds; %d are allowed", len(o.Sources), MaxSources)
	}
	names := map[string]bool{}
	for _, s := range o.Sources {
		src, err := s.check()
		if err != nil {
			return nil, fmt.Errorf("feed %.64q: %w", s.Name, err)
		}
		if names[s.Name] {
			return nil, fmt.Errorf("feed %q is configured twice", s.Name)
		}
		names[s.Name] = true
		f.sources = append(f.sources, src)
	}
	return f, nil
}

// check makes a source ready.
func (s Source) check() (*source, error) {
	if s.Name == "" || len(s.Name) > 64 || strings.IndexFunc(s.Name, notInName) >= 0 {
		return nil, errors.New("the name is to be letters, digits, dots, dashes and underscores, at most 64")
	}
	switch {
	case s.Every == 0:
		s.Every = defaultEvery
	case s.Every < leastEvery:
		return nil, fmt.Errorf("it is not to be fetched more often than each minute: %v", s.Every)
	}
	src := &source{Source: s, show: s.From}
	if !strings.Contains(s.From, "://") {
		if s.From == "" {
			return nil, errors.New("a file or URL is missing")
		}
		src.show = filepath.Clean(s.From)
	} else if src.url, _ = url.Parse(s.From); src.url == nil || src.url.Host == "" || src.url.Scheme != "http" && src.url.Scheme != "https" {
		return nil, errors.New("it is to be a path, or a URL of http or https") // the text may hold a key
	} else {
		src.show = showURL(src.url)
	}
	src.status = Status{Name: s.Name, Numbers: s.Numbers, From: src.show}
	return src, nil
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_'
}

// showURL is a URL without what may be a secret: user, query, and parts of the path that look like keys.
func showURL(u *url.URL) string {
	parts := strings.Split(u.Path, "/")
	for i, p := range parts {
		if len(p) >= 16 && !strings.Contains(p, ".") && strings.ContainsAny(p, "0123456789") {
			parts[i] = "…"
		}
	}
	return netlist.Clean(u.Scheme + "://" + u.Host + strings.Join(parts, "/"))
}

// Run fetches each source immediately, and then at each interval, a little more or less, until ctx ends. A source that fails is
// tried again sooner, at first after a minute.
func (f *Feeds) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, s := range f.sources {
		wg.Go(func() { f.follow(ctx, s) })
	}
	wg.Wait()
}

func (f *Feeds) follow(ctx context.Context, s *source) {
	failures := 0
	for {
		failures++
		if f.fetch(ctx, s) == nil {
			failures = 0
		}
		t := time.NewTimer(pause(s.Every, failures))
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}

// pause is how long to wait: the interval, or less after a failure; a tenth more or less, to spread the fetches.
func pause(every time.Duration, failures int) time.Duration {
	d := every
	if failures > 0 {
		d = min(d, leastEvery<<min(failures-1, 10), longestRetry)
	}
	return d + time.Duration((rand.Float64()-0.5)*0.2*float64(d))
}

// ErrNoFeed says that there is no feed of that name.
var ErrNoFeed = errors.New("no such feed")

// Fetch fetches one source now. The error is a *Fault, ErrNoFeed, or nil.
func (f *Feeds) Fetch(ctx context.Context, name string) error {
	for _, s := range f.sources {
		if s.Name == name {
			return f.fetch(ctx, s)
		}
	}
	return ErrNoFeed
}

// Status gives the state of each source, in the order of the configuration.
func (f *Feeds) Status() []Status {
	list := make([]Status, len(f.sources))
	for i, s := range f.sources {
		s.mu.Lock()
		list[i] = s.status
		s.mu.Unlock()
	}
	return list
}

// Check finds which lists are in force.
func (f *Feeds) Check() check.Findings {
	var out check.Findings
	for _, s := range f.Status() {
		if s.Error != "" {
			out.Warn("feeds", "%s; the previous list stays in force", s.Error)
		} else if !s.Taken.IsZero() {
			out.OK("feeds", "%s: %s", s.Name, check.Count(s.Entries, "entry", "entries"))
		}
	}
	return out
}

// Fault says that a list was not taken. Its text is fit for logs and pages.
type Fault struct {
	Feed, From string
	Err        error // *netlist.Malformed, a network's or file's error without the URL
}

func (e *Fault) Error() string { return "feed " + e.Feed + " (" + e.From + "): " + e.Err.Error() }

func (e *Fault) Unwrap() error { return e.Err }

// fetch gets a list, if it has changed, and hands it on.
func (f *Feeds) fetch(ctx context.Context, s *source) error {
	s.fetching.Lock()
	defer s.fetching.Unlock()
	ctx, cancel := context.WithTimeout(ctx, f.o.Timeout)
	defer cancel()
	now := time.Now()
	list, summary, err := f.take(ctx, s, now)
	if ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) {
		return ctx.Err() // we are stopping: no fault of the list
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.status.Error
	s.status.Asked, s.status.Error = now, ""
	if err != nil {
		fault := &Fault{s.Name, s.show, err}
		s.status.Error = fault.Error()
		if s.status.Error != before {
			f.log.Warn("a list was not accepted; the previous one stays in force", "feed", s.Name, "from", s.show, "error", err, "entries", s.status.Entries)
		}
		return fault
	}
	if list != nil {
		s.status.Taken, s.status.Entries, s.status.Notes, s.status.Summary = now, len(list.Entries), list.Notes, summary
		f.log.Info("a list was accepted", "feed", s.Name, "from", s.show, "entries", len(list.Entries), "ended", list.Ended, "left_out", list.Skipped, "result", summary, "notes", list.Notes)
	} else if before != "" {
		f.log.Info("a list can be fetched again", "feed", s.Name, "from", s.show)
	}
	return nil
}

// take gets a list and hands it on; nil if it has not changed.
func (f *Feeds) take(ctx context.Context, s *source, now time.Time) (*netlist.List, string, error) {
	known := s.known
	if now.Sub(known.taken) >= refresh {
		known = version{}
	}
	data, next, err := f.load(ctx, s, known)
	if err != nil || data == nil {
		return nil, "", err
	}
	list, err := netlist.Parse(data, netlist.Options{Now: now, Numbers: s.Numbers, Way: s.Way})
	if err != nil {
		return nil, "", err
	}
	summary, err := f.o.Import(ctx, &s.Source, list.Entries)
	if err != nil {
		return nil, "", err
	}
	next.taken = now
	s.known = next
	return list, summary, nil
}
