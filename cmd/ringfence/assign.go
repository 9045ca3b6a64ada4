package main

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"ringfence/core/account"
	"ringfence/core/slip"
	"ringfence/edge/rest/api"
)

// grantFlags come with every command that sets settings.
type grantFlags struct {
	Grant bool  `help:"As staff, allow a value looser than the customer's or provider's."`
	Until point `help:"With --grant: when the grant ends (\"friday\", \"2026-12-01\": that day included; \"+3d\")." placeholder:"WHEN"`
}

// assign reads field=value arguments into a body of the API: its fields by their JSON names, and where it has a Set, settings into
// that. Names are judged here, so that a slip is answered with the nearest, and most values by the server.
func assign(body any, args []string, g grantFlags) error {
	if g.Until != "" && !g.Grant {
		return usagef("--until goes with --grant: only a grant ends by itself")
	}
	given := map[string]bool{}
	for _, arg := range args {
		key, value, ok := strings.Cut(arg, "=")
		switch {
		case !ok:
			return usagef("%.60q: want FIELD=VALUE", arg)
		case given[key]:
			return usagef("%s is given twice", key)
		}
		given[key] = true
		if err := assignOne(body, key, value, g); err != nil {
			return err
		}
	}
	return nil
}

func assignOne(body any, key, value string, g grantFlags) error {
	var set *[]api.Change
	for f, v := range fields(body) {
		switch {
		case f.Name == "Set":
			set = v.Addr().Interface().(*[]api.Change)
		case jsonName(f) == key && f.Name != "Password":
			x, err := read(f, key, value)
			if err == nil {
				v.Set(reflect.ValueOf(x))
			}
			return err
		}
	}
	if _, err := account.ParseField(key); err != nil || set == nil {
		return noField(key, fieldNames(body))
	}
	*set = append(*set, api.Change{Field: key, Value: value, Grant: g.Grant, Until: string(g.Until)})
	return nil
}

// read reads the value of a field, which is a pointer: what is not given stays nil.
func read(f reflect.StructField, key, value string) (any, error) {
	if words := strings.Split(f.Tag.Get("enum"), ","); (key == "courtesy" || key == "ring") && !slices.Contains(words, value) {
		return nil, usagef("%s: found %.40q, want %s", key, value, strings.Join(words, ", "))
	}
	switch f.Type.Elem().Kind() {
	case reflect.Slice:
		return readList(key, value)
	case reflect.String:
		if (key == "reseller" || key == "short" || strings.HasPrefix(key, "forward_")) && value == "none" {
			value = ""
		}
	case reflect.Bool:
		yes := slices.Contains([]string{"yes", "on", "true"}, value)
		if !yes && !slices.Contains([]string{"no", "off", "false"}, value) {
			return nil, usagef("%s: found %.40q, want on or off", key, value)
		}
		return &yes, nil
	case reflect.Int:
		n, err := strconv.Atoi(value)
		if err != nil {
			return nil, usagef("%s: found %.40q, want a whole number", key, value)
		}
		return &n, nil
	}
	return &value, nil
}

// readList reads a list, of which "none" is the empty one. An IP lock is judged here too.
func readList(key, text string) (*[]string, error) {
	list := []string{}
	switch {
	case text == "none":
	case key == "numbers": // with blanks in them
		for _, number := range strings.Split(text, ",") {
			list = append(list, strings.TrimSpace(number))
		}
	case key != "nets":
		list = strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
	case text == "inherit":
		return nil, usagef("an IP lock is not inherited: it applies together with those of the customer and the provider; nets=none removes this one")
	default:
		nets, err := account.ParseNets(text)
		if err != nil {
			return nil, usageError{err}
		}
		for _, n := range nets {
			list = append(list, n.String())
		}
	}
	return &list, nil
}

// fieldNames are the fields that assign knows of a body, settings first.
func fieldNames(body any) (names []string) {
	for f := range fields(body) {
		switch {
		case f.Name == "Set":
			settings := make([]string, account.NumFields)
			for s := range account.NumFields {
				settings[s] = s.String()
			}
			names = append(settings, names...)
		case f.Name != "Password" && f.Type.Kind() == reflect.Pointer:
			names = append(names, jsonName(f))
		}
	}
	return names
}

// noField says what field there is not, and which may have been meant.
func noField(key string, known []string) error {
	if near := slip.Nearest(key, known); near != "" {
		return usagef("no such field %.40q: did you mean %s?", key, near)
	}
	return usagef("no such field %.40q; there are %s", key, strings.Join(known, ", "))
}
