package geo

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestRanges(t *testing.T) {
	asns := write(t, "asn-ipv4.csv", []byte("192.0.2.0,192.0.2.127,64500,\"Example, Inc.\"\n198.51.100.0,198.51.100.255,64501,Other\r\n192.0.2.128,192.0.2.255,0,\n"))
	v6 := write(t, "asn-ipv6.CSV", []byte("2001:db8:1::,2001:db8:1:ffff:ffff:ffff:ffff:ffff,64502,Six\n2001:db8::,2001:db8::ffff,64500,\"Example, Inc.\"\n"))
	countries := write(t, "country.csv", []byte("first,last,country\n192.0.2.0,192.0.2.255,GB\n8.8.8.0,8.8.8.255,ZZ\n"))
	db := open(t, asns, v6, countries)
	for _, c := range []struct {
		addr string
		want Place
	}{
		{"192.0.2.0", Place{"GB", 64500, "Example, Inc."}},
		{"192.0.2.127", Place{"GB", 64500, "Example, Inc."}},
		{"192.0.2.128", Place{"GB", 0, ""}},
		{"198.51.100.255", Place{"", 64501, "Other"}},
		{"198.51.101.0", Place{}},
		{"198.51.99.255", Place{}},
		{"1.1.1.1", Place{}},
		{"255.255.255.254", Place{}},
		{"8.8.8.8", Place{}},
		{"2001:db8::1", Place{"", 64500, "Example, Inc."}},
		{"2001:db8::1:0", Place{}},
		{"2001:db8:1:ffff:ffff:ffff:ffff:ffff", Place{"", 64502, "Six"}},
		{"2001:db7::1", Place{}},
	} {
		if got := at(db, c.addr); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.addr, got, c.want)
		}
	}
	if infos := db.Files(); !infos[0].Networks || infos[0].Countries || !infos[2].Countries || infos[0].Records != 2 {
		t.Errorf("%+v", infos)
	}
	addr := netip.MustParseAddr("192.0.2.1")
	if n := testing.AllocsPerRun(100, func() { db.Lookup(addr) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestWrongRangesAreNamed(t *testing.T) {
	good := "192.0.2.0,192.0.2.127,64500,x\n"
	for text, says := range map[string]string{
		"":                                            "holds nothing",
		"heading,only,here\n":                         "holds nothing",
		good + "192.0.2.9,192.0.2.1,1,x\n":            "line 2",
		good + "192.0.2.9,2001:db8::,1,x\n":           "line 2",
		good + "192.0.2.9,192.0.2.10,AS1,x":           "line 2",
		good + "192.0.2.9,192.0.2.10\n":               "line 2",
		good + "3221225985,3221225986,1,x\n":          "line 2", // the file with addresses as numbers
		good + "192.0.2.9,192.0.2.10,Great Britain\n": "line 2",
		good + "a\"b\n":                               "not comma-separated text",
		"\xab\xcd\xef\x00\xff":                        "holds nothing",
	} {
		path := write(t, "x.csv", []byte(text))
		var fe *FileError
		if _, err := Open([]string{path}); !errors.As(err, &fe) || fe.Path != path || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}

// FuzzRanges: no text, however wrong, does more than be refused or give clean answers.
func FuzzRanges(f *testing.F) {
	f.Add("192.0.2.0,192.0.2.127,64500,\"Example, Inc.\"\n::,ffff::,1,x\n")
	f.Add("first,last,country\n0.0.0.0,255.255.255.255,GB\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := readRanges("x.csv", []byte(text))
		if err != nil {
			return
		}
		for _, addr := range []string{"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "2001:db8::1", "ffff::1"} {
			if p := r.lookup(netip.MustParseAddr(addr)); strings.ContainsAny(p.Network, "\r\n\x00") || len(p.Country) > 2 {
				t.Fatalf("%+v", p)
			}
		}
	})
}

// TestRealRanges reads asn-ipv4.csv and asn-ipv6.csv of npm's @ip-location-db/asn from the folder that RINGFENCE_TEST_ASN names.
func TestRealRanges(t *testing.T) {
	dir := os.Getenv("RINGFENCE_TEST_ASN")
	if dir == "" {
		t.Skip("no folder is named by RINGFENCE_TEST_ASN")
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	db := open(t, filepath.Join(dir, "asn-ipv4.csv"), filepath.Join(dir, "asn-ipv6.csv"))
	t.Logf("%+v, %d MB", db.Files(), (heap()-before)>>20)
	for _, addr := range []string{"1.0.0.1", "2606:4700::1111"} {
		if p := at(db, addr); p.ASN != 13335 {
			t.Errorf("%s: %+v", addr, p)
		}
	}
}
