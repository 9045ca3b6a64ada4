package config

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Guards: app.Serve raises GOMAXPROCS; SIGHUP must not then ask for a restart because of a field that nobody has set.
func TestReloadAfterGOMAXPROCSWasRaised(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.toml")
	if err := os.WriteFile(path, []byte("data = \"x\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	old, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1 + runtime.GOMAXPROCS(0)))
	again, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if changes := Diff(old, again); len(changes) != 0 {
		t.Error(changes)
	}
}
