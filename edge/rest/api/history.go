package api

import "time"

// Deed is something that somebody did, in a customer's history.
type Deed struct {
	Seq      int64     `json:"seq" doc:"row of the journal"`
	At       time.Time `json:"at"`
	Kind     string    `json:"kind" doc:"of the fact in the journal: setting.changed, person.entered, …"`
	Customer string    `json:"customer"`
	Line     string    `json:"line,omitempty" doc:"absent: of the customer as a whole"`
	By       string    `json:"by,omitempty" doc:"who did it; to a customer's people, staff is a member of the provider's staff"`
	Person   string    `json:"person,omitempty" doc:"whose sign-in, passkey or role it is about"`
	What     string    `json:"what,omitempty"`
	From     string    `json:"from,omitempty" doc:"the address or network that it came from"`
	Agent    string    `json:"user_agent,omitempty" doc:"what the device calls itself"`
	Changes  []Part    `json:"changes,omitempty"`
}

// Part is one part of what was changed.
type Part struct {
	Name string `json:"name"`
	Was  string `json:"was,omitempty"`
	Is   string `json:"is,omitempty"`
}

// HistoryFilter selects a customer's history.
type HistoryFilter struct {
	Customer string `query:"customer" maxLength:"60" doc:"absent: that of the line, or one's own" help:"Of this customer." placeholder:"CUSTOMER" predict:"customer"`
	Line     string `query:"line" maxLength:"80" help:"Only of this line." placeholder:"LINE" predict:"line"`
}

// Resource describes a history.
func (Deed) Resource() Resource[Deed] {
	return Resource[Deed]{
		Name: "deed", Path: "history", Tag: "customers", Next: "before",
		List:    "List what was changed at a customer's, by whom, who signed in and which devices came, newest first",
		Columns: "at, what: kind, line~?, by~?, from~?, : about=",
		Empty:   "Nothing was changed, and nobody signed in.",
		Cells: map[string]func(*Deed) Cell{
			"about": func(x *Deed) Cell { return Cell{Text: x.about()} },
		},
	}
}

// about is the rest of it in one text.
func (x *Deed) about() (text string) {
	add := func(part string) {
		if part != "" && text != "" {
			text += "; "
		}
		text += part
	}
	if x.Person != x.By {
		add(x.Person)
	}
	add(x.What)
	add(x.Agent)
	for _, c := range x.Changes {
		switch {
		case c.Was == "":
			add(c.Name + ": " + c.Is)
		case c.Is == "":
			add(c.Name + ": " + c.Was + " → none")
		default:
			add(c.Name + ": " + c.Was + " → " + c.Is)
		}
	}
	return text
}
