package detect

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestFamily(t *testing.T) {
	for agent, want := range map[string]string{
		"Yealink SIP-T46S 66.84.0.15":                       "yealink sip-t46s",
		"Yealink SIP-T46S 66.86.0.15 805ec0123456":          "yealink sip-t46s",
		"Yealink SIP-T46S 80:5e:c0:12:34:56 66.86.0.15":     "yealink sip-t46s",
		"Yealink W60B 77.85.0.20":                           "yealink w60b",
		"snomD785/10.1.46.16":                               "snomd785",
		"snom320/8.7.5.35":                                  "snom320",
		"snom 320":                                          "snom 320",
		"Grandstream GXP2170 1.0.11.16":                     "grandstream gxp2170",
		"Grandstream HT801 1.0.27.2 c074ad123456":           "grandstream ht801",
		"Cisco/SPA504G-7.6.2":                               "cisco spa504g",
		"Cisco/SPA112-1.4.1(002)_68BDAB123456":              "cisco spa112",
		"Linksys/PAP2T-5.1.6(LS)":                           "linksys pap2t",
		"Linksys/SPA942-000E08ABCDEF-6.1.5(a)":              "linksys spa942",
		"Cisco-CP8841-3PCC/11.0.1_00562b123456":             "cisco-cp8841-3pcc",
		"Fritz!OS":                                          "fritz!os",
		"AVM FRITZ!Box 7590 154.07.29 (Jan  1 2021)":        "avm fritz!box 7590",
		"baresip v1.0.0 (x86_64/linux)":                     "baresip",
		"baresip v3.5.1 (aarch64/linux)":                    "baresip",
		"Linphone/4.4 (belle-sip/5.0.55)":                   "linphone",
		"LinphoneAndroid/5.2.3 (Anna's Pixel 7) SDK/5.3.5":  "linphoneandroid",
		"Zoiper rv2.10.x":                                   "zoiper",
		"Zoiper rv2.10.20.4-mod":                            "zoiper",
		"Z 5.6.1 v2.10.19.9":                                "z",
		"Asterisk PBX 18.1":                                 "asterisk pbx",
		"Asterisk PBX 18.26.1~dfsg+~cs6.15.60671435-1":      "asterisk pbx",
		"Asterisk PBX GIT-18-1a2b3c4M":                      "asterisk pbx",
		"FPBX-16.0.40(18.9)":                                "fpbx",
		"FPBX-17.0.19.23(21.7.0)":                           "fpbx",
		"FreeSWITCH-mod_sofia/1.10.7-release+git~20211024Z": "freeswitch-mod_sofia",
		"3CXPhone 6.0":                                      "3cxphone",
		"3CXPhoneSystem 18.0.5.418 (418)":                   "3cxphonesystem",
		"PolycomVVX-VVX_411-UA/5.9":                         "polycomvvx-vvx_411-ua",
		"PolycomVVX-VVX_411-UA/5.9.0.9373_0004F2ABCDEF":     "polycomvvx-vvx_411-ua",
		"Panasonic-KX-UT123/01.025 (0080F0ABCDEF)":          "panasonic-kx-ut123",
		"Gigaset N510 IP PRO/42.250.00.000.000":             "gigaset n510 ip pro",
		"Htek UC926 V2.0.4.4.52 001FC1ABCDEF":               "htek uc926",
		"Fanvil X6U 2.4.0 0c383e112233":                     "fanvil x6u",
		"eyeBeam release 1011d stamp 40820":                 "eyebeam",
		"Bria 5 release 5.0 stamp 95001":                    "bria 5",
		"Jitsi2.10.5550Mac OS X":                            "jitsi",
		"MicroSIP/3.20.7":                                   "microsip",
		"Sipura/SPA2000 version v12":                        "sipura spa2000",
		"(only a comment 1.2)":                              "only a comment",
		"电话 Phone 2.1":                                      "电话 phone",
		"friendly-scanner":                                  "friendly-scanner",
		"":                                                  "",
		"   ":                                               "",
		"1.2.3":                                             "",
		"12345678":                                          "",
		"))))((((":                                          "",
		"<script>alert('x')</script>":                       "scriptalert script",
		"a\r\nVia: evil\x00\x1b[31mred":                     "a via evil 31mred",
		"\xff\xfe\u202eabc":                                 "abc",
		strings.Repeat("a", 8192):                           strings.Repeat("a", 60),
		strings.Repeat("é ", 4096):                          strings.TrimSpace(strings.Repeat("é ", 20)),
	} {
		if got := Family(agent); got != want {
			t.Errorf("%.80q is %q, want %q", agent, got, want)
		}
	}
}

func FuzzFamily(f *testing.F) {
	for _, s := range []string{"Yealink SIP-T46S 66.84.0.15", "<b>(x", "FPBX-16.0.40(18.9)", "\xff\u202e", "00:11:22:33:44:55"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Family(s)
		odd := func(r rune) bool {
			return r != ' ' && !strings.ContainsRune("!#+._-", r) && !unicode.IsLetter(r) && (r < '0' || r > '9')
		}
		if len(got) > maxFamily || !utf8.ValidString(got) || strings.ContainsFunc(got, odd) || strings.Contains(got, "  ") || strings.TrimSpace(got) != got {
			t.Fatalf("%q became %q", s, got)
		}
	})
}

func TestPlace(t *testing.T) {
	for _, c := range []struct {
		addr string
		asn  uint32
		want string
	}{
		{"192.0.2.77", 0, "192.0.2.0/24"},
		{"::ffff:192.0.2.77", 0, "192.0.2.0/24"},
		{"2001:db8:1:2ff:3::4", 0, "2001:db8:1:200::/56"},
		{"fe80::1%eth0", 0, "fe80::/56"},
		{"192.0.2.77", 64500, "AS64500"},
		{"2001:db8::1", 64500, "AS64500"},
		{"192.0.2.77", 16276, "192.0.2.0/24"}, // hosting: neighbours are strangers
		{"192.0.2.77", 4294967295, "AS4294967295"},
	} {
		if got := Place(netip.MustParseAddr(c.addr), c.asn); got != c.want {
			t.Errorf("%s in AS %d: %s, want %s", c.addr, c.asn, got, c.want)
		}
	}
	if got := Place(netip.Addr{}, 64500); got != "" {
		t.Errorf("no address is at %q", got)
	}
}

func TestHosting(t *testing.T) {
	for _, c := range []struct {
		asn     uint32
		network string
		want    bool
	}{
		{0, "", false},
		{24940, "", true},
		{64500, "", false},
		{64500, "Example Web Hosting Ltd", true},
		{64500, "BestWebhosting GmbH", true},
		{64500, "Example Data Center AB", true},
		{64500, "Example Cloud, Inc.", true},
		{64500, "AMAZON-02", true},
		{2856, "British Telecommunications PLC", false},
		{64500, "Colorado Telephone", false},
		{64500, "Hostomel Fibre", false},
	} {
		if got := Hosting(c.asn, c.network); got != c.want {
			t.Errorf("%d %q: %v", c.asn, c.network, got)
		}
	}
	if !slices.IsSorted(hostingASNs) || len(slices.Compact(slices.Clone(hostingASNs))) != len(hostingASNs) {
		t.Error("the table is not in order, so that it cannot be searched")
	}
}
