//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"ringfence/e2e/process"
	"ringfence/edge/phone"
)

// Guards: pages that work in tests of handlers, and not under a thumb or without a mouse. The demonstration runs, and Chromium does what its people do: the
// owner of the hotel signs in by link, lowers and raises, hangs up and locks; staff work the queue by keyboard alone; axe-core looks at every page.
func TestPagesInABrowser(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	s, owner, staff := demonstration(t)
	chris, sam := newVisitor(browser, t, 390, demoSite), newVisitor(browser, t, 1100, demoSite)
	t.Run("sign in by link", func(t *testing.T) {
		v := chris.as(t)
		v.signIn(owner)
		v.sees("Your lines", "2031")
		v.open(owner)
		v.sees("used")
		v.open("/lines/2031")
		v.sees("Front desk")
	})
	t.Run("lower a ceiling and raise it", func(t *testing.T) { lowerAndRaise(s, chris.as(t)) })
	t.Run("hang up", func(t *testing.T) { hangUp(s, chris.as(t)) })
	t.Run("lock from any page", func(t *testing.T) {
		v := chris.as(t)
		v.open("/money")
		v.press("Lock my lines")
		v.sees("Emergency calls")
		v.press("Lock the ticked lines")
		eventually(t, 5*time.Second, "both lines are locked", func() bool {
			return s.isLocked("2031") && s.isLocked("2032")
		})
	})
	t.Run("the queue by keyboard", func(t *testing.T) { workQueue(s, sam.as(t), staff) })
	t.Run("axe", func(t *testing.T) {
		axe := axeCore(t)
		chris.as(t).examine(axe, "/", "/lines", "/lines/2032", "/lines/2032/countries", "/lines/2032/setup", "/lines/2032/fit", "/calls", "/money", "/people", "/changes", "/history", "/notices",
			"/requests", "/requests/new", "/numbers", "/tokens", "/me", "/help", "/lock", "/report", "/nothing-here", "/status", "/status/incidents", "/status/mail", "/security")
		sam.as(t).examine(axe, "/staff", "/staff/queue/1", "/staff/rules", "/staff/trunks", "/staff/lists", "/staff/status", "/staff/audit", "/staff/search?q=2032",
			"/staff/customers/hotel", "/staff/lines/2032", "/people", "/me")
	})
}

// lowerAndRaise: the day cap of a line goes down at once; up it waits, and can be stopped.
func lowerAndRaise(s *server, v *visitor) {
	const field = `input[name="line-day-cap"]`
	s.cli("customer", "cooling-off", "hotel", "--wait", "24h")
	v.open("/lines/2031")
	v.fill(field, "5")
	v.pressBeside(field, "Save")
	eventually(v.t, 5*time.Second, "the cap is £5", func() bool { return strings.Contains(s.cli("line", "show", "2031"), "£5.00") })
	v.open("/lines/2031")
	v.fill(field, "45")
	v.pressBeside(field, "Save")
	eventually(v.t, 5*time.Second, "the raise waits", func() bool { return strings.Contains(s.cli("change", "list"), "2031") })
	if out := s.cli("line", "show", "2031"); strings.Contains(out, "£45.00") {
		v.t.Errorf("it is in force already:\n%s", out)
	}
	v.open("/changes")
	v.sees("45")
	v.press("Stop this change")
	eventually(v.t, 5*time.Second, "nothing waits", func() bool { return !strings.Contains(s.cli("change", "list"), "2031") })
}

// hangUp ends a call of a real phone from the list of calls.
func hangUp(s *server, v *visitor) {
	const number = "02079460321"
	password, err := phone.ReadPassword(filepath.Join(s.dir, "passwords"), "2031")
	must(v.t, err)
	up := call(v.t, s.dial("2031", password), number)
	v.open("/calls")
	v.sees("020 7946 0321")
	v.pressIn("020 7946 0321", "Hang up")
	select {
	case <-up.Done():
	case <-time.After(5 * time.Second):
		v.t.Error("the call is up after five seconds")
	}
}

// workQueue moves to a finding, locks its line, takes that back, and closes the finding, all with keys.
func workQueue(s *server, v *visitor, link string) {
	s.cli("line", "unlock", "2032")
	v.signIn(link)
	v.at("/me")
	v.open("/staff")
	v.sees("risk tonight")
	v.key("j")
	v.key(kb.Enter)
	v.at("/staff/queue/")
	v.key("l")
	eventually(v.t, 5*time.Second, "a line is locked", func() bool { return s.isLocked("2032") })
	v.at("did=lock")
	v.key("u")
	eventually(v.t, 5*time.Second, "the line is open again", func() bool { return !s.isLocked("2032") })
	v.at("did=unlock")
	v.key("d")
	v.at("closed=")
	v.key("g")
	v.key("q")
	v.sees("risk tonight")
}

// isLocked says so of one of the demonstration's lines.
func (s *server) isLocked(line string) bool {
	return strings.Contains(s.cli("line", "show", line), "locked")
}

// demonstration runs `serve --demo`, and gives the links that sign its customer and its staff in.
func demonstration(t *testing.T) (s *server, owner, staff string) {
	t.Helper()
	for _, port := range []string{"5060", "9560", "9561"} {
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			without(t, "port "+port+", which the demonstration has, is in use: "+err.Error())
		}
		l.Close()
	}
	dir := t.TempDir()
	s = &server{t: t, dir: filepath.Join(dir, "data")}
	var err error
	s.log, err = os.Create(filepath.Join(dir, "log"))
	must(t, err)
	t.Cleanup(s.end)
	s.cmd = exec.Command(program, "serve", "--demo", "--data", s.dir)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	must(t, process.Launch(s.cmd))
	gone, cmd := make(chan struct{}), s.cmd
	s.gone = gone
	go func() {
		_ = cmd.Wait()
		close(gone)
	}()
	var links []string
	eventually(t, time.Minute, "the demonstration says how to sign in", func() bool {
		links = regexp.MustCompile(`http://\S+/in/link/\S+`).FindAllString(s.logText(), -1)
		return len(links) == 2
	})
	s.sip = netip.MustParseAddrPort("127.0.0.1:5060")
	return s, links[0], links[1]
}

// without ends a test that lacks something: it fails where everything is to be tested, and is skipped elsewhere.
func without(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// chromium starts a browser for the length of a test.
func chromium(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		without(t, "no chromium here: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("disable-component-update", true))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, stopTab := chromedp.NewContext(ctx)
	t.Cleanup(stopTab)
	must(t, chromedp.Do(ctx))
	return ctx
}

// visitor is a person at a browser of their own.
type visitor struct {
	t    *testing.T
	ctx  context.Context
	site string // scheme, host and port of the pages
}

// demoSite is where the demonstration has its pages.
const demoSite = "http://127.0.0.1:9561"

func newVisitor(browser context.Context, t *testing.T, width int64, site string) *visitor {
	t.Helper()
	ctx, stop := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(stop)
	v := &visitor{t, ctx, site}
	must(t, chromedp.Do(ctx, chromedp.EmulateViewport(width, 800)))
	return v
}

// as is the visitor in a part of the test.
func (v *visitor) as(t *testing.T) *visitor { return &visitor{t, v.ctx, v.site} }

// do takes steps, each of which may last as long as a page on a busy machine does.
func (v *visitor) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	ctx, done := context.WithTimeout(v.ctx, 20*time.Second)
	defer done()
	if err := chromedp.Do(ctx, steps...); err != nil {
		v.t.Fatalf("%s: %v\n%s", what, err, v.text())
	}
}

func (v *visitor) open(path string) {
	v.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = v.site + path
	}
	v.until("it opens "+path, func() bool { // a form that was just sent may still take the tab elsewhere
		ctx, done := context.WithTimeout(v.ctx, 10*time.Second)
		defer done()
		return chromedp.Do(ctx, chromedp.Navigate(path)) == nil
	})
}

// signIn opens a link that works once, and presses its button.
func (v *visitor) signIn(link string) {
	v.t.Helper()
	v.open(link)
	v.click("document.querySelector('main')", "Sign in")
}

// ask evaluates; while one page gives way to the next there is no answer.
func ask[T any](v *visitor, expression string) (T, bool) {
	ctx, done := context.WithTimeout(v.ctx, 5*time.Second)
	defer done()
	answer, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	return answer, err == nil
}

// text is what stands on the page.
func (v *visitor) text() string {
	text, _ := ask[string](v, "document.body.innerText")
	return text
}

func (v *visitor) sees(texts ...string) {
	v.t.Helper()
	for _, want := range texts {
		v.until("the page says "+want, func() bool { return strings.Contains(v.text(), want) })
	}
}

// at waits until the address has a part.
func (v *visitor) at(part string) {
	v.t.Helper()
	v.until("the address has "+part, func() bool {
		at, _ := ask[string](v, "document.readyState == 'complete' ? location.href : ''")
		return strings.Contains(at, part)
	})
}

func (v *visitor) until(what string, ok func() bool) {
	v.t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			at, _ := ask[string](v, "location.href")
			v.t.Fatalf("not so: %s. %s is:\n%s", what, at, v.text())
		}
		elapse(50 * time.Millisecond)
	}
}

func (v *visitor) key(keys string) {
	v.t.Helper()
	v.do("the key "+keys, chromedp.KeyEvent(keys))
}

func (v *visitor) fill(field, text string) {
	v.t.Helper()
	v.do("fill in "+field, chromedp.SetValue(chromedp.CSS(field), text))
}

// press clicks the first link or button that says so, where it is on the screen.
func (v *visitor) press(label string) { v.t.Helper(); v.click("document", label) }

// pressIn does it in the row that has a text, pressBeside in the form of a field.
func (v *visitor) pressIn(row, label string) {
	v.t.Helper()
	v.click(fmt.Sprintf("[...document.querySelectorAll('li, tr, section')].findLast(e => e.innerText.includes(%s))", quoted(row)), label)
}

func (v *visitor) pressBeside(field, label string) {
	v.t.Helper()
	v.click(fmt.Sprintf("document.querySelector(%s).form", quoted(field)), label)
}

func (v *visitor) click(within, label string) {
	v.t.Helper()
	var spot []float64
	v.until("there is a button "+label, func() bool {
		var ok bool
		spot, ok = ask[[]float64](v, fmt.Sprintf(`(() => {
  const e = [...(%s)?.querySelectorAll("a, button") ?? []].find((e) => e.checkVisibility() && e.innerText.includes(%s));
  if (!e) return [];
  e.scrollIntoView({ block: "center", behavior: "instant" });
  const box = e.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
  return e.contains(document.elementFromPoint(x, y)) ? [x, y] : [];
})()`, within, quoted(label)))
		return ok && len(spot) == 2
	})
	v.do("press "+label, chromedp.MouseClickXY(spot[0], spot[1]))
}

func quoted(text string) string {
	b, _ := json.Marshal(text) // a string always can
	return string(b)
}

// examine has axe-core look at pages, wide and on a phone, in light and dark colours.
func (v *visitor) examine(axe string, paths ...string) {
	for _, path := range paths {
		v.open(path)
		_, ok := ask[bool](v, axe+"; true")
		if !ok {
			v.t.Fatalf("%s: axe-core does not start", path)
		}
		for _, width := range []int64{1100, 390} {
			for _, scheme := range []string{"light", "dark"} {
				media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
					{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}, // no colour is on its way
				}}
				// So high that no bar at the edge lies on anything.
				v.do("look at "+path, chromedp.EmulateViewport(width, 12_000), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
					_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, media)
					return err
				}))
				for _, fault := range v.faults(scheme == "dark") {
					v.t.Errorf("%s, %d wide, %s: %s", path, width, scheme, fault)
				}
			}
		}
	}
}

// faults are what axe-core finds: of levels A and AA and of good practice, or where only the colours are others of those.
func (v *visitor) faults(colours bool) []string {
	only := `{ type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }`
	if colours {
		only = `{ type: "rule", values: ["color-contrast"] }`
	}
	ctx, done := context.WithTimeout(v.ctx, 3*time.Minute)
	defer done()
	found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](fmt.Sprintf(`(async () => {
  const r = await axe.run(document, { runOnly: %s, resultTypes: ["violations"] });
  return r.violations.flatMap((x) => x.nodes.map((n) => x.id + ": " + n.target.join(" ") + ": " + n.failureSummary.replace(/\s+/g, " ") + " " + n.html.slice(0, 200)));
})()`, only), chromedp.EvalAwaitPromise))
	must(v.t, err)
	return found
}
