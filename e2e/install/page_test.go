//go:build e2e && linux

package install

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// step is something that the page has its reader do.
type step struct {
	line    int    // of the page
	section string // the heading of the second rank above it
	kind    kind
	machine string // on which
	text    string
}

type kind int

const (
	commands   kind = iota // a block of a shell's commands
	transcript             // a block of commands after "$ ", with what they print
	file                   // a block of TOML whose first line names the file
	inText                 // a command in a sentence
)

var (
	fence   = regexp.MustCompile("^```")
	span    = regexp.MustCompile("`([^`]+)`")
	on      = regexp.MustCompile(`^# on ([a-z]+)(, |\n|$)`)
	program = regexp.MustCompile(`^((ringfence|systemctl|journalctl|make|dpkg|runuser) [^ ]|update-ca-certificates$|[a-z/]*geo\.sh )`)
)

// endless are commands that would run these tests within themselves, or do not end.
var endless = regexp.MustCompile(`^make (test|check|soak|bench|run)\b`)

// steps reads a page. The rules: an indented block is commands, one with "$ " in front a transcript; a block between fences
// is TOML, and begins with a comment that names its file; "# on NAME" says on which machine, else it is "a"; a command in a
// sentence is what begins with a program's name and a word after it, and is typed on "a". Any other block is a mistake.
func steps(t *testing.T, page string) (all []step) {
	t.Helper()
	section, machine := "", "a"
	lines := strings.Split(page, "\n")
	for n := 0; n < len(lines); n++ {
		first := n + 1
		switch line := lines[n]; {
		case strings.HasPrefix(line, "## "):
			section, machine = strings.TrimPrefix(line, "## "), "a"
		case fence.MatchString(line):
			var block []string
			for n++; n < len(lines) && lines[n] != "```"; n++ {
				block = append(block, lines[n])
			}
			if line != "```toml" || len(block) == 0 || !strings.HasPrefix(block[0], "# ") {
				t.Fatalf("line %d: a block that this test cannot run: %s", first, line)
			}
			if m := on.FindStringSubmatch(block[0]); m != nil {
				machine = m[1]
				block[0] = "# " + strings.TrimPrefix(block[0], m[0])
			}
			all = append(all, step{first, section, file, machine, strings.Join(block, "\n") + "\n"})
		case strings.HasPrefix(line, "    ") && (n == 0 || lines[n-1] == ""):
			var block []string
			for ; n < len(lines) && (lines[n] == "" || strings.HasPrefix(lines[n], "    ")); n++ {
				block = append(block, strings.TrimPrefix(lines[n], "    "))
			}
			n--
			text := strings.TrimRight(strings.Join(block, "\n"), "\n")
			if strings.HasPrefix(text, "$ ") {
				all = append(all, step{first, section, transcript, machine, text})
				continue
			}
			for _, part := range onMachines(text) { // a blank line may keep apart what is typed on two machines
				if m := on.FindStringSubmatch(part); m != nil {
					machine = m[1]
				}
				all = append(all, step{first, section, commands, machine, part})
			}
		default:
			for _, m := range span.FindAllStringSubmatch(line, -1) {
				if endless.MatchString(m[1]) {
					t.Fatalf("line %d: %s takes too long to be tried here: the page must do without it", first, m[1])
				}
				if program.MatchString(m[1]) {
					all = append(all, step{first, section, inText, "a", m[1]})
				}
			}
		}
	}
	return all
}

// onMachines cuts a block before each line that names a machine.
func onMachines(text string) (parts []string) {
	for line := range strings.Lines(text) {
		if len(parts) == 0 || on.MatchString(line) {
			parts = append(parts, "")
		}
		parts[len(parts)-1] += line
	}
	return parts
}

// examples are the words that stand for something in commands of the text.
var examples = strings.NewReplacer("LINE", "3001", "NAME", "carrier-a", "TEXT", "'stolen phone'", "< carrier.txt", "< /run/carrier.txt",
	"ID", "$(ringfence cdr list --json | sed -n 's/.*\"id\": *\"\\([^\"]*\\)\".*/\\1/p' | head -n 1)")

// following is a command that shows what happens until it is stopped: it is given two seconds.
var following = regexp.MustCompile(`(?m)^(ringfence (?:.* --follow|trace .*))$`)

// nameOnly is a command that a sentence only names: its help must be there.
var nameOnly = regexp.MustCompile(`^ringfence( [a-z]+)+$`)

// flagsOf asks for the flags of a command that a sentence shows with a file which this machine does not have. Its script test has
// one.
func flagsOf(text string) string {
	words := strings.Fields(text)
	script := "help=$(" + words[0] + " " + words[1] + " --help)"
	for _, w := range words[2:] {
		if strings.HasPrefix(w, "--") {
			script += ` && echo "$help" | grep -q -e "` + w + `[ =]"`
		}
	}
	return script
}

// do carries out a step.
func (m *machine) do(s step, dir string) {
	m.t.Helper()
	m.doWithin(0, s, dir)
}

// doWithin tries a step again for a while: what one node was told is known on the other within a second.
func (m *machine) doWithin(limit time.Duration, s step, dir string) {
	m.t.Helper()
	began := time.Now()
	out, err := m.attempt(s, dir)
	for err != nil && time.Since(began) < limit {
		out, err = m.attempt(s, dir)
	}
	if err != nil {
		log, _ := m.try("/", "tail -n 30 /run/standin/log")
		m.t.Fatalf("docs/operating.md, line %d, on %s:\n%s\n%v\n%s\nthe service's log:\n%s", s.line, m.name, s.text, err, out, log)
	}
	m.t.Logf("line %d, on %s, in %v: %s\n%s", s.line, m.name, time.Since(began).Round(time.Millisecond), s.text, out)
}

func (m *machine) attempt(s step, dir string) (string, error) {
	switch s.kind {
	case transcript:
		return m.transcript(dir, s.text)
	case file:
		return "", m.write(s.text)
	case inText:
		text := examples.Replace(s.text)
		if nameOnly.MatchString(text) {
			text += " --help"
		}
		if strings.Contains(text, " FILE") {
			text = flagsOf(text)
		}
		return m.try(dir, text)
	}
	return m.try(dir, following.ReplaceAllString(s.text, "timeout 2 $1 || [ $$? = 124 ]"))
}

var tableOf = regexp.MustCompile(`^# (\S+), \[([a-z.-]+)\]\n`)

// write puts a file where its first line says. With a table named after it, the keys are set in that table.
func (m *machine) write(text string) error {
	if named := tableOf.FindStringSubmatch(text); named != nil {
		script := "f=" + named[1] + "\n"
		for line := range strings.Lines(strings.TrimPrefix(text, named[0])) {
			key, _, _ := strings.Cut(line, " ")
			script += fmt.Sprintf("sed -i '/^\\[%s\\]/,/^\\[/{/^%s = /d}; /^\\[%s\\]/a %s' $f\n", named[2], key, named[2], strings.TrimSpace(line))
		}
		_, err := m.try("/", script)
		return err
	}
	name, rest, _ := strings.Cut(strings.TrimPrefix(text, "# "), "\n")
	_, err := m.try("/", "cat > "+name+" <<'WHOLE-FILE'\n"+rest+"WHOLE-FILE\n")
	return err
}

var identity = regexp.MustCompile(`(\w+)~[a-z0-9]{8}`)

// transcript runs what comes after "$ " and wants the first line that is shown after it. An identity is another each time:
// one in a command stands for the one that was printed last.
func (m *machine) transcript(dir, text string) (all string, err error) {
	lines := strings.Split(text, "\n")
	for n, line := range lines {
		command, ok := strings.CutPrefix(line, "$ ")
		if !ok {
			continue
		}
		if printed := identity.FindString(all); printed != "" {
			command = identity.ReplaceAllString(command, printed)
		}
		out, err := m.try(dir, command)
		all += "$ " + command + "\n" + out
		if err != nil {
			return all, err
		}
		if n+1 < len(lines) && !strings.HasPrefix(lines[n+1], "$ ") && !strings.Contains(blanks(out), blanks(lines[n+1])) {
			return all, fmt.Errorf("it does not print %q", lines[n+1])
		}
	}
	return all, nil
}

func blanks(text string) string { return strings.Join(strings.Fields(text), " ") }

const nodes = "Several nodes"

// page gives the steps of docs/operating.md in the order of the page: those of the section on nodes, or all others.
func page(t *testing.T, ofNodes bool) []step {
	t.Helper()
	all := steps(t, read(t, filepath.Join(repository, "docs/operating.md")))
	if !slices.ContainsFunc(all, func(s step) bool { return s.section == nodes }) {
		t.Fatalf("docs/operating.md has no section %q: name it here as it is called now", nodes)
	}
	return slices.DeleteFunc(all, func(s step) bool { return (s.section == nodes) != ofNodes })
}

// documentation is the addresses that the page has: of the nodes, the database and the carrier.
var documentation = []string{"192.0.2.1/24", "192.0.2.2/24", "192.0.2.5/24", "2001:db8::1/64", "198.51.100.10/24", "198.51.100.11/24"}

// carrier plays the carrier of the page with SIPp.
func (m *machine) carrier(at string) {
	m.t.Helper()
	m.sh("setsid sipp -sn uas -i " + at + " -p 5060 -mi " + at + " -aa -nostdin >>/run/sipp.log 2>&1 </dev/null &")
}

// certified is what an operator has before the page's section on TLS: a name for the machine, and a certificate for it from an authority that everybody trusts.
func (m *machine) certified(name, at, file string) {
	m.t.Helper()
	m.sh("echo " + at + " " + name + " >> /etc/hosts")
	m.sh("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj /CN=" + name + " -addext subjectAltName=DNS:" + name + " -keyout " + file + ".key -out " + file + ".pem 2>&1")
	m.sh("chown root:ringfence " + file + ".key && chmod 640 " + file + ".key")
	m.sh("cp " + file + ".pem /usr/local/share/ca-certificates/" + name + ".crt && update-ca-certificates 2>&1")
}

// Every command of docs/operating.md but those of the section on nodes is typed in the order of the page, on a machine that
// knows nothing of Ringfence.
func TestOperatingPage(t *testing.T) {
	if !inOwnWorld(t, documentation...) {
		return
	}
	a := newMachine(t, "a")
	a.carrier("198.51.100.10")
	a.carrier("198.51.100.11")
	a.sh("echo the-password-of-the-carrier >/run/carrier.txt") // which a sentence of the page reads
	list := page(t, false)
	for _, s := range list {
		if s.machine != "a" {
			t.Fatalf("line %d: there is one machine here, not %q", s.line, s.machine)
		}
		if strings.Contains(s.text, "tls-cert = ") {
			a.certified("sip.example.net", "192.0.2.1", "/etc/ringfence/sip")
		}
		if strings.Contains(s.text, "deck=carrier-a") { // the carrier's prices
			a.sh("printf 'prefix,name,rate\\n44,United Kingdom,0.005\\n' >/run/cost.csv && ringfence deck import carrier-a /run/cost.csv --kind cost")
		}
		a.do(s, repository)
	}
	t.Logf("%d steps", len(list))
	if out, err := a.try("/", "ringfence status"); err == nil {
		t.Errorf("a server still answers:\n%s", out)
	}
	// The page ends with removing it: nothing is left but what it says is kept.
	left := a.sh("find /usr /etc /var/lib -path '*ringfence*' -type f")
	for path := range strings.Lines(left) {
		if !strings.HasPrefix(path, "/var/lib/ringfence/") && !strings.HasPrefix(path, "/etc/ringfence/sip.") { // the certificate is the operator's
			t.Errorf("left behind: %s", path)
		}
	}
	if !strings.Contains(left, "/var/lib/ringfence/ringfence.db\n") || !strings.Contains(left, "/var/lib/ringfence/ringfence.key\n") {
		t.Errorf("the books are gone; left are\n%s", left)
	}
	if len(list) < 20 {
		t.Errorf("only %d steps", len(list))
	}
}

// The section on nodes is followed from nothing to two nodes on one PostgreSQL, with a machine for each of the three. They
// share a network, so that the addresses of all are on each.
func TestOperatingPageNodes(t *testing.T) {
	if !inOwnWorld(t, documentation...) {
		return
	}
	a, b, db := newMachine(t, "a"), newMachine(t, "b"), newMachine(t, "db")
	b.sees("192.0.2.1", a)
	for _, m := range []*machine{a, b} {
		m.sh("cd " + repository + " && deploy/install.sh install")
	}
	db.sh(`[ -n "$(pg_lsclusters -h)" ] || pg_createcluster "$(ls /usr/lib/postgresql | tail -n 1)" main; systemctl restart postgresql`)
	on := map[string]*machine{"a": a, "b": b, "db": db}
	used := map[string]int{}
	for _, s := range page(t, true) {
		if on[s.machine] == nil {
			t.Fatalf("line %d: there is no machine %q", s.line, s.machine)
		}
		on[s.machine].doWithin(20*time.Second, s, "/root")
		used[s.machine]++
	}
	if used["a"] < 4 || used["b"] < 2 || used["db"] < 1 {
		t.Errorf("steps on machines: %v", used)
	}
	for _, m := range []*machine{a, b} {
		status := blanks(m.sh("ringfence status"))
		for _, want := range []string{"ready yes", "store postgres, ok", "lines 1 ", "node " + m.name} {
			if !strings.Contains(status, want) {
				t.Errorf("%s: no %q in %s", m.name, want, status)
			}
		}
	}
}

// What the page may not have is a mistake, not a block that is passed over.
func TestStepsOfAPage(t *testing.T) {
	got := steps(t, "# P\n\n## One\n\nSay `ringfence status --json` or `GET /readyz`:\n\n    make deb\n    dpkg -i x\n\n## Two\n\n"+
		"    # on a\n    x\n\n    # on b\n    y\n\nand\n\n```toml\n# on db, /etc/x.toml\nk = 1\n```\n\n    z\n\n## Three\n\n    $ ringfence calls\n    id\n")
	want := []step{
		{5, "One", inText, "a", "ringfence status --json"},
		{7, "One", commands, "a", "make deb\ndpkg -i x"},
		{12, "Two", commands, "a", "# on a\nx\n\n"},
		{12, "Two", commands, "b", "# on b\ny"},
		{20, "Two", file, "db", "# /etc/x.toml\nk = 1\n"},
		{25, "Two", commands, "db", "z"},
		{29, "Three", transcript, "a", "$ ringfence calls\nid"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}
