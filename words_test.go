package ringfence

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// retired are words and phrases of ours that a reader stumbles over, each with what stands in its place.
var retired = []struct{ phrase, instead string }{
	{`till`, "until"},
	{`whoever`, "anyone who, or the person who"},
	{`shut(s|ting)? out`, "block, blocked"},
	{`of before`, "previous"},
	{`told of`, "notified of"},
	{`borne`, "tolerated"},
	{`at once may|may at once`, "the maximum number of"},
	{`calls at once`, "concurrent calls"},
	{`hits? on`, "finds"},
	{`for somebody's sake`, "because the source is exempt"},
	{`two far places`, "two distant places"},
	{`packets that are no sip`, "malformed or non-SIP packets"},
	{`at most so many`, "maximum number of"},
	{`go on as they were`, "survive"},
	{`spared`, "exempt"},
	{`siege`, "distributed guessing"},
	{`get in touch`, "contact"},
	{`gives? way`, "is closed, is refused, is replaced"},
	{`a call passes`, "try again"},
	// These are the examples of a revision by a native writer.
	{`may begin \S+ calls?`, "may start"},
	{`calls a minute`, "calls per minute"},
	{`longest call`, "maximum duration"},
	{`thieves,? and who is told|who is told`, "protection and notices, who is notified"},
	{`over a restart`, "survives a restart"},
	{`growing lengths?`, "escalation"},
	{`weeks of guessing`, "long-term guessing counts"},
	// These were in documents.
	{`ways? out`, "route"},
	{`as long as (he|she) likes`, "without limit"},
	{`calls? that (is|are) up`, "calls in progress"},
	{`wrong (try|tries)`, "wrong password"},
	{`that there (is|are) not`, "that does not exist"},
	{`no longer ago`, "within"},
	{`bites?`, "takes effect"},
	{`outlasts?`, "survives"},
	{`mend(s|ed)?`, "correct, repair"},
	{`told from`, "distinguished from"},
	{`tells? apart`, "distinguishes"},
	{`a wish`, "a preference, a request"},
	{`strangers?`, "unknown source, another person"},
	{`all the same`, "nevertheless, still"},
	{`let out`, "connected"},
	{`anew`, "again"},
	{`by what it is called`, "by name"},
	{`lets? go of`, "gives up"},
	{`unheard`, "without comparison"},
	{`in so many words`, "explicitly"},
	{`told behind|behind, within`, "in the background"},
	// These were in the reference of the configuration and in the help of the test phone.
	{`give themselves away`, "known attack tools"},
	{`for laboratories`, "for test systems"},
	{`unless said`, "the default is"},
	{`wants (a|an|one of|")`, "must be"},
	{`goes? before (it|both)`, "takes precedence"},
	{`log in afresh|start afresh`, "again, from zero"},
	{`own servers only`, "on this machine only"},
	{`as one dials it`, "as dialled"},
	{`whatever is locked`, "even if the line is locked"},
	{`by and by`, "gradually"},
	{`what came of`, "the result of"},
	{`nobody's`, "unallocated, without an owner"},
}

// names are what a text quotes, points to or explains: code, the targets of links, headings and entries that are codes.
var names = regexp.MustCompile("`[^`]*`" + `|\[[a-z.-]+\]\([^)]*\)|\]\([^)]*\)|^#+ [a-z.-]+$|^[a-z-]+ is\b|\b[a-z]+: |src="[^"]*"`)

// TestRetiredPhrases keeps them out of what people read: documentation, mails, help and messages. A single word is a stored name or a
// code, which stays as it is spelt.
func TestRetiredPhrases(t *testing.T) {
	// An expression that begins with its first letters finds them much faster than one that begins with (?i)\b: starts looks at the character before.
	all := make([]*regexp.Regexp, len(retired))
	for i, r := range retired {
		all[i] = regexp.MustCompile(`(?:` + r.phrase + `)\b`)
	}
	look := func(where, text string) {
		if text = strings.ToLower(names.ReplaceAllString(text, "")); !strings.Contains(text, " ") {
			return
		}
		for i, r := range all {
			for _, at := range r.FindAllStringIndex(text, -1) {
				if starts(text, at[0]) {
					t.Errorf("%s: %q: write %q instead, in: %.160s", where, text[at[0]:at[1]], retired[i].instead, text)
				}
			}
		}
	}
	eachFile(t, func(path string, f *ast.File) {
		if strings.HasSuffix(path, "_test.go") || floor(filepath.ToSlash(filepath.Dir(path))) < 0 || isGenerator(path) {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Field:
				if n.Tag != nil { // the rest of a tag is names
					tag := reflect.StructTag(strings.Trim(n.Tag.Value, "`"))
					look(path, tag.Get("help"))
					look(path, tag.Get("doc"))
				}
				return n.Tag == nil
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
					look(path, text)
				}
			}
			return true
		})
	})
	for _, path := range pages(t) {
		if path == filepath.Join("docs", "api.md") {
			continue // made from what has been looked at, and the names of fields
		}
		lookAt(t, path, look)
	}
	for _, pattern := range []string{"flow/notify/templates/*", "core/policy/reasons.txt", "core/detect/kinds.txt", "edge/web/en.txt", "deploy/*", "deploy/*/*", "tools/*.sh", "Makefile"} {
		more, err := filepath.Glob(pattern)
		if err != nil || len(more) == 0 {
			t.Fatal(pattern, err)
		}
		for _, path := range more {
			if info, err := os.Stat(path); err == nil && !info.IsDir() {
				lookAt(t, path, look)
			}
		}
	}
}

// lookAt looks at the lines of a text file. A line with JSON is an example from the journal, in the words of its time.
func lookAt(t *testing.T, path string, look func(where, text string)) {
	t.Helper()
	n := 0
	for line := range strings.Lines(read(t, path)) {
		if n++; !strings.Contains(line, `{"`) {
			look(path+":"+strconv.Itoa(n), strings.TrimSpace(line))
		}
	}
}

// starts says that a word starts there.
func starts(text string, at int) bool {
	return at == 0 || !strings.ContainsRune("_0123456789abcdefghijklmnopqrstuvwxyz", rune(text[at-1]))
}
