package app

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"ringfence/app/config"
	"ringfence/core/check"
	"ringfence/edge/sip/transport"
)

// expiresSoon is how long before its end a certificate is warned about.
const expiresSoon = 14 * 24 * time.Hour

// securityFiles are the files of TLS that a configuration names.
func securityFiles(c *config.SIP) transport.Files {
	f := transport.Files{Certs: c.TLSCert, Keys: c.TLSKey, CA: c.TLSCA, ClientCA: c.TLSClientCA, Origins: c.WSSOrigins}
	if c.TLSMin == "1.3" {
		f.Min = tls.VersionTLS13
	}
	return f
}

// applySecurity reads the files of TLS again. When one is bad, what was read before stays in force, and the fields with it.
func (a *App) applySecurity(next, old *config.Config, applied []config.Change) []config.Change {
	s := &next.SIP
	err := a.security.Use(securityFiles(s))
	if err == nil && len(s.TLS)+len(s.WSS) > 0 && len(s.TLSCert) == 0 {
		err = errors.Join(errors.New("sip.tls and sip.wss end with a restart only, and require a certificate until then"), a.security.Use(securityFiles(&old.SIP)))
	}
	if err == nil {
		a.sayExpiry()
		return applied
	}
	a.log.Error("the certificates of SIP were not read again; the old ones stay in force", "err", err)
	was := &old.SIP
	s.TLSCert, s.TLSKey, s.TLSMin, s.TLSCA, s.TLSClientCA, s.WSSOrigins = was.TLSCert, was.TLSKey, was.TLSMin, was.TLSCA, was.TLSClientCA, was.WSSOrigins
	return slices.DeleteFunc(applied, func(c config.Change) bool {
		return strings.HasPrefix(c.Key, "sip.tls-") || c.Key == "sip.wss-origins"
	})
}

// sayExpiry writes to the log which certificates end soon.
func (a *App) sayExpiry() {
	for _, c := range a.security.Certificates() {
		if left := time.Until(c.Expires); left < expiresSoon {
			a.log.Warn("a certificate of SIP expires soon", "names", strings.Join(c.Names, ", "), "expires", c.Expires.UTC().Format(time.DateTime))
		}
	}
}

// checkSecurity says how long the certificates in force are valid, and whether a reload would take the files as they are now.
func (a *App) checkSecurity(now time.Time) check.Findings {
	var all check.Findings
	cfg := a.config()
	if err := usable(&cfg.SIP); err != nil {
		all.Fail("certificates", unusable, err)
	}
	for _, c := range a.security.Certificates() {
		names, day := strings.Join(c.Names, ", "), c.Expires.UTC().Format(time.DateOnly)
		switch left := c.Expires.Sub(now); {
		case left <= 0:
			all.Fail("certificates", "the certificate of SIP for %s has expired (%s): renew it and reload", names, day)
		case left < expiresSoon:
			all.Warn("certificates", "the certificate of SIP for %s expires on %s: renew it and reload", names, day)
		default:
			all.OK("certificates", "the certificate of SIP for %s is valid until %s", names, day)
		}
	}
	return all
}

// CheckFiles says what is wrong with the files of TLS that a configuration names, as a start or a reload would find them now. Keys that the user who asks may not
// read are no fault: the server has a user of its own.
func CheckFiles(c *config.Config) (all check.Findings) {
	switch err := usable(&c.SIP); {
	case errors.Is(err, fs.ErrPermission):
		all.Warn("certificates", "you may not read the files of sip.tls-cert, sip.tls-key, sip.tls-ca or sip.tls-client-ca, so only the server can check them: %v", err)
	case err != nil:
		all.Fail("certificates", unusable, err)
	}
	return all
}

const unusable = "the files of sip.tls-cert, sip.tls-key, sip.tls-ca or sip.tls-client-ca cannot be used: %v"

// usable is why the files of TLS cannot be used; nil: they can.
func usable(c *config.SIP) error { return new(transport.Security).Use(securityFiles(c)) }
