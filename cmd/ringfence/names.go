package main

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/cmd/ringfence/complete"
	"ringfence/core/account"
	"ringfence/core/detect"
	"ringfence/core/policy"
	"ringfence/edge/rest/api"
)

// A person waits for the completion of a word: none is better than a late one, or than a screenful.
const (
	namesWithin = 200 * time.Millisecond
	namesMost   = 200
)

// names asks the server what there is of a kind. Whatever fails, there are none.
func (s *session) names(kind string, words []string) []complete.Candidate {
	var out []complete.Candidate
	add := func(word, help string) { out = append(out, complete.Candidate{Word: word, Help: help}) }
	switch kind {
	case "setting":
		last := words[len(words)-1]
		if key, _, ok := strings.Cut(last, "="); ok {
			switch key {
			case "courtesy":
				add("courtesy=both", "a new address or a new User-Agent")
				add("courtesy=user-agent", "a new User-Agent only")
				add("courtesy=off", "")
			case "honeypot":
				add("honeypot=on", "")
				add("honeypot=off", "")
				return out
			}
			add(key+"=inherit", "take the own word back")
			return out
		}
		for f := range account.NumFields {
			add(f.String()+"=", "default "+account.Format(f, account.Defaults().Values[f].N))
		}
		add("nets=", "addresses and networks, or none")
		add("courtesy=", "changes in logins that the owner is notified of")
		if len(words) > 0 && words[0] == "line" {
			add("honeypot=", "a decoy that nobody owns: any login to it is an attack")
		}
		return out
	case "finding-kind":
		for k := detect.NoKind + 1; k < detect.NumKinds; k++ {
			add(k.String(), k.Title())
		}
		return out
	case "direction":
		for _, d := range []string{"outbound", "inbound", "on-net"} {
			add(d, "")
		}
		return out
	case "reason":
		for r := range policy.NumReasons {
			add(r.Code(), "")
		}
		return out
	case "trunk-field":
		for _, f := range fieldNames(&api.PatchTrunk{}) {
			add(f+"=", "")
		}
		return out
	}
	s.remote = remoteOf(words)
	ctx, cancel := context.WithTimeout(s.ctx, namesWithin)
	defer cancel()
	quick := *s
	quick.ctx = ctx
	if find := kinds[kind]; find != nil {
		find(&quick, words, add)
	}
	return out
}

// kinds are those whose names the server knows. words say of which line or customer.
var kinds = map[string]func(s *session, words []string, add func(word, help string)){
	"line":        suggest[api.Line],
	"customer":    suggest[api.Customer],
	"trunk":       suggest[api.Trunk],
	"deck":        suggest[api.Deck],
	"call":        suggest[api.Call],
	"ban":         suggest[api.Ban],
	"feed":        suggest[api.Feed],
	"case":        suggest[api.Case],
	"claim":       suggest[api.Claim],
	"plan":        suggest[api.Plan],
	"finding":     suggest[api.Finding],
	"notice":      suggest[api.Notice],
	"notice-kind": suggest[api.NoticeKind],
	"request": func(s *session, _ []string, add func(word, help string)) {
		suggestOf[api.Request](s, requestState{"open"}, add)
	},
	"contact": func(s *session, words []string, add func(word, help string)) {
		suggestOf[api.Contact](s, api.ContactOf{Customer: argument(words, "contact", 1)}, add)
	},
	"place": func(s *session, words []string, add func(word, help string)) {
		suggestOf[api.Device](s, api.LineID{ID: argument(words, "device", 0)}, add)
	},
	"ban-list": func(s *session, _ []string, add func(word, help string)) {
		for _, b := range some[api.Ban](s, api.BanFilter{By: "feed"}) {
			if name, ok := strings.CutPrefix(b.By, "feed:import."); ok {
				add(name, "")
			}
		}
	},
	"lockout": func(s *session, _ []string, add func(word, help string)) {
		for _, l := range some[api.Lockout](s, nil) {
			for _, word := range []string{l.Source, l.User} {
				if word != "" {
					add(word, l.Scope)
				}
			}
		}
	},
}

// suggest adds the names of a kind.
func suggest[V api.View[V]](s *session, _ []string, add func(word, help string)) {
	suggestOf[V](s, nil, add)
}

// suggestOf adds the names of a kind that fit a filter, or are of what a path names.
func suggestOf[V api.View[V]](s *session, in any, add func(word, help string)) {
	for _, v := range some[V](s, in) {
		if word, help := describe[V]().Named(&v); word != "" {
			add(word, help)
		}
	}
}

// some are things of a kind, not too many. Whatever fails, there are none: a shell's prompt is no place for errors.
func some[V api.View[V]](s *session, in any) []V {
	r := describe[V]()
	path := "GET /v1/" + r.Path
	if r.Next != "" {
		path += "?limit=" + strconv.Itoa(namesMost)
	}
	page, err := fetch[api.List[V]](s, path, in)
	if err != nil {
		return nil
	}
	return page.Items
}

// argument is the nth word without a dash after a command, "" if there is none.
func argument(words []string, command string, n int) string {
	i := slices.Index(words, command)
	for _, w := range words[i+1:] {
		if strings.HasPrefix(w, "-") {
			continue
		}
		if n == 0 {
			return w
		}
		n--
	}
	return ""
}

// remoteOf finds the server's flags among words that are not parsed yet.
func remoteOf(words []string) remote {
	var r remote
	for i, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok && i+1 < len(words) {
			value = words[i+1]
		}
		switch name {
		case "--socket":
			r.Socket = value
		case "--server":
			r.Server = value
		case "--token-file":
			r.TokenFile = value
		case "--ca":
			r.CA = value
		}
	}
	return r
}
