package app_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringfence/app"
	"ringfence/core/phone"
	"ringfence/edge/rest/api"
)

const blockTable = "NMS Number Block: Number Block,Block Status,CP Name,Non Geo Number Length,Allocation Date\n" +
	"7012 3,Free,,10 digit numbers,\n7700 90,Free,,10 digit numbers,\n9098 79,Allocated,Example,10 digit numbers,\n"

// The operator's table of number blocks, from the file to the call: in force while it is young, and said to be of no force
// when it is not.
func TestNumbering(t *testing.T) {
	cfg := demoConfig(t)
	cfg.Provider.Numbering = filepath.Join(t.TempDir(), "numbering.csv")
	must(t, os.WriteFile(cfg.Provider.Numbering, []byte(blockTable), 0o600))
	p := start(t, cfg)
	defer p.stop()
	p.decides("070 1234 5678", "number-unallocated")
	p.decides("141 070 1234 5678", "number-unallocated")
	p.decides("07700 900999", "ok")
	p.decides("0909 879 0123", "premium-barred")
	p.checks("numbering", "ok", "3 blocks of numbers as of ")

	p.age(91 * 24 * time.Hour)
	p.decides("070 1234 5678", "over-national-ceiling")
	p.checks("numbering", "warning", "more than 90 days old, and refuses nothing")

	p.age(89 * 24 * time.Hour)
	p.decides("070 1234 5678", "number-unallocated")

	must(t, os.WriteFile(cfg.Provider.Numbering, []byte("no table"), 0o600)) // the previous table stays in force
	p.app.Reload(context.Background(), cfg)
	p.decides("070 1234 5678", "number-unallocated")
	if !strings.Contains(p.log.String(), "provider.numbering was not read again") {
		t.Error("nobody is told")
	}

	cfg.Provider.Numbering = ""
	p.app.Reload(context.Background(), cfg)
	p.decides("070 1234 5678", "over-national-ceiling")
	p.checks("numbering", "warning", "there is no table of number blocks")
}

func (p *program) age(by time.Duration) {
	p.t.Helper()
	at := time.Now().Add(-by)
	must(p.t, os.Chtimes(p.cfg.Provider.Numbering, at, at))
	p.app.Reload(context.Background(), p.cfg)
}

func (p *program) decides(to, want string) {
	p.t.Helper()
	var d api.Decision
	must(p.t, p.api.Do(context.Background(), "POST", "/v1/decide", api.DecideRequest{Line: "2001", To: to}, &d))
	if d.Reason != want {
		p.t.Errorf("%s: %s, want %s", to, d.Reason, want)
	}
}

func (p *program) checks(what, level, text string) {
	p.t.Helper()
	var c api.Check
	must(p.t, p.api.Do(context.Background(), "GET", "/v1/check", nil, &c))
	for _, i := range c.Items {
		if i.What == what {
			if i.Level != level || !strings.Contains(i.Text, text) {
				p.t.Errorf("%+v, want %s: %s", i, level, text)
			}
			return
		}
	}
	p.t.Errorf("nothing is said of %s", what)
}

// What `make numbering` makes of Ofcom's six tables is read here; without one of them the previous file stays.
func TestFetchedNumbering(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl here")
	}
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "data", "numbering.csv")
	for i, sheet := range []string{"s1", "s3", "s5", "s7", "s8", "s9"} {
		table := "\ufeffNMS Number Block: Number Block,Block Status,CP Name\r\n" + []string{"2079 46", "3001 23", "5601 23", "7012 3", "8441 23", "9091 23"}[i] + ",Free,"
		must(t, os.WriteFile(filepath.Join(from, sheet+".csv"), []byte(table), 0o600))
	}
	fetch := func() (string, error) {
		c := exec.Command("../tools/numbering.sh", to)
		c.Env = append(os.Environ(), "OFCOM=file://"+from)
		out, err := c.CombinedOutput()
		return string(out), err
	}
	out, err := fetch()
	if err != nil || !strings.Contains(out, `numbering = "`+to+`"`) {
		t.Fatal(out, err)
	}
	table, err := os.ReadFile(to)
	must(t, err)
	b, err := phone.ReadBlocks(44, table)
	if err != nil || b.Len() != 6 || b.Free() != 6 {
		t.Error(b, err)
	}
	must(t, os.WriteFile(filepath.Join(from, "s8.csv"), []byte("<html>moved</html>"), 0o600))
	out, err = fetch()
	if err == nil || !strings.Contains(out, "s8.csv is no table of number blocks") {
		t.Error(out, err)
	}
	must(t, os.Remove(filepath.Join(from, "s9.csv")))
	must(t, os.Remove(filepath.Join(from, "s8.csv")))
	out, err = fetch()
	if err == nil || !strings.Contains(out, "What was there before stays") {
		t.Error(out, err)
	}
	if after, err := os.ReadFile(to); err != nil || string(after) != string(table) {
		t.Error("the previous file did not stay", err)
	}
}

// A table that is named must be there: a provider who counts on it would not notice that it is missing.
func TestNumberingThatCannotBeRead(t *testing.T) {
	for name, path := range map[string]string{"missing": "/none.csv", "a folder": "", "no table": "/table.csv"} {
		t.Run(name, func(t *testing.T) {
			cfg := demoConfig(t)
			dir := t.TempDir()
			must(t, os.WriteFile(dir+"/table.csv", []byte("<html>"), 0o600))
			cfg.Provider.Numbering = dir + path
			a, err := app.New(context.Background(), cfg, app.Options{})
			if err == nil {
				err = a.Start(context.Background())
				defer a.Stop(context.Background())
			}
			if err == nil || !strings.Contains(err.Error(), "provider.numbering") {
				t.Error(err)
			}
		})
	}
}
