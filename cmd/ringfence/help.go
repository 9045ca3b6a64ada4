package main

import (
	"regexp"
	"strings"

	"github.com/alecthomas/kong"

	"ringfence/core/slip"
)

// helpCmd is there to be listed and completed: run turns "help COMMAND" into "COMMAND --help".
type helpCmd struct {
	Words []string `arg:"" optional:"" name:"command" help:"Command, such as cdr list."`
}

// Run is never reached but through a program that has built the grammar itself.
func (helpCmd) Run() error { return nil }

// otherWords are what other programs call what we call otherwise.
var otherWords = map[string]string{
	"delete": "remove", "rm": "remove", "del": "remove", "create": "add", "new": "add", "ls": "list", "get": "show", "edit": "set",
	"update": "set", "change": "set", "modify": "set", "call": "calls", "records": "cdr", "log": "journal", "doctor": "check", "start": "serve",
	"run": "serve", "ping": "test",
}

var (
	notOneOf   = regexp.MustCompile(`must be one of (.+) but got "(.*)"$`)
	noSuchFlag = regexp.MustCompile(`^unknown flag (-[^-, ]|--[^, ]+$)`)
	noSuchWord = regexp.MustCompile(`^unexpected argument ([^,]+)$`)
)

// meant adds to a wrong command line what is nearest to it, where the parser has not.
func meant(err error, root *kong.Node, args []string) error {
	text := err.Error()
	if m := notOneOf.FindStringSubmatch(text); m != nil {
		return meaning{err, text, slip.Nearest(strings.ToLower(m[2]), strings.Split(strings.ReplaceAll(m[1], `"`, ""), ","))}
	}
	if m := noSuchFlag.FindStringSubmatch(text); m != nil {
		flag := wholeFlag(m[1], args)
		return meaning{err, "unknown flag " + flag, nearFlag(flag, selected(err, root))}
	}
	if m := noSuchWord.FindStringSubmatch(text); m != nil {
		return meaning{err, text, nearCommand(strings.ToLower(m[1]), selected(err, root), root)}
	}
	return err
}

// meaning is an error of the parser with what may have been meant.
type meaning struct {
	error
	text string
	near string // "": nothing
}

// Error adds the question to what is wrong.
func (m meaning) Error() string {
	if m.near == "" {
		return m.text
	}
	return m.text + `, did you mean "` + m.near + `"?`
}

// Unwrap keeps the parser's error, which knows the command.
func (m meaning) Unwrap() error { return m.error }

// wholeFlag is a flag as it was typed: "-line" is read by the parser as "-l".
func wholeFlag(flag string, args []string) string {
	for _, a := range args {
		if !strings.HasPrefix(flag, "--") && strings.HasPrefix(a, flag) {
			flag, _, _ = strings.Cut(a, "=")
		}
	}
	return flag
}

// nearFlag is the nearest flag of a command.
func nearFlag(flag string, node *kong.Node) string {
	var names []string
	for _, group := range node.AllFlags(true) {
		for _, f := range group {
			names = append(names, f.Name)
		}
	}
	if near := slip.Nearest(strings.ToLower(strings.TrimLeft(flag, "-")), names); near != "" {
		return "--" + near
	}
	return ""
}

// nearCommand is the nearest subcommand, else the command anywhere else that is called so.
func nearCommand(word string, node, root *kong.Node) string {
	if other, ok := otherWords[word]; ok && child(node, other) {
		return other
	}
	var names []string
	for _, c := range node.Children {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	if near := slip.Nearest(word, names); near != "" {
		return near
	}
	for _, leaf := range root.Leaves(true) {
		if leaf.Name == word || strings.TrimSuffix(word, "s") == leaf.Name {
			return leaf.FullPath()
		}
	}
	return ""
}

func child(node *kong.Node, name string) bool {
	for _, c := range node.Children {
		if c.Name == name {
			return true
		}
	}
	return false
}

// selected is the command that a wrong command line had come to.
func selected(err error, root *kong.Node) *kong.Node {
	if node := commandOf(err); node != nil {
		return node
	}
	return root
}
