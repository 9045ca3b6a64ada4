package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"ringfence/cmd/ringfence/table"
)

// plain is roff as a reader sees it, all blanks alike.
func plain(page string) string {
	page = regexp.MustCompile(`(?m)^\.(PP|RS( 4)?|RE|nf|fi|TP|B|I)\b ?`).ReplaceAllString(page, "")
	page = strings.NewReplacer(`\fB`, "", `\fI`, "", `\fR`, "", `\&`, "", `\-`, "-", `\(ha`, "^", `\(ti`, "~", `\(ga`, "`",
		`\(aq`, "'", `\(dq`, `"`, `\e`, `\`).Replace(page)
	page = regexp.MustCompile(`\\\[u[0-9A-F]+\]`).ReplaceAllString(page, "?")
	return blanks(page)
}

func blanks(text string) string {
	text = regexp.MustCompile(`[^\x00-~]`).ReplaceAllString(text, "?")
	return strings.Join(strings.Fields(text), " ")
}

// The manual page has every command, argument and flag with its help, and every example: it cannot lag behind.
func TestManualPageSaysWhatHelpSays(t *testing.T) {
	var out, errOut bytes.Buffer
	if code := run([]string{"man"}, os.Stdin, &out, &errOut); code != exitOK {
		t.Fatalf("exit code %d: %s", code, errOut.String())
	}
	raw := out.String()
	for n, line := range strings.Split(raw, "\n") {
		if table.Clean(line) != line || strings.HasPrefix(line, "'") || len(line) > 0 && line[0] > '~' {
			t.Errorf("line %d is not fit for roff: %q", n+1, line)
		}
	}
	page := plain(raw)
	want := func(what, text string) {
		if !strings.Contains(page, blanks(text)) {
			t.Errorf("%s is not in the page: %q", what, text)
		}
	}
	_ = kong.Visit(grammar(t).Model, func(v kong.Visitable, next kong.Next) error {
		switch v := v.(type) {
		case *kong.Node:
			if v.Hidden {
				return nil
			}
			if v.Leaf() && v.Type == kong.CommandNode {
				want("a command", v.FullPath())
				want("help of "+v.FullPath(), v.Help)
				want("detail of "+v.FullPath(), v.Detail)
			}
		case *kong.Value:
			if v.Flag == nil {
				want("argument", v.Help)
			}
		case *kong.Flag:
			if !v.Hidden {
				want("flag", "--"+v.Name)
				want("help of --"+v.Name, v.Help)
			}
		}
		return next(nil)
	})
	for _, section := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "EXIT STATUS"} {
		if !strings.Contains(raw, `.SH "`+section+`"`) {
			t.Errorf("no section %s", section)
		}
	}
	want("an exit code", "3 decide: the call would be refused")
}
