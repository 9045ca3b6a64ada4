package valkey

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	valkeygo "github.com/valkey-io/valkey-go"
)

// parse reads the address of a server. Its errors say what is wrong without a quotation: a password with a '/' or '?' in it
// can end up in any part.
func parse(s string) (valkeygo.ClientOption, error) {
	var opt valkeygo.ClientOption
	u, err := url.Parse(s)
	if err != nil {
		// The error quotes the text, password and all.
		return opt, errors.New("the address of the counters' server is not a URL; a password may need %-escapes")
	}
	if u.User != nil {
		opt.Username = u.User.Username()
		opt.Password, _ = u.User.Password()
	}
	db := u.Query().Get("db")
	for name := range u.Query() {
		if name != "db" {
			return opt, errors.New("the address of the counters' server has more behind '?' than db=N; a password may need %-escapes")
		}
	}
	if u.Fragment != "" {
		return opt, errors.New("the address of the counters' server has a '#'; a password may need %-escapes")
	}
	switch u.Scheme {
	case "unix":
		if u.Host != "" || u.Path == "" {
			return opt, errors.New("want unix:///path/to/socket")
		}
		opt.InitAddress = []string{u.Path}
		opt.DialCtxFn = func(ctx context.Context, path string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
			return d.DialContext(ctx, "unix", path)
		}
	case "redis", "valkey", "rediss", "valkeys":
		port := u.Port()
		port = cmp.Or(port, "6379")
		if u.Hostname() == "" {
			return opt, fmt.Errorf("no host in the address of the counters' server; want %s://host:6379/0", u.Scheme)
		}
		opt.InitAddress = []string{net.JoinHostPort(u.Hostname(), port)}
		if u.Scheme == "rediss" || u.Scheme == "valkeys" {
			opt.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname()}
		}
		if path := strings.TrimPrefix(u.Path, "/"); path != "" {
			db = path
		}
	default:
		return opt, errors.New("the address of the counters' server begins with redis://, rediss:// or unix://")
	}
	if db != "" {
		if opt.SelectDB, err = strconv.Atoi(db); err != nil || opt.SelectDB < 0 {
			return opt, errors.New("the address of the counters' server ends with something other than a database number; a password may need %-escapes")
		}
	}
	return opt, nil
}
