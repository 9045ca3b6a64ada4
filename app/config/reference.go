package config

import (
	_ "embed"
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"strings"
	"sync"
)

// The comments of config.go are what people read as the reference, so the program carries that file.
//
//go:embed config.go
var source string

// docs maps "SIP.MaxCalls" and "SIP" to the comment on that field or type, unwrapped.
var docs = sync.OnceValue(func() map[string]string {
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", source, parser.ParseComments)
	if err != nil {
		panic(err) // the compiler has read this very file
	}
	found := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		decl, ok := n.(*ast.GenDecl)
		if !ok {
			return true
		}
		for _, spec := range decl.Specs {
			if t, ok := spec.(*ast.TypeSpec); ok {
				found[t.Name.Name] = flow(decl.Doc.Text())
				structDocs(t, found)
			}
		}
		return false
	})
	return found
})

func structDocs(t *ast.TypeSpec, found map[string]string) {
	s, ok := t.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range s.Fields.List {
		for _, name := range f.Names {
			found[t.Name.Name+"."+name.Name] = flow(f.Doc.Text())
		}
	}
}

// flow joins the lines of a comment into one.
func flow(text string) string { return strings.Join(strings.Fields(text), " ") }

// doc is a field's comment with the Go name at its head replaced by the key.
func (f field) doc() string {
	owner, name := "Config", f.Go
	if i := strings.LastIndexByte(f.Go, '.'); i >= 0 {
		name = f.Go[i+1:]
		owner = ownerType(f)
	}
	text := docs()[owner+"."+name]
	return f.name() + strings.TrimPrefix(text, name)
}

// ownerType is the name of the struct type that holds f.
func ownerType(f field) string {
	for _, t := range allTables {
		if t.Key == f.table() {
			return t.typ.Name()
		}
	}
	return "Config"
}

// facts are the sentences that tags and defaults add to a comment.
func (f field) facts() string {
	var s []string
	if len(f.One) > 0 || f.Min != "" {
		s = append(s, "Must be "+f.want()+".")
	}
	if f.Live {
		s = append(s, "A reload applies a change.")
	}
	return strings.Join(s, " ")
}

// sectioned calls table before the fields of each table, in the order of the file.
func sectioned(table func(key, doc string), each func(f field, value string)) {
	d := defaults()
	now := ""
	for _, f := range ordered() {
		if t := f.table(); t != now {
			now = t
			doc := tableDoc(t)
			table(t, capital(strings.TrimPrefix(strings.TrimPrefix(doc, "is "), "are ")))
		}
		each(f, show(f.of(&d)))
	}
}

// tableDoc is the comment on a table: on the field that holds it, or else on its type.
func tableDoc(key string) string {
	for _, t := range allTables {
		if t.Key != key {
			continue
		}
		name := t.Go[strings.LastIndexByte(t.Go, '.')+1:]
		if doc := docs()[ownerType(t)+"."+name]; doc != "" {
			return strings.TrimPrefix(doc, name+" ")
		}
		return strings.TrimPrefix(docs()[t.typ.Name()], t.typ.Name()+" ")
	}
	return ""
}

// ordered is allFields with every table's own fields before those of the tables inside it, as TOML needs.
func ordered() []field {
	var out []field
	for _, f := range allFields {
		if f.table() == "" {
			out = append(out, f)
		}
	}
	for _, t := range allTables {
		for _, f := range allFields {
			if f.table() == t.Key {
				out = append(out, f)
			}
		}
	}
	return out
}

const referenceHead = `# Ringfence configuration: every field with its default.
# Copy the fields that you change. A field that is left out, or set to "" or 0, has its default.
# Check a file with: ringfence config check --config FILE
#
# SIGHUP (systemctl reload) reads the file and the certificates again. A file with a fault changes
# nothing. Fields that a reload applies are marked; the log names changed fields that need a restart.
`

// Reference is a commented TOML file of every field with its default, commented out.
func Reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	sectioned(func(key, doc string) {
		fmt.Fprintf(&b, "\n%s[%s]\n", wrapped(doc, "# ", 100), key)
	}, func(f field, value string) {
		b.WriteString("\n" + wrapped(f.doc()+" "+f.facts(), "# ", 100))
		fmt.Fprintf(&b, "#%s = %s\n", f.name(), value)
	})
	return b.String()
}

// wrapped breaks text at width, each line after prefix.
func wrapped(text, prefix string, width int) string {
	p := comment.Printer{TextPrefix: prefix, TextWidth: width}
	return string(p.Text((&comment.Parser{}).Parse(strings.TrimSpace(text))))
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

const markdownHead = `# Configuration

<!-- Written by "go generate ./app/config" from app/config/config.go. Do not edit. -->

Ringfence reads one TOML file: the one named by ` + "`--config`" + `, or by ` + "`RINGFENCE_CONFIG`" + `, or ` + "`ringfence.toml`" + ` in the working directory, or
` + "`/etc/ringfence/ringfence.toml`" + `. Without a file every field has its default. So has a field that is left out, or set to ` + "`\"\"`" + ` or
` + "`0`" + `; an empty list is an empty list. A key that does not exist is refused with its line and the nearest key that does. Times are
written ` + "`\"90s\"`, `\"10m\"`, `\"1h30m\"`" + `. Relative paths are relative to the folder of the file.

    ringfence config check --config FILE     lists the faults of a file
    ringfence config reference               prints this page as a TOML file

## Environment

| variable | what it sets |
|---|---|
| ` + "`RINGFENCE_CONFIG`" + ` | the configuration file |
| ` + "`RINGFENCE_KEY`" + ` | the key that seals secrets; it takes precedence over ` + "`secret.key-file`" + ` |
| ` + "`RINGFENCE_STORE_DSN`" + ` | the connection string of PostgreSQL; it takes precedence over ` + "`store.dsn`" + ` and ` + "`store.dsn-file`" + ` |
| ` + "`RINGFENCE_SOCKET`" + ` | the admin socket; it takes precedence over ` + "`admin.socket`" + `, and the command line uses it too |
| ` + "`RINGFENCE_PHONE_PASSWORD`" + `, ` + "`RINGFENCE_CARRIER_PASSWORD`" + ` | for ` + "`ringfence phone`" + ` only: the passwords of the test phone and the test carrier |
| ` + "`NOTIFY_SOCKET`" + ` | set by systemd, which is notified when the server is ready, reloads and stops |
| ` + "`NO_COLOR`" + ` | set to any value, the command line prints no colours |

Nothing else is read from the environment.

## Reload

SIGHUP (` + "`systemctl reload ringfence`" + `) reads the file and the certificates again. Calls continue. Fields marked *reload* below change immediately.
If the file has a fault, it is logged and nothing changes. If a field changed that needs a restart, the log names it with the old and
the new value, and the old one stays in force. Decks are kept in the store: an import is in force immediately and needs no reload.
`

// Markdown is the text of docs/configuration.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString(markdownHead)
	b.WriteString("\n## At the top of the file\n")
	sectioned(func(key, doc string) {
		fmt.Fprintf(&b, "\n## [%s]\n\n%s\n", key, doc)
	}, func(f field, value string) {
		fmt.Fprintf(&b, "\n**`%s`** = `%s`", f.name(), value)
		if f.Live {
			b.WriteString(" · *reload*")
		}
		text := strings.TrimSpace(f.doc() + " " + strings.TrimSuffix(f.facts(), "A reload applies a change."))
		fmt.Fprintf(&b, "  \n%s\n", text)
	})
	return b.String()
}
