//go:build e2e

package soak

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"ringfence/e2e/process"
	"ringfence/edge/rest/client"
)

// nodeState is what a node's process does.
type nodeState string

const (
	dead     nodeState = "dead"
	starting nodeState = "starting"
	running  nodeState = "running"
	frozen   nodeState = "frozen" // SIGSTOP
	stopping nodeState = "stopping"
)

// node is one Ringfence with a clock of its own.
type node struct {
	w      *world
	name   string
	dir    string
	config string
	sip    netip.AddrPort
	clock  *clock
	admin  *client.Client
	log    *os.File

	mu    sync.Mutex // owns all below
	state nodeState
	since time.Duration // of state
	cmd   *exec.Cmd
	gone  chan struct{} // closed when cmd has ended
}

// Times of the money: short, so that a bounded test has many ends of paid time in it.
const (
	slice       = 3 * time.Second
	ahead       = time.Second
	lease       = 5 * time.Second
	longestCall = 40 * time.Second
)

func newNode(w *world, name, store string) (*node, error) {
	n := &node{w: w, name: name, dir: filepath.Join(w.dir, name), state: dead}
	var err error
	if n.sip, err = process.FreePort(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return nil, err
	}
	data := filepath.Join(n.dir, "data")
	text := fmt.Sprintf("data = %q\nnode = %q\n%s\n[sip]\nudp = [%q]\ntcp = []\nring-time = \"10s\"\n[provider]\ntariff = \"retail\"\n"+
		"[secret]\nkey-file = %q\n[money]\nslice = %q\nextend-ahead = %q\nlease = %q\n[shield]\nkernel = \"off\"\n",
		data, name, store, n.sip, filepath.Join(w.dir, "key"), slice, ahead, lease)
	n.config = filepath.Join(n.dir, "ringfence.toml")
	if n.log, err = os.Create(filepath.Join(n.dir, "log")); err != nil {
		return nil, err
	}
	n.admin = client.Unix(filepath.Join(data, "ringfence.sock"))
	n.clock, err = newClock(filepath.Join(n.dir, "clock"))
	return n, errors.Join(err, os.WriteFile(n.config, []byte(text), 0o600))
}

func (n *node) is() (nodeState, time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state, n.since
}

func (n *node) become(s nodeState) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.state, n.since = s, n.w.now()
	n.w.event("node %s is %s", n.name, s)
}

// start runs the program until it says that it is ready; a database that is frozen at that moment may end it, and then it
// is started again, as an init system does.
func (n *node) start() error {
	n.become(starting)
	for deadline := time.Now().Add(30 * time.Second); ; {
		cmd := exec.Command(n.w.binary, "serve", "--config", n.config)
		cmd.Env = append(os.Environ(), clockFile+"="+n.clock.path)
		cmd.Stdout, cmd.Stderr = n.log, n.log
		n.w.begins()
		if err := process.Launch(cmd); err != nil {
			return err
		}
		gone := make(chan struct{})
		n.mu.Lock()
		n.cmd, n.gone = cmd, gone
		n.mu.Unlock()
		go func() {
			_ = cmd.Wait()
			close(gone)
			if state, _ := n.is(); state == running {
				n.w.failf("", "node %s ended by itself: %v\n%s", n.name, cmd.ProcessState, n.tail())
			}
		}()
		if n.ready(gone, deadline) {
			n.become(running)
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("node %s is not ready after 30 s:\n%s", n.name, n.tail())
		}
	}
}

// ready waits for readyz, or for the end of the process.
func (n *node) ready(gone <-chan struct{}, deadline time.Time) bool {
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for time.Now().Before(deadline) {
		select {
		case <-gone:
			n.w.event("node %s ended while it started", n.name)
			<-time.After(200 * time.Millisecond)
			return false
		case <-tick.C:
		}
		if n.ask("GET", "/readyz", nil, nil) == nil {
			return true
		}
	}
	return false
}

// ask uses the admin API.
func (n *node) ask(method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	return n.admin.Do(ctx, method, path, in, out)
}

// signal ends the process in the way named.
func (n *node) signal(sig syscall.Signal) error {
	n.mu.Lock()
	cmd, gone, state := n.cmd, n.gone, n.state
	n.mu.Unlock()
	if state == dead {
		return nil
	}
	n.w.leaves()
	if sig == syscall.SIGKILL {
		n.w.died(n, true)
		n.become(dead)
	} else {
		n.become(stopping)
	}
	if err := cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-gone:
		if sig != syscall.SIGKILL {
			n.become(dead)
		}
		return nil
	case <-time.After(40 * time.Second):
		return fmt.Errorf("node %s did not end within 40 s of %v:\n%s", n.name, sig, n.tail())
	}
}

// freeze stops the process for a while, as a machine does that is suspended or out of memory.
func (n *node) freeze(d time.Duration) error {
	n.mu.Lock()
	p := n.cmd.Process
	n.mu.Unlock()
	from := n.w.now()
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	// Its leases are up to a third of their length old: they end meanwhile, and the other node takes its calls over.
	if n.become(frozen); d >= lease-lease/5 {
		n.w.died(n, false)
	}
	n.w.sleep(d)
	n.w.stood(n, from)
	err := p.Signal(syscall.SIGCONT)
	n.become(running)
	return err
}

// tail is the end of the node's log.
func (n *node) tail() string {
	b, _ := os.ReadFile(n.log.Name())
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-25):], "\n")
}

// sane says whether the log speaks of a panic.
func (n *node) sane() error {
	b, err := os.ReadFile(n.log.Name())
	if err == nil && (strings.Contains(string(b), "panic") || strings.Contains(string(b), "DATA RACE")) {
		return fmt.Errorf("the log of node %s speaks of a panic:\n%s", n.name, n.tail())
	}
	return err
}
