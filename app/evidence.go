package app

import (
	"context"
	"path/filepath"

	"ringfence/core/seal"
	"ringfence/flow/evidence"
)

// openEvidence reads the seal of the journal, and compares it with the newest checkpoint that this server kept in the data folder.
func (a *App) openEvidence(ctx context.Context) error {
	box, err := a.keys.box()
	if err != nil {
		return err
	}
	a.evidence, err = evidence.Open(ctx, evidence.Options{
		Store: a.store, Seed: box.Derive("evidence"), Copy: filepath.Join(a.cfg.Data, "checkpoint"), Every: a.cfg.Evidence.Every.Duration,
		Witnesses: a.cfg.Evidence.Witnesses, Stampers: a.cfg.Evidence.TimeStampers, Log: a.log,
	})
	return err
}

// checkpointMark is how notices name the newest checkpoint; "" when there is none.
func (a *App) checkpointMark() string {
	if c, _ := a.evidence.Latest(); c.Number > 0 {
		return c.Mark()
	}
	return ""
}

// ReadFileList reads a signed list of files, and the sum of each other file of its folder.
func ReadFileList(path string) (signed []byte, sums map[string]seal.Hash, err error) {
	return evidence.ReadList(path)
}

// EvidenceVerifier is the second verifier of files of evidence, a program for Python 3.
func EvidenceVerifier() string { return evidence.Verifier() }
