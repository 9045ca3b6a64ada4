//go:build e2e && linux

package install

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ringfence/e2e/process"
)

// apart is set in the process that runs a test in namespaces of its own.
const apart = "RINGFENCE_E2E_APART"

// inOwnWorld says whether this process has mounts, processes and a network of its own, with some addresses. Where it has not, it runs the test in them and says false: there is nothing left to do.
func inOwnWorld(t *testing.T, addresses ...string) bool {
	t.Helper()
	if os.Getenv(apart) != "" {
		must(t, syscall.Mount("proc", "/proc", "proc", 0, ""))
		succeed(t, "/", nil, "ip", "link", "set", "lo", "up")
		for _, a := range addresses {
			succeed(t, "/", nil, "ip", "address", "add", a, "dev", "lo")
		}
		return true
	}
	self, err := os.Executable()
	must(t, err)
	// No mount of ours may reach the machine. nsenter sees the whole of it, also where this runs in a chroot, whose root is no mount.
	const private = `nsenter --mount=/proc/self/ns/mnt mount --make-rprivate / && exec "$@"`
	cmd := exec.Command("/bin/sh", "-c", private, "sh", self, "-test.run", "^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), apart+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	var all bytes.Buffer
	cmd.Stdout, cmd.Stderr = &all, &all
	if err = process.Launch(cmd); err == nil {
		err = cmd.Wait()
	}
	out := all.String()
	switch {
	case errors.Is(err, syscall.EPERM):
		t.Skip("a machine that may be changed needs namespaces of our own, which need root")
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	case !strings.Contains(out, "--- PASS: "+t.Name()+" "):
		t.Fatalf("it was not run:\n%s", out)
	}
	t.Logf("%s", out)
	return false
}

// machine is a copy of this machine on which anything may be changed: what is written stays in memory and is gone with the
// test. There is no systemd on it: testdata/systemctl stands in. Machines of one test share its network.
type machine struct {
	t    *testing.T
	name string
	root string
}

func newMachine(t *testing.T, name string) *machine {
	t.Helper()
	dir := t.TempDir()
	must(t, syscall.Mount("machine", dir, "tmpfs", 0, "mode=755"))
	m := &machine{t: t, name: name, root: filepath.Join(dir, "root")}
	overlay(t, "/", m.root, filepath.Join(dir, "layers"))
	t.Cleanup(func() { // TempDir removes what it made: it must not find the machine there
		must(t, syscall.Unmount(m.root, syscall.MNT_DETACH))
		must(t, syscall.Unmount(dir, syscall.MNT_DETACH))
	})
	for _, path := range []string{"/dev", "/sys", "/proc"} {
		must(t, syscall.Mount(path, m.root+path, "", syscall.MS_BIND|syscall.MS_REC, ""))
	}
	must(t, syscall.Mount("run", m.root+"/run", "tmpfs", 0, "mode=755"))
	for n, path := range append([]string{repository}, goFolders...) {
		if _, err := os.Stat(filepath.Join(m.root, path)); err != nil { // it is not of the root file system
			overlay(t, path, filepath.Join(m.root, path), filepath.Join(dir, fmt.Sprint("layers-", n)))
		}
	}
	for _, name := range []string{"systemctl", "journalctl", "scp", "npm"} {
		must(t, os.WriteFile(m.root+"/usr/local/sbin/"+name, []byte(read(t, filepath.Join("testdata", name))), 0o755))
	}
	must(t, os.MkdirAll(m.root+"/run/systemd/system", 0o755)) // what says that systemd runs
	// A newcomer's machine knows nothing of Ringfence.
	for _, path := range []string{"/etc/ringfence", "/var/lib/ringfence", "/usr/local/bin/ringfence"} {
		must(t, os.RemoveAll(m.root+path))
	}
	// Triggers that a package sets off rebuild what the whole machine has: man-db takes longer than all else here.
	must(t, os.RemoveAll(m.root+"/var/lib/man-db/auto-update"))
	m.sh("! getent passwd ringfence >/dev/null || userdel ringfence; mkdir -p /var/backups /root")
	return m
}

// overlay mounts a folder a second time, so that what is written there goes to layers.
func overlay(t *testing.T, lower, at, layers string) {
	t.Helper()
	for _, dir := range []string{at, layers + "/upper", layers + "/work"} {
		must(t, os.MkdirAll(dir, 0o755))
	}
	must(t, syscall.Mount("overlay", at, "overlay", 0, fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work", lower, layers, layers)))
}

// goNames are what Go needs to know to build on a machine as it does here, goFolders those of them that are folders.
var goNames, goFolders = func() (names, folders []string) {
	for _, name := range []string{"GOROOT", "GOPATH", "GOCACHE", "GOMODCACHE", "GOFLAGS", "GOPROXY", "GOSUMDB", "GOTOOLCHAIN"} {
		out, err := exec.Command("go", "env", name).Output()
		value := strings.TrimSpace(string(out))
		if err != nil || value == "" {
			continue
		}
		names = append(names, name+"="+value)
		if filepath.IsAbs(value) {
			folders = append(folders, value)
		}
	}
	return names, folders
}()

// sees lets m copy files from another machine by its address.
func (m *machine) sees(address string, other *machine) {
	m.t.Helper()
	at := m.root + "/run/machines/" + address
	must(m.t, os.MkdirAll(at, 0o755))
	must(m.t, syscall.Mount(other.root, at, "", syscall.MS_BIND, ""))
}

// try runs a shell's commands as root in a folder, and gives what they printed.
func (m *machine) try(dir, commands string) (string, error) {
	cmd := exec.Command("/bin/sh", "-eu", "-c", commands)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: m.root}
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:" + os.Getenv("PATH"), "LANG=C.UTF-8", "HOME=/root"}
	cmd.Env = append(cmd.Env, goNames...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := process.Launch(cmd); err != nil {
		return "", err
	}
	err := cmd.Wait()
	return out.String(), err
}

// sh is try in root's home, for what must not fail.
func (m *machine) sh(commands string) string {
	m.t.Helper()
	out, err := m.try("/root", commands)
	if err != nil {
		m.t.Fatalf("on %s: %s\n%v\n%s", m.name, commands, err, out)
	}
	return out
}
