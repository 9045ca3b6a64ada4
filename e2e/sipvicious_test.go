//go:build e2e

package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the test looks into the database file

	"ringfence/core/secret"
)

// tool runs a program of sipvicious against the server and gives what it printed, warnings included. It is killed after a
// minute.
func (s *server) tool(name string, args ...string) string {
	s.t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") != "" {
			s.t.Fatal(err)
		}
		s.t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	args = append(args, "-x", "127.0.0.1", "-P", itoa(freePort(s.t).Port()), fmt.Sprintf("udp://%s", s.sip))
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Dir = s.t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// plant gives a line a password that the program would refuse, past its back.
func (s *server) plant(line, password string) {
	s.t.Helper()
	s.signal(syscall.SIGTERM)
	text, err := os.ReadFile(filepath.Join(s.dir, "ringfence.key"))
	must(s.t, err)
	keys, err := secret.ParseKeys(text)
	must(s.t, err)
	box, err := secret.NewBox(keys)
	must(s.t, err)
	sealed, err := box.Seal(secret.LineOwner(line), secret.NewPassword(password))
	must(s.t, err)
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "ringfence.db"))
	must(s.t, err)
	defer db.Close()
	_, err = db.ExecContext(s.t.Context(), "UPDATE line SET sealed = $1 WHERE id = $2", sealed, line)
	must(s.t, err)
	must(s.t, db.Close())
	s.run()
}

// svcrack finds a weak password where nothing stops it, does not where lock-outs do, and where scanners are met with
// silence it does not even find a server.
func TestSvcrack(t *testing.T) {
	dictionary := filepath.Join(t.TempDir(), "passwords")
	words := []string{"1234", "0000", "password", "admin", "2001", "20012001", "letmein", "qwerty", "asterisk", "secret", "changeme", "test123"}
	must(t, os.WriteFile(dictionary, []byte(strings.Join(words, "\n")+"\n"), 0o600))
	for name, tc := range map[string]struct{ sections, want string }{
		"nothing stops it":   {"[login]\nlockout = \"off\"\n[shield]\nkernel = \"off\"\nscanners = \"answer\"\n", "changeme"},
		"lock-outs":          {"[shield]\nkernel = \"off\"\nscanners = \"answer\"\n", "found nothing"},
		"silence as shipped": {"", "no server response"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startWith(t, setup{sections: tc.sections})
			s.line("2001")
			s.plant("2001", "changeme")
			out := s.tool("svcrack", "-u", "2001", "-d", dictionary, "--maximumtime", "1")
			contains(t, out, tc.want)
			if tc.want != "changeme" && strings.Contains(out, "changeme") {
				t.Errorf("found:\n%s", out)
			}
			if locked := len(s.facts("login.locked")) > 0; locked != (name == "lock-outs") {
				t.Errorf("locked out: %v", locked)
			}
		})
	}
}

var svwarRow = regexp.MustCompile(`(?m)^\| (\d+) +\| (\S+) +\|`)

// svwar cannot tell the lines that exist from those that do not, whatever it asks with; what it prints for all of them is
// the same.
func TestSvwarLearnsNothing(t *testing.T) {
	t.Parallel()
	s := startWith(t, setup{sections: "[shield]\nkernel = \"off\"\nscanners = \"answer\"\n"})
	s.line("2001")
	s.line("2003", "nets=127.0.0.77")
	s.line("2005")
	s.cli("line", "lock", "2005", "--why", "stolen")
	for _, method := range []string{"REGISTER", "INVITE", "OPTIONS"} {
		out := s.tool("svwar", "-m", method, "-e", "2000-2006", "--force", "--maximumtime", "1")
		rows := svwarRow.FindAllStringSubmatch(out, -1)
		var names, kinds []string
		for _, r := range rows {
			names, kinds = append(names, r[1]), append(kinds, r[2])
		}
		slices.Sort(names)
		if kinds = slices.Compact(kinds); len(kinds) > 1 || len(rows) != 0 && !slices.Equal(names, []string{"2000", "2001", "2002", "2003", "2004", "2005", "2006"}) {
			t.Errorf("%s tells lines apart:\n%s", method, out)
		}
		t.Logf("%s: %d of 7 extensions, all %v", method, len(rows), kinds)
	}
	out := s.tool("svwar", "-e", "2000-2006")
	contains(t, out, "authentication request for an unknown extension")
}
