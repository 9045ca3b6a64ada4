package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ringfence/cmd/ringfence/table"
)

// binaryFolder is the folder of the binary that scripts run: built as it is shipped, for under the race detector each of some
// hundred short commands takes half a second to begin.
var binaryFolder string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if binaryFolder, err = os.MkdirTemp("", "ringfence-scripts"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(binaryFolder)
		build := exec.Command("go", "build", "-o", filepath.Join(binaryFolder, "ringfence"), ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building the binary: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// TestScripts runs the files of testdata: the real binary against the real server, each in a folder of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready":      ready,
			"exits":      exits,
			"eventually": eventually,
			"keep":       keep,
			"narrow":     narrow,
		},
	})
}

const notifyKey = "notify"

// setup gives a script a configuration with ports that nobody else has, and a socket like systemd's, by which the server
// says that it is ready.
func setup(env *testscript.Env) error {
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(env.WorkDir, "notify"), Net: "unixgram"})
	if err != nil {
		return err
	}
	env.Defer(func() { socket.Close() })
	env.Values[notifyKey] = socket
	env.Setenv("NOTIFY_SOCKET", socket.LocalAddr().String())
	env.Setenv("TZ", "UTC")
	env.Setenv("PATH", binaryFolder+string(filepath.ListSeparator)+env.Getenv("PATH"))
	// A second configuration for scripts whose phones must know the port; found free a moment ago.
	free, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	env.Setenv("SIP", free.LocalAddr().String())
	guarded := fmt.Sprintf("[sip]\nudp = ['%s']\ntcp = []\n[provider]\nzone = 'Europe/London'\n[shield]\nkernel = 'off'\nnever = ['192.0.2.250']\n"+
		"feeds = ['local=%s']\n[notify]\ndesk = ['fraud@example.net']\n", free.LocalAddr(), filepath.Join(env.WorkDir, "feed.txt"))
	if err := errors.Join(free.Close(), os.WriteFile(filepath.Join(env.WorkDir, "guarded.toml"), []byte(guarded), 0o600)); err != nil {
		return err
	}
	const config = "[sip]\nudp = ['127.0.0.1:0']\ntcp = []\n[provider]\nzone = 'Europe/London'\n[shield]\nkernel = 'off'\n"
	return os.WriteFile(filepath.Join(env.WorkDir, "ringfence.toml"), []byte(config), 0o600)
}

// ready waits until the server of the script has said so.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: ready")
	}
	socket := ts.Value(notifyKey).(*net.UnixConn)
	ts.Check(socket.SetReadDeadline(time.Now().Add(20 * time.Second)))
	buf := make([]byte, 1024)
	for {
		n, err := socket.Read(buf)
		ts.Check(err)
		if bytes.Contains(buf[:n], []byte("READY=1")) {
			return
		}
	}
}

// exits runs a program that must end with a code: exits 3 ringfence decide …
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG…]")
	}
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// eventually runs a program again and again until its output matches, for what comes of the journal a moment later:
// eventually PATTERN PROGRAM [ARG…].
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually PATTERN PROGRAM [ARG…]")
	}
	wanted, err := regexp.Compile(args[0])
	ts.Check(err)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range 200 {
		var exit *exec.ExitError
		if err := ts.Exec(args[1], args[2:]...); !errors.As(err, &exit) { // status fails until the server is ready
			ts.Check(err)
		}
		if wanted.MatchString(ts.ReadFile("stdout")) {
			return
		}
		<-tick.C
	}
	ts.Fatalf("%s never matched %s; at last it said:\n%s", args[1:], args[0], ts.ReadFile("stdout"))
}

// keep puts what the last output has for a pattern's first group into a variable: keep VARIABLE PATTERN.
func keep(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: keep VARIABLE PATTERN")
	}
	wanted, err := regexp.Compile(args[1])
	ts.Check(err)
	found := wanted.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) < 2 {
		ts.Fatalf("nothing in the output matches %s", args[1])
	}
	ts.Setenv(args[0], found[1])
}

// tables are the commands that print tables, with names that the scripts use; what a script has not is no fault.
var tables = []string{
	"status", "check", "calls list", "cdr list", "cdr list --line 2001", "journal", "request list --state all", "restriction list --line 2001", "bill list", "bill show 1", "payment list", "credit list", "customer list", "customer list --removed",
	"customer show acme", "reseller list", "reseller show north", "customer usage acme", "customer contact list acme", "customer number list acme", "line list", "line list --removed", "line show 2001", "line devices 2001", "line advice 2001", "line fit 2001",
	"line registrations", "line usage 2001", "trunk list", "trunk show carrier-a", "trunk show self", "trunk test self", "deck list", "deck rows retail",
	"deck diff retail", "ban list", "ban feeds", "hotlist list", "hotlist feeds", "rules list", "ban why 203.0.113.9", "lockout list", "case list", "case show 1", "case calls 1", "case numbers 1", "case links 1", "case timeline 1", "case settlement 1", "case settlement 1 --cost --calls", "claim list", "claim show 1", "plan list", "plan show 1", "finding list", "finding show 1", "hold list --all", "retention status", "incident list", "incident show 1", "notice list", "notice show 1",
	"notice preview --list", "customer person list acme", "customer person token list acme", "change list", "staff list", "staff token list maya", "exposure", "exposure --line 2001", "exposure --customer acme --until month", "geo 203.0.113.9", "decide --line 2001 --to 09098790123", "decide --line 2001 --to 02079460000",
}

// narrow wants every table to fit 80 columns with the data that the script has made; a single sentence may be longer.
func narrow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: narrow")
	}
	for _, command := range tables {
		var exit *exec.ExitError
		if err := ts.Exec("ringfence", strings.Fields(command)...); err != nil && !errors.As(err, &exit) {
			ts.Check(err)
		}
		lines := strings.Split(strings.TrimSuffix(ts.ReadFile("stdout"), "\n"), "\n")
		for _, line := range lines {
			sentence := strings.HasSuffix(line, ".") || strings.HasPrefix(line, "  (")
			if n := table.Width(line); n > usualWidth && len(lines) > 1 && !sentence {
				ts.Fatalf("ringfence %s: %d columns: %s", command, n, line)
			}
		}
	}
}

// Every command that shows things is among those whose tables are measured.
func TestEveryTableIsMeasured(t *testing.T) {
	shows := map[string]bool{"list": true, "show": true, "devices": true, "registrations": true, "usage": true, "feeds": true, "why": true, "rows": true, "diff": true}
	for _, leaf := range grammar(t).Model.Leaves(true) {
		path := strings.TrimPrefix(leaf.FullPath(), "ringfence ")
		if shows[leaf.Name] && !slices.ContainsFunc(tables, func(c string) bool { return c == path || strings.HasPrefix(c, path+" ") }) && path != "cdr show" {
			t.Errorf("nobody measures the table of %s", path)
		}
	}
}
