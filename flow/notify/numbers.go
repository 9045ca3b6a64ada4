package notify

import (
	"encoding/json"
	"slices"
	"strings"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/state/store"
)

// numbersPart is what facts have of the numbers that a customer's lines may present beside their own.
type numbersPart struct {
	Numbers []account.Proven `json:"numbers"`
}

// howProved says in words what a number was proved with.
var howProved = map[string]string{account.ByCall: "a code in a call to it", account.ByText: "a code in a text message to it", account.ByStaff: "evidence that staff have seen"}

// readNumbers is of the numbers that a customer has proved, or proves no more. A thief who verifies a number of his own lets calls look as if they came from there; one who
// removes a number makes the customer's calls come from another than those whom they call expect.
func (n *Notifier) readNumbers(f *store.Fact) (draft, bool) {
	var b fact.CustomerChanged
	var was, is numbersPart
	if b.Decode(f.Body) != nil || len(b.Before) > 0 && json.Unmarshal(b.Before, &was) != nil || len(b.After) > 0 && json.Unmarshal(b.After, &is) != nil {
		return draft{}, false
	}
	d := n.drafted(f, NumbersChanged)
	d.By = Clean(b.By, 80)
	var texts []string
	for _, p := range is.Numbers {
		if !hasNumber(was.Numbers, p.Number) {
			texts = append(texts, "Calls can present +"+p.Number+" from now on: it was verified with "+howProved[p.How]+".")
		}
	}
	for _, p := range was.Numbers {
		if !hasNumber(is.Numbers, p.Number) {
			why := "."
			if b.By == "auto" { // the book took it
				why = ": it is the number of another customer's line now."
			}
			texts = append(texts, "Calls do not present +"+p.Number+" any more"+why)
		}
	}
	if texts == nil {
		return draft{}, false
	}
	d.Text = strange(strings.Join(texts, " "), maxText)
	return d, true
}

func hasNumber(all []account.Proven, number string) bool {
	return slices.ContainsFunc(all, func(p account.Proven) bool { return p.Number == number })
}
