package valkey

import "testing"

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		url, addr, user, password string
		db                        int
		tls                       bool
	}{
		{url: "redis://cache.example", addr: "cache.example:6379"},
		{url: "valkey://cache.example:1234/3", addr: "cache.example:1234", db: 3},
		{url: "rediss://u:p%40ss@[2001:db8::1]:6380/1", addr: "[2001:db8::1]:6380", user: "u", password: "p@ss", db: 1, tls: true},
		{url: "valkeys://:p@cache.example?db=2", addr: "cache.example:6379", password: "p", db: 2, tls: true},
		{url: "unix:///run/valkey.sock?db=4", addr: "/run/valkey.sock", db: 4},
		{url: "unix://u:p@/run/valkey.sock", addr: "/run/valkey.sock", user: "u", password: "p"},
	} {
		o, err := parse(c.url)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		if o.InitAddress[0] != c.addr || o.Username != c.user || o.Password != c.password || o.SelectDB != c.db || (o.TLSConfig != nil) != c.tls {
			t.Errorf("%s: %q %q %q %d tls=%v", c.url, o.InitAddress, o.Username, o.Password, o.SelectDB, o.TLSConfig != nil)
		}
	}
	for _, url := range []string{"", "cache.example:6379", "http://cache.example", "redis://", "redis:///1", "redis://h/x", "redis://h/-1", "redis://h/1/2", "redis://h?tls=1", "unix://run/valkey.sock", "unix://", "redis://h:port"} {
		if _, err := parse(url); err == nil {
			t.Errorf("%q was taken", url)
		}
	}
}
