package ringfence

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	inCode  = regexp.MustCompile("`([^`\n]+)`")
	place   = regexp.MustCompile(`^((core|state|flow|edge|app|cmd|deploy|docs|e2e|tools)/)?[\w./*-]+$`)
	method  = regexp.MustCompile(`^(?:\w+\.)?(\w+)$`)
)

// pages are the documents that people read.
func pages(t *testing.T) (all []string) {
	t.Helper()
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/decisions/*.md", "e2e/*.md"} {
		more, err := filepath.Glob(pattern)
		if err != nil || len(more) == 0 {
			t.Fatal(pattern, err)
		}
		all = append(all, more...)
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// anchors are the places of a page that a link can name, as GitHub makes them from headings.
func anchors(page string) map[string]bool {
	found := map[string]bool{"": true}
	for _, h := range heading.FindAllStringSubmatch(page, -1) {
		found[strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-")] = true
	}
	return found
}

// TestLinksOfTheDocumentation wants every link between documents to lead to a file and a heading that exist.
func TestLinksOfTheDocumentation(t *testing.T) {
	for _, path := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, path), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which does not exist", path, m[1])
			} else if anchor != "" && !anchors(read(t, target))[anchor] {
				t.Errorf("%s links to %s, which has no such heading", path, m[1])
			}
		}
	}
}

// TestTheArchitectureIsOfThisTree wants every file and function that docs/architecture.md names to exist, so that a new engineer is
// not sent to what was renamed.
func TestTheArchitectureIsOfThisTree(t *testing.T) {
	files, source := map[string]bool{}, strings.Builder{}
	for _, floor := range floors {
		err := filepath.WalkDir(floor, func(path string, d os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if files[path], files[d.Name()] = true, true; strings.HasSuffix(path, ".go") {
				source.WriteString(read(t, path))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	words, checked := map[string]bool{}, 0
	for word := range strings.FieldsFuncSeq(source.String(), func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		words[word] = true
	}
	for _, m := range inCode.FindAllStringSubmatch(read(t, "docs/architecture.md"), -1) {
		name := strings.TrimSuffix(m[1], "/")
		switch found, err := filepath.Glob(name); {
		case !place.MatchString(name) || strings.HasPrefix(name, "/") || err == nil && len(found) > 0 || files[name]:
		case strings.Contains(name, "/") || strings.HasSuffix(name, ".go") || strings.HasSuffix(name, ".txt"):
			t.Errorf("docs/architecture.md names %s, which does not exist", name)
		default:
			if word := method.FindStringSubmatch(name); word != nil && !words[word[1]] {
				t.Errorf("docs/architecture.md names %s, which no code does", name)
			}
		}
		checked++
	}
	if checked < 100 {
		t.Errorf("only %d names looked at", checked)
	}
}
