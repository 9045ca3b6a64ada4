package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"ringfence/flow/watch"
)

// TestTheQueueIsWorkedByKeyboardAlone: somebody of the fraud desk opens the dearest finding, locks its line, undoes that, bans the address and
// says that it was a false alarm, without a pointer.
func TestTheQueueIsWorkedByKeyboardAlone(t *testing.T) {
	chrome := chromium(t)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	w, err := newWorld(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	room, stolen, err := newBackroom(ctx, w)
	if err != nil {
		t.Fatal(err)
	}
	defer room.close()
	b := newBrowser(ctx, chrome)
	defer b.close()
	if err := chromedp.Do(b.ctx); err != nil {
		t.Fatal(err)
	}
	// press sends keys, and waits for what they lead to.
	press := func(keys, selector string) {
		t.Helper()
		ctx, done := context.WithTimeout(b.ctx, patience)
		defer done()
		if err := chromedp.Do(ctx, chromedp.KeyEvent(keys), chromedp.WaitVisible(chromedp.CSS(selector))); err != nil {
			t.Fatalf("%q does not lead to %s: %v, on\n%s", keys, selector, err, b.source())
		}
	}
	locked := func() bool { l, _ := room.book.Line("2003"); return l.Locked() }
	path := fmt.Sprintf("/staff/queue/%d", stolen)
	if err := chromedp.Do(b.ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(room.base+"/staff"), chromedp.WaitVisible(chromedp.CSS("[data-list]"))); err != nil {
		t.Fatal(err)
	}
	press("?", "dialog#keys[open]")
	press(kb.Escape, "[data-list]")
	press("j", `a[href="`+path+`"]`)
	for range 6 {
		at, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.activeElement.getAttribute('href') ?? ''"))
		if err != nil {
			t.Fatal(err)
		}
		if at == path {
			break
		}
		press("j", "[data-list]")
	}
	press(kb.Enter, ".deeds")
	press("l", `.toast button[data-key="u"]`)
	if !locked() {
		t.Error("L did not lock the line")
	}
	press("u", `.deeds button[data-key="l"]`)
	if locked() {
		t.Error("U did not open it again")
	}
	press("b", `.toast button[data-key="u"]`)
	press("f", "table[data-list]")
	open, err := room.watch.Findings(ctx, watch.Filter{Open: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range open {
		if f.ID == stolen {
			t.Error("F did not close the finding")
		}
	}
	press("/", "#find:focus")
	// The debugger's protocol sends a character of its own after a key, which the page cannot refuse as it does a person's.
	press(kb.Backspace+"2003"+kb.Enter, `a[href="/staff/lines/2003"]`)
	press("g", "body")
	press("q", "table[data-list]")
}
