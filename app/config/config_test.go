package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"ringfence/app/config"
	"ringfence/core/account"
	"ringfence/core/money"
)

func TestDefaultIsValid(t *testing.T) {
	for name, c := range map[string]config.Config{"default": config.Default(), "demo": config.Demo(""), "zero": config.Complete(config.Config{})} {
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDemoListensOnLoopbackOnly(t *testing.T) {
	c := config.Demo(t.TempDir())
	for _, a := range append(c.SIP.UDP, append(c.SIP.TCP, c.Metrics.Listen)...) {
		if !a.Addr().IsLoopback() {
			t.Errorf("listens on %s", a)
		}
	}
	if c.Admin.Listen.IsValid() {
		t.Errorf("admin listens on %s", c.Admin.Listen)
	}
}

func TestReadsEveryKindOfField(t *testing.T) {
	c, err := config.Parse([]byte(`
data = "/var/lib/ringfence"
[sip]
udp = ["192.0.2.1:5060", "[2001:db8::1]:5060"]
tcp = []
nonce-lifetime = "90s"
algorithms = ["MD5"]
max-calls = 500
[provider]
peak-from = "00:00"
peak-until = "24:00"
[provider.settings]
national-ceiling = "10p"
max-calls = 3
line-day-cap = "£12.50"
nets = "192.0.2.0/24, 2001:db8::/32"
[log]
level = "debug"
`), "r.toml")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.SIP.UDP) != 2 || len(c.SIP.TCP) != 0 || c.SIP.NonceLifetime.Duration != 90*time.Second || c.SIP.MaxCalls != 500 {
		t.Errorf("sip: %+v", c.SIP)
	}
	if c.Provider.PeakFrom.Duration != 0 || c.Provider.PeakUntil.Duration != 24*time.Hour {
		t.Errorf("midnight taken for nothing: %v to %v", c.Provider.PeakFrom, c.Provider.PeakUntil)
	}
	if c.Admin.Socket != "/var/lib/ringfence/ringfence.sock" || c.Log.Slog().String() != "DEBUG" {
		t.Errorf("socket %s, level %s", c.Admin.Socket, c.Log.Slog())
	}
	s, err := c.Provider.Account()
	if err != nil {
		t.Fatal(err)
	}
	if s.Values[account.NationalCeiling].N != int64(10*money.PencePerMinute) || s.Values[account.MaxCalls].N != 3 || len(s.Nets) != 2 {
		t.Errorf("settings: %+v", s)
	}
	if s.Values[account.Premium].Set {
		t.Error("a setting left out says something")
	}
}

// Each refusal names the file and line, the field, what was found and what is wanted.
// Guards: configurations from before the rename must still load, wherever the key stands, and a fault in one is told on its line.
func TestFormerKeysAreRead(t *testing.T) {
	for _, text := range []string{
		"[provider]\npeak-till = '19:30'", "[provider]\npeak-from = '08:00'\n\"peak-till\" = '19:30' # peak-till",
		"provider.peak-till = '19:30'", "provider = {peak-till = '19:30'}", "[provider]\npeak-until = '19:30'",
	} {
		c, err := config.Parse([]byte(text), "r.toml")
		if err != nil || c.Provider.PeakUntil.Duration != 19*time.Hour+30*time.Minute {
			t.Errorf("%s: %v, %v", text, c.Provider.PeakUntil, err)
		}
	}
	for text, want := range map[string]string{
		"[provider]\npeak-till = 'noon'":                           "r.toml:2: provider.peak-until",
		"[provider]\npeak-till = '19:00'\npeak-until = '19:00'":    "r.toml:3",
		"[provider]\npeak-from = '09:00'\n\npeak-till = '08:00'\n": "r.toml:4: provider.peak-until",
	} {
		if _, err := config.Parse([]byte(text), "r.toml"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"[sip]\nmax-cals = 3", "r.toml:2: sip.max-cals: no such key: did you mean sip.max-calls?"},
		{"[spi]\nrealm = 'x'", "r.toml:1: spi: no such key: did you mean sip?"},
		{"slice = '1s'", "r.toml:1: slice: no such key: did you mean money.slice?"},
		{"[sip]\nzzzzzzzzzzzz = 3", "r.toml:2: sip.zzzzzzzzzzzz: no such key"},
		{"[money]\n\nslice = 60", `r.toml:3: money.slice: not in quotes, want a length of time ("90s", "10m", "1h30m") from 1s to 1h`},
		{"[money]\nslice = '1 fortnight'", `r.toml:2: money.slice: "1 fortnight" is not a length of time`},
		{"[sip]\nudp = ['here']", "r.toml:2: sip.udp: "},
		{"[sip]\nudp = 5060", `r.toml:2: sip.udp: wrong kind of value, want a list in brackets`},
		{"[sip]\nudp = []\ntcp = []", "r.toml:2: sip.udp: found [], want at least one address"},
		{"[sip]\ntcp = ['127.0.0.1:1', '127.0.0.1:1']", "r.toml:2: sip.tcp: found"},
		{"[sip]\ntls = ['127.0.0.1:5061']", "sip.tls-cert: found [], want a certificate, because sip.tls or sip.wss is set"},
		{"[sip]\ntls-cert = ['a', 'b']\ntls-key = ['c']", "r.toml:3: sip.tls-key: found [\"c\"], want one key for each"},
		{"[sip]\ntcp = ['127.0.0.1:1']\nwss = ['127.0.0.1:1']\ntls-cert = ['c']\ntls-key = ['k']", "sip.tls: found [], want no address that"},
		{"[sip]\ntls-min = '1.1'", `r.toml:2: sip.tls-min: found "1.1", want "1.2" or "1.3"`},
		{"[sip]\nwss-origins = ['phone.example.net']", `r.toml:2: sip.wss-origins: found "phone.example.net", want origins`},
		{"[sip]\nwss-origins = ['https://phone.example.net/']", "want origins without a path"},
		{"[sip]\nmax-calls = -1", "r.toml:2: sip.max-calls: found -1, want a whole number from 1 to 1000000"},
		{"sip = { max-calls = 2000000 }", "r.toml:1: sip.max-calls: found 2000000"},
		{"sip.max-calls = 99999999999999999999", "r.toml:1: sip.max-calls: "},
		{"[sip]\nalgorithms = []", `want a list of "SHA-256" and "MD5"`},
		{"[sip]\nalgorithms = ['MD5', 'MD5']", `want a list of "SHA-256" and "MD5"`},
		{"[sip]\nrealm = 'a\"b'", "sip.realm: found"},
		{"[sip]\nadvertise = 'sip.example.net'", "sip.advertise: found"},
		{"[sip]\nadvertise = '0.0.0.0'", "sip.advertise: found"},
		{"[sip]\nmin-expiry = '1h'\nmax-expiry = '10m'", "r.toml:2: sip.min-expiry: found \"1h\", want at most sip.max-expiry (10m)"},
		{"[money]\nslice = '10s'", `money.extend-ahead: found "10s", want less than money.slice (10s)`},
		{"[store]\nengine = 'mysql'", `r.toml:2: store.engine: found "mysql", want "sqlite" or "postgres"`},
		{"[store]\nengine = 'postgres'", "store.dsn: found (hidden), want how to reach PostgreSQL: set RINGFENCE_STORE_DSN"},
		{"[store]\ndsn = 'postgres://u:hunter2@h/d'", `store.engine: found "sqlite", want "postgres"`},
		{"[store]\nengine = 'postgres'\ndsn = 'x'\nsync = 'normal'", `store.sync: found "normal", want "full"`},
		{"[provider]\nzone = 'Mars/Olympus'", "provider.zone: found"},
		{"[provider]\nzone = '../../etc/passwd'", "provider.zone: found"},
		{"[provider]\npeak-from = '8 am'", `"8 am" is not a time of day`},
		{"[provider]\npeak-from = '19:00'", "provider.peak-until: found \"18:00\", want not before provider.peak-from (19:00)"},
		{"[provider]\nplan = 'custom'", "provider.custom-plan.country: found"},
		{"[provider.custom-plan]\ncode = '353'", `provider.plan: found "uk", want "custom"`},
		{"[provider.settings]\nnational-ceiling = 'cheap'", "r.toml:2: provider.settings.national-ceiling: "},
		{"[provider.settings]\nnets = '192.0.2.1/24'", "r.toml:2: provider.settings.nets: "},
		{"[admin]\nlisten = '0.0.0.0:8443'\ntokens-file = 't'", "admin.tls-cert: found \"\", want a certificate"},
		{"[admin]\nlisten = '127.0.0.1:8443'", "admin.tokens-file: found \"\", want a file of tokens"},
		{"[admin]\ntls-cert = 'c.pem'", "admin.tls-key: found \"\", want both admin.tls-cert and admin.tls-key"},
		{"[admin]\nsocket = '/" + strings.Repeat("x", 107) + "'", "want a path of at most 107 bytes"},
		{"data = \"a\\u0000b\"", "data: found"},
		{"[log]\nlevel = 'loud'", `r.toml:2: log.level: found "loud", want "debug", "info", "warn" or "error"`},
		{"[limits]\ncontacts = 1\ncontacts = 2", "already defined"},
		{"[login]\nfailures = 1", "r.toml:2: login.failures: found 1, want a whole number from 2 to 1000"},
		{"[login]\nfirst = '10h'\nlongest = '1h'", "r.toml:2: login.first: found \"10h\", want at most login.longest (1h)"},
		{"[shield]\nnever = ['office']", "r.toml:2: shield.never: found [\"office\"], want addresses and networks"},
		{"[shield]\nfeeds = ['https://example.net/list']", "r.toml:2: shield.feeds: found"},
		{"[shield]\nfeeds = ['a=/x', 'a=/y']", "r.toml:2: shield.feeds: found \"a=/y\", want different names"},
		{"[shield]\nkernel = 'yes'", `shield.kernel: found "yes", want "auto", "off" or "required"`},
		{"[counters]\nurl = 'memcached://x:hunter2@y'", "r.toml:2: counters.url: found (hidden)"},
		{"[notify]\ndesk = ['fraud']", "r.toml:2: notify.desk: found \"fraud\", want mail addresses"},
		{"[notify]\nwebhooks = ['http://example.net/']", "r.toml:2: notify.webhooks: found"},
		{"[mail]\nserver = 'smtp.example.net'\nfrom = 'a@b.net'", "r.toml:2: mail.server: found \"smtp.example.net\", want \"host:port\""},
		{"[mail]\nserver = 'smtp.example.net:25'\nfrom = 'a@b.net'\ntls = 'none'", "r.toml:4: mail.tls: found \"none\""},
		{"[mail]\nserver = '127.0.0.1:25'", "mail.from: found \"\", want the sender"},
		{"[mail]\nserver = '127.0.0.1:25'\nfrom = 'a@b.net'\ndkim-domain = 'b.net'", "r.toml:4: mail.dkim-domain"},
		{"[mail]\nserver = '127.0.0.1:25'\nfrom = 'a@b.net'\nuser = 'u'", "r.toml:4: mail.user"},
		{"[web]\nurl = 'calls.example.net'", "r.toml:2: web.url: found"},
		{"[web]\ntls-cert = 'c.pem'", "web.tls-key: found \"\", want both"},
		{"[web]\nlisten = '0.0.0.0:8443'\nurl = 'https://a.example'", "r.toml:2: web.listen: the pages on 0.0.0.0:8443 need a certificate (web.tls-cert), or a trusted proxy in front (web.proxy)"},
		{"[web]\nlisten = '[::]:8443'\ntls-cert = 'c'\ntls-key = 'k'", "web.url: found \"\", want how people reach the pages"},
		{"[web]\nlisten = '127.0.0.1:8443'\nproxy = '127.0.0.1'", "web.url: found \"\", want how people reach the pages"},
		{"[mail]\nuser = 'u'", "r.toml:2: mail.user: set, but mail.server is not"},
		{"[mail]\npassword-file = 'p'", "r.toml:2: mail.password-file: set, but mail.server is not"},
		{"[mail]\ndkim-selector = 's'", "r.toml:2: mail.dkim-selector: set, but mail.server is not"},
		{"[provider.help]\nmail = 'nobody'", "r.toml:2: provider.help.mail: found"},
		{"node = 'a b'", "r.toml:1: node: found"},
		{"= 3", "r.toml:1: "},
		{"[sip]\nmax-calls = 0x\n", "r.toml:2: "},
	} {
		_, err := config.Parse([]byte(c.text), "r.toml")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

// Answer pages that serve opens, and links that lead to them.
func TestAnswerPages(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "",
		"listen = '127.0.0.1:8443'": "http://127.0.0.1:8443",
		"listen = '192.0.2.1:8443'\ntls-cert = 'c'\ntls-key = 'k'":                          "https://192.0.2.1:8443",
		"listen = '0.0.0.0:8443'\ntls-cert = 'c'\ntls-key = 'k'\nurl = 'https://a.example'": "https://a.example",
		"listen = '0.0.0.0:8080'\nproxy = '192.0.2.7'\nurl = 'https://a.example'":           "https://a.example",
	} {
		c, err := config.Parse([]byte("[web]\n"+text), "r.toml")
		if err != nil || c.LinksURL() != want {
			t.Errorf("%q: links to %q, want %q; %v", text, c.LinksURL(), want, err)
		}
	}
}

// What is read once, at the start, must not be said to change at once.
func TestReloadNamesWhatIsReadAtTheStart(t *testing.T) {
	old, next := config.Default(), config.Default()
	next.Provider.Name = "Another"
	got, applied, restart := config.Reload(old, next)
	if got.Provider.Name != old.Provider.Name || len(applied) != 0 || len(restart) != 1 {
		t.Errorf("applied %+v, restart %+v", applied, restart)
	}
}

func TestEveryFaultIsReportedAtOnce(t *testing.T) {
	_, err := config.Parse([]byte("[sip]\nmax-calls = -1\n[money]\nlease = '1s'\n[provider.settings]\npremium = 'maybe'\nmax-calls = 'x'"), "r.toml")
	var faults config.Faults
	if !errors.As(err, &faults) || len(faults) != 4 {
		t.Fatalf("want four faults, got: %v", err)
	}
	_, err = config.Parse([]byte("a = 1\nb = 2\n"), "r.toml")
	if !errors.As(err, &faults) || len(faults) != 2 {
		t.Fatalf("want two unknown keys, got: %v", err)
	}
}

func TestSecretsStayOutOfErrorsAndText(t *testing.T) {
	for _, text := range []string{
		"[store]\ndsn = 'hunter2'\nmoney = 7",
		"[store]\ndsn = 'hunter2",
		"[store]\ndsn = 'hunter2'\nsync = 'normal'\nengine = 'postgres'",
		"[store]\ndsn = \"hunter2\\u0001\"\nengine = 'postgres'",
	} {
		_, err := config.Parse([]byte(text), "r.toml")
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
	}
	a, b := config.Default(), config.Default()
	b.Store.DSN = "hunter2"
	for _, ch := range config.Diff(a, b) {
		if strings.Contains(ch.Old+ch.New, "hunter2") {
			t.Errorf("diff shows %+v", ch)
		}
	}
}

func write(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadFindsTheFileAndAppliesTheEnvironment(t *testing.T) {
	dir := t.TempDir()
	dsnFile := write(t, filepath.Join(dir, "dsn"), "postgres://file\n", 0o600)
	path := write(t, filepath.Join(dir, "r.toml"), "data = 'd'\n[provider]\nnumbering = 'n.csv'\n[store]\nengine = 'postgres'\ndsn-file = 'dsn'\n", 0o644)
	t.Setenv(config.EnvConfig, path)
	c, err := config.Load("")
	if err != nil {
		t.Fatal(err)
	}
	if c.Data != filepath.Join(dir, "d") || c.Provider.Numbering != filepath.Join(dir, "n.csv") || string(c.Store.DSN) != "postgres://file" || c.File != path {
		t.Errorf("data %s, dsn from file %t, file %s", c.Data, string(c.Store.DSN) == "postgres://file", c.File)
	}
	t.Setenv(config.EnvDSN, "postgres://env")
	t.Setenv(config.EnvSocket, "/run/r.sock")
	t.Setenv(config.EnvKey, "k")
	if c, err = config.Load(""); err != nil || string(c.Store.DSN) != "postgres://env" || c.Admin.Socket != "/run/r.sock" || c.Secret.Key != "k" {
		t.Errorf("environment not applied: %v", err)
	}
	t.Setenv(config.EnvDSN, "")
	if err := os.Chmod(dsnFile, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err = config.Load(""); err == nil || !strings.Contains(err.Error(), "chmod o=") {
		t.Errorf("a password that everyone may read: %v", err)
	}
}

func TestLoadRefusesWhatIsNoConfiguration(t *testing.T) {
	dir := t.TempDir()
	big := write(t, filepath.Join(dir, "big"), strings.Repeat("#\n", 1<<20), 0o644)
	for _, path := range []string{big, dir, filepath.Join(dir, "missing.toml")} {
		if _, err := config.Load(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestReloadAppliesWhatItMayAndNamesTheRest(t *testing.T) {
	old, next := config.Default(), config.Default()
	next.Log.Level = "debug"
	next.Provider.Settings.NationalCeiling = "5p"
	next.SIP.MaxCalls = 7
	got, applied, restart := config.Reload(old, next)
	if got.Log.Level != "debug" || got.Provider.Settings.NationalCeiling != "5p" || got.SIP.MaxCalls != old.SIP.MaxCalls {
		t.Errorf("in force: %+v", got)
	}
	want := []config.Change{{Key: "sip.max-calls", Old: "10000", New: "7"}}
	if len(applied) != 2 || !reflect.DeepEqual(restart, want) {
		t.Errorf("applied %+v, restart %+v", applied, restart)
	}
}

// The keys of [provider.settings] are the names that core/account gives its fields: one more there fails here.
func TestEverySettingHasAKey(t *testing.T) {
	for f := range account.NumFields {
		least, _ := f.Range()
		c, err := config.Parse([]byte("[provider.settings]\n"+f.String()+" = '"+account.Format(f, least)+"'"), "r.toml")
		if err != nil {
			t.Error(err)
			continue
		}
		s, err := c.Provider.Account()
		if err != nil || !s.Values[f].Set || s.Values[f].N != least {
			t.Errorf("%s: %+v, %v", f, s.Values[f], err)
		}
	}
}

// The reference, with its comment signs taken off, must be a configuration that says the defaults.
func TestReferenceIsTheDefaults(t *testing.T) {
	var live []string
	for line := range strings.Lines(config.Reference()) {
		if strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "# ") && !strings.HasPrefix(line, "#\n") {
			line = line[1:]
		}
		live = append(live, line)
	}
	text := strings.Join(live, "")
	c, err := config.Parse([]byte(text), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, ch := range config.Diff(config.Default(), c) {
		if ch.New != "[]" { // an empty list in the reference is none by default
			t.Errorf("reference differs: %+v", ch)
		}
	}
	if n := strings.Count(config.Reference(), "\n#"); n < 100 {
		t.Errorf("only %d lines of comment: docs were not found", n)
	}
}

func TestEveryFieldIsDocumented(t *testing.T) {
	lines := strings.Split(config.Markdown(), "\n")
	fields := 0
	for i, line := range lines {
		if strings.HasPrefix(line, "**`") {
			fields++
			if len(strings.Fields(lines[i+1])) < 5 {
				t.Errorf("%s: no more said of it than %q", line, lines[i+1])
			}
		}
	}
	if fields < 50 {
		t.Errorf("only %d fields", fields)
	}
}

func TestDocumentationIsInStep(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != config.Markdown() {
		t.Error("docs/configuration.md is out of step: run go generate ./app/config")
	}
}

// Whatever the text, Parse gives either faults that say where, or a configuration that is valid and survives a reload.
func FuzzParse(f *testing.F) {
	f.Add([]byte(config.Reference()))
	for _, s := range []string{
		"", "[sip]\nudp=['x']", "a.b.c=1", "[[sip]]\n[sip.udp]", "sip={udp={a=1}}", "provider.settings.nets=3", "x='''\n'''\n[sip]\nmax-calls='",
		"[provider]\nplan='custom'\n[provider.custom-plan]\ncountry='IE'\ncode='353'\ninternational='00'\nemergency=['112']",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := config.Parse(text, "f.toml")
		if err != nil {
			if !strings.Contains(err.Error(), "f.toml") {
				t.Fatalf("an error that does not say where: %v", err)
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		if changes := config.Diff(c, config.Complete(c)); len(changes) > 0 {
			t.Fatalf("Complete is not the end: %+v", changes)
		}
	})
}
