package config

import (
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/flow/notify"
)

// shield checks what keeps attackers out: lists, feeds and counters.
func (v *validator) shield() {
	s, l := &v.c.Shield, &v.c.Login
	v.nets("shield.never", s.Never, `addresses and networks ("192.0.2.0/24")`)
	seen := map[string]bool{}
	for _, list := range []struct {
		key   string
		feeds []string
	}{{"shield.feeds", s.Feeds}, {"shield.number-feeds", s.NumberFeeds}} {
		for _, f := range list.feeds {
			name, _, _ := strings.Cut(f, "=")
			v.check(!seen[name], list.key, f, forms["feed"].want)
			seen[name] = true
		}
	}
	v.check(l.First.Duration <= l.Longest.Duration, "login.first", l.First, "at most login.longest ("+l.Longest.String()+")")
	u := v.c.Counters.URL
	v.check(u == "" || schemeOf(string(u), "redis", "rediss", "unix"), "counters.url", u, `"redis://host:6379/0", "rediss://…" or "unix:///path"`)
}

// nets checks a list of addresses and networks.
func (v *validator) nets(key string, list []string, want string) {
	if _, err := account.ParseNets(strings.Join(list, ",")); err != nil {
		v.bad(key, list, want+": "+err.Error())
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
	return err == nil && slices.Contains(allowed, u.Scheme)
}

// notices checks who is notified of what, and how.
func (v *validator) notices() {
	n, h := &v.c.Notify, &v.c.Provider.Help
	for _, a := range n.Desk {
		v.check(isMail(a), "notify.desk", a, `mail addresses ("fraud@example.net")`)
	}
	for _, u := range n.Webhooks {
		v.check(isHook(u), "notify.webhooks", u, `"https://…", or "http://…" on a loopback address`)
	}
	hook := v.c.Provider.CodeHook
	v.check(hook == "" || isHook(hook), "provider.code-hook", hook, `"https://…", or "http://…" on a loopback address`)
	v.nets("notify.private-hooks", n.PrivateHooks, `addresses and networks ("192.168.7.0/24")`)
	if v.c.Mail.Server != "" {
		v.mail()
	} else {
		v.noMail()
	}
	v.check(h.Mail == "" || isMail(h.Mail), "provider.help.mail", h.Mail, `a mail address ("help@example.net")`)
	for _, d := range h.Departments {
		_, err := notify.ParseDepartment(d)
		v.check(err == nil, "provider.help.departments", d, notify.DepartmentForm)
	}
	for _, day := range h.Holidays {
		_, err := time.Parse(time.DateOnly, day)
		v.check(err == nil, "provider.help.holidays", day, `days ("2026-12-25")`)
	}
	v.check(h.Page == "" || schemeOf(h.Page, "https", "http"), "provider.help.page", h.Page, `"https://…"`)
	v.web()
}

// web checks the pages: no link may cross a network in the clear, and links must lead somewhere.
func (v *validator) web() {
	w := &v.c.Web
	v.check(w.URL == "" || schemeOf(w.URL, "https", "http") && !strings.HasSuffix(w.URL, "/"), "web.url", w.URL,
		`"https://calls.example.net", without a slash at its end`)
	v.check(w.StatusCopy == "" || schemeOf(w.StatusCopy, "https", "http"), "web.status-copy", w.StatusCopy, `"https://status.example.org"`)
	v.together("web.tls-cert", "web.tls-key")
	v.nets("web.proxy", []string{w.Proxy}, `an address or network ("127.0.0.1")`)
	at := w.Listen.Addr()
	if !w.Listen.IsValid() {
		return
	}
	if w.TLSCert == "" && w.Proxy == "" && !at.IsLoopback() {
		v.faults = append(v.faults, Fault{Key: "web.listen", Problem: "the pages on " + w.Listen.String() +
			" need a certificate (web.tls-cert), or a trusted proxy in front (web.proxy); without one only a loopback address is possible"})
	}
	v.check(w.URL != "" || w.Proxy == "" && !at.IsUnspecified(), "web.url", w.URL,
		`how people reach the pages ("https://calls.example.net"): web.listen (`+w.Listen.String()+`) does not say it`)
}

// noMail faults what is set of a mail server when none is named.
func (v *validator) noMail() {
	for _, f := range allFields {
		if f.table() == "mail" && f.Default == "" && f.name() != "from" && !f.of(v.c).IsZero() {
			v.faults = append(v.faults, Fault{Key: f.Key, Problem: "set, but mail.server is not: no mail is sent without it"})
		}
	}
}

func (v *validator) mail() {
	m := &v.c.Mail
	host, _, err := net.SplitHostPort(m.Server)
	v.check(err == nil, "mail.server", m.Server, `"host:port" ("smtp.example.net:587")`)
	v.check(m.TLS != "none" || isLoopback(host), "mail.tls", m.TLS, `"starttls" or "tls": without TLS, mail goes to a loopback address only`)
	v.check(isMail(m.From), "mail.from", m.From, `the sender ("Example Telephony <calls@example.net>")`)
	set := m.DKIMDomain != ""
	v.check(set == (m.DKIMSelector != "") && set == (m.DKIMKey != ""), "mail.dkim-domain", m.DKIMDomain, "mail.dkim-domain, mail.dkim-selector and mail.dkim-key, or none of them")
	v.check((m.User == "") == (m.Password == "" && m.PasswordFile == ""), "mail.user", m.User, "both mail.user and mail.password-file, or neither")
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

// LinksURL is how people reach the pages; "" when there are none.
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
