package config

import (
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"ringfence/core/account"
)

var feedForm = regexp.MustCompile(`^[a-z0-9-]{1,40}=.+$`)

// shield judges what keeps attackers out: lists, feeds and counters.
func (v *validator) shield() {
	s, l := &v.c.Shield, &v.c.Login
	if _, err := s.NeverNets(); err != nil {
		v.bad("shield.never", s.Never, `addresses and networks ("192.0.2.0/24"): `+err.Error())
	}
	seen := map[string]bool{}
	for _, f := range s.Feeds {
		name, _, _ := strings.Cut(f, "=")
		if !feedForm.MatchString(f) || seen[name] {
			v.bad("shield.feeds", f, `different names, each "NAME=FILE" or "NAME=https://…"`)
		}
		seen[name] = true
	}
	if l.First.Duration > l.Longest.Duration {
		v.bad("login.first", l.First, "at most login.longest ("+l.Longest.String()+")")
	}
	if u := string(v.c.Counters.URL); u != "" && !schemeOf(u, "redis", "rediss", "unix") {
		v.bad("counters.url", v.c.Counters.URL, `"redis://host:6379/0", "rediss://…" or "unix:///path"`)
	}
	if !deckForm.MatchString(v.c.Counters.Prefix) {
		v.bad("counters.prefix", v.c.Counters.Prefix, "letters, digits, '.', '_' and '-', at most 64")
	}
}

// NeverNets is shield.never, read.
func (s *Shield) NeverNets() ([]netip.Prefix, error) {
	return account.ParseNets(strings.Join(s.Never, ","))
}

// HookNets is notify.private-hooks, read.
func (n *Notify) HookNets() ([]netip.Prefix, error) {
	return account.ParseNets(strings.Join(n.PrivateHooks, ","))
}

func schemeOf(text string, allowed ...string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return false
	}
	for _, s := range allowed {
		if u.Scheme == s {
			return true
		}
	}
	return false
}

// notices judges who is told what, and how.
func (v *validator) notices() {
	n, m, h := &v.c.Notify, &v.c.Mail, &v.c.Provider.Help
	for _, a := range n.Desk {
		if !isMail(a) {
			v.bad("notify.desk", a, `mail addresses ("fraud@example.net")`)
		}
	}
	for _, u := range n.Webhooks {
		if !isHook(u) {
			v.bad("notify.webhooks", u, `"https://…", or "http://…" on a loopback address`)
		}
	}
	if _, err := n.HookNets(); err != nil {
		v.bad("notify.private-hooks", n.PrivateHooks, `addresses and networks ("192.168.7.0/24"): `+err.Error())
	}
	if m.Server != "" {
		v.mail()
	} else {
		v.noMail()
	}
	if h.Mail != "" && !isMail(h.Mail) {
		v.bad("provider.help.mail", h.Mail, `a mail address ("help@example.net")`)
	}
	if h.Page != "" && !schemeOf(h.Page, "https", "http") {
		v.bad("provider.help.page", h.Page, `"https://…"`)
	}
	v.web()
}

// web judges the answer pages: no link may cross a network in the clear, and links must lead somewhere.
func (v *validator) web() {
	w := &v.c.Web
	if w.URL != "" && (!schemeOf(w.URL, "https", "http") || strings.HasSuffix(w.URL, "/")) {
		v.bad("web.url", w.URL, `"https://calls.example.net", without a slash at its end`)
	}
	if (w.TLSCert == "") != (w.TLSKey == "") {
		v.bad("web.tls-key", w.TLSKey, "both web.tls-cert and web.tls-key, or neither")
	}
	if _, err := account.ParseNets(w.Proxy); err != nil {
		v.bad("web.proxy", w.Proxy, `an address or network ("127.0.0.1")`)
	}
	at := w.Listen.Addr()
	if !w.Listen.IsValid() {
		return
	}
	if w.TLSCert == "" && w.Proxy == "" && !at.IsLoopback() {
		v.faults = append(v.faults, Fault{Key: "web.listen", Problem: "the answer pages on " + w.Listen.String() +
			" need a certificate (web.tls-cert), or a trusted proxy in front (web.proxy); without one only a loopback address is possible"})
	}
	if w.URL == "" && (w.Proxy != "" || at.IsUnspecified()) {
		v.bad("web.url", w.URL, `how people reach the answer pages ("https://calls.example.net"): web.listen (`+w.Listen.String()+`) does not say it`)
	}
}

// noMail names what is said of a server that is not.
func (v *validator) noMail() {
	m := &v.c.Mail
	for _, f := range []struct{ key, value string }{
		{"ca-file", m.CAFile},
		{"user", m.User},
		{"password-file", m.PasswordFile},
		{"dkim-domain", m.DKIMDomain},
		{"dkim-selector", m.DKIMSelector},
		{"dkim-key", m.DKIMKey},
	} {
		if f.value != "" {
			v.faults = append(v.faults, Fault{Key: "mail." + f.key, Problem: "set, but mail.server is not: no mail is sent without it"})
		}
	}
}

func (v *validator) mail() {
	m := &v.c.Mail
	host, _, err := net.SplitHostPort(m.Server)
	if err != nil {
		v.bad("mail.server", m.Server, `"host:port" ("smtp.example.net:587")`)
	}
	if m.TLS == "none" && !isLoopback(host) {
		v.bad("mail.tls", m.TLS, `"starttls" or "tls": without, mail goes to a loopback address only`)
	}
	if !isMail(m.From) {
		v.bad("mail.from", m.From, `the sender ("Example Telephony <calls@example.net>")`)
	}
	if set := m.DKIMDomain != ""; set != (m.DKIMSelector != "") || set != (m.DKIMKey != "") {
		v.bad("mail.dkim-domain", m.DKIMDomain, "mail.dkim-domain, mail.dkim-selector and mail.dkim-key, or none of them")
	}
	if (m.User == "") != (m.Password == "" && m.PasswordFile == "") {
		v.bad("mail.user", m.User, "both mail.user and mail.password-file, or neither")
	}
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

func isMail(text string) bool {
	a, err := mail.ParseAddress(text)
	return err == nil && len(text) <= 320 && strings.Contains(a.Address, "@")
}

func isHook(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.User == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()))
}

// LinksURL is how people reach the answer pages; "" when there are none.
func (c *Config) LinksURL() string {
	switch {
	case c.Web.URL != "":
		return c.Web.URL
	case !c.Web.Listen.IsValid():
		return ""
	case c.Web.TLSCert != "":
		return "https://" + c.Web.Listen.String()
	}
	return "http://" + c.Web.Listen.String()
}
