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
		add("courtesy=", "of what new thing in logins the owner is told")
		if len(words) > 0 && words[0] == "line" {
			add("honeypot=", "nobody's: any login to it is an attack")
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
	quick.namesOfGuard(kind, words, add)
	return out
}

// namesOfGuard are names of what keeps thieves out and of who is told. words say of which line or customer.
func (s *session) namesOfGuard(kind string, words []string, add func(word, help string)) {
	limit := strconv.Itoa(namesMost)
	switch kind {
	case "ban":
		each(s, pathOf("bans")+query("limit", limit), func(b *api.Ban) { add(b.Net, strings.TrimSpace(b.By+" "+b.Why)) })
	case "ban-list":
		each(s, pathOf("bans")+query("by", "feed", "limit", limit), func(b *api.Ban) {
			if name, ok := strings.CutPrefix(b.By, "feed:import."); ok {
				add(name, "")
			}
		})
	case "feed":
		each(s, pathOf("feeds"), func(f *api.Feed) { add(f.Name, f.From) })
	case "lockout":
		each(s, pathOf("lockouts")+query("limit", limit), func(l *api.Lockout) {
			for _, word := range []string{l.Source, l.User} {
				if word != "" {
					add(word, l.Scope)
				}
			}
		})
	case "finding":
		each(s, pathOf("findings")+query("limit", limit), func(f *api.Finding) { add(strconv.FormatInt(f.ID, 10), f.Title) })
	case "notice":
		each(s, pathOf("notices")+query("limit", limit), func(n *api.Notice) { add(strconv.FormatInt(n.ID, 10), n.Title) })
	case "notice-kind":
		each(s, pathOf("notices", "kinds"), func(k *api.NoticeKind) { add(k.Kind, k.Title) })
	case "contact":
		each(s, pathOf("customers", argument(words, "contact", 1), "contacts"), func(c *api.Contact) { add(c.ID, c.Address) })
	case "place":
		each(s, pathOf("lines", argument(words, "device", 0), "devices"), func(d *api.Device) { add(d.Place, d.Agent) })
	}
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
