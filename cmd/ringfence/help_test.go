package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"ringfence/cmd/ringfence/table"
	"ringfence/edge/rest/api"
	"ringfence/edge/rest/client"
)

func grammar(t *testing.T) *kong.Kong {
	t.Helper()
	var cli commands
	p, err := newParser(&cli, newSession(context.Background(), os.Stdin, &bytes.Buffer{}, &bytes.Buffer{}))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// parser understands one command line after another with one grammar, for building the grammar takes longer than all of them.
func parser(t *testing.T) func(words []string) (*kong.Context, error) {
	t.Helper()
	k := grammar(t)
	return func(words []string) (*kong.Context, error) {
		err := kong.Visit(k.Model, func(n kong.Visitable, next kong.Next) error {
			switch n := n.(type) {
			case *kong.Flag:
				n.Value.Set = false
			case *kong.Value:
				n.Set = false
			}
			return next(nil)
		})
		if err != nil {
			return nil, err
		}
		return k.Parse(words)
	}
}

// Every command's help has examples, and every example is a command line that is understood.
func TestEveryCommandHasExamplesThatParse(t *testing.T) {
	parse := parser(t)
	leaves := grammar(t).Model.Leaves(true)
	if len(leaves) < 40 {
		t.Fatalf("only %d commands", len(leaves))
	}
	for _, leaf := range leaves {
		own := 0
		for line := range strings.Lines(leaf.Detail) {
			words := commandLine(line)
			if words == nil {
				continue
			}
			ctx, err := parse(words)
			if err != nil {
				t.Errorf("%s: example %q: %v", leaf.FullPath(), strings.TrimSpace(line), err)
			} else if strings.HasPrefix("ringfence "+ctx.Command(), leaf.FullPath()) {
				own++
			}
		}
		if own == 0 {
			t.Errorf("%s: --help has no example of it", leaf.FullPath())
		}
	}
}

var program = regexp.MustCompile(`[ (]ringfence `)

// commandLine is the words after "ringfence" in an example, as a shell would cut them; nil when it is none.
func commandLine(line string) []string {
	if !strings.HasPrefix(line, "  ") {
		return nil
	}
	at := program.FindStringIndex(line)
	if at == nil {
		return nil
	}
	var words []string
	var word strings.Builder
	quoted, any := false, false
	for _, r := range strings.TrimSpace(line[at[1]:]) + " " {
		switch {
		case !quoted && (r == '|' || r == '<' || r == '>' || r == ')'):
			if any {
				words = append(words, word.String())
			}
			return words
		case r == '"':
			quoted, any = !quoted, true
		case r == ' ' && !quoted:
			if any {
				words = append(words, word.String())
			}
			word.Reset()
			any = false
		default:
			word.WriteRune(r)
			any = true
		}
	}
	return words
}

func TestHelpSaysTheExitCodes(t *testing.T) {
	var out, errOut bytes.Buffer
	if code := run([]string{"--help"}, os.Stdin, &out, &errOut); code != exitOK {
		t.Fatalf("exit code %d: %s", code, errOut.String())
	}
	for _, want := range []string{"0  done", "1  failed", "2  usage", "3  decide", "4  no server", "5  not permitted", "6  nothing was done", "ringfence serve --demo"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("--help does not say %q:\n%s", want, out.String())
		}
	}
}

// Flags, commands and arguments without a word of help are of no help.
func TestEverythingHasHelp(t *testing.T) {
	_ = kong.Visit(grammar(t).Model, func(n kong.Visitable, next kong.Next) error {
		switch n := n.(type) {
		case *kong.Node:
			if n.Help == "" && !n.Hidden {
				t.Errorf("command %s", n.FullPath())
			}
			if n.Type == kong.CommandNode && !n.Hidden && !strings.Contains(n.Detail, "Examples:\n\n  ") {
				t.Errorf("command %s has no examples", n.FullPath())
			}
		case *kong.Value:
			if n.Help == "" && n.Name != "words" {
				t.Errorf("argument %s", n.Summary())
			}
		case *kong.Flag:
			if n.Help == "" {
				t.Errorf("flag --%s", n.Name)
			}
		}
		return next(nil)
	})
}

// Our own colours reach a terminal; what a server sends does not steer it.
func TestColoursAreOursOnly(t *testing.T) {
	var out bytes.Buffer
	s := newSession(context.Background(), os.Stdin, &out, &out)
	s.out.Colour = true
	if err := s.say("%s of %s", s.out.Paint(table.Bad, "REFUSED\x1b[2J"), "evil\x1b[2J\nnext"); err != nil {
		t.Fatal(err)
	}
	if want := "\x1b[31mREFUSED?[2J\x1b[0m of evil?[2J\nnext\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	out.Reset()
	s.fail(&api.Problem{Status: 422, Detail: "no\x1b]0;x\x07", Errors: []api.Fault{{Text: "\x1b[2J"}}})
	if strings.ContainsAny(out.String(), "\x1b\x07") {
		t.Errorf("%q", out.String())
	}
}

// Output that is no terminal has no colours, whatever the environment.
func TestNoColoursInAPipe(t *testing.T) {
	if s := newScreen(&bytes.Buffer{}); s.Colour || s.Width != 80 {
		t.Errorf("%+v", s)
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{errors.New("x"), exitFailed},
		{usagef("x"), exitUsage},
		{errRefused, exitRefused},
		{errNothingDone, exitNothing},
		{errNoServer, exitUnreachable},
		{fmt.Errorf("%w at s: %w", client.ErrUnreachable, os.ErrNotExist), exitUnreachable},
		{fmt.Errorf("%w at s: %w", client.ErrUnreachable, os.ErrPermission), exitForbidden},
		{&api.Problem{Status: 401, Reason: api.ReasonToken}, exitForbidden},
		{&api.Problem{Status: 429, Reason: api.ReasonTokens}, exitForbidden},
		{&api.Problem{Status: 404}, exitFailed},
	} {
		if got := codeOf(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
	if text := explain(fmt.Errorf("%w at s: %w", client.ErrUnreachable, os.ErrPermission), remote{}); !strings.Contains(text, "sudo -u ringfence") {
		t.Errorf("nothing on what to do about permissions: %s", text)
	}
}

// Whatever is mistyped, in commands, flags or the words that a flag takes, the nearest that there is gets named.
func TestSlipsAreAnswered(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"crd list", `"cdr"`},
		{"cdr lst", `"list"`},
		{"CDR list", `"cdr"`},
		{"line shwo 2001", `"show"`},
		{"line delete 2001", `"remove"`},
		{"usage 2001", `"ringfence customer usage"`},
		{"trunks list", `"trunk"`},
		{"cdr list --lin 2001", `"--line"`},
		{"cdr list -line 2001", `unknown flag -line, did you mean "--line"`},
		{"cdr list --LINE 2001", `"--line"`},
		{"cdr list --sicket x", `"--socket"`},
		{"cdr export --format cvs", `"csv"`},
		{"cdr export --format JSON", `"json"`},
		{"request list --state opne", `"open"`},
		{"trunk add a 192.0.2.1 --transport upd", `"udp"`},
		{"deck import a b --kind retial", `"retail"`},
		{"completion bahs", `"bash"`},
		{"help crd", `"cdr"`},
		{"help cdr lst", `"list"`},
	} {
		var out, errOut bytes.Buffer
		if code := run(strings.Fields(c.line), os.Stdin, &out, &errOut); code != exitUsage || !strings.Contains(errOut.String(), "did you mean") ||
			!strings.Contains(errOut.String(), c.want) {
			t.Errorf("%s: exit code %d, %s; want %s", c.line, code, errOut.String(), c.want)
		}
	}
}

func TestHelpOfACommand(t *testing.T) {
	for line, want := range map[string]string{
		"help": "Exit codes", "help cdr": "ringfence cdr <command>", "help cdr list": "--until", "help line": "devices", "help help": "ringfence help cdr list",
	} {
		var out, errOut bytes.Buffer
		if code := run(strings.Fields(line), os.Stdin, &out, &errOut); code != exitOK || !strings.Contains(out.String(), want) {
			t.Errorf("%s: exit code %d, %s%s; want %s", line, code, out.String(), errOut.String(), want)
		}
	}
}
