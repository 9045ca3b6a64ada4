// Package certfile serves HTTPS with a certificate from files that are read again while connections go on. It is what the
// edges that speak HTTP share, and must not know which edge uses it, nor what that edge serves.
package certfile

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
)

// Cert is a certificate and its key as they were last read without a fault. Safe for concurrent use.
type Cert struct {
	whose string
	tls   bool
	now   atomic.Pointer[tls.Certificate]
}

// New reads nothing yet. whose is for error texts: "the admin API"; without TLS the Cert stays empty, and connections plain.
func New(whose string, tls bool) *Cert { return &Cert{whose: whose, tls: tls} }

// Use reads the certificate from these PEM files, for connections from now on. On an error the old one stays; to change
// between plain HTTP and TLS needs a restart.
func (c *Cert) Use(cert, key string) error {
	if (cert != "") != c.tls {
		return errors.New("the certificate of " + c.whose + ": to begin or end TLS needs a restart")
	}
	if !c.tls {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("the certificate of %s: %w", c.whose, err)
	}
	c.now.Store(&pair)
	return nil
}

// Listener speaks TLS for HTTP/1.1 on l, or is l itself when there is to be none.
func (c *Cert) Listener(l net.Listener) net.Listener {
	if !c.tls {
		return l
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.now.Load(), nil },
	})
}

// Names says whether the certificate is for a host name.
func (c *Cert) Names(host string) bool {
	pair := c.now.Load()
	return host != "" && pair != nil && pair.Leaf != nil && pair.Leaf.VerifyHostname(host) == nil
}
