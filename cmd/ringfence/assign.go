package main

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"ringfence/core/account"
	"ringfence/core/slip"
	"ringfence/edge/rest/api"
)

// grantFlags come with every command that sets settings.
type grantFlags struct {
	Grant bool  `help:"As staff, allow a value looser than what stands above."`
	Until point `help:"With --grant: when it ends by itself (\"friday\", \"2026-12-01\": that day included; \"+3d\")." placeholder:"WHEN"`
}

// assigned is what field=value arguments say.
type assigned struct {
	texts map[string]string // name, zone …, as allowed
	nets  *[]string
	set   []api.Change
}

// text is a field of texts, nil when it was not given.
func (a *assigned) text(key string) *string {
	if v, ok := a.texts[key]; ok {
		return &v
	}
	return nil
}

// body is what was given, as a body of the API.
func (a *assigned) body() map[string]any {
	body := map[string]any{}
	for key, text := range a.texts {
		body[key] = text
	}
	if a.nets != nil {
		body["nets"] = *a.nets
	}
	if a.set != nil {
		body["set"] = a.set
	}
	return body
}

// parseAssignments reads field=value arguments: settings, nets, and the texts allowed here. Values of settings are judged
// by the server, names here, so that a slip is seen with the nearest name.
func parseAssignments(args, texts []string, g grantFlags) (assigned, error) {
	a := assigned{texts: map[string]string{}}
	if g.Until != "" && !g.Grant {
		return a, usagef("--until goes with --grant: only what staff grant ends by itself")
	}
	return a, eachField(args, func(key, value string) error { return a.take(key, value, texts, g) })
}

func (a *assigned) take(key, value string, texts []string, g grantFlags) error {
	for _, t := range texts {
		if key == t {
			a.texts[key] = value
			return checkText(key, value)
		}
	}
	if key == "nets" {
		nets, err := parseNets(value)
		a.nets = &nets
		return err
	}
	if _, err := account.ParseField(key); err != nil {
		return noField(key, append(settingNames(), append([]string{"nets"}, texts...)...))
	}
	a.set = append(a.set, api.Change{Field: key, Value: value, Grant: g.Grant, Until: string(g.Until)})
	return nil
}

var courtesies = []string{"both", "user-agent", "off", "inherit"}

// checkText judges those texts that are one of a few words.
func checkText(key, value string) error {
	if key == "courtesy" && !slices.Contains(courtesies, value) {
		return usagef("courtesy: found %.40q, want %s", value, strings.Join(courtesies, ", "))
	}
	return nil
}

// parseNets reads an IP lock; "none" opens it.
func parseNets(text string) ([]string, error) {
	out := []string{}
	switch text {
	case "none":
		return out, nil
	case "inherit":
		return out, usagef("an IP lock is not inherited: it holds beside those above it; nets=none opens this one")
	}
	nets, err := account.ParseNets(text)
	if err != nil {
		return out, usageError{err}
	}
	for _, n := range nets {
		out = append(out, n.String())
	}
	return out, nil
}

func settingNames() []string {
	names := make([]string, account.NumFields)
	for f := range account.NumFields {
		names[f] = f.String()
	}
	return names
}

// oneSetting reads the single FIELD=VALUE of a request.
func oneSetting(arg string) (field, value string, err error) {
	a, err := parseAssignments([]string{arg}, nil, grantFlags{})
	if err != nil {
		return "", "", err
	}
	if len(a.set) != 1 {
		return "", "", usagef("%.60q is not a setting that is asked for; there are %s", arg, strings.Join(settingNames(), ", "))
	}
	return a.set[0].Field, a.set[0].Value, nil
}

var trunkFields = []string{"addresses", "transport", "user", "sources", "priority", "deck", "format", "withheld", "emergency", "disabled"}

// parseTrunk reads the field=value arguments of a trunk, into a body of the API.
func parseTrunk(args []string) (map[string]any, error) {
	body := map[string]any{}
	return body, eachField(args, func(key, value string) (err error) {
		switch key {
		case "addresses", "sources":
			body[key] = words(value)
		case "priority":
			if body[key], err = strconv.Atoi(value); err != nil {
				return usagef("%s: found %.40q, want a whole number", key, value)
			}
		case "emergency", "disabled":
			if body[key], err = parseYes(value); err != nil {
				return usagef("%s: found %.40q, want yes or no", key, value)
			}
		default:
			if body[key] = value; !slices.Contains(trunkFields, key) {
				return noField(key, trunkFields)
			}
		}
		return nil
	})
}

// eachField takes field=value arguments apart, none twice.
func eachField(args []string, take func(key, value string) error) error {
	seen := map[string]bool{}
	for _, arg := range args {
		key, value, ok := strings.Cut(arg, "=")
		if !ok {
			return usagef("%.60q: want FIELD=VALUE", arg)
		}
		if seen[key] {
			return usagef("%s is given twice", key)
		}
		seen[key] = true
		if err := take(key, value); err != nil {
			return err
		}
	}
	return nil
}

// noField says what field there is not, and which may have been meant.
func noField(key string, known []string) error {
	if near := slip.Nearest(key, known); near != "" {
		return usagef("no such field %.40q: did you mean %s?", key, near)
	}
	return usagef("no such field %.40q; there are %s", key, strings.Join(known, ", "))
}

// words splits a list; "none" is an empty one.
func words(text string) *[]string {
	list := []string{}
	if text != "none" {
		list = append(list, strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })...)
	}
	return &list
}

func parseYes(text string) (*bool, error) {
	yes := text == "yes" || text == "on" || text == "true"
	if !yes && text != "no" && text != "off" && text != "false" {
		return nil, errNotYes
	}
	return &yes, nil
}

var errNotYes = errors.New("neither yes nor no")
