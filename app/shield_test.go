package app_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"ringfence/edge/rest/api"
)

// kinds counts the journal's rows of a kind.
func (p *program) kinds(kind string) int {
	p.t.Helper()
	var l api.List[api.Fact]
	p.get("/v1/journal?limit=1000&kind="+kind, &l)
	return len(l.Items)
}

func (p *program) eventually(what string, ok func() bool) {
	p.t.Helper()
	look, late := time.NewTicker(20*time.Millisecond), time.After(10*time.Second)
	defer look.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-late:
			p.t.Fatalf("waited in vain: %s", what)
		}
	}
}

// A list that is followed bans whom it names; once it is no longer followed, it bans nobody.
func TestFeedsComeAndGo(t *testing.T) {
	cfg := demoConfig(t)
	list := filepath.Join(t.TempDir(), "list.txt")
	must(t, os.WriteFile(list, []byte("# attackers\n203.0.113.7\n198.51.100.0/24\n"), 0o600))
	cfg.Shield.Feeds = []string{"theirs=" + list}
	p := start(t, cfg)
	p.eventually("the list is in force", func() bool { return p.kinds("ban.feed") == 1 })
	p.stop()
	cfg.Shield.Feeds = nil
	p = start(t, cfg)
	p.eventually("what it banned is free", func() bool { return p.kinds("ban.feed") == 2 })
	p.stop()
	p = start(t, cfg)
	if n := p.kinds("ban.feed"); n != 2 {
		t.Errorf("%d rows after another start: what was freed was banned again", n)
	}
	p.stop()
}
