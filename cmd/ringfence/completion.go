package main

import (
	"fmt"

	"ringfence/cmd/ringfence/complete"
	"ringfence/cmd/ringfence/table"
)

type completionCmd struct {
	Shell string `arg:"" help:"bash, zsh or fish." enum:"bash,zsh,fish"`
}

func (completionCmd) Help() string {
	return `Names of lines, customers, contacts, trunks, decks, calls, bans, findings and notices come from the server, if it answers within 200 ms.

` + examples("# bash: in ~/.bashrc", "source <(ringfence completion bash)", "# zsh: in ~/.zshrc", "source <(ringfence completion zsh)",
		"# fish", "ringfence completion fish > ~/.config/fish/completions/ringfence.fish")
}

func (c *completionCmd) Run(s *session) error {
	_, err := fmt.Fprint(s.out, complete.Script(c.Shell))
	return err
}

// completeCmd is what the scripts call: ringfence complete -- WORD…, the last being the one to complete.
type completeCmd struct {
	Words []string `arg:"" optional:""`
}

// Run prints candidates, one a line, with a tab before what they mean.
func (c *completeCmd) Run(s *session) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	for _, x := range complete.Candidates(s.parser.Model.Node, words, s.names) {
		if _, err := fmt.Fprintf(s.out, "%s\t%s\n", table.Clean(x.Word), table.Clean(x.Help)); err != nil {
			return err
		}
	}
	return nil
}
