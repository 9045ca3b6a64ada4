package main

import (
	"ringfence/app/config"
	"ringfence/edge/rest/api"
)

type configCmd struct {
	Check     configCheck     `cmd:"" help:"Check a configuration file." eg:"; /etc/ringfence/ringfence.toml"`
	Reference configReference `cmd:"" help:"Print every field with its default and meaning, as a configuration file." eg:"> ringfence.toml; --markdown"`
}

type configCheck struct {
	Config string `arg:"" optional:"" help:"Configuration file (default: the one that serve would read)." placeholder:"FILE"`
	File   string `name:"config" help:"The same." placeholder:"FILE" hidden:""`
}

// Run loads it as serve would.
func (c *configCheck) Run(s *session) error {
	path := c.Config
	if path == "" {
		path = c.File
	}
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	changes := config.Diff(config.Default(), cfg)
	return s.emit(map[string]any{"file": cfg.File, "ok": true, "changed": changes}, func() error {
		if cfg.File == "" {
			return s.say("There is no configuration file: every field has its default (ringfence config reference prints them).")
		}
		return s.say("%s is valid; %s from the default.", cfg.File, api.Count(len(changes), "field differs", "fields differ"))
	})
}

type configReference struct {
	Markdown bool `help:"Print it as Markdown, as in docs/configuration.md."`
}

func (c *configReference) Run(s *session) error {
	text := config.Reference()
	if c.Markdown {
		text = config.Markdown()
	}
	_, err := s.out.Write([]byte(text))
	return err
}
