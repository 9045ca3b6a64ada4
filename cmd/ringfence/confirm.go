package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"

	"ringfence/edge/rest/api"
)

// errDeclined says that a person did not want what a question said.
var errDeclined = errors.New("nothing was imported")

// settle asks a person on the terminal about every question of an import that was not taken, and gives the parameters that
// answer them. Without a terminal it gives the error back, whose text names the flags.
func (s *session) settle(err error) (answers []string, failed error) {
	var p *api.Problem
	if !errors.As(err, &p) || p.Reason != api.ReasonUnconfirmed || s.json || !term.IsTerminal(int(s.in.Fd())) {
		return nil, err
	}
	return ask(p.Questions, s.in, s.errOut)
}

// ask puts each question and reads one line for it.
func ask(questions []api.Question, in io.Reader, out io.Writer) (answers []string, failed error) {
	lines := bufio.NewReader(in)
	for _, q := range questions {
		fmt.Fprintln(out, cleanLines(questionText(&q, "")))
		prompt := "Import it nevertheless? [y/N] "
		if q.Flag != "" {
			prompt = fmt.Sprintf("--%s: ", flagOf(&q))
		}
		fmt.Fprint(out, prompt)
		text, err := lines.ReadString('\n')
		if text = strings.TrimSpace(text); err != nil && text == "" {
			return nil, errDeclined
		}
		switch yes := strings.EqualFold(text, "y") || strings.EqualFold(text, "yes"); {
		case q.Flag != "" && text != "":
			answers = append(answers, q.Flag, text)
		case q.Flag == "" && yes:
			answers = append(answers, "yes", "true")
		default:
			return nil, errDeclined
		}
	}
	return answers, nil
}

// questionText is a question and its examples, one to a line.
func questionText(q *api.Question, indent string) string {
	var b strings.Builder
	b.WriteString(indent + q.Text)
	for _, e := range q.Examples {
		b.WriteString("\n" + indent + "  " + e)
	}
	return b.String()
}

// flagOf is the flag of the command line that answers a question, with its choices.
func flagOf(q *api.Question) string {
	flag := strings.ReplaceAll(q.Flag, "_", "-")
	if len(q.Choices) > 0 {
		flag += " " + strings.Join(q.Choices, "|")
	}
	return flag
}

// unconfirmedText says what an import asks, and which flags answer.
func unconfirmedText(p *api.Problem) string {
	var b strings.Builder
	b.WriteString("the deck was read, and nothing was imported yet. Settle this first:")
	var flags []string
	yes := false
	for i := range p.Questions {
		q := &p.Questions[i]
		b.WriteString("\n" + questionText(q, "  "))
		if q.Flag != "" {
			flags = append(flags, "--"+flagOf(q))
		} else if !yes {
			yes, flags = true, append(flags, "--yes")
		}
	}
	b.WriteString("\nIf that is right, repeat the command with: " + strings.Join(flags, " "))
	return b.String()
}
