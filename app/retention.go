package app

import (
	"context"

	"ringfence/flow/exposure"
	"ringfence/flow/journal"
	"ringfence/flow/notify"
	"ringfence/flow/privacy"
	"ringfence/flow/react"
	"ringfence/flow/retention"
	"ringfence/flow/status"
	"ringfence/flow/watch"
)

// openRetention builds what deletes what is old, and what hands out and erases what is held of a customer. Archives are in the data folder of the node that wrote them.
func (a *App) openRetention(context.Context) error {
	folder := a.cfg.ArchiveFolder()
	a.privacy = privacy.New(privacy.Options{
		Store: a.store, Book: a.book, Provider: a.cfg.Provider.Name, Habits: a.habits, Readers: a.readers, Clear: a.evidence.Clear, Wrote: a.evidence.Wrote, Folder: folder, Node: a.cfg.Node, Log: a.log,
	})
	a.retention = retention.New(retention.Options{
		Store: a.store, Export: a.evidence.Export, Readers: a.readers, Folder: folder, Node: a.cfg.Node, Log: a.log,
		Policy: func() retention.Policy {
			cfg := a.config()
			return retention.Policy{Keep: cfg.Retain.Kept(), Archive: cfg.Retain.Archive == "on"}
		},
	})
	return nil
}

// readers are the stages that follow the journal: what they have still to read stays.
func (a *App) readers() []journal.Reader {
	out := []journal.Reader{{Stage: watch.Stage}, {Stage: status.Stage}, {Stage: notify.Stage, Kinds: notify.Follows}, {Stage: exposure.Stage, Kinds: exposure.Follows}}
	if a.react != nil {
		out = append(out, journal.Reader{Stage: react.Stage})
	}
	return out
}

// retention is what was deleted because its time had come, and what has not been although it has.
func (c *collector) retention(m metrics) {
	last, deleted := c.a.retention.Last()
	for kind, n := range deleted {
		m.count("retention_deleted_total", "Things deleted because their time had come, by kind.", float64(n), "kind", string(kind))
	}
	for kind, held := range last.Held {
		for why, n := range held {
			m.gauge("retention_held", "Things whose time has come and that are kept, by kind and reason.", float64(n), "kind", string(kind), "why", string(why))
		}
	}
	if !last.At.IsZero() {
		m.gauge("retention_last_seconds", "Time of the last look for what is old that came to its end on this node, in seconds since 1970.", float64(last.At.Unix()))
	}
}
