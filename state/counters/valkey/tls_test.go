package valkey_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringfence/state/counters"
	"ringfence/state/counters/countertest"
	"ringfence/state/counters/valkey"
	"ringfence/state/counters/valkey/valkeytest"
)

// authority makes certificates in a folder of its own.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.issue(t, "ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// issue writes NAME.pem and NAME.key; the first certificate is the authority's own.
func (a *authority) issue(t *testing.T, name string, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	fail := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fail(err)
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: "ringfence test " + name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, by := a.cert, a.key
	if parent == nil {
		parent, by = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), by)
	fail(err)
	pkcs, err := x509.MarshalPKCS8PrivateKey(key)
	fail(err)
	fail(os.WriteFile(a.file(name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	fail(os.WriteFile(a.file(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs}), 0o600))
	made, err := x509.ParseCertificate(der)
	fail(err)
	return made, key
}

// tlsServer is a server with a certificate for names and addresses; port is the one with TLS.
func tlsServer(t *testing.T, a *authority, name string, c *x509.Certificate) (port string) {
	t.Helper()
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	a.issue(t, name, c)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	l.Close()
	valkeytest.Own(t, "--tls-port", port, "--tls-cert-file", a.file(name+".pem"), "--tls-key-file", a.file(name+".key"),
		"--tls-ca-cert-file", a.file("ca.pem"), "--tls-auth-clients", "no", "--requirepass", "open-sesame")
	return port
}

// theURL is set in the process that trusts the authority: what a process trusts is read once.
const theURL = "RINGFENCE_TEST_TLS_URL"

// TestTLS is the conformance suite over TLS, where the system trusts the server's authority.
func TestTLS(t *testing.T) {
	if url := os.Getenv(theURL); url != "" {
		countertest.Run(t, func(t *testing.T) counters.Counters {
			return open(t, url, valkey.Options{Prefix: strconv.Itoa(os.Getpid()) + valkeytest.Prefix()}) // others use the server too
		})
		return
	}
	a := newAuthority(t)
	port := tlsServer(t, a, "server", &x509.Certificate{DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	for _, host := range []string{"127.0.0.1", "localhost"} {
		for name, env := range map[string]string{"SSL_CERT_FILE": a.file("ca.pem"), "SSL_CERT_DIR": a.dir} {
			t.Run(host+" by "+name, func(t *testing.T) {
				again := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestTLS$", "-test.v", "-test.count=1")
				again.Env = append(os.Environ(), name+"="+env, theURL+"=rediss://:open-sesame@"+net.JoinHostPort(host, port))
				if out, err := again.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestTLS ") {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	}
}

// TestTLSRefused: a server that is not to be trusted is not used, and the error says why.
func TestTLSRefused(t *testing.T) {
	a := newAuthority(t)
	port := tlsServer(t, a, "server", &x509.Certificate{DNSNames: []string{"localhost"}})
	for name, c := range map[string]struct {
		url, says string
		timeout   time.Duration
	}{
		"an authority that nobody trusts": {"rediss://:open-sesame@localhost:" + port, "unknown authority; make its authority known to the system (update-ca-certificates), or name it in the environment: SSL_CERT_FILE=", 10 * time.Second},
		"a name that is not its own":      {"rediss://:open-sesame@127.0.0.1:" + port, "name the server in the address as its certificate does", 10 * time.Second},
		"no TLS there":                    {"rediss://:open-sesame@" + valkeytest.Shared(t).Addr(), "", time.Second}, // it waits for more
		"only TLS there":                  {"redis://:open-sesame@localhost:" + port, "", time.Second},
	} {
		_, err := valkey.Open(t.Context(), c.url, valkey.Options{Timeout: c.timeout})
		if !errors.Is(err, counters.ErrUnavailable) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
