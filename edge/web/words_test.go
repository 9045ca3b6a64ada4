package web

import (
	"go/ast"
	"go/parser"
	"go/token"
	"html/template"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"text/template/parse"
	"unicode"

	"golang.org/x/net/html"

	"ringfence/core/account"
)

// keyLike is how keys look; no other text of this package does.
var keyLike = regexp.MustCompile(`^[a-z]+\.[a-z]([a-z0-9-]*[a-z0-9])?$`)

// TestEveryWordIsInTheCatalogue: keys in the code and in templates exist, and none in the catalogue is left over.
func TestEveryWordIsInTheCatalogue(t *testing.T) {
	used := map[word]string{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]bool{}
	for key := range english.texts {
		section, _, _ := strings.Cut(string(key), ".")
		sections[section] = true
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				text, _ := strconv.Unquote(lit.Value)
				if section, _, _ := strings.Cut(text, "."); keyLike.MatchString(text) && sections[section] && !strings.HasSuffix(text, ".html") && !strings.HasSuffix(text, "-") {
					used[word(text)] = path
				}
				if prefix, ok := strings.CutSuffix(text, "-"); ok && strings.Contains(prefix, ".") && sections[strings.Split(prefix, ".")[0]] { // "status.state-" + name
					for key := range english.texts {
						if strings.HasPrefix(string(key), text) {
							used[key] = path
						}
					}
				}
			}
			return true
		})
	}
	s := newServer(t, newLinks())
	for name, set := range s.pages {
		for _, tmpl := range set.Templates() {
			eachKey(tmpl.Tree, func(key string) { used[word(key)] = name + ".html" })
		}
	}
	frame, err := os.ReadFile("frame/frame.html")
	if err != nil {
		t.Fatal(err)
	}
	bare := template.Must(template.New("frame").Funcs(s.reader.funcs()).Parse(string(frame))) // pages put their own in place of its blocks
	for _, tmpl := range bare.Templates() {
		eachKey(tmpl.Tree, func(key string) { used[word(key)] = "frame.html" })
	}
	for key, where := range used {
		if _, ok := english.texts[key]; !ok {
			t.Errorf("%s uses %q, which is not in the catalogue", where, key)
		}
	}
	for key := range english.texts {
		if used[key] == "" {
			t.Errorf("%s is in the catalogue and nowhere used", key)
		}
	}
}

// eachKey finds the first argument of t and say.
func eachKey(tree *parse.Tree, yield func(string)) {
	if tree == nil || tree.Root == nil {
		return
	}
	var walk func(parse.Node)
	walk = func(n parse.Node) {
		switch n := n.(type) {
		case *parse.ListNode:
			if n != nil {
				for _, c := range n.Nodes {
					walk(c)
				}
			}
		case *parse.ActionNode:
			walk(n.Pipe)
		case *parse.PipeNode:
			if n != nil {
				for _, c := range n.Cmds {
					walk(c)
				}
			}
		case *parse.CommandNode:
			for i, a := range n.Args {
				id, ok := a.(*parse.IdentifierNode)
				if ok && i == 0 && (id.Ident == "t" || id.Ident == "say") && len(n.Args) > 1 {
					if s, ok := n.Args[1].(*parse.StringNode); ok {
						yield(s.Text)
					}
				}
				walk(a)
			}
		case *parse.IfNode:
			walk(n.Pipe)
			walk(n.List)
			walk(n.ElseList)
		case *parse.RangeNode:
			walk(n.Pipe)
			walk(n.List)
			walk(n.ElseList)
		case *parse.WithNode:
			walk(n.Pipe)
			walk(n.List)
			walk(n.ElseList)
		case *parse.TemplateNode:
			walk(n.Pipe)
		}
	}
	walk(tree.Root)
}

// TestTemplatesHaveNoTexts: what a person reads is in the catalogue, so that it can be translated.
func TestTemplatesHaveNoTexts(t *testing.T) {
	actions := regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".html" {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		z := html.NewTokenizer(strings.NewReader(actions.ReplaceAllString(string(body), "")))
		for {
			switch z.Next() {
			case html.ErrorToken:
				return nil
			case html.TextToken:
				if text := z.Token().Data; strings.TrimSpace(text) != `aria-invalid="true" aria-describedby="e-" aria-describedby="h-"` && strings.ContainsFunc(text, unicode.IsLetter) {
					t.Errorf("%s: %q belongs into en.txt", path, strings.TrimSpace(text))
				}
			case html.StartTagToken, html.SelfClosingTagToken:
				for _, a := range z.Token().Attr {
					if (a.Key == "aria-label" || a.Key == "title" || a.Key == "alt" || a.Key == "placeholder") && strings.ContainsFunc(a.Val, unicode.IsLetter) {
						t.Errorf("%s: %s=%q belongs into en.txt", path, a.Key, a.Val)
					}
				}
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCatalogue(t *testing.T) {
	c, err := readCatalogue("# x\n[a]\none {n} call | {n} calls\nname Line {line} is **locked**\n")
	if err != nil {
		t.Fatal(err)
	}
	for want, got := range map[string]string{
		"1 call": c.say("a.one", "n", 1), "1,204 calls": c.say("a.one", "n", 1204), "0 calls": c.say("a.one", "n", 0), "Line 2003 is locked": c.say("a.name", "line", "2003"),
		"⟦a.two⟧": c.say("a.two"), "Line &lt;b&gt;**{x} is <b>locked</b>": string(c.mark("a.name", "line", "<b>**{x}")),
		"Line <bdi>&lt;i&gt;</bdi> is <b>locked</b>": string(c.mark("a.name", "line", name("<i>"))), "Line <i> is locked": c.say("a.name", "line", name("<i>")),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for _, bad := range []string{"[a]\nx one\nx two", "[a]\nx"} {
		if _, err := readCatalogue(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// TestSettingsHaveOneName: the pages call a setting what the PDF of a case file does.
func TestSettingsHaveOneName(t *testing.T) {
	for f := range account.NumFields {
		if on := english.texts["line.set-"+word(f.String())]; len(on) != 1 || on[0] != f.Words() {
			t.Errorf("%s is %q on the pages, and %q in documents", f, on, f.Words())
		}
	}
}
