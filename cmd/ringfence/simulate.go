package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
	"ringfence/sim"
)

type simulateCmd struct {
	Scenario string `arg:"" optional:"" help:"Name of a scenario that --list shows, or a scenario file (.toml)." placeholder:"SCENARIO"`
	Out      string `help:"Folder to write calls.csv, lines.csv, labels.csv and retail.csv to." placeholder:"DIR"`
	Seed     uint64 `help:"Number from which everything is drawn: the same seed gives the same calls (default: that of the scenario)." placeholder:"N"`
	Weeks    int    `help:"How many weeks of calls (default: those of the scenario)." placeholder:"N"`
	Lines    int    `help:"About how many honest lines (default: those of the scenario)." placeholder:"N"`
	Zst      bool   `help:"Write calls.csv.zst, which is about a fifth of the size."`
	List     bool   `help:"List the scenarios and the kinds of customer."`
}

func (simulateCmd) Help() string {
	return `Needs no server. Makes up the calls of a provider: honest customers with their habits, and attacks on them after published incidents. Numbers, prices and addresses are invented; no call is made.

The files are those that ringfence replay reads:

  ringfence simulate gambia-night --out night
  ringfence replay night/calls.csv --lines night/lines.csv --deck night/retail.csv --labels night/labels.csv`
}

// Run lists the scenarios, or writes the calls of one.
func (c *simulateCmd) Run(s *session) error {
	if c.List {
		return c.list(s)
	}
	if c.Scenario == "" || c.Out == "" {
		return usagef("want a SCENARIO and --out DIR, or --list")
	}
	scenario, err := c.load()
	if err != nil {
		return err
	}
	world, err := scenario.World(sim.Options{Seed: c.Seed, Weeks: c.Weeks, Lines: c.Lines})
	if err != nil {
		return err
	}
	began := time.Now()
	done, err := c.write(s, world)
	if err != nil {
		return err
	}
	took := max(time.Since(began), time.Millisecond)
	return s.emit(simulated{done, len(world.Lines()), len(world.Attacks()), c.Out}, func() error {
		return s.say("%s of %s written to %s in %s (%.0f a second), %d of them of %s.", api.Count(int(done.Calls), "call", "calls"),
			api.Count(len(world.Lines()), "line", "lines"), c.Out, took.Round(10*time.Millisecond), float64(done.Calls)/took.Seconds(),
			done.OfAttacks, api.Count(len(world.Attacks()), "attack", "attacks"))
	})
}

// simulated is what was written, for --json.
type simulated struct {
	sim.Written
	Lines   int    `json:"lines"`
	Attacks int    `json:"attacks"`
	Out     string `json:"out"`
}

func (c *simulateCmd) load() (*sim.Scenario, error) {
	if !strings.HasSuffix(c.Scenario, ".toml") {
		return sim.Load(c.Scenario)
	}
	data, err := readWhole(c.Scenario, 1<<20)
	if err != nil {
		return nil, err
	}
	return sim.Parse(filepath.Base(c.Scenario), data)
}

func (c *simulateCmd) write(s *session, world *sim.World) (done sim.Written, err error) {
	if err := os.MkdirAll(c.Out, 0o750); err != nil {
		return done, err
	}
	for name, write := range map[string]func(io.Writer) error{
		"lines.csv":  world.WriteLines,
		"retail.csv": func(w io.Writer) error { _, err := w.Write(sim.Deck()); return err },
	} {
		if err := s.writeTo(filepath.Join(c.Out, name), write); err != nil {
			return done, err
		}
	}
	shown := &pace{to: s.progressTo(), size: int64(world.End.Sub(world.Begin)), began: time.Now()}
	name := "calls.csv"
	if c.Zst {
		name += ".zst"
	}
	err = s.writeTo(filepath.Join(c.Out, name), func(calls io.Writer) error {
		return s.writeTo(filepath.Join(c.Out, "labels.csv"), func(labels io.Writer) error {
			packed, closed := calls, func() error { return nil }
			if c.Zst {
				z, err := zstd.NewWriter(calls)
				if err != nil {
					return err
				}
				packed, closed = z, z.Close
			}
			done, err = world.WriteCalls(packed, labels, func(n int64, at time.Time) error {
				shown.read.Store(int64(at.Sub(world.Begin)))
				shown.at(n)
				return s.ctx.Err()
			})
			return errors.Join(err, closed())
		})
	})
	shown.end()
	return done, err
}

func (c *simulateCmd) list(s *session) error {
	type listed struct {
		Name      string `json:"name"`
		About     string `json:"about"`
		Published string `json:"published,omitempty"`
		Weeks     int    `json:"weeks"`
		Attacks   int    `json:"attacks"`
	}
	var all []listed
	for _, name := range sim.Names() {
		x, err := sim.Load(name)
		if err != nil {
			return err
		}
		n := 0
		for i := range x.Attacks {
			n += x.Attacks[i].Count
		}
		all = append(all, listed{name, x.About, x.Published, x.Weeks, n})
	}
	return s.emit(struct {
		Scenarios []listed   `json:"scenarios"`
		Kinds     []sim.Kind `json:"kinds"`
	}{all, sim.Kinds()}, func() error {
		t := table.New(table.Left("scenario"), table.Right("weeks"), table.Right("attacks"), table.Cut("about"))
		for _, x := range all {
			t.Row(x.Name, fmt.Sprint(x.Weeks), fmt.Sprint(x.Attacks), x.About)
		}
		if err := s.table(t, 0); err != nil {
			return err
		}
		t = table.New(table.Left("kind"), table.Left("kept back"), table.Cut("about"))
		for _, k := range sim.Kinds() {
			kept := ""
			if k.KeptBack {
				kept = "yes"
			}
			t.Row(k.Name, kept, k.About)
		}
		_ = s.say("")
		return s.table(t, 0)
	})
}
