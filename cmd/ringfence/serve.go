package main

import (
	"os"

	"ringfence/app"
	"ringfence/app/config"
	"ringfence/core/habit"
)

type serveCmd struct {
	Demo   bool   `help:"Run a sample provider with a test carrier on the loopback interface; its data is in ringfence-data/demo."`
	Config string `help:"Configuration file (default: RINGFENCE_CONFIG, ringfence.toml, /etc/ringfence/ringfence.toml)." placeholder:"FILE"`
	Data   string `help:"With --demo: folder for its data." placeholder:"FOLDER"`
	Bare   bool   `help:"With --demo: no past week of calls, and no calls of its own."`
}

func (serveCmd) Help() string {
	return `SIGTERM and Ctrl-C stop the server; calls in progress continue at the next start. SIGHUP reloads the configuration, certificates and decks.

` + examples(
		"ringfence serve --demo",
		"ringfence serve --config /etc/ringfence/ringfence.toml",
		"RINGFENCE_STORE_DSN=postgres://ringfence@db/ringfence ringfence serve",
	)
}

// Run serves until it is stopped.
func (c *serveCmd) Run(s *session) error {
	cfg, err := c.configuration()
	if err != nil {
		return err
	}
	program := "ringfence"
	if path, err := os.Executable(); err == nil && os.Args[0] != program {
		program = displayPath(path)
	}
	return app.Serve(s.ctx, cfg, s.out, s.errOut, program)
}

func (c *serveCmd) configuration() (config.Config, error) {
	switch {
	case c.Demo && c.Config != "":
		return config.Config{}, usagef("--demo takes no configuration: leave out --config")
	case c.Demo:
		cfg := config.Demo(c.Data)
		if cfg.DemoLife = !c.Bare; cfg.DemoLife {
			cfg.Watch.Calls = habit.Live.String()
		}
		return cfg, nil
	case c.Bare:
		return config.Config{}, usagef("--bare goes with --demo")
	case c.Data != "":
		return config.Config{}, usagef("--data goes with --demo; else set data in the configuration file")
	}
	return config.Load(c.Config)
}
