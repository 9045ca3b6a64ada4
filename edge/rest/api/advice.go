package api

// Advice is something that the customer should change about a line.
type Advice struct {
	Code   string `json:"code" doc:"ip-lock, abroad-unused, firmware, public-address, plain-udp or password-age"`
	Title  string `json:"title"`
	Text   string `json:"text"`
	Source string `json:"source,omitempty" doc:"of what is said of firmware"`
	Set    string `json:"set,omitempty" doc:"what to give line set"`
	Effect string `json:"effect,omitempty" doc:"what that does to the exposure"`
}

// Resource describes advice.
func (Advice) Resource() Resource[Advice] {
	return Resource[Advice]{
		Name: "advice", Path: "lines/{id}/advice", Tag: "lines", List: "List what the customer should change about a line",
		Columns: "advice: code, set, what=",
		Empty:   "Nothing about line {{.ID}} needs to be changed.",
		Cells: map[string]func(*Advice) Cell{"what": func(a *Advice) Cell {
			text := a.Title + ". " + a.Text
			if a.Source != "" {
				text += " (" + a.Source + ")"
			}
			if a.Effect != "" {
				text += " " + a.Effect
			}
			return Cell{Text: text}
		}},
		Named: func(a *Advice) (string, string) { return a.Code, a.Title },
	}
}
