//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringfence/state/geo/geotest"
)

// abroad is set in the process that runs a test in a network of its own.
const abroad = "RINGFENCE_E2E_ABROAD"

// inOwnNetwork says whether this process has a network of its own, where every address of nets is this machine's. Places
// are looked up of public addresses only, and on loopback there are none. Where it has none, it runs the test in one and
// says false: there is nothing left to do.
func inOwnNetwork(t *testing.T, nets ...string) bool {
	t.Helper()
	if os.Getenv(abroad) != "" {
		ip(t, "link", "set", "lo", "up")
		for _, n := range nets {
			ip(t, "route", "add", "local", n, "dev", "lo")
		}
		return true
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip(err)
	}
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self, "-test.run", "^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), abroad+"=1", "RINGFENCE_BINARY="+program)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := output(cmd)
	switch {
	case errors.Is(err, syscall.EPERM):
		t.Skip("places of addresses need a network of our own, which needs root or CAP_SYS_ADMIN")
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	case !strings.Contains(string(out), "--- PASS: "+t.Name()+" "):
		t.Fatalf("it was not run:\n%s", out)
	}
	t.Logf("%s", out)
	return false
}

func ip(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %v: %v\n%s", args, err, out)
	}
}

// world is who has which part of 198.18.0.0/15, which is for tests (RFC 2544) and counts as public.
const world = "198.18.0.0/15"

// countries is the table that `make geo` fetches, as far as these tests go: a MaxMind DB.
func countries(entries ...geotest.Entry) []byte {
	return geotest.MMDB("country ipvAll", append(entries, geotest.Country("198.18.0.0/17", "GB"), geotest.Country("198.18.128.0/18", "FR"))...)
}

// networks is a table of AS numbers as ip-location-db publishes it.
const networks = `198.18.0.0,198.18.15.255,64500,Example Telecom
198.18.16.0,198.18.31.255,64501,"Example Mobile, Ltd."
198.18.32.0,198.18.32.255,14061,Nobody Tells
198.18.33.0,198.18.33.255,64502,Example Hosting Ltd
198.18.128.0,198.18.191.255,64503,Exemple Télécom
198.19.0.0,198.19.255.255,64504,Example Down Under
`

// device is what the tests look at in `line devices`.
type device struct {
	Place, Address, Country, Network string
	Agent                            string `json:"user_agent"`
	ASN                              int64
	Hosting                          bool
}

// devices are a line's, by place.
func (s *server) devices(line string) map[string]device {
	s.t.Helper()
	var list []device
	decode(s.t, s.cli("line", "devices", line, "--json"), &list)
	all := map[string]device{}
	for _, d := range list {
		all[d.Place] = d
	}
	if len(all) != len(list) {
		s.t.Errorf("two devices of one place: %+v", list)
	}
	return all
}

// found are the kinds of a line's findings, and the evidence of the one asked for.
func (s *server) found(line, kind string) (kinds []string, text string, evidence map[string]any) {
	s.t.Helper()
	var list []struct {
		ID         int64
		Kind, Text string
	}
	decode(s.t, s.cli("finding", "list", "--line", line, "--json"), &list)
	for _, f := range list {
		kinds = append(kinds, f.Kind)
		if f.Kind == kind {
			var one struct {
				Text     string
				Evidence json.RawMessage
			}
			decode(s.t, s.cli("finding", "show", fmt.Sprint(f.ID), "--json"), &one)
			decode(s.t, string(one.Evidence), &evidence)
			text = one.Text
		}
	}
	return kinds, text, evidence
}

// Real phones at addresses that have a country and a network: a phone that roams in one network is one device, a login from
// another country is reported by name, and leaked logins are found: in use in two distant places, faster than anybody travels,
// and right at the first attempt from a data centre.
func TestPlaces(t *testing.T) {
	t.Parallel()
	if !inOwnNetwork(t, world) {
		return
	}
	p, dir := newPost(t), t.TempDir()
	mmdb, csv := filepath.Join(dir, "country.mmdb"), filepath.Join(dir, "asn-ipv4.csv")
	must(t, os.WriteFile(mmdb, countries(geotest.Country("198.19.0.0/16", "AU")), 0o600))
	must(t, os.WriteFile(csv, []byte(networks), 0o600))
	s := startWith(t, setup{sections: fmt.Sprintf("[geo]\nfiles = [%q, %q]\n[notify]\nstorm = 100\n", mmdb, csv) + p.config()})
	s.contact("anna", anna)
	passwords := map[string]string{}
	registered := func(line, from, agent string) (away func()) {
		t.Helper()
		ph := s.at(from, line, passwords[line], agent)
		registers(t, ph)
		return func() {
			t.Helper()
			if a, err := ph.Register(t.Context(), 0); err != nil || !a.OK() {
				t.Fatalf("%s cannot unregister: %v %v", from, a, err)
			}
		}
	}
	for _, line := range []string{"2001", "2002", "2003", "2004", "2005", "2006"} {
		passwords[line] = s.line(line)
		registered(line, "198.18.1.10", "Desk/1.0")() // at home, and off again
	}

	// 2001 has a mobile, which roams over three networks of one AS; it is one device and one mail.
	for _, from := range []string{"198.18.16.7", "198.18.20.8", "198.18.31.9", "198.18.16.8"} {
		registered("2001", from, "Mobile/3.1")()
	}
	registered("2001", "198.18.9.9", "Desk/1.0")     // and its desk phone gets a new address from its provider
	registered("2002", "198.18.130.1", "Laptop/2")() // a neighbouring country: told, but no finding
	registered("2003", "198.18.1.11", "Desk/1.0")
	registered("2003", "198.19.0.3", "Desk/1.0")  // while the other is registered
	registered("2004", "198.19.7.7", "Desk/1.0")  // while no other is
	registered("2005", "198.18.32.1", "Desk/1.0") // known by its number
	registered("2006", "198.18.33.1", "Desk/1.0") // known by its name

	for _, tc := range []struct {
		line, kind, text string
		evidence         map[string]any
	}{
		{"2003", "two-places", "198.19.0.3 (Example Down Under, AU) while a phone was registered with it at 198.18.1.11 (GB)", map[string]any{
			"address": "198.19.0.3", "country": "AU", "asn": 64504.0, "elsewhere": map[string]any{"address": "198.18.1.11", "country": "GB"}, "km_limit": 2000.0,
		}},
		{"2004", "impossible-travel", "198.19.7.7 (Example Down Under, AU)", map[string]any{"address": "198.19.7.7", "country": "AU", "kmh_limit": 1000.0}},
		{"2005", "hosting-login", "198.18.32.1 (Nobody Tells, GB)", map[string]any{"address": "198.18.32.1", "asn": 14061.0, "hosting": true, "failures": 0.0}},
		{"2006", "hosting-login", "198.18.33.1 (Example Hosting Ltd, GB)", map[string]any{"address": "198.18.33.1", "asn": 64502.0, "hosting": true, "failures": 0.0}},
	} {
		var kinds []string
		var text string
		var evidence map[string]any
		eventually(t, 10*time.Second, tc.kind+" is found", func() bool {
			kinds, text, evidence = s.found(tc.line, tc.kind)
			return slices.Contains(kinds, tc.kind)
		})
		if len(kinds) != 1 {
			t.Errorf("%s: found %v", tc.line, kinds)
		}
		contains(t, text, tc.text)
		for name, want := range tc.evidence {
			if got := fmt.Sprint(evidence[name]); got != fmt.Sprint(want) {
				t.Errorf("%s: %s is %v, want %v", tc.line, name, got, want)
			}
		}
		if strings.Contains("two-places impossible-travel", tc.kind) {
			if km, _ := evidence["km_at_least"].(float64); km < 9000 || km > 17_000 {
				t.Errorf("%s: %v km from Britain to Australia", tc.line, evidence["km_at_least"])
			}
			contains(t, fmt.Sprint(evidence["weak"]), "sometimes wrong")
		}
	}
	_, _, travel := s.found("2004", "impossible-travel")
	if last, _ := travel["last"].(map[string]any); last["address"] != "198.18.1.10" || last["country"] != "GB" || last["asn"] != 64500.0 {
		t.Errorf("it came from %v", travel["last"])
	}

	mobile := p.one(anna, "2001", 30*time.Second)
	contains(t, mobile.text, "Mobile/3.1", "198.18.16.7", "United Kingdom", "Example Mobile, Ltd.", "AS64501")
	laptop := p.one(anna, "2002", 30*time.Second)
	contains(t, laptop.text, "Laptop/2", "198.18.130.1", "France", "Exemple Télécom", "AS64503")
	contains(t, laptop.html, "France")
	for line, says := range map[string][]string{
		"2003": {"Australia", "198.19.0.3", "198.18.1.11"}, "2004": {"Australia", "198.19.7.7", "198.18.1.10"},
		"2005": {"198.18.32.1", "AS14061", "data centre"}, "2006": {"198.18.33.1", "Example Hosting Ltd", "data centre"},
	} {
		contains(t, p.one(anna, line, 30*time.Second).text, says...)
	}
	elapse(12 * time.Second) // a courtesy mail waits for ten seconds: none may be on its way
	for line := range passwords {
		if n := len(p.all(anna, line)); n != 1 {
			t.Errorf("%d letters about %s", n, line)
		}
	}

	if all := s.devices("2001"); len(all) != 2 || all["AS64500"].Address != "198.18.9.9" || all["AS64501"].Address != "198.18.16.8" || all["AS64501"].Network != "Example Mobile, Ltd." {
		t.Errorf("%+v", all)
	}
	if d := s.devices("2002")["AS64503"]; d.Country != "FR" || d.Network != "Exemple Télécom" || d.Hosting {
		t.Errorf("%+v", d)
	}
	if d := s.devices("2005")["198.18.32.0/24"]; d.ASN != 14061 || !d.Hosting { // neighbours in a data centre are strangers
		t.Errorf("%+v", d)
	}
	for _, line := range []string{"2001", "2002"} {
		if kinds, _, _ := s.found(line, ""); len(kinds) > 0 {
			t.Errorf("%s: found %v", line, kinds)
		}
	}
	s.nobodyShutOut()
}

// A wrong file of countries or of networks is named at SIGHUP, and what both said before goes on being believed; a right one
// is taken, and known devices are as they were.
func TestWrongPlacesStayOut(t *testing.T) {
	t.Parallel()
	if !inOwnNetwork(t, world) {
		return
	}
	dir := t.TempDir()
	mmdb, csv := filepath.Join(dir, "country.mmdb"), filepath.Join(dir, "asn-ipv4.csv")
	write := func(path string, text []byte) { must(t, os.WriteFile(path, text, 0o600)) }
	whole := countries(geotest.Country("198.19.0.0/16", "AU"))
	write(mmdb, whole)
	write(csv, []byte(networks))
	s := startWith(t, setup{sections: fmt.Sprintf("[geo]\nfiles = [%q, %q]\n", mmdb, csv)})
	password, phones := s.line("2001"), 0
	seen := func(want device) { // a phone never seen, at an address of 198.19.0.0/16
		t.Helper()
		phones++
		want.Agent, want.Address = fmt.Sprintf("Phone%c/1", 'A'+phones), fmt.Sprintf("198.19.%d.1", phones)
		registers(t, s.at(want.Address, "2001", password, want.Agent))
		var list []device
		decode(t, s.cli("line", "devices", "2001", "--json"), &list)
		i := slices.IndexFunc(list, func(d device) bool { return d.Agent == want.Agent })
		if i < 0 || list[i] != want {
			t.Errorf("want %+v among %+v", want, list)
		}
	}
	australia := device{Place: "AS64504", Country: "AU", Network: "Example Down Under", ASN: 64504}
	seen(australia)
	for _, tc := range []struct {
		name, file string
		text, good []byte
		says       string
	}{
		{"a page instead of a table", mmdb, []byte("<html>no such file</html>"), whole, "is not a MaxMind DB"},
		{"half a table", mmdb, whole[:len(whole)/2], whole, "is not a MaxMind DB"},
		{"a table of cities", mmdb, geotest.MMDB("City", geotest.Record("198.19.0.0/16", map[string]any{"country_code": "ZW", "city": "x"})), whole, "holds cities"},
		{"addresses as numbers", csv, []byte("3325624320,3325689855,64999,Elsewhere\n3325689856,3325755391,64999,Elsewhere\n"), []byte(networks), "line 2"},
		{"half a row", csv, []byte(networks + "198.19.0.0,198.1"), []byte(networks), "line 7"},
	} {
		before := len(s.logText())
		write(tc.file, tc.text)
		must(t, s.cmd.Process.Signal(syscall.SIGHUP))
		var said string
		eventually(t, 5*time.Second, tc.name+" is named", func() bool {
			said = s.logText()[before:]
			return strings.Contains(said, "what was known before stays") && strings.Contains(said, "reloaded")
		})
		contains(t, said, tc.file, tc.says)
		seen(australia)
		write(tc.file, tc.good)
	}

	before := len(s.logText())
	write(mmdb, countries(geotest.Country("198.19.0.0/16", "NZ")))
	write(csv, []byte(strings.ReplaceAll(networks, "Down Under", "South")))
	must(t, s.cmd.Process.Signal(syscall.SIGHUP))
	eventually(t, 5*time.Second, "the new tables are taken", func() bool { return strings.Contains(s.logText()[before:], "reloaded") })
	if said := s.logText()[before:]; strings.Contains(said, "what was known before stays") {
		t.Errorf("not taken: %s", said)
	}
	seen(device{Place: "AS64504", Country: "NZ", Network: "Example South", ASN: 64504})
}
