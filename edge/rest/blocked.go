package rest

import (
	"context"
	"math"
	"net/netip"
	"strings"
	"time"

	"ringfence/core/fact"
	"ringfence/edge/rest/api"
	"ringfence/flow/book"
	"ringfence/flow/device"
)

// blocked is what keeps a line's phones out although the line is open, each with the command that undoes it. Answering "not me" does more
// than lock the line, and anyone who unlocks it must know.
func (s *Server) blocked(ctx context.Context, l *book.Line) []api.Blocked {
	out := []api.Blocked{}
	add := func(what, undo string) { out = append(out, api.Blocked{What: what, Undo: undo}) }
	switch {
	case !l.Login():
		add("it has no password, so that no phone can log in", "ringfence line password "+l.Handle())
	case s.replacedByAnswer(ctx, l.ID()):
		add("its password was replaced when its owner answered \"not me\", and nobody has the new one: no phone can log in", "ringfence line password "+l.Handle())
	}
	s.blockedDevices(l, add)
	for _, o := range s.lockouts(time.Now()) {
		if o.Line && o.User == l.Handle() {
			from := "new places"
			if o.Source != "" {
				from = o.Source
			}
			add("logins from "+from+" are locked out because of wrong passwords", "ringfence lockout release "+l.Handle())
			break // one command releases all
		}
	}
	return out
}

// replacedByAnswer says that the newest password of a line was made by its owner's answer, and that nobody knows it.
func (s *Server) replacedByAnswer(ctx context.Context, line string) bool {
	if s.d.Journal == nil {
		return false
	}
	facts, err := s.d.Journal(ctx, JournalQuery{Before: math.MaxInt64, Line: line, Kind: fact.KindPasswordChanged, Limit: 1})
	if err != nil || len(facts) == 0 {
		return false
	}
	var changed fact.PasswordChanged
	return changed.Decode(facts[0].Body) == nil && changed.By == fact.ByAnswer
}

// blockedDevices adds the devices of which the owner said that they are not theirs, and the bans of where the login was used.
func (s *Server) blockedDevices(l *book.Line, add func(what, undo string)) {
	if s.d.Devices == nil {
		return
	}
	devices := s.d.Devices.Of(l.ID())
	for _, d := range devices {
		if d.Verdict != device.NotMine {
			continue
		}
		undo := "ringfence line device " + l.Handle() + " " + d.Place
		if d.Family != "" {
			undo += " --family " + quoted(d.Family)
		}
		add("logins from "+d.Place+familyText(d.Family)+" are refused: the owner said that this device is not theirs", undo+" --forget")
	}
	said := map[string]bool{}
	for _, d := range devices {
		for _, b := range s.bansOf(d.Address) {
			if !said[b.Net] {
				add("everything from "+b.Net+", where its login was used, is dropped: "+b.Why, "ringfence ban remove "+b.Net)
			}
			said[b.Net] = true
		}
	}
}

// bansOf are the bans that hold an address.
func (s *Server) bansOf(address string) []api.Ban {
	bans, err := s.bans()
	addr, err2 := netip.ParseAddr(address)
	if err != nil || err2 != nil {
		return nil
	}
	return views(bans.Why(addr).Held, banView)
}

func familyText(family string) string {
	if family == "" {
		return ""
	}
	return " with " + family
}

// quoted is a word as a shell takes it.
func quoted(word string) string {
	if !strings.ContainsFunc(word, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._/:+-", r)
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
