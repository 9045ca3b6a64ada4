package complete_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"ringfence/cmd/ringfence/complete"
)

type grammar struct {
	JSON bool `help:"JSON."`
	Line struct {
		Socket string `help:"Socket."`
		Show   struct {
			ID string `arg:"" predict:"line"`
		} `cmd:"" help:"Show."`
		Set struct {
			ID  string   `arg:"" predict:"line"`
			Set []string `arg:"" predict:"setting"`
		} `cmd:"" help:"Set."`
	} `cmd:"" help:"Lines."`
	Import struct {
		Kind string `enum:"retail,cost" required:""`
		Deck string `predict:"deck"`
	} `cmd:"" help:"Import."`
	Secret struct{} `cmd:"" hidden:""`
}

func names(kind string, _ []string) []complete.Candidate {
	return []complete.Candidate{{Word: kind + "-1", Help: "one"}, {Word: kind + "-2"}}
}

func TestCandidates(t *testing.T) {
	parser, err := kong.New(&grammar{}, kong.Name("x"))
	if err != nil {
		t.Fatal(err)
	}
	for typed, want := range map[string]string{
		"":                       "line import",
		"li":                     "line",
		"se":                     "", // hidden
		"line ":                  "show set",
		"line show ":             "line-1 line-2",
		"line show line-2":       "line-2",
		"line show line-1 ":      "", // one argument only
		"line set line-1 ":       "setting-1 setting-2",
		"line set line-1 a=b s":  "setting-1 setting-2",
		"line --socket /x show ": "line-1 line-2", // a flag's value is no argument
		"line --socket=/x show ": "line-1 line-2",
		"--json line show ":      "line-1 line-2", // a flag without a value
		"import --kind ":         "retail cost",
		"import --kind c":        "cost",
		"import --kind=r":        "--kind=retail",
		"import --deck ":         "deck-1 deck-2",
		"import --k":             "--kind",
		"import --kind cost --":  "--help --json --deck",
		"line show --so":         "--socket",
		"nonsense --kind ":       "",
	} {
		words := strings.Split(typed, " ")
		var got []string
		for _, c := range complete.Candidates(parser.Model.Node, words, names) {
			got = append(got, c.Word)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
	if got := complete.Candidates(parser.Model.Node, nil, nil); len(got) == 0 {
		t.Error("nothing for no words")
	}
}

func TestScriptsAreRightForTheirShell(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		t.Run(shell, func(t *testing.T) {
			if !strings.Contains(complete.Script(shell), "complete") {
				t.Fatal("no script")
			}
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skipf("%s is not installed", shell)
			}
			cmd := exec.Command(path, "-n")
			cmd.Stdin = strings.NewReader(complete.Script(shell))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// Bash itself must offer what the program says, also after "=", where it cuts words.
func TestBashOffersCandidates(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	for line, want := range map[string]string{
		"ringfence line show 20":     "complete -- line show 20",
		"ringfence line show ":       "complete -- line show ",
		"ringfence x max-calls=inhe": "inherit",
	} {
		program := `ringfence() { if [[ "$*" == *max-calls* ]]; then printf 'max-calls=inherit\thelp\n'; else printf '%s\thelp\n' "$*"; fi; }` + "\n" +
			complete.Script("bash") + "\nCOMP_LINE='" + line + "'; COMP_POINT=${#COMP_LINE}; COMP_WORDS=(ringfence); COMP_CWORD=0; _ringfence; printf '%s\\n' \"${COMPREPLY[@]}\""
		out, err := exec.Command(bash, "-c", program).CombinedOutput()
		if err != nil || strings.TrimSuffix(string(out), "\n") != want {
			t.Errorf("%q: %q, %v; want %q", line, out, err, want)
		}
	}
}

// Installed where zsh looks for functions, the script is loaded by the first completion, which must offer something already.
func TestZshOffersCandidatesAtOnce(t *testing.T) {
	zsh, err := exec.LookPath("zsh")
	if err != nil {
		t.Skip("zsh is not installed")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "_ringfence"), []byte(complete.Script("zsh")), 0o600); err != nil {
		t.Fatal(err)
	}
	program := `fpath=("$1" $fpath); compdef() {}; _describe() { print -r -- "${(P)3}" }; ringfence() { printf 'show\t%s\n' "$*" }
autoload -Uz _ringfence; words=(ringfence line sh); CURRENT=3; _ringfence; _ringfence`
	out, err := exec.Command(zsh, "-f", "-c", program, "zsh", dir).CombinedOutput()
	if want := "show:complete -- line sh\n"; err != nil || string(out) != want+want {
		t.Errorf("%q, %v; want %q twice", out, err, want)
	}
}
