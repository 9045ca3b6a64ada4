package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"ringfence/cmd/ringfence/complete"
	"ringfence/core/account"
	"ringfence/edge/rest/api"
)

// Somebody waits for the completion of a word: better none than late, and never a screenful.
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
			add(key+"=inherit", "take the own word back")
			return out
		}
		for f := range account.NumFields {
			add(f.String()+"=", "default "+account.Format(f, account.Defaults().Values[f].N))
		}
		add("nets=", "addresses and networks, or none")
		return out
	case "trunk-field":
		for _, f := range trunkFields {
			add(f+"=", "")
		}
		return out
	}
	s.remote = remoteOf(words)
	ctx, cancel := context.WithTimeout(s.ctx, namesWithin)
	defer cancel()
	quick := *s
	quick.ctx = ctx
	quick.namesOf(kind, add)
	return out
}

func (s *session) namesOf(kind string, add func(word, help string)) {
	limit := strconv.Itoa(namesMost)
	switch kind {
	case "line":
		each(s, pathOf("lines")+query("limit", limit), func(l *api.Line) { add(l.ID, strings.TrimSpace(l.Number+" "+l.Name)) })
	case "customer":
		each(s, pathOf("customers")+query("limit", limit), func(c *api.Customer) { add(c.ID, c.Name) })
	case "trunk":
		each(s, pathOf("trunks"), func(t *api.Trunk) { add(t.Name, strings.Join(t.Addresses, ", ")) })
	case "deck":
		each(s, pathOf("decks"), func(d *api.Deck) {
			if d.InForce {
				add(d.Name, d.Kind)
			}
		})
	case "call":
		each(s, pathOf("calls"), func(c *api.Call) { add(c.ID, c.Line+" to "+c.Number) })
	case "request":
		each(s, pathOf("requests")+query("state", "open"), func(r *api.Request) { add(strconv.FormatInt(r.ID, 10), r.Line+" "+r.Field+" "+r.Text) })
	}
}

func each[T any](s *session, path string, do func(*T)) {
	var page api.List[T]
	if err := s.get(path, &page); err != nil {
		return // a shell's prompt is no place for errors
	}
	for i := range page.Items {
		do(&page.Items[i])
	}
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
