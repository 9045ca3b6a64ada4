package app

import (
	"path/filepath"

	"ringfence/flow/retention"
)

// openRetention builds what deletes what is old. Archives are in the data folder of the node that wrote them.
func (a *App) openRetention() {
	a.retention = retention.New(retention.Options{
		Store: a.store, Export: a.evidence.Export, Folder: filepath.Join(a.cfg.Data, "archive"), Node: a.cfg.Node, Log: a.log,
		Policy: func() retention.Policy {
			cfg := a.config()
			return retention.Policy{Keep: cfg.Retain.Kept(), Archive: cfg.Retain.Archive == "on"}
		},
	})
	a.monitor.metrics.MustRegister(&kept{a.retention})
}
