package main

import (
	"context"
	"embed"
	"encoding/csv"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed scenarios/*.xml
var scenarios embed.FS

// load is one SIPp run.
type load struct {
	scenario string
	talk     time.Duration // of call.xml
	to       netip.AddrPort
	users    []login
	from     netip.AddrPort
	media    int
	rate     int
	count    int
	atOnce   int
	limit    time.Duration
	spread   bool // each user has an address of its own (homeOf), instead of all that of from
}

// homeOf is the address of the nth user of a load that is spread.
func homeOf(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, 10, byte(n % 50), byte(10 + n/50)})
}

// outcome is what SIPp counted.
type outcome struct {
	ok, failed int
	p50, p99   float64 // milliseconds from the request to its final answer
	took       time.Duration
}

// run plays a scenario to its end and reads SIPp's own counts.
func (b *bench) run(ctx context.Context, l load) (outcome, error) {
	dir, err := os.MkdirTemp(b.dir, "sipp")
	if err != nil {
		return outcome{}, err
	}
	cmd, err := b.sipp(ctx, dir, l)
	if err != nil {
		return outcome{}, err
	}
	began := time.Now()
	text, err := cmd.CombinedOutput()
	o := outcome{took: time.Since(began)}
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() > 1) { // 1: some calls failed, and the counts say how many
		return o, fmt.Errorf("sipp: %w: %s", err, tail(string(text), 800))
	}
	if err := o.read(dir); err != nil {
		return o, fmt.Errorf("%w: %s", err, tail(string(text), 800))
	}
	if o.failed > 0 {
		text, _ := os.ReadFile(filepath.Join(dir, "errors"))
		progress("%d failed; SIPp's first word on it: %.400s", o.failed, text)
	}
	return o, nil
}

// sipp makes the command of a load.
func (b *bench) sipp(ctx context.Context, dir string, l load) (*exec.Cmd, error) {
	text, err := scenarios.ReadFile("scenarios/" + l.scenario)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, l.scenario)
	body := strings.NewReplacer("%TALK%", strconv.FormatInt(l.talk.Milliseconds(), 10), "%PORT%", strconv.Itoa(int(l.from.Port()))).Replace(string(text))
	if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
		return nil, err
	}
	args := []string{
		"-sf", file, "-i", l.from.Addr().String(), "-p", strconv.Itoa(int(l.from.Port())), "-mp", strconv.Itoa(l.media), "-nostdin",
		"-trace_stat", "-stf", filepath.Join(dir, "stat.csv"), "-fd", "1", "-trace_rtt", "-rtt_freq", "10",
		"-trace_err", "-error_file", filepath.Join(dir, "errors"),
	}
	if l.to.IsValid() {
		var rows strings.Builder
		rows.WriteString("SEQUENTIAL\n")
		for i, u := range l.users {
			home := l.from.Addr()
			if l.spread {
				home = homeOf(i)
			}
			fmt.Fprintf(&rows, "%s;[authentication username=%s password=%s];%s\n", u.line, u.line, u.password, home)
		}
		users := filepath.Join(dir, "users.csv")
		if err := os.WriteFile(users, []byte(rows.String()), 0o600); err != nil {
			return nil, err
		}
		args = append([]string{l.to.String()}, args...)
		args = append(args, "-inf", users, "-r", strconv.Itoa(l.rate), "-m", strconv.Itoa(l.count), "-l", strconv.Itoa(l.atOnce))
		if l.spread { // a few repeats are enough to see that nobody answers
			args = append(args, "-t", "ui", "-ip_field", "2", "-max_retrans", "4", "-max_socket", strconv.Itoa(len(l.users)+16))
		}
	}
	args = append(args, "-timeout", strconv.Itoa(int(l.limit.Seconds())))
	cmd := exec.CommandContext(ctx, "sipp", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TERM=dumb")
	return cmd, nil
}

// read takes the counts of the last line of SIPp's statistics, and the response times.
func (o *outcome) read(dir string) error {
	rows, err := table(filepath.Join(dir, "stat.csv"))
	if err != nil || len(rows) < 2 {
		return fmt.Errorf("sipp wrote no statistics: %w", err)
	}
	last := rows[len(rows)-1]
	for i, name := range rows[0] {
		if i >= len(last) {
			break
		}
		switch name {
		case "SuccessfulCall(C)":
			o.ok, _ = strconv.Atoi(last[i])
		case "FailedCall(C)":
			o.failed, _ = strconv.Atoi(last[i])
		}
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*_rtt.csv"))
	var times []float64
	for _, f := range files {
		rows, _ := table(f)
		for _, r := range rows {
			if len(r) > 1 {
				if ms, err := strconv.ParseFloat(r[1], 64); err == nil {
					times = append(times, ms)
				}
			}
		}
	}
	if slices.Sort(times); len(times) > 0 {
		o.p50, o.p99 = times[len(times)/2], times[len(times)*99/100]
	}
	return nil
}

func table(path string) ([][]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.FieldsPerRecord, r.LazyQuotes = ';', -1, true
	return r.ReadAll()
}

// carrier starts the called side; stop ends it.
func (b *bench) carrier(ctx context.Context) (stop func(), err error) {
	dir, err := os.MkdirTemp(b.dir, "carrier")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd, err := b.sipp(ctx, dir, load{scenario: "carrier.xml", from: carrierAt, media: 26_000, limit: 2 * time.Hour})
	if err != nil {
		cancel()
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	stop = func() {
		cancel()
		_ = cmd.Wait()
	}
	if err := waitFor(ctx, 10*time.Second, "the carrier listens", func() bool { return taken(carrierAt) }); err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

func (b *bench) registering(p *peer, users []login) load {
	return load{
		scenario: "register.xml", to: p.at, users: users, from: netip.MustParseAddrPort("127.0.0.1:27000"), media: 28_000,
		rate: 4000, count: b.regs, atOnce: 4000, limit: 120 * time.Second,
	}
}

func (b *bench) calling(p *peer, users []login) load {
	return load{
		scenario: "call.xml", talk: time.Second, to: p.at, users: users, from: netip.MustParseAddrPort("127.0.0.1:27000"), media: 28_000,
		rate: 500, count: b.calls, atOnce: 15_000, limit: 180 * time.Second,
	}
}
