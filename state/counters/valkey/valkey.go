// Package valkey keeps short-lived counts and marks on one Valkey or Redis ≥ 7, so that all nodes share them. Each call is
// one script and one round trip. It must not know what is counted or why.
//
// On the server, under Options.Prefix: "c:KEY" is a window as text; "m:TABLE" a hash of marks ("end in µs:value");
// "e:TABLE" a sorted set of their ends; the channel "t:TABLE" tells changes.
//
// `now` and the server's clock: every judgement is made with the caller's now. The server's own expiry is only there so
// that nothing is left behind: a window goes when the time it could still count has passed on the server, and a second;
// the marks of a table all together when the last has ended, and a day. Both are lengths of time, never instants, so the
// clocks may differ by any amount.
package valkey

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	valkeygo "github.com/valkey-io/valkey-go"

	"ringfence/state/counters"
)

// Options of Open. The zero Options is usable.
type Options struct {
	Prefix   string        // of every key and channel; "" is "ringfence:"
	Timeout  time.Duration // of each round trip, and of connecting; 0 is 500 ms
	MaxMarks int           // marks of one table; 0 is 2^17. The one that ends first is evicted
	Log      *slog.Logger  // outages of Follow; nil is silent
}

// Engine is counters.Counters on a server. While the server is away every call fails with counters.ErrUnavailable, at the
// latest after Options.Timeout; the first call after it is back works again. Windows on the server are bounded by their
// expiry, some 150 bytes each: give the server a maxmemory. A failed write is not repeated, because it may have been done.
type Engine struct {
	o Options
	c valkeygo.Client
}

var _ counters.Counters = (*Engine)(nil)

const (
	batch = 128  // marks or keys of one script, which the server runs in one step
	page  = 1024 // marks per page
)

// Open connects to a server: "redis://user:password@host:6379/0", "rediss://…" with TLS, "unix:///path/to/socket?db=0".
// "valkey" and "valkeys" are other words for the first two. It fails when the server cannot be reached now, is older than
// Redis 7, or is a node of a cluster. No error of this package shows the password.
func Open(ctx context.Context, url string, o Options) (*Engine, error) {
	o.Prefix = cmp.Or(o.Prefix, "ringfence:")
	o.Timeout = cmp.Or(max(o.Timeout, 0), 500*time.Millisecond)
	o.MaxMarks = cmp.Or(max(o.MaxMarks, 0), 1<<17)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	opt, err := parse(url)
	if err != nil {
		return nil, err
	}
	opt.Dialer.Timeout = o.Timeout
	opt.ConnWriteTimeout = 2 * o.Timeout
	opt.DisableCache, opt.DisableRetry, opt.ForceSingleClient = true, true, true
	// All calls and the follower share one connection that is always being read. Of several, one that nobody used during an
	// outage would fail the first call after it, long after the follower has reported that the server is back.
	opt.PipelineMultiplex, opt.AlwaysPipelining = -1, true
	opt.ReadBufferEachConn, opt.WriteBufferEachConn = 1<<16, 1<<16
	c, err := valkeygo.NewClient(opt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w%s", opt.InitAddress[0], counters.ErrUnavailable, err, advice(err))
	}
	e := &Engine{o: o, c: c}
	if err := e.check(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("%s: %w", opt.InitAddress[0], err)
	}
	return e, nil
}

// advice says what to do where a server's certificate is not taken.
func advice(err error) string {
	var stranger x509.UnknownAuthorityError
	var misnamed x509.HostnameError
	switch {
	case errors.As(err, &stranger):
		return "; make its authority known to the system (update-ca-certificates), or name it in the environment: SSL_CERT_FILE=/path/to/ca.pem"
	case errors.As(err, &misnamed):
		return "; name the server in the address as its certificate does"
	}
	return ""
}

// check asks the server what it is. A server that does not say (its ACL forbids INFO) is accepted.
func (e *Engine) check(ctx context.Context) error {
	if err := e.Ping(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, e.o.Timeout)
	defer cancel()
	info, err := e.c.Do(ctx, e.c.B().Info().Section("server").Build()).ToString()
	if err != nil {
		if _, said := valkeygo.IsValkeyErr(err); said {
			return nil
		}
		return unavailable(err)
	}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		major, _, _ := strings.Cut(value, ".")
		if n, err := strconv.Atoi(major); name == "redis_version" && err == nil && n < 7 {
			return fmt.Errorf("version %.20q, want Redis 7 or Valkey", value)
		}
		if name == "redis_mode" && value == "cluster" {
			return errors.New("a node of a cluster; want a server of its own")
		}
	}
	return nil
}

// Ping says whether the server answers.
func (e *Engine) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, e.o.Timeout)
	defer cancel()
	return unavailable(e.c.Do(ctx, e.c.B().Ping().Build()).Error())
}

// Close ends all connections.
func (e *Engine) Close() error {
	e.c.Close()
	return nil
}

func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", counters.ErrUnavailable, err)
}

func (e *Engine) run(ctx context.Context, s *valkeygo.Lua, keys, args []string) valkeygo.ValkeyResult {
	ctx, cancel := context.WithTimeout(ctx, e.o.Timeout)
	defer cancel()
	return s.Exec(ctx, e.c, keys, args)
}

// Add counts; see counters.Counters.
func (e *Engine) Add(ctx context.Context, now time.Time, hits ...counters.Hit) ([]int64, error) {
	if err := counters.CheckHits(hits); err != nil || len(hits) == 0 {
		return nil, err
	}
	keys, args := make([]string, len(hits)), make([]string, 1, 1+2*len(hits))
	args[0] = strconv.FormatInt(counters.Millis(now), 10)
	for i, h := range hits {
		keys[i] = e.o.Prefix + "c:" + h.Key
		args = append(args, strconv.FormatInt(min(h.N, counters.MaxCount), 10), strconv.FormatInt(h.Span.Milliseconds(), 10))
	}
	sums, err := e.run(ctx, add, keys, args).AsIntSlice()
	if err != nil {
		return nil, unavailable(err)
	}
	if len(sums) != len(hits) {
		return nil, fmt.Errorf("%w: %d counts of %d", counters.ErrUnavailable, len(sums), len(hits))
	}
	return sums, nil
}
