package main

import (
	"bytes"
	"context"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func chromium(t *testing.T) string {
	t.Helper()
	const path = "/usr/bin/chromium"
	if _, err := exec.LookPath(path); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no chromium: apt-get install chromium")
		}
		t.Skip("no chromium here: apt-get install chromium")
	}
	return path
}

// TestTheBrowserSeesFaults: a check that finds nothing proves little.
func TestTheBrowserSeesFaults(t *testing.T) {
	b := newBrowser(t.Context(), chromium(t))
	defer b.close()
	page := `<title>x</title><h1>x</h1><h1>y</h1><div style="width:2000px">wide</div><button style="height:20px">small</button>` +
		`<p style="color:#999;background:#fff">pale</p><p style="font-size:9px">tiny</p><img src="http://127.0.0.1:1/spy.png">`
	_, faults, err := b.look(&scene{url: "data:text/html," + url.PathEscape(page), says: "Thank you"}, 390, false, false)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(faults, "\n")
	for _, want := range []string{"pixels wide", "fetched", "no language", "one h1", "“small” is 20", "“pale” has a contrast of 2.8", "“tiny” is set in 9px", `headed "x", and not "Thank you"`} {
		if !strings.Contains(all, want) {
			t.Errorf("no word of %q in\n%s", want, all)
		}
	}
}

// TestNoticesInABrowser lays every notice and answer page out at phone width: nothing wider than the screen, nothing
// fetched, buttons for fingers, contrast for eyes. The pictures are made by running the program.
func TestNoticesInABrowser(t *testing.T) {
	chrome := chromium(t)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
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
		if s.folder == "" && !strings.Contains(text, "images/mail/"+s.name+"-wide.png") {
			t.Errorf("%s is not shown", s.name)
		}
	}
}
