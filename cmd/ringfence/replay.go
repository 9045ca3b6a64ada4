package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"

	"ringfence/app"
	"ringfence/app/config"
	"ringfence/cmd/ringfence/table"
	"ringfence/core/account"
	"ringfence/core/habit"
	"ringfence/core/money"
	"ringfence/core/netlist"
	"ringfence/core/rating"
	"ringfence/core/restrict"
	"ringfence/edge/rest/api"
	"ringfence/flow/replay"
)

type replayCmd struct {
	Calls   string   `arg:"" optional:"" help:"Past calls: CSV, also .csv.gz and .csv.zst; - is standard input." placeholder:"CALLS"`
	Journal string   `help:"Instead of calls, a backup of a server (SQLite), or the word live for its store itself (SQLite or PostgreSQL): every verdict in its journal is given again under --rules, its configuration, and compared byte for byte." placeholder:"FILE"`
	Lines   string   `help:"Lines with their customers and settings, as CSV (default: every line has the provider's settings)." placeholder:"FILE"`
	Deck    string   `help:"Retail deck that prices the calls, as CSV (default: the sample deck of serve --demo)." placeholder:"FILE"`
	Rules   string   `help:"Configuration file whose provider settings, zone and slices are the rules (default: the built-in ones)." placeholder:"FILE"`
	Compare []string `sep:"none" help:"Another configuration file, or a folder of them: the calls are played through all. May be repeated." placeholder:"FILE"`
	Sweep   string   `help:"Play the calls through the rules with a setting at each of these values: international-ceiling=2..20, or 2..20/3 for steps of 3." placeholder:"SETTING=FROM..TO"`
	Hot     string   `help:"Hot list of numbers that every set of rules refuses, as ringfence hotlist import reads it." placeholder:"FILE"`
	Labels  string   `help:"What calls really were, as CSV with columns id and label: honest, disputed, refunded, or the name of an attack." placeholder:"FILE"`
	Out     string   `help:"Write a verdict for each row: id, verdict, allowed_seconds, cost, reason, finding, restricted_until." placeholder:"FILE"`
	Resume  bool     `help:"Go on with the --out of a run that was stopped: its calls are played again, its rows are kept."`
	Check   bool     `help:"Ask whether the rules should go live, whatever watch.calls says now: exit code 6 if they would have stopped more than 1 % of last month's honest calls, unless --yes is given."`
	Yes     bool     `help:"Confirm the rules that --check asks about."`
	HTML    string   `name:"html" help:"Write the report as one HTML page." placeholder:"FILE"`
	Format  string   `help:"Whose records these are: native, ringfence (cdr export), asterisk, freeswitch, kamailio or opensips (default: the one that fits)." enum:"native,ringfence,asterisk,freeswitch,kamailio,opensips," default:"" placeholder:"NAME"`
	Map     []string `sep:"none" help:"Name a column by hand: line=accountcode. May be repeated." placeholder:"FIELD=COLUMN"`
	Workers int      `help:"How many processors play calls (default: all)." placeholder:"N"`
}

// maxWorkers bounds what is set aside for workers: more never play faster.
const maxWorkers = 256

func (replayCmd) Help() string {
	return `Needs no server. Each call is judged by what was known before it: ceilings, caps, limits and prices as the server applies them.

The columns are id, time (2026-11-28T21:40:00Z), line, customer, kind (out or in), dialled, seconds (of talk that the caller wanted), ring_seconds, answered (1 or 0), source and user_agent; time, line, dialled and seconds must be there. The lines file has line, customer, zone, first_seen and number, and a column for each setting by its name.

A row that cannot be read is named and left out.`
}

// Run plays the calls and prints the results.
func (c *replayCmd) Run(s *session) error {
	switch {
	case (c.Calls == "") == (c.Journal == ""):
		return usagef("name a file of past calls, or a --journal")
	case c.Journal != "":
		return c.verify(s)
	}
	if err := c.apart(); err != nil {
		return err
	}
	o, err := c.options()
	if err != nil {
		return err
	}
	file, size, err := s.open(c.Calls)
	if err != nil {
		return err
	}
	defer file.Close()
	shown := &pace{from: file, to: s.progressTo(), size: size, began: time.Now()}
	in, err := unpacked(c.Calls, shown)
	if err != nil {
		return err
	}
	o.Progress = shown.at
	report, err := c.play(s, in, o)
	shown.end()
	if report == nil {
		return err
	}
	took := time.Since(shown.began)
	if c.HTML != "" {
		if err := s.writeTo(c.HTML, report.HTML); err != nil {
			return err
		}
	}
	if shownErr := s.emit(report, func() error { return s.showReplay(report, took) }); shownErr != nil {
		return shownErr
	}
	if err := c.stopped(report, err); err != nil {
		return err
	}
	return c.checked(s, report)
}

// checked asks for confirmation of rules that would have stopped too many honest calls.
func (c *replayCmd) checked(s *session, report *replay.Report) error {
	if !c.Check {
		return nil
	}
	if !report.Sets[0].Month.Loud {
		return s.say("\nThese rules can be put in force. New ones begin best in shadow, and then as a canary (watch.calls).")
	}
	if c.Yes {
		return nil
	}
	_ = s.say("\nThey would have stopped more than 1 %% of last month's honest calls: begin in shadow (watch.calls, or the life of a rule), or confirm them with --yes.")
	return errNothingDone
}

// verify gives the verdicts of a journal again.
func (c *replayCmd) verify(s *session) error {
	cfg, err := config.Load(c.Rules)
	if err != nil {
		return err
	}
	r, err := app.Verify(s.ctx, &cfg, c.Journal)
	if err != nil {
		return err
	}
	err = s.emit(r, func() error {
		_ = s.say("%s in %s: %d are the same byte for byte, %d differ.", api.Count(int(r.Verdicts), "verdict", "verdicts"), api.Count(int(r.Facts), "fact", "facts"), r.Same, r.Others)
		if r.Outside > 0 {
			_ = s.say("Of the same, refused for what is in no journal, after every rule had passed: %d.", r.Outside)
		}
		if r.Unknown > 0 {
			_ = s.say("Not given again, because the line is not in the book any more, or its settings not in the journal: %d.", r.Unknown)
		}
		for _, o := range r.First {
			_ = s.say("fact %d, call %s:\n  journal: %s\n  now:     %s", o.Seq, string(o.Call), o.Journal, o.Now)
		}
		return nil
	})
	if err == nil && r.Others > 0 {
		err = fmt.Errorf("%d verdicts would be others now", r.Others)
	}
	return err
}

// stopped says how to go on with a run that was stopped.
func (c *replayCmd) stopped(report *replay.Report, err error) error {
	switch {
	case !errors.Is(err, context.Canceled):
		return err
	case c.Out == "":
		return errors.New("stopped: the report is of the calls before")
	}
	return fmt.Errorf("stopped: the report is of the calls before, and %s has their rows (%d): the same command with --resume goes on", partOf(c.Out), report.Written)
}

// apart refuses to write a result over a file that is read, or over the other result.
func (c *replayCmd) apart() error {
	others := append([]string{c.Calls, c.Lines, c.Deck, c.Rules, c.Labels, c.Hot}, c.Compare...)
	for _, out := range []string{c.Out, c.HTML} {
		made, err := os.Stat(out)
		for _, other := range others {
			was, otherErr := os.Stat(other)
			if out != "" && out == other || err == nil && otherErr == nil && made.Mode().IsRegular() && os.SameFile(made, was) {
				return usagef("%s is another file of this command, and would be written over", out)
			}
		}
		others = append(others, out)
	}
	return nil
}

// partOf is where an output is written until it is whole.
func partOf(path string) string { return path + ".part" }

func (c *replayCmd) play(s *session, in io.Reader, o replay.Options) (*replay.Report, error) {
	if c.Out == "" {
		if c.Resume {
			return nil, usagef("--resume goes on with the --out of a run that was stopped: name it")
		}
		return replay.Run(s.ctx, in, o)
	}
	if info, err := os.Stat(c.Out); err == nil && !info.Mode().IsRegular() { // a pipe or a device has no part
		var report *replay.Report
		err := s.writeTo(c.Out, func(w io.Writer) (err error) {
			o.Verdicts = w
			report, err = replay.Run(s.ctx, in, o)
			return err
		})
		return report, err
	}
	f, err := c.part(&o)
	if err != nil {
		return nil, err
	}
	report, err := replay.Run(s.ctx, in, o)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), c.Out)
	}
	return report, err
}

// part opens what the verdicts are written to, behind the whole rows of the run that was stopped.
func (c *replayCmd) part(o *replay.Options) (*os.File, error) {
	if !c.Resume {
		f, err := os.OpenFile(partOf(c.Out), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		o.Verdicts = f
		return f, err
	}
	f, err := os.OpenFile(partOf(c.Out), os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("there is no run to go on with: %w", err)
	}
	size, err := wholeRows(f)
	if err == nil {
		err = f.Truncate(size)
	}
	if err == nil {
		_, err = f.Seek(size, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	o.Verdicts, o.Before = f, io.NewSectionReader(f, 0, size)
	return f, nil
}

// wholeRows is the length of a file without a last row that was not written to its end.
func wholeRows(f *os.File) (int64, error) {
	end, err := f.Seek(0, io.SeekEnd)
	for b := make([]byte, 64<<10); end > 0 && err == nil; {
		from := max(end-int64(len(b)), 0)
		if _, err = f.ReadAt(b[:end-from], from); err != nil {
			break
		}
		if i := bytes.LastIndexByte(b[:end-from], '\n'); i >= 0 {
			return from + int64(i) + 1, nil
		}
		end = from
	}
	return 0, err
}

func (c *replayCmd) options() (o replay.Options, err error) {
	if o.Workers = min(c.Workers, maxWorkers); o.Workers < 1 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Source.Format = c.Format; len(c.Map) > 0 {
		if o.Source.Map, err = replay.ParseMap(c.Map); err != nil {
			return o, usagef("%w", err)
		}
	}
	if o.Sets, err = c.sets(); err != nil {
		return o, err
	}
	o.Source.Zone = o.Sets[0].Zone
	if c.Lines != "" {
		if err := readFile(c.Lines, func(in io.Reader) (err error) { o.Lines, err = replay.ReadLines(in, o.Sets[0].Plan); return err }); err != nil {
			return o, err
		}
	}
	if c.Hot != "" {
		hot, err := readHot(c.Hot)
		if err != nil {
			return o, err
		}
		for i := range o.Sets {
			o.Sets[i].Hot = hot
		}
	}
	if c.Labels != "" {
		err = readFile(c.Labels, func(in io.Reader) (err error) { o.Labels, err = readLabels(in); return err })
	}
	return o, err
}

// maxSets bounds what one run compares.
const maxSets = 200

// sets are the sets of rules, of --rules first.
func (c *replayCmd) sets() (sets []replay.Set, err error) {
	var deck []byte
	if c.Deck != "" {
		if deck, err = readWhole(c.Deck, rating.MaxFileBytes); err != nil {
			return nil, err
		}
	}
	files := []string{c.Rules}
	for _, f := range c.Compare {
		all, err := configsIn(f)
		if err != nil {
			return nil, err
		}
		files = append(files, all...)
	}
	for _, f := range files {
		set, err := ruleSet(f, deck, c.Check)
		if err != nil {
			return nil, err
		}
		if len(sets) > 0 && set.Deck != nil && f != "" {
			set.Deck = sets[0].Deck // the same list, in the same currency
		}
		sets = append(sets, set)
	}
	if c.Sweep != "" {
		more, err := swept(&sets[0], c.Sweep)
		if err != nil {
			return nil, err
		}
		sets = append(sets, more...)
	}
	if len(sets) > maxSets {
		return nil, usagef("%d sets of rules: at most %d are compared in one run", len(sets), maxSets)
	}
	return sets, nil
}

// configsIn are the configuration files that an argument names: itself, or those of a folder, in the order of their names.
func configsIn(path string) ([]string, error) {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return []string{path}, nil // what is wrong with it is said when it is read
	}
	files, err := filepath.Glob(filepath.Join(path, "*.toml"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s has no file that ends in .toml", path)
	}
	return files, err
}

func ruleSet(file string, deck []byte, live bool) (replay.Set, error) {
	cfg, name := config.Complete(config.Config{}), "built-in rules"
	if file != "" {
		name = filepath.Base(file)
		var err error
		if cfg, err = config.Load(file); err != nil {
			return replay.Set{}, err
		}
	}
	if live {
		cfg.Watch.Calls = habit.Live.String()
	}
	set, err := app.ReplaySet(name, &cfg, deck)
	if err != nil {
		return set, fmt.Errorf("%s: %w", name, err)
	}
	return set, nil
}

// swept are copies of a set in which a setting goes through values: "international-ceiling=2..20/3".
func swept(of *replay.Set, sweep string) (sets []replay.Set, err error) {
	name, values, _ := strings.Cut(sweep, "=")
	values, stepText, stepped := strings.Cut(values, "/")
	fromText, toText, ok := strings.Cut(values, "..")
	from, err1 := strconv.Atoi(fromText)
	to, err2 := strconv.Atoi(toText)
	step := 1
	if stepped {
		if step, err = strconv.Atoi(stepText); err != nil || step < 1 {
			ok = false
		}
	}
	f, unknown := account.ParseField(name)
	switch {
	case unknown != nil:
		return nil, usagef("--sweep %s: %w", sweep, unknown)
	case !ok || err1 != nil || err2 != nil || from > to:
		return nil, usagef("--sweep %s: want SETTING=FROM..TO in whole numbers, such as international-ceiling=2..20", sweep)
	case (to-from)/step >= maxSets:
		return nil, usagef("--sweep %s: at most %d sets of rules are compared in one run", sweep, maxSets)
	}
	for n := from; n <= to; n += step {
		set := *of
		set.Name = fmt.Sprintf("%s=%d", name, n)
		if set.Provider.Values[f], err = replay.ParseSetting(f, strconv.Itoa(n)); err != nil {
			return nil, usagef("--sweep %s: %w", set.Name, err)
		}
		sets = append(sets, set)
	}
	return sets, nil
}

// readFile has a file read, and names it in what goes wrong.
func readFile(path string, read func(io.Reader) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := read(f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func readWhole(path string, most int64) (data []byte, err error) {
	err = readFile(path, func(in io.Reader) error {
		if data, err = io.ReadAll(io.LimitReader(in, most+1)); int64(len(data)) > most {
			return fmt.Errorf("longer than %d MiB", most>>20)
		}
		return err
	})
	return data, err
}

// readHot reads a hot list, under the name of its file. An entry applies until its end, whatever the present is.
func readHot(path string) (*restrict.Hot, error) {
	data, err := readWhole(path, netlist.MaxBytes)
	if err != nil {
		return nil, err
	}
	read, err := netlist.Parse(data, netlist.Options{Numbers: true})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	all := make([]restrict.Listed, len(read.Entries))
	for i, e := range read.Entries {
		all[i] = restrict.Listed{List: listName("", path), Range: e.Range, Way: e.Way, Until: e.Until, Why: e.Why}
	}
	return restrict.HotOf(all), nil
}

// readLabels reads id,label.
func readLabels(in io.Reader) (map[string]string, error) {
	r := csv.NewReader(in)
	head, err := r.Read()
	if err != nil || len(head) != 2 || head[0] != "id" || head[1] != "label" {
		return nil, errors.New("want the header id,label")
	}
	labels := map[string]string{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return labels, nil
		}
		if err != nil {
			return nil, err
		}
		labels[row[0]] = strings.TrimSpace(row[1])
	}
}

// unpacked is what a file holds, of which the name tells how it is packed.
func unpacked(name string, in io.Reader) (io.Reader, error) {
	switch filepath.Ext(name) {
	case ".gz":
		return gzip.NewReader(in)
	case ".zst":
		return zstd.NewReader(in, zstd.WithDecoderMaxMemory(64<<20))
	}
	return in, nil
}

// pace says on a terminal how many calls were read, how fast, and how long it will take, at most ten times a second.
type pace struct {
	from  io.Reader
	to    io.Writer    // nil: nowhere
	size  int64        // 0: unknown
	read  atomic.Int64 // bytes: what reads the file is another goroutine
	began time.Time
	shown time.Time
}

// Read passes on, and counts.
func (p *pace) Read(b []byte) (int, error) {
	n, err := p.from.Read(b)
	p.read.Add(int64(n))
	return n, err
}

func (p *pace) at(rows int64) {
	now := time.Now()
	if p.to == nil || now.Sub(p.shown) < 100*time.Millisecond || rows == 0 {
		return
	}
	p.shown = now
	took := now.Sub(p.began)
	text := fmt.Sprintf("%s, %.0f a second", api.Count(int(rows), "call", "calls"), float64(rows)/took.Seconds())
	if read := p.read.Load(); p.size > 0 && read > 0 {
		left := time.Duration(float64(took) * float64(p.size-read) / float64(read)).Round(time.Second)
		text += fmt.Sprintf(", %d%%, %v left", read*100/p.size, left)
	}
	fmt.Fprintf(p.to, "\r\x1b[K%s", text)
}

func (p *pace) end() {
	if p.to != nil && !p.shown.IsZero() {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}

// shownRows is how many rows of a table the terminal shows.
const shownRows = 10

func (s *session) showReplay(r *replay.Report, took time.Duration) error {
	if r.Rows == 0 {
		_ = s.say("No call could be played.")
	} else {
		_ = s.say("%s from %s to %s, played in %s (%.0f a second).", api.Count(int(r.Rows), "call", "calls"),
			r.From.Format(time.DateOnly), r.To.Format(time.DateOnly), took.Round(10*time.Millisecond), float64(r.Rows)/took.Seconds())
	}
	if r.Unreadable > 0 {
		_ = s.say("Rows that cannot be read and are left out: %d. The first:", r.Unreadable)
		for i := range r.Faults {
			_ = s.say("  %s", r.Faults[i].Error())
		}
	}
	if r.Late > 0 {
		_ = s.say("Rows that came long after calls of a later time, and were played at that time: %d.", r.Late)
	}
	if err := s.replaySets(r); err != nil {
		return err
	}
	for i, t := range r.Sets {
		of := ""
		if len(r.Sets) > 1 {
			of = " under " + t.Name
		}
		if i > 0 && len(r.Sets) > fullSets {
			break
		}
		if err := s.replaySet(of, t); err != nil {
			return err
		}
	}
	return nil
}

// fullSets is how many sets the terminal tells in full; of more it tells the first.
const fullSets = 2

func (s *session) replaySet(of string, t *replay.Tally) error {
	s.replayMonth(of, t)
	for _, x := range []struct {
		title, head string
		rows        []replay.Named
	}{{"What stopped calls", "rule", t.Rules}, {"Lines", "line", t.Lines}, {"Destinations", "destination", t.Destinations}, {"Days", "day", t.Days}} {
		if err := s.replayTable(x.title+of, x.head, x.rows); err != nil {
			return err
		}
	}
	if err := s.replayFindings(of, t); err != nil {
		return err
	}
	if len(t.Never) > 0 {
		_ = s.say("\nRules that never fired%s: %s.", of, strings.Join(t.Never, ", "))
	}
	return s.replayAttacks(of, t)
}

// replayMonth says what the rules would have done to last month's calls, loudly if they stop honest ones.
func (s *session) replayMonth(of string, t *replay.Tally) {
	m := &t.Month
	if m.All.Calls == 0 {
		return
	}
	what := "none is labelled: all count as honest"
	if t.Honest != nil || t.Disputed != nil || t.Refunded != nil || len(t.Attacks) > 0 {
		what = fmt.Sprintf("%d honest, %d disputed, %d refunded, %d of attacks", m.Honest.Stopped, m.Disputed.Stopped, m.Refunded.Stopped, m.Attacks.Stopped)
	}
	_ = s.say("\nOf the %d calls of the last month (from %s)%s %d would have been stopped: %s.", m.All.Calls, m.From, of, m.All.Stopped, what)
	if m.Loud {
		_ = s.say("%s", s.out.Paint(table.Bold, fmt.Sprintf("WARNING: these rules would have stopped %.1f %% of last month's honest calls (%d of %d). Do not put them in force before you know why.",
			100*float64(m.Honest.Stopped)/float64(m.Honest.Calls), m.Honest.Stopped, m.Honest.Calls)))
	}
}

// replayFindings says what the rules did that watch calls.
func (s *session) replayFindings(of string, t *replay.Tally) error {
	if len(t.Findings) == 0 {
		return nil
	}
	rows := table.New(table.Cut("finding"), table.Left("life"), table.Right("fired"), table.Right("stopped"), table.Right("honest"), table.Right("saved"))
	for _, f := range t.Findings {
		rows.Row(f.Name, f.Life, count(f.Fired), count(f.Stopped), count(f.Honest), shownMoney(f.Saved))
	}
	_ = s.say("\n%s", s.out.Paint(table.Bold, "Findings"+of+" (of a shadow: what it would have stopped)"))
	if err := s.table(rows, 2); err != nil {
		return err
	}
	signs := table.New(table.Cut("sign"), table.Right("factor"), table.Right("findings"), table.Right("stopped"), table.Right("honest"), table.Right("saved"))
	some := false
	for _, f := range t.Signs {
		if f.Fired > 0 {
			signs.Row(f.Name, fmt.Sprintf("%.2f", f.Factor), count(f.Fired), count(f.Stopped), count(f.Honest), shownMoney(f.Saved))
			some = true
		}
	}
	if !some {
		return nil
	}
	_ = s.say("\n%s", s.out.Paint(table.Bold, "Signs of these findings"+of))
	return s.table(signs, 2)
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

func shownMoney(m money.Micro) string { return money.Billing().Shown(m) }

// replaySets is a row for each set of rules.
func (s *session) replaySets(r *replay.Report) error {
	t := table.New(table.Left("rules"), table.Right("calls"), table.Right("refused"), table.Right("cut"), table.Right("let through"), table.Right("saved"))
	for _, x := range r.Sets {
		t.Row(x.Name, count(x.All.Calls), count(x.All.Refused), count(x.All.Cut), shownMoney(x.All.Let), shownMoney(x.All.Saved))
	}
	_ = s.say("")
	return s.table(t, 2)
}

func (s *session) replayTable(title, head string, rows []replay.Named) error {
	if len(rows) == 0 {
		return nil
	}
	t := table.New(table.Cut(head), table.Right("calls"), table.Right("refused"), table.Right("cut"), table.Right("let through"), table.Right("saved"))
	for _, x := range rows[:min(len(rows), shownRows)] {
		t.Row(x.Name, count(x.Calls), count(x.Refused), count(x.Cut), shownMoney(x.Let), shownMoney(x.Saved))
	}
	if more := len(rows) - shownRows; more > 0 {
		title += fmt.Sprintf(" (%d of %d; --json and --html have more)", shownRows, len(rows))
	}
	_ = s.say("\n%s", s.out.Paint(table.Bold, title))
	return s.table(t, 2)
}

func (s *session) replayAttacks(of string, t *replay.Tally) error {
	if t.Honest != nil {
		_ = s.say("\nHonest calls stopped%s: %d of %d (%.1f in 100,000).", of, t.Honest.Stopped(), t.Honest.Calls, 1e5*float64(t.Honest.Stopped())/float64(max(t.Honest.Calls, 1)))
	}
	if len(t.Attacks) == 0 {
		return nil
	}
	rows := table.New(table.Cut("attack"), table.Right("calls"), table.Right("stopped"), table.Right("let through"), table.Right("saved"), table.Right("stopped after"))
	for _, a := range t.Attacks {
		after := "never"
		if !a.StoppedAt.IsZero() {
			after = a.After.Round(time.Second).String()
		}
		rows.Row(a.Name, count(a.Calls), count(a.Stopped()), shownMoney(a.Let), shownMoney(a.Saved), after)
	}
	_ = s.say("\n%s", s.out.Paint(table.Bold, "Attacks"+of))
	return s.table(rows, 2)
}
