package ringfence

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ringfence/core/fact"
)

// floors from the bottom up: a package may import its own floor and those below, under the exceptions of the table.
var floors = []string{"core", "state", "flow", "edge", "sim", "app", "cmd"}

// barred: a package under the first path must not import one under the second, although the floors would allow it.
var barred = []struct{ from, to, why string }{
	{"edge", "ringfence/state", "an edge asks flow and never sees a database"},
	{"edge/sip", "ringfence/edge/rest", "protocols do not know each other"},
	{"edge/rest", "ringfence/edge/sip", "protocols do not know each other"},
	{"state/counters", "ringfence/state/store", "counts are not money"},
	{"flow/ledger", "ringfence/flow/", "the ledger owns the money rows and knows no other stage"},
	{"flow/auth", "ringfence/flow/", "auth is asked and asks nobody"},
	{"flow/guard", "ringfence/flow/", "the guard is asked, and asks only what reads digests"},
	{"flow/location", "ringfence/flow/", "location is asked and asks nobody"},
	{"flow/book", "ringfence/flow/", "the book is asked and asks nobody"},
	{"flow/device", "ringfence/flow/", "device is told and asks nobody"},
	{"flow/people", "ringfence/flow/gate", "who signs in is nothing to a call"},
	{"flow/ban", "ringfence/flow/", "ban is told and asks nobody"},
	{"flow/flood", "ringfence/flow/", "flood counts and asks nobody"},
	{"flow/health", "ringfence/flow/", "health answers for the store and asks no stage"},
	{"flow/keep", "ringfence/flow/", "it must not know what it keeps"},
	{"flow/notify", "ringfence/flow/answer", "notices are sent here, and answers are acted on there"},
	{"flow/door", "ringfence/flow/notify", "nobody waits at the door for mail"},
	{"flow/door", "ringfence/flow/span", "stages do not know that they are traced"},
	{"flow/gate", "ringfence/flow/span", "stages do not know that they are traced"},
	{"flow/gate", "ringfence/flow/door", "the door asks the gate, never the other way round"},
	{"flow/gate", "ringfence/flow/notify", "a call does not wait for mail"},
	{"flow/play", "ringfence/flow/", "play gets everything from its caller, and none of it is real"},
	{"flow/play", "ringfence/state/store", "played money is not stored"},
	{"edge/mail", "ringfence/edge/", "protocols do not know each other"},
	{"edge/webhook", "ringfence/edge/", "protocols do not know each other"},
	{"edge/web", "ringfence/edge/", "protocols do not know each other"},
	{"edge/kernel", "ringfence/edge/", "protocols do not know each other"},
	{"edge/feed", "ringfence/edge/", "protocols do not know each other"},
	{"edge/internal", "ringfence/edge/", "what edges share must not know them"},
	{"sim", "ringfence/state", "the simulator stores nothing"},
	{"sim", "ringfence/flow", "the simulator knows the form of a call, and nobody who judges one"},
	{"sim", "ringfence/edge", "the simulator speaks no protocol"},
	{"sim", "ringfence/core/habit", "what looks for attacks and what makes them up know nothing of each other"},
	{"sim", "ringfence/core/detect", "what looks for attacks and what makes them up know nothing of each other"},
	{"flow", "ringfence/state/store/sqlite", "engines are chosen in app"},
	{"flow", "ringfence/state/store/postgres", "engines are chosen in app"},
	{"flow", "database/sql", "SQL stays in state"},
	{"edge", "database/sql", "SQL stays in state"},
	{"app", "database/sql", "SQL stays in state"},
	{"cmd", "ringfence/flow", "the CLI is a client of the API; serve goes through app"},
	{"cmd", "ringfence/state", "the CLI is a client of the API; serve goes through app"},
}

// shared are packages below several others of their floor, and know none of them: the rows of barred do not apply to them.
var shared = map[string]string{
	"ringfence/flow/journal":           "stages write to the journal within one kind of limit, and follow it in one way",
	"ringfence/flow/auth":              "digests know nobody",
	"ringfence/flow/play":              "past calls are played by the shell that knows nobody",
	"ringfence/flow/replay":            "past calls are played without a server",
	"ringfence/flow/keep":              "what is kept and shared is written once, below the stages that have it",
	"ringfence/edge/internal/certfile": "the edges that speak HTTPS read their certificates in one way",
	"ringfence/edge/internal/fair":     "and share out their connections in one way",
}

// impure is what core must not import: it does I/O, keeps time or logs.
var impure = []string{"os", "net", "net/http", "io/fs", "syscall", "log", "log/slog", "context", "database/sql", "os/exec", "golang.org/x/sys"}

// clock is what core must not call: now is an argument.
var clock = map[string]bool{"Now": true, "Since": true, "Until": true, "After": true, "Sleep": true, "Tick": true, "NewTimer": true, "NewTicker": true, "AfterFunc": true}

// timed are stages that decide about time and so are given it. They have timers, and read the time in one function, called
// clock.
var timed = map[string]bool{"flow/gate": true, "flow/play": true}

// timers are what a stage of timed may still call.
var timers = map[string]bool{"After": true, "NewTimer": true, "NewTicker": true}

func TestImportsOnlyGoDown(t *testing.T) {
	files := 0
	eachFile(t, func(path string, f *ast.File) {
		files++
		pkg := filepath.ToSlash(filepath.Dir(path))
		for _, spec := range f.Imports {
			to, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			checkImport(t, path, pkg, to)
		}
		if (under(pkg, "core") || timed[pkg]) && !isGenerator(path) {
			checkClock(t, path, f)
		}
	})
	if files < 50 {
		t.Fatalf("only %d files looked at: is this the root of the module?", files)
	}
}

func checkImport(t *testing.T, path, pkg, to string) {
	t.Helper()
	test := strings.HasSuffix(path, "_test.go")
	from := floor(pkg)
	if up := floor(strings.TrimPrefix(to, "ringfence/")); strings.HasPrefix(to, "ringfence/") && !test && from >= 0 && up > from {
		t.Errorf("%s imports %s: arrows only go down (%s)", path, to, strings.Join(floors, " → "))
	}
	for _, b := range barred {
		if under(pkg, b.from) && !test && shared[to] == "" && (to == b.to || strings.HasPrefix(to, strings.TrimSuffix(b.to, "/")+"/")) && !under(to, "ringfence/"+b.from) {
			t.Errorf("%s imports %s: %s", path, to, b.why)
		}
	}
	for _, i := range impure {
		if under(pkg, "core") && !test && to == i && !isGenerator(path) {
			t.Errorf("%s imports %s: core does no I/O, keeps no time and does not log", path, to)
		}
	}
}

func checkClock(t *testing.T, path string, f *ast.File) {
	t.Helper()
	if strings.HasSuffix(path, "_test.go") {
		return
	}
	stage := timed[filepath.ToSlash(filepath.Dir(path))]
	ast.Inspect(f, func(n ast.Node) bool {
		if d, ok := n.(*ast.FuncDecl); ok && stage && d.Name.Name == "clock" {
			return false
		}
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && clock[sel.Sel.Name] && !(stage && timers[sel.Sel.Name]) {
			t.Errorf("%s calls time.%s: now is an argument", path, sel.Sel.Name)
		}
		return true
	})
}

// lockRooms are the packages that may ask whether an IP lock allows an address: the one that reads the lock, the one that words the
// refusal, and the door, which all others ask.
var lockRooms = []string{"core/account", "core/policy", "flow/door"}

// TestTheIPLockIsOneRule guards that the rule of the IP lock is applied in a second place, which would differ one day.
func TestTheIPLockIsOneRule(t *testing.T) {
	seen := map[string]int{}
	eachFile(t, func(path string, f *ast.File) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		pkg := filepath.ToSlash(filepath.Dir(path))
		ast.Inspect(f, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, _ := sel.X.(*ast.Ident)
			if sel.Sel.Name != "Allows" && (x == nil || x.Name != "account" || sel.Sel.Name != "Allowed") {
				return true
			}
			if seen[pkg]++; !slices.Contains(lockRooms, pkg) {
				t.Errorf("%s asks the IP lock itself: ask flow/door, which may say yes or no", path)
			}
			return true
		})
	})
	if seen["core/policy"] != 1 || seen["flow/door"] != 1 {
		t.Errorf("the IP lock is asked %d times in core/policy and %d times in flow/door, want once each", seen["core/policy"], seen["flow/door"])
	}
}

// The SIP edge asks eight questions and notifies (docs/decisions/0043); everything else is a setting or an event.
func TestTheSIPEdgeAsksAHandful(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "edge/sip/edge.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok && spec.Name.Name == "Door" {
			found = true
			if n := spec.Type.(*ast.InterfaceType).Methods.NumFields(); n > 9 {
				t.Errorf("sip.Door has %d methods", n)
			}
		}
		return true
	})
	if !found {
		t.Error("sip.Door is not in edge/sip/edge.go")
	}
}

// TestEveryPackageSaysWhatItHolds wants one package comment in each package: what it holds and what it must not know.
func TestEveryPackageSaysWhatItHolds(t *testing.T) {
	docs, seen := map[string]int{}, map[string]bool{}
	eachFile(t, func(path string, f *ast.File) {
		if strings.HasSuffix(path, "_test.go") || isGenerator(path) {
			return
		}
		dir := filepath.Dir(path)
		seen[dir] = true
		if f.Doc != nil {
			docs[dir]++
		}
	})
	for dir := range seen {
		if docs[dir] != 1 {
			t.Errorf("%s has %d package comments, want one", dir, docs[dir])
		}
	}
}

// TestFactsAreNamedOnce: a kind of fact is spelt in core/fact alone, so that no reader waits for a kind that is never written. Tests, the
// suites that the stores share (they end in "test") and migrations, which are history, say what is stored.
func TestFactsAreNamedOnce(t *testing.T) {
	kinds := map[string]bool{}
	for _, kind := range fact.Kinds {
		kinds[kind] = true
	}
	eachFile(t, func(path string, f *ast.File) {
		dir := filepath.ToSlash(filepath.Dir(path))
		if under(dir, "core/fact") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(dir, "test") {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil && kinds[text] {
					t.Errorf("%s spells the kind %s: take its constant from core/fact", path, text)
				}
			}
			return true
		})
	})
}

func eachFile(t *testing.T, see func(path string, f *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules" || name == "bin") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		see(path, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// isGenerator says that a file is of a program run by go generate, which is no part of the package above it.
func isGenerator(path string) bool { return strings.Contains(path, "/gen/") }

func under(pkg, dir string) bool { return pkg == dir || strings.HasPrefix(pkg, dir+"/") }

// floor is the index of a package's floor, -1 for what is on none (e2e, bench, the standard library).
func floor(pkg string) int {
	for i, f := range floors {
		if under(pkg, f) {
			return i
		}
	}
	return -1
}
