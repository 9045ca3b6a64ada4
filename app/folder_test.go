package app

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"ringfence/app/config"
)

// DemoFolder is a data folder of a demonstration that has started once and stopped, for one test. Under the race detector a first start costs two
// seconds of CPU: all tests begin with copies of one.
func DemoFolder(t testing.TB) string {
	t.Helper()
	from, err := firstStart()
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	if err := os.Chmod(to, 0o700); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue // a socket
		}
		data, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// firstStart makes the folder that is copied; TestMain removes it.
var firstStart = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "ringfence-demo")
	if err != nil {
		return "", err
	}
	made = dir
	a, err := New(context.Background(), testDemo(dir), Options{})
	if err != nil {
		return "", err
	}
	if err := a.Start(context.Background()); err != nil {
		return "", err
	}
	return dir, a.Stop(context.Background())
})

var made string

func TestMain(m *testing.M) {
	code := m.Run()
	if made != "" {
		os.RemoveAll(made)
	}
	os.Exit(code)
}

// testDemo is the demonstration on free ports, without the kernel's help and the pages.
func testDemo(dir string) config.Config {
	cfg, local := config.Demo(dir), netip.MustParseAddrPort("127.0.0.1:0")
	cfg.SIP.UDP, cfg.SIP.TCP, cfg.Metrics.Listen, cfg.Web.Listen, cfg.Shield.Kernel = []netip.AddrPort{local}, nil, netip.AddrPort{}, netip.AddrPort{}, "off"
	return cfg
}
