//go:build e2e && linux

package install

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// repository is the checkout that these tests are in.
var repository = func() string {
	path, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return path
}()

// version is what the source was called when the program was built: a commit during the tests must not confuse them.
var version string

// TestMain has the program built as users build it: all tests here start from bin/ringfence.
func TestMain(m *testing.M) {
	build := exec.Command("make", "build")
	build.Dir, build.Stderr = repository, os.Stderr
	if err := build.Run(); err != nil {
		panic(err)
	}
	said, err := exec.Command(filepath.Join(repository, "tools/version.sh")).Output()
	if err != nil {
		panic(err)
	}
	version = strings.TrimSpace(string(said))
	os.Exit(m.Run())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run gives what a program printed, both streams together, and its exit code.
func run(t *testing.T, dir string, env []string, name string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// succeed is run for what must not fail.
func succeed(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	out, code := run(t, dir, env, name, args...)
	if code != 0 {
		t.Fatalf("%s %v: exit code %d\n%s", name, args, code, out)
	}
	return out
}

// files are the regular files under a folder.
func files(t *testing.T, root string) (all []string) {
	t.Helper()
	must(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			path, err = filepath.Rel(root, path)
			all = append(all, path)
		}
		return err
	}))
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return string(text)
}

// "make install DESTDIR=… PREFIX=…" puts everything under the folder, keeps a configuration that is there, and
// "make uninstall" leaves nothing but what is the operator's.
func TestInstallUnderAFolder(t *testing.T) {
	for _, c := range []struct{ prefix, lib, zsh string }{
		{"/usr/local", "usr/local/lib", "usr/local/share/zsh/site-functions"},
		{"/usr", "usr/lib", "usr/share/zsh/vendor-completions"},
		{"/opt/ringfence", "etc", "opt/ringfence/share/zsh/site-functions"},
	} {
		t.Run(c.prefix, func(t *testing.T) {
			t.Parallel()
			root, prefix := t.TempDir(), strings.TrimPrefix(c.prefix, "/")
			where := []string{"DESTDIR=" + root, "PREFIX=" + c.prefix}
			out := succeed(t, repository, where, "deploy/install.sh", "install")
			if !strings.Contains(out, root) || !strings.Contains(out, "sysusers.d") {
				t.Errorf("it does not say where everything is and who makes the user:\n%s", out)
			}
			for _, path := range []string{
				prefix + "/bin/ringfence", c.lib + "/systemd/system/ringfence.service", c.lib + "/sysusers.d/ringfence.conf",
				c.lib + "/tmpfiles.d/ringfence.conf", prefix + "/share/man/man1/ringfence.1",
				prefix + "/share/bash-completion/completions/ringfence", c.zsh + "/_ringfence",
				prefix + "/share/fish/vendor_completions.d/ringfence.fish", prefix + "/share/doc/ringfence/docs/operating.md",
				"etc/ringfence/ringfence.toml",
			} {
				if info, err := os.Stat(filepath.Join(root, path)); err != nil || info.Size() == 0 {
					t.Errorf("%s: %v", path, err)
				}
			}
			unit := read(t, filepath.Join(root, c.lib, "systemd/system/ringfence.service"))
			if !strings.Contains(unit, "ExecStart="+c.prefix+"/bin/ringfence serve --config /etc/ringfence/ringfence.toml") {
				t.Errorf("the unit starts another program:\n%s", unit)
			}
			if says := succeed(t, root, nil, filepath.Join(root, prefix, "bin/ringfence"), "--version"); !strings.HasPrefix(says, "ringfence "+version) {
				t.Errorf("--version says %q, want %s", says, version)
			}

			own := filepath.Join(root, "etc/ringfence/ringfence.toml")
			succeed(t, root, nil, filepath.Join(root, prefix, "bin/ringfence"), "config", "check", own)
			must(t, os.WriteFile(own, []byte("# mine\n"), 0o640))
			succeed(t, repository, where, "deploy/install.sh", "install")
			if read(t, own) != "# mine\n" {
				t.Error("a second installation took the configuration away")
			}
			must(t, os.WriteFile(filepath.Join(root, "var/lib/ringfence/ringfence.db"), []byte("x"), 0o600))
			succeed(t, repository, where, "deploy/install.sh", "uninstall")
			if left := strings.Join(files(t, root), " "); left != "etc/ringfence/ringfence.toml var/lib/ringfence/ringfence.db" {
				t.Errorf("left behind: %s", left)
			}
		})
	}
}

func TestMakeInstall(t *testing.T) {
	root := t.TempDir()
	succeed(t, repository, nil, "make", "install", "DESTDIR="+root)
	if _, err := os.Stat(filepath.Join(root, "usr/local/bin/ringfence")); err != nil {
		t.Fatal(err)
	}
	succeed(t, repository, nil, "make", "uninstall", "DESTDIR="+root)
	if left := strings.Join(files(t, root), " "); left != "etc/ringfence/ringfence.toml" {
		t.Errorf("left behind: %s", left)
	}
	if out, code := run(t, repository, []string{"PREFIX=here"}, "deploy/install.sh", "install"); code != 2 || !strings.Contains(out, "absolute") {
		t.Errorf("a relative prefix: exit code %d, %s", code, out)
	}
}

// The installed completions are read by their shells, where these are there.
func TestInstalledCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	program := filepath.Join(repository, "bin/ringfence")
	script := `source <("$1" completion bash); COMP_LINE="$1 line sh"; COMP_POINT=${#COMP_LINE}; COMP_WORDS=("$1" line sh); _ringfence; printf '%s\n' "${COMPREPLY[@]}"`
	if out := succeed(t, t.TempDir(), nil, bash, "-c", script, "bash", program); strings.TrimSpace(out) != "show" {
		t.Errorf("bash offers %q", out)
	}
}

// tree makes a repository with the script that names versions, and gives it and what the script says in it.
func tree(t *testing.T) (dir string, git func(args ...string), version func() string) {
	t.Helper()
	dir = t.TempDir()
	git = func(args ...string) {
		t.Helper()
		who := []string{"-c", "user.name=x", "-c", "user.email=x@example.net", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"}
		succeed(t, dir, []string{"GIT_COMMITTER_DATE=2026-11-29T07:12:00Z", "GIT_CONFIG_GLOBAL=/dev/null"}, "git", append(who, args...)...)
	}
	must(t, os.MkdirAll(filepath.Join(dir, "tools"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "tools/version.sh"), []byte(read(t, filepath.Join(repository, "tools/version.sh"))), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, ".gitattributes"), []byte(read(t, filepath.Join(repository, ".gitattributes"))), 0o644))
	return dir, git, func() string {
		t.Helper()
		return strings.TrimSpace(succeed(t, dir, nil, "sh", "tools/version.sh"))
	}
}

// archived is what the script says in a tarball of a tree.
func archived(t *testing.T, dir string, git func(...string)) string {
	t.Helper()
	to := t.TempDir()
	git("archive", "-o", filepath.Join(to, "x.tar"), "HEAD")
	succeed(t, to, nil, "tar", "xf", "x.tar")
	return strings.TrimSpace(succeed(t, to, nil, "sh", "tools/version.sh"))
}

func TestVersionOfTheSource(t *testing.T) {
	t.Parallel()
	dir, git, version := tree(t)
	if got := version(); got != "0.0.0+unknown" {
		t.Errorf("no repository: %s", got)
	}
	git("init", "-q")
	git("add", ".")
	git("commit", "-q", "-m", "x")
	if got := version(); !strings.HasPrefix(got, "0.0.0+202611290712.g") {
		t.Errorf("no tag: %s", got)
	}
	if got := archived(t, dir, git); !strings.HasPrefix(got, "0.0.0+202611290712.g") {
		t.Errorf("a tarball, no tag: %s", got)
	}
	git("tag", "-a", "-m", "x", "v1.2.3")
	if got := version(); got != "1.2.3" {
		t.Errorf("at a tag: %s", got)
	}
	if got := archived(t, dir, git); got != "1.2.3" {
		t.Errorf("a released tarball: %s", got)
	}
	must(t, os.WriteFile(filepath.Join(dir, ".gitattributes"), []byte("tools/version.sh export-subst\n# more\n"), 0o644))
	if got := version(); got != "1.2.3.dirty" {
		t.Errorf("something is not committed: %s", got)
	}
	git("commit", "-q", "-a", "-m", "y")
	for what, got := range map[string]string{"a checkout": version(), "a tarball": archived(t, dir, git)} {
		if !strings.HasPrefix(got, "1.2.3+1.g") {
			t.Errorf("%s, a commit after a tag: %s", what, got)
		}
	}
}

// On a machine with an installed configuration, nobody is told to start a server by hand: the service could not open its files.
func TestInstalledServiceIsStartedBySystemd(t *testing.T) {
	if !inOwnWorld(t) {
		return
	}
	m := newMachine(t, "a")
	m.sh("cd " + repository + " && deploy/install.sh install && rm -rf /var/lib/ringfence")
	out, err := m.try("/", "ringfence status")
	if err == nil || !strings.Contains(out, "systemctl start ringfence") {
		t.Errorf("%v\n%s", err, out)
	}
}

// What a command prints and its exit code come through, with a line now and then on how far it is, to a pipe as CI has it.
func TestProgress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what, kind, script string
		code               int
		want, not          []string
	}{
		{
			"a build", "build", `echo "go: downloading example.net/x v1" >&2; echo internal/abi >&2; sleep 4; echo "x/a.go:1:2: no such thing" >&2; exit 3`, 3,
			[]string{"doing it (a while) …", "doing it: package 1 compiled, internal/abi", "x/a.go:1:2: no such thing", "failed after 0:", "exit code 3"},
			[]string{"\ninternal/abi"},
		},
		{
			"tests", "tests", `printf '=== RUN   TestA\n    a_test.go:3: lost\n--- FAIL: TestA (0.1s)\nFAIL\n'; sleep 4; printf 'ok  \texample.net/x\t0.1s\nno end of line'`, 0,
			[]string{"a_test.go:3: lost", "--- FAIL: TestA", "\nFAIL\n", "1 done, last TestA", "ok  \texample.net/x", "no end of line", "done in 0:"},
			[]string{"=== RUN"},
		},
		{"silence", "plain", `sleep 4`, 0, []string{"  doing it: at work"}, nil},
		{"a signal", "plain", `kill -9 $$`, 137, []string{"exit code 137"}, nil},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			out, code := run(t, repository, []string{"PROGRESS_EVERY=1"}, "tools/progress.sh", c.kind, "doing it", "a while", "sh", "-c", c.script)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
			for _, not := range c.not {
				if strings.Contains(out, not) {
					t.Errorf("%q in\n%s", not, out)
				}
			}
		})
	}
}

// Nothing of it stays behind to hold the output open: a reader gets the end of it when the command ends.
func TestProgressEndsWithItsCommand(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(filepath.Join(repository, "tools/progress.sh"), "plain", "doing it", "a while", "true")
	cmd.Env = append(os.Environ(), "PROGRESS_EVERY=600")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	ended := make(chan error, 1)
	go func() { ended <- cmd.Run() }()
	select {
	case err := <-ended:
		must(t, err)
	case <-time.After(time.Minute):
		t.Fatal("still there after a minute")
	}
}
