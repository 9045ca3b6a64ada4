// Package complete finds what may be typed next on a command line, by walking kong's model of it, and holds the scripts
// that ask for it from shells. It must not know what the commands do or where names come from.
package complete

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Candidate is a word that may stand there, and what it means.
type Candidate struct {
	Word, Help string
}

// Names gives the names there are of a kind ("line", "customer" …), as a field's predict tag has it. words are those
// already typed. It must be quick, because a person is waiting.
type Names func(kind string, words []string) []Candidate

// Candidates are the words that may replace the last of words, which is what was typed of it so far.
func Candidates(root *kong.Node, words []string, names Names) []Candidate {
	if len(words) == 0 {
		words = []string{""}
	}
	done, last := words[:len(words)-1], words[len(words)-1]
	at := walk(root, done)
	var found []Candidate
	switch {
	case at.value != nil:
		found = values(at.value, words, names)
	case strings.HasPrefix(last, "--") && strings.Contains(last, "="):
		name, _, _ := strings.Cut(last, "=")
		if f := flag(at.node, name); f != nil {
			for _, c := range values(f.Value, words, names) {
				found = append(found, Candidate{name + "=" + c.Word, c.Help})
			}
		}
	case strings.HasPrefix(last, "-"):
		found = flags(at.node, done)
	default:
		found = positional(at, words, names)
		if at.args == 0 {
			found = append(commands(at.node), found...)
		}
	}
	return slices.DeleteFunc(found, func(c Candidate) bool { return !strings.HasPrefix(c.Word, last) })
}

// position is where on the command line the cursor stands.
type position struct {
	node  *kong.Node
	value *kong.Value // of the flag whose value comes next
	args  int         // positional arguments already there
}

func walk(root *kong.Node, words []string) position {
	at := position{node: root}
	for _, w := range words {
		switch {
		case at.value != nil:
			at.value = nil
		case strings.HasPrefix(w, "-") && w != "-":
			if f := flag(at.node, w); f != nil && !f.IsBool() && !f.IsCounter() {
				at.value = f.Value
			}
		default:
			at.step(w)
		}
	}
	return at
}

func (at *position) step(word string) {
	for _, c := range at.node.Children {
		if c.Name == word {
			at.node, at.args = c, 0
			return
		}
	}
	at.args++
}

func flag(n *kong.Node, word string) *kong.Flag {
	for _, group := range n.AllFlags(false) {
		for _, f := range group {
			if "--"+f.Name == word || f.Short != 0 && "-"+string(f.Short) == word {
				return f
			}
		}
	}
	return nil
}

func flags(n *kong.Node, typed []string) []Candidate {
	var out []Candidate
	for _, group := range n.AllFlags(true) {
		for _, f := range group {
			if !slices.Contains(typed, "--"+f.Name) {
				out = append(out, Candidate{"--" + f.Name, f.Help})
			}
		}
	}
	return out
}

func commands(n *kong.Node) []Candidate {
	var out []Candidate
	for _, c := range n.Children {
		if !c.Hidden {
			out = append(out, Candidate{c.Name, c.Help})
		}
	}
	return out
}

func positional(at position, words []string, names Names) []Candidate {
	list := at.node.Positional
	if len(list) == 0 {
		return nil
	}
	i := at.args
	if i >= len(list) {
		if i = len(list) - 1; !list[i].IsSlice() {
			return nil
		}
	}
	return values(list[i], words, names)
}

// values are those of an enum, or the names of the kind that the field is of.
func values(v *kong.Value, words []string, names Names) []Candidate {
	var out []Candidate
	if v.Enum != "" {
		for _, w := range v.EnumSlice() {
			if w != "" {
				out = append(out, Candidate{Word: w})
			}
		}
		return out
	}
	if kind := v.Tag.Get("predict"); kind != "" && names != nil {
		return names(kind, words)
	}
	return nil
}

// Script is the shell's part, for bash, zsh or fish: it hands the words to "ringfence complete" and takes candidates.
func Script(shell string) string { return scripts[shell] }

var scripts = map[string]string{
	"bash": `# bash completion for ringfence
_ringfence() {
	local line rest cur words
	# Bash cuts words at "=" and ":"; put them together again.
	rest="${COMP_LINE:0:COMP_POINT}"
	cur="${rest##*[[:space:]]}"
	IFS=$' \t\n' read -r -a words <<<"${rest}"
	words=("${words[@]:1}")
	[[ "${rest}" == *[[:space:]] ]] && words+=("")
	COMPREPLY=()
	while IFS=$'\t' read -r line _; do
		[[ "${cur}" == *[=:]* ]] && line="${line#"${cur%"${cur##*[=:]}"}"}"
		COMPREPLY+=("${line}")
	done < <("${COMP_WORDS[0]}" complete -- "${words[@]}" 2>/dev/null)
	[[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" == *= ]] && compopt -o nospace
	return 0
}
complete -o default -F _ringfence ringfence
`,
	"zsh": `#compdef ringfence
_ringfence() {
	local -a found
	local line
	for line in "${(@f)$("${words[1]}" complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
		[[ -n "${line}" ]] && found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
	done
	(( ${#found} )) && _describe -V ringfence found || _files
}
if [[ "${funcstack[1]}" == _ringfence ]]; then
	_ringfence "$@" # zsh has just loaded this file, to complete this word
else
	(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
	compdef _ringfence ringfence
fi
`,
	"fish": `# fish completion for ringfence
function __ringfence_complete
	set -l words (commandline -opc)
	$words[1] complete -- $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c ringfence -a '(__ringfence_complete)'
`,
}
