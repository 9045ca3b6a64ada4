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
	cmd.Dir = s.t.TempDir()
	out, err := output(cmd)
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

// plant gives a line a password that the program would refuse, past its back.
func (s *server) plant(line, password string) {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "ringfence.key"))
	must(s.t, err)
	keys, err := secret.ParseKeys(text)
	must(s.t, err)
	box, err := secret.NewBox(keys)
	must(s.t, err)
	s.signal(syscall.SIGTERM)
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "ringfence.db"))
	must(s.t, err)
	defer db.Close()
	var id string
	must(s.t, db.QueryRowContext(s.t.Context(), "SELECT id FROM line WHERE id = $1 OR id LIKE $1 || '~%'", line).Scan(&id))
	sealed, err := box.Seal(secret.LineOwner(id), secret.NewPassword(password))
	must(s.t, err)
	_, err = db.ExecContext(s.t.Context(), "UPDATE line SET sealed = $1 WHERE id = $2", sealed, id)
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

// random finds what differs from one answer to the next.
var random = regexp.MustCompile(`(tag=|branch=z9hG4bK-?|nonce="|Call-ID: )[\w-]+`)

// said is what a tool printed without times, numbers and the name that it was asked about.
func said(out, name string) string {
	out = random.ReplaceAllString(strings.ReplaceAll(out, name, "NAME"), "$1")
	return regexp.MustCompile(`[0-9]+`).ReplaceAllString(out, "N")
}

// svwar cannot tell the lines that exist from those that do not, whatever it asks with: it says the same of a line, of
// one that is locked and tied to an address, and of none.
func TestSvwarLearnsNothing(t *testing.T) {
	t.Parallel()
	s := startWith(t, setup{sections: "[shield]\nkernel = \"off\"\nscanners = \"answer\"\n"})
	s.line("2001")
	s.line("2005", "nets=127.0.0.77")
	s.cli("line", "lock", "2005", "--why", "stolen")
	for _, method := range []string{"REGISTER", "INVITE", "OPTIONS"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			s := &server{t: t, dir: s.dir, sip: s.sip}
			none := said(s.tool("svwar", "-m", method, "-e", "2000", "--force"), "2000")
			for _, line := range []string{"2001", "2005"} {
				if got := said(s.tool("svwar", "-m", method, "-e", line, "--force"), line); got != none {
					t.Errorf("of line %s it says\n%s\nof none\n%s", line, got, none)
				}
			}
		})
	}
	contains(t, s.tool("svwar", "-e", "2000-2006"), "authentication request for an unknown extension")
}

// alike is an answer without what must differ: branch, tags, nonce and the ports and names that are the asker's own.
func alike(answer, user, from string) string {
	answer = strings.NewReplacer(user, "USER", from, "FROM").Replace(answer)
	return regexp.MustCompile(`c\d+-FROM-\d+|FROM[:-]\d+|\d+-FROM\S*|rport=\d+`).ReplaceAllString(random.ReplaceAllString(answer, "$1"), "")
}

// A guesser gets the same answers for a line and for a name that is not a line, byte for byte except for random values, and
// is locked out at the same attempt for both.
func TestAnswersDoNotTellLinesApart(t *testing.T) {
	t.Parallel()
	s := start(t)
	password := s.line("2001")
	s.line("2003", "nets=127.0.0.77")
	s.line("2005")
	s.cli("line", "lock", "2005", "--why", "stolen")
	for i, method := range []string{"REGISTER", "INVITE"} {
		var of2001 []string
		for j, user := range []string{"2001", "2002", "2003", "2005"} {
			from := fmt.Sprintf("127.%d.%d.9", 70+i, 10+j)
			x := s.stranger(from)
			var got []string
			for try := range 8 {
				guess := fmt.Sprintf("guess-%d", try)
				if try >= 5 && user == "2001" {
					guess = password // locked out by now: nobody may see that it is right
				}
				header, c := x.challenge(method, user)
				got = append(got, alike(x.raw, user, from))
				x.ask(method, user, credentials(t, header, c, method, user, user, guess))
				got = append(got, alike(x.raw, user, from))
			}
			switch {
			case user == "2001":
				of2001 = got
				contains(t, got[1], "SIP/2.0 403", "bad-credentials")
			case !slices.Equal(got, of2001):
				t.Errorf("%s: for %s\n%s\nfor 2001\n%s", method, user, strings.Join(got, "\n"), strings.Join(of2001, "\n"))
			}
		}
	}
	var at []string
	eventually(t, 5*time.Second, "eight lock-outs, one for each address and name", func() bool {
		at = nil
		for _, f := range s.facts("login.locked") {
			var b struct {
				Scope    string
				Failures int
			}
			decode(t, string(f.Body), &b)
			at = append(at, fmt.Sprint(b.Scope, b.Failures))
		}
		return len(at) == 8
	})
	if at = slices.Compact(at); len(at) != 1 || at[0] != "line5" {
		t.Errorf("locked out at %v", at)
	}
}
