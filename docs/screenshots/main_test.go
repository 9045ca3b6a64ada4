package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestNoticesInABrowser lays every notice and answer page out at phone width: nothing wider than the screen, nothing
// fetched, buttons for fingers, contrast for eyes. The pictures are made by running the program.
func TestNoticesInABrowser(t *testing.T) {
	const chrome = "/usr/bin/chromium"
	if _, err := exec.LookPath(chrome); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no chromium: apt-get install chromium")
		}
		t.Skip("no chromium here: apt-get install chromium")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	w, err := newWorld(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	b := newBrowser(ctx, chrome)
	defer b.close()
	for i, s := range w.scenes {
		dark := i%2 == 1 // every other one: both colours are of the same style sheets
		_, faults, err := b.look(&s, 390, dark, false)
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		for _, f := range faults {
			t.Errorf("%s: %s", s.name, f)
		}
	}
}

// TestTheIndexNamesEveryKind: and shows every scene.
func TestTheIndexNamesEveryKind(t *testing.T) {
	w, err := newWorld(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	text := string(index(w))
	for _, m := range w.mails {
		for _, want := range []string{"\n## " + string(m.Kind) + "\n", "images/mail/" + string(m.Kind) + "-wide.png", "images/mail/" + string(m.Kind) + "-phone.png"} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q", want)
			}
		}
		for _, bad := range []string{"src=", "url(", "@import", "<link", "<script"} {
			if bytes.Contains([]byte(m.HTML), []byte(bad)) {
				t.Errorf("the mail %s has %q: mails fetch nothing", m.Kind, bad)
			}
		}
	}
	for _, s := range w.scenes {
		if !strings.Contains(text, "images/mail/"+s.name+"-wide.png") {
			t.Errorf("%s is not shown", s.name)
		}
	}
}
