// Package valkeytest runs a Valkey or Redis server of its own for tests. It is for tests and measurements only and must
// not be imported by the product.
package valkeytest

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Server is a running server, with nothing saved to disk: Stop loses all. Stop and Start it to see how an engine bears that.
type Server struct {
	dir  string
	bin  string
	args []string
	port int // on 127.0.0.1, the same for each Start
	cmd  *exec.Cmd
	done chan struct{}
}

var one struct {
	sync.Once
	s   *Server
	err error
}

var prefixes atomic.Int64

// Prefix is one that no other test of this process has.
func Prefix() string { return fmt.Sprintf("test%d:", prefixes.Add(1)) }

// Shared is the server of this process, started at the first call. It dies with the process. Without a server to run the
// test is skipped, or fails when the environment variable CI is set.
func Shared(t testing.TB) *Server {
	t.Helper()
	one.Do(func() { one.s, one.err = start() })
	if one.err != nil {
		lacking(t, one.err)
	}
	return one.s
}

// Own is a server for one test alone, ended with it; args are for its command line, such as "--requirepass", "secret".
func Own(t testing.TB, args ...string) *Server {
	t.Helper()
	s, err := start(args...)
	if err != nil {
		lacking(t, err)
	}
	t.Cleanup(func() {
		s.Stop()
		os.RemoveAll(s.dir)
	})
	return s
}

func lacking(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") == "" {
		t.Skipf("no Valkey or Redis to test with (%v): apt-get install redis-server", err)
	}
	t.Fatalf("no Valkey or Redis to test with: %v", err)
}

const folder = "ringfence-vk-"

// start does not use t.TempDir: a socket's path has 107 bytes at most. Folders of processes that are gone are removed.
func start(args ...string) (*Server, error) {
	s := &Server{args: args}
	var err error
	for _, name := range []string{"valkey-server", "redis-server"} {
		if s.bin, err = exec.LookPath(name); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), folder+"*"))
	for _, dir := range dirs {
		var pid int
		if _, err := fmt.Sscanf(filepath.Base(dir), folder+"%d-", &pid); err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			os.RemoveAll(dir)
		}
	}
	if s.dir, err = os.MkdirTemp("", folder+strconv.Itoa(os.Getpid())+"-"); err != nil {
		return nil, err
	}
	// A port can be taken between our look and the server's: try again.
	for range 5 {
		if s.port, err = freePort(); err != nil {
			return nil, err
		}
		if err = s.Start(); err == nil {
			return s, nil
		}
	}
	os.RemoveAll(s.dir)
	return nil, err
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (s *Server) socket() string { return filepath.Join(s.dir, "s") }

// URL is the server's address on a unix socket.
func (s *Server) URL() string { return "unix://" + s.socket() }

// Addr is the server's address on the loopback: host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Start starts the server, empty, and waits until it answers.
func (s *Server) Start() error {
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	args := append([]string{"--bind", "127.0.0.1", "--port", strconv.Itoa(s.port), "--unixsocket", s.socket(), "--dir", s.dir, "--save", "", "--appendonly", "no"}, s.args...)
	s.cmd, s.done = exec.Command(s.bin, args...), make(chan struct{})
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go keep(s.cmd, started, s.done)
	if err := <-started; err != nil {
		return err
	}
	return s.ready()
}

// keep starts the server from a thread of its own, for Pdeathsig is of the thread, and stays on it until the server ends.
func keep(cmd *exec.Cmd, started chan<- error, done chan<- struct{}) {
	runtime.LockOSThread()
	defer close(done)
	err := cmd.Start()
	started <- err
	if err == nil {
		_ = cmd.Wait() // how it ended is in its log
	}
}

func (s *Server) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if s.answers() {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.done:
			out, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("the server ended: %s", out)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// answers says whether it does, on both ways; that a password is wanted is an answer.
func (s *Server) answers() bool {
	for _, way := range [][2]string{{"unix", s.socket()}, {"tcp", s.Addr()}} {
		c, err := net.Dial(way[0], way[1])
		if err != nil {
			return false
		}
		_ = c.SetDeadline(time.Now().Add(time.Second))
		_, err = c.Write([]byte("PING\r\n"))
		line, _ := bufio.NewReader(c).ReadString('\n')
		c.Close()
		if err != nil || !strings.HasPrefix(line, "+PONG") && !strings.HasPrefix(line, "-NOAUTH") {
			return false
		}
	}
	return true
}

// Stop ends the server at once, as a crash would.
func (s *Server) Stop() {
	_ = s.cmd.Process.Kill() // gone already: fine
	<-s.done
}

// Freeze makes the server silent without closing anything, as a network that loses all does; the function undoes it.
func (s *Server) Freeze() (thaw func()) {
	_ = s.cmd.Process.Signal(syscall.SIGSTOP)
	return func() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }
}
