package main

import (
	"fmt"
	"strconv"
	"time"

	"ringfence/app"
	"ringfence/app/config"
	"ringfence/app/score"
	"ringfence/cmd/ringfence/table"
	"ringfence/core/account"
	"ringfence/core/money"
	"ringfence/edge/rest/api"
	"ringfence/sim"
)

type drillCmd struct {
	Scenario   string `arg:"" help:"Name of a scenario that simulate --list shows." placeholder:"SCENARIO"`
	SettingsOf string `help:"Give the attacked lines the settings of this line of the server." placeholder:"LINE" predict:"line"`
	Rules      string `help:"Configuration file whose provider settings apply (default: the built-in ones)." placeholder:"FILE"`
	Seed       uint64 `help:"Number from which everything is drawn (default: that of the scenario)." placeholder:"N"`
}

func (drillCmd) Help() string {
	return `Plays an attack of the simulator against invented customers, whose attacked lines may have the settings of one of yours. No call is made and nothing is changed: the server is only asked for the settings. Shows what the attack costs with calls watched and without, and what is done when.

  ringfence drill gambia-night
  ringfence drill weekend-burst --settings-of 2001
  ringfence drill stolen-login --rules ringfence.toml --seed 7 --json`
}

// Run plays the scenario twice.
func (c *drillCmd) Run(s *session) error {
	scenario, err := sim.Load(c.Scenario)
	if err != nil {
		return err
	}
	if len(scenario.Attacks) == 0 {
		return usagef("scenario %s has no attack: ringfence simulate --list shows which have", c.Scenario)
	}
	o := sim.Options{Seed: c.Seed}
	if c.SettingsOf != "" {
		if o.Victims, err = settingsOf(s, c.SettingsOf); err != nil {
			return err
		}
	}
	world, err := scenario.World(o)
	if err != nil {
		return err
	}
	cfg := config.Default()
	if c.Rules != "" {
		if cfg, err = config.Load(c.Rules); err != nil {
			return err
		}
	}
	watched, err := app.ReplaySet("watched", &cfg, sim.Deck())
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
	case account.UnitSwitch:
		return map[bool]string{true: "on", false: "off"}[n > 0]
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
