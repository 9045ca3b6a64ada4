package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"ringfence/app"
	"ringfence/app/config"
	"ringfence/app/score"
	"ringfence/sim"
)

type scoreCmd struct {
	Scenarios []string `arg:"" optional:"" name:"scenario" help:"Names of scenarios that simulate --list shows (default: all of them)." placeholder:"SCENARIO"`
	Seeds     int      `default:"5" help:"How many seeds each scenario is played with."`
	From      uint64   `default:"201" help:"The first seed. The built-in rules were tuned on seeds below 200."`
	Weeks     int      `help:"How many weeks of calls (default: those of the scenarios)." placeholder:"N"`
	Workers   int      `help:"How many cores to use (default: all)." placeholder:"N"`
	Out       string   `help:"File to write the tables to, as Markdown." placeholder:"FILE"`
}

func (scoreCmd) Help() string {
	return `Needs no server. Plays the simulator's scenarios through sets of rules that stand for what others do and through the built-in ones, and writes what an attack costs under each and how many honest calls each stops. Attacks that ceilings and caps stop before £5 are left out.

  ringfence score                                  # all scenarios with five seeds
  ringfence score gambia-night wangiri --seeds 20
  ringfence score --seeds 20 --out score.md`
}

// Run plays every scenario with every seed.
func (c *scoreCmd) Run(s *session) error {
	cfg := config.Default()
	base, err := app.ReplaySet("built-in", &cfg, sim.Deck())
	if err != nil {
		return err
	}
	names := c.Scenarios
	if len(names) == 0 {
		names = sim.Names()
	}
	if c.Seeds < 1 || c.Seeds > 10_000 {
		return usagef("--seeds is %d, want 1 to 10000", c.Seeds)
	}
	workers := cmp.Or(max(c.Workers, 0), runtime.GOMAXPROCS(0))
	sets, began := score.Sets(base), time.Now()
	var misses []string
	everyone, keptBack := &score.Table{}, &score.Table{}
	to, n := s.progressTo(), 0
	for _, name := range names {
		scenario, err := sim.Load(name)
		if err != nil {
			return err
		}
		var ours, reference []score.Outcome
		for seed := range c.Seeds {
			if err := s.ctx.Err(); err != nil {
				return err
			}
			world, err := scenario.World(sim.Options{Seed: c.From + uint64(seed), Weeks: c.Weeks})
			if err != nil {
				return err
			}
			outcomes, err := score.Run(world, workers, sets...)
			if err != nil {
				return err
			}
			table := everyone
			if strings.Contains(name, "kept-back") {
				table = keptBack
			}
			table.Add(sets, outcomes)
			ours, reference = append(ours, outcomes[len(sets)-1]), append(reference, outcomes[len(sets)-2])
			n++
			left := time.Since(began) / time.Duration(n) * time.Duration(len(names)*c.Seeds-n)
			if to != nil {
				_, _ = fmt.Fprintf(to, "\r\033[K%s, seed %d: %d of %d runs, %s left", name, c.From+uint64(seed), n, len(names)*c.Seeds, left.Round(time.Second))
			}
		}
		misses = append(misses, score.Misses(scenario, ours, reference)...)
	}
	if to != nil {
		_, _ = io.WriteString(to, "\r\033[K")
	}
	return c.write(s, everyone, keptBack, misses, time.Since(began))
}

func (c *scoreCmd) write(s *session, everyone, keptBack *score.Table, misses []string, took time.Duration) error {
	write := func(to io.Writer) error {
		if !everyone.Empty() {
			if err := everyone.Write(to); err != nil {
				return err
			}
		}
		if !keptBack.Empty() {
			_, _ = io.WriteString(to, "\nKinds of customer that were kept back from tuning:\n\n")
			if err := keptBack.Write(to); err != nil {
				return err
			}
		}
		if len(misses) > 0 {
			_, _ = io.WriteString(to, "\nNot as the scenarios expect:\n\n- "+strings.Join(misses, "\n- ")+"\n")
		}
		return nil
	}
	if c.Out == "" {
		return write(s.out)
	}
	head := fmt.Sprintf("# What attacks cost\n\nMade by `ringfence score --seeds %d --from %d`; [the simulator](simulator.md#scores) says how, and what the rules of others are.\n\n", c.Seeds, c.From)
	if err := s.writeTo(c.Out, func(to io.Writer) error { _, err := io.WriteString(to, head); return errors.Join(err, write(to)) }); err != nil {
		return err
	}
	return s.say("Tables written to %s in %s.", c.Out, took.Round(time.Second))
}
