package desk

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/fact"
	"ringfence/core/person"
	"ringfence/flow/react"
	"ringfence/state/store"
)

// Deed is something that somebody did, from the journal: a change, a sign-in, a device.
type Deed struct {
	Seq     int64
	At      time.Time
	Kind    string // of the fact
	By      string // the actor: a person, "staff", what the program did ("ringfence"), an answer; "" where the fact names nobody
	Subject Subject
	Person  string // whose sign-in, passkey or right it is about
	What    string // what it is about, as the fact has it: a number, a text, a reason
	From    string // the address or network that it came from
	Agent   string // what the device calls itself
	Changes []Change
}

// Change is one part of what was changed, in words for people: "" is none.
type Change struct{ Name, Was, Is string }

// PastFilter selects a customer's history.
type PastFilter struct {
	Customer string // identity
	Line     string // identity; "" is all lines and the customer
	Before   int64  // below this row of the journal; 0 is its end
	Limit    int    // 0 is 100
}

// unsaid are parts of lines and customers that are the provider's business.
var unsaid = []string{"honeypot", "resale", "reseller", "tariff", "customer"}

// History is what was changed at a customer's, by whom, who signed in, and which devices came, the newest first. It goes by an index of its own
// and never over calls. To the customer's own people a member of staff is "staff".
func (d *Desk) History(ctx context.Context, who *person.Who, f PastFilter) ([]Deed, error) {
	facts, err := d.o.Store.Facts(ctx, store.FactFilter{Past: f.Customer, Line: f.Line, Before: cmp.Or(f.Before, math.MaxInt64), Limit: cmp.Or(f.Limit, 100)})
	out := make([]Deed, 0, len(facts))
	for i := range facts {
		x := deedOf(&facts[i])
		if who.Customer != "" {
			x.By = outside(x.By, account.Handle(f.Customer), account.Handle(who.Customer))
			x.Changes = slices.DeleteFunc(x.Changes, func(c Change) bool { return slices.Contains(unsaid, c.Name) })
		}
		out = append(out, x)
	}
	return out, err
}

// outside leaves the names of a customer's own people, and of those who resell to them, and what the program, a phone or an answer to a notice did.
// Everybody else is of the provider's, of whom it says only that.
func outside(actor string, own ...string) string {
	switch actor {
	case "", react.By, fact.ByAnswer, fact.ByCode, fact.ByForwardCode:
		return actor
	case "auto":
		return react.By
	}
	if slices.ContainsFunc(own, func(c string) bool { return strings.HasPrefix(actor, c+"/") }) {
		return actor
	}
	return "staff"
}

// linked is who used the link of a notice, as other facts name them: a contact or a person of a customer, or an address of the desk.
func linked(recipient string) string {
	for _, of := range []string{"customer/", "person/"} {
		if who, ok := strings.CutPrefix(recipient, of); ok {
			return account.HandlePath(who)
		}
	}
	return recipient
}

func deedOf(f *Fact) Deed {
	var b struct {
		Person    string          `json:"person"`
		UserAgent string          `json:"user_agent"`
		How       string          `json:"how"`
		Passkey   string          `json:"passkey"`
		Until     string          `json:"until"`
		Result    string          `json:"result"`
		Verdict   string          `json:"verdict"`
		Before    json.RawMessage `json:"before"`
		After     json.RawMessage `json:"after"`
	}
	_ = json.Unmarshal(f.Body, &b) // what cannot be read says nothing
	e := eventOf(f)
	if f.Kind == fact.KindLinkDone {
		b.Person = linked(b.Person)
	}
	d := Deed{Seq: f.Seq, At: f.At, Kind: f.Kind, By: cmp.Or(e.By, actsHimself(f.Kind, b.Person)), Subject: Subject{f.Line, f.Account}, Person: b.Person, From: e.Addr, Agent: cmp.Or(e.Agent, b.UserAgent)}
	what := []string{}
	for _, part := range []string{e.Number, e.Text, b.Passkey, b.Verdict, b.How, b.Result} {
		if part != "" {
			what = append(what, part)
		}
	}
	d.What = strings.Join(what, ", ")
	d.Changes = differing(b.Before, b.After)
	return d
}

// actsHimself is the person of facts that name only whom they are about: they signed in, or used a link.
func actsHimself(kind, who string) string {
	switch kind {
	case fact.KindPersonEntered, fact.KindLinkDone:
		return who
	}
	return ""
}

// differing is what differs between two objects, by name, in words.
func differing(before, after []byte) (all []Change) {
	var was, is map[string]any
	_ = json.Unmarshal(before, &was) // if it is absent or not an object, it has no parts
	_ = json.Unmarshal(after, &is)
	names := map[string]bool{}
	for _, parts := range []map[string]any{was, is} {
		for name := range parts {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if c := (Change{name, inWords(name, was[name]), inWords(name, is[name])}); c.Was != c.Is {
			all = append(all, c)
		}
	}
	return all
}

// inWords is a value of a fact as people write it. A setting is an object with a number, and the end of a grant.
func inWords(name string, v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return map[bool]string{true: "yes", false: "no"}[v]
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		words := make([]string, len(v))
		for i := range v {
			words[i] = inWords("", v[i])
		}
		return strings.Join(words, ", ")
	case map[string]any:
		return objectInWords(name, v)
	}
	return fmt.Sprint(v)
}

func objectInWords(name string, v map[string]any) string {
	n, is := v["n"].(float64)
	if f, err := account.ParseField(name); err == nil && is {
		text := account.Format(f, int64(n))
		if until, ok := v["until"].(string); ok {
			text += " until " + until
		}
		return text
	}
	words := []string{}
	for _, key := range slices.Sorted(maps.Keys(v)) {
		if text := inWords(key, v[key]); text != "" {
			words = append(words, strings.ReplaceAll(key, "_", " ")+" "+text)
		}
	}
	return strings.Join(words, ", ")
}
