package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// browser is one Chromium with one tab.
type browser struct {
	ctx  context.Context
	stop []context.CancelFunc
}

func newBrowser(ctx context.Context, path string) *browser {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("hide-scrollbars", true))
	ctx, stopBrowser := chromedp.NewExecAllocator(ctx, options...)
	ctx, stopTab := chromedp.NewContext(ctx)
	return &browser{ctx, []context.CancelFunc{stopTab, stopBrowser}}
}

func (b *browser) close() {
	for _, stop := range b.stop {
		stop()
	}
}

// check finds what is wrong with a page as it is laid out; it returns sentences.
//
//go:embed check.js
var check string

// look shows a scene at a width, in light or dark colours. Unless it stays where it is, it opens the page, and presses its
// button if the scene is what comes of that.
func (b *browser) look(s *scene, width int64, dark, stay bool) (shot []byte, faults []string, err error) {
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	steps := []chromedp.Action[chromedp.Void]{
		chromedp.EmulateViewport(width, 500),
		chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, media)
			return err
		}),
	}
	if !stay {
		steps = append(steps, chromedp.Navigate(s.url))
	}
	if !stay && s.press {
		steps = append(steps, chromedp.Click(chromedp.CSS("button")), chromedp.WaitVisible(chromedp.CSS(".result")))
	}
	if err := chromedp.Do(b.ctx); err != nil { // starts it, in the context that it is to live in
		return nil, nil, err
	}
	ctx, done := context.WithTimeout(b.ctx, patience)
	defer done()
	if err := chromedp.Do(ctx, steps...); err != nil {
		return nil, nil, fmt.Errorf("%w: the page is:\n%s", err, b.source())
	}
	if faults, err = chromedp.Run(b.ctx, chromedp.Evaluate[[]string](check)); err != nil {
		return nil, nil, err
	}
	if s.says != "" {
		heading, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.querySelector('h1').textContent"))
		if err != nil {
			return nil, nil, err
		}
		if !strings.Contains(heading, s.says) {
			faults = append(faults, fmt.Sprintf("it is headed %q, and not %q", heading, s.says))
		}
	}
	shot, err = chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	return shot, faults, err
}

// patience is how long a page may take; one that never shows what it should must not hold up a run for ever.
const patience = 30 * time.Second

// source is the page as it is, for an error.
func (b *browser) source() string {
	html, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.documentElement.outerHTML"))
	if err != nil {
		return err.Error()
	}
	return html
}

// smaller makes a PNG of at most 48 colours: these pictures have few, and the shades of letters' edges need no more.
func smaller(shot []byte) ([]byte, error) {
	img, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		return nil, err
	}
	r := img.Bounds()
	count := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA { c, _ := color.RGBAModel.Convert(img.At(x, y)).(color.RGBA); return c }
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			count[at(x, y)]++
		}
	}
	var colours []color.RGBA
	for c := range count {
		colours = append(colours, c)
	}
	key := func(c color.RGBA) int { return int(c.R)<<16 | int(c.G)<<8 | int(c.B) }
	slices.SortFunc(colours, func(a, b color.RGBA) int { // the same picture always gives the same file
		if n := count[b] - count[a]; n != 0 {
			return n
		}
		return key(a) - key(b)
	})
	var palette color.Palette
	for _, c := range colours[:min(len(colours), 48)] {
		palette = append(palette, c)
	}
	nearest := map[color.RGBA]uint8{}
	for c := range count {
		nearest[c] = uint8(palette.Index(c)) // below 48
	}
	out := image.NewPaletted(r, palette)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			out.SetColorIndex(x, y, nearest[at(x, y)])
		}
	}
	var b bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, out)
	return b.Bytes(), err
}
