// Package manual writes the manual page, ringfence(1), out of kong's model of the command line, so that it says what --help
// says. It must not know the commands.
package manual

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// Page is the manual page of a program in roff (man macros, as man and mandoc read them).
func Page(app *kong.Application, version, inShort string) string {
	p := &page{}
	p.macro(".TH", strings.ToUpper(app.Name), "1", "", app.Name+" "+version, "")
	p.section("NAME")
	p.line(app.Name + ` \- ` + escape(inShort))
	p.section("SYNOPSIS")
	p.line(`.B ` + escape(app.Name))
	p.line(`.I COMMAND`)
	p.line(`[\fIARGUMENT\fR ...] [\fIFLAG\fR ...]`)
	p.section("DESCRIPTION")
	about, codes, _ := strings.Cut(app.Help, "Exit codes:\n")
	p.text(about)
	p.section("OPTIONS")
	p.line("These go with every command.")
	p.flags(app.Flags)
	p.sharedFlags(app.Node)
	p.section("COMMANDS")
	p.commands(app.Node)
	p.section("EXIT STATUS")
	p.text(codes)
	return p.String()
}

type page struct{ strings.Builder }

func (p *page) line(text string) { p.WriteString(text + "\n") }

// macro writes a request with its arguments quoted.
func (p *page) macro(name string, args ...string) {
	for i, a := range args {
		args[i] = `"` + strings.ReplaceAll(escape(a), `"`, `\(dq`) + `"`
	}
	p.line(name + " " + strings.Join(args, " "))
}

func (p *page) section(title string) { p.macro(".SH", title) }

// text writes paragraphs. Lines that begin with two blanks stay as they are: commands and tables.
func (p *page) text(text string) {
	verbatim, between := false, false
	for line := range strings.Lines(strings.Trim(text, "\n")) {
		line = strings.TrimRight(line, "\n")
		if line == "" {
			between = true
			continue
		}
		if fixed := strings.HasPrefix(line, "  "); fixed != verbatim {
			if fixed {
				p.line(".PP\n.RS 4\n.nf")
			} else {
				p.line(".fi\n.RE\n.PP")
			}
			verbatim = fixed
		} else if between {
			p.line(".PP")
		}
		between = false
		p.line(escape(strings.TrimPrefix(line, "  ")))
	}
	if verbatim {
		p.line(".fi\n.RE")
	}
}

// commands writes every command below n, under the titles of their groups.
func (p *page) commands(n *kong.Node) {
	title := ""
	for _, c := range n.Children {
		if c.Hidden {
			continue
		}
		if c.Group != nil && c.Group.Title != title {
			title = c.Group.Title
			p.macro(".SS", title)
		}
		p.command(c)
	}
}

// command writes a command, or those below it.
func (p *page) command(n *kong.Node) {
	if len(n.Children) > 0 {
		for _, c := range n.Children {
			if !c.Hidden {
				p.command(c)
			}
		}
		return
	}
	p.line(".TP")
	p.line(`\fB` + escape(n.FullPath()) + `\fR` + synopsis(n))
	p.line(escape(n.Help))
	p.line(".RS")
	for _, a := range n.Positional {
		p.line(".TP")
		p.line(`\fI` + escape(a.Summary()) + `\fR`)
		p.line(escape(a.Help))
	}
	p.flags(own(n))
	if n.Detail != "" {
		p.line(".PP")
		p.text(n.Detail)
	}
	p.line(".RE")
}

func synopsis(n *kong.Node) string {
	var b strings.Builder
	for _, a := range n.Positional {
		b.WriteString(` \fI` + escape(a.Summary()) + `\fR`)
	}
	for _, f := range n.Flags {
		if f.Required {
			b.WriteString(` ` + name(f))
		}
	}
	if len(own(n)) > 0 {
		b.WriteString(` [\fIFLAG\fR ...]`)
	}
	return b.String()
}

// own are the flags of a command that are not the same for many (those have a group's title) and not hidden.
func own(n *kong.Node) (flags []*kong.Flag) {
	for _, f := range n.Flags {
		if !f.Hidden && f.Group == nil {
			flags = append(flags, f)
		}
	}
	return flags
}

// sharedFlags writes the flags that have a group, once for all commands that take them.
func (p *page) sharedFlags(root *kong.Node) {
	seen := map[string]bool{}
	_ = kong.Visit(root, func(v kong.Visitable, next kong.Next) error { // the visitor gives no error
		if f, ok := v.(*kong.Flag); ok && f.Group != nil && !f.Hidden && !seen[f.Name] {
			if !seen["group "+f.Group.Title] {
				seen["group "+f.Group.Title] = true
				p.macro(".SS", f.Group.Title)
			}
			seen[f.Name] = true
			p.flags([]*kong.Flag{f})
		}
		return next(nil)
	})
}

func (p *page) flags(flags []*kong.Flag) {
	for _, f := range flags {
		if f.Hidden {
			continue
		}
		p.line(".TP")
		p.line(name(f))
		p.line(escape(f.Help))
	}
}

func name(f *kong.Flag) string {
	text := `\fB` + escape("--"+f.Name) + `\fR`
	if f.Short != 0 {
		text = `\fB` + escape("-"+string(f.Short)) + `\fR, ` + text
	}
	if !f.IsBool() && !f.IsCounter() {
		text += `=\fI` + escape(f.FormatPlaceHolder()) + `\fR`
	}
	return text
}

// escape makes roff print text as it is. A dash is a minus, so that it can be copied into a shell.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, `-`, `\-`, `^`, `\(ha`, `~`, `\(ti`, "`", `\(ga`, `'`, `\(aq`).Replace(text)
	var b strings.Builder
	for _, r := range text {
		if r > '~' {
			fmt.Fprintf(&b, `\[u%04X]`, r)
		} else {
			b.WriteRune(r)
		}
	}
	if strings.HasPrefix(b.String(), ".") {
		return `\&` + b.String()
	}
	return b.String()
}
