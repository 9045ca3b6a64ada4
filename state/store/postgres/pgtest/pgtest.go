// Package pgtest runs a PostgreSQL server of its own for the tests of one process, with a database for each test. It is
// for tests and measurements only and must not be imported by the product.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"ringfence/state/store/postgres"
)

// Server is a running server. Stop and Start it to see how an engine bears that.
type Server struct {
	dir  string
	bin  string
	cred *syscall.Credential
	cmd  *exec.Cmd
	done chan struct{}
	n    atomic.Int64 // databases made

	tables   sync.Once
	template string // the database that has the tables
	failed   error
}

var one struct {
	sync.Once
	s   *Server
	err error
}

// Shared is the server of this process, started at the first call. It dies with the process. Without PostgreSQL the test
// is skipped, or fails when the environment variable CI is set.
func Shared(t testing.TB) *Server {
	t.Helper()
	one.Do(func() {
		// With fsync off: nobody's machine fails during a test. Measurements start a server of their own by New.
		one.s, one.err = New("fsync=off")
	})
	if one.err != nil {
		lacking(t, one.err)
	}
	return one.s
}

func lacking(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") == "" {
		t.Skipf("no PostgreSQL to test with (%v): install it (apt-get install postgresql) and run as root", err)
	}
	t.Fatalf("no PostgreSQL to test with: %v", err)
}

// Own is a server for one test alone, stopped at its end, with settings such as "fsync=on".
func Own(t testing.TB, settings ...string) *Server {
	t.Helper()
	s, err := New(settings...)
	if err != nil {
		lacking(t, err)
	}
	t.Cleanup(func() {
		s.Stop()
		os.RemoveAll(s.dir)
	})
	return s
}

// New makes a cluster in a temporary folder and starts it.
func New(settings ...string) (*Server, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return nil, errors.New("no initdb under /usr/lib/postgresql")
	}
	s := &Server{bin: filepath.Dir(found[len(found)-1])}
	if s.cred, err = credential(); err != nil {
		return nil, err
	}
	// Pdeathsig kills the server with us, but nobody removes the folder then: the next one does.
	sweep()
	if s.dir, err = os.MkdirTemp("", prefix+strconv.Itoa(os.Getpid())+"-"); err != nil {
		return nil, err
	}
	if s.cred != nil {
		if err := os.Chown(s.dir, int(s.cred.Uid), int(s.cred.Gid)); err != nil {
			return nil, err
		}
	}
	init := s.command("initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C.UTF-8")
	if out, err := init.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	conf := "max_connections = 200\nshared_buffers = 128MB\nmax_wal_size = 4GB\n"
	for _, set := range settings {
		conf += set + "\n"
	}
	f, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(conf)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return s, s.Start()
}

const prefix = "ringfence-pg-"

// sweep removes folders of processes that are gone.
func sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	for _, dir := range dirs {
		var pid int
		if _, err := fmt.Sscanf(filepath.Base(dir), prefix+"%d-", &pid); err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			os.RemoveAll(dir)
		}
	}
}

func credential() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil // as the user that we are, which initdb allows
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.cred}
	return cmd
}

// Start starts the server and waits until it answers.
func (s *Server) Start() error {
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	started := make(chan error)
	s.done = make(chan struct{})
	s.cmd = s.command("postgres", "-D", s.data(), "-k", s.dir, "-h", "")
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	// Pdeathsig is of the thread that started the child, so that thread waits for it and does nothing else.
	go s.keep(started)
	if err := <-started; err != nil {
		return err
	}
	return s.ready()
}

func (s *Server) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := pgx.Connect(ctx, s.dsn("postgres"))
		if err == nil {
			return c.Close(ctx)
		}
		select {
		case <-tick.C:
		case <-s.done:
			out, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("the server ended: %s", out)
		case <-ctx.Done():
			return err
		}
	}
}

// Stop ends the server at once, as a crash would.
func (s *Server) Stop() {
	_ = s.cmd.Process.Signal(syscall.SIGQUIT) // gone already: fine
	<-s.done
}

// Freeze stops every process of the server where it is, as a frozen disk or a stopped machine does, or lets them go on.
func (s *Server) Freeze(frozen bool) {
	sig := syscall.SIGCONT
	if frozen {
		sig = syscall.SIGSTOP
	}
	_ = s.cmd.Process.Signal(sig)
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", s.cmd.Process.Pid, s.cmd.Process.Pid))
	for _, pid := range strings.Fields(string(children)) {
		if n, err := strconv.Atoi(pid); err == nil {
			_ = syscall.Kill(n, sig)
		}
	}
}

func (s *Server) dsn(db string) string {
	return fmt.Sprintf("host=%s user=postgres dbname=%s sslmode=disable", s.dir, db)
}

// Empty makes an empty database and gives its data source name.
func (s *Server) Empty(t testing.TB) string {
	t.Helper()
	name, err := s.create("template1")
	if err != nil {
		t.Fatal(err)
	}
	return s.dsn(name)
}

// Database makes a database that has this version's tables and no rows, and gives its data source name. The tables are
// made once for each server and copied, because making them costs more than most tests.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	s.tables.Do(func() { s.template, s.failed = s.migrated() })
	if s.failed != nil {
		t.Fatal(s.failed)
	}
	name, err := s.create(s.template)
	if err != nil {
		t.Fatal(err)
	}
	return s.dsn(name)
}

func (s *Server) migrated() (name string, err error) {
	if name, err = s.create("template1"); err != nil {
		return "", err
	}
	e, err := postgres.Open(context.Background(), s.dsn(name))
	if err != nil {
		return "", err
	}
	return name, e.Close()
}

func (s *Server) create(from string) (name string, err error) {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, s.dsn("postgres"))
	if err != nil {
		return "", err
	}
	defer c.Close(ctx)
	name = fmt.Sprintf("t%d", s.n.Add(1))
	_, err = c.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+from)
	return name, err
}
