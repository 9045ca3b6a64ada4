package main

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ringfence": main})
}

// TestScripts runs the files of testdata: the real binary against the real server, each in a folder of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": ready,
			"exits": exits,
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
	const config = "[sip]\nudp = ['127.0.0.1:0']\ntcp = []\n[provider]\nzone = 'Europe/London'\n"
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
