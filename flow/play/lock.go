package play

import (
	"slices"
	"time"

	"ringfence/core/account"
	"ringfence/core/engine"
)

// Lock locks a line from an instant on, up to which everything is played first. Calls say how it treats those in progress.
func (p *Player) Lock(id string, calls account.LockCalls, now time.Time) {
	p.Until(now)
	ln := p.line(&Call{Line: id}, now)
	ln.shut, ln.broke = true, calls != account.CallsKept
	p.heed(ln, now, func(l *live) engine.Step {
		if !ln.broke {
			return l.Unlocked(now)
		}
		return l.Locked(calls == account.CallsCut, now, p.o.Terms)
	})
}

// Unlock opens a line that Lock locked.
func (p *Player) Unlock(id string, now time.Time) {
	p.Until(now)
	ln := p.line(&Call{Line: id}, now)
	ln.shut, ln.broke = false, false
	p.heed(ln, now, func(l *live) engine.Step { return l.Unlocked(now) })
}

// heed gives each paid call of a line an event, in the order in which they were let out.
func (p *Player) heed(ln *line, now time.Time, event func(*live) engine.Step) {
	all := slices.Clone(p.queue)
	slices.SortFunc(all, func(a, b due) int { return int(a.call.nth - b.call.nth) })
	p.queue = p.queue[:0]
	for _, d := range all {
		if d.call.line != ln || !d.call.Costs {
			p.queue.push(d)
			continue
		}
		step := event(d.call)
		if step.Cut {
			p.cut(d.call, &step, now)
			continue
		}
		if !step.Wake.IsZero() {
			d.at = min(d.at, step.Wake.UnixNano())
		}
		p.queue.push(d)
	}
}
