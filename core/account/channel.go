package account

import (
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Channel is how a notice reaches a person or a program. To add one, add an entry to Channels and a sender in app.
type Channel struct {
	Code   string                      // as deliveries store it
	Part   string                      // of a contact, as it is stored and journalled
	Is     string                      // what its addresses are, for people
	Like   func(address string) bool   // whether an address is meant to be of this channel
	Check  func(address string) error  // what is wrong with one; a *ContactFault
	Shown  func(address string) string // as much of one as the journal may have
	Lane   func(address string) string // the queue of an address, so that a slow receiver delays only its own messages; nil: one queue for all
	People bool                        // people read it, so that they may prefer digests and get no storms; otherwise a program reads JSON
	AtOnce int                         // concurrent messages in one lane
	Within time.Duration               // how long one delivery may take at most
}

// Codes of channels.
const (
	Mail    = "mail"
	Webhook = "webhook"
)

// Channels are all there are. What an address is meant for is asked in this order.
var Channels = []Channel{
	{
		Code: Webhook, Part: "url", Is: "the URL of a webhook", Like: func(a string) bool { return strings.Contains(a, "://") }, Check: CheckHook,
		Shown: hookShown, Lane: hostOf, AtOnce: 4, Within: 30 * time.Second,
	},
	{
		Code: Mail, Part: "mail", Is: "a mail address", Like: func(a string) bool { return strings.Contains(a, "@") }, Check: CheckMail,
		Shown: func(a string) string { return a }, People: true,
		AtOnce: 2, // as many as edge/mail has connections, so that none waits for one
		// Longer than edge/mail takes with a server that is slow: a minute up to the end of the message, and the ten minutes that
		// RFC 5321, 4.5.3.2.6 grants for the answer to it. To stop sooner is to send it twice.
		Within: 12 * time.Minute,
	},
}

// ChannelCalled finds a channel by its code. One that there is not, of a later version, has only its code.
func ChannelCalled(code string) Channel {
	for _, c := range Channels {
		if c.Code == code {
			return c
		}
	}
	return Channel{Code: code}
}

// ChannelOf is the channel that an address is for. An error is a *ContactFault.
func ChannelOf(address string) (Channel, error) {
	for _, c := range Channels {
		if c.Like(address) {
			return c, c.Check(address)
		}
	}
	return Channel{}, noAddress(address)
}

func noAddress(found string) error {
	var all []string
	for _, c := range Channels {
		all = append([]string{c.Is}, all...)
	}
	return wrong("address", found, strings.Join(all, " or "))
}

// Same says that two addresses are one. Mail addresses are the same in any case; URLs are not.
func (c *Channel) Same(a, b string) bool {
	return a == b || c.People && strings.EqualFold(a, b)
}

// hostOf is the host of a webhook; several customers may have theirs at one.
func hostOf(hook string) string {
	if u, err := url.Parse(hook); err == nil {
		return u.Host
	}
	return ""
}

// hookShown has the host alone, for paths and queries of webhooks often are their secret.
func hookShown(hook string) string {
	if u, err := url.Parse(hook); err == nil {
		return u.Scheme + "://" + u.Host + "/…"
	}
	return ""
}

const (
	maxMail, maxMailbox = 254, 64 // RFC 5321 section 4.5.3.1
	maxURL              = 500
	maxLabel, maxHost   = 63, 253 // RFC 1035 section 2.3.4
)

// CheckMail accepts one bare address, name@domain, of printable ASCII: no display name, comment, quotes, address literal or
// anything else that could make a second header or recipient of it. Domains of other scripts are written in Punycode.
func CheckMail(s string) error {
	bad := func(want string) error { return wrong("mail", s, want) }
	if len(s) > maxMail {
		return bad("at most " + strconv.Itoa(maxMail) + " bytes")
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Name != "" || a.Address != s {
		return bad("one bare address such as anna@example.com")
	}
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at > maxMailbox || !isMadeOf(s[:at], isMailbox) || !isHost(s[at+1:]) {
		return bad("letters, digits and the usual signs before the '@', and a host name after it")
	}
	return nil
}

// CheckHook accepts where a webhook may be: https, or http on this machine (loopback), without a login or fragment.
func CheckHook(s string) error {
	bad := func(want string) error { return wrong("url", s, want) }
	if len(s) > maxURL || !isMadeOf(s, func(c byte) bool { return c > ' ' && c < 0x7f && !strings.ContainsRune("\"<>\\^`{|}", rune(c)) }) {
		return bad("at most " + strconv.Itoa(maxURL) + " characters of a URL, others as %XX")
	}
	u, err := url.Parse(s)
	if err != nil || u.Opaque != "" || u.Host == "" {
		return bad("one such as https://example.com/hook")
	}
	addr, err := netip.ParseAddr(u.Hostname())
	isAddr := err == nil && addr.Zone() == ""
	loopback := u.Hostname() == "localhost" || isAddr && addr.Unmap().IsLoopback()
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case u.User != nil:
		return bad("no login in it, because people would see it")
	case u.Fragment != "" || strings.HasSuffix(s, "#"):
		return bad("nothing after '#', because that part is never sent")
	case !isAddr && !isHost(u.Hostname()) || strings.HasSuffix(u.Host, ":") || u.Port() != "" && (err != nil || port == 0):
		return bad("the name or address of a host, and a port from 1 to 65535 if any")
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback):
		return bad("https; http only to this machine")
	}
	return nil
}

func isMailbox(c byte) bool { return isAlnum(c) || strings.IndexByte(".!#$%&'*+/=?^_`{|}~-", c) >= 0 }

// isHost says whether s is the name of a host: labels of letters, digits and inner hyphens, the last not all digits.
func isHost(s string) bool {
	if len(s) > maxHost {
		return false
	}
	labels := strings.Split(s, ".")
	for _, l := range labels {
		ok := l != "" && len(l) <= maxLabel && l[0] != '-' && l[len(l)-1] != '-'
		if !ok || !isMadeOf(l, func(c byte) bool { return isAlnum(c) || c == '-' }) {
			return false
		}
	}
	return strings.Trim(labels[len(labels)-1], "0123456789") != ""
}
