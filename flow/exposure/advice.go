package exposure

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/exposure"
	"ringfence/core/money"
	"ringfence/flow/book"
)

// Advice is something that the customer should change.
type Advice struct {
	Code, Title, Text string
	Source            string      // where the claim is from, of firmware
	Set               string      // what to give line set: "nets=192.0.2.7/32"; "" is no setting
	Effect            string      // what that does to the exposure; "" is nothing that can be said in money
	Now, Then         money.Micro // the figure that Effect is about, and what it would be
}

const (
	oldPassword = 365 * 24 * time.Hour
	lately      = 90 * 24 * time.Hour
	steady      = 14 * 24 * time.Hour // for which a login must have come from one address
)

// hole is firmware with a known hole.
type hole struct {
	agent        *regexp.Regexp // in its User-Agent, which anybody can write; its group is the version
	before       string         // the first version without it; "": there is none
	text, source string
}

// holes are few and checked one by one: a wrong one would have customers throw good phones away. Those of 30 November 2026.
var holes = []hole{{
	regexp.MustCompile(`(?i)\bSPA-?112\b`), "",
	"Anybody who reaches its web page can put other firmware on it and take it over. The maker ended support on 1 June 2020 and will not repair it: replace it.",
	"CVE-2023-20126",
}, {
	regexp.MustCompile(`(?i)\bGrandstream GXP16(?:10|15|20|25|28|30)\b\S* ([0-9.]+)`), "1.0.7.81",
	"Anybody who reaches its web page can take it over without a password, and read the password of your line. Give it the firmware 1.0.7.81 or a newer one.",
	"CVE-2026-2329",
}, {
	regexp.MustCompile(`(?i)\bGrandstream UCM620[248]\w*(?:\.\w+)? ([0-9.]+)`), "1.0.19.20",
	"Anybody who reaches its web page can take it over without a password, and programs that look for it do. Give it newer firmware.",
	"CVE-2020-5722",
}, {
	regexp.MustCompile(`(?i)\bCisco-CP-?(?:68|78|88)\d\d\w*-3PCC\w*/([0-9.]+)`), "11.3.7",
	"Anybody who reaches its web page can take it over without a password. Give it the firmware 11.3.7SR1 or a newer one.",
	"CVE-2023-20078",
}}

// has says that a product has the hole, as far as it says which version it is.
func (h *hole) has(agent string) bool {
	found := h.agent.FindStringSubmatch(agent)
	switch {
	case found == nil:
		return false
	case h.before == "":
		return true
	}
	is, first := numbers(found[1]), numbers(h.before)
	return len(is) >= 3 && slices.Compare(is, first) < 0
}

// numbers are those of a version; none if it is not made of numbers.
func numbers(version string) (all []int) {
	for part := range strings.SplitSeq(strings.Trim(version, "."), ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil
		}
		all = append(all, n)
	}
	return all
}

// Advice says what a line's customer should change, what most lowers the exposure first.
func (d *Desk) Advice(ctx context.Context, l *book.Line, seen *Seen) ([]Advice, error) {
	n, err := d.look(ctx)
	if err != nil {
		return nil, err
	}
	a, err := d.account(ctx, n, l.Customer(), []*book.Line{l})
	if err != nil {
		return nil, err
	}
	q := d.question(n, Tonight.End(n.at, a.Zone))
	f, e := q.Of(a), l.Effective(n.at)
	all := []Advice{}
	if address, ok := seen.steady(n.at); ok && len(e.Nets) == 0 {
		c := try(&q, a, &f, e, Change{Lock: true})
		all = append(all, Advice{
			Code: "ip-lock", Title: "Lock the line to your address",
			Text: fmt.Sprintf("For %d days every login came from %s, and any other address may log in too.", int(n.at.Sub(seen.first(address)).Hours()/24), address),
			Set:  "nets=" + address, Effect: instead("From elsewhere a thief", c.Elsewhere, f.Elsewhere), Now: f.Elsewhere, Then: c.Elsewhere,
		})
	}
	if !seen.Abroad && e.Ceiling(account.InternationalCeiling) > 0 {
		c := try(&q, a, &f, e, Change{Field: account.InternationalCeiling})
		all = append(all, Advice{
			Code: "abroad-unused", Title: "Close what you never call", Text: "Calls abroad are allowed, and for a year the line has made none.", Set: "international-ceiling=free",
			Effect: instead("A thief", c.Retail, f.Retail), Now: f.Retail, Then: c.Retail,
		})
	}
	return append(all, seen.devices(n.at)...), nil
}

// instead says what advice does to the figure; where other destinations cost as much it changes nothing.
func instead(who string, then, now money.Micro) string {
	if then == now {
		return fmt.Sprintf("%s could still cost %s tonight: something else is as dear.", who, exposure.Amount(now))
	}
	return fmt.Sprintf("%s could cost %s tonight instead of %s.", who, exposure.Amount(then), exposure.Amount(now))
}

// devices is the advice on phones and the password.
func (s *Seen) devices(now time.Time) (all []Advice) {
	told := map[string]bool{}
	add := func(a Advice) {
		if key := a.Code + a.Text; !told[key] {
			told[key] = true
			all = append(all, a)
		}
	}
	for i := range s.Phones {
		p := &s.Phones[i]
		name := fmt.Sprintf("The phone at %s, which calls itself %q,", p.From, p.Agent)
		for _, h := range holes {
			if h.has(p.Agent) {
				add(Advice{Code: "firmware", Title: "A phone has a known hole", Text: name + " has one. " + h.text, Source: h.source})
			}
		}
		if p.public() {
			add(Advice{Code: "public-address", Title: "Take a phone off the open internet", Text: name + " has a public address of its own. Put it behind a router: the web page of a phone can give its password away to anybody who reaches it."})
		}
		if strings.EqualFold(p.Transport, "udp") {
			add(Advice{Code: "plain-udp", Title: "Nothing hides what is said on the way", Text: name + " sends over plain UDP: who is on the way can read whom you call. Set it to TLS once your provider offers that."})
		}
	}
	if age := now.Sub(s.Password); !s.Password.IsZero() && age > oldPassword {
		add(Advice{Code: "password-age", Title: "Give the line a new password", Text: fmt.Sprintf("It has had the same one for %d days, and anybody who had a copy of your phone's settings in that time may have it.", int(age.Hours()/24))})
	}
	return all
}

// public says that the phone itself has the address that its packets come from, and that this is one of the internet's.
func (p *Phone) public() bool {
	_, host, _ := strings.Cut(p.Contact, "@")
	host, _, _ = strings.Cut(host, ";")
	host = strings.Trim(host, "<> ")
	at, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil {
		port, err := netip.ParseAddrPort(host)
		if err != nil {
			return false
		}
		at = port.Addr()
	}
	return at == p.From && at.IsGlobalUnicast() && !at.IsPrivate()
}

// steady is the one address from which the login was used lately, if it was long enough.
func (s *Seen) steady(now time.Time) (address string, ok bool) {
	for _, p := range s.Places {
		switch {
		case now.Sub(p.Last) > lately:
		case address != "" && address != p.Address:
			return "", false
		default:
			address = p.Address
		}
	}
	return address, address != "" && now.Sub(s.first(address)) >= steady
}

// first is when an address was first seen.
func (s *Seen) first(address string) (first time.Time) {
	for _, p := range s.Places {
		if p.Address == address && (first.IsZero() || p.First.Before(first)) {
			first = p.First
		}
	}
	return first
}
