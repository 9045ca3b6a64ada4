package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"ringfence/edge/rest/api"
)

var inText = regexp.MustCompile("`(ringfence [^`]*)`")

// commandsOf are the command lines of a page: indented ones, and those in backticks.
func commandsOf(page string) (all []string) {
	for line := range strings.Lines(page) {
		line, _, _ = strings.Cut(strings.TrimRight(line, "\n"), " #")
		text, _, _ := strings.Cut(strings.TrimSpace(line), "   ") // what it does, in a column of its own
		if strings.HasPrefix(line, "    ") && strings.HasPrefix(text, "ringfence ") {
			all = append(all, text)
			continue
		}
		for _, m := range inText.FindAllStringSubmatch(line, -1) {
			all = append(all, m[1])
		}
	}
	return all
}

// isCommand says that words are the name of a command.
func isCommand(model *kong.Application, words []string) bool {
	node := model.Node
	for _, w := range words {
		i := slices.IndexFunc(node.Children, func(n *kong.Node) bool { return n.Name == w })
		if i < 0 {
			return false
		}
		node = node.Children[i]
	}
	return true
}

// Every command that the documentation gives must be understood as it stands there.
func TestCommandsOfTheDocumentation(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found, parse, model := 0, parser(t), grammar(t).Model
	for _, path := range append(pages, "../../README.md") {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range commandsOf(string(page)) {
			words := commandLine("  " + line)
			if strings.ContainsAny(line, "…[") || len(words) == 0 {
				continue // a pattern, not a command
			}
			if words[0] == "--version" || isCommand(model, words) {
				continue // its name only
			}
			found++
			ctx, err := parse(words)
			if err != nil {
				t.Errorf("%s: %q: %v", filepath.Base(path), line, err)
				continue
			}
			if set, ok := ctx.Selected().Target.Addr().Interface().(*change[api.LineDetail, api.LineID, api.PatchLine]); ok {
				if err := assign(&api.PatchLine{}, set.Set, set.grantFlags); err != nil {
					t.Errorf("%s: %q: %v", filepath.Base(path), line, err)
				}
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d commands", found)
	}
}
