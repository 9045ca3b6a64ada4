package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"ringfence/app"
	"ringfence/core/seal"
	"ringfence/edge/rest/api"
)

type evidenceCmd struct {
	Status     evidenceStatus     `cmd:"" help:"Show the newest checkpoint of the journal, its trees and the public key." eg:"; --json | jq -r .note > checkpoint"`
	Checkpoint evidenceCheckpoint `cmd:"" help:"Print a checkpoint as it was signed; without a number, make one now." eg:"; 1234 > checkpoint-1234"`
	Export     evidenceExport     `cmd:"" help:"Write facts of the journal with their proofs to a file." eg:"--call 01JD8Z6Q4N8T7R5V3X1B9C7D5F -o call.evidence; --line 2001 --from 2026-11-01 -o november.evidence; --all -o journal.evidence" detail:"Anyone who gets the file can check it without a server: with \"ringfence evidence verify\", or with the Python program of \"ringfence evidence verifier\"."`
	Verify     evidenceVerify     `cmd:"" help:"Check a file of evidence. Needs no server." eg:"call.evidence; call.evidence --key \"ringfence+6a7c3c1b+AR…\" --seen 1234-5f3c…; journal.evidence --files files.signed" detail:"Finds rows that were changed, removed, reordered, inserted or dated back, and names each. Compare the fingerprint of the key, and a checkpoint, with what the provider published before.\n\nExit code 1 when something is found."`
	Compare    evidenceCompare    `cmd:"" help:"Compare checkpoints that were seen at different times or by different people. Needs no server." eg:"checkpoint-1234 checkpoint-1301" detail:"Finds a store that was restored from an older copy without saying so, and a fork: two different copies of one journal. Exit code 1 when they do not belong to one journal."`
	Verifier   evidenceVerifier   `cmd:"" help:"Print a second verifier, a program for Python 3 that needs nothing else." eg:"> verify.py"`
}

type evidenceStatus struct{ remote }

func (c *evidenceStatus) Run(s *session) error {
	return perform(s, "GET /v1/evidence", func(e *api.Evidence) error {
		if e.Checkpoint == 0 {
			return s.say("No checkpoint yet. Public key: %s", e.PublicKey)
		}
		if err := s.say("Checkpoint %d of epoch %d, %s\nMark: %s\nPublic key: %s\nFingerprint: %s", e.Checkpoint, e.Epoch, e.At.Format("2006-01-02 15:04:05 MST"), e.Mark, e.PublicKey, e.Fingerprint); err != nil {
			return err
		}
		for _, t := range e.Trees {
			if err := s.say("Tree %s: %d rows", t.Tree, t.Rows); err != nil {
				return err
			}
		}
		for _, w := range e.Witnesses {
			if err := s.say("Checkpoint %d is with %s since %s", w.Checkpoint, w.Witness, w.At.Format("2006-01-02 15:04:05 MST")); err != nil {
				return err
			}
		}
		return nil
	})
}

type evidenceCheckpoint struct {
	remote
	Number int64 `arg:"" optional:"" help:"Number of the checkpoint."`
}

func (c *evidenceCheckpoint) Run(s *session) error {
	if c.Number == 0 {
		return perform(s, "POST /v1/evidence/checkpoint", func(e *api.Evidence) error {
			_, err := io.WriteString(s.out, e.Note)
			return err
		})
	}
	return perform(s, "GET /v1/evidence/checkpoint", func(n *api.EvidenceNote) error {
		_, err := io.WriteString(s.out, n.Note)
		return err
	}, &api.EvidencePoint{Number: c.Number})
}

type evidenceExport struct {
	remote
	api.EvidenceFilter
	Output string `short:"o" help:"File to write (default: standard output)." placeholder:"FILE"`
}

func (c *evidenceExport) Run(s *session) error {
	if !c.All && len(c.Call) == 0 && len(c.Line) == 0 {
		return usagef("say what to write: --call, --line or --all")
	}
	return s.writeTo(c.Output, func(w io.Writer) error { return s.stream("/v1/evidence/export", &c.EvidenceFilter, "text/plain", w) })
}

type evidenceVerify struct {
	File string   `arg:"" help:"File of evidence." type:"path"`
	Key  []string `help:"Public key that must have signed it (default: the one that the file names; compare its fingerprint). May be repeated." placeholder:"KEY" sep:"none"`
	Seen []string `help:"Mark of a checkpoint that must be in the file, as a notice names it. May be repeated." placeholder:"MARK" sep:"none"`
	List string   `name:"files" help:"Signed list of the files that belong to it: those of its folder are compared with the list." type:"path" placeholder:"FILE"`
}

func (c *evidenceVerify) Run(s *session) error {
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := unpacked(c.File, f)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	r, err := seal.Verify(text, c.Key...)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	r.Saw(c.Seen...)
	if err := c.compareList(&r); err != nil {
		return err
	}
	for _, k := range r.Keys {
		if err := s.say("Signed with %s, fingerprint %s", k, seal.Fingerprint(k)); err != nil {
			return err
		}
	}
	for _, f := range r.Findings {
		if err := s.say("%s", f); err != nil {
			return err
		}
	}
	if n := len(r.Findings); n > 0 {
		return fmt.Errorf("%s is not as it was sealed: %s", filepath.Base(c.File), api.Count(n, "finding", "findings"))
	}
	last := r.Passed[len(r.Passed)-1]
	return s.say("%d rows are as they were sealed, %d of them unsealed. Checkpoint %d of %s: %s", r.Rows, r.Unsealed, last.Number, last.At.Format("2006-01-02 15:04:05 MST"), last.Mark())
}

// compareList looks at the files beside the list.
func (c *evidenceVerify) compareList(r *seal.Report) error {
	if c.List == "" {
		return nil
	}
	keys := c.Key
	if len(keys) == 0 {
		keys = r.Keys
	}
	signed, sums, err := app.ReadFileList(c.List)
	if err != nil {
		return err
	}
	found, err := seal.VerifyList(signed, sums, keys...)
	r.Findings = append(r.Findings, found...)
	return err
}

type evidenceCompare struct {
	Files []string `arg:"" help:"Checkpoints as they were signed, two or more." type:"path"`
	Key   []string `help:"Public key that must have signed them (default: signatures are not checked)." placeholder:"KEY" sep:"none"`
}

func (c *evidenceCompare) Run(s *session) error {
	if len(c.Files) < 2 {
		return usagef("name two checkpoints or more")
	}
	var notes [][]byte
	for _, path := range c.Files {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		notes = append(notes, text)
	}
	found, err := seal.CompareAll(notes, c.Key...)
	if err != nil {
		return err
	}
	for _, f := range found {
		if err := s.say("%s", f); err != nil {
			return err
		}
	}
	if len(found) > 0 {
		return errors.New("these checkpoints are not of one journal")
	}
	return s.say("%d checkpoints of one journal", len(notes))
}

type evidenceVerifier struct{}

func (evidenceVerifier) Run(s *session) error {
	_, err := io.WriteString(s.out, app.EvidenceVerifier())
	return err
}
