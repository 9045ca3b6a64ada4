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
	"ringfence/core/money"
	"ringfence/core/phone"
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
	v.names()
	v.sip()
	v.store()
	v.provider()
	v.admin()
	v.tracing()
	v.shield()
	v.notices()
	v.settings()
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
	if len(f.One) > 0 && !allOf(value, f.One) || f.Min != "" && !within(value, f.Min, f.Max) {
		v.bad(f.Key, value.Interface(), f.want())
	}
	for _, text := range texts(value) {
		if len(text) > 4096 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			v.bad(f.Key, text, "no control characters, and at most 4096 bytes")
		}
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

var (
	countryForm = regexp.MustCompile(`^[A-Z]{2}$`)
	codeForm    = regexp.MustCompile(`^[1-9][0-9]{0,2}$`)
	digitsForm  = regexp.MustCompile(`^[0-9]{1,8}$`)
	deckForm    = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
)

func (v *validator) names() {
	c := v.c
	if !deckForm.MatchString(c.Node) {
		v.bad("node", c.Node, "letters, digits, '.', '_' and '-', at most 64")
	}
	if c.SIP.Realm == "" || len(c.SIP.Realm) > 128 || strings.ContainsAny(c.SIP.Realm, "\"\\") {
		v.bad("sip.realm", c.SIP.Realm, "a name without quotes or backslashes, at most 128 bytes")
	}
	// The kernel's limit on a unix socket's path, less its final NUL.
	if len(c.Admin.Socket) > 107 {
		v.bad("admin.socket", c.Admin.Socket, "a path of at most 107 bytes: choose a shorter data folder or set admin.socket")
	}
}

func (v *validator) sip() {
	s := &v.c.SIP
	if len(s.UDP)+len(s.TCP) == 0 {
		v.bad("sip.udp", s.UDP, "at least one address in sip.udp or sip.tcp")
	}
	for key, list := range map[string][]netip.AddrPort{"sip.udp": s.UDP, "sip.tcp": s.TCP} {
		for i, a := range list {
			if !a.IsValid() || slices.Contains(list[:i], a) {
				v.bad(key, list, "different addresses, each with a port")
				break
			}
		}
	}
	if !oneOfEachFamily(s.Advertise) {
		v.bad("sip.advertise", s.Advertise, `an IP address ("203.0.113.5"), or one of IPv4 and one of IPv6 ("203.0.113.5, 2001:db8::5")`)
	}
	if _, err := s.inboundOf(); err != nil {
		v.bad("sip.trunk-inbound-calls", s.TrunkInboundCalls, `different trunks, each "NAME=CALLS" with at least 1`)
	}
	if s.MinExpiry.Duration > s.MaxExpiry.Duration {
		v.bad("sip.min-expiry", s.MinExpiry, "at most sip.max-expiry ("+s.MaxExpiry.String()+")")
	}
	if v.c.Money.ExtendAhead.Duration >= v.c.Money.Slice.Duration {
		v.bad("money.extend-ahead", v.c.Money.ExtendAhead, "less than money.slice ("+v.c.Money.Slice.String()+")")
	}
}

func (v *validator) store() {
	s := &v.c.Store
	if s.Engine == "postgres" && s.DSN == "" {
		v.bad("store.dsn", "", "how to reach PostgreSQL: set "+EnvDSN+", store.dsn-file or store.dsn")
	}
	if s.Engine != "postgres" && (s.DSN != "" || s.DSNFile != "") {
		v.bad("store.engine", s.Engine, `"postgres", because store.dsn, store.dsn-file or `+EnvDSN+` is given`)
	}
	if s.Engine == "postgres" && s.Sync == "normal" {
		v.bad("store.sync", s.Sync, `"full": "normal" is for sqlite; for PostgreSQL set synchronous_commit there`)
	}
}

func (v *validator) provider() {
	p := &v.c.Provider
	if _, err := time.LoadLocation(p.Zone); err != nil || p.Zone == "Local" {
		v.bad("provider.zone", p.Zone, `a time zone of the IANA list ("Europe/London", "UTC")`)
	}
	if _, err := money.CurrencyOf(p.Currency); err != nil {
		v.bad("provider.currency", p.Currency, `a currency of ISO 4217 ("GBP", "EUR")`)
	}
	if !deckForm.MatchString(p.Tariff) {
		v.bad("provider.tariff", p.Tariff, "the name of a deck: letters, digits, '.', '_' and '-', at most 64")
	}
	if len(p.Name) > 100 {
		v.bad("provider.name", p.Name, "at most 100 bytes")
	}
	if p.PeakUntil.Duration < p.PeakFrom.Duration {
		v.bad("provider.peak-until", p.PeakUntil, "not before provider.peak-from ("+p.PeakFrom.String()+")")
	}
	if p.Plan == "custom" {
		v.plan(&p.CustomPlan)
		if p.Numbering != "" {
			v.bad("provider.numbering", p.Numbering, `nothing, because provider.plan is "custom": the tables are of British numbers`)
		}
	} else if p.CustomPlan.given() {
		v.bad("provider.plan", p.Plan, `"custom", because [provider.custom-plan] is given`)
	}
}

func (v *validator) plan(p *Plan) {
	const key = "provider.custom-plan."
	if !countryForm.MatchString(p.Country) {
		v.bad(key+"country", p.Country, `an ISO 3166-1 code ("IE")`)
	}
	if !codeForm.MatchString(p.Code) {
		v.bad(key+"code", p.Code, `a country code of one to three digits ("353")`)
	}
	if p.Trunk != "" && !digitsForm.MatchString(p.Trunk) {
		v.bad(key+"trunk", p.Trunk, `digits ("0")`)
	}
	if !digitsForm.MatchString(p.International) {
		v.bad(key+"international", p.International, `digits ("00")`)
	}
	for name, list := range map[string][]string{"emergency": p.Emergency, "services": p.Services} {
		if slices.ContainsFunc(list, func(s string) bool { return !digitsForm.MatchString(s) }) {
			v.bad(key+name, list, "a list of digits, each one to eight long")
		}
	}
	if slices.ContainsFunc(p.Together, func(s string) bool { return !countryForm.MatchString(s) }) {
		v.bad(key+"together", p.Together, `a list of ISO 3166-1 codes ("IM")`)
	}
	if len(p.Emergency) == 0 {
		v.bad(key+"emergency", p.Emergency, "at least one number: emergency calls must connect")
	}
	if len(v.faults) == 0 {
		if _, err := phone.NewPlan(p.Phone()); err != nil {
			v.faults = append(v.faults, Fault{Key: "provider.custom-plan", Problem: err.Error()})
		}
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
	if (a.TLSCert == "") != (a.TLSKey == "") {
		v.bad("admin.tls-key", a.TLSKey, "admin.tls-cert and admin.tls-key together or neither")
	}
	if !a.Listen.IsValid() {
		return
	}
	if a.TokensFile == "" {
		v.bad("admin.tokens-file", "", "a file of tokens, because admin.listen is set")
	}
	if a.TLSCert == "" && !a.Listen.Addr().IsLoopback() {
		v.bad("admin.tls-cert", "", "a certificate, because admin.listen ("+a.Listen.String()+") can be reached from elsewhere")
	}
}

func (v *validator) tracing() {
	text := v.c.Tracing.URL
	if u, err := url.Parse(text); text != "" && (err != nil || u.User != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		v.bad("tracing.url", text, `"http://host:4318/v1/traces" or https, without a password`)
	}
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
