package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringfence/core/account"
	"ringfence/core/books"
	"ringfence/core/liability"
	"ringfence/core/money"
	"ringfence/core/phone"
	"ringfence/core/retain"
)

// Validate says everything that is wrong with a complete configuration (see Complete), or nil. It looks at no file.
func (c *Config) Validate() error {
	if faults := c.faults(); len(faults) > 0 {
		return faults
	}
	return nil
}

func (c *Config) faults() Faults {
	var v validator
	v.c = c
	for _, f := range allFields {
		v.tags(f)
	}
	v.sip()
	v.store()
	v.provider()
	v.admin()
	v.tracing()
	v.shield()
	v.notices()
	v.settings()
	if _, err := v.c.Routes(); err != nil {
		v.bad("routing.margin", v.c.Routing.Margin, `a price of a minute, such as "0.2p"`)
	}
	v.watch()
	if _, _, _, err := v.c.Voice.Range(); err != nil {
		v.bad("voice.ports", v.c.Voice.Ports, strings.TrimPrefix(err.Error(), "want "))
	}
	for _, f := range retain.Faults(v.c.Retain.Kept()) {
		key := "retain." + string(f.Shorter)
		v.bad(key, v.value(key).Interface(), "at least as long as retain."+string(f.Than)+" ("+v.c.Retain.Kept()[f.Than].String()+")")
	}
	return v.faults
}

type validator struct {
	c      *Config
	faults Faults
}

func (v *validator) bad(key string, found any, want string) {
	f, _ := fieldOf(key)
	text := fmt.Sprint(found)
	if rv := reflect.ValueOf(found); rv.IsValid() {
		text = show(rv)
	}
	if f.typ == reflect.TypeFor[Secret]() {
		text = hidden
	}
	v.faults = append(v.faults, Fault{Key: key, Problem: "found " + clip(text), Want: want})
}

// tags enforces what the field's tags say.
func (v *validator) tags(f field) {
	value := f.of(v.c)
	left := f.Default == "" && value.IsZero() // out, where that says something of its own
	if len(f.One) > 0 && !left && !allOf(value, f.One) || f.Min != "" && !within(value, f.Min, f.Max) {
		v.bad(f.Key, value.Interface(), f.want())
	}
	for _, text := range texts(value) {
		plain := len(text) <= 4096 && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
		v.check(plain, f.Key, text, "no control characters, and at most 4096 bytes")
		form := forms[f.Form]
		v.check(text == "" || form.like == nil || form.like.MatchString(text), f.Key, text, form.want)
	}
}

// texts are the strings in a value.
func texts(value reflect.Value) []string {
	switch {
	case value.Kind() == reflect.String:
		return []string{value.String()}
	case value.Type() == reflect.TypeFor[[]string]():
		return value.Interface().([]string)
	}
	return nil
}

func allOf(value reflect.Value, one []string) bool {
	if value.Kind() == reflect.String {
		return slices.Contains(one, value.String())
	}
	list := value.Interface().([]string)
	for i, s := range list {
		if !slices.Contains(one, s) || slices.Contains(list[:i], s) {
			return false
		}
	}
	return len(list) > 0
}

func within(value reflect.Value, least, most string) bool {
	if d, ok := value.Interface().(Duration); ok {
		low, _ := time.ParseDuration(least)
		high, _ := time.ParseDuration(most)
		return d.Duration >= low && d.Duration <= high
	}
	low, _ := strconv.ParseInt(least, 10, 64)
	high, _ := strconv.ParseInt(most, 10, 64)
	return value.Int() >= low && value.Int() <= high
}

// forms are what a text, or each of a list, may look like, by the name in a field's form tag; an empty one passes. The form "path" is not
// checked: it is a path, and counts from the folder of the configuration file (see anchor).
var forms = map[string]struct {
	like *regexp.Regexp
	want string
}{
	"name":          {regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`), "letters, digits, '.', '_' and '-', at most 64"},
	"country":       {regexp.MustCompile(`^[A-Z]{2}$`), `an ISO 3166-1 code ("IE")`},
	"code":          {regexp.MustCompile(`^[1-9][0-9]{0,2}$`), `a country code of one to three digits ("353")`},
	"digits":        {regexp.MustCompile(`^[0-9]{1,8}$`), `one to eight digits ("00")`},
	"forward-codes": {regexp.MustCompile(`^(off|[0-9]{2,3} [0-9]{2,3} [0-9]{2,3} [0-9]{2,3})$`), `"off", or four codes of two or three digits ("21 67 61 62")`},
	"star-code":     {regexp.MustCompile(`^(off|\*[0-9]{3,8}\*?)$`), `"off", or a star, three to eight digits and perhaps another star ("*5625*")`},
	"feed":          {regexp.MustCompile(`^[a-z0-9-]{1,40}=.+$`), `different names, each "NAME=FILE" or "NAME=https://…"`},
}

// check notes a fault unless the value is right.
func (v *validator) check(right bool, key string, found any, want string) {
	if !right {
		v.bad(key, found, want)
	}
}

// together checks that two fields are both set, or neither.
func (v *validator) together(one, other string) {
	a, b := v.value(one), v.value(other)
	v.check(a.IsZero() == b.IsZero(), other, b.Interface(), "both "+one+" and "+other+", or neither")
}

func (v *validator) value(key string) reflect.Value {
	f, _ := fieldOf(key)
	return f.of(v.c)
}

func (v *validator) sip() {
	s := &v.c.SIP
	v.check(len(s.Realm) <= 128 && !strings.ContainsAny(s.Realm, "\"\\"), "sip.realm", s.Realm, "a name without quotes or backslashes, at most 128 bytes")
	v.check(len(s.UDP)+len(s.TCP)+len(s.TLS)+len(s.WSS) > 0, "sip.udp", s.UDP, "at least one address in sip.udp, sip.tcp, sip.tls or sip.wss")
	for key, list := range map[string][]netip.AddrPort{"sip.udp": s.UDP, "sip.tcp": s.TCP, "sip.tls": s.TLS, "sip.wss": s.WSS, "sip.dns": s.DNS} {
		valid := !slices.ContainsFunc(list, func(a netip.AddrPort) bool { return !a.IsValid() })
		v.check(valid && different(list), key, list, "different addresses, each with a port")
	}
	v.secure()
	v.check(oneOfEachFamily(s.Advertise), "sip.advertise", s.Advertise, `an IP address ("203.0.113.5"), or one of IPv4 and one of IPv6 ("203.0.113.5, 2001:db8::5")`)
	_, err := s.inboundOf()
	v.check(err == nil, "sip.trunk-inbound-calls", s.TrunkInboundCalls, `different trunks, each "NAME=CALLS" with at least 1`)
	v.check(s.MinExpiry.Duration <= s.MaxExpiry.Duration, "sip.min-expiry", s.MinExpiry, "at most sip.max-expiry ("+s.MaxExpiry.String()+")")
	m := &v.c.Money
	v.check(m.ExtendAhead.Duration < m.Slice.Duration, "money.extend-ahead", m.ExtendAhead, "less than money.slice ("+m.Slice.String()+")")
}

// secure checks what TLS and WSS need.
func (v *validator) secure() {
	s := &v.c.SIP
	fixed := slices.DeleteFunc(slices.Concat(s.TCP, s.TLS, s.WSS), func(a netip.AddrPort) bool { return a.Port() == 0 })
	v.check(different(fixed), "sip.tls", s.TLS, "no address that sip.tcp or sip.wss has too")
	v.check(len(s.TLSCert) == len(s.TLSKey), "sip.tls-key", s.TLSKey, "one key for each of sip.tls-cert, in the same order")
	v.check(len(s.TLS)+len(s.WSS) == 0 || len(s.TLSCert) > 0, "sip.tls-cert", s.TLSCert, "a certificate, because sip.tls or sip.wss is set")
	for _, o := range s.WSSOrigins {
		u, err := url.Parse(o)
		v.check(o == "*" || err == nil && schemeOf(o, "http", "https") && u.Host != "" && o == u.Scheme+"://"+u.Host, "sip.wss-origins", o,
			`origins without a path ("https://phone.example.net"), or "*"`)
	}
}

// different says that no two elements of a list are the same.
func different[T comparable](list []T) bool {
	seen := map[T]bool{}
	for _, x := range list {
		seen[x] = true
	}
	return len(seen) == len(list)
}

func (v *validator) store() {
	s := &v.c.Store
	postgres := s.Engine == "postgres"
	v.check(!postgres || s.DSN != "", "store.dsn", "", "how to reach PostgreSQL: set "+EnvDSN+", store.dsn-file or store.dsn")
	v.check(postgres || s.DSN == "" && s.DSNFile == "", "store.engine", s.Engine, `"postgres", because store.dsn, store.dsn-file or `+EnvDSN+` is given`)
	v.check(!postgres || s.Sync != "normal", "store.sync", s.Sync, `"full": "normal" is for sqlite; for PostgreSQL set synchronous_commit there`)
}

func (v *validator) provider() {
	p := &v.c.Provider
	_, err := time.LoadLocation(p.Zone)
	v.check(err == nil && p.Zone != "Local", "provider.zone", p.Zone, `a time zone of the IANA list ("Europe/London", "UTC")`)
	_, err = money.CurrencyOf(p.Currency)
	v.check(err == nil, "provider.currency", p.Currency, `a currency of ISO 4217 ("GBP", "EUR")`)
	b := &v.c.Billing
	_, err = books.ParseRates(b.VAT)
	v.check(b.VAT == "" || err == nil, "billing.vat-percent", b.VAT, `a percentage ("20"), or several with the days from which they are in force ("17.5, 20 from 2011-01-04")`)
	v.check(b.WebhookSecret == "" || len(b.WebhookSecret) >= 16, "billing.webhook-secret", "", "at least 16 characters")
	_, err = books.ParseReminders(b.Reminders)
	v.check(b.Reminders == "" || err == nil, "billing.reminders", b.Reminders, `at most 6 numbers of days ("-3, 3, 14")`)
	_, err = time.Parse(time.DateOnly, b.From)
	v.check(b.From == "" || err == nil, "billing.from", b.From, `a day ("2026-12-01")`)
	v.check(len(b.Address) <= 500, "billing.address", b.Address, "at most 500 bytes")
	v.check(len(p.Name) <= 100, "provider.name", p.Name, "at most 100 bytes")
	v.check(p.PeakUntil.Duration >= p.PeakFrom.Duration, "provider.peak-until", p.PeakUntil, "not before provider.peak-from ("+p.PeakFrom.String()+")")
	_, err = liability.ParseWordings(p.Promises)
	v.check(err == nil, "provider.promises", p.Promises, `the id of a promise and its words ("ip-lock: Calls from elsewhere are refused.")`)
	custom := p.Plan == "custom"
	v.check(custom || !p.CustomPlan.given(), "provider.plan", p.Plan, `"custom", because [provider.custom-plan] is given`)
	v.check(!custom || p.Numbering == "", "provider.numbering", p.Numbering, `nothing, because provider.plan is "custom": the tables are of British numbers`)
	if custom {
		v.plan(&p.CustomPlan)
	}
}

func (v *validator) plan(p *Plan) {
	const key = "provider.custom-plan."
	for _, needed := range []string{"country", "code", "international"} {
		f, _ := fieldOf(key + needed)
		v.check(!f.of(v.c).IsZero(), f.Key, "", forms[f.Form].want)
	}
	v.check(len(p.Emergency) > 0, key+"emergency", p.Emergency, "at least one number: emergency calls must connect")
	if len(v.faults) > 0 {
		return
	}
	if _, err := phone.NewPlan(p.Phone()); err != nil {
		v.faults = append(v.faults, Fault{Key: "provider.custom-plan", Problem: err.Error()})
	}
}

func (v *validator) settings() {
	parsed, faults := v.c.Provider.parse()
	v.faults = append(v.faults, faults...)
	if len(faults) > 0 {
		return
	}
	if err := parsed.Validate(account.LevelProvider); err != nil {
		v.faults = append(v.faults, Fault{Key: "provider.settings", Problem: err.Error()})
	}
}

func (v *validator) admin() {
	a := &v.c.Admin
	// The kernel's limit on a unix socket's path, less its final NUL.
	v.check(len(a.Socket) <= 107, "admin.socket", a.Socket, "a path of at most 107 bytes: choose a shorter data folder or set admin.socket")
	v.together("admin.tls-cert", "admin.tls-key")
	if !a.Listen.IsValid() {
		return
	}
	v.check(a.TokensFile != "", "admin.tokens-file", "", "a file of tokens, because admin.listen is set")
	v.check(a.TLSCert != "" || a.Listen.Addr().IsLoopback(), "admin.tls-cert", "", "a certificate, because admin.listen ("+a.Listen.String()+") can be reached from elsewhere")
}

func (v *validator) tracing() {
	text := v.c.Tracing.URL
	u, err := url.Parse(text)
	v.check(text == "" || err == nil && u.User == nil && u.Host != "" && schemeOf(text, "http", "https"), "tracing.url", text,
		`"http://host:4318/v1/traces" or https, without a password`)
}

// oneOfEachFamily says whether a text is empty, or holds at most one address of IPv4 and one of IPv6.
func oneOfEachFamily(text string) bool {
	var seen [2]bool
	for one := range strings.SplitSeq(text, ",") {
		if text == "" {
			break
		}
		a, err := netip.ParseAddr(strings.TrimSpace(one))
		if err != nil || a.IsUnspecified() || a.Zone() != "" {
			return false
		}
		family := 0
		if a.Unmap().Is6() {
			family = 1
		}
		if seen[family] {
			return false
		}
		seen[family] = true
	}
	return true
}
