package main

import (
	"bytes"
	"os"
	"testing"
)

// TestUpToDate fails when kinds.go or docs/journal.md is not what kinds.txt makes of it.
func TestUpToDate(t *testing.T) {
	d, err := read("..")
	if err != nil {
		t.Fatal(err)
	}
	code, err := d.code()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]byte{"../kinds.go": code, "../../../docs/journal.md": d.page()} {
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what core/fact/kinds.txt makes of it (%v): run go generate ./core/fact", path, err)
		}
	}
}
