package main

import (
	"runtime"
	"runtime/debug"
	"strings"

	"ringfence/app"
)

type versionCmd struct{}

func (versionCmd) Run(s *session) error {
	v := map[string]string{"version": app.Version, "revision": revision(), "go": runtime.Version()}
	return s.emit(v, func() error { return s.say("%s", versionText()) })
}

func versionText() string {
	text := "ringfence " + app.Version
	if r := revision(); r != "" && !strings.Contains(text, r[:min(7, len(r))]) {
		text += " (" + r + ")"
	}
	return text + ", " + runtime.Version()
}

// revision is the commit that this was built from, as far as the build knew.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return ""
}
