package rest

import (
	"net/http"
	"slices"
	"strings"

	"ringfence/core/call"
	"ringfence/core/phone"
	"ringfence/core/policy"
	"ringfence/core/slip"
	"ringfence/edge/rest/api"
	"ringfence/flow/records"
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
	if code, ok := records.Country(text); ok {
		return code, nil
	}
	var names []string
	for _, c := range phone.Countries() {
		name := records.CountryName(c.String())
		if len(text) < 4 {
			name = c.String()
		}
		names = append(names, name)
	}
	return "", unknownName("country", text, "country", names)
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
