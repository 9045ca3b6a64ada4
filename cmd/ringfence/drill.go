package main

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"ringfence/app"
	"ringfence/app/config"
	"ringfence/app/score"
	"ringfence/cmd/ringfence/table"
	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/edge/rest/api"
	"ringfence/flow/replay"
	"ringfence/sim"
)

type drillCmd struct {
	Scenario   string `arg:"" optional:"" help:"Name of a scenario that simulate --list shows." placeholder:"SCENARIO"`
	SettingsOf string `help:"Give the attacked lines the settings of this line of the server, or with --adaptive and without --kind play that line with its own calls; defaults is a line without settings of its own." placeholder:"LINE" predict:"line"`
	Rules      string `help:"Configuration file whose provider settings apply (default: the built-in ones)." placeholder:"FILE"`
	Seed       uint64 `help:"Number from which everything is drawn (default: that of the scenario)." placeholder:"N"`
	Adaptive   bool   `help:"Instead of a scenario: an attacker who knows the rules and the settings looks for the dearest way past them."`
	Kind       string `help:"With --adaptive: an invented customer of this kind is attacked; simulate --list shows the kinds." placeholder:"KIND"`
	EveryKind  bool   `help:"With --adaptive: a customer of each kind, one after another."`
	Earning    bool   `help:"With --adaptive: only destinations that the attacker can earn from: abroad, or 5p a minute and more."`
	Strategies int    `default:"10000" help:"With --adaptive: how many strategies are played." placeholder:"N"`
	Workers    int    `default:"2" help:"With --adaptive: how many processors play." placeholder:"N"`
}

func (drillCmd) Help() string {
	return `Plays an attack of the simulator against invented customers, whose attacked lines may have the settings of one of yours. No call is made and nothing is changed: the server is only asked for the settings. Shows what the attack costs with calls watched and without, and what is done when.

  ringfence drill gambia-night
  ringfence drill weekend-burst --settings-of 2001
  ringfence drill stolen-login --rules ringfence.toml --seed 7 --json

With --adaptive there is no scenario. An attacker who knows the rules and the settings tries thousands of strategies: destinations of the whole price list, hours, lengths, concurrent calls, test calls ahead, pauses, waiting for the end of restrictions, ranges, lines, the own telephone or another network. Each begins where the line's own calls of the past have left its habits and its money. Shows the dearest strategy, what Ringfence did about it, and the one setting that would have reduced the loss most. Ctrl-C ends it with the best so far. A seed gives the same result with any number of workers.

  ringfence drill --adaptive --settings-of 2001
  ringfence drill --adaptive --kind small-office --strategies 2000 --seed 7
  ringfence drill --adaptive --kind hotel --settings-of defaults --json
  ringfence drill --adaptive --every-kind --earning --strategies 1000`
}

// Run plays the scenario twice, or has an attacker look for his own.
func (c *drillCmd) Run(s *session) error {
	if c.Adaptive {
		return c.adapt(s)
	}
	if c.Scenario == "" {
		return usagef("name a SCENARIO that simulate --list shows, or --adaptive")
	}
	scenario, err := sim.Load(c.Scenario)
	if err != nil {
		return err
	}
	if len(scenario.Attacks) == 0 {
		return usagef("scenario %s has no attack: ringfence simulate --list shows which have", c.Scenario)
	}
	o := sim.Options{Seed: c.Seed}
	watched, err := c.rules()
	if err != nil {
		return err
	}
	if o.Victims, err = c.settings(s, &watched); err != nil {
		return err
	}
	o.Victims = slices.DeleteFunc(o.Victims, func(x sim.Setting) bool { return !sim.Knows(x.Field) })
	world, err := scenario.World(o)
	if err != nil {
		return err
	}
	alone := watched
	alone.Habits = nil
	if to := s.progressTo(); to != nil {
		_, _ = fmt.Fprintf(to, "Playing %d weeks of calls, which takes some seconds …\r", scenario.Weeks)
	}
	drills, err := score.RunDrill(world, alone, watched)
	if err != nil {
		return err
	}
	return c.show(s, drills)
}

// rules are those that calls are played through.
func (c *drillCmd) rules() (replay.Set, error) {
	cfg, err := config.Default(), error(nil)
	if c.Rules != "" {
		if cfg, err = config.Load(c.Rules); err != nil {
			return replay.Set{}, err
		}
	}
	return app.ReplaySet("watched", &cfg, sim.Deck())
}

// settings are those that the attacked lines have instead of their own; nil: they keep them.
func (c *drillCmd) settings(s *session, set *replay.Set) (all []sim.Setting, err error) {
	switch c.SettingsOf {
	case "":
		return nil, nil
	case "defaults":
		e := account.Resolve(time.Time{}, &set.Provider)
		for f := range account.NumFields {
			all = append(all, sim.Setting{Field: f, Value: inLines(f, e.Values[f])})
		}
		return all, nil
	}
	return settingsOf(s, c.SettingsOf)
}

// settingsOf asks the server for what is in force for a line.
func settingsOf(s *session, id string) (all []sim.Setting, err error) {
	line, err := fetch[api.LineDetail](s, "GET /v1/lines/{id}", api.LineID{ID: id})
	if err != nil {
		return nil, err
	}
	for _, x := range line.Settings {
		f, err := account.ParseField(x.Field)
		if err != nil {
			continue // a newer server has it
		}
		all = append(all, sim.Setting{Field: f, Value: inLines(f, x.N)})
	}
	return all, nil
}

// inLines writes a setting as lines.csv has it.
func inLines(f account.Field, n int64) string {
	switch f.Unit() {
	case account.UnitRate:
		return money.Rate(n).Pence()
	case account.UnitAmount:
		return money.Micro(n).String()
	case account.UnitSwitch, account.UnitChoice:
		return account.Format(f, n)
	}
	return strconv.FormatInt(n, 10)
}

// drilled is one attack, for --json.
type drilled struct {
	Attack      string    `json:"attack"`
	Begin       time.Time `json:"begin"`
	Alone       int64     `json:"loss_alone_micro"`
	Watched     int64     `json:"loss_watched_micro"`
	FirstAction *float64  `json:"first_action_s"`
	Stopped     int       `json:"honest_calls_stopped"`
	Timeline    []string  `json:"timeline"`
}

func (c *drillCmd) show(s *session, drills []score.Drill) error {
	var all []drilled
	for _, d := range drills {
		x := drilled{Attack: d.Attack.Label, Begin: d.Attack.Begin, Alone: int64(d.Alone.Loss), Watched: int64(d.Watched.Loss), Stopped: d.Stopped}
		if d.Watched.Acted {
			seconds := d.Watched.After.Seconds()
			x.FirstAction = &seconds
		}
		for _, m := range d.Timeline {
			x.Timeline = append(x.Timeline, m.At.Format("2006-01-02 15:04:05")+" "+m.Text)
		}
		all = append(all, x)
	}
	alone, watched := score.Loss(drills)
	return s.emit(map[string]any{"scenario": c.Scenario, "loss_alone_micro": alone, "loss_watched_micro": watched, "attacks": all}, func() error {
		t := table.New(table.Left("attack"), table.Right("unwatched"), table.Right("watched"), table.Right("first action"), table.Right("honest stopped"))
		for i, d := range drills {
			first := "none"
			if d.Watched.Acted {
				first = "after " + d.Watched.After.Round(time.Second).String()
			}
			t.Row(d.Attack.Label, amount(all[i].Alone), amount(all[i].Watched), first, strconv.Itoa(d.Stopped))
		}
		if err := s.table(t, 0); err != nil {
			return err
		}
		for _, x := range all {
			_ = s.say("\n%s", s.out.Paint(table.Bold, x.Attack))
			for _, line := range x.Timeline {
				_ = s.say("  %s", line)
			}
		}
		return s.say("\nAll attacks together: %s under the settings alone, %s with calls watched.", amount(int64(alone)), amount(int64(watched)))
	})
}
