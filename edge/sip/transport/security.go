package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Security is what TLS needs: the certificates that we show, and whose we believe. Safe for concurrent use. Use changes it for connections
// from now on; those that are there go on, but prove no carrier any more whose authority is gone. Make it with new(Security).
type Security struct{ now atomic.Pointer[secured] }

// Files are what Security is read from, in PEM.
type Files struct {
	Certs, Keys []string // the nth key is of the nth certificate chain. Who names no host (SNI), or one that none is for, is shown the first
	CA          string   // authorities of the carriers that we connect to; "": those of the system
	ClientCA    string   // authorities of carriers that connect to us, which are asked for a certificate then; "": nobody is asked
	Min         uint16   // the lowest version of TLS; 0 is 1.2
	Origins     []string // of pages that may connect over WSS, "*" for all; none: those of the host that they connect to
}

type secured struct {
	phones, pages, carriers *tls.Config    // of TLS listeners, of WSS listeners, and of connections that we dial
	clients                 *x509.CertPool // who signs the certificates of carriers that connect to us; nil: nobody
	origins                 []string
	leaves                  []*x509.Certificate
}

// Use reads the files. On an error nothing changes.
func (s *Security) Use(f Files) error {
	base := &tls.Config{MinVersion: max(f.Min, tls.VersionTLS12)}
	var leaves []*x509.Certificate
	for i := range f.Certs {
		pair, err := pairOf(f.Certs[i], f.Keys[i])
		if err != nil {
			return err
		}
		if err := current(pair.Leaf, time.Now()); err != nil {
			return fmt.Errorf("%s: %w", f.Certs[i], err)
		}
		base.Certificates, leaves = append(base.Certificates, pair), append(leaves, pair.Leaf)
	}
	roots, err := authorities(f.CA)
	if err != nil {
		return err
	}
	clients, err := authorities(f.ClientCA)
	if err != nil {
		return err
	}
	phones, pages, carriers := base.Clone(), base.Clone(), base.Clone()
	if clients != nil {
		phones.ClientAuth, phones.ClientCAs = tls.VerifyClientCertIfGiven, clients
	}
	pages.NextProtos = []string{"http/1.1"}
	carriers.RootCAs, carriers.ClientSessionCache = roots, tls.NewLRUClientSessionCache(256)
	s.now.Store(&secured{waiting(phones), waiting(pages), carriers, clients, f.Origins, leaves})
	return nil
}

func pairOf(cert, key string) (tls.Certificate, error) {
	if err := private(key); err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return pair, fmt.Errorf("%s with %s: %w", cert, key, err)
	}
	return pair, nil
}

// private refuses a key that everybody on this machine may read. Its group may: certificates are often kept for several programs.
func private(key string) error {
	info, err := os.Stat(key)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o007 != 0 {
		return fmt.Errorf("%s may be read by every user of this machine (mode %s): chmod o= %s", key, info.Mode().Perm(), key)
	}
	return nil
}

// current says what is wrong with the dates of a certificate.
func current(c *x509.Certificate, now time.Time) error {
	switch {
	case now.After(c.NotAfter):
		return fmt.Errorf("the certificate for %s expired on %s", strings.Join(namesOf(c), ", "), c.NotAfter.UTC().Format(time.DateOnly))
	case now.Before(c.NotBefore):
		return fmt.Errorf("the certificate for %s is not valid before %s", strings.Join(namesOf(c), ", "), c.NotBefore.UTC().Format(time.DateTime))
	}
	return nil
}

// authorities reads a file of certificates; no file is none.
func authorities(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", path)
	}
	return pool, nil
}

func (s *Security) listens() bool {
	return s != nil && s.now.Load() != nil && len(s.now.Load().leaves) > 0
}

// Certificate is what people need to know of one of ours.
type Certificate struct {
	Names   []string
	Expires time.Time
}

// Certificates are ours, in the order of their files.
func (s *Security) Certificates() (all []Certificate) {
	if s == nil || s.now.Load() == nil {
		return nil
	}
	for _, c := range s.now.Load().leaves {
		all = append(all, Certificate{namesOf(c), c.NotAfter})
	}
	return all
}

// Unreadable says whether an error of Use is about a file that is not there or may not be read, and not about what is in it.
func Unreadable(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path)
}

// namesOf are the names that a certificate is for (RFC 5922 section 7.1): the domains in SIP URIs, hosts and addresses, and the common name
// where there is none of these.
func namesOf(c *x509.Certificate) (names []string) {
	if names = alternativeNames(c); len(names) == 0 && c.Subject.CommonName != "" {
		names = append(names, strings.ToLower(c.Subject.CommonName))
	}
	return names
}

// alternativeNames are those names of a certificate that its authorities answer for. The common name is none: what an authority may sign is limited
// by name constraints (RFC 5280 section 4.2.1.10), and they do not hold for it.
func alternativeNames(c *x509.Certificate) (names []string) {
	for _, u := range c.URIs {
		if host := sipDomain(u); host != "" {
			names = append(names, host)
		}
	}
	for _, name := range c.DNSNames {
		names = append(names, strings.ToLower(name))
	}
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// proof is the certificate that a peer has shown, and what it proves.
type proof struct {
	names []string
	chain []*x509.Certificate
	until time.Time // when a certificate of the chain expires
	by    *secured  // whose authorities have signed it
}

// proves is what a chain of certificates that was verified for a connection proves.
func proves(state *tls.ConnectionState, by *secured) *proof {
	x := &proof{names: alternativeNames(state.PeerCertificates[0]), chain: state.PeerCertificates, by: by}
	x.lasts(state.VerifiedChains[0])
	return x
}

func (x *proof) lasts(chain []*x509.Certificate) {
	x.until = chain[0].NotAfter
	for _, c := range chain {
		if c.NotAfter.Before(x.until) {
			x.until = c.NotAfter
		}
	}
}

// stands says whether the certificate proves its names still: a connection may outlive it, and so may it the authorities that we believed then.
func (x *proof) stands(by *secured, now time.Time) bool {
	if x.by == by && !now.After(x.until) {
		return true
	}
	if by.clients == nil {
		return false
	}
	o := x509.VerifyOptions{Roots: by.clients, Intermediates: x509.NewCertPool(), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for _, c := range x.chain[1:] {
		o.Intermediates.AddCert(c)
	}
	chains, err := x.chain[0].Verify(o)
	if err != nil {
		return false
	}
	x.by = by
	x.lasts(chains[0])
	return true
}

// sipDomain is the domain that a URI in a certificate names; "" when it is of a user, or no SIP URI.
func sipDomain(u *url.URL) string {
	if !strings.EqualFold(u.Scheme, "sip") || u.User != nil || u.Opaque == "" || strings.Contains(u.Opaque, "@") {
		return ""
	}
	host, _, _ := strings.Cut(strings.ToLower(u.Opaque), ";")
	return host
}

// Dialling is how TLS is spoken to a carrier whose certificate must be for a name.
func (s *Security) Dialling(name string) (*tls.Config, error) {
	if s == nil || s.now.Load() == nil {
		return nil, errors.New("TLS is not set up")
	}
	c := s.now.Load().carriers.Clone()
	c.ServerName = name
	c.InsecureSkipVerify = true // VerifyConnection does it: the standard check knows no SIP URIs
	c.VerifyConnection = func(state tls.ConnectionState) error { return verify(&state, c.RootCAs, name) }
	return c, nil
}

// verify says what is wrong with the certificate of a carrier that we called by a name (RFC 5922 section 7.2).
func verify(state *tls.ConnectionState, roots *x509.CertPool, name string) error {
	leaf := state.PeerCertificates[0]
	if err := current(leaf, time.Now()); err != nil {
		return err
	}
	o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, c := range state.PeerCertificates[1:] {
		o.Intermediates.AddCert(c)
	}
	if _, err := leaf.Verify(o); err != nil {
		return fmt.Errorf("the certificate for %s is not trusted: %w", strings.Join(namesOf(leaf), ", "), err)
	}
	for _, u := range leaf.URIs {
		if sipDomain(u) == strings.ToLower(name) {
			return nil
		}
	}
	names := strings.Join(namesOf(leaf), ", ")
	if leaf.VerifyHostname(bracketed(name)) != nil {
		return fmt.Errorf("the certificate is for %s, not for %s", names, name)
	}
	if net.ParseIP(name) == nil && !slices.ContainsFunc(leaf.DNSNames, func(n string) bool { return strings.EqualFold(n, name) }) {
		return fmt.Errorf("the certificate is for %s: a wildcard does not prove %s to SIP (RFC 5922 section 7.2), so the carrier needs a certificate of that name", names, name)
	}
	return nil
}

// bracketed is a name as VerifyHostname wants it: addresses of IPv6 in brackets.
func bracketed(name string) string {
	if ip := net.ParseIP(name); ip != nil && strings.Contains(name, ":") {
		return "[" + name + "]"
	}
	return name
}

// mayConnect says whether a page from an origin may connect over WSS to a host. Programs name no origin.
func (s *Security) mayConnect(origin, host string) bool {
	if origin == "" {
		return true
	}
	allowed := s.now.Load().origins
	for _, o := range allowed {
		if o == "*" || strings.EqualFold(o, origin) {
			return true
		}
	}
	u, err := url.Parse(origin)
	return len(allowed) == 0 && err == nil && strings.EqualFold(u.Hostname(), hostOf(host))
}

// hostOf is the Host header of a request without its port.
func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}
