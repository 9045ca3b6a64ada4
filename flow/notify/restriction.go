package notify

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/fact"
	"ringfence/core/restrict"
	"ringfence/state/store"
)

// What a notice says of a restriction.
const (
	closed = "closed"
	lifted = "lifted" // by a person or a rule
	ended  = "ended"  // by time
)

// readRestricted is of a restriction that was set on a line or an account, or has been lifted or has ended; not of what the owner did. Of several
// in one change one is told.
func (n *Notifier) readRestricted(f *store.Fact) (draft, bool) {
	var b fact.SettingChanged // the other kinds have the same parts
	if b.Decode(f.Body) != nil || b.By == fact.ByAnswer {
		return draft{}, false
	}
	before, after := restrictionsOf(b.Before), restrictionsOf(b.After)
	r, what := onlyIn(after, before), closed
	if r == nil {
		if r, what = onlyIn(before, after), lifted; r == nil {
			return draft{}, false
		}
		if r.Ended(f.At) {
			what = ended
		}
	}
	if what == closed && r.Finding != "" { // the finding's own notice tells of it
		return draft{}, false
	}
	d := n.drafted(f, Restricted)
	d.key = store.Short(strings.Join([]string{"restriction", f.Line, f.Account, strconv.FormatInt(r.ID, 10), what}, "/")) // two nodes may see one end
	d.Why, d.Evidence = Clean(r.Why, maxValue), restrictionEvidence(r)
	d.Evidence["now"] = what
	if what != ended {
		d.By = Clean(b.By, 80)
	}
	return d, true
}

// restrictionsOf are those in a part of a change.
func restrictionsOf(part []byte) []restrict.Restriction {
	var said struct {
		Restrictions []restrict.Restriction `json:"restrictions"`
	}
	if len(part) == 0 || json.Unmarshal(part, &said) != nil {
		return nil
	}
	return said.Restrictions
}

// onlyIn is the latest of some restrictions that is not among others.
func onlyIn(these, others []restrict.Restriction) *restrict.Restriction {
	for i := len(these) - 1; i >= 0; i-- {
		if !slices.ContainsFunc(others, func(r restrict.Restriction) bool { return r.ID == these[i].ID }) {
			return &these[i]
		}
	}
	return nil
}

// restrictionEvidence is what a notice says about a restriction.
func restrictionEvidence(r *restrict.Restriction) map[string]any {
	names, destinations := "closes", Destinations(&r.Names)
	if r.Only {
		names = "opens"
	}
	if r.Login || r.AtOnce > 0 || r.Ask != "" {
		names, destinations = "does", r.Does(destinations, "")
	}
	e := map[string]any{"restriction": strconv.FormatInt(r.ID, 10), names: destinations, "hours": r.Hours.String(), "now": closed, "ends_calls": r.Ends}
	if !r.Until.IsZero() {
		e["closed_until"] = r.Until.UTC().Format(time.RFC3339)
	}
	return e
}

// Destinations writes destinations for people who do not know how they are named.
func Destinations(s *restrict.Set) string {
	words := []string{}
	for part := range strings.SplitSeq(s.String(), ", ") {
		class, abroad := strings.CutPrefix(part, "intl-")
		switch {
		case part == "paid":
			part = "every call that costs something"
		case part == "abroad":
			part = "every call abroad"
		case strings.HasPrefix(part, "above "):
			part = "calls abroad that cost more than " + strings.TrimPrefix(part, "above ") + " a minute"
		case strings.HasPrefix(part, "+"):
			part = "numbers that begin with " + part
		case abroad:
			part = class + " numbers abroad"
		case Country(part) != "":
			part = Country(part)
		default:
			part += " numbers"
		}
		words = append(words, part)
	}
	if len(words) > maxClosed {
		words = append(words[:maxClosed], "and "+strconv.Itoa(len(words)-maxClosed)+" more")
	}
	return strings.Join(words, ", ")
}

// maxClosed is how many destinations a notice names.
const maxClosed = 12

// restriction fills in what became of a restriction.
func (v *view) restriction(e map[string]any) {
	if v.Kind == Restricted {
		v.Now, v.EndsCalls, v.Only, v.Fewer = scalar(e["now"]), e["ends_calls"] == true, e["opens"] != nil, e["does"] != nil
	}
}
