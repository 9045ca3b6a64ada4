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

// TestReloadOfWatchedCalls guards: a server that was started without the stage that watches calls must not say that a reload has put it in force, and one that
// has it follows the new rules at once.
func TestReloadOfWatchedCalls(t *testing.T) {
	for _, begun := range []string{"off", "shadow"} {
		cfg := demoConfig(t)
		cfg.Watch.Calls = begun
		p := start(t, cfg)
		cfg.Watch.Calls = "live"
		p.app.Reload(context.Background(), cfg)
		log := p.log.String()
		waits, changed := strings.Contains(log, `msg="needs a restart to take effect" field=watch.calls`), strings.Contains(log, "msg=changed field=watch.calls")
		if off := begun == "off"; waits != off || changed == off {
			t.Errorf("begun %s: it waits for a restart %v, it has changed %v\n%s", begun, waits, changed, log)
		}
		if begun == "shadow" {
			cfg.Watch.Calls = "off"
			p.app.Reload(context.Background(), cfg)
			if log := p.log.String(); strings.Count(log, "msg=changed field=watch.calls") != 2 {
				t.Errorf("not switched off:\n%s", log)
			}
		}
		p.stop()
	}
}
