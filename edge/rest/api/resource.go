package api

import "strings"

// View is what is shown of one thing. It describes the kind of thing itself, once for every surface: the server makes routes
// and their OpenAPI description of it, the command line commands, tables and completion.
type View[V any] interface{ Resource() Resource[V] }

// Resource describes a kind of thing beyond the fields of its view. Texts for people are templates of what they are about:
// "Trunk {{.Name}} is removed."
type Resource[V any] struct {
	Name string // of one, as in the operation get-finding
	Path string // of its routes below /v1; names in braces are inputs
	Key  string // what the path of one has after that, "" is id
	Tag  string // under which OpenAPI has it; "" is the last part of the path

	// What its operations do, in OpenAPI and in help. What it cannot do is "".
	List, Get, Add, Change, Delete string

	Next    string // the parameter that continues a list; "": there is one page
	Columns string // of a table of them, as [ParseColumns] reads them
	Fields  string // of one alone, in the same form
	Empty   string // the text when there are none
	None    string // the same where filters were given; "" is Empty

	Would, Gone string // the texts of a removal: that it would be done, is done

	// Cells are columns that are no field, or that have a look. Where one has no text, its field is shown.
	Cells map[string]func(*V) Cell
	// Named is a thing's name and what people tell it by, for completion; "" leaves it out.
	Named func(*V) (name, hint string)
}

// Cell is a text for people, and how it looks where there are colours: good, warn, bad, dim, bold or "".
type Cell struct{ Text, Look string }

// Column is a column of a table, or a row of a table of one thing.
type Column struct {
	Head  string
	Field string // JSON name of the field, or name of a cell
	Cut   bool   // may be cut short
	Spare bool   // left out on a narrow screen; in a table of one thing, where it is empty
	ID    bool   // a long id, left out first
	Bold  bool
	Right bool // as figures are without it
	Blank bool // empty where it is zero
	Wrap  bool // of sentences, each to be read whole; the last
}

// ParseColumns reads columns: "trunk: name, priority, addresses~, over: transport~?". A field is its own head, with blanks for
// underscores, unless one stands before it. ~ after it is Cut, ? Spare, # ID, ! Bold, - Blank, > Right and = Wrap.
func ParseColumns(text string) (all []Column) {
	for part := range strings.SplitSeq(text, ", ") {
		name := strings.TrimRight(part, "~?#!->=")
		is := func(mark string) bool { return strings.Contains(part[len(name):], mark) }
		head, field, ok := strings.Cut(name, ": ")
		if !ok {
			head, field = strings.ReplaceAll(name, "_", " "), name
		}
		all = append(all, Column{Head: head, Field: field, Cut: is("~"), Spare: is("?"), ID: is("#"), Bold: is("!"), Blank: is("-"), Right: is(">"), Wrap: is("=")})
	}
	return all
}
