package postgres_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"ringfence/state/store/postgres"
	"ringfence/state/store/postgres/pgtest"
)

// The tests of this file guard that never two processes are one node: each would take the other's calls back and meter them.

const holdNode = "RINGFENCE_TEST_HOLD"

// TestMain is the process that TestKilledNode kills when it is told to be.
func TestMain(m *testing.M) {
	if dsn := os.Getenv(holdNode); dsn != "" {
		e, err := postgres.Open(context.Background(), dsn)
		if err == nil {
			err = e.Hold(context.Background(), "a")
		}
		if err != nil {
			panic(err)
		}
		os.Stdout.WriteString("held\n")
		io.Copy(io.Discard, os.Stdin)
	}
	os.Exit(m.Run())
}

func hold(t *testing.T, e *postgres.Engine, node string) {
	t.Helper()
	if err := e.Hold(t.Context(), node); err != nil {
		t.Fatal(err)
	}
}

func refused(t *testing.T, e *postgres.Engine, node string) {
	t.Helper()
	err := e.Hold(t.Context(), node)
	if !errors.Is(err, postgres.ErrNodeTaken) || !strings.Contains(err.Error(), `the node name "`+node+`": give this one another`) {
		t.Fatalf("a second one called %q: %v", node, err)
	}
}

func TestOneProcessIsANode(t *testing.T) {
	dsn := pgtest.Shared(t).Database(t)
	first := engine(t, dsn)
	hold(t, first, "a")
	refused(t, engine(t, dsn), "a")
	for _, name := range []string{"b", "A", "a "} {
		hold(t, engine(t, dsn), name)
	}
	if err := first.Held(t.Context()); err != nil {
		t.Error(err)
	}
	hold(t, engine(t, pgtest.Shared(t).Database(t)), "a") // another store
	c := plain(t, dsn)
	if _, err := c.Exec(t.Context(), "CREATE SCHEMA beside"); err != nil {
		t.Fatal(err)
	}
	hold(t, engine(t, dsn+" search_path=beside pool_max_conns=3"), "a") // and another in the same database
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := first.Held(t.Context()); err == nil {
		t.Error("a closed engine took the node back")
	}
	hold(t, engine(t, dsn), "a")
}

func plain(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func TestKilledNode(t *testing.T) {
	dsn := pgtest.Shared(t).Database(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdNode+"="+dsn)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "held\n" {
		t.Fatalf("the first process says %q, %v", line, err)
	}
	e := engine(t, dsn)
	refused(t, e, "a")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	begun := time.Now()
	hold(t, e, "a")
	t.Logf("held %v after the kill", time.Since(begun))
}

func TestNodeOutlivesItsServer(t *testing.T) {
	server := pgtest.Own(t, "fsync=off")
	dsn := server.Database(t)
	e, other := engine(t, dsn), engine(t, dsn)
	hold(t, e, "a")
	server.Stop()
	if err := e.Held(t.Context()); err == nil || errors.Is(err, postgres.ErrNodeTaken) {
		t.Errorf("without a server: %v", err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if err := e.Held(t.Context()); err != nil {
		t.Error(err)
	}
	refused(t, other, "a")
}

func TestNodeLostToAnother(t *testing.T) {
	dsn := pgtest.Shared(t).Database(t)
	e := engine(t, dsn)
	hold(t, e, "a")
	const end = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'ringfence node a' AND datname = current_database()`
	if _, err := plain(t, dsn).Exec(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	hold(t, engine(t, dsn), "a")
	if err := e.Held(t.Context()); !errors.Is(err, postgres.ErrNodeTaken) {
		t.Errorf("after another took it: %v", err)
	}
}

// TestLingeringSession guards that a node whose network was cut does not find its own former session in its way, which
// the server keeps until it notices, and that nobody else gets the name meanwhile.
func TestLingeringSession(t *testing.T) {
	dsn := pgtest.Shared(t).Database(t)
	w := newWire(t, dsn)
	e := engine(t, w.dsn)
	hold(t, e, "a")
	w.cut()
	refused(t, engine(t, dsn), "a")
	if err := e.Held(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.Held(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused(t, engine(t, dsn), "a")
}

// wire is a connection to the server that can be cut on the client's side only.
type wire struct {
	dsn     string
	mu      sync.Mutex
	clients []net.Conn
}

func newWire(t *testing.T, dsn string) *wire {
	t.Helper()
	const socket = ".s.PGSQL.5432"
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "wire") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, socket))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	w := &wire{dsn: strings.Replace(dsn, "host="+cfg.Host, "host="+dir, 1)}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("unix", filepath.Join(cfg.Host, socket))
			if err != nil {
				client.Close()
				continue
			}
			t.Cleanup(func() { server.Close() })
			w.mu.Lock()
			w.clients = append(w.clients, client)
			w.mu.Unlock()
			go io.Copy(server, client)
			go func() { io.Copy(client, server); client.Close() }()
		}
	}()
	return w
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.clients {
		c.Close()
	}
	w.clients = nil
}
