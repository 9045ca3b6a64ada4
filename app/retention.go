package app

import (
	"context"
	"path/filepath"

	"ringfence/flow/retention"
)

// openRetention builds what deletes what is old. Archives are in the data folder of the node that wrote them.
func (a *App) openRetention(context.Context) error {
	a.retention = retention.New(retention.Options{
		Store: a.store, Export: a.evidence.Export, Folder: filepath.Join(a.cfg.Data, "archive"), Node: a.cfg.Node, Log: a.log,
		Policy: func() retention.Policy {
			cfg := a.config()
			return retention.Policy{Keep: cfg.Retain.Kept(), Archive: cfg.Retain.Archive == "on"}
		},
	})
	return nil
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
