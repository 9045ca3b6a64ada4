package guard

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringfence/state/counters"
	"ringfence/state/counters/memory"
)

// pool is counters of several nodes in one process, which can go away.
type pool struct {
	*memory.Engine
	down atomic.Bool
}

func newPool() *pool { return &pool{Engine: memory.NewEngine(memory.Options{})} }

func (p *pool) Add(ctx context.Context, now time.Time, hits ...counters.Hit) ([]int64, error) {
	if p.down.Load() {
		return nil, counters.ErrUnavailable
	}
	return p.Engine.Add(ctx, now, hits...)
}

func (p *pool) Marks(ctx context.Context, table string, now time.Time) ([]counters.Mark, error) {
	if p.down.Load() {
		return nil, counters.ErrUnavailable
	}
	return p.Engine.Marks(ctx, table, now)
}

func (p *pool) Put(ctx context.Context, now time.Time, marks ...counters.Mark) error {
	if p.down.Load() {
		return counters.ErrUnavailable
	}
	return p.Engine.Put(ctx, now, marks...)
}

func (p *pool) Drop(ctx context.Context, table string, keys ...string) error {
	if p.down.Load() {
		return counters.ErrUnavailable
	}
	return p.Engine.Drop(ctx, table, keys...)
}

// nodes are two of one operator, running, and a way to let a second or two pass.
func nodes(t *testing.T, p *pool, change ...func(*Options)) (x, y *scene, settle func()) {
	share := func(o *Options) {
		o.Around.Counters = p
		o.NonceKey = bytes.Repeat([]byte("k"), 32)
	}
	x, y = newScene(t, append(change, share)...), newScene(t, append(change, share)...)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, s := range []*scene{x, y} {
		wg.Go(func() { s.a.Run(ctx) })
	}
	t.Cleanup(func() { cancel(); wg.Wait() })
	synctest.Wait()
	return x, y, func() {
		<-time.After(2100 * time.Millisecond)
		synctest.Wait()
		x.at, y.at = time.Now(), time.Now()
	}
}

// TestMarksAreReadUntilTheyAreThere: a node that hears changes but could not read what was before asks again.
func TestMarksAreReadUntilTheyAreThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool()
		x, _, settle := nodes(t, p)
		x.tries(5, 0, thief, "2001", wrongPass)
		settle()
		p.down.Store(true)
		late := newScene(t, func(o *Options) { o.Around.Counters, o.NonceKey = p, bytes.Repeat([]byte("k"), 32) })
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { late.a.Run(ctx) })
		defer func() { cancel(); wg.Wait() }()
		synctest.Wait()
		p.down.Store(false)
		settle()
		late.at = time.Now()
		late.out(thief, "2001")
	})
}

// TestTwoNodesShareLockouts: what one decides holds at the other within seconds, and so does a release; a node that
// starts later learns what is in force.
func TestTwoNodesShareLockouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool()
		x, y, settle := nodes(t, p)
		x.tries(5, 0, cafe, "2001", wrongPass)
		y.in(cafe, "2001")
		settle()
		x.out(cafe, "2001")
		y.out(cafe, "2001")
		y.in(cafe, "2002")
		if l := y.a.Locked(y.at); len(l) != 1 || l[0].Level != 1 || l[0].User != "2001" || !l[0].Line || l[0].Source != cafe {
			t.Errorf("%+v", l)
		}
		z, _, settle := nodes(t, p)
		settle()
		z.out(cafe, "2001")
		if !y.a.Release("2001", "op", y.at) {
			t.Error("nothing released")
		}
		settle()
		x.at = time.Now()
		x.in(cafe, "2001")
		z.in(cafe, "2001")
		x.pass(time.Second)
		x.tries(5, 0, cafe, "2001", wrongPass)
		x.out(cafe, "2001") // a mark that was dropped does not come back, nor is the next one lost
		settle()
		y.at = time.Now()
		y.out(cafe, "2001")
	})
}

// TestTwoNodesShareSums: a guesser who spreads his tries over both nodes has no more of them.
func TestTwoNodesShareSums(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y, settle := nodes(t, newPool(), func(o *Options) { o.Lockout.Strangers = 40 })
		x.tries(3, 0, cafe, "2001", wrongPass)
		settle()
		y.tries(2, 0, cafe, "2001", wrongPass)
		settle()
		y.out(cafe, "2001")
		x.out(cafe, "2001")
		for i := range 40 {
			[]*scene{x, y}[i%2].tries(1, 0, fmt.Sprintf("10.%d.1.1", i), "2002", wrongPass)
		}
		settle()
		// Each node hears the sum of all when it next has something to say.
		x.tries(1, 0, "10.77.1.1", "2002", wrongPass)
		y.tries(1, 0, "10.78.1.1", "2002", wrongPass)
		settle()
		x.out("10.77.1.1", "2002")
		y.out("10.78.1.1", "2002")
		x.in("10.79.1.1", "2002")
	})
}

// TestSharedTriesCountOnce: what led to a lock-out, and what came while it lasted, does not lead to the next one, no more
// than without other nodes: who was locked out has five tries again.
func TestSharedTriesCountOnce(t *testing.T) {
	for _, first := range []time.Duration{15 * time.Minute, 2 * time.Minute} { // the second is shorter than the window
		synctest.Test(t, func(t *testing.T) {
			x, _, settle := nodes(t, newPool(), func(o *Options) { o.Lockout.First = first })
			x.tries(5, 0, cafe, "2001", wrongPass)
			end := x.at.Add(first)
			settle()
			for i := 0; time.Until(end) > first/10; i++ {
				x.out(cafe, "2001")
				x.tries(1, 0, cafe, "2001", fmt.Sprint("still wrong ", i))
				<-time.After(first / 10)
				settle()
			}
			<-time.After(time.Until(end))
			settle()
			x.tries(4, 0, cafe, "2001", wrongPass)
			settle()
			x.in(cafe, "2001")
			x.tries(1, 0, cafe, "2001", "one more")
			settle()
			x.out(cafe, "2001")
		})
	}
}

// TestCountersAway: logins are judged as before, and what is decided meanwhile holds here.
func TestCountersAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool()
		p.down.Store(true)
		x, y, settle := nodes(t, p)
		x.tries(5, 0, cafe, "2001", wrongPass)
		settle()
		x.out(cafe, "2001")
		y.in(cafe, "2001")
		if x.a.Stats().Unshared == 0 {
			t.Error("nobody noticed")
		}
		p.down.Store(false) // and lock-outs of meanwhile are told afterwards
		settle()
		y.out(cafe, "2001")
		p.down.Store(true)
		x.a.Release("2001", "op", x.at)
		settle()
		y.out(cafe, "2001")
		p.down.Store(false)
		settle()
		y.in(cafe, "2001")
	})
}

// TestSharedNames come back as what they were, and nothing else does.
func TestSharedNames(t *testing.T) {
	g := newScene(t).a
	for _, addr := range []string{"192.0.2.7", "2001:db8:1:2::7"} {
		src := newSource(netip.MustParseAddr(addr))
		pair := src.unit
		pair.user = g.hashUser("a/b")
		for scope, k := range map[scope]key{ofPair: pair, ofAddress: src.unit, ofNetwork: src.net, ofAS: {lo: 64496}} {
			name := sharedName(scope, k, "a/b")
			gotOf, gotKey, user, ok := g.parseName(name)
			if !ok || gotOf != scope || gotKey != k || scope == ofPair && user != "a/b" {
				t.Errorf("%s: %v %v %q %v", name, gotOf, gotKey, user, ok)
			}
		}
	}
	for _, name := range []string{"", "line", "line/", "line/1.2.3.4", "line/1.2.3.4/", "line/1.2.3.4/a b", "line/x/a", "address/", "network/1.2.3.4", "as/x", "as/99999999999", "other/1"} {
		if scope, _, _, ok := g.parseName(name); ok {
			t.Errorf("%q is %v", name, scope)
		}
	}
}

// TestHostileMarks: somebody who can write to the engine can lock out, but not for longer than the longest lock-out, and crash
// nothing.
func TestHostileMarks(t *testing.T) {
	s := newScene(t)
	at := s.a.Seconds(s.at)
	for _, value := range []string{"", "{", "null", `{"level":-5}`, `{"level":99999}`, `{"known":true}`} {
		s.a.takeOver(counters.Change{Mark: counters.Mark{Table: lockTable, Key: "line/" + cafe + "/2001", Until: s.at.Add(1000 * time.Hour), Value: json.RawMessage(value)}}, at, s.at)
	}
	s.out(cafe, "2001")
	s.pass(24 * time.Hour)
	s.in(cafe, "2001")
}

// FuzzSharedNames: names come from anyone who can write to the engine; what is understood is understood one way.
func FuzzSharedNames(f *testing.F) {
	f.Add("line/192.0.2.7/1001", []byte(`{"level":1,"known":true}`))
	f.Add("network/2001:db8::/56", []byte(`{}`))
	f.Add("as/64496", []byte(`null`))
	s := newScene(f)
	f.Fuzz(func(t *testing.T, name string, value []byte) {
		g := s.a
		g.takeOver(counters.Change{Mark: counters.Mark{Table: lockTable, Key: name, Until: s.at.Add(time.Minute), Value: value}}, s.a.Seconds(s.at), s.at)
		g.takeOver(counters.Change{Mark: counters.Mark{Table: lockTable, Key: name}, Dropped: true}, s.a.Seconds(s.at), s.at)
		scope, k, user, ok := g.parseName(name)
		if !ok {
			return
		}
		again, other, _, ok := g.parseName(sharedName(scope, k, user))
		if !ok || again != scope || other != k {
			t.Errorf("%q is %v %v, then %v %v", name, scope, k, again, other)
		}
	})
}

// TestCheckSaysWhetherNodesShare: a thief who is locked out at one node must not simply go to the next.
func TestCheckSaysWhetherNodesShare(t *testing.T) {
	p := newPool()
	for want, around := range map[string]Around{
		"ok kept in this process":                                            {Counters: p},
		"ok reached; nodes share":                                            {Counters: p, Lasting: true, Nodes: true},
		"warning nodes on one store do not share lock-outs and bans":         {Counters: p, Nodes: true},
		"warning not reached: counters unavailable. Until it can, lock-outs": {Counters: p, Nodes: true, Lasting: true},
	} {
		p.down.Store(strings.Contains(want, "not reached"))
		s := newScene(t, func(o *Options) {
			o.Around.Counters, o.Around.Lasting, o.Around.Nodes = around.Counters, around.Lasting, around.Nodes
		})
		got := s.a.CheckCounters(t.Context())
		if len(got) != 1 || got[0].What != "counters" || !strings.HasPrefix(got[0].Level+" "+got[0].Text, want) {
			t.Errorf("%+v, want %s", got, want)
		}
	}
}
