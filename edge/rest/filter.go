package rest

import (
	"net/http"
	"slices"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"ringfence/core/call"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/slip"
	"ringfence/edge/rest/api"
)

// unknownName is the problem of a list that is asked for by a name of nothing: it must not look like an empty one.
func unknownName(field, found, what string, among []string) error {
	text := "there is no " + what + " " + `"` + clip(found, 80) + `"`
	if near := slip.Nearest(found, among); near != "" {
		text += `, did you mean "` + near + `"?`
	}
	p := newProblem(http.StatusUnprocessableEntity, api.ReasonUnknown, text)
	p.Errors = []api.Fault{{Field: field, Found: clip(found, 80), Text: text}}
	return p
}

// countryFilter reads a country by its code or its English name; "" stays "".
func countryFilter(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	var names []string
	for _, c := range phone.Countries() {
		code := c.String()
		name := countryName(code)
		if strings.EqualFold(text, code) || strings.EqualFold(text, name) {
			return code, nil
		}
		names = append(names, name)
		if len(text) < 4 {
			names[len(names)-1] = code
		}
	}
	if other, ok := otherNames[strings.ToLower(text)]; ok {
		return other, nil
	}
	return "", unknownName("country", text, "country", names)
}

// otherNames are what people call countries that the table of names calls otherwise.
var otherNames = map[string]string{
	"uk": "GB", "england": "GB", "scotland": "GB", "wales": "GB", "northern ireland": "GB", "britain": "GB", "great britain": "GB", "usa": "US", "america": "US", "holland": "NL",
	"czech republic": "CZ", "turkey": "TR", "burma": "MM", "ivory coast": "CI", "satellite": "001",
}

// countryName is a country in English; of networks without a country, their code.
func countryName(code string) string {
	r, err := language.ParseRegion(code)
	if err != nil || code == "001" {
		return code
	}
	return display.English.Regions().Name(r)
}

// reasonFilter reads the code of a reason.
func reasonFilter(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	var codes []string
	for r := range policy.NumReasons {
		if strings.EqualFold(text, r.Code()) {
			return r.Code(), nil
		}
		codes = append(codes, r.Code())
	}
	return "", unknownName("reason", text, "reason", codes)
}

// directions are the words for a direction: the first of each is what people are shown.
var directions = map[call.Direction][]string{
	call.Out: {"outbound", "out"}, call.In: {"inbound", "in"}, call.Between: {"on-net", "between"},
}

func directionFilter(text string) (call.Direction, error) {
	if text == "" {
		return "", nil
	}
	var words []string
	for d, names := range directions {
		if slices.Contains(names, strings.ToLower(text)) {
			return d, nil
		}
		words = append(words, names...)
	}
	slices.Sort(words)
	return "", unknownName("direction", text, "direction", words)
}

// numberFilter is how the number called stands in records, whatever form it is written in; what is no number, as it was dialled.
func (s *Server) numberFilter(text string) string {
	if d, problem := s.d.Book.Plan().Parse(text); problem == phone.NoProblem {
		return d.Number.String()
	}
	return text
}
