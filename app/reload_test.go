package app_test

import (
	"context"
	"strings"
	"testing"
)

// Guards: a file of places that cannot be read at a reload is not said to be in force.
func TestReloadOfWrongGeoFiles(t *testing.T) {
	cfg := demoConfig(t)
	p := start(t, cfg)
	defer p.stop()
	cfg.Geo.Files = []string{t.TempDir() + "/none.mmdb"}
	for range 2 {
		p.app.Reload(context.Background(), cfg)
	}
	log := p.log.String()
	if strings.Count(log, "what was known before stays") != 2 || strings.Contains(log, "field=geo.files") {
		t.Error("it is said to have changed")
	}
}
